//! What an expression may read at its place, with its types and with what is surely set. Follows no
//! control flow itself.

use std::collections::{BTreeMap, BTreeSet};

use super::exprs::{Place, Stage};
use super::{Compiler, trigger};
use crate::definition::Await as AwaitNode;
use crate::definition::Step as StepNode;
use crate::definition::keys::{CAUSES, ENDS};
use crate::definition::saga::TriggerKind;
use crate::definition::step::Verb as VerbNode;
use crate::expr::{Env, Field, ObjectType, Path, Presence, Read, Type};
use crate::plan::flow::Set;
use crate::plan::outline::Part;
use crate::plan::types;

/// What may be said of a step's end.
pub(super) const OUTCOMES: [&str; 6] =
    ["succeeded", "failed", "in_doubt", "skipped", "compensated", "compensation_failed"];

impl Compiler<'_> {
    /// The environment of an expression: of steps and variables only those that it reads.
    pub(super) fn env(&self, place: &Place<'_>, reads: &[Read]) -> Env {
        let mut roots = BTreeMap::new();
        let trigger = place.trigger.as_ref().unwrap_or(&self.types.trigger);
        roots.insert("trigger".to_owned(), Type::Object(trigger.clone()));
        for (name, ty) in &place.elements {
            roots.insert(name.clone(), ty.clone());
        }
        if let Some(event) = &place.event {
            roots.insert("event".to_owned(), Type::Object(event.clone()));
        }
        match place.stage {
            Stage::When | Stage::Input => {}
            Stage::Vars | Stage::Require => {
                roots.insert("input".to_owned(), Type::Object(self.types.input.clone()));
            }
            Stage::Join => {
                roots.insert("input".to_owned(), Type::Object(self.types.input.clone()));
                roots.insert("vars".to_owned(), closed(self.vars_of(place, reads)));
                roots.insert("saga".to_owned(), closed(self.saga_of(place)));
            }
            Stage::Step(_) | Stage::Watch | Stage::Result | Stage::Always => {
                roots.insert("input".to_owned(), Type::Object(self.types.input.clone()));
                roots.insert("vars".to_owned(), closed(self.vars_of(place, reads)));
                roots.insert("steps".to_owned(), closed(self.steps_of(place, reads)));
                roots.insert("saga".to_owned(), closed(self.saga_of(place)));
            }
        }
        Env { roots }
    }

    fn vars_of(&self, place: &Place<'_>, reads: &[Read]) -> BTreeMap<String, Field> {
        let mut fields = BTreeMap::new();
        for name in second(reads, "vars") {
            let known = self.outline.vars.get(name);
            let ty = self.types.vars.get(name).cloned().unwrap_or(Type::Dyn);
            let presence = match (known, self.flows.var(&place.flow, name)) {
                // That it is unknown is said elsewhere.
                (None, _) => Presence::Always,
                (Some(_), Some(set)) => presence(&set, "it is set"),
                (Some(_), None) => Presence::Unless {
                    when: Vec::new(),
                    why: format!("no step before this point sets `vars.{name}`"),
                },
            };
            fields.insert(name.to_owned(), Field { ty, presence });
        }
        fields
    }

    /// Steps that are read, and those whose outcome proves that what is read was set.
    fn steps_named<'n>(&'n self, place: &'n Place<'_>, reads: &'n [Read]) -> BTreeSet<&'n str> {
        let mut ids: BTreeSet<&str> = second(reads, "steps").collect();
        for name in second(reads, "vars") {
            let set = self.flows.var(&place.flow, name);
            ids.extend(set.into_iter().flat_map(|set| set.by));
        }
        ids
    }

    fn steps_of(&self, place: &Place<'_>, reads: &[Read]) -> BTreeMap<String, Field> {
        let mut fields = BTreeMap::new();
        for id in self.steps_named(place, reads) {
            let field = match (self.outline.steps.get(id), self.flows.step(&place.flow, id)) {
                // That it is unknown, or has not ended, is said elsewhere.
                (None, _) | (Some(_), None) => Field::always(Type::Dyn),
                (Some(known), Some(set)) => Field {
                    ty: closed(self.step_fields(id, known.step, &set, place.stage)),
                    presence: Presence::Always,
                },
            };
            fields.insert(id.to_owned(), field);
        }
        fields
    }

    fn step_fields(
        &self,
        id: &str,
        step: &StepNode,
        set: &Set<'_>,
        stage: Stage,
    ) -> BTreeMap<String, Field> {
        let mut fields = BTreeMap::new();
        let outcome = match stage {
            // While the saga runs any step may be open, and an open step has no outcome.
            Stage::Watch | Stage::Always => Presence::Unless {
                when: Vec::new(),
                why: format!("step `{id}` may be open, and then it has no outcome"),
            },
            Stage::When
            | Stage::Input
            | Stage::Vars
            | Stage::Require
            | Stage::Join
            | Stage::Step(_)
            | Stage::Result => Presence::Always,
        };
        fields.insert(
            "outcome".to_owned(),
            Field { ty: words(&OUTCOMES), presence: outcome.clone() },
        );
        fields.insert("attempts".to_owned(), Field { ty: Type::Int, presence: outcome });
        if let VerbNode::ForEach(each) = &step.verb {
            let word = Type::List(Box::new(words(&OUTCOMES)));
            let presence = presence(set, "it went through its elements");
            fields.insert("outcomes".to_owned(), Field { ty: word, presence: presence.clone() });
            if each.collect.is_some() {
                let ty = self.collected.get(id).cloned().unwrap_or(Type::Dyn);
                let ty = Type::List(Box::new(ty));
                fields.insert("collected".to_owned(), Field { ty, presence });
            }
        }
        if let Some(result) = self.result_of(step) {
            let presence = presence(set, "it came");
            fields.insert("result".to_owned(), Field { ty: result, presence });
        }
        if let Some(echo) = self.echo_of(step) {
            let presence = presence(set, "it came");
            fields.insert("echo".to_owned(), Field { ty: Type::Object(echo), presence });
        }
        fields
    }

    /// What comes up from the saga that the step calls.
    fn result_of(&self, step: &StepNode) -> Option<Type> {
        let VerbNode::Call { saga, .. } = &step.verb else { return None };
        match self.callees.get(&saga.value).map(|callee| &callee.result) {
            Some(Some(result)) if result.fields.is_empty() && !result.open => None,
            Some(Some(result)) => Some(Type::Object(result.clone())),
            // That nobody knows it is said elsewhere.
            Some(None) | None => Some(Type::Dyn),
        }
    }

    /// What a step's echo holds: the fields common to what may satisfy it; none under `all_of`.
    pub(super) fn echo_of(&self, step: &StepNode) -> Option<ObjectType> {
        let alternatives = match &step.wait.as_ref()?.value {
            AwaitNode::None | AwaitNode::AllOf(_) => return None,
            AwaitNode::One(only) => std::slice::from_ref(only),
            AwaitNode::AnyOf(list) => list,
        };
        let all: Vec<ObjectType> = alternatives.iter().map(|one| self.fields_of(one)).collect();
        // One unknown event was reported; it should not make every read of the others wrong.
        if all.iter().any(|one| one.open) {
            return Some(trigger::open_object());
        }
        Some(types::common(&all))
    }

    fn saga_of(&self, place: &Place<'_>) -> BTreeMap<String, Field> {
        let always = |ty| Field { ty, presence: Presence::Always };
        let mut fields = BTreeMap::new();
        fields.insert("id".to_owned(), always(Type::Int));
        fields.insert("now".to_owned(), always(Type::String));
        let triggers = self.saga.trigger.alternatives.iter().map(|one| match &one.kind {
            TriggerKind::Event { event, .. } => event.value.as_str(),
            TriggerKind::Call { .. } => "call",
            TriggerKind::Schedule(_) => "schedule",
        });
        let triggers = Type::Word(triggers.map(str::to_owned).collect());
        fields.insert("trigger".to_owned(), always(triggers));
        match place.stage {
            Stage::Step(Part::Undo) => {
                // A group's failed attempt is undone while the saga runs.
                fields.insert("state".to_owned(), always(words(&["running", "compensating"])));
                fields.insert("cause".to_owned(), always(words(CAUSES)));
                fields.insert("reason".to_owned(), always(Type::String));
            }
            Stage::Step(Part::Finally) => {
                fields.extend(end_of(ENDS, "a saga that completes has no cause and no reason"));
            }
            Stage::Always => {
                let why = "a saga that is on its way or completes has no cause and no reason";
                fields.extend(end_of(&ALIVE_OR_OVER, why));
            }
            Stage::Step(Part::Forward)
            | Stage::When
            | Stage::Input
            | Stage::Vars
            | Stage::Require
            | Stage::Watch
            | Stage::Join
            | Stage::Result => {}
        }
        fields
    }
}

/// `saga.state`, one of these, and what a saga that failed has beside it.
fn end_of(states: &[&str], why: &str) -> [(String, Field); 3] {
    let state: Path = vec!["saga".into(), "state".into()];
    let failed = states.iter().filter(|word| !WELL.contains(*word));
    let when = failed.map(|word| (state.clone(), (*word).to_owned())).collect();
    let presence = Presence::Unless { when, why: why.to_owned() };
    let word = Field { ty: words(states), presence: Presence::Always };
    let cause = Field { ty: words(CAUSES), presence: presence.clone() };
    let reason = Field { ty: Type::String, presence };
    [("state".to_owned(), word), ("cause".to_owned(), cause), ("reason".to_owned(), reason)]
}

/// States in which nothing has failed.
const WELL: [&str; 3] = ["queued", "running", "completed"];

/// All states that a saga's own records lead to \[R16\].
const ALIVE_OR_OVER: [&str; 7] = [
    "queued",
    "running",
    "compensating",
    "completed",
    "failed",
    "compensated",
    "failed_compensation",
];

/// The names that stand right below a root in what is read.
pub(super) fn second<'r>(reads: &'r [Read], root: &'r str) -> impl Iterator<Item = &'r str> {
    let below = reads.iter().filter(move |read| read.path.first().is_some_and(|at| **at == *root));
    below.filter_map(|read| read.path.get(1)).map(|name| &**name)
}

fn closed(fields: BTreeMap<String, Field>) -> Type {
    Type::Object(ObjectType { fields, open: false })
}

fn words(list: &[&str]) -> Type {
    Type::Word(list.iter().map(|word| (*word).to_owned()).collect())
}

/// Whether what was set may be read, and the outcomes that prove it.
fn presence(set: &Set<'_>, what: &str) -> Presence {
    if set.always {
        return Presence::Always;
    }
    let path = |step: &str| vec!["steps".into(), step.into(), "outcome".into()];
    let when: Vec<(Path, String)> =
        set.by.iter().map(|step| (path(step), "succeeded".to_owned())).collect();
    let why = match set.by.as_slice() {
        [] => format!("{what} only on some paths to here"),
        [only] => format!("{what} only when step `{only}` succeeded"),
        several => {
            let names: Vec<String> = several.iter().map(|step| format!("`{step}`")).collect();
            format!("{what} only when one of the steps {} succeeded", names.join(", "))
        }
    };
    Presence::Unless { when, why }
}
