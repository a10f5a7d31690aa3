//! The registry from outside: commands in, answers folded, and what everybody may then write.

mod processes;
mod random;

use std::borrow::Borrow;

use serde_json::json;

use super::*;
use crate::builtin::scope::{Permission, allows};
use crate::limits::{FRAME_BYTES_MAX, POD_TOMBSTONE};

const NOW: Timestamp = Timestamp(1_000);

/// Asks and folds the answer, as the coordinator does.
fn ask(registry: &mut Registry, cmd: &str, fields: impl Borrow<Value>) -> (&'static str, Value) {
    ask_at(registry, cmd, fields, NOW)
}

fn ask_at(
    registry: &mut Registry,
    cmd: &str,
    fields: impl Borrow<Value>,
    now: Timestamp,
) -> (&'static str, Value) {
    let (event, fields) =
        registry.answer(cmd, fields.borrow(), now).expect("a command of the registry");
    let fields = Value::Object(fields);
    registry.apply(event, &fields, now);
    (event, fields)
}

fn write(targets: &[&str]) -> Value {
    targets.iter().map(|target| json!({"target": target, "permission": "write"})).collect()
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.set_runtime_dir("/run/pods/");
    registry.set_own_name("self");
    registry
}

/// Reserves a pod that may hand on all that it holds.
fn reserve(registry: &mut Registry, name: &str, owner: &str, targets: &[&str]) -> &'static str {
    let scope = write(targets);
    let fields = json!({"pod_name": name, "owner": owner, "scope": scope, "delegation": scope});
    ask(registry, "reserve_pod", fields).0
}

fn writes(registry: &Registry, name: &str, path: &str) -> bool {
    let path = ScopePath::parse(path).expect("a test's path");
    let free = registry.effective_write(name);
    allows(&free.allow, &free.deny, &path, Permission::Write)
}

fn names(registry: &Registry) -> Vec<&str> {
    registry.pods().map(|(name, _)| &**name).collect()
}

fn owner_of<'a>(registry: &'a Registry, name: &str) -> Option<&'a str> {
    Some(&registry.pods.get(name)?.hold.as_ref()?.owner)
}

#[test]
fn a_pod_is_told_where_it_listens_and_reports() {
    let mut registry = registry();
    let fields = json!({"pod_name": "b", "scope": write(&["/w/"]), "token": "t"});
    let (event, told) = ask(&mut registry, "reserve_pod", fields);
    assert_eq!(event, "pod_reserved");
    assert_eq!(told["socket"], "/run/pods/b/sock");
    assert_eq!(told["callback"], "/run/pods/pods.sock");
    assert_eq!(told["generation"], 1);
    assert_eq!(told["scope"], json!([{"target": "/w", "permission": "write", "recursive": true}]));
}

/// What a refusal says: why, and who has what was asked for.
fn refused<'a>(answer: &'a (&'static str, Value)) -> (&'a str, &'a str) {
    assert_eq!(answer.0, "pod_refused", "{}", answer.1);
    let word = |name: &str| answer.1[name].as_str().expect("a word");
    assert!(!word("detail").is_empty());
    (word("why"), word("competitor"))
}

/// bg_pods_a04, bg_3_10_p6: a pod that shut down is removed, and what tells so again changes
/// nothing.
#[test]
fn bg_pods_a04_a_pod_is_removed_once() {
    let mut registry = registry();
    reserve(&mut registry, "b", "", &["/w"]);
    let (_, told) = ask(&mut registry, "remove_pod", json!({"pod_name": "b", "generation": 1}));
    assert_eq!((&told["existed"], &told["generation"]), (&json!(true), &json!(1)));
    assert_eq!(told["scope"][0]["target"], "/w");
    let before = registry.clone();
    let (_, told) = ask(&mut registry, "remove_pod", json!({"pod_name": "b", "generation": 1}));
    assert_eq!((&told["existed"], &told["generation"]), (&json!(false), &json!(0)));
    assert_eq!(registry, before);
}

/// bg_pods_a05, bg_pods_a14
#[test]
fn bg_pods_a05_a_pod_that_another_spawned_is_recorded_once() {
    let mut registry = registry();
    reserve(&mut registry, "b", "", &["/w"]);
    let heard = |socket: &str| {
        let scope = write(&["/w/c"]);
        json!({"pod_name": "c", "parent_pod": "b", "socket": socket, "scope": scope})
    };
    let (_, told) = ask(&mut registry, "record_pod", heard("/run/pods/c/sock"));
    assert_eq!((&told["created"], &told["generation"]), (&json!(true), &json!(1)));
    assert_eq!(told["callback"], "/run/pods/b/sock");
    let before = registry.clone();
    let (_, told) = ask(&mut registry, "record_pod", heard("/elsewhere"));
    assert_eq!((&told["created"], &told["socket"]), (&json!(false), &json!("/run/pods/c/sock")));
    assert_eq!(registry, before);
    assert!(writes(&registry, "c", "/w/c") && !writes(&registry, "b", "/w/c"));
}

#[test]
fn a_pod_whose_parent_is_unknown_has_nobody_to_report_to() {
    let mut registry = registry();
    let heard = json!({"pod_name": "c", "parent_pod": "who", "scope": write(&["/w"])});
    let (_, told) = ask(&mut registry, "record_pod", heard);
    assert_eq!((&told["created"], &told["callback"]), (&json!(true), &json!("")));
    assert!(!writes(&registry, "c", "/w"), "nobody who held it handed it on");
}

#[test]
fn a_pod_cannot_say_that_it_handed_on_what_was_not_its_own() {
    let mut registry = registry();
    reserve(&mut registry, "a", "", &["/a"]);
    reserve(&mut registry, "b", "", &["/b"]);
    let scope = write(&["/a", "/b/c", "/"]);
    ask(&mut registry, "record_pod", json!({"pod_name": "c", "parent_pod": "b", "scope": scope}));
    assert!(writes(&registry, "a", "/a") && writes(&registry, "c", "/b/c"));
    assert!(!writes(&registry, "c", "/a") && !writes(&registry, "c", "/x"));
    assert!(writes(&registry, "b", "/b/d"));
}

/// A report that comes after the end of the pod that it tells of does not bring it back, unless
/// somebody looked and says so; long afterwards the name is as good as new.
#[test]
fn bg_3_10_p6_a_late_word_does_not_bring_a_pod_back() {
    let mut registry = registry();
    let heard = |revive: bool| json!({"pod_name": "c", "revive": revive});
    ask(&mut registry, "record_pod", heard(false));
    ask(&mut registry, "remove_pod", json!({"pod_name": "c"}));
    let (_, told) = ask(&mut registry, "record_pod", heard(false));
    assert_eq!((&told["created"], &told["tombstoned"]), (&json!(false), &json!(true)));
    let mut revived = registry.clone();
    let (_, told) = ask(&mut revived, "record_pod", heard(true));
    assert_eq!((&told["created"], &told["generation"]), (&json!(true), &json!(2)));
    let later = NOW + POD_TOMBSTONE;
    let (_, told) = ask_at(&mut registry, "record_pod", heard(false), later);
    assert_eq!((&told["created"], &told["generation"]), (&json!(true), &json!(2)));
}

/// bg_3_10_p2: what is told of an earlier bearer of a name changes nothing of a later one.
#[test]
fn bg_3_10_p2_an_earlier_bearer_of_a_name_moves_no_later_one() {
    let mut registry = registry();
    reserve(&mut registry, "b", "", &["/w"]);
    ask(&mut registry, "release_pod", json!({"pod_name": "b"}));
    reserve(&mut registry, "b", "", &["/w"]);
    let mut late = registry.clone();
    for cmd in ["remove_pod", "release_pod"] {
        let (_, told) = ask(&mut late, cmd, json!({"pod_name": "b", "generation": 1}));
        assert_eq!(told["existed"], false);
    }
    for event in ["pod_spawned", "pod_ready", "pod_exited", "pod_killed", "pod_released"] {
        let old = json!({"pod_name": "b", "generation": 1, "pid": 7, "existed": true});
        late.apply(event, &old, NOW);
    }
    late.apply("stale_reclaimed", &json!({"pods": [{"pod_name": "b", "generation": 1}]}), NOW);
    assert_eq!(late, registry);
    let (_, told) = ask(&mut late, "remove_pod", json!({"pod_name": "b", "generation": 2}));
    assert_eq!(told["existed"], true);
}

/// bg_3_10_p2: who records what it reserved means that bearer, and brings none back that has ended.
#[test]
fn a_record_made_late_is_of_no_later_bearer() {
    let mut registry = registry();
    reserve(&mut registry, "b", "", &["/w"]);
    let record = |generation: u64| json!({"pod_name": "b", "generation": generation});
    ask(&mut registry, "release_pod", json!({"pod_name": "b"}));
    let (_, told) = ask(&mut registry, "record_pod", record(1));
    assert_eq!((&told["created"], &told["generation"]), (&json!(false), &json!(0)));
    reserve(&mut registry, "b", "", &["/w"]);
    let (_, told) = ask(&mut registry, "record_pod", record(1));
    assert_eq!((&told["created"], &told["generation"]), (&json!(false), &json!(0)));
    let (_, told) = ask(&mut registry, "record_pod", record(2));
    assert_eq!((&told["created"], &told["generation"]), (&json!(true), &json!(2)));
}

#[test]
fn who_reserved_frees_what_it_reserved_and_nothing_else() {
    let mut registry = registry();
    let fields = json!({"pod_name": "b", "scope": write(&["/w"]), "token": "mine"});
    ask(&mut registry, "reserve_pod", fields);
    let (_, told) = ask(&mut registry, "release_pod", json!({"pod_name": "b", "token": "other"}));
    assert_eq!(told["existed"], false);
    let (_, told) = ask(&mut registry, "release_pod", json!({"pod_name": "b", "token": "mine"}));
    assert_eq!(told["existed"], true);
    assert!(names(&registry).is_empty());
}

/// bg_pods_a08, bg_pods_a33: what is removed holds nothing; what nobody reserved has no process.
#[test]
fn bg_pods_a08_a_removed_pod_holds_nothing() {
    let mut registry = registry();
    reserve(&mut registry, "b", "", &["/w"]);
    ask(&mut registry, "record_pod", json!({"pod_name": "b"}));
    ask(&mut registry, "remove_pod", json!({"pod_name": "b"}));
    assert_eq!(reserve(&mut registry, "c", "", &["/w"]), "pod_reserved");
    let before = registry.clone();
    let nobody = json!({"pod_name": "x", "generation": 1, "pid": 7, "process_start": "1-1"});
    registry.apply("pod_spawned", &nobody, NOW);
    assert_eq!(registry, before);
}

#[test]
fn bg_pods_a25_a_scope_is_handed_on_by_who_may() {
    let mut registry = registry();
    let fields = json!({
        "pod_name": "b", "scope": write(&["/w"]),
        "delegation": [{"target": "/w/d", "permission": "write", "recursive": false}],
    });
    ask(&mut registry, "reserve_pod", fields);
    let before = registry.clone();
    let mut check = |rule: Value, why: &str| {
        let fields = json!({"pod_name": "c", "owner": "b", "scope": [rule]});
        assert_eq!(refused(&ask(&mut registry, "reserve_pod", fields)).0, why);
        assert_eq!(registry, before);
    };
    // That it may write there itself does not let it hand that on.
    check(json!({"target": "/w/x", "permission": "write"}), "not_delegable");
    check(json!({"target": "/v", "permission": "read"}), "not_delegable");
    // More than the one level that was handed to it.
    check(json!({"target": "/w/d", "permission": "write", "recursive": true}), "not_delegable");
    check(json!({"target": "w", "permission": "write"}), "bad_scope");
    let fields = json!({"pod_name": "c", "owner": "b", "scope": []});
    assert_eq!(refused(&ask(&mut registry, "reserve_pod", fields)).0, "bad_scope");
    let fields = json!({"pod_name": "c", "owner": "who", "scope": write(&["/w"])});
    assert_eq!(refused(&ask(&mut registry, "reserve_pod", fields)).0, "unknown_owner");
    assert_eq!(registry, before);
}

#[test]
fn a_pod_hands_on_no_authority_that_it_does_not_have() {
    let mut registry = registry();
    reserve(&mut registry, "b", "", &["/w"]);
    let fields = json!({
        "pod_name": "c", "owner": "b", "scope": write(&["/w/c"]), "delegation": write(&["/"]),
    });
    assert_eq!(refused(&ask(&mut registry, "reserve_pod", fields)), ("not_delegable", "b"));
}

/// bg_pods_a27: a cwd is absolute and one that the pod may read; without one it is that of who
/// spawns it. Whether it is there is asked when it is used.
#[test]
fn bg_pods_a27_a_cwd_grants_nothing() {
    let mut registry = registry();
    let all = write(&["/w"]);
    let fields = json!({"pod_name": "b", "scope": all, "delegation": all, "cwd": "/w/b/"});
    ask(&mut registry, "reserve_pod", fields);
    assert_eq!(registry.cwd("b"), Some("/w/b"));
    let spawn =
        |cwd: &str| json!({"pod_name": "c", "owner": "b", "scope": write(&["/w/c"]), "cwd": cwd});
    for cwd in ["c", "/w", "/w/c/../.."] {
        let told = ask(&mut registry, "reserve_pod", spawn(cwd));
        assert_eq!(refused(&told).0, "bad_cwd", "{cwd}");
    }
    ask(&mut registry, "reserve_pod", spawn(""));
    assert_eq!(registry.cwd("c"), Some("/w/b"));
}

#[test]
fn bg_pods_a28_the_deepest_pod_that_works_there_is_named() {
    let mut registry = registry();
    reserve(&mut registry, "a", "", &["/w"]);
    reserve(&mut registry, "b", "a", &["/w/b"]);
    reserve(&mut registry, "c", "b", &["/w/b/c"]);
    let mut check = |scope: &str, expected: (&str, &str)| {
        let fields = json!({"pod_name": "n", "scope": write(&[scope]), "segment_id": "s"});
        let before = registry.clone();
        let told = ask(&mut registry, "reserve_pod", fields);
        assert_eq!(refused(&told), expected, "{scope}");
        assert_eq!(registry, before);
    };
    check("/w/b/c/x", ("write_conflict", "c"));
    check("/w/b/x", ("write_conflict", "b"));
    check("/", ("write_conflict", "c"));
    let again = json!({"pod_name": "b", "scope": write(&["/v"])});
    assert_eq!(refused(&ask(&mut registry, "reserve_pod", again)), ("duplicate_name", "b"));
    let on =
        |name: &str, at: &str| json!({"pod_name": name, "scope": write(&[at]), "segment_id": "s"});
    ask(&mut registry, "reserve_pod", on("p", "/p"));
    let told = ask(&mut registry, "reserve_pod", on("q", "/q"));
    assert_eq!(refused(&told), ("segment_conflict", "p"));
}

#[test]
fn bg_pods_a29_what_is_handed_on_is_not_the_owners_to_write() {
    let mut registry = registry();
    reserve(&mut registry, "a", "", &["/w"]);
    assert!(writes(&registry, "a", "/w/b"));
    assert_eq!(reserve(&mut registry, "b", "a", &["/w/b"]), "pod_reserved");
    assert!(!writes(&registry, "a", "/w/b/x") && writes(&registry, "b", "/w/b/x"));
    assert!(writes(&registry, "a", "/w/c"));
    let sibling = json!({"pod_name": "c", "owner": "a", "scope": write(&["/w/b/x"])});
    assert_eq!(refused(&ask(&mut registry, "reserve_pod", sibling)), ("write_conflict", "b"));
    let outside = json!({"pod_name": "c", "owner": "a", "scope": write(&["/v"])});
    assert_eq!(refused(&ask(&mut registry, "reserve_pod", outside)), ("not_delegable", "a"));
}

/// An owner that hands on what it does not write itself must not hand on what one above it writes.
#[test]
fn who_only_hands_on_takes_from_nobody_above() {
    let mut registry = registry();
    reserve(&mut registry, "a", "", &["/w"]);
    let fields = json!({
        "pod_name": "b", "owner": "a", "delegation": write(&["/w"]),
        "scope": [{"target": "/w", "permission": "read"}],
    });
    ask(&mut registry, "reserve_pod", fields);
    let fields = json!({"pod_name": "c", "owner": "b", "scope": write(&["/w/c"])});
    assert_eq!(refused(&ask(&mut registry, "reserve_pod", fields)), ("write_conflict", "a"));
}

/// Nor does one that would, once who stands between has left.
#[test]
fn what_is_handed_on_is_held_all_the_way_down() {
    let mut registry = registry();
    let all = write(&["/w"]);
    reserve(&mut registry, "a", "", &["/w"]);
    let kept_off = json!({
        "pod_name": "b", "owner": "a", "scope": all, "deny": all, "delegation": all,
    });
    ask(&mut registry, "reserve_pod", kept_off);
    let reads = json!([{"target": "/w", "permission": "read"}]);
    let only_hands_on = json!({"pod_name": "c", "owner": "b", "scope": reads, "delegation": all});
    ask(&mut registry, "reserve_pod", only_hands_on);
    let last = json!({"pod_name": "d", "owner": "c", "scope": all});
    assert_eq!(refused(&ask(&mut registry, "reserve_pod", last)), ("write_conflict", "a"));
}

/// bg_pods_a30: by release, and by a sweep that finds its process gone.
#[test]
fn bg_pods_a30_what_hangs_below_one_that_leaves_hangs_higher() {
    for swept in [false, true] {
        let mut registry = registry();
        reserve(&mut registry, "a", "", &["/w"]);
        reserve(&mut registry, "b", "a", &["/w/b"]);
        reserve(&mut registry, "c", "b", &["/w/b/c"]);
        if swept {
            let mut pod = json!({"pod_name": "b", "generation": 1, "pid": 7, "process_start": "x"});
            registry.apply("pod_spawned", &pod, NOW);
            pod["pid"] = 8.into();
            registry.apply("stale_reclaimed", &json!({"pods": [pod]}), NOW);
            assert!(owner_of(&registry, "b").is_some(), "what was found is another process");
            pod["pid"] = 7.into();
            registry.apply("stale_reclaimed", &json!({"pods": [pod]}), NOW);
        } else {
            ask(&mut registry, "release_pod", json!({"pod_name": "b"}));
        }
        assert_eq!((names(&registry), owner_of(&registry, "c")), (vec!["a", "c"], Some("a")));
        assert!(writes(&registry, "a", "/w/b") && !writes(&registry, "a", "/w/b/c"));
        ask(&mut registry, "remove_pod", json!({"pod_name": "c"}));
        assert!(writes(&registry, "a", "/w/b/c"));
    }
}

/// A pod that comes back denies itself what its earlier pods still hold, and gets it when they end:
/// one denial for each of them, and what it denied itself besides stays denied.
#[test]
fn bg_pods_a31_one_denial_ends_with_each_pod_that_it_stands_for() {
    let mut registry = registry();
    reserve(&mut registry, "a", "", &["/w"]);
    reserve(&mut registry, "b", "a", &["/w/b"]);
    reserve(&mut registry, "c", "b", &["/w/b"]);
    ask(&mut registry, "record_pod", json!({"pod_name": "b"}));
    ask(&mut registry, "release_pod", json!({"pod_name": "a"}));
    let back =
        |deny: &[&str]| json!({"pod_name": "a", "scope": write(&["/w"]), "deny": write(deny)});
    let told = ask(&mut registry, "reserve_pod", back(&[]));
    assert_eq!(refused(&told).0, "write_conflict");
    let mut own = registry.clone();
    assert_eq!(ask(&mut registry, "reserve_pod", back(&["/w/b", "/w/b"])).0, "pod_reserved");
    assert_eq!(ask(&mut own, "reserve_pod", back(&["/w/b", "/w/b", "/w/b"])).0, "pod_reserved");
    for registry in [&mut registry, &mut own] {
        // The first of the two is known still when it holds nothing any more.
        ask(registry, "release_pod", json!({"pod_name": "b"}));
        ask(registry, "remove_pod", json!({"pod_name": "c"}));
        assert!(!writes(registry, "a", "/w/b"));
        ask(registry, "remove_pod", json!({"pod_name": "b"}));
    }
    assert!(writes(&registry, "a", "/w/b"));
    assert!(!writes(&own, "a", "/w/b"), "the third was its own");
}

#[test]
fn bg_pods_a32_who_reads_is_in_nobodys_way() {
    let mut registry = registry();
    reserve(&mut registry, "a", "", &["/w"]);
    let fields = json!({"pod_name": "r", "scope": [{"target": "/w", "permission": "read"}]});
    assert_eq!(ask(&mut registry, "reserve_pod", fields).0, "pod_reserved");
    let (_, told) = ask(&mut registry, "list_pods", json!({}));
    assert_eq!(told["pods"][0]["effective_write"]["allow"][0]["target"], "/w");
    assert_eq!(told["pods"][1]["effective_write"]["allow"], json!([]));
}

/// bg_pods_a35: a session is found by who holds it, and by nobody when none was told.
#[test]
fn bg_pods_a35_a_session_has_one_holder() {
    let mut registry = registry();
    let on = |name: &str, segment: &str| {
        let scope = write(&[&format!("/{name}")]);
        json!({"pod_name": name, "scope": scope, "segment_id": segment})
    };
    for name in ["a", "b"] {
        ask(&mut registry, "reserve_pod", on(name, ""));
    }
    assert_eq!(registry.segment_owner(""), None);
    ask(&mut registry, "reserve_pod", on("c", "one"));
    assert_eq!(registry.segment_owner("one").map(|name| &**name), Some("c"));
    ask(&mut registry, "release_pod", json!({"pod_name": "c"}));
    ask(&mut registry, "reserve_pod", on("c", "two"));
    assert_eq!(registry.segment_owner("one"), None);
    let told = ask(&mut registry, "reserve_pod", on("d", "two"));
    assert_eq!(refused(&told), ("segment_conflict", "c"));
}

#[test]
fn a_name_is_one_of_a_directory_beside_the_launchers_socket() {
    let mut registry = registry();
    for name in ["", ".", "..", ".x", "a/b", "a b", "pods.sock", "self", "ä", &"x".repeat(129)] {
        let fields = json!({"pod_name": name, "scope": write(&["/w"])});
        assert_eq!(refused(&ask(&mut registry, "reserve_pod", fields)).0, "bad_name", "{name}");
    }
    registry.set_runtime_dir(&format!("/{}", "r".repeat(100)));
    let told = ask(&mut registry, "reserve_pod", json!({"pod_name": "b", "scope": write(&["/w"])}));
    assert_eq!(refused(&told).0, "bad_name");
    assert!(told.1["detail"].as_str().is_some_and(|why| why.contains("runtime_dir")));
}

#[test]
fn a_row_that_another_version_wrote_is_refused() {
    let mut registry = registry();
    for (name, body) in [
        ("b", json!({"pod": {"generation": 1}})),
        ("b", json!({"ended": {"generation": 1, "until": 5, "why": "x"}})),
        ("b", json!({"lost": {}})),
        ("", json!({"floor": -1})),
        ("b", json!(null)),
    ] {
        assert!(registry.restore(name, &body).is_err(), "{body}");
    }
    assert_eq!(registry, Registry::default());
}

/// However many pods there are, all of them are listed in one line of the wire.
#[test]
fn all_pods_fit_into_one_answer() {
    let mut registry = registry();
    let long = "x".repeat(2_000);
    let mut last = ("", Value::Null);
    for n in 0..4 * FRAME_BYTES_MAX / 2_000 {
        let scope = write(&[&format!("/{n}/{long}")]);
        let name = format!("p{n}");
        let (reserved, recorded) = (n % 2 == 0, json!({"pod_name": name, "scope": scope}));
        let cmd = if reserved { "reserve_pod" } else { "record_pod" };
        last = ask(&mut registry, cmd, recorded);
        if last.0 == "pod_refused" {
            break;
        }
    }
    assert_eq!(refused(&last).0, "full");
    let (_, told) = ask(&mut registry, "list_pods", json!({}));
    let bytes = told.to_string().len();
    assert!((FRAME_BYTES_MAX / 4..FRAME_BYTES_MAX - 1_024).contains(&bytes), "{bytes}");
    let (_, told) =
        ask(&mut registry, "record_pod", json!({"pod_name": "q", "scope": write(&[&long])}));
    assert_eq!((&told["created"], &told["generation"]), (&json!(false), &json!(0)));
}
