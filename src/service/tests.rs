//! Names, meanings and choices in files as people write them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;

const CATALOG: &str = "\
targets: { host: { doc: The desktop. } }
events:
  closed: { doc: It was closed., fields: { label: { type: string } } }
  reaped: { fields: { label: { type: string }, count: { type: integer, default: 0 } } }
  stuck: { fields: { label: { type: string } } }
commands:
  reap:
    target: host
    doc: Close every pane.
    fields: { label: { type: string }, side: { enum: [left, right], default: left } }
    echoes: [reaped]
    failures: [stuck]
    idempotent: true
    undo: none
";

const SAGA: &str = "\
saga: tidy
doc: Tidies up.
trigger: { event: closed, when: trigger.label != \"\" }
input:
  label: ${{ trigger.label }}
vars: { n: 0 }
eviction: { key: input.label, policy: refuse }
timeout: 30s
steps:
  - id: first
    issue: reap
    with: { label: \"${{ input.label }}\" }
    await: { echo: reaped, where: event.label == input.label, save: { n: \"${{ event.count }}\" } }
    timeout: 10s
    compensate:
      issue: reap
      with: { label: \"${{ input.label }}\" }
      await: { echo: reaped }
      covers: [second]
  - id: second
    if: steps.first.outcome == \"succeeded\" && steps.first.echo.count > vars.n
    delay: 1s
result: { n: \"${{ vars.n }}\" }
";

const TEST: &str = "\
saga: tidy
cases:
  - name: all goes well
    when: { event: closed, with: { label: main } }
    script:
      - expect: { issue: reap, with: { label: main } }
        reply: { echo: reaped, with: { label: main } }
    end: { state: completed }
";

fn with(saga: &str) -> Workspace {
    let files = [("a.catalog.yaml", CATALOG), ("tidy.saga.yaml", saga), ("tidy.test.yaml", TEST)];
    let files: BTreeMap<String, Arc<str>> =
        files.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
    let mut workspace = Workspace::new();
    workspace.replace(files);
    workspace
}

/// The place of the last of these words, counted into the text.
fn place(text: &str, words: &str) -> usize {
    text.find(words).unwrap_or_else(|| panic!("{words} is in the text")) + words.len() - 1
}

fn hover(words: &str) -> String {
    let found = with(SAGA).hover("tidy.saga.yaml", place(SAGA, words));
    found.map(|(_, text)| text).unwrap_or_default()
}

#[test]
fn hover_tells_what_a_name_means() {
    for (words, meaning) in [
        ("issue: reap", "Close every pane."),
        ("issue: reap", "`side`: `\"left\"` or `\"right\"`, default `\"left\"`"),
        ("event: closed", "It was closed."),
        ("with: { label", "a field of the command `reap`"),
        ("event.label", "a field of the event `reaped`"),
        ("trigger.label", "a field of the event `closed`"),
        ("steps.first", "step `first`: `issue` `reap`"),
        ("vars.n", "variable `n`"),
        ("vars.n", "set to `${{ event.count }}`: integer"),
        ("key: input.label", "input `label` = `${{ trigger.label }}`: string"),
        ("timeout: 30s", "30 seconds"),
        ("policy: refuse", "`replace`"),
        ("evict", "There is no default."),
        ("steps.first.outcome", "in_doubt"),
        ("steps.first.echo.count", "`count`: integer, default `0`"),
    ] {
        assert!(hover(words).contains(meaning), "{words}: {}", hover(words));
    }
}

fn shown(places: Vec<Place>) -> Vec<String> {
    let workspace = with(SAGA);
    let line = |(name, range): Place| {
        let text = workspace.text(&name).expect("it is there");
        let line = text[..range.start].matches('\n').count() + 1;
        format!("{name}:{line} {}", &text[range])
    };
    places.into_iter().map(line).collect()
}

#[test]
fn definitions_are_found_across_files() {
    let to = |words: &str| shown(with(SAGA).definition("tidy.saga.yaml", place(SAGA, words)));
    assert_eq!(to("event: closed"), ["a.catalog.yaml:3 closed"]);
    assert_eq!(to("issue: reap"), ["a.catalog.yaml:7 reap"]);
    assert_eq!(to("steps.first"), ["tidy.saga.yaml:10 first"]);
    assert_eq!(to("covers: [second"), ["tidy.saga.yaml:20 second"]);
    assert_eq!(to("vars.n"), ["tidy.saga.yaml:6 n", "tidy.saga.yaml:13 n"]);
    assert_eq!(to("event.label"), ["a.catalog.yaml:4 label"]);
    let from_test = with(SAGA).definition("tidy.test.yaml", place(TEST, "saga: tidy"));
    assert_eq!(shown(from_test), ["tidy.saga.yaml:1 tidy"]);
}

#[test]
fn references_are_found_across_files() {
    let of =
        |words: &str| shown(with(SAGA).references("tidy.saga.yaml", place(SAGA, words), false));
    assert_eq!(
        of("issue: reap"),
        ["tidy.saga.yaml:11 reap", "tidy.saga.yaml:16 reap", "tidy.test.yaml:6 reap"]
    );
    assert_eq!(of("id: first"), ["tidy.saga.yaml:21 first", "tidy.saga.yaml:21 first"]);
}

#[test]
fn a_step_is_renamed_wherever_it_is_read() {
    let renamed = |words: &str, new: &str| {
        with(SAGA).rename("tidy.saga.yaml", place(SAGA, words), new).map(shown)
    };
    let places = renamed("covers: [second", "later").expect("it can be renamed");
    assert_eq!(places, ["tidy.saga.yaml:19 second", "tidy.saga.yaml:20 second"]);
    let places = renamed("id: first", "other").expect("it can be renamed");
    assert_eq!(places.len(), 3);
    let command = renamed("issue: reap", "sweep").expect("it can be renamed");
    assert_eq!(command.len(), 4, "{command:?}");
    assert!(renamed("id: first", "second").is_err_and(|why| why.contains("taken")));
    assert!(renamed("id: first", "Not A Name").is_err_and(|why| why.contains("snake_case")));
    assert!(renamed("event.label", "name").is_err_and(|why| why.contains("field")));
    assert!(renamed("timeout: 30", "x").is_err());
}

/// The labels that are offered at `|`.
fn offered(marked: &str) -> Vec<String> {
    let at = marked.find('|').expect("the place is marked");
    let workspace = with(&marked.replacen('|', "", 1));
    workspace.complete("tidy.saga.yaml", at).into_iter().map(|one| one.label).collect()
}

fn at(words: &str, marked: &str) -> Vec<String> {
    assert!(SAGA.contains(words), "{words}");
    offered(&SAGA.replacen(words, marked, 1))
}

#[test]
fn keys_that_are_not_there_are_offered_in_order() {
    let keys = at("    timeout: 10s\n", "    |\n");
    assert!(keys.contains(&"timeout".to_owned()) && keys.contains(&"retry".to_owned()));
    for there in ["id", "issue", "await", "emit", "delay"] {
        assert!(!keys.contains(&there.to_owned()), "{there} of {keys:?}");
    }
    assert_eq!(at("key: input.label, ", "|, ").first().map(String::as_str), Some("key"));
}

#[test]
fn names_of_the_catalog_and_their_fields_are_offered() {
    let commands = at("issue: reap\n    with", "issue: re|\n    with");
    assert!(commands.contains(&"reap".to_owned()) && commands.contains(&"spawn_turn".to_owned()));
    assert_eq!(at("await: { echo: reaped,", "await: { echo: |,")[..2], ["reaped", "stuck"]);
    assert_eq!(
        at("with: { label: \"${{ input.label }}\" }\n    await", "with: { | }\n    await"),
        ["label", "side"]
    );
    assert_eq!(
        at(
            "with: { label: \"${{ input.label }}\" }\n    await",
            "with:\n      label: x\n      |\n    await"
        ),
        ["side"]
    );
    assert!(
        at("with: { label: \"${{ input.label }}\" }\n    await", "with: { side: | }\n    await")
            .starts_with(&["left".to_owned(), "right".to_owned()])
    );
}

#[test]
fn words_of_closed_choices_are_offered() {
    assert_eq!(at("policy: refuse", "policy: |")[0], "ignore");
    assert!(at("timeout: 30s", "timeout: |").contains(&"none".to_owned()));
    assert_eq!(at("covers: [second]", "covers: [|]"), ["first", "second"]);
}

#[test]
fn names_in_expressions_are_offered() {
    assert_eq!(at("when: trigger.label != \"\"", "when: trigger.|"), ["label"]);
    assert_eq!(at("event.label == input.label", "event.|"), ["label", "count"]);
    assert_eq!(at("key: input.label", "key: input.la|"), ["label"]);
    assert_eq!(at("steps.first.outcome == \"succeeded\"", "steps.|"), ["first", "second"]);
    assert_eq!(
        at("steps.first.outcome == \"succeeded\"", "steps.first.|"),
        ["attempts", "echo", "outcome"]
    );
    assert_eq!(at("n: \"${{ event.count }}\"", "n: \"${{ event.| }}\""), ["label", "count"]);
    let roots = at("steps.first.outcome == \"succeeded\"", "|");
    assert!(roots.contains(&"input".to_owned()) && roots.contains(&"has".to_owned()));
    assert!(!roots.contains(&"event".to_owned()), "nothing came in there");
    assert_eq!(at("result: { n: \"${{ vars.n }}\" }", "result: { n: \"${{ vars.|\" }"), ["n"]);
}

#[test]
fn a_file_has_an_outline_and_lenses() {
    let outline = with(SAGA).outline("tidy.saga.yaml");
    let names: Vec<&str> = outline[0].children.iter().map(|step| step.name.as_str()).collect();
    assert_eq!((outline[0].name.as_str(), names), ("tidy", vec!["first", "second"]));
    let lenses = with(SAGA).lenses("tidy.saga.yaml");
    let shown: Vec<(&str, &str)> =
        lenses.iter().map(|lens| (lens.title, lens.file.as_str())).collect();
    assert_eq!(shown, [("run tests", "tidy.test.yaml"), ("check", "tidy.saga.yaml")]);
    assert_eq!(with(SAGA).outline("a.catalog.yaml").len(), 5);
}

#[test]
fn while_a_file_is_no_yaml_its_names_are_still_known() {
    let mut workspace = with(SAGA);
    let broken = SAGA.replacen("delay: 1s", "delay: 1s\n    if: steps.\n   bad", 1);
    let at = place(&broken, "if: steps.\n");
    let mut files: BTreeMap<String, Arc<str>> = workspace
        .texts()
        .into_iter()
        .map(|(name, text)| (name, String::from_utf8(text).expect("it was text").into()))
        .collect();
    files.insert("tidy.saga.yaml".to_owned(), broken.into());
    workspace.replace(files);
    let labels: Vec<String> =
        workspace.complete("tidy.saga.yaml", at).into_iter().map(|one| one.label).collect();
    assert_eq!(labels, ["first", "second"]);
    assert!(workspace.definition("tidy.saga.yaml", at).is_empty());
}

const TALKING: &str = "\
saga: talk
trigger: { event: closed }
eviction: { policy: parallel }
timeout: 1h
signals:
  approve: { doc: Somebody agreed., fields: { by: { type: string } } }
steps:
  - id: wait
    await: { signal: approve, where: event.by != \"\" }
    timeout: 10m
    on_timeout: fail
  - id: ask
    issue: reap
    with: { label: x }
    await: { echo: reaped }
    timeout: 10s
    probe: { issue: reap, with: { label: x }, await: { echo: reaped }, done_when: event.count > 0 }
  - id: inner
    call: called
    with: { label: x }
result: { n: \"${{ steps.inner.result.n }}\" }
";

const CALLED: &str = "\
saga: called
trigger: { call: { fields: { label: { type: string, description: Whose. } } } }
eviction: { policy: parallel }
timeout: 5s
steps: [{ id: rest, delay: 1s }]
result: { n: 1 }
";

#[test]
fn signals_probes_and_calls_are_known() {
    let with = |text: &str| {
        let mut workspace = Workspace::new();
        let files = [("a.catalog.yaml", CATALOG), ("t.saga.yaml", text), ("c.saga.yaml", CALLED)];
        let files = files.into_iter().map(|(name, text)| (name.to_owned(), text.into()));
        workspace.replace(files.collect());
        workspace
    };
    let hover = |words: &str| {
        let found = with(TALKING).hover("t.saga.yaml", place(TALKING, words));
        found.map(|(_, text)| text).unwrap_or_default()
    };
    assert!(hover("event.by").contains("a field of the signal `approve`"), "{}", hover("event.by"));
    assert!(hover("event.count").contains("a field of the event `reaped`"));
    assert!(
        hover("call: called").contains("`label`: string — Whose."),
        "{}",
        hover("call: called")
    );
    let to = |words: &str| with(TALKING).definition("t.saga.yaml", place(TALKING, words));
    assert_eq!(to("signal: approve")[0].0, "t.saga.yaml");
    assert_eq!(to("call: called")[0].0, "c.saga.yaml");
    let renamed = with(TALKING).rename("t.saga.yaml", place(TALKING, "signal: approve"), "agree");
    assert_eq!(renamed.map(|places| places.len()), Ok(2));
    let offered = |marked: &str| -> Vec<String> {
        let at = marked.find('|').expect("the place is marked");
        let choices = with(&marked.replacen('|', "", 1)).complete("t.saga.yaml", at);
        choices.into_iter().map(|one| one.label).collect()
    };
    let at = |words: &str, marked: &str| offered(&TALKING.replacen(words, marked, 1));
    assert_eq!(at("signal: approve", "signal: |"), ["approve"]);
    assert_eq!(at("event.by", "event.|"), ["by"]);
    assert_eq!(at("event.count > 0", "event.|"), ["label", "count"]);
    assert_eq!(
        at("call: called\n    with: { label: x }", "call: called\n    with: { | }"),
        ["label"]
    );
    assert_eq!(at("steps.inner.result.n", "steps.inner.result.|"), ["n"]);
}
