//! The directory of a pod: its socket, and what its process complains. Knows no registry.

use std::convert::Infallible;
use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _};
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::client::duration;
use crate::limits::{POD_STDERR_EVERY, POD_STDERR_MAX, POD_STDERR_TAIL};

/// Where the process of the pod that listens there complains.
pub(super) fn stderr_log(socket: &str) -> PathBuf {
    Path::new(socket).with_file_name("stderr.log")
}

/// Makes the directory of the pod that is to listen there, and takes away what an earlier bearer of
/// its name left.
pub(super) async fn prepare(socket: &str) -> Result<(), String> {
    let socket = PathBuf::from(socket);
    let log = stderr_log(&socket.to_string_lossy());
    let prepare = move || -> io::Result<()> {
        if let Some(directory) = socket.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        match fs::symlink_metadata(&socket) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(&socket)?,
            Ok(_) => return Err(io::Error::other("something that is no socket is in its place")),
            Err(_) => {}
        }
        match fs::remove_file(&log) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    };
    let prepared = spawn_blocking(prepare).await;
    prepared
        .map_err(io::Error::other)
        .flatten()
        .map_err(|error| format!("the directory of its socket cannot be prepared: {error}"))
}

/// Keeps what a pod's process complains short, for as long as somebody waits for this.
pub(super) async fn keep_short(socket: &str) -> Infallible {
    loop {
        sleep(duration(POD_STDERR_EVERY)).await;
        let log = stderr_log(socket);
        let cut = spawn_blocking(move || cut(&log)).await;
        if let Err(error) = cut.map_err(io::Error::other).flatten() {
            tracing::debug!(%error, socket, "what a pod complains cannot be kept short");
        }
    }
}

/// Leaves the last words of a log that became long. Whoever writes it writes at its end, wherever
/// that is.
pub(super) fn cut(log: &Path) -> io::Result<()> {
    if fs::metadata(log)?.len() <= POD_STDERR_MAX {
        return Ok(());
    }
    let words = last_words(log)?;
    let mut file = fs::OpenOptions::new().append(true).open(log)?;
    file.set_len(0)?;
    file.write_all(&words)
}

fn last_words(log: &Path) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(POD_STDERR_TAIL as u64)))?;
    let mut tail = Vec::new();
    file.take(POD_STDERR_TAIL as u64).read_to_end(&mut tail)?;
    Ok(tail)
}

/// The last that a pod's process complained; empty where nobody knows.
pub(super) async fn stderr_tail(socket: &str) -> String {
    let log = stderr_log(socket);
    let tail = spawn_blocking(move || last_words(&log))
        .await
        .ok()
        .and_then(Result::ok)
        .unwrap_or_default();
    // What was cut in the middle of a letter begins with no letter.
    String::from_utf8_lossy(&tail).trim_start_matches('\u{fffd}').to_owned()
}
