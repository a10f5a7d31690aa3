//! The reference of the command line is generated: `UPDATE=1 cargo test` writes it anew.

use super::package;

/// Everything between these lines of docs/reference/cli.md is made here.
const BEGIN: &str = "<!-- generated: UPDATE=1 cargo test -->\n";

#[test]
fn the_reference_shows_every_command_as_it_is() {
    let path = package().join("docs/reference/cli.md");
    let written = std::fs::read_to_string(&path).expect("the reference is there");
    let (head, _) = written.split_once(BEGIN).expect("the reference has a generated part");
    let fresh = format!("{head}{BEGIN}{}", reference());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, fresh).expect("the reference can be written");
        return;
    }
    assert!(fresh == written, "docs/reference/cli.md is stale: UPDATE=1 cargo test");
}

#[test]
fn the_table_of_commands_names_each_of_them() {
    let written = std::fs::read_to_string(package().join("docs/reference/cli.md"));
    let written = written.expect("the reference is there");
    let (head, _) = written.split_once(BEGIN).expect("the reference has a generated part");
    let rows: Vec<&str> = head.lines().filter(|line| line.starts_with("| `sagaflow")).collect();
    let named = |name: &str| {
        rows.iter().any(|row| {
            let commands = row.split('|').nth(1).unwrap_or_default().split('`');
            let mut names = commands.map(|it| it.trim_start_matches("sagaflow "));
            names.any(|it| it.split(' ').next() == Some(name))
        })
    };
    for sub in sagaflow::cli::command().get_subcommands() {
        assert!(named(sub.get_name()), "no row for `{}` in {rows:#?}", sub.get_name());
    }
}

fn reference() -> String {
    let mut command = sagaflow::cli::command().term_width(98).color(clap::ColorChoice::Never);
    command.build();
    let mut text = String::new();
    for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
        let name = sub.get_name().to_owned();
        let help = sub.clone().bin_name(format!("sagaflow {name}")).render_long_help();
        let help = help.to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        text.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end()));
    }
    text
}
