//! Scenarios of the guide, and what every scenario judges beside its script.

use super::test::{CATALOG, GOOD, SAGA};
use super::{Did, package, run, scratch};

/// Files that a page of the guide has its reader write.
pub fn files_of(page: &str) -> Vec<(String, String)> {
    let guide = std::fs::read_to_string(package().join(page)).expect("shipped");
    let blocks = guide.split("```yaml sagas/").skip(1).map(|block| {
        let (name, rest) = block.split_once('\n').expect("a name, then the file");
        let (text, _) = rest.split_once("```").expect("a block has an end");
        (format!("sagas/{name}"), text.to_owned())
    });
    blocks.collect()
}

/// Pages with a saga and its scenarios, and how many cases these have.
const PAGES: &[(&str, usize)] = &[
    ("docs/guide/people.md", 5),
    ("docs/guide/doubt.md", 5),
    ("docs/guide/reactions.md", 3),
    ("docs/guide/observing.md", 5),
    ("docs/guide/calling.md", 3),
];

#[test]
fn the_scenarios_of_the_other_pages_of_the_guide_pass() {
    for (page, cases) in PAGES {
        let files = files_of(page);
        let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (&**n, &**t)).collect();
        let here = scratch(&files);
        let did = run(here.path(), &["test"]);
        assert_eq!(did.exit, 0, "{page}: {}{}", did.stdout, did.stderr);
        assert!(did.stderr.contains(&format!("{cases} cases")), "{page}: {}", did.stderr);
    }
}

/// Sagas that have more histories than a test has time for, and how far these are explored.
const SHALLOW: &[(&str, &str)] =
    &[("sagas/move_house.saga.yaml", "6"), ("sagas/ship_order.saga.yaml", "6")];

/// What the reader of a page has in front of him: pages with scenarios alone go on with the saga of
/// the first.
fn directory_of(page: &str) -> Vec<(String, String)> {
    let mut files = files_of(page);
    if files.iter().all(|(path, _)| path.ends_with(".test.yaml")) && !files.is_empty() {
        files.extend(files_of("docs/guide/first-saga.md"));
    }
    files
}

#[test]
fn every_command_for_authors_is_content_with_the_sagas_of_the_guide() {
    let pages = std::fs::read_dir(package().join("docs/guide")).expect("shipped");
    let pages = pages.map(|page| page.expect("it can be listed").file_name());
    let mut tried = 0;
    for page in pages {
        let page = format!("docs/guide/{}", page.to_str().expect("UTF-8"));
        let files = directory_of(&page);
        let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (&**n, &**t)).collect();
        let here = scratch(&files);
        let fine = |args: &[&str]| {
            let did = run(here.path(), args);
            assert_eq!(did.exit, 0, "{page}: {args:?}: {}{}", did.stdout, did.stderr);
        };
        let sagas = files.iter().map(|(path, _)| *path).filter(|path| path.ends_with(".saga.yaml"));
        let sagas: Vec<&str> = sagas.collect();
        if sagas.is_empty() {
            continue;
        }
        tried += 1;
        fine(&["validate", "--deny-warnings"]);
        let plays = files.iter().any(|(path, _)| path.ends_with(".test.yaml"));
        fine(if plays { &["test"] } else { &["test", "--fill"] });
        fine(&["check", "--depth", "3"]);
        for path in sagas {
            fine(&["validate", "--deny-warnings", path]);
            if here.path().join(path.replace(".saga.", ".test.")).exists() {
                fine(&["test", path]);
            }
            let depth = SHALLOW.iter().find(|(known, _)| *known == path);
            let depth = depth.into_iter().flat_map(|(_, depth)| ["--depth", depth]);
            fine(&["check", path].into_iter().chain(depth).collect::<Vec<_>>());
        }
    }
    assert!(tried >= 8, "only {tried} pages have sagas");
}

#[test]
fn fill_says_what_signals_lead_to() {
    let files = files_of("docs/guide/people.md");
    let files = files.iter().filter(|(name, _)| !name.ends_with(".test.yaml"));
    let files: Vec<(&str, &str)> = files.map(|(n, t)| (&**n, &**t)).collect();
    let here = scratch(&files);
    let did = run(here.path(), &["test", "--fill"]);
    assert_eq!(did.exit, 0, "{}{}", did.stdout, did.stderr);
    let made = std::fs::read_to_string(here.path().join("sagas/ship_order.test.yaml"));
    let made = made.expect("it was written");
    for said in ["signal: { name: approve", "signal: { name: deny"] {
        assert!(made.contains(said), "{made}");
    }
    let missing = "missing of alternatives";
    assert!(!did.stdout.contains(missing), "{}", did.stdout);
}

/// The cases of a saga that says this under `always`.
fn always(conditions: &str) -> Did {
    let saga = format!("{SAGA}always: [{conditions}]\n");
    let here = scratch(&[
        ("sagas/a.catalog.yaml", CATALOG),
        ("sagas/tidy.saga.yaml", &saga),
        ("sagas/tidy.test.yaml", GOOD),
    ]);
    run(here.path(), &["test"])
}

#[test]
fn what_always_holds_is_judged_in_every_case() {
    let holds = [
        "vars.count <= 3",
        "'!has(steps.note.outcome) || steps.note.outcome == \"skipped\" || \
         has(steps.reap.outcome) && steps.reap.outcome == \"succeeded\"'",
        "'saga.state != \"completed\" || has(steps.note.outcome)'",
        "'!(saga.state in [\"failed\", \"compensated\"]) || saga.cause != \"fault\"'",
        "has(input.label) && saga.id > 0 && saga.trigger == 'closed'",
    ];
    let did = always(&holds.join(", "));
    assert_eq!(did.exit, 0, "{}{}", did.stdout, did.stderr);
}

#[test]
fn a_broken_always_fails_the_case_with_the_condition_and_the_state() {
    let did = always("vars.count < 3");
    assert_eq!(did.exit, 1, "{}{}", did.stdout, did.stderr);
    let words = "always: `vars.count < 3` does not hold; saga 1 is running; vars { count: 3 }; \
                 reap succeeded, note waits";
    assert!(did.stdout.contains(words), "{}", did.stdout);
    assert!(did.stdout.contains("ok    silence is asked again"), "{}", did.stdout);
    let did = always("4 / (3 - vars.count) > 0");
    assert!(did.stdout.contains("has no value: "), "{}", did.stdout);
}
