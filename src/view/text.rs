//! The table of `ps` and the page of `show`, from their JSON. Lines have tones, not colours: the
//! face paints them.

use std::borrow::Cow;
use std::cmp::Reverse;

use serde_json::Value;

use crate::time::Timestamp;

/// Characters of an echo that the page of `show` has room for.
const ECHO_SHOWN: usize = 300;

/// How a piece of text is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    Plain,
    /// A heading or a name.
    Strong,
    /// Of less interest.
    Faint,
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
    /// It is on its way, or on its way back.
    Busy,
}

/// Pieces of one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(pub Vec<(Tone, String)>);

impl Line {
    /// A line of one piece.
    #[must_use]
    pub fn of(tone: Tone, text: impl Into<String>) -> Line {
        Line(vec![(tone, text.into())])
    }

    /// The same line with a piece more.
    #[must_use]
    pub fn and(mut self, tone: Tone, text: impl Into<String>) -> Line {
        self.0.push((tone, text.into()));
        self
    }

    /// Its text without tones.
    #[must_use]
    pub fn plain(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// A text as a line of a terminal may hold it: what would move its cursor, be taken for an order
/// or turn around what stands beside it is spelled out. Clients and authors write what they like.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    let acts = |one: char| {
        one.is_control()
            || matches!(one, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(one, '\u{2066}'..='\u{2069}')
    };
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let spell = |one: char| match acts(one) {
        true => one.escape_default().to_string(),
        false => one.to_string(),
    };
    Cow::Owned(text.chars().map(spell).collect())
}

/// How a state of a saga or a step is meant.
#[must_use]
pub fn tone_of(state: &str) -> Tone {
    match state {
        "completed" | "succeeded" => Tone::Good,
        "failed" | "failed_compensation" | "corrupt" | "compensation_failed" | "in_doubt" => {
            Tone::Bad
        }
        "running" | "compensating" | "issued" | "waiting" | "backing_off" | "probing"
        | "undoing" => Tone::Busy,
        "compensated" => Tone::Strong,
        _ => Tone::Plain,
    }
}

/// Whether an object of `ps --json` is an incident that waits for an operator \[R14\].
#[must_use]
pub fn is_incident(saga: &Value) -> bool {
    word(saga, "state") == "failed_compensation" && saga["resolved"].is_null()
}

/// Orders objects of `ps --json` as people read them: incidents first, then newest first \[R14\].
pub fn incidents_first(sagas: &mut [Value]) {
    sagas.sort_by_key(|saga| (!is_incident(saga), Reverse(saga["saga_id"].as_u64())));
}

/// Objects of `ps --json` as a table. `now` tells how long open ones have taken.
#[must_use]
pub fn table(sagas: &[Value], now: Timestamp) -> Vec<Line> {
    const HEAD: [&str; 7] = ["ID", "NAME", "STATE", "STEP", "STARTED", "TOOK", "WHY"];
    let rows: Vec<[String; 7]> = sagas.iter().map(|saga| cells(saga, now)).collect();
    let widest = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([HEAD[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; 7] = std::array::from_fn(widest);
    let pad = |column: usize, text: &str| match column {
        6 => text.to_owned(),
        _ => format!("{text:<width$}  ", width = widths[column]),
    };
    let heading: String = (0..7).map(|column| pad(column, HEAD[column])).collect();
    let mut lines = vec![Line::of(Tone::Faint, heading.trim_end())];
    for (row, saga) in rows.iter().zip(sagas) {
        let tone = |column: usize| match column {
            2 => tone_of(word(saga, "state")),
            1 => Tone::Strong,
            4 | 5 => Tone::Faint,
            _ => Tone::Plain,
        };
        let piece = |column: usize| (tone(column), pad(column, &row[column]));
        lines.push(Line((0..7).map(piece).collect()));
    }
    lines
}

fn cells(saga: &Value, now: Timestamp) -> [String; 7] {
    let dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let why = match (word(saga, "cause"), word(saga, "reason")) {
        ("", reason) => reason.to_owned(),
        (cause, "") => cause.to_owned(),
        (cause, reason) => format!("{cause}: {reason}"),
    };
    let why = held(saga).unwrap_or(why);
    let settled = saga["resolved"]["reason"].as_str();
    let why = settled.map_or(why.clone(), |reason| format!("{why} (resolved: {reason})"));
    [
        saga["saga_id"].to_string(),
        format!("{}{}", word(saga, "name"), of_caller(saga)),
        format!("{}{}", word(saga, "state"), observing(saga)),
        dash(word(saga, "step")),
        dash(&short_time(word(saga, "started_at"))),
        took(saga, now).unwrap_or_else(|| "-".to_owned()),
        clip(&why, 60),
    ]
}

/// The object of `show --json` as a page.
#[must_use]
pub fn page(saga: &Value, now: Timestamp) -> Vec<Line> {
    let state = word(saga, "state");
    let cause = word(saga, "cause");
    let cause = if cause.is_empty() { String::new() } else { format!(" ({cause})") };
    let title = format!("saga {} {}", saga["saga_id"], word(saga, "name"));
    let held = held(saga).map_or(String::new(), |held| format!(", {held}"));
    let mut lines = vec![
        Line::of(Tone::Strong, title)
            .and(Tone::Plain, "  ")
            .and(tone_of(state), format!("{state}{cause}{held}"))
            .and(Tone::Faint, observing(saga)),
    ];
    let mut fact = |name: &str, text: &str, tone: Tone| {
        if !text.is_empty() {
            lines.push(Line::of(Tone::Faint, format!("  {name:<11}")).and(tone, text));
        }
    };
    fact("why", word(saga, "reason"), Tone::Bad);
    fact("started by", &started_by(saga), Tone::Plain);
    fact("calls", &children(saga), Tone::Plain);
    fact("input", &shown(&saga["input"]), Tone::Plain);
    fact("result", &shown(&saga["result"]), Tone::Plain);
    fact("since", word(saga, "started_at"), Tone::Plain);
    fact("took", &took(saga, now).unwrap_or_default(), Tone::Plain);
    fact("due", word(saga, "due"), Tone::Plain);
    fact("resolved", &settlement(&saga["resolved"]), Tone::Plain);
    fact("definition", word(saga, "definition"), Tone::Faint);
    // A queued saga has done no step, and of one whose records cannot be read there is no story.
    for (name, section) in [("steps", steps(saga)), ("timeline", timeline(saga))] {
        if !list(saga, name).is_empty() {
            lines.push(Line::default());
            lines.extend(section);
        }
    }
    lines
}

fn started_by(saga: &Value) -> String {
    let parent = &saga["parent"];
    if !parent.is_null() {
        return format!("call from saga {}, step {}", parent["saga_id"], word(parent, "step"));
    }
    match word(saga, "client") {
        "" => word(saga, "trigger").to_owned(),
        client => format!("{} from {client}", word(saga, "trigger")),
    }
}

/// Of a sub-saga: whose.
fn of_caller(saga: &Value) -> String {
    let caller = saga["parent"]["saga_id"].as_u64();
    caller.map_or(String::new(), |caller| format!(" (of {caller})"))
}

/// The sagas that it called.
fn children(saga: &Value) -> String {
    let ids: Vec<String> = list(saga, "children").iter().map(|id| format!("saga {id}")).collect();
    ids.join(", ")
}

/// Of one that sends nothing.
fn observing(saga: &Value) -> &'static str {
    if word(saga, "mode") == "observe" { " (observes)" } else { "" }
}

/// Of a sub-saga that has done its steps and waits: for whom.
fn held(saga: &Value) -> Option<String> {
    saga["held_for"].as_u64().map(|caller| format!("held for saga {caller}"))
}

fn settlement(resolved: &Value) -> String {
    if resolved.is_null() {
        return String::new();
    }
    format!("{} by {}: {}", word(resolved, "at"), word(resolved, "by"), word(resolved, "reason"))
}

fn steps(saga: &Value) -> Vec<Line> {
    let steps = list(saga, "steps");
    let width = steps.iter().map(|step| word(step, "id").chars().count()).max().unwrap_or(0);
    let mut lines = vec![Line::of(Tone::Strong, "steps")];
    for step in steps {
        let state = word(step, "state");
        let attempts = match step["attempt"].as_u64() {
            Some(attempt) if attempt > 1 => format!(" after {attempt} attempts"),
            Some(_) | None => String::new(),
        };
        let mut line = Line::of(Tone::Plain, format!("  {:<width$}  ", word(step, "id")))
            .and(tone_of(state), format!("{state}{attempts}"));
        if let Some(took) = between(word(step, "started_at"), word(step, "ended_at")) {
            line = line.and(Tone::Faint, format!("  {took}"));
        }
        if let Some(child) = step["child"].as_u64() {
            line = line.and(Tone::Plain, format!("  saga {child}"));
        }
        if !step["echo"].is_null() {
            let answer = word(step, "answer");
            let text = format!("  {answer} {}", clip(&shown(&step["echo"]), ECHO_SHOWN));
            line = line.and(Tone::Plain, text.trim_end());
        }
        if !word(step, "reason").is_empty() {
            line = line.and(Tone::Bad, format!("  {}", word(step, "reason")));
        }
        lines.push(line);
    }
    lines
}

fn timeline(saga: &Value) -> Vec<Line> {
    let moments = list(saga, "timeline");
    let width = moments.iter().map(|m| word(m, "step").chars().count()).max().unwrap_or(0);
    let first = moments.first().map_or("", |moment| word(moment, "at"));
    let mut lines = vec![
        Line::of(Tone::Strong, "timeline").and(Tone::Faint, format!("  in seconds since {first}")),
    ];
    for moment in moments {
        let since = seconds(first, word(moment, "at")).unwrap_or_default();
        let step = word(moment, "step");
        let state = word(moment, "state");
        lines.push(
            Line::of(Tone::Faint, format!("  {since:>9}  "))
                .and(Tone::Plain, format!("{} {step:<width$}  ", mark(moment)))
                .and(tone_of(state), word(moment, "text")),
        );
    }
    lines
}

/// One sign that lets the eye follow the way forward and back.
fn mark(moment: &Value) -> &'static str {
    let step = word(moment, "step");
    let undoes = step.contains(".undo");
    match (word(moment, "kind"), word(moment, "state")) {
        ("issued" | "reissued", _) if undoes => "↩",
        ("unwinding" | "undoing", _) => "↩",
        ("issued" | "reissued", _) => "→",
        ("event", _) => "←",
        ("backoff", _) => "↻",
        (_, "succeeded" | "completed" | "compensated") => "✓",
        (_, "failed" | "compensation_failed" | "failed_compensation") => "✗",
        (_, "in_doubt") => "?",
        (_, _) => "·",
    }
}

/// Time that a saga took, or has taken so far.
fn took(saga: &Value, now: Timestamp) -> Option<String> {
    let started = Timestamp::parse(word(saga, "started_at"))?;
    let ended = Timestamp::parse(word(saga, "ended_at")).unwrap_or(now);
    Some(span(started, ended))
}

fn between(from: &str, to: &str) -> Option<String> {
    Some(span(Timestamp::parse(from)?, Timestamp::parse(to)?))
}

fn span(from: Timestamp, to: Timestamp) -> String {
    let ms = to.since(from).0;
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..60_000 => format!("{}.{:03}s", ms / 1_000, ms % 1_000),
        60_000..3_600_000 => format!("{}m{:02}s", ms / 60_000, ms / 1_000 % 60),
        _ => format!("{}h{:02}m", ms / 3_600_000, ms / 60_000 % 60),
    }
}

fn seconds(from: &str, to: &str) -> Option<String> {
    let ms = Timestamp::parse(to)?.since(Timestamp::parse(from)?).0;
    Some(format!("{}.{:03}", ms / 1_000, ms % 1_000))
}

/// `2026-11-21T06:07:08.123Z` without its fraction.
fn short_time(rfc3339: &str) -> String {
    match rfc3339.get(..19) {
        Some(head) => format!("{}Z", head.replace('T', " ")),
        None => rfc3339.to_owned(),
    }
}

fn clip(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or("");
    if line.chars().count() <= most && line.len() == text.len() {
        return text.to_owned();
    }
    line.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

fn word<'a>(object: &'a Value, key: &str) -> &'a str {
    object[key].as_str().unwrap_or("")
}

fn list<'a>(object: &'a Value, key: &str) -> &'a [Value] {
    object[key].as_array().map_or(&[], Vec::as_slice)
}

fn shown(value: &Value) -> String {
    if value.is_null() { String::new() } else { value.to_string() }
}
