//! Claims about the pipe to a target, each against a model that only knows what is owed and what
//! each session got.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::link::{Link, Owed};
use crate::ids::{Seq, SessionNo};

fn owed(saga: u64, order: u64) -> Owed<()> {
    let command_id = format!("{saga}.step.{order}").into();
    Owed { order: Seq(order), command_id, command: () }
}

fn hand_all(link: &mut Link<()>) -> Vec<(u64, u64)> {
    let mut handed = Vec::new();
    while let Some((owed, session)) = link.hand_next() {
        handed.push((owed.order.0, session.0));
    }
    handed
}

#[test]
fn bg_h03_without_a_session_commands_wait_and_nothing_is_handed_over() {
    let mut link = Link::default();
    link.owe(owed(1, 10));
    link.owe(owed(2, 20));
    assert_eq!(link.waiting(), 2);
    assert_eq!(link.session(), None);
    assert!(hand_all(&mut link).is_empty());
    assert_eq!(link.waiting(), 2);
}

#[test]
fn bg_h04_bg_h11_a_new_session_gets_what_waits_in_order_and_then_nothing_waits() {
    let mut link = Link::default();
    link.owe(owed(2, 30));
    link.owe(owed(2, 20));
    link.owe(owed(1, 10));
    link.session_opened(SessionNo(7));
    assert_eq!(hand_all(&mut link), [(10, 7), (20, 7), (30, 7)]);
    assert_eq!(link.waiting(), 0);
}

#[test]
fn bg_h10_p6_a_session_that_closes_twice_closes_once() {
    let mut link = Link::<()>::default();
    link.session_opened(SessionNo(1));
    assert!(link.session_closed(SessionNo(1)));
    assert!(!link.session_closed(SessionNo(1)));
}

#[test]
fn bg_h16_p6_the_late_end_of_an_older_session_leaves_the_newer_one_alone() {
    let mut link = Link::default();
    link.session_opened(SessionNo(1));
    link.session_opened(SessionNo(2));
    assert!(!link.session_closed(SessionNo(1)));
    link.owe(owed(1, 10));
    assert_eq!(hand_all(&mut link), [(10, 2)]);
}

#[test]
fn bg_h18_p5_what_an_ended_saga_owed_never_reaches_a_session() {
    let mut link = Link::default();
    link.owe(owed(1, 10));
    link.owe(owed(2, 20));
    link.owe_no_more(Seq(10));
    link.session_opened(SessionNo(1));
    assert_eq!(hand_all(&mut link), [(20, 1)]);
    assert!(link.take_retracted().is_empty());
}

#[test]
fn p5_what_was_handed_over_and_is_owed_no_more_is_to_be_taken_back() {
    let mut link = Link::default();
    link.session_opened(SessionNo(1));
    link.owe(owed(1, 10));
    link.owe(owed(1, 11));
    hand_all(&mut link);
    link.owe_no_more(Seq(10));
    assert_eq!(link.take_retracted(), ["1.step.10".into()]);
    assert!(hand_all(&mut link).is_empty());
}

#[test]
fn p4_p7_what_an_earlier_session_was_handed_is_handed_again_while_it_is_owed() {
    let mut link = Link::default();
    link.session_opened(SessionNo(1));
    link.owe(owed(1, 10));
    link.owe(owed(2, 20));
    hand_all(&mut link);
    link.session_closed(SessionNo(1));
    link.owe_no_more(Seq(20));
    link.owe(owed(3, 30));
    link.session_opened(SessionNo(2));
    assert_eq!(hand_all(&mut link), [(10, 2), (30, 2)]);
    assert!(link.take_retracted().is_empty());
}

#[derive(Clone, Debug)]
enum Op {
    Owe(u64, BTreeSet<u64>),
    Open(u64),
    Close(u64),
    Hand,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..4u64, proptest::collection::btree_set(0..6u64, 0..4)).prop_map(|(s, o)| Op::Owe(s, o)),
        (1..5u64).prop_map(Op::Open),
        (1..5u64).prop_map(Op::Close),
        Just(Op::Hand),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// In whatever order things happen: a session gets what is owed, all of it, in order, once, and
    /// nothing else.
    #[test]
    fn p1_p4_p5_p6_each_session_gets_exactly_what_is_owed_once_and_in_order(
        ops in proptest::collection::vec(op(), 0..60)
    ) {
        let mut link = Link::default();
        let mut model: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        let mut session = None;
        let mut got: BTreeSet<u64> = BTreeSet::new();
        for op in ops {
            match op {
                Op::Owe(saga, orders) => {
                    let orders: BTreeSet<u64> = orders.iter().map(|o| saga * 100 + o).collect();
                    let before = model.get(&saga).cloned().unwrap_or_default();
                    before.difference(&orders).for_each(|o| link.owe_no_more(Seq(*o)));
                    orders.iter().for_each(|o| link.owe(owed(saga, *o)));
                    got.retain(|o| o / 100 != saga || orders.contains(o));
                    model.insert(saga, orders);
                }
                Op::Open(number) => {
                    link.session_opened(SessionNo(number));
                    session = Some(number);
                    got.clear();
                }
                Op::Close(number) => {
                    let closed = link.session_closed(SessionNo(number));
                    prop_assert_eq!(closed, session == Some(number));
                    if session == Some(number) {
                        session = None;
                        got.clear();
                    }
                }
                Op::Hand => {
                    let all: BTreeSet<u64> = model.values().flatten().copied().collect();
                    let due: Vec<_> = match session {
                        Some(session) => all.difference(&got).map(|o| (*o, session)).collect(),
                        None => Vec::new(),
                    };
                    prop_assert_eq!(hand_all(&mut link), due);
                    if session.is_some() {
                        got = all;
                    }
                }
            }
        }
    }
}
