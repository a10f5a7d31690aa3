//! What the clock starts \[R9\]: one entry of the timetable a schedule, and no task. What its saga
//! then does is the saga's own decision.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::plan::{Plan, ScheduleTrigger};
use crate::saga::record::{Record, Scheduled, Ticked};
use crate::time::Timestamp;

use super::Coordinator;
use super::timetable::Due;

/// A schedule of a definition that starts now.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    plan: Arc<Plan>,
    /// Which of the plan's schedules it is.
    place: usize,
    /// Its text, which is its name in the log.
    text: Arc<str>,
    /// Its entry in the timetable.
    next: Option<Timestamp>,
}

/// A schedule as people see it.
#[derive(Clone, Copy, Debug)]
pub struct Tick<'a> {
    /// The saga that it starts.
    pub saga: &'a Arc<str>,
    /// When, as text.
    pub schedule: &'a Arc<str>,
    /// The next tick; absent: none comes any more.
    pub next: Option<Timestamp>,
}

impl Clock {
    fn trigger(&self) -> &ScheduleTrigger {
        &self.plan.trigger.schedules[self.place]
    }
}

impl Coordinator {
    /// The schedules of the loaded definitions, in the order of their sagas.
    pub fn schedules(&self) -> impl Iterator<Item = Tick<'_>> {
        self.clocks.iter().map(|clock| Tick {
            saga: &clock.plan.name,
            schedule: &clock.text,
            next: clock.next,
        })
    }

    /// Begins to count for the schedules that no launcher knew before, forgets those that no
    /// definition has any more, and goes on with all others where the log ends: an edit that leaves
    /// saga and schedule alone changes nothing of when it ticks.
    pub(super) fn take_up_schedules(&mut self) {
        let mut wanted: BTreeMap<(Arc<str>, Arc<str>), Clock> = BTreeMap::new();
        for plan in self.definitions.all() {
            for (place, trigger) in plan.trigger.schedules.iter().enumerate() {
                let text: Arc<str> = Arc::from(trigger.schedule.to_string());
                let clock = Clock { plan: plan.clone(), place, text: text.clone(), next: None };
                // Two of one text are one.
                wanted.entry((plan.name.clone(), text)).or_insert(clock);
            }
        }
        let known: Vec<_> = self.world.schedules.keys().cloned().collect();
        for (saga, schedule) in known.iter().filter(|key| !wanted.contains_key(key)).cloned() {
            self.push_world(Record::Unscheduled(Scheduled { saga, schedule }));
        }
        for (saga, schedule) in wanted.keys().filter(|key| known.binary_search(key).is_err()) {
            let (saga, schedule) = (saga.clone(), schedule.clone());
            self.push_world(Record::Scheduled(Scheduled { saga, schedule }));
        }
        self.clocks = wanted.into_values().collect();
        for place in 0..self.clocks.len() {
            self.wind(place);
        }
    }

    /// A launcher that is about to stop starts nothing: its next one finds the ticks missed.
    pub(super) fn stop_schedules(&mut self) {
        for (place, clock) in self.clocks.iter_mut().enumerate() {
            self.times.change(Due::Tick(place), clock.next.take(), None);
        }
    }

    /// A tick is due. That it was is a fact whatever becomes of the newcomer, so it never fires
    /// twice; those that were missed with it are done too.
    pub(super) fn fire(&mut self, place: usize) {
        let Some(clock) = self.clocks.get(place) else { return };
        let (plan, text) = (clock.plan.clone(), clock.text.clone());
        let key = (plan.name.clone(), text.clone());
        let (Some(due), Some(done)) = (clock.next, self.world.schedules.get(&key)) else { return };
        let done = clock.trigger().schedule.done_at(*done, self.now);
        let (input, saga) = (clock.trigger().input.clone(), plan.name.clone());
        self.push_world(Record::Ticked(Ticked { saga, schedule: text, due, done }));
        self.wind(place);
        self.tick_starts(&plan, &input);
        self.cascade();
    }

    /// Sets the entry of the next tick.
    fn wind(&mut self, place: usize) {
        let clock = &self.clocks[place];
        let done = self.world.schedules.get(&(clock.plan.name.clone(), clock.text.clone()));
        let next = done.and_then(|done| clock.trigger().schedule.after(*done));
        self.times.change(Due::Tick(place), clock.next, next);
        self.clocks[place].next = next;
    }
}
