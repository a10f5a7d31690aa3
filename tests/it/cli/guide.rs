//! The guide to a first saga, done as it says: what a newcomer types must come true.

use super::live::Stage;
use super::package;

/// The files that the guide has its reader write.
pub fn files() -> Vec<(String, String)> {
    let guide = package().join("docs/guide/first-saga.md");
    let guide = std::fs::read_to_string(guide).expect("the guide is there");
    let mut files = Vec::new();
    for block in guide.split("```yaml ").skip(1) {
        let (name, rest) = block.split_once('\n').expect("a name, then the file");
        let (text, _) = rest.split_once("```").expect("a block has an end");
        files.push((name.trim().to_owned(), text.to_owned()));
    }
    files
}

#[test]
fn the_guide_to_a_first_saga_comes_true() {
    let files = files();
    let borrowed: Vec<(&str, &str)> = files.iter().map(|(n, t)| (&**n, &**t)).collect();
    let stage = Stage::of_its_own(&borrowed);
    let script = |to: &str| {
        let (_, script) = borrowed.iter().find(|(n, _)| *n == "site.host.yaml").expect("a script");
        let line = script.lines().find(|line| line.contains("publish_draft:")).expect("a line");
        if to.is_empty() { (*script).to_owned() } else { script.replace(line, to) }
    };

    let valid = stage.run(&["validate"]);
    assert!(valid.stderr.contains("2 files, nothing wrong"), "{}{}", valid.stdout, valid.stderr);
    let _launcher = stage.launcher();
    let start = ["start", "publish_page", "page=home", "title=Hello", "--wait", "--json"];
    {
        let _host = stage.host(&script(""), &[]);
        let done = stage.run(&start).json();
        assert_eq!(done["state"], "completed", "{done}");
        let url = done["result"]["url"].as_str().expect("a URL");
        assert!(url.starts_with("https://example.org/"), "{url}");
    }
    let _host = stage.host(&script("  publish_draft: { fail: the site is read-only }"), &[]);
    let failed = stage.run(&start).json();
    assert_eq!(failed["state"], "compensated", "{failed}");
    let shown = stage.run(&["show", "2"]).stdout;
    assert!(shown.contains("the site is read-only"), "{shown}");
    assert!(shown.contains("↩ draft.undo"), "{shown}");
}
