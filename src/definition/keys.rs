//! Every key of the language, once: the reader refuses what is not here and the JSON Schemas are printed from it. Decodes nothing.

/// A mapping of the language: its keys, and the rules between them.
#[derive(Debug)]
pub struct Mapping {
    /// Name in the JSON Schema's `$defs`.
    pub name: &'static str,
    /// As in "unknown key in a step".
    pub what: &'static str,
    /// Shown by editors.
    pub doc: &'static str,
    /// Its keys, in the order in which they are best written.
    pub keys: &'static [Key],
    /// Exactly one of each of these groups must be written.
    pub one_of: &'static [&'static [&'static str]],
}

/// A key.
#[derive(Debug)]
pub struct Key {
    /// As written.
    pub name: &'static str,
    /// Whether it must be there.
    pub need: Need,
    /// What stands under it.
    pub shape: Shape,
    /// Shown by editors; one or two sentences of Markdown.
    pub doc: &'static str,
}

/// Whether a key must be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Silence is an error.
    Required,
    /// May be left out.
    Optional,
    /// Part of the language, but of a construct that this version does not run yet.
    Later,
}

/// What stands under a key.
#[derive(Debug)]
pub enum Shape {
    /// Free text.
    Text,
    /// Text with `${{ }}` holes.
    Template,
    /// A bare expression.
    Condition,
    /// A bare expression or a list of them.
    Conditions,
    /// A snake_case name that this file gives.
    Name,
    /// A name of the catalog.
    Ref(Kind),
    /// A list of names of the catalog.
    Refs(Kind),
    /// The id of a step, in a list.
    StepIds,
    /// `10s`.
    Duration,
    /// `10s` or the word `none`.
    Bound,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A list of these words.
    WordList(&'static [&'static str]),
    /// A command's name or one of the words `none` and `irreversible`.
    CatalogUndo,
    /// `true` or `false`.
    Flag,
    /// `true`.
    True,
    /// A whole number, at least this.
    Integer(u64),
    /// A number from 0 to 1.
    Share,
    /// Any value at all.
    Any,
    /// Named values with `${{ }}` holes.
    Values,
    /// Named strings.
    Labels,
    /// Named fields: JSON Schemas with `required` and `sensitive`.
    Fields,
    /// A mapping.
    Map(&'static Mapping),
    /// A mapping, or the word `none`.
    MapOrNone(&'static Mapping),
    /// A list of mappings, not empty.
    List(&'static Mapping),
    /// One of these words, or a list of mappings.
    WordsOrList(&'static [&'static str], &'static Mapping),
    /// Named mappings.
    Named(&'static Mapping),
}

/// What a name of the catalog names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An event.
    Event,
    /// A command.
    Command,
    /// A target.
    Target,
    /// A saga.
    Saga,
}

impl Mapping {
    /// The key of that name.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The keys that this version understands.
    pub fn written(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().filter(|key| key.need != Need::Later)
    }
}

const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, need: Need::Required, shape, doc }
}

const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, need: Need::Optional, shape, doc }
}

const fn later(name: &'static str, doc: &'static str) -> Key {
    Key { name, need: Need::Later, shape: Shape::Any, doc }
}

/// The choices of `eviction.policy`.
pub const POLICIES: &[&str] = &["replace", "refuse", "ignore", "queue", "parallel"];
/// The choices of `backoff`.
pub const BACKOFFS: &[&str] = &["constant", "linear", "exponential"];
/// The choices of `retry.on`.
pub const RETRY_ON: &[&str] = &["timeout", "unreachable", "failed"];
/// The words of `on_timeout`.
pub const ON_TIMEOUT: &[&str] = &["fail", "continue"];
/// The choices of `on_restart`.
pub const ON_RESTART: &[&str] = &["resume", "compensate", "fail"];
/// The choices of `on_shutdown`.
pub const ON_SHUTDOWN: &[&str] = &["park", "cancel"];
/// The choices of a target's `overflow`.
pub const OVERFLOWS: &[&str] = &["fail_oldest", "fail_newest"];

/// `*.saga.yaml`.
pub static SAGA: Mapping = Mapping {
    name: "saga",
    what: "a saga",
    doc: "A saga: what starts it, what it does step by step, and how each step is undone.",
    one_of: &[],
    keys: &[
        required("saga", Shape::Name, "Name of the saga, unique in the directory."),
        optional("doc", Shape::Text, "What the saga is for, in a sentence."),
        optional("labels", Shape::Labels, "Free labels, shown to operators."),
        optional("mode", Shape::Words(&["live"]), "`live`: commands are sent."),
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
        later("signals", "What a person or client may say to the saga."),
        later("reactions", "What it does on the side while it runs."),
        later("always", "What holds in every reachable state."),
        required("steps", Shape::List(&STEP), "The steps, in order."),
        optional(
            "finally",
            Shape::List(&STEP),
            "Steps that run on every end, after undoing, before the saga is over.",
        ),
        optional("result", Shape::Values, "What a caller gets and `saga_completed` carries."),
        optional("cancel_on", Shape::List(&CANCEL_ON), "Events that cancel the saga."),
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
    ],
};

/// `trigger`.
pub static TRIGGER: Mapping = Mapping {
    name: "trigger",
    what: "a trigger",
    doc: "What starts the saga: an event, one of several, or a call by name.",
    one_of: &[&["event", "any_of", "call"]],
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
        later("schedule", "Started by the clock."),
    ],
};

/// One entry of `trigger.any_of`.
pub static TRIGGER_ALTERNATIVE: Mapping = Mapping {
    name: "trigger_alternative",
    what: "an alternative of a trigger",
    doc: "One of several ways to start the saga.",
    one_of: &[&["event", "call"]],
    keys: &[
        optional("event", Shape::Ref(Kind::Event), "The event that starts the saga."),
        optional("when", Shape::Condition, "Reads `trigger`; the saga starts only when true."),
        optional("call", Shape::Map(&CALL), "Started by name, with typed fields."),
        later("schedule", "Started by the clock."),
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
    keys: &[optional("fields", Shape::Fields, "The caller's fields, each a JSON Schema.")],
};

/// One entry of `require`.
pub static REQUIRE: Mapping = Mapping {
    name: "require",
    what: "a guard",
    doc: "A fact without which the saga is refused before anything of it exists.",
    one_of: &[],
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
             `parallel`: both run.",
        ),
        optional("queue_max", Shape::Integer(1), "How many may wait under `queue`."),
        later("save", "Variables set by a newcomer that joins."),
    ],
};

/// `defaults`.
pub static DEFAULTS: Mapping = Mapping {
    name: "defaults",
    what: "the defaults",
    doc: "For steps that do not say.",
    one_of: &[],
    keys: &[
        optional("timeout", Shape::Bound, "Timeout of steps that do not say."),
        optional("retry", Shape::MapOrNone(&RETRY), "Retry of steps that do not say."),
    ],
};

/// The verbs of a step; exactly one, and `await` alone is one too.
pub const VERBS: &[&str] = &["issue", "emit", "delay", "group", "fail", "done"];

/// A step.
pub static STEP: Mapping = Mapping {
    name: "step",
    what: "a step",
    doc: "One step: an `id` and one verb.",
    one_of: &[&["issue", "emit", "delay", "group", "fail", "done", "await"]],
    keys: &[
        required("id", Shape::Name, "Unique in the whole saga."),
        optional("if", Shape::Condition, "Run only when true, else the step is skipped."),
        optional("issue", Shape::Ref(Kind::Command), "Puts a command on its target's pipe."),
        optional("emit", Shape::Ref(Kind::Event), "Publishes an event on the bus."),
        optional("delay", Shape::Duration, "A durable timer."),
        optional("group", Shape::List(&STEP), "Several steps under one roof."),
        optional("fail", Shape::Template, "Fails its branch with these words."),
        optional("done", Shape::True, "Ends the saga, completed."),
        later("parallel", "Branches."),
        later("for_each", "One branch an element."),
        later("call", "A sub-saga."),
        later("join", "How branches end."),
        later("steps", "The steps of a `for_each`."),
        later("probe", "The question asked when in doubt."),
        optional(
            "with",
            Shape::Values,
            "Fields of the command or event; values may hold `${{ }}`.",
        ),
        optional(
            "await",
            Shape::MapOrNone(&AWAIT),
            "What satisfies the step. `none`: fire and forget.",
        ),
        optional(
            "fail_on",
            Shape::List(&FAIL_ON),
            "Reports that fail the step; looked at before `await`.",
        ),
        optional(
            "timeout",
            Shape::Bound,
            "Per attempt. When it passes, a step that issued a command is in doubt.",
        ),
        optional(
            "on_timeout",
            Shape::WordsOrList(ON_TIMEOUT, &STEP),
            "`fail` (default), `continue`, or steps that run in its place.",
        ),
        optional("retry", Shape::MapOrNone(&RETRY), "Further attempts."),
        optional(
            "compensate",
            Shape::MapOrNone(&COMPENSATE),
            "The step that undoes this one. Absent: the catalog's `undo`. `none`: nothing to undo.",
        ),
        optional("pivot", Shape::Flag, "`true`: the point of no return."),
        optional("best_effort", Shape::Flag, "`true`: its failure is recorded, the saga goes on."),
    ],
};

/// `compensate`.
pub static COMPENSATE: Mapping = Mapping {
    name: "compensate",
    what: "a `compensate`",
    doc: "One step that undoes another; a `group` for several. It has no `id`.",
    one_of: &[&["issue", "emit", "delay", "group", "fail", "await"]],
    keys: &[
        optional("if", Shape::Condition, "Run only when true, else skipped."),
        optional("issue", Shape::Ref(Kind::Command), "Puts a command on its target's pipe."),
        optional("emit", Shape::Ref(Kind::Event), "Publishes an event on the bus."),
        optional("delay", Shape::Duration, "A durable timer."),
        optional("group", Shape::List(&UNDO_STEP), "Several undoing steps, in order."),
        optional("fail", Shape::Template, "Fails the undoing with these words."),
        later("parallel", "Branches."),
        later("for_each", "One branch an element."),
        later("call", "A sub-saga."),
        later("probe", "The question asked when in doubt."),
        optional(
            "with",
            Shape::Values,
            "Fields of the command or event; values may hold `${{ }}`.",
        ),
        optional("await", Shape::MapOrNone(&AWAIT), "What satisfies it."),
        optional("fail_on", Shape::List(&FAIL_ON), "Reports that fail it."),
        optional("timeout", Shape::Bound, "Per attempt."),
        optional(
            "on_timeout",
            Shape::WordsOrList(ON_TIMEOUT, &UNDO_STEP),
            "`fail` (default), `continue`, or steps that run in its place.",
        ),
        optional("retry", Shape::MapOrNone(&RETRY), "Further attempts."),
        optional("best_effort", Shape::Flag, "`true`: its failure is recorded only."),
        optional(
            "covers",
            Shape::StepIds,
            "Later steps that this undoes as well; it replaces their undo and runs once.",
        ),
    ],
};

/// A step of a `group` inside `compensate`.
pub static UNDO_STEP: Mapping = Mapping {
    name: "undo_step",
    what: "a step of a `compensate`",
    doc: "One of several undoing steps. Its `id` may be left out.",
    one_of: &[&["issue", "emit", "delay", "group", "fail", "await"]],
    keys: &[
        optional("id", Shape::Name, "Unique in the whole saga; may be left out here."),
        optional("if", Shape::Condition, "Run only when true, else skipped."),
        optional("issue", Shape::Ref(Kind::Command), "Puts a command on its target's pipe."),
        optional("emit", Shape::Ref(Kind::Event), "Publishes an event on the bus."),
        optional("delay", Shape::Duration, "A durable timer."),
        optional("group", Shape::List(&UNDO_STEP), "Several undoing steps, in order."),
        optional("fail", Shape::Template, "Fails the undoing with these words."),
        later("parallel", "Branches."),
        later("for_each", "One branch an element."),
        later("call", "A sub-saga."),
        later("probe", "The question asked when in doubt."),
        optional(
            "with",
            Shape::Values,
            "Fields of the command or event; values may hold `${{ }}`.",
        ),
        optional("await", Shape::MapOrNone(&AWAIT), "What satisfies it."),
        optional("fail_on", Shape::List(&FAIL_ON), "Reports that fail it."),
        optional("timeout", Shape::Bound, "Per attempt."),
        optional(
            "on_timeout",
            Shape::WordsOrList(ON_TIMEOUT, &UNDO_STEP),
            "`fail` (default), `continue`, or steps that run in its place.",
        ),
        optional("retry", Shape::MapOrNone(&RETRY), "Further attempts."),
        optional("best_effort", Shape::Flag, "`true`: its failure is recorded only."),
    ],
};

/// `await`.
pub static AWAIT: Mapping = Mapping {
    name: "await",
    what: "an `await`",
    doc: "What satisfies a step: one report, the first of several, or all of several.",
    one_of: &[&["echo", "event", "any_of", "all_of"]],
    keys: &[
        optional("echo", Shape::Ref(Kind::Event), "This saga's own answer, by its event's name."),
        optional("event", Shape::Ref(Kind::Event), "Anybody's report; `where` must pin identity."),
        later("signal", "What a person or client says to this saga."),
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
    one_of: &[&["echo", "event"]],
    keys: &[
        optional("echo", Shape::Ref(Kind::Event), "This saga's own answer, by its event's name."),
        optional("event", Shape::Ref(Kind::Event), "Anybody's report; `where` must pin identity."),
        later("signal", "What a person or client says to this saga."),
        optional("where", Shape::Condition, "Reads `event`; which report is meant."),
        optional("save", Shape::Values, "Variables that it sets, reading `event`."),
    ],
};

/// One entry of `fail_on`.
pub static FAIL_ON: Mapping = Mapping {
    name: "fail_on",
    what: "an entry of `fail_on`",
    doc: "One report that fails the step.",
    one_of: &[&["echo", "event"]],
    keys: &[
        optional("echo", Shape::Ref(Kind::Event), "This saga's own answer, by its event's name."),
        optional("event", Shape::Ref(Kind::Event), "Anybody's report; `where` must pin identity."),
        later("signal", "What a person or client says to this saga."),
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
    keys: &[
        required("event", Shape::Ref(Kind::Event), "The event."),
        optional("where", Shape::Condition, "Must pin identity: which saga is meant."),
    ],
};

/// `retry`.
pub static RETRY: Mapping = Mapping {
    name: "retry",
    what: "a `retry`",
    doc: "Further attempts.",
    one_of: &[],
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

/// `*.catalog.yaml`.
pub static CATALOG: Mapping = Mapping {
    name: "catalog",
    what: "a catalog",
    doc: "The vocabulary: targets, and the events and commands that pass between them.",
    one_of: &[],
    keys: &[
        optional("targets", Shape::Named(&TARGET), "Who takes commands."),
        optional("events", Shape::Named(&EVENT), "What may be reported."),
        optional("commands", Shape::Named(&COMMAND), "What may be asked."),
    ],
};

/// One target.
pub static TARGET: Mapping = Mapping {
    name: "target",
    what: "a target",
    doc: "A process that registers under this name and takes commands.",
    one_of: &[],
    keys: &[
        optional("doc", Shape::Text, "What it is."),
        optional("buffer", Shape::Integer(0), "Commands that wait while it is away; default 64."),
        optional("disconnect_timeout", Shape::Duration, "How long they wait; default `30s`."),
        optional(
            "overflow",
            Shape::Words(OVERFLOWS),
            "Which command fails when the buffer is full; default `fail_oldest`.",
        ),
    ],
};

/// One event.
pub static EVENT: Mapping = Mapping {
    name: "event",
    what: "an event",
    doc: "Something that happened.",
    one_of: &[],
    keys: &[
        optional("doc", Shape::Text, "What it means."),
        optional("fields", Shape::Fields, "What it carries, each field a JSON Schema."),
    ],
};

/// One command.
pub static COMMAND: Mapping = Mapping {
    name: "command",
    what: "a command",
    doc: "Something that a target can be asked to do.",
    one_of: &[],
    keys: &[
        required("target", Shape::Ref(Kind::Target), "Who does it."),
        optional("doc", Shape::Text, "What it does."),
        optional("fields", Shape::Fields, "What it carries, each field a JSON Schema."),
        required("echoes", Shape::Refs(Kind::Event), "Events that may answer it: alternatives."),
        optional("failures", Shape::Refs(Kind::Event), "Events that may refuse it."),
        required(
            "idempotent",
            Shape::Flag,
            "Whether the target repeats its answer for a `command_id` that it has seen, also \
             after it restarted.",
        ),
        required(
            "undo",
            Shape::CatalogUndo,
            "The command that undoes it, `none` (nothing to undo), or `irreversible`.",
        ),
    ],
};

/// Every mapping, for the schemas and for the test that holds reader and schema together.
pub static ALL: &[&Mapping] = &[
    &SAGA,
    &TRIGGER,
    &TRIGGER_ALTERNATIVE,
    &CALL,
    &REQUIRE,
    &EVICTION,
    &DEFAULTS,
    &STEP,
    &COMPENSATE,
    &UNDO_STEP,
    &AWAIT,
    &REPORT,
    &FAIL_ON,
    &CANCEL_ON,
    &RETRY,
    &CATALOG,
    &TARGET,
    &EVENT,
    &COMMAND,
];
