//! A file of the author's written anew. Decides nothing about what is in it.

use std::fs;
use std::io;
use std::path::Path;

/// Writes a file anew as a whole: whoever reads it meanwhile has the old text or the new one.
///
/// # Errors
/// It cannot be written; then it is as it was.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    // Through a link to the file itself, which keeps its place.
    let path = path.canonicalize()?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = fs::write(&beside, text)
        .and_then(|()| fs::set_permissions(&beside, fs::metadata(&path)?.permissions()))
        .and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        drop(fs::remove_file(&beside));
    }
    written
}
