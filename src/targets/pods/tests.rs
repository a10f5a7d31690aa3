//! The wire of pods against sockets of this test: what is sent, what is taken for the word that it
//! was taken, and what pods report. No process and no registry's decision is tested here.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;

use serde_json::json;

use super::*;

/// A pod that is played by a thread: one connection, and what it was sent.
struct Played {
    dir: tempfile::TempDir,
    thread: JoinHandle<Vec<String>>,
}

impl Played {
    /// Says `first`, reads one line, says `then`, and reads on until the peer is gone.
    fn start(first: Vec<String>, then: Vec<String>) -> Played {
        let dir = tempfile::tempdir().expect("a scratch directory");
        let listener = UnixListener::bind(dir.path().join("sock")).expect("a short path");
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().expect("somebody connects");
            let mut write = stream.try_clone().expect("a second handle");
            let say = |write: &mut UnixStream, lines: &[String]| {
                lines.iter().all(|line| writeln!(write, "{line}").is_ok())
            };
            if !say(&mut write, &first) {
                return Vec::new();
            }
            let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
            let mut read: Vec<String> = lines.next().into_iter().collect();
            say(&mut write, &then);
            // `END` is a pod that hangs up instead of an answer.
            if then.iter().any(|line| line == "END") {
                drop(write.shutdown(std::net::Shutdown::Both));
            }
            read.extend(lines);
            read
        });
        Played { dir, thread }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("sock")
    }

    fn read(self) -> Vec<String> {
        self.thread.join().expect("the pod does not panic")
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn event(name: &str, data: &Value) -> String {
    json!({"event": name, "data": data}).to_string()
}

fn snapshot() -> String {
    event("snapshot", &json!({"entries": [], "status": "idle"}))
}

/// What becomes of a run that is sent to a pod that answers so.
fn run(first: Vec<String>, then: Vec<String>) -> (Sent, Vec<String>) {
    let pod = Played::start(first, then);
    let params = json!({"input": [{"kind": "text", "text": "hello"}]});
    let sent = runtime().block_on(send(&pod.socket(), "run", Some(&params)));
    (sent, pod.read())
}

fn rejected(sent: &Sent) -> (&str, &str) {
    match sent {
        Sent::Rejected { code, message } => (code, message),
        Sent::Accepted { by } => panic!("accepted by `{by}`"),
    }
}

#[test]
fn bg_pods_a16_a_run_is_taken_when_the_pod_says_so() {
    for (name, data) in [
        ("user_message", json!({"segments": []})),
        ("invoke_start", json!({"kind": "user_send"})),
        ("turn_start", json!({"turn": 1})),
    ] {
        let status = event("status", &json!("running"));
        let (sent, read) = run(vec![snapshot()], vec![status, event(name, &data)]);
        assert_eq!(sent, Sent::Accepted { by: name });
        let line: Value = serde_json::from_str(&read[0]).expect("JSON");
        assert_eq!((&line["method"], read.len()), (&json!("run"), 1));
        assert_eq!(line["params"]["input"][0]["text"], "hello");
    }
}

/// bg_pods_a16, bg_pods_a17, bg_pods_a13: the pod's own word for it is kept.
#[test]
fn bg_pods_a17_a_busy_pod_says_that_it_is() {
    let busy = json!({"code": "already_running", "message": "a run was delivered already"});
    let notified = event("invoke_start", &json!({"kind": "notify"}));
    let (sent, _) = run(vec![snapshot()], vec![notified, event("error", &busy)]);
    assert_eq!(rejected(&sent), ("already_running", "a run was delivered already"));
}

/// bg_pods_a16: a pod tells all of itself first. Who wrote before it had read that was never read.
#[test]
fn bg_pods_a16_a_large_snapshot_is_read_before_anything_is_sent() {
    let entries = vec![json!({"text": "x".repeat(64 * 1024)}); 32];
    let alert = event("alert", &json!({"message": "old"}));
    let refusal = event("error", &json!({"code": "internal", "message": "of another time"}));
    let large = event("snapshot", &json!({"entries": entries}));
    let first = vec![alert, refusal, large];
    let (sent, read) = run(first, vec![event("user_message", &json!({}))]);
    assert_eq!((sent, read.len()), (Sent::Accepted { by: "user_message" }, 1));
}

#[test]
fn bg_pods_a16_a_pod_that_hangs_up_has_not_taken_it() {
    let (sent, _) = run(vec![snapshot()], vec!["END".into()]);
    let (code, message) = rejected(&sent);
    assert!(code == "io" && message.contains("closed the connection"), "{message}");
    let nobody = runtime().block_on(send(Path::new("/nowhere/sock"), "run", None));
    let (code, message) = rejected(&nobody);
    assert!(code == "io" && message.contains("nobody listens"), "{message}");
}

/// bg_pods_a02: exactly one line, with the right name, and it was read by the parent.
#[test]
fn bg_pods_a02_a_parent_is_told_once() {
    let parent = Played::start(vec![snapshot()], vec![]);
    let told = PodEvent::TurnEnded { pod_name: "b".into() };
    runtime().block_on(tell(&parent.socket(), &told));
    let read = parent.read();
    assert_eq!(read.len(), 1);
    let line: Value = serde_json::from_str(&read[0]).expect("JSON");
    assert_eq!(line["method"], "pod_event");
    assert_eq!(line["params"], json!({"kind": "turn_ended", "pod_name": "b"}));
}

/// A method without an answer is taken when the pod has read it; one that it refuses is not.
#[test]
fn a_method_that_has_no_answer_is_read_to_the_end() {
    let pod = Played::start(vec![snapshot()], vec![]);
    let sent = runtime().block_on(send(&pod.socket(), "shutdown", None));
    assert_eq!(sent, Sent::Accepted { by: "" });
    assert_eq!(pod.read(), [r#"{"method":"shutdown"}"#]);
    let error = event("error", &json!({"code": "not_running", "message": "idle"}));
    let pod = Played::start(vec![snapshot()], vec![error]);
    let sent = runtime().block_on(send(&pod.socket(), "cancel", None));
    assert_eq!(rejected(&sent), ("not_running", "idle"));
}

/// [R20]: whoever ends a pod is heard by a start that still waits for the process before it, and by
/// the process that comes of it; other bearers of its name are none of that.
#[test]
fn a_start_that_waits_hears_of_the_end() {
    runtime().block_on(async {
        let watching = Watching::default();
        let [one, two] = [1, 2].map(|generation| watched("b", generation, "/run/b/sock"));
        let [first, second] = ["c-1", "c-2"].map(Arc::<str>::from);
        let place = watching.take(&one, None, false).expect("nobody has it");
        let waiting = watching.wait(&two, &first).expect("it waits once");
        assert!(watching.wait(&two, &first).is_none(), "sent again it is the same");
        let other = watching.wait(&one, &second).expect("it waits for another");
        let (ended, overs) = watching.end("b", 2, std::time::Duration::ZERO);
        assert!(ended.is_none() && !place.is_asked());
        drop(place);
        assert_eq!(waiting.go(&two).map(drop), Err(process::ENDED));
        drop(waiting);
        overs.all().await;
        let place = other.go(&one).expect("nobody ended it");
        drop(other);
        assert!(watching.wait(&one, &second).is_none(), "it has its place");
        let (ended, overs) = watching.end("b", 0, std::time::Duration::ZERO);
        assert!(ended == Some(1) && place.is_asked());
        drop(place);
        overs.all().await;
        assert!(watching.find("b").is_none());
    });
}

/// What a pod complains is bounded while it runs, and it goes on where it was cut.
#[test]
fn a_long_log_is_cut_to_its_last_words() {
    let dir = tempfile::tempdir().expect("a scratch directory");
    let log = dir.path().join("stderr.log");
    let mut pod = std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("room");
    let length = || std::fs::metadata(&log).expect("it is there").len();
    writeln!(pod, "few words").expect("room");
    files::cut(&log).expect("it is there");
    assert_eq!(length(), 10);
    let max = usize::try_from(crate::limits::POD_STDERR_MAX).expect("it fits");
    writeln!(pod, "{}\nthe last", "x".repeat(max)).expect("room");
    files::cut(&log).expect("it is there");
    writeln!(pod, "one more").expect("room");
    assert!(length() < 5_000, "{}", length());
    let socket = dir.path().join("sock");
    let tail = runtime().block_on(files::stderr_tail(socket.to_str().expect("UTF-8")));
    assert!(tail.ends_with("x\nthe last\none more\n"), "{}", &tail[tail.len() - 40..]);
}

#[test]
fn a_probe_finds_who_accepts() {
    let pod = Played::start(vec![snapshot()], vec![]);
    assert_eq!(runtime().block_on(probe(&pod.socket())), Ok(()));
    let (dir, _) = (pod.dir, pod.thread.join());
    let why = runtime().block_on(probe(&dir.path().join("other"))).expect_err("nobody is there");
    assert!(why.contains("nobody listens"), "{why}");
}
