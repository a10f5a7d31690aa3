//! What was explored, for people and for tools.

use serde_json::{Value, json};

use super::Tried;
use crate::cli::out;
use crate::sim::check::{Checked, Halt, Progress};
use crate::sim::fill::write_case;
use crate::view::text::{Line, Tone};

/// Every saga, with the transcript of what breaks a promise.
pub(super) fn human(tried: &[Tried]) -> Vec<Line> {
    let width = tried.iter().map(|one| one.plan.name.len()).max().unwrap_or_default();
    tried.iter().flat_map(|one| of_saga(one, width)).collect()
}

fn of_saga(one: &Tried, width: usize) -> Vec<Line> {
    let (name, checked) = (&one.plan.name, &one.checked);
    let far = far(checked);
    let Some((broken, story)) = &checked.counterexample else {
        let tone = if checked.halted.is_some() { Tone::Busy } else { Tone::Faint };
        let mut lines = vec![
            Line::of(Tone::Good, "  ok    ")
                .and(Tone::Plain, format!("{name:<width$}  "))
                .and(tone, far),
        ];
        if !checked.unreached.is_empty() {
            let steps: Vec<String> = checked.unreached.iter().map(|s| format!("`{s}`")).collect();
            let words = format!("        no history comes to {}", steps.join(", "));
            lines.push(Line::of(Tone::Busy, words));
        }
        return lines;
    };
    let mut lines = vec![
        Line::of(Tone::Bad, "  FAIL  ").and(Tone::Strong, name.to_string()),
        Line::of(Tone::Plain, "        ").and(Tone::Bad, broken.words.clone()),
        Line::of(Tone::Faint, format!("        promised: {}", broken.property.words())),
        Line::default(),
    ];
    for line in &story.transcript {
        let mut indented = Line::of(Tone::Plain, "  ");
        indented.0.extend(line.0.clone());
        lines.push(indented);
    }
    lines.push(Line::default());
    lines
}

/// How far it was explored, and why no farther.
fn far(checked: &Checked) -> String {
    let states = count(checked.states, "state");
    match checked.halted {
        None => format!("{states}, all histories"),
        Some(Halt::Depth(depth)) => {
            format!("{states}, histories of up to {} only", count(depth as usize, "happening"))
        }
        Some(Halt::States(_)) => {
            let depth = count(checked.depth as usize, "happening");
            format!("{states} and no more, which histories of {depth} have reached: not all")
        }
    }
}

/// The last line, for people.
pub(super) fn summary(tried: &[Tried], writes: bool) {
    let failed = tried.iter().filter(|one| one.checked.counterexample.is_some()).count();
    let partly = tried.iter().filter(|one| one.checked.halted.is_some()).count();
    let deeds: usize = tried.iter().map(|one| one.checked.deeds).sum();
    let mut words = format!("{}, {}", count(tried.len(), "saga"), count(deeds, "happening"));
    match failed {
        0 => words.push_str(", no promise broken"),
        failed => words.push_str(&format!(", {failed} with a broken promise")),
    }
    if partly > 0 {
        words.push_str(&format!("; {partly} not explored to the end"));
    }
    if failed > 0 && !writes {
        words.push_str("; --write makes a case of each");
    }
    out::say(if failed == 0 { Tone::Good } else { Tone::Bad }, &words);
}

/// How far it has come.
pub(super) fn progress(saga: &str, at: Progress) -> String {
    let Progress { states, open, depth } = at;
    format!("{saga}: {states} states, {open} to go on from, histories of {depth} happenings")
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// One object a saga.
pub(super) fn json(tried: &[Tried]) -> Value {
    tried.iter().map(of_json).collect()
}

fn of_json(one: &Tried) -> Value {
    let checked = &one.checked;
    let counterexample = checked.counterexample.as_ref().map(|(broken, story)| {
        let transcript: Vec<String> =
            story.transcript.iter().map(|line| line.plain().trim_end().to_owned()).collect();
        let case = story.script.as_ref().map(|script| write_case(&story.name, script, 0));
        json!({
            "message": broken.words,
            "promise": broken.property.words(),
            "transcript": transcript,
            "case": case,
        })
    });
    json!({
        "saga": &*one.plan.name,
        "states": checked.states,
        "exhaustive": checked.halted.is_none() && checked.counterexample.is_none(),
        "depth": checked.depth,
        "happenings": checked.deeds,
        "unreached": checked.unreached.iter().map(|step| &**step).collect::<Vec<_>>(),
        "counterexample": counterexample,
    })
}
