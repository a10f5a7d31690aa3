//! Steps read into their types, nested ones included. Looks no name up.

use crate::definition::await_::Await;
use crate::definition::keys::{
    BACKOFFS, BRANCH_WORDS, COMPENSATE, FOR_EACH, JOINS, Mapping, ON_TIMEOUT, PROBE, RETRY,
    RETRY_ON, ROOTS, STEP, UNDO_STEP, VERBS,
};
use crate::definition::read::findings::YamlLimit;
use crate::definition::read::node::{Kind, Node};
use crate::definition::read::object::{Object, free_map, list, unless_none};
use crate::definition::read::scalar::{
    bound, check_name, condition, duration, flag, integer, name, names, share, string, word,
};
use crate::definition::read::values::values;
use crate::definition::read::waits;
use crate::definition::step::{
    Backoff, Branch, Compensate, ForEach, Join, OnTimeout, Probe, Retry, RetryChoice, RetryOn,
    Step, Verb,
};
use crate::definition::value::Named;
use crate::diag::{At, Diagnostics, Span};
use crate::limits;

/// Where a step stands, as far as it decides which keys belong there.
#[derive(Clone, Copy)]
pub struct Place {
    /// In `compensate`, at any depth.
    undoing: bool,
    /// In `finally`, at any depth.
    finally: bool,
    /// Inside something with a `retry` of its own.
    retried: bool,
    /// In a branch, at any depth.
    branch: bool,
    depth: usize,
}

impl Place {
    /// The way forward.
    pub const STEPS: Place =
        Place { undoing: false, finally: false, retried: false, branch: false, depth: 0 };
    /// The steps of every end.
    pub const FINALLY: Place = Place { finally: true, ..Place::STEPS };

    fn deeper(self) -> Place {
        Place { depth: self.depth + 1, ..self }
    }

    fn mapping(self) -> &'static Mapping {
        if self.undoing { &UNDO_STEP } else { &STEP }
    }
}

/// A list of steps.
pub fn steps(place: Place, node: Node, key: &str, out: &mut Diagnostics) -> Option<Vec<Step>> {
    if place.depth > limits::STEP_DEPTH_MAX {
        out.add_too_large(node.span, YamlLimit::StepDepth);
        return None;
    }
    let items = list(node, key, out)?;
    let read = |item| {
        let object = Object::read(item, "a step", place.mapping(), out)?;
        step(place, object, out)
    };
    Some(items.into_iter().filter_map(read).collect())
}

/// One step out of a mapping that has the keys of a step.
fn step(place: Place, mut object: Object, out: &mut Diagnostics) -> Option<Step> {
    let o = &mut object;
    forbid_by_place(place, o, out);
    let id = o.take_known("id").and_then(|node| name(node, "id", out));
    let retry = o.read_key("retry", out, retry);
    let tries_again = match retry.as_ref().map(|at| &at.value) {
        Some(RetryChoice::Retry(retry)) => retry.attempts.value > 1,
        Some(RetryChoice::None) | None => false,
    };
    let inner = Place { retried: place.retried || tries_again, ..place }.deeper();
    let condition = o.read_key("if", out, condition);
    let wait = o.read_key("await", out, waits::wait);
    let verb = verb(inner, o, out);
    let fail_on = o.read_key("fail_on", out, waits::fail_on).unwrap_or_default();
    let timeout = o.read_key("timeout", out, bound);
    let on_timeout =
        o.read_key("on_timeout", out, |node, key, out| on_timeout(place.deeper(), node, key, out));
    let probe = match o.take_known("probe") {
        Some(node) => unless_none(node).ok().and_then(|node| probe(node, out)).map(Box::new),
        None => None,
    };
    let compensate = match o.take_known("compensate") {
        Some(node) => compensate(inner, node, out),
        None => None,
    };
    let pivot = mark("pivot", o, out);
    let best_effort = mark("best_effort", o, out);
    let span = o.span;
    object.finish();
    let (verb, verb_span) = match verb {
        Some(verb) => verb,
        None => {
            let wait = wait.as_ref()?;
            if wait.value == Await::None {
                let hint = "alone it would do nothing; `none` goes with a command";
                out.add_one_of(wait.span, "a step that awaits `none`", VERBS, hint);
            }
            (Verb::Await, wait.span)
        }
    };
    Some(Step {
        span,
        id,
        verb,
        verb_span,
        condition,
        wait,
        fail_on,
        timeout,
        on_timeout,
        retry,
        probe,
        compensate,
        pivot,
        best_effort,
    })
}

/// The verb and the place of its key; the first one where several are written.
fn verb(inner: Place, o: &mut Object, out: &mut Diagnostics) -> Option<(Verb, Span)> {
    let with = o.read_key("with", out, values);
    let fields = |with: Option<At<Vec<Named>>>| match with {
        Some(with) => (with.value, Some(with.span)),
        None => (Vec::new(), None),
    };
    let join = o.take_known("join");
    let mut chosen = None;
    let mut with = Some(with);
    let mut join = Some(join);
    for key in VERBS {
        let Some(at) = o.place(key) else { continue };
        let Some(node) = o.take_known(key) else { continue };
        let read = match *key {
            "issue" => name(node, key, out).map(|command| {
                let (with, with_span) = fields(with.take().flatten());
                Verb::Issue { command, with, with_span }
            }),
            "emit" => name(node, key, out).map(|event| {
                let (with, with_span) = fields(with.take().flatten());
                Verb::Emit { event, with, with_span }
            }),
            "delay" => duration(node, key, out).map(Verb::Delay),
            "group" => steps(inner, node, key, out).map(Verb::Group),
            "parallel" => {
                let join = join_of(join.take().flatten(), at, out);
                parallel(inner, node, join, out)
            }
            "for_each" => {
                let join = join_of(join.take().flatten(), at, out);
                let list = o.take_known("steps");
                for_each(inner, (node, at), list, join, out)
            }
            "call" => name(node, key, out).map(|saga| {
                let (with, with_span) = fields(with.take().flatten());
                Verb::Call { saga, with, with_span }
            }),
            "fail" => string(node, key, out).map(Verb::Fail),
            "done" => done(inner, node, at, out),
            other => unreachable!("`{other}` is in the table of verbs and is read here"),
        };
        chosen = chosen.or(read.map(|verb| (verb, at)));
    }
    chosen
}

/// How branches end together, which has to be said.
fn join_of(node: Option<Node>, at: Span, out: &mut Diagnostics) -> Option<At<Join>> {
    let Some(node) = node else {
        if let Some(key) = STEP.key("join") {
            out.add_missing_key(key, at, &STEP);
        }
        return None;
    };
    let known = [(JOINS[0], Join::All), (JOINS[1], Join::Any), (JOINS[2], Join::Settled)];
    word(node, "join", &known, out)
}

/// One branch an element of a list.
fn for_each(
    inner: Place,
    (node, at): (Node, Span),
    list: Option<Node>,
    join: Option<At<Join>>,
    out: &mut Diagnostics,
) -> Option<Verb> {
    let mut object = Object::read(node, "for_each", &FOR_EACH, out)?;
    let o = &mut object;
    let over = o.read_key("in", out, condition);
    let element = o.take("as").and_then(|node| name(node, "as", out));
    let max_parallel = o.read_key("max_parallel", out, |node, key, out| integer(node, key, 1, out));
    let collect = o.read_key("collect", out, condition);
    object.finish();
    if let Some(name) = element.as_ref().filter(|name| ROOTS.contains(&name.value.as_str())) {
        let why = "expressions call something else so";
        out.add_reserved_name(&name.value, name.span, "an element", why);
    }
    let Some(list) = list else {
        if let Some(key) = STEP.key("steps") {
            out.add_missing_key(key, at, &STEP);
        }
        return None;
    };
    let span = list.span;
    let steps = steps(Place { branch: true, ..inner }, list, "steps", out)?;
    let most = |at: At<u64>| At::new(u32::try_from(at.value).unwrap_or(u32::MAX), at.span);
    Some(Verb::ForEach(Box::new(ForEach {
        over: over?,
        element: element?,
        max_parallel: max_parallel.map(most),
        collect,
        roof: Step::roof(span, at, steps),
        join: join?,
    })))
}

/// The branches of a `parallel`, each a list of steps under its name.
fn parallel(
    inner: Place,
    node: Node,
    join: Option<At<Join>>,
    out: &mut Diagnostics,
) -> Option<Verb> {
    let span = node.span;
    let (_, lists) = free_map(node, "parallel", out)?;
    if lists.is_empty() {
        let help = "write each branch as a name and a list of steps";
        out.add_wrong_shape_help(span, "parallel", "branches", "an empty mapping", help);
        return None;
    }
    let place = Place { branch: true, ..inner };
    let mut branches = Vec::with_capacity(lists.len());
    for (name, node) in lists {
        check_name(&name, "a branch", out);
        if BRANCH_WORDS.contains(&name.value.as_str()) {
            let why = "paths like `ID.undo` would mean two things";
            out.add_reserved_name(&name.value, name.span, "a branch", why);
        }
        let span = node.span;
        let Some(steps) = steps(place, node, &name.value, out) else { continue };
        branches.push(Branch { roof: Step::roof(span, name.span, steps), name });
    }
    Some(Verb::Parallel { branches, join: join? })
}

fn done(inner: Place, node: Node, at: Span, out: &mut Diagnostics) -> Option<Verb> {
    if inner.finally {
        out.add_key_not_here("done", at, "cannot stand in `finally`", "the saga ends there anyway");
    } else if inner.retried {
        let help = "end the saga in a step after the one that is retried";
        out.add_key_not_here("done", at, "cannot stand inside a `retry`", help);
    } else if inner.branch {
        let help = "the others still run: end the saga in a step after the branches";
        out.add_key_not_here("done", at, "cannot stand in a branch", help);
    }
    let span = node.span;
    let word = flag(node, "done", out)?;
    if !word.value {
        out.add_wrong_shape(span, "done", "`true`", "`false`");
    }
    Some(Verb::Done)
}

/// A flag that means something only when it is true.
fn mark(key: &'static str, o: &mut Object, out: &mut Diagnostics) -> Option<Span> {
    let node = o.take_known(key)?;
    flag(node, key, out).filter(|word| word.value).and(o.place(key))
}

fn forbid_by_place(place: Place, o: &mut Object, out: &mut Diagnostics) {
    if place.finally && !place.undoing {
        let help = "`finally` runs after undoing; use `best_effort: true` or a `retry`";
        let is_none = o.peek("compensate").is_some_and(
            |node| matches!(&node.kind, Kind::Scalar(scalar) if scalar.value() == "none"),
        );
        if !is_none {
            o.forbid("compensate", "has no meaning in `finally`: nothing undoes it", help, out);
        }
        o.forbid("pivot", "has no meaning in `finally`: the way forward is over", "", out);
    }
}

fn on_timeout(inner: Place, node: Node, key: &str, out: &mut Diagnostics) -> Option<At<OnTimeout>> {
    let span = node.span;
    if let Kind::List(_) = node.kind {
        return steps(inner, node, key, out).map(|list| At::new(OnTimeout::Steps(list), span));
    }
    if let Kind::Map(_) = node.kind {
        let help = "the steps are a list: begin each with `- `";
        let must = "`fail`, `continue` or a list of steps";
        out.add_wrong_shape_help(span, key, must, "a mapping", help);
        return None;
    }
    let known = [(ON_TIMEOUT[0], true), (ON_TIMEOUT[1], false)];
    word(node, key, &known, out).map(|fails| {
        At::new(if fails.value { OnTimeout::Fail } else { OnTimeout::Continue }, fails.span)
    })
}

fn compensate(inner: Place, node: Node, out: &mut Diagnostics) -> Option<At<Compensate>> {
    let node = match unless_none(node) {
        Ok(node) => node,
        Err(span) => return Some(At::new(Compensate::None, span)),
    };
    let span = node.span;
    if let Kind::List(_) = node.kind {
        let help = "several undoing steps are one `group: [ … ]`";
        let must = "one step or the word `none`";
        out.add_wrong_shape_help(span, "compensate", must, "a list", help);
        return None;
    }
    let mut object = Object::read(node, "compensate", &COMPENSATE, out)?;
    let covers = object.read_key("covers", out, names).unwrap_or_default();
    let place = Place { undoing: true, retried: false, ..inner };
    let step = Box::new(step(place, object, out)?);
    Some(At::new(Compensate::Step { step, covers }, span))
}

/// `probe`: a step of few keys, and what its answer means.
fn probe(node: Node, out: &mut Diagnostics) -> Option<Probe> {
    let mut object = Object::read(node, "probe", &PROBE, out)?;
    let o = &mut object;
    let (span, at) = (o.span, o.place("issue").unwrap_or(o.head));
    let command = o.read_key("issue", out, name);
    let with = o.read_key("with", out, values);
    let wait = o.read_key("await", out, waits::wait);
    let timeout = o.read_key("timeout", out, bound);
    let done_when = o.read_key("done_when", out, condition);
    let save = o.read_key("save", out, values).map(|save| save.value).unwrap_or_default();
    object.finish();
    for one in wait.iter().flat_map(|wait| wait.value.alternatives()) {
        if let Some(first) = one.save.first() {
            let help = "write `save` beside `done_when`: it counts only where the step was done";
            out.add_key_not_here("save", first.name.span, "belongs to the probe", help);
        }
    }
    let with_span = with.as_ref().map(|with| with.span);
    let with = with.map(|with| with.value).unwrap_or_default();
    let verb = Verb::Issue { command: command?, with, with_span };
    let step = Step { verb, wait: Some(wait?), timeout, ..Step::roof(span, at, Vec::new()) };
    Some(Probe { step, done_when: done_when?, save })
}

/// `retry`.
pub fn retry(node: Node, key: &str, out: &mut Diagnostics) -> Option<At<RetryChoice>> {
    let node = match unless_none(node) {
        Ok(node) => node,
        Err(span) => return Some(At::new(RetryChoice::None, span)),
    };
    let span = node.span;
    let mut object = Object::read(node, key, &RETRY, out)?;
    let o = &mut object;
    let backoffs = [
        (BACKOFFS[0], Backoff::Constant),
        (BACKOFFS[1], Backoff::Linear),
        (BACKOFFS[2], Backoff::Exponential),
    ];
    let attempts = o.read_key("attempts", out, |node, key, out| integer(node, key, 1, out));
    let backoff = o.read_key("backoff", out, |node, key, out| word(node, key, &backoffs, out));
    let delay = o.read_key("delay", out, duration);
    let max_delay = o.read_key("max_delay", out, duration);
    let jitter = o.read_key("jitter", out, share);
    let on = o.read_key("on", out, retry_on);
    object.finish();
    let attempts = attempts?;
    let attempts = At::new(u32::try_from(attempts.value).unwrap_or(u32::MAX), attempts.span);
    let retry = Retry { attempts, backoff: backoff?, delay: delay?, max_delay, jitter, on: on? };
    Some(At::new(RetryChoice::Retry(retry), span))
}

fn retry_on(node: Node, key: &str, out: &mut Diagnostics) -> Option<Vec<At<RetryOn>>> {
    let known = [
        (RETRY_ON[0], RetryOn::Timeout),
        (RETRY_ON[1], RetryOn::Unreachable),
        (RETRY_ON[2], RetryOn::Failed),
    ];
    let items = list(node, key, out)?;
    let read = |item| word(item, "an entry of `on`", &known, out);
    Some(items.into_iter().filter_map(read).collect())
}
