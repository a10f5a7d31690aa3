//! Pictures of stored sagas, for a launcher that runs and for one that is dead. Hides what the
//! saga's own definition calls sensitive; decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::ids::DefinitionHash;
use crate::log::{LogRead, SagaRow, StoredSaga};
use crate::plan::compile_stored;
use crate::saga::record::Record;
use crate::view::{Fact, Picture, Sensitive, Settlement, Shown};

/// Makes pictures, and remembers what each definition hides.
#[derive(Debug, Default)]
pub struct Pictures {
    sensitive: BTreeMap<DefinitionHash, Arc<Sensitive>>,
}

impl Pictures {
    /// The picture of a saga that `log` stores; `clash`: why it was set aside \[L9\].
    pub fn of(&mut self, log: &dyn LogRead, stored: StoredSaga, clash: Option<String>) -> Picture {
        let sensitive = self.sensitive_of(log, &stored.saga.definition);
        picture_of(stored, clash, &sensitive)
    }

    fn sensitive_of(&mut self, log: &dyn LogRead, hash: &DefinitionHash) -> Arc<Sensitive> {
        if let Some(known) = self.sensitive.get(hash) {
            return known.clone();
        }
        let stored = log.definition(hash).ok().flatten();
        let plan =
            stored.and_then(|d| compile_stored((&d.name, &d.source, &d.catalog), Vec::new()).ok());
        let sensitive = Arc::new(plan.map(|plan| Sensitive::of(&plan)).unwrap_or_default());
        self.sensitive.insert(hash.clone(), sensitive.clone());
        sensitive
    }
}

/// The picture of a stored saga; one whose facts cannot be read is shown as far as its row goes.
fn picture_of(stored: StoredSaga, clash: Option<String>, sensitive: &Sensitive) -> Picture {
    let clash = clash.or_else(|| match &stored.rows {
        Err(damage) => Some(damage.to_string()),
        Ok(_) if stored.saga.progress.state == Shown::Corrupt.as_str() => {
            let reason = stored.saga.progress.reason.as_deref();
            Some(reason.unwrap_or("its facts contradict each other").to_owned())
        }
        Ok(_) => None,
    });
    let mut facts = Vec::new();
    let mut damage = None;
    for row in stored.rows.unwrap_or_default() {
        match row.records::<Record>() {
            Ok(records) => facts.extend(Fact::of_row(row.seq, row.at, records)),
            Err(broken) => damage = damage.or(Some(broken.to_string())),
        }
    }
    sensitive.hide(&mut facts);
    let told = Picture::of(stored.saga.saga_id, &facts);
    let without = "its first record is missing".to_owned();
    let clash = clash.or(damage).or_else(|| told.is_none().then_some(without));
    let picture = told.unwrap_or_else(|| by_row_alone(&stored.saga));
    match clash {
        Some(clash) => picture.corrupt(clash),
        None => picture,
    }
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
