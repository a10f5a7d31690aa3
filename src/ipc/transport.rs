//! Local sockets, and the only module that knows what they are: paths, modes, owners, bytes. Knows
//! no line and no frame.
//!
//! Windows named pipes come behind these same names later; nothing else may use `UnixStream` or
//! `UnixListener`.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

/// Longest path of a socket in bytes: what the kernel's address holds, less its closing zero.
pub const PATH_BYTES_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// What [`Listener::bind`] does with a socket that a dead launcher left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// Refuses: the caller cannot know that its owner is dead.
    Refuse,
    /// Replaces it: the caller holds the lock that makes it the only launcher \[W11\].
    Replace,
}

/// Why nobody can listen there.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The kernel's address has no room for it.
    #[error(
        "the socket path {} is {length} bytes long, of at most {PATH_BYTES_MAX}; \
         choose a shorter one with --socket",
        path.display()
    )]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// Somebody else could reach or replace the socket \[W11\].
    #[error(
        "the socket's directory {} is open to others ({why}); \
         make one that is yours alone: mkdir -m 700 DIR",
        path.display()
    )]
    OpenToOthers {
        /// The directory.
        path: PathBuf,
        /// Its mode or its owner.
        why: String,
    },
    /// There can be no socket in it.
    #[error(
        "{}, where the socket's directory must be, is no directory; \
         move it away, or choose another place with --socket",
        path.display()
    )]
    NotADirectory {
        /// What is there instead.
        path: PathBuf,
    },
    /// A launcher answers there.
    #[error("another process listens on {}", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// A socket is there, nobody answers, and the caller may not replace it.
    #[error("{} is left over from another launcher", path.display())]
    LeftOver {
        /// The socket.
        path: PathBuf,
    },
    /// Something is there that is no socket; it is never removed.
    #[error("{} exists and is not a socket; remove it or choose another --socket", path.display())]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
    /// The operating system said no.
    #[error("cannot {doing} {}: {source}", path.display())]
    Os {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// A bound socket that accepts nobody yet. Removes its file when dropped, if the file is still its
/// own.
#[derive(Debug)]
pub struct Listener {
    socket: std::os::unix::net::UnixListener,
    file: SocketFile,
}

impl Listener {
    /// Listens at `path`: the directory is made 0700 when missing and refused when open to others;
    /// the socket is 0600.
    ///
    /// # Errors
    /// With what was wrong and what to do.
    pub fn bind(path: &Path, stale: Stale) -> Result<Self, BindError> {
        let length = path.as_os_str().as_bytes().len();
        if length > PATH_BYTES_MAX {
            return Err(BindError::PathTooLong { path: path.to_owned(), length });
        }
        private_directory(path)?;
        clear_place(path, stale)?;
        let os = |doing| move |source| BindError::Os { doing, path: path.to_owned(), source };
        let socket = std::os::unix::net::UnixListener::bind(path).map_err(os("listen on"))?;
        // Between these two lines the directory alone keeps others out, which is why it must be
        // 0700.
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(os("protect"))?;
        socket.set_nonblocking(true).map_err(os("prepare"))?;
        let made = fs::symlink_metadata(path).map_err(os("look at"))?;
        let file = SocketFile { path: path.to_owned(), device: made.dev(), inode: made.ino() };
        Ok(Self { socket, file })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Begins to accept; to be called inside the runtime.
    ///
    /// # Errors
    /// There is no runtime to wait in.
    pub fn accepting(self) -> io::Result<Acceptor> {
        Ok(Acceptor { socket: UnixListener::from_std(self.socket)?, _file: self.file })
    }
}

fn private_directory(path: &Path) -> Result<(), BindError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let os = |doing| move |source| BindError::Os { doing, path: directory.to_owned(), source };
    if !directory.exists() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(os("make the directory"))?;
    }
    let found = fs::metadata(directory).map_err(os("look at"))?;
    if !found.is_dir() {
        return Err(BindError::NotADirectory { path: directory.to_owned() });
    }
    let open = |why| Err(BindError::OpenToOthers { path: directory.to_owned(), why });
    if found.uid() != own_uid() {
        return open(format!("it belongs to uid {}", found.uid()));
    }
    if found.mode() & 0o077 != 0 {
        return open(format!("its mode is {:o}", found.mode() & 0o7777));
    }
    Ok(())
}

fn clear_place(path: &Path, stale: Stale) -> Result<(), BindError> {
    let path_owned = || path.to_owned();
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(BindError::Os { doing: "look at", path: path_owned(), source });
        }
    };
    if !found.file_type().is_socket() {
        return Err(BindError::NotASocket { path: path_owned() });
    }
    // The lock guards a data directory; a launcher of another one may well live at this path.
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(BindError::InUse { path: path_owned() });
    }
    match stale {
        Stale::Refuse => Err(BindError::LeftOver { path: path_owned() }),
        Stale::Replace => fs::remove_file(path).map_err(|source| BindError::Os {
            doing: "replace",
            path: path_owned(),
            source,
        }),
    }
}

/// The user that this process acts as.
#[must_use]
pub fn own_uid() -> u32 {
    Uid::effective().as_raw()
}

/// The file of a bound socket, by what tells it from a successor's.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let own = fs::symlink_metadata(&self.path)
            .is_ok_and(|now| now.dev() == self.device && now.ino() == self.inode);
        if own {
            // A file that cannot be removed is a stale socket, which the next launcher replaces.
            fs::remove_file(&self.path).ok();
        }
    }
}

/// A socket that accepts.
#[derive(Debug)]
pub struct Acceptor {
    socket: UnixListener,
    _file: SocketFile,
}

impl Acceptor {
    /// The next connection, with the user that opened it.
    ///
    /// # Errors
    /// The system gives none, or does not say whose it is.
    pub async fn accept(&self) -> io::Result<(Stream, u32)> {
        let (socket, _) = self.socket.accept().await?;
        let uid = socket.peer_cred()?.uid();
        Ok((Stream { socket }, uid))
    }
}

/// A connection.
#[derive(Debug)]
pub struct Stream {
    socket: UnixStream,
}

impl Stream {
    /// The process that opened it, where the system tells. It may have ended since.
    #[must_use]
    pub fn peer_pid(&self) -> Option<u32> {
        u32::try_from(self.socket.peer_cred().ok()?.pid()?).ok()
    }

    /// Two halves that live on their own.
    #[must_use]
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        let (read, write) = self.socket.into_split();
        (ReadHalf { socket: read }, WriteHalf { socket: write })
    }
}

/// Why a client found no launcher.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No launcher is there.
    #[error("no launcher listens on {}; start one with: sagaflow run", path.display())]
    Nobody {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// One may be there, but not for this user or not by this path.
    #[error("cannot connect to {}: {source}", path.display())]
    Os {
        /// Where it was tried.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Opens a connection to the launcher that listens at `path`.
///
/// # Errors
/// When nobody listens there, or it cannot be reached.
pub async fn connect(path: &Path) -> Result<Stream, ConnectError> {
    let nobody = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
    let path = || path.to_owned();
    match UnixStream::connect(path()).await {
        Ok(socket) => Ok(Stream { socket }),
        Err(source) if nobody.contains(&source.kind()) => {
            Err(ConnectError::Nobody { path: path() })
        }
        Err(source) => Err(ConnectError::Os { path: path(), source }),
    }
}

/// Where a connection's bytes come from.
#[derive(Debug)]
pub struct ReadHalf {
    socket: OwnedReadHalf,
}

impl ReadHalf {
    /// Appends what comes next to `bytes`; 0: the peer will send no more.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn read(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        self.socket.read_buf(bytes).await
    }

    /// Appends what is here already, up to `max` bytes, without waiting; nothing more once the
    /// connection broke.
    pub fn read_now(&mut self, bytes: &mut Vec<u8>, max: u64) {
        // The runtime knows of bytes only after it was told; the socket itself is asked, which
        // never blocks.
        if let Ok(socket) = self.socket.as_ref().as_fd().try_clone_to_owned() {
            let socket = std::os::unix::net::UnixStream::from(socket);
            // It ends in `WouldBlock`, and what was read until then is in `bytes`.
            socket.take(max).read_to_end(bytes).ok();
        }
    }
}

/// Where a connection's bytes go to. Dropping it tells the peer that no more will come.
#[derive(Debug)]
pub struct WriteHalf {
    socket: OwnedWriteHalf,
}

impl WriteHalf {
    /// Writes some of `bytes`, and says how many. Dropped before it is done, it wrote none.
    ///
    /// # Errors
    /// When the peer is gone.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes).await
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// When the peer is gone.
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }
}
