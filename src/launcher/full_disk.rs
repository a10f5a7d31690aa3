//! A full disk, outlasted: the same transaction again and again, and meanwhile an answer for
//! everybody who needs one \[L7\]. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::ids::ConnId;
use crate::ipc::inbox::Intake;
use crate::ipc::outbox::Outbox;
use crate::ipc::protocol::ClientFrame;
use crate::ipc::server::{Asked, Inbound};
use crate::ipc::{ErrorCode, ProtocolError, frames};
use crate::limits::{INBOX_MAX, TURN_INPUTS_MAX};
use crate::log::{AppendError, Log};
use crate::time::{Millis, Timestamp};

use super::core::{Core, Pending};
use super::supervised::Input;
use super::turns::{Message, Turns};

/// What is known of connections whose first words wait.
#[derive(Debug, Default)]
struct Newcomers {
    /// Their ways out: nobody else has them yet.
    outboxes: BTreeMap<ConnId, Arc<Outbox>>,
    /// Those that are about to serve a target.
    targets: BTreeSet<ConnId>,
}

impl<L: Log> Turns<L> {
    /// The same transaction, again every second; meanwhile nothing is decided, targets are not
    /// read, and new work of others is told to come back \[L7\].
    pub(super) fn outlast_full_disk(
        &mut self,
        pending: &Pending,
        why: &str,
    ) -> Result<(), AppendError> {
        tracing::error!(%why, "the disk is full; trying again every second");
        self.inbox.set_intake(Intake::TargetsHeld);
        let mut newcomers = Newcomers::default();
        let began = self.clock.now();
        let result = loop {
            let until = self.clock.now() + Millis(1_000);
            self.answer_busy_until(until, &mut newcomers);
            match self.core.commit(pending) {
                Err(AppendError::Full { why }) => {
                    if self.clock.now().since(began) >= self.manners.disk_retry {
                        break Err(AppendError::Full { why });
                    }
                }
                other => break other,
            }
        };
        self.inbox.set_intake(Intake::Open);
        if result.is_ok() {
            tracing::info!("the disk has room again");
        }
        result
    }

    fn answer_busy_until(&mut self, until: Timestamp, newcomers: &mut Newcomers) {
        loop {
            let left = until.since(self.clock.now());
            if left == Millis(0) {
                return;
            }
            let wait = Some(Duration::from_millis(left.0));
            // What waits has its bound as well: whoever sends more is not read.
            let room = INBOX_MAX.saturating_sub(self.stash.len());
            for message in self.inbox.recv(wait, room.min(TURN_INPUTS_MAX)) {
                match message {
                    Message::Inbound(Inbound::Frame { conn, frame, asked }) => {
                        self.busy(conn, frame, asked, newcomers);
                    }
                    Message::Inbound(Inbound::Opened { conn, outbox }) => {
                        newcomers.outboxes.insert(conn, outbox.clone());
                        self.stash.push(Inbound::Opened { conn, outbox }.into());
                    }
                    Message::Inbound(other) => self.stash.push(other.into()),
                    Message::Service(word) => self.stash.push(Input::Service(word)),
                    Message::Stop => self.stop_asked = true,
                }
            }
        }
    }

    /// New work is refused; questions and registrations wait, because they need no promise, and so
    /// does whatever a target says, or one that is about to become one: it must never be refused.
    fn busy(
        &mut self,
        conn: ConnId,
        frame: ClientFrame,
        asked: Option<Asked>,
        newcomers: &mut Newcomers,
    ) {
        match &frame {
            ClientFrame::Report(_) | ClientFrame::StartSaga(_) => {
                if !newcomers.targets.contains(&conn) && !self.core.is_targets(conn) {
                    let words = "the disk that holds the log is full; try again later";
                    let error = ProtocolError::mild(ErrorCode::Busy, words);
                    let error = error.with_id(frame.id().cloned());
                    let known = self.core.conns.get(&conn).map(|conn| &conn.outbox);
                    if let Some(to) = known.or_else(|| newcomers.outboxes.get(&conn)) {
                        to.push_reply(frames::error(&error));
                    }
                    return;
                }
            }
            ClientFrame::Register(register) => {
                if self.core.coordinator.is_target(&register.kind) {
                    newcomers.targets.insert(conn);
                }
            }
            ClientFrame::ActionFailed(_)
            | ClientFrame::SignalSaga(_)
            | ClientFrame::GetSnapshot { .. }
            | ClientFrame::GetEvents { .. }
            | ClientFrame::ListSagas { .. }
            | ClientFrame::GetSaga { .. }
            | ClientFrame::Ping { .. }
            | ClientFrame::Goodbye => {}
        }
        self.stash.push(Inbound::Frame { conn, frame, asked }.into());
    }
}

impl<L: Log> Core<L> {
    /// Whether that connection is a target's: it serves one, or will when what it said is durable.
    /// From then on its socket is not read.
    fn is_targets(&self, conn: ConnId) -> bool {
        let Some(found) = self.conns.get(&conn) else { return false };
        let member = found.session.member();
        let serves = found.parked.is_some()
            || member.is_some_and(|member| self.coordinator.is_target(&member.kind));
        if serves {
            found.outbox.set_target();
        }
        serves
    }
}
