//! The conversation that the contract shows, held with a running launcher.

use serde_json::Value;

use super::Launcher;

/// The value without its version, and the version.
fn without_version(mut line: Value) -> (Value, Option<u64>) {
    let version = line.as_object_mut().and_then(|fields| fields.shift_remove("version"));
    (line, version.as_ref().and_then(Value::as_u64))
}

#[test]
fn w7_the_conversation_of_the_contract_is_what_happens() {
    let launcher = Launcher::start();
    let mut host = launcher.connect();
    let contract = include_str!("../../../docs/reference/wire.md");
    let lines = contract.lines().filter(|line| line.starts_with("> ") || line.starts_with("< "));
    let mut last = 0;
    for line in lines {
        let (mark, text) = line.split_at(2);
        if mark == "> " {
            host.write(format!("{text}\n"));
            continue;
        }
        let expected = serde_json::from_str(text).expect("the contract shows JSON");
        let (expected, shown) = without_version(expected);
        let (heard, version) = without_version(host.hear().expect("the contract says more"));
        assert_eq!(heard.to_string(), expected.to_string());
        // Versions may have gaps, so not they are compared but that there is one, and its order.
        assert_eq!(version.is_some(), shown.is_some(), "{heard}");
        if let Some(version) = version {
            let is_answer = ["registered", "accepted"].contains(&heard["event"].as_str().unwrap());
            assert!(
                version > last || is_answer && version == last,
                "{heard}: {version} after {last}"
            );
            last = version;
        }
    }
}

#[test]
fn w10_who_sends_everything_and_then_stops_sending_gets_all_the_answers() {
    let launcher = Launcher::start();
    let mut peer = launcher.connect();
    peer.write(
        "{\"cmd\":\"register\",\"kind\":\"tool\",\"name\":\"t\",\"pid\":1,\"subscribe\":[]}\n\
         {\"cmd\":\"ping\",\"nonce\":7}\n\
         {\"cmd\":\"report\",\"id\":1,\"event\":\"pool_window_removed\",\"label\":\"w\"}\n\
         {\"cmd\":\"get_snapshot\"}\n",
    );
    peer.socket.get_ref().shutdown(std::net::Shutdown::Write).expect("it is open");
    let heard = peer.all();
    assert_eq!(super::names(&heard), ["registered", "pong", "accepted", "snapshot"]);
}
