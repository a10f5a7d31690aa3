//! A client inside of this process: the same outbox, the same inbox, the same frames as any other,
//! and no socket between. Knows nothing of what its commands mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use super::inbox::{Inbox, Lane};
use super::outbox::{Next, Outbox};
use super::protocol::{ActionFailed, AskId, ClientFrame, Echo, Report};
use super::server::Inbound;
use crate::ids::{ConnId, SagaId};
use crate::limits::{LOCAL_BATCHES, LOCAL_COMMANDS};

/// A command as it came out of the pipe.
///
/// Where nobody awaits an answer, the core learns that it was taken when the last copy of it is
/// dropped: whoever serves it keeps it until it is done, or a crash would leave it undone and owed
/// by nobody \[P5\].
#[derive(Clone, Debug)]
pub struct Command {
    /// What is to be done.
    pub cmd: String,
    /// The idempotency key.
    pub command_id: Arc<str>,
    /// The saga that asks.
    pub saga_id: SagaId,
    /// Its step.
    pub step: Arc<str>,
    /// Its fields.
    pub fields: Map<String, Value>,
    taken: Option<Arc<Taken>>,
}

/// Tells on its end that a command was taken.
#[derive(Debug)]
struct Taken {
    command_id: Arc<str>,
    told: mpsc::UnboundedSender<Arc<str>>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        // Nobody hears it: the launcher ends, and owes the command still.
        self.told.send(Arc::clone(&self.command_id)).ok();
    }
}

impl Command {
    /// What an answer to it carries.
    #[must_use]
    pub fn echo(&self) -> Echo {
        Echo {
            saga_id: self.saga_id,
            step: Arc::clone(&self.step),
            command_id: Some(Arc::clone(&self.command_id)),
        }
    }

    fn parse(line: &mut Map<String, Value>) -> Option<Self> {
        let text = |line: &mut Map<String, Value>, key| match line.remove(key) {
            Some(Value::String(text)) => Some(text),
            Some(_) | None => None,
        };
        let cmd = text(line, "cmd")?;
        let command_id = Arc::from(text(line, "command_id")?);
        let step = Arc::from(text(line, "step")?);
        let saga_id = SagaId(line.remove("saga_id")?.as_u64()?);
        for envelope in ["kind", "attempt", "session"] {
            line.remove(envelope);
        }
        let fields = std::mem::take(line);
        Some(Self { cmd, command_id, saga_id, step, fields, taken: None })
    }
}

/// Something that happened, on its way to the core.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Name of the event.
    pub event: &'static str,
    /// Its fields.
    pub fields: Map<String, Value>,
    /// The command that it answers; absent: nobody asked.
    pub echo: Option<Echo>,
}

/// The core takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the launcher takes no more reports")]
pub struct Gone;

#[derive(Debug)]
struct Batch {
    frames: Vec<ClientFrame>,
    bytes: usize,
    durable: Option<oneshot::Sender<()>>,
}

/// The receiving end: commands in the order in which they became owed.
#[derive(Debug)]
pub struct Port {
    commands: mpsc::Receiver<Command>,
    speaker: Speaker,
}

impl Port {
    /// The next command; `None`: the launcher ends.
    pub async fn next(&mut self) -> Option<Command> {
        self.commands.recv().await
    }

    /// The way back.
    #[must_use]
    pub fn speaker(&self) -> Speaker {
        self.speaker.clone()
    }
}

/// The way to the core, in one order for all who hold it; waits for room.
#[derive(Clone, Debug)]
pub struct Speaker {
    batches: mpsc::Sender<Batch>,
}

impl Speaker {
    /// Says what happened, in order. It is on its way when this returns, and not yet durable.
    ///
    /// # Errors
    /// The launcher ends.
    pub async fn say(&self, said: Vec<Said>) -> Result<(), Gone> {
        self.send(said, None).await
    }

    /// The same, and returns when it is durable \[T4\].
    ///
    /// # Errors
    /// The launcher ends; what was said may be durable or not.
    pub async fn say_durably(&self, said: Vec<Said>) -> Result<(), Gone> {
        let (durable, told) = oneshot::channel();
        self.send(said, Some(durable)).await?;
        told.await.map_err(|_| Gone)
    }

    /// Says that a command could not be done.
    ///
    /// # Errors
    /// The launcher ends.
    pub async fn failed(&self, echo: Echo, reason: &str) -> Result<(), Gone> {
        let failed = ActionFailed { id: None, echo, reason: Arc::from(reason) };
        let batch = Batch {
            bytes: reason.len(),
            frames: vec![ClientFrame::ActionFailed(failed)],
            durable: None,
        };
        self.batches.send(batch).await.map_err(|_| Gone)
    }

    async fn send(
        &self,
        said: Vec<Said>,
        durable: Option<oneshot::Sender<()>>,
    ) -> Result<(), Gone> {
        let mut bytes = 0;
        let frames = said.into_iter().map(|Said { event, fields, echo }| {
            bytes += fields.values().map(weight).sum::<usize>();
            ClientFrame::Report(Report { id: None, event: Arc::from(event), echo, fields })
        });
        let frames = frames.collect();
        self.batches.send(Batch { frames, bytes, durable }).await.map_err(|_| Gone)
    }
}

/// About how many bytes a field takes.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 16,
        Value::Array(list) => list.iter().map(weight).sum::<usize>() + 16,
        Value::Object(map) => map.values().map(weight).sum::<usize>() + 16 * map.len() + 16,
        Value::Null | Value::Bool(_) | Value::Number(_) => 16,
    }
}

/// Both ways of a client inside of this process, and the task that moves what goes over them until
/// the launcher ends.
pub fn open<M: From<Inbound> + Send + 'static>(
    conn: ConnId,
    outbox: Arc<Outbox>,
    inbox: Arc<Inbox<M>>,
) -> (Port, impl Future<Output = ()> + Send + 'static) {
    let (commands, taken) = mpsc::channel(LOCAL_COMMANDS);
    let (batches, said) = mpsc::channel(LOCAL_BATCHES);
    let port = Port { commands: taken, speaker: Speaker { batches } };
    let (asked, asking) = mpsc::unbounded_channel();
    let (told, taking) = mpsc::unbounded_channel();
    let inward = Inward { conn, inbox: Arc::clone(&inbox), said, asked, asks: 0 };
    let outward = Outward {
        outbox,
        inbox: Arc::clone(&inbox),
        commands,
        asking,
        told,
        waiting: BTreeMap::new(),
    };
    let both = async move {
        tokio::join!(inward.run(), outward.run(), tell_taken(conn, &inbox, taking));
    };
    (port, both)
}

/// Says which commands were taken, until nobody holds one any more.
async fn tell_taken<M: From<Inbound>>(
    conn: ConnId,
    inbox: &Inbox<M>,
    mut taking: mpsc::UnboundedReceiver<Arc<str>>,
) {
    while let Some(command_id) = taking.recv().await {
        let told = M::from(Inbound::Sent { conn, command_ids: vec![command_id] });
        if inbox.push(Lane::Target, told).await.is_err() {
            return;
        }
    }
}

/// From the speakers to the inbox.
struct Inward<M> {
    conn: ConnId,
    inbox: Arc<Inbox<M>>,
    said: mpsc::Receiver<Batch>,
    /// Who waits for the answer to which ping: as many as there are speakers that wait.
    asked: mpsc::UnboundedSender<(u64, oneshot::Sender<()>)>,
    asks: u64,
}

impl<M: From<Inbound>> Inward<M> {
    async fn run(mut self) {
        let conn = self.conn;
        while let Some(Batch { mut frames, bytes, durable }) = self.said.recv().await {
            if let Some(durable) = durable {
                // What is answered after it is durable with it: a pong is told after the commit of
                // the turn that took the ping [R2].
                self.asks += 1;
                self.asked.send((self.asks, durable)).ok();
                let id = AskId::new(Value::from(self.asks));
                frames.push(ClientFrame::Ping { id, nonce: Value::Null });
            }
            let frames = frames.into_iter();
            let mut messages: Vec<M> =
                frames.map(|frame| M::from(Inbound::Frame { conn, frame, asked: None })).collect();
            if self.inbox.push_all(Lane::Target, &mut messages, bytes).await.is_err() {
                return;
            }
        }
    }
}

/// From the outbox to whoever serves the target.
struct Outward<M> {
    outbox: Arc<Outbox>,
    inbox: Arc<Inbox<M>>,
    commands: mpsc::Sender<Command>,
    asking: mpsc::UnboundedReceiver<(u64, oneshot::Sender<()>)>,
    /// Commands that were taken, of those of which that is to be told.
    told: mpsc::UnboundedSender<Arc<str>>,
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
}

impl<M: From<Inbound>> Outward<M> {
    async fn run(mut self) {
        let (mut bytes, mut sent) = (Vec::new(), Vec::new());
        loop {
            match self.outbox.take(&mut bytes, &mut sent) {
                Next::Write => {
                    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                        if self.take(line, &sent).await.is_err() {
                            return self.outbox.over();
                        }
                    }
                    bytes.clear();
                    sent.clear();
                }
                Next::Wait => {
                    tokio::select! {
                        () = self.outbox.changed() => {}
                        () = self.inbox.closed() => return self.outbox.over(),
                    }
                }
                Next::Replay(_) => {}
                Next::Finish | Next::Abort(_) => return self.outbox.over(),
            }
        }
    }

    async fn take(&mut self, line: &[u8], tell: &[Arc<str>]) -> Result<(), Gone> {
        let Ok(Value::Object(mut line)) = serde_json::from_slice(line) else { return Ok(()) };
        if line.contains_key("cmd") {
            let Some(mut command) = Command::parse(&mut line) else { return Ok(()) };
            if tell.contains(&command.command_id) {
                let (command_id, told) = (Arc::clone(&command.command_id), self.told.clone());
                command.taken = Some(Arc::new(Taken { command_id, told }));
            }
            return tokio::select! {
                sent = self.commands.send(command) => sent.map_err(|_| Gone),
                () = self.inbox.closed() => Err(Gone),
            };
        }
        while let Ok((id, durable)) = self.asking.try_recv() {
            self.waiting.insert(id, durable);
        }
        match line.get("event").and_then(Value::as_str) {
            Some("pong") => {
                let id = line.get("id").and_then(Value::as_u64);
                if let Some(durable) = id.and_then(|id| self.waiting.remove(&id)) {
                    durable.send(()).ok();
                }
            }
            // Nothing that a built-in target says is refused: its own words do not fit its own
            // catalog.
            Some("error") => {
                let why = line.get("message").and_then(Value::as_str).unwrap_or_default();
                tracing::error!(%why, "a built-in target's report was refused");
            }
            Some(_) | None => {}
        }
        Ok(())
    }
}
