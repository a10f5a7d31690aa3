//! The two streams: data to stdout, talk to stderr, colours where a terminal wants them. Knows no
//! data.

use std::io::{self, Write};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::view::text::{Line, Tone, visible};

/// What is printed as data: text for people, JSON for tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Text for people.
    Human,
    /// JSON for tools; of a stream, one object a line.
    Json,
}

/// The choice of a format, the same on every command that prints data.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Shape {
    /// How to print the data
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

impl Shape {
    /// Whether tools will read it.
    #[must_use]
    pub fn is_json(self) -> bool {
        self.json || self.format == Format::Json
    }
}

/// How a tone looks.
fn style(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::new(),
        Tone::Strong => Style::new().bold(),
        Tone::Faint => Style::new().dimmed(),
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Bad => AnsiColor::Red.on_default(),
        Tone::Busy => AnsiColor::Yellow.on_default(),
    }
}

/// Whether stdout is a terminal that wants colours (`NO_COLOR`, `CLICOLOR_FORCE`).
#[must_use]
pub fn colour() -> bool {
    AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// What a document's printing came to. That nobody reads it to its end changes nothing: the exit
/// code says what was found, and what is to be written is written.
fn read_or_not(printed: io::Result<()>) -> io::Result<()> {
    match printed {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Prints a document of lines.
///
/// # Errors
/// It cannot be written.
pub fn lines(lines: &[Line]) -> io::Result<()> {
    read_or_not(stream(lines))
}

/// Prints the next lines of a stream.
///
/// # Errors
/// They cannot be written, or nobody reads any more: then the stream is to end.
pub fn stream(lines: &[Line]) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    for line in lines {
        write_line(&mut out, line)?;
    }
    out.flush()
}

fn write_line(out: &mut impl Write, line: &Line) -> io::Result<()> {
    for (tone, text) in &line.0 {
        let style = style(*tone);
        write!(out, "{style}{}{style:#}", visible(text))?;
    }
    writeln!(out)
}

/// Prints text of data as it is; its colours are stripped where none are wanted.
///
/// # Errors
/// It cannot be written.
pub fn text(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    read_or_not(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Prints a whole JSON document: for reading where a terminal shows it, on one line for a pipe.
///
/// # Errors
/// It cannot be written.
pub fn json(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let printed = if io::IsTerminal::is_terminal(&out) {
        writeln!(out, "{value:#}")
    } else {
        writeln!(out, "{value}")
    };
    read_or_not(printed.and_then(|()| out.flush()))
}

/// Prints one line of a JSON stream.
///
/// # Errors
/// As [`stream`].
pub fn json_line(raw: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", raw.trim_end())?;
    out.flush()
}

/// Says something to the person at the terminal. Nobody listening is no failure.
pub fn say(tone: Tone, words: &str) {
    drop(say_to(&mut anstream::stderr().lock(), tone, words));
}

/// Says on a terminal how far something has come, over what it said before; nothing anywhere else,
/// nor where a line cannot be wiped (`NO_COLOR`). No words take it away.
pub fn progress(words: &str) {
    let mut out = anstream::stderr().lock();
    let wipes = AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    if wipes && io::IsTerminal::is_terminal(&io::stderr()) {
        let style = style(Tone::Faint);
        drop(write!(out, "\r\x1b[2K{style}{words}{style:#}").and_then(|()| out.flush()));
    }
}

/// Says what went wrong.
pub fn complain(message: &str) {
    drop(complain_to(&mut anstream::stderr().lock(), message));
}

/// The same as [`say`], by a way of one's own; its colours are the way's to strip.
///
/// # Errors
/// It cannot be written there.
pub fn say_to(out: &mut impl Write, tone: Tone, words: &str) -> io::Result<()> {
    let style = style(tone);
    writeln!(out, "{style}{}{style:#}", visible_lines(words))
}

/// What is said may have several lines.
fn visible_lines(words: &str) -> String {
    let lines: Vec<_> = words.split('\n').map(visible).collect();
    lines.join("\n")
}

/// The same as [`complain`], by a way of one's own; its colours are the way's to strip.
///
/// # Errors
/// It cannot be written there.
pub fn complain_to(out: &mut impl Write, message: &str) -> io::Result<()> {
    let bad = AnsiColor::Red.on_default().bold();
    writeln!(out, "{bad}error:{bad:#} {message}")
}

/// Says what may surprise.
pub fn warn(message: &str) {
    let busy = AnsiColor::Yellow.on_default().bold();
    let message = visible_lines(message);
    drop(writeln!(anstream::stderr().lock(), "{busy}note:{busy:#} {message}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_gives_a_terminal_no_orders() {
        let evil = "\u{1b}]0;mine\u{7}\r\u{9b}2J\u{202e}\tno\nmore é😀";
        let shown = r"\u{1b}]0;mine\u{7}\r\u{9b}2J\u{202e}\tno\nmore é😀";
        let mut written = Vec::new();
        write_line(&mut written, &Line::of(Tone::Plain, evil)).expect("memory takes all");
        say_to(&mut written, Tone::Plain, evil).expect("memory takes all");
        let expected = format!("{shown}\n{}\n", shown.replace(r"\n", "\n"));
        assert_eq!(String::from_utf8_lossy(&written), expected);
    }
}
