//! From a definition and the catalog to a plan: names resolved, expressions typed, defaults
//! applied.
//! Always makes a plan, also of what is wrong, so that all is found at once; rules about plans are
//! in `check`.

mod branches;
mod env;
mod exprs;
mod head;
mod observe;
mod payload;
mod policy;
mod probe;
mod say;
mod steps;
mod trigger;
mod undo;
mod wait;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::definition::saga::Saga;
use crate::definition::step::{Step as StepNode, Verb as VerbNode};
use crate::definition::{Catalog, CatalogUndo, CommandDecl, EventDecl, Named, Names};
use crate::diag::{Diagnostics, Span};
use crate::expr::{Facts, ObjectType, Type};
use crate::plan::callees::Callees;
use crate::plan::flow::{Flow, Flows};
use crate::plan::outline::{Outline, Part};
use crate::plan::{Plan, Step, StepIx, Verb, library};

/// A plan and what was written, side by side: what the rules look at.
#[derive(Debug)]
pub struct Compiled<'a> {
    /// The plan; not fit to run when anything was found.
    pub plan: Plan,
    /// The definition.
    pub saga: &'a Saga,
    /// What was written for each step of the plan.
    pub written: Vec<Written<'a>>,
    /// All that the definition names.
    pub outline: Outline<'a>,
    /// Variables that an expression reads.
    pub vars_read: BTreeSet<String>,
    /// The types of `trigger`, for the triggers and of `input` and variables.
    pub types: Types,
    /// What its `result` holds.
    pub result: ObjectType,
}

/// Types that hold for the whole saga.
#[derive(Clone, Debug, Default)]
pub struct Types {
    /// `trigger`: what all triggers share.
    pub trigger: ObjectType,
    /// `input`.
    pub input: ObjectType,
    /// Each variable, as far as it was seen.
    pub vars: BTreeMap<String, Type>,
}

/// Where a step of a plan comes from.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// Its text; for an undo that the catalog brings, the text of the step that it undoes.
    pub step: &'a StepNode,
    /// Whether the catalog brought it.
    pub by_catalog: bool,
    /// The part of the saga that it stands in.
    pub part: Part,
    /// Whether the pivot lies behind when it runs.
    pub pivot: Passed,
    /// Whether it can be reached.
    pub reachable: bool,
}

impl Written<'_> {
    /// The place that says what is done: the command's name, else the verb.
    #[must_use]
    pub fn what(&self) -> Span {
        match &self.step.verb {
            VerbNode::Issue { command, .. } => command.span,
            VerbNode::Emit { event, .. } => event.span,
            VerbNode::Call { saga, .. } => saga.span,
            VerbNode::Await
            | VerbNode::Delay(_)
            | VerbNode::Group(_)
            | VerbNode::Parallel { .. }
            | VerbNode::ForEach(_)
            | VerbNode::Fail(_)
            | VerbNode::Done => self.step.verb_span,
        }
    }
}

/// Whether the point of no return lies behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Passed {
    /// It does not.
    No,
    /// On some paths.
    Maybe,
    /// On all paths.
    Surely,
}

/// The state of one compilation.
struct Compiler<'a> {
    saga: &'a Saga,
    catalog: &'a Catalog,
    callees: Arc<Callees>,
    outline: Outline<'a>,
    types: Types,
    steps: Vec<Step>,
    written: Vec<Written<'a>>,
    by_path: BTreeMap<Box<str>, StepIx>,
    used: Names,
    undos: Vec<PendingUndo<'a>>,
    pivot: Passed,
    flows: Flows<'a>,
    /// What trigger and guards have proved: it holds for the whole saga.
    given: Facts,
    /// What is known wherever the way forward may end well.
    ends: Vec<Flow>,
    vars_read: BTreeSet<String>,
    /// Variables that are read to save one, with that one before them.
    read_to_save: BTreeSet<(String, String)>,
    /// The variable whose value is looked at.
    saving: Option<String>,
    echoes_read: BTreeSet<String>,
    /// By loop: the type of what it collects.
    collected: BTreeMap<String, Type>,
    found: Diagnostics,
}

/// An undo that waits until the whole way forward is known.
struct PendingUndo<'a> {
    owner: StepIx,
    step: &'a StepNode,
    before: Flow,
    /// That of the step that is undone.
    way: steps::Way,
}

/// Compiles one saga. Everything that is wrong is added to `found`.
pub fn compile<'a>(
    saga: &'a Saga,
    catalog: &'a Catalog,
    callees: &Arc<Callees>,
    source: &Arc<str>,
    found: &mut Diagnostics,
) -> Compiled<'a> {
    let mut compiler = Compiler::new(saga, catalog, callees.clone());
    let (plan, result) = compiler.run(source);
    found.append(compiler.found);
    Compiled {
        plan,
        result,
        saga,
        written: compiler.written,
        outline: compiler.outline,
        vars_read: read_in_the_end(compiler.vars_read, &compiler.read_to_save),
        types: compiler.types,
    }
}

/// The variables that are read, or lead to one that is.
fn read_in_the_end(
    mut read: BTreeSet<String>,
    to_save: &BTreeSet<(String, String)>,
) -> BTreeSet<String> {
    loop {
        let more = to_save.iter().filter(|(to, from)| read.contains(to) && !read.contains(from));
        let more: Vec<String> = more.map(|(_, from)| from.clone()).collect();
        if more.is_empty() {
            return read;
        }
        read.extend(more);
    }
}

impl<'a> Compiler<'a> {
    fn new(saga: &'a Saga, catalog: &'a Catalog, callees: Arc<Callees>) -> Compiler<'a> {
        let outline = Outline::of(saga);
        Compiler {
            saga,
            catalog,
            callees,
            flows: Flows::of(&outline),
            outline,
            types: Types::default(),
            steps: Vec::new(),
            written: Vec::new(),
            by_path: BTreeMap::new(),
            used: Names::default(),
            undos: Vec::new(),
            pivot: Passed::No,
            given: Facts::default(),
            ends: Vec::new(),
            vars_read: BTreeSet::new(),
            read_to_save: BTreeSet::new(),
            saving: None,
            echoes_read: BTreeSet::new(),
            collected: BTreeMap::new(),
            found: Diagnostics::default(),
        }
    }
}

impl<'a> Compiler<'a> {
    fn run(&mut self, source: &Arc<str>) -> (Plan, ObjectType) {
        self.report_doubles();
        let trigger = self.trigger();
        let require = self.require();
        let mut eviction = self.eviction();
        let vars = self.vars();
        let saga = self.saga;
        let names = |list: &'a [Named]| list.iter().map(|one| one.name.value.as_str());
        let start = self.flows.start(names(&saga.vars), names(&saga.eviction.save));
        eviction.save = self.join_save(&start);
        let main = self.forward(start.clone());
        self.compile_undos();
        let finally = self.finally(&start);
        let (result, result_type) = self.result();
        let cancel_on = self.cancel_on(&start);
        let reactions = self.reactions(&start);
        let always = self.always(&start);
        self.mark_echoes();
        let (events, commands) = self.declarations();
        let catalog = self.catalog.subset_json(&self.used);
        let has_branches = self.steps.iter().any(|step| !step.verb.branches().is_empty());
        let waits_for_events = !cancel_on.is_empty()
            || reactions.iter().any(|one| one.on.source.is_public())
            || self.steps.iter().any(waits_for_events);
        let has_calls = self.steps.iter().any(|step| matches!(step.verb, Verb::Call(_)));
        let plan = Plan {
            name: self.saga.name.value.as_str().into(),
            hash: library::hash(source, &catalog),
            doc: self.saga.doc.as_ref().map(|doc| doc.value.clone()).unwrap_or_default(),
            source: source.clone(),
            catalog: catalog.into(),
            trigger,
            require,
            eviction,
            timeout: self.saga.timeout.value.millis(),
            vars,
            steps: std::mem::take(&mut self.steps),
            main,
            finally,
            result,
            cancel_on,
            reactions,
            signals: self.signals(),
            always,
            on_restart: self.saga.on_restart,
            on_shutdown: self.saga.on_shutdown,
            observes: self.observes(),
            by_path: std::mem::take(&mut self.by_path),
            has_branches,
            has_calls,
            callees: Vec::new(),
            waits_for_events,
            events,
            commands,
        };
        (plan, result_type)
    }

    fn report_doubles(&mut self) {
        for (id, second, first) in std::mem::take(&mut self.outline.twice) {
            self.found.add_duplicate_step(id, second, first);
        }
        for (name, second, first) in std::mem::take(&mut self.outline.shared) {
            self.found.add_branches_share(name, second, first);
        }
    }

    /// The declarations of what it names, and of all that may answer or undo its commands.
    fn declarations(&mut self) -> (Declared<EventDecl>, Declared<CommandDecl>) {
        let mut commands = BTreeMap::new();
        let mut open: Vec<Arc<str>> = self.used.commands.iter().cloned().collect();
        while let Some(name) = open.pop() {
            let Some(decl) = self.catalog.commands.get(&name).cloned() else { continue };
            self.used.events.extend(decl.echoes.iter().chain(&decl.failures).cloned());
            if let CatalogUndo::Command(undo) = &decl.undo
                && !commands.contains_key(undo)
            {
                open.push(undo.clone());
            }
            commands.insert(name, decl);
        }
        let events = self.used.events.iter().filter_map(|name| {
            self.catalog.events.get(name).map(|decl| (name.clone(), decl.clone()))
        });
        (events.collect(), commands)
    }

    /// What may be said to the saga.
    fn signals(&self) -> Declared<EventDecl> {
        self.saga.signals.iter().map(|decl| (decl.name.clone(), decl.clone())).collect()
    }

    /// The echo of a step is kept only where an expression reads it.
    fn mark_echoes(&mut self) {
        for id in &self.echoes_read {
            if let Some(ix) = self.by_path.get(id.as_str()) {
                self.steps[ix.0 as usize].echo_is_read = true;
            }
        }
    }
}

type Declared<T> = BTreeMap<Arc<str>, Arc<T>>;

fn waits_for_events(step: &Step) -> bool {
    let awaited = step.wait.iter().flat_map(|wait| &wait.alternatives);
    awaited.chain(step.fail_on.iter().map(|entry| &entry.on)).any(|one| one.source.is_public())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::read::load;

    /// How far the compiler had to go for a saga of so many steps, each of which saves a variable
    /// and reads the one before.
    fn legs(steps: usize) -> usize {
        let catalog = "targets: { host: {} }\nevents: { go: {}, did: { fields: { v: { type: string \
                       } } } }\ncommands:\n  act: { target: host, fields: { k: { type: string } }, \
                       echoes: [did], idempotent: true, undo: none }\n";
        let mut saga =
            "saga: it\ntrigger: { event: go }\neviction: { policy: parallel }\ntimeout: \
                        none\ndefaults: { timeout: 5s }\nvars: { v0: x }\nsteps:\n"
                .to_owned();
        for number in 1..=steps {
            saga.push_str(&format!(
                "  - {{ id: s{number}, issue: act, if: 'vars.v0 == \"x\"', with: {{ k: \"${{{{ \
                 vars.v0 }}}}\" }}, await: {{ echo: did, save: {{ v0: \"${{{{ event.v }}}}\", \
                 v{number}: \"${{{{ event.v }}}}\" }} }} }}\n"
            ));
        }
        let files = [("c.catalog.yaml", catalog), ("it.saga.yaml", &saga)];
        let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        let (library, found) = load(files.into());
        assert!(found.is_empty(), "{found:?}");
        let callees = Arc::default();
        let mut compiler = Compiler::new(&library.sagas[0], &library.catalog, callees);
        let (plan, _) = compiler.run(&"".into());
        assert_eq!(plan.steps.len(), steps);
        assert!(compiler.found.is_empty(), "{:?}", compiler.found);
        compiler.flows.legs()
    }

    /// Who sets what was once copied from each step to the next, by variable: a saga of 600 steps
    /// took gigabytes.
    #[test]
    fn what_is_noted_on_the_way_grows_with_the_steps_and_not_with_their_variables() {
        let few = legs(100);
        assert!(few <= 100 * 4 + 4, "{few}");
        assert_eq!(legs(300) - legs(200), legs(200) - few);
    }
}
