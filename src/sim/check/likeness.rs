//! What makes two moments one: everything that what comes later can depend on, and nothing else.
//! Times are told from now, records by what follows from their order, and facts that nobody can
//! ask for any more are left out.

use serde_json::Value;

use crate::ids::SagaId;
use crate::plan::{Body, Plan, StepIx, Undo};
use crate::saga::record::{Cause, Ending, State};
use crate::saga::state::{Phase, Run, Saga, StepKey};
use crate::saga::targets::Targets;
use crate::time::Timestamp;

use super::Setting;
use super::act::Node;
use super::reads::Reader;

/// A digest (FNV-1a of 128 bits) of what a moment is.
#[derive(Debug)]
struct Digest(u128);

impl Digest {
    fn byte(&mut self, byte: u8) {
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013B;
        self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(PRIME);
    }

    fn word(&mut self, word: u64) {
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013B;
        // A word at once: the value is spread by the multiplication and by the turn.
        self.0 = (self.0 ^ u128::from(word)).wrapping_mul(PRIME).rotate_left(29);
    }

    fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        text.bytes().for_each(|byte| self.byte(byte));
    }

    fn flag(&mut self, flag: bool) {
        self.byte(u8::from(flag));
    }

    /// How long from now; a deadline that there is not is no time at all.
    fn time(&mut self, at: Option<Timestamp>, now: Timestamp) {
        match at {
            Some(at) => self.word(at.since(now).0),
            None => self.word(u64::MAX),
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.byte(0),
            Value::Bool(flag) => self.byte(1 + u8::from(*flag)),
            Value::Number(number) => {
                self.byte(3);
                self.text(&number.to_string());
            }
            Value::String(text) => {
                self.byte(4);
                self.text(text);
            }
            Value::Array(items) => {
                self.byte(5);
                self.word(items.len() as u64);
                items.iter().for_each(|item| self.value(item));
            }
            Value::Object(fields) => {
                self.byte(6);
                self.word(fields.len() as u64);
                for (name, value) in fields {
                    self.text(name);
                    self.value(value);
                }
            }
        }
    }
}

/// The likeness of a moment; two moments that share it have the same future.
pub(super) fn likeness(setting: &Setting, node: &Node) -> u128 {
    let mut digest = Digest(0x6C62_272E_07BB_0142_62B8_2175_6295_C58D);
    for target in &setting.targets {
        digest.flag(node.world.is_connected(target));
    }
    digest.flag(node.met);
    if !setting.plan().trigger.schedules.is_empty() {
        digest.word(node.world.until_tick(&setting.plan().name).0);
    }
    for (place, (id, ended)) in node.books.sagas.iter().enumerate() {
        if let Some(state) = ended.filter(|_| place == 0) {
            digest.byte(1 + state as u8);
        }
        // A saga that ended does nothing any more; what it was is judged at its end.
        if let (None, Some((saga, plan))) = (ended, node.world.coordinator().saga(*id))
            && setting.concerns(place, saga)
        {
            Likeness { setting, node, saga, plan, place: place.min(1) }.tell(&mut digest);
        }
    }
    digest.0
}

/// One saga of a moment.
struct Likeness<'a> {
    setting: &'a Setting,
    node: &'a Node,
    saga: &'a Saga,
    plan: &'a Plan,
    place: usize,
}

impl Likeness<'_> {
    fn tell(&self, digest: &mut Digest) {
        let (saga, now) = (self.saga, self.node.world.now());
        digest.word(self.place as u64);
        digest.byte(saga.state as u8);
        digest.text(&saga.name);
        digest.value(&saga.fields);
        digest.flag(saga.held.is_some());
        digest.flag(saga.unwinding.is_some());
        digest.byte(saga.verdict.as_ref().map_or(0, |verdict| 1 + verdict.state as u8));
        if self.setting.reads_of(&saga.name).cause {
            let cause = saga.verdict.as_ref().and_then(|verdict| verdict.cause);
            let cause = cause.or(saga.unwinding.as_ref().map(|(cause, _)| *cause));
            digest.byte(cause.map_or(0, |cause: Cause| 1 + cause as u8));
        }
        if saga.state == State::Running && saga.verdict.is_none() {
            digest.time(saga.due, now);
        }
        digest.word(saga.vars.len() as u64);
        for (name, value) in &saga.vars {
            digest.text(name);
            digest.value(value);
        }
        for branch in &saga.branches {
            digest.word(u64::from(branch.parent) << 32 | u64::from(branch.owner.0));
            digest.word(u64::from(branch.index));
            digest.word(branch.vars.len() as u64);
            for (name, value) in &branch.vars {
                digest.text(name);
                digest.value(value);
            }
        }
        for mark in [true, false] {
            digest.flag(saga.runs.iter().any(|run| run.undone == Some(mark)));
        }
        for run in saga.runs.iter().filter(|run| !self.is_past(run)) {
            self.run(run, digest);
        }
        for key in &saga.order {
            if saga.run(*key).is_some_and(|run| !self.is_past(run)) {
                self.key(*key, digest);
            }
        }
        for (path, command) in &self.saga.reactions.owed {
            digest.text(path);
            digest.value(&command.with);
        }
        self.effects(digest);
    }

    fn key(&self, key: StepKey, digest: &mut Digest) {
        digest.word(u64::from(key.branch) << 32 | u64::from(key.step.0));
    }

    fn run(&self, run: &Run, digest: &mut Digest) {
        let now = self.node.world.now();
        self.key(run.key, digest);
        let open = match &run.phase {
            Phase::Idle => {
                digest.byte(0);
                false
            }
            Phase::Waiting { due } => {
                digest.byte(1);
                digest.time(*due, now);
                true
            }
            Phase::Pausing { until, in_doubt, .. } => {
                digest.byte(2);
                digest.time(Some(*until), now);
                digest.flag(*in_doubt);
                true
            }
            Phase::Undoing { cause, .. } => {
                digest.byte(3);
                digest.byte(*cause as u8);
                true
            }
            Phase::Probing { cause, .. } => {
                digest.byte(8);
                digest.byte(*cause as u8);
                true
            }
            Phase::Ended { outcome, .. } => {
                digest.byte(4 + *outcome as u8);
                false
            }
        };
        digest.byte(run.undone.map_or(0, |undone| 1 + u8::from(undone)));
        if open || self.is_asked_for(run.key.step) {
            digest.word(u64::from(run.attempt));
            digest.flag(run.doubted);
        }
        digest.flag(run.command.is_some());
        if matches!(run.phase, Phase::Waiting { .. }) {
            self.command(run, digest);
        }
        digest.word(run.matched.len() as u64);
        run.matched.iter().for_each(|place| digest.word(u64::from(*place)));
        digest.flag(run.elements.is_some());
        digest.flag(run.echo.is_some());
        if let Some(elements) = &run.elements {
            digest.word(elements.len() as u64);
            elements.iter().for_each(|element| digest.value(element));
        }
        if let Some(echo) = &run.echo {
            digest.value(echo);
        }
    }

    /// What a command that is owed may still come to: whether it may have been sent, and how long
    /// it waits for a target that is away \[P3, P10\].
    fn command(&self, run: &Run, digest: &mut Digest) {
        let Some(command) = &run.command else { return };
        let world = self.node.world.coordinator().world();
        let targets: &Targets = &world.targets;
        digest.flag(targets.had_session_since(&command.target, command.seq));
        digest.flag(targets.had_session_since(&command.target, command.owed));
        if !targets.is_open(&command.target) && !self.plan.is_undo(run.key.step) {
            let closed = targets.get(&command.target).and_then(|target| target.closed_at);
            let since = closed.map_or(world.booted_at, |at| at.max(world.booted_at));
            digest.word(self.node.world.now().since(since.max(command.at)).0);
        }
    }

    /// Whether somebody may still read what became of that step.
    fn is_asked_for(&self, step: StepIx) -> bool {
        let saga = self.saga;
        let forward = saga.state == State::Running && saga.verdict.is_none();
        let undoing = |of: StepIx| {
            let mut runs = saga.runs.iter().filter(|run| run.key.step == of);
            saga.verdict.is_none() && runs.any(|run| run.undone.is_none())
        };
        self.setting.reads_of(&saga.name).readers_of(step).any(|reader| match reader {
            Reader::Late => true,
            Reader::Forward => forward,
            Reader::Undo(of) => forward || undoing(of),
        })
    }

    /// Whether nobody can ask any more what became of that step.
    fn is_past(&self, run: &Run) -> bool {
        if self.is_asked_for(run.key.step) {
            return false;
        }
        if self.saga.verdict.is_some() {
            return !run.is_open() && !self.is_in_finally(run.key.step);
        }
        if self.saga.state != State::Compensating || run.is_open() {
            return false;
        }
        if let Some(owner) = self.undone_by(run.key) {
            return self.saga.run(owner).is_some_and(|run| run.undone.is_some());
        }
        if run.undone.is_some() {
            return true;
        }
        match run.outcome() {
            Some(Ending::Failed | Ending::Skipped) => {
                !self.plan.step(run.key.step).verb.holds_steps()
            }
            Some(Ending::Succeeded | Ending::InDoubt) => {
                let step = self.plan.step(run.key.step);
                step.undo == Undo::Nothing
                    && step.covered_by.is_none()
                    && step.body == Body::Main
                    && !step.verb.holds_steps()
                    && !self.has_effect(run.key)
            }
            None => false,
        }
    }

    fn has_effect(&self, key: StepKey) -> bool {
        self.node.books.ledger.standing(self.saga.id).any(|(_, effect)| effect.step == key)
    }

    /// The step that the one undoes which that step stands in.
    fn undone_by(&self, key: StepKey) -> Option<StepKey> {
        let mut at = key;
        while let Some(owner) = self.saga.owner(self.plan, at) {
            if matches!(self.plan.step(at.step).body, Body::Undo(_)) {
                return Some(owner);
            }
            at = owner;
        }
        None
    }

    fn is_in_finally(&self, step: StepIx) -> bool {
        let mut body = self.plan.step(step).body;
        while let Some(owner) = Plan::owner(body) {
            body = self.plan.step(owner).body;
        }
        body == Body::Finally
    }

    /// What is judged at the end. Once an undo has failed the saga is an incident whatever stands.
    fn effects(&self, digest: &mut Digest) {
        let id: SagaId = self.saga.id;
        if self.saga.runs.iter().any(|run| run.undone == Some(false))
            && self.saga.state == State::Compensating
        {
            return;
        }
        let mut standing: Vec<(StepKey, bool, bool)> = Vec::new();
        for (command, effect) in self.node.books.ledger.standing(id) {
            let run = self.saga.run(effect.step);
            let newest = run.and_then(|run| run.command.as_ref()).is_some_and(|c| c.id == *command);
            standing.push((effect.step, newest, effect.irreversible));
        }
        standing.sort();
        for (key, newest, irreversible) in standing {
            self.key(key, digest);
            digest.flag(newest);
            digest.flag(irreversible);
        }
        let undone = self.saga.runs.iter().filter(|run| run.undone.is_none());
        for run in undone.filter(|run| self.node.books.ledger.is_undone(id, run.key)) {
            self.key(run.key, digest);
        }
    }
}
