//! Where commands come in: who gets a turn, who is refused, what is answered again, and what waits
//! until a block is at rest. Waits for no process.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::warn;

use crate::builtin::blocks::{Block, Blocks, Status, Turn};
use crate::ipc::local::{Command, Port, Said};
use crate::ipc::protocol::Echo;
use crate::targets::process::{self, ProcessId, ProcessStart};

use super::answered::Answered;
use super::request::{SpawnTurn, block_of};
use super::store;
use super::supervise::{By, Orders};
use super::turn::{self, Begin, Means, Over};
use super::voice::{Ended, Voice};

/// Commands of one block that wait until it is at rest. Beyond: they are refused.
const HELD_MAX: usize = 256;
/// What a turn of an earlier launcher gets between TERM and KILL.
const LOST_GRACE: Duration = Duration::from_secs(2);
/// Lost turns that are looked for at once: each look reads all of the system's processes.
const LOST_AT_ONCE: usize = 8;

/// All blocks, and who is busy.
pub struct Desk {
    means: Means,
    blocks: Blocks,
    busy: BTreeMap<Arc<str>, Busy>,
    tasks: JoinSet<(Arc<str>, Done)>,
    answered: Answered,
    /// The launcher stops: no turn begins any more.
    rests: bool,
}

/// A block that is not at rest.
struct Busy {
    doing: Doing,
    /// Who waits until no process of it is left.
    enders: Vec<Ender>,
    /// What comes after that, in order.
    held: VecDeque<Command>,
}

enum Doing {
    /// A turn, of that command.
    Turn { command_id: Arc<str>, orders: watch::Sender<Option<By>> },
    /// A turn of an earlier launcher, of that command, is brought to its end.
    Lost { command_id: Arc<str> },
    /// Its files are removed.
    Forgetting,
}

/// A command that ends a block's turn.
struct Ender {
    /// Kept until it is done: only then it was taken \[P5\].
    command: Command,
    forgets: bool,
}

/// What a task was for, and what came of it.
enum Done {
    Turn(Over),
    Forgotten { enders: Vec<Ender>, existed: bool, error: Option<String> },
}

impl Desk {
    /// A desk that knows what the log knows.
    pub fn new(means: Means, blocks: Blocks) -> Desk {
        let (busy, answered) = (BTreeMap::new(), Answered::default());
        Desk { means, blocks, busy, tasks: JoinSet::new(), answered, rests: false }
    }

    /// Serves until the port ends, and then ends all turns. Returns when no process is left.
    pub async fn serve(mut self, mut port: Port, mut rest: watch::Receiver<bool>) {
        self.end_lost();
        loop {
            tokio::select! {
                command = port.next() => match command {
                    Some(command) => self.take(command).await,
                    None => break,
                },
                () = told(&mut rest), if !self.rests => self.rest(),
                Some(done) = self.tasks.join_next() => match done {
                    Ok((block_id, done)) => self.done(block_id, done).await,
                    Err(error) => warn!(%error, "a turn's task ended early"),
                },
            }
        }
        self.rest();
        while self.tasks.join_next().await.is_some() {}
    }

    /// Ends all turns. What is asked for from now on stays owed, for the next launcher.
    fn rest(&mut self) {
        self.rests = true;
        for busy in self.busy.values() {
            if let Doing::Turn { orders, .. } = &busy.doing {
                orders.send_replace(Some(By::Launcher));
            }
        }
    }

    /// A turn that a launcher lost is over, whatever is left of it \[T1\].
    fn end_lost(&mut self) {
        let looks = Arc::new(Semaphore::new(LOST_AT_ONCE));
        let lost: Vec<_> = self.blocks.iter().filter(|(_, block)| block.turn.is_some()).collect();
        for (block_id, block) in lost {
            let Some(turn) = block.turn.clone() else { continue };
            let (block_id, block, looks) = (Arc::clone(block_id), block.clone(), looks.clone());
            let output = self.means.settings.output.clone();
            let command_id = Arc::clone(&turn.command_id);
            self.busy.insert(Arc::clone(&block_id), Busy::with(Doing::Lost { command_id }));
            self.tasks.spawn(async move {
                let look = looks.acquire().await;
                let mark = mark(&output, &block_id, block.generation, &turn.command_id);
                end_process(&turn, &mark).await;
                drop(look);
                let left = said_of_lost(&block_id, &block, turn);
                (block_id, Done::Turn(Over { left, ..Over::default() }))
            });
        }
    }

    async fn take(&mut self, command: Command) {
        if self.answered.has(&command.command_id) {
            return;
        }
        let block_id = match block_of(&command.fields) {
            Ok(block_id) => block_id,
            Err(reason) => return self.failed(command.echo(), &reason).await,
        };
        match command.cmd.as_str() {
            "spawn_turn" | "stop_turn" | "forget_block" => {}
            other => {
                let reason = format!("a block knows no command `{other}`");
                return self.failed(command.echo(), &reason).await;
            }
        }
        if self.busy.contains_key(&block_id) {
            self.take_busy(block_id, command).await;
        } else {
            self.take_idle(block_id, command).await;
        }
    }

    async fn take_busy(&mut self, block_id: Arc<str>, command: Command) {
        let Some(busy) = self.busy.get_mut(&block_id) else { return };
        if busy.has(&command.command_id) {
            // It will be answered.
            return;
        }
        let spawns = command.cmd == "spawn_turn";
        match &busy.doing {
            Doing::Turn { .. } if spawns && busy.is_undisturbed() => {
                self.refuse(&block_id, command.echo(), "a turn of this block runs").await;
            }
            Doing::Turn { orders, .. } if !spawns && busy.held.is_empty() => {
                let ender = Ender::of(command);
                let by = if ender.forgets { By::Forget } else { By::Stop };
                orders.send_if_modified(|order| order.replace(order.unwrap_or(by)).is_none());
                busy.enders.push(ender);
            }
            Doing::Lost { .. } if !spawns && busy.held.is_empty() => {
                busy.enders.push(Ender::of(command));
            }
            Doing::Turn { .. } | Doing::Lost { .. } | Doing::Forgetting
                if busy.held.len() < HELD_MAX =>
            {
                busy.held.push_back(command);
            }
            Doing::Turn { .. } | Doing::Lost { .. } | Doing::Forgetting => {
                let reason = "too many commands wait until this block is at rest";
                self.failed(command.echo(), reason).await;
            }
        }
    }

    async fn take_idle(&mut self, block_id: Arc<str>, command: Command) {
        match command.cmd.as_str() {
            "spawn_turn" => self.spawn(block_id, command).await,
            "stop_turn" => {
                let stopped = self.voice(&block_id, command.echo()).stopped(false);
                self.answer(vec![stopped]).await;
            }
            _ => self.forget(block_id, vec![Ender::of(command)], VecDeque::new()),
        }
    }

    async fn spawn(&mut self, block_id: Arc<str>, command: Command) {
        if self.rests {
            return;
        }
        let echo = command.echo();
        if let Some(answer) = self.answered_before(&block_id, &echo) {
            return self.say(vec![answer]).await;
        }
        let home = self.means.settings.home.as_deref();
        let request = match SpawnTurn::of(&command.fields, home) {
            Ok(request) => request,
            Err(reason) => return self.refuse(&block_id, echo, &reason).await,
        };
        let generation = self.blocks.next_generation(&block_id);
        let output = &self.means.settings.output;
        let command_id = Arc::clone(&command.command_id);
        let known = self.blocks.get(&block_id);
        let begin = Begin {
            mark: mark(output, &block_id, generation, &command_id),
            command,
            voice: Voice { block_id: Arc::clone(&block_id), generation, echo },
            request,
            session: known.map(|block| block.session.clone()).unwrap_or_default(),
            status_version: known.map_or(0, |block| block.status_version),
        };
        let (give, orders) = Orders::new();
        let doing = Doing::Turn { command_id, orders: give };
        self.busy.insert(Arc::clone(&block_id), Busy::with(doing));
        let turn = turn::run(begin, self.means.clone(), orders);
        self.tasks.spawn(async move { (block_id, Done::Turn(turn.await)) });
    }

    fn forget(&mut self, block_id: Arc<str>, enders: Vec<Ender>, held: VecDeque<Command>) {
        let known = self.blocks.get(&block_id).is_some();
        let busy = Busy { doing: Doing::Forgetting, enders: Vec::new(), held };
        self.busy.insert(Arc::clone(&block_id), busy);
        let output = self.means.settings.output.clone();
        self.tasks.spawn(async move {
            let name = Arc::clone(&block_id);
            let removed = tokio::task::spawn_blocking(move || {
                let stored = store::place(&output, &name).exists();
                (stored, store::remove(&output, &name).err().map(|error| error.to_string()))
            });
            // It does not panic, and is not aborted while somebody waits for it.
            let (stored, error) = removed.await.unwrap_or((false, None));
            (block_id, Done::Forgotten { enders, existed: known || stored, error })
        });
    }

    async fn done(&mut self, block_id: Arc<str>, done: Done) {
        let Some(mut busy) = self.busy.remove(&block_id) else { return };
        match done {
            // The launcher ended first: its next one says what became of the turn, and whatever
            // waits for that is still owed.
            Done::Turn(over) if over.left.is_empty() => return,
            Done::Turn(over) => {
                self.over(&block_id, over, &mut busy.enders).await;
                if !busy.enders.is_empty() {
                    return self.forget(block_id, busy.enders, busy.held);
                }
            }
            Done::Forgotten { enders, existed, error } => {
                self.forgotten(&block_id, enders, existed, error).await;
            }
        }
        // What waited finds the block at rest, or waits for what began before it.
        for command in busy.held {
            self.take(command).await;
        }
    }

    /// A turn is over. Those who only wanted that are told; who wants more is left.
    async fn over(&mut self, block_id: &Arc<str>, over: Over, enders: &mut Vec<Ender>) {
        over.said.iter().for_each(|said| self.fold(said));
        let mut batch = over.left;
        batch.iter().for_each(|said| self.fold(said));
        let (forgetting, stopping): (Vec<_>, Vec<_>) = enders.drain(..).partition(|e| e.forgets);
        batch.extend(stopping.iter().map(|e| self.voice(block_id, e.echo()).stopped(true)));
        *enders = forgetting;
        self.answer(batch).await;
        // Only now its command is done.
        drop(over.command);
    }

    async fn forgotten(
        &mut self,
        block_id: &Arc<str>,
        enders: Vec<Ender>,
        existed: bool,
        error: Option<String>,
    ) {
        if let Some(error) = error {
            let reason = format!("its stored output cannot be removed: {error}");
            for ender in enders {
                self.failed(ender.echo(), &reason).await;
            }
            return;
        }
        let voices: Vec<_> = enders.iter().map(|e| self.voice(block_id, e.echo())).collect();
        let batch: Vec<_> = voices.iter().map(|voice| voice.forgotten(existed)).collect();
        batch.iter().for_each(|said| self.fold(said));
        self.answer(batch).await;
    }

    /// The voice of a block whose turn does not speak for itself.
    fn voice(&self, block_id: &Arc<str>, echo: Echo) -> Voice {
        let generation = self.blocks.get(block_id).map_or(0, |block| block.generation);
        Voice { block_id: Arc::clone(block_id), generation, echo }
    }

    /// A turn that cannot even be tried.
    async fn refuse(&mut self, block_id: &Arc<str>, echo: Echo, reason: &str) {
        let generation = self.blocks.next_generation(block_id);
        let voice = Voice { block_id: Arc::clone(block_id), generation, echo };
        let refused = voice.spawn_failed(reason);
        if !self.busy.contains_key(block_id) {
            self.fold(&refused);
        }
        self.answer(vec![refused]).await;
    }

    /// What the log says was answered to that command.
    fn answered_before(&self, block_id: &str, echo: &Echo) -> Option<Said> {
        let answer = self.blocks.get(block_id)?.answered.as_ref()?;
        let event = ["turn_ended", "turn_spawn_failed"];
        let event = event.into_iter().find(|event| *event == &*answer.event)?;
        let same = echo.command_id.as_ref() == Some(&answer.command_id);
        same.then(|| Said { event, fields: answer.fields.clone(), echo: Some(echo.clone()) })
    }

    fn fold(&mut self, said: &Said) {
        let echo = said.echo.as_ref();
        let echo = echo.map(|echo| (echo.saga_id, &*echo.step, echo.command_id.as_deref()));
        self.blocks.apply(said.event, &Value::Object(said.fields.clone()), echo);
        // Rows are the core's affair.
        self.blocks.take_changed();
    }

    async fn answer(&mut self, batch: Vec<Said>) {
        self.answered.remember(&batch);
        self.say(batch).await;
    }

    /// Nobody listens any more when the launcher ends, and then the port ends too.
    async fn say(&self, batch: Vec<Said>) {
        self.means.speaker.say(batch).await.ok();
    }

    async fn failed(&self, echo: Echo, reason: &str) {
        self.means.speaker.failed(echo, reason).await.ok();
    }
}

impl Busy {
    fn with(doing: Doing) -> Busy {
        Busy { doing, enders: Vec::new(), held: VecDeque::new() }
    }

    /// Whether nothing but its turn is going on.
    fn is_undisturbed(&self) -> bool {
        self.enders.is_empty() && self.held.is_empty()
    }

    fn has(&self, id: &Arc<str>) -> bool {
        let turn = match &self.doing {
            Doing::Turn { command_id, .. } | Doing::Lost { command_id } => command_id == id,
            Doing::Forgetting => false,
        };
        turn || self.enders.iter().any(|ender| ender.command.command_id == *id)
            || self.held.iter().any(|command| command.command_id == *id)
    }
}

impl Ender {
    fn of(command: Command) -> Ender {
        Ender { forgets: command.cmd == "forget_block", command }
    }

    fn echo(&self) -> Echo {
        self.command.echo()
    }
}

/// Returns when somebody says so; with nobody left to say it, never.
async fn told(rest: &mut watch::Receiver<bool>) {
    if rest.wait_for(|rests| *rests).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A word that a turn's processes carry, and no others: not those of another launcher either,
/// whose output is elsewhere.
fn mark(output: &Path, block_id: &str, generation: u64, command_id: &str) -> String {
    let mut digest = Sha256::new();
    let output = output.as_os_str().as_encoded_bytes();
    for part in [output, block_id.as_bytes(), &generation.to_be_bytes(), command_id.as_bytes()] {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    let digest = digest.finalize();
    let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("turn-{hex}")
}

async fn end_process(turn: &Turn, mark: &str) {
    let start = turn.process_start.parse::<ProcessStart>();
    if let (Ok(pid), Ok(start)) = (u32::try_from(turn.pid), start) {
        process::end_lost(&ProcessId { pid, start }, mark, LOST_GRACE).await;
    }
}

fn said_of_lost(block_id: &Arc<str>, block: &Block, turn: Turn) -> Vec<Said> {
    let Turn { saga_id, step, command_id, .. } = turn;
    let echo = Echo { saga_id, step, command_id: Some(command_id) };
    let voice = Voice { block_id: Arc::clone(block_id), generation: block.generation, echo };
    let ended = Ended {
        exit_code: -1,
        killed_by: Some(By::Launcher.word()),
        failure: "",
        stderr_tail: String::new(),
        session_id: block.session.id().to_owned(),
    };
    vec![voice.status(block.status_version + 1, Status::Done, -1), voice.ended(&ended)]
}
