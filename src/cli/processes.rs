//! `sagaflow processes`: who runs beside a launcher, and how its services ended last. Asks the
//! launcher; of a dead one nothing runs.

use serde_json::{Value, json};

use super::exit::{Exit, Outcome};
use super::known::{Args, print};
use super::link::{Link, block_on};

/// Prints the processes that run, and the services that do not.
pub(super) fn run(args: &Args) -> Outcome {
    block_on(async {
        let mut link = Link::open(&args.place.socket()).await?;
        let snapshot = link.ask("get_snapshot", json!({})).await?;
        let Some(Value::Array(processes)) = snapshot.fields.get("processes") else {
            return Ok(Exit::Fine);
        };
        let mut shown: Vec<Value> = processes.iter().map(row).collect();
        let runs = |row: &Value| row["state"] == "running";
        // One that runs again stands for those of its name that ended.
        let services = shown.iter().filter(|row| runs(row)).map(|row| row["service"].clone());
        let services: Vec<Value> = services.collect();
        shown.retain(|row| {
            let service = &row["service"];
            runs(row) || !service.is_null() && !services.contains(service)
        });
        shown.sort_by_key(|row| (!runs(row), row["client_id"].as_u64()));
        let head = ["service", "kind", "pid", "state", "since", "exit_code", "killed_by"];
        print(args, "processes", &head, shown)
    })
}

/// A process as a row: what its supervisor knows stands beside the rest.
fn row(process: &Value) -> Value {
    let mut row = process.clone();
    let service = row["service"].take();
    for key in ["exit_code", "killed_by"] {
        row[key] = service[key].clone();
    }
    row["service"] = service["name"].clone();
    row
}
