//! `sagaflow graph`: a picture of a definition, or of one saga's way through it. Draws nothing
//! itself.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::exit::{Exit, Failure, Outcome};
use super::link::{Link, block_on};
use super::load::{self, SAGAS};
use super::out;
use super::place::Where;
use super::show;
use super::source::{Source, source};
use crate::diag::render;
use crate::graph::{self, Story};
use crate::ids::{DefinitionHash, SagaId};
use crate::launcher::{Loaded, Pictures};
use crate::log::{LogRead, LogReader};
use crate::plan::{Plan, compile_stored};

/// Arguments of `graph`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which definition; with --saga-id it may be left out
    #[arg(value_name = "SAGA", required_unless_present = "saga_id")]
    saga: Option<String>,
    /// Directory of the definitions [default: sagas]
    #[arg(long, value_name = "DIR")]
    sagas: Option<PathBuf>,
    /// How to write the picture
    #[arg(long, value_enum, default_value_t = Format::Svg)]
    format: Format,
    /// Colour the steps by what became of them in this saga; its own definition is drawn, from the
    /// log, whatever the files say today
    #[arg(long, value_name = "ID")]
    saga_id: Option<u64>,
    #[command(flatten)]
    place: Where,
}

/// Who draws the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A drawing by itself, for light and dark screens
    Svg,
    /// A flowchart for GitHub and documents
    Mermaid,
    /// For graphviz
    Dot,
}

/// Prints the picture.
pub(super) fn run(args: &Args) -> Outcome {
    let (plan, story) = match args.saga_id {
        Some(saga_id) => running(args, saga_id)?,
        None => (defined(args, args.saga.as_deref().unwrap_or_default())?, None),
    };
    let format = match args.format {
        Format::Svg => graph::Format::Svg,
        Format::Mermaid => graph::Format::Mermaid,
        Format::Dot => graph::Format::Dot,
    };
    out::text(&graph::draw(&plan, story.as_ref(), format))?;
    Ok(Exit::Fine)
}

/// The plan of a saga's definition in the files.
fn defined(args: &Args, name: &str) -> Result<Arc<Plan>, Failure> {
    let directory = args.sagas.clone().unwrap_or_else(|| PathBuf::from(SAGAS));
    let files = load::files(std::slice::from_ref(&directory), None)?;
    let Loaded { defined: library, plans, diagnostics: found } = Loaded::of_texts(files.texts());
    if let Some(plan) = plans.into_iter().find(|plan| &*plan.name == name) {
        return Ok(plan);
    }
    let names = library.sagas.iter().map(|saga| saga.name.value.as_str());
    if names.clone().any(|known| known == name) || !library.catalog_is_whole {
        let text = render::human(&found, &library.sources, false);
        let message =
            format!("saga `{name}` cannot be drawn before it is valid\n\n{}", text.trim());
        return Err(Failure::new(Exit::No, message));
    }
    Err(load::no_saga(name, &directory, names))
}

/// The plan that a saga runs by, and what became of its steps.
fn running(args: &Args, saga_id: u64) -> Result<(Arc<Plan>, Option<Story>), Failure> {
    let (saga, kept) = match source(&args.place)? {
        Source::Launcher(socket) => {
            let mut saga = Value::Null;
            block_on(async {
                let mut link = Link::open(&socket).await?;
                let answer = link.ask("get_saga", json!({ "saga_id": saga_id })).await?;
                link.close().await;
                saga = answer.fields.get("saga").cloned().unwrap_or_default();
                Ok(Exit::Fine)
            })?;
            // The definition is found by its content, so a log of another launcher does no harm.
            let kept = LogReader::open(&args.place.log()).ok().and_then(|log| kept(&log, &saga));
            (saga, kept)
        }
        Source::Log(log) => match log.saga(SagaId(saga_id))? {
            Some(stored) => {
                let saga = Pictures::default().of(&log, &stored, None).detail();
                let kept = kept(&log, &saga);
                (saga, kept)
            }
            None => return Err(show::unknown(saga_id)),
        },
    };
    let name = saga["name"].as_str().unwrap_or_default();
    if let Some(asked) = args.saga.as_deref().filter(|asked| *asked != name) {
        let message = format!("saga {saga_id} is a `{name}`, not a `{asked}`; leave the name out");
        return Err(Failure::usage(message));
    }
    let plan = match kept {
        Some(plan) => plan,
        None => {
            let plan = defined(args, name)?;
            if saga["definition"].as_str().is_some_and(|hash| hash != &*plan.hash.0) {
                out::warn("the definition has changed since this saga began; steps may differ");
            }
            plan
        }
    };
    Ok((plan, Some(story(saga_id, &saga))))
}

/// The definition that the log keeps with a saga \[L4\].
fn kept(log: &LogReader, saga: &Value) -> Option<Arc<Plan>> {
    let hash = DefinitionHash(saga["definition"].as_str()?.into());
    let row = log.definition(&hash).ok().flatten()?;
    compile_stored((&row.name, &row.source, &row.catalog), Vec::new()).ok()
}

fn story(saga_id: u64, saga: &Value) -> Story {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = || saga["steps"].as_array().into_iter().flatten();
    let steps = all().map(|step| (word(&step["id"]), word(&step["state"]))).collect();
    let child = |step: &Value| Some((word(&step["id"]), step["child"].as_u64()?));
    let caller = saga["parent"]["saga_id"].as_u64();
    Story {
        saga_id,
        state: word(&saga["state"]),
        steps,
        children: all().filter_map(child).collect(),
        caller: caller.map(|caller| (caller, word(&saga["parent"]["step"]))),
    }
}
