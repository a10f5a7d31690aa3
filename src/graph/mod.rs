//! A picture of a definition, as SVG, mermaid or dot. Reads no file, runs no other program and
//! knows of a running saga only what became of its steps.

mod dot;
mod layout;
mod mermaid;
mod scene;
mod sketch;
mod svg;
mod words;

use std::collections::BTreeMap;

use crate::plan::Plan;

/// How the picture is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A drawing for browsers and documents, for light and dark screens.
    Svg,
    /// Text that GitHub and others draw.
    Mermaid,
    /// Text that graphviz draws.
    Dot,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// On its way.
    Open,
    /// Done.
    Succeeded,
    /// Known not to have happened.
    Failed,
    /// May have happened.
    InDoubt,
    /// Its `if` was false.
    Skipped,
    /// Undone.
    Compensated,
    /// Could not be undone.
    CompensationFailed,
}

impl Fate {
    /// All of them, for a style sheet.
    const ALL: [Fate; 7] = [
        Fate::Open,
        Fate::Succeeded,
        Fate::Failed,
        Fate::InDoubt,
        Fate::Skipped,
        Fate::Compensated,
        Fate::CompensationFailed,
    ];

    /// The fate that a step's state stands for, by the word of `show --json`; whatever is none of
    /// the ends is on its way.
    #[must_use]
    pub fn of(state: &str) -> Fate {
        match state {
            "succeeded" => Fate::Succeeded,
            "failed" => Fate::Failed,
            "in_doubt" => Fate::InDoubt,
            "skipped" => Fate::Skipped,
            "compensated" => Fate::Compensated,
            "compensation_failed" => Fate::CompensationFailed,
            _ => Fate::Open,
        }
    }

    /// The word as a class of a style sheet.
    fn class(self) -> &'static str {
        match self {
            Fate::Open => "open",
            Fate::Succeeded => "succeeded",
            Fate::Failed => "failed",
            Fate::InDoubt => "in_doubt",
            Fate::Skipped => "skipped",
            Fate::Compensated => "compensated",
            Fate::CompensationFailed => "compensation_failed",
        }
    }
}

/// What became of one saga.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// Its id.
    pub saga_id: u64,
    /// Its state, in the word of `show`.
    pub state: String,
    /// The states of its steps by their paths, in the words of `show`.
    pub steps: BTreeMap<String, String>,
    /// The newest sagas that its steps called, by the paths of these.
    pub children: BTreeMap<String, u64>,
    /// The saga that called it, and the step.
    pub caller: Option<(u64, String)>,
}

/// Draws a definition; with a story, as one saga went through it.
#[must_use]
pub fn draw(plan: &Plan, story: Option<&Story>, format: Format) -> String {
    let sketch = sketch::Sketch::of(plan, story);
    match format {
        Format::Svg => svg::write(&layout::lay_out(&sketch)),
        Format::Mermaid => mermaid::write(&sketch),
        Format::Dot => dot::write(&sketch),
    }
}

/// Fill and stroke of a step by its fate, where no style sheet can say it.
fn colours(fate: Fate) -> (&'static str, &'static str) {
    match fate {
        Fate::Open => ("#e7f0ff", "#1757c2"),
        Fate::Succeeded => ("#e9f7ee", "#2c9a55"),
        Fate::Failed => ("#fdecea", "#cf4a41"),
        Fate::InDoubt => ("#fff4d6", "#c98a00"),
        Fate::Skipped => ("#f3f5f8", "#c4ccd6"),
        Fate::Compensated => ("#f2ecfb", "#8b63cc"),
        Fate::CompensationFailed => ("#fbd5d2", "#b3261e"),
    }
}
