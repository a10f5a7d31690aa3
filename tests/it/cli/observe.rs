//! The guides to observing and to calling, done against a real launcher: what people see of a saga
//! that sends nothing, and of sagas that call each other, while it runs and from its log.

use serde_json::json;

use super::guides::files_of;
use super::live::Stage;

fn stage(page: &str) -> Stage {
    let files = files_of(page);
    let borrowed: Vec<(&str, &str)> = files.iter().map(|(n, t)| (&**n, &**t)).collect();
    Stage::of_its_own(&borrowed)
}

#[test]
fn the_guide_to_observing_comes_true() {
    let stage = stage("docs/guide/observing.md");
    let launcher = stage.launcher();
    let _shell = stage.host("target: shell\notherwise: fail\n", &[]);
    let emit = |event: &str, more: &[&str]| {
        let args = [&["emit", event, "label=main"], more].concat();
        let did = stage.run(&args);
        assert_eq!(did.exit, 0, "{}", did.stderr);
    };
    emit("window_closed", &[]);
    let table = stage.run(&["ps"]).stdout;
    assert!(table.contains("running (observes)"), "{table}");
    emit("panes_reaped", &["count=3"]);
    emit("layout_saved", &[]);
    let events = stage.events_until("saga_completed", 1);
    let started = events.iter().find(|event| event["event"] == "saga_started").expect("it began");
    assert_eq!(started["mode"], "observe");

    let seen = || {
        let one = stage.run(&["show", "1", "--json"]).json();
        assert_eq!((&one["mode"], &one["result"]), (&json!("observe"), &json!({"count": 3})));
        let steps = one["steps"].as_array().expect("steps").iter();
        let answers: Vec<_> = steps.map(|step| step["answer"].clone()).collect();
        assert_eq!(answers, ["panes_reaped", "layout_saved"]);
        let page = stage.run(&["show", "1"]).stdout;
        assert!(page.contains("completed (observes)"), "{page}");
        assert!(page.contains("not sent to shell: reap_panes"), "{page}");
        let drawn = stage.run(&["graph", "--saga-id", "1"]).stdout;
        assert!(drawn.contains("observes: nothing is sent"), "{drawn}");
        one
    };
    let alive = seen();
    drop(launcher);
    assert_eq!(seen(), alive, "the log tells the same");
    let budget = stage.run(&["plan", "close_window"]);
    assert!(budget.stdout.contains("observes, so none of its commands is sent"));
}

#[test]
fn callers_and_called_are_told_of_each_other_alive_and_from_the_log() {
    let stage = stage("docs/guide/calling.md");
    let launcher = stage.launcher();
    let _bank = stage.host("target: bank\n", &[]);
    let done = stage.run(&["start", "welcome", "name=ada", "--wait", "--json"]).json();
    assert_eq!(done["state"], "completed", "{done}");
    let events = stage.events_until("saga_completed", 2);
    let started: Vec<_> = events.iter().filter(|event| event["event"] == "saga_started").collect();
    let caller = json!({"saga_id": 1, "step": "account"});
    assert_eq!((&started[0]["parent"], &started[1]["parent"]), (&json!(null), &caller));

    let seen = || {
        let list = stage.run(&["ps", "--json"]).json();
        let kin: Vec<_> = list.as_array().expect("a list").iter().collect();
        assert_eq!((&kin[0]["saga_id"], &kin[0]["parent"]), (&json!(2), &caller));
        assert_eq!((&kin[1]["saga_id"], &kin[1]["children"]), (&json!(1), &json!([2])));
        let table = stage.run(&["ps"]).stdout;
        assert!(table.contains("open_with_card (of 1)"), "{table}");
        let page = stage.run(&["show", "1"]).stdout;
        assert!(page.contains("saga 2"), "{page}");
        let page = stage.run(&["show", "2"]).stdout;
        assert!(page.contains("call from saga 1, step account"), "{page}");
        let drawn = |saga: &str, format: &str| {
            let did = stage.run(&["graph", "--saga-id", saga, "--format", format]);
            assert_eq!(did.exit, 0, "{}", did.stderr);
            did.stdout
        };
        let caller = drawn("1", "svg");
        assert!(caller.contains("welcome · saga 1 · completed"), "{caller}");
        assert!(caller.contains("saga 2"), "{caller}");
        assert!(drawn("1", "mermaid").contains("saga 2"));
        assert!(drawn("1", "dot").contains("saga 2"));
        assert!(drawn("2", "svg").contains("saga 1, step account"));
        (list, caller)
    };
    let alive = seen();
    drop(launcher);
    assert_eq!(seen(), alive, "the log tells the same");
}
