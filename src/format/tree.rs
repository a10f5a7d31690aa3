//! A file as it is going to be laid out: the words as written, keys in order, and with each item
//! the comments that belong to it. Chooses no white space.

use super::Refused;
use super::marks::{Comment, Marks, scan};
use super::order::Place;
use super::scalar::block_depth;
use crate::definition::read::FileKind;
use crate::definition::read::node::{Kind, Node, Scalar};

/// A whole file.
#[derive(Debug)]
pub struct Laid {
    /// Comments of the file itself: they stay on top whatever comes first.
    pub header: Vec<Comment>,
    /// Whether an empty line follows them.
    pub header_ends: bool,
    /// Whether a `---` begins the document.
    pub start: bool,
    /// The document.
    pub root: Item,
    /// Comments behind everything.
    pub end: Vec<Comment>,
}

/// A key and its value, an element of a list, or a whole document.
#[derive(Debug)]
pub struct Item {
    /// Comments above it.
    pub lead: Vec<Comment>,
    /// Whether an empty line stands right above it.
    pub blank: bool,
    /// The key as written; none in a list.
    pub key: Option<String>,
    /// A comment on the line of the key or dash, when the value begins below.
    pub beside: Option<Comment>,
    /// Comments between the key and a value below it.
    pub above: Vec<Comment>,
    /// The value.
    pub value: Value,
    /// A comment behind it.
    pub trail: Option<Comment>,
}

/// What stands in an item.
#[derive(Debug)]
pub enum Value {
    /// Nothing.
    Nothing,
    /// A scalar as written.
    Scalar(Word),
    /// `{ … }` or `[ … ]`.
    Flow(Flow),
    /// A mapping, a key a line.
    Map(Block),
    /// A list, a dash a line.
    List(Block),
}

/// Items one below the other.
#[derive(Debug)]
pub struct Block {
    /// The items.
    pub items: Vec<Item>,
    /// Comments behind the last one.
    pub tail: Vec<Comment>,
}

/// Items between brackets.
#[derive(Debug)]
pub struct Flow {
    /// Whether the brackets are braces.
    pub map: bool,
    /// The items.
    pub items: Vec<Item>,
    /// Comments before the closing bracket.
    pub tail: Vec<Comment>,
    /// Whether its author began a line after the opening bracket.
    pub broken: bool,
    /// Whether it holds a line's end anywhere.
    pub spread: bool,
}

/// A scalar as written.
#[derive(Debug)]
pub struct Word {
    /// With its quotes.
    pub text: String,
    /// What it means.
    pub value: String,
    /// Whether it begins on a line below its key.
    pub below: bool,
    /// Column of what it belongs to; `-1` for a whole document.
    pub parent: i64,
}

/// Lays a tree out.
///
/// # Errors
///
/// It holds what cannot be moved safely.
pub fn build(text: &str, node: Node, kind: FileKind) -> Result<Laid, Refused> {
    let marks = scan(text, &node)?;
    let mut builder = Builder { text, marks, comment: 0, dash: 0, done: 0, quiet: usize::MAX };
    let (mut header, header_ends) = builder.header(&node);
    let start = builder.marks.start.is_some();
    if let Some(at) = builder.marks.start {
        let more = builder.until(at);
        header.extend(more);
    }
    let root = builder.item(None, node, Place::root(kind), -1, 0);
    let end = builder.until(usize::MAX);
    Ok(Laid { header, header_ends, start, root, end })
}

struct Builder<'a> {
    text: &'a str,
    marks: Marks,
    /// Comments and dashes before these are placed.
    comment: usize,
    dash: usize,
    /// Where the last word or bracket that was placed ends.
    done: usize,
    /// The first key, when the empty line above it is the header's.
    quiet: usize,
}

impl Builder<'_> {
    /// Comments on top that belong to the file: the line for editors, and all above the last empty
    /// line before the first key.
    fn header(&mut self, node: &Node) -> (Vec<Comment>, bool) {
        let first = self.begin(node);
        let above = self.marks.comments.iter().take_while(|one| one.at < first).count();
        let gap = self.marks.blank_above(self.text, first);
        let ends = |at: usize| {
            let next = self.marks.comments[..above].get(at + 1).map_or(gap, |one| one.blank);
            next || self.marks.comments[at].text.contains("yaml-language-server:")
        };
        let length = (0..above).rev().find(|at| ends(*at)).map_or(0, |at| at + 1);
        let mut blank = false;
        match self.marks.comments[..above].get_mut(length) {
            Some(next) if length > 0 => blank = std::mem::take(&mut next.blank),
            None if length > 0 => {
                blank = gap;
                self.quiet = first;
            }
            Some(_) | None => {}
        }
        (self.until_count(length), blank)
    }

    fn until_count(&mut self, length: usize) -> Vec<Comment> {
        let mut taken = self.marks.comments[self.comment..length].to_vec();
        if let Some(first) = taken.first_mut() {
            first.blank &= self.done == 0 || self.blank_above(first.at);
        }
        self.comment = length;
        taken
    }

    /// Comments that stand before a byte and are not placed yet.
    fn until(&mut self, at: usize) -> Vec<Comment> {
        let rest = &self.marks.comments[self.comment..];
        let count = rest.iter().take_while(|one| one.at < at).count();
        self.until_count(self.comment + count)
    }

    /// A comment behind what was placed last, on its line.
    fn beside(&mut self, before: usize) -> Option<Comment> {
        let next = self.marks.comments.get(self.comment)?;
        let here = !next.alone && next.at < before && next.line == self.line_done();
        here.then(|| {
            self.comment += 1;
            self.marks.comments[self.comment - 1].clone()
        })
    }

    fn line_done(&self) -> usize {
        self.marks.line(self.done.saturating_sub(1))
    }

    /// Where the first word or bracket of a value stands.
    fn begin(&self, node: &Node) -> usize {
        let own = node.span.start as usize;
        let own = self.marks.blocks.get(&own).copied().unwrap_or(own);
        match &node.kind {
            Kind::Scalar(_) => own,
            Kind::List(items) => items.first().map_or(own, |item| own.min(self.begin(item))),
            Kind::Map(pairs) => {
                pairs.first().map_or(own, |(key, _)| own.min(key.span().start as usize))
            }
        }
    }

    fn is_flow(&self, node: &Node) -> bool {
        let sign = self.text.as_bytes().get(node.span.start as usize);
        !matches!(node.kind, Kind::Scalar(_)) && matches!(sign, Some(b'{' | b'['))
    }

    /// An item whose key or dash is placed, with its value. `column` is that of the key or dash.
    fn item(
        &mut self,
        key: Option<String>,
        node: Node,
        place: Place,
        column: i64,
        head: usize,
    ) -> Item {
        let mut item = Item {
            lead: Vec::new(),
            blank: false,
            key,
            beside: None,
            above: Vec::new(),
            value: Value::Nothing,
            trail: None,
        };
        if is_nothing(&node) {
            let next = self.marks.stops.partition_point(|stop| *stop < self.done);
            let next = self.marks.stops.get(next).copied().unwrap_or(usize::MAX);
            item.trail = self.beside(next);
            return item;
        }
        let first = self.begin(&node);
        item.beside = if column < 0 { None } else { self.beside(first) };
        let block = !matches!(node.kind, Kind::Scalar(_)) && !self.is_flow(&node);
        if !block {
            item.above = self.until(first);
        }
        let below = self.marks.line(head) != self.marks.line(first);
        item.value = match node.kind {
            Kind::Scalar(scalar) => Value::Scalar(self.word(&scalar, place, below, column)),
            Kind::Map(pairs) if block => Value::Map(self.map(pairs, place, column)),
            Kind::List(items) if block => Value::List(self.list(items, place, column)),
            Kind::Map(_) | Kind::List(_) => Value::Flow(self.flow(node, place)),
        };
        if !block {
            item.trail = self.beside(usize::MAX);
        }
        item
    }

    fn word(&mut self, scalar: &Scalar, place: Place, below: bool, parent: i64) -> Word {
        let mut range = scalar.span().range();
        if let Some(sign) = self.marks.blocks.get(&range.start).copied() {
            range = sign..self.block_end(sign, range.end, parent);
        }
        self.done = range.end;
        let mut text = self.text[range].to_owned();
        // Readers of YAML disagree about `012`; here it is a string, and quotes say so to all.
        if matches!(place, Place::Free) && scalar.is_ambiguous_number() {
            text = format!("\"{text}\"");
        }
        Word { text, value: scalar.value().to_owned(), below, parent }
    }

    /// Where a `|` or `>` ends whose last word ends there: white space behind that is text on its
    /// line, and below where it goes beyond the text's own depth.
    fn block_end(&self, sign: usize, at: usize, parent: i64) -> usize {
        let depth = block_depth(&self.text[sign..at], parent);
        let mut next = at;
        let mut end = at;
        for (below, line) in self.text[at..].split('\n').enumerate() {
            if !line.trim_matches([' ', '\t']).is_empty() {
                break;
            }
            if below == 0 || line.len() > depth {
                end = next + line.len();
            }
            next += line.len() + 1;
        }
        end
    }

    /// Whether an empty line that is no text stands above what begins here.
    fn blank_above(&self, at: usize) -> bool {
        self.marks.blank_above(self.text, at) && self.marks.line(at) > self.line_done() + 1
    }

    fn map(&mut self, pairs: Vec<(Scalar, Node)>, place: Place, parent: i64) -> Block {
        let ranks = place.ranks(pairs.iter().map(|(key, _)| key.value()));
        let mut column = 0;
        let mut items = Vec::new();
        for (at, (key, node)) in pairs.into_iter().enumerate() {
            let range = key.span().range();
            if at == 0 {
                column = signed(self.marks.column(range.start));
            }
            let lead = self.until(range.start);
            let blank = range.start != self.quiet && self.blank_above(range.start);
            self.done = range.end;
            let written = Some(self.text[range.clone()].to_owned());
            let below = place.below(key.value());
            let item = self.item(written, node, below, column, range.start);
            items.push(Item { lead, blank, ..item });
        }
        let tail = self.tail(column, parent);
        let mut ranked: Vec<(usize, Item)> = ranks.into_iter().zip(items).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        Block { items: ranked.into_iter().map(|(_, item)| item).collect(), tail }
    }

    fn list(&mut self, nodes: Vec<Node>, place: Place, parent: i64) -> Block {
        let mut column = 0;
        let mut items = Vec::new();
        for (at, node) in nodes.into_iter().enumerate() {
            let dash = self.marks.dashes.get(self.dash).copied().unwrap_or(self.done);
            self.dash += 1;
            if at == 0 {
                column = signed(self.marks.column(dash));
            }
            let lead = self.until(dash);
            let blank = self.blank_above(dash);
            self.done = dash + 1;
            let item = self.item(None, node, place.element(), column, dash);
            items.push(lift(Item { lead, blank, ..item }));
        }
        let tail = self.tail(column, parent);
        Block { items, tail }
    }

    /// Comments behind the last item of a block that are indented like its items.
    fn tail(&mut self, column: i64, parent: i64) -> Vec<Comment> {
        let next = self.marks.stops.partition_point(|stop| *stop < self.done);
        let next = self.marks.stops.get(next).copied().unwrap_or(usize::MAX);
        let least = column.max(parent + 1);
        let rest = &self.marks.comments[self.comment..];
        let ours = |one: &&Comment| one.at < next && signed(one.column) >= least;
        let count = rest.iter().take_while(ours).count();
        self.until_count(self.comment + count)
    }

    fn flow(&mut self, node: Node, place: Place) -> Flow {
        let start = node.span.start as usize;
        let bracketed = self.text.as_bytes().get(start).is_some_and(|sign| b"{[".contains(sign));
        let end = match self.marks.closing.get(&start) {
            Some(close) if bracketed => close + 1,
            Some(_) | None => node.span.end as usize,
        };
        let inner = self.text.get(start + 1..end).unwrap_or("");
        let broken = bracketed && inner.trim_start_matches([' ', '\t']).starts_with('\n');
        let mut flow = Flow {
            map: true,
            items: Vec::new(),
            tail: Vec::new(),
            broken,
            spread: inner.contains('\n'),
        };
        match node.kind {
            Kind::Map(pairs) => {
                let ranks = place.ranks(pairs.iter().map(|(key, _)| key.value()));
                let pairs = pairs.into_iter().map(|(key, value)| (Some(key), value));
                let items = self.flow_items(pairs, place, end);
                let mut ranked: Vec<(usize, Item)> = ranks.into_iter().zip(items).collect();
                ranked.sort_by_key(|(rank, _)| *rank);
                flow.items = ranked.into_iter().map(|(_, item)| item).collect();
            }
            Kind::List(items) => {
                flow.map = false;
                flow.items =
                    self.flow_items(items.into_iter().map(|item| (None, item)), place, end);
            }
            Kind::Scalar(_) => {}
        }
        if bracketed {
            flow.tail = self.until(end - 1);
        }
        self.done = self.done.max(end);
        flow
    }

    fn flow_items(
        &mut self,
        nodes: impl Iterator<Item = (Option<Scalar>, Node)>,
        place: Place,
        end: usize,
    ) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        for (key, node) in nodes {
            let begin =
                key.as_ref().map_or_else(|| self.begin(&node), |key| key.span().start as usize);
            let mut lead = self.until(begin.min(end));
            // Behind a comma, on the line of the item before it.
            if let Some(last) = items.last_mut()
                && last.trail.is_none()
                && lead.first().is_some_and(|one| one.line == self.line_done())
            {
                last.trail = Some(lead.remove(0));
            }
            let below =
                key.as_ref().map_or_else(|| place.element(), |key| place.below(key.value()));
            let written = key.as_ref().map(|key| self.text[key.span().range()].to_owned());
            self.done = key.map_or(self.done, |key| key.span().end as usize);
            let mut above =
                if is_nothing(&node) { Vec::new() } else { self.until(self.begin(&node)) };
            lead.append(&mut above);
            let value = match &node.kind {
                _ if is_nothing(&node) => Value::Nothing,
                Kind::Scalar(scalar) => Value::Scalar(self.word(scalar, below, false, 0)),
                Kind::Map(_) | Kind::List(_) => Value::Flow(self.flow(node, below)),
            };
            let item = Item {
                lead,
                blank: false,
                key: written,
                beside: None,
                above: Vec::new(),
                value,
                trail: None,
            };
            items.push(item);
        }
        // The last one has no comma to stand behind.
        if let Some(last) = items.last_mut()
            && last.trail.is_none()
        {
            last.trail = self.beside(end);
        }
        items
    }
}

/// Comments above the first key of an element go above its dash, where there is room for them.
fn lift(mut item: Item) -> Item {
    if let (None, Value::Map(block) | Value::List(block)) = (&item.beside, &mut item.value)
        && let Some(first) = block.items.first_mut()
        && let Some(top) = first.lead.first_mut()
    {
        if item.lead.is_empty() {
            top.blank = item.blank;
        }
        item.blank = first.blank;
        item.lead.append(&mut first.lead);
    }
    item
}

/// Whether nothing is written there.
fn is_nothing(node: &Node) -> bool {
    matches!(&node.kind, Kind::Scalar(scalar) if scalar.plain && scalar.value().is_empty())
}

fn signed(column: usize) -> i64 {
    i64::try_from(column).unwrap_or(i64::MAX)
}
