//! What a plan's expressions read: which fields decide something, and which facts of the past are
//! asked for later. Judges no values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::expr::{Ast, Part, Template, literals, reads};
use crate::plan::{Alternative, Body, Plan, Step, StepIx, Verb};

/// What a plan's expressions read.
#[derive(Clone, Debug, Default)]
pub struct Reads {
    /// Names that decide something, of whatever they are: a field, a variable, an input.
    deciding: BTreeSet<String>,
    /// Those of them that are not only compared with an incoming event.
    alone: BTreeSet<String>,
    /// Literals that stand in what decides.
    pub literals: Vec<Value>,
    /// Steps whose outcome, echo or attempts somebody reads, and when.
    steps: BTreeMap<StepIx, BTreeSet<Reader>>,
    /// Whether `saga.cause` or `saga.reason` is read.
    pub cause: bool,
    /// Who reads what is looked at now.
    reader: Reader,
}

/// When an expression is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// On the way forward.
    #[default]
    Forward,
    /// When that step is undone.
    Undo(StepIx),
    /// In `finally`, or at any time.
    Late,
}

/// When expressions of that step are read.
fn reader_of(plan: &Plan, ix: StepIx) -> Reader {
    let mut body = plan.step(ix).body;
    loop {
        match body {
            Body::Main => return Reader::Forward,
            Body::Finally => return Reader::Late,
            Body::Undo(owner) => return Reader::Undo(owner),
            Body::Group(owner)
            | Body::Branches(owner)
            | Body::OnTimeout(owner)
            | Body::Probe(owner) => body = plan.step(owner).body,
        }
    }
}

impl Reads {
    /// Reads all expressions of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Reads {
        let mut reads = Reads::default();
        let mut named: Vec<(&str, &Template)> = Vec::new();
        let trigger = &plan.trigger;
        for event in &trigger.events {
            event.when.iter().for_each(|ast| reads.decides(plan, ast));
            named.extend(event.input.iter().map(|(name, value)| (&**name, value)));
        }
        let call = trigger.call.iter().flat_map(|call| &call.input);
        named.extend(call.map(|(name, value)| (&**name, value)));
        plan.require.iter().for_each(|guard| reads.decides(plan, &guard.that));
        named.extend(plan.vars.iter().map(|(name, value)| (&**name, value)));
        plan.result.iter().for_each(|(_, value)| reads.fills(plan, value));
        reads.reader = Reader::Late;
        plan.always.iter().for_each(|ast| reads.decides(plan, ast));
        reads.reader = Reader::Forward;
        named.extend(plan.eviction.save.iter().map(|(name, value)| (&**name, value)));
        plan.cancel_on.iter().for_each(|on| reads.alternative(plan, on, &mut named));
        for one in &plan.reactions {
            reads.alternative(plan, &one.on, &mut named);
            if let Verb::Issue { with, .. } | Verb::Emit { with, .. } = &one.deed {
                with.iter().for_each(|(_, value)| reads.fills(plan, value));
            }
        }
        named.iter().for_each(|(_, value)| reads.fills(plan, value));
        for (ix, step) in (0u32..).map(StepIx).zip(&plan.steps) {
            reads.reader = reader_of(plan, ix);
            reads.step(plan, step, &mut named);
        }
        reads.spread(&named);
        reads
    }

    fn step<'p>(&mut self, plan: &Plan, step: &'p Step, named: &mut Vec<(&'p str, &'p Template)>) {
        step.condition.iter().for_each(|ast| self.decides(plan, ast));
        if let Some(probe) = &step.probe {
            self.decides(plan, &probe.done_when);
            probe.save.iter().for_each(|(_, value)| self.fills(plan, value));
            named.extend(probe.save.iter().map(|(name, value)| (&**name, value)));
        }
        if let Verb::Issue { with, .. } | Verb::Emit { with, .. } = &step.verb {
            with.iter().for_each(|(_, value)| self.fills(plan, value));
        }
        if let Verb::ForEach(each) = &step.verb {
            self.decides(plan, &each.over);
            each.collect.iter().for_each(|ast| self.note(plan, ast));
        }
        if let Verb::Fail(words) = &step.verb {
            self.fills(plan, words);
        }
        let awaited = step.wait.iter().flat_map(|wait| &wait.alternatives);
        for on in awaited.chain(step.fail_on.iter().map(|fail| &fail.on)) {
            self.alternative(plan, on, named);
        }
        for reason in step.fail_on.iter().filter_map(|fail| fail.reason.as_ref()) {
            self.fills(plan, reason);
        }
    }

    fn alternative<'p>(
        &mut self,
        plan: &Plan,
        on: &'p Alternative,
        named: &mut Vec<(&'p str, &'p Template)>,
    ) {
        on.filter.iter().for_each(|ast| self.decides(plan, ast));
        on.save.iter().for_each(|(_, value)| self.fills(plan, value));
        named.extend(on.save.iter().map(|(name, value)| (&**name, value)));
    }

    /// An expression whose value decides which way is taken.
    fn decides(&mut self, plan: &Plan, ast: &Ast) {
        self.note(plan, ast);
        let read = reads(ast);
        let of_event = read.iter().any(|read| read.path.first().is_some_and(|r| &**r == "event"));
        for name in read.iter().flat_map(|read| names(&read.path)) {
            self.deciding.insert(name.to_owned());
            if !of_event {
                self.alone.insert(name.to_owned());
            }
        }
        self.literals.extend(literals(ast));
    }

    /// A value that is filled in; more than a plain path may fail for some values.
    fn fills(&mut self, plan: &Plan, template: &Template) {
        for ast in asts(template) {
            self.note(plan, ast);
            if !ast.is_path() {
                self.decides(plan, ast);
            }
        }
    }

    fn note(&mut self, plan: &Plan, ast: &Ast) {
        for read in reads(ast) {
            let mut path = read.path.iter();
            match path.next().map(|root| &**root) {
                Some("steps") => {
                    let step = path.next().and_then(|id| plan.by_path.get(id));
                    // What a command was issued with never changes.
                    let varies = path.next().is_none_or(|field| &**field != "with");
                    if let Some(step) = step.filter(|_| varies) {
                        self.steps.entry(*step).or_default().insert(self.reader);
                    }
                }
                Some("saga") => {
                    let field = path.next().map(|field| &**field);
                    self.cause |= matches!(field, Some("cause" | "reason"));
                }
                _ => {}
            }
        }
    }

    /// What a deciding name is made of decides too.
    fn spread(&mut self, named: &[(&str, &Template)]) {
        for set in [&mut self.deciding, &mut self.alone] {
            loop {
                let before = set.len();
                for (name, template) in named {
                    if set.contains(*name) {
                        let read = asts(template).into_iter().flat_map(reads);
                        let more: Vec<String> = read
                            .flat_map(|r| names(&r.path).map(str::to_owned).collect::<Vec<_>>())
                            .collect();
                        set.extend(more);
                    }
                }
                if set.len() == before {
                    break;
                }
            }
        }
    }

    /// Whether a field of that name decides anything.
    #[must_use]
    pub fn decides_by(&self, field: &str) -> bool {
        self.deciding.contains(field)
    }

    /// Whether it does so without being compared with an incoming event.
    #[must_use]
    pub fn decides_alone(&self, field: &str) -> bool {
        self.alone.contains(field)
    }

    /// Who asks later what became of that step.
    pub fn readers_of(&self, step: StepIx) -> impl Iterator<Item = Reader> {
        self.steps.get(&step).into_iter().flatten().copied()
    }
}

/// The names of a path that may be fields.
fn names(path: &[Box<str>]) -> impl Iterator<Item = &str> {
    let skipped = usize::from(path.len() > 1);
    path.iter().skip(skipped).map(|name| &**name)
}

/// The expressions in a value.
fn asts(template: &Template) -> Vec<&Ast> {
    match template {
        Template::Literal(_) => Vec::new(),
        Template::Whole(ast) => vec![ast],
        Template::Mixed(parts) => parts
            .iter()
            .filter_map(|part| match part {
                Part::Text(_) => None,
                Part::Hole(ast) => Some(ast),
            })
            .collect(),
        Template::List(list) => list.iter().flat_map(asts).collect(),
        Template::Map(entries) => entries.iter().flat_map(|(_, value)| asts(value)).collect(),
    }
}
