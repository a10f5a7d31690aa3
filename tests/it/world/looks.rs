//! What a test sees of a world: what was sent, published and recorded, in the words of tests.

use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Record, State, Verdict};

use super::{Heard, Sent, World};

impl World {
    /// The newest command of that name that reached a target.
    pub fn last(&self, cmd: &str) -> Sent {
        let found = self.sent().iter().rev().find(|sent| sent.cmd() == cmd);
        found.unwrap_or_else(|| panic!("no {cmd} was sent: {:?}", self.commands())).clone()
    }

    /// Names of all commands that reached targets, in order.
    pub fn commands(&self) -> Vec<String> {
        self.sent().iter().map(|sent| sent.cmd().to_owned()).collect()
    }

    /// Names of all bus events, in order; brackets with their saga.
    pub fn story(&self) -> Vec<String> {
        let named = self.events().iter().map(|event| match event.fields.get("saga_id") {
            Some(id) if event.name.starts_with("saga_") => format!("{} {id}", event.name),
            Some(_) | None => event.name.clone(),
        });
        named.filter(|name| !name.starts_with("saga_step")).collect()
    }

    /// Bus events of that name.
    pub fn published(&self, name: &str) -> Vec<&Heard> {
        self.events().iter().filter(|event| event.name == name).collect()
    }

    /// The words for the states of all sagas in memory, in the order of their ids.
    pub fn states(&self) -> Vec<&'static str> {
        self.coordinator().sagas().map(|(saga, _)| saga.state.as_str()).collect()
    }

    /// The state that a saga ended in, or stands in.
    pub fn state(&self, saga: u64) -> State {
        if let Some((saga, _)) = self.coordinator().saga(SagaId(saga)) {
            return saga.state;
        }
        self.verdict(saga).state
    }

    /// What an ended saga ended as.
    pub fn verdict(&self, saga: u64) -> Verdict {
        let ended = sagaflow::sim::World::verdict(self, SagaId(saga));
        ended.unwrap_or_else(|| panic!("saga {saga} has not ended")).clone()
    }

    /// A saga's records, in order.
    pub fn of_saga(&self, saga: u64) -> impl DoubleEndedIterator<Item = &Record> {
        let own = self.facts().filter(move |fact| fact.saga == Some(SagaId(saga)));
        own.map(|fact| &fact.record)
    }

    /// What became of a saga's steps, in the order of its records: `a issued`, `a succeeded`,
    /// `a.undo issued`, `a compensated`.
    pub fn trail(&self, saga: u64) -> Vec<String> {
        self.of_saga(saga).filter_map(told).collect()
    }

    /// The terminals that the bus saw of a saga \[R1\].
    pub fn terminals(&self, saga: u64) -> Vec<String> {
        let ends = self.events().iter().filter(|event| {
            matches!(&*event.name, "saga_completed" | "saga_failed")
                && event.fields["saga_id"] == saga
        });
        ends.map(|event| event.name.clone()).collect()
    }

    /// Sagas that are not over.
    pub fn open(&self) -> Vec<u64> {
        let open = self.coordinator().sagas().filter(|(saga, _)| saga.is_open());
        open.map(|(saga, _)| saga.id.0).collect()
    }
}

/// A record in the words of a trail.
fn told(record: &Record) -> Option<String> {
    Some(if let Record::Issued(r) = record {
        format!("{} issued", r.step)
    } else if let Record::Reissued(r) = record {
        format!("{} reissued", r.step)
    } else if let Record::Outcome(r) = record {
        format!("{} {}", r.step, r.outcome.as_str())
    } else if let Record::Undone(r) = record {
        let word = if r.ok { "compensated" } else { "compensation_failed" };
        format!("{} {word}", r.step)
    } else if let Record::Unwinding(r) = record {
        format!("unwinding {}", r.cause.as_str())
    } else if let Record::Late(r) = record {
        format!("{} late", r.step)
    } else if let Record::Refused(r) = record {
        format!("refused {}", r.what)
    } else if let Record::Ended(v) | Record::Dropped(v) | Record::Settled(v) = record {
        format!("ended {}", v.state.as_str())
    } else {
        return None;
    })
}
