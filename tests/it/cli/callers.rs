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
    let made = std::fs::read_to_string(here.path().join("sagas/welcome.test.yaml"));
    let made = made.expect("it was written");
    assert!(made.contains("issue: send_gift"), "{made}");
    assert!(made.contains("issue: close_account"), "{made}");
}
