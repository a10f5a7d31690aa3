//! `launcher.yaml`: what a launcher may be told beside its flags. Read here, obeyed below.

mod services;

use std::path::PathBuf;

use crate::definition::keys::{LAUNCHER, PODS, RETENTION, RIGHTS};
use crate::definition::read::node::{Kind, Node};
use crate::definition::read::object::{Object, free_map};
use crate::definition::read::{document, scalar};
use crate::diag::{At, Code, Diagnostic, Diagnostics, SourceMap, nearest};
use crate::ids::CLIENT_KINDS;
use crate::ipc::session::{Allow, Globs, Rights};
use crate::launcher::Manners;
use crate::launcher::services::Declared;
use crate::targets::pods;

/// What the file says.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Rights by kind of client \[W14\].
    pub allow: Allow,
    /// Retention and patience.
    pub manners: Manners,
    /// Where its pods are.
    pub pods: Option<pods::Settings>,
    /// Processes to start and supervise, in order.
    pub services: Vec<Declared>,
}

impl Settings {
    /// Reads the file; what is wrong with it is in `out`. `targets` are those of the catalog.
    pub fn read(
        path: &str,
        bytes: &[u8],
        targets: &[&str],
        sources: &mut SourceMap,
        out: &mut Diagnostics,
    ) -> Settings {
        let mut settings = Settings::default();
        let Some(tree) = document(path.to_owned(), bytes, sources, out).1 else { return settings };
        let Some(mut object) = Object::read(tree, "the configuration", &LAUNCHER, out) else {
            return settings;
        };
        if let Some(node) = object.take("processes") {
            settings.services = services::read(node, targets, out);
        }
        if let Some(node) = object.take("allow") {
            settings.allow = allow(node, targets, out);
        }
        if let Some(node) = object.take("retention") {
            retention(node, &mut settings.manners, out);
        }
        if let Some(patience) = object.read_key("disk_retry", out, scalar::duration) {
            settings.manners.disk_retry = patience.value;
        }
        if let Some(node) = object.take("pods") {
            settings.pods = pods(node, out);
        }
        object.finish();
        settings
    }
}

fn pods(node: Node, out: &mut Diagnostics) -> Option<pods::Settings> {
    let mut object = Object::read(node, "pods", &PODS, out)?;
    let name = object.read_key("name", out, scalar::literal);
    let runtime_dir = object.read_key("runtime_dir", out, absolute);
    let parent_socket = object.read_key("parent_socket", out, absolute);
    object.finish();
    Some(pods::Settings {
        name: name.map(|name| name.value).unwrap_or_default(),
        runtime_dir: runtime_dir?,
        parent_socket,
    })
}

/// A path that does not depend on where the launcher was started.
fn absolute(node: Node, key: &str, out: &mut Diagnostics) -> Option<PathBuf> {
    let path = scalar::literal(node, key, out)?;
    if !path.value.starts_with('/') {
        let message = format!("`{key}` is an absolute path, unlike `{}`", path.value);
        out.push(Diagnostic::new(Code::WrongShape, path.span, message));
        return None;
    }
    Some(PathBuf::from(path.value))
}

fn retention(node: Node, manners: &mut Manners, out: &mut Diagnostics) {
    let Some(mut object) = Object::read(node, "retention", &RETENTION, out) else { return };
    if let Some(sagas) = object.read_key("sagas", out, scalar::duration) {
        manners.retention.sagas = sagas.value;
    }
    if let Some(events) = object.read_key("events", out, scalar::duration) {
        manners.retention.events = events.value;
    }
    let most = |node: Node, key: &str, out: &mut Diagnostics| scalar::integer(node, key, 1, out);
    if let Some(most) = object.read_key("events_max", out, most) {
        manners.retention.events_max = most.value;
    }
    object.finish();
}

fn allow(node: Node, targets: &[&str], out: &mut Diagnostics) -> Allow {
    let mut allow = Allow::default();
    let kinds = free_map(node, "allow", out).map(|(_, kinds)| kinds).unwrap_or_default();
    for (kind, node) in kinds {
        let known = || CLIENT_KINDS.iter().chain(targets).copied();
        if !known().any(|name| name == kind.value) {
            add_unknown_kind(&kind, known(), out);
        }
        let Some(mut object) = Object::read(node, &kind.value, &RIGHTS, out) else { continue };
        let rights = Rights {
            report: object.read_key("report", out, globs),
            start: object.read_key("start", out, globs),
            signal: object.read_key("signal", out, globs),
            target: object.read_key("target", out, scalar::flag).map(|flag| flag.value),
        };
        object.finish();
        allow.restrict(kind.value, rights);
    }
    allow
}

/// A rule for a kind that nobody registers as would protect nothing.
fn add_unknown_kind<'a>(
    kind: &At<String>,
    known: impl Iterator<Item = &'a str> + Clone,
    out: &mut Diagnostics,
) {
    let message = format!("no client registers as `{}`", kind.value);
    let help = match nearest(&kind.value, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let mut kinds: Vec<&str> = Vec::new();
            for kind in known {
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            format!("kinds are {}", kinds.join(", "))
        }
    };
    out.push(Diagnostic::new(Code::UnknownWord, kind.span, message).help(help));
}

/// A list of patterns, which may be empty: nothing is allowed then.
fn globs(node: Node, key: &str, out: &mut Diagnostics) -> Option<Globs> {
    let Kind::List(items) = node.kind else {
        let message = format!("`{key}` is a list of patterns, like `[\"pool_*\"]`");
        out.push(Diagnostic::new(Code::WrongShape, node.span, message));
        return None;
    };
    let read = |item| scalar::literal(item, key, out).map(|pattern| pattern.value);
    let patterns: Vec<String> = items.into_iter().filter_map(read).collect();
    Some(Globs::from(patterns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::render;
    use crate::time::Millis;

    fn read(text: &str) -> Result<Settings, String> {
        let (mut sources, mut out) = (SourceMap::default(), Diagnostics::default());
        let bytes = text.as_bytes();
        let settings = Settings::read("launcher.yaml", bytes, &["lamp"], &mut sources, &mut out);
        if out.is_empty() { Ok(settings) } else { Err(render::human(&out, &sources, false)) }
    }

    #[test]
    fn bg_k01_without_a_word_ended_sagas_stay_seven_days() {
        let settings = read("").or_else(|_| read("{}")).expect("nothing need be said");
        assert_eq!(settings.manners.retention.sagas, crate::limits::RETENTION);
    }

    /// bg_K02: a valid word is taken.
    #[test]
    fn w14_rights_retention_and_patience_are_read() {
        let settings = read(
            "allow:\n  renderer: { report: [\"ui_*\"], start: [], target: false }\n  lamp: {}\n\
             retention: { sagas: 1d, events: 2h, events_max: 10 }\ndisk_retry: 5s\n",
        )
        .expect("a good file");
        let mut allow = Allow::default();
        let rights = Rights {
            report: Some(Globs::from(vec!["ui_*".to_owned()])),
            start: Some(Globs::default()),
            signal: None,
            target: Some(false),
        };
        allow.restrict("renderer", rights);
        allow.restrict("lamp", Rights::default());
        assert_eq!(settings.allow, allow);
        let kept = settings.manners.retention;
        assert_eq!((kept.sagas, kept.events_max), (Millis(86_400_000), 10));
        assert_eq!((kept.events, settings.manners.disk_retry), (Millis(7_200_000), Millis(5_000)));
    }

    #[test]
    fn where_pods_are_is_read() {
        let text = "pods: { name: a, runtime_dir: /run/a, parent_socket: /run/p/sock }\n";
        let settings = read(text).expect("a good file").pods.expect("it says so");
        assert_eq!(
            (settings.name.as_str(), settings.runtime_dir.as_path()),
            ("a", "/run/a".as_ref())
        );
        assert_eq!(settings.parent_socket, Some("/run/p/sock".into()));
        assert_eq!(read("{}").expect("nothing need be said").pods, None);
    }

    /// bg_K03, bg_K04, bg_K05: what is no YAML of ours, an unknown key and a number that cannot be
    /// are refused with their place, where the earlier launcher went on with its defaults.
    #[test]
    fn mistakes_have_places_and_cures() {
        for (text, words) in [
            ("alow: {}", &["launcher.yaml:1:1", "did you mean `allow`"][..]),
            ("allow: { rendrer: {} }", &["no client registers as `rendrer`", "`renderer`"]),
            ("allow: { tool: { start: \"*\" } }", &["`start` is a list of patterns"]),
            ("allow: { tool: { target: maybe } }", &["`true` or `false`"]),
            ("retention: { sagas: 7 }", &["SF013"]),
            ("retention: { events_max: 0 }", &["SF018"]),
            ("retention: { sagas: 0d }", &["SF013"]),
            ("retention: { sagas: -7d }", &["SF013"]),
            ("retention: [", &["SF001"]),
            ("pods: {}", &["SF010", "runtime_dir"]),
            ("pods: { runtime_dir: pods }", &["`runtime_dir` is an absolute path"]),
            ("pods: { runtime_dir: /r, parent: /s }", &["unknown key `parent`", "`parent_socket`"]),
        ] {
            let wrong = read(text).expect_err(text);
            for word in words {
                assert!(wrong.contains(word), "{text}: {word:?} is missing in:\n{wrong}");
            }
        }
    }
}
