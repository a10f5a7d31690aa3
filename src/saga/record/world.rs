//! Records that belong to no saga: of the launcher, its clock, its clients. Folded by the
//! coordinator's world.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{ClientId, SessionNo};
use crate::saga::words::Phase;
use crate::time::Timestamp;

/// See [`super::Record::Boot`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Boot {
    /// Process id of the launcher.
    pub pid: u32,
    /// Its version.
    pub version: Arc<str>,
    /// The newest instant in the log before it, where that was longer ago than
    /// [`crate::limits::LEAP`]: nobody knows whether so much time has passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Timestamp>,
    /// Pods that are known from before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pods: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// See [`super::Record::Stopped`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stopped {}

/// See [`super::Record::Clock`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClockJump {
    /// What the wall clock said.
    pub wall: Timestamp,
    /// What was expected of it.
    pub expected: Timestamp,
}

/// See [`super::Record::Scheduled`] and [`super::Record::Unscheduled`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scheduled {
    /// Name of the saga that it starts.
    pub saga: Arc<str>,
    /// When, as text: `every 30s`, `cron 0 3 * * *`.
    pub schedule: Arc<str>,
}

/// See [`super::Record::Ticked`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ticked {
    /// Name of the saga that it starts.
    pub saga: Arc<str>,
    /// When, as text.
    pub schedule: Arc<str>,
    /// The tick: the first of those that were missed, if any were.
    pub due: Timestamp,
    /// Up to here all ticks are done.
    pub done: Timestamp,
}

/// See [`super::Record::ProcessSpawned`] and [`super::Record::ProcessExited`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// The client's word for its process id.
    pub pid: u64,
    /// Its kind.
    pub client_kind: Arc<str>,
    /// Its version.
    pub client_version: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its id.
    pub client_id: ClientId,
    /// Whether the same process was told of before: a supervised one that registers late or again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continues: bool,
    /// What its supervisor knows of it; absent: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
}

/// What is known of a process that the launcher started and supervises.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Its exit code, where it has ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Who ended it, where somebody did: `stop`, `not_ready`, or the signal's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub killed_by: Option<Arc<str>>,
}

impl Service {
    /// One that runs.
    #[must_use]
    pub fn running(name: Arc<str>) -> Service {
        Service { name, exit_code: None, killed_by: None }
    }
}

/// See [`super::Record::Lifecycle`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lifecycle {
    /// The phase that ends.
    pub from: Phase,
    /// The phase that begins.
    pub to: Phase,
}

/// See [`super::Record::SessionOpened`] and [`super::Record::SessionClosed`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// The target.
    pub target: Arc<str>,
    /// The session's number.
    pub session: SessionNo,
    /// The client that serves it.
    pub client_id: ClientId,
}
