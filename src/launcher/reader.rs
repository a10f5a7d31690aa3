//! A thread that reads the log beside the deciding one, for who asks for much of it: what a client
//! missed, lists, pictures of sagas. It decides nothing, and nobody who decides waits for it
//! \[R7\].
//!
//! One thread is enough for all that ask. A replay is read in small parts, each when its client has
//! taken the one before: a thousand clients that do not read cost their parts, no thread and no
//! open transaction, and keep nobody else from getting theirs.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet, yield_now};

use crate::ids::Seq;
use crate::ipc::frames::{self, Line};
use crate::ipc::outbox::Outbox;
use crate::ipc::protocol::ClientFrame;
use crate::ipc::server::Asked;
use crate::ipc::session::Session;
use crate::limits::READER_JOBS;
use crate::log::{LogReader, OpenError};

use super::answers::{AsOf, answer, unread};
use super::events::replay_some;
use super::picture::Pictures;

/// What is to be read.
#[derive(Debug)]
pub(super) enum Job {
    /// A question that the log answers.
    Question {
        /// Who gets the answer.
        to: Arc<Outbox>,
        /// What it asked.
        frame: ClientFrame,
        /// What was decided when it asked.
        as_of: AsOf,
        /// Its connection is read on when this is dropped.
        asked: Option<Asked>,
    },
    /// What a client missed \[W13\].
    Replay {
        /// The last version that it saw.
        since: Seq,
        /// The last version that it does not see live.
        upto: Seq,
        /// What it wants.
        session: Session,
        /// Its place in the connection's queue.
        lines: mpsc::Sender<Line>,
    },
}

/// A way to the thread.
#[derive(Debug)]
pub(super) struct Reader {
    /// Bounded; whoever finds it full is refused.
    jobs: mpsc::Sender<Job>,
}

impl Reader {
    /// Starts the thread; it ends when this is dropped and all is read.
    ///
    /// # Errors
    /// The system gives none.
    pub(super) fn start(path: PathBuf) -> io::Result<Reader> {
        let (jobs, waiting) = mpsc::channel(READER_JOBS);
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let read = move || runtime.block_on(LocalSet::new().run_until(read_all(path, waiting)));
        std::thread::Builder::new().name("reader".to_owned()).spawn(read)?;
        Ok(Reader { jobs })
    }

    /// Hands over a job; false: too many wait, and this one is not taken.
    pub(super) fn hand(&self, job: Job) -> bool {
        self.jobs.try_send(job).is_ok()
    }
}

async fn read_all(path: PathBuf, mut waiting: mpsc::Receiver<Job>) {
    let desk = Rc::new(Desk { path, log: RefCell::new(None) });
    let mut pictures = Pictures::default();
    let mut replays = JoinSet::new();
    loop {
        let job = tokio::select! {
            job = waiting.recv() => job,
            Some(_) = replays.join_next() => {
                desk.tidy(replays.is_empty() && waiting.is_empty());
                continue;
            }
        };
        match job {
            None => break,
            Some(Job::Replay { since, upto, session, lines }) => {
                let desk = desk.clone();
                replays
                    .spawn_local(async move { replay(&desk, since, upto, &session, &lines).await });
            }
            Some(Job::Question { to, frame, as_of, asked }) => {
                let id = frame.id();
                let answered = match desk.log() {
                    Ok(log) => log.at_one_instant(|| answer(&*log, &mut pictures, &frame, &as_of)),
                    Err(error) => Err(unread(&error, id)),
                };
                to.push_reply(answered.unwrap_or_else(|error| frames::error(&error)));
                drop(asked);
                desk.tidy(replays.is_empty() && waiting.is_empty());
                // Replays take their turns between questions.
                yield_now().await;
            }
        }
    }
    while replays.join_next().await.is_some() {}
}

/// The log as it lies open, as long as anybody asks: an idle launcher's log is one file's.
struct Desk {
    path: PathBuf,
    log: RefCell<Option<Rc<LogReader>>>,
}

impl Desk {
    fn log(&self) -> Result<Rc<LogReader>, OpenError> {
        let mut log = self.log.borrow_mut();
        if let Some(open) = &*log {
            return Ok(open.clone());
        }
        let open = Rc::new(LogReader::beside_writer(Path::new(&self.path))?);
        *log = Some(open.clone());
        Ok(open)
    }

    fn tidy(&self, idle: bool) {
        if idle {
            self.log.borrow_mut().take();
        }
    }
}

/// Sends what was missed, part by part; ends early when nobody is there to read it.
async fn replay(
    desk: &Desk,
    mut since: Seq,
    upto: Seq,
    session: &Session,
    lines: &mpsc::Sender<Line>,
) {
    while since < upto {
        let read = match desk.log() {
            Ok(log) => {
                let batch = replay_some(&*log, (since, upto), |event| session.wants(event));
                since = batch.upto;
                batch.lines.into()
            }
            Err(error) => {
                tracing::warn!(%error, "a replay could not read the log");
                let lost = frames::lagged(None, since.next(), upto, upto);
                since = upto;
                lost
            }
        };
        if !read.is_empty() && lines.send(read).await.is_err() {
            return;
        }
        yield_now().await;
    }
}
