//! `sagaflow run`: the launcher in this process, until a signal ends it. Runs no saga itself.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io;
use std::path::PathBuf;

use tracing_subscriber::EnvFilter;

use super::config::Settings;
use super::exit::{Exit, Failure, Outcome};
use super::load::{self, SAGAS};
use super::out;
use super::place::Where;
use super::talk::Talk;
use crate::diag::{Diagnostics, SourceMap, render};
use crate::ipc::session::Allow;
use crate::launcher::{self, BootError, Config, Loaded, Manners, RunError, read_text};
use crate::view::text::Tone;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "What it logs is chosen by SAGAFLOW_LOG, like SAGAFLOW_LOG=debug.")]
pub struct Args {
    /// Directory of the definitions
    #[arg(long, value_name = "DIR", default_value = SAGAS)]
    sagas: PathBuf,
    /// Processes to supervise, rights of clients, retention: docs/reference/launcher-yaml.md
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check definitions and configuration, and start nothing
    #[arg(long)]
    check_only: bool,
    #[command(flatten)]
    place: Where,
}

/// Starts the launcher, and returns when it has stopped.
pub(super) fn run(args: &Args) -> Outcome {
    let mut config = Config {
        data: args.place.data(),
        socket: args.place.socket(),
        allow: Allow::default(),
        manners: Manners::default(),
        pods: None,
        services: Vec::new(),
    };
    let loaded = launcher::load(&args.sagas).map_err(|error| failed(&error))?;
    let settings = settings(args, &loaded)?;
    config.allow = settings.allow;
    config.manners = settings.manners;
    config.pods = settings.pods;
    config.services = settings.services;
    config.manners.crash_after = crash_after()?;
    let sagas = match loaded.plans.len() {
        1 => "1 saga".to_owned(),
        many => format!("{many} sagas"),
    };
    if args.check_only {
        out::say(Tone::Good, &format!("{sagas}, nothing wrong"));
        return Ok(Exit::Fine);
    }
    let talk = Talk::to_stderr();
    log_through(&talk);
    panic_through(&talk);
    let words = format!(
        "{sagas}; data in {}; listening on {}",
        config.data.display(),
        config.socket.display()
    );
    let exit = match launcher::run(config, loaded, || talk.say(Tone::Good, &words)) {
        Ok(()) => {
            talk.say(Tone::Faint, "stopped; open sagas go on at the next start");
            Exit::Fine
        }
        Err(error) => match failed(&error) {
            Failure::Said { exit, message } => {
                talk.complain(&message);
                exit
            }
            Failure::PipeClosed => Exit::Fine,
        },
    };
    talk.finish();
    Ok(exit)
}

/// For tests alone: after how many commits the launcher is to die as in a power cut.
fn crash_after() -> Result<Option<u64>, Failure> {
    let Ok(text) = std::env::var("SAGAFLOW_CRASH_AFTER_COMMITS") else { return Ok(None) };
    match text.parse() {
        Ok(commits) => Ok(Some(commits)),
        Err(_) => Err(Failure::usage(format!(
            "SAGAFLOW_CRASH_AFTER_COMMITS is a number of commits, for tests, not `{text}`"
        ))),
    }
}

fn settings(args: &Args, loaded: &Loaded) -> Result<Settings, Failure> {
    let Some(path) = &args.config else { return Ok(Settings::default()) };
    let bytes = read_text(path).map_err(|error| {
        Failure::usage(format!("cannot read the configuration {}: {error}", path.display()))
    })?;
    let targets: Vec<&str> = loaded.defined.catalog.targets.keys().map(|name| &**name).collect();
    let (mut sources, mut found) = (SourceMap::default(), Diagnostics::default());
    let name = path.to_string_lossy();
    let settings = Settings::read(&name, &bytes, &targets, &mut sources, &mut found);
    if found.has_errors() {
        let text = render::human(&found, &sources, false);
        let message = format!("the configuration is not valid\n\n{}", text.trim_end());
        return Err(Failure::new(Exit::No, message));
    }
    Ok(settings)
}

/// The words and the exit code of a launcher that did not start, or had to end.
fn failed(error: &RunError) -> Failure {
    let exit = match error {
        RunError::Invalid(invalid) => {
            let (library, found) = &**invalid;
            let text = render::human(found, &library.sources, false);
            return Failure::new(Exit::No, format!("{error}\n\n{}", text.trim_end()));
        }
        RunError::Lock(error) => Exit::from(error),
        RunError::Open(_)
        | RunError::Boot(BootError::Read(_) | BootError::World(_))
        | RunError::Append(_) => Exit::Log,
        RunError::Sagas { path, source } => return load::unreadable(path, source),
        RunError::Bind(_) => Exit::Usage,
        RunError::Boot(BootError::Thread(_)) | RunError::Start(_) => Exit::No,
    };
    Failure::new(exit, error.to_string())
}

/// A panic too must not wait for whoever reads stderr: it ends the thread that had it.
fn panic_through(talk: &Talk) {
    let talk = talk.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let backtrace = Backtrace::capture();
        let words = match backtrace.status() == BacktraceStatus::Captured {
            true => format!("{panic}\n{backtrace}"),
            false => panic.to_string(),
        };
        talk.complain(&words);
        talk.finish();
    }));
}

fn log_through(talk: &Talk) {
    let filter = EnvFilter::try_from_env("SAGAFLOW_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // A second subscriber cannot be: this is the one place that sets it, once for a process.
    let talk = talk.clone();
    drop(
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(move || talk.clone())
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .with_target(false)
            .try_init(),
    );
}
