//! Built-in targets: each gets its connection to the core before the first turn, and whoever serves
//! it starts with what the log knows. Decides nothing.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::ids::{BUILT_IN_TARGETS, ConnId};
use crate::ipc::inbox::Inbox;
use crate::ipc::local::{self, Port};
use crate::ipc::outbox::Outbox;
use crate::ipc::transport::{BindError, Listener};
use crate::log::Log;
use crate::targets::pods::{self, Settings};
use crate::targets::process::Processes;
use crate::targets::subprocess;

use super::core::Core;
use super::turns::{Message, Turns};

/// Connections of built-in targets are numbered from the end, those of sockets from the beginning.
const LAST: u64 = u64::MAX;

/// Where pods are, and where they report.
#[derive(Debug)]
pub(super) struct Pods {
    settings: Settings,
    /// Absent: nobody said that there will be pods, so nothing listens before there is one.
    listener: Option<Listener>,
}

impl Pods {
    /// What the configuration says. It is wrong at the start, or not at all.
    ///
    /// # Errors
    /// Pods could not report there.
    pub(super) fn told(settings: Settings) -> Result<Pods, BindError> {
        let listener = pods::listen(&settings)?;
        Ok(Pods { settings, listener: Some(listener) })
    }

    /// Beside the log.
    ///
    /// # Errors
    /// The system does not say where that is.
    pub(super) fn below(data: &Path) -> io::Result<Pods> {
        let runtime_dir = std::path::absolute(data)?.join("pods");
        Ok(Pods { settings: Settings { runtime_dir, ..Settings::default() }, listener: None })
    }
}

/// Those who serve the built-in targets of a launcher.
#[derive(Debug)]
pub(super) struct BuiltIns {
    serving: JoinSet<()>,
}

impl BuiltIns {
    /// Connects the built-in targets and lets them be served.
    ///
    /// Must be called inside of the runtime that moves their messages, before the first turn.
    pub(super) fn start<L: Log>(
        turns: &mut Turns<L>,
        blocks: subprocess::Settings,
        Pods { settings, listener }: Pods,
        processes: Processes,
    ) -> BuiltIns {
        let core = &mut turns.core;
        let known = core.coordinator().builtin().blocks.clone();
        let [asked, ported] = connect(core, &turns.inbox);
        let mirror = core.mirror_pods(&settings);
        let mut serving = JoinSet::new();
        let (rest, rests) = watch::channel(false);
        turns.rest = Some(rest);
        serving.spawn(subprocess::serve(asked, known, processes.clone(), blocks, rests));
        serving.spawn(pods::serve(ported, mirror, processes, settings, listener));
        BuiltIns { serving }
    }

    /// Returns when those processes are ended that may not outlive the launcher: its inbox is
    /// closed, and nothing is asked any more.
    pub(super) async fn ended(mut self) {
        while self.serving.join_next().await.is_some() {}
    }
}

/// The ports of the built-in targets, in the order of [`BUILT_IN_TARGETS`].
fn connect<L: Log>(
    core: &mut Core<L>,
    inbox: &Arc<Inbox<Message>>,
) -> [Port; BUILT_IN_TARGETS.len()] {
    let mut number = LAST;
    BUILT_IN_TARGETS.map(|target| {
        let (conn, outbox) = (ConnId(number), Arc::new(Outbox::new(1)));
        number -= 1;
        core.attach(target, conn, Arc::clone(&outbox));
        let (port, moves) = local::open(conn, outbox, Arc::clone(inbox));
        tokio::spawn(moves);
        port
    })
}
