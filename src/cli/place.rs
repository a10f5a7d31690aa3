//! Where the launcher is: one rule for data directory and socket, the same in every command. Opens
//! neither.

use std::env;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::ipc::transport;
use crate::launcher::LOG_FILE;

/// The data directory's name, looked for as `git` looks for its own.
const DATA_NAME: &str = ".sagaflow";
/// The socket's place inside it; the directory of its own is for its mode.
const SOCKET_NAME: &str = "run/sagaflow.sock";

/// Where the launcher is.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Where {
    /// The launcher's data directory [env: SAGAFLOW_DATA] [default: the nearest .sagaflow, here or
    /// above]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The launcher's socket [env: SAGAFLOW_SOCKET] [default: run/sagaflow.sock in the data
    /// directory]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

/// What the environment says; read once, so that the rule itself can be tested.
#[derive(Clone, Debug, Default)]
struct Surroundings {
    data: Option<PathBuf>,
    socket: Option<PathBuf>,
    here: PathBuf,
    /// Where sockets with short paths can live.
    runtime: PathBuf,
}

impl Surroundings {
    fn read() -> Surroundings {
        let path =
            |name: &str| env::var_os(name).filter(|text| !text.is_empty()).map(PathBuf::from);
        Surroundings {
            data: path("SAGAFLOW_DATA"),
            socket: path("SAGAFLOW_SOCKET"),
            here: env::current_dir().unwrap_or_default(),
            runtime: path("XDG_RUNTIME_DIR").unwrap_or_else(env::temp_dir),
        }
    }
}

impl Where {
    /// The data directory of the launcher that is spoken to.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.data_in(&Surroundings::read())
    }

    /// The socket of the launcher that is spoken to.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.socket_in(&Surroundings::read())
    }

    /// The log in the data directory.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.data().join(LOG_FILE)
    }

    fn data_in(&self, around: &Surroundings) -> PathBuf {
        if let Some(data) = self.data.as_ref().or(around.data.as_ref()) {
            return data.clone();
        }
        let above = around.here.ancestors().map(|dir| dir.join(DATA_NAME));
        let found = above.into_iter().find(|dir| dir.is_dir());
        found.unwrap_or_else(|| PathBuf::from(DATA_NAME))
    }

    fn socket_in(&self, around: &Surroundings) -> PathBuf {
        let named = self.socket.clone();
        // A data directory that is named says which launcher is meant, louder than the environment.
        let from_environment = || around.socket.clone().filter(|_| self.data.is_none());
        named.or_else(from_environment).unwrap_or_else(|| fitting(&self.data_in(around), around))
    }
}

/// The socket in the data directory, or, where the kernel has no room for its path, a short one.
/// Only where the directory really lies decides, and not how it is named or whether it is there
/// yet, so that launcher and clients find the same.
fn fitting(data: &Path, around: &Surroundings) -> PathBuf {
    let fits = |path: &Path| path.as_os_str().len() <= transport::PATH_BYTES_MAX;
    let whole = resolved(&around.here.join(data));
    let real = whole.join(SOCKET_NAME);
    if fits(&real) {
        return Some(data.join(SOCKET_NAME)).filter(|named| fits(named)).unwrap_or(real);
    }
    let digest = Sha256::digest(whole.as_os_str().as_encoded_bytes());
    let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let user = nix::unistd::Uid::effective();
    around.runtime.join(format!("sagaflow-{user}")).join(format!("{short}.sock"))
}

/// Where a path leads, or will lead once what is missing of it was made: links are followed as far
/// as there is anything, and what comes after is directories.
fn resolved(path: &Path) -> PathBuf {
    let existing = path.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    let (part, mut whole) = existing.unwrap_or((Path::new(""), PathBuf::new()));
    for missing in path.strip_prefix(part).unwrap_or(path).components() {
        match missing {
            Component::CurDir => {}
            Component::ParentDir => drop(whole.pop()),
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => whole.push(missing),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(here: &Path) -> Surroundings {
        let runtime = PathBuf::from("/run/user/7");
        Surroundings { here: here.to_owned(), runtime, ..Surroundings::default() }
    }

    #[test]
    fn two_terminals_of_a_project_find_the_same_launcher() {
        let project = tempfile::tempdir().expect("a scratch directory");
        let below = project.path().join("src/deep");
        std::fs::create_dir_all(&below).expect("a directory below");
        let nothing = Where::default();
        assert_eq!(nothing.data_in(&around(&below)), Path::new(".sagaflow"));

        std::fs::create_dir(project.path().join(".sagaflow")).expect("a data directory");
        let data = project.path().join(".sagaflow");
        assert_eq!(nothing.data_in(&around(&below)), data);
        assert_eq!(nothing.socket_in(&around(&below)), data.join("run/sagaflow.sock"));
    }

    #[test]
    fn what_is_named_wins_over_the_environment() {
        let mut around = around(Path::new("/nowhere"));
        around.data = Some("/env/data".into());
        around.socket = Some("/env/socket".into());
        let named = |data: Option<&str>, socket: Option<&str>| {
            let place = Where { data: data.map(Into::into), socket: socket.map(Into::into) };
            (place.data_in(&around), place.socket_in(&around))
        };
        let pair = |data: &str, socket: &str| (PathBuf::from(data), PathBuf::from(socket));
        assert_eq!(named(None, None), pair("/env/data", "/env/socket"));
        assert_eq!(named(Some("/d"), None), pair("/d", "/d/run/sagaflow.sock"));
        assert_eq!(named(None, Some("/s")), pair("/env/data", "/s"));
    }

    #[test]
    fn a_deep_data_directory_gets_a_short_socket() {
        let deep = format!("/{}", "a".repeat(120));
        let place = Where { data: Some(deep.into()), socket: None };
        let socket = place.socket_in(&around(Path::new("/")));
        assert!(socket.starts_with("/run/user/7"), "{}", socket.display());
        assert!(socket.as_os_str().len() <= transport::PATH_BYTES_MAX);
        assert_eq!(socket, place.socket_in(&around(Path::new("/"))));
    }

    /// However the directory is named, and whether it is there yet, for a path that the kernel has
    /// room for and for one that it has not.
    #[test]
    fn one_directory_has_one_socket() {
        for depth in [1, 120] {
            let root = tempfile::tempdir().expect("a scratch directory");
            let root = root.path().canonicalize().expect("it is there");
            let deep = root.join("d".repeat(depth));
            std::fs::create_dir(&deep).expect("a directory in it");
            let (long, short) = (root.join("l".repeat(120)), root.join("s"));
            for link in [&long, &short] {
                std::os::unix::fs::symlink(&deep, link).expect("a link to it");
            }
            let names = |dir: &Path| {
                [dir, &long, &short].map(|dir| dir.join("new/.sagaflow")).into_iter().chain([
                    PathBuf::from("new/.sagaflow"),
                    PathBuf::from("new/../new/./.sagaflow"),
                ])
            };
            let around = around(&deep);
            let sockets = || -> Vec<PathBuf> {
                let of = |data: PathBuf| Where { data: Some(data), socket: None };
                let found = names(&deep).map(|data| of(data).socket_in(&around));
                let whole = found.map(|socket| resolved(&around.here.join(socket)));
                whole.collect()
            };
            let before = sockets();
            std::fs::create_dir_all(deep.join("new/.sagaflow/run")).expect("room on the disk");
            let after = sockets();
            let first = &before[0];
            assert!(before.iter().chain(&after).all(|one| one == first), "{before:?} {after:?}");
            assert!(first.as_os_str().len() <= transport::PATH_BYTES_MAX, "{first:?}");
        }
    }
}
