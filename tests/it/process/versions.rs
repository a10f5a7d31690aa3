//! What was published, as those see it who were there, who come back, and who come late
//! \[W7, W8, W9, W13, L6, L10\].

use serde_json::{Value, json};

use super::{House, Peer, lamps, names};

fn pressed(n: u64) -> Value {
    json!({"cmd": "report", "event": "pressed", "n": n})
}

fn with_id(mut line: Value, id: impl Into<Value>) -> Value {
    line["id"] = id.into();
    line
}

/// Reports `numbers` in one breath and waits until all are durable.
fn press(tool: &mut Peer, numbers: std::ops::Range<u64>) {
    let lines: String = numbers.map(|n| format!("{}\n", pressed(n))).collect();
    assert!(tool.send(lines));
    tool.settle();
}

fn quiet(house: &House) -> Peer {
    let mut tool = house.peer();
    tool.register("tool", json!({"subscribe": []}));
    tool
}

fn versions(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(|line| line["version"].as_u64().expect("an event has one")).collect()
}

/// `get_events` from there, page by page; how many pages, and all events.
fn pages(tool: &mut Peer, mut since: u64) -> (usize, Vec<Value>) {
    let (mut pages, mut all) = (0, Vec::new());
    loop {
        let page = tool.ask(&json!({"cmd": "get_events", "id": pages, "since": since}));
        assert_eq!(page["event"], "event_list", "{page}");
        assert!(page.to_string().len() <= 1024 * 1024, "a page is a frame");
        let events = page["events"].as_array().expect("a list");
        since = events.last().map_or(since, |event| event["version"].as_u64().expect("a number"));
        all.extend(events.iter().cloned());
        pages += 1;
        if page["more"] != true {
            return (pages, all);
        }
    }
}

#[test]
fn bg_3_10_r9_w7_every_subscriber_sees_one_order_whoever_reports() {
    let house = lamps::house();
    let _launcher = house.launch();
    let subscribe = json!({"subscribe": ["pressed"]});
    let mut watchers = [house.peer(), house.peer()];
    for watcher in &mut watchers {
        watcher.register("renderer", subscribe.clone());
    }
    std::thread::scope(|scope| {
        for client in 0..4 {
            let mut tool = quiet(&house);
            scope.spawn(move || {
                for n in 0..25 {
                    let n = client * 100 + n;
                    assert_eq!(tool.ask(&with_id(pressed(n), n))["event"], "accepted");
                }
            });
        }
    });
    let [first, second] = watchers.map(|mut watcher| {
        let heard: Vec<Value> = (0..100).map(|_| watcher.line()).collect();
        assert!(watcher.settle().is_empty());
        heard
    });
    assert_eq!(first, second);
    assert!(versions(&first).is_sorted_by(|a, b| a < b), "W7: they strictly increase");
}

#[test]
fn l10_w13_who_comes_back_after_a_crash_misses_nothing_and_hears_nothing_twice() {
    let house = lamps::house();
    let launcher = house.launch();
    let mut tool = quiet(&house);
    press(&mut tool, 0..10);
    let (_, before) = pages(&mut tool, 0);
    launcher.kill();
    let launcher = house.launch();
    let mut tool = quiet(&house);
    let (_, after) = pages(&mut tool, 0);
    assert_eq!(after[..before.len()], before, "the ring is filled again, brackets and all");

    let seen = before[5]["version"].clone();
    let mut late = house.peer();
    late.say_register("renderer", json!({"resume_from": seen, "subscribe": ["pressed"]}));
    assert_eq!(late.line()["event"], "registered", "W13: first this, then the replay");
    press(&mut tool, 10..12);
    let heard: Vec<Value> = std::iter::repeat_with(|| late.line())
        .take(before[6..].iter().filter(|event| event["event"] == "pressed").count() + 2)
        .collect();
    assert!(versions(&heard).is_sorted_by(|a, b| a < b));
    assert_eq!(heard.last().expect("not empty")["n"], 11);
    assert!(late.settle().is_empty());
    launcher.kill();
}

/// More events than the ring holds are read from the log.
#[test]
fn bg_c20_bg_3_10_r6_l10_what_the_ring_has_lost_is_read_from_the_log_and_no_echo_is_missed() {
    let house = lamps::house();
    let _launcher = house.launch();
    let mut tool = quiet(&house);
    press(&mut tool, 0..2_500);
    // The answer of a target that talks without end is found in the flood.
    let mut lamp = house.peer();
    lamp.register("lamp", json!({"subscribe": []}));
    lamps::start(&mut tool, "notes", 7);
    let note = lamp.until("note");
    let flood = |numbers: std::ops::Range<u64>| -> String {
        numbers.map(|n| format!("{}\n", pressed(n))).collect()
    };
    assert!(lamp.send(flood(2_500..4_000)));
    lamp.echo(&note, "noted", json!({"n": 7}));
    assert!(lamp.send(flood(4_000..6_000)));
    lamp.settle();

    let check = |events: &[Value]| {
        let pressed: Vec<u64> = events
            .iter()
            .filter(|event| event["event"] == "pressed")
            .map(|event| event["n"].as_u64().expect("a number"))
            .collect();
        assert_eq!(pressed, (0..6_000).collect::<Vec<u64>>());
        let ends = names(events).iter().filter(|name| *name == "saga_completed").count();
        assert_eq!(ends, 1, "the echo was not lost");
        assert!(versions(events).is_sorted_by(|a, b| a < b));
    };
    let (_, all) = pages(&mut tool, 0);
    check(&all);
    let mut late = house.peer();
    late.say_register("renderer", json!({"resume_from": 0}));
    let mut replayed: Vec<Value> = all.iter().map(|_| late.line()).collect();
    replayed.extend(late.settle());
    replayed.retain(|line| line["event"] != "registered");
    check(&replayed);
}

/// What retention took is told, whoever asks and however.
#[test]
fn bg_k02_l6_l10_w8_who_asks_for_what_is_forgotten_is_told_how_much_that_is() {
    let mut house = lamps::house();
    house.write("launcher.yaml", "retention: { events_max: 10 }\n");
    house.args = vec!["--config".to_owned(), "launcher.yaml".to_owned()];
    let launcher = house.launch();
    let mut tool = quiet(&house);
    lamps::start(&mut tool, "notes", 1);
    press(&mut tool, 0..5_000);
    launcher.kill();
    let _launcher = house.launch();
    let mut tool = quiet(&house);
    let ask = json!({"cmd": "get_events", "id": 1, "since": 0});
    // Retention works between turns, so it may not have come to it yet.
    let lagged = loop {
        let answer = tool.ask(&ask);
        if answer["event"] == "lagged" {
            break answer;
        }
    };
    assert_eq!(lagged["missed_from"], 1);
    let to = lagged["missed_to"].as_u64().expect("a number");
    assert!(to > 4_000, "{lagged}");
    let (_, kept) = pages(&mut tool, to);
    assert!(versions(&kept)[0] > to);
    let mut late = house.peer();
    late.say_register("renderer", json!({"resume_from": 0, "subscribe": ["pressed"]}));
    late.until("registered");
    let lagged = late.until("lagged");
    assert_eq!(lagged["missed_from"], 1);
    // The saga is open, so it and all that it is made of stay [L6].
    let saga = tool.ask(&json!({"cmd": "get_saga", "id": 2, "saga_id": 1}))["saga"].clone();
    assert_eq!(saga["state"], "running", "{saga}");
}

#[test]
fn w9_an_id_is_taken_once_across_kills_and_only_what_is_durable_is_accepted() {
    let house = lamps::house();
    let report = with_id(pressed(1), "once");
    let start = json!({"cmd": "start_saga", "id": "begin", "saga": "notes", "input": {"n": 1}});
    let mut answers: Vec<[Value; 2]> = Vec::new();
    for commits in 2..7 {
        let mut launcher = house.launch_to_crash(commits);
        let talk = || {
            let mut tool = Peer::try_connect(&house.socket())?;
            tool.say_register("tool", json!({"subscribe": []}));
            for line in [&report, &start, &report, &start] {
                tool.say(line);
            }
            tool.say(&json!({"cmd": "ping"}));
            let heard = std::iter::from_fn(|| tool.try_line());
            let heard = heard.take_while(|line| line["event"] != "pong");
            Some(heard.filter(|line| line["event"] != "registered").collect::<Vec<Value>>())
        };
        for answer in talk().unwrap_or_default() {
            let number = if answer["id"] == "once" { "version" } else { "saga_id" };
            answers.push([answer["id"].clone(), answer[number].clone()]);
        }
        if let Some(launcher) = &mut launcher {
            launcher.signal(nix::sys::signal::Signal::SIGKILL);
            launcher.wait();
        }
    }
    let _launcher = house.launch();
    let mut tool = quiet(&house);
    let accepted = tool.ask(&report);
    let started = tool.ask(&start);
    for [id, number] in answers {
        let same = if id == "once" { &accepted["version"] } else { &started["saga_id"] };
        assert_eq!(number, *same, "{id}: answered otherwise before");
    }
    let (_, events) = pages(&mut tool, 0);
    let count = |name: &str| names(&events).iter().filter(|event| *event == name).count();
    assert_eq!((count("pressed"), count("saga_started")), (1, 1));
}

/// L4: a caller keeps the texts of what it calls, in the log.
#[test]
fn l4_a_caller_calls_what_stood_beside_it_after_a_kill_and_an_edit() {
    let catalog = "targets: { host: {} }\nevents: { did: {} }\ncommands: { work: { target: host, \
                   echoes: [did], idempotent: true, undo: none } }\n";
    let step = "issue: work, await: { echo: did }, timeout: 1m";
    let parent = format!(
        "saga: parent\ntrigger: {{ call: {{}} }}\neviction: {{ policy: parallel }}\n\
         timeout: 1h\nsteps:\n  - {{ id: first, {step} }}\n  - {{ id: sub, call: child, \
         timeout: 10m }}\nresult: {{ out: \"${{{{ steps.sub.result.old }}}}\" }}\n"
    );
    let child = format!(
        "saga: child\ntrigger: {{ call: {{}} }}\neviction: {{ policy: parallel }}\ntimeout: 5m\n\
         steps: [{{ id: inner, {step} }}]\nresult: {{ old: 7 }}\n"
    );
    let house = House::with(&[
        ("sagas/c.catalog.yaml", catalog),
        ("sagas/parent.saga.yaml", &parent),
        ("sagas/child.saga.yaml", &child),
    ]);
    let launcher = house.launch();
    let mut tool = house.register("tool");
    let start = json!({"cmd": "start_saga", "id": 1, "saga": "parent"});
    assert_eq!(tool.ask(&start)["saga_id"], 1);
    launcher.kill();
    house.write("sagas/parent.saga.yaml", &parent.replace(".old", ".new"));
    house.write("sagas/child.saga.yaml", &child.replace("old: 7", "new: 8"));
    let launcher = house.launch();
    let mut host = house.register("host");
    let first = host.until("work");
    host.echo(&first, "did", json!({}));
    let inner = host.until("work");
    assert_eq!(inner["step"], "inner");
    // Not even that there is no such saga any more takes it away.
    launcher.kill();
    for file in ["sagas/parent.saga.yaml", "sagas/child.saga.yaml"] {
        std::fs::remove_file(house.at(file)).expect("it was there");
    }
    let _launcher = house.launch();
    let mut host = house.register("host");
    let again = host.until("work");
    assert_eq!(again["command_id"], inner["command_id"]);
    host.echo(&again, "did", json!({}));
    let end = loop {
        let end = host.until("saga_completed");
        if end["saga_id"] == 1 {
            break end;
        }
    };
    assert_eq!(end["result"], json!({"out": 7}));
}
