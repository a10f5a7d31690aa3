//! The shipped cascade, from trigger to bracket, as the wire's conversation tells it.

use serde_json::json;

use sagaflow::saga::record::State;

use crate::world::World;

#[test]
fn bg_w11_a_clean_close_reaps_then_drains_and_closes_its_bracket() {
    let mut world = World::shipped();
    world.connect("host");
    let report = json!({"label": "w1", "crash_detected": false});
    world.report("host", "window_closed", report).expect("it is declared");
    let reap = world.last("reap_panes");
    assert_eq!(reap.id(), "1.reap.1");
    assert_eq!(reap.with("label"), "w1");
    world.echo(&reap, "panes_reaped", json!({"label": "w1"})).expect("it is the host's to say");
    let drain = world.last("drain_pool_if_last");
    assert_eq!(drain.id(), "1.drain.1");
    world.echo(&drain, "pool_not_last", json!({"label": "w1"})).expect("it is the host's to say");
    assert_eq!(world.state(1), State::Completed);
    let ended = world.published("saga_completed");
    assert_eq!(ended[0].fields["result"], json!({"drained": false}));
    assert_eq!(
        world.story()[3..],
        ["window_closed", "saga_started 1", "panes_reaped", "pool_not_last", "saga_completed 1",]
    );
}
