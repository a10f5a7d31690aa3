//! Many turns at once, with everything that can go wrong: crashes, floods, hangs, leftovers, stops
//! from anywhere, and launchers that are killed.

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{Stage, house};

/// An agent that does what its message says, and leaves a trace of having begun.
const AGENT: &str = "\
read number mode
echo \"$number\" >>\"$TRACE\"
echo \"{\\\"type\\\":\\\"system\\\",\\\"session_id\\\":\\\"s-$number\\\"}\"
case $mode in
  crash) kill -9 $$ ;;
  hang) trap '' TERM; sleep 600 & wait; sleep 600 ;;
  flood) i=0; while [ $i -lt 400 ]; do echo \"$number line $i\"; i=$((i+1)); done ;;
  leave) sleep 600 & ;;
  fail) echo 'it went wrong' >&2; exit 3 ;;
esac
echo \"{\\\"type\\\":\\\"result\\\"}\"
";

const MODES: [&str; 8] = ["well", "well", "well", "crash", "hang", "flood", "leave", "fail"];

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

#[derive(Clone, Debug)]
struct Asked {
    block: String,
    number: usize,
    hangs: bool,
}

struct Torture {
    stage: Stage,
    chance: Chance,
    asked: BTreeMap<u64, Asked>,
    open: BTreeSet<u64>,
    /// The version of the newest event that was heard.
    newest: u64,
}

impl Torture {
    fn new(seed: u64) -> Torture {
        let stage = Stage::of(house());
        let (asked, open) = (BTreeMap::new(), BTreeSet::new());
        Torture { stage, chance: Chance(seed), asked, open, newest: 0 }
    }

    fn ask_all(&mut self, blocks: usize, each: usize) {
        for number in 0..each {
            for block in 0..blocks {
                let block = format!("b{block}");
                let mode = MODES[self.chance.below(MODES.len())];
                let mut input = self.stage.input(&block, AGENT);
                input["message"] = json!(format!("{number} {mode}"));
                input["message_id"] = json!(format!("{block}-{number}"));
                input["env"]["TRACE"] = json!(self.stage.house.at(&block));
                input["grace_ms"] = json!(50);
                let saga = self.stage.start("turn", &input).as_u64().expect("a number");
                self.asked.insert(saga, Asked { block, number, hangs: mode == "hang" });
                self.open.insert(saga);
            }
        }
    }

    /// Listens until all is over; kills the launcher so many times on the way.
    fn run(&mut self, crashes: usize) {
        let pause = self.open.len() / (crashes + 1);
        let mut next = self.open.len().saturating_sub(pause);
        let heard = std::mem::take(&mut self.stage.heard);
        heard.iter().for_each(|line| self.take(line));
        while !self.open.is_empty() {
            if self.open.len() <= next && next > pause / 2 {
                next = next.saturating_sub(pause);
                self.crash();
            }
            let line = self.stage.hear().clone();
            self.stage.heard.clear();
            self.take(&line);
        }
    }

    fn crash(&mut self) {
        self.stage.launcher.signal(Signal::SIGKILL);
        self.stage.launcher.wait();
        self.stage.launcher = self.stage.house.launch();
        self.stage.tool = self.stage.house.peer();
        // What was told meanwhile is told again.
        self.stage.tool.say_register("tool", json!({"resume_from": self.newest}));
    }

    fn take(&mut self, line: &Value) {
        // Answers bear the version as of now, and not that of something heard.
        if line.get("id").is_none() && line["event"] != "registered" {
            self.newest = line["version"].as_u64().unwrap_or_default().max(self.newest);
        }
        let Some(saga) = line["saga_id"].as_u64() else { return };
        match line["event"].as_str().unwrap_or_default() {
            "saga_completed" | "saga_failed" => {
                self.open.remove(&saga);
            }
            // Whoever hangs is stopped, and somebody else now and then.
            "turn_claimed" => {
                let Some(asked) = self.asked.get(&saga) else { return };
                if asked.hangs || self.chance.below(8) == 0 {
                    let stop = json!({
                        "cmd": "start_saga", "saga": "stop", "input": {"block": asked.block}
                    });
                    self.stage.tool.say(&stop);
                }
            }
            _ => {}
        }
    }

    /// Each message ran once, or its end says why not; in order; and nothing is left.
    fn judge(mut self) {
        // The last answers to stops may still be on their way.
        self.stage.end("stop", "b0");
        assert_eq!(self.stage.running(), [0; 0], "orphans");
        let mut begun: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for asked in self.asked.values() {
            begun.entry(asked.block.clone()).or_default();
        }
        for (block, begun) in &mut begun {
            let trace = std::fs::read_to_string(self.stage.house.at(block)).unwrap_or_default();
            begun.extend(trace.lines().map(|line| line.parse::<usize>().expect("a number")));
            assert!(begun.is_sorted_by(|a, b| a < b), "{block} ran {begun:?}");
        }
        let mut ends: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
        for end in self.stage.told_of_all(&["turn_ended", "turn_spawn_failed"]) {
            ends.entry(end["saga_id"].as_u64().expect("an echo")).or_default().push(end);
        }
        for (saga, asked) in &self.asked {
            let ends = ends.get(saga).map_or(&[][..], Vec::as_slice);
            let [end] = ends else { panic!("{asked:?} ended {} times: {ends:#?}", ends.len()) };
            let ran = begun[&asked.block].contains(&asked.number);
            let said = end["killed_by"].as_str().is_some_and(|by| by != "signal");
            assert!(ran || said, "{asked:?} was lost without a word: {end}");
        }
    }
}

/// Kilobytes that a launcher holds.
fn held(stage: &Stage) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", stage.launcher.pid()));
    let status = status.expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn torture(blocks: usize, each: usize, crashes: usize) {
    let mut torture = Torture::new(4);
    torture.ask_all(blocks, each);
    torture.run(crashes);
    torture.judge();
}

/// [P5], [P10], [T1], [T4]
#[test]
fn no_message_is_lost_or_run_twice_and_no_process_is_left_whatever_happens() {
    torture(8, 10, 3);
}

/// The size that the rules were written for; some minutes.
#[test]
#[ignore = "takes minutes; run it after a change to turns or processes"]
fn the_same_with_a_thousand_turns_over_twenty_blocks() {
    torture(20, 50, 9);
}

#[test]
fn a_flood_does_not_stay_in_memory() {
    let mut stage = Stage::new();
    let flood = "yes 'a line of some thirty bytes or so' | head -n 20000";
    stage.run("b", flood);
    let before = held(&stage);
    stage.run("b", flood);
    let after = held(&stage);
    assert!(after < before + 64 * 1024, "{before} kB became {after} kB");
}
