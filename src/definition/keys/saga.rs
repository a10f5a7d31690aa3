//! The keys of a saga outside of its steps. Decodes nothing.

use super::step::STEP;
use super::wait::{CANCEL_ON, REACTION, RETRY};
use super::{Exclude, Kind, Mapping, Shape, optional, required};

/// The choices of `eviction.policy`.
pub const POLICIES: &[&str] = &["replace", "refuse", "ignore", "queue", "parallel", "join"];

/// The choices of `on_restart`.
pub const ON_RESTART: &[&str] = &["resume", "compensate", "fail"];

/// The choices of `on_shutdown`.
pub const ON_SHUTDOWN: &[&str] = &["park", "cancel"];
/// Words of `mode`.
pub const MODES: &[&str] = &["live", "observe"];

/// Signals that every saga knows.
pub const SIGNALS: &[&str] = &["cancel", "retry", "resolve"];

/// `*.saga.yaml`.
pub static SAGA: Mapping = Mapping {
    name: "saga",
    what: "a saga",
    doc: "A saga: what starts it, what it does step by step, and how each step is undone.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        required("saga", Shape::Name, "Name of the saga, unique in the directory."),
        optional("doc", Shape::Text, "What the saga is for, in a sentence."),
        optional("labels", Shape::Labels, "Free labels, shown to operators."),
        required("trigger", Shape::Map(&TRIGGER), "What starts the saga."),
        optional(
            "input",
            Shape::Values,
            "Named values taken from `trigger`; frozen, logged, shown to operators.",
        ),
        optional("vars", Shape::Values, "Initial values of variables, from `input`."),
        optional(
            "require",
            Shape::List(&REQUIRE),
            "Guards over `trigger` and `input`, checked before anything exists.",
        ),
        required(
            "eviction",
            Shape::Map(&EVICTION),
            "Who gives way when a second saga with the same key would start. There is no default.",
        ),
        required(
            "timeout",
            Shape::Bound,
            "Deadline of the way forward, like `30s`; undoing and `finally` are never cut off. \
             The opt-out is the word `none`.",
        ),
        optional("defaults", Shape::Map(&DEFAULTS), "For steps that do not say."),
        required("steps", Shape::List(&STEP), "The steps, in order."),
        optional(
            "finally",
            Shape::List(&STEP),
            "Steps that run on every end, after undoing, before the saga is over.",
        ),
        optional("result", Shape::Values, "What a caller gets and `saga_completed` carries."),
        optional("cancel_on", Shape::List(&CANCEL_ON), "Events that cancel the saga."),
        optional(
            "signals",
            Shape::NamedBut(SIGNALS, &SIGNAL_DECL),
            "What a person or client may say to the saga, by name; steps await it as \
             `{ signal: NAME }`.",
        ),
        optional(
            "reactions",
            Shape::List(&REACTION),
            "What it does on the side while it runs: each match fires once, in order.",
        ),
        optional(
            "always",
            Shape::ConditionList,
            "Conditions that hold in every state that the saga can reach; `sagaflow test` judges \
             them after every decision.",
        ),
        optional(
            "on_restart",
            Shape::Words(ON_RESTART),
            "After a crash of the launcher: `resume` (default), `compensate`, or `fail`.",
        ),
        optional(
            "on_shutdown",
            Shape::Words(ON_SHUTDOWN),
            "At a clean shutdown: `park` (default, resumes at the next start) or `cancel`.",
        ),
        optional(
            "mode",
            Shape::Words(MODES),
            "`live` (default): commands are sent. `observe`: nobody is sent anything, and an \
             `echo` is anybody's report for which `where` holds; for cutting over from other code.",
        ),
    ],
};

/// A guard over a caller's fields has a place of its own.
const CALL_HAS_NO_WHEN: Exclude = Exclude {
    key: "call",
    others: &["when"],
    why: "goes with `event`",
    help: "a guard over a caller's fields is a `require`",
};

/// Every tick starts one: what is to be asked first is a guard, or a first step.
const SCHEDULE_HAS_NO_WHEN: Exclude = Exclude {
    key: "schedule",
    others: &["when"],
    why: "goes with `event`",
    help: "a tick carries no fields; ask the world in a first step",
};

/// `trigger`.
pub static TRIGGER: Mapping = Mapping {
    name: "trigger",
    what: "a trigger",
    doc: "What starts the saga: an event, one of several, or a call by name.",
    one_of: &[&["event", "any_of", "call", "schedule"]],
    excludes: &[
        Exclude {
            key: "any_of",
            others: &["when"],
            why: "belongs to one alternative of `any_of`",
            help: "",
        },
        CALL_HAS_NO_WHEN,
        SCHEDULE_HAS_NO_WHEN,
    ],
    needs: &[],
    keys: &[
        optional("event", Shape::Ref(Kind::Event), "The event that starts the saga."),
        optional("when", Shape::Condition, "Reads `trigger`; the saga starts only when true."),
        optional(
            "any_of",
            Shape::List(&TRIGGER_ALTERNATIVE),
            "Several ways to start; the first that fits.",
        ),
        optional(
            "call",
            Shape::Map(&CALL),
            "Started by name; `trigger` then holds the caller's typed fields.",
        ),
        optional("schedule", Shape::Map(&SCHEDULE), "Started by the clock; no fields."),
    ],
};

/// One entry of `trigger.any_of`.
pub static TRIGGER_ALTERNATIVE: Mapping = Mapping {
    name: "trigger_alternative",
    what: "an alternative of a trigger",
    doc: "One of several ways to start the saga.",
    one_of: &[&["event", "call", "schedule"]],
    excludes: &[CALL_HAS_NO_WHEN, SCHEDULE_HAS_NO_WHEN],
    needs: &[],
    keys: &[
        optional("event", Shape::Ref(Kind::Event), "The event that starts the saga."),
        optional("when", Shape::Condition, "Reads `trigger`; the saga starts only when true."),
        optional("call", Shape::Map(&CALL), "Started by name, with typed fields."),
        optional("schedule", Shape::Map(&SCHEDULE), "Started by the clock; no fields."),
        optional(
            "input",
            Shape::Values,
            "This alternative's own `input`; all alternatives give the same names and types.",
        ),
    ],
};

/// `trigger.call`.
pub static CALL: Mapping = Mapping {
    name: "call",
    what: "a `call` trigger",
    doc: "What a caller gives.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[optional("fields", Shape::InnerFields, "The caller's fields, each a JSON Schema.")],
};

/// `trigger.schedule`.
pub static SCHEDULE: Mapping = Mapping {
    name: "schedule",
    what: "a `schedule`",
    doc: "When the clock starts the saga; ticks missed while the launcher was down fire once.",
    one_of: &[&["every", "cron"]],
    excludes: &[],
    needs: &[],
    keys: &[
        optional(
            "every",
            Shape::Duration,
            "So often, at least `1s`, counted from when a launcher first loads it.",
        ),
        optional(
            "cron",
            Shape::Text,
            "Minute, hour, day of the month, month, day of the week, in UTC: `30 4 * * mon-fri`.",
        ),
    ],
};

/// One entry of `signals`.
pub static SIGNAL_DECL: Mapping = Mapping {
    name: "signal_declaration",
    what: "a signal",
    doc: "What a person or client may say to the saga.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        optional("doc", Shape::Text, "What it means, for whoever says it."),
        optional("fields", Shape::InnerFields, "What it carries, each a JSON Schema."),
    ],
};

/// One entry of `require`.
pub static REQUIRE: Mapping = Mapping {
    name: "require",
    what: "a guard",
    doc: "A fact without which the saga is refused before anything of it exists.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        required("that", Shape::Condition, "Must be true; reads `trigger` and `input`."),
        required("otherwise", Shape::Template, "The refusal's words; may hold `${{ }}`."),
    ],
};

/// `eviction`.
pub static EVICTION: Mapping = Mapping {
    name: "eviction",
    what: "an eviction",
    doc: "Who gives way when two sagas of one key meet.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        optional(
            "key",
            Shape::Conditions,
            "Sagas of this definition with an equal key contend; of a list, when they share an \
             element. Without it all sagas of this definition contend.",
        ),
        required(
            "policy",
            Shape::Words(POLICIES),
            "`replace`: the running one is undone, then the newcomer starts. `refuse`: the \
             newcomer is refused. `ignore`: it is dropped. `queue`: it waits (`queue_max`). \
             `parallel`: both run. `join`: it is merged into the running one (`save`).",
        ),
        optional("queue_max", Shape::Integer(1), "How many may wait under `queue`."),
        optional(
            "save",
            Shape::Values,
            "Variables that a newcomer sets under `join`, from `event` (what started it) and \
             `vars`.",
        ),
    ],
};

/// `defaults`.
pub static DEFAULTS: Mapping = Mapping {
    name: "defaults",
    what: "the defaults",
    doc: "For steps that do not say.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        optional("timeout", Shape::Bound, "Timeout of steps that do not say."),
        optional("retry", Shape::MapOrNone(&RETRY), "Retry of steps that do not say."),
    ],
};
