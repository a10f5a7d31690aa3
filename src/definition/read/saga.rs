//! A `*.saga.yaml` read into its type. Looks no name up and parses no expression.

use std::sync::Arc;

use crate::definition::catalog::EventDecl;
use crate::definition::duration::{Bound, DURATION_MAX};
use crate::definition::fields::Fields;
use crate::definition::keys::{
    CALL, DEFAULTS, EVICTION, MODES, ON_RESTART, ON_SHUTDOWN, POLICIES, REQUIRE, SAGA, SCHEDULE,
    SIGNAL_DECL, SIGNALS, TRIGGER, TRIGGER_ALTERNATIVE,
};
use crate::definition::read::findings::YamlLimit;
use crate::definition::read::node::{Kind, Node};
use crate::definition::read::object::{Object, free_map, list};
use crate::definition::read::scalar::{
    bound, check_name, condition, duration, integer, is_word, literal, name, string, text, word,
};
use crate::definition::read::step::{Place, retry, steps};
use crate::definition::read::values::{inner_fields, values};
use crate::definition::read::waits::{cancel_on, reactions};
use crate::definition::saga::{
    Defaults, Eviction, Mode, OnRestart, OnShutdown, Policy, Require, Saga, Trigger,
    TriggerAlternative, TriggerKind,
};
use crate::definition::step::{Compensate, OnTimeout, Step, Verb};
use crate::definition::value::{Named, Text};
use crate::diag::{At, Diagnostics, Span};
use crate::limits;
use crate::time::{Cron, Schedule};

/// Reads a whole document. What cannot be read is left out, and the findings say so; `None` when
/// that is the name.
pub fn saga(node: Node, out: &mut Diagnostics) -> Option<Saga> {
    let mut object = Object::read(node, "a saga", &SAGA, out)?;
    let o = &mut object;
    let span = o.span;
    let name = o.read_key("saga", out, name);
    let doc = o.read_key("doc", out, text);
    let labels = o.read_key("labels", out, labels).unwrap_or_default();
    let trigger = o.read_key("trigger", out, trigger);
    let input = o.read_key("input", out, values);
    let vars = o.read_key("vars", out, values).map(|vars| vars.value).unwrap_or_default();
    let require = o.read_key("require", out, require).unwrap_or_default();
    let eviction = o.read_key("eviction", out, eviction);
    let timeout = o.read_key("timeout", out, bound);
    let defaults = o.read_key("defaults", out, defaults).unwrap_or_default();
    let forward = o.read_key("steps", out, |node, key, out| steps(Place::STEPS, node, key, out));
    let finally =
        o.read_key("finally", out, |node, key, out| steps(Place::FINALLY, node, key, out));
    let result = o.read_key("result", out, values).map(|result| result.value);
    let cancel_on = o.read_key("cancel_on", out, cancel_on).unwrap_or_default();
    let reactions = o.read_key("reactions", out, reactions).unwrap_or_default();
    let signals = o.read_key("signals", out, signals).unwrap_or_default();
    let always = o.read_key("always", out, always).unwrap_or_default();
    let restart = [
        (ON_RESTART[0], OnRestart::Resume),
        (ON_RESTART[1], OnRestart::Compensate),
        (ON_RESTART[2], OnRestart::Fail),
    ];
    let on_restart = o.read_key("on_restart", out, |node, key, out| word(node, key, &restart, out));
    let shutdown = [(ON_SHUTDOWN[0], OnShutdown::Park), (ON_SHUTDOWN[1], OnShutdown::Cancel)];
    let on_shutdown =
        o.read_key("on_shutdown", out, |node, key, out| word(node, key, &shutdown, out));
    let modes = [(MODES[0], Mode::Live), (MODES[1], Mode::Observe)];
    let mode = o.read_key("mode", out, |node, key, out| word(node, key, &modes, out));
    object.finish();
    let trigger = trigger.unwrap_or_else(|| Trigger { span, alternatives: Vec::new() });
    check_inputs(&trigger, input.as_ref(), out);
    let saga = Saga {
        span,
        name: name?,
        doc,
        labels,
        trigger,
        input: input.map(|input| input.value).unwrap_or_default(),
        vars,
        require,
        eviction: eviction.unwrap_or_else(|| unsaid_eviction(span)),
        timeout: timeout.unwrap_or(At::new(Bound::After(DURATION_MAX), span)),
        defaults,
        steps: forward.unwrap_or_default(),
        finally: finally.unwrap_or_default(),
        result: result.unwrap_or_default(),
        cancel_on,
        reactions,
        signals,
        always,
        on_restart: on_restart.map_or(OnRestart::Resume, |at| at.value),
        on_shutdown: on_shutdown.map_or(OnShutdown::Park, |at| at.value),
        mode: mode.map_or(Mode::Live, |at| at.value),
    };
    if count(&saga.steps) + count(&saga.finally) > limits::STEPS_MAX {
        out.add_too_large(saga.name.span, YamlLimit::Steps);
    }
    Some(saga)
}

/// Stands for a policy that is not said, so that whatever else is wrong is found in the same run.
/// The finding about it keeps the saga from running.
fn unsaid_eviction(span: Span) -> Eviction {
    let policy = At::new(Policy::Ignore, span);
    Eviction { span, key: Vec::new(), policy, queue_max: None, save: Vec::new() }
}

/// All steps of a list, nested ones included.
fn count(steps: &[Step]) -> usize {
    let one = |step: &Step| {
        let group = match &step.verb {
            Verb::Group(inner) => count(inner),
            Verb::ForEach(each) => count(std::slice::from_ref(&each.roof)),
            Verb::Parallel { branches, .. } => {
                branches.iter().map(|one| count(std::slice::from_ref(&one.roof))).sum()
            }
            Verb::Issue { .. }
            | Verb::Await
            | Verb::Emit { .. }
            | Verb::Delay(_)
            | Verb::Call { .. }
            | Verb::Fail(_)
            | Verb::Done => 0,
        };
        let instead = match step.on_timeout.as_ref().map(|at| &at.value) {
            Some(OnTimeout::Steps(inner)) => count(inner),
            Some(OnTimeout::Fail | OnTimeout::Continue) | None => 0,
        };
        let probe = usize::from(step.probe.is_some());
        let undo = match step.compensate.as_ref().map(|at| &at.value) {
            Some(Compensate::Step { step, .. }) => count(std::slice::from_ref(step)),
            Some(Compensate::None) | None => 0,
        };
        1 + group + instead + probe + undo
    };
    steps.iter().map(one).sum()
}

fn labels(node: Node, key: &str, out: &mut Diagnostics) -> Option<Vec<(At<String>, At<String>)>> {
    let (_, pairs) = free_map(node, key, out)?;
    let read = |(name, node): (At<String>, Node)| {
        let value = literal(node, &name.value, out)?;
        Some((name, value))
    };
    Some(pairs.into_iter().filter_map(read).collect())
}

fn trigger(node: Node, key: &str, out: &mut Diagnostics) -> Option<Trigger> {
    let span = node.span;
    let mut object = Object::read(node, key, &TRIGGER, out)?;
    let many = object.read_key("any_of", out, |node, key, out| {
        let items = list(node, key, out)?;
        let wanted = items.len();
        let mut read = Vec::new();
        for item in items {
            let what = "an alternative of a trigger";
            let Some(mut object) = Object::read(item, what, &TRIGGER_ALTERNATIVE, out) else {
                continue;
            };
            let input = object.read_key("input", out, values).map(|input| input.value);
            read.extend(alternative(&mut object, input, out));
            object.finish();
        }
        (read.len() == wanted).then_some(read)
    });
    let alternatives = if object.has("any_of") {
        for key in ["event", "call", "schedule"] {
            object.take(key);
        }
        many
    } else {
        alternative(&mut object, None, out).map(|only| vec![only])
    };
    object.finish();
    Some(Trigger { span, alternatives: alternatives? })
}

fn alternative(
    object: &mut Object,
    input: Option<Vec<Named>>,
    out: &mut Diagnostics,
) -> Option<TriggerAlternative> {
    let span = object.span;
    let head = object.place("call").unwrap_or(object.head);
    let event = object.read_key("event", out, name);
    let when = object.read_key("when", out, condition);
    let call = object.read_key("call", out, |node, key, out| call(node, key, head, out));
    let schedule = object.read_key("schedule", out, schedule);
    let kind = match (event, call, schedule) {
        (Some(event), ..) => TriggerKind::Event { event, when },
        (None, Some(fields), _) => TriggerKind::Call { fields: Arc::new(fields) },
        (None, None, Some(schedule)) => TriggerKind::Schedule(schedule),
        (None, None, None) => return None,
    };
    Some(TriggerAlternative { span, kind, input })
}

fn call(node: Node, key: &str, span: Span, out: &mut Diagnostics) -> Option<EventDecl> {
    let mut object = Object::read(node, key, &CALL, out)?;
    let fields = if object.has("fields") {
        object.read_key("fields", out, inner_fields)?
    } else {
        Fields::default()
    };
    object.finish();
    Some(EventDecl {
        name: "call".into(),
        span,
        doc: String::new(),
        fields,
        bracket: false,
        owner: None,
    })
}

/// One that cannot be read is replaced, so that whatever else is wrong is found in the same run.
fn schedule(node: Node, key: &str, out: &mut Diagnostics) -> Option<At<Schedule>> {
    let mut object = Object::read(node, key, &SCHEDULE, out)?;
    let span = object.span;
    let every = object.read_key("every", out, duration);
    let cron = object.read_key("cron", out, string);
    object.finish();
    if let Some(every) = every {
        if every.value < limits::SCHEDULE_EVERY_MIN {
            out.add_schedule_too_often(every);
        }
        return Some(At::new(Schedule::Every(every.value), span));
    }
    let cron = cron?;
    if cron.value.contains("${{") {
        out.add_literal_expected(cron.span, "cron");
        return None;
    }
    let read = Cron::parse(&cron.value).map_err(|error| out.add_bad_cron(&cron, error));
    let schedule = read.map_or(Schedule::Every(DURATION_MAX), Schedule::Cron);
    Some(At::new(schedule, span))
}

/// Either the saga has an `input` or each alternative of its trigger has, never both.
fn check_inputs(trigger: &Trigger, input: Option<&At<Vec<Named>>>, out: &mut Diagnostics) {
    let own = trigger.alternatives.iter().filter(|alternative| alternative.input.is_some()).count();
    if own == 0 {
        return;
    }
    if let Some(input) = input {
        let why = "stands here and in an alternative of the trigger";
        out.add_key_not_here("input", input.span, why, "keep one of the two");
    }
    for alternative in trigger.alternatives.iter().filter(|other| other.input.is_none()) {
        let why = "is missing in this alternative, while another one has it";
        let help = "each alternative carries its own `input`, with the same names and types";
        out.add_key_not_here("input", alternative.span, why, help);
    }
}

fn require(node: Node, key: &str, out: &mut Diagnostics) -> Option<Vec<Require>> {
    let mut read = Vec::new();
    for item in list(node, key, out)? {
        let Some(mut object) = Object::read(item, "a guard", &REQUIRE, out) else { continue };
        let that = object.read_key("that", out, condition);
        let otherwise = object.read_key("otherwise", out, string);
        if let (Some(that), Some(otherwise)) = (that, otherwise) {
            read.push(Require { span: object.span, that, otherwise });
        }
        object.finish();
    }
    Some(read)
}

fn eviction(node: Node, key: &str, out: &mut Diagnostics) -> Option<Eviction> {
    if is_word(&node, "none") {
        let help = "where sagas never contend, write `eviction: { policy: parallel }`";
        out.add_wrong_shape_help(node.span, key, "a mapping", "the word `none`", help);
        return None;
    }
    let span = node.span;
    let mut object = Object::read(node, key, &EVICTION, out)?;
    let key = object.read_key("key", out, keys);
    let policy = object.read_key("policy", out, policy);
    let queue_max = object.read_key("queue_max", out, |node, key, out| integer(node, key, 1, out));
    if let (Some(At { value, .. }), Some(_)) = (&policy, &queue_max)
        && *value != Policy::Queue
    {
        let at = object.place("queue_max").unwrap_or(span);
        out.add_key_not_here("queue_max", at, "goes with `policy: queue`", "");
    }
    let save = object.read_key("save", out, values);
    if let (Some(At { value, .. }), Some(_)) = (&policy, &save)
        && *value != Policy::Join
    {
        let at = object.place("save").unwrap_or(span);
        out.add_key_not_here("save", at, "goes with `policy: join`", "");
    }
    object.finish();
    let key = key.unwrap_or_default();
    let policy = policy.unwrap_or(At::new(Policy::Ignore, span));
    let save = save.map(|save| save.value).unwrap_or_default();
    Some(Eviction { span, key, policy, queue_max, save })
}

fn policy(node: Node, key: &str, out: &mut Diagnostics) -> Option<At<Policy>> {
    let known = [
        (POLICIES[0], Policy::Replace),
        (POLICIES[1], Policy::Refuse),
        (POLICIES[2], Policy::Ignore),
        (POLICIES[3], Policy::Queue),
        (POLICIES[4], Policy::Parallel),
        (POLICIES[5], Policy::Join),
    ];
    word(node, key, &known, out)
}

/// One expression, or a list of them.
fn keys(node: Node, key: &str, out: &mut Diagnostics) -> Option<Vec<Text>> {
    if let Kind::List(_) = node.kind {
        let items = list(node, key, out)?;
        let read = |item| condition(item, key, out);
        return Some(items.into_iter().filter_map(read).collect());
    }
    condition(node, key, out).map(|only| vec![only])
}

/// What may be said to the saga. The engine's own signals keep their names.
fn signals(node: Node, key: &str, out: &mut Diagnostics) -> Option<Vec<Arc<EventDecl>>> {
    let (_, pairs) = free_map(node, key, out)?;
    let mut read = Vec::new();
    for (name, node) in pairs {
        check_name(&name, "a signal", out);
        if SIGNALS.contains(&name.value.as_str()) {
            let why = "every saga knows a signal of that name";
            out.add_reserved_name(&name.value, name.span, "a signal", why);
        }
        let Some(mut object) = Object::read(node, &name.value, &SIGNAL_DECL, out) else { continue };
        let doc = object.read_key("doc", out, text).map(|doc| doc.value).unwrap_or_default();
        let fields = object.read_key("fields", out, inner_fields).unwrap_or_default();
        object.finish();
        let (name, span) = (Arc::from(name.value), name.span);
        read.push(Arc::new(EventDecl { name, span, doc, fields, bracket: false, owner: None }));
    }
    Some(read)
}

/// A list of conditions.
fn always(node: Node, key: &str, out: &mut Diagnostics) -> Option<Vec<Text>> {
    let items = list(node, key, out)?;
    Some(items.into_iter().filter_map(|item| condition(item, key, out)).collect())
}

fn defaults(node: Node, key: &str, out: &mut Diagnostics) -> Option<Defaults> {
    let mut object = Object::read(node, key, &DEFAULTS, out)?;
    let timeout = object.read_key("timeout", out, bound);
    let retry = object.read_key("retry", out, retry);
    object.finish();
    Some(Defaults { timeout, retry })
}
