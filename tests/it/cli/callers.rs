//! Sagas that call others, as authors meet them in `test` and `check`. What callers and their
//! sub-sagas do is tested in `engine::call`.

use super::check::CATALOG;
use super::guides::files_of;
use super::{Did, run, scratch};

/// A saga that is called, with this under `eviction`.
fn kid(eviction: &str) -> String {
    format!(
        r#"saga: kid
trigger: {{ call: {{ fields: {{ k: {{ type: string }} }} }} }}
input: {{ k: "${{{{ trigger.k }}}}" }}
eviction: {{ {eviction} }}
timeout: 30s
defaults: {{ timeout: 10s }}
steps:
  - {{ id: make, issue: make, with: {{ k: "${{{{ input.k }}}}" }}, await: {{ echo: made }} }}
"#
    )
}

/// A saga with these steps, and with this under `eviction`.
fn caller(eviction: &str, steps: &str) -> String {
    format!(
        r#"saga: it
trigger: {{ event: go }}
input: {{ k: "${{{{ trigger.k }}}}" }}
eviction: {{ {eviction} }}
timeout: 5m
defaults: {{ timeout: 10s }}
steps:
{steps}"#
    )
}

const CALL: &str = r#"  - { id: kid, call: kid, with: { k: "${{ input.k }}" } }
"#;

const TELL: &str = "  - { id: tell, issue: tell, await: { echo: told } }
";

const AGAIN: &str = r#"  - { id: again, call: kid, with: { k: "${{ input.k }}" } }
"#;

fn checked(caller: &str, kid: &str) -> Did {
    let here = scratch(&[
        ("sagas/c.catalog.yaml", CATALOG),
        ("sagas/it.saga.yaml", caller),
        ("sagas/kid.saga.yaml", kid),
    ]);
    run(here.path(), &["check", "--json"])
}

/// Both sagas are explored to the end, and nothing is found.
fn keeps_its_promises(caller: &str, kid: &str) {
    let did = checked(caller, kid);
    assert_eq!(did.exit, 0, "{caller}{kid}{}{}", did.stdout, did.stderr);
    for one in did.json().as_array().expect("an array") {
        assert_eq!(one["exhaustive"], true, "{one}");
    }
}

#[test]
fn r12_a_caller_that_waits_for_the_end_of_its_sub_saga_is_not_stuck() {
    let (own, kids) = ("policy: parallel", "policy: parallel");
    keeps_its_promises(&caller(own, CALL), &kid(kids));
    keeps_its_promises(&caller(own, &format!("{CALL}{TELL}")), &kid(kids));
}

#[test]
fn r17_sagas_of_two_names_may_hold_equal_keys() {
    let key = "key: input.k, policy: ignore";
    keeps_its_promises(&caller(key, CALL), &kid(key));
    keeps_its_promises(&caller("policy: parallel", CALL), &kid(key));
}

#[test]
fn r24_sub_sagas_of_one_family_go_past_those_of_it_that_are_held() {
    let key = "key: input.k, policy: queue, queue_max: 2";
    keeps_its_promises(&caller(key, &format!("{CALL}{AGAIN}")), &kid(key));
}

#[test]
fn scenarios_of_a_caller_are_judged_by_the_plans_of_all_its_sagas() {
    let mut files = files_of("docs/guide/calling.md");
    files.retain(|(path, _)| !path.ends_with(".test.yaml"));
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (&**n, &**t)).collect();
    let here = scratch(&files);
    let did = run(here.path(), &["test", "--fill", "sagas/welcome.saga.yaml"]);
    assert_eq!(did.exit, 0, "{}{}", did.stdout, did.stderr);
    assert!(did.stderr.contains("all as expected"), "what was written is played: {}", did.stderr);
    let made = std::fs::read_to_string(here.path().join("sagas/welcome.test.yaml"));
    let made = made.expect("it was written");
    assert!(made.contains("issue: send_gift"), "{made}");
    assert!(made.contains("issue: close_account"), "{made}");
}

/// A directory with both sagas in `sagas/`, and more.
fn beside(caller: &str, kid: &str, more: &[(&str, &str)]) -> tempfile::TempDir {
    let both = [
        ("sagas/c.catalog.yaml", CATALOG),
        ("sagas/it.saga.yaml", caller),
        ("sagas/kid.saga.yaml", kid),
    ];
    scratch(&[&both[..], more].concat())
}

fn plain() -> (String, String) {
    (caller("policy: parallel", CALL), kid("policy: parallel"))
}

/// Exit code and codes of the findings of `validate` with these arguments.
fn codes(here: &tempfile::TempDir, args: &[&str]) -> (i32, Vec<String>) {
    let did = run(here.path(), &[&["validate", "--json"], args].concat());
    let found = did.json()["diagnostics"].as_array().expect("a list").clone();
    let code = |one: &serde_json::Value| one["code"].as_str().unwrap_or_default().to_owned();
    (did.exit, found.iter().map(code).collect())
}

const IT: &str = "sagas/it.saga.yaml";
const KID: &str = "sagas/kid.saga.yaml";

#[test]
fn a_file_that_calls_is_judged_with_the_sagas_beside_it() {
    let files = files_of("docs/guide/calling.md");
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (&**n, &**t)).collect();
    let here = scratch(&files);
    for command in ["validate", "test", "check"] {
        for more in [&[][..], &["--sagas", "sagas"], &["sagas/open_with_card.saga.yaml"]] {
            let more = if command == "test" && more.len() == 1 { &[][..] } else { more };
            let did = run(here.path(), &[&[command, "sagas/welcome.saga.yaml"], more].concat());
            assert_eq!(did.exit, 0, "{command} {more:?}: {}{}", did.stdout, did.stderr);
        }
    }
    let json = run(here.path(), &["validate", "--json", "sagas/welcome.saga.yaml"]).json();
    assert_eq!(json["files"], 1, "what stands beside it was not asked for");
    let checked = run(here.path(), &["check", "--json", "sagas/welcome.saga.yaml"]).json();
    assert_eq!(checked.as_array().map(Vec::len), Some(1), "{checked}");
}

#[test]
fn of_a_file_that_is_named_only_its_own_mistakes_are_told() {
    let (it, kid) = plain();
    let spoilt = kid.replace("timeout: 30s", "timout: 30s");
    let here = beside(&it, &spoilt, &[("sagas/odd.saga.yaml", "saga: odd\n")]);
    assert_eq!(codes(&here, &[IT]), (0, vec![]));
    assert_eq!(codes(&here, &[KID]).1, ["SF401", "SF009"]);
    // What it needs is told where it is to be played; what it does not need is not.
    let did = run(here.path(), &["check", IT]);
    assert_eq!(did.exit, 1, "{}", did.stdout);
    assert!(did.stderr.contains("SF009") && !did.stderr.contains("odd"), "{}", did.stderr);
    let here = beside(&it, &kid, &[("sagas/odd.saga.yaml", "saga: odd\n")]);
    for command in ["validate", "check"] {
        let did = run(here.path(), &[command, IT]);
        assert_eq!(did.exit, 0, "{command}: {}{}", did.stdout, did.stderr);
    }
    let did = run(here.path(), &["test", "--fill", IT]);
    assert_eq!(did.exit, 0, "{}{}", did.stdout, did.stderr);
    assert!(here.path().join("sagas/it.test.yaml").exists());
    assert!(!here.path().join("sagas/kid.test.yaml").exists());
}

#[test]
fn a_saga_that_could_not_be_read_is_not_missed_by_those_that_call_it() {
    let (it, kid) = plain();
    let torn = kid.replace("input: {", "input: [");
    let cases =
        "saga: kid\ncases:\n  - name: it is made\n    when: { call: true, with: { k: a } }\n";
    let here = beside(&it, &torn, &[("sagas/kid.test.yaml", cases)]);
    assert_eq!(codes(&here, &[]).1, ["SF001"]);
    assert_eq!(codes(&here, &[IT]), (0, vec![]));
    for args in [&["check", IT][..], &["test", "sagas/kid.test.yaml"]] {
        let did = run(here.path(), args);
        assert_eq!(did.exit, 1, "{args:?}: {}", did.stdout);
        assert!(did.stderr.contains("SF001") && did.stderr.contains(KID), "{}", did.stderr);
    }
}

#[test]
fn a_mistake_between_sagas_is_told_of_each_of_them() {
    let (it, kid) = plain();
    let back = kid.replace("  - { id: make,", "  - { id: back, call: it }\n  - { id: make,");
    let it = it.replace(
        "trigger: { event: go }",
        "trigger: { any_of: [{ event: go }, { call: { fields: { k: { type: string } } } }] }",
    );
    let back = back.replace("call: it }", "call: it, with: { k: \"${{ input.k }}\" } }");
    let here = beside(&it, &back, &[]);
    for path in [IT, KID] {
        assert_eq!(codes(&here, &[path]), (1, vec!["SF606".to_owned()]), "{path}");
    }
    let fires = |name: &str, on: &str, emits: &str| {
        let step = format!("  - {{ id: tell, emit: {emits} }}\n");
        let saga = caller("policy: parallel", &step).replace("saga: it", &format!("saga: {name}"));
        saga.replace("event: go }", &format!("event: {on} }}"))
            .replace("input: { k: \"${{ trigger.k }}\" }\n", "")
    };
    let (one, two) = (fires("it", "made", "told"), fires("kid", "told", "made"));
    let here = beside(&one, &two, &[]);
    for path in [IT, KID] {
        assert_eq!(codes(&here, &[path]), (1, vec!["SF604".to_owned()]), "{path}");
    }
}

#[test]
fn a_named_file_stands_in_for_its_like_of_another_directory() {
    let (it, kid) = plain();
    let here = beside(&it, &kid, &[("new/it.saga.yaml", &it), ("new/draft.saga.yaml", &it)]);
    for path in ["new/it.saga.yaml", "new/draft.saga.yaml"] {
        for command in ["validate", "check"] {
            let did = run(here.path(), &[command, path, "--sagas", "sagas"]);
            assert_eq!(did.exit, 0, "{command} {path}: {}{}", did.stdout, did.stderr);
        }
    }
    // In one directory there are never two of one name.
    let here = beside(&it, &kid, &[("sagas/copy.saga.yaml", &it)]);
    for path in [IT, "sagas/copy.saga.yaml"] {
        assert_eq!(codes(&here, &[path]), (1, vec!["SF106".to_owned()]), "{path}");
    }
}

#[test]
fn what_an_editor_leaves_beside_a_file_does_not_matter() {
    let (it, kid) = plain();
    let here = beside(&it, &kid, &[]);
    let lock = here.path().join("sagas/.#kid.saga.yaml");
    std::os::unix::fs::symlink("ann@desk.4711", lock).expect("a link to nothing");
    for command in ["validate", "check"] {
        let did = run(here.path(), &[command, IT]);
        assert_eq!(did.exit, 0, "{command}: {}{}", did.stdout, did.stderr);
    }
}
