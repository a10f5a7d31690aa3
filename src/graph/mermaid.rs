//! A saga as a mermaid flowchart, for GitHub and documents. Decides no place.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Fate;
use super::sketch::{Card, Kind, Note, Sketch};

/// Names are our own numbers: an id of the author's may be a word of mermaid's.
struct Chart {
    text: String,
    next: u32,
    depth: usize,
    /// Node of a step's path, and of an undo's.
    nodes: BTreeMap<String, String>,
    /// Pairs of a step and the path of the undo that undoes it with another.
    covered: Vec<(String, String)>,
    /// Undoing steps in the order of what they undo.
    undos: Vec<(String, String)>,
}

/// Where a card is entered and left.
struct Ends {
    entry: String,
    exits: Vec<(String, &'static str)>,
}

/// Writes the sketch.
pub(super) fn write(sketch: &Sketch) -> String {
    let mut chart = Chart {
        text: String::new(),
        next: 0,
        depth: 0,
        nodes: BTreeMap::new(),
        covered: Vec::new(),
        undos: Vec::new(),
    };
    chart.put("flowchart TD");
    chart.depth = 1;
    let title = format!("<b>{}</b>", escape(&sketch.name));
    chart.put(&format!("start([\"{}\"])", label(&title, &sketch.start)));
    let start = vec![("start".to_owned(), "")];
    let exits = chart.list(&sketch.main, start);
    let back = chart.way_back();
    if sketch.finally.is_empty() {
        chart.ends(sketch, &exits, &back);
    } else {
        chart.put("subgraph finally[\"finally, however it ended\"]");
        chart.depth += 1;
        chart.list(&sketch.finally, Vec::new());
        chart.depth -= 1;
        chart.put("end");
        exits.iter().for_each(|exit| chart.edge(exit, "finally"));
        for from in &back {
            chart.put(&format!("{from} -.-> finally"));
        }
        let out = vec![("finally".to_owned(), "")];
        chart.ends(sketch, &out, &["finally".to_owned()]);
    }
    chart.styles();
    chart.text
}

impl Chart {
    fn put(&mut self, line: &str) {
        let indent = 2 * self.depth;
        writeln!(self.text, "{:indent$}{line}", "").expect("a String takes all that is written");
    }

    fn edge(&mut self, (from, word): &(String, &'static str), to: &str) {
        match *word {
            "" => self.put(&format!("{from} --> {to}")),
            word => self.put(&format!("{from} -->|{word}| {to}")),
        }
    }

    fn name(&mut self) -> String {
        self.next += 1;
        format!("s{}", self.next)
    }

    fn list(&mut self, cards: &[Card], mut from: Vec<(String, &'static str)>) -> Exits {
        for card in cards {
            let ends = self.card(card, false);
            for exit in &from {
                self.edge(exit, &ends.entry);
            }
            from = ends.exits;
            if card.pivot {
                let line = self.name();
                self.put(&format!("{line}{{{{\"◆ no return: from here only forward\"}}}}:::pivot"));
                for exit in &from {
                    self.edge(exit, &line);
                }
                from = vec![(line, "")];
            }
        }
        from
    }

    fn card(&mut self, card: &Card, undoes: bool) -> Ends {
        let name = self.name();
        let text = text(card);
        let class = match (&card.fate, undoes) {
            (Some((fate, _)), _) => format!(":::{}", fate.class()),
            (None, true) => ":::undo".to_owned(),
            (None, false) => String::new(),
        };
        if card.inner.is_empty() {
            self.put(&format!("{name}[\"{text}\"]{class}"));
        } else {
            self.put(&format!("subgraph {name}[\"{text}\"]"));
            self.depth += 1;
            if card.kind == Kind::Parallel {
                // They begin together: no edge leads from one to the next.
                card.inner.iter().for_each(|branch| drop(self.card(branch, undoes)));
            } else {
                self.list(&card.inner, Vec::new());
            }
            self.depth -= 1;
            self.put("end");
            if let Some(class) = class.strip_prefix(":::") {
                self.put(&format!("class {name} {class}"));
            }
        }
        self.nodes.insert(card.path.to_string(), name.clone());
        if let Some(undo) = &card.undo {
            let by = self.card(undo, true).entry;
            self.put(&format!("{name} -.->|undone by| {by}"));
            self.undos.push((name.clone(), by));
        }
        if let Some(by) = &card.covered_by {
            self.covered.push((name.clone(), by.to_string()));
        }
        let mut exits = Vec::new();
        if card.goes_on() {
            exits.push((name.clone(), ""));
        }
        if !card.instead.is_empty() {
            let late = vec![(name.clone(), "time has passed")];
            exits.extend(self.list(&card.instead, late));
        }
        Ends { entry: name, exits }
    }

    /// Edges from undo to undo; returns where the way back ends.
    fn way_back(&mut self) -> Vec<String> {
        for (step, by) in std::mem::take(&mut self.covered) {
            if let Some(undo) = self.nodes.get(&by).cloned() {
                self.put(&format!("{step} -.->|undone by| {undo}"));
            }
        }
        let undos = std::mem::take(&mut self.undos);
        for pair in undos.windows(2) {
            self.put(&format!("{} -.-> {}", pair[1].1, pair[0].1));
        }
        undos.first().map(|(_, undo)| undo.clone()).into_iter().collect()
    }

    fn ends(&mut self, sketch: &Sketch, exits: &Exits, back: &[String]) {
        for (i, end) in sketch.ends.iter().enumerate() {
            let class = if end.is_here { ":::here" } else { "" };
            let state = end.state;
            self.put(&format!("{state}([\"{}\"]){class}", state.replace('_', " ")));
            if i == 0 {
                exits.iter().for_each(|exit| self.edge(exit, state));
            } else {
                for from in back {
                    self.put(&format!("{from} -.-> {state}"));
                }
            }
        }
    }

    /// Colours with their own ink, readable on light and on dark.
    fn styles(&mut self) {
        self.put("classDef undo fill:#fffaf0,stroke:#d09a45,color:#1f2733,stroke-dasharray:5 3");
        self.put("classDef pivot fill:#fdecea,stroke:#cf4a41,color:#b3261e");
        self.put("classDef here fill:#dcebff,stroke:#1757c2,color:#1f2733,stroke-width:3px");
        for fate in Fate::ALL {
            let (fill, stroke) = super::colours(fate);
            let class = fate.class();
            self.put(&format!("classDef {class} fill:{fill},stroke:{stroke},color:#1f2733"));
        }
    }
}

type Exits = Vec<(String, &'static str)>;

fn text(card: &Card) -> String {
    let mut title = format!("<b>{}</b>", escape(&card.path));
    if let Some((_, word)) = &card.fate {
        title.push_str(&format!(" · {word}"));
    }
    label(&title, &card.notes)
}

fn label(title: &str, notes: &[Note]) -> String {
    let mut label = title.to_owned();
    for note in notes {
        label.push_str(&format!("<br/>{} {}", note.label, escape(&note.text)));
    }
    label
}

/// Everything that mermaid, its markdown or HTML could take for its own goes by number.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' | ';' | '*' | '%' | '{' | '}' => {
                escaped.push_str(&format!("#{};", u32::from(letter)));
            }
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}
