//! Many definitions to plans, and one definition out of the log. Opens no file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Plan;
use super::callees::{Callees, calls_of, levels};
use super::check;
use super::compile::{self, Compiled};
use crate::definition::read::load_kept;
use crate::definition::spread::{InTurn, Spread};
use crate::definition::{Catalog, Library, Loss, Saga};
use crate::diag::{Code, Diagnostic, Diagnostics, Family, Severity, SourceMap};
use crate::ids::DefinitionHash;

/// Compiles and checks all sagas of a library, each as if the others were right. The plans are
/// those of
/// sagas in which nothing wrong was found here; the caller still asks for findings of reading them.
#[must_use]
pub fn compile_library(library: &Library) -> (Vec<Arc<Plan>>, Diagnostics) {
    compile_library_by(library, &InTurn)
}

/// The same, with the work on sagas shared out.
#[must_use]
pub fn compile_library_by(
    library: &Library,
    spread: &impl Spread,
) -> (Vec<Arc<Plan>>, Diagnostics) {
    let mut found = Diagnostics::default();
    let is_whole = library.lost.len() == library.sagas.len();
    let mut callees = Arc::new(Callees::of(&library.sagas, is_whole));
    let lost = |file, what| library.lost.get(&file).is_some_and(|lost| lost.contains(&what));
    let mut results: Vec<(usize, Compiled<'_>)> = Vec::new();
    let levels = levels(&library.sagas);
    for level in &levels {
        let done = spread.map(level, |at| {
            let saga = &library.sagas[*at];
            let mut found = Diagnostics::default();
            let source = source(saga, &library.sources);
            (*at, compile_one(saga, (&library.catalog, &callees), &source, &mut found), found)
        });
        for (at, one, more) in done {
            found.append(more);
            Arc::make_mut(&mut callees).learn(&one.plan, &one.result);
            results.push((at, one));
        }
    }
    results.sort_by_key(|(at, _)| *at);
    // One with holes says nothing about others.
    let whole = results.into_iter().map(|(_, one)| one);
    let compiled: Vec<Compiled<'_>> =
        whole.filter(|one| !lost(one.saga.span.file, Loss::Part)).collect();
    check::library(&compiled, &mut found);
    check::scenarios(library, &mut found);
    if !library.catalog_is_whole {
        // What is missing may have been declared where it could not be read: that was said.
        found = found.into_iter().filter(|one| !is_about_names(one)).collect();
    }
    // What was lost in reading is not found again by its absence.
    let tells_more = |one: &Diagnostic| {
        let lost = |what| lost(one.primary().file, what);
        !(lost(Loss::Key) && misses_a_key(one.code)
            || lost(Loss::Bound) && weighs_a_bound(one.code)
            || lost(Loss::Part) && !stands_by_itself(one.code))
    };
    found = found.into_iter().filter(tells_more).collect();
    let found = lints(library, &found);
    let plans = compiled.into_iter().filter(|one| !found.has_errors_in(one.saga.span.file));
    (linked(plans.map(|one| one.plan).collect(), library, &levels), found)
}

/// Gives each plan those that it calls, which come before it in the order of levels.
fn linked(plans: Vec<Plan>, library: &Library, levels: &[Vec<usize>]) -> Vec<Arc<Plan>> {
    let mut order: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for (place, plan) in plans.iter().enumerate() {
        order.entry(plan.name.clone()).or_insert(place);
    }
    let mut open: BTreeMap<usize, Plan> = plans.into_iter().enumerate().collect();
    let mut done: BTreeMap<usize, Arc<Plan>> = BTreeMap::new();
    for at in levels.iter().flatten() {
        let saga = &library.sagas[*at];
        let place = order.get(saga.name.value.as_str());
        let Some((place, mut plan)) = place.and_then(|at| open.remove_entry(at)) else { continue };
        let mut names: Vec<&str> =
            calls_of(saga).into_iter().map(|name| name.value.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let callees = names.into_iter().filter_map(|name| done.get(order.get(name)?));
        plan.bind(callees.cloned().collect());
        done.insert(place, Arc::new(plan));
    }
    done.extend(open.into_iter().map(|(place, plan)| (place, Arc::new(plan))));
    done.into_values().collect()
}

/// What is left of lints: they are said of what is right otherwise, and where no file allows them.
fn lints(library: &Library, found: &Diagnostics) -> Diagnostics {
    let broken = |one: &Diagnostic| {
        let file = one.primary().file;
        library.broken.contains(&file) || found.has_errors_in(file)
    };
    let whole = library.broken.is_empty() && !found.has_errors();
    let told = |one: &&Diagnostic| one.severity == Severity::Error || !broken(one);
    let mut left: Diagnostics = found.iter().filter(told).cloned().collect();
    let mut allows = library.allows.clone();
    allows.silence(&mut left, &library.sources);
    allows.complain(whole, &mut left);
    left.sort();
    left
}

fn compile_one<'a>(
    saga: &'a Saga,
    (catalog, callees): (&'a Catalog, &Arc<Callees>),
    source: &Arc<str>,
    found: &mut Diagnostics,
) -> Compiled<'a> {
    let compiled = compile::compile(saga, catalog, callees, source, found);
    check::saga(&check::Subject { saga: &compiled, catalog }, found);
    compiled
}

impl Plan {
    /// Ties it to the texts of what it calls: they are a part of what it is \[L4\].
    fn bind(&mut self, callees: Vec<Arc<Plan>>) {
        if !callees.is_empty() {
            let tied = callees.iter().map(|callee| format!("{} {}\n", callee.name, callee.hash));
            self.hash = hash(&self.hash.0, &tied.collect::<String>());
        }
        self.callees = callees;
    }
}

/// Compiles a saga as it was kept in the log with the declarations that it uses, and those that it
/// calls \[L4\]. Rules are not asked again: what ran under an older version goes on running.
///
/// # Errors
///
/// What makes the text unusable: it cannot be read, names something unknown, or holds an expression
/// that
/// cannot be parsed.
pub fn compile_stored(
    (name, source, catalog): (&str, &str, &str),
    callees: Vec<Arc<Plan>>,
) -> Result<Arc<Plan>, Diagnostics> {
    let (library, mut found) = load_kept(source, catalog);
    let Some(saga) = library.sagas.first().filter(|saga| saga.name.value == name) else {
        return Err(found);
    };
    let source: Arc<str> = source.into();
    // That it may call what it calls was found when it was loaded.
    let unasked = Arc::default();
    let mut compiled = compile::compile(saga, &library.catalog, &unasked, &source, &mut found);
    compiled.plan.bind(callees);
    let unusable: Diagnostics = found.into_iter().filter(makes_unusable).collect();
    if unusable.has_errors() { Err(unusable) } else { Ok(Arc::new(compiled.plan)) }
}

fn is_about_names(one: &Diagnostic) -> bool {
    one.code.family() == Family::Names || one.code == Code::ExprUnknownField
}

/// Whether the finding may only say that something is not there.
fn misses_a_key(code: Code) -> bool {
    [
        Code::MissingField,
        Code::AwaitNotSaid,
        Code::NothingIssued,
        Code::UndoLacksField,
        Code::NoBound,
        Code::QueueUnbounded,
        Code::UnusedSave,
    ]
    .contains(&code)
}

/// Whether the finding may only say that a bound, a number or a policy is not what was meant.
fn weighs_a_bound(code: Code) -> bool {
    [
        Code::DeadlineTooShort,
        Code::QueueUnbounded,
        Code::PivotNotRepeatable,
        Code::ReplacePastPivot,
        Code::ParallelConfused,
        Code::SelfTrigger,
    ]
    .contains(&code)
}

/// Whether the finding is about the very words that it points at, whatever is missing elsewhere.
fn stands_by_itself(code: Code) -> bool {
    [
        Code::UnknownEvent,
        Code::UnknownCommand,
        Code::DuplicateStep,
        Code::UnknownField,
        Code::WrongFieldType,
        Code::NeverAnswered,
        Code::BracketEvent,
        Code::ExprSyntax,
        Code::ExprUnknownName,
        Code::ExprWrongType,
        Code::ExprMixedTypes,
        Code::ExprUnknownWord,
        Code::ExprFunction,
        Code::ExprTooLarge,
    ]
    .contains(&code)
}

fn makes_unusable(one: &Diagnostic) -> bool {
    match one.code.family() {
        Family::Text | Family::Names => true,
        Family::Expressions => one.code == Code::ExprSyntax,
        Family::Undoing | Family::Time | Family::Contention | Family::Shape | Family::Lint => false,
    }
}

fn source(saga: &Saga, sources: &SourceMap) -> Arc<str> {
    sources.get(saga.span.file).map_or_else(|| "".into(), |source| Arc::clone(&source.text))
}

/// The content hash of a definition's text and the declarations that it uses \[L4\].
pub(super) fn hash(source: &str, catalog: &str) -> DefinitionHash {
    let mut digest = Sha256::new();
    // The length first, so that no text can be moved from one part into the other.
    digest.update((source.len() as u64).to_be_bytes());
    digest.update(source);
    digest.update(catalog);
    let mut hex = String::with_capacity(64);
    for byte in digest.finalize() {
        write!(hex, "{byte:02x}").expect("a String takes all that is written to it");
    }
    DefinitionHash(hex.into())
}
