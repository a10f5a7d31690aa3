//! Boxes, lines and words at their places: what a layout makes and a drawing writes. Places
//! nothing by itself.

use super::Fate;

/// Width of a letter of the drawing's one type, in tenths of its size.
const LETTER: i32 = 6;

/// All that is drawn, in pixels from the upper left.
#[derive(Default)]
pub(super) struct Scene {
    /// What a screen reader says.
    pub title: String,
    /// The same, at length.
    pub doc: String,
    pub width: i32,
    pub height: i32,
    /// Drawn in this order, below the words.
    pub boxes: Vec<Rect>,
    pub lines: Vec<Line>,
    pub words: Vec<Words>,
}

/// A box.
#[derive(Clone, Copy)]
pub(super) struct Rect {
    pub x: i32,
    pub y: i32,
    pub w: i32,
    pub h: i32,
    pub look: Look,
}

impl Rect {
    pub fn bottom(&self) -> i32 {
        self.y + self.h
    }

    pub fn right(&self) -> i32 {
        self.x + self.w
    }
}

/// How a box looks.
#[derive(Clone, Copy)]
pub(super) enum Look {
    /// Where and how it starts.
    Start,
    /// A step; with a stripe of its verb's colour.
    Step(&'static str, Option<Fate>),
    /// A step that undoes another.
    Undo(Option<Fate>),
    /// Several steps under one roof.
    Frame(Option<Fate>),
    /// What runs when time has passed.
    Instead,
    /// What runs on every end.
    Finally,
    /// Ends that are no success.
    Ends,
    /// An end: whether it is a good one, whether the saga is in it.
    End { state: &'static str, is_here: bool },
}

/// A line through these points.
pub(super) struct Line {
    pub points: Vec<(i32, i32)>,
    pub way: Way,
    /// Whether it ends with a head.
    pub points_on: bool,
}

/// What a line means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// What comes next.
    Forward,
    /// What comes next when time has passed.
    Late,
    /// What undoes a step, and the way back.
    Undo,
    /// An end without success.
    Failure,
    /// The line of no return.
    Pivot,
}

/// Words on one line.
pub(super) struct Words {
    pub x: i32,
    pub y: i32,
    pub style: &'static str,
    pub text: String,
}

/// The width of a text in a type of that size.
pub(super) fn width(text: &str, size: i32) -> i32 {
    columns(text) * size * LETTER / 10
}

/// How many letters of that size have room.
pub(super) fn room(width: i32, size: i32) -> i32 {
    (width * 10 / (size * LETTER)).max(8)
}

/// Letters of scripts from there on take two places.
fn columns(text: &str) -> i32 {
    text.chars().map(|c| if c >= '\u{1100}' { 2 } else { 1 }).sum()
}

/// A text in lines of at most `room` letters, broken between words and, where one is too long,
/// inside it.
pub(super) fn wrap(text: &str, room: i32) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a first line, and none is taken away");
        if !line.is_empty() && columns(line) + 1 + columns(word) <= room {
            line.push(' ');
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(String::new());
        }
        for letter in word.chars() {
            let line = lines.last_mut().expect("a line was there or was just begun");
            if columns(line) >= room {
                lines.push(letter.to_string());
            } else {
                line.push(letter);
            }
        }
    }
    lines
}
