//! One record as one line of words for a timeline. Looks at nothing but the records before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::StepState;
use crate::saga::record::{
    Began, Cause, Child, Emitted, Ending, Fate, Issued, Joined, Operator, Outcome, Pause, Reacted,
    Record, Signalled, State, Undone, Verdict,
};

/// Bytes of a payload that a line of a timeline shows.
const PAYLOAD_SHOWN: usize = 600;

/// What the words of a later record refer to.
#[derive(Default)]
pub(super) struct Story {
    /// The newest command of each step.
    commands: BTreeMap<Arc<str>, Arc<str>>,
}

impl Story {
    /// The line of a record; `None` for what tells a person nothing.
    pub(super) fn line(&mut self, record: &Record) -> Option<String> {
        Some(match record {
            Record::Began(began) => begin(began),
            Record::Dequeued(_) => "its turn has come".to_owned(),
            Record::Joined(joined) => join(joined),
            Record::Issued(issued) => {
                self.commands.insert(issued.step.clone(), issued.command_id.clone());
                issue(issued)
            }
            Record::Reissued(again) => {
                let command = self.commands.get(&again.step).map_or("the same", |id| &**id);
                format!("asked again as {command}, attempt {}", again.attempt)
            }
            Record::Entered(entered) if entered.attempt > 1 => {
                format!("waits, attempt {}", entered.attempt)
            }
            Record::Entered(_) => "waits".to_owned(),
            Record::Armed(_) => "its target is back, its time runs".to_owned(),
            Record::Sent(_) => "sent, nothing is awaited".to_owned(),
            Record::Matched(matched) => {
                format!("alternative {} of all came", matched.alternative + 1)
            }
            Record::Event(event) => {
                format!("{} from {}", named(&event.name, &event.fields), event.client)
            }
            Record::Outcome(outcome) => end_of_step(outcome),
            Record::Backoff(pause) => back_off(pause),
            Record::Undoing(undoing) => {
                format!("attempt failed ({}): {}; undoing it", word(undoing.cause), undoing.reason)
            }
            Record::Probing(probing) => {
                format!("in doubt ({}): {}; its probe asks", word(probing.cause), probing.reason)
            }
            Record::Emitted(emitted) => emit(emitted),
            Record::Unwinding(unwinding) => {
                format!("turns around ({}): {}", word(unwinding.cause), unwinding.reason)
            }
            Record::Undone(undone) => end_of_undo(undone),
            Record::Finishing(verdict) => format!("will end {}; finally first", brief(verdict)),
            Record::Ended(verdict) => format!("ended {}", full(verdict)),
            Record::Dropped(verdict) => format!("ended before it started: {}", full(verdict)),
            Record::Settled(verdict) => format!("ended anew {}", full(verdict)),
            Record::Refused(refused) => format!("{} refused: {}", refused.what, refused.why),
            Record::Late(late) => format!("{} came too late to matter", late.what),
            Record::Reacted(reacted) => react(reacted),
            Record::ReactionOver(over) => match &over.failure {
                Some(failure) => format!("failed, and nothing follows: {failure}"),
                None => "sent, nothing is awaited".to_owned(),
            },
            Record::Signalled(signalled) => signal(signalled),
            Record::Child(child) => child_of(child),
            Record::Held(_) => "its steps are done; held while its caller may undo it".to_owned(),
            Record::Recalled(recalled) => recalled.reason.to_string(),
            Record::Retried(operator) => said("retry", operator),
            Record::Resolved(operator) => said("resolved", operator),
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
            | Record::SessionClosed(_) => return None,
        })
    }
}

/// The record's kind, as the log spells it.
pub(super) fn kind(record: &Record) -> &'static str {
    match record {
        Record::Boot(_) => "boot",
        Record::Stopped(_) => "stopped",
        Record::Clock(_) => "clock",
        Record::Scheduled(_) => "scheduled",
        Record::Unscheduled(_) => "unscheduled",
        Record::Ticked(_) => "ticked",
        Record::Event(_) => "event",
        Record::ProcessSpawned(_) => "process_spawned",
        Record::ProcessExited(_) => "process_exited",
        Record::Lifecycle(_) => "lifecycle",
        Record::SessionOpened(_) => "session_opened",
        Record::SessionClosed(_) => "session_closed",
        Record::Began(_) => "began",
        Record::Dequeued(_) => "dequeued",
        Record::Joined(_) => "joined",
        Record::Issued(_) => "issued",
        Record::Reissued(_) => "reissued",
        Record::Entered(_) => "entered",
        Record::Armed(_) => "armed",
        Record::Sent(_) => "sent",
        Record::Matched(_) => "matched",
        Record::Outcome(_) => "outcome",
        Record::Backoff(_) => "backoff",
        Record::Undoing(_) => "undoing",
        Record::Probing(_) => "probing",
        Record::Emitted(_) => "emitted",
        Record::Unwinding(_) => "unwinding",
        Record::Undone(_) => "undone",
        Record::Finishing(_) => "finishing",
        Record::Ended(_) => "ended",
        Record::Dropped(_) => "dropped",
        Record::Refused(_) => "refused",
        Record::Late(_) => "late",
        Record::Reacted(_) => "reacted",
        Record::ReactionOver(_) => "reaction_over",
        Record::Signalled(_) => "signalled",
        Record::Child(_) => "child",
        Record::Held(_) => "held",
        Record::Recalled(_) => "recalled",
        Record::Retried(_) => "retried",
        Record::Resolved(_) => "resolved",
        Record::Settled(_) => "settled",
    }
}

/// The state that a step, or the saga, comes to by the record.
pub(super) fn state(record: &Record) -> Option<&'static str> {
    let step = match record {
        Record::Issued(_) | Record::Reissued(_) => StepState::Issued,
        Record::Entered(_) => StepState::Waiting,
        Record::Backoff(_) => StepState::BackingOff,
        Record::Undoing(_) => StepState::Undoing,
        Record::Probing(_) => StepState::Probing,
        Record::Outcome(outcome) => StepState::of(outcome.outcome),
        Record::Undone(undone) if undone.ok => StepState::Compensated,
        Record::Undone(_) => StepState::CompensationFailed,
        Record::Began(began) => {
            let state = if began.queued { State::Queued } else { State::Running };
            return Some(state.as_str());
        }
        Record::Dequeued(_) => return Some(State::Running.as_str()),
        Record::Unwinding(_) => return Some(State::Compensating.as_str()),
        Record::Ended(verdict) | Record::Dropped(verdict) | Record::Settled(verdict) => {
            return Some(verdict.state.as_str());
        }
        Record::Joined(_)
        | Record::Armed(_)
        | Record::Sent(_)
        | Record::Matched(_)
        | Record::Event(_)
        | Record::Emitted(_)
        | Record::Finishing(_)
        | Record::Refused(_)
        | Record::Late(_)
        | Record::Signalled(_)
        | Record::Reacted(_)
        | Record::ReactionOver(_)
        | Record::Child(_)
        | Record::Held(_)
        | Record::Recalled(_)
        | Record::Retried(_)
        | Record::Resolved(_)
        | Record::Boot(_)
        | Record::Stopped(_)
        | Record::Clock(_)
        | Record::Scheduled(_)
        | Record::Unscheduled(_)
        | Record::Ticked(_)
        | Record::ProcessSpawned(_)
        | Record::ProcessExited(_)
        | Record::Lifecycle(_)
        | Record::SessionOpened(_)
        | Record::SessionClosed(_) => return None,
    };
    Some(step.as_str())
}

fn word(cause: Cause) -> &'static str {
    cause.as_str()
}

/// Fields as one compact object; nothing for none.
fn payload(fields: &Value) -> String {
    match fields {
        Value::Object(map) if map.is_empty() => String::new(),
        Value::Null => String::new(),
        Value::Object(_)
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_) => clip(fields.to_string()),
    }
}

/// A name with its fields, if there are any.
fn named(name: &str, fields: &Value) -> String {
    match payload(fields) {
        empty if empty.is_empty() => name.to_owned(),
        fields => format!("{name} {fields}"),
    }
}

/// A text that is longer than a person reads, cut; the whole of it is with the step, or in the log.
fn clip(text: String) -> String {
    if text.len() <= PAYLOAD_SHOWN {
        return text;
    }
    let head: String = text.chars().take(PAYLOAD_SHOWN / 2).collect();
    format!("{head}… ({} bytes)", text.len())
}

fn begin(began: &Began) -> String {
    let from = match (&began.parent, &began.client) {
        (Some(parent), _) => format!(" from saga {}, step {}", parent.saga, parent.step),
        (None, Some(client)) => format!(" from {client}"),
        (None, None) => String::new(),
    };
    let how = if began.queued { "queued" } else { "began" };
    let aside = if began.observes { ", and observes: nothing is sent" } else { "" };
    let line = format!("{how} by {}{from} {}", began.trigger, payload(&began.fields));
    format!("{}{aside}", line.trim_end())
}

fn join(joined: &Joined) -> String {
    let from = joined.client.as_ref().map_or(String::new(), |client| format!(" from {client}"));
    let mut line = format!("joined by {}{from}", named(&joined.trigger, &joined.fields));
    if !joined.save.is_empty() {
        line.push_str(&format!(", saved {}", Value::Object(joined.save.clone())));
    }
    line
}

/// What became of a sub-saga.
fn child_of(child: &Child) -> String {
    let id = child.child;
    let what = match child.fate {
        Fate::Begun => format!("saga {id} is under way"),
        Fate::Committed => format!("saga {id} is past its point of no return"),
        Fate::Held => format!("saga {id} has done its steps, and can still be undone"),
        Fate::Completed => format!("saga {id} completed"),
        Fate::Failed => format!("saga {id} failed"),
        Fate::Compensated => format!("saga {id} is undone"),
        Fate::FailedCompensation => format!("saga {id} failed and could not be undone"),
        Fate::Resolved => format!("saga {id} was resolved"),
    };
    child.reason.as_ref().map_or(what.clone(), |reason| format!("{what}: {reason}"))
}

fn issue(issued: &Issued) -> String {
    let attempt = match issued.attempt {
        1 => String::new(),
        attempt => format!(", attempt {attempt}"),
    };
    let Issued { target, cmd, command_id, with, .. } = issued;
    let to = addressed(target, issued.observed);
    format!("{to}: {} as {command_id}{attempt}", named(cmd, with))
}

fn end_of_step(outcome: &Outcome) -> String {
    let ended = match outcome.outcome {
        Ending::Succeeded => "succeeded",
        Ending::Failed => "failed",
        Ending::InDoubt => "in doubt",
        Ending::Skipped => "skipped",
    };
    let mut line = ended.to_owned();
    if let Some(cause) = outcome.cause {
        line.push_str(&format!(" ({})", word(cause)));
    }
    if let Some(reason) = &outcome.reason {
        line.push_str(&format!(": {reason}"));
    }
    if !outcome.save.is_empty() {
        line.push_str(&format!(", saved {}", Value::Object(outcome.save.clone())));
    }
    line
}

fn back_off(pause: &Pause) -> String {
    let doubt = if pause.in_doubt { "in doubt" } else { "failed" };
    let until = pause.until;
    format!("{doubt} ({}): {}; tries again at {until}", word(pause.cause), pause.reason)
}

fn end_of_undo(undone: &Undone) -> String {
    match (&undone.reason, undone.ok) {
        (_, true) => "compensated".to_owned(),
        (Some(reason), false) => format!("could not be undone: {reason}"),
        (None, false) => "could not be undone".to_owned(),
    }
}

fn brief(verdict: &Verdict) -> String {
    let state = verdict.state.as_str();
    verdict.cause.map_or(state.to_owned(), |cause| format!("{state} ({})", word(cause)))
}

fn full(verdict: &Verdict) -> String {
    let mut line = brief(verdict);
    if let Some(reason) = &verdict.reason {
        line.push_str(&format!(": {reason}"));
    }
    if let Some(result) = &verdict.result {
        line.push_str(&format!(" with {result}"));
    }
    line
}

fn react(reacted: &Reacted) -> String {
    let Reacted { target, cmd, command_id, with, .. } = reacted;
    let to = addressed(target, reacted.observed);
    format!("{to}: {} as {command_id}", named(cmd, with))
}

fn emit(emitted: &Emitted) -> String {
    let what = named(&emitted.event, &emitted.fields);
    if emitted.observed { format!("not emitted: {what}") } else { format!("emitted {what}") }
}

/// Whom a command goes to, or would.
fn addressed(target: &str, observed: bool) -> String {
    if observed { format!("not sent to {target}") } else { format!("to {target}") }
}

fn signal(said: &Signalled) -> String {
    let line = format!("{} from {}", named(&said.signal, &said.fields), said.by);
    said.reason.as_ref().map_or(line.clone(), |reason| format!("{line}: {reason}"))
}

fn said(what: &str, operator: &Operator) -> String {
    let Operator { by, reason } = operator;
    if reason.is_empty() { format!("{what} by {by}") } else { format!("{what} by {by}: {reason}") }
}
