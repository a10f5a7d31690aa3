//! Pictures of stored sagas, for a launcher that runs and for one that is dead. Hides what the
//! definitions of the saga and of its kin call sensitive; decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::ids::{DefinitionHash, SagaId};
use crate::log::{LogRead, SagaRow, StoredSaga};
use crate::plan::compile_stored;
use crate::plan::secrets::Secrets;
use crate::saga::record::Record;
use crate::view::{Fact, Picture, Sensitive, Settlement, Shown, hide};

/// Sagas of one family that are read, at most, for what one of them hides.
const FAMILY_READ: usize = 1_000;

/// Makes pictures, and remembers what each definition hides.
#[derive(Debug, Default)]
pub struct Pictures {
    manners: BTreeMap<DefinitionHash, Arc<Manner>>,
    /// What sagas that call each other hide together, by the outermost caller: values go down with
    /// a call and come up with a result, and who gets one does not know what it is.
    families: BTreeMap<SagaId, Arc<Secrets>>,
}

/// What a definition says about its sagas' secrets.
#[derive(Debug)]
struct Manner {
    sensitive: Sensitive,
    /// Whether its sagas may have called others.
    has_calls: bool,
}

/// The sagas that one called, each with the result that came up if it may hide something.
type Called = BTreeMap<SagaId, Option<Arc<Value>>>;

impl Pictures {
    /// The picture of a saga that `log` stores; `clash`: why it was set aside \[L9\].
    pub fn of(&mut self, log: &dyn LogRead, stored: &StoredSaga, clash: Option<String>) -> Picture {
        let clash = clash.or_else(|| clash_of(stored));
        let (mut facts, damage) = facts_of(stored);
        let mut secrets = Secrets::default();
        let manner = self.manner_of(log, &stored.saga.definition);
        manner.sensitive.learn(&mut facts, &mut secrets);
        if let Some(root) = root_of(stored.saga.saga_id, &facts) {
            secrets.add(&self.family_of(log, root));
        }
        hide(&secrets, &mut facts);
        let told = Picture::of(stored.saga.saga_id, &facts);
        let without = "its first record is missing".to_owned();
        let clash = clash.or(damage).or_else(|| told.is_none().then_some(without));
        let picture = told.unwrap_or_else(|| {
            let bare = by_row_alone(&stored.saga);
            if manner.sensitive.is_empty() { bare } else { bare.without_values() }
        });
        match clash {
            Some(clash) => picture.corrupt(clash),
            None => picture,
        }
    }

    /// Forgets what sagas hide: they may have learned more since. What definitions say stays.
    pub fn look_again(&mut self) {
        self.families.clear();
    }

    fn manner_of(&mut self, log: &dyn LogRead, hash: &DefinitionHash) -> Arc<Manner> {
        if let Some(known) = self.manners.get(hash) {
            return known.clone();
        }
        let stored = log.definition(hash).ok().flatten();
        let plan =
            stored.and_then(|d| compile_stored((&d.name, &d.source, &d.catalog), Vec::new()).ok());
        let manner = Arc::new(Manner {
            has_calls: plan.as_ref().is_none_or(|plan| plan.has_calls),
            sensitive: plan.map(|plan| Sensitive::of(&plan)).unwrap_or_default(),
        });
        self.manners.insert(hash.clone(), manner.clone());
        manner
    }

    fn family_of(&mut self, log: &dyn LogRead, root: SagaId) -> Arc<Secrets> {
        if let Some(known) = self.families.get(&root) {
            return known.clone();
        }
        let mut secrets = Secrets::default();
        let (mut seen, mut open) = (BTreeSet::new(), Called::from([(root, None)]));
        while let Some((id, result)) = open.pop_first() {
            if !seen.insert(id) {
                continue;
            }
            let room = seen.len() <= FAMILY_READ;
            match room.then(|| self.relative(log, id, &mut secrets)).flatten() {
                Some(called) => open.extend(called),
                // Nobody knows any more what of it was sensitive.
                None => result.iter().for_each(|result| secrets.learn(result)),
            }
        }
        let secrets = Arc::new(secrets);
        self.families.insert(root, secrets.clone());
        secrets
    }

    /// Learns what one saga of a family hides. Nothing where it cannot be read.
    fn relative(&mut self, log: &dyn LogRead, id: SagaId, secrets: &mut Secrets) -> Option<Called> {
        let head = log.head(id).ok()??;
        let manner = self.manner_of(log, &head.definition);
        if manner.sensitive.is_empty() && !manner.has_calls {
            return Some(Called::new());
        }
        let stored = log.saga(id).ok()??;
        let (mut facts, damage) = facts_of(&stored);
        manner.sensitive.learn(&mut facts, secrets);
        (damage.is_none() && stored.rows.is_ok()).then(|| called(&facts))
    }
}

fn called(facts: &[Fact]) -> Called {
    let mut all = Called::new();
    for fact in facts {
        if let Record::Child(child) = &fact.record {
            let result = child.result.clone().filter(|_| child.hides);
            let known = all.entry(child.child).or_default();
            *known = result.or(known.take());
        }
    }
    all
}

/// The outermost caller of a saga that was called, or calls.
fn root_of(id: SagaId, facts: &[Fact]) -> Option<SagaId> {
    let caller = facts.iter().find_map(|fact| {
        if let Record::Began(began) = &fact.record { began.parent.as_ref() } else { None }
    });
    let calls = facts.iter().any(|fact| matches!(fact.record, Record::Child(_)));
    caller.map(|parent| parent.root).or(calls.then_some(id))
}

/// Why its row says that it was set aside.
fn clash_of(stored: &StoredSaga) -> Option<String> {
    match &stored.rows {
        Err(damage) => Some(damage.to_string()),
        Ok(_) if stored.saga.progress.state == Shown::Corrupt.as_str() => {
            let reason = stored.saga.progress.reason.as_deref();
            Some(reason.unwrap_or("its facts contradict each other").to_owned())
        }
        Ok(_) => None,
    }
}

/// A saga's facts, and what of them cannot be read.
fn facts_of(stored: &StoredSaga) -> (Vec<Fact>, Option<String>) {
    let mut facts = Vec::new();
    let mut damage = None;
    for row in stored.rows.iter().flatten() {
        match row.records::<Record>() {
            Ok(records) => facts.extend(Fact::of_row(row.seq, row.at, records)),
            Err(broken) => damage = damage.or(Some(broken.to_string())),
        }
    }
    (facts, damage)
}

/// What the readable row tells where the facts tell nothing.
fn by_row_alone(row: &SagaRow) -> Picture {
    let progress = &row.progress;
    let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let settled = |at| Settlement {
        at,
        by: "an operator".into(),
        reason: progress.resolution.clone().unwrap_or_default(),
    };
    Picture {
        saga_id: row.saga_id,
        name: row.name.clone(),
        definition: Some(row.definition.clone()),
        state: Shown::Corrupt,
        cause: None,
        reason: progress.reason.clone(),
        trigger: row.trigger_event.clone(),
        client: None,
        parent: None,
        children: Vec::new(),
        observes: false,
        held: false,
        input: json(&row.input).into(),
        result: progress.result.as_deref().map(|text| json(text).into()),
        created_at: row.created_at,
        started_at: progress.started_at,
        ended_at: progress.ended_at,
        due: None,
        resolved: progress.resolved_at.map(settled),
        steps: Vec::new(),
        timeline: Vec::new(),
    }
}
