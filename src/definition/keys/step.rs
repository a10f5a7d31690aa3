//! The keys of a step, and of one that undoes. Decodes nothing.

use super::wait::{AWAIT, FAIL_ON, RETRY};
use super::{Exclude, Kind, Mapping, Shape, optional, required};

/// The words of `on_timeout`.
pub const ON_TIMEOUT: &[&str] = &["fail", "continue"];

/// The verbs of a step; exactly one, and `await` alone is one too.
pub const VERBS: &[&str] =
    &["issue", "emit", "delay", "group", "parallel", "for_each", "call", "fail", "done"];

/// The words of `join`.
pub const JOINS: &[&str] = &["all", "any", "settled"];

/// Parts of instance paths, which no branch may be called.
pub const BRANCH_WORDS: &[&str] = &["undo", "probe", "on_timeout"];

/// What expressions call so already, and no element of a loop is called.
pub const ROOTS: &[&str] = &["trigger", "input", "vars", "steps", "event", "saga"];

/// Keys that some keys of a step bring with them.
pub const BRINGS: &[(&str, &[&str])] = &[("parallel", &["join"]), ("for_each", &["steps", "join"])];

/// `for_each`.
pub static FOR_EACH: Mapping = Mapping {
    name: "for_each",
    what: "a `for_each`",
    doc: "What a loop goes through, and how.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        required("in", Shape::Condition, "The list; it is read once, when the step begins."),
        required("as", Shape::Name, "What expressions of its steps call the element."),
        optional(
            "max_parallel",
            Shape::Integer(1),
            "So many elements at a time; `1` keeps their order. Absent: all at once.",
        ),
        optional(
            "collect",
            Shape::Condition,
            "Read at each success of an element; `steps.ID.collected` is the list of these.",
        ),
    ],
};

/// What `fail` and `done` leave no time for.
const AT_ONCE: &[&str] =
    &["await", "fail_on", "timeout", "on_timeout", "retry", "compensate", "pivot", "best_effort"];

/// Verbs that shut other keys out.
const EXCLUDES: &[Exclude] = &[
    Exclude {
        key: "fail",
        others: AT_ONCE,
        why: "does not go with `fail`, which is over at once",
        help: "",
    },
    Exclude {
        key: "done",
        others: AT_ONCE,
        why: "does not go with `done`, which is over at once",
        help: "",
    },
    Exclude {
        key: "delay",
        others: &["await", "timeout", "on_timeout", "retry"],
        why: "does not go with `delay`, which ends by itself",
        help: "",
    },
    Exclude {
        key: "group",
        others: &["await"],
        why: "does not go with `group`, whose steps wait for themselves",
        help: "",
    },
    Exclude {
        key: "for_each",
        others: &["await", "fail_on"],
        why: "does not go with `for_each`, whose steps wait for themselves",
        help: "",
    },
    Exclude {
        key: "parallel",
        others: &["await", "fail_on"],
        why: "does not go with `parallel`, whose steps wait for themselves",
        help: "",
    },
    Exclude {
        key: "call",
        others: &["await", "fail_on"],
        why: "does not go with `call`, which waits for the end of the saga that it calls",
        help: "",
    },
];

/// A step.
pub static STEP: Mapping = Mapping {
    name: "step",
    what: "a step",
    doc: "One step: an `id` and one verb.",
    one_of: &[&[
        "issue", "emit", "delay", "group", "parallel", "for_each", "call", "fail", "done", "await",
    ]],
    excludes: EXCLUDES,
    needs: &[
        ("with", &["issue", "emit", "call"]),
        ("probe", &["issue"]),
        ("join", &["parallel", "for_each"]),
        ("steps", &["for_each"]),
    ],
    keys: &[
        required("id", Shape::Name, "Unique in the whole saga."),
        optional("if", Shape::Condition, "Run only when true, else the step is skipped."),
        optional("issue", Shape::Ref(Kind::Command), "Puts a command on its target's pipe."),
        optional("emit", Shape::Ref(Kind::Event), "Publishes an event on the bus."),
        optional("delay", Shape::Duration, "A durable timer."),
        optional("group", Shape::List(&STEP), "Several steps under one roof."),
        optional(
            "parallel",
            Shape::NamedLists(&STEP),
            "Branches, each a name and a list of steps; they run at the same time.",
        ),
        optional("for_each", Shape::Map(&FOR_EACH), "One branch an element of a list."),
        optional("steps", Shape::List(&STEP), "The steps of a `for_each`."),
        optional(
            "join",
            Shape::Words(JOINS),
            "`all`: the first failure cancels the rest. `any`: the first success cancels the \
             losers, which are then undone. `settled`: all run to an end and the step succeeds.",
        ),
        optional("call", Shape::Ref(Kind::Saga), "A sub-saga: one with a `call` trigger."),
        optional("fail", Shape::Template, "Fails its branch with these words."),
        optional("done", Shape::True, "Ends the saga, completed."),
        optional(
            "with",
            Shape::Values,
            "Fields of the command, the event or the `call`; values may hold `${{ }}`.",
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
            "probe",
            Shape::MapOrNone(&PROBE),
            "The question asked when in doubt, before it is tried again or undone. `none`: \
             nobody is asked.",
        ),
        optional(
            "retry",
            Shape::MapOrNone(&RETRY),
            "Further attempts. `none`: no defaults either.",
        ),
        optional(
            "on_timeout",
            Shape::WordsOrList(ON_TIMEOUT, &STEP),
            "`fail` (default), `continue`, or steps that run in its place.",
        ),
        optional(
            "compensate",
            Shape::MapOrNone(&COMPENSATE),
            "The step that undoes this one. Absent: the catalog's `undo`. `none`: nothing to undo.",
        ),
        optional("pivot", Shape::Flag, "`true`: the point of no return."),
        optional("best_effort", Shape::Flag, "`true`: its failure is recorded, the saga goes on."),
    ],
};

/// `probe`.
pub static PROBE: Mapping = Mapping {
    name: "probe",
    what: "a `probe`",
    doc: "A question to a target, asked when nobody knows whether the step was done.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        required("issue", Shape::Ref(Kind::Command), "The command that asks."),
        optional("with", Shape::Values, "Its fields; values may hold `${{ }}`."),
        required("await", Shape::Map(&AWAIT), "The answer."),
        optional(
            "timeout",
            Shape::Bound,
            "How long to wait for the answer; absent: the defaults', else the step's own.",
        ),
        required(
            "done_when",
            Shape::Condition,
            "Reads the answer as `event`. True: the step was done. False: it was not.",
        ),
        optional(
            "save",
            Shape::Values,
            "Variables that it sets, reading `event`: every one that the step's `await` saves.",
        ),
    ],
};

/// `compensate`.
pub static COMPENSATE: Mapping = Mapping {
    name: "compensate",
    what: "a `compensate`",
    doc: "One step that undoes another; a `group` for several. It has no `id`.",
    one_of: &[&[
        "issue", "emit", "delay", "group", "parallel", "for_each", "call", "fail", "await",
    ]],
    excludes: EXCLUDES,
    needs: &[
        ("with", &["issue", "emit", "call"]),
        ("join", &["parallel", "for_each"]),
        ("steps", &["for_each"]),
        ("probe", &["issue"]),
    ],
    keys: &[
        optional("if", Shape::Condition, "Run only when true, else skipped."),
        optional("issue", Shape::Ref(Kind::Command), "Puts a command on its target's pipe."),
        optional("emit", Shape::Ref(Kind::Event), "Publishes an event on the bus."),
        optional("delay", Shape::Duration, "A durable timer."),
        optional("group", Shape::List(&UNDO_STEP), "Several undoing steps, in order."),
        optional(
            "parallel",
            Shape::NamedLists(&UNDO_STEP),
            "Branches, each a name and a list of undoing steps; they run at the same time.",
        ),
        optional("for_each", Shape::Map(&FOR_EACH), "One branch an element of a list."),
        optional("steps", Shape::List(&UNDO_STEP), "The steps of a `for_each`."),
        optional("join", Shape::Words(JOINS), "How the branches end together."),
        optional("call", Shape::Ref(Kind::Saga), "A sub-saga: one with a `call` trigger."),
        optional("fail", Shape::Template, "Fails the undoing with these words."),
        optional(
            "with",
            Shape::Values,
            "Fields of the command, the event or the `call`; values may hold `${{ }}`.",
        ),
        optional("await", Shape::MapOrNone(&AWAIT), "What satisfies it."),
        optional("fail_on", Shape::List(&FAIL_ON), "Reports that fail it."),
        optional("timeout", Shape::Bound, "Per attempt."),
        optional(
            "probe",
            Shape::MapOrNone(&PROBE),
            "The question asked when in doubt, before it is tried again or undone. `none`: \
             nobody is asked.",
        ),
        optional(
            "retry",
            Shape::MapOrNone(&RETRY),
            "Further attempts. `none`: no defaults either.",
        ),
        optional(
            "on_timeout",
            Shape::WordsOrList(ON_TIMEOUT, &UNDO_STEP),
            "`fail` (default), `continue`, or steps that run in its place.",
        ),
        optional(
            "covers",
            Shape::StepIds,
            "Later steps that this undoes as well; it replaces their undo and runs once.",
        ),
        optional("best_effort", Shape::Flag, "`true`: its failure is recorded only."),
    ],
};

/// A step of a `group` inside `compensate`.
pub static UNDO_STEP: Mapping = Mapping {
    name: "undo_step",
    what: "a step of a `compensate`",
    doc: "One of several undoing steps. Its `id` may be left out.",
    one_of: &[&[
        "issue", "emit", "delay", "group", "parallel", "for_each", "call", "fail", "await",
    ]],
    excludes: EXCLUDES,
    needs: &[
        ("with", &["issue", "emit", "call"]),
        ("join", &["parallel", "for_each"]),
        ("steps", &["for_each"]),
        ("probe", &["issue"]),
    ],
    keys: &[
        optional("id", Shape::Name, "Unique in the whole saga; may be left out here."),
        optional("if", Shape::Condition, "Run only when true, else skipped."),
        optional("issue", Shape::Ref(Kind::Command), "Puts a command on its target's pipe."),
        optional("emit", Shape::Ref(Kind::Event), "Publishes an event on the bus."),
        optional("delay", Shape::Duration, "A durable timer."),
        optional("group", Shape::List(&UNDO_STEP), "Several undoing steps, in order."),
        optional(
            "parallel",
            Shape::NamedLists(&UNDO_STEP),
            "Branches, each a name and a list of undoing steps; they run at the same time.",
        ),
        optional("for_each", Shape::Map(&FOR_EACH), "One branch an element of a list."),
        optional("steps", Shape::List(&UNDO_STEP), "The steps of a `for_each`."),
        optional("join", Shape::Words(JOINS), "How the branches end together."),
        optional("call", Shape::Ref(Kind::Saga), "A sub-saga: one with a `call` trigger."),
        optional("fail", Shape::Template, "Fails the undoing with these words."),
        optional(
            "with",
            Shape::Values,
            "Fields of the command, the event or the `call`; values may hold `${{ }}`.",
        ),
        optional("await", Shape::MapOrNone(&AWAIT), "What satisfies it."),
        optional("fail_on", Shape::List(&FAIL_ON), "Reports that fail it."),
        optional("timeout", Shape::Bound, "Per attempt."),
        optional(
            "probe",
            Shape::MapOrNone(&PROBE),
            "The question asked when in doubt, before it is tried again or undone. `none`: \
             nobody is asked.",
        ),
        optional(
            "retry",
            Shape::MapOrNone(&RETRY),
            "Further attempts. `none`: no defaults either.",
        ),
        optional(
            "on_timeout",
            Shape::WordsOrList(ON_TIMEOUT, &UNDO_STEP),
            "`fail` (default), `continue`, or steps that run in its place.",
        ),
        optional("best_effort", Shape::Flag, "`true`: its failure is recorded only."),
    ],
};
