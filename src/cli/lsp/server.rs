//! The conversation with an editor: what may be said when, and who answers it. Knows no YAML.

use std::io::{self, BufReader, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use serde_json::{Value, json};

use super::answers;
use super::desk::Desk;
use super::frames::{self, Frame};
use super::places::{Units, path_of};
use super::runs::{self, Run};
use crate::cli::exit::Exit;

/// Messages that may wait; beyond, the editor's stream is not read.
const WAITING_MAX: usize = 64;

/// Runs of tests that may go on at once.
const RUNS_MAX: usize = 2;

/// What the server hears.
#[derive(Debug)]
pub enum Input {
    /// From the editor.
    Frame(Frame),
    /// A run of tests has ended.
    Ran {
        /// Whether all was well.
        fine: bool,
        /// Its last line.
        summary: String,
        /// All that it said.
        text: String,
    },
}

/// Errors as the protocol numbers them.
#[derive(Clone, Copy, Debug)]
pub enum Wrong {
    /// No JSON, or no frame.
    Parse = -32700,
    /// Not now, or no request.
    Request = -32600,
    /// Nobody knows that method.
    Method = -32601,
    /// The method cannot be done with these.
    Params = -32602,
    /// Before `initialize`.
    Early = -32002,
    /// Understood, and it cannot be.
    Failed = -32803,
}

/// What a request comes to: a result, or an error with its words.
pub type Answer = Result<Value, (Wrong, String)>;

/// How far a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Before,
    Open,
    Closing,
}

/// One editor's server.
#[derive(Debug)]
pub struct Server<W: Write> {
    out: W,
    stage: Stage,
    /// The directories.
    pub desk: Desk,
    /// In what the editor counts.
    pub units: Units,
    /// What it started and has not heard the end of.
    runs: Vec<Run>,
    to_self: SyncSender<Input>,
    /// Whether the editor tells of changed files when it is asked to.
    watches: bool,
}

/// Serves an editor on two streams until it leaves.
///
/// # Errors
/// Nobody reads the answers.
pub fn serve(out: impl Write) -> io::Result<Exit> {
    let (to_self, inputs) = sync_channel(WAITING_MAX);
    let reader = to_self.clone();
    thread::spawn(move || {
        let mut input = BufReader::new(io::stdin());
        loop {
            let frame = frames::read(&mut input).unwrap_or(Frame::End);
            let end = frame == Frame::End;
            if reader.send(Input::Frame(frame)).is_err() || end {
                return;
            }
        }
    });
    let desk = Desk::default();
    let (stage, units) = (Stage::Before, Units::Utf16);
    Server { out, stage, desk, units, runs: Vec::new(), to_self, watches: false }.run(&inputs)
}

impl<W: Write> Server<W> {
    fn run(&mut self, inputs: &Receiver<Input>) -> io::Result<Exit> {
        loop {
            // What waits is heard first: of ten keystrokes only the last is worth a check.
            let input = match inputs.try_recv() {
                Ok(input) => input,
                Err(TryRecvError::Empty) => {
                    self.publish()?;
                    match inputs.recv() {
                        Ok(input) => input,
                        Err(_) => return Ok(Exit::No),
                    }
                }
                Err(TryRecvError::Disconnected) => return Ok(Exit::No),
            };
            match input {
                Input::Frame(Frame::End) => return Ok(self.left()),
                Input::Frame(Frame::Bad(why)) => {
                    self.answer(&Value::Null, Err((Wrong::Parse, why)))?;
                }
                Input::Frame(Frame::Message(message)) => {
                    if let Some(exit) = self.message(&message)? {
                        return Ok(exit);
                    }
                }
                Input::Ran { fine, summary, text } => self.ran(fine, &summary, &text)?,
            }
        }
    }

    /// An editor that leaves without a word has died; that is its own affair.
    fn left(&self) -> Exit {
        if self.stage == Stage::Closing { Exit::Fine } else { Exit::No }
    }

    fn message(&mut self, message: &Value) -> io::Result<Option<Exit>> {
        let method = message.get("method").and_then(Value::as_str);
        let id = message.get("id").filter(|id| id.is_string() || id.is_number());
        let empty = Value::Null;
        let params = message.get("params").unwrap_or(&empty);
        match (method, id) {
            (Some("exit"), None) => return Ok(Some(self.left())),
            (Some(method), Some(id)) => {
                let answer = self.request(method, params);
                self.answer(&id.clone(), answer)?;
                if method == "initialize" && self.stage == Stage::Open {
                    self.watch(params);
                }
            }
            (Some(method), None) => self.notification(method, params)?,
            // An answer to a question of ours.
            (None, Some(_)) => {}
            (None, None) => {
                let why = "a message without a method".to_owned();
                self.answer(&Value::Null, Err((Wrong::Request, why)))?;
            }
        }
        Ok(None)
    }

    fn request(&mut self, method: &str, params: &Value) -> Answer {
        match (self.stage, method) {
            (Stage::Before, "initialize") => {
                self.stage = Stage::Open;
                let offered = params.pointer("/capabilities/general/positionEncodings");
                let utf8 = offered
                    .and_then(Value::as_array)
                    .is_some_and(|all| all.iter().any(|one| one == "utf-8"));
                self.units = if utf8 { Units::Utf8 } else { Units::Utf16 };
                Ok(answers::capabilities(self.units))
            }
            (Stage::Before, _) => {
                Err((Wrong::Early, "`initialize` comes before anything else".to_owned()))
            }
            (Stage::Open, "initialize") => {
                Err((Wrong::Request, "`initialize` comes once".to_owned()))
            }
            (Stage::Closing, _) => Err((Wrong::Request, "the server was shut down".to_owned())),
            (Stage::Open, "shutdown") => {
                self.stage = Stage::Closing;
                Ok(Value::Null)
            }
            (Stage::Open, "workspace/executeCommand") => self.execute(params),
            (Stage::Open, method) => {
                if method == "textDocument/codeAction" {
                    // Cures belong to the text that is on the screen now.
                    drop(self.publish());
                }
                answers::answer(&self.desk, self.units, method, params)
            }
        }
    }

    fn notification(&mut self, method: &str, params: &Value) -> io::Result<()> {
        if self.stage != Stage::Open {
            return Ok(());
        }
        let uri = params.pointer("/textDocument/uri").and_then(Value::as_str);
        let path = uri.and_then(path_of);
        let text = match method {
            "textDocument/didOpen" => params.pointer("/textDocument/text"),
            // Whole texts are agreed on; of several the last one counts.
            "textDocument/didChange" => params
                .pointer("/contentChanges")
                .and_then(Value::as_array)
                .and_then(|all| all.iter().rev().find(|one| one.get("range").is_none()))
                .and_then(|change| change.get("text")),
            _ => None,
        };
        match (method, path) {
            ("textDocument/didOpen" | "textDocument/didChange", Some(path)) => {
                let Some(text) = text.and_then(Value::as_str) else { return Ok(()) };
                if method == "textDocument/didChange" && !self.desk.is_open(&path) {
                    return Ok(());
                }
                if super::desk::split(&path).is_some()
                    && !self.desk.open(&path, uri.unwrap_or_default(), text)
                {
                    return self.say(2, "too many files are open; this one is not looked at");
                }
            }
            ("textDocument/didClose", Some(path)) => self.desk.close(&path),
            ("textDocument/didSave", Some(path)) => self.desk.changed(&path),
            ("workspace/didChangeWatchedFiles", _) => {
                let changes = params.get("changes").and_then(Value::as_array);
                let uris = changes.into_iter().flatten().filter_map(|one| one.get("uri")?.as_str());
                let mut seen: Vec<PathBuf> = Vec::new();
                for path in uris.filter_map(path_of) {
                    let Some((parent, _)) = super::desk::split(&path) else { continue };
                    if !seen.contains(&parent) {
                        self.desk.changed(&path);
                        seen.push(parent);
                    }
                }
            }
            ("initialized", _) => self.ask_to_watch()?,
            _ => {}
        }
        Ok(())
    }

    fn watch(&mut self, params: &Value) {
        let place = "/capabilities/workspace/didChangeWatchedFiles/dynamicRegistration";
        self.watches = params.pointer(place).and_then(Value::as_bool).unwrap_or(false);
    }

    fn ask_to_watch(&mut self) -> io::Result<()> {
        if !self.watches {
            return Ok(());
        }
        let glob = json!({ "globPattern": "**/*.{saga,catalog,test}.yaml" });
        let registration = json!({
            "id": "files",
            "method": "workspace/didChangeWatchedFiles",
            "registerOptions": { "watchers": [glob] },
        });
        let params = json!({ "registrations": [registration] });
        let method = "client/registerCapability";
        self.send(&json!({ "jsonrpc": "2.0", "id": "watch", "method": method, "params": params }))
    }

    fn execute(&mut self, params: &Value) -> Answer {
        let name = params.get("command").and_then(Value::as_str).unwrap_or_default();
        let command = match name {
            "sagaflow.test" => "test",
            "sagaflow.check" => "check",
            _ => return Err((Wrong::Params, format!("there is no command `{name}`"))),
        };
        let argument = params.pointer("/arguments/0").and_then(Value::as_str);
        let Some(path) =
            argument.and_then(path_of).filter(|path| super::desk::split(path).is_some())
        else {
            return Err((Wrong::Params, "the command needs the name of a file of ours".to_owned()));
        };
        if self.runs.len() >= RUNS_MAX {
            return Err((Wrong::Failed, "two runs are still going on".to_owned()));
        }
        let run = runs::start(command, &path, self.to_self.clone());
        self.runs.push(run.map_err(|why| (Wrong::Failed, why))?);
        Ok(Value::Null)
    }

    fn ran(&mut self, fine: bool, summary: &str, text: &str) -> io::Result<()> {
        self.runs.retain(Run::is_going);
        self.notify("window/logMessage", json!({ "type": 3, "message": text }))?;
        self.say(if fine { 3 } else { 1 }, summary)
    }

    fn say(&mut self, kind: u8, words: &str) -> io::Result<()> {
        self.notify("window/showMessage", json!({ "type": kind, "message": words }))
    }

    /// Checks what changed, and tells what was found.
    fn publish(&mut self) -> io::Result<()> {
        if self.stage != Stage::Open || !self.desk.is_dirty() {
            return Ok(());
        }
        for path in self.desk.check() {
            for params in answers::findings(&mut self.desk, &path, self.units) {
                self.notify("textDocument/publishDiagnostics", params)?;
            }
        }
        Ok(())
    }

    fn answer(&mut self, id: &Value, answer: Answer) -> io::Result<()> {
        self.send(&match answer {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err((code, message)) => {
                let error = json!({ "code": code as i64, "message": message });
                json!({ "jsonrpc": "2.0", "id": id, "error": error })
            }
        })
    }

    fn notify(&mut self, method: &str, params: Value) -> io::Result<()> {
        let mut message = json!({ "jsonrpc": "2.0", "method": method });
        message["params"] = params;
        self.send(&message)
    }

    fn send(&mut self, message: &Value) -> io::Result<()> {
        frames::write(&mut self.out, message)
    }
}
