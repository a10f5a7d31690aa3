//! `processes:` of `launcher.yaml`. Starts nothing, but looks whether each could be started.

use std::path::PathBuf;
use std::sync::Arc;

use crate::definition::keys::{
    PROCESS, READY, READY_WORDS, RESTART_BACKOFF, RESTARTS, STOP, STOP_SIGNALS,
};
use crate::definition::read::node::{Kind, Node};
use crate::definition::read::object::{Object, free_map};
use crate::definition::read::scalar;
use crate::diag::{At, Code, Diagnostic, Diagnostics, Span};
use crate::ids::CLIENT_KINDS;
use crate::launcher::services::{Backoff, Declared, Ready, Restart};
use crate::limits::SERVICES_MAX;
use crate::targets::process::{Signal, SpawnError};
use crate::time::Millis;

/// Readiness, when nothing is said of how long it may take.
const READY_TIMEOUT: Millis = Millis(30_000);
/// Between the signal and KILL, when nothing is said.
const GRACE: Millis = Millis(5_000);
/// The first pause and the longest, when nothing is said.
const BACKOFF: Backoff = Backoff { delay: Millis(200), max_delay: Millis(30_000) };

/// Reads them all, in their order. `targets` are those of the catalog.
pub fn read(node: Node, targets: &[&str], out: &mut Diagnostics) -> Vec<Declared> {
    let Some((span, named)) = free_map(node, "processes", out) else { return Vec::new() };
    if named.len() > SERVICES_MAX {
        let message = format!("there are {} processes; at most {SERVICES_MAX} fit", named.len());
        out.push(Diagnostic::new(Code::NumberOutOfRange, span, message));
    }
    let read = |(name, node): (At<String>, Node)| process(&name, node, targets, out);
    named.into_iter().filter_map(read).collect()
}

fn process(
    name: &At<String>,
    node: Node,
    targets: &[&str],
    out: &mut Diagnostics,
) -> Option<Declared> {
    scalar::check_name(name, "a process", out);
    let mut object = Object::read(node, &name.value, &PROCESS, out)?;
    let command = object.read_key("command", out, texts);
    let env = object.read_key("env", out, env).unwrap_or_default();
    let cwd = object.read_key("cwd", out, scalar::literal);
    let restart = object.read_key("restart", out, |node, key, out| {
        let known = [Restart::OnFailure, Restart::Always, Restart::Never];
        scalar::word(node, key, &table(RESTARTS, &known), out)
    });
    let backoff = object.take("backoff").and_then(|node| backoff(node, out)).unwrap_or(BACKOFF);
    let place = object.place("ready").unwrap_or(name.span);
    let ready = match object.take("ready") {
        Some(node) => ready(node, name, out),
        None => Some(Ready::Register(Arc::from(name.value.as_str()))),
    };
    let ready_timeout = object.read_key("ready_timeout", out, scalar::duration);
    let (asks, grace) =
        object.take("stop").and_then(|node| stop(node, out)).unwrap_or((Signal::SIGTERM, GRACE));
    object.finish();
    let (At { value: command, span }, ready) = (command?, ready?);
    if let Ready::Register(kind) = &ready {
        check_kind(kind, place, targets, out);
    }
    let declared = Declared {
        name: Arc::from(name.value.as_str()),
        command,
        env,
        cwd: cwd.as_ref().map(|cwd| PathBuf::from(&cwd.value)),
        restart: restart.map_or(Restart::OnFailure, |restart| restart.value),
        backoff,
        ready,
        ready_timeout: ready_timeout.map_or(READY_TIMEOUT, |time| time.value),
        asks,
        grace,
    };
    if let Err(error) = declared.spec("check".to_owned(), Vec::new()).check() {
        let at = match (&error, &cwd) {
            (SpawnError::Cwd { .. }, Some(cwd)) => cwd.span,
            _ => span,
        };
        out.push(Diagnostic::new(Code::NotRunnable, at, error.to_string()));
    }
    Some(declared)
}

/// A process that waits for a registration that nobody can make would never be ready.
fn check_kind(kind: &str, place: Span, targets: &[&str], out: &mut Diagnostics) {
    if CLIENT_KINDS.iter().chain(targets).any(|known| *known == kind) {
        return;
    }
    let message = format!("no client registers as `{kind}`, so it could never be ready");
    let help = "say when it is: `ready: started`, or `ready: { line: TEXT }`, `{ connect: PATH }`, \
                `{ register: KIND }`";
    out.push(Diagnostic::new(Code::UnknownWord, place, message).help(help));
}

fn ready(node: Node, name: &At<String>, out: &mut Diagnostics) -> Option<Ready> {
    if let Kind::Scalar(_) = &node.kind {
        let word = scalar::word(node, "ready", &table(READY_WORDS, &[false, true]), out)?;
        let own = || Ready::Register(Arc::from(name.value.as_str()));
        return Some(if word.value { Ready::Started } else { own() });
    }
    let mut object = Object::read(node, "ready", &READY, out)?;
    let register = object.read_key("register", out, scalar::literal);
    let connect = object.read_key("connect", out, scalar::literal);
    let line = object.read_key("line", out, filled);
    object.finish();
    let register = register.map(|kind| Ready::Register(Arc::from(kind.value)));
    let connect = connect.map(|path| Ready::Connect(PathBuf::from(path.value)));
    register.or(connect).or(line.map(|text| Ready::Line(text.value)))
}

fn backoff(node: Node, out: &mut Diagnostics) -> Option<Backoff> {
    let mut object = Object::read(node, "backoff", &RESTART_BACKOFF, out)?;
    let delay = object.read_key("delay", out, scalar::duration);
    let max = object.read_key("max_delay", out, scalar::duration);
    object.finish();
    let least = delay.as_ref().map_or(BACKOFF.delay, |delay| delay.value);
    if let Some(max) = max.as_ref().filter(|max| max.value < least) {
        let message = format!("the longest pause is {}, the first one {least}", max.value);
        out.push(Diagnostic::new(Code::NumberOutOfRange, max.span, message));
    }
    let max_delay = max.map_or(BACKOFF.max_delay.max(least), |max| max.value);
    Some(Backoff { delay: least, max_delay })
}

fn stop(node: Node, out: &mut Diagnostics) -> Option<(Signal, Millis)> {
    let mut object = Object::read(node, "stop", &STOP, out)?;
    let signal = object.read_key("signal", out, |node, key, out| {
        let signals =
            [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGKILL];
        scalar::word(node, key, &table(STOP_SIGNALS, &signals), out)
    });
    let grace = object.read_key("grace", out, scalar::duration);
    object.finish();
    let signal = signal.map_or(Signal::SIGTERM, |signal| signal.value);
    Some((signal, grace.map_or(GRACE, |grace| grace.value)))
}

/// Words with what they mean.
fn table<T: Copy>(words: &[&'static str], meanings: &[T]) -> Vec<(&'static str, T)> {
    words.iter().copied().zip(meanings.iter().copied()).collect()
}

/// Texts, at least one.
fn texts(node: Node, key: &str, out: &mut Diagnostics) -> Option<At<Vec<String>>> {
    let span = node.span;
    let Kind::List(items) = node.kind else {
        let message = format!("`{key}` is a list: the program, then its arguments");
        let help = "like `[./my-host, --verbose]`; for a shell, `[sh, -c, \"…\"]`";
        out.push(Diagnostic::new(Code::WrongShape, span, message).help(help));
        return None;
    };
    let read = |item| scalar::literal(item, key, out).map(|text| text.value);
    Some(At::new(items.into_iter().filter_map(read).collect(), span))
}

/// A text that is not empty: every line holds the empty one.
fn filled(node: Node, key: &str, out: &mut Diagnostics) -> Option<At<String>> {
    let text = scalar::literal(node, key, out)?;
    if text.value.is_empty() {
        let message = format!("`{key}` is empty, and every line holds that");
        out.push(Diagnostic::new(Code::WrongShape, text.span, message));
        return None;
    }
    Some(text)
}

/// Names and texts.
fn env(node: Node, key: &str, out: &mut Diagnostics) -> Option<Vec<(String, String)>> {
    let (_, named) = free_map(node, key, out)?;
    let read = |(name, node): (At<String>, Node)| {
        let text = scalar::literal(node, &name.value, out)?;
        Some((name.value, text.value))
    };
    Some(named.into_iter().filter_map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::cli::config::Settings;
    use crate::definition::read::json_of;
    use crate::diag::{SourceMap, render};

    fn read(process: &str) -> Result<Declared, String> {
        let text = format!("processes:\n  host: {process}\n");
        let (mut sources, mut out) = (SourceMap::default(), Diagnostics::default());
        let (bytes, targets) = (text.as_bytes(), ["lamp"]);
        let settings = Settings::read("launcher.yaml", bytes, &targets, &mut sources, &mut out);
        if out.is_empty() {
            Ok(settings.services.into_iter().next().expect("it is there"))
        } else {
            Err(render::human(&out, &sources, false))
        }
    }

    /// What the schema says of it.
    fn fits(process: &str) -> bool {
        let files = crate::schema::files(None);
        let (_, schema) = files.iter().find(|(name, _)| name.starts_with("launcher")).expect("one");
        let schema = serde_json::from_str(schema).expect("it is JSON");
        let validator = jsonschema::draft202012::options().build(&schema).expect("a schema");
        let text = format!("processes:\n  host: {process}\n");
        validator.is_valid(&json_of(&text).expect("it is YAML"))
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let declared = read("{ command: [sh] }").expect("a good file");
        let expected = Declared {
            name: "host".into(),
            command: vec!["sh".into()],
            env: Vec::new(),
            cwd: None,
            restart: Restart::OnFailure,
            backoff: Backoff { delay: Millis(200), max_delay: Millis(30_000) },
            ready: Ready::Register("host".into()),
            ready_timeout: Millis(30_000),
            asks: Signal::SIGTERM,
            grace: Millis(5_000),
        };
        assert_eq!(declared, expected);
    }

    #[test]
    fn every_word_means_what_it_says() {
        let one = |more: &str| {
            let process = format!("{{ command: [sh, -c, \"exit 0\"], {more} }}");
            assert!(fits(&process), "{more}");
            read(&process).unwrap_or_else(|wrong| panic!("{wrong}"))
        };
        assert_eq!(one("restart: on_failure").restart, Restart::OnFailure);
        assert_eq!(one("restart: always").restart, Restart::Always);
        assert_eq!(one("restart: never").restart, Restart::Never);
        assert_eq!(one("ready: register").ready, Ready::Register("host".into()));
        assert_eq!(one("ready: started").ready, Ready::Started);
        assert_eq!(one("ready: { register: lamp }").ready, Ready::Register("lamp".into()));
        assert_eq!(one("ready: { connect: a/b }").ready, Ready::Connect("a/b".into()));
        assert_eq!(one("ready: { line: up }").ready, Ready::Line("up".into()));
        assert_eq!(one("ready_timeout: 5s").ready_timeout, Millis(5_000));
        assert_eq!(one("stop: { signal: QUIT }").asks, Signal::SIGQUIT);
        assert_eq!(one("stop: { signal: KILL, grace: 1s }").grace, Millis(1_000));
        assert_eq!(one("backoff: { delay: 1s }").backoff.delay, Millis(1_000));
        assert_eq!(one("backoff: { delay: 1m }").backoff.max_delay, Millis(60_000));
        assert_eq!(one("env: { A: b }").env, [("A".to_owned(), "b".to_owned())]);
        assert_eq!(one("cwd: /").cwd, Some("/".into()));
    }

    /// Those with `true` are refused by the schema too.
    #[test]
    fn mistakes_have_places_and_cures() {
        for (process, by_schema, words) in [
            ("{}", true, "SF010"),
            ("{ command: sh }", true, "`command` is a list: the program, then its arguments"),
            ("{ command: [] }", true, "the command is empty"),
            ("{ command: [\"\"] }", false, "the command is empty"),
            ("{ command: [sh], comand: 1 }", true, "did you mean `command`"),
            ("{ command: [sh], restart: sometimes }", true, "SF015"),
            ("{ command: [sh], ready: soon }", true, "SF015"),
            ("{ command: [sh], ready: {} }", true, "SF016"),
            ("{ command: [sh], ready: { line: a, connect: b } }", true, "SF016"),
            ("{ command: [sh], ready: { line: \"\" } }", false, "every line holds that"),
            ("{ command: [sh], ready: { register: wisp } }", false, "so it could never be ready"),
            ("{ command: [sh], stop: { signal: STOP } }", true, "SF015"),
            ("{ command: [sh], stop: { grace: 5 } }", true, "SF013"),
            (
                "{ command: [sh], backoff: { delay: 1m, max_delay: 1s } }",
                false,
                "the longest pause",
            ),
            ("{ command: [sh], env: { \"A=B\": c } }", false, "a variable's name"),
            ("{ command: [no-such-program] }", false, "there is no program `no-such-program`"),
            ("{ command: [sh], cwd: /no/where }", false, "/no/where does not exist"),
        ] {
            let wrong = read(process).expect_err(process);
            assert!(wrong.contains(words), "{process}: {words:?} is missing in:\n{wrong}");
            assert_eq!(fits(process), !by_schema, "{process}");
        }
    }

    #[test]
    fn what_the_reference_shows_is_read() {
        let page = include_str!("../../../docs/reference/launcher-yaml.md");
        let block = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
        let text = block.expect("it shows one").replace("./my-host", "sh").replace("build", "/");
        let (mut sources, mut out) = (SourceMap::default(), Diagnostics::default());
        Settings::read("launcher.yaml", text.as_bytes(), &[], &mut sources, &mut out);
        assert!(out.is_empty(), "{}", render::human(&out, &sources, false));
    }
}
