//! A `*.test.yaml` read into its type. Looks no name up.

use serde_json::Value;

use crate::definition::keys::{
    CASE, CAUSES, END, ENDS, EXPECT, EXPLORE, ORGANIC, REPLY, SCRIPT, SIGNAL, TEST, WHEN,
};
use crate::definition::read::node::Node;
use crate::definition::read::object::{Object, free_map, list, unless_none};
use crate::definition::read::scalar::{duration, flag, integer, name, text, word};
use crate::definition::read::values::json;
use crate::definition::scenario::{
    Case, End, Entry, Explore, Happening, Play, Reply, Scenarios, Script, Start, When, With,
};
use crate::diag::{At, Code, Diagnostics};

/// Reads a whole document; a case with a hole is left out, and the findings say so.
pub fn scenarios(node: Node, out: &mut Diagnostics) -> Option<Scenarios> {
    let mut object = Object::read(node, "a test file", &TEST, out)?;
    let span = object.span;
    let saga = object.read_key("saga", out, name);
    let items = object.read_key("cases", out, list).unwrap_or_default();
    object.finish();
    let cases: Vec<Case> = items.into_iter().filter_map(|item| case(item, out)).collect();
    refuse_twins(&cases, out);
    Some(Scenarios { span, saga: saga?, cases })
}

/// Two cases of one name: nobody could say which one a `same_as` or a report means.
fn refuse_twins(cases: &[Case], out: &mut Diagnostics) {
    for (at, case) in cases.iter().enumerate() {
        let name = &case.name.value;
        if let Some(first) = cases[..at].iter().find(|one| one.name.value == *name) {
            let (first, again) = (Some(first.name.span), case.name.span);
            out.add_duplicate_name(Code::DuplicateCase, "case", name, first, again);
        }
    }
}

fn case(node: Node, out: &mut Diagnostics) -> Option<Case> {
    let mut object = Object::read(node, "a case", &CASE, out)?;
    let o = &mut object;
    let span = o.span;
    let name = o.read_key("name", out, text);
    let when = o.read_key("when", out, when);
    let scripted = o.has("script");
    let entries = o.read_key("script", out, entries);
    let end = o.read_key("end", out, end);
    let same_as = o.read_key("same_as", out, text);
    let explore = o.read_key("explore", out, explore);
    object.finish();
    let play = match same_as {
        Some(other) => Play::SameAs(other),
        // What could not be read would be missed when it is played.
        None if scripted && entries.is_none() => return None,
        None => {
            let entries = entries.unwrap_or_default();
            Play::Own(Box::new(Script { when: when?, entries, end }))
        }
    };
    Some(Case { span, name: name?, play, explore })
}

fn when(node: Node, key: &str, out: &mut Diagnostics) -> Option<When> {
    let mut object = Object::read(node, key, &WHEN, out)?;
    let span = object.span;
    let event = object.read_key("event", out, name);
    let call = object.read_key("call", out, flag);
    let schedule = object.read_key("schedule", out, flag);
    let with = with(&mut object, out);
    object.finish();
    let start = match (event, call, schedule) {
        (Some(event), ..) => Start::Event(event),
        (None, Some(_), _) => Start::Call,
        (None, None, Some(_)) => Start::Schedule,
        (None, None, None) => return None,
    };
    Some(When { span, start, with: with? })
}

/// `with`, or none where it is not written; `None` where it cannot be read.
fn with(object: &mut Object, out: &mut Diagnostics) -> Option<With> {
    match object.take("with") {
        Some(node) => literals(node, "with", out),
        None => Some(With { span: object.head, list: Vec::new() }),
    }
}

/// Named values without any `${{ }}`: a case says what happens, and computes nothing. A `$${{` is
/// literal, as in a saga.
fn literals(node: Node, key: &str, out: &mut Diagnostics) -> Option<With> {
    let (span, pairs) = free_map(node, key, out)?;
    let mut read = Vec::new();
    for (name, node) in pairs {
        let at = node.span;
        let mut value = json(node, &name.value, out);
        if !unescape(&mut value) {
            out.add_literal_expected(at, &name.value);
        }
        read.push((name, At::new(value, at)));
    }
    Some(With { span, list: read })
}

/// Turns each `$${{` of a value to `${{`; `false` where a `${{` stands that is not literal.
fn unescape(value: &mut Value) -> bool {
    match value {
        Value::String(text) => match unescaped(text) {
            Some(plain) => *text = plain,
            None => return false,
        },
        Value::Array(items) => return items.iter_mut().all(unescape),
        Value::Object(map) => return map.values_mut().all(unescape),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    true
}

/// As a template without a hole reads.
fn unescaped(text: &str) -> Option<String> {
    const OPEN: &str = "${{";
    let mut plain = String::new();
    let mut rest = text;
    while let Some(open) = rest.find(OPEN) {
        let (before, behind) = (&rest[..open], &rest[open + OPEN.len()..]);
        plain.push_str(before.strip_suffix('$')?);
        plain.push_str(OPEN);
        rest = behind;
    }
    plain.push_str(rest);
    Some(plain)
}

fn entries(node: Node, key: &str, out: &mut Diagnostics) -> Option<Vec<Entry>> {
    let items = list(node, key, out)?;
    let wanted = items.len();
    let read: Vec<Entry> = items.into_iter().filter_map(|item| entry(item, out)).collect();
    (read.len() == wanted).then_some(read)
}

fn entry(node: Node, out: &mut Diagnostics) -> Option<Entry> {
    let mut object = Object::read(node, "an entry of a script", &SCRIPT, out)?;
    let o = &mut object;
    let span = o.span;
    let replied = o.has("reply");
    let reply = o.read_key("reply", out, reply);
    let expect = o.read_key("expect", out, command);
    let answer = o.read_key("answer", out, command);
    let report = o.read_key("report", out, report);
    let call = o.read_key("call", out, literals);
    let signal = o.read_key("signal", out, signal);
    let disconnect = o.read_key("disconnect", out, name);
    let connect = o.read_key("connect", out, name);
    let advance = o.read_key("advance", out, duration);
    let crash = o.read_key("crash", out, flag);
    object.finish();
    let what = if let Some((command, with)) = expect {
        if replied && reply.is_none() {
            return None;
        }
        Happening::Expect { command, with, reply: reply.unwrap_or(Reply::None) }
    } else if let Some((command, with)) = answer {
        Happening::Answer { command, with, reply: reply? }
    } else if let Some((event, with)) = report {
        Happening::Report { event, with }
    } else if let Some(with) = call {
        Happening::Call(with)
    } else if let Some((name, with)) = signal {
        Happening::Signal { name, with }
    } else if let Some(target) = disconnect {
        Happening::Disconnect(target)
    } else if let Some(target) = connect {
        Happening::Connect(target)
    } else if let Some(span) = advance {
        Happening::Advance(span)
    } else {
        crash.map(|_| Happening::Crash)?
    };
    Some(Entry { span, what })
}

fn command(node: Node, key: &str, out: &mut Diagnostics) -> Option<(At<String>, With)> {
    let mut object = Object::read(node, key, &EXPECT, out)?;
    let command = object.read_key("issue", out, name);
    let with = with(&mut object, out);
    object.finish();
    command.zip(with)
}

fn reply(node: Node, key: &str, out: &mut Diagnostics) -> Option<Reply> {
    let Ok(node) = unless_none(node) else { return Some(Reply::None) };
    let mut object = Object::read(node, key, &REPLY, out)?;
    let echo = object.read_key("echo", out, name);
    let failed = object.read_key("failed", out, text);
    let with = with(&mut object, out);
    object.finish();
    let echo = echo.zip(with).map(|(event, with)| Reply::Echo { event, with });
    echo.or(failed.map(Reply::Failed))
}

fn report(node: Node, key: &str, out: &mut Diagnostics) -> Option<(At<String>, With)> {
    let mut object = Object::read(node, key, &ORGANIC, out)?;
    let event = object.read_key("event", out, name);
    let with = with(&mut object, out);
    object.finish();
    event.zip(with)
}

fn signal(node: Node, key: &str, out: &mut Diagnostics) -> Option<(At<String>, With)> {
    let mut object = Object::read(node, key, &SIGNAL, out)?;
    let said = object.read_key("name", out, name);
    let with = with(&mut object, out);
    object.finish();
    said.zip(with)
}

fn end(node: Node, key: &str, out: &mut Diagnostics) -> Option<End> {
    let mut object = Object::read(node, key, &END, out)?;
    let o = &mut object;
    let span = o.span;
    let state = o.read_key("state", out, |node, key, out| one_of(ENDS, node, key, out));
    let cause = o.read_key("cause", out, |node, key, out| one_of(CAUSES, node, key, out));
    let reason = o.read_key("reason", out, text);
    let result = o.read_key("result", out, literals);
    object.finish();
    Some(End { span, state, cause, reason, result })
}

fn one_of(
    words: &[&'static str],
    node: Node,
    key: &str,
    out: &mut Diagnostics,
) -> Option<At<&'static str>> {
    let known: Vec<(&str, &'static str)> = words.iter().map(|word| (*word, *word)).collect();
    word(node, key, &known, out)
}

fn explore(node: Node, key: &str, out: &mut Diagnostics) -> Option<Explore> {
    let mut object = Object::read(node, key, &EXPLORE, out)?;
    let o = &mut object;
    let crash =
        o.read_key("crash", out, |node, key, out| word(node, key, &[("every_commit", true)], out));
    let count = |node: Node, key: &str, out: &mut Diagnostics| integer(node, key, 0, out);
    let duplicate = o.read_key("duplicate", out, count);
    let disconnect = o.read_key("disconnect", out, count);
    object.finish();
    let number = |at: Option<At<u64>>| at.map_or(0, |at| at.value);
    Some(Explore {
        crash: crash.is_some(),
        duplicate: number(duplicate),
        disconnect: number(disconnect),
    })
}
