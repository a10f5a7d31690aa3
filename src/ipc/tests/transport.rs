//! Claims about the socket itself: who may reach it, and what becomes of one that was left behind.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{CloseWhy, House, Peer};
use crate::ipc::server::Options;
use crate::ipc::transport::{Listener, PATH_BYTES_MAX, Stale, own_uid};

/// A place for a socket in a directory that is its owner's alone.
fn place() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().expect("there is room");
    fs::set_permissions(root.path(), Permissions::from_mode(0o700)).expect("it is ours");
    let path = root.path().join("s");
    (root, path)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it was made").permissions().mode() & 0o7777
}

fn refusal(path: &Path, stale: Stale) -> String {
    let error = Listener::bind(path, stale).expect_err("it must not be taken").to_string();
    error.replace(&path.parent().expect("it has one").display().to_string(), "DIR")
}

#[test]
fn w11_a_missing_directory_is_made_private_and_the_socket_is_its_owners_alone() {
    let root = tempfile::tempdir().expect("there is room");
    let path = root.path().join("a/b/s");
    let listener = Listener::bind(&path, Stale::Refuse).expect("nothing is there");
    assert_eq!(listener.path(), path);
    assert_eq!(mode(&root.path().join("a/b")), 0o700);
    assert_eq!(mode(&path), 0o600);
    drop(listener);
    assert!(!path.exists());
}

#[test]
fn w11_a_directory_that_is_open_to_others_is_refused() {
    let root = tempfile::tempdir().expect("there is room");
    for open in [0o777, 0o750, 0o701, 0o1777] {
        fs::set_permissions(root.path(), Permissions::from_mode(open)).expect("it is ours");
        let expected = format!(
            "the socket's directory DIR is open to others (its mode is {open:o}); \
             make one that is yours alone: mkdir -m 700 DIR"
        );
        assert_eq!(refusal(&root.path().join("s"), Stale::Replace), expected);
    }
}

#[test]
fn w11_what_stands_in_the_place_of_the_directory_is_named() {
    let root = tempfile::tempdir().expect("there is room");
    fs::write(root.path().join("run"), "").expect("there is room");
    let expected = "DIR, where the socket's directory must be, is no directory; \
                    move it away, or choose another place with --socket";
    assert_eq!(refusal(&root.path().join("run/s"), Stale::Replace), expected);
}

#[test]
fn w11_a_path_that_the_kernel_cannot_hold_is_refused_before_anything_is_made() {
    let root = tempfile::tempdir().expect("there is room");
    let path = root.path().join("d").join("x".repeat(PATH_BYTES_MAX));
    let length = path.as_os_str().len();
    let expected =
        format!(" is {length} bytes long, of at most {PATH_BYTES_MAX}; choose a shorter");
    assert!(refusal(&path, Stale::Refuse).contains(&expected));
    assert!(!root.path().join("d").exists());
}

#[test]
fn w11_a_stale_socket_is_replaced_by_the_holder_of_the_lock_alone() {
    let (_root, path) = place();
    drop(UnixListener::bind(&path).expect("nothing is there"));
    assert_eq!(refusal(&path, Stale::Refuse), "DIR/s is left over from another launcher");
    Listener::bind(&path, Stale::Replace).expect("nobody answers there");
}

#[test]
fn w11_a_socket_where_somebody_answers_is_never_replaced() {
    let house = House::new();
    for stale in [Stale::Refuse, Stale::Replace] {
        assert_eq!(refusal(&house.path(), stale), "another process listens on DIR/s");
    }
}

#[test]
fn w11_a_file_that_is_no_socket_is_never_removed() {
    let (_root, path) = place();
    fs::write(&path, "precious").expect("there is room");
    let expected = "DIR/s exists and is not a socket; remove it or choose another --socket";
    assert_eq!(refusal(&path, Stale::Replace), expected);
    assert_eq!(fs::read_to_string(&path).expect("it is still there"), "precious");
}

#[test]
fn w11_a_launcher_that_ends_leaves_its_successors_socket_alone() {
    let (_root, path) = place();
    let first = Listener::bind(&path, Stale::Refuse).expect("nothing is there");
    fs::remove_file(&path).expect("it is ours");
    let _second = Listener::bind(&path, Stale::Refuse).expect("nothing is there");
    drop(first);
    assert!(path.exists());
}

#[test]
fn w11_a_peer_of_another_user_is_told_and_closed_and_nobody_hears_of_it() {
    let uid = own_uid() + 1;
    let house = House::with(Options { uid, ..Options::default() });
    let mut peer = Peer::connect(&house.path());
    let error = peer.json();
    assert_eq!((&error["code"], &error["fatal"]), (&"not_allowed".into(), &true.into()));
    assert_eq!(peer.line(), None);
    assert!(house.is_quiet());
}

/// Set in the process that plays the other user: where to connect.
const AS_ANOTHER_USER: &str = "SAGAFLOW_TEST_AS_ANOTHER_USER";

/// Not a claim of its own: what the child of the next test does.
#[test]
fn w11_the_other_users_half() {
    if let Some(path) = std::env::var_os(AS_ANOTHER_USER) {
        let mut peer = Peer::connect(Path::new(&path));
        assert_eq!(peer.json()["code"], "not_allowed");
        assert_eq!(peer.line(), None);
    }
}

#[test]
fn w11_a_process_of_another_user_that_reaches_the_socket_is_refused() {
    // Only root can become somebody else.
    if own_uid() != 0 {
        return;
    }
    let house = House::new();
    let open = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o777));
    let directory = house.directory.path();
    for path in [directory, &directory.join("run"), &house.path()] {
        open(path).expect("it is ours");
    }
    // Where the other user may not run this binary there is nothing to be tried.
    let binary = directory.join("test");
    fs::copy(std::env::current_exe().expect("it runs"), &binary).expect("there is room");
    let mut child = Command::new(&binary);
    child.args(["--exact", "ipc::tests::transport::w11_the_other_users_half"]);
    child.env(AS_ANOTHER_USER, house.path()).uid(65_534).gid(65_534);
    let Ok(done) = child.output() else { return };
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    assert!(String::from_utf8_lossy(&done.stdout).contains("1 passed"));
    assert!(house.is_quiet());
    let (peer, conn, _outbox) = house.connect();
    drop(peer);
    assert_eq!(house.closed(conn), CloseWhy::Eof);
}
