//! Any sequence of commands and events: no two pods may write the same, a log gives back what was
//! known, and nothing that is told makes the registry fail.

use proptest::prelude::*;

use super::*;
use crate::limits::POD_TOMBSTONES_MAX;

/// A path of a tree of two names and three levels.
fn any_path() -> impl Strategy<Value = String> {
    let parts = proptest::collection::vec(proptest::sample::select(vec!["x", "y"]), 0..3);
    parts.prop_map(|parts| format!("/{}", parts.join("/")))
}

fn any_rules() -> impl Strategy<Value = Value> {
    let rule = (any_path(), proptest::bool::weighted(0.8), proptest::bool::weighted(0.8));
    let rule = rule.prop_map(|(target, write, recursive)| {
        let permission = if write { "write" } else { "read" };
        json!({"target": target, "permission": permission, "recursive": recursive})
    });
    proptest::collection::vec(rule, 1..3).prop_map(Value::Array)
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A command or an event, with its fields, and how long after the one before it comes.
fn any_move() -> impl Strategy<Value = (&'static str, Value, u64)> {
    let what = prop_oneof![
        12 => Just("reserve_pod"),
        1 => Just("release_pod"),
        2 => Just("record_pod"),
        1 => Just("remove_pod"),
        1 => proptest::sample::select(vec![
            "pod_spawned", "pod_ready", "pod_start_failed", "pod_exited", "stale_reclaimed",
        ]),
    ];
    // Who stands above is mostly one of the names before, so that trees grow deep.
    let pair = (0..NAMES.len(), 0..NAMES.len() + 1, proptest::bool::weighted(0.9));
    let pair = pair.prop_map(|(name, owner, ordered)| {
        let owner = if ordered { owner.min(name) } else { owner };
        (NAMES[name], owner.checked_sub(1).map_or("", |owner| NAMES[owner]))
    });
    // Most hand on whatever they like, few deny themselves anything, and few share a session: else
    // nearly all are refused, and no tree grows.
    let all = json!([{"target": "/", "permission": "write"}]);
    let delegation = prop_oneof![3 => Just(all), 1 => any_rules()];
    let deny = prop_oneof![3 => Just(json!([])), 1 => any_rules()];
    let rules = (any_rules(), deny, delegation);
    let segment = proptest::sample::select(vec!["", "", "", "", "", "s"]);
    let rest = (0..3_u64, any::<bool>(), segment, 0..150_000_u64);
    (what, pair, rules, rest).prop_map(
        |(what, (name, owner), (scope, deny, delegation), (generation, flag, word, passed))| {
            let fields = json!({
                "pod_name": name, "owner": owner, "parent_pod": owner, "scope": scope,
                "deny": deny, "delegation": delegation,
                "segment_id": word, "generation": generation, "if_absent": flag, "revive": !flag,
                "pid": 7, "process_start": "x-1",
                "pods": [{"pod_name": name, "generation": generation}],
            });
            (what, fields, passed)
        },
    )
}

fn play(registry: &mut Registry, moves: &[(&'static str, Value, u64)], each: impl Fn(&Registry)) {
    let mut now = NOW;
    for (what, fields, passed) in moves {
        now = now + crate::time::Millis(*passed);
        match registry.answer(what, fields, now) {
            Some((event, fields)) => registry.apply(event, &Value::Object(fields), now),
            None => registry.apply(what, fields, now),
        }
        each(registry);
    }
}

/// A few levels deeper than any rule.
fn everywhere() -> Vec<ScopePath> {
    let names = ["", "/x", "/y"];
    let paths = names.iter().flat_map(|a| names.map(|b| format!("{a}{b}")));
    let deeper: Vec<_> = paths.flat_map(|p| names.map(|c| format!("/{p}{c}/"))).collect();
    let mut paths: Vec<_> = deeper.iter().flat_map(|p| ScopePath::parse(p)).collect();
    paths.sort();
    paths.dedup();
    paths
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nowhere_do_two_pods_write(moves in proptest::collection::vec(any_move(), 0..40)) {
        let paths = everywhere();
        play(&mut registry(), &moves, |registry| {
            let free = names(registry).into_iter().map(|n| (n, registry.effective_write(n)));
            let free: Vec<_> = free.collect();
            for path in &paths {
                let writes = |f: &Effective| allows(&f.allow, &f.deny, path, Permission::Write);
                let who = free.iter().filter(|(_, free)| writes(free)).map(|(name, _)| *name);
                let who: Vec<_> = who.collect();
                assert!(who.len() <= 1, "{path} is written by {who:?}: {registry:#?}");
            }
        });
    }

    #[test]
    fn every_owner_holds_something_and_none_owns_itself(
        moves in proptest::collection::vec(any_move(), 0..40),
    ) {
        play(&mut registry(), &moves, |registry| {
            for name in names(registry) {
                let Some(owner) = owner_of(registry, name) else { continue };
                assert!(owner.is_empty() || registry.hold(owner).is_some(), "{name} of {owner}");
                assert!(registry.upwards(owner).all(|above| above != name), "{name}");
            }
        });
    }

    #[test]
    fn rows_give_back_what_was_known(
        moves in proptest::collection::vec(any_move(), 0..60),
        every in 1..9_usize,
    ) {
        let mut live = registry();
        let mut rows = BTreeMap::new();
        let mut mirror = Registry::default();
        let mut now = 0;
        for some in moves.chunks(every) {
            play(&mut live, some, |_| {});
            for (name, body) in live.take_changed() {
                mirror.follow(&name, body.as_ref()).expect("what was written is read");
                match body {
                    Some(body) => drop(rows.insert(name, body)),
                    None => drop(rows.remove(&name)),
                }
            }
            now += 1;
        }
        let mut restored = Registry::default();
        for (name, body) in &rows {
            let text = body.to_string();
            let body = serde_json::from_str(&text).expect("what was written is JSON");
            restored.restore(name, &body).expect("what was written is read");
        }
        prop_assert_eq!(&restored, &live, "after {} parts", now);
        prop_assert_eq!(&mirror, &live);
        prop_assert!(restored.take_changed().is_empty() && live.take_changed().is_empty());
    }

    #[test]
    fn generations_of_a_name_only_grow(moves in proptest::collection::vec(any_move(), 0..60)) {
        let seen = std::cell::RefCell::new(BTreeMap::<String, u64>::new());
        play(&mut registry(), &moves, |registry| {
            for (name, pod) in registry.pods() {
                let mut seen = seen.borrow_mut();
                let highest = seen.entry(name.to_string()).or_default();
                assert!(pod.generation >= *highest, "{name}");
                *highest = pod.generation;
            }
            for (name, highest) in &*seen.borrow() {
                assert!(registry.next_generation(name) > *highest, "{name}");
            }
        });
    }

    #[test]
    fn what_is_removed_is_free(moves in proptest::collection::vec(any_move(), 0..40)) {
        let mut registry = registry();
        play(&mut registry, &moves, |_| {});
        for name in NAMES {
            ask(&mut registry, "remove_pod", json!({"pod_name": name}));
        }
        prop_assert!(names(&registry).is_empty());
        prop_assert_eq!(reserve(&mut registry, "z", "", &["/"]), "pod_reserved");
    }
}

#[test]
fn forgotten_names_are_bounded_and_still_count_on() {
    let mut registry = registry();
    for n in 0..=POD_TOMBSTONES_MAX {
        let name = format!("p{n}");
        ask(&mut registry, "record_pod", json!({"pod_name": name}));
        ask(&mut registry, "remove_pod", json!({"pod_name": name}));
    }
    assert_eq!(registry.ended.len(), POD_TOMBSTONES_MAX);
    assert!(["p0", "p1"].iter().all(|name| registry.next_generation(name) == 2));
}
