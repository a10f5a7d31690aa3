//! What a saga does on the side: after all else had its look at a report, while the saga still runs
//! \[R22, P5\]. A reaction fails nothing, and nothing undoes it.

use std::sync::Arc;

use serde_json::Value;

use crate::limits::EMIT_DEPTH;
use crate::plan::{Reaction, Source, Verb};
use crate::saga::decide::{Decision, Origin, Report};
use crate::saga::reactions::{Reacted, ReactionOver, find, path};
use crate::saga::record::{Emitted, Record, State};

impl Decision<'_> {
    /// Fires every reaction that the report matches, in the author's order.
    pub(super) fn react(&mut self, report: Report<'_>) {
        let is_older = self.saga.opened < report.seq;
        let plan = self.plan;
        for (place, reaction) in plan.reactions.iter().enumerate() {
            let runs = self.saga.state == State::Running
                && self.saga.verdict.is_none()
                && !self.saga.is_held();
            let is_meant = match reaction.on.source {
                Source::Echo => matches!(report.origin, Origin::Echo { .. }),
                Source::Organic => report.origin == Origin::Organic,
                Source::Event => true,
                Source::Signal => false,
            };
            if runs
                && is_older
                && is_meant
                && *reaction.on.event == *report.name
                && self.fits(0, &reaction.on, report.fields)
            {
                self.fire(place, reaction, report);
            }
        }
    }

    fn fire(&mut self, place: usize, reaction: &Reaction, report: Report<'_>) {
        let step = path(place);
        let failed = match &reaction.deed {
            Verb::Issue { command, target, with, .. } => {
                self.values(0, with, Some(report.fields)).and_then(|with| {
                    let with = self.plan.check_command(command, with);
                    let with = with.map_err(|error| Arc::from(error.to_string()))?;
                    let number = self.saga.reactions.commands + 1;
                    let command_id = Arc::from(format!("{}.{step}.{number}", self.saga.id));
                    let (target, cmd) = (target.clone(), command.clone());
                    let with = Arc::new(Value::Object(with));
                    let step = step.clone();
                    let observed = self.saga.observes;
                    let reacted = Reacted { step, command_id, target, cmd, with, observed };
                    self.push(Record::Reacted(Box::new(reacted)));
                    Ok(())
                })
            }
            Verb::Emit { .. } if self.depth >= EMIT_DEPTH => {
                Err(Arc::from(format!("`emit` is {EMIT_DEPTH} deep already")))
            }
            Verb::Emit { event, with } => {
                self.values(0, with, Some(report.fields)).and_then(|fields| {
                    let fields = self.plan.check_event(event, fields);
                    let fields = fields.map_err(|error| Arc::from(error.to_string()))?;
                    let fields = Arc::new(Value::Object(fields));
                    let (step, event) = (step.clone(), event.clone());
                    let observed = self.saga.observes;
                    self.push(Record::Emitted(Emitted { step, event, fields, observed }));
                    Ok(())
                })
            }
            Verb::Await
            | Verb::Delay(_)
            | Verb::Group(_)
            | Verb::Parallel { .. }
            | Verb::ForEach(_)
            | Verb::Call(_)
            | Verb::Recall
            | Verb::Fail(_)
            | Verb::Done => Ok(()),
        };
        if let Err(reason) = failed {
            let failure = Some(reason);
            self.push(Record::ReactionOver(ReactionOver { step, command_id: None, failure }));
        }
    }

    /// A reaction's command was written to a session, or never will be; whether it is one.
    pub(super) fn reaction_over(&mut self, command_id: &str, failure: Option<&Arc<str>>) -> bool {
        let mut owed = self.saga.reactions.owed.iter();
        let Some((step, command)) = owed.find(|(_, command)| *command.id == *command_id) else {
            return false;
        };
        let step = step.clone();
        let (command_id, failure) = (Some(command.id.clone()), failure.cloned());
        self.push(Record::ReactionOver(ReactionOver { step, command_id, failure }));
        self.end_at_last();
        true
    }

    /// The target could not do it: too late to matter, and worth a line.
    pub(super) fn reaction_refused(&mut self, step: &str, reason: &Arc<str>) {
        if self.saga.is_open() && find(self.plan, step).is_some() {
            let (step, failure) = (Arc::from(step), Some(reason.clone()));
            self.push(Record::ReactionOver(ReactionOver { step, command_id: None, failure }));
        }
    }
}
