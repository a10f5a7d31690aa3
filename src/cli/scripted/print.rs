//! One turn of a print-mode agent CLI: a message on stdin, one frame a line on stdout, and the
//! session on each frame. Listens to nobody else.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use serde_json::{Value, json};

use crate::clock::Clock;
use crate::time::Timestamp;

use super::script::{Deed, deeds};
use super::{Print, deeds};

/// A message, in bytes, at most.
const MESSAGE_MAX: u64 = 16 << 20;

/// What a turn writes, and the session that it bears.
struct Voice<'a> {
    field: &'a str,
    session: Option<String>,
    out: io::BufWriter<io::Stdout>,
}

impl Voice<'_> {
    fn frame(&mut self, mut frame: Value) -> io::Result<()> {
        if let Some(id) = &self.session {
            frame[self.field] = json!(id);
        }
        writeln!(self.out, "{frame}")?;
        self.out.flush()
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        let content = json!([{"type": "text", "text": text}]);
        self.frame(json!({
            "type": "assistant", "message": {"role": "assistant", "content": content},
        }))
    }

    fn result(&mut self, error: bool, text: &str, turns: usize) -> io::Result<()> {
        let subtype = if error { "error_during_execution" } else { "success" };
        self.frame(json!({
            "type": "result", "subtype": subtype, "is_error": error, "result": text,
            "num_turns": turns,
        }))
    }
}

/// Plays one turn; its exit code.
pub async fn turn(args: &Print) -> u8 {
    // Who reads no more is told nothing more.
    play(args).await.unwrap_or(1)
}

async fn play(args: &Print) -> io::Result<u8> {
    let mut message = Vec::new();
    if !args.deaf {
        io::stdin().take(MESSAGE_MAX).read_to_end(&mut message)?;
    }
    let message = String::from_utf8_lossy(&message).trim_end_matches('\n').to_owned();
    let session = args.resume.clone().or_else(|| args.session.clone()).unwrap_or_else(new_session);
    let out = io::BufWriter::new(io::stdout());
    let mut voice = Voice { field: &args.session_field, session: None, out };
    let asked: Result<Vec<Deed>, String> = args
        .deeds
        .iter()
        .map(String::as_str)
        .chain([&*message])
        .map(deeds)
        .collect::<Result<Vec<_>, _>>()
        .map(|all| all.concat());
    let asked = match asked {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("{why}");
            return Ok(2);
        }
    };
    let Some(past) = recall(args, &session, &message)? else {
        // As real ones do: it has no session, so it names none.
        voice.result(true, &format!("No conversation found with session ID: {session}"), 0)?;
        return Ok(1);
    };
    journal(args, "begin", &message)?;
    voice.session = Some(session);
    let cwd = std::env::current_dir().unwrap_or_default();
    voice.frame(json!({"type": "system", "subtype": "init", "cwd": cwd, "turn": past.turn}))?;
    for deed in asked {
        if let Some(code) = act(&mut voice, deed, &past).await? {
            return Ok(code);
        }
    }
    journal(args, "end", &message)?;
    voice.result(false, "done", past.turn)?;
    Ok(0)
}

/// Does one thing; the exit code, if that was the last.
async fn act(voice: &mut Voice<'_>, deed: Deed, past: &Past) -> io::Result<Option<u8>> {
    match deed {
        Deed::Say(text) => voice.say(&text)?,
        Deed::Exit(code) => return Ok(Some(code)),
        Deed::Hang => {
            voice.say("hanging")?;
            std::future::pending::<()>().await;
        }
        Deed::IgnoreTerm => deeds::ignore_term(),
        Deed::Crash(with) => deeds::crash(with).await,
        Deed::Flood(lines, bytes) => flood(voice, lines, bytes)?,
        Deed::Session(id) => voice.session = id,
        Deed::Error(code, text) => {
            voice.result(true, &text, past.turn)?;
            return Ok(Some(code));
        }
        Deed::RateLimit => voice.frame(json!({"type": "rate_limit_event"}))?,
        Deed::Grandchild => {
            let child = deeds::grandchild()?;
            voice.frame(json!({"type": "grandchild", "pid": child.id()}))?;
        }
        Deed::Torn(text) => {
            write!(voice.out, "{text}")?;
            voice.out.flush()?;
            return Ok(Some(0));
        }
        Deed::Stderr(text) => eprintln!("{text}"),
        Deed::Plain(text) => {
            writeln!(voice.out, "{text}")?;
            voice.out.flush()?;
        }
        Deed::Sleep(span) => tokio::time::sleep(span).await,
        Deed::Await(path) => deeds::wait_for(&path).await,
        Deed::Touch(path) => fs::write(path, "")?,
        Deed::Tell(name) => {
            let args: Vec<String> = std::env::args().collect();
            let value = std::env::var(&name).ok();
            voice.frame(json!({"type": "told", "args": args, "name": name, "value": value}))?;
        }
        Deed::Recall => voice.say(&format!("This began with: {}", past.first))?,
        Deed::Spawn(_) | Deed::Unlisten => {
            eprintln!("only a pod does that");
            return Ok(Some(2));
        }
    }
    Ok(None)
}

fn flood(voice: &mut Voice<'_>, lines: u64, bytes: usize) -> io::Result<()> {
    let pad = "x".repeat(bytes);
    for n in 0..lines {
        let mut frame = json!({"type": "stream_event", "n": n, "pad": pad});
        if let Some(id) = &voice.session {
            frame[voice.field] = json!(id);
        }
        writeln!(voice.out, "{frame}")?;
    }
    voice.out.flush()
}

/// What is remembered of a session.
struct Past {
    /// Which turn of it this is.
    turn: usize,
    /// What it began with.
    first: String,
}

/// What is known of the session; none: it is not there. Remembers the message.
fn recall(args: &Print, session: &str, message: &str) -> io::Result<Option<Past>> {
    let message = message.replace('\n', " ");
    let Some(memory) = &args.memory else { return Ok(Some(Past { turn: 1, first: message })) };
    let file = memory.join(format!("{}.txt", session.replace('/', "_")));
    if args.resume.is_some() && !file.exists() {
        return Ok(None);
    }
    fs::create_dir_all(memory)?;
    append(&file, &message)?;
    let text = fs::read_to_string(&file)?;
    let first = text.lines().next().unwrap_or_default().to_owned();
    Ok(Some(Past { turn: text.lines().count(), first }))
}

fn journal(args: &Print, what: &str, message: &str) -> io::Result<()> {
    let Some(file) = &args.journal else { return Ok(()) };
    append(file, &format!("{what} {}", message.replace('\n', " ")))
}

fn append(file: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    // In one piece, so that lines of several processes do not mix.
    file.write_all(format!("{line}\n").as_bytes())
}

fn new_session() -> String {
    let now = Clock::start(Timestamp::default()).now();
    format!("session-{}-{}", std::process::id(), now.0)
}
