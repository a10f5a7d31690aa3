//! Turns of blocks through real launchers: real shells as agents, and tools that know nothing but
//! lines. Time is never asserted; `/proc` says what still runs.

mod ends;
mod order;
mod output;
mod restart;
mod sessions;
mod torture;

use std::path::Path;

use serde_json::{Value, json};

use crate::process::{House, Launcher, Peer};

/// Runs one turn; a busy block's next one waits.
const TURN: &str = "\
saga: turn
trigger: { call: { fields: {
  block: { type: string },
  argv: { type: array, items: { type: string } },
  message: { type: string, default: '' },
  message_id: { type: string, default: '' },
  session_id: { type: string, default: '' },
  resume_flag: { type: string, default: '' },
  cwd: { type: string, default: '' },
  env: { type: object, additionalProperties: { type: string }, default: {} },
  grace_ms: { type: integer, default: 60000 } } } }
input:
  block: ${{ trigger.block }}
  argv: ${{ trigger.argv }}
  message: ${{ trigger.message }}
  message_id: ${{ trigger.message_id }}
  session_id: ${{ trigger.session_id }}
  resume_flag: ${{ trigger.resume_flag }}
  cwd: ${{ trigger.cwd }}
  env: ${{ trigger.env }}
  grace_ms: ${{ trigger.grace_ms }}
eviction: { POLICY }
timeout: none
steps:
  - id: run
    issue: spawn_turn
    with:
      block_id: ${{ input.block }}
      argv: ${{ input.argv }}
      message: ${{ input.message }}
      message_id: ${{ input.message_id }}
      session_id: ${{ input.session_id }}
      resume_flag: ${{ input.resume_flag }}
      cwd: ${{ input.cwd }}
      env: ${{ input.env }}
      grace_ms: ${{ input.grace_ms }}
    await: { echo: turn_ended }
    fail_on: [{ echo: turn_spawn_failed, reason: \"${{ event.reason }}\" }]
    timeout: none
    compensate:
      issue: stop_turn
      with: { block_id: \"${{ input.block }}\" }
      await: { echo: turn_stopped }
      timeout: 10m
";

/// Begins a turn and awaits nothing of it.
const FIRE: &str = "\
saga: fire
trigger: { call: { fields: {
  block: { type: string },
  argv: { type: array, items: { type: string } },
  message: { type: string, default: '' },
  env: { type: object, additionalProperties: { type: string }, default: {} } } } }
input:
  block: ${{ trigger.block }}
  argv: ${{ trigger.argv }}
  message: ${{ trigger.message }}
  env: ${{ trigger.env }}
eviction: { policy: parallel }
timeout: none
steps:
  - id: run
    issue: spawn_turn
    with:
      block_id: ${{ input.block }}
      argv: ${{ input.argv }}
      message: ${{ input.message }}
      env: ${{ input.env }}
    await: none
    compensate:
      issue: stop_turn
      with: { block_id: \"${{ input.block }}\" }
      await: { echo: turn_stopped }
      timeout: 10m
";

/// Asks for one thing that ends a block's turn.
const END: &str = "\
saga: NAME
trigger: { call: { fields: { block: { type: string } } } }
input: { block: \"${{ trigger.block }}\" }
eviction: { policy: parallel }
timeout: none
steps:
  - id: end
    issue: COMMAND
    with: { block_id: \"${{ input.block }}\" }
    await: { echo: ANSWER, save: { existed: \"${{ event.existed }}\" } }
    timeout: 10m
result: { existed: \"${{ vars.existed }}\" }
";

/// A house whose launchers run turns.
pub fn house() -> House {
    let queues = TURN.replace("POLICY", "key: input.block, policy: queue, queue_max: 1000");
    let beside = TURN.replace("POLICY", "policy: parallel").replace("saga: turn", "saga: beside");
    let end = |name: &str, command: &str, answer: &str| {
        END.replace("NAME", name).replace("COMMAND", command).replace("ANSWER", answer)
    };
    House::with(&[
        ("sagas/turn.saga.yaml", &queues),
        ("sagas/beside.saga.yaml", &beside),
        ("sagas/fire.saga.yaml", FIRE),
        ("sagas/stop.saga.yaml", &end("stop", "stop_turn", "turn_stopped")),
        ("sagas/forget.saga.yaml", &end("forget", "forget_block", "block_forgotten")),
    ])
}

/// A house, a launcher in it, and somebody who asks and listens.
pub struct Stage {
    pub house: House,
    pub launcher: Launcher,
    tool: Peer,
    /// All that was heard, in order.
    heard: Vec<Value>,
    asked: u64,
}

impl Stage {
    pub fn new() -> Stage {
        Stage::of(house())
    }

    /// Starts a launcher in a house.
    pub fn of(house: House) -> Stage {
        let launcher = house.launch();
        let tool = house.register("tool");
        Stage { house, launcher, tool, heard: Vec::new(), asked: 0 }
    }

    /// Ends the launcher as a power cut would, and starts the next one.
    pub fn crash(&mut self) {
        let next = self.house.run();
        self.launcher.signal(nix::sys::signal::Signal::SIGKILL);
        self.launcher.wait();
        self.launcher = Launcher::start(next);
        assert!(self.launcher.serves(), "it ended: {}", self.launcher.said());
        self.listen();
    }

    /// Listens to the launcher that runs now, and forgets what others said.
    pub fn listen(&mut self) {
        self.tool = self.house.register("tool");
        self.heard.clear();
    }

    /// The next line; it is heard.
    fn hear(&mut self) -> &Value {
        let line = self.tool.line();
        self.heard.push(line);
        self.heard.last().expect("it was pushed just now")
    }

    /// Asks something; the answer.
    pub fn ask(&mut self, mut line: Value) -> Value {
        self.asked += 1;
        let id = json!(format!("{}-{}", self.tool.pid, self.asked));
        line["id"] = id.clone();
        assert!(self.tool.say(&line), "the launcher is gone");
        loop {
            let answer = self.tool.line();
            if answer["id"] == id {
                assert_ne!(answer["event"], "error", "{answer}");
                return answer;
            }
            self.heard.push(answer);
        }
    }

    /// The first event of that name that is about this saga, from now or earlier.
    pub fn until(&mut self, saga: &Value, name: &str) -> Value {
        let is_it = |line: &Value| line["event"] == name && line["saga_id"] == *saga;
        if let Some(line) = self.heard.iter().find(|line| is_it(line)) {
            return line.clone();
        }
        loop {
            let line = self.hear();
            if is_it(line) {
                return line.clone();
            }
        }
    }

    /// Starts a saga; its id.
    pub fn start(&mut self, saga: &str, input: &Value) -> Value {
        let answer = self.ask(json!({"cmd": "start_saga", "saga": saga, "input": input}));
        answer["saga_id"].clone()
    }

    /// The input of a turn of a shell that runs this script.
    pub fn input(&self, block: &str, script: &str) -> Value {
        json!({
            "block": block, "argv": ["sh", "-c", script, "agent"],
            "env": {"HOUSE": self.house.dir.path()}
        })
    }

    /// Starts a turn of a shell that runs this script; its saga's id.
    pub fn shell(&mut self, block: &str, script: &str) -> Value {
        let input = self.input(block, script);
        self.start("turn", &input)
    }

    /// Runs a turn of a shell to its end; the `turn_ended`.
    pub fn run(&mut self, block: &str, script: &str) -> Value {
        let saga = self.shell(block, script);
        self.until(&saga, "turn_ended")
    }

    /// Stops or forgets a block; whether there was anything to end.
    pub fn end(&mut self, saga: &str, block: &str) -> bool {
        let id = self.start(saga, &json!({"block": block}));
        let done = self.until(&id, "saga_completed");
        done["result"]["existed"].as_bool().unwrap_or_else(|| panic!("{done}"))
    }

    /// All events of a block so far that have one of these names, in order.
    pub fn told(&mut self, block: &str, names: &[&str]) -> Vec<Value> {
        let mut events = self.told_of_all(names);
        events.retain(|event| event["block_id"] == block);
        events
    }

    /// The same of all blocks.
    pub fn told_of_all(&mut self, names: &[&str]) -> Vec<Value> {
        let wanted = |event: &Value| names.iter().any(|name| event["event"] == *name);
        let (mut found, mut since, mut more) = (Vec::new(), json!(0), true);
        while more {
            let mut answer = self.ask(json!({"cmd": "get_events", "since": since}));
            let Value::Array(events) = answer["events"].take() else { panic!("{answer}") };
            more = answer["more"] == true;
            since = events.last().map_or(since, |event| event["version"].clone());
            found.extend(events.into_iter().filter(wanted));
        }
        found
    }

    /// The lines that a block's turns wrote, as they were told.
    pub fn lines(&mut self, block: &str) -> Vec<String> {
        let lines = self.told(block, &["turn_output"]);
        lines.iter().map(|line| line["line"].as_str().expect("text").to_owned()).collect()
    }

    /// The processes that its turns started and that still run.
    pub fn running(&self) -> Vec<u32> {
        running(self.house.dir.path())
    }
}

/// The processes that turns of a house started, and that still run: they carry its directory.
pub fn running(house: &Path) -> Vec<u32> {
    let carried = format!("HOUSE={}", house.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("a system that tells").flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        // One that has ended meanwhile, or is somebody else's, tells nothing.
        let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let carries = environ.split(|byte| *byte == 0).any(|word| word == carried.as_bytes());
        found.extend(pid.filter(|_| carries));
    }
    found
}
