//! Gives everything its place: the way forward in one column from the top, what undoes it in a
//! second one beside it, the ends below. Writes no syntax.

use std::collections::BTreeMap;

use super::scene::{self, Line, Look, Rect, Scene, Way, Words};
use super::sketch::{Card, Kind, Note, Sketch};

const MARGIN: i32 = 32;
/// Between the cards of a column.
const GAP: i32 = 28;
/// Between a frame and what is in it.
const PAD: i32 = 14;
/// How far from the left of a card the way forward runs.
const SPINE: i32 = 24;
/// How far a branch of late steps stands in, so that the way forward runs past it.
const INDENT: i32 = 56;
const CARD: i32 = 460;
const UNDO_CARD: i32 = 380;
/// Between the columns; undo lines run there.
const GUTTER: i32 = 76;
const TEXT: i32 = 12;
const LINE: i32 = 18;
/// Width of the column of labels.
const LABEL: i32 = 76;
const PILL: i32 = 30;

/// Places a saga.
pub(super) fn lay_out(sketch: &Sketch) -> Scene {
    let forward = CARD + 2 * PAD * depth(&sketch.main).max(1 + depth(&sketch.finally));
    let undos = undo_depth(&sketch.main);
    let right = MARGIN + forward;
    let (undo_x, undo_w) = (right + GUTTER, UNDO_CARD + 2 * PAD * undos.unwrap_or(0));
    let far = if undos.is_some() { undo_x + undo_w } else { right };
    let mut layout = Layout {
        scene: Scene {
            title: sketch.name.to_string(),
            doc: sketch.doc.clone(),
            ..Scene::default()
        },
        undo: (undo_x, undo_w),
        undos: Vec::new(),
        undo_of: BTreeMap::new(),
        covered: Vec::new(),
        pivots: Vec::new(),
        failing: Vec::new(),
    };
    let y = layout.heading(sketch, far - MARGIN);
    let start = layout.start(&sketch.start, y, forward);
    let first = start.bottom() + GAP + if undos.is_some() { 24 } else { 0 };
    layout.arrow(MARGIN + SPINE, start.bottom(), first, Way::Forward);
    let bottom = layout.list(&sketch.main, Column::Forward, MARGIN, first, forward);
    let rail = far + 28;
    let back = layout.way_back(rail, first, right);
    layout.cover_lines();
    layout.ends(sketch, bottom, forward, rail, back);
    layout.scene.width = (rail + MARGIN).max(layout.widest() + MARGIN);
    layout.pivot_lines();
    layout.scene
}

/// How deep steps stand in one another.
fn depth(cards: &[Card]) -> i32 {
    let one = |card: &Card| {
        let inner = if card.inner.is_empty() { 0 } else { 1 + depth(&card.inner) };
        // A branch stands in further than a frame.
        let instead = if card.instead.is_empty() { 0 } else { 3 + depth(&card.instead) };
        inner.max(instead)
    };
    cards.iter().map(one).max().unwrap_or(0)
}

/// The depth of the deepest undo; `None` when nothing is undone.
fn undo_depth(cards: &[Card]) -> Option<i32> {
    let one = |card: &Card| {
        let own = card.undo.as_deref().map(|undo| depth(std::slice::from_ref(undo)));
        own.max(undo_depth(&card.inner)).max(undo_depth(&card.instead))
    };
    cards.iter().filter_map(one).max()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Forward,
    Undo,
}

struct Layout {
    scene: Scene,
    /// Left and width of the column of undoing steps.
    undo: (i32, i32),
    /// Undoing steps in the order of what they undo.
    undos: Vec<Rect>,
    undo_of: BTreeMap<String, Rect>,
    /// Steps that the undo of another one undoes: its path, and their places.
    covered: Vec<(String, Rect)>,
    /// Lines of no return: how far down.
    pivots: Vec<i32>,
    /// Steps of the saga's own list whose failure may end it: how far down.
    failing: Vec<i32>,
}

impl Layout {
    fn say(&mut self, x: i32, y: i32, style: &'static str, text: impl Into<String>) {
        self.scene.words.push(Words { x, y, style, text: text.into() });
    }

    fn line(&mut self, way: Way, points: &[(i32, i32)]) {
        self.scene.lines.push(Line { points: points.to_vec(), way, points_on: true });
    }

    /// A line that another one goes on from.
    fn strand(&mut self, way: Way, points: &[(i32, i32)]) {
        self.scene.lines.push(Line { points: points.to_vec(), way, points_on: false });
    }

    fn arrow(&mut self, x: i32, from: i32, to: i32, way: Way) {
        self.line(way, &[(x, from), (x, to)]);
    }

    fn frame(&mut self, rect: Rect) -> usize {
        self.scene.boxes.push(rect);
        self.scene.boxes.len() - 1
    }

    fn widest(&self) -> i32 {
        self.scene.boxes.iter().map(Rect::right).max().unwrap_or(0)
    }

    /// The saga's name and purpose; returns where they end.
    fn heading(&mut self, sketch: &Sketch, width: i32) -> i32 {
        let mut y = MARGIN + 20;
        let mut name = sketch.name.to_string();
        if let Some((id, state)) = &sketch.saga {
            name.push_str(&format!(" · saga {id} · {}", state.replace('_', " ")));
        }
        self.say(MARGIN, y, "name", name);
        for line in scene::wrap(&sketch.doc, scene::room(width, TEXT)) {
            y += LINE;
            self.say(MARGIN, y, "doc", line);
        }
        y + 20
    }

    fn start(&mut self, notes: &[Note], y: i32, width: i32) -> Rect {
        let at = self.frame(Rect { x: MARGIN, y, w: width, h: 0, look: Look::Start });
        let bottom = self.notes(notes, MARGIN, y + 8, width) + 10;
        self.scene.boxes[at].h = bottom - y;
        self.scene.boxes[at]
    }

    /// Labelled lines from `y`; returns where they end.
    fn notes(&mut self, notes: &[Note], x: i32, mut y: i32, width: i32) -> i32 {
        let room = scene::room(width - 18 - LABEL - PAD, TEXT);
        for note in notes {
            self.say(x + 18, y + 13, "label", note.label);
            for line in scene::wrap(&note.text, room) {
                self.say(x + 18 + LABEL, y + 13, "text", line);
                y += LINE;
            }
        }
        y
    }

    /// Steps one below the other; returns where they end.
    fn list(&mut self, cards: &[Card], column: Column, x: i32, mut y: i32, width: i32) -> i32 {
        for (i, card) in cards.iter().enumerate() {
            if x == MARGIN && self.pivots.is_empty() && card.may_end_it() {
                self.failing.push(y + 20);
            }
            let (foot, bottom) = self.card(card, column, x, y, width);
            let is_last = i + 1 == cards.len();
            y = bottom;
            if card.pivot {
                self.pivots.push(bottom + 22);
                y += 22;
            }
            if is_last {
                return self.tail(x, foot, y, card.goes_on());
            }
            if card.goes_on() {
                self.arrow(x + SPINE, foot, y + GAP, Way::Forward);
            }
            y += GAP;
        }
        y
    }

    /// Branches one below the other, with no way from one to the next; returns where they end.
    fn stack(&mut self, cards: &[Card], column: Column, x: i32, mut y: i32, width: i32) -> i32 {
        for card in cards {
            y = self.card(card, column, x, y, width).1 + PAD;
        }
        y - PAD
    }

    /// The way from the last card past what stands beside and below it.
    fn tail(&mut self, x: i32, foot: i32, bottom: i32, goes_on: bool) -> i32 {
        if goes_on && foot < bottom {
            self.strand(Way::Forward, &[(x + SPINE, foot), (x + SPINE, bottom)]);
        }
        bottom
    }

    /// One step with all that hangs on it; returns where its box ends, and where all of it does.
    fn card(&mut self, card: &Card, column: Column, x: i32, y: i32, width: i32) -> (i32, i32) {
        let fate = card.fate.as_ref().map(|(fate, _)| *fate);
        let look = match (column, card.kind) {
            (_, Kind::Group | Kind::Parallel) => Look::Frame(fate),
            (Column::Undo, _) => Look::Undo(fate),
            (Column::Forward, kind) => Look::Step(kind.word(), fate),
        };
        let at = self.frame(Rect { x, y, w: width, h: 0, look });
        let head = self.head(card, column, x, y, width);
        self.scene.boxes[at].h = head - y;
        // What undoes a frame of steps stands beside its head, above what undoes those.
        let undone = self.undo(card, self.scene.boxes[at]);
        let mut foot = head;
        if !card.inner.is_empty() {
            let from = if undone > head { undone + PAD } else { head + PAD / 2 };
            let (x, width) = (x + PAD, width - 2 * PAD);
            let inside = if card.kind == Kind::Parallel {
                self.stack(&card.inner, column, x, from, width)
            } else {
                self.list(&card.inner, column, x, from, width)
            };
            foot = inside + PAD;
            self.scene.boxes[at].h = foot - y;
        }
        let mut bottom = foot.max(undone);
        if !card.instead.is_empty() {
            bottom = self.instead(card, column, x, foot, width).max(bottom);
        }
        (foot, bottom)
    }

    /// The words on a card; returns where they end.
    fn head(&mut self, card: &Card, column: Column, x: i32, y: i32, width: i32) -> i32 {
        let mark = if column == Column::Undo && card.path.ends_with(".undo") { "↩ " } else { "" };
        let mut badge = x + width - PAD;
        if let Some((fate, word)) = &card.fate {
            badge -= scene::width(word, TEXT);
            self.say(badge, y + 22, fate.class(), word.clone());
            badge -= 16;
        }
        if card.pivot {
            badge -= scene::width("◆ pivot", TEXT);
            self.say(badge, y + 22, "pivot", "◆ pivot");
            badge -= 16;
        }
        let room = scene::room(badge - x - 18, 14);
        let mut y = y + 4;
        for line in scene::wrap(&format!("{mark}{}", card.path), room) {
            self.say(x + 18, y + 19, "title", line);
            y += 20;
        }
        self.notes(&card.notes, x, y + 4, width) + 8
    }

    /// What undoes a step, beside it; returns where it ends.
    fn undo(&mut self, card: &Card, beside: Rect) -> i32 {
        if let Some(by) = &card.covered_by {
            self.covered.push((by.to_string(), beside));
        }
        let Some(undo) = &card.undo else { return beside.bottom() };
        let (x, width) = self.undo;
        let at = self.scene.boxes.len();
        let (_, bottom) = self.card(undo, Column::Undo, x, beside.y, width);
        let rect = self.scene.boxes[at];
        let y = beside.y + 20;
        self.line(Way::Undo, &[(beside.right(), y), (x, y)]);
        self.undos.push(Rect { h: bottom - rect.y, ..rect });
        self.undo_of.insert(undo.path.to_string(), rect);
        bottom
    }

    /// The branch that runs when time has passed; returns where it ends.
    fn instead(&mut self, card: &Card, column: Column, x: i32, y: i32, width: i32) -> i32 {
        let (left, top, width) = (x + INDENT, y + GAP, width - INDENT);
        let rect = Rect { x: left, y: top, w: width, h: 0, look: Look::Instead };
        let at = self.frame(rect);
        self.say(left + PAD, top + 19, "late", "when its time has passed, instead");
        let inner = width - 2 * PAD;
        let bottom = self.list(&card.instead, column, left + PAD, top + 30, inner) + PAD;
        self.scene.boxes[at].h = bottom - top;
        self.arrow(left + SPINE, y, top, Way::Late);
        if card.instead.last().is_some_and(Card::goes_on) {
            self.line(Way::Late, &[(left, bottom - 12), (x + SPINE, bottom - 12)]);
        }
        bottom
    }

    /// From undo to undo upwards, and over to the rail that leads to the ends; returns whether
    /// there is one.
    fn way_back(&mut self, rail: i32, first: i32, right: i32) -> i32 {
        let x = self.undo.0 + SPINE;
        for pair in self.undos.clone().windows(2) {
            self.arrow(x, pair[1].y, pair[0].bottom(), Way::Undo);
        }
        let Some(top) = self.undos.first().map(|rect| rect.y) else {
            return self.failures(rail, first, right);
        };
        let y = top - 22;
        self.strand(Way::Undo, &[(x, top), (x, y), (rail, y)]);
        self.say(x + 8, y - 8, "back", "on a failure: upwards, undoing");
        y
    }

    /// Where nothing can be undone a failure just ends it.
    fn failures(&mut self, rail: i32, first: i32, right: i32) -> i32 {
        for y in std::mem::take(&mut self.failing) {
            self.strand(Way::Failure, &[(right, y), (rail, y)]);
        }
        first + 20
    }

    /// Dashed lines from the steps that another one's undo undoes.
    fn cover_lines(&mut self) {
        for (i, (path, step)) in std::mem::take(&mut self.covered).into_iter().enumerate() {
            let Some(undo) = self.undo_of.get(&path).copied() else { continue };
            let lane = i32::try_from(i % 4).unwrap_or(0);
            let x = undo.x - 20 - 9 * lane;
            let (from, to) = (step.y + 20, undo.bottom() - 14 - 4 * lane);
            self.line(Way::Undo, &[(step.right(), from), (x, from), (x, to), (undo.x, to)]);
        }
    }

    /// What runs on every end, and the ends; `back`: where the rail begins.
    fn ends(&mut self, sketch: &Sketch, bottom: i32, width: i32, rail: i32, back: i32) {
        let goes_on = sketch.main.last().is_none_or(Card::goes_on);
        let mut y = bottom;
        if !sketch.finally.is_empty() {
            let top = y + GAP + 8;
            if goes_on {
                self.arrow(MARGIN + SPINE, y, top, Way::Forward);
            }
            let look = Look::Finally;
            let at = self.frame(Rect { x: MARGIN, y: top, w: width, h: 0, look });
            self.say(MARGIN + PAD, top + 20, "closing", "finally, however it ended");
            let inner = width - 2 * PAD;
            y = self.list(&sketch.finally, Column::Forward, MARGIN + PAD, top + 32, inner) + PAD;
            self.scene.boxes[at].h = y - top;
            self.line(
                self.rail_way(),
                &[(rail, back), (rail, top + 16), (MARGIN + width, top + 16)],
            );
        }
        let top = y + GAP + 8;
        if goes_on || !sketch.finally.is_empty() {
            self.arrow(MARGIN + SPINE, y, top, Way::Forward);
        }
        let group = self.pills(sketch, top);
        let middle = top + PILL / 2;
        if sketch.finally.is_empty() {
            let points = [(rail, back), (rail, middle), (group.right(), middle)];
            if group.right() < rail {
                self.line(self.rail_way(), &points);
            } else {
                self.line(self.rail_way(), &[(rail, back), (rail, group.y)]);
            }
        } else {
            self.arrow(group.x + SPINE, y, group.y, self.rail_way());
        }
        self.scene.height = group.bottom() + MARGIN;
    }

    /// The way that failures take: back over undos, or straight.
    fn rail_way(&self) -> Way {
        if self.undos.is_empty() { Way::Failure } else { Way::Undo }
    }

    /// The ends in a row; returns the frame of those that are no success.
    fn pills(&mut self, sketch: &Sketch, top: i32) -> Rect {
        let mut x = MARGIN;
        let look = Look::Ends;
        let mut group = Rect { x: 0, y: top - 7, w: 0, h: PILL + 14, look };
        let at = self.frame(group);
        for (i, end) in sketch.ends.iter().enumerate() {
            let text = end.state.replace('_', " ");
            let w = scene::width(&text, TEXT) + 28;
            let look = Look::End { state: end.state, is_here: end.is_here };
            self.frame(Rect { x, y: top, w, h: PILL, look });
            self.say(x + 14, top + 19, "end", text);
            x += w;
            // The first one is the success.
            if i == 0 {
                x += 40;
                group.x = x - 10;
            } else {
                x += 12;
            }
        }
        group.w = x - 2 - group.x;
        self.scene.boxes[at] = group;
        group
    }

    fn pivot_lines(&mut self) {
        for y in std::mem::take(&mut self.pivots) {
            let right = self.scene.width - MARGIN / 2;
            self.line(Way::Pivot, &[(MARGIN / 2, y), (right, y)]);
            self.say(MARGIN + SPINE + 12, y - 6, "pivot", "no return: from here only forward");
        }
    }
}
