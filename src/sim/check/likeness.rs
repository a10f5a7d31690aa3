//! What makes two moments one: everything that what comes later can depend on, and nothing else.
//! Times are told from now, records by what follows from their order, and facts that nobody can
//! ask for any more are left out. Elements of a loop that nothing tells apart are one another's
//! like: which of them has come how far makes no difference.

use crate::ids::SagaId;
use crate::limits::DISCONNECT_TIMEOUT;
use crate::plan::{Plan, Policy, StepIx, Verb};
use crate::saga::record::{Cause, State};
use crate::saga::state::{Phase, Run, StepKey};
use crate::time::Timestamp;

use super::act::Node;
use super::digest::Digest;
use super::future::Future;
use super::judge::left_behind;
use super::{Detail, Setting};

/// The likeness of a moment; two moments that share it have the same future.
pub(super) fn likeness(setting: &Setting, node: &Node) -> u128 {
    let times = if setting.detail == Detail::Least { Times::Order } else { Times::Exact };
    told(setting, node, times)
}

/// The same without a word of times.
pub(super) fn timeless(setting: &Setting, node: &Node) -> u128 {
    told(setting, node, Times::None)
}

/// What is told of times.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    Exact,
    /// In which order what is due is due.
    Order,
    None,
}

fn told(setting: &Setting, node: &Node, times: Times) -> u128 {
    let mut digest = Digest::default();
    digest.flag(node.met);
    digest.flag(node.fresh.is_some());
    let all = concerned(setting, node);
    for target in &setting.targets {
        let matters = needs(setting, node, &all, target);
        digest.byte(u8::from(matters) + u8::from(matters && node.world.is_connected(target)));
    }
    let clock = Clock::of(setting, node, times, &all);
    if !setting.plan().trigger.schedules.is_empty() && times != Times::None {
        digest.word(node.world.until_tick(&setting.plan().name).0);
    }
    for (place, (_, ended)) in node.books.sagas.iter().enumerate() {
        if let Some(state) = ended.filter(|_| place == 0) {
            digest.byte(1 + state as u8);
        }
    }
    for (place, future) in &all {
        let part = Likeness { setting, node, future, clock: &clock, place: (*place).min(1) };
        part.tell(&mut digest);
    }
    digest.end()
}

/// Whether it makes a difference that the target is there. A newcomer that waits for the end is
/// followed no farther than to its own beginning.
fn needs(setting: &Setting, node: &Node, all: &[(usize, Future<'_>)], target: &str) -> bool {
    let beside = setting.plan().eviction.policy == Policy::Parallel && setting.meets();
    setting.tells_all()
        || (beside && !node.met)
        || all.iter().any(|(_, future)| future.needs(target))
}

/// The targets that are of any account at that moment.
pub(super) fn needed<'a>(setting: &'a Setting, node: &'a Node) -> Vec<&'a std::sync::Arc<str>> {
    let all = concerned(setting, node);
    setting.targets.iter().filter(|target| needs(setting, node, &all, target)).collect()
}

/// The sagas of a moment that are worth a look. One that ended does nothing any more; what it was
/// is judged at its end.
fn concerned<'a>(setting: &'a Setting, node: &'a Node) -> Vec<(usize, Future<'a>)> {
    let mut all = Vec::new();
    for (place, (id, ended)) in node.books.sagas.iter().enumerate() {
        if let (None, Some((saga, plan))) = (ended, node.world.coordinator().saga(*id))
            && setting.concerns(place, saga)
        {
            let reads = setting.reads_of(&saga.name);
            let how = (place == 0 && !node.met, setting.tells_all());
            let future = Future::of((saga, plan), reads, &node.books.ledger, how);
            all.push((place, future));
        }
    }
    all
}

/// How late it is.
struct Clock {
    now: Timestamp,
    times: Times,
    /// All that is due, in order.
    order: Vec<Timestamp>,
}

impl Clock {
    fn of(setting: &Setting, node: &Node, times: Times, all: &[(usize, Future<'_>)]) -> Clock {
        let now = node.world.now();
        let mut dues = Vec::new();
        if times != Times::Order {
            return Clock { now, times, order: dues };
        }
        for (_, Future { saga, plan, .. }) in all {
            if saga.state == State::Running && saga.verdict.is_none() {
                dues.extend(saga.due);
            }
            for run in saga.runs.iter().filter(|run| run.is_open()) {
                dues.extend(due_of(run));
                dues.extend(gives_up(setting, node, plan, run));
            }
        }
        dues.sort_unstable();
        dues.dedup();
        Clock { now, times, order: dues }
    }

    /// A deadline that there is not is no time at all.
    fn tell(&self, at: Option<Timestamp>, digest: &mut Digest) {
        let word = match (at, self.times) {
            (None, _) => u64::MAX,
            (Some(at), Times::Exact) => at.since(self.now).0,
            (Some(at), Times::Order) => self.order.partition_point(|due| *due < at) as u64,
            (Some(_), Times::None) => 0,
        };
        digest.word(word);
    }
}

fn due_of(run: &Run) -> Option<Timestamp> {
    match &run.phase {
        Phase::Waiting { due } => *due,
        Phase::Pausing { until, .. } => Some(*until),
        Phase::Idle | Phase::Undoing { .. } | Phase::Probing { .. } | Phase::Ended { .. } => None,
    }
}

/// When a command has waited too long for a target that is away \[P3\].
fn gives_up(setting: &Setting, node: &Node, plan: &Plan, run: &Run) -> Option<Timestamp> {
    let command = run.command.as_ref()?;
    let world = node.world.coordinator().world();
    let waits = matches!(run.phase, Phase::Waiting { .. });
    if !waits || world.targets.is_open(&command.target) || plan.is_undo(run.key.step) {
        return None;
    }
    let closed = world.targets.get(&command.target).and_then(|target| target.closed_at);
    let since = closed.map_or(world.booted_at, |at| at.max(world.booted_at)).max(command.at);
    let target = setting.catalog.targets.get(&command.target);
    let over = since + target.map_or(DISCONNECT_TIMEOUT, |target| target.disconnect_timeout);
    // The step's own timeout may come first, and then it is all that counts.
    due_of(run).is_none_or(|due| over <= due).then_some(over)
}

/// One saga of a moment.
struct Likeness<'a> {
    setting: &'a Setting,
    node: &'a Node,
    future: &'a Future<'a>,
    clock: &'a Clock,
    place: usize,
}

/// What a branch of a loop is now.
#[derive(Default)]
struct Form {
    /// A digest of it, and of the branches in it.
    is: u128,
    /// The branches in it, in an order that does not depend on which of them is which.
    inside: Vec<u32>,
}

impl Likeness<'_> {
    fn tell(&self, digest: &mut Digest) {
        let saga = self.future.saga;
        digest.word(self.place as u64);
        digest.byte(saga.state as u8);
        digest.text(&saga.name);
        digest.flag(saga.held.is_some());
        digest.flag(saga.unwinding.is_some());
        digest.byte(saga.verdict.as_ref().map_or(0, |verdict| 1 + verdict.state as u8));
        if self.future.is_cause_read() {
            let cause = saga.verdict.as_ref().and_then(|verdict| verdict.cause);
            let cause = cause.or(saga.unwinding.as_ref().map(|(cause, _)| *cause));
            digest.byte(cause.map_or(0, |cause: Cause| 1 + cause as u8));
        }
        if saga.state == State::Running && saga.verdict.is_none() {
            self.clock.tell(saga.due, digest);
        }
        self.given(digest);
        self.variables(&saga.vars, digest);
        if !self.future.is_decided() {
            for mark in [true, false] {
                digest.flag(saga.runs.iter().any(|run| run.undone == Some(mark)));
            }
        }
        let forms = self.forms();
        digest.long(forms[0].is);
        self.order(&forms, digest);
        for (path, command) in &saga.reactions.owed {
            digest.text(path);
            digest.value(&command.with);
        }
        self.left(digest);
    }

    /// What it was started with: all of it as long as a rival may come with the same.
    fn given(&self, digest: &mut Digest) {
        let saga = self.future.saga;
        if self.setting.tells_all() || (self.setting.meets() && !self.node.met) {
            return digest.value(&saga.fields);
        }
        for (name, value) in saga.fields.as_object().into_iter().flatten() {
            if self.future.is_field_read(name) {
                digest.text(name);
                digest.value(value);
            }
        }
        for (name, value) in saga.input.as_object().into_iter().flatten() {
            if self.future.is_input_read(name) {
                digest.text(name);
                digest.value(value);
            }
        }
    }

    fn variables(&self, vars: &serde_json::Map<String, serde_json::Value>, digest: &mut Digest) {
        for (name, value) in vars.iter().filter(|(name, _)| self.future.is_var_read(name)) {
            digest.text(name);
            digest.value(value);
        }
    }

    /// What each branch is, by its number; the first one is the trunk.
    fn forms(&self) -> Vec<Form> {
        let saga = self.future.saga;
        let mut forms: Vec<Form> = Vec::new();
        forms.resize_with(1 + (&saga.branches).into_iter().count(), Form::default);
        // A branch has a greater number than the one that it stands in.
        for at in (0..forms.len()).rev() {
            let number = at as u32;
            let mut digest = Digest::default();
            let mut lives = false;
            let from = saga.runs.partition_point(|run| run.key.branch < number);
            let runs = saga.runs[from..].iter().take_while(|run| run.key.branch == number);
            for run in runs.filter(|run| !self.future.is_past(run)) {
                lives = true;
                self.run(run, &mut digest);
            }
            self.effects(number, &mut digest);
            if let Some(branch) = saga.branch(number).filter(|_| lives) {
                self.variables(&branch.vars, &mut digest);
            }
            let inside = self.inside(number, &forms, &mut digest);
            forms[at] = Form { is: digest.end(), inside };
        }
        forms
    }

    /// The loops in a branch, each with its elements.
    fn inside(&self, number: u32, forms: &[Form], digest: &mut Digest) -> Vec<u32> {
        let saga = self.future.saga;
        let branches = (1u32..).zip(&saga.branches).filter(|(_, one)| one.parent == number);
        let mut all: Vec<(StepIx, u128, u32, u32)> = Vec::new();
        for (child, branch) in branches {
            let alike = self.are_alike(branch.owner);
            let place = if alike { 0 } else { branch.index };
            let is = if alike { forms[child as usize].is } else { 0 };
            all.push((branch.owner, is, place, child));
        }
        all.sort_unstable();
        for (owner, _, place, child) in &all {
            digest.word(u64::from(owner.0) << 32 | u64::from(*place));
            digest.long(forms[*child as usize].is);
        }
        all.into_iter().map(|(_, _, _, child)| child).collect()
    }

    /// Whether nothing tells the elements of that loop apart: neither what anybody reads of them,
    /// nor an order in which they have to come.
    fn are_alike(&self, owner: StepIx) -> bool {
        if self.setting.tells_all() {
            return false;
        }
        let verb = &self.future.plan.step(owner).verb;
        let named = verb.element().is_some_and(|name| self.future.reads.decides_by_element(name));
        !named && !verb.is_in_order() && !self.future.reads.tells_elements(owner)
    }

    /// The element that a branch is for, where all that tells the branches apart are the values.
    fn own_element(&self, branch: u32) -> Option<&serde_json::Value> {
        let saga = self.future.saga;
        let of = saga.branch(branch).filter(|of| self.are_alike(of.owner))?;
        let owner = StepKey { branch: of.parent, step: of.owner };
        saga.run(owner)?.elements.as_ref()?.get(of.index as usize)
    }

    /// In which order steps ended that may be undone.
    fn order(&self, forms: &[Form], digest: &mut Digest) {
        let saga = self.future.saga;
        let mut names: Vec<u32> = vec![0; forms.len()];
        let mut open: Vec<u32> = vec![0];
        let mut next = 0;
        while let Some(branch) = open.pop() {
            names[branch as usize] = next;
            next += 1;
            open.extend(forms[branch as usize].inside.iter().rev());
        }
        for key in saga.order.iter().filter(|key| self.future.is_order_asked(**key)) {
            if saga.run(*key).is_some_and(|run| !self.future.is_past(run)) {
                digest.word(u64::from(names[key.branch as usize]) << 32 | u64::from(key.step.0));
            }
        }
    }

    fn run(&self, run: &Run, digest: &mut Digest) {
        digest.word(u64::from(run.key.step.0));
        let open = match &run.phase {
            Phase::Idle => {
                digest.byte(0);
                false
            }
            Phase::Waiting { due } => {
                digest.byte(1);
                self.clock.tell(*due, digest);
                true
            }
            Phase::Pausing { until, in_doubt, .. } => {
                digest.byte(2);
                self.clock.tell(Some(*until), digest);
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
        if open || self.future.is_asked_for(run.key.step) {
            digest.word(u64::from(self.attempt(run)));
            digest.flag(run.doubted);
        }
        digest.flag(run.command.is_some());
        if matches!(run.phase, Phase::Waiting { .. }) {
            self.command(run, digest);
        }
        digest.word(run.matched.len() as u64);
        run.matched.iter().for_each(|place| digest.word(u64::from(*place)));
        if let Some(elements) = &run.elements {
            digest.word(elements.len() as u64);
            elements.iter().for_each(|element| digest.value(element));
        }
        let is_asked = self.future.is_echo_asked(run);
        digest.flag(run.echo.is_some() && is_asked);
        if let Some(echo) = run.echo.as_ref().filter(|_| is_asked) {
            let own = self.own_element(run.key.branch).is_some_and(|element| *element == **echo);
            if own { digest.byte(u8::MAX) } else { digest.value(echo) }
        }
        if let Some(child) = &run.child {
            digest.byte(1 + child.fate as u8);
            digest.flag(child.committed);
            if let Some(result) = child.result.as_ref().filter(|_| is_asked) {
                digest.value(result);
            }
        }
    }

    /// Which attempt it is: past those that the step may make, all are one.
    fn attempt(&self, run: &Run) -> u32 {
        let retry = self.future.plan.step(run.key.step).retry.as_ref();
        let most = retry.map_or(1, |retry| retry.attempts);
        let counts = self.clock.times == Times::Exact || self.future.is_asked_for(run.key.step);
        if counts { run.attempt } else { run.attempt.min(most) }
    }

    /// What a command that is owed may still come to: whether it may have been sent, and how long
    /// it waits for a target that is away \[P3, P10\].
    fn command(&self, run: &Run, digest: &mut Digest) {
        let Some(command) = &run.command else { return };
        let targets = &self.node.world.coordinator().world().targets;
        digest.flag(targets.had_session_since(&command.target, command.seq));
        // Whether it may have been sent since it was asked for last is for those to know that may
        // not be sent twice.
        let verb = &self.future.plan.step(run.key.step).verb;
        let repeats = matches!(verb, Verb::Issue { idempotent: true, .. });
        digest.flag(
            (!repeats || self.setting.tells_all())
                && targets.had_session_since(&command.target, command.owed),
        );
        let gives_up = gives_up(self.setting, self.node, self.future.plan, run);
        if gives_up.is_some() {
            self.clock.tell(gives_up, digest);
        }
    }

    /// What stands of the steps of a branch, and is judged at the end. Once an undo has failed the
    /// saga is an incident whatever stands.
    fn effects(&self, branch: u32, digest: &mut Digest) {
        let Future { saga, ledger, .. } = self.future;
        let fails = || saga.runs.iter().any(|run| run.undone == Some(false));
        if self.future.is_decided() || (saga.state == State::Compensating && fails()) {
            return;
        }
        let mut standing: Vec<(StepKey, bool, bool)> = Vec::new();
        for (command, effect) in ledger.standing(saga.id).filter(|(_, e)| e.step.branch == branch) {
            let run = saga.run(effect.step);
            let newest = run.and_then(|run| run.command.as_ref()).is_some_and(|c| c.id == *command);
            if !self.future.is_stood_by(effect.step, newest) {
                standing.push((effect.step, newest, effect.irreversible));
            }
        }
        standing.sort_unstable();
        for (key, newest, irreversible) in standing {
            digest.word(u64::from(key.step.0));
            digest.flag(newest);
            digest.flag(irreversible);
        }
        let from = saga.runs.partition_point(|run| run.key.branch < branch);
        let runs = saga.runs[from..].iter().take_while(|run| run.key.branch == branch);
        let undone = runs.filter(|run| run.undone.is_none());
        for run in undone.filter(|run| ledger.is_undone(saga.id, run.key)) {
            digest.word(u64::from(run.key.step.0));
        }
    }

    /// Once its end is decided, all that matters of what it left is whether that is too much.
    fn left(&self, digest: &mut Digest) {
        let Future { saga, plan, ledger, .. } = self.future;
        let id: SagaId = saga.id;
        if let Some(verdict) = &saga.verdict
            && ledger.standing(id).next().is_some()
        {
            digest.flag(left_behind(plan, saga, ledger, verdict.state));
        }
    }
}
