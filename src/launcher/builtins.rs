//! Built-in targets: each gets its connection to the core before the first turn, and whoever serves
//! it starts with what the log knows. Decides nothing.

use std::sync::Arc;

use crate::ids::{BUILT_IN_TARGETS, ConnId};
use crate::ipc::inbox::Inbox;
use crate::ipc::local::{self, Port};
use crate::ipc::outbox::Outbox;
use crate::log::Log;

use super::core::Core;
use super::turns::Message;

/// Connections of built-in targets are numbered from the end, those of sockets from the beginning.
const LAST: u64 = u64::MAX;

/// Connects the built-in targets; their ports, in the order of [`BUILT_IN_TARGETS`].
///
/// Must be called inside of the runtime that moves their messages.
pub(super) fn connect<L: Log>(
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
