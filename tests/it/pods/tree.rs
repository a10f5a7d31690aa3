//! Forty pods on three levels, some of which die at random, while a launcher runs and while none
//! does. After one sweep what is known, what is held and what lives are one.

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::{alive, run, shipped, stand_in, watcher, write};
use crate::process::Peer;

/// Pods below the root, and below each of these.
const BRANCHES: usize = 3;
const LEAVES: usize = 12;

/// A pod of the tree.
struct Node {
    owner: String,
    path: String,
}

fn tree() -> BTreeMap<String, Node> {
    let node = |owner: &str, path: String| Node { owner: owner.to_owned(), path };
    let mut tree = BTreeMap::from([("r".to_owned(), node("", "/w".into()))]);
    for branch in 0..BRANCHES {
        let name = format!("b{branch}");
        tree.insert(name.clone(), node("r", format!("/w/{branch}")));
        for leaf in 0..LEAVES {
            tree.insert(format!("{name}-{leaf}"), node(&name, format!("/w/{branch}/{leaf}")));
        }
    }
    tree
}

/// Starts all pods of one level at once; their processes.
fn grow(tool: &mut Peer, tree: &BTreeMap<String, Node>, names: &[&String]) -> Vec<(String, i32)> {
    for name in names {
        let Node { owner, path } = &tree[*name];
        let input = json!({
            "pod_name": name, "owner": owner, "scope": write(path), "delegation": write(path),
            "argv": stand_in::argv("listens"),
        });
        let ask =
            json!({"cmd": "start_saga", "id": name, "saga": "up", "input": input, "wait": true});
        assert!(tool.say(&ask));
    }
    let ended = names.iter().map(|_| {
        let told = tool.until("saga_result");
        assert_eq!(told["state"], "completed", "{told}");
        let pid = told["result"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        (told["id"].as_str().expect("a name").to_owned(), pid.expect("a number"))
    });
    ended.collect()
}

/// Chance that is the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Ends that many of them, and returns when they are gone.
fn reap(living: &mut Vec<(String, i32)>, count: usize, chance: &mut Chance) {
    for _ in 0..count {
        let (_, pid) = living.swap_remove(chance.below(living.len()));
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it is ours");
        while alive(&json!(pid)) {
            std::thread::yield_now();
        }
    }
}

/// What is known, when nothing is on its way any more.
fn settled(tool: &mut Peer, living: &[(String, i32)]) -> Vec<Value> {
    let living: BTreeSet<&str> = living.iter().map(|(name, _)| name.as_str()).collect();
    loop {
        let pods = run(tool, "look", &json!({}))["result"]["pods"].clone();
        let Value::Array(pods) = pods else { panic!("{pods}") };
        let known: BTreeSet<&str> =
            pods.iter().filter_map(|pod| pod["pod_name"].as_str()).collect();
        assert!(living.is_subset(&known), "forgotten though alive: {known:?} of {living:?}");
        if known == living {
            return pods;
        }
        // Each that is known and gone is being removed.
        tool.until("pod_removed");
    }
}

/// Who may write at a path, as the registry says.
fn writers<'a>(pods: &'a [Value], path: &str) -> Vec<&'a str> {
    let within = |rule: &Value| {
        let target = rule["target"].as_str().expect("a path");
        path.strip_prefix(target).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let any = |rules: &Value| rules.as_array().expect("a list").iter().any(within);
    let may = |pod: &&Value| {
        let free = &pod["effective_write"];
        any(&free["allow"]) && !any(&free["deny"])
    };
    pods.iter().filter(may).filter_map(|pod| pod["pod_name"].as_str()).collect()
}

/// The nearest that lives above a pod; empty: none does.
fn above<'a>(
    tree: &'a BTreeMap<String, Node>,
    living: &BTreeMap<&str, &Value>,
    name: &str,
) -> &'a str {
    let owner = |name: &str| tree.get(name).map_or("", |node| node.owner.as_str());
    let up = std::iter::successors(Some(owner(name)), |name| Some(owner(name)));
    up.take_while(|name| !name.is_empty()).find(|up| living.contains_key(up)).unwrap_or_default()
}

#[test]
fn after_one_sweep_what_is_known_held_and_alive_is_one() {
    for seed in [1, 2] {
        let house = shipped();
        let launcher = house.launch();
        let (tree, mut chance) = (tree(), Chance(seed));
        let mut tool = watcher(&house);
        let mut living = Vec::new();
        for level in 0..3 {
            let depth = |path: &str| path.matches('/').count() - 1;
            let names = tree.iter().filter(|(_, node)| depth(&node.path) == level);
            let names: Vec<&String> = names.map(|(name, _)| name).collect();
            living.extend(grow(&mut tool, &tree, &names));
        }
        assert_eq!(living.len(), 40);
        reap(&mut living, 8, &mut chance);
        launcher.kill();
        reap(&mut living, 8, &mut chance);
        let _launcher = house.launch();
        let mut tool = watcher(&house);
        reap(&mut living, 8, &mut chance);
        let swept = run(&mut tool, "pod_sweep", &json!({}));
        assert_eq!(swept["state"], "completed", "{swept}");

        let pods = settled(&mut tool, &living);
        let by_name: BTreeMap<&str, &Value> =
            pods.iter().map(|pod| (pod["pod_name"].as_str().expect("a name"), pod)).collect();
        let above = |name: &str| above(&tree, &by_name, name);
        for (name, pid) in &living {
            let pod = by_name[name.as_str()];
            assert_eq!((&pod["state"], &pod["pid"]), (&json!("ready"), &json!(pid)), "{name}");
            assert_eq!(
                (&pod["holds"], &pod["owner"]),
                (&json!(true), &json!(above(name))),
                "{name}"
            );
            assert!(alive(&json!(pid)), "{name}");
        }
        for (name, Node { path, .. }) in &tree {
            let owner = if by_name.contains_key(name.as_str()) { name } else { above(name) };
            let expected: Vec<&str> =
                Some(owner).filter(|owner| !owner.is_empty()).into_iter().collect();
            assert_eq!(writers(&pods, &format!("{path}/x")), expected, "{path} of seed {seed}");
        }
    }
}
