//! `run tests` and `check` beside a line: our own binary, as another process, so that nothing that
//! it does can hold up the editor.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::SyncSender;
use std::thread;

use super::server::Input;

/// Bytes of a run's words that are shown; the rest is not read on.
const SHOWN_BYTES: u64 = 256 * 1024;

/// Runs a command of ours on a file, and tells the server when it has ended.
///
/// # Errors
/// It cannot be started, in words.
pub fn start(command: &'static str, path: &Path, to: SyncSender<Input>) -> Result<(), String> {
    let binary = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(binary)
        .arg(command)
        .arg(path)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {command}: {error}"))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    thread::spawn(move || {
        // Both at once: a full pipe that nobody empties would stop the child.
        let err = thread::spawn(move || err.map(all).unwrap_or_default());
        let mut text = out.map(all).unwrap_or_default();
        let talk = err.join().unwrap_or_default();
        let fine = child.wait().is_ok_and(|status| status.success());
        let summary = talk.trim().lines().last().unwrap_or("").to_owned();
        text.push_str(&talk);
        let summary = if summary.is_empty() { format!("{command} ended") } else { summary };
        drop(to.send(Input::Ran { fine, summary, text }));
    });
    Ok(())
}

fn all(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    drop(from.by_ref().take(SHOWN_BYTES).read_to_end(&mut bytes));
    drop(std::io::copy(&mut from, &mut std::io::sink()));
    String::from_utf8_lossy(&bytes).into_owned()
}
