//! The keys of a catalog. Decodes nothing.

use super::{Kind, Mapping, Shape, optional, required};

/// The choices of a target's `overflow`.
pub const OVERFLOWS: &[&str] = &["fail_oldest", "fail_newest"];

/// `*.catalog.yaml`.
pub static CATALOG: Mapping = Mapping {
    name: "catalog",
    what: "a catalog",
    doc: "The vocabulary: targets, and the events and commands that pass between them.",
    one_of: &[],
    excludes: &[],
    needs: &[],
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
    excludes: &[],
    needs: &[],
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
    excludes: &[],
    needs: &[],
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
    excludes: &[],
    needs: &[],
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
