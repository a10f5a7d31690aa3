//! A history told: as a transcript for people, and as a case that `sagaflow test` plays. Finds
//! none.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::definition::scenario::{
    End, Entry, Happening, Reply, Script, Start as Starts, When, With,
};
use crate::diag::{At, Span};
use crate::ids::SagaId;
use crate::saga::owed::Owed;
use crate::saga::record::{Cause, Record, Verdict};
use crate::sim::script::flow;
use crate::time::{Millis, Timestamp};
use crate::view::text::{Line, Tone};

use super::Setting;
use super::act::{Act, Deed, Done, Node, Start};
use super::facts::{clock, words};

/// A history that breaks a promise.
#[derive(Clone, Debug)]
pub struct Story {
    /// One line a fact, in the order in which they came.
    pub transcript: Vec<Line>,
    /// The same as a case; absent: something in it cannot be said in one.
    pub script: Option<Script>,
    /// What happened, in a few words, for the name of the case.
    pub name: String,
}

/// Lets a history happen once more, and tells it.
pub(super) fn tell(setting: &Setting, root: &Node, deeds: &[Deed]) -> Story {
    let mut node = root.clone();
    let mut teller = Teller {
        setting,
        lines: Vec::new(),
        when: None,
        entries: Vec::new(),
        waiting: BTreeMap::new(),
        words: Vec::new(),
        verdict: None,
        is_exact: true,
    };
    for deed in deeds {
        let before = node.world.now();
        teller.act(&node, deed);
        let done = node.happen(deed);
        let began = done.facts().iter().filter(|(_, f)| matches!(f.record, Record::Began(_)));
        let began: Vec<SagaId> = began.filter_map(|(_, fact)| fact.saga).collect();
        node.books.sagas.extend(began.into_iter().map(|id| (id, None)));
        teller.done(&node, deed, &done, before);
    }
    teller.finish()
}

struct Teller<'a> {
    setting: &'a Setting,
    lines: Vec<Line>,
    when: Option<When>,
    entries: Vec<Entry>,
    /// What each target has got and nobody has expected yet, in order.
    waiting: BTreeMap<Arc<str>, Vec<Arc<Owed>>>,
    words: Vec<String>,
    verdict: Option<Verdict>,
    is_exact: bool,
}

fn at<T>(value: T) -> At<T> {
    At::new(value, Span::default())
}

fn with(fields: &Map<String, Value>) -> With {
    let pair = |(name, value): (&String, &Value)| (at(name.clone()), at(value.clone()));
    With { span: Span::default(), list: fields.iter().map(pair).collect() }
}

fn named(name: &str, fields: &Map<String, Value>) -> String {
    if fields.is_empty() {
        return name.to_owned();
    }
    format!("{name} {}", flow(&Value::Object(fields.clone())))
}

impl Teller<'_> {
    fn line(&mut self, now: Timestamp, mark: &str, who: &str, tone: Tone, text: &str) {
        let head = format!("{:>9} {mark} {who:<8} ", clock(now));
        self.lines.push(Line::of(Tone::Faint, head).and(tone, text));
    }

    fn push(&mut self, what: Happening) {
        if let Happening::Advance(more) = &what
            && let Some(Entry { what: Happening::Advance(span), .. }) = self.entries.last_mut()
        {
            span.value.0 += more.value.0;
            return;
        }
        self.entries.push(Entry { span: Span::default(), what });
    }

    /// Tells what is about to happen.
    fn act(&mut self, node: &Node, deed: &Deed) {
        let now = node.world.now();
        match &deed.act {
            Act::Begin { start, away } => self.begin(now, start, away),
            Act::Answer { owed, event, with: fields, did } => {
                let text = named(event, fields);
                self.line(now, "< ", &owed.target, Tone::Plain, &text);
                let reply = Reply::Echo { event: at(event.to_string()), with: with(fields) };
                self.expect(owed, reply);
                if !did {
                    self.words.push(format!("{} fails by {event}", owed.step));
                }
            }
            Act::Refuse { owed } => {
                self.line(now, "< ", &owed.target, Tone::Busy, "failed: it cannot be done");
                self.expect(owed, Reply::Failed(at("it cannot be done".to_owned())));
                self.words.push(format!("{} is refused", owed.step));
            }
            Act::Again => {
                self.line(now, "~~", "", Tone::Busy, "the last answer comes once more");
                self.is_exact = false;
            }
            Act::Report { event, with: fields } => {
                let text = named(event, fields);
                self.line(now, "< ", "event", Tone::Plain, &text);
                let (event, with) = (at(event.to_string()), with(fields));
                self.push(Happening::Report { event, with });
            }
            Act::Say { signal, with: fields } => {
                let text = named(signal, fields);
                self.line(now, "< ", "person", Tone::Plain, &text);
                let (name, with) = (at(signal.to_string()), with(fields));
                self.push(Happening::Signal { name, with });
            }
            Act::Wait | Act::Linger => {}
            Act::Leave(target) => {
                self.line(now, "~~", target, Tone::Busy, "goes away");
                self.words.push(format!("{target} goes away"));
                self.push(Happening::Disconnect(at(target.to_string())));
            }
            Act::Come(target) => {
                self.line(now, "~~", target, Tone::Busy, "comes back");
                self.push(Happening::Connect(at(target.to_string())));
            }
            Act::Crash => {
                self.line(now, "~~", "", Tone::Busy, "the launcher crashes and comes back");
                self.words.push("a crash".to_owned());
                self.push(Happening::Crash);
            }
            Act::Cancel => {
                self.line(now, "< ", "person", Tone::Busy, "cancel");
                self.words.push("it is cancelled".to_owned());
                let reason = Value::from("it is not wanted any more");
                let fields = [("reason".to_owned(), reason)].into_iter().collect();
                let (name, with) = (at("cancel".to_owned()), with(&fields));
                self.push(Happening::Signal { name, with });
            }
            Act::Rival => self.rival(node),
        }
        if let Some(commit) = deed.dies {
            let text = format!("the launcher crashes after commit {commit} of what follows");
            self.line(now, "~~", "", Tone::Busy, &text);
            self.is_exact = false;
        }
    }

    fn begin(&mut self, now: Timestamp, start: &Start, away: &[Arc<str>]) {
        for target in away {
            self.line(now, "~~", target, Tone::Busy, "is away");
            self.words.push(format!("{target} is away"));
            self.push(Happening::Disconnect(at(target.to_string())));
        }
        let (who, text) = self.start(start);
        self.line(now, "< ", who, Tone::Plain, &text);
        let (start, with) = match start {
            Start::Event(event, fields) => (Starts::Event(at(event.to_string())), with(fields)),
            Start::Call(fields) => (Starts::Call, with(fields)),
            Start::Schedule => (Starts::Schedule, with(&Map::new())),
        };
        self.when = Some(When { span: Span::default(), start, with });
    }

    /// What starts the saga, and how that comes in.
    fn start(&self, start: &Start) -> (&'static str, String) {
        match start {
            Start::Event(event, fields) => ("event", named(event, fields)),
            Start::Call(fields) => ("call", named(&self.setting.plan().name, fields)),
            Start::Schedule => ("clock", self.setting.plan().name.to_string()),
        }
    }

    fn rival(&mut self, node: &Node) {
        let Some(start) = &node.begun else { return };
        let (who, text) = self.start(start);
        self.line(node.world.now(), "< ", who, Tone::Busy, &format!("{text}  (a rival)"));
        self.words.push("a second one comes".to_owned());
        match start {
            Start::Event(event, fields) => {
                let (event, with) = (at(event.to_string()), with(fields));
                self.push(Happening::Report { event, with });
            }
            Start::Call(fields) => self.push(Happening::Call(with(fields))),
            // Time passes, and that is told where it does.
            Start::Schedule => {}
        }
    }

    /// Expects the command that is answered, and what came to its target before it.
    fn expect(&mut self, owed: &Arc<Owed>, reply: Reply) {
        let waiting = self.waiting.entry(owed.target.clone()).or_default();
        let is_it = |one: &Arc<Owed>| one.command_id == owed.command_id && one.order == owed.order;
        let upto = waiting.iter().position(is_it);
        let Some(upto) = upto else {
            // It was expected before, and then left without an answer.
            self.is_exact = false;
            return;
        };
        let before: Vec<Arc<Owed>> = waiting.drain(..=upto).collect();
        for one in &before[..upto] {
            self.expected(one, Reply::None);
        }
        self.expected(owed, reply);
    }

    fn expected(&mut self, owed: &Owed, reply: Reply) {
        if matches!(reply, Reply::None) && !owed.tells_sent {
            self.words.push(format!("{} gets no answer", owed.step));
        }
        let command = at(owed.cmd.to_string());
        let with = with(&Map::new());
        self.push(Happening::Expect { command, with, reply });
    }

    /// Tells what followed.
    fn done(&mut self, node: &Node, deed: &Deed, done: &Done, before: Timestamp) {
        let passed = node.world.now().since(before);
        if matches!(deed.act, Act::Wait | Act::Linger) && passed > Millis(0) {
            self.push(Happening::Advance(at(passed)));
        }
        if let Some(refused) = &done.refused {
            self.line(node.world.now(), "  ", "", Tone::Faint, &format!("refused: {refused}"));
        }
        for (when, fact) in done.facts() {
            if let Some((tone, text)) = words(fact) {
                self.line(*when, "| ", &fact.seq.to_string(), tone, &text);
            }
            if let (Record::Ended(verdict) | Record::Dropped(verdict), true) =
                (&fact.record, fact.saga == node.main())
            {
                self.verdict = Some(verdict.clone());
            }
        }
        for one in &done.sent {
            let owed = &one.owed;
            let empty = Map::new();
            let text = named(&owed.cmd, owed.with.as_object().unwrap_or(&empty));
            let waiting = self.waiting.entry(owed.target.clone()).or_default();
            let same = |known: &&Arc<Owed>| {
                known.command_id == owed.command_id && known.order == owed.order
            };
            let again = waiting.iter().find(same).is_some();
            if !again && node.main() == Some(owed.saga) {
                waiting.push(owed.clone());
            }
            let again = if again { "  (again: same command_id)" } else { "" };
            let (now, target) = (node.world.now(), owed.target.clone());
            self.line(now, " >", &target, Tone::Plain, &format!("{text}{again}"));
        }
    }

    fn finish(mut self) -> Story {
        let rest: Vec<Arc<Owed>> =
            std::mem::take(&mut self.waiting).into_values().flatten().collect();
        for owed in rest {
            self.expected(&owed, Reply::None);
        }
        let end = self.verdict.as_ref().map_or_else(nothing, end);
        let script = self.when.map(|when| Script { when, entries: self.entries, end: Some(end) });
        let words =
            if self.words.is_empty() { vec!["all goes well".to_owned()] } else { self.words };
        let name = format!("found by check, {}", words.join(", then "));
        Story { transcript: self.lines, script: script.filter(|_| self.is_exact), name }
    }
}

/// It has to end, however it does.
fn nothing() -> End {
    End { span: Span::default(), state: None, cause: None, reason: None, result: None }
}

fn end(verdict: &Verdict) -> End {
    let find = |words: &[&'static str], word: &str| {
        words.iter().find(|known| **known == word).copied().map(at)
    };
    let cause = verdict.cause.map(Cause::as_str);
    End {
        state: find(crate::definition::keys::ENDS, verdict.state.as_str()),
        cause: cause.and_then(|cause| find(crate::definition::keys::CAUSES, cause)),
        ..nothing()
    }
}
