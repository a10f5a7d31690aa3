//! Real children of this test process: gates, groups, ends. What turns, pods and services do with
//! them is tested elsewhere. `/proc` is the judge; time is never asserted.

mod ends;
mod gate;
mod parents;
mod refused;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

use sagaflow::targets::process::{Child, Lines, Output, Processes, Spec, Stdin, members_with};

/// Longer than anything takes: a test that would hang fails instead.
pub const FOR_EVER: Duration = Duration::from_secs(60);
/// Between two looks at a fact.
const LOOK: Duration = Duration::from_millis(10);

/// Runs a test in a runtime like the launcher's.
pub fn run<F: Future<Output = ()>>(test: F) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build().expect("threads");
    runtime.block_on(async { tokio::time::timeout(FOR_EVER, test).await }).expect("it ends");
}

pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_sagaflow"))
}

pub fn processes() -> Processes {
    Processes::start(binary()).expect("a thread")
}

/// A mark that no other test has.
pub fn mark() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A shell that runs this script.
pub fn shell(script: &str) -> Spec {
    Spec {
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        cwd: None,
        env: Vec::new(),
        stdin: Stdin::Null,
        stdout: Output::Piped,
        stderr: Output::Null,
        dies_with_launcher: true,
        mark: mark(),
    }
}

/// Starts it and opens its gate.
pub async fn begun(processes: &Processes, spec: Spec) -> Child {
    let mut child = processes.spawn(spec).await.expect("it can be started");
    child.open_gate().await.expect("it begins");
    child
}

/// Its next line.
pub async fn line(child: &mut Child) -> String {
    let mut lines = Lines::new(child.stdout().expect("it is piped"));
    let line = lines.next().await.expect("readable").expect("a line").text;
    // Nobody reads on, and the child must not be ended by that.
    std::mem::forget(lines);
    line
}

/// All that it writes.
pub async fn output(child: &mut Child) -> String {
    let mut text = String::new();
    let mut stdout = child.stdout().expect("it is piped");
    stdout.read_to_string(&mut text).await.expect("UTF-8");
    text
}

/// Waits for a fact.
pub async fn until(what: &str, mut fact: impl FnMut() -> bool) {
    let wait = async {
        while !fact() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let waited = tokio::time::timeout(FOR_EVER, wait).await;
    waited.unwrap_or_else(|_| panic!("still not so: {what}"));
}

/// Waits until no process carries that mark.
pub async fn nobody_left(mark: &str) {
    until("nobody is left", || members_with(mark).is_empty()).await;
}

/// Whether a process of that number runs.
pub fn runs(pid: u32) -> bool {
    sagaflow::targets::process::ProcessId::of(pid).is_some()
}

pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a scratch directory")
}

/// A file with that text and mode.
pub fn file(path: &Path, text: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).expect("room on the disk");
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, mode).expect("it is ours");
}
