//! The hidden subcommands: the shim that waits at its gate and becomes a child's program, and the
//! way to the keeper. Run by a launcher, never by people.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use super::keeper;

/// Name of the shim's subcommand.
pub(super) const EXEC_CHILD: &str = "exec-child";
/// Name of the keeper's subcommand.
pub(super) const KEEP_CHILDREN: &str = "keep-children";

/// What opens the gate.
pub(super) const GO: &[u8] = b"go\n";
/// What a shim says first: it is ours, and waits.
pub(super) const READY: u8 = b'r';

/// It has not acted: nobody opened its gate, or its launcher is gone.
const NOT_BEGUN: u8 = 125;
/// It was started by no launcher.
const WRONG: u8 = 126;
/// The system did not run the program.
const NOT_RUN: u8 = 127;

/// What a shim is told, in the order of its arguments.
pub(super) struct Told<'a> {
    /// The process that must still be its parent.
    pub parent: u32,
    /// Whether it dies with its parent.
    pub dies: bool,
    /// Whether its program reads nothing.
    pub no_stdin: bool,
    /// The parent's file descriptor where it tells why the program did not begin.
    pub status: i32,
    /// The program's file.
    pub program: &'a OsStr,
}

impl Told<'_> {
    /// As arguments; those of the program follow, its name first.
    pub fn args(&self) -> Vec<OsString> {
        let mut flags = String::from("-");
        flags.extend(self.dies.then_some('d'));
        flags.extend(self.no_stdin.then_some('n'));
        vec![
            EXEC_CHILD.into(),
            self.parent.to_string().into(),
            flags.into(),
            self.status.to_string().into(),
            self.program.to_owned(),
        ]
    }
}

/// Runs a hidden subcommand, if the first argument names one.
pub fn hidden(mut args: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    args.next();
    let name = args.next()?;
    if name == EXEC_CHILD {
        let args: Vec<OsString> = args.collect();
        return Some(exec_child(&args).into());
    }
    (name == KEEP_CHILDREN).then(keeper::keep)
}

/// Becomes the program, or returns the exit code of one that did not begin.
fn exec_child(args: &[OsString]) -> u8 {
    let Some((told, argv)) = read(args) else {
        let words =
            format!("{EXEC_CHILD} is how a launcher starts its processes; run nothing by it");
        writeln!(io::stderr(), "{words}").ok();
        return WRONG;
    };
    if told.dies {
        die_with_parent();
    }
    // Asked after the signal was asked for: a parent that ended before is not the parent any more.
    if nix::unistd::getppid().as_raw().cast_unsigned() != told.parent {
        return NOT_BEGUN;
    }
    let Ok(mut status) = open_status(&told) else { return WRONG };
    if status.write_all(&[READY]).is_err() || !gate_opens() {
        return NOT_BEGUN;
    }
    let ready = if told.no_stdin { read_nothing() } else { Ok(()) };
    let error = match ready {
        Ok(()) => Command::new(told.program).arg0(&argv[0]).args(&argv[1..]).exec(),
        Err(error) => error,
    };
    write!(status, "{error}").ok();
    NOT_RUN
}

fn read(args: &[OsString]) -> Option<(Told<'_>, &[OsString])> {
    let [parent, flags, status, program, argv @ ..] = args else { return None };
    let flags = flags.to_str()?;
    let told = Told {
        parent: parent.to_str()?.parse().ok()?,
        dies: flags.contains('d'),
        no_stdin: flags.contains('n'),
        status: status.to_str()?.parse().ok()?,
        program,
    };
    (!argv.is_empty()).then_some((told, argv))
}

#[cfg(target_os = "linux")]
fn die_with_parent() {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).ok();
}

/// Elsewhere the keeper alone ends it.
#[cfg(not(target_os = "linux"))]
fn die_with_parent() {}

/// The parent's end of a pipe, opened by its name: what is not inherited cannot be inherited by
/// others either, and it closes itself when the program begins.
#[cfg(target_os = "linux")]
fn open_status(told: &Told<'_>) -> io::Result<File> {
    use std::os::unix::fs::FileTypeExt as _;
    let path = format!("/proc/{}/fd/{}", told.parent, told.status);
    let status = OpenOptions::new().write(true).open(path)?;
    // A parent that gave it up may have given its number to any other file by now.
    match status.metadata()?.file_type().is_fifo() {
        true => Ok(status),
        false => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

/// Elsewhere the exit code alone tells it.
#[cfg(not(target_os = "linux"))]
fn open_status(_told: &Told<'_>) -> io::Result<File> {
    OpenOptions::new().write(true).open("/dev/null")
}

/// Waits for the launcher's word. Not a byte more is taken: what follows is the program's.
fn gate_opens() -> bool {
    for expected in GO {
        let mut byte = [0];
        let read = loop {
            match nix::unistd::read(io::stdin(), &mut byte) {
                Err(nix::errno::Errno::EINTR) => {}
                read => break read,
            }
        };
        if read != Ok(1) || byte[0] != *expected {
            return false;
        }
    }
    true
}

fn read_nothing() -> io::Result<()> {
    Ok(nix::unistd::dup2_stdin(File::open("/dev/null")?)?)
}
