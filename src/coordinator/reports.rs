//! What clients say: reports, failed actions, starts. Checked against the catalog, then recorded,
//! then offered.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::definition::catalog::EventDecl;
use crate::ids::{SagaId, Seq};
use crate::plan::{Plan, Verb};
use crate::saga::decide::Input;
use crate::saga::reactions;
use crate::saga::record::{Dedup, Event, Record};

use super::begin::Asker;
use super::clients::Client;
use super::dedup::Answer;
use super::{Coordinator, Echo, Occurrence, Refusal, RefusalCode};

/// A `report` line, decoded.
#[derive(Clone, Debug)]
pub struct IncomingReport {
    /// Name of the event.
    pub event: Arc<str>,
    /// The fields beside the envelope's.
    pub fields: Map<String, Value>,
    /// The saga and step that it answers.
    pub echo: Option<(SagaId, Arc<str>)>,
    /// The command that it answers.
    pub command_id: Option<Arc<str>>,
    /// The client's own id.
    pub dedup: Option<Dedup>,
}

/// Events that only the launcher itself publishes.
const OWN_EVENTS: [&str; 4] =
    ["launcher_started", "process_spawned", "process_exited", "lifecycle_phase_changed"];

impl Coordinator {
    /// Takes a report; the version of its record, also for a repetition \[W9\].
    ///
    /// # Errors
    /// It is not declared, its fields do not fit, or it is not this client's to say. Nothing is
    /// recorded then.
    pub fn report(&mut self, from: &Client, mut report: IncomingReport) -> Result<Seq, Refusal> {
        if let Some(Answer::Accepted(seq)) = self.repeated(&from.name, report.dedup.as_ref())? {
            return Ok(seq);
        }
        let declared = self.fit(&mut report)?;
        self.check_owner(from, &report.event)?;
        if let Some((saga, step)) = &report.echo {
            self.check_sender(from, *saga, step)?;
        }
        let fields = Arc::new(Value::Object(report.fields));
        let (saga_id, step) = report.echo.unzip();
        let event = Event {
            name: declared.name.clone(),
            fields: fields.clone(),
            client: from.name.clone(),
            saga_id,
            step: step.clone(),
            command_id: report.command_id.clone(),
            dedup: report.dedup,
        };
        let place = self.facts.len();
        self.fold_builtin(&event);
        let seq = self.push_world(Record::Event(Box::new(event)));
        let echo = saga_id.zip(step).map(|(saga, step)| Echo {
            saga,
            step,
            command_id: report.command_id,
            depth: 0,
        });
        let name = declared.name.clone();
        self.occurrences.push_back(Occurrence { seq, name, fields, echo, depth: 0 });
        self.cascade();
        // It lies with the saga that it moved first; what others decide later in the turn is
        // theirs.
        let moved = self.facts.get(place + 1).and_then(|next| next.saga);
        self.facts[place].saga = moved;
        Ok(seq)
    }

    /// Takes a `report_saga_action_failed`.
    ///
    /// # Errors
    /// The saga was never issued, or the command is not this client's.
    pub fn action_failed(
        &mut self,
        from: &Client,
        (saga, step): (SagaId, &str),
        command_id: Option<&str>,
        reason: &Arc<str>,
    ) -> Result<(), Refusal> {
        self.check_sender(from, saga, step)?;
        self.decide(saga, Input::ActionFailed { step, command_id, reason }, 0);
        self.cascade();
        Ok(())
    }

    /// Starts a saga by name; the id of the first start, also for a repetition \[W9\].
    ///
    /// # Errors
    /// It is not loaded, its fields do not fit, a guard or a running saga refuses it.
    pub fn start(
        &mut self,
        from: &Client,
        saga: &str,
        input: Map<String, Value>,
        dedup: Option<Dedup>,
    ) -> Result<SagaId, Refusal> {
        if let Some(Answer::Saga(id)) = self.repeated(&from.name, dedup.as_ref())? {
            return Ok(id);
        }
        let client = Some(from.name.clone());
        self.call(saga, input, Asker { client, dedup, parent: None })
    }

    /// A command that awaits nothing was written to a session \[P5\].
    pub fn sent(&mut self, saga: SagaId, command_id: &str) {
        self.decide(saga, Input::Sent { command_id }, 0);
        self.cascade();
    }

    pub(super) fn repeated(
        &self,
        client: &str,
        dedup: Option<&Dedup>,
    ) -> Result<Option<Answer>, Refusal> {
        match dedup.and_then(|dedup| self.world.dedup.find(client, dedup)) {
            Some((_, false)) => {
                let message = "this id was used before for other content; use a new id";
                Err(Refusal::new(RefusalCode::InvalidCommand, message))
            }
            Some((answer, true)) => Ok(Some(answer)),
            None => Ok(None),
        }
    }

    /// The declaration that the report fits, which fills in its defaults: that of the saga that it
    /// answers, of the current catalog, or of any other open saga \[L4\].
    fn fit(&self, report: &mut IncomingReport) -> Result<Arc<EventDecl>, Refusal> {
        let name = &report.event;
        let answered = report.echo.as_ref().and_then(|(saga, _)| self.live.get(saga));
        let older = |plan: &Plan| self.older.contains_key(&plan.hash);
        let own = answered.filter(|live| older(&live.plan)).and_then(|l| l.plan.events.get(name));
        let others = self.older.values().filter_map(|(plan, _)| plan.events.get(name));
        let mut declared = own.into_iter().chain(self.catalog.events.get(name)).chain(others);
        let Some(first) = declared.next() else {
            let known: Vec<&str> = self.catalog.events.keys().map(|name| &**name).collect();
            let message = match crate::diag::nearest(name, known) {
                Some(near) => format!("no event `{name}` is declared; did you mean `{near}`?"),
                None => format!("no event `{name}` is declared; declare it in a *.catalog.yaml"),
            };
            return Err(Refusal::new(RefusalCode::UnknownEvent, message));
        };
        if first.bracket || OWN_EVENTS.contains(&&**name) {
            let message = format!("`{name}` is published by the launcher alone");
            return Err(Refusal::new(RefusalCode::NotAllowed, message));
        }
        // Only where sagas of older texts run is there a second chance, and a payload to keep.
        let given = (!self.older.is_empty()).then(|| report.fields.clone());
        let Err(error) = first.accept(&mut report.fields) else { return Ok(first.clone()) };
        for declared in declared {
            let Some(mut fields) = given.clone() else { break };
            if declared.accept(&mut fields).is_ok() {
                report.fields = fields;
                return Ok(declared.clone());
            }
        }
        Err(Refusal::new(RefusalCode::InvalidPayload, error.to_string()))
    }

    /// What a built-in target reports nobody else does.
    fn check_owner(&self, from: &Client, event: &str) -> Result<(), Refusal> {
        let owner = self.catalog.events.get(event).and_then(|declared| declared.owner.as_ref());
        match owner {
            Some(owner) if *owner != from.kind => {
                let message =
                    format!("`{event}` is reported by the built-in target `{owner}` alone");
                Err(Refusal::new(RefusalCode::NotAllowed, message))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Answers count only from the command's target \[R5, W6\].
    fn check_sender(&self, from: &Client, saga: SagaId, step: &str) -> Result<(), Refusal> {
        if saga.0 == 0 || saga >= self.world.next_saga {
            let message = format!("`saga_id` {saga} was never issued");
            return Err(Refusal::new(RefusalCode::UnknownSaga, message));
        }
        let Some(live) = self.live.get(&saga) else { return Ok(()) };
        if live.saga.observes {
            let message = format!(
                "saga {saga} observes and asked nobody: report what happened without `saga_id` \
                 and `step`"
            );
            return Err(Refusal::new(RefusalCode::NotAllowed, message));
        }
        let deed = match live.plan.find(step) {
            Some(ix) => Some(&live.plan.step(ix).verb),
            None => reactions::find(&live.plan, step).map(|reaction| &reaction.deed),
        };
        if let Some(Verb::Issue { target, .. }) = deed
            && **target != *from.kind
        {
            let message = format!(
                "step `{step}` of saga {saga} is `{target}`'s to answer, not `{}`'s",
                from.kind
            );
            return Err(Refusal::new(RefusalCode::NotAllowed, message));
        }
        Ok(())
    }
}
