//! The two streams: data to stdout, talk to stderr, colours where a terminal wants them. Knows no
//! data.

use std::io::{self, Write};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::view::text::{Line, Tone};

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

/// Prints lines of data.
///
/// # Errors
/// Nobody reads them.
pub fn lines(lines: &[Line]) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    for line in lines {
        write_line(&mut out, line)?;
    }
    out.flush()
}

fn write_line(out: &mut impl Write, line: &Line) -> io::Result<()> {
    for (tone, text) in &line.0 {
        let style = style(*tone);
        write!(out, "{style}{text}{style:#}")?;
    }
    writeln!(out)
}

/// Prints text of data as it is; its colours are stripped where none are wanted.
///
/// # Errors
/// Nobody reads it.
pub fn text(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints a whole JSON document: for reading where a terminal shows it, on one line for a pipe.
///
/// # Errors
/// Nobody reads it.
pub fn json(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if io::IsTerminal::is_terminal(&out) {
        writeln!(out, "{value:#}")?;
    } else {
        writeln!(out, "{value}")?;
    }
    out.flush()
}

/// Prints one line of a JSON stream.
///
/// # Errors
/// Nobody reads it.
pub fn json_line(raw: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", raw.trim_end())?;
    out.flush()
}

/// Says something to the person at the terminal. Nobody listening is no failure.
pub fn say(tone: Tone, words: &str) {
    drop(say_to(&mut anstream::stderr().lock(), tone, words));
}

/// Says on a terminal how far something has come, over what it said before; nothing anywhere else.
/// No words take it away.
pub fn progress(words: &str) {
    let mut out = anstream::stderr().lock();
    if io::IsTerminal::is_terminal(&io::stderr()) {
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
    writeln!(out, "{style}{words}{style:#}")
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
    drop(writeln!(anstream::stderr().lock(), "{busy}note:{busy:#} {message}"));
}
