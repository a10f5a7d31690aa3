//! Claims about one connection's queue, without a socket.

use std::sync::Arc;

use crate::ids::Seq;
use crate::ipc::frames::Line;
use crate::ipc::outbox::{Next, Outbox};
use crate::limits::{SUBSCRIBER_BYTES, WRITE_BATCH_BYTES};

fn line(text: &str) -> Line {
    format!("{text}\n").into()
}

fn event(outbox: &Outbox, version: u64) {
    outbox.push_event(Seq(version), line(&format!("e{version}")));
}

fn command(outbox: &Outbox, id: &str) {
    outbox.with(|queue| queue.command(id.into(), line(id), false));
}

fn retract(outbox: &Outbox, id: &str) -> bool {
    outbox.with(|queue| queue.retract(id))
}

/// All lines that one write would hold.
fn write(outbox: &Outbox) -> Vec<String> {
    let (mut bytes, mut sent) = (Vec::new(), Vec::new());
    match outbox.take(&mut bytes, &mut sent) {
        Next::Write => String::from_utf8(bytes).expect("text").lines().map(str::to_owned).collect(),
        Next::Wait | Next::Finish | Next::Abort(_) | Next::Replay(_) => Vec::new(),
    }
}

#[test]
fn p1_w13_what_was_pushed_first_goes_first_and_many_lines_are_one_write() {
    let outbox = Outbox::new(8);
    outbox.with(|queue| {
        queue.reply(line("registered"));
        queue.event(Seq(1), line("e1"));
        queue.command("c1".into(), line("c1"), false);
        queue.event(Seq(2), line("e2"));
    });
    assert_eq!(write(&outbox), ["registered", "e1", "c1", "e2"]);
    assert!(outbox.is_empty());
}

#[test]
fn p1_a_write_has_a_bound_and_a_longer_line_goes_alone() {
    let outbox = Outbox::new(8);
    let long = "x".repeat(WRITE_BATCH_BYTES + 1);
    outbox.push_reply(line("a"));
    outbox.push_reply(line(&long));
    outbox.push_reply(line("b"));
    assert_eq!(write(&outbox), ["a"]);
    assert_eq!(write(&outbox), [long.as_str()]);
    assert_eq!(write(&outbox), ["b"]);
}

#[test]
fn w8_a_subscriber_that_cannot_keep_up_is_told_which_events_it_missed_and_where() {
    let outbox = Outbox::new(4);
    for version in 1..=4 {
        event(&outbox, version);
    }
    event(&outbox, 6);
    outbox.push_reply(line("pong"));
    event(&outbox, 9);
    let told = |from, to| {
        format!(r#"{{"event":"lagged","missed_from":{from},"missed_to":{to},"version":{to}}}"#)
    };
    assert_eq!(write(&outbox), ["e1", "e2", "e3", "e4", "pong"]);
    event(&outbox, 10);
    assert_eq!(write(&outbox), [told(6, 9), "e10".to_owned()]);
}

#[test]
fn w8_a_few_large_events_are_as_much_as_many_small_ones() {
    let outbox = Outbox::new(99);
    let large = "x".repeat(SUBSCRIBER_BYTES / 2);
    for version in 1..=3 {
        outbox.push_event(Seq(version), line(&large));
    }
    let written: Vec<String> = std::iter::from_fn(|| Some(write(&outbox)))
        .take_while(|lines| !lines.is_empty())
        .flatten()
        .collect();
    assert_eq!(written.len(), 3);
    assert!(written[2].contains(r#""missed_from":3,"missed_to":3"#), "{}", written[2]);
}

#[test]
fn w8_answers_and_commands_are_never_dropped() {
    let outbox = Outbox::new(1);
    for version in 1..=100 {
        event(&outbox, version);
        command(&outbox, &format!("c{version}"));
        outbox.push_reply(line("r"));
    }
    let lines = write(&outbox);
    assert_eq!(lines.iter().filter(|line| line.starts_with('c')).count(), 100);
    assert_eq!(lines.iter().filter(|line| *line == "r").count(), 100);
}

#[test]
fn bg_h18_p5_a_command_that_is_taken_back_before_it_is_written_is_never_written() {
    let outbox = Outbox::new(8);
    command(&outbox, "c1");
    command(&outbox, "c2");
    command(&outbox, "c1");
    event(&outbox, 1);
    assert!(retract(&outbox, "c1"));
    assert!(!retract(&outbox, "c1"));
    assert!(!retract(&outbox, "never pushed"));
    assert_eq!(write(&outbox), ["c2", "e1"]);
    assert!(!retract(&outbox, "c2"), "it may have been sent");
}

#[test]
fn p5_taking_back_finds_its_command_wherever_the_queue_has_moved() {
    let outbox = Outbox::new(8);
    for round in 0..3 {
        command(&outbox, "before");
        write(&outbox);
        command(&outbox, "a");
        command(&outbox, "b");
        assert!(retract(&outbox, "b"), "round {round}");
        assert_eq!(write(&outbox), ["a"], "round {round}");
    }
}

#[test]
fn p5_only_commands_that_ask_for_it_are_told_of() {
    let outbox = Outbox::new(8);
    outbox.with(|queue| queue.command("a".into(), line("a"), true));
    outbox.with(|queue| queue.command("b".into(), line("b"), false));
    outbox.with(|queue| queue.command("c".into(), line("c"), true));
    retract(&outbox, "c");
    let (mut bytes, mut sent) = (Vec::new(), Vec::new());
    outbox.take(&mut bytes, &mut sent);
    assert_eq!(sent, [Arc::<str>::from("a")]);
}

#[test]
fn closing_after_a_flush_writes_what_was_queued_and_nothing_later() {
    let outbox = Outbox::new(8);
    outbox.push_reply(line("a"));
    outbox.close_after_flush();
    outbox.push_reply(line("b"));
    assert_eq!(write(&outbox), ["a"]);
    let next = outbox.take(&mut Vec::new(), &mut Vec::new());
    assert!(matches!(next, Next::Finish), "{next:?}");
}

#[test]
fn w12_p6_closing_now_drops_what_was_queued_and_leaves_one_last_word() {
    let outbox = Outbox::new(8);
    command(&outbox, "c1");
    outbox.close_now(Some(line("superseded")));
    command(&outbox, "c2");
    let next = outbox.take(&mut Vec::new(), &mut Vec::new());
    assert!(matches!(next, Next::Abort(Some(ref last)) if &**last == "superseded\n"), "{next:?}");
    assert!(outbox.is_empty());
}

#[test]
fn p8_nothing_is_kept_for_a_connection_that_is_over() {
    let outbox = Outbox::new(8);
    outbox.over();
    event(&outbox, 1);
    outbox.push_reply(line("r"));
    command(&outbox, "c1");
    assert!(outbox.is_empty());
    assert!(!outbox.is_open());
}

#[test]
fn w13_what_is_pushed_during_a_replay_waits_for_its_end() {
    let outbox = Outbox::new(8);
    outbox.push_reply(line("registered"));
    let replay = outbox.push_replay(4);
    event(&outbox, 9);
    assert_eq!(write(&outbox), ["registered"]);
    replay.try_send(line("e1")).expect("there is room");
    let Next::Replay(mut lines) = outbox.take(&mut Vec::new(), &mut Vec::new()) else {
        panic!("the replay comes next")
    };
    drop(replay);
    assert_eq!(lines.try_recv().ok().as_deref(), Some("e1\n"));
    assert_eq!(write(&outbox), ["e9"]);
}
