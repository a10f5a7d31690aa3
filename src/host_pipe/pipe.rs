//! A link and the connection that serves it: what is owed goes into the connection's outbox. Writes
//! no byte.

use std::sync::Arc;

use super::link::{Link, Owed};
use crate::ids::{ConnId, Seq, SessionNo};
use crate::ipc::frames;
use crate::ipc::outbox::Outbox;
use crate::ipc::{ErrorCode, ProtocolError};
use crate::line::Batch;

/// The pipe to one target. Owned by the thread that decides.
#[derive(Debug)]
pub struct Pipe<C> {
    link: Link<C>,
    wire: Option<Wire>,
    /// Who said goodbye last, and may still be reading answers.
    leaving: Option<ConnId>,
}

#[derive(Debug)]
struct Wire {
    conn: ConnId,
    session: SessionNo,
    outbox: Arc<Outbox>,
}

impl<C> Default for Pipe<C> {
    fn default() -> Self {
        Self { link: Link::default(), wire: None, leaving: None }
    }
}

impl<C> Pipe<C> {
    /// What is owed and handed over.
    #[must_use]
    pub fn link(&self) -> &Link<C> {
        &self.link
    }

    /// The connection that serves the target.
    #[must_use]
    pub fn conn(&self) -> Option<ConnId> {
        self.wire.as_ref().map(|wire| wire.conn)
    }

    /// The open session.
    #[must_use]
    pub fn session(&self) -> Option<SessionNo> {
        self.link.session()
    }

    /// Opens a session over a connection that was told `registered`. An older one is superseded
    /// first \[W12\].
    pub fn open(&mut self, session: SessionNo, conn: ConnId, outbox: Arc<Outbox>) {
        self.supersede();
        outbox.set_target();
        self.link.session_opened(session);
        self.wire = Some(Wire { conn, session, outbox });
    }

    /// Ends the open session because a newer client takes over: it is told so, and gets nothing
    /// more \[W12, R20\]. Its connection's `Closed` says when nothing is on its way any more; so it
    /// does of one that said goodbye.
    pub fn supersede(&mut self) -> Option<ConnId> {
        let Some(wire) = self.wire.take() else { return self.leaving.take() };
        self.link.session_closed(wire.session);
        let message = "a newer client registered as this target";
        let error = ProtocolError::fatal(ErrorCode::Superseded, message);
        wire.outbox.close_now(Some(frames::error(&error)));
        Some(wire.conn)
    }

    /// Ends the session that the target itself says goodbye to: it gets no more commands, and all
    /// answers to what it said before \[W9\]. Nothing changes when that connection does not serve
    /// the target \[P6\].
    pub fn leave(&mut self, conn: ConnId) {
        if let Some(wire) = self.wire.take_if(|wire| wire.conn == conn) {
            self.link.session_closed(wire.session);
            wire.outbox.drop_commands();
            self.leaving = Some(conn);
        }
    }

    /// The connection ended. None, and nothing changes, when it is not the one that serves the
    /// target \[P6\].
    pub fn close(&mut self, conn: ConnId) -> Option<SessionNo> {
        let wire = self.wire.take_if(|wire| wire.conn == conn)?;
        self.link.session_closed(wire.session);
        wire.outbox.close_now(None);
        Some(wire.session)
    }

    /// The connection told that nothing is on its way any more: nobody needs to wait for it.
    pub fn gone(&mut self, conn: ConnId) {
        self.leaving.take_if(|leaving| *leaving == conn);
    }

    /// See [`Link::owe`].
    pub fn owe(&mut self, command: Owed<C>) {
        self.link.owe(command);
    }

    /// See [`Link::owe_no_more`].
    pub fn owe_no_more(&mut self, order: Seq) {
        self.link.owe_no_more(order);
    }

    /// Takes back what is owed no more and hands over what waits, in order, as one push \[P1, P5\].
    /// `write` appends a command's frame, and says whether the coordinator is to learn when it was
    /// written \[P5\].
    pub fn hand_over(&mut self, mut write: impl FnMut(&mut String, &Owed<C>, SessionNo) -> bool) {
        let retracted = self.link.take_retracted();
        let Some(wire) = &self.wire else { return };
        if retracted.is_empty() && self.link.waiting() == 0 {
            return;
        }
        let mut frames = Batch::default();
        while let Some((owed, session)) = self.link.hand_next() {
            let command_id = Arc::clone(&owed.command_id);
            frames.add(|text| (command_id, write(text, owed, session)));
        }
        wire.outbox.with(|queue| {
            for command_id in &retracted {
                queue.retract(command_id);
            }
            for ((command_id, notify_sent), line) in frames.take() {
                queue.command(command_id, line, notify_sent);
            }
        });
    }
}
