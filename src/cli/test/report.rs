//! What was played, for people and for tools.

use serde_json::{Value, json};

use super::coverage;
use super::{Results, Suite, Tried};
use crate::cli::out;
use crate::sim::{Row, transcript};
use crate::view::text::{Line, Tone};

/// Every case, with both transcripts of those that failed.
pub(super) fn human(results: &Results, width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for suite in &results.suites {
        lines.push(Line::of(Tone::Strong, suite.path.clone()));
        for case in &suite.cases {
            lines.extend(of_case(results, case, width));
        }
    }
    lines.push(Line::default());
    for covered in &results.covered {
        lines.extend(coverage::human(covered));
    }
    lines
}

fn of_case(results: &Results, case: &Tried, width: usize) -> Vec<Line> {
    let judged = &case.judged;
    let plays = match judged.plays {
        0 | 1 => String::new(),
        plays if judged.cut_short => format!(" ({plays} plays, more were asked for)"),
        plays => format!(" ({plays} plays)"),
    };
    if judged.passed() {
        return vec![
            Line::of(Tone::Good, "  ok    ")
                .and(Tone::Plain, case.name.clone())
                .and(Tone::Faint, plays),
        ];
    }
    let mut lines = vec![
        Line::of(Tone::Bad, "  FAIL  ").and(Tone::Strong, case.name.clone()),
        Line::of(Tone::Plain, format!("        {}", results.place(case))),
    ];
    let faults = judged.faults.to_string();
    if !faults.is_empty() {
        lines.push(Line::of(Tone::Busy, format!("        with {faults}")));
    }
    let Some(played) = &judged.played else { return lines };
    for broken in played.broken.iter().chain(&played.unkept) {
        lines.push(Line::of(Tone::Bad, format!("        {broken}")));
    }
    lines.push(Line::default());
    for line in transcript::side_by_side(&played.rows, width.saturating_sub(4)) {
        let mut indented = Line::of(Tone::Plain, "    ");
        indented.0.extend(line.0);
        lines.push(indented);
    }
    lines.push(Line::default());
    lines
}

/// The last line, for people.
pub(super) fn summary(results: &Results) {
    let failed = results.failed();
    let count = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    };
    let cases = count(results.cases().count(), "case");
    let plays: usize = results.cases().map(|case| case.judged.plays).sum();
    let plays = count(plays, "play");
    let words = match failed {
        0 => format!("{cases}, {plays}, all as expected"),
        failed => format!("{cases}, {plays}, {failed} not as expected"),
    };
    out::say(if failed == 0 { Tone::Good } else { Tone::Bad }, &words);
}

/// One object with counts and per-case results.
pub(super) fn json(results: &Results) -> Value {
    let cases: Vec<Value> = results
        .suites
        .iter()
        .flat_map(|suite| suite.cases.iter().map(move |case| of_json(results, suite, case)))
        .collect();
    let failed = results.failed();
    json!({
        "files": results.suites.len(),
        "cases": cases.len(),
        "passed": cases.len() - failed,
        "failed": failed,
        "results": cases,
        "coverage": results.covered.iter().map(coverage::json).collect::<Vec<_>>(),
    })
}

fn of_json(results: &Results, suite: &Suite, case: &Tried) -> Value {
    let judged = &case.judged;
    let at = results.defined.sources.place(case.span);
    let mut object = json!({
        "file": suite.path,
        "line": at.line,
        "saga": &*suite.saga.name,
        "case": case.name,
        "passed": judged.passed(),
        "plays": judged.plays,
        "exhaustive": !judged.cut_short,
    });
    if !judged.passed() {
        let played = judged.played.as_ref();
        object["differs_at"] = results.place(case).into();
        object["faults"] = judged.faults.to_string().into();
        object["broken"] = played.and_then(|played| played.broken.clone()).into();
        object["always"] = played.and_then(|played| played.unkept.clone()).into();
        let rows = played.map(|played| played.rows.iter().map(row).collect::<Vec<_>>());
        object["transcript"] = rows.into();
    }
    object
}

fn row(row: &Row) -> Value {
    json!({ "expected": row.expected, "got": row.got, "same": row.same })
}
