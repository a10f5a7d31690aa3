//! Before its gate is open a child has done nothing, and does nothing when nobody opens it.

use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::process::{Command, Stdio};

use sagaflow::targets::process::{Exit, Lines, Output, ProcessId, Stdin};

use super::{begun, binary, nobody_left, output, processes, run, scratch, shell};

/// [T4] Its number can be made durable first; a launcher that ends before leaves nothing.
#[test]
fn nothing_acts_before_its_gate_is_open() {
    run(async {
        let (processes, dir) = (processes(), scratch());
        let touched = dir.path().join("touched");
        let mut spec = shell("touch touched");
        spec.cwd = Some(dir.path().to_owned());
        let child = processes.spawn(spec.clone()).await.expect("it can be started");
        assert_eq!(ProcessId::of(child.id().pid).as_ref(), Some(child.id()));
        drop(child);
        nobody_left(&spec.mark).await;
        assert!(!touched.exists());

        let mut child = begun(&processes, spec.clone()).await;
        assert_eq!(child.wait().await, Exit { code: Some(0), signal: None });
        assert!(touched.exists());
        child.kill_leftovers().await;
        nobody_left(&spec.mark).await;
    });
}

/// Whatever else is said to it, by whomever.
#[test]
fn a_shim_begins_at_one_word_of_its_parent_alone() {
    let dir = scratch();
    let own = std::process::id();
    for (parent, word, begins) in [
        (own, "go\n", true),
        (own, "", false),
        (own, "go", false),
        (own, "gone\n", false),
        (own, "\ngo\n", false),
        (1, "go\n", false),
    ] {
        let touched = dir.path().join("touched");
        let (status, held) = std::io::pipe().expect("a pipe");
        let mut shim = Command::new(binary());
        shim.arg("exec-child").arg(parent.to_string()).arg("-d");
        shim.arg(held.as_raw_fd().to_string()).args(["/bin/sh", "sh", "-c", "touch touched"]);
        shim.current_dir(dir.path()).stdin(Stdio::piped()).stderr(Stdio::null());
        let mut shim = shim.spawn().expect("the binary runs");
        let mut stdin = shim.stdin.take().expect("it is piped");
        // One that left already does not hear it.
        stdin.write_all(word.as_bytes()).ok();
        drop(stdin);
        let code = shim.wait().expect("it is ours").code();
        assert_eq!((touched.exists(), code == Some(0)), (begins, begins), "{parent} {word:?}");
        std::fs::remove_file(&touched).ok();
        drop(status);
    }
}

#[test]
fn nobody_else_can_use_the_shim() {
    let shim = Command::new(binary()).arg("exec-child").output().expect("the binary runs");
    assert_eq!(shim.status.code(), Some(126));
    let words = String::from_utf8(shim.stderr).expect("UTF-8");
    assert!(words.contains("how a launcher starts its processes"), "{words}");
}

#[test]
fn what_follows_the_word_is_the_program_s_input_to_the_last_byte() {
    run(async {
        let mut spec = shell("cat; echo end; exit 7");
        spec.stdin = Stdin::Piped;
        let mut child = begun(&processes(), spec).await;
        child.write_stdin(b"go\nhello\n".to_vec());
        assert_eq!(output(&mut child).await, "go\nhello\nend\n");
        assert_eq!(child.wait().await, Exit { code: Some(7), signal: None });
        assert_eq!(child.kill_leftovers().await.code, Some(7));
    });
}

#[test]
fn a_program_without_input_reads_the_end_at_once() {
    run(async {
        let mut child = begun(&processes(), shell("cat; readlink /proc/self/fd/0")).await;
        assert_eq!(output(&mut child).await, "/dev/null\n");
    });
}

/// bg_B: a child that does not read its input makes nobody wait.
#[test]
fn a_child_that_never_reads_blocks_nobody() {
    run(async {
        let mut spec = shell("echo up; exec sleep 1000");
        spec.stdin = Stdin::Piped;
        let mark = spec.mark.clone();
        let processes = processes();
        let mut child = begun(&processes, spec).await;
        child.write_stdin(vec![b'x'; 4 << 20]);
        let mut lines = Lines::new(child.stdout().expect("it is piped"));
        assert_eq!(lines.next().await.expect("readable").expect("a line").text, "up");
        let mut other = begun(&processes, shell("echo other")).await;
        assert_eq!(output(&mut other).await, "other\n");
        child.end(super::FOR_EVER).await;
        nobody_left(&mark).await;
    });
}

#[test]
fn a_child_has_a_clean_house() {
    run(async {
        let dir = scratch();
        let mut spec =
            shell("pwd; echo $A$B; ls /proc/self/fd | wc -l; ps -o pgid= -p $$; echo $$");
        spec.cwd = Some(dir.path().canonicalize().expect("it is there"));
        spec.env = vec![("A".into(), "a b".into()), ("B".into(), "\u{e9}".into())];
        let mut child = begun(&processes(), spec).await;
        let text = output(&mut child).await;
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let [cwd, said, fds, group, pid] = lines[..] else { panic!("{text}") };
        assert_eq!(cwd, dir.path().canonicalize().expect("it is there").to_str().expect("UTF-8"));
        assert_eq!(said, "a b\u{e9}");
        // What this process itself was given by whoever runs the tests, and nothing of ours.
        let plain = Command::new("sh").args(["-c", "ls /proc/self/fd | wc -l"]).output();
        let plain = String::from_utf8(plain.expect("sh runs").stdout).expect("UTF-8");
        assert_eq!(fds, plain.trim());
        assert_eq!(group, pid);
        assert_eq!(pid, child.id().pid.to_string());
    });
}

#[test]
fn output_goes_to_the_end_of_a_file() {
    run(async {
        let dir = scratch();
        let path = dir.path().join("stderr.log");
        let processes = processes();
        for word in ["one", "two"] {
            let mut spec = shell(&format!("echo {word} >&2"));
            spec.stderr = Output::File(path.clone());
            begun(&processes, spec).await.wait().await;
        }
        assert_eq!(std::fs::read_to_string(&path).expect("UTF-8"), "one\ntwo\n");
        use std::os::unix::fs::PermissionsExt as _;
        let mode = path.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    });
}
