//! The launcher as the client of a pod: one connection for each thing that is sent, read from its
//! beginning, given up after a bound. Knows no registry.

use std::io;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::lines::LinesOf;
use super::wire::{self, Heard, PodEvent};
use crate::ipc::transport::{ConnectError, Stream, WriteHalf, connect};
use crate::limits::{POD_FRAME_BYTES_MAX, POD_LINGER, POD_PROBE, POD_SEND};
use crate::time::Millis;

/// How long a full queue is left alone.
const FULL_PAUSE: Duration = Duration::from_millis(20);

/// What became of something that was sent to a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The pod took it.
    Accepted {
        /// The event that said so; empty: none does for such a method.
        by: &'static str,
    },
    /// It did not, or nobody knows.
    Rejected {
        /// The pod's own word, or `io`.
        code: String,
        /// In words.
        message: String,
    },
}

pub(super) fn duration(span: Millis) -> Duration {
    Duration::from_millis(span.0)
}

/// In words, for whoever asked for a pod.
fn unreachable(error: &ConnectError) -> String {
    match error {
        ConnectError::Nobody { path } => format!("nobody listens on {}", path.display()),
        ConnectError::Os { .. } => error.to_string(),
    }
}

/// Whether somebody accepts there.
///
/// # Errors
/// In words, when nobody does in time.
pub async fn probe(socket: &Path) -> Result<(), String> {
    match timeout(duration(POD_PROBE), connect(socket)).await {
        Ok(Ok(_)) => Ok(()),
        // Nobody could be in its queue if nobody listened.
        Ok(Err(error)) if is_full(&error) => Ok(()),
        Ok(Err(error)) => Err(unreachable(&error)),
        Err(_) => Err(format!("{} did not accept within {POD_PROBE}", socket.display())),
    }
}

/// Whether somebody listens there and has not taken those who came before.
fn is_full(error: &ConnectError) -> bool {
    matches!(error, ConnectError::Os { source, .. } if source.kind() == io::ErrorKind::WouldBlock)
}

/// Connects, however many wait before; whoever calls it bounds it.
async fn connect_in_turn(socket: &Path) -> Result<Stream, ConnectError> {
    loop {
        match connect(socket).await {
            Err(error) if is_full(&error) => sleep(FULL_PAUSE).await,
            done => return done,
        }
    }
}

/// Sends a method, and waits for the word that it was taken where there is one.
pub async fn send(socket: &Path, method: &str, params: Option<&Value>) -> Sent {
    let exchange = Exchange { socket, method, line: wire::method(method, params) };
    match timeout(duration(POD_SEND), exchange.run()).await {
        Ok(Ok(sent)) => sent,
        Ok(Err(message)) => Sent::Rejected { code: "io".into(), message },
        Err(_) => {
            let message = format!("it took nothing and refused nothing within {POD_SEND}");
            Sent::Rejected { code: "io".into(), message }
        }
    }
}

/// Tells a parent. Nothing is tried again: whoever relies on it looks for himself.
pub async fn tell(parent: &Path, event: &PodEvent) {
    if let Sent::Rejected { code, message } = send(parent, "pod_event", Some(&event.params())).await
    {
        let parent = parent.display();
        tracing::warn!(%parent, %code, %message, ?event, "the parent was not told");
    }
}

/// One method on its way.
struct Exchange<'a> {
    socket: &'a Path,
    method: &'a str,
    line: Vec<u8>,
}

impl Exchange<'_> {
    async fn run(self) -> Result<Sent, String> {
        let stream = connect_in_turn(self.socket).await.map_err(|error| unreachable(&error))?;
        let (read, write) = stream.split();
        let mut lines = LinesOf::new(read, POD_FRAME_BYTES_MAX);
        // A pod tells of itself first. Who does not read that may never be read by it.
        while self.hear(&mut lines).await? != Heard::Snapshot {}
        let write = self.write(&mut lines, write).await?;
        if self.method == "run" {
            let sent = self.word(&mut lines).await;
            drop(write);
            return sent;
        }
        // No event says that it was taken. That the pod has read to the end is the next best.
        drop(write);
        Ok(match timeout(duration(POD_LINGER), self.word(&mut lines)).await {
            Ok(Ok(refused @ Sent::Rejected { .. })) => refused,
            Ok(Ok(Sent::Accepted { .. }) | Err(_)) | Err(_) => Sent::Accepted { by: "" },
        })
    }

    /// Writes the method while what the pod says is read: it may not read before it was heard.
    async fn write(&self, lines: &mut LinesOf, write: WriteHalf) -> Result<WriteHalf, String> {
        let mut writing = pin!(async move {
            let mut write = write;
            write.write_all(&self.line).await.map(|()| write)
        });
        loop {
            tokio::select! {
                biased;
                written = &mut writing => return written.map_err(|error| self.broke(&error)),
                // What is heard before it is written is about somebody else's.
                heard = self.hear(lines) => { heard?; }
            }
        }
    }

    /// The word that it was taken, or was not.
    async fn word(&self, lines: &mut LinesOf) -> Result<Sent, String> {
        loop {
            match self.hear(lines).await? {
                Heard::Accepted(by) => return Ok(Sent::Accepted { by }),
                Heard::Refused { code, message } => return Ok(Sent::Rejected { code, message }),
                Heard::Snapshot | Heard::Other => {}
            }
        }
    }

    async fn hear(&self, lines: &mut LinesOf) -> Result<Heard, String> {
        match lines.next().await {
            Ok(Some(line)) => Ok(Heard::read(&line)),
            Ok(None) => Err(format!("{} closed the connection", self.socket.display())),
            Err(error) => Err(self.broke(&error)),
        }
    }

    fn broke(&self, error: &io::Error) -> String {
        format!("the connection to {} broke: {error}", self.socket.display())
    }
}
