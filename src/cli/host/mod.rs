//! `sagaflow host`: a scripted target over the real socket. Keeps nothing of sagas but its answers.

mod actor;
mod ledger;
mod script;
mod teller;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::catalog;
use super::exit::{Exit, Failure, Outcome};
use super::link::block_on;
use super::out::{self, Shape};
use super::place::Where;
use crate::diag::{Diagnostics, SourceMap, render};
use crate::ipc::ErrorCode;
use crate::ipc::client::{Client, ClientError, Command, Event, Identity, ServerLine};
use crate::launcher::read_text;
use crate::time::Millis;
use actor::{Actor, Answer, Plan};
use ledger::Ledger;
use script::Script;
use teller::Teller;

/// The first pause before it connects again; doubles up to the next.
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
/// The longest such pause.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Arguments of `host`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The script's format is in docs/reference/host-script.md.")]
pub struct Args {
    /// What to answer to which command
    #[arg(long, value_name = "FILE")]
    script: PathBuf,
    /// Keep the answers in this file, so that they stay the same after a restart; one ledger for
    /// one data directory
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Directory of the catalogs [default: sagas, if it is there]
    #[arg(long, value_name = "DIR")]
    sagas: Option<PathBuf>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    shape: Shape,
}

/// Plays the host until it is stopped. The launcher may come and go meanwhile.
pub(super) fn run(args: &Args) -> Outcome {
    let vocabulary = catalog::merged(args.sagas.as_deref())?;
    let bytes = read_text(&args.script).map_err(|error| {
        Failure::usage(format!("cannot read the script {}: {error}", args.script.display()))
    })?;
    let script = read_script(&args.script, &bytes, &vocabulary)?;
    let (ledger, answered) = match &args.ledger {
        None => (None, BTreeMap::new()),
        Some(path) => {
            let (ledger, answered) = Ledger::open(path).map_err(Failure::usage)?;
            (Some(ledger), answered)
        }
    };
    let mut host = Host {
        actor: Actor::new(script, vocabulary, answered),
        ledger,
        due: Vec::new(),
        tell: Teller::new(args.shape),
    };
    let socket = args.place.socket();
    block_on(host.live(&socket))
}

fn read_script(
    path: &Path,
    bytes: &[u8],
    vocabulary: &crate::definition::Catalog,
) -> Result<Script, Failure> {
    let (mut sources, mut found) = (SourceMap::default(), Diagnostics::default());
    let name = path.to_string_lossy();
    let script = Script::read(&name, bytes, vocabulary, &mut sources, &mut found);
    match script.filter(|_| !found.has_errors()) {
        Some(script) => Ok(script),
        None => {
            let text = render::human(&found, &sources, false);
            Err(Failure::new(Exit::No, format!("the script is not valid\n\n{}", text.trim_end())))
        }
    }
}

/// Something that is to be done later.
struct Due {
    at: Instant,
    command: Command,
    what: What,
}

enum What {
    Answer(Answer),
    Disconnect,
}

struct Host {
    actor: Actor,
    ledger: Option<Ledger>,
    due: Vec<Due>,
    tell: Teller,
}

impl Host {
    /// Connects, serves, and connects again when the launcher went away. The first time it must be
    /// there: a wrong path would else be waited for for ever.
    async fn live(&mut self, socket: &Path) -> Outcome {
        let mut client = self.connect(socket).await?;
        loop {
            self.serve(&mut client).await?;
            drop(client);
            self.tell.gone()?;
            client = self.connect_again(socket).await?;
        }
    }

    async fn connect(&mut self, socket: &Path) -> Result<Client, Failure> {
        let mut client = Client::connect(socket).await?;
        let registered = self.register(&mut client).await?;
        self.tell.connected(self.actor.script(), &registered)?;
        Ok(client)
    }

    async fn register(&self, client: &mut Client) -> Result<Event, ClientError> {
        let script = self.actor.script();
        let identity = Identity {
            kind: &script.target,
            name: &script.name,
            version: env!("CARGO_PKG_VERSION"),
            subscribe: Some(&[]),
            resume_from: None,
        };
        client.register(&identity).await
    }

    async fn connect_again(&mut self, socket: &Path) -> Result<Client, Failure> {
        let mut pause = BACKOFF_FIRST;
        loop {
            self.work_until(Instant::now() + pause).await?;
            match self.connect(socket).await {
                Err(Failure::Said { exit: Exit::Unreachable, .. }) => {}
                done => return done,
            }
            pause = (pause * 2).min(BACKOFF_MAX);
        }
    }

    /// Does what is due while nobody listens: work goes on without a launcher, and an answer that
    /// is given now is given again when its command comes again.
    async fn work_until(&mut self, end: Instant) -> Result<(), Failure> {
        while let Some(at) = self.due.iter().map(|due| due.at).min().filter(|at| *at <= end) {
            sleep_until(at).await;
            // To hang up while nobody listens changes nothing.
            let _hung_up = self.fire(None).await?;
        }
        sleep_until(end).await;
        Ok(())
    }

    /// Serves one connection until it ends, for whatever reason.
    async fn serve(&mut self, client: &mut Client) -> Result<(), Failure> {
        loop {
            let next = self.due.iter().map(|due| due.at).min();
            tokio::select! {
                line = client.next() => match line {
                    Ok(Some(ServerLine::Command(command))) => self.take(client, command).await?,
                    Ok(Some(ServerLine::Event(event))) => self.hear(&event)?,
                    Ok(None) | Err(_) => return Ok(()),
                },
                () = until(next) => {
                    if self.fire(Some(client)).await?.is_break() {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn take(&mut self, client: &mut Client, command: Command) -> Result<(), Failure> {
        let plan = self.actor.plan(&command);
        self.tell.command(&command, &plan)?;
        let at = |after: Millis| Instant::now() + Duration::from_millis(after.0);
        match plan {
            Plan::Answer(after, answer) => {
                self.due.push(Due { at: at(after), command, what: What::Answer(answer) });
            }
            Plan::Again(answer) => self.give(Some(client), &command, &answer).await?,
            Plan::Disconnect(after) => {
                self.due.push(Due { at: at(after), command, what: What::Disconnect });
            }
            Plan::OnItsWay | Plan::Silent => {}
        }
        Ok(())
    }

    /// Does what is due; `Break` when that was to hang up.
    async fn fire(
        &mut self,
        mut client: Option<&mut Client>,
    ) -> Result<std::ops::ControlFlow<()>, Failure> {
        let now = Instant::now();
        while let Some(at) = self.due.iter().position(|due| due.at <= now) {
            let due = self.due.remove(at);
            match due.what {
                What::Answer(answer) => {
                    if let Some(ledger) = &mut self.ledger {
                        ledger.write(&due.command.command_id, &answer).map_err(|error| {
                            Failure::new(Exit::No, format!("cannot write the ledger: {error}"))
                        })?;
                    }
                    self.actor.answered(&due.command.command_id, answer.clone());
                    self.give(client.as_deref_mut(), &due.command, &answer).await?;
                }
                What::Disconnect => {
                    self.tell.hangs_up(&due.command)?;
                    return Ok(std::ops::ControlFlow::Break(()));
                }
            }
        }
        Ok(std::ops::ControlFlow::Continue(()))
    }

    /// Gives an answer. A connection that breaks meanwhile is noticed by the next read; the
    /// command comes again then, and so does the answer.
    async fn give(
        &mut self,
        client: Option<&mut Client>,
        command: &Command,
        answer: &Answer,
    ) -> Result<(), Failure> {
        self.tell.answer(command, answer)?;
        let Some(client) = client else { return Ok(()) };
        let given = match answer {
            Answer::Reply { event, fields } => client.echo(command, event, fields).await,
            Answer::Fail { reason } => client.fail(command, reason).await,
        };
        match given {
            Ok(()) => Ok(()),
            Err(error) if error.is_unreachable() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The launcher's word about one of our lines, or its last one.
    fn hear(&mut self, event: &Event) -> Result<(), Failure> {
        if event.name != "error" {
            return Ok(());
        }
        let word = |name: &str| event.fields.get(name).and_then(|word| word.as_str()).unwrap_or("");
        if ErrorCode::parse(word("code")) == Some(ErrorCode::Superseded) {
            let target = &self.actor.script().target;
            let message = format!("another `{target}` took over; this one leaves the field to it");
            return Err(Failure::new(Exit::No, message));
        }
        out::warn(&format!("the launcher says: {} ({})", word("message"), word("code")));
        Ok(())
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
