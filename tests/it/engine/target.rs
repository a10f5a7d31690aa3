//! A model of a target that keeps its promise: it handles frames in order,
//! acts once for a `command_id`, and never
//! changes its answer. What it was asked and what it did is the truth
//! that explored worlds are judged by.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use crate::world::{Sent, World};

/// What it did for a `command_id`, for ever.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    Did,
    Refused,
}

#[derive(Debug, Default)]
pub struct Target {
    /// Frames of `World::sent` that were read.
    read: usize,
    /// Read and not handled; lost with the session.
    pub inbox: VecDeque<Sent>,
    /// Handled and not answered; the process remembers.
    pub unanswered: VecDeque<Sent>,
    /// The last command that it answered.
    pub last: Option<Sent>,
    pub answers: BTreeMap<String, Answer>,
    asked: BTreeMap<String, (String, Value)>,
    /// What it saw when it was asked whether `once` stands.
    looked: BTreeMap<String, bool>,
    /// Whether a launcher may have died between the commit of a command and its sending: what may
    /// not be sent twice is then undone unsent \[P10\].
    pub misses: bool,
    /// What stands in its world, by the command that brought it about.
    pub effects: BTreeMap<String, bool>,
}

impl Target {
    /// Reads what reached it; a `command_id` never stands for two things.
    pub fn read(&mut self, world: &World) {
        for sent in &world.sent()[self.read..] {
            let content = (sent.cmd().to_owned(), (*sent.owed.with).clone());
            let before = self.asked.entry(sent.id().to_owned()).or_insert_with(|| content.clone());
            assert_eq!(*before, content, "{} was used for two things", sent.id());
            if let Some(undone) = sent.cmd().strip_prefix("un_") {
                let issued = self.asked.values().any(|(cmd, _)| cmd == undone);
                assert!(
                    issued || self.misses,
                    "{} was sent before what it undoes: {:?}",
                    sent.id(),
                    self.asked
                );
            }
            self.inbox.push_back(sent.clone());
        }
        self.read = world.sent().len();
    }

    /// Handles the oldest frame that it has read.
    pub fn handle(&mut self, wish: Answer) {
        let sent = self.inbox.pop_front().expect("something was read");
        let is_new = !self.answers.contains_key(sent.id());
        let answer = *self.answers.entry(sent.id().to_owned()).or_insert(wish);
        if is_new {
            let stands = self.effects.get("once").copied().unwrap_or_default();
            self.looked.insert(sent.id().to_owned(), stands);
            let twice = sent.cmd() == "once" && answer == Answer::Did && stands;
            assert!(!twice, "{} was done while it stood already", sent.id());
        }
        // A question leaves nothing behind.
        if is_new && answer == Answer::Did && !["look", "tell"].contains(&sent.cmd()) {
            match sent.cmd().strip_prefix("un_") {
                Some(undone) => self.effects.insert(undone.to_owned(), false),
                None => self.effects.insert(sent.cmd().to_owned(), true),
            };
        }
        self.unanswered.push_back(sent);
    }

    /// Answers the oldest command that it has handled.
    pub fn answer(&mut self, world: &mut World) {
        let sent = self.unanswered.pop_front().expect("something was handled");
        self.say(world, &sent);
        self.last = Some(sent);
    }

    /// Says its last answer once more.
    pub fn stutter(&self, world: &mut World) {
        let sent = self.last.clone().expect("something was answered");
        self.say(world, &sent);
    }

    fn say(&self, world: &mut World, sent: &Sent) {
        match self.answers[sent.id()] {
            Answer::Did if sent.cmd().starts_with("un_") => {
                world.answer(sent, "undid", Value::Null).expect("it is its to say");
            }
            Answer::Did => {
                let seen = json!({ "n": i64::from(self.looked[sent.id()]) });
                let fields = if sent.cmd() == "look" { seen } else { Value::Null };
                world.answer(sent, "did", fields).expect("it is its to say");
            }
            Answer::Refused => world.fail_exactly(sent, "no such thing"),
        }
    }
}
