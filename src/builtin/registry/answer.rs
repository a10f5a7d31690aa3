//! What the registry says to each of its commands. Changes nothing: an answer takes effect when it
//! is folded.

use serde_json::{Map, Value};

use super::{Pod, Registry, check_name};
use crate::builtin::Answer;
use crate::builtin::scope::{self, Permission, Rule, ScopePath};
use crate::limits::{POD_WORD_BYTES_MAX, SOCKET_PATH_BYTES_MAX};
use crate::time::Timestamp;

/// Why a pod cannot have a name or a scope.
struct Refused {
    why: &'static str,
    competitor: String,
    detail: String,
}

impl Refused {
    fn new(why: &'static str, detail: impl Into<String>) -> Self {
        Self { why, competitor: String::new(), detail: detail.into() }
    }

    fn by(why: &'static str, competitor: &str, detail: String) -> Self {
        Self { competitor: competitor.to_owned(), ..Self::new(why, detail) }
    }
}

pub(super) fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn number(fields: &Map<String, Value>, name: &str) -> u64 {
    fields.get(name).and_then(Value::as_u64).unwrap_or_default()
}

pub(super) fn flag(fields: &Map<String, Value>, name: &str, default: bool) -> bool {
    fields.get(name).and_then(Value::as_bool).unwrap_or(default)
}

fn map<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(super) fn answer(
    registry: &Registry,
    cmd: &str,
    fields: &Map<String, Value>,
    now: Timestamp,
) -> Option<Answer> {
    match cmd {
        "reserve_pod" => Some(reserve(registry, fields)),
        "release_pod" => Some(release(registry, fields)),
        "record_pod" => Some(record(registry, fields, now)),
        "remove_pod" => Some(remove(registry, fields)),
        "list_pods" => Some(list(registry)),
        _ => None,
    }
}

fn reserve(registry: &Registry, fields: &Map<String, Value>) -> Answer {
    match reserved(registry, fields) {
        Ok(reserved) => ("pod_reserved", reserved),
        Err(Refused { why, competitor, detail }) => {
            let refused = map([
                ("pod_name", text(fields, "pod_name").into()),
                ("why", why.into()),
                ("competitor", competitor.into()),
                ("detail", detail.into()),
            ]);
            ("pod_refused", refused)
        }
    }
}

/// The lists of rules that somebody asks for.
struct Asked {
    scope: Vec<Rule>,
    deny: Vec<Rule>,
    delegation: Vec<Rule>,
}

impl Asked {
    fn read(fields: &Map<String, Value>) -> Result<Self, Refused> {
        let list = |name: &str| {
            let rules = scope::rules(fields.get(name));
            rules.map_err(|why| Refused::new("bad_scope", format!("`{name}`: {why}")))
        };
        let (scope, deny) = (list("scope")?, list("deny")?);
        if scope.is_empty() {
            return Err(Refused::new(
                "bad_scope",
                "a pod without a scope can do nothing; name one",
            ));
        }
        Ok(Self { scope, deny, delegation: list("delegation")? })
    }
}

fn reserved(
    registry: &Registry,
    fields: &Map<String, Value>,
) -> Result<Map<String, Value>, Refused> {
    let (name, owner) = (text(fields, "pod_name"), text(fields, "owner"));
    check_new_name(registry, name, owner)?;
    let asked = Asked::read(fields)?;
    let (token, segment_id) = (text(fields, "token"), text(fields, "segment_id"));
    if token.len().max(segment_id.len()) > POD_WORD_BYTES_MAX {
        let detail = format!("`token` and `segment_id` have at most {POD_WORD_BYTES_MAX} bytes");
        return Err(Refused::new("bad_scope", detail));
    }
    let (callback, rules) = (callback(registry, owner), [&*asked.scope, &*asked.deny]);
    let socket = registry.socket_of(name);
    let words = [&*socket, &callback, owner, segment_id];
    if !registry.has_room(name, &words, &rules) {
        let known = registry.pods.len();
        let detail = format!("{known} pods are known, and one more could not be listed with them");
        return Err(Refused::new("full", detail));
    }
    let cwd = cwd(registry, text(fields, "cwd"), owner, &asked)?;
    check_owner(registry, owner, &asked)?;
    if let Some((holder, rule)) = registry.competitor(name, owner, &asked.scope, &asked.deny) {
        let detail = format!("{} is written by pod `{holder}`", rule.target);
        return Err(Refused::by("write_conflict", holder, detail));
    }
    if let Some(holder) = registry.segment_owner(segment_id) {
        let detail = format!("segment `{segment_id}` is worked on by pod `{holder}`");
        return Err(Refused::by("segment_conflict", holder, detail));
    }
    Ok(map([
        ("pod_name", name.into()),
        ("generation", registry.next_generation(name).into()),
        ("owner", owner.into()),
        ("token", token.into()),
        ("socket", socket.into()),
        ("callback", callback.into()),
        ("scope", scope::to_value(&asked.scope)),
        ("deny", scope::to_value(&asked.deny)),
        ("delegation", scope::to_value(&asked.delegation)),
        ("segment_id", segment_id.into()),
        ("cwd", cwd.into()),
    ]))
}

fn check_new_name(registry: &Registry, name: &str, owner: &str) -> Result<(), Refused> {
    check_name(name).map_err(|why| Refused::new("bad_name", why))?;
    if name == owner || *name == *registry.own_name {
        let detail = format!("`{name}` is the name of who spawns it; give the pod one of its own");
        return Err(Refused::new("bad_name", detail));
    }
    let socket = registry.socket_of(name);
    if socket.len() > SOCKET_PATH_BYTES_MAX {
        let detail = format!(
            "its socket {socket} would have {} bytes, and a socket's path at most \
             {SOCKET_PATH_BYTES_MAX}; shorten the name or `runtime_dir`",
            socket.len()
        );
        return Err(Refused::new("bad_name", detail));
    }
    if registry.pods.contains_key(name) {
        return Err(Refused::by("duplicate_name", name, format!("pod `{name}` is there already")));
    }
    Ok(())
}

/// Whoever hands on a scope needs the word for it: that a pod may write somewhere itself is none.
fn check_owner(registry: &Registry, owner: &str, asked: &Asked) -> Result<(), Refused> {
    if owner.is_empty() {
        return Ok(());
    }
    let Some(hold) = registry.hold(owner) else {
        return Err(Refused::new("unknown_owner", format!("no pod `{owner}` holds anything")));
    };
    let mut all = asked.scope.iter().chain(&asked.delegation);
    match all.find(|rule| !super::hold::covered(&hold.delegation, rule)) {
        None => Ok(()),
        Some(rule) => {
            let detail = format!(
                "pod `{owner}` may not hand on {} {}{}; its `delegation` does not cover it",
                rule.permission.word(),
                rule.target,
                if rule.recursive { " and all below" } else { "" },
            );
            Err(Refused::by("not_delegable", owner, detail))
        }
    }
}

/// The cwd that a pod begins in. It must be able to read there, for a cwd grants nothing.
fn cwd(registry: &Registry, told: &str, owner: &str, asked: &Asked) -> Result<String, Refused> {
    if told.is_empty() {
        return Ok(registry.cwd(owner).unwrap_or_default().to_owned());
    }
    let path = ScopePath::parse(told).map_err(|why| Refused::new("bad_cwd", why))?;
    if !scope::allows(&asked.scope, &asked.deny, &path, Permission::Read) {
        let detail = format!("the pod's scope does not let it read its cwd {path}");
        return Err(Refused::new("bad_cwd", detail));
    }
    Ok(path.as_str().to_owned())
}

/// Where a pod reports to: to who spawned it. Empty: that one is not known.
fn callback(registry: &Registry, parent: &str) -> String {
    if parent.is_empty() || *parent == *registry.own_name {
        return registry.own_socket();
    }
    registry.pods.get(parent).map_or_else(String::new, |pod| pod.socket.as_ref().to_owned())
}

fn release(registry: &Registry, fields: &Map<String, Value>) -> Answer {
    let (name, token) = (text(fields, "pod_name"), text(fields, "token"));
    let holds = |pod: &&Pod| {
        pod.hold.as_ref().is_some_and(|hold| token.is_empty() || *hold.token == *token)
    };
    let found = registry.bearer(name, number(fields, "generation")).filter(holds);
    let released = map([
        ("pod_name", name.into()),
        ("generation", found.map_or(0, |pod| pod.generation).into()),
        ("existed", found.is_some().into()),
    ]);
    ("pod_released", released)
}

fn remove(registry: &Registry, fields: &Map<String, Value>) -> Answer {
    let name = text(fields, "pod_name");
    let found = registry.bearer(name, number(fields, "generation"));
    let removed = map([
        ("pod_name", name.into()),
        ("generation", found.map_or(0, |pod| pod.generation).into()),
        ("existed", found.is_some().into()),
        ("scope", scope::to_value(found.map_or(&[][..], |pod| &pod.scope))),
    ]);
    ("pod_removed", removed)
}

fn record(registry: &Registry, fields: &Map<String, Value>, now: Timestamp) -> Answer {
    let name = text(fields, "pod_name");
    let known = registry.pods.get(name);
    let wanted = number(fields, "generation");
    let another = wanted != 0 && known.is_none_or(|pod| pod.generation != wanted);
    let (parent, socket) = (text(fields, "parent_pod"), text(fields, "socket"));
    let told = scope::rules(fields.get("scope"));
    let fits = check_name(name).is_ok()
        && *name != *registry.own_name
        && check_name(parent).is_ok() | parent.is_empty()
        && socket.len() <= SOCKET_PATH_BYTES_MAX
        && !socket.contains('\0');
    let ended = registry.ended.get(name).is_some_and(|ended| ended.until > now);
    let tombstoned = known.is_none() && ended && !flag(fields, "revive", false);
    let says = |created: bool, generation: u64, pod: Said<'_>| {
        map([
            ("pod_name", name.into()),
            ("generation", generation.into()),
            ("created", created.into()),
            ("tombstoned", tombstoned.into()),
            ("parent_pod", pod.parent.into()),
            ("socket", pod.socket.into()),
            ("callback", pod.callback.into()),
            ("scope", scope::to_value(pod.scope)),
        ])
    };
    let callback = callback(registry, parent);
    let words = [parent, socket, &callback];
    let room = |scope: &[Rule]| registry.has_room(name, &words, &[scope]);
    let of_told = |scope| Said { parent, socket, callback: &callback, scope };
    let recorded = match (known, told) {
        (Some(_) | None, _) if another => says(false, 0, of_told(&[])),
        // Reserved, and so known by more than what is told.
        (Some(pod), _) if !pod.recorded || pod.hold.is_some() => {
            says(!pod.recorded, pod.generation, Said::of(pod))
        }
        (Some(pod), Ok(scope)) if fits && !flag(fields, "if_absent", true) && room(&scope) => {
            says(false, pod.generation, of_told(&scope))
        }
        (Some(pod), _) => says(false, pod.generation, Said::of(pod)),
        (None, Ok(scope)) if fits && !tombstoned && room(&scope) => {
            says(true, registry.next_generation(name), of_told(&scope))
        }
        (None, _) => says(false, 0, of_told(&[])),
    };
    ("pod_recorded", recorded)
}

/// What is said of a pod that is recorded.
struct Said<'a> {
    parent: &'a str,
    socket: &'a str,
    callback: &'a str,
    scope: &'a [Rule],
}

impl<'a> Said<'a> {
    fn of(pod: &'a Pod) -> Self {
        Self {
            parent: &pod.parent,
            socket: &pod.socket,
            callback: &pod.callback,
            scope: &pod.scope,
        }
    }
}

fn list(registry: &Registry) -> Answer {
    let rows = registry.pods.iter().map(|(name, pod)| {
        let effective = registry.effective_write(name);
        let free = map([
            ("allow", scope::to_value(&effective.allow)),
            ("deny", scope::to_value(&effective.deny)),
        ]);
        let hold = pod.hold.as_ref();
        Value::Object(map([
            ("pod_name", name.as_ref().into()),
            ("generation", pod.generation.into()),
            ("owner", hold.map_or("", |hold| &hold.owner).into()),
            ("parent_pod", pod.parent.as_ref().into()),
            ("state", pod.phase.word().into()),
            ("recorded", pod.recorded.into()),
            ("holds", hold.is_some().into()),
            ("socket", pod.socket.as_ref().into()),
            ("callback", pod.callback.as_ref().into()),
            ("pid", pod.phase.process().map_or(0, |(pid, _)| pid).into()),
            ("segment_id", hold.map_or("", |hold| &hold.segment_id).into()),
            ("scope", scope::to_value(&pod.scope)),
            ("effective_write", Value::Object(free)),
        ]))
    });
    ("pods_listed", map([("pods", Value::Array(rows.collect()))]))
}
