//! What the registry knows of the processes of pods, and what is told of other ones.

use super::*;

#[test]
fn a_process_is_known_from_its_spawning_to_its_end() {
    let mut registry = registry();
    reserve(&mut registry, "b", "", &["/w"]);
    let tell = |registry: &mut Registry, event: &str| {
        let fields = json!({"pod_name": "b", "generation": 1, "pid": 7, "process_start": "x-9"});
        registry.apply(event, &fields, NOW);
        let phase = &registry.pod("b").expect("it is reserved").phase;
        (phase.word(), phase.process().map(|(pid, start)| (pid, start.as_ref().to_owned())))
    };
    let process = Some((7, "x-9".to_owned()));
    assert_eq!(tell(&mut registry, "pod_ready"), ("reserved", None), "it was never spawned");
    assert_eq!(tell(&mut registry, "pod_spawned"), ("spawned", process.clone()));
    assert_eq!(tell(&mut registry, "pod_start_failed"), ("reserved", None));
    tell(&mut registry, "pod_spawned");
    // One that was refused beside it, or an earlier one that ended, is not this one.
    for (pid, phase) in [(None, "spawned"), (Some(8), "spawned"), (Some(7), "reserved")] {
        let mut other = registry.clone();
        let failed = json!({"pod_name": "b", "generation": 1, "pid": pid});
        other.apply("pod_start_failed", &failed, NOW);
        assert_eq!(other.pod("b").map(|pod| pod.phase.word()), Some(phase), "{pid:?}");
    }
    assert_eq!(tell(&mut registry, "pod_ready"), ("ready", process.clone()));
    assert_eq!(tell(&mut registry, "pod_start_failed"), ("ready", process));
    assert_eq!(tell(&mut registry, "pod_exited"), ("exited", None));
    assert_eq!(tell(&mut registry, "pod_killed"), ("exited", None));
}

/// [T2]: a sweep looks, and what it found is folded later: what was started since is no part of it.
#[test]
fn a_sweep_frees_no_pod_that_was_started_since() {
    let mut registry = registry();
    reserve(&mut registry, "b", "", &["/w"]);
    let of = |pid: u64| json!({"pod_name": "b", "generation": 1, "pid": pid, "process_start": format!("x-{pid}")});
    let gone = json!({"pod_name": "b", "generation": 1});
    let holds = |registry: &Registry| registry.pod("b").is_some_and(Pod::holds);
    registry.apply("pod_spawned", &of(7), NOW);
    registry.apply("pod_start_failed", &of(7), NOW);
    registry.apply("stale_reclaimed", &json!({"pods": [of(7)]}), NOW);
    assert!(holds(&registry), "who reserved it may start it again");
    registry.apply("pod_spawned", &of(8), NOW);
    for told in [of(7), gone.clone()] {
        registry.apply("stale_reclaimed", &json!({"pods": [told]}), NOW);
        assert!(holds(&registry));
    }
    let mut exited = registry.clone();
    exited.apply("pod_exited", &of(8), NOW);
    for (mut registry, told) in [(registry, of(8)), (exited.clone(), of(8)), (exited, gone)] {
        registry.apply("stale_reclaimed", &json!({"pods": [told]}), NOW);
        assert!(!holds(&registry));
    }
}

/// bg_pods_a07: what a pod tells of its turns is no matter of the registry's, nor is what it does
/// not know.
#[test]
fn bg_pods_a07_reports_of_turns_change_nothing() {
    let mut registry = registry();
    reserve(&mut registry, "b", "", &["/w"]);
    let before = registry.clone();
    for event in ["pod_turn_ended", "pod_errored", "pod_shut_down", "pod_of_tomorrow"] {
        registry.apply(event, &json!({"pod_name": "b", "generation": 1}), NOW);
        registry.apply(event, &json!("no object"), NOW);
    }
    assert_eq!(registry, before);
    assert_eq!(registry.answer("start_pod", &json!({"pod_name": "b"}), NOW), None);
}
