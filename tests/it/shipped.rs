//! The shipped definitions hold what the language asks. What they do when they run is tested
//! elsewhere.

use std::fs;
use std::path::Path;

use sagaflow::definition::Library;
use sagaflow::definition::read::load;
use sagaflow::diag::Diagnostics;
use sagaflow::plan::compile_library;

/// Reads files given as (path, text) and fails with every finding, each with its place.
pub fn read_clean(files: Vec<(String, Vec<u8>)>) -> Library {
    let (library, mut findings) = load(files);
    findings.append(compile_library(&library).1);
    assert!(findings.is_empty(), "{}", shown(&library, &findings));
    library
}

fn shown(library: &Library, findings: &Diagnostics) -> String {
    let line = |d: &sagaflow::diag::Diagnostic| {
        let at = library.sources.place(d.primary());
        let path = library.sources.path(d.primary().file);
        format!("{path}:{}:{}: {} {}", at.line, at.column, d.code.as_str(), d.message)
    };
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The definitions that we ship, as (path, text).
pub fn shipped() -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("sagas");
    let entries = fs::read_dir(&dir).expect("sagas/ is part of the package");
    let paths = entries.map(|e| e.expect("an opened directory can be listed").path());
    let mut paths: Vec<_> = paths.filter(|p| p.extension().is_some_and(|e| e == "yaml")).collect();
    paths.sort();
    let read = |p: &std::path::PathBuf| fs::read(p).expect("a listed file can be read");
    paths.iter().map(|p| (p.to_string_lossy().into_owned(), read(p))).collect()
}

#[test]
fn shipped_definitions_are_free_of_mistakes() {
    let library = read_clean(shipped());
    assert!(library.catalog_is_whole);
    assert!(library.sagas.len() >= 9, "only {} sagas were read", library.sagas.len());
}

/// [T3]: what drives turns and pods are definitions, each with its scenarios; whatever of the
/// vocabulary they use is built in or stands beside them.
#[test]
fn t3_the_flows_of_turns_and_pods_are_definitions_with_scenarios() {
    let library = read_clean(shipped());
    let flows = [
        "agent_turn",
        "pod_spawn",
        "pod_cleanup",
        "scope_relay",
        "pod_stop",
        "pod_sweep",
        "registry_restore",
    ];
    for flow in flows {
        assert!(library.sagas.iter().any(|saga| saga.name.value == flow), "{flow} is not shipped");
        let cases = library.scenarios.iter().filter(|one| one.saga.value == flow);
        let cases: usize = cases.map(|one| one.cases.len()).sum();
        assert!(cases >= 3, "{flow} has {cases} scenarios");
    }
}
