//! The one thread that starts processes. It lives as long as the launcher: the system ends a child
//! that asked for it when the *thread* ends that started it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio::net::unix::pipe;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::child::{Gate, Parts, Waiter};
use super::keeper::Keeper;
use super::shim::Told;
use super::{Child, MARK, Output, ProcessId, SpawnError, Spec, Stdin};

/// Starts that wait for the thread. Beyond: who asks waits.
const JOBS: usize = 64;

/// The way to start processes. A cheap handle.
#[derive(Clone, Debug)]
pub struct Processes {
    home: Arc<Home>,
}

#[derive(Debug)]
struct Home {
    jobs: mpsc::Sender<Job>,
    keeper: Arc<Keeper>,
    runtime: Handle,
}

#[derive(Debug)]
pub(super) enum Job {
    /// Start a child, unless nobody waits for it any more.
    Spawn(Box<Ready>, Processes, oneshot::Sender<Result<Child, SpawnError>>),
    /// Start a keeper in the place of one that ended.
    Keep,
}

/// What was looked at and opened before the thread gets it.
#[derive(Debug)]
pub(super) struct Ready {
    spec: Spec,
    program: PathBuf,
    stdout: Stdio,
    stderr: Stdio,
}

impl Processes {
    /// Begins, in a runtime that lives as long. `binary` is sagaflow's own: every child begins as
    /// that.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(binary: PathBuf) -> io::Result<Processes> {
        let (jobs, queue) = mpsc::channel(JOBS);
        let runtime = Handle::current();
        let keeper = Keeper::new(binary.clone(), jobs.downgrade());
        let thread = Spawner { binary, queue, keeper: keeper.clone(), runtime: runtime.clone() };
        std::thread::Builder::new().name("spawner".into()).spawn(move || thread.run())?;
        Ok(Processes { home: Arc::new(Home { jobs, keeper, runtime }) })
    }

    /// The file of the program that runs now. Where the system names it by a place that stays, a
    /// new version that was installed meanwhile changes nothing.
    ///
    /// # Errors
    /// The system does not say.
    pub fn own_binary() -> io::Result<PathBuf> {
        let own = Path::new("/proc/self/exe");
        if cfg!(target_os = "linux") && own.exists() {
            return Ok(own.to_owned());
        }
        std::env::current_exe()
    }

    /// Starts a child that waits at its gate ([`Child::open_gate`]).
    ///
    /// # Errors
    /// It cannot be started; nothing of it is left.
    pub async fn spawn(&self, spec: Spec) -> Result<Child, SpawnError> {
        let prepare = tokio::task::spawn_blocking(move || prepare(spec));
        let ready = prepare.await.map_err(|_| SpawnError::Closed)??;
        let (reply, answer) = oneshot::channel();
        let job = Job::Spawn(Box::new(ready), self.clone(), reply);
        self.home.jobs.send(job).await.map_err(|_| SpawnError::Closed)?;
        answer.await.map_err(|_| SpawnError::Closed)?
    }

    pub(super) fn keeper(&self) -> &Keeper {
        &self.home.keeper
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.home.runtime
    }
}

/// Looks and opens: what may take long is not done on the one thread.
fn prepare(spec: Spec) -> Result<Ready, SpawnError> {
    let program = spec.check()?;
    let (stdout, stderr) = (open(&spec.stdout)?, open(&spec.stderr)?);
    Ok(Ready { spec, program, stdout, stderr })
}

fn open(output: &Output) -> Result<Stdio, SpawnError> {
    match output {
        Output::Piped => Ok(Stdio::piped()),
        Output::Null => Ok(Stdio::null()),
        Output::File(path) => {
            let file: io::Result<File> =
                OpenOptions::new().append(true).create(true).mode(0o600).open(path);
            let wrong = |source| SpawnError::File { path: path.clone(), source };
            file.map(Stdio::from).map_err(wrong)
        }
    }
}

struct Spawner {
    binary: PathBuf,
    queue: mpsc::Receiver<Job>,
    keeper: Arc<Keeper>,
    runtime: Handle,
}

impl Spawner {
    fn run(mut self) {
        let runtime = self.runtime.clone();
        let _inside = runtime.enter();
        while let Some(job) = self.queue.blocking_recv() {
            match job {
                // A child that nobody takes is ended by its own drop.
                Job::Spawn(ready, home, reply) => drop(reply.send(self.start(*ready, home))),
                Job::Keep => self.keeper.start_again(),
            }
        }
    }

    fn start(&self, ready: Ready, home: Processes) -> Result<Child, SpawnError> {
        let Ready { spec, program, stdout, stderr } = ready;
        let (status, held) = io::pipe().map_err(SpawnError::System)?;
        let (status, held) = (OwnedFd::from(status), OwnedFd::from(held));
        let told = Told {
            parent: std::process::id(),
            dies: spec.dies_with_launcher,
            no_stdin: spec.stdin == Stdin::Null,
            status: held.as_raw_fd(),
            program: program.as_os_str(),
        };
        let mut command = Command::new(&self.binary);
        command.arg0("sagaflow").args(told.args()).args(spec.argv.iter().map(OsString::from));
        command.envs(spec.env.iter().map(|(name, value)| (name, value))).env(MARK, &spec.mark);
        command.stdin(Stdio::piped()).stdout(stdout).stderr(stderr).process_group(0);
        if let Some(cwd) = &spec.cwd {
            command.current_dir(cwd);
        }
        let mut child = command.spawn().map_err(SpawnError::System)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        // It is not reaped, so its number is its own, even if it has ended already.
        let id = ProcessId::of_child(child.id());
        let mut waiter = Waiter::new(child);
        let made = id.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)).and_then(|id| {
            let stdin = pipes.0.map(ChildStdin::from_std).transpose()?;
            let stdin = stdin.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
            let status = pipe::Receiver::from_owned_fd(status)?;
            let gate = Gate { stdin, status, held: Some(held) };
            let stdout = pipes.1.map(ChildStdout::from_std).transpose()?;
            let stderr = pipes.2.map(ChildStderr::from_std).transpose()?;
            Ok((id, gate, stdout, stderr))
        });
        let (id, gate, stdout, stderr) = match made {
            Ok(made) => made,
            // Its gate is closed by now: it leaves without having acted.
            Err(error) => {
                self.runtime.spawn(async move {
                    waiter.wait().await;
                    waiter.reap();
                });
                return Err(SpawnError::System(error));
            }
        };
        if spec.dies_with_launcher {
            self.keeper.keep(&id, &spec.mark);
        }
        let program = spec.argv.into_iter().next().unwrap_or_default();
        let dies_with_launcher = spec.dies_with_launcher;
        let parts = Parts { id, program, dies_with_launcher, waiter, gate, stdout, stderr };
        Ok(Child::new(parts, home))
    }
}
