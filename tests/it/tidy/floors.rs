//! The floors of the house (docs/architecture.md): a module uses only floors below its own.
//! Reads `use crate::` lines and inline `crate::` paths; what a macro hides it does not see.

use super::{Source, none_of, sources};

/// The floors from the ground. A new module gets a place here before it gets a line.
const FLOORS: &[&[&str]] = &[
    &["ids", "time", "limits", "diag"],
    &["definition", "expr", "line"],
    &["plan", "format"],
    &["saga", "graph", "service", "builtin"],
    &["coordinator", "view"],
    &["sim"],
    &["log", "host_pipe", "ipc", "bus", "clock", "schema"],
    &["targets"],
    &["launcher"],
    &["cli"],
];

/// The first floor that may touch the world.
const SHELLS: usize = 6;

/// Pairs of one floor where the first uses the second. Only shrinks.
const NEIGHBOURS: &[(&str, &str)] = &[("limits", "time"), ("host_pipe", "ipc")];

/// What the floors below the shells never name: clocks, the environment, files, sockets, chance,
/// maps without an order, and waiting.
const WORLD: &[&str] = &[
    "SystemTime",
    "Instant::",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "HashMap",
    "HashSet",
    "tokio",
    "async fn",
    "rusqlite",
    "rand::",
];

fn module_of(path: &str) -> Option<&str> {
    let name = path.strip_prefix("src/")?.split('/').next()?;
    let name = name.strip_suffix(".rs").unwrap_or(name);
    (!matches!(name, "lib" | "main")).then_some(name)
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// The modules that a line of code names.
fn used(line: &str) -> impl Iterator<Item = &str> {
    let code = if line.trim_start().starts_with("//") { "" } else { line };
    code.match_indices("crate::").filter_map(move |(at, word)| {
        let name = code[at + word.len()..].split(|c: char| !c.is_alphanumeric() && c != '_');
        name.into_iter().next()
    })
}

fn files() -> Vec<Source> {
    sources("src", "rs")
}

#[test]
fn every_module_stands_on_a_floor() {
    let bad: Vec<_> = files()
        .iter()
        .filter_map(|f| module_of(&f.path))
        .filter(|module| floor_of(module).is_none())
        .map(str::to_owned)
        .collect();
    none_of(&bad, "give the module a place in FLOORS and in docs/architecture.md");
}

#[test]
fn a_module_uses_only_floors_below_its_own() {
    let mut bad = Vec::new();
    let mut needed = Vec::new();
    for file in files() {
        let Some(module) = module_of(&file.path) else { continue };
        for (at, line) in file.product_lines() {
            for other in used(line).filter(|other| *other != module) {
                let (own, below) = (floor_of(module), floor_of(other));
                let neighbours = NEIGHBOURS.iter().find(|n| **n == (module, other));
                needed.extend(neighbours);
                if below.is_some() && below >= own && neighbours.is_none() {
                    bad.push(format!("{}:{at}: {module} uses {other}", file.path));
                }
            }
        }
    }
    none_of(&bad, "turn the dependency round, or move what is shared to a lower floor");
    let stale = NEIGHBOURS.iter().filter(|n| !needed.contains(n));
    let stale: Vec<_> = stale.map(|(a, b)| format!("{a} uses {b}")).collect();
    none_of(&stale, "no longer so: delete it from NEIGHBOURS");
}

#[test]
fn imports_from_the_crate_are_one_module_a_line() {
    let bad: Vec<_> = files()
        .iter()
        .flat_map(|f| f.product_lines().map(|(at, l)| (format!("{}:{at}", f.path), l.to_owned())))
        .filter(|(_, line)| line.contains("crate::{"))
        .map(|(at, _)| at)
        .collect();
    none_of(&bad, "write one `use crate::module::…` line for each module");
}

#[test]
fn nothing_below_the_shells_touches_the_world() {
    let mut bad = Vec::new();
    for file in files() {
        let pure = module_of(&file.path).and_then(floor_of).is_some_and(|floor| floor < SHELLS);
        for (at, line) in file.product_lines().filter(|_| pure) {
            let code = line.split("//").next().unwrap_or_default();
            for word in WORLD.iter().filter(|word| code.contains(**word)) {
                bad.push(format!("{}:{at}: {word}", file.path));
            }
        }
    }
    none_of(&bad, "take the fact as an argument (time is `now: Timestamp`), keep maps in order");
}
