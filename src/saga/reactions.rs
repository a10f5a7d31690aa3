//! What a saga does on the side: how often each reaction fired, and the commands of these that no
//! session has got yet \[P5\]. Their records are here; when they fire is decided in `decide`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::Seq;
use crate::plan::{Plan, Reaction};
use crate::saga::state::{Command, Saga};
use crate::time::Timestamp;

/// A reaction's command is owed to its target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reacted {
    /// The reaction's path, `reaction[0]`.
    pub step: Arc<str>,
    /// The idempotency key.
    pub command_id: Arc<str>,
    /// Who is to do it.
    pub target: Arc<str>,
    /// The command.
    pub cmd: Arc<str>,
    /// Its fields.
    pub with: Arc<Value>,
    /// Whether nobody is sent it: its saga observes.
    #[serde(default, skip_serializing_if = "is_false")]
    pub observed: bool,
}

/// A reaction is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReactionOver {
    /// The reaction's path, `reaction[0]`.
    pub step: Arc<str>,
    /// Its command; absent: it failed before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_id: Option<Arc<str>>,
    /// Why it failed; absent: it was written to a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Arc<str>>,
}

/// What became of a saga's reactions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reactions {
    /// Commands so far; never falls, so that no `command_id` comes twice.
    pub commands: u32,
    /// Commands that wait for a session, in order, with their paths.
    pub owed: Vec<(Arc<str>, Command)>,
}

impl Saga {
    pub(super) fn reacted(&mut self, seq: Seq, at: Timestamp, reacted: &Reacted) {
        self.reactions.commands += 1;
        if reacted.observed {
            return;
        }
        let command = Command {
            id: reacted.command_id.clone(),
            seq,
            owed: seq,
            at,
            target: reacted.target.clone(),
            cmd: reacted.cmd.clone(),
            with: reacted.with.clone(),
        };
        self.reactions.owed.push((reacted.step.clone(), command));
    }

    pub(super) fn reaction_over(&mut self, over: &ReactionOver) {
        let is_it = |command: &Command| over.command_id.as_ref() == Some(&command.id);
        self.reactions.owed.retain(|(_, command)| !is_it(command));
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The path of the reaction at that place.
#[must_use]
pub fn path(place: usize) -> Arc<str> {
    Arc::from(format!("reaction[{place}]"))
}

/// The reaction of that path.
#[must_use]
pub fn find<'a>(plan: &'a Plan, of: &str) -> Option<&'a Reaction> {
    let mut all = plan.reactions.iter().enumerate();
    all.find(|(place, _)| *path(*place) == *of).map(|(_, reaction)| reaction)
}
