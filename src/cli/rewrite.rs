//! A file of the author's written anew. Decides nothing about what is in it.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Writes a file anew as a whole: whoever reads it meanwhile, or after a crash, has the old text or
/// the new one. `before` is what it held when the new text was made of it.
///
/// # Errors
/// In words: it cannot be written, is not to be, or holds something else by now; then it is as it
/// was.
pub(super) fn replace(path: &Path, before: &[u8], after: &str) -> Result<(), String> {
    let wrong = |error: io::Error| error.to_string();
    // Through a link to the file itself, which keeps its place.
    let path = path.canonicalize().map_err(wrong)?;
    let permissions = fs::metadata(&path).map_err(wrong)?.permissions();
    if permissions.readonly() {
        return Err("it is read-only".to_owned());
    }
    if fs::read(&path).map_err(wrong)? != before {
        return Err("it changed meanwhile".to_owned());
    }
    // Of a name that no reader of definitions takes for one.
    let beside = path.with_file_name(format!(".sagaflow.{}", std::process::id()));
    let written = write(&beside, after, permissions).and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        drop(fs::remove_file(&beside));
    }
    written.map_err(wrong)
}

fn write(path: &Path, text: &str, permissions: fs::Permissions) -> io::Result<()> {
    // What a killed one left there.
    drop(fs::remove_file(path));
    let mut file = fs::File::create_new(path)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(permissions)?;
    file.sync_all()
}
