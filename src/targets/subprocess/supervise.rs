//! Holds a turn's process and ends it when it must end, whatever else is waited for. Says nothing
//! of it.

use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::sleep;

use crate::targets::process::{Child, Exit};

/// What a process gets between TERM and KILL when the launcher itself stops, at most.
const LAST_GRACE: Duration = Duration::from_secs(5);

/// Who ends a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// `stop_turn`, or the undo of its `spawn_turn`.
    Stop,
    /// `forget_block`.
    Forget,
    /// The launcher, because it ends.
    Launcher,
}

impl By {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            By::Stop => "stop",
            By::Forget => "forget",
            By::Launcher => "launcher",
        }
    }
}

/// Whether a turn shall end, and who says so. It is looked at, not waited for in passing: an order
/// that comes before there is anything to end is kept.
#[derive(Clone, Debug)]
pub struct Orders(watch::Receiver<Option<By>>);

impl Orders {
    /// Orders, and the way to give them. Nobody left to give them means that the launcher ends.
    #[must_use]
    pub fn new() -> (watch::Sender<Option<By>>, Orders) {
        let (give, take) = watch::channel(None);
        (give, Orders(take))
    }

    /// What was ordered up to now.
    #[must_use]
    pub fn now(&self) -> Option<By> {
        *self.0.borrow()
    }

    /// Waits until somebody orders the end.
    pub async fn end(&mut self) -> By {
        self.until(|_| true).await
    }

    async fn launcher_ends(&mut self) {
        self.until(|by| by == By::Launcher).await;
    }

    async fn until(&mut self, wanted: impl Fn(By) -> bool) -> By {
        let ordered = self.0.wait_for(|order| order.is_some_and(&wanted)).await;
        ordered.ok().and_then(|order| *order).unwrap_or(By::Launcher)
    }
}

/// How a turn's process came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the system says.
    pub exit: Exit,
    /// Who ended it; nothing: it ended by itself, or by a stranger.
    pub by: Option<By>,
}

/// Waits for a process's end, or brings it about. Returns when none of its group is left. What
/// others of the group still write after its end is waited for until `read` says that there is no
/// more, for `patience` at most.
pub async fn supervise(
    mut child: Child,
    mut orders: Orders,
    read: oneshot::Receiver<()>,
    grace: Duration,
    patience: Duration,
) -> Outcome {
    let by = tokio::select! {
        biased;
        _ = child.wait() => None,
        by = orders.end() => Some(by),
    };
    match by {
        Some(by) => {
            let grace = if by == By::Launcher { grace.min(LAST_GRACE) } else { grace };
            let exit = tokio::select! {
                exit = child.end(grace) => exit,
                () = orders.launcher_ends(), if by != By::Launcher => {
                    child.end(grace.min(LAST_GRACE)).await
                }
            };
            Outcome { exit, by: Some(by) }
        }
        None => {
            tokio::select! {
                _ = read => {}
                () = sleep(patience) => {}
                _ = orders.end() => {}
            }
            Outcome { exit: child.kill_leftovers().await, by: None }
        }
    }
}
