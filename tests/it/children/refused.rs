//! A wrong command is refused with words, and no process was there.

use std::path::Path;

use sagaflow::targets::process::{Output, SpawnError, Spec};

use super::{file, nobody_left, processes, run, scratch, shell};

fn program(name: &str) -> Spec {
    Spec { argv: vec![name.to_owned()], ..shell("") }
}

async fn refused(spec: Spec) -> String {
    let mark = spec.mark.clone();
    let words = processes().spawn(spec).await.expect_err("it cannot be").to_string();
    nobody_left(&mark).await;
    words
}

#[test]
fn what_cannot_run_is_refused_with_its_cure() {
    run(async {
        let dir = scratch();
        let at = |name: &str| dir.path().join(name);
        file(&at("data"), "text", 0o644);
        file(&at("orphan"), "#! /no/such/interpreter -x\n", 0o755);
        let path = |name: &str| at(name).to_str().expect("UTF-8").to_owned();
        let inside = |spec: Spec, cwd: &Path| Spec { cwd: Some(cwd.to_owned()), ..spec };
        let missing_cwd = inside(shell("true"), &at("nowhere"));
        let file_cwd = inside(shell("true"), &at("data"));
        let narrow = vec![("PATH".to_owned(), path(""))];
        let var = |name: &str| vec![(name.to_owned(), "x".to_owned())];
        for (spec, words) in [
            (Spec { argv: Vec::new(), ..shell("") }, "the command is empty"),
            (program(""), "the command is empty"),
            (program("no-such-program"), "there is no program `no-such-program` on the PATH ("),
            (program("/no/such"), "there is no program `/no/such` at /no/such"),
            (program("./no"), "there is no program `./no` at "),
            (Spec { env: narrow.clone(), ..program("sh") }, "there is no program `sh` on the PATH"),
            (Spec { env: narrow, ..program("data") }, "`chmod +x` makes it so"),
            (program(&path("data")), "`chmod +x` makes it so"),
            (program(&path("")), "it is no file"),
            (program(&path("orphan")), "its interpreter /no/such/interpreter does not exist"),
            (missing_cwd, "nowhere does not exist"),
            (file_cwd, "data is no directory"),
            (program("a\0b"), "an argument cannot be given to a process: it holds a NUL"),
            (Spec { env: var("A=B"), ..shell("") }, "a variable's name"),
            (Spec { env: var(""), ..shell("") }, "a variable's name"),
            (Spec { mark: "a b".into(), ..shell("") }, "its mark"),
            (Spec { stdout: Output::File(at("no/where")), ..shell("") }, "its output file"),
        ] {
            let said = refused(spec).await;
            assert!(said.contains(words), "{words:?} is missing in: {said}");
        }
    });
}

/// More than the system takes, which only it can tell.
#[test]
fn what_is_too_long_is_refused() {
    run(async {
        let said = refused(shell(&"x".repeat(4 << 20))).await;
        assert!(said.contains("the system starts no process"), "{said}");
    });
}

/// What no look beforehand sees, the start tells: in words, and nothing is left.
#[test]
fn a_program_that_the_system_will_not_run_is_told_at_its_gate() {
    run(async {
        let dir = scratch();
        let path = dir.path().join("script");
        file(&path, "#! /\n", 0o755);
        let spec = program(path.to_str().expect("UTF-8"));
        let mark = spec.mark.clone();
        let mut child = processes().spawn(spec).await.expect("nothing is seen yet");
        let error = child.open_gate().await.expect_err("a directory interprets nothing");
        assert!(matches!(error, SpawnError::Exec { .. }), "{error:?}");
        assert!(error.to_string().contains("cannot be run: "), "{error}");
        nobody_left(&mark).await;
    });
}

#[test]
fn a_binary_that_is_not_ours_is_found_out() {
    run(async {
        let other = sagaflow::targets::process::Processes::start("/bin/true".into());
        let mut child = other.expect("a thread").spawn(shell("true")).await.expect("it starts");
        let error = child.open_gate().await.expect_err("it never says that it waits");
        assert!(matches!(error, SpawnError::Lost(_)), "{error:?}");
    });
}

#[test]
fn a_program_is_found_where_its_child_would_find_it() {
    run(async {
        let dir = scratch();
        std::fs::create_dir(dir.path().join("bin")).expect("room");
        file(&dir.path().join("bin/tool"), "#!/bin/sh\necho found $0\n", 0o755);
        for (name, path) in [("tool", "nowhere:bin"), ("bin/tool", ""), ("./bin/tool", "")] {
            let mut spec = program(name);
            spec.cwd = Some(dir.path().to_owned());
            let usual = std::env::var("PATH").expect("it is set");
            spec.env = vec![("PATH".into(), format!("{path}:{usual}"))];
            let mut child = super::begun(&processes(), spec).await;
            let said = super::output(&mut child).await;
            assert!(said.starts_with("found "), "{name}: {said}");
        }
    });
}
