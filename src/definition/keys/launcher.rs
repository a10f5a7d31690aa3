//! The keys of `launcher.yaml`.

use super::{Mapping, Shape, optional, required};

/// The whole file.
pub static LAUNCHER: Mapping = Mapping {
    name: "launcher",
    what: "a launcher's configuration",
    doc: "What a launcher may be told beside its flags.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        optional(
            "processes",
            Shape::Named(&PROCESS),
            "Processes that run beside the launcher. They are started in this order, each when the \
             one before it is ready, and ended in the reverse order.",
        ),
        optional("allow", Shape::Named(&RIGHTS), "Rights by kind of client; absent: all."),
        optional("retention", Shape::Map(&RETENTION), "What the log keeps."),
        optional("disk_retry", Shape::Duration, "How long a full disk is waited for."),
        optional("pods", Shape::Map(&PODS), "Where its pods are."),
    ],
};

/// One supervised process.
pub static PROCESS: Mapping = Mapping {
    name: "process",
    what: "a process",
    doc: "A process that the launcher starts, watches, starts again, and ends with all that it \
          started.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        required(
            "command",
            Shape::Texts,
            "The program and its arguments. No shell reads it; write `[sh, -c, \"…\"]` for one.",
        ),
        optional(
            "env",
            Shape::Labels,
            "Variables beside the launcher's own. `SAGAFLOW_SOCKET` and `SAGAFLOW_DATA` are set.",
        ),
        optional("cwd", Shape::Text, "Where it runs; absent: where the launcher runs."),
        optional(
            "restart",
            Shape::Words(RESTARTS),
            "Whether it is started again: `on_failure` (default) after another exit code than 0, a \
             signal, or when it was not ready in time; `always`; `never`.",
        ),
        optional("backoff", Shape::Map(&RESTART_BACKOFF), "Pauses before it is started again."),
        optional(
            "ready",
            Shape::WordsOrMap(READY_WORDS, &READY),
            "When it counts as ready: `register` (default) when it has registered as the kind of \
             its name, `started` as soon as it runs, or one of the keys.",
        ),
        optional(
            "ready_timeout",
            Shape::Duration,
            "How long that may take; 30s. One that takes longer is ended, and has failed.",
        ),
        optional("stop", Shape::Map(&STOP), "How it is ended."),
    ],
};

/// Pauses before a process is started again.
pub static RESTART_BACKOFF: Mapping = Mapping {
    name: "restart_backoff",
    what: "a backoff",
    doc: "Pauses before a process is started again: the first, doubled each time up to the \
          longest.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        optional("delay", Shape::Duration, "The first; 200ms."),
        optional("max_delay", Shape::Duration, "The longest; 30s."),
    ],
};

/// When a process is ready.
pub static READY: Mapping = Mapping {
    name: "ready",
    what: "a readiness",
    doc: "When a process counts as ready.",
    one_of: &[&["register", "connect", "line"]],
    excludes: &[],
    needs: &[],
    keys: &[
        optional("register", Shape::Text, "It has registered as this kind of client."),
        optional("connect", Shape::Text, "It takes connections on the Unix socket at this path."),
        optional("line", Shape::Text, "It has written a line that holds this text."),
    ],
};

/// How a process is ended.
pub static STOP: Mapping = Mapping {
    name: "stop",
    what: "a stop",
    doc: "How a process and its group are ended: a signal, then KILL for what is left.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        optional("signal", Shape::Words(STOP_SIGNALS), "The signal that asks it to end; TERM."),
        optional("grace", Shape::Duration, "What it gets between that and KILL; 5s."),
    ],
};

/// Where pods are.
pub static PODS: Mapping = Mapping {
    name: "pods",
    what: "the pods of a launcher",
    doc: "Where pods are, and whose pod the launcher itself is.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        optional("name", Shape::Text, "What the launcher is called among pods."),
        required("runtime_dir", Shape::Text, "An absolute path: where each pod has a directory."),
        optional("parent_socket", Shape::Text, "An absolute path: where the launcher reports to."),
    ],
};

/// Rights of a kind of client.
pub static RIGHTS: Mapping = Mapping {
    name: "rights",
    what: "the rights of a kind",
    doc: "What clients of a kind may do; what is absent is not restricted.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        optional("report", Shape::Patterns, "Patterns of the events that they may report."),
        optional("start", Shape::Patterns, "Patterns of the sagas that they may start."),
        optional("signal", Shape::Patterns, "Patterns of the signals that they may send."),
        optional("target", Shape::Flag, "Whether they may serve the target of that name."),
    ],
};

/// What the log keeps.
pub static RETENTION: Mapping = Mapping {
    name: "retention",
    what: "the retention",
    doc: "What the log keeps.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        optional("sagas", Shape::Duration, "How long ended sagas stay."),
        optional("events", Shape::Duration, "How long events stay that no saga needs."),
        optional("events_max", Shape::Integer(1), "How many such events stay."),
    ],
};

/// The words of `restart`.
pub const RESTARTS: &[&str] = &["on_failure", "always", "never"];
/// The words of `ready`.
pub const READY_WORDS: &[&str] = &["register", "started"];
/// The words of `signal`.
pub const STOP_SIGNALS: &[&str] = &["TERM", "INT", "HUP", "QUIT", "KILL"];
