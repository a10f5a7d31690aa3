//! Supervised services with real processes: order, readiness, restarts, ends, and exactly one pair
//! of facts for each. The launcher is a process too; `/proc` and the bus are the judges.

mod ends;
mod hosts;
mod order;
mod restarts;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use sagaflow::targets::process::ProcessId;

use crate::process::{FOR_EVER, House, Peer};

/// A house with this configuration, and no definitions but these.
pub fn house(config: &str, files: &[(&str, &str)]) -> House {
    let mut house = House::with(files);
    let binary = env!("CARGO_BIN_EXE_sagaflow");
    house.write("launcher.yaml", &config.replace("BINARY", binary));
    house.args = vec!["--config".into(), "launcher.yaml".into()];
    house
}

/// A client that hears of processes from the beginning of the log.
pub fn watcher(house: &House) -> Peer {
    let mut peer = house.peer();
    let heard = json!({"subscribe": ["process_*", "lifecycle_*"], "resume_from": 0});
    peer.register("tool", heard);
    peer
}

/// The next fact of that name about that service.
pub fn next(peer: &mut Peer, event: &str, name: &str) -> Value {
    loop {
        let line = peer.until(event);
        if line["name"] == name {
            return line;
        }
    }
}

/// Every fact about services that the log holds, in order: name, pid, what.
pub fn facts(house: &House) -> Vec<(String, u64, Value)> {
    let launcher = house.launch_bare();
    let mut peer = watcher(house);
    let lines = peer.settle();
    drop(launcher);
    let of = |line: Value| {
        let name = line["name"].as_str()?.to_owned();
        Some((name, line["pid"].as_u64()?, line))
    };
    lines.into_iter().filter_map(of).collect()
}

/// For each process exactly one pair, in order.
pub fn check_pairs(facts: &[(String, u64, Value)]) {
    let mut pairs: BTreeMap<(&str, u64), Vec<&str>> = BTreeMap::new();
    for (name, pid, line) in facts {
        let event = line["event"].as_str().expect("a name");
        pairs.entry((name, *pid)).or_default().push(event);
    }
    assert!(!pairs.is_empty());
    for (process, events) in pairs {
        assert_eq!(events, ["process_spawned", "process_exited"], "{process:?}");
    }
}

impl House {
    /// A launcher that starts nothing.
    fn launch_bare(&self) -> crate::process::Launcher {
        let mut command = self.run();
        let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let kept = args.iter().filter(|arg| *arg != "--config" && *arg != "launcher.yaml");
        let mut bare = crate::cli::sagaflow(self.dir.path(), &[]);
        bare.args(kept).env("SAGAFLOW_LOG", "warn");
        bare.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
        bare.stdin(std::process::Stdio::null());
        std::mem::swap(&mut command, &mut bare);
        let mut launcher = crate::process::Launcher::start(command);
        assert!(launcher.serves(), "the launcher ended: {}", launcher.said());
        launcher
    }
}

/// Waits for a fact.
pub fn until(what: &str, mut fact: impl FnMut() -> bool) {
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let looks = FOR_EVER.as_millis() / 10;
    for _ in 0..looks {
        if fact() {
            return;
        }
        never.recv_timeout(std::time::Duration::from_millis(10)).ok();
    }
    panic!("still not so: {what}");
}

/// The lines of a file that processes write.
pub fn lines(house: &House, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(house.at(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Whether a process of that number runs.
pub fn runs(pid: &str) -> bool {
    ProcessId::of(pid.trim().parse().expect("a process id")).is_some()
}
