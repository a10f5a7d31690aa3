//! One start of a service: what a launcher before left of it is ended, then its process begins at
//! its gate, is known to the core, and runs. Waits for nothing that it says.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::ipc::inbox::Inbox;
use crate::launcher::supervised::Word;
use crate::launcher::turns::Message;
use crate::targets::process::{Child, ProcessId, SpawnError, end_lost};

use super::{Declared, Place, Ready};

/// Why a start did not come about.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its process did not begin.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// Its number cannot be kept, so that a next launcher could not find it.
    #[error("its process cannot be noted: {0}")]
    Note(#[source] io::Error),
    /// The launcher decides nothing any more.
    #[error("the launcher ends")]
    Closed,
}

/// Starts its process. It is gated until its number is noted and the core knows of it.
///
/// # Errors
/// It does not run, and nothing of it is left.
pub async fn start(declared: &Declared, place: &Place, count: u64) -> Result<Child, StartError> {
    end_what_was_left(declared, place).await;
    let own = std::process::id();
    let mark = format!("service-{}-{own}-{}-{count}", declared.name, place.since);
    let spec = declared.spec(mark.clone(), place.env.clone());
    let mut child = place.processes.spawn(spec).await?;
    note(place, declared, child.id(), &mark).await.map_err(StartError::Note)?;
    let tell = !matches!(declared.ready, Ready::Register(_));
    let (pid, name) = (u64::from(child.id().pid), declared.name.clone());
    let began = |durable| Word::Began { pid, name: name.clone(), tell, durable };
    say(&place.inbox, began).await?;
    if let Err(error) = child.open_gate().await {
        let service = crate::saga::record::Service::running(name.clone());
        ended(place, pid, service).await;
        return Err(error.into());
    }
    Ok(child)
}

/// Tells the core, and returns when that is durable.
async fn say(
    inbox: &Arc<Inbox<Message>>,
    word: impl FnOnce(oneshot::Sender<()>) -> Word,
) -> Result<(), StartError> {
    let (durable, told) = oneshot::channel();
    inbox.post(Message::Service(word(durable)));
    told.await.map_err(|_| StartError::Closed)
}

/// Tells that a process has ended with its group, and forgets its number.
pub async fn ended(place: &Place, pid: u64, service: crate::saga::record::Service) {
    let path = place.directory.join(format!("{}.pid", service.name));
    let ended = |durable| Word::Ended { pid, service, durable };
    // Whoever does not hear it any more ends, and so does what it knew.
    say(&place.inbox, ended).await.ok();
    tokio::task::spawn_blocking(move || fs::remove_file(path)).await.ok();
}

/// The older process of a service is dead before the newer one is started \[R20\], also when its
/// launcher was killed and the keeper is still at work.
async fn end_what_was_left(declared: &Declared, place: &Place) {
    let path = place.directory.join(format!("{}.pid", declared.name));
    let read = tokio::task::spawn_blocking(move || fs::read_to_string(path)).await;
    let Ok(Ok(text)) = read else { return };
    let mut words = text.split_whitespace();
    let (pid, start, mark) = (words.next(), words.next(), words.next());
    let id =
        pid.and_then(|pid| Some(ProcessId { pid: pid.parse().ok()?, start: start?.parse().ok()? }));
    if let (Some(id), Some(mark)) = (id, mark)
        && end_lost(&id, mark, Duration::from_millis(declared.grace.0)).await
    {
        tracing::warn!(service = %declared.name, process = %id.pid, "what an earlier launcher left \
                       of it was ended");
    }
}

async fn note(place: &Place, declared: &Declared, id: &ProcessId, mark: &str) -> io::Result<()> {
    let path = place.directory.join(format!("{}.pid", declared.name));
    let text = format!("{} {} {mark}\n", id.pid, id.start);
    let written = tokio::task::spawn_blocking(move || replace(&path, &text)).await;
    written.map_err(io::Error::other)?
}

/// Whole or not at all: a torn note would be no process's.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("pid.new");
    fs::write(&new, text)?;
    fs::rename(new, path)
}
