//! Launchers whose stderr nobody reads \[R7, L8\].

use std::io::{ErrorKind, PipeReader, Write as _};
use std::process::Child;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::{FOR_EVER, House, Peer, lamps};

/// A launcher that cannot say a word: its stderr is a pipe that is full and stays so.
struct Mute {
    child: Child,
    /// As long as it is open the pipe is not broken, only full.
    _unread: PipeReader,
}

impl Mute {
    /// Starts it; returns when it takes connections, for it cannot say so.
    fn start(house: &House) -> Mute {
        let (unread, mut full) = std::io::pipe().expect("a pipe");
        fcntl(&full, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("it can be set");
        let stuffed = loop {
            if let Err(error) = full.write(&[b'.'; 1]) {
                break error;
            }
        };
        assert_eq!(stuffed.kind(), ErrorKind::WouldBlock);
        fcntl(&full, FcntlArg::F_SETFL(OFlag::empty())).expect("it can be set");
        let mut command = house.run();
        command.env("SAGAFLOW_LOG", "trace").stderr(full);
        let child = command.spawn().expect("the binary runs");
        while Peer::try_connect(&house.socket()).is_none() {
            std::thread::yield_now();
        }
        Mute { child, _unread: unread }
    }

    /// Its exit code; fails where it does not end.
    fn end(&mut self) -> Option<i32> {
        let (sender, ended) = channel();
        let pid = pid(&self.child);
        std::thread::spawn(move || {
            // A watchdog: a test that would hang fails.
            if ended.recv_timeout(FOR_EVER) == Err(RecvTimeoutError::Timeout) {
                kill(pid, Signal::SIGKILL).ok();
            }
        });
        let status = self.child.wait().expect("it is ours");
        drop::<Sender<()>>(sender);
        status.code()
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id"))
}

#[test]
fn r7_l8_a_launcher_that_nobody_listens_to_runs_its_sagas_and_stops() {
    let house = lamps::house();
    let mut mute = Mute::start(&house);
    let mut lamp = house.register("lamp");
    let id = json!(lamps::start(&mut house.register("tool"), "notes", 1));
    let note = lamp.until_of(&id, "note");
    lamp.echo(&note, "noted", json!({"n": 1}));
    lamp.until("saga_completed");
    kill(pid(&mute.child), Signal::SIGTERM).expect("it is ours");
    assert_eq!(mute.end(), Some(0));
}

#[test]
fn r2_a_launcher_that_nobody_listens_to_ends_when_its_log_fails() {
    let house = lamps::house();
    let mut mute = Mute::start(&house);
    let mut tool = house.register("tool");
    std::fs::remove_file(house.log_path()).expect("it is there");
    assert!(tool.say(&json!({"cmd": "report", "event": "pressed", "n": 1})));
    tool.rest();
    assert_eq!(mute.end(), Some(5));
}
