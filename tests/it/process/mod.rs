//! Launchers as processes of their own, and clients that know nothing but lines: what people and
//! hosts meet. Time is never asserted; every wait is for a line, and the limits on them only turn
//! a test that would hang into one that fails.

mod builtin;
mod callers;
mod crash;
mod disk;
mod hidden;
mod lamps;
mod observe;
mod pipes;
mod place;
mod replays;
mod schedules;
mod starts;
mod stops;
mod stuck;
mod versions;

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use sagaflow::launcher::LOG_FILE;
use sagaflow::log::LogReader;

use crate::cli::{OF_BUILT_IN, package, sagaflow};

/// Longer than anything takes: a test that would hang fails instead.
pub const FOR_EVER: Duration = Duration::from_secs(60);

/// A directory with definitions, a data directory and a place for the socket.
pub struct House {
    pub dir: tempfile::TempDir,
    /// What launchers are told beside the places.
    pub args: Vec<String>,
}

impl House {
    /// With the shipped definitions. Their seconds become minutes, so that a slow machine is no
    /// cause of failure; nothing else of them changes.
    pub fn shipped() -> House {
        House::shipped_but(|saga| !OF_BUILT_IN.contains(&saga))
    }

    /// With the shipped catalogs and those of the shipped sagas: fewer are sooner checked.
    pub fn shipped_but(wanted: impl Fn(&str) -> bool) -> House {
        let house = House::with(&[]);
        for entry in std::fs::read_dir(package().join("sagas")).expect("it is shipped") {
            let path = entry.expect("it can be listed").path();
            let name = path.file_name().expect("a file").to_str().expect("UTF-8");
            let saga = name.strip_suffix(".saga.yaml").is_some_and(&wanted);
            if saga || name.ends_with(".catalog.yaml") {
                let text = std::fs::read_to_string(&path).expect("UTF-8");
                house.write(&format!("sagas/{name}"), &patient(&text));
            }
        }
        house
    }

    /// With these files; definitions lie in `sagas/`.
    pub fn with(files: &[(&str, &str)]) -> House {
        let dir = tempfile::tempdir().expect("a scratch directory");
        let house = House { dir, args: Vec::new() };
        std::fs::create_dir(house.at("sagas")).expect("room on the disk");
        for (name, text) in files {
            house.write(name, text);
        }
        house
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        std::fs::create_dir_all(path.parent().expect("it lies in the house")).expect("room");
        std::fs::write(path, text).expect("room on the disk");
    }

    pub fn socket(&self) -> PathBuf {
        self.at("run/s")
    }

    pub fn log_path(&self) -> PathBuf {
        self.at("data").join(LOG_FILE)
    }

    /// A reader of the log, whether a launcher runs or not.
    pub fn log(&self) -> LogReader {
        LogReader::open(&self.log_path()).expect("a launcher made it")
    }

    /// `sagaflow run` in this house.
    pub fn run(&self) -> Command {
        let mut command = sagaflow(self.dir.path(), &["run", "--sagas", "sagas"]);
        command.args(["--data", "data"]).args(&self.args);
        if !self.args.iter().any(|arg| arg == "--socket") {
            command.arg("--socket").arg(self.socket());
        }
        command.env("SAGAFLOW_LOG", "warn").stdout(Stdio::null()).stderr(Stdio::piped());
        command.stdin(Stdio::null());
        command
    }

    /// Starts a launcher and returns when it serves.
    pub fn launch(&self) -> Launcher {
        let mut launcher = Launcher::start(self.run());
        assert!(launcher.serves(), "the launcher ended: {}", launcher.said());
        launcher
    }

    /// Starts a launcher as `nohup` does.
    pub fn launch_without_hangups(&self) -> Launcher {
        let run = self.run();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", r#"trap "" HUP; exec "$0" "$@""#]).arg(run.get_program());
        shell
            .args(run.get_args())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        shell.current_dir(run.get_current_dir().expect("it is the house's"));
        for (name, value) in run.get_envs() {
            value.map(|value| shell.env(name, value));
        }
        let mut launcher = Launcher::start(shell);
        assert!(launcher.serves(), "the launcher ended: {}", launcher.said());
        launcher
    }

    /// Starts a launcher that dies by SIGKILL right after so many commits; `None`: before it
    /// served.
    pub fn launch_to_crash(&self, commits: u64) -> Option<Launcher> {
        let mut command = self.run();
        command.env("SAGAFLOW_CRASH_AFTER_COMMITS", commits.to_string());
        let mut launcher = Launcher::start(command);
        launcher.serves().then_some(launcher)
    }

    /// A client that is not registered.
    pub fn peer(&self) -> Peer {
        Peer::connect(&self.socket())
    }

    /// A client that is, and what it was answered.
    pub fn register(&self, kind: &str) -> Peer {
        let mut peer = self.peer();
        peer.register(kind, json!({}));
        peer
    }
}

/// The same definition with minutes for seconds.
fn patient(text: &str) -> String {
    let line = |line: &str| {
        let timed = line.contains("timeout: ") && line.contains("s");
        let mut out = String::new();
        let mut rest = line;
        while let (true, Some(at)) = (timed, rest.find("timeout: ")) {
            let (head, tail) = rest.split_at(at + "timeout: ".len());
            let digits = tail.chars().take_while(char::is_ascii_digit).count();
            out.push_str(head);
            out.push_str(&tail[..digits]);
            rest = &tail[digits..];
            if let Some(after) = rest.strip_prefix('s') {
                out.push('m');
                rest = after;
            }
        }
        out + rest
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

/// A launcher's process. It ends with the test, whatever becomes of it.
pub struct Launcher {
    child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
}

impl Launcher {
    pub fn start(mut command: Command) -> Launcher {
        let mut child = command.spawn().expect("the binary runs");
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let (sender, lines) = channel();
        // A pipe that nobody reads would make the launcher wait.
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Launcher { child, lines, heard: Vec::new() }
    }

    /// Waits until it says that it serves; false: it ended before.
    pub fn serves(&mut self) -> bool {
        self.says("listening on")
    }

    /// Waits until it says that word; false: it ended before.
    pub fn says(&mut self, word: &str) -> bool {
        while let Ok(line) = self.lines.recv_timeout(FOR_EVER) {
            self.heard.push(line);
            if self.heard.last().is_some_and(|line| line.contains(word)) {
                return true;
            }
        }
        false
    }

    /// Everything that it said to its end.
    pub fn said(&mut self) -> String {
        while let Ok(line) = self.lines.recv_timeout(FOR_EVER) {
            self.heard.push(line);
        }
        self.heard.join("\n")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).expect("a process id");
        kill(Pid::from_raw(pid), signal).expect("it was not waited for yet");
    }

    /// Waits for its end; its exit code, or `None` when a signal ended it.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("it is ours").code()
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        self.wait();
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

static NEXT_PID: AtomicU64 = AtomicU64::new(10_000);

/// A client that knows nothing but lines.
pub struct Peer {
    read: BufReader<UnixStream>,
    pub pid: u64,
    /// Lines that were passed over.
    passed: VecDeque<Value>,
}

impl Peer {
    pub fn connect(socket: &Path) -> Peer {
        Peer::try_connect(socket).expect("a launcher listens")
    }

    pub fn try_connect(socket: &Path) -> Option<Peer> {
        let stream = UnixStream::connect(socket).ok()?;
        stream.set_read_timeout(Some(FOR_EVER)).expect("it is not zero");
        stream.set_write_timeout(Some(FOR_EVER)).expect("it is not zero");
        let pid = NEXT_PID.fetch_add(1, Ordering::Relaxed);
        Some(Peer { read: BufReader::new(stream), pid, passed: VecDeque::new() })
    }

    /// Sends bytes as they are; false: the launcher is gone.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.read.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    /// Sends a line; false: the launcher is gone.
    pub fn say(&mut self, line: &Value) -> bool {
        self.send(format!("{line}\n"))
    }

    /// Sends no more, and still reads.
    pub fn shut(&mut self) {
        drop(self.read.get_mut().shutdown(std::net::Shutdown::Write));
    }

    /// The next line as it came, without its end; `None`: the launcher closed.
    pub fn raw(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.read.read_until(b'\n', &mut line) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("nothing came; before it: {:#?}", self.passed)
            }
            // A reset says the same as an end: nothing more comes.
            Err(_) => return None,
        }
        let whole = line.strip_suffix(b"\n")?;
        Some(String::from_utf8(whole.to_vec()).expect("the launcher writes UTF-8"))
    }

    /// The next line; `None`: the launcher closed.
    pub fn try_line(&mut self) -> Option<Value> {
        let line = self.raw()?;
        Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
    }

    pub fn line(&mut self) -> Value {
        let line = self.try_line();
        line.unwrap_or_else(|| panic!("the launcher closed after {:#?}", self.passed))
    }

    /// The next line that is an event or a command of that name, the ones included that were passed
    /// over before; what comes before it is passed over.
    pub fn until(&mut self, name: &str) -> Value {
        let is_it = |line: &Value| line["event"] == name || line["cmd"] == name;
        if let Some(line) = self.passed.iter().position(is_it).and_then(|at| self.passed.remove(at))
        {
            return line;
        }
        loop {
            let line = self.line();
            if is_it(&line) {
                return line;
            }
            self.passed.push_back(line);
        }
    }

    /// The next line of that name that is about this saga.
    pub fn until_of(&mut self, saga: &Value, name: &str) -> Value {
        loop {
            let line = self.until(name);
            if line["saga_id"] == *saga {
                return line;
            }
        }
    }

    /// All lines up to one of that name, which is the last.
    pub fn upto(&mut self, name: &str) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            lines.push(self.line());
            if lines.last().is_some_and(|line| line["event"] == name || line["cmd"] == name) {
                return lines;
            }
        }
    }

    /// Everything to the launcher's closing.
    pub fn rest(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.try_line()).collect()
    }

    /// Registers, with these fields beside kind, name and pid.
    pub fn register(&mut self, kind: &str, more: Value) -> Value {
        self.say_register(kind, more);
        self.until("registered")
    }

    pub fn say_register(&mut self, kind: &str, more: Value) {
        let mut line = json!({
            "cmd": "register", "kind": kind, "name": kind, "pid": self.pid, "version": "1"
        });
        let fields = line.as_object_mut().expect("it is one");
        if let Value::Object(more) = more {
            fields.extend(more);
        }
        assert!(self.say(&line), "the launcher is gone");
    }

    /// Sends a line with an id and returns its answer, an `error` included.
    pub fn ask(&mut self, line: &Value) -> Value {
        assert!(self.say(line), "the launcher is gone");
        loop {
            let answer = self.line();
            if answer["id"] == line["id"] {
                return answer;
            }
            self.passed.push_back(answer);
        }
    }

    /// Answers a command by an event.
    pub fn echo(&mut self, command: &Value, event: &str, fields: Value) -> bool {
        let mut line = json!({
            "cmd": "report", "event": event, "saga_id": command["saga_id"], "step": command["step"]
        });
        let all = line.as_object_mut().expect("it is one");
        if let Value::Object(fields) = fields {
            all.extend(fields);
        }
        self.say(&line)
    }

    /// Proves that all that was sent before is done, and returns what came meanwhile.
    pub fn settle(&mut self) -> Vec<Value> {
        assert!(self.say(&json!({"cmd": "ping", "id": "settle", "nonce": 0})));
        let mut lines = self.upto("pong");
        lines.pop();
        lines
    }
}

/// Names of lines, in order: events, and commands as `> name`.
pub fn names(lines: &[Value]) -> Vec<String> {
    let name = |line: &Value| match line["event"].as_str() {
        Some(event) => event.to_owned(),
        None => format!("> {}", line["cmd"].as_str().unwrap_or("?")),
    };
    lines.iter().map(name).collect()
}
