//! What a plan's expressions read: which fields decide something, and which facts of the past are
//! asked for later. Judges no values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::expr::{Ast, Part, Read, Template, literals, may_fail, ordered, reads, sizing};
use crate::plan::{Alternative, Join, Plan, Step, StepIx, Verb};

/// What a plan's expressions read.
#[derive(Clone, Debug, Default)]
pub struct Reads {
    /// Names that decide something, of whatever they are: a field, a variable, an input.
    deciding: BTreeSet<String>,
    /// Those of them that are not only compared with an incoming event.
    alone: BTreeSet<String>,
    /// Names of which it decides something whether they have a value.
    present: BTreeSet<String>,
    /// Names of lists of which only the length decides something.
    lengths: BTreeSet<String>,
    /// Names of elements of loops that decide something.
    elements: BTreeSet<String>,
    /// Literals that stand in what decides.
    pub literals: Vec<Value>,
    /// Steps whose outcome, echo or attempts are read, and where.
    steps: BTreeMap<StepIx, BTreeSet<Site>>,
    /// Those of them of which more is read than what they left.
    outcomes: BTreeSet<StepIx>,
    /// Loops whose elements are told apart by what is read of them.
    ordered: BTreeSet<StepIx>,
    /// Variables, inputs and fields of the trigger that are read, and where.
    vars: BTreeMap<Box<str>, BTreeSet<Site>>,
    inputs: BTreeMap<Box<str>, BTreeSet<Site>>,
    fields: BTreeMap<Box<str>, BTreeSet<Site>>,
    /// Where `saga.cause` or `saga.reason` is read.
    causes: BTreeSet<Site>,
    /// Whether what was done may be undone before the end: an attempt, a branch that lost, what is
    /// called.
    pub undoes_inside: bool,
    /// Where stands what is looked at now.
    site: Site,
}

/// Where an expression stands, and so when it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Site {
    /// Where a saga begins: never again.
    #[default]
    Start,
    /// At the end of the way forward.
    Result,
    /// At any time.
    Ever,
    /// When a newcomer is merged.
    Join,
    /// When something comes in on the way forward.
    Watch,
    /// When that step is entered, or while it waits.
    Step(StepIx),
}

impl Site {
    /// The step in which it stands.
    #[must_use]
    pub fn step(self) -> Option<StepIx> {
        if let Site::Step(step) = self { Some(step) } else { None }
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
        named.iter().for_each(|(_, value)| reads.fills(plan, value));
        reads.site = Site::Result;
        plan.result.iter().for_each(|(_, value)| reads.fills(plan, value));
        reads.site = Site::Ever;
        plan.always.iter().for_each(|ast| reads.decides(plan, ast));
        reads.site = Site::Join;
        plan.eviction.save.iter().for_each(|(_, value)| reads.fills(plan, value));
        named.extend(plan.eviction.save.iter().map(|(name, value)| (&**name, value)));
        reads.site = Site::Watch;
        plan.cancel_on.iter().for_each(|on| reads.alternative(plan, on, &mut named));
        for one in &plan.reactions {
            reads.alternative(plan, &one.on, &mut named);
            if let Verb::Issue { with, .. } | Verb::Emit { with, .. } = &one.deed {
                with.iter().for_each(|(_, value)| reads.fills(plan, value));
            }
        }
        for (ix, step) in (0u32..).map(StepIx).zip(&plan.steps) {
            reads.site = Site::Step(ix);
            reads.step(plan, step, &mut named);
        }
        reads.undoes_inside = plan.has_calls || plan.steps.iter().any(undoes_inside);
        reads.loops(plan);
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
        if let Verb::Call(call) = &step.verb {
            // What decides in the other saga is not known here.
            let asts = call.with.iter().flat_map(|(_, value)| asts(value));
            asts.for_each(|ast| self.decides(plan, ast));
        }
        if let Verb::ForEach(each) = &step.verb {
            self.note(plan, &each.over);
            self.tells_apart(std::iter::once(&each.over));
            self.fallible(plan, &each.over);
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
        self.tells_apart(on.save.iter().flat_map(|(_, value)| asts(value)));
        named.extend(on.save.iter().map(|(name, value)| (&**name, value)));
    }

    /// Elements that such expressions read are not one another's like.
    fn tells_apart<'p>(&mut self, asts: impl Iterator<Item = &'p Ast>) {
        let roots = asts.flat_map(reads).filter_map(|read| read.path.into_iter().next());
        self.elements.extend(roots.map(String::from));
    }

    /// Of what a loop goes through the number decides, and where something decides by an element,
    /// each of them.
    fn loops(&mut self, plan: &Plan) {
        for step in &plan.steps {
            let Verb::ForEach(each) = &step.verb else { continue };
            if self.elements.contains(&*each.element) {
                self.deciding(&each.over);
            } else {
                self.sized(&each.over);
            }
        }
    }

    /// A list whose length decides.
    fn sized(&mut self, ast: &Ast) {
        let sizing = sizing(ast);
        let of = |read: &[Read]| -> Vec<String> {
            read.iter().flat_map(|read| names(&read.path)).map(str::to_owned).collect()
        };
        self.lengths.extend(of(&sizing.lengths));
        let values = of(&sizing.values);
        self.deciding.extend(values.iter().cloned());
        self.alone.extend(values);
    }

    /// An expression whose value decides which way is taken.
    fn decides(&mut self, plan: &Plan, ast: &Ast) {
        self.note(plan, ast);
        self.deciding(ast);
        self.literals.extend(literals(ast));
    }

    fn deciding(&mut self, ast: &Ast) {
        let read = reads(ast);
        let of_event = read.iter().any(|read| read.path.first().is_some_and(|r| &**r == "event"));
        let asked = read.iter().filter(|read| read.is_asked);
        self.present.extend(asked.flat_map(|read| names(&read.path)).map(str::to_owned));
        for read in read.iter().filter(|read| !read.is_asked) {
            self.elements.extend(read.path.first().map(ToString::to_string));
            for name in names(&read.path) {
                self.deciding.insert(name.to_owned());
                if !of_event {
                    self.alone.insert(name.to_owned());
                }
            }
        }
    }

    /// A value that is filled in; it decides something where it may fail for some values.
    fn fills(&mut self, plan: &Plan, template: &Template) {
        for ast in asts(template) {
            self.note(plan, ast);
            self.fallible(plan, ast);
        }
    }

    fn fallible(&mut self, plan: &Plan, ast: &Ast) {
        if may_fail(ast) {
            self.decides(plan, ast);
        }
    }

    fn note(&mut self, plan: &Plan, ast: &Ast) {
        let site = self.site;
        let loops = ordered(ast).into_iter().filter(|read| is_list_of_loop(&read.path));
        let loops = loops.filter_map(|read| plan.by_path.get(read.path.get(1)?).copied());
        self.ordered.extend(loops);
        for read in reads(ast) {
            let mut path = read.path.iter();
            let root = path.next().map(|root| &**root);
            let name = path.next();
            let into = match root {
                Some("steps") => {
                    let step = name.and_then(|id| plan.by_path.get(id));
                    let field = path.next().map(|field| &**field);
                    // What a command was issued with never changes.
                    if let Some(step) = step.filter(|_| field != Some("with")) {
                        if !matches!(field, Some("echo" | "collected" | "result")) {
                            self.outcomes.insert(*step);
                        }
                        self.steps.entry(*step).or_default().insert(site);
                    }
                    continue;
                }
                Some("saga") => {
                    if matches!(name.map(|name| &**name), Some("cause" | "reason")) {
                        self.causes.insert(site);
                    }
                    continue;
                }
                Some("vars") => &mut self.vars,
                Some("input") => &mut self.inputs,
                Some("trigger") => &mut self.fields,
                _ => continue,
            };
            // What is read as a whole is read under any name.
            let name = name.cloned().unwrap_or_default();
            into.entry(name).or_default().insert(site);
        }
    }

    /// What a deciding name is made of decides too.
    fn spread(&mut self, named: &[(&str, &Template)]) {
        // A list is as long as what it is made of; one that is written out has its length.
        let mut before = 0;
        while std::mem::replace(&mut before, self.lengths.len()) < self.lengths.len() {
            for (name, template) in named {
                if let (true, Template::Whole(ast)) = (self.lengths.contains(*name), template) {
                    self.sized(ast);
                }
            }
        }
        for set in [&mut self.present, &mut self.deciding, &mut self.alone] {
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

    /// Whether it makes a difference that a field of that name has a value.
    #[must_use]
    pub fn decides_by_presence(&self, field: &str) -> bool {
        self.present.contains(field)
    }

    /// Whether the length of a list of that name does.
    #[must_use]
    pub fn decides_by_length(&self, field: &str) -> bool {
        self.lengths.contains(field)
    }

    /// Whether the elements of a loop that it calls so are told apart by anything.
    #[must_use]
    pub fn decides_by_element(&self, name: &str) -> bool {
        self.elements.contains(name)
    }

    /// Where it is read what became of that step.
    pub fn of_step(&self, step: StepIx) -> impl Iterator<Item = Site> {
        self.steps.get(&step).into_iter().flatten().copied()
    }

    /// Whether more than what it left may be read of that step: how it ended.
    #[must_use]
    pub fn is_outcome_read(&self, step: StepIx) -> bool {
        self.outcomes.contains(&step)
    }

    /// Whether what is read of that loop depends on which of its elements is which.
    #[must_use]
    pub fn tells_elements(&self, step: StepIx) -> bool {
        self.ordered.contains(&step)
    }

    /// Where that variable is read.
    pub fn of_var(&self, name: &str) -> impl Iterator<Item = Site> {
        named(&self.vars, name)
    }

    /// The variables that are read there.
    #[must_use]
    pub fn vars_of(&self, site: Site) -> BTreeSet<String> {
        let read = self.vars.iter().filter(|(_, sites)| sites.contains(&site));
        read.map(|(name, _)| name.to_string()).collect()
    }

    /// Where that input is read.
    pub fn of_input(&self, name: &str) -> impl Iterator<Item = Site> {
        named(&self.inputs, name)
    }

    /// Where that field of the trigger is read.
    pub fn of_field(&self, name: &str) -> impl Iterator<Item = Site> {
        named(&self.fields, name)
    }

    /// Where it is read why the saga turned around.
    pub fn of_cause(&self) -> impl Iterator<Item = Site> {
        self.causes.iter().copied()
    }
}

/// Whether it is read how the elements of a loop ended, or what they left.
fn is_list_of_loop(path: &[Box<str>]) -> bool {
    matches!(path.get(2).map(|field| &**field), Some("collected" | "outcomes"))
}

fn undoes_inside(step: &Step) -> bool {
    (step.verb.holds_steps() && step.retry.is_some()) || step.verb.join() == Some(Join::Any)
}

fn named<'a>(
    sites: &'a BTreeMap<Box<str>, BTreeSet<Site>>,
    name: &str,
) -> impl Iterator<Item = Site> + use<'a> {
    let all = [sites.get(name), sites.get("")];
    all.into_iter().flatten().flatten().copied()
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
