//! Whatever becomes of a definition's text, reading and compiling it says so and never panics.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use sagaflow::definition::read::load;
use sagaflow::diag::render;
use sagaflow::plan::{compile_library, compile_stored};

/// One change of a text, by lines; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Edit {
    Delete(usize),
    Repeat(usize),
    Swap(usize, usize),
    /// A line is replaced by one of another file.
    Graft(usize, usize, usize),
    /// A word of a line is replaced by a word of another line.
    Word(usize, usize),
    Cut(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let n = 0usize..4096;
    prop_oneof![
        n.clone().prop_map(Edit::Delete),
        n.clone().prop_map(Edit::Repeat),
        (n.clone(), n.clone()).prop_map(|(a, b)| Edit::Swap(a, b)),
        (n.clone(), n.clone(), n.clone()).prop_map(|(a, b, c)| Edit::Graft(a, b, c)),
        (n.clone(), n.clone()).prop_map(|(a, b)| Edit::Word(a, b)),
        (n.clone(), n).prop_map(|(a, b)| Edit::Cut(a, b)),
    ]
}

/// A saga that leaves its undoing to the catalog; the shipped ones say more.
const BY_CATALOG: &str = r"saga: by_catalog
trigger: { call: { fields: { tab_id: { type: string } } } }
input: { tab_id: '${{ trigger.tab_id }}' }
eviction: { key: input.tab_id, policy: refuse }
timeout: 30s
defaults: { timeout: 5s }
steps:
  - id: workspace
    issue: create_workspace
    with: { workspace_id: 'ws-${{ saga.id }}' }
    await: { echo: workspace_created }
  - id: tab
    issue: create_tab
    with:
      workspace_id: 'ws-${{ saga.id }}'
      tab_id: ${{ input.tab_id }}
    await: { echo: tab_created }
";

/// Paths and texts.
type Files = Vec<(String, String)>;

/// The shipped definitions, and one more.
fn shipped() -> Files {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("sagas");
    let mut files: Files = fs::read_dir(directory)
        .expect("the shipped sagas are in the repository")
        .map(|entry| entry.expect("the directory can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a shipped file is text");
            (path.to_string_lossy().into_owned(), text)
        })
        .collect();
    files.push(("sagas/by_catalog.saga.yaml".to_owned(), BY_CATALOG.to_owned()));
    files.sort();
    files
}

fn apply(lines: &mut Vec<String>, edit: &Edit, all: &[(String, String)]) {
    if lines.is_empty() {
        return;
    }
    let len = lines.len();
    match *edit {
        Edit::Delete(at) => {
            lines.remove(at % len);
        }
        Edit::Repeat(at) => lines.insert(at % len, lines[at % len].clone()),
        Edit::Swap(a, b) => lines.swap(a % len, b % len),
        Edit::Graft(at, file, line) => {
            let other: Vec<&str> = all[file % all.len()].1.lines().collect();
            lines[at % len] = other[line % other.len()].to_owned();
        }
        Edit::Word(at, from) => {
            let words: Vec<String> =
                lines[from % len].split_whitespace().map(str::to_owned).collect();
            let Some(word) = words.get(from % words.len().max(1)) else { return };
            let line = lines[at % len].clone();
            let old: Vec<&str> = line.split_whitespace().collect();
            if let Some(target) = old.get(from % old.len().max(1)) {
                lines[at % len] = line.replacen(target, word, 1);
            }
        }
        Edit::Cut(at, keep) => {
            let kept: String = lines[at % len].chars().take(keep % 80).collect();
            lines[at % len] = kept;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_mangled_definition_is_refused_in_words(
        which in 0usize..64,
        edits in prop::collection::vec(edit(), 1..6),
    ) {
        let all = shipped();
        let which = which % all.len();
        let is_catalog = all[which].0.ends_with(".catalog.yaml");
        let mut files = Vec::new();
        for (at, (path, text)) in all.iter().enumerate() {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if at == which {
                edits.iter().for_each(|edit| apply(&mut lines, edit, &all));
            }
            // A broken catalog is met by all sagas, a broken saga by all catalogs.
            if at == which || is_catalog || path.ends_with(".catalog.yaml") {
                files.push((path.clone(), lines.join("\n").into_bytes()));
            }
        }
        let (library, mut found) = load(files);
        let (plans, wrong) = compile_library(&library);
        found.append(wrong);
        // Every finding can be shown, so every span lies in its file.
        let _ = render::human(&found, &library.sources, false);
        // What reading found forbids loading, too.
        for plan in plans.iter().filter(|_| !found.has_errors()) {
            let text = (&*plan.name, &*plan.source, &*plan.catalog);
            let again = compile_stored(text, plan.callees.clone());
            let again = again.map(|again| again.hash.clone());
            prop_assert_eq!(again, Ok(plan.hash.clone()), "what was kept is another plan");
        }
    }
}
