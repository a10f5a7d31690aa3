//! One connection's way out: one queue, filled by the deciding thread without waiting, emptied by
//! the connection's writer. Writes no byte and decides nothing about sagas.
//!
//! What was pushed first is sent first, so an event is seen before the commands that it caused
//! \[W13, P4\]. A subscriber that cannot keep up loses events, is told which \[W8\], and slows
//! nobody.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};

use super::frames::{self, Line};
use super::inbox::Lane;
use crate::ids::Seq;
use crate::limits::{REPLY_BYTES_MAX, SUBSCRIBER_BYTES, WRITE_BATCH_BYTES};

/// The queue of one connection. Shared by the deciding thread, which pushes, and the connection's
/// tasks.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    /// Wakes the writer.
    changed: Notify,
    /// Wakes the reader, when it waits for its peer to take answers.
    drained: Notify,
    target: AtomicBool,
}

/// What waits, under the lock of [`Outbox::with`]: many pushes of one turn wake the writer once.
#[derive(Debug)]
pub struct Queue {
    items: VecDeque<Item>,
    /// How many items were taken before the first one of `items`; a command's place is counted from
    /// the beginning.
    taken: u64,
    /// The newest place of each command that waits.
    commands: HashMap<Arc<str>, u64>,
    events: usize,
    events_max: usize,
    event_bytes: usize,
    reply_bytes: usize,
    /// Events that were dropped and not told of yet.
    missed: Option<Missed>,
    state: State,
}

#[derive(Debug)]
enum Item {
    Reply(Line),
    Event(Line),
    Command {
        command_id: Arc<str>,
        line: Line,
        notify_sent: bool,
        /// Where the same command stands once more, further to the front.
        older: Option<u64>,
    },
    Retracted,
    Replay(mpsc::Receiver<Line>),
}

#[derive(Clone, Copy, Debug)]
struct Missed {
    from: Seq,
    to: Seq,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Open,
    /// What is queued goes out, then the end.
    Finishing,
    /// The queue is dropped; this line goes if it goes at once, then the end.
    Aborting(Option<Line>),
    /// The writer ended, nothing is taken any more.
    Over,
}

/// What the writer has to do next.
#[derive(Debug)]
pub(super) enum Next {
    /// The given buffer was filled: write it.
    Write,
    /// Nothing waits.
    Wait,
    /// Lines of a replay come from here until it ends.
    Replay(mpsc::Receiver<Line>),
    /// Everything was taken and the connection is to end.
    Finish,
    /// The connection is to end now, with this line if it can be written without waiting.
    Abort(Option<Line>),
}

impl Outbox {
    /// An empty queue in which at most `events_max` events wait.
    #[must_use]
    pub fn new(events_max: usize) -> Self {
        let queue = Queue {
            items: VecDeque::new(),
            taken: 0,
            commands: HashMap::new(),
            events: 0,
            events_max: events_max.max(1),
            event_bytes: 0,
            reply_bytes: 0,
            missed: None,
            state: State::Open,
        };
        Self {
            queue: Mutex::new(queue),
            changed: Notify::new(),
            drained: Notify::new(),
            target: AtomicBool::new(false),
        }
    }

    /// Pushes many lines under one lock and wakes the writer once, so that a turn's lines can be
    /// one write \[P1\].
    pub fn with<T>(&self, push: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = self.lock();
        let result = push(&mut queue);
        drop(queue);
        self.changed.notify_one();
        result
    }

    /// Pushes a private answer.
    pub fn push_reply(&self, line: Line) {
        self.with(|queue| queue.reply(line));
    }

    /// Pushes a bus event, or drops and remembers it when too many wait \[W8\].
    pub fn push_event(&self, version: Seq, line: Line) {
        self.with(|queue| queue.event(version, line));
    }

    /// Opens a replay at this place of the queue: what is pushed later is sent after it ended
    /// \[W13\]. The sender may be filled from any thread, with one line or several at once; it
    /// waits for room, and dropping it ends the replay.
    #[must_use]
    pub fn push_replay(&self, parts_max: usize) -> mpsc::Sender<Line> {
        let (sender, receiver) = mpsc::channel(parts_max.max(1));
        self.with(|queue| queue.push(Item::Replay(receiver)));
        sender
    }

    /// Says that this connection serves a target: it is disconnected when it does not read \[P9\],
    /// and held \[L7\].
    pub fn set_target(&self) {
        self.target.store(true, Ordering::Release);
    }

    /// Whose messages this connection's are.
    #[must_use]
    pub fn lane(&self) -> Lane {
        if self.target.load(Ordering::Acquire) { Lane::Target } else { Lane::Other }
    }

    /// Ends the connection when what is queued was written; a peer that does not read it is not
    /// waited for longer than the write timeout.
    pub fn close_after_flush(&self) {
        self.with(|queue| {
            if queue.state == State::Open {
                queue.state = State::Finishing;
            }
        });
    }

    /// Takes all commands back that were not yet taken for writing: their target says goodbye, and
    /// is told what it is still owed as anybody is.
    pub fn drop_commands(&self) {
        self.with(Queue::drop_commands);
    }

    /// Ends the connection now: what is queued is dropped, and `last` is written only if no line
    /// was torn and it goes without waiting \[W12, P7\].
    pub fn close_now(&self, last: Option<Line>) {
        self.with(|queue| {
            if matches!(queue.state, State::Open | State::Finishing) {
                queue.clear();
                queue.state = State::Aborting(last);
            }
        });
        self.drained.notify_one();
    }

    /// Whether the connection is open and was not told to end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lock().state == State::Open
    }

    /// Lines that wait for the writer.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// Whether no line waits for the writer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes lines for one write, and which commands of it are to be told of once they are written.
    pub(super) fn take(&self, bytes: &mut Vec<u8>, sent: &mut Vec<Arc<str>>) -> Next {
        let (next, drained) = {
            let mut queue = self.lock();
            let next = queue.take(bytes, sent);
            (next, queue.reply_bytes <= REPLY_BYTES_MAX)
        };
        if drained {
            self.drained.notify_one();
        }
        next
    }

    /// Takes all that waits, for a peer that has no socket: its lines, and which commands of them
    /// are to be told of. Replays are dropped.
    pub fn drain(&self, bytes: &mut Vec<u8>, sent: &mut Vec<Arc<str>>) {
        loop {
            let mut lines = Vec::new();
            let next = self.take(&mut lines, sent);
            bytes.append(&mut lines);
            match next {
                Next::Write | Next::Replay(_) => {}
                Next::Wait | Next::Finish => return,
                Next::Abort(last) => {
                    bytes.extend_from_slice(last.as_deref().unwrap_or_default().as_bytes());
                    return;
                }
            }
        }
    }

    /// Whether the queue is to be dropped: a write under way is not worth finishing.
    pub(super) fn is_aborting(&self) -> bool {
        matches!(self.lock().state, State::Aborting(_) | State::Over)
    }

    /// Whether a peer that does not read is to be disconnected \[P9\].
    pub(super) fn is_impatient(&self) -> bool {
        self.lane() == Lane::Target || !self.is_open()
    }

    /// Waits for a push or a close since the last wait.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Waits until the peer took enough of its answers for another question to be read.
    pub(super) async fn wait_for_room(&self) {
        loop {
            {
                let queue = self.lock();
                if queue.reply_bytes <= REPLY_BYTES_MAX || queue.state != State::Open {
                    return;
                }
            }
            self.drained.notified().await;
        }
    }

    /// Nobody writes any more: whatever is pushed from now on is dropped.
    pub(super) fn over(&self) {
        let mut queue = self.lock();
        queue.clear();
        queue.state = State::Over;
        drop(queue);
        self.drained.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic under this lock can leave counts that are off by one line, never a torn line.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// See [`Outbox::push_reply`].
    pub fn reply(&mut self, line: Line) {
        self.reply_bytes += line.len();
        self.push(Item::Reply(line));
    }

    /// See [`Outbox::push_event`].
    pub fn event(&mut self, version: Seq, line: Line) {
        match &mut self.missed {
            // Once one was dropped the next must be too: what is told of is a range.
            Some(missed) => missed.to = version,
            None if self.events < self.events_max && self.event_bytes < SUBSCRIBER_BYTES => {
                self.events += 1;
                self.event_bytes += line.len();
                self.push(Item::Event(line));
            }
            None => self.missed = Some(Missed { from: version, to: version }),
        }
    }

    /// Pushes a command for the target that this connection serves.
    pub fn command(&mut self, command_id: Arc<str>, line: Line, notify_sent: bool) {
        if self.state != State::Open {
            return;
        }
        let place = self.taken + self.items.len() as u64;
        let older = self.commands.insert(Arc::clone(&command_id), place);
        self.push(Item::Command { command_id, line, notify_sent, older });
    }

    /// Removes a command that was not yet taken for writing \[P5\]; false: it may have been sent,
    /// or never was here.
    pub fn retract(&mut self, command_id: &str) -> bool {
        let mut place = self.commands.remove(command_id);
        let found = place.is_some();
        while let Some(at) = place.and_then(|place| place.checked_sub(self.taken)) {
            let at = usize::try_from(at).expect("it is an index of a queue in memory");
            let Some(item) = self.items.get_mut(at) else { break };
            place = match std::mem::replace(item, Item::Retracted) {
                Item::Command { older, .. } => older,
                Item::Reply(_) | Item::Event(_) | Item::Retracted | Item::Replay(_) => None,
            };
        }
        found
    }

    fn drop_commands(&mut self) {
        for item in &mut self.items {
            if matches!(item, Item::Command { .. }) {
                *item = Item::Retracted;
            }
        }
        self.commands.clear();
    }

    fn push(&mut self, item: Item) {
        if self.state == State::Open {
            self.items.push_back(item);
        }
    }

    fn clear(&mut self) {
        self.taken += self.items.len() as u64;
        self.items.clear();
        self.commands.clear();
        self.events = 0;
        self.event_bytes = 0;
        self.reply_bytes = 0;
        self.missed = None;
    }

    fn take(&mut self, bytes: &mut Vec<u8>, sent: &mut Vec<Arc<str>>) -> Next {
        if let State::Aborting(last) = &mut self.state {
            return Next::Abort(last.take());
        }
        let next = loop {
            match self.items.front() {
                Some(Item::Replay(_)) if !bytes.is_empty() => break Next::Write,
                Some(item) if !bytes.is_empty() && bytes.len() + item.len() > WRITE_BATCH_BYTES => {
                    break Next::Write;
                }
                Some(_) => {}
                None if !bytes.is_empty() => break Next::Write,
                None if self.state == State::Open && self.missed.is_none() => break Next::Wait,
                None if self.missed.is_some() => {
                    self.tell_missed();
                    continue;
                }
                None => break Next::Finish,
            }
            let item = self.items.pop_front().expect("the front was seen above");
            if let Some(replay) = self.take_item(item, bytes, sent) {
                break Next::Replay(replay);
            }
        };
        // Half of the room must be free, else every event that goes out would make one more loss to
        // tell of.
        let roomy = self.events <= self.events_max / 2 && self.event_bytes <= SUBSCRIBER_BYTES / 2;
        if self.missed.is_some() && roomy {
            self.tell_missed();
        }
        next
    }

    fn take_item(
        &mut self,
        item: Item,
        bytes: &mut Vec<u8>,
        sent: &mut Vec<Arc<str>>,
    ) -> Option<mpsc::Receiver<Line>> {
        let place = self.taken;
        self.taken += 1;
        match item {
            Item::Reply(line) => {
                self.reply_bytes = self.reply_bytes.saturating_sub(line.len());
                bytes.extend_from_slice(line.as_bytes());
            }
            Item::Event(line) => {
                self.events = self.events.saturating_sub(1);
                self.event_bytes = self.event_bytes.saturating_sub(line.len());
                bytes.extend_from_slice(line.as_bytes());
            }
            Item::Command { command_id, line, notify_sent, older: _ } => {
                bytes.extend_from_slice(line.as_bytes());
                if self.commands.get(&command_id) == Some(&place) {
                    self.commands.remove(&command_id);
                }
                if notify_sent {
                    sent.push(command_id);
                }
            }
            Item::Retracted => {}
            Item::Replay(lines) => return Some(lines),
        }
        None
    }

    /// Queues the line that tells of dropped events, behind all that was queued before them.
    fn tell_missed(&mut self) {
        if let Some(missed) = self.missed.take() {
            // Every later event was dropped as well, so the newest missed one is the version as of
            // now.
            let line = frames::lagged(None, missed.from, missed.to, missed.to);
            self.reply_bytes += line.len();
            self.items.push_back(Item::Reply(line));
        }
    }
}

impl Item {
    fn len(&self) -> usize {
        match self {
            Self::Reply(line) | Self::Event(line) | Self::Command { line, .. } => line.len(),
            Self::Retracted | Self::Replay(_) => 0,
        }
    }
}
