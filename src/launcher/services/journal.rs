//! What services write, in a file each, bounded. A disk that is slow or full makes nobody wait:
//! lines are left out then, and that is said.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::limits::{SERVICE_LINES_WAITING, SERVICE_LOG_BYTES};

/// The way to the files. A cheap handle.
#[derive(Clone, Debug)]
pub struct Journal {
    lines: SyncSender<(Arc<str>, String)>,
}

impl Journal {
    /// Begins; the files go to `directory`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(directory: PathBuf) -> io::Result<Journal> {
        let (lines, waiting) = sync_channel(SERVICE_LINES_WAITING);
        let writer = Writer { directory, files: BTreeMap::new(), failed: false };
        std::thread::Builder::new().name("journal".into()).spawn(move || writer.run(&waiting))?;
        Ok(Journal { lines })
    }

    /// Adds a line; false: there was no room for it.
    pub fn write(&self, service: &Arc<str>, line: String) -> bool {
        self.lines.try_send((service.clone(), line)).is_ok()
    }
}

/// The directory of services' files, made where it is missing.
///
/// # Errors
/// It cannot be made.
pub fn directory(data: &Path) -> io::Result<PathBuf> {
    let directory = data.join("services");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
    Ok(directory)
}

struct Writer {
    directory: PathBuf,
    files: BTreeMap<Arc<str>, (File, u64)>,
    /// Whether the last write failed: said once, not for each line.
    failed: bool,
}

impl Writer {
    fn run(mut self, waiting: &Receiver<(Arc<str>, String)>) {
        while let Ok((service, line)) = waiting.recv() {
            match self.write(&service, line) {
                Ok(()) => self.failed = false,
                Err(error) => {
                    if !std::mem::replace(&mut self.failed, true) {
                        tracing::warn!(%service, %error, "what it writes cannot be kept");
                    }
                    self.files.remove(&service);
                }
            }
        }
    }

    fn write(&mut self, service: &Arc<str>, mut line: String) -> io::Result<()> {
        line.push('\n');
        let path = self.directory.join(format!("{service}.log"));
        if !self.files.contains_key(service) {
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
            let length = file.metadata()?.len();
            self.files.insert(service.clone(), (file, length));
        }
        let Some((file, length)) = self.files.get_mut(service) else { return Ok(()) };
        file.write_all(line.as_bytes())?;
        *length += line.len() as u64;
        if *length >= SERVICE_LOG_BYTES {
            self.files.remove(service);
            fs::rename(&path, path.with_extension("log.1"))?;
        }
        Ok(())
    }
}
