//! `sagaflow demo agents`: turns of an agent, each a real process, told as they happen: one after
//! the other, stopped, and lost with their launcher. The agent is the scripted one.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

use super::stage::Stage;
use super::{Heard, WORDS_MAX, act, expect, listen, log_of, say};
use crate::cli::exit::{Exit, Failure};
use crate::cli::{out, scripted};
use crate::ids::{SagaId, Seq};
use crate::ipc::client::Event;
use crate::launcher::LOG_FILE;
use crate::log::{LogRead, LogReader};
use crate::targets::process::ProcessId;
use crate::view::text::{Line, Tone};

/// How long the story waits for its next word before it gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether a process is gone, and how long between.
const LOOKS_MAX: u32 = 1_000;
const LOOK: Duration = Duration::from_millis(10);

/// The block whose agent it is.
const BLOCK: &str = "ada";

/// What is heard of the turns.
struct Turns {
    heard: Receiver<Heard>,
    version: Seq,
}

/// Plays it.
pub(super) async fn play(stage: &mut Stage) -> Result<(), Failure> {
    let (to, heard) = channel(WORDS_MAX);
    let mut turns = Turns { heard, version: Seq(0) };
    stage.start_launcher().await?;
    listen(stage, to.clone(), Seq(0)).await?;
    let pid = stage.launcher_pid();
    say(&format!(
        "A launcher (pid {pid}) runs `agent_turn`: for each message to an agent it starts a\n\
         process, gives it the message, and reads what it prints, a frame a line. The agent here\n\
         plays; `!hang` it does, all else it says back.   ● event   ← report   │ what it prints"
    ))?;
    let session = one_after_the_other(stage, &mut turns).await?;
    a_stop(stage, &mut turns).await?;
    lost(stage, &mut turns).await?;
    stage.start_launcher().await?;
    let pid = stage.launcher_pid();
    let again = format!("   ↻ a new launcher (pid {pid}) reads the log");
    out::stream(&[Line::of(Tone::Busy, again)])?;
    listen(stage, to, turns.version).await?;
    gone_on_with(stage, &mut turns, &session).await?;
    log_of(stage, 1..=6)
}

/// Three turns of a block: the first takes its time, and the others wait for theirs. The session.
async fn one_after_the_other(stage: &Stage, turns: &mut Turns) -> Result<String, Failure> {
    act("1", "Three messages: a process for each, one after the other")?;
    let gate = stage.directory().join("gate");
    let wait = format!("!await {}", gate.display());
    start(stage, "Hello, I am Ada", &["--do", &wait]).await?;
    let began = turns.until("turn_started", 1).await?;
    start(stage, "How are you?", &[]).await?;
    start(stage, "And now?", &[]).await?;
    for waiting in [2, 3] {
        expect("the others wait for their turn", state_of(stage, waiting)? == "queued")?;
    }
    say(
        "   The second and the third wait: a block has one turn at a time, and no message is lost.",
    )?;
    let opened = fs::write(&gate, "");
    opened.map_err(|error| Failure::new(Exit::No, format!("the gate does not open: {error}")))?;
    let mut pids = vec![began["pid"].clone()];
    let first = turns.until("turn_ended", 1).await?;
    for saga in [2, 3] {
        let began = turns.until("turn_started", saga).await?;
        expect("it goes on in the session", began["session_id"] == first["session_id"])?;
        pids.push(began["pid"].clone());
        let ended = turns.until("saga_completed", saga).await?;
        expect("its turn ends well", ended["result"]["exit_code"] == 0)?;
    }
    pids.dedup();
    expect("each turn has a process of its own", pids.len() == 3)?;
    let session = first["session_id"].as_str().unwrap_or_default().to_owned();
    expect("the session is known", !session.is_empty())?;
    Ok(session)
}

/// A turn that does not end by itself is stopped: it is done, and says how.
async fn a_stop(stage: &Stage, turns: &mut Turns) -> Result<(), Failure> {
    act("2", "A turn hangs, and somebody stops it")?;
    start(stage, "!hang", &[]).await?;
    turns.until_printed("hanging").await?;
    stage.command_line(&["emit", "agent_stop_requested", &format!("block_id={BLOCK}")]).await?;
    let ended = turns.until("saga_completed", 4).await?;
    let wanted = json!({"exit_code": -1, "killed_by": "stop"});
    let told = |name: &str| ended["result"][name] == wanted[name];
    expect("it was ended, and says so", told("exit_code") && told("killed_by"))
}

/// The launcher dies while a turn runs, and the turn with it.
async fn lost(stage: &mut Stage, turns: &mut Turns) -> Result<(), Failure> {
    act("3", "The launcher is killed while a turn runs")?;
    start(stage, "!hang", &[]).await?;
    let began = turns.until("turn_started", 5).await?;
    let pid = began["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).unwrap_or_default();
    let process = ProcessId::of(pid);
    turns.until_printed("hanging").await?;
    let launcher = stage.launcher_pid();
    stage.kill_launcher().await?;
    out::stream(&[Line::of(Tone::Bad, format!("   ✂ kill -9 {launcher}"))])?;
    let mut looks = 0;
    while process.as_ref().is_some_and(ProcessId::is_alive) && looks < LOOKS_MAX {
        looks += 1;
        tokio::time::sleep(LOOK).await;
    }
    expect("its process is gone too", !process.is_some_and(|process| process.is_alive()))?;
    say(&format!("   Process {pid} is gone as well: no turn outlives its launcher."))
}

/// The next launcher says what became of the lost turn, and goes on with the session.
async fn gone_on_with(stage: &Stage, turns: &mut Turns, session: &str) -> Result<(), Failure> {
    let ended = turns.until("saga_completed", 5).await?;
    expect("the lost turn is told", ended["result"]["killed_by"] == "launcher")?;
    say("   The turn that was lost is done, and says so: its message is not run twice.")?;
    start(stage, "!recall", &[]).await?;
    let began = turns.until("turn_started", 6).await?;
    expect("the session is gone on with", began["session_id"] == session)?;
    turns.until_printed("Hello, I am Ada").await?;
    let ended = turns.until("saga_completed", 6).await?;
    expect("its turn ends well", ended["result"]["exit_code"] == 0)
}

/// Gives the agent a message, as a person at another terminal would, and shows it.
async fn start(stage: &Stage, message: &str, more: &[&str]) -> Result<(), Failure> {
    let typed = format!("   $ sagaflow start agent_turn block_id={BLOCK} message='{message}' …");
    out::stream(&[Line::of(Tone::Faint, typed)])?;
    let memory = stage.directory().join("memory");
    let memory = memory.to_string_lossy();
    let binary = stage.binary().to_string_lossy();
    let mut argv = vec![&*binary, scripted::WORD, "--memory", &memory, "--session", "s-ada"];
    argv.extend(more);
    let pairs = [
        format!("block_id={BLOCK}"),
        format!("message={}", Value::from(message)),
        format!("argv={}", json!(argv)),
        "resume_flag=--resume".to_owned(),
    ];
    let args: Vec<&str> =
        ["start", "agent_turn"].into_iter().chain(pairs.iter().map(String::as_str)).collect();
    stage.run(&args).await
}

fn state_of(stage: &Stage, saga: u64) -> Result<String, Failure> {
    let log = LogReader::open(&stage.data().join(LOG_FILE))?;
    let stored = log.saga(SagaId(saga))?;
    Ok(stored.map(|stored| stored.saga.progress.state.to_string()).unwrap_or_default())
}

impl Turns {
    async fn next(&mut self) -> Result<Event, Failure> {
        let silence = || Failure::new(Exit::No, "the story does not go on: nothing happens");
        loop {
            let heard = timeout(PATIENCE, self.heard.recv()).await.map_err(|_| silence())?;
            if let Heard::Bus(event) = heard.ok_or_else(silence)? {
                self.version = event.version;
                tell(&event)?;
                return Ok(event);
            }
        }
    }

    /// Tells what happens until that is told of that saga; its fields.
    async fn until(&mut self, name: &str, saga: u64) -> Result<Value, Failure> {
        loop {
            let event = self.next().await?;
            let of = event.fields.get("saga_id").and_then(Value::as_u64);
            if event.name == name && of == Some(saga) {
                return Ok(Value::Object(event.fields));
            }
        }
    }

    /// Tells what happens until the agent prints that.
    async fn until_printed(&mut self, words: &str) -> Result<(), Failure> {
        loop {
            let event = self.next().await?;
            if event.name == "turn_output" && said(&event).is_some_and(|said| said.contains(words))
            {
                return Ok(());
            }
        }
    }
}

/// What a line of output says in words.
fn said(event: &Event) -> Option<String> {
    let frame: Value = serde_json::from_str(event.fields.get("line")?.as_str()?).ok()?;
    match frame["type"].as_str()? {
        "system" => {
            let id = frame["session_id"].as_str().unwrap_or_default();
            Some(format!("turn {} of {id}", frame["turn"]))
        }
        "assistant" => Some(frame["message"]["content"][0]["text"].as_str()?.to_owned()),
        _ => None,
    }
}

/// One event of the bus, if it belongs to the story.
fn tell(event: &Event) -> Result<(), Failure> {
    let field = |name: &str| event.fields.get(name).cloned().unwrap_or_default();
    let saga = field("saga_id");
    let line = match event.name.as_str() {
        "saga_started" => {
            let name = field("name");
            let name = name.as_str().unwrap_or_default();
            Line::of(Tone::Busy, format!("   ▶ saga {saga} began: {name}"))
        }
        "turn_started" => {
            let resumes = field("session_id");
            let resumes = resumes.as_str().filter(|id| !id.is_empty());
            let resumes = resumes.map(|id| format!(", goes on with {id}")).unwrap_or_default();
            let words = format!(
                "   ← turn {} runs in process {}{resumes}",
                field("generation"),
                field("pid")
            );
            Line::of(Tone::Good, words)
        }
        "turn_output" => match said(event) {
            Some(words) => Line::of(Tone::Faint, "   │ ").and(Tone::Plain, words),
            None => return Ok(()),
        },
        "turn_ended" => {
            let by = field("killed_by");
            let by = by.as_str().map(|by| format!(", ended by {by}")).unwrap_or_default();
            let words = format!(
                "   ← turn {} ended: exit code {}{by}",
                field("generation"),
                field("exit_code")
            );
            Line::of(Tone::Good, words)
        }
        "session_captured" => {
            let id = field("session_id");
            Line::of(Tone::Good, format!("   ← its session is {}", id.as_str().unwrap_or_default()))
        }
        "agent_stop_requested" => Line::of(Tone::Busy, "   ● ").and(Tone::Strong, &*event.name),
        "saga_completed" => {
            Line::of(Tone::Good, format!("   ✔ saga {saga} completed {}", field("result")))
        }
        "saga_failed" => {
            let (state, reason) = (field("state"), field("reason"));
            Line::of(Tone::Bad, format!("   ■ saga {saga} {state}: {reason}"))
        }
        _ => return Ok(()),
    };
    Ok(out::stream(&[line])?)
}
