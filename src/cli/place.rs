//! Where the launcher is: one rule for data directory and socket, the same in every command. Opens
//! neither.

use std::env;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::ipc::transport;

/// The data directory's name, looked for as `git` looks for its own.
const DATA_NAME: &str = ".sagaflow";
/// The log's name inside it.
const LOG_NAME: &str = "sagaflow.db";
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
        self.data().join(LOG_NAME)
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
        named.or_else(from_environment).unwrap_or_else(|| {
            let data = self.data_in(around);
            fitting(data.join(SOCKET_NAME), &around.here.join(&data), &around.runtime)
        })
    }
}

/// The socket itself, or, where the kernel has no room for its path, a short one that the data
/// directory's path alone gives, so that launcher and clients find the same.
fn fitting(socket: PathBuf, data: &Path, runtime: &Path) -> PathBuf {
    if socket.as_os_str().len() <= transport::PATH_BYTES_MAX {
        return socket;
    }
    let whole = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    let digest = Sha256::digest(whole.as_os_str().as_encoded_bytes());
    let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let user = nix::unistd::Uid::effective();
    runtime.join(format!("sagaflow-{user}")).join(format!("{short}.sock"))
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
}
