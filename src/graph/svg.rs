//! A scene as SVG: one text that needs no other file, for light and dark screens. Places nothing.

use std::fmt::Write;

use super::Fate;
use super::scene::{Line, Look, Rect, Scene, Way, Words};

/// Plain selectors and no variables: what draws SVG outside browsers knows no more.
const STYLE: &str = include_str!("style.css");

/// Writes the scene.
pub(super) fn write(scene: &Scene) -> String {
    let mut svg = String::new();
    let (w, h) = (scene.width, scene.height);
    put(
        &mut svg,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" \
         viewBox=\"0 0 {w} {h}\" role=\"img\">"
        ),
    );
    put(&mut svg, format_args!("<title>{}</title>", escape(&scene.title)));
    put(&mut svg, format_args!("<desc>{}</desc>", escape(&scene.doc)));
    put(&mut svg, format_args!("<style>\n{STYLE}</style>"));
    svg.push_str("<defs>\n");
    for way in [Way::Forward, Way::Late, Way::Undo, Way::Failure] {
        let name = class(way);
        put(
            &mut svg,
            format_args!(
                "<marker id=\"to-{name}\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" \
             markerWidth=\"8\" \
             markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">\
             <path class=\"head {name}\" d=\"M0 0 8 4 0 8z\"/></marker>"
            ),
        );
    }
    svg.push_str("</defs>\n");
    put(&mut svg, format_args!("<rect class=\"ground\" width=\"{w}\" height=\"{h}\"/>"));
    scene.boxes.iter().for_each(|rect| write_box(&mut svg, rect));
    scene.lines.iter().for_each(|line| write_line(&mut svg, line));
    scene.words.iter().for_each(|words| write_words(&mut svg, words));
    svg.push_str("</svg>\n");
    svg
}

fn put(svg: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(svg, "{line}").expect("a String takes all that is written to it");
}

fn write_box(svg: &mut String, rect: &Rect) {
    let Rect { x, y, w, h, look } = *rect;
    let (class, round) = match look {
        Look::Start => ("start".to_owned(), 10),
        Look::Step(verb, fate) => (fated(&format!("step {verb}"), fate), 6),
        Look::Undo(fate) => (fated("step undoing", fate), 6),
        Look::Frame(fate) => (fated("frame", fate), 10),
        Look::Instead => ("instead".to_owned(), 10),
        Look::Finally => ("finally".to_owned(), 10),
        Look::Ends => ("ends".to_owned(), 22),
        Look::End { state, is_here } => {
            (format!("pill {state}{}", if is_here { " here" } else { "" }), h / 2)
        }
    };
    put(
        svg,
        format_args!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" \
             rx=\"{round}\"/>"
        ),
    );
    if let Look::Step(verb, _) = look {
        let h = h - 12;
        let y = y + 6;
        let x = x + 5;
        put(
            svg,
            format_args!(
                "<rect class=\"stripe {verb}\" x=\"{x}\" y=\"{y}\" width=\"4\" height=\"{h}\" \
             rx=\"2\"/>"
            ),
        );
    }
}

fn fated(class: &str, fate: Option<Fate>) -> String {
    fate.map_or_else(|| class.to_owned(), |fate| format!("{class} was-{}", fate.class()))
}

fn class(way: Way) -> &'static str {
    match way {
        Way::Forward => "forward",
        Way::Late => "late",
        Way::Undo => "undo",
        Way::Failure => "failure",
        Way::Pivot => "pivot",
    }
}

fn write_line(svg: &mut String, line: &Line) {
    let name = class(line.way);
    let points: Vec<String> = line.points.iter().map(|(x, y)| format!("{x} {y}")).collect();
    let head = match line.points_on {
        true => format!(" marker-end=\"url(#to-{name})\""),
        false => String::new(),
    };
    let points = points.join(" L");
    put(svg, format_args!("<path class=\"way {name}\" d=\"M{points}\"{head}/>"));
}

fn write_words(svg: &mut String, words: &Words) {
    let Words { x, y, style, text } = words;
    let text = escape(text);
    put(svg, format_args!("<text class=\"{style}\" x=\"{x}\" y=\"{y}\">{text}</text>"));
}

/// Text as XML takes it; what XML cannot say at all is left out with a mark.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(' '),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            letter if letter.is_control() => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// The style sheet knows each fate.
#[test]
fn each_fate_has_its_look() {
    for fate in Fate::ALL {
        assert!(STYLE.contains(&format!(".was-{}", fate.class())), "{fate:?}");
        assert!(STYLE.contains(&format!("text.{} ", fate.class())), "{fate:?}");
    }
}
