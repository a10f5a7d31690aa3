//! What a person says to a saga on the command line, with a real launcher and a real host.

use serde_json::json;

use super::guides::files_of;
use super::live::Stage;

const HOST: &str = "\
target: shop
commands:
  hold_goods: { reply: goods_held }
  free_goods: { reply: goods_freed }
  tell_boss: { reply: boss_told }
  ship_order: { reply: order_shipped }
";

fn stage() -> Stage {
    let files = files_of("docs/guide/people.md");
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (&**n, &**t)).collect();
    Stage::of_its_own(&files)
}

#[test]
fn a_person_approves_and_the_saga_goes_on() {
    let stage = stage();
    let _launcher = stage.launcher();
    assert_eq!(stage.run(&["start", "ship_order", "order=o-1"]).stdout, "1\n");

    let early = stage.run(&["signal", "1", "approve", "by=ann"]);
    assert_eq!(early.exit, 1, "{}", early.stderr);
    assert!(early.stderr.contains("does not await `approve` now"), "{}", early.stderr);
    let wrong = stage.run(&["signal", "1", "approve", "by=3"]);
    assert!(wrong.exit == 1 && wrong.stderr.contains("by='\"3\"'"), "{}", wrong.stderr);
    let nobody = stage.run(&["signal", "9", "approve", "by=ann"]);
    assert!(nobody.exit == 1 && nobody.stderr.contains("sagaflow ps"), "{}", nobody.stderr);

    std::thread::scope(|scope| {
        let said = scope.spawn(|| {
            let args = ["signal", "1", "approve", "by=ann", "--reason", "seen", "--wait", "10m"];
            stage.run(&[&args[..], &["--json"]].concat())
        });
        let _host = stage.host(HOST, &[]);
        let said = said.join().expect("it does not panic");
        assert_eq!(said.exit, 0, "{}", said.stderr);
        let said = said.json();
        assert_eq!((&said["saga_id"], &said["signal"]), (&json!(1), &json!("approve")));
        stage.events_until("saga_completed", 1);
    });
    let shown = stage.run(&["show", "1"]).stdout;
    assert!(shown.contains("approve {\"by\":\"ann\"} from sagaflow: seen"), "{shown}");
    let told = stage.run(&["show", "1", "--json"]).json();
    let steps = told["steps"].as_array().expect("a list");
    let gate = steps.iter().find(|step| step["id"] == "approval").expect("it was entered");
    assert_eq!(gate["echo"], json!({"by": "ann"}), "{gate}");

    let late = stage.run(&["signal", "1", "approve", "by=ann", "--wait", "10m"]);
    assert!(late.exit == 1 && late.stderr.contains("has ended"), "{}", late.stderr);
}
