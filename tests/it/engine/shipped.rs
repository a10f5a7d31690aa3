//! The scenarios of the earlier launcher's coordinator and its two sagas, asked of the shipped
//! YAML.

use sagaflow::coordinator::{RefusalCode, Signal};
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Cause, Record, State};
use sagaflow::time::Millis;
use serde_json::{Value, json};

use crate::world::{Sent, World};

fn world() -> World {
    let mut world = World::shipped();
    world.connect("host");
    world
}

fn hear(world: &mut World, event: &str, fields: Value) {
    world.report("host", event, fields).expect("it is declared");
}

fn close(world: &mut World, label: &str) {
    hear(world, "window_closed", json!({"label": label, "crash_detected": false}));
}

fn promote(world: &mut World, label: &str) {
    hear(world, "pool_window_promoted", json!({"label": label}));
}

fn echo(world: &mut World, sent: &Sent, event: &str, label: &str) {
    world.echo(sent, event, json!({"label": label})).expect("it is the host's to say");
}

fn running(world: &World) -> Vec<String> {
    world.coordinator.sagas().map(|(saga, _)| saga.name.to_string()).collect()
}

#[test]
fn bg_c01_what_triggers_nothing_starts_nothing() {
    let mut world = world();
    world.client("tool");
    world.disconnect("tool");
    assert!(running(&world).is_empty());
    assert_eq!(world.published("saga_started").len(), 0);
}

#[test]
fn bg_c02_ids_strictly_increase() {
    let mut world = world();
    for label in ["x", "z", "w"] {
        promote(&mut world, label);
    }
    assert_eq!(world.open(), [1, 2, 3]);
}

#[test]
fn bg_c03_bg_p01_bg_i01_a_promotion_asks_for_another_warm_window() {
    let mut world = world();
    promote(&mut world, "w1");
    assert_eq!(running(&world), ["pool_respawn_on_promote"]);
    let asked = world.last("spawn_pool_window");
    assert_eq!((&*asked.target, asked.owed.saga), ("host", SagaId(1)));
}

#[test]
fn bg_c04_bg_w01_a_clean_close_starts_the_cascade() {
    let mut world = world();
    close(&mut world, "w1");
    assert_eq!(running(&world), ["window_cleanup_cascade"]);
    assert_eq!(world.last("reap_panes").with("label"), "w1");
}

#[test]
fn bg_c05_a_crashed_window_starts_nothing() {
    let mut world = world();
    for label in ["w1", "main", "a label with spaces", "\u{1F980}"] {
        hear(&mut world, "window_closed", json!({"label": label, "crash_detected": true}));
    }
    assert!(running(&world).is_empty());
}

#[test]
fn bg_c06_events_of_the_middle_start_nothing() {
    let mut world = world();
    let label = json!({"label": "w1"});
    for event in [
        "pool_window_added",
        "pool_window_removed",
        "window_opened",
        "panes_reaped",
        "pool_drained",
        "pool_not_last",
    ] {
        hear(&mut world, event, label.clone());
    }
    assert!(running(&world).is_empty());
    let answers = world.published("panes_reaped").len();
    assert_eq!(answers, 1, "bg_t04: it is published all the same, for a closed window too");
}

#[test]
fn bg_c07_nobody_else_reports_a_bracket() {
    let mut world = world();
    for event in ["saga_started", "saga_completed", "saga_failed"] {
        let refused = world.report("host", event, json!({"saga_id": 7})).expect_err("not theirs");
        assert!(
            matches!(refused.code, RefusalCode::NotAllowed | RefusalCode::UnknownEvent),
            "{refused:?}"
        );
    }
    assert!(running(&world).is_empty());
}

#[test]
fn bg_c08_random_triggers_start_what_the_definitions_say() {
    let mut random: u64 = 0x2545_F491_4F6C_DD1D;
    for _ in 0..16 {
        let mut world = world();
        let mut wanted = Vec::new();
        for step in 0..20 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let label = format!("w{step}");
            match random % 4 {
                0 => {
                    promote(&mut world, &label);
                    wanted.push("pool_respawn_on_promote");
                }
                1 => {
                    close(&mut world, &label);
                    wanted.push("window_cleanup_cascade");
                }
                2 => hear(
                    &mut world,
                    "window_closed",
                    json!({"label": label, "crash_detected": true}),
                ),
                _ => hear(&mut world, "window_opened", json!({"label": label})),
            }
        }
        assert_eq!(running(&world), wanted);
    }
}

#[test]
fn bg_c10_two_clean_closes_before_any_echo_both_complete() {
    let mut world = world();
    close(&mut world, "w1");
    let first = world.last("reap_panes");
    close(&mut world, "w2");
    let second = world.last("reap_panes");
    assert_ne!(first.owed.saga, second.owed.saga);
    for (reap, label) in [(second, "w2"), (first, "w1")] {
        echo(&mut world, &reap, "panes_reaped", label);
        let drain = world.last("drain_pool_if_last");
        assert_eq!(drain.owed.saga, reap.owed.saga);
        echo(&mut world, &drain, "pool_not_last", label);
    }
    assert_eq!((world.state(1), world.state(2)), (State::Completed, State::Completed));
    assert!(world.published("saga_failed").is_empty());
}

#[test]
fn bg_c11_two_promotions_complete_on_their_own_echoes_in_any_order() {
    let mut world = world();
    promote(&mut world, "w1");
    let first = world.last("spawn_pool_window");
    promote(&mut world, "w2");
    let second = world.last("spawn_pool_window");
    echo(&mut world, &second, "pool_window_added", "p2");
    assert_eq!(world.open(), [1]);
    echo(&mut world, &first, "pool_window_added", "p1");
    assert_eq!(world.verdict(1).result, Some(json!({"refilled_label": "p1"}).into()));
    assert_eq!(world.verdict(2).result, Some(json!({"refilled_label": "p2"}).into()));
}

#[test]
fn bg_c12_bg_c13_bg_p07_one_bracket_each_started_before_its_end() {
    let mut world = world();
    promote(&mut world, "w1");
    let spawn = world.last("spawn_pool_window");
    close(&mut world, "w2");
    let reap = world.last("reap_panes");
    echo(&mut world, &spawn, "pool_window_added", "p1");
    echo(&mut world, &reap, "panes_reaped", "w2");
    let drain = world.last("drain_pool_if_last");
    echo(&mut world, &drain, "pool_drained", "w2");
    let story = world.story();
    for saga in [1, 2] {
        let at = |word: &str| story.iter().position(|line| *line == format!("{word} {saga}"));
        assert!(at("saga_started") < at("saga_completed"));
        assert_eq!(world.terminals(saga), ["saga_completed"]);
    }
}

#[test]
fn bg_c14_a_saga_that_ends_in_its_first_breath_has_one_bracket() {
    for (verb, end) in [("done: true", "saga_completed"), ("fail: at once", "saga_failed")] {
        let mut world = super::it(&format!("timeout: 10m\nsteps: [{{ id: one, {verb} }}]"));
        super::go(&mut world, "k");
        let story = world.story();
        assert_eq!(story[story.len() - 2..], ["saga_started 1".to_owned(), format!("{end} 1")]);
        assert_eq!(world.terminals(1).len(), 1);
    }
}

#[test]
fn bg_c15_silence_until_the_deadline_fails_the_saga() {
    let mut world = world();
    promote(&mut world, "w1");
    world.advance(Millis(5_000));
    assert_eq!(world.verdict(1).cause, Some(Cause::TimedOut));
    assert_eq!(world.published("saga_failed")[0].fields["outcome"], json!("timed_out"));
    assert!(running(&world).is_empty());
}

#[test]
fn bg_c16_echo_and_deadline_of_one_instant_give_one_terminal() {
    let mut world = world();
    promote(&mut world, "w1");
    let spawn = world.last("spawn_pool_window");
    world.now = world.now + Millis(5_000);
    echo(&mut world, &spawn, "pool_window_added", "p1");
    world.advance(Millis(0));
    assert_eq!(world.terminals(1), ["saga_completed"]);
}

#[test]
fn bg_c20_bg_3_10_r6_an_echo_is_a_record_and_no_reader_can_miss_it() {
    let mut world = world();
    close(&mut world, "w1");
    let reap = world.last("reap_panes");
    let client = world.client("host");
    let report = sagaflow::coordinator::IncomingReport {
        event: "panes_reaped".into(),
        fields: json!({"label": "w1"}).as_object().expect("an object").clone(),
        echo: Some((SagaId(1), reap.owed.step.clone())),
        command_id: None,
        dedup: None,
    };
    world.coordinator.report(&client, report).expect("it is the host's to say");
    world.commit_and_crash();
    world.connect("host");
    assert_eq!(world.last("drain_pool_if_last").id(), "1.drain.1");
}

#[test]
fn bg_p02_bg_p03_bg_p04_bg_p05_only_its_own_echo_refills() {
    let mut world = world();
    promote(&mut world, "w1");
    let spawn = world.last("spawn_pool_window");
    hear(&mut world, "pool_window_added", json!({"label": "organic"}));
    let foreign = Some((1, "another"));
    let label = json!({"label": "p"});
    world.report_with("host", "pool_window_added", label, foreign, None).expect("it is heard");
    hear(&mut world, "window_opened", json!({"label": "w1"}));
    hear(&mut world, "pool_window_removed", json!({"label": "w1"}));
    promote(&mut world, "w2");
    let other = world.last("spawn_pool_window");
    echo(&mut world, &other, "pool_window_added", "p2");
    assert_eq!(world.open(), [1], "the second saga's echo is the second saga's");
    echo(&mut world, &spawn, "pool_window_added", "p1");
    assert_eq!(world.verdict(1).result, Some(json!({"refilled_label": "p1"}).into()));
}

#[test]
fn bg_p06_of_two_own_echoes_the_first_counts() {
    let mut world = world();
    promote(&mut world, "w1");
    let spawn = world.last("spawn_pool_window");
    echo(&mut world, &spawn, "pool_window_added", "first");
    echo(&mut world, &spawn, "pool_window_added", "second");
    assert_eq!(world.verdict(1).result, Some(json!({"refilled_label": "first"}).into()));
    assert_eq!(world.terminals(1).len(), 1);
}

/// A cascade that waits for its first echo.
fn reaping() -> (World, Sent) {
    let mut world = world();
    close(&mut world, "w1");
    let reap = world.last("reap_panes");
    (world, reap)
}

/// A cascade that waits for its second echo.
fn draining() -> (World, Sent) {
    let (mut world, reap) = reaping();
    echo(&mut world, &reap, "panes_reaped", "w1");
    let drain = world.last("drain_pool_if_last");
    (world, drain)
}

#[test]
fn bg_w02_an_own_reaped_asks_whether_it_was_the_last() {
    let (world, drain) = draining();
    assert_eq!(drain.with("label"), "w1");
    let (saga, _) = world.coordinator.saga(SagaId(1)).expect("it runs");
    assert!(!saga.vars.contains_key("drained"), "nothing is decided yet: {:?}", saga.vars);
}

#[test]
fn bg_w03_bg_w04_either_answer_is_a_success_and_is_remembered() {
    for (event, drained) in [("pool_drained", true), ("pool_not_last", false)] {
        let (mut world, drain) = draining();
        echo(&mut world, &drain, event, "w1");
        assert_eq!(world.verdict(1).result, Some(json!({"drained": drained}).into()));
    }
}

#[test]
fn bg_w05_bg_w06_bg_w07_a_reaped_without_id_of_another_saga_or_window_is_not_its_own() {
    let (mut world, reap) = reaping();
    hear(&mut world, "panes_reaped", json!({"label": "w1"}));
    close(&mut world, "w2");
    let other = world.last("reap_panes");
    echo(&mut world, &other, "panes_reaped", "w2");
    echo(&mut world, &reap, "panes_reaped", "w2");
    assert_eq!(world.trail(1), ["reap issued"]);
    echo(&mut world, &reap, "panes_reaped", "w1");
    assert_eq!(world.trail(1), ["reap issued", "reap succeeded", "drain issued"]);
}

#[test]
fn bg_w08_a_drained_while_reaping_is_too_early() {
    let (mut world, reap) = reaping();
    echo(&mut world, &reap, "pool_drained", "w1");
    assert_eq!(world.trail(1), ["reap issued"]);
}

#[test]
fn bg_w09_another_close_is_another_saga() {
    let (mut world, _) = reaping();
    close(&mut world, "w2");
    assert_eq!(world.trail(1), ["reap issued"]);
    assert_eq!(world.open(), [1, 2]);
}

#[test]
fn bg_w10_a_decision_about_another_window_decides_nothing() {
    for event in ["pool_drained", "pool_not_last"] {
        let (mut world, drain) = draining();
        echo(&mut world, &drain, event, "w2");
        assert_eq!(world.trail(1).len(), 3);
        assert_eq!(world.state(1), State::Running);
    }
}

#[test]
fn bg_l01_a_completed_respawn_is_one_saga_with_its_input_and_no_reason() {
    let mut world = world();
    promote(&mut world, "w1");
    let spawn = world.last("spawn_pool_window");
    echo(&mut world, &spawn, "pool_window_added", "p1");
    let began: Vec<&Record> =
        world.of_saga(1).filter(|record| matches!(record, Record::Began(_))).collect();
    let [Record::Began(began)] = began[..] else { panic!("it began once: {began:?}") };
    assert_eq!(*began.input, json!({"promoted_label": "w1"}));
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.reason), (State::Completed, None));
}

#[test]
fn bg_l03_after_the_first_echo_one_step_is_done_and_one_waits() {
    let (mut world, _) = draining();
    world.crash();
    assert_eq!(world.trail(1), ["reap issued", "reap succeeded", "drain issued"]);
    assert_eq!(world.state(1), State::Running);
}

#[test]
fn bg_i03_bg_3_10_r4_a_refused_action_fails_its_saga_and_its_step() {
    let (mut world, reap) = reaping();
    world.fail(&reap, "no such window");
    assert_eq!(world.trail(1)[1], "reap failed", "no step stays open behind an ended saga");
    let failed = world.published("saga_failed")[0].fields.clone();
    assert_eq!(failed["reason"], json!("no such window"));
    assert_eq!(failed["cause"], json!("action_failed"));
    assert!(running(&world).is_empty());
}

#[test]
fn bg_3_10_r2_a_step_of_an_ended_saga_is_not_finished_afterwards() {
    let (mut world, reap) = reaping();
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it runs");
    let trail = world.trail(1);
    echo(&mut world, &reap, "panes_reaped", "w1");
    assert_eq!(world.trail(1), trail);
}

#[test]
fn bg_3_10_r3_what_expires_in_a_pipe_ends_its_saga_once() {
    let mut world = world();
    world.disconnect("host");
    world.connect("host");
    promote(&mut world, "w1");
    world.disconnect("host");
    world.advance(Millis(600_000));
    assert_eq!(world.terminals(1).len(), 1);
    assert!(running(&world).is_empty());
}

#[test]
fn bg_3_10_r5_bg_3_10_r8_steps_have_deadlines_of_their_own_that_nobody_delays() {
    let (mut world, _) = reaping();
    close(&mut world, "w2");
    let second = world.last("reap_panes");
    world.advance(Millis(9_000));
    echo(&mut world, &second, "panes_reaped", "w2");
    world.advance(Millis(1_000));
    assert_eq!(world.verdict(1).reason.as_deref(), Some("step `reap` timed out after 10s"));
    assert_eq!(world.state(2), State::Running, "its second step has a clock of its own");
}

#[test]
fn bg_3_10_r7_a_command_of_the_wrong_kind_is_found_before_anything_runs() {
    let saga = "saga: it\ntrigger: { event: go }\neviction: { policy: parallel }\ntimeout: 10m\n\
        steps: [{ id: one, issue: window_closed, await: none }]";
    let texts = [("c.catalog.yaml", super::CATALOG), ("it.saga.yaml", saga)];
    let texts = texts.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    let loaded = sagaflow::launcher::Loaded::of(texts.into());
    assert!(loaded.diagnostics.has_errors());
}

#[test]
fn r22_bg_3_10_r9_versions_rise_in_the_order_in_which_things_are_told() {
    let (mut world, drain) = draining();
    echo(&mut world, &drain, "pool_not_last", "w1");
    let versions: Vec<u64> = world.events.iter().map(|event| event.version.0).collect();
    assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
}

#[test]
fn r2_bg_3_10_r10_a_start_whose_record_is_lost_did_not_happen() {
    let mut world = world();
    let client = world.client("host");
    let report = sagaflow::coordinator::IncomingReport {
        event: "pool_window_promoted".into(),
        fields: json!({"label": "w1"}).as_object().expect("an object").clone(),
        echo: None,
        command_id: None,
        dedup: None,
    };
    world.coordinator.report(&client, report).expect("it is declared");
    assert_eq!(world.coordinator.sagas().count(), 1);
    world.crash();
    assert!(running(&world).is_empty());
    assert!(world.sent.is_empty() && world.published("saga_started").is_empty());
}

#[test]
fn bg_t01_only_the_target_answers_for_a_command() {
    let (mut world, reap) = reaping();
    let echo = Some((1, &*reap.owed.step));
    let label = json!({"label": "w1"});
    let refused = world.report_with("tool", "panes_reaped", label, echo, None).expect_err("no");
    assert_eq!(refused.code, RefusalCode::NotAllowed);
}

#[test]
fn bg_t03_either_report_of_a_drain_carries_the_id_of_its_saga() {
    let (mut world, drain) = draining();
    echo(&mut world, &drain, "pool_drained", "w1");
    let told = world.published("pool_drained")[0];
    assert_eq!(told.echo.as_ref().map(|(saga, step)| (saga.0, &**step)), Some((1, "drain")));
}

#[test]
fn bg_t07_what_is_a_command_and_no_event_cannot_be_reported() {
    let mut world = world();
    let refused = world.report("host", "reap_panes", json!({"label": "w1"})).expect_err("no event");
    assert_eq!(refused.code, RefusalCode::UnknownEvent);
}
