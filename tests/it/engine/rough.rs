//! What the wire and processes may do to commands and answers, message by message, beside what
//! `explore` tries: answers in another order, a process that keeps what it has read while its
//! connection is broken, one that is replaced and goes on acting, with and without fencing, and a
//! launcher that dies in the commit that takes an answer \[P4, P6, R19, R20\].

use std::collections::{BTreeSet, VecDeque};

use sagaflow::ids::{SagaId, SessionNo};
use sagaflow::saga::record::State;

use super::explored::{LINEAR, RETRIED};
use super::target::{Answer, Target};
use super::{alone, go};
use crate::world::{Sent, World};

/// What may happen next.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Move {
    /// The target handles what it read first; what it answers waits.
    Handle,
    /// It refuses it.
    Refuse,
    /// The oldest answer that waits gets through.
    Speak,
    /// The newest does, before the others.
    SpeakLast,
    /// The newest gets through, and the launcher dies in the commit that takes it.
    DieHearing,
    /// An answer that waits is lost.
    Drop,
    /// Time passes until something is due.
    Wait,
    /// The connection breaks; the process keeps what it has read, and goes on with it.
    Break,
    /// It connects again.
    Return,
    /// Another process takes its place; the older one still has what it read.
    Replace,
    /// The older process handles what it read first.
    Haunt,
}

use Move::{
    Break, DieHearing, Drop, Handle, Haunt, Refuse, Replace, Return, Speak, SpeakLast, Wait,
};

const ALL: [Move; 11] =
    [Handle, Refuse, Speak, SpeakLast, DieHearing, Drop, Wait, Break, Return, Replace, Haunt];

struct Rough {
    world: World,
    target: Target,
    /// What the process that was replaced has read and not handled.
    ghost: VecDeque<Sent>,
    /// The newest session that anything was done for: what is fenced refuses older ones.
    newest: SessionNo,
    is_fenced: bool,
    connected: bool,
}

impl Rough {
    fn new(pattern: &World, is_fenced: bool) -> Rough {
        let mut world = pattern.again();
        world.connect("host");
        go(&mut world, "k");
        let (target, ghost) = (Target::default(), VecDeque::new());
        let newest = SessionNo::default();
        let mut new = Rough { world, target, ghost, newest, is_fenced, connected: true };
        new.target.read(&new.world);
        new
    }

    fn is_over(&self) -> bool {
        self.world.open().is_empty()
    }

    fn handle(&mut self, wish: Answer) -> bool {
        let Some(first) = self.target.inbox.front() else { return false };
        self.newest = self.newest.max(first.session);
        self.target.handle(wish);
        true
    }

    /// The replaced process acts; nobody hears its answer.
    fn haunt(&mut self) -> bool {
        let Some(sent) = self.ghost.pop_front() else { return false };
        if self.is_fenced && sent.session < self.newest {
            return true;
        }
        self.newest = self.newest.max(sent.session);
        self.target.inbox.push_front(sent);
        self.target.handle(Answer::Did);
        self.target.unanswered.pop_back();
        true
    }

    fn speak(&mut self, last: bool) -> bool {
        if !self.connected || self.target.unanswered.is_empty() {
            return false;
        }
        if last {
            let newest = self.target.unanswered.pop_back().expect("it is not empty");
            self.target.unanswered.push_front(newest);
        }
        self.target.answer(&mut self.world);
        true
    }

    /// Does it, if it can be done now.
    fn choose(&mut self, choice: Move) -> bool {
        let done = match choice {
            Handle => self.handle(Answer::Did),
            Refuse => self.handle(Answer::Refused),
            Speak => self.speak(false),
            SpeakLast => self.target.unanswered.len() > 1 && self.speak(true),
            DieHearing if self.connected && !self.target.unanswered.is_empty() => {
                let next = self.world.commits() + 1;
                self.world.crash_after(next);
                self.target.misses = true;
                self.speak(true)
            }
            Drop => self.target.unanswered.pop_front().is_some(),
            Wait => {
                let due = self.world.coordinator().next_due();
                let span = due.map(|due| due.since(self.world.now()));
                span.is_some_and(|span| {
                    self.world.advance(span);
                    true
                })
            }
            Break if self.connected => {
                self.world.disconnect("host");
                self.connected = false;
                true
            }
            Return if !self.connected => {
                self.world.connect("host");
                self.connected = true;
                true
            }
            Replace if self.connected => {
                self.ghost.append(&mut self.target.inbox);
                self.target.unanswered.clear();
                self.world.disconnect("host");
                self.world.connect("host");
                true
            }
            Haunt => self.haunt(),
            DieHearing | Break | Return | Replace => false,
        };
        self.target.read(&self.world);
        done
    }

    /// From here on the target answers, and so the saga has to end; then what haunts it acts.
    fn let_it_end(&mut self) {
        for _ in 0..400 {
            if self.is_over() {
                while self.haunt() {}
                return;
            }
            let goes_on = [Return, Speak, Handle, Wait].into_iter().any(|one| self.choose(one));
            assert!(goes_on, "nothing is due, nothing is asked, and it has not ended");
        }
        panic!("it does not end though everything is answered");
    }

    /// What stands though the saga was undone, if anything does.
    fn leaks(&self) -> Option<String> {
        assert_eq!(self.world.terminals(1).len(), 1, "R1: one terminal");
        let undone = matches!(self.world.state(1), State::Failed | State::Compensated);
        let mut standing = self.target.effects.iter().filter(|(_, stands)| **stands);
        standing.next().filter(|_| undone).map(|(cmd, _)| cmd.clone())
    }

    /// What makes two of them one.
    fn likeness(&self) -> String {
        let saga = self.world.coordinator().saga(SagaId(1));
        let ids = |sent: &Sent| format!("{} {}", sent.id(), sent.session.0);
        let Target { inbox, unanswered, answers, effects, .. } = &self.target;
        let frames: Vec<String> =
            inbox.iter().chain(unanswered).chain(&self.ghost).map(ids).collect();
        let bounds = (inbox.len(), unanswered.len(), self.connected, self.newest);
        format!("{:?}{saga:?}{frames:?}{answers:?}{effects:?}{bounds:?}", self.world.now())
    }
}

/// Every move at every point down to a depth; the first history in which something leaks.
fn exhaust(saga: &str, depth: usize, is_fenced: bool) -> Option<(Vec<Move>, String)> {
    let pattern = alone(saga);
    let mut seen = BTreeSet::new();
    let mut open: VecDeque<Vec<Move>> = VecDeque::from([Vec::new()]);
    while let Some(moves) = open.pop_front() {
        let mut rough = Rough::new(&pattern, is_fenced);
        rough.world.fold_every_turn(false);
        if !moves.iter().all(|one| rough.choose(*one)) || !seen.insert(rough.likeness()) {
            continue;
        }
        if moves.len() < depth && !rough.is_over() {
            open.extend(ALL.iter().map(|one| [&moves[..], &[*one]].concat()));
        }
        rough.let_it_end();
        if let Some(leak) = rough.leaks() {
            return Some((moves, leak));
        }
    }
    assert!(seen.len() > 50, "only {} worlds were found", seen.len());
    None
}

#[test]
fn r20_a_rough_wire_leaves_nothing_behind_where_sessions_are_fenced() {
    for saga in [LINEAR, RETRIED] {
        assert_eq!(exhaust(saga, 4, true), None);
    }
}

/// The fence is what holds it: "not promised" says so of targets that have none.
#[test]
fn r20_without_a_fence_a_process_that_was_replaced_may_leave_something_behind() {
    let (moves, leak) = exhaust(LINEAR, 4, false).expect("a ghost acts after the undo");
    assert_eq!(leak, "a", "{moves:?}");
    assert!(moves.contains(&Replace), "{moves:?}");
}
