//! Whether the files of a log hold all that was committed: asked before SQLite opens them, which
//! takes a -wal that was cut for a short one and begins where that ends \[R2, R8\]. Changes
//! nothing.
//!
//! Two witnesses speak: the -wal, whose frames are a chain that no commit stands behind; and the
//! -shm of a process that was killed. A -wal that was taken away as a whole, with its -shm, leaves
//! none: then a log is what its own file says.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::log::error::OpenError;
use crate::log::migrate::{beside, read_alone};
use crate::log::read::high_water;
use crate::log::shm::{self, Noted};
use crate::log::wal::{self, Wal};

/// How often the files are read when somebody commits meanwhile.
const TRIES: usize = 5;

/// What stands behind all that was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    Nothing,
    /// What a power cut left of a commit that nobody was told of.
    Leftover,
}

/// Looks whether all that was committed is there.
///
/// # Errors
/// It is not, or the -wal cannot be read.
pub(super) fn look(log: &Path) -> Result<Behind, OpenError> {
    // SQLite follows links, and the -wal lies where they lead.
    let log = &fs::canonicalize(log).map_err(|error| OpenError::access(log, &error))?;
    let (wal, shm) = (beside(log, "-wal"), beside(log, "-shm"));
    for path in [&wal, &shm] {
        plain(path)?;
    }
    for _ in 0..TRIES {
        let noted = shm::read(&shm);
        let own = Own::of(log).map_err(|error| OpenError::access(log, &error))?;
        let found = match wal::read(&wal) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(OpenError::access(&wal, &error)),
        };
        // Who commits just now is alive, and looks for itself.
        if shm::read(&shm) == noted {
            let cut = own.cut_short(found.as_ref());
            let behind = judge(&wal, found, noted).map_err(|missing| {
                let Missing { what, partly } = missing;
                OpenError::lacking(log, what, &alone(log), partly.as_deref())
            })?;
            return cut.map_or(Ok(behind), |what| Err(OpenError::damaged(log, what)));
        }
    }
    Ok(Behind::Nothing)
}

/// What stands in a file's place must be one: to open a pipe would wait for its other end.
fn plain(path: &Path) -> Result<(), OpenError> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let why = "it is no plain file, and SQLite keeps one there; move it away".to_owned();
            Err(OpenError::Access { path: path.to_owned(), why })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The log's own file.
struct Own {
    bytes: u64,
    /// Pages that it says it has.
    pages: u32,
    page_bytes: u64,
}

impl Own {
    fn of(log: &Path) -> io::Result<Own> {
        let mut header = [0; 32];
        let mut file = File::open(log)?;
        file.read_exact(&mut header)?;
        let bytes = file.metadata()?.len();
        let pages = header[28..32].try_into().expect("four bytes were taken");
        // 1 stands for the one size that two bytes cannot hold.
        let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            size => u64::from(size),
        };
        Ok(Own { bytes, pages: u32::from_be_bytes(pages), page_bytes })
    }

    /// A file that is shorter than it should be has lost its end, unless that is in the -wal.
    fn cut_short(&self, wal: Option<&Wal>) -> Option<String> {
        let Own { bytes, pages, page_bytes } = *self;
        let in_wal = |page: u64| {
            wal.is_some_and(|wal| u32::try_from(page).is_ok_and(|page| wal.pages.contains(&page)))
        };
        // The newest commit says it, and it may be in the -wal alone.
        let pages = wal.filter(|wal| wal.frames > 0).map_or(pages, |wal| wal.log_pages);
        let (there, all) = (bytes / page_bytes.max(1), u64::from(pages));
        let missing = (there + 1..=all).find(|page| !in_wal(*page))?;
        Some(format!(
            "it was cut short: {bytes} bytes of {} are there, and page {missing} is nowhere",
            all * page_bytes
        ))
    }
}

/// What the -wal lacks.
struct Missing {
    what: String,
    /// What can be read of it and fits to the log's own file, if anything.
    partly: Option<String>,
}

impl Missing {
    fn all(what: String) -> Missing {
        Missing { what, partly: None }
    }
}

fn judge(path: &Path, wal: Option<Wal>, noted: Option<Noted>) -> Result<Behind, Missing> {
    let path = path.display();
    let is_there = wal.is_some();
    let wal = wal.unwrap_or_default();
    if wal.headless {
        let what = format!("the beginning of {path} is gone, and commits stand behind it");
        return Err(Missing::all(what));
    }
    // What another round says was moved long ago.
    let of_this = |noted: &Noted| wal.round.is_none_or(|round| round == noted.round);
    if let Some(Noted { frames, moved, .. }) = noted.filter(of_this) {
        if moved >= frames {
            return Ok(if wal.behind_a_gap > 0 { Behind::Leftover } else { Behind::Nothing });
        }
        if wal.round.is_none() {
            let how = if is_there { "holds nothing" } else { "is gone" };
            let what = format!("{path} {how}, where {} committed pages were", frames - moved);
            return Err(Missing::all(what));
        }
        if wal.frames < frames {
            let what = format!("{path} was cut or written over");
            let partly = format!("the first {} of {frames} committed pages", wal.frames);
            // The log's own file is newer than a part that ends before what was moved there.
            let fits = wal.frames > moved;
            return Err(Missing { what, partly: fits.then_some(partly) });
        }
    }
    match wal.behind_a_gap {
        0 => Ok(Behind::Nothing),
        1 => Ok(Behind::Leftover),
        many => {
            let what = format!(
                "{path} was cut or written over: there is a gap in it, and {many} commits stand \
                 behind that"
            );
            let partly = format!("the first {} pages", wal.frames);
            Err(Missing { what, partly: (wal.frames > 0).then_some(partly) })
        }
    }
}

/// What the log's own file holds, in words.
fn alone(log: &Path) -> String {
    match read_alone(log).and_then(|log| high_water(&log).ok()) {
        None => "what that is cannot be read without it".to_owned(),
        Some(water) if water.seq.0 == 0 => "nothing, so that ids begin at 1 again".to_owned(),
        Some(water) => format!(
            "records up to number {} of {}, sagas up to id {}",
            water.seq.0, water.time, water.saga_id.0
        ),
    }
}
