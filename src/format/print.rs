//! The laid-out file as text: two spaces a level, one space between signs and words, at most one
//! empty line. Moves no comment and no key.

use super::marks::Comment;
use super::scalar::spaces;
use super::tree::{Block, Flow, Item, Laid, Value};

/// Beyond this column nothing is put on one line that its author did not put there.
const WIDTH: usize = 100;

/// The whole text.
#[must_use]
pub fn print(laid: &Laid) -> String {
    let mut out = Printer::default();
    out.comments(&laid.header, 0);
    if laid.start {
        out.text.push_str("---\n");
    }
    if laid.header_ends {
        out.blank();
    }
    match &laid.root.value {
        Value::Map(block) | Value::List(block) => {
            out.comments(&laid.root.lead, 0);
            out.block(block, 0, false);
        }
        Value::Nothing => {}
        Value::Scalar(_) | Value::Flow(_) => {
            out.comments(&laid.root.above, 0);
            out.value(&laid.root, -2);
        }
    }
    out.comments(&laid.end, 0);
    out.text
}

#[derive(Default)]
struct Printer {
    text: String,
    /// Whether another line's end would change the scalar above.
    exact: bool,
}

impl Printer {
    fn column(&self) -> usize {
        self.text.len() - self.text.rfind('\n').map_or(0, |at| at + 1)
    }

    fn end_line(&mut self) {
        self.text.push('\n');
        self.exact = false;
    }

    fn blank(&mut self) {
        if !self.exact && !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// Comments, each on a line of its own.
    fn comments(&mut self, list: &[Comment], column: i64) {
        for one in list {
            if one.blank {
                self.blank();
            }
            self.text.push_str(&spaces(column));
            self.text.push_str(&one.text);
            self.end_line();
        }
    }

    fn beside(&mut self, comment: Option<&Comment>) {
        if let Some(comment) = comment {
            self.text.push_str(&" ".repeat(comment.gap.max(1)));
            self.text.push_str(&comment.text);
        }
    }

    /// Items one below the other; the first may go on the line that has been begun.
    fn block(&mut self, block: &Block, column: i64, mut begun: bool) {
        let mut first = true;
        for item in &block.items {
            if !begun {
                self.above(item, column, first);
                self.text.push_str(&spaces(column));
            }
            match &item.key {
                Some(key) => {
                    self.text.push_str(key);
                    self.text.push(':');
                }
                None => self.text.push('-'),
            }
            self.value(item, column);
            (begun, first) = (false, false);
        }
        self.comments(&block.tail, column);
    }

    /// What stands above an item; nothing empty above the first one of a block.
    fn above(&mut self, item: &Item, column: i64, first: bool) {
        for (at, one) in item.lead.iter().enumerate() {
            if one.blank && !(first && at == 0) {
                self.blank();
            }
            self.text.push_str(&spaces(column));
            self.text.push_str(&one.text);
            self.end_line();
        }
        if item.blank && !(first && item.lead.is_empty()) {
            self.blank();
        }
    }

    /// What stands behind a key or dash in that column.
    fn value(&mut self, item: &Item, column: i64) {
        let inner = column + 2;
        match &item.value {
            Value::Map(block) | Value::List(block) => {
                let dash = item.key.is_none() && item.beside.is_none();
                if dash {
                    self.text.push(' ');
                } else {
                    self.beside(item.beside.as_ref());
                    self.end_line();
                }
                self.block(block, inner, dash);
                return;
            }
            Value::Nothing | Value::Scalar(_) | Value::Flow(_) => {}
        }
        if item.beside.is_some() || !item.above.is_empty() {
            self.beside(item.beside.as_ref());
            self.end_line();
            self.comments(&item.above, inner);
            self.text.push_str(&spaces(inner));
            self.inline(item, column);
        } else if self.goes_below(item) {
            self.end_line();
            self.text.push_str(&spaces(inner));
            self.inline(item, column);
        } else {
            if column >= 0 && !matches!(item.value, Value::Nothing) {
                self.text.push(' ');
            }
            self.inline(item, column);
        }
    }

    /// Whether a value begins on the line below its key.
    fn goes_below(&self, item: &Item) -> bool {
        match &item.value {
            Value::Scalar(word) if word.below && !word.is_block() => {
                !word.is_one_line() || self.column() + 1 + word.text.len() > WIDTH
            }
            Value::Flow(flow) => item.key.is_some() && self.is_tall(flow, 1),
            Value::Nothing | Value::Scalar(_) | Value::Map(_) | Value::List(_) => false,
        }
    }

    fn inline(&mut self, item: &Item, column: i64) {
        match &item.value {
            Value::Scalar(word) => {
                let lines = word.lines(column);
                self.text.push_str(&lines.lines.join("\n"));
                self.beside(item.trail.as_ref());
                self.end_line();
                self.exact = lines.keeps;
                return;
            }
            Value::Flow(flow) => self.flow(flow, column + 2),
            Value::Nothing | Value::Map(_) | Value::List(_) => {}
        }
        self.beside(item.trail.as_ref());
        self.end_line();
    }

    /// Whether brackets stand on lines of their own; `more` bytes stand before them.
    fn is_tall(&self, flow: &Flow, more: usize) -> bool {
        if must_be_tall(flow) {
            return true;
        }
        let mut flat = String::new();
        flatten(flow, &mut flat);
        flow.spread && self.column() + more + flat.len() > WIDTH
    }

    fn flow(&mut self, flow: &Flow, column: i64) {
        if !self.is_tall(flow, 0) {
            flatten(flow, &mut self.text);
            return;
        }
        self.text.push_str(if flow.map { "{" } else { "[" });
        self.end_line();
        for (at, item) in flow.items.iter().enumerate() {
            self.comments_tight(&item.lead, column + 2);
            self.text.push_str(&spaces(column + 2));
            self.key(item);
            match &item.value {
                Value::Flow(inner) => self.flow(inner, column + 2),
                Value::Scalar(word) => {
                    self.text.push_str(&word.lines(column + 2).lines.join("\n"));
                }
                Value::Nothing | Value::Map(_) | Value::List(_) => {}
            }
            if at + 1 < flow.items.len() {
                self.text.push(',');
            }
            self.beside(item.trail.as_ref());
            self.end_line();
        }
        self.comments_tight(&flow.tail, column + 2);
        self.text.push_str(&spaces(column));
        self.text.push_str(if flow.map { "}" } else { "]" });
    }

    fn comments_tight(&mut self, list: &[Comment], column: i64) {
        for one in list {
            self.text.push_str(&spaces(column));
            self.text.push_str(&one.text);
            self.end_line();
        }
    }

    fn key(&mut self, item: &Item) {
        if let Some(key) = &item.key {
            self.text.push_str(key);
            if !matches!(item.value, Value::Nothing) {
                self.text.push_str(": ");
            }
        }
    }
}

/// Whether a flow cannot be on one line, or its author did not want it there.
fn must_be_tall(flow: &Flow) -> bool {
    let tall = |item: &Item| {
        !item.lead.is_empty()
            || item.trail.is_some()
            || match &item.value {
                Value::Flow(inner) => must_be_tall(inner),
                Value::Scalar(word) => !word.is_one_line(),
                Value::Nothing | Value::Map(_) | Value::List(_) => false,
            }
    };
    !flow.tail.is_empty() || (flow.broken && !flow.items.is_empty()) || flow.items.iter().any(tall)
}

/// A flow on one line.
fn flatten(flow: &Flow, out: &mut String) {
    let (open, close) = match (flow.map, flow.items.is_empty()) {
        (_, true) if flow.map => ("{", "}"),
        (true, false) => ("{ ", " }"),
        (false, _) | (true, true) => ("[", "]"),
    };
    out.push_str(open);
    for (at, item) in flow.items.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        if let Some(key) = &item.key {
            out.push_str(key);
            if !matches!(item.value, Value::Nothing) {
                out.push_str(": ");
            }
        }
        match &item.value {
            Value::Scalar(word) => out.push_str(&word.text),
            Value::Flow(inner) => flatten(inner, out),
            Value::Nothing | Value::Map(_) | Value::List(_) => {}
        }
    }
    out.push_str(close);
}
