//! The release launcher as a process of its own, with the stage's definitions, seen from outside:
//! what it says, what it uses, and lines on its socket. Knows nothing of what is measured.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sagaflow::launcher::LOG_FILE;

use crate::stage::FILES;

/// How long a line is waited for: whoever waits longer waits for what never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory with definitions, data and a socket.
pub struct House {
    dir: PathBuf,
    _scratch: Option<tempfile::TempDir>,
}

impl House {
    /// In `dir`, which stays, or in a directory that goes with the house.
    pub fn new(dir: Option<&str>) -> House {
        let scratch = dir.is_none().then(|| tempfile::tempdir().expect("the machine has a disk"));
        let kept = dir.map(PathBuf::from);
        let dir = kept.or_else(|| scratch.as_ref().map(|scratch| scratch.path().to_owned()));
        let house = House { dir: dir.expect("it is the one or the other"), _scratch: scratch };
        fs::create_dir_all(house.dir.join("sagas")).expect("the machine has a disk");
        fs::create_dir_all(house.dir.join("data")).expect("the machine has a disk");
        for (name, text) in FILES {
            fs::write(house.dir.join("sagas").join(name), text).expect("the disk has room");
        }
        house
    }

    /// Adds a definition.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.join("sagas").join(name), text).expect("the disk has room");
    }

    /// Where the log is.
    pub fn log(&self) -> PathBuf {
        self.dir.join("data").join(LOG_FILE)
    }

    /// Starts a launcher, and returns when it says that it serves.
    pub fn launch(&self) -> Launcher {
        let socket = self.dir.join("run/s");
        let mut command = Command::new(env!("CARGO_BIN_EXE_sagaflow"));
        command.args(["run", "--sagas", "sagas", "--data", "data", "--socket"]).arg(&socket);
        command.current_dir(&self.dir).env("SAGAFLOW_LOG", "error");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("cargo has built it");
        let said = BufReader::new(child.stderr.take().expect("it is piped"));
        let launcher = Launcher { child, socket };
        let mut lines = said.lines().map_while(Result::ok);
        let serves = lines.any(|line| line.contains("listening on"));
        assert!(serves, "the launcher does not start");
        // A pipe that nobody reads would make it wait.
        std::thread::spawn(move || lines.for_each(|line| eprintln!("{line}")));
        launcher
    }
}

/// What a process has used.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Time on a processor, of all threads that live.
    pub cpu: Duration,
    /// Memory that it holds, in kB.
    pub held: u64,
    /// The most that it ever held, in kB.
    pub peak: u64,
}

/// A launcher's process. It ends with this value, as in a power cut, unless it was stopped.
pub struct Launcher {
    child: Child,
    socket: PathBuf,
}

impl Launcher {
    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        let place = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(place.join("status")).unwrap_or_default();
        let kb = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
        };
        Usage { cpu: cpu(&place), held: kb("VmRSS:"), peak: kb("VmHWM:") }
    }

    /// A connection that has registered, and hears what it subscribed to.
    ///
    /// # Errors
    /// It could not connect, or was refused.
    pub fn register(&self, pid: u64, kind: &str, subscribe: &str) -> io::Result<Peer> {
        let write = UnixStream::connect(&self.socket)?;
        write.set_read_timeout(Some(PATIENCE))?;
        write.set_write_timeout(Some(PATIENCE))?;
        let read = BufReader::with_capacity(256 * 1024, write.try_clone()?);
        let mut peer = Peer { read, write: Sender(write), line: String::new() };
        peer.send(&format!(
            r#"{{"cmd":"register","kind":"{kind}","name":"{kind}-{pid}","pid":{pid},"version":"1","subscribe":{subscribe}}}"#
        ))?;
        while !peer.next()?.starts_with(r#"{"event":"registered""#) {}
        Ok(peer)
    }

    /// Stops it cleanly; then the log is one file.
    ///
    /// # Errors
    /// It did not stop well.
    pub fn stop(mut self) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).map_err(io::Error::other)?;
        kill(Pid::from_raw(pid), Signal::SIGTERM)?;
        let ended = self.child.wait()?;
        if ended.success() { Ok(()) } else { Err(io::Error::other(ended.to_string())) }
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn cpu(process: &Path) -> Duration {
    let threads = fs::read_dir(process.join("task")).into_iter().flatten().flatten();
    let used = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(used.sum())
}

/// A client that knows nothing but lines.
pub struct Peer {
    read: BufReader<UnixStream>,
    write: Sender,
    line: String,
}

impl Peer {
    /// Sends a line.
    ///
    /// # Errors
    /// The launcher has gone or does not read.
    pub fn send(&mut self, line: &str) -> io::Result<()> {
        self.write.send(line)
    }

    /// Its other half, for a thread that only sends.
    ///
    /// # Errors
    /// The system gives no descriptor.
    pub fn sender(&self) -> io::Result<Sender> {
        Ok(Sender(self.write.0.try_clone()?))
    }

    /// The next line.
    ///
    /// # Errors
    /// None comes any more, or it says that something was refused.
    pub fn next(&mut self) -> io::Result<&str> {
        self.line.clear();
        if self.read.read_line(&mut self.line)? == 0 {
            return Err(io::Error::other("the launcher closed the connection"));
        }
        let line = self.line.trim_end();
        if line.starts_with(r#"{"event":"error""#) {
            return Err(io::Error::other(line.to_owned()));
        }
        Ok(line)
    }

    /// Whether another line, or a part of one, is here already.
    pub fn has_more(&self) -> bool {
        !self.read.buffer().is_empty()
    }
}

/// The half of a client that sends.
pub struct Sender(UnixStream);

impl Sender {
    /// Sends a line, or several with `\n` between them.
    ///
    /// # Errors
    /// The launcher has gone or does not read.
    pub fn send(&mut self, lines: &str) -> io::Result<()> {
        self.0.write_all(lines.as_bytes())?;
        self.0.write_all(b"\n")
    }
}

/// A number in a line, as the launcher writes them: no blanks.
pub fn number(line: &str, name: &str) -> Option<u64> {
    let at = line.rfind(&format!(r#""{name}":"#))?;
    let digits = &line[at + name.len() + 3..];
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}
