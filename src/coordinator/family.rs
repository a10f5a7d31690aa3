//! Sub-sagas between their callers and themselves: what a caller wants of them is carried down,
//! what became of them is carried up, all in the transaction that caused it \[R23\]. What they
//! want, and what that means, is each saga's own affair.

use std::sync::Arc;

use crate::expr;
use crate::ids::SagaId;
use crate::limits::CALL_DEPTH;
use crate::plan::{Undo, Verb};
use crate::saga::children::Want;
use crate::saga::decide::{ChildNews, Input, SagaScope};
use crate::saga::record::{Cause, Fate, Parent};
use crate::saga::state::StepKey;

use super::begin::Asker;
use super::{Coordinator, Follower};

/// Why a sub-saga does not begin.
type NotCalled = (Cause, Arc<str>);

impl Coordinator {
    /// Brings a saga, its caller and its sub-sagas to one state of knowledge.
    pub(super) fn settle_family(&mut self, id: SagaId, depth: usize) {
        self.tell_caller(id, depth);
        let Some(live) = self.live.get(&id).filter(|live| live.plan.has_calls) else { return };
        for want in live.saga.wants(&live.plan) {
            match want {
                Want::Call(step) => self.call_for(id, step, depth),
                Want::Recall { child, cause, reason } => {
                    let input = Input::Recall { cause, reason: &reason };
                    self.tell_child(id, child, input, depth);
                }
                Want::Release(child) => self.tell_child(id, child, Input::Release, depth),
            }
        }
    }

    /// Asks for all families once more: a log that was cut off between two facts is mended here.
    pub(super) fn settle_families(&mut self) {
        let live = self.live.values();
        let kin = live.filter(|live| live.plan.has_calls || live.saga.parent.is_some());
        let ids: Vec<SagaId> = kin.map(|live| live.saga.id).collect();
        self.followers.extend(ids.into_iter().map(|of| Follower::Family { of, depth: 0 }));
        self.follow_now();
    }

    /// The sub-sagas of a saga that is of no use any more: their ends wait for nobody.
    pub(super) fn orphan(&mut self, id: SagaId) {
        let live = self.live.values();
        let its =
            live.filter(|live| live.saga.parent.as_ref().is_some_and(|parent| parent.saga == id));
        let ids: Vec<SagaId> = its.map(|live| live.saga.id).collect();
        self.followers.extend(ids.into_iter().map(|of| Follower::Family { of, depth: 0 }));
    }

    fn tell_caller(&mut self, id: SagaId, depth: usize) {
        let Some(live) = self.live.get(&id) else { return };
        let Some(parent) = live.saga.parent.clone() else { return };
        let caller = self.live.get(&parent.saga).filter(|caller| caller.clash.is_none());
        let Some(caller) = caller else {
            // Who could undo it is gone, and it ends as it is.
            if live.saga.is_held() {
                self.decide_one(id, Input::Release, depth);
            }
            return;
        };
        let known = caller
            .saga
            .find(&caller.plan, &parent.step)
            .and_then(|step| caller.saga.run(step)?.child.as_deref())
            .filter(|child| child.id == id);
        let fate = match &live.clash {
            Some(_) => Fate::FailedCompensation,
            None => live.saga.fate(&live.plan, &self.world.targets),
        };
        if known.is_some_and(|child| child.fate == fate) {
            return;
        }
        let verdict = live.saga.verdict.as_ref().or(live.saga.held.as_ref());
        let news = ChildNews {
            step: parent.step.clone(),
            child: id,
            fate,
            result: verdict.and_then(|verdict| verdict.result.clone()),
            hides: live.saga.hides(&live.plan),
            reason: match &live.clash {
                Some(clash) => Some(Arc::from(format!("it is corrupt: {clash}"))),
                None => verdict.and_then(|verdict| verdict.reason.clone()),
            },
        };
        self.decide_one(parent.saga, Input::Child(&news), depth);
    }

    fn tell_child(&mut self, id: SagaId, child: SagaId, input: Input<'_>, depth: usize) {
        if self.live.get(&child).is_some_and(|live| live.clash.is_none()) {
            return self.decide_one(child, input, depth);
        }
        // It was set aside: nobody knows what it did.
        let Some(live) = self.live.get(&id) else { return };
        let its = |run: &&crate::saga::state::Run| {
            run.child.as_ref().is_some_and(|known| known.id == child)
        };
        let Some(run) = live.saga.runs.iter().find(its) else { return };
        let step = live.saga.path(&live.plan, run.key);
        let reason = Some(Arc::from("its records cannot be read"));
        let fate = Fate::FailedCompensation;
        let news = ChildNews { step, child, fate, result: None, reason, hides: true };
        self.decide_one(id, Input::Child(&news), depth);
    }

    /// Begins the sub-saga that a step wants; that it cannot begin fails the step, known.
    fn call_for(&mut self, id: SagaId, step: StepKey, depth: usize) {
        let Some(live) = self.live.get(&id) else { return };
        let wanted = live.saga.run(step).is_some_and(|run| live.saga.wants_call(run));
        if !wanted {
            return;
        }
        let path = live.saga.path(&live.plan, step);
        match self.begin_child(id, step, depth) {
            // At once: nothing may come in between and leave it unknown to its caller.
            Ok(child) => self.tell_caller(child, depth),
            Err((cause, reason)) => {
                let input = Input::NotCalled { step: &path, cause, reason: &reason };
                self.decide_one(id, input, depth);
            }
        }
    }

    fn begin_child(
        &mut self,
        id: SagaId,
        step: StepKey,
        depth: usize,
    ) -> Result<SagaId, NotCalled> {
        let fault = |words: String| (Cause::Fault, Arc::from(words));
        let live = self.live.get(&id).ok_or_else(|| fault("it is gone".to_owned()))?;
        let plan = live.plan.clone();
        let Verb::Call(call) = &plan.step(step.step).verb else {
            return Err(fault("it calls nobody".to_owned()));
        };
        let above = live.saga.parent.as_ref().map_or(0, |parent| parent.depth);
        if above as usize >= CALL_DEPTH {
            return Err(fault(format!("calls are {CALL_DEPTH} deep already")));
        }
        let scope = SagaScope::new(&live.saga, &plan, self.now, None).within(step.branch);
        let fields = expr::eval_fields(&call.with, &scope)
            .map_err(|(name, error)| fault(format!("`{name}` cannot be evaluated: {error}")))?;
        let undo = match plan.step(step.step).undo {
            Undo::Step { step, .. } => Some(step),
            Undo::Nothing => None,
        };
        let of_step = live.saga.run(step).and_then(crate::saga::state::Run::due);
        // The saga's own deadline bounds the way forward only [R14].
        let of_saga = live.saga.due.filter(|_| plan.is_forward(step.step));
        let parent = Parent {
            saga: id,
            step: live.saga.path(&plan, step),
            root: live.saga.root(),
            depth: above + 1,
            until: of_step.into_iter().chain(of_saga).min(),
            holds: undo.is_some_and(|undo| plan.step(undo).verb.is_recall()),
        };
        let parent = Some(Arc::new(parent));
        let asker = Asker { client: None, dedup: None, parent };
        let refused = |message: String| (Cause::ActionFailed, Arc::from(message));
        let newcomer = self.called(&call.saga, fields, asker);
        let newcomer = newcomer.map_err(|refusal| refused(refusal.message))?;
        // Its text may have changed since its caller began.
        if newcomer.plan.observes != plan.observes {
            let (who, other) =
                if plan.observes { ("observes", "does not") } else { ("does not observe", "does") };
            return Err(refused(format!("this saga {who}, and `{}` {other}", call.saga)));
        }
        self.contend(newcomer, depth).map_err(|refusal| refused(refusal.message))
    }
}
