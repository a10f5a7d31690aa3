//! A pod: a socket that takes methods and tells events, one turn at a time, reports to its parent,
//! pods of its own. One task owns its state; connections and turns send it words.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::Child;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::report::tell;
use super::script::{Deed, deeds as read_deeds};
use super::{Pod, deeds};

/// What a pod's task is told.
enum Word {
    /// A method, and where its refusal goes.
    Method(Value, mpsc::Sender<Value>),
    /// A line that is none.
    Nonsense(mpsc::Sender<Value>),
    /// A turn asks for a pod of its own.
    Spawn(String),
    /// A turn asks that nobody is listened to any more.
    Unlisten,
    /// A turn ends the process, and says nothing.
    Exit(u8),
    /// The turn that runs is over: with these words, where it failed.
    Over(Option<String>),
}

/// How many words may wait.
const WAITING_MAX: usize = 32;

/// How many events a slow listener may be behind.
const BEHIND_MAX: usize = 256;

/// A turn that runs.
struct Turn {
    task: JoinHandle<()>,
    /// Whether somebody asked for it, so that the parent is told of its end.
    asked: bool,
}

struct State {
    pod: Pod,
    words: mpsc::Sender<Word>,
    events: broadcast::Sender<Value>,
    listener: Option<JoinHandle<()>>,
    turn: Option<Turn>,
    turns: u64,
    paused: bool,
    /// What waits to be seen by the next turn.
    notes: Vec<Value>,
    /// Pods of its own, by name.
    children: Vec<(String, Child)>,
}

/// Plays a pod to its end; its exit code.
pub async fn live(pod: Pod) -> u8 {
    if !pod.complain.is_empty() {
        eprintln!("{}", pod.complain);
    }
    if pod.ignore_term {
        deeds::ignore_term();
    }
    if pod.never_bind {
        std::future::pending::<()>().await;
    }
    match listen(&pod.socket) {
        Ok(listener) => run(pod, listener).await,
        Err(error) => {
            eprintln!("{}: {error}", pod.socket.display());
            1
        }
    }
}

fn listen(socket: &Path) -> io::Result<UnixListener> {
    if let Some(directory) = socket.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::remove_file(socket).ok();
    UnixListener::bind(socket)
}

async fn run(pod: Pod, listener: UnixListener) -> u8 {
    let (words, mut heard) = mpsc::channel(WAITING_MAX);
    let (events, _) = broadcast::channel(BEHIND_MAX);
    let server = serve(listener, words.clone(), events.clone(), &pod);
    let mut state = State {
        pod,
        words,
        events,
        listener: Some(tokio::spawn(server)),
        turn: None,
        turns: 0,
        paused: false,
        notes: Vec::new(),
        children: Vec::new(),
    };
    while let Some(word) = heard.recv().await {
        let goes_on = match word {
            Word::Method(method, back) => state.method(&method, &back).await,
            Word::Nonsense(back) => {
                refuse(&back, "invalid_request", "no such method").await;
                true
            }
            Word::Spawn(name) => {
                state.spawn(&name).await;
                true
            }
            Word::Unlisten => {
                state.unlisten();
                true
            }
            Word::Exit(code) => return code,
            Word::Over(failure) => {
                state.over(failure).await;
                true
            }
        };
        if !goes_on {
            break;
        }
    }
    0
}

impl State {
    /// Takes a method; whether the pod lives on.
    async fn method(&mut self, method: &Value, back: &mpsc::Sender<Value>) -> bool {
        let params = &method["params"];
        match method["method"].as_str().unwrap_or_default() {
            "run" if self.turn.is_some() || self.pod.busy => {
                refuse(back, "already_running", "a turn runs").await;
            }
            "run" if self.pod.silent => {}
            "run" => {
                self.tell(json!({"event": "user_message", "data": {"segments": params["input"]}}));
                self.begin(&text_of(&params["input"]), true, "user_send");
            }
            "notify" => {
                let kicks = params["auto_run"].as_bool().unwrap_or(true);
                self.note(params["message"].clone(), kicks, "notify");
            }
            "pod_event" => self.child_said(params).await,
            "resume" if self.turn.is_some() => {
                refuse(back, "already_running", "a turn runs").await;
            }
            "resume" if self.paused => {
                self.paused = false;
                self.begin("", true, "user_send");
            }
            "resume" => refuse(back, "not_paused", "nothing is paused").await,
            "pause" | "cancel" => match self.turn.take() {
                Some(turn) => {
                    turn.task.abort();
                    let pauses = method["method"] == "pause";
                    self.paused = pauses;
                    self.status(if pauses { "paused" } else { "idle" });
                    self.tell(json!({"event": "run_end", "data": {"result": "paused"}}));
                    if !pauses && turn.asked {
                        let name = &self.pod.name;
                        let event =
                            json!({"kind": "errored", "pod_name": name, "message": "cancelled"});
                        tell(&self.pod.callback, event).await;
                    }
                }
                None if self.paused && method["method"] == "pause" => {}
                None => refuse(back, "not_running", "no turn runs").await,
            },
            "shutdown" => {
                if let Some(turn) = self.turn.take() {
                    turn.task.abort();
                }
                self.tell(json!({"event": "shutdown"}));
                let event = json!({"kind": "shut_down", "pod_name": self.pod.name});
                tell(&self.pod.callback, event).await;
                self.unlisten();
                return false;
            }
            _ => refuse(back, "invalid_request", "no such method").await,
        }
        true
    }

    fn tell(&self, event: Value) {
        // Nobody may be there to hear it.
        self.events.send(event).ok();
    }

    fn status(&self, status: &str) {
        self.tell(json!({"event": "status", "data": {"status": status}}));
    }

    fn begin(&mut self, message: &str, asked: bool, kind: &str) {
        self.turns += 1;
        self.paused = false;
        let turn = self.turns;
        self.status("running");
        self.tell(json!({"event": "invoke_start", "data": {"kind": kind}}));
        self.tell(json!({"event": "turn_start", "data": {"turn": turn, "notes": self.notes}}));
        self.notes.clear();
        let (words, events) = (self.words.clone(), self.events.clone());
        let message = message.to_owned();
        let task = tokio::spawn(async move {
            let failure = play(&message, &words, &events).await;
            words.send(Word::Over(failure)).await.ok();
        });
        self.turn = Some(Turn { task, asked });
    }

    async fn over(&mut self, failure: Option<String>) {
        let Some(turn) = self.turn.take() else { return };
        let (name, number) = (&self.pod.name, self.turns);
        self.tell(json!({"event": "turn_end", "data": {"turn": number}}));
        self.tell(json!({"event": "run_end", "data": {"result": "finished"}}));
        self.status("idle");
        // A turn that nobody asked for is no news to the parent.
        if turn.asked {
            let event = match failure {
                None => json!({"kind": "turn_ended", "pod_name": name}),
                Some(why) => json!({"kind": "errored", "pod_name": name, "message": why}),
            };
            tell(&self.pod.callback, event).await;
        }
    }

    fn note(&mut self, note: Value, kicks: bool, kind: &str) {
        self.notes.push(note);
        if kicks && self.turn.is_none() && !self.paused {
            self.begin("", false, kind);
        }
    }

    /// A pod of its own reports.
    async fn child_said(&mut self, event: &Value) {
        match event["kind"].as_str().unwrap_or_default() {
            // For this process alone; the next one up learns it from this one.
            "scope_sub_delegated" => {
                let mut event = event.clone();
                event["parent_pod"] = json!(self.pod.name);
                tell(&self.pod.callback, event).await;
            }
            _ => self.note(event.clone(), true, "pod_event"),
        }
    }

    async fn spawn(&mut self, name: &str) {
        let base = self.pod.socket.parent().and_then(Path::parent).unwrap_or(Path::new("."));
        let socket = base.join(name).join("sock");
        let (own, socket_text) = (self.pod.socket.to_string_lossy(), socket.to_string_lossy());
        let args = ["pod", "--name", name, "--socket", &socket_text, "--callback", &own];
        let mut command = deeds::own(&args);
        command.stdout(Stdio::null()).process_group(0);
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return eprintln!("{name}: {error}"),
        };
        self.children.push((name.to_owned(), child));
        while UnixStream::connect(&socket).await.is_err() {
            let gone = self
                .children
                .last_mut()
                .is_none_or(|(_, child)| child.try_wait().is_ok_and(|status| status.is_some()));
            if gone {
                return eprintln!("{name} ended before it listened");
            }
            sleep(Duration::from_millis(5)).await;
        }
        let target = base.join(name);
        let scope = json!([{"target": target, "permission": "write", "recursive": true}]);
        let event = json!({
            "kind": "scope_sub_delegated", "parent_pod": self.pod.name, "sub_pod": name,
            "sub_socket": socket, "scope": scope,
        });
        tell(&self.pod.callback, event).await;
    }

    fn unlisten(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.abort();
        }
        fs::remove_file(&self.pod.socket).ok();
    }
}

/// Plays a turn; why it failed, where it did.
async fn play(
    message: &str,
    words: &mpsc::Sender<Word>,
    events: &broadcast::Sender<Value>,
) -> Option<String> {
    let asked = match read_deeds(message) {
        Ok(asked) => asked,
        Err(why) => return Some(why),
    };
    for deed in asked {
        match deed {
            Deed::Say(text) | Deed::Plain(text) | Deed::Torn(text) => {
                events.send(json!({"event": "text_delta", "data": {"text": text}})).ok();
            }
            Deed::Exit(code) => {
                words.send(Word::Exit(code)).await.ok();
                std::future::pending::<()>().await;
            }
            Deed::Hang => std::future::pending().await,
            Deed::IgnoreTerm => deeds::ignore_term(),
            Deed::Crash(with) => deeds::crash(with).await,
            Deed::Error(_, text) => return Some(text),
            Deed::Stderr(text) => eprintln!("{text}"),
            Deed::Sleep(span) => sleep(span).await,
            Deed::Await(path) => deeds::wait_for(&path).await,
            Deed::Touch(path) => drop(fs::write(path, "")),
            Deed::Grandchild => drop(deeds::grandchild()),
            Deed::Spawn(name) => drop(words.send(Word::Spawn(name)).await),
            Deed::Unlisten => drop(words.send(Word::Unlisten).await),
            Deed::Flood(lines, bytes) => {
                let pad = "x".repeat(bytes);
                for n in 0..lines {
                    let data = json!({"text": pad, "n": n});
                    events.send(json!({"event": "text_delta", "data": data})).ok();
                    tokio::task::yield_now().await;
                }
            }
            Deed::Session(_) | Deed::RateLimit | Deed::Tell(_) | Deed::Recall => {}
        }
    }
    None
}

/// The text of a run's segments; a kind that is not known is passed over.
fn text_of(input: &Value) -> String {
    let segments = input.as_array().into_iter().flatten();
    let texts = segments.filter(|one| one["kind"] == "text").filter_map(|one| one["text"].as_str());
    texts.collect::<Vec<_>>().join("\n")
}

async fn refuse(back: &mpsc::Sender<Value>, code: &str, message: &str) {
    back.send(json!({"event": "error", "data": {"code": code, "message": message}})).await.ok();
}

/// Takes connections, for ever.
fn serve(
    listener: UnixListener,
    words: mpsc::Sender<Word>,
    events: broadcast::Sender<Value>,
    pod: &Pod,
) -> impl Future<Output = ()> + Send + 'static {
    let (hangs_up, pad) = (pod.hang_up, "x".repeat(pod.snapshot_bytes));
    async move {
        while let Ok((stream, _)) = listener.accept().await {
            let greeting = json!({"event": "snapshot", "data": {
                "entries": [{"pad": pad}], "greeting": "", "status": "idle",
            }});
            let (words, events) = (words.clone(), events.subscribe());
            tokio::spawn(async move {
                // It went away: nobody else minds.
                talk(stream, greeting, hangs_up, words, events).await.ok();
            });
        }
    }
}

async fn talk(
    stream: UnixStream,
    greeting: Value,
    hangs_up: bool,
    words: mpsc::Sender<Word>,
    mut events: broadcast::Receiver<Value>,
) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    write.write_all(b"{\"event\":\"alert\",\"data\":{\"text\":\"be kind\"}}\n").await?;
    write.write_all(format!("{greeting}\n").as_bytes()).await?;
    if hangs_up {
        return Ok(());
    }
    let (back, mut refusals) = mpsc::channel(WAITING_MAX);
    // A task of its own: a line that is half read must not be lost to an event that comes.
    let reader = tokio::spawn(async move {
        let mut lines = BufReader::new(read).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.trim().is_empty() {
                continue;
            }
            let word = match serde_json::from_str::<Value>(&line) {
                Ok(method) if method["method"].is_string() => Word::Method(method, back.clone()),
                Ok(_) | Err(_) => Word::Nonsense(back.clone()),
            };
            if words.send(word).await.is_err() {
                return;
            }
        }
    });
    loop {
        let event = tokio::select! {
            biased;
            Some(refusal) = refusals.recv() => refusal,
            event = events.recv() => match event {
                Ok(event) => event,
                // It was too slow: it may come back and get a snapshot.
                Err(_) => break,
            },
            else => break,
        };
        write.write_all(format!("{event}\n").as_bytes()).await?;
    }
    reader.abort();
    Ok(())
}
