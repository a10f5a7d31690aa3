//! Processes that are nobody's child any more: of a launcher that was killed, or that outlived
//! theirs. What they were told and how they ended is not known here.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::groups;
use super::system;
use super::{LOOK_EVERY, ProcessId, Signal};

/// Ends the group of a process that a launcher before this one started: asks it, waits for
/// `grace`, kills it, and returns when none of it runs. It is left alone where its number was used
/// again: where its leader began at another time and no member carries the mark. Returns whether
/// anything of it was there; what nobody may signal is given up, with a warning.
pub async fn end_lost(id: &ProcessId, mark: &str, grace: Duration) -> bool {
    if !is_of(id, mark).await {
        return false;
    }
    groups::ask(id.pid, Signal::SIGTERM);
    let over = async {
        while is_of(id, mark).await {
            sleep(LOOK_EVERY).await;
        }
    };
    if timeout(grace, over).await.is_ok() {
        return true;
    }
    while is_of(id, mark).await {
        if !groups::signal(id.pid, Signal::SIGKILL) && is_of(id, mark).await {
            // To wait for it would be to wait for ever.
            tracing::warn!(process = %id, "a process may not be ended by this user; it runs on");
            return true;
        }
        sleep(LOOK_EVERY).await;
    }
    true
}

/// Reading all processes takes longer than a task may.
async fn is_of(id: &ProcessId, mark: &str) -> bool {
    let (id, mark) = (id.clone(), mark.to_owned());
    let looked = tokio::task::spawn_blocking(move || groups::is_of(&id, &mark));
    // It does not panic, and is not aborted while somebody waits for it.
    looked.await.unwrap_or(false)
}

/// Returns when that process does not run any more, whoever's child it is.
pub async fn gone(id: &ProcessId) {
    // Opened first and looked at then: what is watched is the process that is meant.
    let mut handle = system::watch(id.pid);
    while id.is_alive() {
        // It is told once: whoever waited for it a second time might wait for ever.
        match handle.take() {
            Some(handle) => {
                if handle.readable().await.is_err() {
                    return;
                }
                // The system tells it a moment before the process counts as dead.
                tokio::task::yield_now().await;
            }
            None => sleep(LOOK_EVERY).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody signals the system's first process: what cannot be ended is not waited for.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_nobody_may_signal_is_given_up() {
        let first = ProcessId::of(1).expect("it runs");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let ended = runtime.expect("a runtime").block_on(end_lost(&first, "none", Duration::ZERO));
        assert!(ended && first.is_alive());
    }
}
