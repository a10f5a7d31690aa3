//! An editor, for language servers to be tested against: frames on two streams, questions, answers
//! and what is told in between. Asserts nothing but that the server answers.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// How long an answer may take before a test gives up on the server.
const PATIENCE: Duration = Duration::from_secs(120);

/// One editor with its server.
pub struct Editor {
    child: Child,
    stdin: Option<ChildStdin>,
    heard: Receiver<Value>,
    notes: VecDeque<Value>,
    next: u64,
}

impl Editor {
    /// Starts a server.
    pub fn start(mut command: Command) -> Editor {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the server runs");
        let stdin = child.stdin.take();
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        let (to, heard) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut out) {
                if to.send(message).is_err() {
                    return;
                }
            }
        });
        Editor { child, stdin, heard, notes: VecDeque::new(), next: 0 }
    }

    /// Sends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("it is still open");
        stdin.write_all(bytes).expect("the server reads");
        stdin.flush().expect("the server reads");
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        self.raw(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
    }

    /// Tells the server something.
    pub fn tell(&mut self, method: &str, params: Value) {
        let mut message = json!({ "jsonrpc": "2.0", "method": method });
        message["params"] = params;
        self.send(&message);
    }

    /// Asks the server something, and gives its whole answer.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut message = json!({ "jsonrpc": "2.0", "id": id, "method": method });
        message["params"] = params;
        self.send(&message);
        loop {
            let message = self.hear();
            if message.get("method").is_none() {
                assert_eq!(message["id"], id, "answers come in order: {message}");
                return message;
            }
            self.notes.push_back(message);
        }
    }

    /// The next message. What the server asks is answered with nothing: an editor without settings.
    pub fn hear(&mut self) -> Value {
        loop {
            let message = self.heard.recv_timeout(PATIENCE).expect("the server answers");
            let Some(id) = message.get("id").filter(|_| message.get("method").is_some()) else {
                return message;
            };
            let items = message.pointer("/params/items").and_then(Value::as_array);
            let nothing: Value =
                items.map_or(Value::Null, |all| vec![Value::Null; all.len()].into());
            self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": nothing }));
        }
    }

    /// The next word of that kind.
    pub fn note(&mut self, method: &str) -> Value {
        loop {
            let next = self.notes.pop_front();
            let message = next.unwrap_or_else(|| self.hear());
            if message["method"] == method {
                return message["params"].clone();
            }
        }
    }

    /// Hangs up, waits for the server's end, and gives its exit code.
    pub fn left(mut self) -> i32 {
        drop(self.stdin.take());
        self.child.wait().expect("it ends").code().expect("by itself")
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The words of a finding, which may be Markdown.
pub fn message(finding: &Value) -> &str {
    let message = &finding["message"];
    message.as_str().or_else(|| message["value"].as_str()).unwrap_or_default()
}

fn read(from: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some(number) = line.strip_prefix("Content-Length: ") {
            length = number.trim().parse().ok()?;
        }
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}
