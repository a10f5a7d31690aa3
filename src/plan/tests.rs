//! What compiling makes of small sagas: paths, defaults, undos, identity. Findings have files under
//! `tests/diagnostics/`.

use std::sync::Arc;

use super::{Await, Backoff, Body, OnTimeout, Plan, Step, StepIx, Undo, Verb};
use super::{compile_library, compile_stored};
use crate::definition::read::load;
use crate::expr::Template;
use crate::time::Millis;

const CATALOG: &str = r"
targets: { host: {} }
events:
  opened: { fields: { label: { type: string }, n: { type: integer } } }
  refused: { fields: { label: { type: string }, why: { type: string, default: none } } }
  closed: { fields: { label: { type: string } } }
  moved: { fields: { label: { type: string } } }
  looked: {}
commands:
  open: { target: host, fields: { label: { type: string }, n: { type: integer, default: 1 } },
    echoes: [opened], failures: [refused], idempotent: true, undo: close }
  close: { target: host, fields: { label: { type: string }, n: { type: integer, required: false } },
    echoes: [closed], failures: [refused], idempotent: true, undo: none }
  move: { target: host, fields: { label: { type: string } },
    echoes: [moved], idempotent: false, undo: move_back }
  move_back: { target: host, fields: { label: { type: string } },
    echoes: [moved], idempotent: true, undo: none }
  look: { target: host, echoes: [looked], idempotent: false, undo: none }
";

const HEAD: &str = r#"
saga: it
trigger: { event: closed }
input: { label: "${{ trigger.label }}" }
eviction: { key: input.label, policy: ignore }
"#;

/// The plan of a saga in which nothing is wrong.
fn plan(rest: &str) -> Arc<Plan> {
    let saga = format!("{HEAD}{rest}");
    let files = [("c.catalog.yaml", CATALOG), ("it.saga.yaml", saga.as_str())];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    let (library, mut found) = load(files.into());
    let (plans, wrong) = compile_library(&library);
    found.append(wrong);
    let shown = crate::diag::render::human(&found, &library.sources, false);
    assert!(found.is_empty(), "{shown}");
    plans.into_iter().next().expect("one saga was given and nothing is wrong with it")
}

fn step<'a>(plan: &'a Plan, path: &str) -> &'a Step {
    plan.step(plan.by_path[path])
}

fn undo<'a>(plan: &'a Plan, path: &str) -> Option<&'a Step> {
    match &step(plan, path).undo {
        Undo::Step { step, .. } => Some(plan.step(*step)),
        Undo::Nothing => None,
    }
}

fn answers(wait: Option<&Await>) -> Vec<&str> {
    wait.iter().flat_map(|wait| &wait.alternatives).map(|one| &*one.event).collect()
}

const STEPS: &str = r#"
timeout: 1m
defaults: { timeout: 4s }
steps:
  - id: open
    issue: open
    with: { label: "${{ input.label }}" }
    await: { echo: opened }
  - id: both
    group:
      - id: move
        issue: move
        with: { label: "${{ input.label }}" }
        await: { echo: moved }
        timeout: 2s
        on_timeout:
          - id: look
            issue: look
            await: none
      - id: again
        issue: open
        with: { label: two }
        await: { echo: opened }
        compensate:
          group:
            - { issue: close, with: { label: two }, await: { echo: closed } }
            - { delay: 1s }
          covers: [rest]
      - id: rest
        issue: open
        with: { label: three }
        await: { echo: opened }
"#;

#[test]
fn undoing_steps_go_by_path_and_parents_stand_before_their_children() {
    let plan = plan(STEPS);
    let paths: Vec<&str> = plan.by_path.keys().map(|path| &**path).collect();
    let expected = [
        "again",
        "again.undo",
        "again.undo.0",
        "again.undo.1",
        "both",
        "look",
        "move",
        "move.undo",
        "open",
        "open.undo",
        "rest",
        "rest.undo",
    ];
    assert_eq!(paths, expected);
    for (ix, step) in (0u32..).map(StepIx).zip(&plan.steps) {
        assert_eq!(plan.body(step.body)[step.position], ix, "{}", step.path);
        assert!(Plan::owner(step.body).is_none_or(|owner| owner < ix), "{}", step.path);
    }
    assert_eq!(step(&plan, "look").body, Body::OnTimeout(plan.by_path["move"]));
    assert_eq!(step(&plan, "move").on_timeout, OnTimeout::Steps(vec![plan.by_path["look"]]));
    assert!(plan.is_undo(plan.by_path["again.undo.1"]));
}

#[test]
fn a_step_that_says_nothing_is_undone_as_the_catalog_says() {
    let plan = plan(STEPS);
    let back = undo(&plan, "open").expect("`open` is undone by `close`");
    let Verb::Issue { command, with, .. } = &back.verb else { panic!("{back:?}") };
    assert_eq!(&**command, "close");
    // `n` was not written, but the command carries its default.
    let names: Vec<&str> = with.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["label", "n"]);
    assert_eq!(answers(back.wait.as_ref()), ["closed"]);
    assert_eq!(answers(step(&plan, "open").wait.as_ref()), ["opened"]);
    let failures: Vec<&str> = back.fail_on.iter().map(|one| &*one.on.event).collect();
    assert_eq!(failures, ["refused"]);
    assert!(undo(&plan, "look").is_none());
    assert!(undo(&plan, "both").is_none());
}

#[test]
fn what_is_covered_knows_by_whom() {
    let plan = plan(STEPS);
    let rest = plan.by_path["rest"];
    let Undo::Step { covers, .. } = &step(&plan, "again").undo else { panic!("it has an undo") };
    assert_eq!(covers, &[rest]);
    assert_eq!(plan.step(rest).covered_by, Some(plan.by_path["again"]));
}

#[test]
fn a_timeout_is_its_own_or_the_defaults_or_for_an_undo_its_steps() {
    let plan_of = |defaults: &str, undo: &str| {
        plan(&format!(
            r#"
timeout: 1m
{defaults}
steps:
  - id: open
    issue: open
    with: {{ label: one }}
    await: {{ echo: opened }}
    timeout: 7s
    {undo}
  - id: pause
    delay: 1s
"#
        ))
    };
    let bound = |plan: &Plan, path: &str| step(plan, path).timeout;
    let own = plan_of("", "");
    assert_eq!(bound(&own, "open"), Some(Millis(7_000)));
    assert_eq!(bound(&own, "open.undo"), Some(Millis(7_000)));
    assert_eq!(bound(&own, "pause"), None);
    let default = plan_of("defaults: { timeout: 3s }", "");
    assert_eq!(bound(&default, "open"), Some(Millis(7_000)));
    assert_eq!(bound(&default, "open.undo"), Some(Millis(3_000)));
    let undo = "compensate: { issue: close, with: { label: one }, await: { echo: closed } }";
    assert_eq!(bound(&plan_of("", undo), "open.undo"), Some(Millis(7_000)));
    assert_eq!(bound(&plan_of("defaults: { timeout: none }", undo), "open.undo"), None);
}

#[test]
fn a_default_retry_is_for_what_is_tried_by_itself() {
    let plan = plan(
        r#"
timeout: none
defaults:
  timeout: 1s
  retry: { attempts: 3, backoff: linear, delay: 100ms, on: [failed] }
steps:
  - id: open
    issue: open
    with: { label: one }
    await: { echo: opened }
  - id: once
    issue: open
    with: { label: two }
    await: { echo: opened }
    retry: none
  - id: pause
    delay: 1s
"#,
    );
    let retry = step(&plan, "open").retry.as_ref().expect("the default");
    assert_eq!((retry.attempts, retry.backoff), (3, Backoff::Linear));
    assert!(retry.on_failed && !retry.on_timeout && !retry.on_unreachable);
    assert!(step(&plan, "open.undo").retry.is_some());
    assert!(step(&plan, "once").retry.is_none());
    assert!(step(&plan, "pause").retry.is_none());
}

#[test]
fn a_failure_of_the_catalog_fails_the_step_unless_it_is_named() {
    let plan = plan(
        r#"
timeout: 1m
defaults: { timeout: 1s }
steps:
  - id: silent
    issue: open
    with: { label: one }
    await: { echo: opened }
  - id: named
    issue: open
    with: { label: two }
    await: { any_of: [{ echo: opened }, { echo: refused }] }
  - id: reasoned
    issue: open
    with: { label: two }
    await: { echo: opened }
    fail_on: [{ echo: refused, where: event.label == "two", reason: "no: ${{ event.why }}" }]
"#,
    );
    let failures = |path: &str| -> Vec<(String, bool)> {
        let list = &step(&plan, path).fail_on;
        list.iter().map(|one| (one.on.event.to_string(), one.reason.is_some())).collect()
    };
    assert_eq!(failures("silent"), [("refused".to_owned(), false)]);
    assert_eq!(failures("named"), []);
    assert_eq!(failures("reasoned"), [("refused".to_owned(), true)]);
}

#[test]
fn an_echo_is_kept_only_where_it_is_read() {
    let plan = plan(
        r#"
timeout: 1m
defaults: { timeout: 1s }
steps:
  - id: one
    issue: open
    with: { label: one }
    await: { echo: opened }
  - id: two
    issue: open
    with: { label: "${{ steps.one.echo.label }}" }
    await: { echo: opened }
"#,
    );
    assert!(step(&plan, "one").echo_is_read);
    assert!(!step(&plan, "two").echo_is_read);
}

#[test]
fn an_undoing_step_may_be_named_by_one_that_follows_it() {
    let plan = plan(
        r#"
timeout: 1m
defaults: { timeout: 1s }
steps:
  - id: one
    issue: open
    with: { label: one }
    await: { echo: opened }
    compensate:
      group:
        - id: found
          issue: open
          with: { label: one }
          await: { echo: opened }
        - issue: close
          with: { label: "${{ steps.found.echo.label }}" }
          await: { echo: closed }
"#,
    );
    assert_eq!(&*step(&plan, "found").path, "one.undo.0");
    assert!(step(&plan, "one.undo.0").echo_is_read);
}

#[test]
fn a_wait_for_an_event_has_a_pin_for_each_arm() {
    let plan = plan(
        r#"
timeout: 1m
steps:
  - id: wait
    await:
      event: opened
      where: event.label == input.label && event.n > 1 || "x" + input.label == event.label
"#,
    );
    let wait = step(&plan, "wait").wait.as_ref().expect("it waits");
    let fields: Vec<&str> = wait.alternatives[0].pins.iter().map(|pin| &*pin.field[0]).collect();
    assert_eq!(fields, ["label", "label"]);
    assert!(plan.waits_for_events);
}

#[test]
fn what_is_conditional_behind_a_pivot_keeps_its_undo() {
    let plan = plan(
        r#"
timeout: 1m
defaults: { timeout: 1s }
steps:
  - id: maybe
    if: input.label == "one"
    issue: open
    with: { label: one }
    await: { echo: opened }
    pivot: true
  - id: after
    issue: open
    with: { label: two }
    await: { echo: opened }
  - id: surely
    issue: open
    with: { label: three }
    await: { echo: opened }
    pivot: true
  - id: last
    issue: open
    with: { label: four }
    await: { echo: opened }
"#,
    );
    assert!(undo(&plan, "maybe").is_some());
    assert!(undo(&plan, "after").is_some());
    assert!(undo(&plan, "surely").is_some());
    assert!(undo(&plan, "last").is_none());
}

#[test]
fn a_saga_may_be_started_by_an_event_and_by_name() {
    let saga = r#"
saga: both_ways
trigger: { any_of: [{ event: closed }, { call: { fields: { label: { type: string } } } }] }
input: { label: "${{ trigger.label }}" }
eviction: { key: input.label, policy: ignore }
timeout: 1m
steps: [{ id: pause, delay: 1s }]
"#;
    let files = [("c.catalog.yaml", CATALOG), ("both_ways.saga.yaml", saga)];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    let (plans, found) = compile_library(&load(files.into()).0);
    assert!(found.is_empty(), "{found:?}");
    let trigger = &plans[0].trigger;
    assert_eq!(&*trigger.events[0].event, "closed");
    assert!(matches!(trigger.events[0].input[0].1, Template::Whole(_)));
    assert!(trigger.call.is_some());
}

#[test]
fn what_was_kept_compiles_to_the_same_plan() {
    let plan = plan(STEPS);
    let again = compile_stored((&plan.name, &plan.source, &plan.catalog), Vec::new())
        .expect("it was compiled");
    assert_eq!(again.hash, plan.hash);
    assert_eq!(again.catalog, plan.catalog);
    assert_eq!(format!("{:?}", again.steps), format!("{:?}", plan.steps));
    assert!(compile_stored(("other", &plan.source, &plan.catalog), Vec::new()).is_err());
    assert!(compile_stored((&plan.name, &plan.source, "{}"), Vec::new()).is_err());
}

#[test]
fn another_text_or_another_declaration_is_another_definition() {
    let hash = super::library::hash;
    assert_eq!(hash("ab", "c"), hash("ab", "c"));
    assert_ne!(hash("ab", "c"), hash("a", "bc"));
    assert_eq!(hash("", "").0.len(), 64);
}

/// Codes of what compiling finds in a saga with these parts.
fn codes(rest: &str) -> Vec<&'static str> {
    let saga = format!("{HEAD}timeout: none\ndefaults: {{ timeout: 1s }}\n{rest}");
    let files = [("c.catalog.yaml", CATALOG), ("it.saga.yaml", saga.as_str())];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    let (library, found) = load(files.into());
    assert!(found.is_empty(), "{}", crate::diag::render::human(&found, &library.sources, false));
    compile_library(&library).1.iter().map(|one| one.code.as_str()).collect()
}

/// A step that saves `vars.n`, with more keys.
fn saves(id: &str, more: &str) -> String {
    format!(
        "  - id: {id}\n    issue: open\n    with: {{ label: {id} }}\n    \
         await: {{ echo: opened, save: {{ n: \"${{{{ event.n }}}}\" }} }}\n{more}"
    )
}

const READS: &str = "result: { n: \"${{ vars.n }}\" }\n";

#[test]
fn a_variable_is_read_where_every_path_has_set_it() {
    let one = saves("a", "");
    let skipped = saves("a", "    if: input.label == \"x\"\n");
    let other = saves("b", "    if: input.label != \"x\"\n");
    let effort = saves("a", "    best_effort: true\n");
    let instead = saves("a", "    on_timeout:\n    - id: b\n      fail: too late\n");
    let ends = "  - id: stop\n    if: input.label == \"x\"\n    done: true\n";
    let inside = |step: &str, more: &str| {
        format!(
            "  - id: g\n{more}    group:\n{}",
            step.replace("\n", "\n    ").replacen("  ", "      ", 1)
        )
    };
    for (steps, expected) in [
        (one.clone(), &[][..]),
        (skipped.clone(), &["SF208"]),
        // The two conditions are opposites, but no checker knows that: `has()` is asked for.
        (format!("{skipped}{other}"), &["SF208"]),
        (effort, &["SF208"]),
        // Who does not set it does not get there.
        (instead, &[]),
        (format!("{one}{ends}"), &[]),
        (format!("{ends}{one}"), &["SF208"]),
        (inside(one.trim_end(), ""), &[]),
        (inside(one.trim_end(), "    if: input.label == \"x\"\n"), &["SF208"]),
    ] {
        let rest = format!("steps:\n{steps}\n{READS}");
        assert_eq!(codes(&rest), expected, "{rest}");
    }
}

#[test]
fn a_guard_on_the_outcome_proves_that_it_was_set() {
    let skipped = saves("a", "    if: input.label == \"x\"\n");
    for (guard, expected) in [
        ("steps.a.outcome == \"succeeded\" ? vars.n : 0", &[][..]),
        ("steps.a.outcome != \"succeeded\" ? 0 : vars.n", &[]),
        ("has(vars.n) ? vars.n : 0", &[]),
        ("steps.a.outcome == \"skipped\" ? vars.n : 0", &["SF208"]),
        ("steps.a.outcome == \"succeeded\" ? steps.a.echo.n : 0", &[]),
    ] {
        let rest = format!(
            "steps:\n{skipped}result: {{ n: \"${{{{ {} }}}}\" }}\n",
            guard.replace('"', "'")
        );
        let reads = if guard.contains("vars.n") {
            rest
        } else {
            format!("{rest}finally:\n  - id: f\n    if: has(vars.n)\n    delay: 1s\n")
        };
        assert_eq!(codes(&reads), expected, "{reads}");
    }
}

#[test]
fn what_started_the_saga_is_proved_for_all_of_it() {
    let saga = |when: &str| {
        format!(
            "saga: it\ntrigger: {{ event: noted{when} }}\n\
             input: {{ title: \"${{{{ trigger.title }}}}\" }}\n\
             eviction: {{ policy: ignore }}\ntimeout: 1m\n\
             steps: [{{ id: pause, if: trigger.title != \"x\", delay: 1s }}]\n"
        )
    };
    let catalog = "events: { noted: { fields: { title: { type: string, required: false } } } }\n";
    let found = |when: &str| {
        let files = [("c.catalog.yaml", catalog.to_owned()), ("it.saga.yaml", saga(when))];
        let files = files.map(|(path, text)| (path.to_owned(), text.into_bytes()));
        compile_library(&load(files.into()).0).1.len()
    };
    assert_eq!(found(", when: has(trigger.title)"), 0);
    assert_eq!(found(""), 2);
}
