//! A little srv: workspaces, tabs, blocks, layout and windows, and what each command does to them.
//! It knows no saga, no pipe and no `command_id`; that an answer sticks is the desk's business.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// What srv answers: an event of the catalog.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub event: &'static str,
    pub fields: Value,
}

fn answer(event: &'static str, fields: Value) -> Answer {
    Answer { event, fields }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workspace {
    pub name: String,
    /// Its tabs, in order.
    pub tabs: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tab {
    pub name: String,
    /// Its blocks, in order.
    pub blocks: Vec<String>,
    /// Leaves of its layout tree: a node for each block that is shown.
    pub leaves: Vec<Leaf>,
    /// What `layout_set_tree` last said.
    pub tree: Value,
    /// What waits for the frontend.
    pub actions: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    pub node: String,
    pub block: String,
}

/// All that srv owns; two of them compare as effects do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    pub workspaces: BTreeMap<String, Workspace>,
    pub tabs: BTreeMap<String, Tab>,
    pub metas: BTreeMap<String, Value>,
    /// Windows and the workspace that each shows.
    pub windows: BTreeMap<String, String>,
    /// Blocks whose controller runs and whose history is kept.
    pub running: BTreeSet<String>,
    /// Blocks in which nothing new starts, and who says so.
    pub guards: BTreeMap<String, String>,
}

/// Fields of a command that the engine has checked against the catalog.
struct With<'a>(&'a Map<String, Value>);

impl With<'_> {
    fn text(&self, field: &str) -> String {
        self.0[field].as_str().expect("the catalog says string").to_owned()
    }

    fn place(&self, field: &str) -> usize {
        self.0[field].as_u64().and_then(|place| usize::try_from(place).ok()).unwrap_or(usize::MAX)
    }

    fn flag(&self, field: &str) -> bool {
        self.0[field].as_bool().expect("the catalog says boolean")
    }

    fn texts(&self, field: &str) -> Vec<String> {
        let list = self.0[field].as_array().expect("the catalog says array").iter();
        list.map(|text| text.as_str().expect("the catalog says string").to_owned()).collect()
    }

    /// Fields of a layout event: it carries the caller's `correlation_id` back.
    fn correlated(&self, mut fields: Value) -> Value {
        if let Some(id) = self.0.get("correlation_id") {
            fields["correlation_id"] = id.clone();
        }
        fields
    }
}

impl Model {
    /// Does a command. Every command of the catalog whose target is srv is known here.
    pub fn perform(&mut self, cmd: &str, with: &Map<String, Value>) -> Answer {
        let with = With(with);
        match cmd {
            "get_workspace" => self.get_workspace(&with),
            "get_tab" => self.get_tab(&with),
            "get_block" => self.get_block(&with),
            "create_workspace" => self.create_workspace(&with),
            "delete_workspace" => self.delete_workspace(&with),
            "create_tab" => self.create_tab(&with),
            "delete_tab" => self.delete_tab(&with),
            "create_block" => self.create_block(&with),
            "delete_block" => self.delete_block(&with),
            "move_tab" => self.move_tab(&with, "src", "dst", with.place("dst_index")),
            "move_tab_back" => self.move_tab(&with, "dst", "src", with.place("src_index")),
            "move_block" => self.move_block(&with, "src", "dst", with.place("dst_index")),
            "move_block_back" => self.move_block(&with, "dst", "src", with.place("src_index")),
            "get_pane" => self.get_pane(&with),
            "guard_blocks" => self.guard_blocks(&with),
            "lift_guard" => self.lift_guard(&with),
            "stop_block" => self.stop_block(&with),
            "purge_blocks" => self.purge_blocks(&with),
            "create_window" => self.create_window(&with),
            "close_window_internal" => self.close_window(&with),
            "switch_workspace" => self.show(&with, "workspace_id"),
            "switch_workspace_back" => self.show(&with, "src_workspace_id"),
            "layout_delete_node" => self.drop_leaf(&with, "node_id"),
            "layout_delete_node_by_block" => self.drop_leaf(&with, "block_id"),
            "layout_set_tree" => self.set_tree(&with),
            "layout_queue_backend_actions" => self.queue_actions(&with),
            other => panic!("srv does not know `{other}`"),
        }
    }

    /// The workspace that a tab is in, and its place there.
    pub fn home_of(&self, tab: &str) -> Option<(&str, usize)> {
        self.workspaces.iter().find_map(|(id, workspace)| {
            let place = workspace.tabs.iter().position(|other| other == tab)?;
            Some((id.as_str(), place))
        })
    }

    /// The tab that a block is in, and its place there.
    pub fn tab_of(&self, block: &str) -> Option<(&str, usize)> {
        self.tabs.iter().find_map(|(id, tab)| {
            let place = tab.blocks.iter().position(|other| other == block)?;
            Some((id.as_str(), place))
        })
    }

    fn get_workspace(&self, with: &With<'_>) -> Answer {
        let id = with.text("workspace_id");
        match self.workspaces.get(&id) {
            None => answer("workspace_missing", json!({"workspace_id": id})),
            Some(Workspace { name, tabs }) => {
                let blocks: Vec<_> = tabs.iter().flat_map(|tab| &self.tabs[tab].blocks).collect();
                let fields = json!({
                    "workspace_id": id, "name": name, "tab_ids": tabs, "block_ids": blocks,
                });
                answer("workspace_read", fields)
            }
        }
    }

    fn get_tab(&self, with: &With<'_>) -> Answer {
        let id = with.text("tab_id");
        let found = self.tabs.get(&id).zip(self.home_of(&id));
        let Some((tab, (home, index))) = found else {
            return answer("tab_missing", json!({"tab_id": id}));
        };
        let fields = json!({
            "tab_id": id,
            "workspace_id": home,
            "name": tab.name,
            "index": index,
            "block_ids": tab.blocks,
        });
        answer("tab_read", fields)
    }

    fn get_block(&self, with: &With<'_>) -> Answer {
        let id = with.text("block_id");
        let found = self.tab_of(&id).map(|(tab, index)| (tab, index, self.home_of(tab)));
        let Some((tab, index, Some((home, _)))) = found else {
            return answer("block_missing", json!({"block_id": id}));
        };
        let fields = json!({"block_id": id, "tab_id": tab, "workspace_id": home, "index": index});
        answer("block_read", fields)
    }

    fn create_workspace(&mut self, with: &With<'_>) -> Answer {
        let id = with.text("workspace_id");
        let new = Workspace { name: with.text("name"), tabs: Vec::new() };
        self.workspaces.entry(id.clone()).or_insert(new);
        answer("workspace_created", json!({"workspace_id": id}))
    }

    fn delete_workspace(&mut self, with: &With<'_>) -> Answer {
        let id = with.text("workspace_id");
        let deleted =
            |existed| answer("workspace_deleted", json!({"workspace_id": id, "existed": existed}));
        let Some(workspace) = self.workspaces.get(&id) else { return deleted(false) };
        let mut blocks = workspace.tabs.iter().flat_map(|tab| &self.tabs[tab].blocks);
        let kept = blocks.next().is_some() || !with.flag("force") && !workspace.tabs.is_empty();
        if kept {
            return answer("workspace_not_empty", json!({"workspace_id": id}));
        }
        for tab in workspace.tabs.clone() {
            self.tabs.remove(&tab);
        }
        self.workspaces.remove(&id);
        deleted(true)
    }

    fn create_tab(&mut self, with: &With<'_>) -> Answer {
        let (home, id) = (with.text("workspace_id"), with.text("tab_id"));
        let Some(workspace) = self.workspaces.get_mut(&home) else {
            return answer("workspace_missing", json!({"workspace_id": home}));
        };
        if !self.tabs.contains_key(&id) {
            workspace.tabs.push(id.clone());
            let name = with.text("name");
            self.tabs.insert(id.clone(), Tab { name, ..Tab::default() });
        }
        answer("tab_created", json!({"tab_id": id, "workspace_id": home}))
    }

    fn delete_tab(&mut self, with: &With<'_>) -> Answer {
        let (home, id) = (with.text("workspace_id"), with.text("tab_id"));
        let deleted = |existed| answer("tab_deleted", json!({"tab_id": id, "existed": existed}));
        let here = self.workspaces.get_mut(&home).filter(|w| w.tabs.contains(&id));
        let Some(workspace) = here else { return deleted(false) };
        if !with.flag("force") && workspace.tabs.len() == 1 {
            return answer("last_tab_kept", json!({"tab_id": id}));
        }
        if with.flag("only_if_empty") && !self.tabs[&id].blocks.is_empty() {
            return answer("tab_not_empty", json!({"tab_id": id}));
        }
        workspace.tabs.retain(|other| *other != id);
        self.tabs.remove(&id);
        deleted(true)
    }

    /// Creates the block alone: where it is shown is for `layout_set_tree` to say.
    fn create_block(&mut self, with: &With<'_>) -> Answer {
        let (home, id) = (with.text("tab_id"), with.text("block_id"));
        let known = self.tab_of(&id).is_some();
        let Some(tab) = self.tabs.get_mut(&home) else {
            return answer("tab_missing", json!({"tab_id": home}));
        };
        if !known {
            tab.blocks.push(id.clone());
            self.metas.insert(id.clone(), with.0["meta"].clone());
            self.running.insert(id.clone());
        }
        answer("block_created", json!({"block_id": id, "tab_id": home}))
    }

    /// Deletes the block alone: its leaf and its controller are for others to end.
    fn delete_block(&mut self, with: &With<'_>) -> Answer {
        let (home, id) = (with.text("tab_id"), with.text("block_id"));
        let here = self.tabs.get_mut(&home).filter(|tab| tab.blocks.contains(&id));
        let existed = here.is_some();
        if let Some(tab) = here {
            tab.blocks.retain(|other| *other != id);
            self.metas.remove(&id);
        }
        answer("block_deleted", json!({"block_id": id, "existed": existed}))
    }

    fn move_tab(&mut self, with: &With<'_>, from: &str, to: &str, index: usize) -> Answer {
        let id = with.text("tab_id");
        let from = with.text(&format!("{from}_workspace_id"));
        let to = with.text(&format!("{to}_workspace_id"));
        let moved =
            |moved| answer("tab_moved", json!({"tab_id": id, "workspace_id": to, "moved": moved}));
        if !self.workspaces.contains_key(&to) {
            return answer("workspace_missing", json!({"workspace_id": to}));
        }
        match self.home_of(&id) {
            Some((home, _)) if home == to => return moved(false),
            Some((home, _)) if home == from => {}
            Some(_) | None => return answer("tab_missing", json!({"tab_id": id})),
        }
        let source = self.workspaces.get_mut(&from).expect("the tab is in it");
        source.tabs.retain(|other| *other != id);
        let tabs = &mut self.workspaces.get_mut(&to).expect("it was looked for above").tabs;
        tabs.insert(index.min(tabs.len()), id.clone());
        moved(true)
    }

    /// The leaf goes with its block.
    fn move_block(&mut self, with: &With<'_>, from: &str, to: &str, index: usize) -> Answer {
        let id = with.text("block_id");
        let from = with.text(&format!("{from}_tab_id"));
        let to = with.text(&format!("{to}_tab_id"));
        let moved =
            |moved| answer("block_moved", json!({"block_id": id, "tab_id": to, "moved": moved}));
        if !self.tabs.contains_key(&to) {
            return answer("tab_missing", json!({"tab_id": to}));
        }
        match self.tab_of(&id) {
            Some((home, _)) if home == to => return moved(false),
            Some((home, _)) if home == from => {}
            Some(_) | None => return answer("block_missing", json!({"block_id": id})),
        }
        let source = self.tabs.get_mut(&from).expect("the block is in it");
        source.blocks.retain(|other| *other != id);
        let leaf = source.leaves.iter().position(|leaf| leaf.block == id);
        let leaf = leaf.map(|at| source.leaves.remove(at));
        let tab = self.tabs.get_mut(&to).expect("it was looked for above");
        tab.blocks.insert(index.min(tab.blocks.len()), id.clone());
        if let Some(leaf) = leaf {
            tab.leaves.insert(index.min(tab.leaves.len()), leaf);
        }
        moved(true)
    }

    /// What shows the blocks is told when it shows nothing but them.
    fn get_pane(&self, with: &With<'_>) -> Answer {
        let asked = with.texts("block_ids");
        let there: Vec<&String> = asked.iter().filter(|id| self.tab_of(id).is_some()).collect();
        let homes: BTreeSet<&str> =
            there.iter().filter_map(|id| Some(self.tab_of(id)?.0)).collect();
        let mut homes = homes.into_iter();
        match (homes.next(), homes.next()) {
            (None, _) => answer("pane_missing", json!({"block_ids": asked})),
            (Some(_), Some(_)) => answer("pane_spans_tabs", json!({"block_ids": asked})),
            (Some(home), None) => {
                let leaves = &self.tabs[home].leaves;
                let among = |leaf: &Leaf| there.contains(&&leaf.block);
                let node = leaves.iter().find(|leaf| among(leaf)).map(|leaf| &leaf.node);
                let alone =
                    |node: &&String| leaves.iter().filter(|leaf| leaf.node == **node).all(among);
                let mut fields = json!({"tab_id": home, "block_ids": there});
                if let Some(node) = node.filter(alone) {
                    fields["node_id"] = json!(node);
                }
                answer("pane_read", fields)
            }
        }
    }

    fn guard_blocks(&mut self, with: &With<'_>) -> Answer {
        let (ids, by) = (with.texts("block_ids"), with.text("by"));
        if ids.iter().any(|id| self.guards.get(id).is_some_and(|other| *other != by)) {
            return answer("blocks_closing", json!({"block_ids": ids}));
        }
        self.guards.extend(ids.iter().map(|id| (id.clone(), by.clone())));
        answer("blocks_guarded", json!({"block_ids": ids}))
    }

    fn lift_guard(&mut self, with: &With<'_>) -> Answer {
        let (ids, by) = (with.texts("block_ids"), with.text("by"));
        self.guards.retain(|id, other| !ids.contains(id) || *other != by);
        answer("guard_lifted", json!({"block_ids": ids}))
    }

    fn stop_block(&mut self, with: &With<'_>) -> Answer {
        let id = with.text("block_id");
        let existed = self.running.remove(&id);
        answer("block_stopped", json!({"block_id": id, "existed": existed}))
    }

    fn purge_blocks(&mut self, with: &With<'_>) -> Answer {
        let ids = with.0["block_ids"].clone();
        for id in ids.as_array().expect("the catalog says array") {
            self.running.remove(id.as_str().expect("the catalog says string"));
        }
        answer("blocks_purged", json!({"block_ids": ids}))
    }

    fn create_window(&mut self, with: &With<'_>) -> Answer {
        let (window, shown) = (with.text("window_id"), with.text("workspace_id"));
        if !self.workspaces.contains_key(&shown) {
            return answer("workspace_missing", json!({"workspace_id": shown}));
        }
        self.windows.insert(window.clone(), shown.clone());
        answer("srv_window_opened", json!({"window_id": window, "workspace_id": shown}))
    }

    fn close_window(&mut self, with: &With<'_>) -> Answer {
        let window = with.text("window_id");
        let existed = self.windows.remove(&window).is_some();
        answer("srv_window_closed", json!({"window_id": window, "existed": existed}))
    }

    fn show(&mut self, with: &With<'_>, field: &str) -> Answer {
        let (window, shown) = (with.text("window_id"), with.text(field));
        if !self.workspaces.contains_key(&shown) {
            return answer("workspace_missing", json!({"workspace_id": shown}));
        }
        self.windows.insert(window.clone(), shown.clone());
        let fields = json!({"window_id": window, "workspace_id": shown});
        answer("srv_window_workspace_changed", fields)
    }

    fn drop_leaf(&mut self, with: &With<'_>, field: &str) -> Answer {
        let (id, wanted) = (with.text("tab_id"), with.text(field));
        let Some(tab) = self.tabs.get_mut(&id) else {
            return answer("tab_missing", json!({"tab_id": id}));
        };
        let before = tab.leaves.len();
        let by_node = field == "node_id";
        tab.leaves.retain(|leaf| wanted != if by_node { &*leaf.node } else { &*leaf.block });
        let fields = json!({"tab_id": id, "existed": tab.leaves.len() < before});
        answer("layout_node_deleted", with.correlated(fields))
    }

    fn set_tree(&mut self, with: &With<'_>) -> Answer {
        let id = with.text("tab_id");
        let Some(tab) = self.tabs.get_mut(&id) else {
            return answer("tab_missing", json!({"tab_id": id}));
        };
        tab.tree = with.0["tree"].clone();
        answer("layout_tree_set", with.correlated(json!({"tab_id": id})))
    }

    fn queue_actions(&mut self, with: &With<'_>) -> Answer {
        let id = with.text("tab_id");
        let Some(tab) = self.tabs.get_mut(&id) else {
            return answer("tab_missing", json!({"tab_id": id}));
        };
        tab.actions.extend(with.0["actions"].as_array().into_iter().flatten().cloned());
        answer("layout_actions_queued", with.correlated(json!({"tab_id": id})))
    }
}
