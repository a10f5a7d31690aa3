//! `test`: scenarios as authors meet them: what passes, what fails and how that looks, what tools
//! get.

use super::{Did, package, run, scratch};

pub const CATALOG: &str = "\
targets: { host: { disconnect_timeout: 30s } }
events:
  closed: { fields: { label: { type: string } } }
  reaped: { fields: { label: { type: string }, count: { type: integer, default: 0 } } }
  kept: { fields: { label: { type: string } } }
commands:
  reap:
    target: host
    fields: { label: { type: string } }
    echoes: [reaped, kept]
    idempotent: true
    undo: none
  note: { target: host, fields: { text: { type: string } }, echoes: [], idempotent: true, undo: none }
";

pub const SAGA: &str = "\
saga: tidy
trigger: { event: closed }
input: { label: \"${{ trigger.label }}\" }
eviction: { key: input.label, policy: ignore }
timeout: 1m
vars: { count: 0 }
steps:
  - id: reap
    issue: reap
    with: { label: \"${{ input.label }}\" }
    await:
      any_of:
        - { echo: reaped, save: { count: \"${{ event.count }}\" } }
        - { echo: kept }
    timeout: 10s
    retry: { attempts: 2, backoff: constant, delay: 1s, on: [timeout] }
  - id: note
    issue: note
    with: { text: done }
result: { count: \"${{ vars.count }}\" }
";

fn played(test: &str) -> (tempfile::TempDir, Did) {
    let files = [
        ("sagas/a.catalog.yaml", CATALOG),
        ("sagas/tidy.saga.yaml", SAGA),
        ("sagas/tidy.test.yaml", test),
    ];
    let here = scratch(&files);
    let did = run(here.path(), &["test"]);
    (here, did)
}

pub const GOOD: &str = "\
saga: tidy
cases:
  - name: it reaps
    when: { event: closed, with: { label: main } }
    script:
      - expect: { issue: reap, with: { label: main } }
        reply: { echo: reaped, with: { label: main, count: 3 } }
      - expect: { issue: note }
    end: { state: completed, result: { count: 3 } }
  - name: silence is asked again
    when: { event: closed, with: { label: main } }
    script:
      - expect: { issue: reap }
        reply: none
      - advance: 11s
      - expect: { issue: reap }
        reply: { echo: kept, with: { label: main } }
      - expect: { issue: note }
    end: { state: completed, result: { count: 0 } }
  - name: a host that says no
    when: { event: closed, with: { label: main } }
    script:
      - expect: { issue: reap }
        reply: { failed: no such window }
    end: { state: failed, cause: action_failed, reason: no such window }
  - name: a host that is away from the start is given up
    when: { event: closed, with: { label: main } }
    script:
      - disconnect: host
      - advance: 1m
    end: { state: failed }
  - name: a host that comes back is asked again and need not be expected again
    when: { event: closed, with: { label: main } }
    script:
      - expect: { issue: reap }
        reply: none
      - disconnect: host
      - advance: 1s
      - connect: host
      - expect: { issue: reap }
        reply: { echo: reaped, with: { label: main } }
      - crash: true
      - report: { event: closed, with: { label: other } }
      - expect: { issue: note }
      - expect: { issue: reap, with: { label: other } }
    end: { state: completed }
  - name: a person cancels it
    when: { event: closed, with: { label: main } }
    script:
      - expect: { issue: reap }
      - signal: { name: cancel, with: { reason: not now } }
    end: { state: failed, cause: cancelled, reason: not now }
  - name: faults change nothing
    same_as: it reaps
    explore: { crash: every_commit, duplicate: 2, disconnect: 2 }
";

#[test]
fn what_comes_as_expected_passes() {
    let (here, did) = played(GOOD);
    assert_eq!(did.exit, 0, "{}{}", did.stdout, did.stderr);
    assert!(did.stderr.contains("7 cases"), "{}", did.stderr);
    assert!(did.stdout.contains("ok    faults change nothing ("), "{}", did.stdout);
    for path in ["sagas", "sagas/tidy.test.yaml", "sagas/tidy.saga.yaml"] {
        let same = run(here.path(), &["test", path]);
        assert_eq!((same.exit, same.stdout), (0, did.stdout.clone()), "{path}: {}", same.stderr);
    }
}

/// What a changed case says, from its `FAIL` on.
fn failing(right: &str, wrong: &str) -> String {
    assert!(GOOD.contains(right), "{right}");
    let (_here, did) = played(&GOOD.replacen(right, wrong, 1));
    assert_eq!(did.exit, 1, "{wrong}: {}{}", did.stdout, did.stderr);
    let from = did.stdout.find("FAIL").unwrap_or_else(|| panic!("{}{}", did.stdout, did.stderr));
    did.stdout[from..].to_owned()
}

#[test]
fn a_difference_shows_both_transcripts_and_its_place() {
    let told =
        failing("with: { label: main } }\n        reply", "with: { label: mian } }\n        reply");
    assert!(told.contains("sagas/tidy.test.yaml:6:9"), "{told}");
    assert!(told.contains("→ host reap { label: mian }"), "{told}");
    let line = told.lines().find(|line| line.contains('≠')).expect("a mark");
    assert!(line.contains("≠ → host reap { label: main }"), "{told}");
    assert!(told.contains("end completed, { count: 3 }"), "{told}");
    assert!(told.contains("it is running: `reap` waits for"), "{told}");
}

#[test]
fn a_command_that_nothing_expects_fails_the_case() {
    let told = failing("      - expect: { issue: note }\n", "");
    assert!(told.contains("≠ → host note { text: done }"), "{told}");
}

#[test]
fn an_end_that_did_not_come_says_what_came() {
    let told = failing("result: { count: 3 }", "result: { count: 4 }");
    assert!(told.contains("end completed, { count: 4 }"), "{told}");
    assert!(told.contains("≠ end completed, { count: 3 }"), "{told}");
    let told = failing(
        "      - advance: 11s\n      - expect: { issue: reap }\n        reply: { echo: kept, with: { label: main } }\n      - expect: { issue: note }\n",
        "      - advance: 9s\n",
    );
    assert!(told.contains("it is running: `reap` waits for"), "{told}");
}

#[test]
fn a_saga_that_does_not_start_says_so() {
    let saga =
        SAGA.replace("{ event: closed }", "{ event: closed, when: \"trigger.label != 'x'\" }");
    let test = "saga: tidy\ncases:\n  - name: it\n    when: { event: closed, with: { label: x } }\n    end: { state: completed }\n";
    let here =
        scratch(&[("a.catalog.yaml", CATALOG), ("t.saga.yaml", &saga), ("t.test.yaml", test)]);
    let did = run(here.path(), &["test", "t.test.yaml"]);
    assert_eq!(did.exit, 1, "{}", did.stderr);
    assert!(did.stdout.contains("nothing started"), "{}", did.stdout);
}

#[test]
fn a_fault_that_changes_the_end_is_named() {
    let saga = SAGA.replace("timeout: 1m\n", "timeout: 1m\non_restart: fail\n");
    let files = [("a.catalog.yaml", CATALOG), ("t.saga.yaml", &saga), ("t.test.yaml", GOOD)];
    let here = scratch(&files);
    let did = run(here.path(), &["test", "."]);
    assert_eq!(did.exit, 1, "{}", did.stderr);
    assert!(did.stdout.contains("with a crash after commit "), "{}", did.stdout);
}

#[test]
fn definitions_that_are_not_valid_are_not_played() {
    let (here, did) = played(&GOOD.replacen("issue: reap,", "issue: raep,", 1));
    assert_eq!(did.exit, 1);
    for words in ["error[SF102]", "sagas/tidy.test.yaml:6:26", "did you mean `reap`"] {
        assert!(did.stderr.contains(words), "{words}: {}", did.stderr);
    }
    let valid = run(here.path(), &["validate"]);
    assert_eq!(valid.exit, 1, "validate looks at scenarios too");
    assert!(valid.stdout.contains("error[SF102]"), "{}", valid.stdout);
}

#[test]
fn a_payload_of_a_scenario_is_held_to_the_catalog() {
    for (right, wrong, code) in [
        ("event: closed, with", "event: clsed, with", "SF101"),
        ("disconnect: host", "disconnect: hots", "SF103"),
        ("saga: tidy", "saga: tydi", "SF104"),
        ("{ label: main, count: 3 }", "{ count: 3 }", "SF109"),
        ("{ label: main, count: 3 }", "{ label: main, cuont: 3 }", "SF110"),
        ("{ label: main, count: 3 }", "{ label: main, count: three }", "SF111"),
        (
            "echo: reaped, with: { label: main, count: 3 }",
            "echo: closed, with: { label: main }",
            "SF112",
        ),
        (
            "when: { event: closed, with: { label: main } }",
            "when: { event: kept, with: { label: main } }",
            "SF119",
        ),
        ("when: { event: closed, with: { label: main } }", "when: { call: true }", "SF119"),
        ("same_as: it reaps", "same_as: it raeps", "SF120"),
        ("name: a person cancels it", "name: it reaps", "SF121"),
        ("label: main, count: 3", "label: \"${{ input.label }}\", count: 3", "SF022"),
        ("advance: 11s", "advance: soon", "SF013"),
        ("state: completed", "state: complete", "SF015"),
        ("name: cancel", "name: cancle", "SF116"),
    ] {
        assert!(GOOD.contains(right), "{right}");
        let (_here, did) = played(&GOOD.replacen(right, wrong, 1));
        assert_eq!(did.exit, 1, "{wrong}");
        assert!(did.stderr.contains(&format!("error[{code}]")), "{wrong}: {}", did.stderr);
    }
}

#[test]
fn no_scenarios_at_all_is_wrong_usage() {
    let here = scratch(&[("sagas/a.catalog.yaml", CATALOG), ("sagas/tidy.saga.yaml", SAGA)]);
    let did = run(here.path(), &["test"]);
    assert_eq!(did.exit, 2);
    assert!(did.stderr.contains("no scenarios"), "{}", did.stderr);
    let did = run(here.path(), &["test", "nowhere.test.yaml"]);
    assert_eq!(did.exit, 2);
}

#[test]
fn tools_get_json_and_junit() {
    let (here, did) =
        played(&GOOD.replacen("count: 3 } }\n      - exp", "count: 2 } }\n      - exp", 1));
    assert_eq!(did.exit, 1);
    let told = run(here.path(), &["test", "--json", "--junit", "out.xml"]);
    assert_eq!(told.exit, 1);
    let json = told.json();
    assert_eq!((&json["cases"], &json["failed"]), (&7.into(), &2.into()), "{json}");
    let failed = &json["results"][0];
    assert_eq!(failed["case"], "it reaps");
    assert_eq!(failed["differs_at"], "sagas/tidy.test.yaml:9:10", "{failed}");
    let rows = failed["transcript"].as_array().expect("both transcripts");
    assert_eq!(rows.iter().filter(|row| row["same"] == false).count(), 1, "{failed}");
    let xml = std::fs::read_to_string(here.path().join("out.xml")).expect("it was written");
    assert!(xml.contains("<testsuites tests=\"7\" failures=\"2\">"), "{xml}");
    assert!(xml.contains("differs at sagas/tidy.test.yaml:9:10"), "{xml}");
}

#[test]
fn the_shipped_scenarios_pass_and_reach_all_of_every_shipped_saga() {
    let did = run(package(), &["test", "--json"]);
    assert_eq!(did.exit, 0, "{}{}", did.stdout, did.stderr);
    let json = did.json();
    let covered = json["coverage"].as_array().expect("a list");
    let shipped = std::fs::read_dir(package().join("sagas")).expect("shipped");
    let names = shipped.map(|entry| entry.expect("listed").file_name());
    let sagas = names.filter(|name| name.to_string_lossy().ends_with(".saga.yaml")).count();
    assert_eq!(covered.len(), sagas, "a saga has no scenarios");
    for saga in covered {
        assert_eq!(saga["missing"], serde_json::json!([]), "sagaflow test --fill: {saga}");
    }
}

#[test]
fn the_scenario_of_the_guide_passes() {
    let first = super::guide::files();
    let guide = std::fs::read_to_string(package().join("docs/guide/testing.md")).expect("shipped");
    let block = guide.split("```yaml sagas/publish_page.test.yaml\n").nth(1).expect("a block");
    let (case, rest) = block.split_once("```").expect("it has an end");
    let explored = rest.split("```yaml\n").nth(1).and_then(|more| more.split("```").next());
    let scenarios = format!("{case}{}", explored.expect("the faults are shown"));
    let mut files: Vec<(&str, &str)> = first.iter().map(|(n, t)| (&**n, &**t)).collect();
    files.push(("sagas/publish_page.test.yaml", &scenarios));
    let here = scratch(&files);
    let did = run(here.path(), &["test"]);
    assert_eq!(did.exit, 0, "{}{}", did.stdout, did.stderr);
    assert!(did.stderr.contains("2 cases"), "{}", did.stderr);
}

#[test]
fn what_no_case_reaches_is_told_and_filled() {
    let (here, did) = played(GOOD);
    let told = |did: &Did| did.stdout.lines().filter(|l| l.contains("missing")).count();
    assert_eq!(told(&did), 1, "{}", did.stdout);
    assert!(did.stdout.contains("tidy reached: steps 2/2 · alternatives 2/2"), "{}", did.stdout);
    assert!(did.stdout.contains("missing of evictions      ignore"), "{}", did.stdout);

    let filled = run(here.path(), &["test", "--fill", "--json"]);
    assert_eq!(filled.exit, 0, "{}{}", filled.stdout, filled.stderr);
    let json = filled.json();
    assert_eq!(json["coverage"][0]["evictions"]["reached"], 1, "{json}");
    assert_eq!(json["coverage"][0]["missing"], serde_json::json!([]), "{json}");
    let path = here.path().join("sagas/tidy.test.yaml");
    let text = std::fs::read_to_string(&path).expect("it is there");
    assert!(text.starts_with(GOOD), "what the author wrote stays as it is");
    let again = run(here.path(), &["test", "--fill"]);
    assert_eq!((again.exit, told(&again)), (0, 0), "{}", again.stdout);
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), text, "nothing to add");
}

/// Every kind of way on: alternatives that a field decides, an event that anybody reports, undos.
const WINDING: &str = "\
saga: wind
trigger: { call: { fields: { label: { type: string, minLength: 3 } } } }
input: { label: \"${{ trigger.label }}\" }
eviction: { key: input.label, policy: replace }
timeout: 10m
vars: { many: false }
steps:
  - id: grab
    issue: grab
    with: { label: \"${{ input.label }}\" }
    await: { echo: reaped, where: event.label == input.label, save: { many: \"${{ event.count > 0 }}\" } }
    timeout: 10s
  - id: heard
    if: vars.many
    await: { event: kept, where: event.label == input.label }
    timeout: 1m
    on_timeout:
      - id: instead
        delay: 5s
  - id: rest
    issue: note
    with: { text: rest }
cancel_on: [{ event: closed, where: event.label == input.label }]
";

#[test]
fn a_saga_without_scenarios_gets_a_file_that_covers_it() {
    let grab = "  grab: { target: host, fields: { label: { type: string } }, echoes: [reaped], \
                idempotent: true, undo: reap }\n";
    let catalog = format!("{CATALOG}{grab}");
    let files = [("sagas/a.catalog.yaml", &*catalog), ("sagas/wind.saga.yaml", WINDING)];
    let here = scratch(&files);
    let filled = run(here.path(), &["test", "--fill"]);
    assert_eq!(filled.exit, 0, "{}{}", filled.stdout, filled.stderr);
    assert!(!filled.stdout.contains("missing"), "{}", filled.stdout);
    assert!(filled.stdout.contains("compensations 1/1"), "{}", filled.stdout);
    assert!(filled.stdout.contains("timeouts 2/2"), "{}", filled.stdout);
    let again = run(here.path(), &["test"]);
    assert_eq!((again.exit, again.stdout), (0, filled.stdout));
}

#[test]
fn a_list_of_cases_that_cannot_be_gone_on_is_left_alone() {
    let test = "saga: tidy\ncases: [{ name: it, when: { event: closed, with: { label: x } } }]\n";
    let files = [
        ("sagas/a.catalog.yaml", CATALOG),
        ("sagas/tidy.saga.yaml", SAGA),
        (
            "sagas/tidy.test.yaml",
            &test.replace(" } }", " } }, script: [{ expect: { issue: reap } }]"),
        ),
    ];
    let here = scratch(&files);
    let did = run(here.path(), &["test", "--fill"]);
    assert_eq!(did.exit, 1, "{}", did.stdout);
    assert!(did.stderr.contains("each after a `- `"), "{}", did.stderr);
}

#[test]
fn a_saga_for_which_no_case_can_be_made_is_named() {
    let odd = WINDING
        .replace("saga: wind", "saga: odd")
        .replace("minLength: 3", "minLength: 3, pattern: \"^[0-9]{9}-that-nobody-guesses$\"");
    let grab = "  grab: { target: host, fields: { label: { type: string } }, echoes: [reaped], \
                idempotent: true, undo: reap }\n";
    let catalog = format!("{CATALOG}{grab}");
    let here = scratch(&[("sagas/a.catalog.yaml", &catalog), ("sagas/odd.saga.yaml", &odd)]);
    let filled = run(here.path(), &["test", "--fill"]);
    assert_eq!(filled.exit, 2, "{}{}", filled.stdout, filled.stderr);
    assert!(filled.stderr.contains("no case could be made for `odd`"), "{}", filled.stderr);
}

#[test]
fn cases_are_added_behind_the_last_one_wherever_that_stands() {
    let cases = GOOD.strip_prefix("saga: tidy\n").expect("it begins so");
    for text in [
        format!("{cases}saga: tidy\n"),
        format!("{GOOD}...\n"),
        format!("{GOOD}# the end\n"),
        GOOD.trim_end().to_owned(),
        GOOD.replace('\n', "\r\n"),
    ] {
        let (here, did) = played(&text);
        assert_eq!(did.exit, 0, "{text}\n{}{}", did.stdout, did.stderr);
        let filled = run(here.path(), &["test", "--fill"]);
        assert_eq!(filled.exit, 0, "{text}\n{}{}", filled.stdout, filled.stderr);
        assert!(!filled.stdout.contains("missing"), "{text}\n{}", filled.stdout);
        let path = here.path().join("sagas/tidy.test.yaml");
        let grown = std::fs::read_to_string(path).expect("it is there");
        let lone = grown.matches('\n').count() - grown.matches("\r\n").count();
        assert_eq!(lone > 0, !text.contains('\r'), "one kind of line ends: {grown:?}");
    }
}

#[test]
fn a_broken_scenario_keeps_nothing_from_running() {
    let (here, did) = played("saga: tidy\ncases: 7\n");
    assert_eq!(did.exit, 1, "{}", did.stderr);
    let data = here.path().join("data");
    let run = run(here.path(), &["run", "--check-only", "--data", &data.to_string_lossy()]);
    assert_eq!(run.exit, 0, "{}", run.stderr);
}

#[test]
fn time_that_holds_too_much_is_refused_and_not_played_for_ever() {
    let saga = SAGA
        .replace("timeout: 1m\n", "timeout: none\n")
        .replace("attempts: 2,", "attempts: 4000000,")
        .replace("delay: 1s", "delay: 1ms")
        .replace("    timeout: 10s", "    timeout: 1ms");
    let test = GOOD.replacen("advance: 11s", "advance: 300d", 1);
    let test = &test[..test.find("  - name: a host that says no").expect("it is there")];
    let files = [("a.catalog.yaml", CATALOG), ("t.saga.yaml", &saga), ("t.test.yaml", test)];
    let did = run(scratch(&files).path(), &["test", "."]);
    assert_eq!(did.exit, 1, "{}", did.stderr);
    assert!(did.stdout.contains("let less time pass at once"), "{}", did.stdout);
}

/// Elements of a loop are one step of the definition, and each has its own in a transcript.
#[test]
fn a_scenario_of_branches_reaches_each_step_once() {
    let steps = "\
steps:
  - id: each
    for_each: { in: \"['a', 'b']\", as: one, max_parallel: 1 }
    steps:
      - id: reap
        issue: reap
        with: { label: \"${{ one }}\" }
        await: { echo: reaped, where: event.label == one }
        timeout: 10s
    join: settled
";
    let head = SAGA.split("vars:").next().expect("it has a head");
    let saga = format!("{head}{steps}");
    let reap = |label: &str| {
        format!(
            "      - expect: {{ issue: reap, with: {{ label: {label} }} }}\n        reply: {{ echo: \
             reaped, with: {{ label: {label} }} }}\n"
        )
    };
    let test = format!(
        "saga: tidy\ncases:\n  - name: both\n    when: {{ event: closed, with: {{ label: m }} }}\n    \
         script:\n{}{}    end: {{ state: completed }}\n",
        reap("a"),
        reap("b")
    );
    let files = [
        ("sagas/a.catalog.yaml", CATALOG),
        ("sagas/tidy.saga.yaml", saga.as_str()),
        ("sagas/tidy.test.yaml", test.as_str()),
    ];
    let here = scratch(&files);
    let did = run(here.path(), &["test"]);
    assert_eq!(did.exit, 0, "{}{}", did.stdout, did.stderr);
    assert!(did.stdout.contains("tidy reached: steps 1/1"), "{}", did.stdout);
}
