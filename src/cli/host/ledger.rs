//! What a host answered, in a file: so that it answers alike after it was killed. One JSON line an
//! answer; it never shrinks, and belongs to one data directory.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::actor::Answer;

/// The file, open at its end.
#[derive(Debug)]
pub struct Ledger {
    file: File,
}

/// How each line begins.
const BEGINNING: &str = r#"{"command_id":""#;

#[derive(Serialize, Deserialize)]
struct Entry {
    command_id: String,
    answer: Answer,
}

impl Ledger {
    /// Opens the file, and reads what was answered. A line that a kill cut off is no answer: it
    /// was never given.
    ///
    /// # Errors
    /// The file cannot be opened, or a line of it is no answer.
    pub fn open(path: &Path) -> Result<(Ledger, BTreeMap<String, Answer>), String> {
        let wrong = |error: io::Error| format!("cannot use the ledger {}: {error}", path.display());
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(path).map_err(wrong)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(wrong)?;
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let no_answer = |line: usize, why: &str| {
            format!("{}:{line} is no answer of a host ({why}); name another ledger", path.display())
        };
        let mut answered = BTreeMap::new();
        for (number, line) in (1..).zip(text[..whole].lines()) {
            let entry: Entry = serde_json::from_str(line)
                .map_err(|error| no_answer(number, &error.to_string()))?;
            answered.insert(entry.command_id, entry.answer);
        }
        // Only what we began ourselves is cut off: the file may be somebody's, named by mistake.
        let torn = &text[whole..];
        if !torn.is_empty() {
            if !torn.starts_with(BEGINNING) && !BEGINNING.starts_with(torn) {
                let line = text[..whole].lines().count() + 1;
                return Err(no_answer(line, "it does not begin as one"));
            }
            file.set_len(whole as u64).map_err(wrong)?;
        }
        Ok((Ledger { file }, answered))
    }

    /// Writes an answer down; to be called before it is given.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, command_id: &str, answer: &Answer) -> io::Result<()> {
        let entry = Entry { command_id: command_id.to_owned(), answer: answer.clone() };
        let mut line = serde_json::to_string(&entry)?;
        line.push('\n');
        self.file.write_all(line.as_bytes())
    }
}
