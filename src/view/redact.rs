//! Hides what the catalog calls `sensitive` before anybody is shown a saga. The facts themselves
//! keep the values: a saga could not go on after a crash without them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::plan::Plan;
use crate::plan::secrets::{Secrets, names};
use crate::saga::record::Record;

use super::Fact;

/// Names of the sensitive fields of the events, commands and signals that one definition uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sensitive {
    events: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    commands: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    call: BTreeSet<Arc<str>>,
    signals: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
}

impl Sensitive {
    /// What a plan's vocabulary calls sensitive.
    #[must_use]
    pub fn of(plan: &Plan) -> Sensitive {
        let events = plan.events.iter().map(|(name, event)| (name.clone(), names(&event.fields)));
        let commands = plan.commands.iter().map(|(name, cmd)| (name.clone(), names(&cmd.fields)));
        let signals = plan.signals.iter().map(|(name, said)| (name.clone(), names(&said.fields)));
        Sensitive {
            signals: signals.filter(|(_, names)| !names.is_empty()).collect(),
            events: events.filter(|(_, names)| !names.is_empty()).collect(),
            commands: commands.filter(|(_, names)| !names.is_empty()).collect(),
            call: plan
                .trigger
                .call
                .as_ref()
                .map(|call| names(&call.fields.fields))
                .unwrap_or_default(),
        }
    }

    /// Whether nothing is to be hidden.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.commands.is_empty()
            && self.call.is_empty()
            && self.signals.is_empty()
    }

    /// Hides the fields of a saga's facts that are declared so, and remembers what they held.
    pub fn learn(&self, facts: &mut [Fact], secrets: &mut Secrets) {
        if self.is_empty() {
            return;
        }
        for fact in facts {
            self.hide_declared(&mut fact.record, secrets);
        }
    }

    /// Hides the fields that are declared so, and remembers their texts.
    fn hide_declared(&self, record: &mut Record, secrets: &mut Secrets) {
        let (fields, names) = if let Record::Event(event) = record {
            (&mut event.fields, self.events.get(&event.name))
        } else if let Record::Emitted(emitted) = record {
            (&mut emitted.fields, self.events.get(&emitted.event))
        } else if let Record::Issued(issued) = record {
            (&mut issued.with, self.commands.get(&issued.cmd))
        } else if let Record::Reacted(reacted) = record {
            (&mut reacted.with, self.commands.get(&reacted.cmd))
        } else if let Record::Signalled(said) = record {
            (&mut said.fields, self.signals.get(&said.signal))
        } else if let Record::Began(began) = record {
            let of_event = self.events.get(&began.trigger);
            (&mut began.fields, of_event.or(Some(&self.call)))
        } else if let Record::Joined(joined) = record {
            let of_event = self.events.get(&joined.trigger);
            (&mut joined.fields, of_event.or(Some(&self.call)))
        } else {
            return;
        };
        let Some(names) = names else { return };
        let Some(fields) = Arc::make_mut(fields).as_object_mut() else { return };
        for name in names {
            if let Some(value) = fields.get_mut(&**name) {
                secrets.take(value);
            }
        }
    }
}

/// Hides secrets in a saga's facts, wherever they went from where they came in: into its input, its
/// variables, its commands, its result, and texts made of them.
pub fn hide(secrets: &Secrets, facts: &mut [Fact]) {
    if secrets.is_empty() {
        return;
    }
    for fact in facts {
        let text = |text: &str| secrets.hide_text(text);
        visit(&mut fact.record, &mut |value| secrets.hide(value), &text);
    }
}

/// What is done to each payload.
type Values<'a> = &'a mut dyn FnMut(&mut Value);

/// What stands for a text, where it may not be shown.
type Words<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Every payload and every reason of a record.
fn visit(record: &mut Record, value: Values<'_>, text: Words<'_>) {
    let mut shared = |payload: &mut Arc<Value>| value(Arc::make_mut(payload));
    let words = |reason: &mut Arc<str>| hide_words(reason, text);
    match record {
        Record::Event(r) => shared(&mut r.fields),
        Record::Began(r) => {
            shared(&mut r.fields);
            shared(&mut r.input);
            each(&mut r.vars, value);
            r.keys.iter_mut().for_each(value);
        }
        Record::Joined(r) => {
            shared(&mut r.fields);
            each(&mut r.save, value);
            r.keys.iter_mut().for_each(value);
        }
        Record::Issued(r) => shared(&mut r.with),
        Record::Reacted(r) => shared(&mut r.with),
        Record::ReactionOver(r) => r.failure.iter_mut().for_each(words),
        Record::Matched(r) => each(&mut r.save, value),
        Record::Outcome(r) => {
            r.echo.iter_mut().for_each(&mut shared);
            r.reason.iter_mut().for_each(words);
            each(&mut r.save, value);
        }
        Record::Emitted(r) => shared(&mut r.fields),
        Record::Signalled(r) => {
            shared(&mut r.fields);
            r.reason.iter_mut().for_each(words);
        }
        Record::Backoff(r) => words(&mut r.reason),
        Record::Undoing(r) => words(&mut r.reason),
        Record::Probing(r) => words(&mut r.reason),
        Record::Unwinding(r) | Record::Recalled(r) => words(&mut r.reason),
        Record::Child(r) => {
            r.result.iter_mut().for_each(&mut shared);
            r.reason.iter_mut().for_each(words);
        }
        Record::Undone(r) => r.reason.iter_mut().for_each(words),
        Record::Finishing(r)
        | Record::Ended(r)
        | Record::Dropped(r)
        | Record::Settled(r)
        | Record::Held(r) => {
            r.result.iter_mut().for_each(&mut shared);
            r.reason.iter_mut().for_each(words);
        }
        Record::Retried(r) | Record::Resolved(r) => words(&mut r.reason),
        Record::Boot(_)
        | Record::Stopped(_)
        | Record::Clock(_)
        | Record::Scheduled(_)
        | Record::Unscheduled(_)
        | Record::Ticked(_)
        | Record::ProcessSpawned(_)
        | Record::ProcessExited(_)
        | Record::Lifecycle(_)
        | Record::SessionOpened(_)
        | Record::SessionClosed(_)
        | Record::Dequeued(_)
        | Record::Reissued(_)
        | Record::Entered(_)
        | Record::Armed(_)
        | Record::Sent(_)
        | Record::Refused(_)
        | Record::Late(_) => {}
    }
}

fn hide_words(words: &mut Arc<str>, text: &dyn Fn(&str) -> Option<String>) {
    if let Some(hidden) = text(words) {
        *words = Arc::from(hidden);
    }
}

fn each(map: &mut Map<String, Value>, value: &mut dyn FnMut(&mut Value)) {
    map.values_mut().for_each(value);
}
