//! `plan`: paths and what they cost, held against sums done by hand and against a saga that ran.

use serde_json::{Value, json};

use super::live::Stage;
use super::{Did, guide, package, run, scratch};

const CATALOG: &str = "\
targets: { host: {} }
events: { opened: {}, moved: {}, closed: {}, refused: {} }
commands:
  open: { target: host, echoes: [opened, moved], idempotent: true, undo: close }
  close: { target: host, echoes: [closed], idempotent: true, undo: none }
  look: { target: host, echoes: [opened, moved], idempotent: true, undo: none }
";

const HEAD: &str = "\
saga: it
trigger: { call: { fields: { far: { type: boolean } } } }
input: { far: \"${{ trigger.far }}\" }
eviction: { key: input.far, policy: ignore }
";

fn ask(rest: &str, args: &[&str]) -> Did {
    let saga = format!("{HEAD}{rest}");
    let here = scratch(&[("sagas/a.catalog.yaml", CATALOG), ("sagas/it.saga.yaml", &saga)]);
    run(here.path(), &[&["plan", "it"], args].concat())
}

fn plan(rest: &str) -> Value {
    let did = ask(rest, &["--json"]);
    assert_eq!(did.exit, 0, "{}", did.stderr);
    did.json()
}

/// The turns and the end of each path in few words, then what it costs.
fn paths(plan: &Value) -> Vec<(String, [Value; 4])> {
    let word = |turn: &Value| {
        let what = turn["event"].as_str().or(turn["takes"].as_str()).unwrap_or_default();
        format!("{}={what} ", turn["step"].as_str().unwrap_or_default())
    };
    let list = plan["paths"].as_array().expect("a list").iter();
    list.map(|path| {
        let turns: String = path["turns"].as_array().into_iter().flatten().map(word).collect();
        let end = path["end"].as_str().unwrap_or_default();
        let costs = ["best_ms", "worst_ms", "undo_worst_ms", "commands_max"];
        (format!("{turns}{end}"), costs.map(|cost| path[cost].clone()))
    })
    .collect()
}

fn check(rest: &str, expected: &[(&str, [Value; 4])]) {
    let found = paths(&plan(rest));
    let expected: Vec<_> = expected.iter().map(|(n, c)| ((*n).to_owned(), c.clone())).collect();
    assert_eq!(found, expected);
}

/// Least and most time, most time to undo, most commands.
fn costs(best: u64, worst: impl Into<Value>, undo: u64, commands: u64) -> [Value; 4] {
    [best.into(), worst.into(), undo.into(), commands.into()]
}

#[test]
fn alternatives_conditions_and_timeouts_fork() {
    let rest = "timeout: 1m
steps:
  - { id: look, issue: look, timeout: 2s, on_timeout: [{ id: calm, delay: 3s }],
      await: { any_of: [{ echo: opened }, { echo: moved }] } }
  - { id: far, if: input.far, issue: open, await: { echo: opened }, timeout: 5s }
";
    check(
        rest,
        &[
            ("look=opened far=runs completes", costs(0, 7_000, 5_000, 3)),
            ("look=opened far=skipped completes", costs(0, 2_000, 0, 1)),
            ("look=moved far=runs completes", costs(0, 7_000, 5_000, 3)),
            ("look=moved far=skipped completes", costs(0, 2_000, 0, 1)),
            ("look=times_out far=runs completes", costs(5_000, 10_000, 5_000, 3)),
            ("look=times_out far=skipped completes", costs(5_000, 5_000, 0, 1)),
        ],
    );
}

#[test]
fn a_fail_undoes_and_a_done_ends() {
    let rest = "timeout: 1m
steps:
  - { id: open, issue: open, await: { echo: opened }, timeout: 5s }
  - { id: stop, if: input.far, fail: too far }
  - { id: enough, done: true }
";
    check(
        rest,
        &[
            ("stop=runs fails", costs(0, 10_000, 5_000, 2)),
            ("stop=skipped completes", costs(0, 5_000, 5_000, 2)),
        ],
    );
}

#[test]
fn attempts_of_a_group_are_undone_between_them() {
    let rest = "timeout: 1m
steps:
  - id: both
    retry: { attempts: 3, backoff: constant, delay: 1s, on: [failed, timeout] }
    group:
      - { id: open, issue: open, await: { echo: opened }, timeout: 5s }
      - { id: look, issue: look, await: { echo: moved }, timeout: 2s }
";
    let forward = 3 * 7_000 + 2 * 1_000 + 2 * 5_000;
    check(rest, &[("completes", costs(0, forward, 5_000, 3 * 2 + 2 + 1))]);
    let plan = plan(rest);
    assert_eq!(plan["steps_total_ms"], forward, "the same sum as that of SF402");
    let short = ask(&rest.replace("timeout: 1m", "timeout: 32s"), &[]);
    assert_eq!(short.exit, 1);
    for words in ["SF402", "33s", "undoing between them 10s", "before it is valid"] {
        assert!(short.stderr.contains(words), "{words}: {}", short.stderr);
    }
}

#[test]
fn what_has_no_bound_says_so() {
    let rest = "timeout: none
steps:
  - { id: look, issue: look, await: { echo: moved }, timeout: none }
";
    check(rest, &[("completes", [json!(0), Value::Null, json!(0), json!(1)])]);
    let shown = ask(rest, &[]).stdout;
    assert!(shown.contains("no bound") && shown.contains("no deadline"), "{shown}");
    assert!(!shown.contains("a loop"), "{shown}");
}

#[test]
fn of_loops_it_says_what_was_counted_and_what_could_not_be() {
    let rest = |each: &str| {
        format!(
            "timeout: 1m
steps:
  - id: each
    for_each: {{ in: \"['a', 'b']\", as: one{each} }}
    steps: [{{ id: look, issue: look, await: {{ echo: moved }}, timeout: 5s }}]
    join: settled
"
        )
    };
    let counted = "commands and records of a loop: for 1000 elements";
    let unbounded = "a loop with `max_parallel` has no bound of time";
    let all = ask(&rest(""), &[]).stdout;
    assert!(all.contains(counted) && !all.contains(unbounded), "{all}");
    let some = ask(&rest(", max_parallel: 2"), &[]).stdout;
    assert!(some.contains(counted) && some.contains(unbounded), "{some}");
}

/// R13: past the pivot a step is tried again until the deadline, after 0.5, 1, 2, 4, 8 and 10 s.
#[test]
fn past_the_pivot_a_step_may_be_sent_until_the_deadline() {
    let rest = "timeout: 30s
steps:
  - { id: open, issue: open, await: { echo: opened }, timeout: 5s }
  - { id: look, issue: look, await: { echo: moved }, timeout: 2s, pivot: true }
";
    check(rest, &[("completes", costs(0, 30_000, 5_000, 1 + 8 + 1))]);
}

#[test]
fn many_paths_are_cut_with_a_word_about_it() {
    let step = |at| format!("  - {{ id: s{at}, if: input.far, delay: {at}s }}\n");
    let steps: String = (1..=7).map(step).collect();
    let rest = format!("timeout: 1m\nsteps:\n{steps}");
    let plan = plan(&rest);
    assert_eq!(plan["paths_total"], 128);
    assert_eq!(plan["exhaustive"], false);
    assert_eq!(plan["paths"].as_array().map(Vec::len), Some(64));
    assert_eq!(plan["any_path"]["worst_ms"], 28_000);
    let shown = ask(&rest, &[]).stdout;
    assert!(shown.contains("64 of 128 paths are listed"), "{shown}");
}

#[test]
fn an_unknown_saga_is_wrong_usage_and_says_which_is_meant() {
    let did = run(package(), &["plan", "tear_of_tab"]);
    assert_eq!((did.exit, did.stdout.as_str()), (2, ""));
    assert!(did.stderr.contains("did you mean `tear_off_tab`?"), "{}", did.stderr);
}

#[test]
fn a_saga_that_ran_stayed_within_its_plan() {
    let files = guide::files();
    let borrowed: Vec<(&str, &str)> = files.iter().map(|(n, t)| (&**n, &**t)).collect();
    let stage = Stage::of_its_own(&borrowed);
    let plan = stage.run(&["plan", "publish_page", "--json"]).json();
    let most = |what: &str| plan["any_path"][what].as_u64().expect("a number");
    let _launcher = stage.launcher();
    let script = "target: site\notherwise: echo\ncommands:\n  publish_draft: { fail: read-only }\n";
    let _host = stage.host(script, &[]);
    let start = ["start", "publish_page", "page=home", "title=Hello", "--wait", "--json"];
    assert_eq!(stage.run(&start).json()["state"], "compensated");
    let shown = stage.run(&["show", "1", "--json"]).json();
    let timeline = shown["timeline"].as_array().expect("a list");
    let sent = timeline.iter().filter(|one| one["kind"] == "issued" || one["kind"] == "reissued");
    assert!(sent.count() as u64 <= most("commands_max"), "{plan}\n{shown}");
    assert!(timeline.len() as u64 <= most("records_max"), "{plan}\n{shown}");
}
