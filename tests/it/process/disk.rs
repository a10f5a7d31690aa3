//! Disks that are full and files that can grow no more, under a real launcher \[L7, R2\].

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use nix::unistd::Uid;
use serde_json::{Value, json};

use sagaflow::ids::Seq;
use sagaflow::launcher::LOG_FILE;
use sagaflow::log::{LogRead, LogReader};
use sagaflow::saga::record::Record;

use super::{House, Launcher, Peer};

/// The same launcher, started by a shell that first does this.
fn after(house: &House, shell: &[&str], script: &str) -> Command {
    let run = house.run();
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).args(["sh", "-c", &format!("{script} && exec \"$0\" \"$@\"")]);
    command.arg(run.get_program()).args(run.get_args());
    command.current_dir(house.dir.path()).env("SAGAFLOW_LOG", "warn");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// A launcher whose data lies on a small disk of its own that is nearly full already.
struct Small {
    launcher: Launcher,
    data: PathBuf,
    /// The log's files, held open: they outlive the disk, which ends with the launcher.
    files: [(String, File); 2],
}

impl Small {
    /// `None`: this system lets nobody have a disk of their own.
    fn start(house: &House) -> Option<Small> {
        let script = "mount -t tmpfs -o size=4m none data && head -c 3584k /dev/zero > data/filler";
        fs::create_dir(house.at("data")).expect("room");
        let private = ["unshare", "--mount"];
        let probe = ["--mount", "mount", "-t", "tmpfs", "none", "data"];
        let can = Command::new("unshare").args(probe).current_dir(house.dir.path()).output();
        if !Uid::effective().is_root() || !can.is_ok_and(|did| did.status.success()) {
            eprintln!("skipped: nobody here may mount a small disk");
            return None;
        }
        let mut launcher = Launcher::start(after(house, &private, script));
        assert!(launcher.serves(), "{}", launcher.said());
        let root = PathBuf::from(format!("/proc/{}/root", launcher.pid()));
        let data = root.join(house.at("data").strip_prefix("/").expect("it is absolute"));
        let files = [LOG_FILE.to_owned(), format!("{LOG_FILE}-wal")];
        let open = |name: String| (name.clone(), File::open(data.join(name)).expect("it is there"));
        let files = files.map(open);
        Some(Small { launcher, data, files })
    }

    /// A reader of the log as it is now, or was when the launcher ended.
    fn log(&mut self, house: &House) -> LogReader {
        for (name, file) in &mut self.files {
            let mut bytes = Vec::new();
            file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("it can be read");
            fs::create_dir_all(house.at("kept")).expect("room");
            fs::write(house.at("kept").join(name), bytes).expect("room");
        }
        LogReader::open(&house.at("kept").join(LOG_FILE)).expect("it is a log")
    }

    fn make_room(&self) {
        fs::remove_file(self.data.join("filler")).expect("it is there");
    }
}

/// A report of sixteen kilobytes.
fn large(id: &str) -> Value {
    json!({"cmd": "report", "id": id, "event": "pool_window_removed", "label": "x".repeat(16_384)})
}

/// Sends many large reports and waits until the launcher says that the disk is full.
fn fill(small: &mut Small, peer: &mut Peer) {
    for number in 0..48 {
        assert!(peer.say(&large(&format!("fill-{number}"))));
    }
    assert!(small.launcher.says("the disk is full"), "{}", small.launcher.said());
}

/// Report ids that the log holds, with the versions of their events.
fn recorded(log: &LogReader) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    log.rows_since(Seq(0), &mut |row| {
        let row = row.expect("the log is sound");
        let records: Vec<Record> = row.records().expect("a row holds records");
        for (seq, record) in (row.seq.0..).zip(records) {
            if let Record::Event(event) = record
                && let Some(dedup) = event.dedup
            {
                let again = found.insert(dedup.id.to_string(), seq);
                assert_eq!(again, None, "recorded twice");
            }
        }
        ControlFlow::Continue(())
    })
    .expect("the log can be read");
    found
}

#[test]
fn l7_w6_on_a_full_disk_new_work_is_busy_and_nothing_is_lost_when_there_is_room_again() {
    let house = House::shipped_but(|saga| saga == "window_cleanup_cascade");
    let Some(mut small) = Small::start(&house) else { return };
    let mut host = house.register("host");
    host.say(&json!({"cmd": "report", "event": "window_closed", "label": "main"}));
    let reap = host.until("reap_panes");
    let mut writer = house.peer();
    writer.register("tool", json!({"subscribe": []}));
    let mut other = house.peer();
    other.register("renderer", json!({"subscribe": []}));
    fill(&mut small, &mut writer);

    let busy = other.ask(&large("other"));
    assert_eq!((&busy["code"], &busy["fatal"]), (&json!("busy"), &json!(false)), "{busy}");
    let start = json!({"cmd": "start_saga", "id": "s", "saga": "window_cleanup_cascade"});
    assert_eq!(other.ask(&start)["code"], "busy");
    host.echo(&reap, "panes_reaped", json!({"label": "main"}));

    small.make_room();
    let drain = host.until("drain_pool_if_last");
    host.echo(&drain, "pool_not_last", json!({"label": "main"}));
    host.until("saga_completed");
    assert_eq!(other.ask(&large("other"))["event"], "accepted", "the same id, sent again");
    let mut answers = BTreeMap::new();
    for answer in writer.settle() {
        let id = answer["id"].as_str().expect("each report has one").to_owned();
        answers.insert(json!(id).to_string(), answer);
    }
    assert_eq!(answers.len(), 48, "every report was answered");
    let recorded = recorded(&small.log(&house));
    for (id, answer) in &answers {
        match answer["event"].as_str() {
            Some("accepted") => assert_eq!(answer["version"], recorded[id], "{id}"),
            _ => {
                assert_eq!(answer["code"], "busy");
                assert!(!recorded.contains_key(id), "{id} was refused and recorded");
            }
        }
    }
    small.launcher.signal(Signal::SIGTERM);
    assert_eq!(small.launcher.wait(), Some(0));
}

#[test]
fn l7_r2_a_disk_that_stays_full_ends_the_launcher_with_5_and_tells_nothing_of_what_it_lacks() {
    let mut house = House::shipped_but(|saga| saga == "window_cleanup_cascade");
    house.write("launcher.yaml", "disk_retry: 1s\n");
    house.args = ["--config", "launcher.yaml"].map(str::to_owned).to_vec();
    let Some(mut small) = Small::start(&house) else { return };
    let mut writer = house.peer();
    writer.register("tool", json!({"subscribe": ["pool_*"]}));
    fill(&mut small, &mut writer);
    let told = writer.rest();
    let exit = small.launcher.wait();
    assert_eq!(exit, Some(5), "{}", small.launcher.said());
    check_told(&told, &recorded(&small.log(&house)));
}

/// Everything that a client was told is in the log.
fn check_told(told: &[Value], recorded: &BTreeMap<String, u64>) {
    let versions: Vec<u64> = recorded.values().copied().collect();
    for line in told {
        match line["event"].as_str() {
            Some("accepted") => {
                assert_eq!(line["version"], recorded[&line["id"].to_string()], "{line}");
            }
            Some("pool_window_removed") => {
                assert!(versions.contains(&line["version"].as_u64().expect("a number")), "{line}");
            }
            Some("error") => {
                assert_eq!(line["code"], "busy");
                assert!(!recorded.contains_key(&line["id"].to_string()), "refused and recorded");
            }
            _ => panic!("{line}"),
        }
    }
}

/// A commit that fails for another reason is never tried again.
#[test]
fn bg_3_10_r10_r2_l7_a_commit_that_fails_ends_the_launcher_at_once_and_is_half_told_to_nobody() {
    let house = House::shipped_but(|saga| saga == "window_cleanup_cascade");
    // A file may grow to 512 kilobytes, and who writes beyond gets an error instead of a signal.
    let script = "trap '' XFSZ && ulimit -f 1024";
    let mut launcher = Launcher::start(after(&house, &["env"], script));
    assert!(launcher.serves(), "{}", launcher.said());
    let mut watcher = house.peer();
    watcher.register("renderer", json!({"subscribe": ["pool_*"]}));
    let mut writer = house.peer();
    writer.register("tool", json!({"subscribe": []}));
    for number in 0..200 {
        if !writer.say(&large(&format!("fill-{number}"))) {
            break;
        }
    }
    let mut told = writer.rest();
    told.extend(watcher.rest());
    assert_eq!(launcher.wait(), Some(5), "{}", launcher.said());
    assert!(launcher.said().contains("cannot be written"), "{}", launcher.said());
    let recorded = recorded(&house.log());
    assert!(recorded.len() < 200, "it did not fail");
    check_told(&told, &recorded);

    // With room, the next launcher serves, and what was not accepted can be sent again.
    let _launcher = house.launch();
    let mut writer = house.register("tool");
    for number in 0..200 {
        let id = format!("fill-{number}");
        let again = writer.ask(&large(&id));
        assert_eq!(again["event"], "accepted", "{again}");
        if let Some(version) = recorded.get(&json!(id).to_string()) {
            assert_eq!(again["version"], *version, "W9: taken once");
        }
    }
}
