//! Boot and shutdown, as facts \[L5, L8\]. Signals of the operating system are not known here.

use std::sync::Arc;

use crate::ids::SagaId;
use crate::limits::LEAP;
use crate::plan::OnShutdown;
use crate::saga::decide::Input;
use crate::saga::record::{Boot, ClockJump, Lifecycle, Phase, Record, Stopped};
use crate::time::Timestamp;

use super::Coordinator;

impl Coordinator {
    /// This launcher takes the log: the first fact of its life. After a crash every definition's
    /// `on_restart` speaks \[L5\].
    pub fn boot(&mut self, pid: u32, version: &str) {
        self.boot_with(pid, version, self.builtin.pods.pods().count() as u64);
    }

    /// The same, where somebody else plays the built-in targets and says how many pods there are.
    pub fn boot_with(&mut self, pid: u32, version: &str, pods: u64) {
        let crashed = !self.world.stopped_cleanly;
        let after = self.restored_at.filter(|at| self.now.since(*at) > LEAP);
        self.push_world(Record::Boot(Boot { pid, version: Arc::from(version), after, pods }));
        let open: Vec<SagaId> = self.open_sagas();
        let targets: Vec<Arc<str>> = self.owed.targets().cloned().collect();
        for target in targets {
            self.owed.target_left(&target, self.now, &self.catalog);
        }
        if crashed {
            for id in open {
                self.decide(id, Input::Restarted, 0);
            }
        }
        self.free_stranded();
        self.settle_families();
        self.take_up_schedules();
        self.cascade();
    }

    /// The wall clock jumped \[R9\].
    pub fn clock_jumped(&mut self, wall: Timestamp, expected: Timestamp) {
        self.push_world(Record::Clock(ClockJump { wall, expected }));
    }

    /// A clean shutdown begins: sagas that say so are cancelled, the others are parked \[L8\].
    pub fn quit(&mut self) {
        self.change_phase(Phase::Quitting);
        self.stop_schedules();
        for id in self.open_sagas() {
            let cancels =
                self.live.get(&id).is_some_and(|live| live.plan.on_shutdown == OnShutdown::Cancel);
            if cancels {
                self.decide(id, Input::Shutdown, 0);
            }
        }
        self.cascade();
    }

    /// Whether a cancelled saga is still undoing, so that a clean shutdown waits \[L8\].
    #[must_use]
    pub fn is_settling(&self) -> bool {
        self.live.values().any(|live| {
            let ends = live.saga.unwinding.is_some() || live.saga.verdict.is_some();
            live.plan.on_shutdown == OnShutdown::Cancel && live.saga.is_open() && ends
        })
    }

    /// The last word of a clean shutdown: whatever its end causes is decided before it.
    pub fn stopped(&mut self) {
        self.change_phase(Phase::Dead);
        self.cascade();
        self.push_world(Record::Stopped(Stopped {}));
    }

    fn change_phase(&mut self, to: Phase) {
        let from = self.world.phase;
        if from != to {
            self.push_world(Record::Lifecycle(Lifecycle { from, to }));
        }
    }

    fn open_sagas(&self) -> Vec<SagaId> {
        self.live.values().filter(|live| live.saga.is_open()).map(|live| live.saga.id).collect()
    }
}
