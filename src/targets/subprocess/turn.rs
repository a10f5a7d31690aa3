//! One turn, from its command to its end: what is done in which order, and what is said of it
//! \[T1, T4\]. Knows nothing of other turns.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, interval_at, sleep};
use tracing::{debug, warn};

use crate::builtin::blocks::{Session, Status};
use crate::ipc::local::{Command, Gone, Said, Speaker};
use crate::targets::process::{Child, Exit, Line, Output, Processes, SpawnError, Spec, Stdin};
use crate::time::Millis;

use super::Settings;
use super::argv::is_session;
use super::failure::{End, Failure};
use super::frame::{Frame, Says};
use super::health::Monitor;
use super::lots::{self, Lot};
use super::request::SpawnTurn;
use super::store::Store;
use super::supervise::{By, Orders, Outcome, supervise};
use super::tail::Tail;
use super::voice::{Ended, Voice};

/// Bytes that are still read when all of the group is gone: more than a pipe holds. What writes on
/// after that left the group, and is no part of the turn.
const LEFT_BYTES: usize = 4 * 1024 * 1024;

/// What turns are run with.
#[derive(Clone, Debug)]
pub struct Means {
    /// The way to the core.
    pub speaker: Speaker,
    /// The way to processes.
    pub processes: Processes,
    /// What was configured.
    pub settings: Arc<Settings>,
}

/// A turn that shall begin.
#[derive(Clone, Debug)]
pub struct Begin {
    /// What asked for it. Held until its claim is durable: before that it is not done.
    pub command: Command,
    /// Whose it is.
    pub voice: Voice,
    /// What was asked for.
    pub request: SpawnTurn,
    /// The session that the block has.
    pub session: Session,
    /// The version of the block's last status.
    pub status_version: u64,
    /// By what its processes are known to be its own.
    pub mark: String,
}

/// A turn that is over.
#[derive(Clone, Debug, Default)]
pub struct Over {
    /// What was said of it that is to be remembered.
    pub said: Vec<Said>,
    /// What is still to be said, the answer to its command last. Nothing: the launcher ended first.
    pub left: Vec<Said>,
    /// What asked for it, where it was not claimed: held until its answer is said.
    pub command: Option<Command>,
}

/// Why a turn has no process that runs.
enum NotBegun {
    Failed(String),
    Ordered(By),
    Gone,
}

impl From<Gone> for NotBegun {
    fn from(_: Gone) -> NotBegun {
        NotBegun::Gone
    }
}

/// Runs a turn. Whoever waits for its end finds no process of it left.
pub async fn run(begin: Begin, means: Means, orders: Orders) -> Over {
    let mut teller = Teller::new(begin, means);
    let child = match teller.begin(&orders).await {
        Ok(child) => child,
        Err(NotBegun::Failed(reason)) => return teller.did_not_begin(&reason),
        Err(NotBegun::Ordered(by)) => return teller.was_ended(by),
        Err(NotBegun::Gone) => return Over::default(),
    };
    teller.follow(child, orders).await
}

/// A process that runs, and what it writes.
struct Run {
    out: Option<mpsc::Receiver<Lot>>,
    err: Option<mpsc::Receiver<Lot>>,
    process: JoinHandle<Outcome>,
    /// Dropped when there is no more to read.
    read: Option<oneshot::Sender<()>>,
    /// Absent while anything of it is left.
    outcome: Option<Outcome>,
    /// How long its pipes are still waited for when nothing of it is left.
    left: Duration,
}

/// What happened to a process.
enum Step {
    Wrote(Lot),
    Complained(Lot),
    Ended,
    Look,
    Enough,
}

impl Run {
    fn goes_on(&self) -> bool {
        self.outcome.is_none() || self.out.is_some() || self.err.is_some()
    }

    async fn next(&mut self, look: &mut Interval) -> Step {
        let over = self.outcome.is_some();
        let began = Instant::now();
        let step = tokio::select! {
            lot = next(&mut self.out) => Step::Wrote(lot),
            lot = next(&mut self.err) => Step::Complained(lot),
            ended = &mut self.process, if !over => {
                // It does not panic, and nobody aborts it.
                let unknown = Outcome { exit: Exit { code: None, signal: None }, by: None };
                self.outcome = Some(ended.unwrap_or(unknown));
                Step::Ended
            }
            _ = look.tick(), if !over => Step::Look,
            () = sleep(self.left), if over => Step::Enough,
        };
        if over {
            // Only waiting counts: what lies in the pipes is taken, however long that takes.
            self.left = self.left.saturating_sub(began.elapsed());
        }
        if self.out.is_none() && self.err.is_none() {
            self.read = None;
        }
        step
    }
}

/// Says what becomes of one turn, in one order.
struct Teller {
    /// Absent once it is claimed.
    command: Option<Command>,
    voice: Voice,
    request: SpawnTurn,
    mark: String,
    means: Means,
    session: Session,
    status_version: u64,
    since: Instant,
    monitor: Monitor,
    tail: Tail,
    /// Absent while it is written to, and before the first line.
    store: Option<Store>,
    wrote: bool,
    owes_result: bool,
    error: Option<String>,
    said: Vec<Said>,
}

impl Teller {
    fn new(begin: Begin, means: Means) -> Teller {
        let Begin { command, voice, request, session, status_version, mark } = begin;
        let monitor = Monitor::new(means.settings.thresholds);
        Teller {
            command: Some(command),
            voice,
            request,
            mark,
            means,
            session,
            status_version,
            since: Instant::now(),
            monitor,
            tail: Tail::default(),
            store: None,
            wrote: false,
            owes_result: false,
            error: None,
            said: Vec::new(),
        }
    }

    /// Makes the process, claims it, and lets it begin. Nothing has acted before its claim is
    /// durable, and nothing is accepted that could still be refused.
    async fn begin(&mut self, orders: &Orders) -> Result<Child, NotBegun> {
        self.session.hydrate(&self.request.session_id);
        let resumed = self.request.resume.session(self.session.id()).to_owned();
        let argv = self.request.resume.argv(&self.request.argv, &resumed);
        let argv = argv.map_err(|mistake| NotBegun::Failed(mistake.to_string()))?;
        if !self.request.cwd.is_empty() {
            make_directory(self.request.cwd.clone()).await;
        }
        match orders.now() {
            None => {}
            // Nothing of it has happened: the next launcher does it.
            Some(By::Launcher) => return Err(NotBegun::Gone),
            Some(by) => return Err(NotBegun::Ordered(by)),
        }
        let mut child =
            self.means.processes.spawn(self.spec(argv)).await.map_err(|e| not_begun(&e))?;
        let id = child.id().clone();
        let claimed = self.voice.claimed(id.pid, id.start.as_str());
        self.said.push(claimed.clone());
        self.means.speaker.say_durably(vec![claimed]).await?;
        self.command = None;
        if let Some(by) = orders.now() {
            child.end(Duration::ZERO).await;
            return Err(NotBegun::Ordered(by));
        }
        child.open_gate().await.map_err(|e| not_begun(&e))?;
        // At once, and by nobody whom others wait for: some programs give up on a slow message.
        let message = std::mem::take(&mut self.request.message) + "\n";
        child.write_stdin(message.into_bytes());
        self.tell_begin(id.pid, &resumed).await?;
        Ok(child)
    }

    fn spec(&self, argv: Vec<String>) -> Spec {
        let cwd = &self.request.cwd;
        Spec {
            argv,
            cwd: (!cwd.is_empty()).then(|| cwd.into()),
            env: self.request.env.clone(),
            stdin: Stdin::Piped,
            stdout: Output::Piped,
            stderr: Output::Piped,
            dies_with_launcher: true,
            mark: self.mark.clone(),
        }
    }

    async fn tell_begin(&mut self, pid: u32, resumed: &str) -> Result<(), Gone> {
        let mut batch = vec![self.voice.started(pid, resumed)];
        let message_id = &self.request.message_id;
        if !message_id.is_empty() {
            batch.push(self.voice.accepted(message_id));
        }
        batch.push(self.status(Status::Running, 0));
        self.said.extend(batch.iter().cloned());
        let now = self.now();
        let health = self.monitor.begins(now);
        batch.extend(health.map(|health| self.voice.health(health, &self.monitor.detail(now))));
        self.means.speaker.say(batch).await
    }

    /// Follows a process that runs to its end.
    async fn follow(mut self, mut child: Child, orders: Orders) -> Over {
        let (out, err) = (pipe(child.stdout()), pipe(child.stderr()));
        let (read, all_read) = oneshot::channel();
        let (grace, patience) = (self.request.grace, self.means.settings.patience);
        let process = tokio::spawn(supervise(child, orders, all_read, grace, patience));
        let mut run = Run { out, err, process, read: Some(read), outcome: None, left: patience };
        let every = self.means.settings.look_every;
        let mut look = interval_at(Instant::now() + every, every);
        let mut left_bytes = LEFT_BYTES;
        while run.goes_on() && left_bytes > 0 {
            let over = run.outcome.is_some();
            let said = match run.next(&mut look).await {
                Step::Wrote(lot) => {
                    left_bytes = left_bytes.saturating_sub(if over { bytes(&lot) } else { 0 });
                    self.tell(lot).await
                }
                Step::Complained(lot) => {
                    left_bytes = left_bytes.saturating_sub(if over { bytes(&lot) } else { 0 });
                    lot.iter().for_each(|line| self.tail.push(&line.text));
                    Ok(())
                }
                Step::Look => self.tell_health().await,
                Step::Ended => Ok(()),
                Step::Enough => {
                    debug!(block = %self.voice.block_id, "something still holds a turn's pipes");
                    break;
                }
            };
            if said.is_err() {
                // Nobody listens; the process is ended by who held it, or is being ended.
                run.process.await.ok();
                return Over::default();
            }
        }
        match run.outcome {
            Some(outcome) => self.ends(outcome).await,
            None => Over::default(),
        }
    }

    /// Says lines, and returns when they are durable: who writes faster waits, and nobody else.
    async fn tell(&mut self, lot: Lot) -> Result<(), Gone> {
        let lines: Vec<Line> = lot
            .into_iter()
            .map(|mut line| {
                line.text.truncate(line.text.trim_end().len());
                line
            })
            .filter(|line| !line.text.is_empty())
            .collect();
        if lines.is_empty() {
            return Ok(());
        }
        self.wrote = true;
        let (lines, offsets) = self.keep(lines).await;
        let mut batch = Vec::with_capacity(lines.len());
        for (line, offset) in lines.iter().zip(offsets) {
            let frame = Frame::of(&line.text, &self.request.session_field);
            batch.push(self.voice.output(offset, &line.text, line.cut > 0, &frame.frame_type));
            // Nobody knows what a line was that is not whole: perhaps the result.
            self.owes_result &= line.cut == 0;
            self.learn(frame, &mut batch);
        }
        self.means.speaker.say_durably(batch).await
    }

    fn learn(&mut self, frame: Frame, batch: &mut Vec<Said>) {
        let session = frame.session_id.filter(|id| is_session(id));
        if let Some(id) = session.filter(|id| self.session.capture(id)) {
            let captured = self.voice.captured(&id);
            // The last one is all that counts, and a program may name many.
            self.said.retain(|said| said.event != captured.event);
            self.said.push(captured.clone());
            batch.push(captured);
        }
        let now = self.now();
        if let Some(health) = self.monitor.says(&frame.says, now) {
            batch.push(self.voice.health(health, &self.monitor.detail(now)));
        }
        match frame.says {
            Says::Init => self.owes_result = true,
            Says::Result => (self.owes_result, self.error) = (false, None),
            Says::Error(words) => self.error = Some(words),
            Says::Something | Says::RateLimit | Says::Compacting | Says::Compacted => {}
        }
    }

    /// Stores lines; a disk that does not take them costs them, not the turn.
    async fn keep(&mut self, lines: Vec<Line>) -> (Vec<Line>, Vec<u64>) {
        let store = self.store.take();
        let settings = Arc::clone(&self.means.settings);
        let block_id = Arc::clone(&self.voice.block_id);
        let kept = tokio::task::spawn_blocking(move || {
            let open = || Store::open(&settings.output, &block_id, settings.bounds);
            let mut store = store.unwrap_or_else(open);
            let offsets = store.append(lines.iter().map(|line| &*line.text));
            (store, lines, offsets)
        });
        // It does not panic, and is not aborted while somebody waits for it.
        let Ok((store, lines, offsets)) = kept.await else { return Default::default() };
        self.store = Some(store);
        (lines, offsets)
    }

    async fn tell_health(&mut self) -> Result<(), Gone> {
        let now = self.now();
        let Some(health) = self.monitor.look(now) else { return Ok(()) };
        let said = self.voice.health(health, &self.monitor.detail(now));
        self.means.speaker.say(vec![said]).await
    }

    async fn ends(mut self, outcome: Outcome) -> Over {
        if let Some(mut store) = self.store.take() {
            tokio::task::spawn_blocking(move || store.sync()).await.ok();
        }
        let failure = Failure::of(&End {
            exit_code: outcome.exit.code,
            ended_by_us: outcome.by.is_some(),
            error: self.error.as_deref(),
            stderr: &self.tail.telling(),
            silent: self.owes_result || !self.wrote,
        });
        let (exit_code, killed_by) = match (outcome.by, outcome.exit.code) {
            (Some(by), _) => (-1, Some(by.word())),
            (None, Some(code)) => (code, None),
            (None, None) => (-1, Some("signal")),
        };
        self.over(exit_code, killed_by, failure.map_or("", Failure::word))
    }

    /// The process was there or not, and never got its message.
    fn was_ended(self, by: By) -> Over {
        self.over(-1, Some(by.word()), "")
    }

    fn over(
        mut self,
        exit_code: i32,
        killed_by: Option<&'static str>,
        failure: &'static str,
    ) -> Over {
        let now = self.now();
        let health = self.monitor.ends(exit_code == 0, now);
        let health = health.map(|health| self.voice.health(health, &self.monitor.detail(now)));
        let ended = Ended {
            exit_code,
            killed_by,
            failure,
            stderr_tail: self.tail.text(),
            session_id: self.session.id().to_owned(),
        };
        let mut left = Vec::from_iter(health);
        left.push(self.status(Status::Done, exit_code));
        left.push(self.voice.ended(&ended));
        Over { said: self.said, left, command: self.command }
    }

    fn did_not_begin(mut self, reason: &str) -> Over {
        let status = self.status(Status::Done, -1);
        let failed = self.voice.spawn_failed(reason);
        // A block is known from its first failure on, and its state after that.
        Over { said: self.said, left: vec![failed, status], command: self.command }
    }

    fn status(&mut self, status: Status, exit_code: i32) -> Said {
        self.status_version += 1;
        self.voice.status(self.status_version, status, exit_code)
    }

    fn now(&self) -> Millis {
        Millis(u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

fn not_begun(error: &SpawnError) -> NotBegun {
    match error {
        SpawnError::Closed => NotBegun::Gone,
        SpawnError::Empty
        | SpawnError::Text { .. }
        | SpawnError::NotFound { .. }
        | SpawnError::NotRunnable { .. }
        | SpawnError::Cwd { .. }
        | SpawnError::File { .. }
        | SpawnError::System(_)
        | SpawnError::Exec { .. }
        | SpawnError::Lost(_) => NotBegun::Failed(error.to_string()),
    }
}

fn pipe(
    source: Option<impl tokio::io::AsyncRead + Unpin + Send + 'static>,
) -> Option<mpsc::Receiver<Lot>> {
    source.map(lots::read)
}

/// The next lines of a pipe; none: they were its last, and it is none any more.
async fn next(pipe: &mut Option<mpsc::Receiver<Lot>>) -> Lot {
    let Some(lots) = pipe else { return std::future::pending().await };
    let lot = lots.recv().await;
    if lot.is_none() {
        *pipe = None;
    }
    lot.unwrap_or_default()
}

fn bytes(lot: &Lot) -> usize {
    lot.iter().map(|line| line.text.len() + 1).sum()
}

/// What cannot be made is told by the start itself, which finds no directory.
async fn make_directory(path: String) {
    let made = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&path).map_err(|error| (path, error))
    });
    if let Ok(Err((path, error))) = made.await {
        warn!(%path, %error, "a turn's working directory cannot be made");
    }
}
