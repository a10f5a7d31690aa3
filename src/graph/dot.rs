//! A saga as a graph for graphviz. Decides no place.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::scene::wrap;
use super::sketch::{Card, Kind, Note, Sketch};

/// Letters on a line of a node.
const ROOM: i32 = 56;

struct Graph {
    text: String,
    next: u32,
    depth: usize,
    nodes: BTreeMap<String, Node>,
    covered: Vec<(Node, String)>,
    undos: Vec<Node>,
}

/// A node to draw edges to, and the cluster around it if it is several steps.
#[derive(Clone)]
struct Node {
    first: String,
    last: String,
    cluster: Option<String>,
}

/// Writes the sketch.
pub(super) fn write(sketch: &Sketch) -> String {
    let mut graph = Graph {
        text: String::new(),
        next: 0,
        depth: 0,
        nodes: BTreeMap::new(),
        covered: Vec::new(),
        undos: Vec::new(),
    };
    graph.put(&format!("digraph \"{}\" {{", escape(&sketch.name)));
    graph.depth = 1;
    graph.put("compound=true; rankdir=TB; fontname=\"monospace\";");
    graph.put(
        "node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"monospace\"];",
    );
    graph.put("edge [fontname=\"monospace\"];");
    let start = label(&sketch.name, &sketch.start);
    graph.put(&format!("start [label=\"{start}\", fillcolor=\"#f3f5f8\"];"));
    let mut exits = graph.list(&sketch.main, vec![Exit::of("start")]);
    let mut back = graph.way_back();
    if !sketch.finally.is_empty() {
        graph.put("subgraph cluster_finally {");
        graph.depth += 1;
        graph.put(
            "label=\"finally, however it ended\"; style=\"rounded,filled\"; \
                   fillcolor=\"#f3f5f8\";",
        );
        graph.put("finally [shape=point];");
        let last = graph.list(&sketch.finally, vec![Exit::of("finally")]);
        graph.depth -= 1;
        graph.put("}");
        for exit in std::mem::replace(&mut exits, last) {
            graph.edge(&exit, "finally", None);
        }
        if let Some(from) = back.take() {
            graph.put(&format!(
                "{} -> finally [style=dashed, color=\"#c07d1c\", constraint=false];",
                from.first
            ));
        }
    }
    graph.ends(sketch, &exits, back.as_ref());
    graph.depth = 0;
    graph.put("}");
    graph.text
}

/// A way out of a step.
struct Exit {
    from: String,
    cluster: Option<String>,
    word: &'static str,
}

impl Exit {
    fn of(from: &str) -> Exit {
        Exit { from: from.to_owned(), cluster: None, word: "" }
    }
}

impl Graph {
    fn put(&mut self, line: &str) {
        let indent = 2 * self.depth;
        writeln!(self.text, "{:indent$}{line}", "").expect("a String takes all that is written");
    }

    fn edge(&mut self, exit: &Exit, to: &str, head: Option<&str>) {
        let mut with = Vec::new();
        if !exit.word.is_empty() {
            with.push(format!("label=\"{}\"", exit.word));
        }
        with.extend(exit.cluster.as_ref().map(|cluster| format!("ltail={cluster}")));
        with.extend(head.map(|cluster| format!("lhead={cluster}")));
        let with = if with.is_empty() { String::new() } else { format!(" [{}]", with.join(", ")) };
        self.put(&format!("{} -> {to}{with};", exit.from));
    }

    fn undo_edge(&mut self, from: &Node, to: &Node, word: &str) {
        let mut with = vec!["style=dashed, color=\"#c07d1c\", constraint=false".to_owned()];
        if !word.is_empty() {
            with.push(format!("label=\"{word}\""));
        }
        with.extend(from.cluster.as_ref().map(|cluster| format!("ltail={cluster}")));
        with.extend(to.cluster.as_ref().map(|cluster| format!("lhead={cluster}")));
        self.put(&format!("{} -> {} [{}];", from.first, to.first, with.join(", ")));
    }

    fn list(&mut self, cards: &[Card], mut from: Vec<Exit>) -> Vec<Exit> {
        for card in cards {
            let (node, exits) = self.card(card, false);
            for exit in &from {
                self.edge(exit, &node.first, node.cluster.as_deref());
            }
            from = exits;
            if card.pivot {
                self.next += 1;
                let line = format!("s{}", self.next);
                self.put(&format!(
                    "{line} [label=\"◆ no return: from here only forward\", shape=plaintext, \
                     fontcolor=\"#b3261e\"];"
                ));
                for exit in &from {
                    self.edge(exit, &line, None);
                }
                from = vec![Exit::of(&line)];
            }
        }
        from
    }

    fn card(&mut self, card: &Card, undoes: bool) -> (Node, Vec<Exit>) {
        self.next += 1;
        let name = format!("s{}", self.next);
        let text = text(card);
        let look = look(card, undoes);
        let node = if card.inner.is_empty() {
            self.put(&format!("{name} [label=\"{text}\"{look}];"));
            Node { first: name.clone(), last: name, cluster: None }
        } else {
            let cluster = format!("cluster_{name}");
            self.put(&format!("subgraph {cluster} {{"));
            self.depth += 1;
            self.put(&format!("graph [label=\"{text}\", labeljust=l, style=rounded{look}];"));
            self.put(&format!("{name} [shape=point];"));
            let last = if card.kind == Kind::Parallel {
                let branches = card.inner.iter().map(std::slice::from_ref);
                branches.flat_map(|one| self.list(one, vec![Exit::of(&name)])).collect()
            } else {
                self.list(&card.inner, vec![Exit::of(&name)])
            };
            self.depth -= 1;
            self.put("}");
            let last = last.first().map_or_else(|| name.clone(), |exit| exit.from.clone());
            Node { first: name, last, cluster: Some(cluster) }
        };
        self.nodes.insert(card.path.to_string(), node.clone());
        if let Some(undo) = &card.undo {
            let (by, _) = self.card(undo, true);
            self.undo_edge(&node, &by, "undone by");
            if node.cluster.is_none() && by.cluster.is_none() {
                self.put(&format!("{{ rank=same; {}; {}; }}", node.first, by.first));
            }
            self.undos.push(by);
        }
        if let Some(by) = &card.covered_by {
            self.covered.push((node.clone(), by.to_string()));
        }
        let out = |word| Exit { from: node.last.clone(), cluster: node.cluster.clone(), word };
        let mut exits = Vec::new();
        if card.goes_on() {
            exits.push(out(""));
        }
        if !card.instead.is_empty() {
            exits.extend(self.list(&card.instead, vec![out("time has passed")]));
        }
        (node, exits)
    }

    /// Edges from undo to undo; returns where the way back ends.
    fn way_back(&mut self) -> Option<Node> {
        for (step, by) in std::mem::take(&mut self.covered) {
            if let Some(undo) = self.nodes.get(&by).cloned() {
                self.undo_edge(&step, &undo, "undone by");
            }
        }
        let undos = std::mem::take(&mut self.undos);
        for pair in undos.windows(2) {
            self.undo_edge(&pair[1], &pair[0], "");
        }
        undos.first().cloned()
    }

    fn ends(&mut self, sketch: &Sketch, exits: &[Exit], back: Option<&Node>) {
        for (i, end) in sketch.ends.iter().enumerate() {
            let fill = if end.is_here { "#dcebff" } else { "white" };
            let (state, words) = (end.state, end.state.replace('_', " "));
            self.put(&format!("{state} [label=\"{words}\", shape=oval, fillcolor=\"{fill}\"];"));
            match (i, back) {
                (0, _) => exits.iter().for_each(|exit| self.edge(exit, state, None)),
                (_, Some(from)) => {
                    let look = "style=dashed, color=\"#c07d1c\", constraint=false";
                    self.put(&format!("{} -> {state} [{look}];", from.first));
                }
                (_, None) => {
                    for exit in exits {
                        self.put(&format!("{} -> {state} [style=dashed];", exit.from));
                    }
                }
            }
        }
    }
}

fn look(card: &Card, undoes: bool) -> String {
    match (&card.fate, undoes) {
        (Some((fate, _)), _) => {
            let (fill, stroke) = super::colours(*fate);
            format!(", fillcolor=\"{fill}\", color=\"{stroke}\"")
        }
        (None, true) => ", color=\"#d09a45\", fillcolor=\"#fffaf0\"".to_owned(),
        (None, false) => String::new(),
    }
}

fn text(card: &Card) -> String {
    let mut title = card.path.to_string();
    if let Some((_, word)) = &card.fate {
        title.push_str(&format!(" · {word}"));
    }
    label(&title, &card.notes)
}

/// Lines of a node, each set to the left.
fn label(title: &str, notes: &[Note]) -> String {
    let mut label = format!("{}\\l", escape(title));
    for note in notes {
        for line in wrap(&format!("{} {}", note.label, note.text), ROOM) {
            label.push_str(&format!("{}\\l", escape(&line)));
        }
    }
    label
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '\\' => escaped.extend(['\\', letter]),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}
