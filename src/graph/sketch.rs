//! What is to be drawn: cards in their order, with what hangs on them. Knows no place and no
//! syntax of a drawing.

use std::sync::Arc;

use super::words;
use super::{Fate, Story};
use crate::plan::{OnTimeout, Plan, Step, StepIx, Undo, Verb};

/// A saga, ready to be drawn.
pub(super) struct Sketch {
    /// Its name.
    pub name: Arc<str>,
    /// What it is for.
    pub doc: String,
    /// How it starts, and its own policies.
    pub start: Vec<Note>,
    /// The way forward.
    pub main: Vec<Card>,
    /// What runs on every end.
    pub finally: Vec<Card>,
    /// Where it may end.
    pub ends: Vec<End>,
    /// The saga that went through it: its id, and the state that it is in.
    pub saga: Option<(u64, String)>,
}

/// One line under a title.
pub(super) struct Note {
    /// What it speaks of.
    pub label: &'static str,
    /// What it says.
    pub text: String,
}

impl Note {
    /// A line.
    pub fn new(label: &'static str, text: impl Into<String>) -> Note {
        Note { label, text: text.into() }
    }
}

/// What a step does, as far as its looks go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Issue,
    Await,
    Emit,
    Delay,
    /// Calls another saga, or undoes what it did.
    Call,
    Group,
    Parallel,
    Fail,
    Done,
}

impl Kind {
    fn of(verb: &Verb) -> Kind {
        match verb {
            Verb::Issue { .. } => Kind::Issue,
            Verb::Await => Kind::Await,
            Verb::Emit { .. } => Kind::Emit,
            Verb::Delay(_) => Kind::Delay,
            Verb::Call(_) | Verb::Recall => Kind::Call,
            Verb::Group(_) | Verb::ForEach(_) => Kind::Group,
            Verb::Parallel { .. } => Kind::Parallel,
            Verb::Fail(_) => Kind::Fail,
            Verb::Done => Kind::Done,
        }
    }

    /// The verb.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Issue => "issue",
            Kind::Await => "await",
            Kind::Emit => "emit",
            Kind::Delay => "delay",
            Kind::Call => "call",
            Kind::Group => "group",
            Kind::Parallel => "parallel",
            Kind::Fail => "fail",
            Kind::Done => "done",
        }
    }
}

/// One step.
pub(super) struct Card {
    /// Its path.
    pub path: Arc<str>,
    /// Its verb.
    pub kind: Kind,
    /// What it does, and its policies.
    pub notes: Vec<Note>,
    /// Steps inside it.
    pub inner: Vec<Card>,
    /// Steps that run in its place when its time passes.
    pub instead: Vec<Card>,
    /// What undoes it.
    pub undo: Option<Box<Card>>,
    /// The undo, of another step, that undoes it as well.
    pub covered_by: Option<Arc<str>>,
    /// The point of no return.
    pub pivot: bool,
    /// Its failure changes nothing.
    pub best_effort: bool,
    /// What became of it, and the very word for it.
    pub fate: Option<(Fate, String)>,
}

impl Card {
    /// Whether the saga goes on behind it.
    pub fn goes_on(&self) -> bool {
        !matches!(self.kind, Kind::Fail | Kind::Done)
            || self.notes.iter().any(|note| note.label == "if")
    }

    /// Whether its failure may end the saga.
    pub fn may_end_it(&self) -> bool {
        match self.kind {
            Kind::Issue | Kind::Await | Kind::Group | Kind::Parallel | Kind::Call | Kind::Fail => {
                !self.best_effort
            }
            Kind::Emit | Kind::Delay | Kind::Done => false,
        }
    }
}

/// A state in which a saga may end.
pub(super) struct End {
    /// Its word.
    pub state: &'static str,
    /// Whether the drawn saga is in it.
    pub is_here: bool,
}

impl Sketch {
    /// Reads a plan, and what became of a saga.
    pub fn of(plan: &Plan, story: Option<&Story>) -> Sketch {
        let artist = Artist { plan, story };
        let goes_back = plan.steps.iter().any(|s| matches!(s.undo, Undo::Step { .. }));
        let pivots = plan.steps.iter().any(|step| step.pivot);
        let states = [
            ("completed", true),
            ("failed", true),
            ("compensated", goes_back),
            ("failed_compensation", goes_back || pivots),
        ];
        let end = |(state, _): (&'static str, bool)| End {
            state,
            is_here: story.is_some_and(|story| story.state == state),
        };
        Sketch {
            name: plan.name.clone(),
            doc: plan.doc.split_whitespace().collect::<Vec<_>>().join(" "),
            start: artist.start(),
            main: artist.cards(&plan.main),
            finally: artist.cards(&plan.finally),
            ends: states.into_iter().filter(|(_, may)| *may).map(end).collect(),
            saga: story.map(|story| (story.saga_id, story.state.clone())),
        }
    }
}

struct Artist<'a> {
    plan: &'a Plan,
    story: Option<&'a Story>,
}

impl Artist<'_> {
    /// How it starts; of a saga that was called, by whom.
    fn start(&self) -> Vec<Note> {
        let mut notes = words::of_saga(self.plan);
        if let Some((saga, step)) = self.story.and_then(|story| story.caller.as_ref()) {
            notes.push(Note::new("called by", format!("saga {saga}, step {step}")));
        }
        notes
    }

    fn cards(&self, steps: &[StepIx]) -> Vec<Card> {
        steps.iter().map(|ix| self.card(self.plan.step(*ix))).collect()
    }

    fn card(&self, step: &Step) -> Card {
        let kind = Kind::of(&step.verb);
        let mut notes = words::of_step(step);
        let (mut undo, mut covered_by) = (None, None);
        match (&step.undo, step.covered_by) {
            (_, Some(by)) => {
                if let Undo::Step { step, .. } = &self.plan.step(by).undo {
                    covered_by = Some(self.plan.step(*step).path.clone());
                }
            }
            (Undo::Step { step, covers }, None) => {
                let mut card = self.card(self.plan.step(*step));
                if !covers.is_empty() {
                    let names: Vec<&str> =
                        covers.iter().map(|ix| &*self.plan.step(*ix).path).collect();
                    card.notes.push(Note::new("covers", names.join(", ")));
                }
                undo = Some(Box::new(card));
            }
            (Undo::Nothing, None) => {}
        }
        if let Some(probe) = &step.probe
            && let Verb::Issue { command, target, .. } = &self.plan.step(probe.step).verb
        {
            notes.push(Note::new("probe", format!("{command} → {target}")));
            notes.push(Note::new("done when", probe.done_when.to_string()));
        }
        let called = self.story.and_then(|story| story.children.get(&*step.path));
        notes.extend(called.map(|saga| Note::new("called", format!("saga {saga}"))));
        if step.best_effort {
            notes.push(Note::new("failure", "is recorded, the saga goes on"));
        }
        Card {
            path: step.path.clone(),
            kind,
            notes,
            inner: self.cards(step.verb.inside()),
            instead: match &step.on_timeout {
                OnTimeout::Steps(steps) => self.cards(steps),
                OnTimeout::Fail | OnTimeout::Continue => Vec::new(),
            },
            undo,
            covered_by,
            pivot: step.pivot,
            best_effort: step.best_effort,
            fate: self.fate(&step.path),
        }
    }

    fn fate(&self, path: &str) -> Option<(Fate, String)> {
        let state = self.story?.steps.get(path)?;
        Some((Fate::of(state), state.replace('_', " ")))
    }
}
