//! The stored format is a promise: its schema is committed, so a change of it shows up in review.

use std::fs;
use std::path::Path;

use sagaflow::saga::record::Record;

#[test]
fn the_schema_of_stored_records_is_fresh() {
    let schema = schemars::schema_for!(Record);
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text.push('\n');
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/record.schema.json");
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(&path, &text).expect("the repository can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "the stored format changed: it needs an upcast and an old sample under tests/log/; \
         then run `UPDATE=1 cargo test`"
    );
}
