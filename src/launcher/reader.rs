//! A thread that reads the log beside the deciding one, for who asks for much of it: what a client
//! missed, lists, pictures of sagas. It decides nothing, and nobody who decides waits for it
//! \[R7\].
//!
//! One thread is enough for all that ask. A replay is read in small parts, each when its client has
//! taken the one before: a thousand clients that do not read cost their parts, no thread and no
//! open transaction, and keep nobody else from getting theirs.
//!
//! A panic while it reads for one is told to that one, and is nobody else's. Should the thread be
//! gone all the same, the next job starts another.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::{JoinSet, LocalSet, yield_now};

use crate::ids::Seq;
use crate::ipc::frames::{self, Line};
use crate::ipc::outbox::Outbox;
use crate::ipc::protocol::ClientFrame;
use crate::ipc::server::Asked;
use crate::ipc::session::Session;
use crate::ipc::{ErrorCode, ProtocolError};
use crate::limits::READER_JOBS;
use crate::log::{LogReader, OpenError};

use super::answers::{AsOf, answer, unread};
use super::events::{Batch, replay_some};
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

/// How jobs are done: what a panic does to the thread is tested with others than ours.
#[derive(Clone, Copy, Debug)]
struct Ways {
    answer: fn(&LogReader, &mut Pictures, &ClientFrame, &AsOf) -> Result<Line, ProtocolError>,
    replay: fn(&LogReader, (Seq, Seq), &Session) -> Batch,
}

const OURS: Ways = Ways {
    answer: |log, pictures, frame, as_of| answer(log, pictures, frame, as_of),
    replay: |log, range, session| replay_some(log, range, |event| session.wants(event)),
};

/// A way to the thread.
#[derive(Debug)]
pub(super) struct Reader {
    /// Bounded; whoever finds it full is refused.
    jobs: mpsc::Sender<Job>,
    path: PathBuf,
    ways: Ways,
}

impl Reader {
    /// Starts the thread; it ends when this is dropped and all is read.
    ///
    /// # Errors
    /// The system gives none.
    pub(super) fn start(path: PathBuf) -> io::Result<Reader> {
        Reader::with(path, OURS)
    }

    fn with(path: PathBuf, ways: Ways) -> io::Result<Reader> {
        let (jobs, waiting) = mpsc::channel(READER_JOBS);
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let place = path.clone();
        let read = move || {
            let desk = Desk { path: place, ways, log: RefCell::new(None) };
            runtime.block_on(LocalSet::new().run_until(read_all(desk, waiting)));
        };
        std::thread::Builder::new().name("reader".to_owned()).spawn(read)?;
        Ok(Reader { jobs, path, ways })
    }

    /// Hands over a job; false: too many wait, and this one is not taken.
    pub(super) fn hand(&mut self, job: Job) -> bool {
        let job = match self.jobs.try_send(job) {
            Ok(()) => return true,
            Err(TrySendError::Full(_)) => return false,
            Err(TrySendError::Closed(job)) => job,
        };
        tracing::error!("the thread that reads the log is gone; another one takes its place");
        match Reader::with(self.path.clone(), self.ways) {
            Ok(another) => *self = another,
            Err(error) => tracing::error!(%error, "there is no thread to read the log"),
        }
        self.jobs.try_send(job).is_ok()
    }
}

async fn read_all(desk: Desk, mut waiting: mpsc::Receiver<Job>) {
    let desk = Rc::new(desk);
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
                let answered = desk.answer(&mut pictures, &frame, &as_of);
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
    ways: Ways,
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

    fn answer(
        &self,
        pictures: &mut Pictures,
        frame: &ClientFrame,
        as_of: &AsOf,
    ) -> Result<Line, ProtocolError> {
        let log = self.log().map_err(|error| unread(&error, frame.id()))?;
        let ask = || log.at_one_instant(|| (self.ways.answer)(&log, pictures, frame, as_of));
        catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| {
            *pictures = Pictures::default();
            self.broke_off();
            let words = "the launcher failed at this question, and says on its stderr how";
            Err(ProtocolError::mild(ErrorCode::Refused, words).with_id(frame.id().cloned()))
        })
    }

    /// The next part of a replay; never empty of both lines and progress.
    fn part(&self, range: (Seq, Seq), session: &Session) -> Batch {
        let (since, upto) = range;
        let lost = || Batch { lines: lagged(since, upto), upto };
        let log = match self.log() {
            Ok(log) => log,
            Err(error) => {
                tracing::warn!(%error, "a replay could not read the log");
                return lost();
            }
        };
        catch_unwind(AssertUnwindSafe(|| (self.ways.replay)(&log, range, session))).unwrap_or_else(
            |_| {
                self.broke_off();
                lost()
            },
        )
    }

    /// What a panic left open is not read from again.
    fn broke_off(&self) {
        tracing::error!("the log's reader failed for one client, and goes on for the others");
        self.log.borrow_mut().take();
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
        let part = desk.part((since, upto), session);
        since = part.upto;
        if !part.lines.is_empty() && lines.send(part.lines.into()).await.is_err() {
            return;
        }
        yield_now().await;
    }
}

fn lagged(since: Seq, upto: Seq) -> String {
    frames::lagged(None, since.next(), upto, upto).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SagaId;
    use crate::ipc::protocol::parse_line;
    use crate::log::SqliteLog;

    fn question(saga: u64, to: &Arc<Outbox>) -> Job {
        let line = format!(r#"{{"cmd":"get_saga","id":{saga},"saga_id":{saga}}}"#);
        let frame = parse_line(line.as_bytes()).expect("it is a line of the wire");
        let as_of = AsOf { version: Seq(0), next_saga: SagaId(99), corrupt: Arc::default() };
        Job::Question { to: Arc::clone(to), frame, as_of, asked: None }
    }

    fn log_in(directory: &tempfile::TempDir) -> PathBuf {
        let path = directory.path().join("sagaflow.db");
        drop(SqliteLog::open(&path).expect("a fresh log"));
        path
    }

    /// Answers as they come; none is waited for by a clock.
    fn answers(to: &Outbox, many: usize) -> String {
        let (mut bytes, mut sent) = (Vec::new(), Vec::new());
        while bytes.iter().filter(|byte| **byte == b'\n').count() < many {
            to.drain(&mut bytes, &mut sent);
            std::thread::yield_now();
        }
        String::from_utf8(bytes).expect("lines are UTF-8")
    }

    const FRAIL: Ways = Ways {
        answer: |_, _, frame, _| {
            let unlucky = matches!(frame, ClientFrame::GetSaga { saga_id: SagaId(13), .. });
            assert!(!unlucky, "this one is unlucky");
            Ok(frames::pong(frame.id(), &serde_json::Value::Null, Seq(0)))
        },
        replay: |_, _, _| panic!("there is no way back"),
    };

    /// A panic ended the thread, and every later question was `busy`.
    #[test]
    fn a_question_at_which_the_reader_panics_is_answered_and_so_are_all_others() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut reader = Reader::with(log_in(&directory), FRAIL).expect("a thread");
        let to = Arc::new(Outbox::new(16));
        for saga in [1, 13, 2, 13, 3] {
            assert!(reader.hand(question(saga, &to)));
        }
        let told = answers(&to, 5);
        let told: Vec<&str> = told.lines().collect();
        for (line, said) in told.iter().zip(["pong", "refused", "pong", "refused", "pong"]) {
            assert!(line.contains(said), "{told:?}");
        }
        assert!(told[1].contains(r#""id":13"#), "{told:?}");
    }

    /// \[W7\]: every hole is told.
    #[test]
    fn a_replay_at_which_the_reader_panics_is_lagged() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut reader = Reader::with(log_in(&directory), FRAIL).expect("a thread");
        let (lines, mut read) = mpsc::channel(1);
        let (since, upto) = (Seq(3), Seq(9));
        assert!(reader.hand(Job::Replay { since, upto, session: Session::New, lines }));
        let told = read.blocking_recv().expect("something is told");
        assert!(told.contains(r#""missed_from":4,"missed_to":9"#), "{told:?}");
        assert!(read.blocking_recv().is_none());
    }

    #[test]
    fn a_reader_whose_thread_is_gone_is_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut reader = Reader::with(log_in(&directory), FRAIL).expect("a thread");
        (reader.jobs, _) = mpsc::channel(1);
        let to = Arc::new(Outbox::new(16));
        assert!(reader.hand(question(1, &to)));
        assert!(answers(&to, 1).contains("pong"));
    }
}
