//! Many sagas at once over one srv, with everything that may go wrong going wrong by chance; chance
//! is a seed, so that a failure comes again.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Record, State};
use sagaflow::time::Millis;

use super::{Desk, Fault, furnished};

/// Numbers that look like chance: splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % sides as u64).expect("below `sides`")
    }

    fn pick<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.roll(list.len())].clone()
    }
}

/// A saga with an input that often fits what srv owns, and often does not any more.
fn any_saga(dice: &mut Dice, desk: &Desk) -> (&'static str, Value) {
    let tabs: Vec<String> = desk.srv.tabs.keys().cloned().collect();
    let blocks: Vec<String> = furnished().metas.keys().cloned().collect();
    let (tab, target, block) = (dice.pick(&tabs), dice.pick(&tabs), dice.pick(&blocks));
    let from = desk.srv.tab_of(&block).map_or("t1", |(tab, _)| tab).to_owned();
    let home = |tab: &str| desk.srv.home_of(tab).map_or("home", |(home, _)| home).to_owned();
    match dice.roll(9) {
        0 => ("tear_off_tab", json!({"tab_id": tab, "source_workspace_id": home(&tab)})),
        1 => (
            "tear_off_block",
            json!({"block_id": block, "source_tab_id": from, "source_workspace_id": home(&from)}),
        ),
        2 => (
            "restore_torn_off_tab",
            json!({
                "tab_id": tab,
                "source_workspace_id": home(&tab),
                "dest_workspace_id": dice.pick(&["home", "dest"]),
            }),
        ),
        3 => (
            "promote_block_to_tab",
            json!({"block_id": block, "source_tab_id": from, "workspace_id": home(&from)}),
        ),
        4 => (
            "redock_floating_pane",
            json!({
                "block_id": block,
                "source_tab_id": from,
                "source_workspace_id": home(&from),
                "target_tab_id": target,
                "target_workspace_id": home(&target),
                "index": dice.roll(3),
            }),
        ),
        6 => ("delete_workspace", json!({"workspace_id": "lone"})),
        7 => ("close_pane", json!({"block_ids": [block, dice.pick(&blocks)]})),
        5 => ("delete_block", json!({"block_id": block, "tab_id": from})),
        _ => ("delete_tab", json!({"workspace_id": home(&tab), "tab_id": tab})),
    }
}

fn any_trouble(dice: &mut Dice, desk: &mut Desk) {
    let step = dice.pick(&["move", "workspace", "tab", "delete", "prune", "left", "source"]);
    let fault = dice.pick(&[Fault::Refused, Fault::Silent, Fault::Mute, Fault::MuteOnce]);
    desk.no_more_trouble();
    desk.trouble(step, fault);
}

fn play(seed: u64) -> Desk {
    let mut dice = Dice(seed);
    let mut desk = Desk::new();
    for _ in 0..60 {
        match dice.roll(12) {
            0..3 => {
                let (saga, input) = any_saga(&mut dice, &desk);
                // Refused where another one holds the block or the tab.
                drop(desk.start(saga, input));
            }
            3..8 => {
                desk.step();
            }
            8 => desk.world.advance(Millis(dice.pick(&[10, 900, 2_000]))),
            9 => {
                desk.lose_the_wire(dice.roll(2) == 0);
                let span = Millis(dice.pick(&[0, 0, 3_000]));
                if dice.roll(2) == 0 { desk.crash(span) } else { desk.reconnect(span) }
            }
            10 => any_trouble(&mut dice, &mut desk),
            _ => {
                if let Some(saga) = desk.world.open().first().copied() {
                    drop(desk.world.signal(SagaId(saga), Signal::Cancel, "enough"));
                }
            }
        }
    }
    desk.no_more_trouble();
    desk.finish();
    desk
}

/// What must hold of srv whatever happened: nothing lost, nothing doubled.
fn assert_sound(desk: &Desk, seed: u64) {
    let homes = desk.srv.workspaces.values().flat_map(|workspace| &workspace.tabs);
    let placed: Vec<&String> = homes.collect();
    let distinct: BTreeSet<&String> = placed.iter().copied().collect();
    assert_eq!(placed.len(), distinct.len(), "seed {seed}: a tab in two places: {placed:?}");
    assert!(distinct.into_iter().eq(desk.srv.tabs.keys()), "seed {seed}: a tab nowhere");
    let shown: Vec<&String> = desk.srv.tabs.values().flat_map(|tab| &tab.blocks).collect();
    let distinct: BTreeSet<&String> = shown.iter().copied().collect();
    assert_eq!(shown.len(), distinct.len(), "seed {seed}: a block in two places: {shown:?}");
}

/// What a saga that ended undone created is not there; what it failed to undo is an incident.
fn assert_undone(desk: &Desk, seed: u64) {
    let started = desk.world.published("saga_started").len();
    let ended = desk.world.published("saga_completed").len();
    let failed = desk.world.published("saga_failed").len();
    assert_eq!(started, ended + failed, "seed {seed}: every bracket is closed once [R1]");
    for fact in desk.world.facts() {
        let (Some(SagaId(id)), Record::Ended(verdict)) = (fact.saga, &fact.record) else {
            continue;
        };
        assert_eq!(desk.world.terminals(id).len(), 1, "seed {seed}, saga {id}");
        if matches!(verdict.state, State::Failed | State::Compensated) {
            let what = format!("seed {seed}, saga {id} ended {verdict:?}: {:?}", desk.done);
            assert!(!desk.srv.workspaces.contains_key(&format!("ws-{id}")), "{what}");
            assert!(!desk.srv.tabs.contains_key(&format!("tab-{id}")), "{what}");
        }
    }
}

/// [R1] [R12] [R20]: sagas that overlap, with commands lost, answers lost, refusals, cancels, and
/// both sides going away at any moment.
#[test]
fn nothing_is_lost_doubled_or_left_behind_in_a_storm() {
    for seed in 0..40 {
        let desk = play(seed);
        assert_sound(&desk, seed);
        assert_undone(&desk, seed);
    }
}
