//! Deeds that a turn of a print-mode CLI and a turn of a pod have in common. Writes no frames.

use std::future::pending;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::WORD;

/// How often a file is looked for.
const LOOK: Duration = Duration::from_millis(5);

/// Takes TERM and INT from now on, and does nothing about them.
pub fn ignore_term() {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        if let Ok(mut heard) = signal(kind) {
            tokio::spawn(async move { while heard.recv().await.is_some() {} });
        }
    }
}

/// Ends this process by a signal.
pub async fn crash(with: Signal) {
    // A handler of the runtime may take the first one.
    for _ in 0..3 {
        kill(Pid::this(), with).ok();
        tokio::task::yield_now().await;
    }
    pending::<()>().await;
}

/// Returns when that file is there.
pub async fn wait_for(path: &Path) {
    while !path.exists() {
        sleep(LOOK).await;
    }
}

/// This very program in a role of its own, with nothing to read.
pub fn own(args: &[&str]) -> Command {
    let exe = std::env::current_exe().unwrap_or_else(|_| "sagaflow".into());
    let mut command = Command::new(exe);
    command.arg(WORD).args(args).stdin(Stdio::null());
    command
}

/// A process that does nothing, holds what this one's output goes to, and is not waited for.
pub fn grandchild() -> std::io::Result<Child> {
    own(&["idle"]).kill_on_drop(false).spawn()
}
