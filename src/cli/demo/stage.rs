//! The demo's stage: a scratch directory and real processes of this very binary. Tells no story.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::Sender;
use tokio::time::sleep;

use super::Heard;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out;
use crate::cli::place::Where;
use crate::ipc::client::Client;
use crate::view::text::{Line, Tone};

macro_rules! shipped {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../sagas/", $name)))
    };
}

/// Definitions that the binary carries: the shipped ones, but those of turns and pods.
pub const SAGAS: [(&str, &str); 15] = [
    shipped!("close_pane.saga.yaml"),
    shipped!("delete_block.saga.yaml"),
    shipped!("delete_tab.saga.yaml"),
    shipped!("delete_workspace.saga.yaml"),
    shipped!("launcher_host.catalog.yaml"),
    shipped!("pending_shutdown.saga.yaml"),
    shipped!("pool_respawn_on_promote.saga.yaml"),
    shipped!("promote_block_to_tab.saga.yaml"),
    shipped!("promoted_window_watch.saga.yaml"),
    shipped!("redock_floating_pane.saga.yaml"),
    shipped!("restore_torn_off_tab.saga.yaml"),
    shipped!("srv.catalog.yaml"),
    shipped!("tear_off_block.saga.yaml"),
    shipped!("tear_off_tab.saga.yaml"),
    shipped!("window_cleanup_cascade.saga.yaml"),
];

/// What turns of an agent need of the others.
pub const AGENTS: [(&str, &str); 2] =
    [shipped!("agent_turn.saga.yaml"), shipped!("agents.catalog.yaml")];

const SCRIPTS: &[(&str, &str)] =
    &[("host.yaml", include_str!("host.yaml")), ("srv.yaml", include_str!("srv.yaml"))];

/// How often a launcher that is starting is looked for.
const LOOK: Duration = Duration::from_millis(20);
/// How often at most: thirty seconds, for a machine that is very busy.
const LOOKS_MAX: u32 = 1_500;

/// Everything that has to go away in the end.
#[derive(Debug)]
pub struct Stage {
    directory: PathBuf,
    /// Whether the user asked for the directory and keeps it.
    kept: bool,
    binary: PathBuf,
    launcher: Option<Child>,
    hosts: Vec<Child>,
}

impl Stage {
    /// Makes the directory and what lies in it.
    ///
    /// # Errors
    /// There is no room, or `keep` is there already.
    pub fn build(keep: Option<&Path>, files: &[(&str, &str)]) -> Result<Stage, Failure> {
        let directory = keep.map_or_else(scratch, Path::to_owned);
        let failed = |error: io::Error| {
            let message = format!("cannot make {}: {error}", directory.display());
            Failure::new(Exit::Usage, message)
        };
        let binary = std::env::current_exe().map_err(failed)?;
        if directory.exists() {
            let message = format!("{} is there already; name a new one", directory.display());
            return Err(Failure::usage(message));
        }
        DirBuilder::new().mode(0o700).recursive(true).create(&directory).map_err(failed)?;
        let kept = keep.is_some();
        let stage =
            Stage { directory: directory.clone(), kept, binary, launcher: None, hosts: Vec::new() };
        let sagas = stage.directory.join("sagas");
        fs::create_dir(&sagas).map_err(failed)?;
        for (name, text) in files {
            fs::write(sagas.join(name), text).map_err(failed)?;
        }
        for (name, text) in SCRIPTS {
            fs::write(stage.directory.join(name), text).map_err(failed)?;
        }
        Ok(stage)
    }

    /// Where all of it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// This very program.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// The launcher's data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// The launcher's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        Where { data: Some(self.data()), socket: None }.socket()
    }

    /// The process id of the launcher that runs.
    #[must_use]
    pub fn launcher_pid(&self) -> u32 {
        self.launcher.as_ref().and_then(Child::id).unwrap_or(0)
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg(name).arg("--sagas").arg(self.directory.join("sagas"));
        command.arg("--data").arg(self.data()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Starts a launcher on the data directory, and waits until it answers.
    ///
    /// # Errors
    /// It does not start; its own words say why.
    pub async fn start_launcher(&mut self) -> Result<(), Failure> {
        let log = self.directory.join("launcher.log");
        let file = fs::OpenOptions::new().append(true).create(true).open(&log);
        let file = file.map_err(|error| cannot_start("launcher", &error))?;
        let mut command = self.command("run");
        command.stdout(Stdio::null()).stderr(file);
        let mut child = command.spawn().map_err(|error| cannot_start("launcher", &error))?;
        for _ in 0..LOOKS_MAX {
            if Client::connect(&self.socket()).await.is_ok() {
                self.launcher = Some(child);
                return Ok(());
            }
            let ended = child.try_wait().map_err(|error| cannot_start("launcher", &error))?;
            if let Some(status) = ended {
                let words = fs::read_to_string(&log).unwrap_or_default();
                let message = format!("the launcher ended with {status}:\n{}", words.trim_end());
                return Err(Failure::new(Exit::No, message));
            }
            sleep(LOOK).await;
        }
        Err(Failure::new(Exit::Unreachable, "the launcher does not begin to listen"))
    }

    /// Runs a command as a person at another terminal would, and shows it.
    ///
    /// # Errors
    /// It fails; its own words say why.
    pub async fn command_line(&self, args: &[&str]) -> Result<(), Failure> {
        let typed = Line::of(Tone::Faint, format!("   $ sagaflow {}", args.join(" ")));
        out::stream(&[typed])?;
        self.run(args).await
    }

    /// Runs a command, and shows nothing.
    ///
    /// # Errors
    /// It fails; its own words say why.
    pub async fn run(&self, args: &[&str]) -> Result<(), Failure> {
        let mut command = Command::new(&self.binary);
        command.args(args).arg("--data").arg(self.data());
        command.stdin(Stdio::null()).kill_on_drop(true);
        let ended = command.output().await.map_err(|error| cannot_start(args[0], &error))?;
        if ended.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&ended.stderr);
        Err(Failure::new(Exit::No, format!("{} failed: {}", args[0], words.trim_end())))
    }

    /// Ends the launcher by `SIGKILL`: no goodbye, nothing flushed.
    ///
    /// # Errors
    /// There is none.
    pub async fn kill_launcher(&mut self) -> Result<(), Failure> {
        if let Some(mut child) = self.launcher.take() {
            child.kill().await.map_err(|error| cannot_start("kill", &error))?;
        }
        Ok(())
    }

    /// Starts a scripted host; what it says is heard.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_host(&mut self, who: &'static str, to: Sender<Heard>) -> Result<(), Failure> {
        let mut command = self.command("host");
        command.arg("--script").arg(self.directory.join(format!("{who}.yaml")));
        command.arg("--ledger").arg(self.directory.join(format!("{who}.ledger")));
        command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().map_err(|error| cannot_start(who, &error))?;
        let stdout = child.stdout.take();
        self.hosts.push(child);
        tokio::spawn(async move {
            let Some(stdout) = stdout else { return };
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
                if to.send(Heard::Target(who, line)).await.is_err() {
                    return;
                }
            }
        });
        Ok(())
    }
}

impl Drop for Stage {
    /// Processes end with their handles (`kill_on_drop`); the directory goes unless it is kept.
    fn drop(&mut self) {
        self.hosts.clear();
        self.launcher = None;
        if !self.kept {
            drop(fs::remove_dir_all(&self.directory));
        }
    }
}

/// A directory that nobody else has: named after this process.
fn scratch() -> PathBuf {
    std::env::temp_dir().join(format!("sagaflow-demo-{}", std::process::id()))
}

fn cannot_start(what: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::No, format!("cannot start the demo's {what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_carries_what_is_shipped() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("sagas");
        let mut names: Vec<String> = fs::read_dir(shipped)
            .expect("the shipped sagas")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".saga.yaml") || name.ends_with(".catalog.yaml"))
            .filter(|name| {
                let alien = ["agent", "pod_", "scope_relay", "registry_restore"];
                !alien.iter().any(|begin| name.starts_with(begin))
            })
            .collect();
        names.sort();
        assert_eq!(names, SAGAS.map(|(name, _)| name));
    }
}
