//! Supervised services: the processes of `launcher.yaml`, started in order, watched, started again,
//! ended with the launcher. What they say over the socket is nobody's business here.

mod journal;
mod life;
mod start;
mod supervisor;

use std::path::PathBuf;
use std::sync::Arc;

use crate::targets::process::{Output, Signal, Spec, Stdin};
use crate::time::Millis;

pub use supervisor::{Place, Supervisor};

/// One service, as the configuration declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub name: Arc<str>,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables beside the launcher's own.
    pub env: Vec<(String, String)>,
    /// Where it runs; nothing: where the launcher runs.
    pub cwd: Option<PathBuf>,
    /// Whether it is started again.
    pub restart: Restart,
    /// Pauses before that.
    pub backoff: Backoff,
    /// When it counts as ready.
    pub ready: Ready,
    /// How long that may take.
    pub ready_timeout: Millis,
    /// The signal that asks it to end.
    pub asks: Signal,
    /// What it gets between that and KILL.
    pub grace: Millis,
}

/// Whether a process that ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// When it failed: another exit code than zero, a signal, never ready.
    OnFailure,
    /// Whenever it ended.
    Always,
    /// Never.
    Never,
}

/// Pauses between an end and the next start: the first, doubled each time up to the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first pause.
    pub delay: Millis,
    /// The longest.
    pub max_delay: Millis,
}

/// When a process counts as ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// When it, or a process of its group, has registered as that kind.
    Register(Arc<str>),
    /// When it takes connections on that Unix socket.
    Connect(PathBuf),
    /// When it writes a line that holds that text.
    Line(String),
    /// As soon as its program runs.
    Started,
}

impl Backoff {
    /// The pause after so many ends in a row, the first of them being 1.
    #[must_use]
    pub fn after(&self, ends: u32) -> Millis {
        let doublings = ends.saturating_sub(1).min(32);
        Millis(self.delay.0.saturating_mul(1 << doublings).min(self.max_delay.0))
    }
}

impl Declared {
    /// The child that it is, with a mark of its own.
    #[must_use]
    pub fn spec(&self, mark: String, env: Vec<(String, String)>) -> Spec {
        Spec {
            argv: self.command.clone(),
            cwd: self.cwd.clone(),
            // What the configuration says is stronger.
            env: env.into_iter().chain(self.env.iter().cloned()).collect(),
            stdin: Stdin::Null,
            stdout: Output::Piped,
            stderr: Output::Piped,
            dies_with_launcher: true,
            mark,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let backoff = Backoff { delay: Millis(200), max_delay: Millis(30_000) };
        let pauses = [1, 2, 3, 8, 9, 40, u32::MAX].map(|ends| backoff.after(ends).0);
        assert_eq!(pauses, [200, 400, 800, 25_600, 30_000, 30_000, 30_000]);
    }
}
