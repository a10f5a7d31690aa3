//! The keys of a `*.test.yaml`. Decodes nothing.

use super::{Exclude, Kind, Mapping, Shape, optional, required};

/// States in which a saga ends \[R16\].
pub static ENDS: &[&str] = &["completed", "failed", "compensated", "failed_compensation"];

/// Why a saga came to fail \[R16\].
pub static CAUSES: &[&str] = &[
    "timed_out",
    "evicted",
    "cancelled",
    "action_failed",
    "fail_step",
    "unreachable",
    "fault",
    "restart",
    "shutdown",
];

/// `*.test.yaml`.
pub static TEST: Mapping = Mapping {
    name: "test",
    what: "a test file",
    doc: "Cases of one saga, played in virtual time by the interpreter that runs it.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        required("saga", Shape::Ref(Kind::Saga), "The saga under test."),
        required("cases", Shape::List(&CASE), "The cases; each starts afresh."),
    ],
};

/// One case.
pub static CASE: Mapping = Mapping {
    name: "case",
    what: "a case",
    doc: "What starts the saga, what its targets answer, how it ends.",
    one_of: &[&["when", "same_as"]],
    excludes: &[Exclude {
        key: "same_as",
        others: &["script", "end"],
        why: "comes from the case that `same_as` names",
        help: "",
    }],
    needs: &[],
    keys: &[
        required("name", Shape::Text, "What the case claims, as a sentence."),
        optional("when", Shape::Map(&WHEN), "What starts the saga."),
        optional("script", Shape::List(&SCRIPT), "What happens, in order."),
        optional("end", Shape::Map(&END), "How it ends; a subset of what is compared."),
        optional("same_as", Shape::Text, "Name of a case that is played again under `explore`."),
        optional("explore", Shape::Map(&EXPLORE), "Faults that are tried everywhere."),
    ],
};

/// `when` of a case.
pub static WHEN: Mapping = Mapping {
    name: "when",
    what: "a `when`",
    doc: "What starts the saga.",
    one_of: &[&["event", "call", "schedule"]],
    excludes: &[Exclude {
        key: "schedule",
        others: &["with"],
        why: "does not go with `schedule`, which carries no fields",
        help: "",
    }],
    needs: &[],
    keys: &[
        optional("event", Shape::Ref(Kind::Event), "An event."),
        optional("call", Shape::True, "A caller."),
        optional("schedule", Shape::True, "The clock."),
        optional("with", Shape::Values, "Its fields."),
    ],
};

/// One entry of `script`.
pub static SCRIPT: Mapping = Mapping {
    name: "script",
    what: "an entry of a script",
    doc: "One thing that happens.",
    one_of: &[&[
        "expect",
        "answer",
        "report",
        "call",
        "signal",
        "disconnect",
        "connect",
        "advance",
        "crash",
    ]],
    excludes: &[],
    needs: &[("reply", &["expect", "answer"]), ("answer", &["reply"])],
    keys: &[
        optional("expect", Shape::Map(&EXPECT), "A command that must come; in order per target."),
        optional("answer", Shape::Map(&EXPECT), "A command that came before is answered now."),
        optional("reply", Shape::MapOrNone(&REPLY), "What the target answers; `none`: silence."),
        optional("report", Shape::Map(&ORGANIC), "An event that somebody else reports."),
        optional("call", Shape::Values, "A caller starts the saga once more, with these fields."),
        optional("signal", Shape::Map(&SIGNAL), "What a person or client says to the saga."),
        optional("disconnect", Shape::Ref(Kind::Target), "The target goes away."),
        optional("connect", Shape::Ref(Kind::Target), "The target comes back."),
        optional("advance", Shape::Duration, "Time passes."),
        optional("crash", Shape::True, "The launcher dies and starts again."),
    ],
};

/// `expect`.
pub static EXPECT: Mapping = Mapping {
    name: "expect",
    what: "an `expect`",
    doc: "A command that must come.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        required("issue", Shape::Ref(Kind::Command), "The command."),
        optional("with", Shape::Values, "A subset of its fields."),
    ],
};

/// `reply`.
pub static REPLY: Mapping = Mapping {
    name: "reply",
    what: "a `reply`",
    doc: "What the target answers.",
    one_of: &[&["echo", "failed"]],
    excludes: &[],
    needs: &[("with", &["echo"])],
    keys: &[
        optional("echo", Shape::Ref(Kind::Event), "The event that answers the command."),
        optional("with", Shape::Values, "Its fields."),
        optional("failed", Shape::Text, "The command could not be done, for this reason."),
    ],
};

/// `report`.
pub static ORGANIC: Mapping = Mapping {
    name: "organic",
    what: "a `report`",
    doc: "An event that carries no saga's id.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        required("event", Shape::Ref(Kind::Event), "The event."),
        optional("with", Shape::Values, "Its fields."),
    ],
};

/// `signal`.
pub static SIGNAL: Mapping = Mapping {
    name: "signal",
    what: "a `signal`",
    doc: "What a person or client says to the saga.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        required("name", Shape::Name, "`cancel`, `retry`, `resolve`, or a signal of the saga."),
        optional("with", Shape::Values, "Its fields."),
    ],
};

/// `end`.
pub static END: Mapping = Mapping {
    name: "end",
    what: "an `end`",
    doc: "How the saga ends; what is not named is not compared.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        optional("state", Shape::Words(ENDS), "Its last state."),
        optional("cause", Shape::Words(CAUSES), "Why it failed."),
        optional("reason", Shape::Text, "The failing step's words."),
        optional("result", Shape::Values, "A subset of what a caller gets."),
    ],
};

/// `explore`.
pub static EXPLORE: Mapping = Mapping {
    name: "explore",
    what: "an `explore`",
    doc: "Faults that are tried at every place of the case.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        optional("crash", Shape::Words(&["every_commit"]), "The launcher dies after each commit."),
        optional("duplicate", Shape::Integer(0), "So many reports come twice."),
        optional("disconnect", Shape::Integer(0), "So many times a target goes away."),
    ],
};
