//! What may happen in a history, and a world in which it does. Chooses nothing and judges nothing.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::coordinator::{Fact, Signal};
use crate::ids::SagaId;
use crate::saga::owed::Owed;
use crate::saga::record::State;
use crate::sim::past::Past;
use crate::sim::shelf::Sent;
use crate::sim::world::World;
use crate::time::Timestamp;

use super::judge::Books;
use super::later::Later;

/// Something that happens.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// The first thing: the saga is started while these targets are away.
    Begin { start: Start, away: Vec<Arc<str>> },
    /// A target answers a command; `did`: it did it.
    Answer { owed: Arc<Owed>, event: Arc<str>, with: Map<String, Value>, did: bool },
    /// A target says that a command cannot be done.
    Refuse { owed: Arc<Owed> },
    /// The last answer comes once more.
    Again,
    /// Somebody reports an event.
    Report { event: Arc<str>, with: Map<String, Value> },
    /// A person or client says to the saga what it awaits.
    Say { signal: Arc<str>, with: Map<String, Value> },
    /// Nothing, until something is due.
    Wait,
    /// Nothing, again and again, until the saga's own deadline is what is due next.
    Linger,
    /// A target goes away.
    Leave(Arc<str>),
    /// A target comes back.
    Come(Arc<str>),
    /// The launcher dies and comes back.
    Crash,
    /// A person cancels the saga.
    Cancel,
    /// What started the saga comes once more.
    Rival,
}

/// Something that happens, and where the launcher dies in it.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    pub(super) act: Act,
    /// Right after that commit of it, counted from one.
    pub(super) dies: Option<u64>,
}

/// An answer that a target gave.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) owed: Arc<Owed>,
    /// The event; absent: that it cannot be done.
    event: Option<(Arc<str>, Map<String, Value>)>,
    pub(super) did: bool,
}

/// What starts a saga.
#[derive(Clone, Debug)]
pub(super) enum Start {
    /// An event with these fields.
    Event(Arc<str>, Map<String, Value>),
    /// A caller with these fields.
    Call(Map<String, Value>),
    /// The clock, at its next tick.
    Schedule,
}

/// One moment of a history.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) world: World,
    pub(super) books: Books,
    /// What started the saga.
    pub(super) begun: Option<Start>,
    /// Whether a rival came and was taken in: made to wait, merged, or let run beside it.
    pub(super) met: bool,
    /// Nothing has happened since a rival was merged that would have been otherwise without it.
    pub(super) fresh: Option<Arc<Later>>,
    last: Option<Said>,
    /// Whether the whole log is folded at every crash; else every fact is, when it comes, and the
    /// whole log at the end.
    refolds: bool,
}

/// What a deed left behind.
#[derive(Debug)]
pub(super) struct Done {
    /// The facts that it caused.
    pub(super) past: Arc<Past>,
    /// What reached targets.
    pub(super) sent: Vec<Sent>,
    /// The answer that was given, if one was.
    pub(super) said: Option<Said>,
    /// Transactions that it took.
    pub(super) commits: u64,
    /// Why it was refused, if it was.
    pub(super) refused: Option<String>,
}

impl Done {
    pub(super) fn facts(&self) -> &[(Timestamp, Fact)] {
        self.past.newest()
    }
}

impl Node {
    /// A launcher on which nothing has happened yet.
    pub(super) fn new(world: World, refolds: bool) -> Node {
        let books = Books::default();
        Node { world, books, begun: None, met: false, fresh: None, last: None, refolds }
    }

    pub(super) fn main(&self) -> Option<SagaId> {
        self.books.sagas.first().map(|(id, _)| *id)
    }

    /// Whether there was an answer that may come again.
    pub(super) fn has_said(&self) -> bool {
        self.last.is_some()
    }

    /// Whether the saga has ended, no rival waits for it any more, and nothing that it called is
    /// open.
    pub(super) fn is_over(&self) -> bool {
        let waits = |id: SagaId| {
            let saga = self.world.coordinator().saga(id);
            saga.is_some_and(|(saga, _)| {
                saga.state == State::Queued || (saga.parent.is_some() && saga.is_open())
            })
        };
        match self.books.sagas.as_slice() {
            [] => true,
            [main, rivals @ ..] => main.1.is_some() && !rivals.iter().any(|(id, _)| waits(*id)),
        }
    }

    /// Lets it happen.
    pub(super) fn happen(&mut self, deed: &Deed) -> Done {
        let before = self.world.commits();
        if let Some(commit) = deed.dies {
            self.world.crash_after(before + commit);
        }
        let (said, refused) = self.act(&deed.act);
        let sent = self.world.sent().to_vec();
        let past = self.world.settle();
        let commits = self.world.commits() - before;
        let taken_in = || past.newest().iter().any(|(_, fact)| fact.saga.is_some());
        self.met |= matches!(deed.act, Act::Rival) && taken_in();
        if said.is_some() {
            self.last = said.clone();
        }
        Done { past, sent, said, commits, refused }
    }

    fn act(&mut self, act: &Act) -> (Option<Said>, Option<String>) {
        let mut said = None;
        let mut refused = None;
        match act {
            Act::Begin { start, away } => {
                away.iter().for_each(|target| self.world.disconnect(target));
                self.begun = Some(start.clone());
                refused = self.begin();
            }
            Act::Rival => refused = self.begin(),
            Act::Answer { owed, event, with, did } => {
                let event = Some((event.clone(), with.clone()));
                said = Some(Said { owed: owed.clone(), event, did: *did });
            }
            Act::Refuse { owed } => {
                said = Some(Said { owed: owed.clone(), event: None, did: false });
            }
            Act::Again => said = self.last.clone(),
            Act::Report { event, with } => {
                refused = self.world.report(event, with.clone()).err().map(|why| why.message);
            }
            Act::Say { signal, with } => {
                let saga = self.main().unwrap_or_default();
                refused = self.world.say(saga, signal, with.clone()).err().map(|why| why.message);
            }
            Act::Wait => self.wait(),
            Act::Linger => self.linger(),
            Act::Leave(target) => self.world.disconnect(target),
            Act::Come(target) => self.world.connect(target),
            Act::Crash if self.refolds => {
                self.world.compare();
                self.world.crash();
            }
            Act::Crash => self.world.crash_as_it_stands(),
            Act::Cancel => {
                let saga = self.main().unwrap_or_default();
                let done = self.world.signal(saga, Signal::Cancel, "it is not wanted any more");
                refused = done.err().map(|why| why.message);
            }
        }
        if let Some(said) = &said {
            refused = self.say(said);
        }
        (said, refused)
    }

    fn begin(&mut self) -> Option<String> {
        let name = self.world.plans().first().map(|plan| plan.name.clone());
        let name = name.unwrap_or_default();
        let done = match self.begun.clone()? {
            Start::Event(event, with) => self.world.report(&event, with),
            Start::Call(with) => self.world.start(&name, with).map(|_| ()),
            Start::Schedule => {
                self.world.advance(self.world.until_tick(&name));
                Ok(())
            }
        };
        done.err().map(|why| why.message)
    }

    fn say(&mut self, said: &Said) -> Option<String> {
        let done = match &said.event {
            Some((event, with)) => self.world.echo(&said.owed, event, with.clone()),
            None => self.world.fail(&said.owed, "it cannot be done"),
        };
        done.err().map(|why| why.message)
    }

    /// Until the saga's own deadline is what is due next.
    fn linger(&mut self) {
        const LOOKS_MAX: usize = 1_000;
        for _ in 0..LOOKS_MAX {
            let coordinator = self.world.coordinator();
            let saga = self.main().and_then(|id| coordinator.saga(id));
            let due =
                saga.filter(|(saga, _)| saga.verdict.is_none()).and_then(|(saga, _)| saga.due);
            let is_next = due.is_none_or(|due| coordinator.next_due().is_none_or(|at| at >= due));
            if is_next || !self.world.wait() {
                return;
            }
        }
    }

    /// Until something follows, or nothing is due any more.
    fn wait(&mut self) {
        const LOOKS_MAX: usize = 8;
        let before = self.world.commits();
        for _ in 0..LOOKS_MAX {
            if !self.world.wait() || self.world.commits() > before {
                return;
            }
        }
    }
}
