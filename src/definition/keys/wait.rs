//! The keys of waits and retries. Decodes nothing.

use super::{Exclude, Kind, Mapping, Shape, optional, required};

/// The choices of `backoff`.
pub const BACKOFFS: &[&str] = &["constant", "linear", "exponential"];

/// The choices of `retry.on`.
pub const RETRY_ON: &[&str] = &["timeout", "unreachable", "failed"];

/// Under several alternatives each has its own `where` and `save`.
const fn one_alternative(key: &'static str) -> Exclude {
    Exclude {
        key,
        others: &["where", "save"],
        why: "belongs to one alternative",
        help: "write it inside each alternative that needs it",
    }
}

/// `await`.
pub static AWAIT: Mapping = Mapping {
    name: "await",
    what: "an `await`",
    doc: "What satisfies a step: one report or signal, the first of several, or all of several.",
    one_of: &[&["echo", "event", "signal", "any_of", "all_of"]],
    excludes: &[one_alternative("any_of"), one_alternative("all_of")],
    needs: &[],
    keys: &[
        optional("echo", Shape::Ref(Kind::Event), "This saga's own answer, by its event's name."),
        optional("event", Shape::Ref(Kind::Event), "Anybody's report; `where` must pin identity."),
        optional("signal", Shape::Name, "What a person or client says to this saga."),
        optional("where", Shape::Condition, "Reads `event`; which report is meant."),
        optional("save", Shape::Values, "Variables that it sets, reading `event`."),
        optional("any_of", Shape::List(&REPORT), "The first alternative in order wins."),
        optional("all_of", Shape::List(&REPORT), "All must come."),
    ],
};

/// One entry of `any_of` or `all_of`.
pub static REPORT: Mapping = Mapping {
    name: "report",
    what: "an alternative of an `await`",
    doc: "One report that may come in.",
    one_of: &[&["echo", "event", "signal"]],
    excludes: &[],
    needs: &[],
    keys: &[
        optional("echo", Shape::Ref(Kind::Event), "This saga's own answer, by its event's name."),
        optional("event", Shape::Ref(Kind::Event), "Anybody's report; `where` must pin identity."),
        optional("signal", Shape::Name, "What a person or client says to this saga."),
        optional("where", Shape::Condition, "Reads `event`; which report is meant."),
        optional("save", Shape::Values, "Variables that it sets, reading `event`."),
    ],
};

/// One entry of `fail_on`.
pub static FAIL_ON: Mapping = Mapping {
    name: "fail_on",
    what: "an entry of `fail_on`",
    doc: "One report that fails the step.",
    one_of: &[&["echo", "event", "signal"]],
    excludes: &[],
    needs: &[],
    keys: &[
        optional("echo", Shape::Ref(Kind::Event), "This saga's own answer, by its event's name."),
        optional("event", Shape::Ref(Kind::Event), "Anybody's report; `where` must pin identity."),
        optional("signal", Shape::Name, "What a person or client says to this saga."),
        optional("where", Shape::Condition, "Reads `event`; which report is meant."),
        optional("reason", Shape::Template, "The failure's words; may hold `${{ }}`."),
    ],
};

/// One entry of `cancel_on`.
pub static CANCEL_ON: Mapping = Mapping {
    name: "cancel_on",
    what: "an entry of `cancel_on`",
    doc: "An event that cancels the saga.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        required("event", Shape::Ref(Kind::Event), "The event."),
        optional("where", Shape::Condition, "Must pin identity: which saga is meant."),
    ],
};

/// One entry of `reactions`.
pub static REACTION: Mapping = Mapping {
    name: "reaction",
    what: "a reaction",
    doc: "What the saga does on the side, each time that something comes in while it runs.",
    one_of: &[&["event", "echo"], &["issue", "emit"]],
    excludes: &[],
    needs: &[],
    keys: &[
        optional("event", Shape::Ref(Kind::Event), "Anybody's report; `where` must pin identity."),
        optional(
            "echo",
            Shape::Ref(Kind::Event),
            "An answer to any of this saga's commands, by its event's name.",
        ),
        optional("where", Shape::Condition, "Reads `event`; which report is meant."),
        optional(
            "issue",
            Shape::Ref(Kind::Command),
            "Puts a command on its target's pipe and awaits nothing; nothing undoes it.",
        ),
        optional("emit", Shape::Ref(Kind::Event), "Publishes an event on the bus."),
        optional(
            "with",
            Shape::Values,
            "Fields of the command or event; values may hold `${{ }}` and read `event`.",
        ),
    ],
};

/// `retry`.
pub static RETRY: Mapping = Mapping {
    name: "retry",
    what: "a `retry`",
    doc: "Further attempts.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        required("attempts", Shape::Integer(1), "How often in all; the first attempt counts."),
        required("backoff", Shape::Words(BACKOFFS), "How the pause between attempts grows."),
        required("delay", Shape::Duration, "The first pause."),
        optional("max_delay", Shape::Duration, "The longest pause."),
        optional("jitter", Shape::Share, "Share of the pause that is spread, from 0 to 1."),
        required(
            "on",
            Shape::WordList(RETRY_ON),
            "After what: `timeout` and `unreachable` leave the step in doubt, `failed` does not.",
        ),
    ],
};
