//! A pod that is played by this very test binary, as a process of its own: it listens, speaks the
//! wire, reports to who spawned it, and ends when its test is over. It hosts no agent.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::FOR_EVER;

/// What tells this binary to be a pod: its name, its socket and where it reports to, with blanks
/// between; absent: the test below has nothing to do.
const PLAY: &str = "SAGAFLOW_STAND_IN";
/// How it behaves: `listens`, `deaf` or `dies`.
const HOW: &str = "SAGAFLOW_STAND_IN_HOW";

/// The command that starts one that behaves so.
pub fn argv(how: &str) -> Value {
    let own = std::env::current_exe().expect("the system knows it");
    let play = format!("{PLAY}={{name}} {{socket}} {{callback}}");
    let how = format!("{HOW}={how}");
    let test = "pods::stand_in::a_stand_in_plays_when_it_is_told_to";
    json!(["/usr/bin/env", play, how, own, test, "--exact", "--nocapture", "--test-threads=1"])
}

#[test]
fn a_stand_in_plays_when_it_is_told_to() {
    let Ok(told) = std::env::var(PLAY) else { return };
    let mut told = told.split(' ').map(str::to_owned);
    let mut next = || told.next().unwrap_or_default();
    let pod = Pod { name: next(), socket: next().into(), callback: next() };
    match std::env::var(HOW).as_deref() {
        Ok("dies") => {
            eprintln!("first line\n{} has no luck", pod.name);
            leave(3)
        }
        Ok("deaf") => pod.leave_when_over(),
        Ok(_) | Err(_) => pod.listen(),
    }
}

#[derive(Clone)]
struct Pod {
    name: String,
    socket: PathBuf,
    callback: String,
}

impl Pod {
    fn listen(self) {
        let listener = UnixListener::bind(&self.socket).expect("the place is free");
        let own = self.clone();
        std::thread::spawn(move || own.leave_when_over());
        for stream in listener.incoming().map_while(Result::ok) {
            let own = self.clone();
            std::thread::spawn(move || own.talk(stream));
        }
    }

    /// A pod outlives its launcher; its test's directory it does not.
    fn leave_when_over(&self) {
        let home = self.socket.parent().expect("it lies in a directory");
        while home.exists() {
            std::thread::park_timeout(Duration::from_millis(50));
        }
        leave(0)
    }

    fn talk(&self, mut stream: UnixStream) -> Option<()> {
        writeln!(stream, r#"{{"event":"snapshot","data":{{"status":"idle"}}}}"#).ok()?;
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
        while let Some(Ok(line)) = lines.next() {
            let line: Value = serde_json::from_str(&line).expect("a launcher writes JSON");
            match line["method"].as_str() {
                Some("run") => {
                    self.run(line["params"]["input"][0]["text"].as_str()?, &mut stream)?;
                }
                Some("shutdown") => {
                    self.report(&json!({"kind": "shut_down", "pod_name": self.name}));
                    leave(0)
                }
                _ => writeln!(stream, r#"{{"event":"error","data":{{"code":"invalid_request"}}}}"#)
                    .ok()?,
            }
        }
        Some(())
    }

    /// What a message makes it do is its first word.
    fn run(&self, text: &str, stream: &mut UnixStream) -> Option<()> {
        let mut words = text.split(' ');
        let first = words.next();
        if first == Some("busy") {
            let busy = json!({"code": "already_running", "message": "a run was delivered"});
            return writeln!(stream, "{}", json!({"event": "error", "data": busy})).ok();
        }
        writeln!(stream, r#"{{"event":"user_message","data":{{"segments":[]}}}}"#).ok()?;
        match first {
            Some("crash") => leave(9),
            Some("spawned") => {
                let (sub, socket) = (words.next()?, words.next()?);
                let scope: Value = serde_json::from_str(words.next()?).expect("rules");
                self.report(&json!({
                    "kind": "scope_sub_delegated", "parent_pod": self.name, "sub_pod": sub,
                    "sub_socket": socket, "scope": scope,
                }));
            }
            _ => self.report(&json!({"kind": "turn_ended", "pod_name": self.name})),
        }
        Some(())
    }

    fn report(&self, event: &Value) {
        drop(tell(Path::new(&self.callback), event));
    }
}

#[expect(clippy::disallowed_methods, reason = "the process is a pod's, and this is how it ends")]
fn leave(code: i32) -> ! {
    std::process::exit(code)
}

/// Reports to the socket of a launcher as pods do, and returns what is answered, if anything is.
pub fn tell(socket: &Path, event: &Value) -> Option<Value> {
    say(socket, &json!({"method": "pod_event", "params": event}).to_string())
}

/// The same with any line.
pub fn say(socket: &Path, line: &str) -> Option<Value> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(FOR_EVER)).ok()?;
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let first = lines.next()?.ok()?;
    assert!(first.contains("snapshot"), "{first}");
    writeln!(stream, "{line}").ok()?;
    stream.shutdown(std::net::Shutdown::Write).ok()?;
    let answer = lines.next()?.ok()?;
    Some(serde_json::from_str(&answer).expect("JSON"))
}
