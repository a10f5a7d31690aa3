//! The same promises, judged when a life is over, from its facts alone: for scenarios. Knows
//! nothing of what targets got but what the facts tell.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::coordinator::Fact;
use crate::plan::Plan;
use crate::saga::decide::SagaScope;
use crate::saga::record::{Ending, Record};
use crate::time::Timestamp;

use super::choices::{Meaning, meaning};
use super::judge::{Books, Broken, Folded};

/// What does not hold in a life that is over, as its facts alone tell it.
pub(in crate::sim) fn judge_facts(plan: &Arc<Plan>, facts: &[(Timestamp, Fact)]) -> Option<Broken> {
    let mut folded = Folded { plans: plan.family(), sagas: BTreeMap::new(), found: None };
    let mut books = Books::default();
    for (at, fact) in facts {
        folded.answer(&mut books, *at, fact);
        folded.fact(&mut books, *at, fact);
        folded.command(&mut books, fact);
    }
    folded.found
}

impl Folded {
    /// A report that answers a command: what it says of it.
    fn answer(&self, books: &mut Books, at: Timestamp, fact: &Fact) {
        let Record::Event(event) = &fact.record else { return };
        let (Some(id), Some(step)) = (event.saga_id, &event.step) else { return };
        let Some(saga) = self.sagas.get(&id) else { return };
        let run = saga.find(&self.plan_of(saga), step).and_then(|key| saga.run(key));
        let Some((run, command)) = run.and_then(|run| Some((run, run.command.as_ref()?))) else {
            return;
        };
        if event.command_id.as_ref().is_some_and(|id| *id != command.id) {
            return;
        }
        let plan = self.plan_of(saga);
        let scope = SagaScope::new(saga, &plan, at, Some(&event.fields));
        let Some(meaning) = meaning(&plan, run, &scope, (&event.name, false)) else {
            return;
        };
        let declared = plan.commands.get(&command.cmd);
        let refuses = declared.is_some_and(|one| one.failures.contains(&event.name));
        let did = matches!(meaning, Meaning::Satisfies(_)) && !refuses;
        self.answered(books, id, (step, &command.id), did);
    }

    /// What the facts alone say of commands: that they went out, and that they came to nothing.
    fn command(&self, books: &mut Books, fact: &Fact) {
        let (Some(id), record) = (fact.saga, &fact.record) else { return };
        if let Record::Issued(issued) = record {
            self.handed(books, id, (&issued.step, &issued.command_id));
        }
        let of = |step: &Arc<str>| {
            let saga = self.sagas.get(&id)?;
            let run = saga.run(saga.find(&self.plan_of(saga), step)?)?;
            run.command.as_ref().map(|command| command.id.clone())
        };
        let (step, did) = if let Record::Sent(sent) = record {
            (&sent.step, true)
        } else if let Record::Outcome(one) = record
            && one.outcome == Ending::Failed
        {
            (&one.step, false)
        } else if let Record::Backoff(pause) = record
            && !pause.in_doubt
        {
            (&pause.step, false)
        } else {
            return;
        };
        if let Some(command) = of(step) {
            self.answered(books, id, (step, &command), did);
        }
    }
}
