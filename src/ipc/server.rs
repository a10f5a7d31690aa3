//! Accepts connections and moves their lines: from sockets to the inbox, from outboxes to sockets.
//! Decides nothing.
//!
//! Each connection has one reader and one writer. The reader parses lines, so that a bad one costs
//! its sender's task and not the deciding thread; the writer is the only one that writes to the
//! socket \[P1\].

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::connection::Connection;
use super::frames;
use super::inbox::Inbox;
use super::outbox::Outbox;
use super::protocol::ClientFrame;
use super::transport::{self, Acceptor, Listener, Stream};
use super::{ErrorCode, ProtocolError};
use crate::ids::ConnId;
use crate::limits::{ACCEPT_BACKOFF_MAX, CONNECTIONS_MAX, SUBSCRIBER_QUEUE, WRITE_TIMEOUT};

/// What the deciding thread learns of connections. Of one connection it comes in this order:
/// `Opened`, what its peer sent, `Closed`; a `Sent` may still follow, and is true.
#[derive(Debug)]
pub enum Inbound {
    /// Somebody connected. Nothing was read yet.
    Opened {
        /// The connection.
        conn: ConnId,
        /// Its way out.
        outbox: Arc<Outbox>,
    },
    /// A line that could be read.
    Frame {
        /// The connection.
        conn: ConnId,
        /// What it asks.
        frame: ClientFrame,
        /// Of a question: the next line is read when this is dropped.
        asked: Option<Asked>,
    },
    /// A line that could not; its sender is to be told, and where it is fatal, closed.
    Bad {
        /// The connection.
        conn: ConnId,
        /// What to tell.
        error: ProtocolError,
    },
    /// Commands that were to be told of were written whole \[P5\].
    Sent {
        /// The connection.
        conn: ConnId,
        /// Which.
        command_ids: Vec<Arc<str>>,
    },
    /// The peer will send no more. A target's socket is closed by now; another's outbox is still
    /// written until it is closed, so that a peer that only stopped sending gets its answers.
    Closed {
        /// The connection.
        conn: ConnId,
        /// How it ended.
        why: CloseWhy,
    },
}

/// Held by a question until it is answered. Its connection is not read meanwhile, so that no peer
/// can make the launcher prepare more answers than one that it does not read \[R7\].
#[derive(Debug)]
pub struct Asked {
    _permit: OwnedSemaphorePermit,
}

impl Asked {
    pub(super) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self { _permit: permit }
    }
}

impl Inbound {
    /// The connection that it is about.
    #[must_use]
    pub fn conn(&self) -> ConnId {
        match self {
            Self::Opened { conn, .. }
            | Self::Frame { conn, .. }
            | Self::Bad { conn, .. }
            | Self::Sent { conn, .. }
            | Self::Closed { conn, .. } => *conn,
        }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseWhy {
    /// The peer ended it; without a `goodbye` that counts as one \[W10\].
    Eof,
    /// Reading failed.
    ReadFailed(io::ErrorKind),
    /// Writing failed; the line under way is not delivered \[P7\].
    WriteFailed(io::ErrorKind),
    /// The peer did not read \[P9\].
    NotReading,
    /// The launcher closed it.
    Asked,
}

/// How a server treats its connections.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The only user whose processes may connect \[W11\].
    pub uid: u32,
    /// How long a target may leave its socket unread \[P9\].
    pub write_timeout: Duration,
    /// Events that may wait for one subscriber \[W8\].
    pub events_max: usize,
    /// Connections at once.
    pub connections_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            uid: transport::own_uid(),
            write_timeout: Duration::from_millis(WRITE_TIMEOUT.0),
            events_max: SUBSCRIBER_QUEUE,
            connections_max: CONNECTIONS_MAX,
        }
    }
}

/// A server at work.
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Begins to accept; to be called inside the runtime. Messages go to `inbox`.
    ///
    /// # Errors
    /// When the runtime cannot take the socket.
    pub fn start<M>(listener: Listener, inbox: Arc<Inbox<M>>, options: Options) -> io::Result<Self>
    where
        M: From<Inbound> + Send + 'static,
    {
        let acceptor = listener.accepting()?;
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept_all(acceptor, inbox, options, stopped));
        Ok(Self { stop, accepting })
    }

    /// Takes no further connections and removes the socket; those that are open go on.
    pub fn stop_accepting(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until all connections ended, after [`Server::stop_accepting`].
    pub async fn finished(self) {
        self.stop_accepting();
        // The task has nothing to panic with; if it did, its connections are gone all the same.
        self.accepting.await.ok();
    }
}

async fn accept_all<M>(
    acceptor: Acceptor,
    inbox: Arc<Inbox<M>>,
    options: Options,
    mut stopped: watch::Receiver<bool>,
) where
    M: From<Inbound> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let mut last = ConnId(0);
    let mut backoff = 0;
    loop {
        let accepted = tokio::select! {
            accepted = acceptor.accept() => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, uid)) if uid != options.uid => {
                tracing::warn!(uid, "refused a connection of another user");
                let words =
                    format!("this launcher serves uid {}, and you are uid {uid}", options.uid);
                refuse(stream, ErrorCode::NotAllowed, words).await;
            }
            Ok((stream, _)) if connections.len() >= options.connections_max => {
                let words = format!("{} connections are open; close some", connections.len());
                refuse(stream, ErrorCode::Busy, words).await;
            }
            Ok((stream, _)) => {
                backoff = 0;
                last = last.next();
                let outbox = Arc::new(Outbox::new(options.events_max));
                let inbox = Arc::clone(&inbox);
                let questions = Arc::new(Semaphore::new(1));
                let connection = Connection { conn: last, outbox, inbox, questions };
                connections.spawn(connection.run(stream, options.write_timeout));
            }
            Err(error) => {
                // Out of descriptors, or a peer that left early: neither is mended by trying at
                // once.
                backoff = (backoff * 2).clamp(1, ACCEPT_BACKOFF_MAX.0);
                tracing::warn!(%error, "cannot accept a connection; again in {backoff} ms");
                tokio::time::sleep(Duration::from_millis(backoff)).await;
            }
        }
    }
    drop(acceptor);
    while connections.join_next().await.is_some() {}
}

async fn refuse(stream: Stream, code: ErrorCode, message: String) {
    let line = frames::error(&ProtocolError::fatal(code, message));
    // A new socket has room for one line, so this does not wait; a peer that left does not matter.
    stream.split().1.write_all(line.as_bytes()).await.ok();
}
