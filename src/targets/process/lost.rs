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
/// anything of it was there.
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
        groups::signal(id.pid, Signal::SIGKILL);
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
    let handle = system::watch(id.pid);
    while id.is_alive() {
        match &handle {
            Some(handle) => {
                let Ok(mut ready) = handle.readable().await else { return };
                ready.clear_ready();
                // The system tells it a moment before the process counts as dead.
                tokio::task::yield_now().await;
            }
            None => sleep(LOOK_EVERY).await,
        }
    }
}
