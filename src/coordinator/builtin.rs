//! Targets inside of the launcher: what they know is a fold of their own events, and the registry
//! of pods answers in the turn in which it is asked \[T4\]. Starts no process.

use std::sync::Arc;

use serde_json::Value;

use crate::builtin::Builtin;
use crate::ids::{BUILT_IN_TARGETS, ClientId, SagaId, SessionNo};
use crate::limits::EMIT_DEPTH;
use crate::saga::decide::Input;
use crate::saga::record::{Event, Record};

use super::{Coordinator, Echo, Fact, Occurrence};

/// The target whose registry answers at once.
const PODS: &str = "pods";

/// The client id of what is built in: no connection ever gets it.
const NOBODY: ClientId = ClientId(0);

/// A command that the registry may answer.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    step: Arc<str>,
    command_id: Arc<str>,
    cmd: Arc<str>,
    with: Arc<Value>,
    /// A step asks once; a reaction may be fired by what it brought about.
    by_reaction: bool,
}

impl Coordinator {
    /// From now on built-in targets are served here, and the registry's answers are part of the
    /// turns that ask. Without it their commands are answered by whoever plays them.
    pub fn serve_builtin(&mut self) {
        self.serves_builtin = true;
    }

    /// What built-in targets know.
    #[must_use]
    pub fn builtin(&self) -> &Builtin {
        &self.builtin
    }

    /// The same, to be told what it needs from the world before anything is decided.
    pub fn builtin_mut(&mut self) -> &mut Builtin {
        &mut self.builtin
    }

    /// Takes up what the log says that a built-in target knows of one thing.
    ///
    /// # Errors
    /// It is not what this version writes; the launcher must not start then.
    pub fn restore_known(&mut self, target: &str, name: &str, body: &str) -> Result<(), String> {
        let clash = |why: String| {
            format!("what the log knows of `{name}` of the target `{target}` cannot be read: {why}")
        };
        let body = serde_json::from_str(body).map_err(|error| clash(error.to_string()))?;
        self.builtin.restore(target, name, &body).map_err(clash)
    }

    /// Opens the sessions of built-in targets that are owed something and have none: in the turn
    /// that owes it, so that nothing waits and nothing is opened that nobody needs \[P10\].
    pub fn open_builtin(&mut self) -> Vec<(Arc<str>, SessionNo)> {
        self.cascade();
        let mut opened = Vec::new();
        // What one of them may have lost can make a saga ask another.
        while let Some(target) = self.unopened() {
            let session = self.open_session(&target, NOBODY);
            self.cascade();
            opened.push((target, session));
        }
        opened
    }

    fn unopened(&self) -> Option<Arc<str>> {
        let mut served = BUILT_IN_TARGETS.iter().filter(|target| self.serves(target));
        let found = served.find(|target| {
            self.owed.of(target).next().is_some() && !self.world.targets.is_open(target)
        });
        found.map(|target| Arc::from(*target))
    }

    /// Whether that target is served inside of this launcher.
    pub(super) fn serves(&self, target: &str) -> bool {
        self.serves_builtin && BUILT_IN_TARGETS.contains(&target)
    }

    /// What a record asks of the registry, if that is served here.
    pub(super) fn asked(&self, record: &Record) -> Option<Box<Asked>> {
        if !self.serves_builtin {
            return None;
        }
        if let Record::Issued(r) = record
            && !r.observed
            && &*r.target == PODS
        {
            let (step, command_id) = (r.step.clone(), r.command_id.clone());
            return Some(Box::new(Asked {
                step,
                command_id,
                cmd: r.cmd.clone(),
                with: r.with.clone(),
                by_reaction: false,
            }));
        }
        if let Record::Reacted(r) = record
            && !r.observed
            && &*r.target == PODS
        {
            let (step, command_id) = (r.step.clone(), r.command_id.clone());
            return Some(Box::new(Asked {
                step,
                command_id,
                cmd: r.cmd.clone(),
                with: r.with.clone(),
                by_reaction: true,
            }));
        }
        None
    }

    /// Answers what the registry is asked: its transition, the answer and what follows from that
    /// are one transaction with the question \[T4, R23\].
    pub(super) fn answer(&mut self, of: SagaId, asked: Asked, depth: usize) {
        let Asked { step, command_id, cmd, with, by_reaction } = asked;
        // What an answer starts, or fires, may ask again: that is as deep as emitting is [R23].
        let own_depth = if by_reaction { depth + 1 } else { depth };
        if depth >= EMIT_DEPTH {
            let reason = Arc::from(format!("what asks for this is {EMIT_DEPTH} deep already"));
            let failed = match by_reaction {
                true => Input::Unreachable { command_id: &command_id, reason: &reason },
                false => {
                    let command_id = Some(&*command_id);
                    Input::ActionFailed { step: &step, command_id, reason: &reason }
                }
            };
            return self.decide(of, failed, depth);
        }
        let Some((name, fields)) = self.builtin.answer(PODS, &cmd, &with, self.now) else { return };
        let mut fields = fields;
        // The declaration's defaults are part of what was said.
        let declared = self.catalog.events.get(name).cloned();
        let fits = declared.map_or(Ok(()), |declared| declared.accept(&mut fields));
        debug_assert!(fits.is_ok(), "the registry's answer does not fit its declaration: {fits:?}");
        let (name, fields) = (Arc::<str>::from(name), Arc::new(Value::Object(fields)));
        let event = Event {
            name: name.clone(),
            fields: fields.clone(),
            client: Arc::from(PODS),
            saga_id: Some(of),
            step: Some(step.clone()),
            command_id: Some(command_id.clone()),
            dedup: None,
        };
        self.fold_builtin(&event);
        let seq = self.world.next_seq;
        self.world.next_seq = seq.next();
        let record = Record::Event(Box::new(event));
        self.facts.push(Fact { seq, saga: Some(of), record });
        let echo = Echo { saga: of, step, command_id: Some(command_id.clone()), depth: own_depth };
        let (echo, depth) = (Some(echo), depth + 1);
        self.occurrences.push_back(Occurrence { seq, name, fields, echo, depth });
        // Whoever awaits no answer waits for the sending alone [P5]: this was it.
        let owed = self.live.get(&of).into_iter().flat_map(|live| &live.owed);
        let mut unsent = owed.filter(|owed| owed.command_id == command_id && owed.tells_sent);
        if unsent.next().is_some() {
            self.decide(of, Input::Sent { command_id: &command_id }, depth);
        }
    }

    /// Folds an event of a built-in target; that of anybody else changes nothing.
    pub(super) fn fold_builtin(&mut self, event: &Event) {
        // Who plays them elsewhere knows for itself what it said.
        if !self.serves_builtin {
            return;
        }
        let declared = self.catalog.events.get(&event.name);
        let Some(owner) = declared.and_then(|declared| declared.owner.as_ref()) else { return };
        let step = event.saga_id.zip(event.step.as_deref());
        let echo = step.map(|(saga, step)| (saga, step, event.command_id.as_deref()));
        self.builtin.apply(owner, &event.name, &event.fields, echo, self.now);
    }
}
