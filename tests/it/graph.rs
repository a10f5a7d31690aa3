//! Pictures of definitions: the shipped ones and a long one are drawn as they were last looked at.
//! `UPDATE=1 cargo test` draws them anew; look at them then.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sagaflow::definition::read::load;
use sagaflow::graph::{Fate, Format, Story, draw};
use sagaflow::plan::{Plan, compile_library};

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The plans of a directory, which is free of mistakes.
fn plans(directory: &str) -> Vec<Arc<Plan>> {
    let entries = fs::read_dir(package().join(directory)).expect("a part of the package");
    let paths = entries.map(|entry| entry.expect("an opened directory can be listed").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|p| p.extension().is_some_and(|e| e == "yaml")).collect();
    paths.sort();
    let read = |p: &PathBuf| (p.display().to_string(), fs::read(p).expect("it was listed"));
    let (library, mut found) = load(paths.iter().map(read).collect());
    let (plans, more) = compile_library(&library);
    found.append(more);
    assert!(!found.has_errors(), "{found:?}");
    plans
}

fn thirty() -> Arc<Plan> {
    plans("tests/graph").into_iter().next().expect("one saga lies there")
}

/// Compares a picture with the one that was looked at.
fn check(plan: &Plan, format: Format, extension: &str) {
    let path = package().join("tests/graph").join(format!("{}.{extension}", plan.name));
    let drawn = draw(plan, None, format);
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(&path, drawn).expect("the directory can be written");
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == drawn, "{} is stale: UPDATE=1 cargo test, and look", path.display());
}

#[test]
fn the_shipped_sagas_are_drawn_as_they_were_looked_at() {
    for plan in plans("sagas") {
        check(&plan, Format::Mermaid, "mmd");
    }
}

#[test]
fn a_saga_of_thirty_steps_is_drawn_as_it_was_looked_at() {
    let plan = thirty();
    assert!(plan.steps.iter().filter(|step| !step.path.ends_with(".undo")).count() >= 30);
    check(&plan, Format::Svg, "svg");
    check(&plan, Format::Mermaid, "mmd");
    check(&plan, Format::Dot, "dot");
}

#[test]
fn no_picture_outlives_its_saga() {
    let mut known: Vec<String> = plans("sagas").iter().map(|p| p.name.to_string()).collect();
    known.push("thirty".to_owned());
    for entry in fs::read_dir(package().join("tests/graph")).expect("a part of the package") {
        let path = entry.expect("an opened directory can be listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        let stem = name.split('.').next().expect("a split has a first part");
        assert!(known.iter().any(|one| one == stem), "{name} belongs to no saga: delete it");
    }
}

#[test]
fn every_step_and_every_answer_is_in_every_picture() {
    for plan in plans("sagas").into_iter().chain([thirty()]) {
        for format in [Format::Svg, Format::Mermaid, Format::Dot] {
            let drawn = draw(&plan, None, format);
            // The step that another one's undo undoes has one of its own, which never runs.
            let own = |path: &str| {
                let step = plan.steps.iter().find(|step| path == format!("{}.undo", step.path));
                step.is_none_or(|step| step.covered_by.is_none())
            };
            for step in plan.steps.iter().filter(|step| own(&step.path)) {
                assert!(drawn.contains(&*step.path), "{} {format:?} {}", plan.name, step.path);
                for one in step.wait.iter().flat_map(|wait| &wait.alternatives) {
                    assert!(drawn.contains(&*one.event), "{} {format:?}", plan.name);
                }
            }
        }
    }
}

#[test]
fn what_a_format_could_take_for_its_own_is_escaped() {
    let plan = thirty();
    let svg = draw(&plan, None, Format::Svg);
    assert!(svg.contains("loads them &amp; sends &quot;one&quot; truck &lt;b&gt;past the"));
    assert!(svg.contains("is &lt;cursed&gt; &amp; &quot;lost&quot;"));
    let body = svg.split("</style>").nth(1).expect("a style sheet");
    let loose = |(at, _): &(usize, &str)| {
        !["&amp;", "&lt;", "&gt;", "&quot;"].iter().any(|name| body[*at..].starts_with(name))
    };
    assert_eq!(body.match_indices('&').find(loose), None);

    let mermaid = draw(&plan, None, Format::Mermaid);
    assert!(mermaid.contains("is #60;cursed#62; #38; #34;lost#34;"));
    assert!(mermaid.lines().all(|line| line.matches('"').count() % 2 == 0));

    let dot = draw(&plan, None, Format::Dot);
    assert!(dot.contains("is <cursed> & \\\"lost\\\""));
}

#[test]
fn the_steps_of_a_saga_show_what_became_of_them() {
    let states = [("stock", "succeeded"), ("part_1", "compensated"), ("part_2", "in_doubt")];
    let story = Story {
        saga_id: 7,
        state: "compensated".to_owned(),
        steps: states.iter().map(|(path, state)| (path.to_string(), state.to_string())).collect(),
        ..Story::default()
    };
    let svg = draw(&thirty(), Some(&story), Format::Svg);
    assert!(svg.contains("thirty · saga 7 · compensated"));
    assert!(svg.contains("pill compensated here"));
    for (_, state) in states {
        assert!(svg.contains(&format!("class=\"step issue was-{state}\"")), "{state}");
    }
    assert!(svg.contains(">in doubt</text>"));
    let mermaid = draw(&thirty(), Some(&story), Format::Mermaid);
    assert!(mermaid.contains("<b>part_2</b> · in doubt"));
    assert!(mermaid.contains("]:::in_doubt"));
    let dot = draw(&thirty(), Some(&story), Format::Dot);
    assert!(dot.contains("part_2 · in doubt\\l"));
    assert_eq!(Fate::of("backing_off"), Fate::Open);
}
