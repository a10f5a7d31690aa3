//! `run tests` and `check` beside a line: our own binary, as another process, so that nothing that
//! it does can hold up the editor.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::server::Input;

/// Bytes of a run's words that are shown; the rest is not read on.
const SHOWN_BYTES: u64 = 256 * 1024;

/// A run that was started. It ends with the server that started it: nobody would read its words.
#[derive(Debug)]
pub struct Run {
    child: Arc<Mutex<Child>>,
}

impl Run {
    /// Whether it goes on.
    pub fn is_going(&self) -> bool {
        held(&self.child).try_wait().is_ok_and(|status| status.is_none())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // What has ended already cannot be ended again.
        held(&self.child).kill().ok();
    }
}

/// A child is fit for use whatever became of who held it last.
fn held(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a command of ours on a file, and tells the server when it has ended.
///
/// # Errors
/// It cannot be started, in words.
pub fn start(command: &'static str, path: &Path, to: SyncSender<Input>) -> Result<Run, String> {
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
    let child = Arc::new(Mutex::new(child));
    let run = Run { child: child.clone() };
    thread::spawn(move || {
        // Both at once: a full pipe that nobody empties would stop the child.
        let err = thread::spawn(move || err.map(all).unwrap_or_default());
        let mut text = out.map(all).unwrap_or_default();
        let talk = err.join().unwrap_or_default();
        let fine = held(&child).wait().is_ok_and(|status| status.success());
        let summary = talk.trim().lines().last().unwrap_or("").to_owned();
        text.push_str(&talk);
        let summary = if summary.is_empty() { format!("{command} ended") } else { summary };
        drop(to.send(Input::Ran { fine, summary, text }));
    });
    Ok(run)
}

fn all(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    drop(from.by_ref().take(SHOWN_BYTES).read_to_end(&mut bytes));
    drop(std::io::copy(&mut from, &mut std::io::sink()));
    String::from_utf8_lossy(&bytes).into_owned()
}
