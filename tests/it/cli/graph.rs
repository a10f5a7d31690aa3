//! `graph`: what it prints, of a definition and of one saga, and what it says where it cannot.

use super::live::Stage;
use super::{package, run};

#[test]
fn a_definition_is_drawn_in_three_formats() {
    let begins = |args: &[&str], with: &str| {
        let did = run(package(), args);
        assert_eq!(did.exit, 0, "{}", did.stderr);
        assert!(did.stdout.starts_with(with), "{}", did.stdout);
        assert!(did.stdout.contains("pool_not_last"), "an alternative");
    };
    begins(&["graph", "window_cleanup_cascade"], "<svg xmlns=");
    begins(&["graph", "window_cleanup_cascade", "--format", "mermaid"], "flowchart TD\n");
    begins(&["graph", "window_cleanup_cascade", "--format", "dot"], "digraph ");
}

#[test]
fn a_slip_of_the_hand_is_named_with_its_cure() {
    let near = run(package(), &["graph", "delete_blok", "--sagas", "sagas"]);
    assert_eq!(near.exit, 2);
    assert_eq!(near.stdout, "");
    let words = "no saga `delete_blok` in sagas; did you mean `delete_block`?";
    assert!(near.stderr.contains(words), "{}", near.stderr);
    let far = run(package(), &["graph", "x"]);
    assert!(
        far.stderr.contains("there are: agent_turn, close_pane, delete_block, "),
        "{}",
        far.stderr
    );
    assert_eq!(run(package(), &["graph"]).exit, 2);
}

#[test]
fn a_saga_is_drawn_by_its_own_definition_alive_and_from_the_log() {
    let stage = Stage::new(&[]);
    let launcher = stage.launcher();
    let _host = stage.host("commands: {}", &[]);
    assert_eq!(stage.run(&["emit", "window_closed", "label=main"]).exit, 0);
    stage.events_until("saga_completed", 1);

    // No directory of definitions is here: the log has the one that it ran by.
    let alive = stage.run(&["graph", "--saga-id", "1"]);
    assert_eq!(alive.exit, 0, "{}", alive.stderr);
    assert!(alive.stdout.contains("window_cleanup_cascade · saga 1 · completed"));
    assert_eq!(alive.stdout.matches("class=\"step issue was-succeeded\"").count(), 2);
    drop(launcher);
    let dead = stage.run(&["graph", "window_cleanup_cascade", "--saga-id", "1"]);
    assert_eq!(dead.stdout, alive.stdout);

    let other = stage.run(&["graph", "delete_block", "--saga-id", "1"]);
    assert_eq!(other.exit, 2);
    assert!(other.stderr.contains("saga 1 is a `window_cleanup_cascade`"), "{}", other.stderr);
    let none = stage.run(&["graph", "--saga-id", "9"]);
    assert_eq!(none.exit, 1);
    assert!(none.stderr.contains("there is no saga 9"), "{}", none.stderr);
}
