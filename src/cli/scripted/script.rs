//! What a message asks of the scripted agent. Does nothing of it.

use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Says this.
    Say(String),
    /// Ends with this exit code, and no result.
    Exit(u8),
    /// Does nothing, for ever.
    Hang,
    /// Outlives TERM and INT from now on.
    IgnoreTerm,
    /// Ends by a signal.
    Crash(Signal),
    /// Writes so many lines, each of about so many bytes.
    Flood(u64, usize),
    /// Bears this session id from now on; none: no id at all.
    Session(Option<String>),
    /// Ends with an error as its result, and this exit code.
    Error(u8, String),
    /// Tells that it has to wait for its provider.
    RateLimit,
    /// Leaves a process of its own behind, which holds its output open.
    Grandchild,
    /// Writes this without a line's end, and ends.
    Torn(String),
    /// Writes a line to stderr.
    Stderr(String),
    /// Writes a line that is no frame.
    Plain(String),
    /// Waits.
    Sleep(Duration),
    /// Waits until this file is there.
    Await(PathBuf),
    /// Makes this file.
    Touch(PathBuf),
    /// Tells its arguments, its directory, and this variable.
    Tell(String),
    /// Says what the session began with.
    Recall,
    /// As a pod: spawns a pod of its own.
    Spawn(String),
    /// As a pod: listens no more, and lives on.
    Unlisten,
}

/// Reads a message: a line or a part between semicolons that begins with `!` is a deed, every other
/// is said.
pub fn deeds(message: &str) -> Result<Vec<Deed>, String> {
    let parts = message.lines().flat_map(|line| line.split(';')).map(str::trim);
    parts.filter(|part| !part.is_empty()).map(deed).collect()
}

fn deed(part: &str) -> Result<Deed, String> {
    let Some(order) = part.strip_prefix('!') else { return Ok(Deed::Say(part.to_owned())) };
    let (name, rest) = order.split_once(' ').unwrap_or((order, ""));
    let rest = rest.trim();
    let wrong = || format!("`!{order}` is not understood");
    Ok(match name {
        "exit" => Deed::Exit(rest.parse().map_err(|_| wrong())?),
        "hang" => Deed::Hang,
        "ignore-term" => Deed::IgnoreTerm,
        "crash" => {
            let signal = if rest.is_empty() { "SIGSEGV" } else { rest };
            Deed::Crash(signal.parse().map_err(|_| wrong())?)
        }
        "flood" => {
            let (lines, bytes) = rest.split_once(' ').unwrap_or((rest, "80"));
            Deed::Flood(lines.parse().map_err(|_| wrong())?, bytes.parse().map_err(|_| wrong())?)
        }
        "session" => Deed::Session((!rest.is_empty()).then(|| rest.to_owned())),
        "error" => Deed::Error(0, rest.to_owned()),
        "fail" => Deed::Error(1, rest.to_owned()),
        "rate-limit" => Deed::RateLimit,
        "grandchild" => Deed::Grandchild,
        "torn" => Deed::Torn(rest.to_owned()),
        "stderr" => Deed::Stderr(rest.to_owned()),
        "plain" => Deed::Plain(rest.to_owned()),
        "sleep" => Deed::Sleep(Duration::from_millis(rest.parse().map_err(|_| wrong())?)),
        "await" => Deed::Await(rest.into()),
        "touch" => Deed::Touch(rest.into()),
        "tell" => Deed::Tell(rest.to_owned()),
        "recall" => Deed::Recall,
        "spawn" => Deed::Spawn(rest.to_owned()),
        "unlisten" => Deed::Unlisten,
        _ => return Err(wrong()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_said_but_for_its_deeds() {
        let read =
            deeds("Hello, you!\n!flood 10 200; and more ;!crash SIGKILL\n\n!session").unwrap();
        assert_eq!(
            read,
            [
                Deed::Say("Hello, you!".to_owned()),
                Deed::Flood(10, 200),
                Deed::Say("and more".to_owned()),
                Deed::Crash(Signal::SIGKILL),
                Deed::Session(None),
            ]
        );
        assert!(deeds("!dance").is_err());
        assert!(deeds("!exit 300").is_err());
    }
}
