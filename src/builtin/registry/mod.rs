//! Which pods there are, who spawned whom, and what each of them may write \[T2\]: a fold of the
//! target's own events. Starts nothing, asks no clock, and never fails: a refusal is an event.

mod answer;
mod apply;
mod hold;
mod rows;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Answer;
use super::scope::{Rule, ScopePath};
use crate::limits::POD_NAME_BYTES_MAX;
use crate::time::Timestamp;

/// The name of the row that belongs to no pod.
const COUNTERS: &str = "";

/// The name that the launcher's own socket has beside the directories of its pods.
pub const OWN_SOCKET: &str = "pods.sock";

/// All pods that are known, and those that ended a short while ago.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    runtime_dir: Arc<str>,
    own_name: Arc<str>,
    pods: BTreeMap<Arc<str>, Pod>,
    /// Names whose last bearer ended a short while ago; never one that `pods` has.
    ended: BTreeMap<Arc<str>, Ended>,
    counters: Counters,
    changed: BTreeSet<Arc<str>>,
}

/// What is known is the same; where the sockets are is a setting, and what was not yet written is
/// no knowledge.
impl PartialEq for Registry {
    fn eq(&self, other: &Self) -> bool {
        (&self.pods, &self.ended, &self.counters) == (&other.pods, &other.ended, &other.counters)
    }
}

/// One bearer of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pod {
    /// Counts the bearers of the name, from one.
    pub generation: u64,
    /// Who spawned it; empty: nobody.
    pub parent: Arc<str>,
    /// Where it listens; empty: nobody told.
    pub socket: Arc<str>,
    /// Where it reports to; empty: nobody knows.
    pub callback: Arc<str>,
    /// Its scope, as it was told.
    pub scope: Vec<Rule>,
    /// The part of its scope that it was entitled to: what it holds while it has a hold, and what
    /// is not free for who denied itself the same until it is removed.
    granted: Vec<Rule>,
    /// Whether it was recorded, or else only reserved.
    pub recorded: bool,
    /// What it holds; nothing once it was released.
    hold: Option<Hold>,
    /// Its process.
    pub phase: Phase,
}

/// What a pod holds beside its scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hold {
    /// Below whom it stands; empty: at the top.
    owner: Arc<str>,
    token: Arc<str>,
    deny: Vec<Rule>,
    /// Denials that stand for what other pods held when it was reserved, because it is the next
    /// bearer of the name that had handed that on. They end with the last one that writes there.
    due: Vec<Rule>,
    /// What it may hand on.
    delegation: Vec<Rule>,
    /// Empty: none.
    segment_id: Arc<str>,
    /// `None`: nobody said.
    cwd: Option<ScopePath>,
}

/// How far a pod's process is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", deny_unknown_fields)]
pub enum Phase {
    /// Only heard of: somebody else started it.
    Told,
    /// To be started.
    Reserved,
    /// Its process exists.
    Spawned {
        /// The process, which leads its own group.
        pid: u64,
        /// When it began, as the system tells it.
        process_start: Arc<str>,
    },
    /// Its socket accepted.
    Ready {
        /// The process, which leads its own group.
        pid: u64,
        /// When it began, as the system tells it.
        process_start: Arc<str>,
    },
    /// Its process is gone.
    Exited,
}

impl Pod {
    /// Whether its name and its scope are its own still.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.hold.is_some()
    }
}

impl Phase {
    /// The word of the wire.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Reserved => "reserved",
            Self::Spawned { .. } => "spawned",
            Self::Ready { .. } => "ready",
            Self::Exited => "exited",
        }
    }

    /// Its process and when that began, while it lives as far as is known.
    #[must_use]
    pub fn process(&self) -> Option<(u64, &Arc<str>)> {
        match self {
            Self::Spawned { pid, process_start } | Self::Ready { pid, process_start } => {
                Some((*pid, process_start))
            }
            Self::Told | Self::Reserved | Self::Exited => None,
        }
    }
}

/// A name whose bearer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ended {
    generation: u64,
    /// Until when what is told of it does not bring it back.
    until: Timestamp,
}

/// What outlives every pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counters {
    /// The highest generation of a name that is forgotten: no pod begins below it.
    floor: u64,
}

/// What somebody may write: all that a rule of `allow` reaches and none of `deny` does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effective {
    /// The pod's own rules that write.
    pub allow: Vec<Rule>,
    /// What it denied itself, and what its pods hold.
    pub deny: Vec<Rule>,
}

impl Registry {
    /// Says in which directory each pod has one of its own, with its socket inside.
    pub fn set_runtime_dir(&mut self, dir: &str) {
        self.runtime_dir = dir.trim_end_matches('/').into();
    }

    /// Says how the launcher itself is called among pods; no pod is called so.
    pub fn set_own_name(&mut self, name: &str) {
        self.own_name = name.into();
    }

    /// What it answers to one of its commands; `None`: the command is not the registry's.
    #[must_use]
    pub fn answer(&self, cmd: &str, fields: &Value, now: Timestamp) -> Option<Answer> {
        answer::answer(self, cmd, fields.as_object().unwrap_or(&Map::new()), now)
    }

    /// Folds one of the target's events. What makes no sense changes nothing.
    pub fn apply(&mut self, event: &str, fields: &Value, now: Timestamp) {
        self.forget_ended(now);
        apply::apply(self, event, fields.as_object().unwrap_or(&Map::new()), now);
    }

    /// What changed since the last call, for the log's rows: a name and its body, `None`: gone. The
    /// row with the empty name belongs to no pod.
    pub fn take_changed(&mut self) -> Vec<(Arc<str>, Option<Value>)> {
        rows::take_changed(self)
    }

    /// Puts back what a row says.
    ///
    /// # Errors
    /// In words, when the row is not what this version writes.
    pub fn restore(&mut self, name: &str, body: &Value) -> Result<(), String> {
        rows::restore(self, name, body)
    }

    /// Follows another registry: takes what [`Registry::take_changed`] told of one name.
    ///
    /// # Errors
    /// As [`Registry::restore`].
    pub fn follow(&mut self, name: &str, body: Option<&Value>) -> Result<(), String> {
        match body {
            Some(body) => rows::restore(self, name, body),
            None => {
                rows::forget(self, name);
                Ok(())
            }
        }
    }

    /// A pod, in whatever state.
    #[must_use]
    pub fn pod(&self, name: &str) -> Option<&Pod> {
        self.pods.get(name)
    }

    /// The pod of that name if it is that bearer; `0`: any.
    #[must_use]
    pub fn bearer(&self, name: &str, generation: u64) -> Option<&Pod> {
        self.pods.get(name).filter(|pod| generation == 0 || generation == pod.generation)
    }

    /// All pods, by name.
    pub fn pods(&self) -> impl Iterator<Item = (&Arc<str>, &Pod)> {
        self.pods.iter()
    }

    /// Who holds that session.
    #[must_use]
    pub fn segment_owner(&self, segment_id: &str) -> Option<&Arc<str>> {
        let holds = |pod: &Pod| pod.hold.as_ref().is_some_and(|h| *h.segment_id == *segment_id);
        let found = self.pods.iter().find(|(_, pod)| !segment_id.is_empty() && holds(pod));
        found.map(|(name, _)| name)
    }

    /// The cwd that it was reserved with.
    #[must_use]
    pub fn cwd(&self, name: &str) -> Option<&str> {
        self.pods.get(name)?.hold.as_ref()?.cwd.as_ref().map(ScopePath::as_str)
    }

    /// Where a pod of that name listens.
    #[must_use]
    pub fn socket_of(&self, name: &str) -> String {
        format!("{}/{name}/sock", self.runtime_dir)
    }

    /// Where pods of the launcher itself report to.
    #[must_use]
    pub fn own_socket(&self) -> String {
        format!("{}/{OWN_SOCKET}", self.runtime_dir)
    }

    fn next_generation(&self, name: &str) -> u64 {
        let pod = self.pods.get(name).map_or(0, |pod| pod.generation);
        let ended = self.ended.get(name).map_or(0, |ended| ended.generation);
        pod.max(ended).max(self.counters.floor).saturating_add(1)
    }

    fn pod_mut(&mut self, name: &str, generation: u64) -> Option<&mut Pod> {
        let known = self.bearer(name, generation).is_some() && generation != 0;
        if known {
            self.changed.insert(name.into());
        }
        self.pods.get_mut(name).filter(|_| known)
    }
}

/// Whether pods may be called so: it becomes the name of a directory.
fn check_name(name: &str) -> Result<(), String> {
    let shown: String = name.chars().take(80).collect();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > POD_NAME_BYTES_MAX {
        return Err(format!("a pod's name has 1 to {POD_NAME_BYTES_MAX} bytes"));
    }
    if name.starts_with('.') || name == OWN_SOCKET || !name.chars().all(fits) {
        return Err(format!(
            "`{shown}` cannot name a pod; use letters, digits, `-`, `_` and `.`, no `.` in front"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
