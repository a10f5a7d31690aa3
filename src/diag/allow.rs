//! Lints that a file silences with a reason, and what is wrong with the silencing. Finds no lint.

use super::{Code, Diagnostic, Diagnostics, FileId, Severity, SourceMap, Span};

/// All comments of some files that silence a lint: `# allow W001: why`. On a line of its own it
/// speaks for the whole file, behind a value for the findings of that line.
#[derive(Clone, Debug, Default)]
pub struct Allows {
    list: Vec<Allow>,
}

#[derive(Clone, Debug)]
struct Allow {
    /// From the `#` to the end of the line.
    span: Span,
    /// What goes when it goes.
    cut: Span,
    word: String,
    has_reason: bool,
    /// The only line that it speaks for.
    line: Option<usize>,
    is_used: bool,
}

impl Allows {
    /// Reads the comments of all files.
    #[must_use]
    pub fn of(sources: &SourceMap) -> Allows {
        let mut list = Vec::new();
        for (file, source) in sources.files() {
            let mut start = 0;
            for (index, line) in source.text.split_inclusive('\n').enumerate() {
                list.extend(allow(file, start, index + 1, line));
                start += line.len();
            }
        }
        Allows { list }
    }

    /// Drops the lints that are allowed with a reason, and notes which comments did it. Errors
    /// cannot be silenced.
    pub fn silence(&mut self, found: &mut Diagnostics, sources: &SourceMap) {
        found.list.retain(|one| {
            let is_lint = one.severity == Severity::Warning && one.code != Code::IdleAllow;
            !is_lint || !self.allows(one, sources)
        });
    }

    fn allows(&mut self, found: &Diagnostic, sources: &SourceMap) -> bool {
        let at = found.primary();
        let mut any = false;
        for one in self.list.iter_mut().filter(|one| one.span.file == at.file && one.has_reason) {
            let line = one.line.is_none_or(|line| line == sources.place(at).line);
            if line && Code::parse(&one.word) == Some(found.code) {
                one.is_used = true;
                any = true;
            }
        }
        any
    }

    /// Says which comments silence nothing; `whole` when all lints were looked for.
    pub fn complain(&self, whole: bool, found: &mut Diagnostics) {
        for one in &self.list {
            match Code::parse(&one.word) {
                None => found.add_allow_of_no_code(&one.word, one.span),
                Some(code) if code.severity() == Severity::Error || code == Code::IdleAllow => {
                    found.add_allow_of_an_error(code, one.span);
                }
                Some(code) if !one.has_reason => found.add_allow_without_reason(code, one.span),
                Some(code) if whole && !one.is_used => {
                    found.add_idle_allow(code, one.span, one.cut, one.line.is_some());
                }
                Some(_) => {}
            }
        }
    }
}

/// The comment of a line, when it is one of ours: other words after `allow` are for people.
fn allow(file: FileId, start: usize, number: usize, line: &str) -> Option<Allow> {
    let body = line.trim_end_matches(['\n', '\r']);
    let at = body.match_indices("# allow ").map(|(at, _)| at).find(|at| {
        let before = &body[..*at];
        let apart = before.is_empty() || before.ends_with([' ', '\t']);
        apart && before.matches('"').count().is_multiple_of(2)
    })?;
    let rest = body[at + "# allow ".len()..].trim_start();
    let word = rest.split([':', ' ', '\t']).next().unwrap_or_default();
    let digits = word.strip_prefix("SF").or_else(|| word.strip_prefix('W'))?;
    if digits.is_empty() || !digits.bytes().all(|one| one.is_ascii_digit()) {
        return None;
    }
    let reason = rest[word.len()..].trim_start().strip_prefix(':').unwrap_or_default();
    let alone = body[..at].trim().is_empty();
    let cut = match alone {
        true => start..start + line.len(),
        false => start + body[..at].trim_end().len()..start + body.len(),
    };
    Some(Allow {
        span: Span::new(file, start + at..start + body.trim_end().len()),
        cut: Span::new(file, cut),
        word: word.to_owned(),
        has_reason: !reason.trim().is_empty(),
        line: (!alone).then_some(number),
        is_used: false,
    })
}

impl Diagnostics {
    fn add_allow_of_no_code(&mut self, word: &str, at: Span) {
        let message = format!("there is no lint `{word}` to allow");
        let lints = Code::ALL.iter().filter(|code| code.severity() == Severity::Warning);
        let lints: Vec<&str> = lints.map(|code| code.as_str()).collect();
        let help = format!("lints are {}", lints.join(", "));
        self.push(Diagnostic::new(Code::IdleAllow, at, message).help(help));
    }

    fn add_allow_of_an_error(&mut self, code: Code, at: Span) {
        let message = format!("`{code}` cannot be allowed: {}", code.title());
        let help = "a file silences lints only; what is an error is cured";
        self.push(Diagnostic::new(Code::IdleAllow, at, message).help(help));
    }

    fn add_allow_without_reason(&mut self, code: Code, at: Span) {
        let message = format!("nothing says why `{code}` is allowed, so it is not");
        let help = format!("write the reason: `# allow {code}: REASON`");
        self.push(Diagnostic::new(Code::IdleAllow, at, message).help(help));
    }

    fn add_idle_allow(&mut self, code: Code, at: Span, cut: Span, on_its_line: bool) {
        let place = if on_its_line { "on this line" } else { "in this file" };
        let message = format!("`{code}` is not found {place}, so nothing is allowed here");
        self.push(Diagnostic::new(Code::IdleAllow, at, message).fix("remove it", cut, ""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which lints are left on the lines of a text whose every line has a number that readers
    /// disagree about, and which comments are complained of.
    fn check(text: &str, code: Code) -> (Vec<usize>, Vec<usize>) {
        let mut sources = SourceMap::default();
        let file = sources.add("a.saga.yaml", text);
        let mut found = Diagnostics::default();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            found.push(Diagnostic::new(code, Span::new(file, start..start + 1), "x"));
            start += line.len();
        }
        let mut allows = Allows::of(&sources);
        allows.silence(&mut found, &sources);
        let lines = |found: &Diagnostics| {
            found.iter().map(|one| sources.place(one.primary()).line).collect::<Vec<_>>()
        };
        let left = lines(&found);
        let mut said = Diagnostics::default();
        allows.complain(true, &mut said);
        (left, lines(&said))
    }

    #[test]
    fn a_file_silences_a_lint_with_a_reason_and_never_an_error() {
        let lint = Code::AmbiguousNumber;
        let none: Vec<usize> = Vec::new();
        assert_eq!(check("# allow W001: part numbers\na: 1\nb: 2\n", lint), (none.clone(), none));
        assert_eq!(check("a: 1 # allow W001: it is one\nb: 2\n", lint), (vec![2], vec![]));
        assert_eq!(check("# allow W001:\na: 1\n", lint), (vec![1, 2], vec![1]));
        assert_eq!(check("# allow W001\na: 1\n", lint), (vec![1, 2], vec![1]));
        assert_eq!(check("# allow SF009: please\n", Code::UnknownKey), (vec![1], vec![1]));
        assert_eq!(check("# allow W099: why not\n", lint), (vec![1], vec![1]));
        assert_eq!(check("# allow W002: never\n", Code::IdleAllow), (vec![1], vec![1]));
        assert_eq!(check("# allow W003: it is not there\n", lint), (vec![1], vec![1]));
    }

    #[test]
    fn words_for_people_silence_nothing() {
        let lint = Code::AmbiguousNumber;
        for text in [
            "# allow the window to close\n",
            "a: \"# allow W001: in a text\"\n",
            "a#: 1# allow W001: no comment\n",
            "# we allow W001: not so\n",
        ] {
            assert_eq!(check(text, lint), (vec![1], vec![]), "{text}");
        }
    }
}
