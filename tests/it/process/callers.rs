//! Questions, and callers that wait. Single lines and their errors are in `wire`.

use serde_json::{Value, json};

use super::House;

/// Every private answer carries the asker's id and goes to nobody else.
#[test]
fn bg_s05_bg_p02_bg_w04_answers_go_to_the_asker_alone_with_its_id() {
    let house = House::shipped();
    let _launcher = house.launch();
    let mut host = house.register("host");
    let mut tool = house.register("tool");
    let mut idle = house.peer();
    idle.register("renderer", json!({"subscribe": []}));

    let pong = tool.ask(&json!({"cmd": "ping", "id": 1, "nonce": {"a": [1]}}));
    assert_eq!((&pong["event"], &pong["nonce"]), (&json!("pong"), &json!({"a": [1]})));
    let before = pong["version"].as_u64().expect("as of now");

    let start = json!({"cmd": "report", "id": "r", "event": "pool_window_promoted", "label": "p"});
    assert_eq!(tool.ask(&start)["event"], "accepted");
    let command = host.until("spawn_pool_window");
    let list = tool.ask(&json!({"cmd": "list_sagas", "id": "l"}));
    assert_eq!(list["sagas"][0]["state"], "running", "{list}");
    assert_eq!(list["sagas"][0]["name"], "pool_respawn_on_promote");
    let snapshot = tool.ask(&json!({"cmd": "get_snapshot", "id": "s"}));
    assert_eq!(snapshot["lifecycle"], "running");
    assert_eq!(snapshot["targets"]["host"]["state"], "connected");
    assert_eq!(snapshot["processes"].as_array().expect("a list").len(), 3, "{snapshot}");
    assert_eq!(snapshot["sagas"][0]["saga_id"], 1);
    host.echo(&command, "pool_window_added", json!({"label": "p2"}));
    tool.until("saga_completed");
    let saga = tool.ask(&json!({"cmd": "get_saga", "id": "g", "saga_id": 1}));
    assert_eq!(saga["saga"]["result"], json!({"refilled_label": "p2"}), "{saga}");
    assert_eq!(saga["saga"]["steps"][0]["command_id"], "1.refill.1");

    let events = tool.ask(&json!({"cmd": "get_events", "id": "e", "since": before}));
    let listed = super::names(events["events"].as_array().expect("a list"));
    let told =
        ["pool_window_promoted", "saga_started", "saga_step", "pool_window_added", "saga_step"];
    assert_eq!(listed, [&told[..], &["saga_completed"]].concat(), "bracket events as well [W7]");
    let now = events["version"].clone();
    assert_eq!(tool.ask(&json!({"cmd": "ping", "id": 2}))["version"], now, "answers consume none");

    assert!(idle.settle().is_empty(), "`subscribe: []` means nothing [W13]");
    let heard = super::names(&host.settle());
    assert_eq!(heard, ["pool_window_added", "saga_completed"], "no answer of another's");
}

#[test]
fn bg_i03_bg_3_10_r4_a_caller_that_waits_gets_the_result_and_steps_come_to_those_who_name_them() {
    let house = House::shipped();
    let _launcher = house.launch();
    let mut srv = house.peer();
    srv.register("srv", json!({"subscribe": []}));
    let mut tool = house.peer();
    tool.register("tool", json!({"subscribe": ["saga_step", "saga_*"]}));
    let input = json!({"tab_id": "t1", "source_workspace_id": "w1"});
    let start = json!({"cmd": "start_saga", "id": "c", "saga": "tear_off_tab", "input": input,
        "wait": true});
    tool.passed.clear();
    let accepted = tool.ask(&start);
    assert_eq!((&accepted["event"], &accepted["saga_id"]), (&json!("saga_accepted"), &json!(1)));
    let command = srv.until("get_workspace");
    srv.say(&json!({"cmd": "report_saga_action_failed", "saga_id": 1, "step": "source",
        "reason": "no such workspace"}));
    assert_eq!(command["command_id"], "1.source.1");
    let lines = tool.upto("saga_result");
    let result = lines.last().expect("it ends with one");
    assert_eq!(result["id"], "c");
    assert_eq!(result["state"], "failed");
    assert_eq!(
        (&result["cause"], &result["reason"]),
        (&json!("action_failed"), &json!("no such workspace"))
    );
    let early = tool.passed.drain(..);
    let lines: Vec<Value> = early.chain(lines).collect();
    let steps: Vec<_> = lines.iter().filter(|line| line["event"] == "saga_step").collect();
    assert_eq!(steps.len(), 2, "{lines:#?}");
    assert_eq!((&steps[0]["step"], &steps[0]["state"]), (&json!("source"), &json!("issued")));
    assert_eq!(steps[1]["state"], "failed");
    assert!(steps.iter().all(|step| step["attempt"] == 1), "every one says it: {steps:#?}");
    let failed = lines.iter().find(|line| line["event"] == "saga_failed").expect("its bracket");
    let (reason, outcome) = (&failed["reason"], &failed["outcome"]);
    assert_eq!((reason, outcome), (&json!("no such workspace"), &json!("failed")));
    assert_eq!(lines.iter().filter(|line| line["event"] == "saga_failed").count(), 1, "I03, R1");
    let saga = tool.ask(&json!({"cmd": "get_saga", "id": "g", "saga_id": 1}))["saga"].clone();
    assert_eq!(saga["steps"][0]["state"], "failed", "no step of a saga that failed is left open");
    // What comes after the end is published and changes nothing [3.10 R2].
    let late = json!({"cmd": "report", "id": "late", "event": "workspace_read", "saga_id": 1,
        "step": "source", "workspace_id": "w1", "tab_ids": ["t1", "t2"]});
    assert_eq!(srv.ask(&late)["event"], "accepted");
    let after = tool.ask(&json!({"cmd": "get_saga", "id": "h", "saga_id": 1}))["saga"].clone();
    assert_eq!(after, saga);
    assert!(srv.settle().is_empty(), "no further command");
}

#[test]
fn w9_a_caller_that_asks_again_under_its_id_waits_for_one_result() {
    let house = House::shipped();
    let _launcher = house.launch();
    let mut srv = house.register("srv");
    let mut tool = house.register("tool");
    let mut start = |input: Value| {
        tool.ask(&json!({"cmd": "start_saga", "id": "c", "saga": "tear_off_tab", "input": input,
            "wait": true}))
    };
    let first = start(json!({"tab_id": "t1", "source_workspace_id": "w1"}));
    assert_eq!(first["saga_id"], 1);
    let again = start(json!({"source_workspace_id": "w1", "tab_id": "t1"}));
    assert_eq!(again["saga_id"], 1, "its fields may stand in another order: {again}");
    srv.until("get_workspace");
    srv.say(&json!({"cmd": "report_saga_action_failed", "saga_id": 1, "step": "source",
        "reason": "no such workspace"}));
    tool.until("saga_result");
    assert!(!super::names(&tool.settle()).iter().any(|name| name == "saga_result"));
}

#[test]
fn bg_l01_bg_3_10_r2_a_completed_saga_is_one_row_that_people_can_read() {
    let house = House::shipped_but(|saga| saga == "pool_respawn_on_promote");
    let _launcher = house.launch();
    let mut host = house.register("host");
    host.say(&json!({"cmd": "report", "event": "pool_window_promoted", "label": "p1"}));
    let spawn = host.until("spawn_pool_window");
    host.echo(&spawn, "pool_window_added", json!({"label": "p2"}));
    host.until("saga_completed");
    let log = rusqlite::Connection::open(house.log_path()).expect("it is read beside the launcher");
    let text = |sql: &str| -> String {
        let rows = log.prepare(sql).and_then(|mut query| {
            let rows = query.query_map([], |row| row.get::<_, String>(0))?;
            rows.collect::<Result<Vec<_>, _>>()
        });
        rows.expect("it can be asked").join("\n")
    };
    assert_eq!(
        text("select name || ' ' || state || ' ' || input || ' ' || result from saga"),
        "pool_respawn_on_promote completed {\"promoted_label\":\"p1\"} {\"refilled_label\":\"p2\"}"
    );
    assert_eq!(
        text("select 'ended' from saga where ended_at is not null and reason is null"),
        "ended"
    );
    assert_eq!(
        text("select step || ' ' || state || ' ' || command_id || ' ' || echo from saga_step"),
        "refill succeeded 1.refill.1 {\"label\":\"p2\"}"
    );
}

/// What a host reports counts whatever else it has said of that window before.
#[test]
fn bg_t03_bg_t04_bg_t07_reports_pass_as_they_are_and_a_command_sent_to_us_is_told_so() {
    let house = House::shipped_but(|saga| saga == "window_cleanup_cascade");
    let _launcher = house.launch();
    let mut host = house.register("host");
    for (label, event, drained) in [("a", "pool_drained", true), ("b", "pool_not_last", false)] {
        host.say(&json!({"cmd": "report", "event": "window_closed", "label": label}));
        let reap = host.until("reap_panes");
        // The window is known to be closed already, and its panes are reaped all the same.
        host.echo(&reap, "panes_reaped", json!({"label": label}));
        let drain = host.until("drain_pool_if_last");
        host.echo(&drain, event, json!({"label": label}));
        let told = host.until(event);
        assert_eq!((&told["saga_id"], &told["step"]), (&drain["saga_id"], &json!("drain")));
        assert_eq!(host.until("saga_completed")["result"], json!({"drained": drained}));
    }
    let misrouted = host.ask(&json!({"cmd": "reap_panes", "id": "m", "label": "a"}));
    let verdict = (&misrouted["code"], &misrouted["fatal"]);
    assert_eq!(verdict, (&json!("invalid_command"), &json!(false)), "{misrouted}");
}

/// Rude clients of every kind, at once, beside one that works.
#[test]
fn w6_w10_whatever_rude_clients_send_costs_nobody_else_anything() {
    let house = House::shipped_but(|saga| saga == "window_cleanup_cascade");
    let _launcher = house.launch();
    let mut host = house.register("host");
    let whole = "{\"cmd\":\"register\",\"kind\":\"tool\",\"pid\":1}";
    let too_large = vec![b'x'; 1024 * 1024 + 1];
    let rude: [&[u8]; 7] = [
        b"{\"cmd\":\"regis",
        b"\xff\xfe\n\0\n{}\n[]\n",
        b"GET / HTTP/1.1\r\nHost: launcher\r\n\r\n",
        &whole.as_bytes()[..whole.len() - 1],
        b"{\"cmd\":\"report\",\"event\":\"window_closed\",\"label\":\"a\"}\n",
        &too_large,
        b"",
    ];
    std::thread::scope(|scope| {
        for bytes in rude {
            let house = &house;
            scope.spawn(move || {
                for round in 0..10 {
                    let mut peer = house.peer();
                    peer.send(bytes);
                    if round % 2 == 0 {
                        peer.shut();
                        peer.rest();
                    }
                }
            });
        }
        for label in ["a", "b", "c"] {
            host.say(&json!({"cmd": "report", "event": "window_closed", "label": label}));
            let reap = host.until("reap_panes");
            host.echo(&reap, "panes_reaped", json!({"label": label}));
            let drain = host.until("drain_pool_if_last");
            host.echo(&drain, "pool_not_last", json!({"label": label}));
            host.until("saga_completed");
        }
    });
    let mut tool = house.register("tool");
    let list = tool.ask(&json!({"cmd": "list_sagas", "id": 1}));
    assert_eq!(list["sagas"].as_array().map(Vec::len), Some(3), "nothing was begun by the rude");
}

/// The house of the guide about sagas that meet.
fn site() -> House {
    let catalog = "targets: { site: {} }\nevents: { site_built: { fields: { pages: { type: array, \
                   items: { type: string } } } } }\ncommands: { build_site: { target: site, \
                   fields: { pages: { type: array, items: { type: string } } }, echoes: \
                   [site_built], idempotent: true, undo: none } }\n";
    let saga = "saga: build\ntrigger: { call: { fields: { page: { type: string } } } }\ninput: { \
                page: \"${{ trigger.page }}\" }\nvars: { pages: \"${{ [input.page] }}\" }\n\
                eviction: { policy: join, save: { pages: \"${{ vars.pages + [event.page] }}\" } \
                }\ntimeout: 5h\nsteps:\n  - { id: build, issue: build_site, with: { pages: \"${{ \
                vars.pages }}\" }, await: { echo: site_built }, timeout: 1h }\nresult: { \
                pages: \"${{ vars.pages }}\" }\n";
    House::with(&[("sagas/site.catalog.yaml", catalog), ("sagas/build.saga.yaml", saga)])
}

#[test]
fn r17_callers_that_join_get_the_running_sagas_result_also_after_a_crash() {
    let house = site();
    let launcher = house.launch();
    let mut one = house.register("tool");
    let start = |page: &str, id: &str| {
        json!({"cmd": "start_saga", "id": id, "saga": "build", "input": {"page": page},
            "wait": true})
    };
    assert_eq!(one.ask(&start("home", "a"))["saga_id"], 1);
    launcher.kill();
    let _launcher = house.launch();
    let mut one = house.register("tool");
    let mut other = house.register("tool");
    assert_eq!(one.ask(&start("home", "a"))["saga_id"], 1, "W9: the same start");
    assert_eq!(other.ask(&start("news", "b"))["saga_id"], 1);
    let mut target = house.register("site");
    let command = target.until("build_site");
    target.echo(&command, "site_built", json!({"pages": ["home"]}));
    for (caller, id) in [(&mut one, "a"), (&mut other, "b")] {
        let result = caller.until("saga_result");
        assert_eq!((&result["id"], &result["saga_id"]), (&json!(id), &json!(1)));
        assert_eq!(result["result"], json!({"pages": ["home", "news"]}));
    }
}
