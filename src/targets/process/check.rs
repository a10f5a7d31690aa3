//! Looks whether a child can be started, before anything is: a wrong command is refused with words
//! and leaves no process. What changes between this look and the start, the start tells.

use std::env;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::{SpawnError, Spec};

/// Where programs are looked for when nobody says it.
const USUAL_PATH: &str = "/usr/local/bin:/bin:/usr/bin";
/// Bytes of a script's first line that name its interpreter.
const HEAD: usize = 256;
/// Longest mark.
const MARK_MAX: usize = 128;

impl Spec {
    /// Looks whether this child can be started; returns its program's file.
    ///
    /// # Errors
    /// It cannot, and why.
    pub fn check(&self) -> Result<PathBuf, SpawnError> {
        let name = self.argv.first().filter(|name| !name.is_empty()).ok_or(SpawnError::Empty)?;
        let text = |what: &str, why| Err(SpawnError::Text { what: what.to_owned(), why });
        if self.argv.iter().any(|arg| arg.contains('\0')) {
            return text("an argument", "it holds a NUL");
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) {
                return text("a variable's name", "it is empty, or holds `=` or a NUL");
            }
            if value.contains('\0') {
                return text(&format!("the variable `{name}`"), "it holds a NUL");
            }
        }
        let graphic = self.mark.bytes().all(|byte| byte.is_ascii_graphic());
        if !graphic || self.mark.is_empty() || self.mark.len() > MARK_MAX {
            return text("its mark", "it must be of visible ASCII without blanks");
        }
        let cwd = match &self.cwd {
            Some(cwd) => directory(cwd)?,
            None => env::current_dir().map_err(SpawnError::System)?,
        };
        let path = self.env.iter().rev().find(|(name, _)| name == "PATH");
        find_program(name, &cwd, path.map(|(_, path)| path.as_str()))
    }
}

/// The file of a program as a child of that working directory and `PATH` (nothing: the launcher's
/// own) would find it.
///
/// # Errors
/// There is none, or it cannot be run.
pub fn find_program(name: &str, cwd: &Path, path: Option<&str>) -> Result<PathBuf, SpawnError> {
    if name.contains('/') {
        let file = cwd.join(name);
        if !file.exists() {
            let place = format!("at {}", file.display());
            return Err(SpawnError::NotFound { program: name.to_owned(), place });
        }
        return runnable(file);
    }
    let own = || env::var("PATH").unwrap_or_else(|_| USUAL_PATH.to_owned());
    let path = path.map_or_else(own, str::to_owned);
    let mut nearly = None;
    for directory in env::split_paths(&path) {
        let file = cwd.join(directory).join(name);
        if !file.exists() {
            continue;
        }
        match runnable(file) {
            Ok(file) => return Ok(file),
            // Another directory may have a better one.
            Err(error) => nearly = nearly.or(Some(error)),
        }
    }
    let place = format!("on the PATH ({path})");
    Err(nearly.unwrap_or(SpawnError::NotFound { program: name.to_owned(), place }))
}

fn directory(cwd: &Path) -> Result<PathBuf, SpawnError> {
    let no = |why| Err(SpawnError::Cwd { path: cwd.to_owned(), why });
    match cwd.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => no("does not exist"),
        Err(_) => no("cannot be looked at"),
        Ok(found) if !found.is_dir() => no("is no directory"),
        Ok(_) if access(cwd, AccessFlags::X_OK).is_err() => no("may not be entered"),
        Ok(_) => std::path::absolute(cwd).map_err(SpawnError::System),
    }
}

fn runnable(path: PathBuf) -> Result<PathBuf, SpawnError> {
    let no = |path: PathBuf, why: &str| Err(SpawnError::NotRunnable { path, why: why.to_owned() });
    if !path.is_file() {
        return no(path, "it is no file");
    }
    if access(&path, AccessFlags::X_OK).is_err() {
        return no(path, "it is not executable; `chmod +x` makes it so");
    }
    match interpreter(&path) {
        Some(interpreter) if !interpreter.exists() => {
            let why = format!("its interpreter {} does not exist", interpreter.display());
            no(path, &why)
        }
        Some(interpreter) if access(&interpreter, AccessFlags::X_OK).is_err() => {
            let why = format!("its interpreter {} is not executable", interpreter.display());
            no(path, &why)
        }
        Some(_) | None => Ok(path),
    }
}

/// What a script's first line asks for. A program that may be run and not read has none that we
/// could know.
fn interpreter(path: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEAD as u64).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let word = line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty())?;
    // One that is relative is the working directory's affair.
    let path = PathBuf::from(String::from_utf8_lossy(word).into_owned());
    path.is_absolute().then_some(path)
}
