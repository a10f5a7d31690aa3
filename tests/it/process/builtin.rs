//! The registry of pods and the ways of built-in targets through a real launcher: what is decided
//! with the question \[T4\], what outlives a launcher, and who may report what.

use serde_json::{Value, json};

use super::House;
use crate::cli::run;

/// Takes a name and a scope, tells a tool, and gives both back when the tool asks for it.
const HOLD: &str = "\
saga: hold
trigger: { call: { fields: { name: { type: string }, path: { type: string } } } }
input: { name: \"${{ trigger.name }}\", path: \"${{ trigger.path }}\" }
eviction: { policy: parallel }
timeout: none
signals: { give_back: {} }
steps:
  - id: reserve
    issue: reserve_pod
    with:
      pod_name: \"${{ input.name }}\"
      token: \"hold-${{ saga.id }}\"
      scope: \"${{ [{'target': input.path, 'permission': 'write', 'recursive': true}] }}\"
    await: { echo: pod_reserved, save: { generation: \"${{ event.generation }}\" } }
    timeout: 1m
  - id: held
    await: { signal: give_back }
    timeout: none
    on_timeout: fail
  - id: back
    issue: release_pod
    with: { pod_name: \"${{ input.name }}\", generation: \"${{ vars.generation }}\" }
    await: { echo: pod_released, save: { existed: \"${{ event.existed }}\" } }
    timeout: 1m
result: { generation: \"${{ vars.generation }}\", existed: \"${{ vars.existed }}\" }
";

const LIST: &str = "\
saga: who
trigger: { call: {} }
eviction: { policy: parallel }
timeout: 1m
steps:
  - id: list
    issue: list_pods
    await: { echo: pods_listed, save: { pods: \"${{ event.pods }}\" } }
    timeout: 1m
result: { pods: \"${{ vars.pods }}\" }
";

/// Gives back again what it hears was given back.
const ECHOES: &str = "\
saga: asks_itself
trigger: { call: { fields: { name: { type: string } } } }
input: { name: \"${{ trigger.name }}\" }
eviction: { policy: parallel }
timeout: none
steps:
  - id: back
    issue: release_pod
    with: { pod_name: \"${{ input.name }}\" }
    await: { echo: pod_released }
    timeout: 1m
  - { id: rest, delay: 1ms }
reactions:
  - event: pod_released
    where: event.pod_name == input.name
    issue: release_pod
    with: { pod_name: \"${{ input.name }}\" }
";

fn house() -> House {
    let files = [("hold", HOLD), ("who", LIST), ("asks_itself", ECHOES)];
    let files = files.map(|(name, text)| (format!("sagas/{name}.saga.yaml"), text));
    House::with(&files.each_ref().map(|(name, text)| (&**name, *text)))
}

fn start(saga: &str, input: &Value) -> Value {
    json!({"cmd": "start_saga", "saga": saga, "input": input})
}

/// The names that are listed.
fn listed(house: &House) -> Vec<String> {
    let mut tool = house.register("tool");
    let mut ask = start("who", &json!({}));
    ask["wait"] = json!(true);
    tool.say(&ask);
    let result = tool.until("saga_result");
    let pods = result["result"]["pods"].as_array().unwrap_or_else(|| panic!("{result}"));
    pods.iter().map(|pod| pod["pod_name"].as_str().expect("a name").to_owned()).collect()
}

/// [T4], [R2]: whatever the commit after which the launcher dies, a question to the registry is
/// never in the log without its answer, and what it answered holds after the crash.
#[test]
fn t4_the_registry_answers_in_the_transaction_that_asks() {
    let mut reserved = 0;
    for commits in 1..=6 {
        let house = house();
        let Some(launcher) = house.launch_to_crash(commits) else { continue };
        let mut tool = house.peer();
        tool.say_register("tool", json!({}));
        tool.say(&start("hold", &json!({"name": "a", "path": "/w/a"})));
        // It dies before it can tell, or it tells and is killed then.
        while tool.try_line().is_some_and(|line| line["event"] != "pod_reserved") {}
        drop(launcher);
        let log = rusqlite::Connection::open(house.log_path()).expect("a launcher made it");
        let count = |what: &str| -> i64 {
            let sql = format!("SELECT count(*) FROM saga_record WHERE {what}");
            log.query_row(&sql, [], |row| row.get(0)).expect("it is a log")
        };
        let asked = count("kind = 'issued' AND step = 'reserve'");
        let answered = count("kind = 'event' AND detail ->> 'name' = 'pod_reserved'");
        assert_eq!(asked, answered, "after {commits} commits");
        reserved += asked;
        drop(log);
        let _launcher = house.launch();
        let held: &[&str] = if asked == 1 { &["a"] } else { &[] };
        assert_eq!(listed(&house), held, "after {commits} commits");
    }
    assert!(reserved > 0, "no crash came after the question");
}

/// [T2], [W6]: a name and a scope are held by one, over restarts, until they are given back.
#[test]
fn t2_what_is_reserved_is_held_over_a_restart_until_it_is_given_back() {
    let house = house();
    let launcher = house.launch();
    let mut tool = house.register("tool");
    tool.say(&start("hold", &json!({"name": "a", "path": "/w/a"})));
    let first = tool.until("pod_reserved");
    assert_eq!((&first["pod_name"], &first["generation"]), (&json!("a"), &json!(1)));
    launcher.kill();
    let _launcher = house.launch();
    let mut tool = house.register("tool");
    for (name, path, why) in [("a", "/w/b", "duplicate_name"), ("b", "/w/a/x", "write_conflict")] {
        tool.say(&start("hold", &json!({"name": name, "path": path})));
        let refused = tool.until("pod_refused");
        assert_eq!((&refused["why"], &refused["competitor"]), (&json!(why), &json!("a")));
        assert_eq!(tool.until("saga_failed")["state"], "failed");
    }
    let back = json!({"cmd": "signal_saga", "saga_id": first["saga_id"], "signal": "give_back"});
    tool.say(&back);
    assert_eq!(tool.until("saga_completed")["result"]["existed"], true);
    assert_eq!(listed(&house), [""; 0]);
    tool.say(&start("hold", &json!({"name": "a", "path": "/w/a"})));
    assert_eq!(tool.until("pod_reserved")["generation"], 2, "another bearer of the name");
}

/// [R5]: what a built-in target reports nobody else does, or strangers would feed its registry.
#[test]
fn what_a_built_in_target_reports_nobody_else_does() {
    let house = house();
    let _launcher = house.launch();
    let mut tool = house.register("tool");
    let fields = json!({
        "cmd": "report", "id": 1, "event": "pod_released", "pod_name": "a", "generation": 1,
        "existed": true
    });
    let answer = tool.ask(&fields);
    assert_eq!((&answer["event"], &answer["code"]), (&json!("error"), &json!("not_allowed")));
    let mut thief = house.peer();
    thief.say_register("pods", json!({}));
    let answer = thief.until("error");
    assert_eq!(answer["code"], "not_allowed", "{answer}");
}

/// Operators see what is held: by a command, of a launcher that runs or a dead one, and with plain
/// SQL \[L3\].
#[test]
fn l3_what_is_held_is_seen_by_a_command_and_in_the_log() {
    let house = house();
    let launcher = house.launch();
    let mut tool = house.register("tool");
    tool.say(&start("hold", &json!({"name": "a", "path": "/w/a"})));
    tool.until("pod_reserved");
    let shown = |args: &[&str]| {
        let did = run(house.dir.path(), &[args, &["--data", "data"]].concat());
        assert_eq!((did.exit, &*did.stderr), (0, ""), "{args:?}");
        did.stdout
    };
    let live = shown(&["pods", "--json"]);
    launcher.kill();
    assert_eq!(shown(&["pods", "--json"]), live);
    let pods: Value = serde_json::from_str(&live).expect("JSON");
    assert_eq!((&pods[0]["pod_name"], &pods[0]["state"]), (&json!("a"), &json!("reserved")));
    assert!(shown(&["pods"]).contains("/w/a"), "what it may write");
    assert_eq!(shown(&["blocks", "--json"]), "[]\n");
    let log = rusqlite::Connection::open(house.log_path()).expect("a launcher made it");
    let row = log.query_row("SELECT pod_name, state, generation FROM pod", [], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
    });
    assert_eq!(row.expect("one"), ("a".to_owned(), "reserved".to_owned(), 1));
}

/// [R23]: a question that is asked by its own answer ends where emitting would, and the launcher
/// goes on.
#[test]
fn r23_a_question_that_its_own_answer_asks_again_is_bounded() {
    let house = house();
    let _launcher = house.launch();
    let mut tool = house.register("tool");
    tool.say(&start("asks_itself", &json!({"name": "a"})));
    let lines = tool.upto("saga_completed");
    let answers = lines.iter().filter(|line| line["event"] == "pod_released").count();
    assert!((2..=40).contains(&answers), "{answers} answers");
    assert_eq!(listed(&house), [""; 0]);
}
