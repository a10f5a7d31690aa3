//! `sagaflow explain`: the page of a diagnostic, from the binary itself. Writes no page.

use serde_json::json;

use super::exit::{Exit, Failure, Outcome};
use super::out::{self, Shape};
use crate::diag::{Code, Severity, nearest};

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
    let Some(code) = Code::parse(&args.code) else { return Err(unknown(&args.code)) };
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

fn unknown(text: &str) -> Failure {
    let known = || Code::ALL.iter().map(|code| code.as_str());
    let upper = text.to_ascii_uppercase();
    let cure = match nearest(&upper, known()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("known: {}", known().collect::<Vec<_>>().join(", ")),
    };
    Failure::usage(format!("there is no diagnostic `{text}`; {cure}"))
}
