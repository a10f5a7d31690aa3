//! Every bound of the engine in one place: its value, its reason, and what happens beyond it.
//! Policy of one saga is not here.

use crate::time::Millis;

/// One line of the wire, in bytes \[W1\]. Beyond: private `frame_too_large`, and the connection
/// is closed.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// All values that one command, event, `save`, `input`, `vars` or `result` gets from expressions,
/// in bytes of JSON: a line of the wire less what stands around its fields. Beyond: the evaluation
/// fails, and with it the step, or the start.
pub const PAYLOAD_BYTES_MAX: usize = FRAME_BYTES_MAX - 16 * 1024;
/// How many times longer a line can become when the launcher writes its values anew: `1e15` becomes
/// `1000000000000000.0`, and nothing grows more.
pub const REWRITING_GROWS: usize = 5;
/// One line of a launcher, as our own clients read it: a saga of many steps is told in one.
/// Beyond: the launcher refuses to answer, and what sends it all the same is taken for no launcher.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Nesting of one line of the wire. Beyond: `invalid_json`.
pub const JSON_DEPTH_MAX: usize = 64;
/// Globs in one `subscribe`, words in one filter. Beyond: `invalid_payload`.
pub const SUBSCRIBE_GLOBS_MAX: usize = 64;
/// Bytes of lines that share one text. Whoever keeps one of them keeps them all.
pub const LINES_TOGETHER: usize = 64 * 1024;
/// Facts that are decided before they are made into rows and lines: as many as fit into a
/// processor's caches with all that they hold.
pub const FACTS_AT_HAND: usize = 128;
/// Inputs that one turn takes from the inbox \[L2\]. Beyond: they wait for the next turn.
pub const TURN_INPUTS_MAX: usize = 1024;
/// Inputs that may wait in the inbox. Beyond: connections are not read until there is room \[L7\].
pub const INBOX_MAX: usize = 4096;
/// Bytes of lines that may wait in the inbox, and so of one turn: more would make everybody else
/// wait for one commit. Beyond: connections are not read until there is room.
pub const INBOX_BYTES: usize = 8 * 1024 * 1024;
/// Events that the replay ring holds \[L10\]. Beyond: `get_events` reads the log.
pub const RING_EVENTS: usize = 4096;
/// Bytes of the lines that the replay ring holds: room for thousands of usual events, and for a few
/// of the largest. Beyond: `get_events` reads the log.
pub const RING_BYTES: usize = 16 * 1024 * 1024;
/// Depth of sagas calling sagas. Beyond: SF606, and at run time the calling step fails.
pub const CALL_DEPTH: usize = 8;
/// Depth of `emit` causing `emit` within one event \[R23\]. Beyond: the emitting step fails.
pub const EMIT_DEPTH: usize = 16;
/// Known-unsent commands that wait for an absent target unless its catalog says otherwise \[P2\].
pub const PIPE_BUFFER: usize = 64;
/// How long a command waits for an absent target unless its catalog says otherwise \[P3\].
pub const DISCONNECT_TIMEOUT: Millis = Millis(30_000);
/// The shortest `every` of a schedule: each tick is a record, and may be a saga. Beyond: `SF013`.
pub const SCHEDULE_EVERY_MIN: Millis = Millis(1_000);
/// How long a peer may leave its socket unread before it is disconnected \[P9\].
pub const WRITE_TIMEOUT: Millis = Millis(5_000);
/// Lines that may wait for one subscriber. Beyond: it is told `lagged` \[W8\].
pub const SUBSCRIBER_QUEUE: usize = 4096;
/// Bytes of events that may wait for one subscriber. Beyond: it is told `lagged` \[W8\].
pub const SUBSCRIBER_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of one write to a connection. Beyond: the rest is the next write; one longer line goes
/// alone \[P1\].
pub const WRITE_BATCH_BYTES: usize = 64 * 1024;
/// Questions that are answered after one turn, because each may read much of the log; of one
/// connection no more than one waits. Beyond: they are answered after the next turns \[R7\].
pub const QUESTIONS_PER_TURN: usize = 4;
/// Connections at once. Beyond: a private `busy`, and the connection is closed.
pub const CONNECTIONS_MAX: usize = 1024;
/// Lines of a newcomer that wait until its elder is gone. Beyond: `busy`, and it is closed.
pub const PARKED_LINES: usize = 256;
/// Frames that a connection hands to the inbox at once. Beyond: the rest is the next batch.
pub const READ_BATCH_FRAMES: usize = 64;
/// Bytes of lines that a connection hands to the inbox at once. Beyond: the rest is the next batch;
/// one longer line goes alone.
pub const READ_BATCH_BYTES: usize = 256 * 1024;
/// Private answers that may wait for one client, in bytes. Beyond: its lines are not read until it
/// reads them.
pub const REPLY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long a connection that was closed is read and ignored, so that its last line is not lost to
/// a reset.
pub const LINGER: Millis = Millis(1_000);
/// Longest pause of the accept loop after an error; it begins with one millisecond and doubles.
pub const ACCEPT_BACKOFF_MAX: Millis = Millis(1_024);
/// How long a client's report id is remembered \[W9\].
pub const DEDUP_WINDOW: Millis = Millis(600_000);
/// Report ids remembered for one client name \[W9\]. Beyond: the oldest is forgotten.
pub const DEDUP_PER_NAME: usize = 10_000;
/// Report ids remembered in all \[W9\]. Beyond: the oldest is forgotten.
pub const DEDUP_TOTAL: usize = 100_000;
/// Sagas that a start reads before it hands them to the thread that folds them.
pub const BOOT_BATCH: usize = 64;
/// Such batches that wait to be folded. Beyond: the reading waits.
pub const BOOT_BATCHES: usize = 16;
/// How long a full disk is waited for \[L7\]. Beyond: exit 5.
pub const DISK_RETRY: Millis = Millis(60_000);
/// How long a clean shutdown waits for undoing under `on_shutdown: cancel` \[L8\].
pub const STOP_TIMEOUT: Millis = Millis(10_000);
/// How long ended sagas are kept \[L6\].
pub const RETENTION: Millis = Millis(7 * 86_400_000);
/// How long bus events are kept when no saga needs them \[L10\]; older than that answers `lagged`.
pub const EVENTS_RETENTION: Millis = Millis(86_400_000);
/// Bus events kept when no saga needs them \[L10\].
pub const EVENTS_RETENTION_MAX: u64 = 100_000;
/// Longest client name, client version, or report id, in bytes. Beyond: `invalid_command`.
pub const CLIENT_WORD_BYTES_MAX: usize = 256;
/// Bytes of one YAML file. Beyond: SF004.
pub const YAML_BYTES_MAX: usize = 1024 * 1024;
/// Nesting of one YAML file; the deepest that a 2 MiB stack surely holds in a debug build. Beyond:
/// SF004.
pub const YAML_DEPTH_MAX: usize = 40;
/// Nodes of one YAML file. Beyond: SF004.
pub const YAML_NODES_MAX: usize = 50_000;
/// Bytes of one expression. Beyond: SF2xx.
pub const EXPR_BYTES_MAX: usize = 4096;
/// Nesting of one expression. Beyond: SF2xx.
pub const EXPR_DEPTH_MAX: usize = 32;
/// Bytes of one compiled pattern of `matches`. Beyond: SF2xx.
pub const EXPR_PATTERN_BYTES_MAX: usize = 256 * 1024;
/// Elements that one evaluation may visit in all its macros together. Beyond: the evaluation fails.
pub const EXPR_VISITS_MAX: usize = 100_000;
/// Steps of one saga, nested ones included. Beyond: SF004.
pub const STEPS_MAX: usize = 1_000;
/// Nesting of steps; fits [`YAML_DEPTH_MAX`], which each nested list uses twice. Beyond: SF004.
pub const STEP_DEPTH_MAX: usize = 12;
/// Paths of one saga that `plan` lists. Beyond: it says so, and bounds the others together.
pub const PLAN_PATHS_MAX: usize = 64;
/// Pause before a step past the pivot is tried again when it declares no `retry` \[R13\];
/// doubles up to the next.
pub const FORWARD_RETRY_FIRST: Millis = Millis(500);
/// Longest such pause.
pub const FORWARD_RETRY_MAX: Millis = Millis(10_000);
/// Sagas on one page of `list_sagas`, and in a snapshot. Beyond: the next page.
pub const LIST_SAGAS: usize = 200;
/// Rows of the log that one part of a replay reads. Beyond: the next part, after other replays had
/// theirs.
pub const REPLAY_BATCH_ROWS: usize = 1_000;
/// Bytes of lines in one part of a replay; one row's more may come on top. Beyond: the next part.
pub const REPLAY_BATCH_BYTES: usize = 64 * 1024;
/// Parts of a replay that wait for its client to read. Beyond: the next one is not read yet.
pub const REPLAY_BATCHES: usize = 1;
/// Questions and replays that wait for the log's reader: each connection has at most one of both.
/// Beyond: a question is answered `busy`, a replay `lagged`.
pub const READER_JOBS: usize = 2 * CONNECTIONS_MAX;
/// What counts of a leap of the clock, or of a time in which no launcher ran, when the age of what
/// is in the log is judged: most of a night's sleep, and little of what is kept. Beyond: the rest
/// is left out, for nobody saw it pass \[L6\].
pub const LEAP: Millis = Millis(6 * 3_600_000);
/// Leaps that are remembered. Beyond: the oldest is forgotten, and counts in full.
pub const LEAPS_KEPT: usize = 64;
/// Records after which the state that belongs to no saga is written again though it did not change:
/// retention takes no event beyond it, and so lags by no more than this \[L6\].
pub const WORLD_EVERY: u64 = 10_000;
/// How often retention looks for what is too old \[L6\], unless what it keeps stays for less.
pub const SWEEP_EVERY: Millis = Millis(60_000);
/// How often it looks at most.
pub const SWEEP_LEAST: Millis = Millis(1_000);
/// Pause between two batches of retention, so that turns come first \[L6\].
pub const SWEEP_PAUSE: Millis = Millis(50);
/// Reports of a built-in target on their way to the inbox, in batches. Beyond: whoever says
/// something waits.
pub const LOCAL_BATCHES: usize = 64;
/// Commands that wait for a built-in target to take them. Beyond: they wait in its outbox.
pub const LOCAL_COMMANDS: usize = 256;
/// How long turns without a pause keep a due batch of retention waiting \[L6\].
pub const SWEEP_PATIENCE: Millis = Millis(500);
/// Exited processes that a snapshot still shows. Beyond: the oldest is forgotten.
pub const EXITED_KEPT: usize = 64;

/// Elements that one `for_each` may go through.
pub const FOR_EACH_MAX: usize = 1_000;

/// Moments of one saga that `check` tells apart: what a machine of today holds and goes through in
/// a minute. Beyond: it says how far it came, and that this was not all.
pub const CHECK_STATES_MAX: usize = 200_000;
/// One message of an editor, in bytes. Beyond: it is passed over, and told so.
pub const LSP_MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The header of such a message. Beyond: nothing behind it is trusted, and the server ends.
pub const LSP_HEADER_BYTES_MAX: usize = 8 * 1024;
/// Files that an editor may have open at once. Beyond: a further one is not looked at, and told so.
pub const LSP_DOCUMENTS_MAX: usize = 1_000;
/// Pods that are known at once. Beyond: `pod_refused`, and what is told of others is not kept.
pub const PODS_MAX: usize = 4_096;
/// Bytes of all pods as they are listed, which is one line of the wire. Beyond: `pod_refused`, and
/// what is told of others is not kept.
pub const PODS_BYTES_MAX: usize = FRAME_BYTES_MAX - 64 * 1024;
/// Rules in one list of a scope. Beyond: `pod_refused`.
pub const SCOPE_RULES_MAX: usize = 64;
/// Bytes of one path of a scope: what systems allow for a path. Beyond: `pod_refused`.
pub const SCOPE_PATH_BYTES_MAX: usize = 4_096;
/// Bytes of a pod's name, which is also that of a directory. Beyond: `pod_refused`.
pub const POD_NAME_BYTES_MAX: usize = 128;
/// Bytes of a pod's token, and of its segment's id. Beyond: `pod_refused`.
pub const POD_WORD_BYTES_MAX: usize = 256;
/// Bytes of the path of a socket: what Linux holds, less the NUL at its end. Beyond: `pod_refused`.
pub const SOCKET_PATH_BYTES_MAX: usize = 107;
/// How long the name of a pod that ended is remembered, so that what was told of it late does not
/// bring it back.
pub const POD_TOMBSTONE: Millis = Millis(300_000);
/// Such names that are remembered. Beyond: the oldest is forgotten.
pub const POD_TOMBSTONES_MAX: usize = 4_096;
/// Bytes that are kept of a text that a pod reports. Beyond: cut.
pub const POD_TEXT_BYTES_MAX: usize = 16 * 1024;
/// Bytes that such a text may take in a line for an agent. Beyond: cut.
pub const POD_LINE_BYTES_MAX: usize = 1_024;
/// Bytes of one line of a pod's socket; what a pod tells of itself to who connects is one line.
/// Beyond: the connection is given up.
pub const POD_FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long a probe waits for a pod's socket.
pub const POD_PROBE: Millis = Millis(500);
/// How long a pod may take in all to take what it is sent.
pub const POD_SEND: Millis = Millis(10_000);
/// How long a pod that was sent something which has no answer is read, so that it surely took the
/// line before its peer is gone.
pub const POD_LINGER: Millis = Millis(500);
/// How often a pod that starts is tried.
pub const POD_TRY_EVERY: Millis = Millis(50);
/// Commands of the pods target that are worked on at once. Beyond: they wait.
pub const POD_COMMANDS: usize = 64;
/// How long a launcher that stops waits for pods that it was told to end. Beyond: the next one is
/// told again.
pub const POD_ENDS: Millis = Millis(5_000);
/// Processes of pods that ended a while ago and are told from later ones. Beyond: the oldest is
/// forgotten.
pub const POD_ENDED_MAX: usize = 256;
/// Pods that report at once. Beyond: they wait to be accepted.
pub const POD_REPORTERS: usize = 256;
/// How long a pod may be silent on a connection to report over. Beyond: it is closed.
pub const POD_SILENT: Millis = Millis(60_000);
/// Bytes of a pod's error output that are kept. Beyond: cut to its last words.
pub const POD_STDERR_MAX: u64 = 1024 * 1024;
/// How often that is looked at.
pub const POD_STDERR_EVERY: Millis = Millis(5_000);
/// Bytes of a pod's error output that are told when it ends.
pub const POD_STDERR_TAIL: usize = 4 * 1024;
/// Bytes of what a service writes in one file; one older file is kept beside it.
pub const SERVICE_LOG_BYTES: u64 = 8 * 1024 * 1024;
/// Lines of services that wait to be written. Beyond: left out, and that is said.
pub const SERVICE_LINES_WAITING: usize = 4_096;
/// Last lines of a service that are shown when it failed.
pub const SERVICE_TAIL_LINES: usize = 5;
/// Characters of each of them.
pub const SERVICE_TAIL_CHARS: usize = 200;
/// How long a service must have run for its earlier failures to be forgotten.
pub const SERVICE_RAN_WELL: Millis = Millis(60_000);
/// Services of one configuration. Beyond: refused.
pub const SERVICES_MAX: usize = 64;
/// Bytes of a service that are read in a tenth of a second. Beyond: it waits.
pub const SERVICE_BYTES_AT_ONCE: usize = 512 * 1024;
