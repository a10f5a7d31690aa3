//! `sagaflow ps`: which sagas there are, from the launcher or from the log of a dead one.

use serde_json::{Map, Value, json};

use super::exit::{Exit, Failure, Outcome};
use super::link::{Link, block_on};
use super::out::{self, Shape};
use super::place::Where;
use super::source::{Source, now, source};
use crate::launcher::{Pictures, can_be};
use crate::log::{Filter, LogRead, LogReader, ReadError};
use crate::saga::record::State;
use crate::saga::words::STATES;
use crate::view::text;

/// Arguments of `ps`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only those in this state; may be given more than once
    #[arg(long, value_name = "STATE", value_parser = STATES)]
    state: Vec<String>,
    /// Only those of this definition
    #[arg(long, value_name = "SAGA")]
    name: Option<String>,
    /// At most so many; incidents are shown whatever their number
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: usize,
    /// Check every page and row of the log instead; it may be in use
    #[arg(long, conflicts_with_all = ["state", "name", "limit", "socket"])]
    check_log: bool,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    shape: Shape,
}

/// Prints the list: an array for tools, newest first; a table for people, incidents first.
pub(super) fn run(args: &Args) -> Outcome {
    if args.check_log {
        return check_log(args);
    }
    let mut beside = Beside::default();
    let mut sagas = match source(&args.place)? {
        Source::Launcher(socket) => {
            let mut sagas = Vec::new();
            block_on(async {
                let mut link = Link::open(&socket).await?;
                ask(&mut link, args, &mut sagas).await?;
                if !args.shape.is_json() {
                    beside = ask_beside(&mut link, args).await?;
                }
                link.close().await;
                Ok(Exit::Fine)
            })?;
            sagas
        }
        Source::Log(log) => read(&log, args)?,
    };
    // Incidents may have been asked for twice.
    sagas.sort_by_key(|saga| std::cmp::Reverse(saga["saga_id"].as_u64()));
    sagas.dedup_by_key(|saga| saga["saga_id"].as_u64());
    if args.shape.is_json() {
        out::json(&Value::Array(sagas))?;
        return Ok(Exit::Fine);
    }
    text::incidents_first(&mut sagas);
    if sagas.is_empty() {
        out::say(text::Tone::Faint, "no sagas");
    } else {
        out::lines(&text::table(&sagas, now()))?;
    }
    beside.say();
    Ok(Exit::Fine)
}

/// The full check of \[L1\], on request.
fn check_log(args: &Args) -> Outcome {
    can_be(&args.place.data())?;
    let wrong = match LogReader::open(&args.place.log())?.full_check() {
        // What cannot even be checked is a finding: that was the question.
        Err(ReadError::Damaged { what }) => vec![what],
        checked => checked?,
    };
    if args.shape.is_json() {
        out::json(&json!({ "sound": wrong.is_empty(), "found": wrong }))?;
    } else if wrong.is_empty() {
        out::text("the log is sound\n")?;
    } else {
        out::text(&format!("{}\n", wrong.join("\n")))?;
        out::complain("the log is damaged: keep a copy of its directory before anything else");
    }
    Ok(if wrong.is_empty() { Exit::Fine } else { Exit::No })
}

/// What a running launcher knows beside its sagas.
#[derive(Default)]
struct Beside {
    /// How often triggers were refused or ignored, by saga \[R10, R17\].
    turned_away: Map<String, Value>,
    /// When the clock starts which saga next.
    schedules: Vec<Value>,
}

async fn ask_beside(link: &mut Link, args: &Args) -> Result<Beside, Failure> {
    let snapshot = link.ask("get_snapshot", json!({})).await?;
    let wanted = |saga: &str| args.name.as_ref().is_none_or(|name| name == saga);
    let mut beside = Beside::default();
    if let Some(Value::Object(turned_away)) = snapshot.fields.get("turned_away") {
        beside.turned_away = turned_away.clone();
        beside.turned_away.retain(|saga, _| wanted(saga));
    }
    if let Some(Value::Array(schedules)) = snapshot.fields.get("schedules") {
        beside.schedules = schedules.clone();
        beside.schedules.retain(|tick| tick["saga"].as_str().is_some_and(wanted));
    }
    Ok(beside)
}

impl Beside {
    fn say(&self) {
        for tick in &self.schedules {
            let word = |field: &str| tick[field].as_str().unwrap_or("never");
            let words = format!("{}: {}, next {}", word("saga"), word("schedule"), word("next"));
            out::say(text::Tone::Faint, &words);
        }
        for (saga, times) in &self.turned_away {
            let words =
                format!("{saga}: {times} not started since the launcher's start; its log says why");
            out::say(text::Tone::Faint, &words);
        }
    }
}

/// The states asked for, and whether incidents must be asked for beside them.
fn wants_incidents(args: &Args) -> bool {
    args.state.is_empty()
}

async fn ask(link: &mut Link, args: &Args, sagas: &mut Vec<Value>) -> Result<(), Failure> {
    ask_pages(link, args, &args.state, args.limit, sagas).await?;
    if wants_incidents(args) {
        let incidents = [State::FailedCompensation.as_str().to_owned()];
        let mut found = Vec::new();
        ask_pages(link, args, &incidents, usize::MAX, &mut found).await?;
        sagas.extend(found.into_iter().filter(text::is_incident));
    }
    Ok(())
}

async fn ask_pages(
    link: &mut Link,
    args: &Args,
    states: &[String],
    limit: usize,
    sagas: &mut Vec<Value>,
) -> Result<(), Failure> {
    let mut before = Value::Null;
    while sagas.len() < limit {
        let mut fields = json!({ "states": states });
        if let Some(name) = &args.name {
            fields["name"] = name.as_str().into();
        }
        if !before.is_null() {
            fields["before"] = before;
        }
        if limit != usize::MAX {
            fields["limit"] = (limit - sagas.len()).into();
        }
        let page = link.ask("list_sagas", fields).await?;
        let list = page.fields.get("sagas").and_then(Value::as_array);
        sagas.extend(list.into_iter().flatten().cloned());
        before = page.fields.get("next").cloned().unwrap_or_default();
        if before.is_null() {
            break;
        }
    }
    sagas.truncate(limit);
    Ok(())
}

fn read(log: &LogReader, args: &Args) -> Result<Vec<Value>, Failure> {
    let filter = |states: &[String]| Filter {
        states: states.iter().map(|state| state.clone().into()).collect(),
        name: args.name.as_deref().map(Into::into),
        before: None,
    };
    let mut rows = log.list(&filter(&args.state), args.limit)?;
    if wants_incidents(args) {
        let incidents = [State::FailedCompensation.as_str().to_owned()];
        let found = log.list(&filter(&incidents), usize::MAX)?;
        rows.extend(found.into_iter().filter(|row| row.progress.is_incident()));
    }
    let mut pictures = Pictures::default();
    let mut sagas = Vec::new();
    for row in rows {
        if let Some(stored) = log.saga(row.saga_id)? {
            sagas.push(pictures.of(log, &stored, None).summary());
        }
    }
    Ok(sagas)
}
