//! The target `subprocess`: one fresh process for each turn of a block \[T1\]. What is known of
//! blocks is folded in `builtin::blocks`; here turns are run.
//!
//! Commands come to a desk, which gives each turn a task of its own. The task says all that there
//! is to say of its turn, in one order, and gives its last words to the desk: by the time that they
//! are heard the block is at rest, and whoever waits for it can have it.

mod answered;
mod argv;
mod desk;
mod failure;
mod frame;
mod health;
mod lots;
mod request;
pub mod store;
mod supervise;
mod tail;
mod turn;
mod voice;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::builtin::blocks::Blocks;
use crate::ipc::local::Port;

use super::process::Processes;

use health::Thresholds;
use store::{Bounds, OUTPUT};

/// How turns are run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where their output is kept.
    pub output: PathBuf,
    /// How much of it.
    pub bounds: Bounds,
    /// When their silence is told.
    pub thresholds: Thresholds,
    /// How often it is looked for.
    pub look_every: Duration,
    /// How long the output of what a turn left behind is waited for.
    pub patience: Duration,
    /// The user's home.
    pub home: Option<String>,
}

impl Settings {
    /// The usual ones, for a data directory.
    #[must_use]
    pub fn of(data: &Path) -> Settings {
        // One name for one directory: processes are known by it.
        let data = data.canonicalize().unwrap_or_else(|_| data.to_owned());
        Settings {
            output: data.join(OUTPUT),
            bounds: Bounds::default(),
            thresholds: Thresholds::default(),
            look_every: Duration::from_secs(5),
            patience: Duration::from_secs(2),
            home: std::env::var("HOME").ok(),
        }
    }
}

/// Serves the target until its port ends, and ends all turns then: none of their processes is left
/// when this returns. What is known of blocks comes from the log. Once `rest` says so turns are
/// ended while there is still somebody to tell, and none begins.
pub async fn serve(
    port: Port,
    known: Blocks,
    processes: Processes,
    settings: Settings,
    rest: watch::Receiver<bool>,
) {
    let speaker = port.speaker();
    let means = turn::Means { speaker, processes, settings: Arc::new(settings) };
    desk::Desk::new(means, known).serve(port, rest).await;
}
