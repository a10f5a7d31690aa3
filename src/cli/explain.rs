//! `sagaflow explain`: the page of a diagnostic, from the binary itself. Writes no page.

use serde_json::json;

use super::exit::{Exit, Failure, Outcome};
use super::out::{self, Shape};
use crate::diag::{Code, RETIRED, Severity, nearest};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The code, like SF101, in any case of letters
    code: String,
    #[command(flatten)]
    shape: Shape,
}

/// Prints the page.
pub(super) fn run(args: &Args) -> Outcome {
    let Some(code) = Code::parse(&args.code) else {
        let retired = RETIRED.iter().find(|(code, _)| code.eq_ignore_ascii_case(&args.code));
        let Some((code, page)) = retired else { return Err(unknown(&args.code)) };
        return explain_retired(code, page, &args.shape);
    };
    if args.shape.is_json() {
        let severity = match code.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        out::json(&json!({
            "code": code.as_str(),
            "severity": severity,
            "title": code.title(),
            "page": code.explain(),
        }))?;
    } else {
        out::text(code.explain())?;
    }
    Ok(Exit::Fine)
}

/// The page of a code that is told no more: whoever meets it in an old log still finds it.
fn explain_retired(code: &str, page: &str, shape: &Shape) -> Outcome {
    if shape.is_json() {
        let title = page.lines().next().and_then(|line| line.split_once(": "));
        let title = title.map_or("", |(_, title)| title);
        out::json(&json!({ "code": code, "severity": "error", "title": title, "page": page }))?;
    } else {
        out::text(page)?;
    }
    Ok(Exit::Fine)
}

fn unknown(text: &str) -> Failure {
    let known = || Code::ALL.iter().map(|code| code.as_str());
    let upper = text.to_ascii_uppercase();
    let cure = match nearest(&upper, known()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("known: {}", known().collect::<Vec<_>>().join(", ")),
    };
    Failure::usage(format!("there is no diagnostic `{text}`; {cure}"))
}
