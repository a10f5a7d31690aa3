//! The little srv is held to its catalog: it knows every command, and says only what is declared.

use serde_json::{Map, Value, json};

use sagaflow::definition::Catalog;
use sagaflow::launcher::{Loaded, read_directory};

use super::furnished;

fn catalog() -> Catalog {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sagas");
    Loaded::of_texts(read_directory(&directory).expect("sagas/ can be read")).defined.catalog
}

/// Fields as a saga would give them: of things that are there, or of things that are not.
fn fields_of(cmd: &str, there: bool) -> Map<String, Value> {
    let ids = |known: &str| json!(if there { known } else { "nowhere" });
    let all = [
        ("workspace_id", ids("home")),
        ("src_workspace_id", ids("home")),
        ("dst_workspace_id", ids("dest")),
        ("tab_id", ids("t1")),
        ("src_tab_id", ids("t1")),
        ("dst_tab_id", ids("t2")),
        ("block_id", ids("b1")),
        ("window_id", ids("w1")),
        ("node_id", ids("node-b1")),
        ("block_ids", if there { json!(["b1"]) } else { json!(["nowhere"]) }),
        ("by", json!("somebody")),
        ("src_index", json!(0)),
        ("dst_index", json!(0)),
        ("tree", json!({})),
        ("actions", json!([{"do": "nothing"}])),
        ("correlation_id", json!("c1")),
    ];
    let catalog = catalog();
    let takes = |name: &str| catalog.commands[cmd].fields.get(name).is_some();
    let fields = all.into_iter().filter(|(name, _)| takes(name));
    let mut fields: Map<String, Value> =
        fields.map(|(name, value)| (name.to_owned(), value)).collect();
    catalog.commands[cmd].accept(&mut fields).expect("the command takes them");
    fields
}

#[test]
fn srv_answers_every_command_of_its_catalog_as_declared() {
    let catalog = catalog();
    let mut known = 0;
    for command in catalog.commands.values().filter(|command| &*command.target == "srv") {
        known += 1;
        for there in [true, false] {
            let said = furnished().perform(&command.name, &fields_of(&command.name, there));
            let declared = command.echoes.iter().chain(&command.failures);
            assert!(
                declared.clone().any(|name| **name == *said.event),
                "`{}` answers {said:?}",
                command.name
            );
            let mut fields = said.fields.as_object().expect("an object").clone();
            let accepted = catalog.events[said.event].accept(&mut fields);
            assert!(accepted.is_ok(), "`{}`: {accepted:?}", said.event);
        }
    }
    assert!(known >= 26, "only {known} commands are srv's");
}

/// bg_y01, bg_y02, bg_y03, bg_y04, bg_y05: each command that has an undo in the catalog leaves,
/// once undone with the fields of the same names, what was there before.
#[test]
fn the_undo_of_the_catalog_takes_back_what_its_command_did() {
    use sagaflow::definition::catalog::CatalogUndo;
    let catalog = catalog();
    let mut pairs = Vec::new();
    for command in catalog.commands.values().filter(|command| &*command.target == "srv") {
        let CatalogUndo::Command(undo) = &command.undo else { continue };
        let mut srv = furnished();
        srv.windows.insert("w1".to_owned(), "home".to_owned());
        let mut fields = fields_of(&command.name, true);
        match &*command.name {
            "create_workspace" | "create_tab" | "create_block" => {
                let last = ["block_id", "tab_id", "workspace_id"];
                let own = last.into_iter().find(|name| fields.contains_key(*name));
                fields.insert(own.expect("it creates one of these").to_owned(), json!("new"));
            }
            "create_window" => {
                fields.insert("window_id".to_owned(), json!("w2"));
            }
            "switch_workspace" => {
                fields.insert("workspace_id".to_owned(), json!("dest"));
            }
            _ => {}
        }
        let before = srv.clone();
        srv.perform(&command.name, &fields);
        assert_ne!(srv, before, "`{}` did nothing", command.name);
        let mut undoing = fields.clone();
        undoing.retain(|name, _| catalog.commands[undo].fields.get(name).is_some());
        catalog.commands[undo].accept(&mut undoing).expect("its undo takes its fields");
        srv.perform(undo, &undoing);
        // What ran in a block that never was is purged by whoever deletes it for good.
        srv.running.retain(|block| block != "new");
        assert_eq!(srv, before, "`{undo}` does not take back `{}`", command.name);
        pairs.push(format!("{} {undo}", command.name));
    }
    pairs.sort();
    let known = [
        "create_block delete_block",
        "create_tab delete_tab",
        "create_window close_window_internal",
        "create_workspace delete_workspace",
        "guard_blocks lift_guard",
        "move_block move_block_back",
        "move_tab move_tab_back",
        "switch_workspace switch_workspace_back",
    ];
    assert_eq!(pairs, known);
}

/// bg_y06: nothing brings back what was deleted, and the catalog says so.
#[test]
fn deletes_are_declared_irreversible() {
    use sagaflow::definition::catalog::CatalogUndo;
    let catalog = catalog();
    for name in ["delete_workspace", "delete_tab", "delete_block", "layout_delete_node"] {
        assert_eq!(catalog.commands[name].undo, CatalogUndo::Irreversible, "{name}");
    }
}
