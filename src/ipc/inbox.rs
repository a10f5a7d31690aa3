//! The bounded queue from all connections to the one thread that decides. Knows nothing of what its
//! messages mean.
//!
//! Connections wait, asynchronously and in turn, for room; the deciding thread waits, blocking, for
//! messages or for an instant. While the disk is full (\[L7\]) what targets sent stays here, in
//! order, and their sockets are not read.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

/// Whose message it is: a target's is held while nothing can be decided \[L7\], others' are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The connection serves a target.
    Target,
    /// Any other connection, one that has not registered included.
    Other,
}

/// What the deciding thread takes from the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    /// Everything.
    Open,
    /// Nothing of targets: their messages wait here and their sockets are not read \[L7\].
    TargetsHeld,
}

/// The inbox is closed: nobody will ever take another message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the launcher takes no more messages")]
pub struct InboxClosed;

/// The queue. Shared by `Arc`; the deciding thread is the only one that receives.
#[derive(Debug)]
pub struct Inbox<M> {
    state: Mutex<State<M>>,
    arrived: Condvar,
    room: Semaphore,
    /// Kibibytes for which there is room.
    room_kib: Semaphore,
    gate: watch::Sender<Gate>,
    /// Never more messages than this may wait at once.
    max: u32,
    /// Nor more kibibytes.
    max_kib: u32,
}

/// What the senders see of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    Held,
    Closed,
}

#[derive(Debug)]
struct State<M> {
    queue: VecDeque<Entry<M>>,
    /// Messages of targets that were passed over; older than all in `queue`.
    held: VecDeque<Entry<M>>,
    intake: Intake,
    closed: bool,
}

#[derive(Debug)]
struct Entry<M> {
    lane: Lane,
    /// The room that taking it makes; posted ones did not wait for any.
    room: Room,
    message: M,
}

/// What a message takes up.
#[derive(Clone, Copy, Debug, Default)]
struct Room {
    messages: usize,
    kib: usize,
}

/// Whole kibibytes, rounded up.
fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

impl<M> Inbox<M> {
    /// An inbox in which at most `max` messages wait, of `bytes_max` bytes together; further ones
    /// are waited for, not refused.
    ///
    /// # Panics
    /// When one of them is zero: nothing could ever be pushed.
    #[must_use]
    pub fn new(max: usize, bytes_max: usize) -> Self {
        assert!(max > 0 && bytes_max > 0, "an inbox without room");
        let max_kib = kib(bytes_max);
        let state = State {
            queue: VecDeque::new(),
            held: VecDeque::new(),
            intake: Intake::Open,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            arrived: Condvar::new(),
            room: Semaphore::new(max),
            room_kib: Semaphore::new(max_kib as usize),
            gate: watch::Sender::new(Gate::Open),
            max: u32::try_from(max).unwrap_or(u32::MAX),
            max_kib,
        }
    }

    /// Puts a message in, waiting for room. Waiters are served in the order in which they began to
    /// wait.
    ///
    /// # Errors
    /// When the inbox is closed.
    pub async fn push(&self, lane: Lane, message: M) -> Result<(), InboxClosed> {
        self.push_all(lane, &mut vec![message], 0).await
    }

    /// Puts messages of so many bytes in, together and in order, and empties `messages`. What is
    /// larger than the whole inbox waits until it is empty.
    ///
    /// # Errors
    /// When the inbox is closed.
    pub async fn push_all(
        &self,
        lane: Lane,
        messages: &mut Vec<M>,
        bytes: usize,
    ) -> Result<(), InboxClosed> {
        let mut weight = kib(bytes).min(self.max_kib);
        while !messages.is_empty() {
            self.may_push(lane).await?;
            let wanted = u32::try_from(messages.len()).unwrap_or(u32::MAX).min(self.max);
            let room = self.room.acquire_many(wanted).await.map_err(|_| InboxClosed)?;
            let heavy = self.room_kib.acquire_many(weight).await.map_err(|_| InboxClosed)?;
            room.forget();
            heavy.forget();
            let batch = messages.drain(..wanted as usize);
            let mut state = self.lock();
            if state.closed {
                return Err(InboxClosed);
            }
            // The first one carries the weight of all.
            state.queue.extend(batch.map(|message| {
                let room = Room { messages: 1, kib: std::mem::take(&mut weight) as usize };
                Entry { lane, room, message }
            }));
            drop(state);
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Puts a message in at once, beyond the bound if need be. For the few senders inside the
    /// launcher that cannot wait and send little: signals, the committing thread.
    pub fn post(&self, message: M) {
        let entry = Entry { lane: Lane::Other, room: Room::default(), message };
        self.lock().queue.push_back(entry);
        self.arrived.notify_one();
    }

    /// Waits until messages of that lane are taken; returns at once when they are.
    ///
    /// # Errors
    /// When the inbox is closed.
    pub async fn may_push(&self, lane: Lane) -> Result<(), InboxClosed> {
        match lane {
            Lane::Other => Ok(()),
            Lane::Target => {
                let gate = self.gate_that(|gate| gate != Gate::Held).await;
                if gate == Gate::Open { Ok(()) } else { Err(InboxClosed) }
            }
        }
    }

    /// Waits until the inbox is closed.
    pub async fn closed(&self) {
        self.gate_that(|gate| gate == Gate::Closed).await;
    }

    async fn gate_that(&self, fits: impl Fn(Gate) -> bool) -> Gate {
        let mut gate = self.gate.subscribe();
        // Its sender lives as long as this inbox, so the wait never fails.
        gate.wait_for(|gate| fits(*gate)).await.map_or(Gate::Closed, |gate| *gate)
    }

    /// Says whether targets are read. Held messages come first when they are again, in their order.
    pub fn set_intake(&self, intake: Intake) {
        let mut state = self.lock();
        state.intake = intake;
        if intake == Intake::Open {
            while let Some(entry) = state.held.pop_back() {
                state.queue.push_front(entry);
            }
        }
        let gate = match intake {
            _ if state.closed => Gate::Closed,
            Intake::Open => Gate::Open,
            Intake::TargetsHeld => Gate::Held,
        };
        drop(state);
        self.gate.send_replace(gate);
        self.arrived.notify_one();
    }

    /// Takes up to `max` messages in order of arrival. Blocks until one is there, but no longer
    /// than `wait`; without it, for ever. Returns none when the time is over or the inbox was
    /// closed.
    pub fn recv(&self, wait: Option<Duration>, max: usize) -> Vec<M> {
        let mut taken = Vec::new();
        let nothing_yet = |state: &mut State<M>| {
            let (messages, room) = state.take(max);
            taken = messages;
            self.make(room);
            taken.is_empty() && !state.closed
        };
        let state = self.lock();
        match wait {
            None => drop(self.arrived.wait_while(state, nothing_yet)),
            Some(wait) => drop(self.arrived.wait_timeout_while(state, wait, nothing_yet)),
        }
        taken
    }

    /// Takes up to `max` messages that are here now.
    pub fn try_recv(&self, max: usize) -> Vec<M> {
        let (taken, room) = self.lock().take(max);
        self.make(room);
        taken
    }

    fn make(&self, room: Room) {
        self.room.add_permits(room.messages);
        self.room_kib.add_permits(room.kib);
    }

    /// Messages that wait now, held ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        let state = self.lock();
        state.queue.len() + state.held.len()
    }

    /// Whether no message waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends it: nobody waits any more, whoever pushes learns it, and what is queued can still be
    /// received.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.intake = Intake::Open;
        drop(state);
        self.room.close();
        self.room_kib.close();
        self.gate.send_replace(Gate::Closed);
        self.arrived.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        // No code that can panic runs under this lock, so a poisoned one still holds a whole queue.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> State<M> {
    /// Messages for the receiver, and for how many new ones there is room now.
    fn take(&mut self, max: usize) -> (Vec<M>, Room) {
        let (mut taken, mut made) = (Vec::new(), Room::default());
        while taken.len() < max {
            let Some(mut entry) = self.queue.pop_front() else { break };
            // A held message gives its room back: else held ones would leave none for those that
            // get `busy`.
            let Room { messages, kib } = std::mem::take(&mut entry.room);
            made.messages += messages;
            made.kib += kib;
            match (self.intake, entry.lane) {
                (Intake::TargetsHeld, Lane::Target) => self.held.push_back(entry),
                (Intake::TargetsHeld, Lane::Other) | (Intake::Open, _) => taken.push(entry.message),
            }
        }
        (taken, made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that no test here fills.
    const ROOMY: usize = 1024;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().expect("no resource is needed")
    }

    #[test]
    fn messages_come_in_order_of_arrival_and_no_more_than_asked_for() {
        let inbox = Inbox::new(8, ROOMY);
        for number in 0..5 {
            inbox.post(number);
        }
        assert_eq!(inbox.recv(None, 3), [0, 1, 2]);
        assert_eq!(inbox.recv(None, 3), [3, 4]);
        assert_eq!(inbox.recv(Some(Duration::ZERO), 3), Vec::<i32>::new());
    }

    #[test]
    fn a_full_inbox_makes_its_senders_wait_in_turn_and_loses_nothing() {
        let inbox = std::sync::Arc::new(Inbox::new(4, ROOMY));
        let sender = std::sync::Arc::clone(&inbox);
        let sending = std::thread::spawn(move || {
            runtime().block_on(async {
                for batch in 0..50 {
                    let mut messages = (batch * 7..batch * 7 + 7).collect();
                    sender.push_all(Lane::Other, &mut messages, 0).await.expect("it stays open");
                }
            });
        });
        let mut seen = Vec::new();
        while seen.len() < 350 {
            assert!(inbox.len() <= 4);
            seen.extend(inbox.recv(None, 3));
        }
        sending.join().expect("the sender saw no closed inbox");
        assert_eq!(seen, (0..350).collect::<Vec<_>>());
    }

    #[test]
    fn a_few_large_messages_fill_it_as_many_small_ones_do() {
        let inbox = Inbox::new(99, 8 * 1024);
        runtime().block_on(async {
            inbox.push_all(Lane::Other, &mut vec![1, 2], 5 * 1024).await.expect("open");
            inbox.push(Lane::Other, 3).await.expect("a small one still fits");
            let large =
                std::pin::pin!(async { inbox.push_all(Lane::Other, &mut vec![4], 4 * 1024).await });
            let mut large = poll_once(large);
            assert!(large.is_pending());
            assert_eq!(inbox.try_recv(1), [1], "it carried the weight of its batch");
            large.finish().await.expect("open");
            assert_eq!(inbox.try_recv(9), [2, 3, 4]);
            // What can never fit is waited for no longer than for an empty inbox.
            inbox.push_all(Lane::Other, &mut vec![5], 99 * 1024).await.expect("open");
        });
    }

    #[test]
    fn l7_what_targets_sent_waits_in_order_while_others_are_answered() {
        let inbox = Inbox::new(4, ROOMY);
        runtime().block_on(async {
            inbox.push_all(Lane::Target, &mut vec!["t1", "t2"], 0).await.expect("open");
            inbox.push(Lane::Other, "o1").await.expect("open");
            inbox.set_intake(Intake::TargetsHeld);
            assert_eq!(inbox.try_recv(9), ["o1"]);
            // Held messages take no room from those that are to be told `busy`.
            inbox.push_all(Lane::Other, &mut vec!["o2", "o3", "o4"], 0).await.expect("open");
            assert_eq!(inbox.try_recv(9), ["o2", "o3", "o4"]);
            let held = std::pin::pin!(inbox.push(Lane::Target, "t3"));
            let mut held = poll_once(held);
            assert!(held.is_pending());
            inbox.post("o5");
            inbox.set_intake(Intake::Open);
            held.finish().await.expect("open");
            assert_eq!(inbox.try_recv(9), ["t1", "t2", "o5", "t3"]);
        });
    }

    #[test]
    fn l7_a_full_inbox_of_held_messages_still_has_room_for_others() {
        let inbox = std::sync::Arc::new(Inbox::new(2, ROOMY));
        let sender = std::sync::Arc::clone(&inbox);
        runtime().block_on(inbox.push_all(Lane::Target, &mut vec!["t1", "t2"], 0)).expect("open");
        inbox.set_intake(Intake::TargetsHeld);
        let sending =
            std::thread::spawn(move || runtime().block_on(sender.push(Lane::Other, "o1")));
        assert_eq!(inbox.recv(None, 9), ["o1"]);
        assert_eq!(sending.join().expect("it only pushes"), Ok(()));
    }

    #[test]
    fn a_closed_inbox_gives_what_it_has_and_takes_nothing() {
        let inbox = Inbox::new(4, ROOMY);
        inbox.post(1);
        inbox.close();
        assert_eq!(inbox.recv(None, 9), [1]);
        assert_eq!(inbox.recv(None, 9), Vec::<i32>::new());
        let pushed = runtime().block_on(inbox.push(Lane::Target, 2));
        assert_eq!(pushed, Err(InboxClosed));
    }

    /// A future polled once, to be finished later.
    struct Polled<'a, F: Future>(std::pin::Pin<&'a mut F>, Option<F::Output>);

    fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Polled<'_, F> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let ready = match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        };
        Polled(future, ready)
    }

    impl<F: Future> Polled<'_, F> {
        fn is_pending(&mut self) -> bool {
            self.1.is_none()
        }

        async fn finish(self) -> F::Output {
            match self.1 {
                Some(output) => output,
                None => self.0.await,
            }
        }
    }
}
