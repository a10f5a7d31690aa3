//! The shipped sagas of srv against a little srv that does what its catalog says. Which command
//! means what is in `model`; here it is served, with answers that stick and with troubles that a
//! test asks for.

mod closes;
mod crashes;
mod deletes;
mod faults;
mod model;
mod moves;
mod shutdown;
mod storm;
mod tear_off;
mod vocabulary;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use sagaflow::coordinator::Refusal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Cause, Record, State, Verdict};
use sagaflow::time::Millis;

use crate::world::{Sent, World};
use model::{Answer, Leaf, Model, Tab, Workspace};

/// What goes wrong with every sending of one step's command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// srv says that it could not, and has not.
    Refused,
    /// srv answers with this failure of the catalog, and has not.
    Failed(&'static str),
    /// srv does nothing and says nothing.
    Silent,
    /// srv does it, and the answer is lost.
    Mute,
    /// srv does it, and the first answer is lost; the second sending is answered.
    MuteOnce,
}

/// srv's word on a command, which never changes \[R20\].
#[derive(Clone, Debug)]
enum Word {
    Says(Answer),
    Refuses,
}

/// A world with srv connected, and srv behind it.
pub struct Desk {
    pub world: World,
    pub srv: Model,
    /// What srv did, one entry a command, as `step cmd`; a repeated sending comes once.
    pub done: Vec<String>,
    ledger: BTreeMap<String, Word>,
    deliveries: BTreeMap<String, u32>,
    faults: Vec<(String, Fault)>,
    /// Whether srv says everything twice.
    stutters: bool,
    seen: usize,
}

impl Desk {
    /// srv owns `home` (tabs `t1`, `t2`, `t3`; blocks `b1`, `b2`, `b3` in `t1`), `dest` and `lone`
    /// with one tab each.
    pub fn new() -> Desk {
        let mut world = World::shipped();
        world.connect("srv");
        Desk {
            world,
            srv: furnished(),
            done: Vec::new(),
            ledger: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            faults: Vec::new(),
            stutters: false,
            seen: 0,
        }
    }

    pub fn with_fault(step: &str, fault: Fault) -> Desk {
        let mut desk = Desk::new();
        desk.trouble(step, fault);
        desk
    }

    pub fn trouble(&mut self, step: &str, fault: Fault) {
        self.faults.push((step.to_owned(), fault));
    }

    pub fn stutter(&mut self) {
        self.stutters = true;
    }

    pub fn no_more_trouble(&mut self) {
        self.faults.clear();
    }

    pub fn start(&mut self, saga: &str, input: Value) -> Result<u64, Refusal> {
        self.world.start(saga, input).map(|id| id.0)
    }

    /// Starts a saga and sees it through.
    pub fn run(&mut self, saga: &str, input: Value) -> u64 {
        let id = self.start(saga, input).expect("it may start");
        self.finish();
        id
    }

    /// Serves and lets time pass until no saga is open.
    pub fn finish(&mut self) {
        while self.step() {}
    }

    /// One thing happens: a command is served, else the next instant comes. False: all is over.
    pub fn step(&mut self) -> bool {
        if self.serve_one() {
            return true;
        }
        if self.world.open().is_empty() {
            return false;
        }
        let due = self.world.coordinator().next_due();
        let due = due.unwrap_or_else(|| panic!("stuck: {:?}", self.world.story()));
        self.world.advance(due.since(self.world.now()));
        true
    }

    /// Serves what comes up to that step's command, which stays on the wire.
    pub fn serve_until(&mut self, step: &str) {
        while self.pending().is_none_or(|sent| &*sent.owed.step != step) {
            assert!(self.step(), "`{step}` never came: {:?}", self.done);
        }
    }

    fn pending(&self) -> Option<&Sent> {
        self.world.sent().get(self.seen)
    }

    /// Serves the oldest command on the wire.
    fn serve_one(&mut self) -> bool {
        let Some(sent) = self.pending().cloned() else { return false };
        self.seen += 1;
        assert_eq!(&*sent.owed.target, "srv", "srv's sagas speak to srv alone");
        if let Some(word) = self.take(&sent) {
            if self.stutters {
                self.say(&sent, word.clone());
            }
            self.say(&sent, word);
        }
        true
    }

    /// Does a command once; its word is given again for every sending. `None`: nothing is heard.
    fn take(&mut self, sent: &Sent) -> Option<Word> {
        let fault = self.faults.iter().find(|(step, _)| **step == *sent.owed.step);
        let fault = fault.map(|(_, fault)| *fault);
        let deliveries = self.deliveries.entry(sent.id().to_owned()).or_default();
        *deliveries += 1;
        if fault == Some(Fault::Silent) {
            return None;
        }
        let lost = match fault {
            Some(Fault::Mute) => true,
            Some(Fault::MuteOnce) => *deliveries == 1,
            Some(Fault::Refused | Fault::Failed(_) | Fault::Silent) | None => false,
        };
        let word = match self.ledger.get(sent.id()) {
            Some(word) => word.clone(),
            None => {
                let word = self.perform(sent, fault);
                self.ledger.insert(sent.id().to_owned(), word.clone());
                word
            }
        };
        (!lost).then_some(word)
    }

    fn perform(&mut self, sent: &Sent, fault: Option<Fault>) -> Word {
        match fault {
            Some(Fault::Refused) => Word::Refuses,
            Some(Fault::Failed(event)) => {
                let field =
                    event.split('_').find(|part| ["workspace", "tab", "block"].contains(part));
                let field = format!("{}_id", field.expect("srv fails by what it owns"));
                Word::Says(Answer { event, fields: json!({ field: "elsewhere" }) })
            }
            Some(Fault::Silent | Fault::Mute | Fault::MuteOnce) | None => {
                self.done.push(format!("{} {}", sent.owed.step, sent.cmd()));
                let with = sent.owed.with.as_object().expect("fields are an object");
                Word::Says(self.srv.perform(sent.cmd(), with))
            }
        }
    }

    fn say(&mut self, sent: &Sent, word: Word) {
        match word {
            // An answer to a saga that is over meanwhile is an event like any other.
            Word::Says(Answer { event, fields }) => {
                self.world.echo(sent, event, fields).expect("the catalog declares it");
            }
            Word::Refuses => self.world.fail(sent, "srv could not"),
        }
    }

    /// What is on the wire is lost with its connection; or srv did it, and its answers are lost.
    pub fn lose_the_wire(&mut self, done: bool) {
        while let Some(sent) = self.pending().cloned() {
            self.seen += 1;
            if done {
                self.take(&sent);
            }
        }
    }

    /// The launcher dies, stays down that long, and comes back; srv registers again.
    pub fn crash(&mut self, down: Millis) {
        self.world.set_clock(self.world.now() + down);
        self.world.crash();
        self.world.connect("srv");
    }

    /// srv goes away and comes back that much later. It keeps its answers.
    pub fn reconnect(&mut self, away: Millis) {
        self.world.disconnect("srv");
        self.world.advance(away);
        self.world.connect("srv");
    }

    pub fn records_of(&self, saga: u64) -> impl DoubleEndedIterator<Item = &Record> {
        let records = self.world.facts();
        let own = records.filter(move |fact| fact.saga == Some(SagaId(saga)));
        own.map(|fact| &fact.record)
    }

    pub fn verdict(&self, saga: u64) -> Verdict {
        let ended = self.records_of(saga).rev().find_map(|record| {
            let Record::Ended(verdict) = record else { return None };
            Some(verdict.clone())
        });
        ended.unwrap_or_else(|| panic!("saga {saga} has not ended"))
    }

    /// It ended so, with exactly one terminal \[R1\].
    pub fn assert_ended(&self, saga: u64, state: State) {
        let verdict = self.verdict(saga);
        assert_eq!(verdict.state, state, "{verdict:?}, srv did {:?}", self.done);
        assert_eq!(self.world.terminals(saga).len(), 1);
    }

    /// It ended failed, for that cause and in those words; srv is as it was before.
    pub fn assert_refused(&self, saga: u64, words: &str) {
        self.assert_ended(saga, State::Failed);
        let verdict = self.verdict(saga);
        assert_eq!(verdict.cause, Some(Cause::ActionFailed));
        assert_eq!(verdict.reason.as_deref(), Some(words));
        assert_eq!(self.srv, furnished(), "srv did {:?}", self.done);
    }

    pub fn result(&self, saga: u64) -> Value {
        self.verdict(saga).result.map_or(Value::Null, |result| (*result).clone())
    }

    /// What srv did, questions left out.
    pub fn effects(&self) -> Vec<&str> {
        let done = self.done.iter().map(String::as_str);
        done.filter(|entry| !entry.contains(" get_")).collect()
    }

    /// Steps of a saga that were undone, in order, as the log has it.
    pub fn undone(&self, saga: u64) -> Vec<(String, bool)> {
        let undone = self.records_of(saga).filter_map(|record| {
            let Record::Undone(undone) = record else { return None };
            Some((undone.step.to_string(), undone.ok))
        });
        undone.collect()
    }
}

pub fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

/// What srv owns when a test begins.
pub fn furnished() -> Model {
    let mut srv = Model::default();
    let rooms = [("home", &["t1", "t2", "t3"][..]), ("dest", &["t4"]), ("lone", &["t5"])];
    for (id, tabs) in rooms {
        let workspace = Workspace { name: id.to_owned(), tabs: texts(tabs) };
        srv.workspaces.insert(id.to_owned(), workspace);
    }
    let tabs = [
        ("t1", &["b1", "b2", "b3"][..]),
        ("t2", &["b4"]),
        ("t3", &[]),
        ("t4", &["b5", "b6"]),
        ("t5", &["b7"]),
    ];
    for (id, blocks) in tabs {
        // `b3` lies behind `b2`, in one pane.
        let leaf = |block: &String| Leaf {
            node: format!("node-{}", if block == "b3" { "b2" } else { block }),
            block: block.clone(),
        };
        let blocks = texts(blocks);
        let leaves = blocks.iter().map(leaf).collect();
        srv.running.extend(blocks.iter().cloned());
        srv.metas.extend(blocks.iter().map(|block| (block.clone(), json!({}))));
        srv.tabs.insert(id.to_owned(), Tab { blocks, leaves, ..Tab::default() });
    }
    srv
}
