//! `sagaflow demo`: sagas with real processes, told as they happen, and held to what they promise.
//! Everything that it starts it ends.

mod agents;
mod stage;
mod story;

use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Sender, channel};

use super::exit::{Exit, Failure, Outcome};
use super::link::{Link, block_on};
use super::out;
use super::source::now;
use crate::ids::{SagaId, Seq};
use crate::ipc::client::{Event, ServerLine};
use crate::launcher::{Hangup, LOG_FILE, Pictures};
use crate::log::{LogRead, LogReader};
use crate::view::text::{self, Line, Tone};
use stage::Stage;
use story::{End, Story, print_command};

/// Words that may wait to be told; a process that says more waits.
const WORDS_MAX: usize = 256;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which story; absent: three sagas of a desktop launcher
    #[arg(value_enum)]
    story: Option<Which>,
    /// Do it in this new directory and leave it there to look at, instead of a scratch one
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// A story beside the first one.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Which {
    /// Turns of an agent: each a process, one after the other, stopped, lost and gone on with
    Agents,
}

/// What the story hears.
#[derive(Debug)]
pub(super) enum Heard {
    /// An event of the bus.
    Bus(Event),
    /// The launcher went away.
    BusEnded,
    /// What a target said of its own doings.
    Target(&'static str, Value),
}

/// Plays the demo; exit 1 when the story did not come true.
pub(super) fn run(args: &Args) -> Outcome {
    block_on(async {
        let files = args.story.map_or(&stage::SAGAS[..], |_| &stage::AGENTS[..]);
        let mut stage = Stage::build(args.keep.as_deref(), files)?;
        let story = async {
            match args.story {
                None => play(&mut stage).await,
                Some(Which::Agents) => agents::play(&mut stage).await,
            }
        };
        let played = tokio::select! {
            played = story => played,
            // The stage is cleared on the way out.
            failure = told_to_end() => Err(failure),
        };
        played?;
        epilogue(args)?;
        Ok(Exit::Fine)
    })
}

/// Waits until somebody wants the demo to end: a key, a terminal that closes, a `kill`.
async fn told_to_end() -> Failure {
    let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    let ([Ok(mut int), Ok(mut term)], Ok(mut hangup)) = (signals, Hangup::listen()) else {
        return Failure::new(Exit::No, "the demo cannot listen for signals");
    };
    tokio::select! {
        _ = int.recv() => {}
        _ = term.recv() => {}
        () = hangup.recv() => {}
    }
    Failure::new(Exit::No, "interrupted")
}

async fn play(stage: &mut Stage) -> Result<(), Failure> {
    let (to, heard) = channel(WORDS_MAX);
    let mut story = Story::new(heard);
    stage.start_launcher().await?;
    listen(stage, to.clone(), Seq(0)).await?;
    stage.start_host("host", to.clone())?;
    stage.start_host("srv", to.clone())?;
    story.until_connected(2).await?;
    prologue(stage)?;
    all_goes_well(stage, &mut story).await?;
    one_step_never_answers(stage, &mut story).await?;
    the_plug_is_pulled(stage, &mut story, to).await?;
    log_of(stage, 1..=3)
}

fn prologue(stage: &Stage) -> Result<(), Failure> {
    let pid = stage.launcher_pid();
    say(&format!(
        "Four processes: a launcher (pid {pid}) runs the sagas of `sagas/` and keeps them in\n\
         one SQLite file; `host` owns windows, `srv` owns workspaces, and this one watches.\n\
         They speak over a local socket.   ● event   → command   ← answer   ↩ undo"
    ))
}

/// First act: an event wakes a saga, and it completes.
async fn all_goes_well(stage: &Stage, story: &mut Story) -> Result<(), Failure> {
    act("1", "A window closes, and what belongs to it is cleaned up")?;
    stage.command_line(&["emit", "window_closed", "label=main"]).await?;
    let end = story.follow("window_cleanup_cascade").await?;
    expect("the cleanup completes", end.state == "completed")?;
    expect("its result says that the pool stays", end.result == json!({ "drained": false }))
}

/// Second act: one step stays silent. It may have happened, so it is undone like those before it.
async fn one_step_never_answers(stage: &Stage, story: &mut Story) -> Result<(), Failure> {
    act("2", "A tab is torn off, and srv never says whether it moved")?;
    say(
        "   Silence is not failure: the move may have happened. So it is undone too, then what\n   \
         was done before it, in reverse order.",
    )?;
    let start = ["start", "tear_off_tab", "tab_id=report", "source_workspace_id=work"];
    stage.command_line(&start).await?;
    let end = story.follow("tear_off_tab").await?;
    expect("the saga is compensated", end.state == "compensated")?;
    let back: Vec<&str> =
        end.asked.iter().filter(|step| step.contains(".undo")).map(String::as_str).collect();
    expect("undoing goes backwards", back == ["move.undo", "workspace.undo"])
}

/// Third act: the launcher dies in the middle of a saga, and its successor goes on.
async fn the_plug_is_pulled(
    stage: &mut Stage,
    story: &mut Story,
    to: Sender<Heard>,
) -> Result<(), Failure> {
    act("3", "The launcher is killed in the middle of a saga")?;
    stage.command_line(&["emit", "window_closed", "label=second"]).await?;
    let asked = story.until_asked("reap_panes").await?;
    let command_id = asked["command_id"].clone();
    let pid = stage.launcher_pid();
    stage.kill_launcher().await?;
    out::stream(&[Line::of(Tone::Bad, format!("   ✂ kill -9 {pid}"))])?;
    let reply = story.until_said("reply", &command_id).await?;
    say(&format!(
        "   The host does its work all the same and answers {}, but nobody is there to hear it.",
        reply["event"].as_str().unwrap_or_default()
    ))?;
    stage.start_launcher().await?;
    let pid = stage.launcher_pid();
    let again = format!("   ↻ a new launcher (pid {pid}) reads the log and goes on");
    out::stream(&[Line::of(Tone::Busy, again)])?;
    listen(stage, to, story.version).await?;
    let again = story.until_said("command", &command_id).await?;
    print_command("host", &again)?;
    say("   The same command under the same id: the host knows it, acts no second time, and\n   \
         repeats its answer.")?;
    let end = story.follow("window_cleanup_cascade").await?;
    expect("the saga completes after the crash", end.state == "completed")?;
    expect("its result is whole", end.result == json!({ "drained": true }))?;
    held_to_its_word(story, &end)
}

/// What a kill must not change, counted from what the host was given.
fn held_to_its_word(story: &Story, end: &End) -> Result<(), Failure> {
    let given: Vec<(&str, bool)> = story
        .given
        .iter()
        .filter(|given| given.saga_id == end.saga_id && given.step == "reap")
        .map(|given| (given.command_id.as_str(), given.again))
        .collect();
    let one_id = given.iter().all(|(id, _)| *id == given[0].0);
    expect("the host was asked again under the same command id", given.len() >= 2 && one_id)?;
    let acted = given.iter().filter(|(_, again)| !again).count();
    expect("the host acted once", acted == 1)
}

/// The end: the log alone, read as `ps` reads it, with exactly one end for each saga.
fn log_of(stage: &Stage, sagas_told: RangeInclusive<u64>) -> Result<(), Failure> {
    act("4", "What the log says: sagaflow ps")?;
    let log = LogReader::open(&stage.data().join(LOG_FILE))?;
    let mut pictures = Pictures::default();
    let mut sagas = Vec::new();
    for id in sagas_told {
        let stored = log.saga(SagaId(id))?;
        expect("every saga is in the log", stored.is_some())?;
        if let Some(stored) = stored {
            let detail = pictures.of(&log, &stored, None).detail();
            let moments = detail["timeline"].as_array().map_or(&[][..], Vec::as_slice);
            let ends = moments.iter().filter(|moment| moment["kind"] == "ended").count();
            expect("every saga has exactly one end", ends == 1)?;
            sagas.push(detail);
        }
    }
    text::incidents_first(&mut sagas);
    let mut lines = text::table(&sagas, now());
    for line in &mut lines {
        line.0.insert(0, (Tone::Plain, "   ".to_owned()));
    }
    Ok(out::stream(&lines)?)
}

fn epilogue(args: &Args) -> Result<(), Failure> {
    let Some(kept) = &args.keep else {
        return say("\nThat was real: the processes are ended, the scratch directory is gone.\n\
             See more of it with `sagaflow demo --keep DIR`, write your own with\n\
             docs/guide/first-saga.md, run a real agent with docs/guide/agents.md.");
    };
    let data = kept.join("data");
    let data = data.display();
    say(&format!(
        "\nThat was real, and here it is:\n  sagaflow show 2 --data {data}\n  \
         sqlite3 {data}/{LOG_FILE} 'select * from saga'"
    ))
}

/// Hears the bus from that version on, and passes it to the story.
async fn listen(stage: &Stage, to: Sender<Heard>, since: Seq) -> Result<(), Failure> {
    let mut link = Link::subscribed(&stage.socket(), &["*", "saga_step"], Some(since)).await?;
    tokio::spawn(async move {
        while let Ok(Some(line)) = link.client().next().await {
            let ServerLine::Event(event) = line else { continue };
            if to.send(Heard::Bus(event)).await.is_err() {
                return;
            }
        }
        drop(to.send(Heard::BusEnded).await);
    });
    Ok(())
}

fn act(number: &str, title: &str) -> Result<(), Failure> {
    Ok(out::stream(&[Line::default(), Line::of(Tone::Strong, format!("{number}  {title}"))])?)
}

fn say(words: &str) -> Result<(), Failure> {
    let lines: Vec<Line> = words.lines().map(|line| Line::of(Tone::Plain, line)).collect();
    Ok(out::stream(&lines)?)
}

/// Holds the story to its word.
fn expect(claim: &str, is_so: bool) -> Result<(), Failure> {
    if is_so {
        return Ok(());
    }
    Err(Failure::new(Exit::No, format!("the story did not come true: not so that {claim}")))
}
