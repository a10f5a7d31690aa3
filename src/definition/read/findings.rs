//! The findings of reading, one function each, so that one search for `add_` lists them all.
//! Decides nothing.

use crate::definition::duration;
use crate::definition::keys::{Key, Mapping};
use crate::definition::read::cure::{goes_on_behind_its_bracket, quoted};
use crate::definition::value::Text;
use crate::diag::{At, Code, Diagnostic, Diagnostics, Fix, Span, nearest};
use crate::limits;
use crate::time::{CronError, Millis};

/// A bound of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YamlLimit {
    /// `YAML_BYTES_MAX`.
    Bytes,
    /// `YAML_DEPTH_MAX`.
    Depth,
    /// `YAML_NODES_MAX`.
    Nodes,
    /// `STEPS_MAX`.
    Steps,
    /// `STEP_DEPTH_MAX`.
    StepDepth,
}

/// Words as a list: `a`, `b` or `c`.
pub(super) fn choices(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// A scalar without quotes where YAML surely reads it as that text, else with quotes.
fn bare(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_. =<>+-".contains(&byte);
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic());
    if starts && text.bytes().all(plain) { text.to_owned() } else { quoted(text) }
}

/// The text of the file.
impl Diagnostics {
    pub(super) fn add_yaml_syntax(
        &mut self,
        span: Span,
        words: &str,
        line: At<&str>,
        fix: Option<Fix>,
    ) {
        let words = words.split(" at line ").next().unwrap_or(words);
        let mut found = Diagnostic::new(Code::YamlSyntax, span, format!("invalid YAML: {words}"));
        let text = line.value;
        let value = text.split_once(": ").map_or("", |(_, value)| value.trim_start());
        let bare = !value.starts_with(['"', '\'', '|', '>']);
        if text.starts_with('\t') || words.contains("tab") {
            found = found.help("YAML is indented with spaces, never with tabs");
        } else if value.contains(" ? ") && bare {
            found = found.help("an unquoted `? :` is read as YAML: quote the whole expression");
        } else if text.contains("${{") && text.contains('{') && bare {
            found = found.help("quote `${{ … }}` where it stands inside `{ … }`");
        } else if goes_on_behind_its_bracket(value) {
            found = found.help("quote a whole expression that begins with `[` or `{`");
        } else if words.contains("expected '-'") || words.contains("block mapping") {
            found = found.help("entries of one list, and keys of one mapping, begin in one column");
        } else if words.contains("flow mapping") {
            let help = "a `{ … }` ends with `}`; inside it, quote a whole expression that holds \
                        `,`, a bracket or `: `";
            found = found.help(help);
        } else if value.contains(": ") && bare && !value.starts_with(['{', '[']) {
            found = found.help("a value that holds `: ` must be quoted as a whole");
        } else if value.starts_with(['@', '`', '%', '&', '*']) {
            found = found.help("a value that begins with this character must be quoted");
        } else if value.starts_with(['"', '\'']) {
            found = found.help("quote a whole expression that begins with a quote: '\"a\" == x'");
        }
        self.push(Diagnostic { fix, ..found });
    }

    pub(super) fn add_tag(&mut self, span: Span, tag: &str, fix: Option<Fix>) {
        let tag = tag.trim_start_matches('!');
        let message = format!("`!{tag}` is read as a YAML tag, not as an expression");
        let found = Diagnostic::new(Code::YamlTag, span, message)
            .help("quote a whole expression that begins with `!`");
        self.push(Diagnostic { fix, ..found });
    }

    pub(super) fn add_alias(&mut self, span: Span) {
        let message = "anchors (`&x`), aliases (`*x`) and merge keys (`<<`) are not used here";
        let found = Diagnostic::new(Code::YamlAlias, span, message)
            .help("write the value out; quote an expression that begins with `*` or `&`");
        self.push(found);
    }

    pub(super) fn add_too_large(&mut self, span: Span, limit: YamlLimit) {
        let message = match limit {
            YamlLimit::Bytes => format!("the file is larger than {} bytes", limits::YAML_BYTES_MAX),
            YamlLimit::Depth => format!("nested deeper than {} levels", limits::YAML_DEPTH_MAX),
            YamlLimit::Nodes => format!("more than {} values in a file", limits::YAML_NODES_MAX),
            YamlLimit::Steps => format!("more than {} steps in a saga", limits::STEPS_MAX),
            YamlLimit::StepDepth => {
                format!("steps nested deeper than {} levels", limits::STEP_DEPTH_MAX)
            }
        };
        let found = Diagnostic::new(Code::TooLarge, span, message)
            .help("split it: a catalog into several files, a saga into several sagas");
        self.push(found);
    }

    pub(super) fn add_unreadable(&mut self, span: Span, why: &str) {
        let message = format!("the file cannot be read: {why}");
        let found = Diagnostic::new(Code::Unreadable, span, message)
            .help("let a plain file stand there that this user may read, or remove the entry");
        self.push(found);
    }

    pub(super) fn add_not_utf8(&mut self, span: Span, byte: usize) {
        let message = format!("the file is not UTF-8 text (byte {byte})");
        let found = Diagnostic::new(Code::NotUtf8, span, message)
            .help("save it as UTF-8, without a byte order mark of another encoding");
        self.push(found);
    }

    pub(super) fn add_empty_file(&mut self, span: Span) {
        let found = Diagnostic::new(Code::EmptyFile, span, "the file is empty")
            .help("a `*.saga.yaml` begins with `saga: NAME`; remove the file if it is not needed");
        self.push(found);
    }

    pub(super) fn add_several_documents(&mut self, span: Span) {
        let message = "a file holds one document; a second one begins here";
        let found = Diagnostic::new(Code::SeveralDocuments, span, message)
            .help("put each saga into a file of its own and remove the `---`");
        self.push(found);
    }
}

/// Keys.
impl Diagnostics {
    pub(super) fn add_duplicate_key(&mut self, key: &str, first: Span, again: Span) {
        let found =
            Diagnostic::new(Code::DuplicateKey, again, format!("key `{key}` stands twice here"))
                .label("again here")
                .also(first, "first here");
        self.push(found);
    }

    /// `written`: the keys that stand beside it, none of which was meant by it.
    pub(super) fn add_unknown_key(
        &mut self,
        key: &At<String>,
        mapping: &Mapping,
        written: &[(String, Span)],
    ) {
        let message = format!("unknown key `{}` in {}", key.value, mapping.what);
        let found = Diagnostic::new(Code::UnknownKey, key.span, message);
        let known: Vec<&str> = mapping.keys.iter().map(|key| key.name).collect();
        let word = key.value.as_str();
        let free = |name: &str| written.iter().all(|(other, _)| other != name);
        let meant = |near: &str| format!("did you mean `{near}`?");
        self.push(if let Some(near) = nearest(word, known.iter().copied()) {
            let found = found.help(meant(near));
            if free(near) { found.respell(key, known) } else { found }
        } else if let Some(near) = synonym(word, mapping) {
            let found = found.help(meant(near));
            let alone = !written.iter().any(|(other, _)| {
                other != word && synonym(other, mapping).is_some_and(|same| same == near)
            });
            if free(near) && alone && means_the_same(word) {
                found.fix(format!("write `{near}`"), key.span, near)
            } else {
                found
            }
        } else if word.contains(' ') {
            found.help("inside `{ … }` a text that holds `,` must be quoted")
        } else {
            found.help(format!("known keys: {}", choices(&known)))
        });
    }

    pub(super) fn add_missing_key(&mut self, key: &Key, span: Span, mapping: &Mapping) {
        let message = format!("{} needs `{}`", mapping.what, key.name);
        let found = Diagnostic::new(Code::MissingKey, span, message)
            .label(format!("`{}` is missing", key.name))
            .help(format!("`{}`: {}", key.name, key.doc));
        self.push(found);
    }

    pub(super) fn add_no_eviction_policy(&mut self, span: Span) {
        let message = "nothing says what happens when a second saga of this kind would start";
        let found = Diagnostic::new(Code::NoEvictionPolicy, span, message)
            .label("no eviction policy")
            .help(
                "choose one: `replace` (the running one is undone, then the newcomer starts), \
                 `refuse` (the newcomer is refused), `ignore` (it is dropped), `queue` (it waits; \
                 needs `queue_max`), `parallel` (both run), `join` (it is merged into the \
                 running one)",
            )
            .help("for example `eviction: { key: input.label, policy: refuse }`");
        self.push(found);
    }

    pub(super) fn add_no_deadline(&mut self, span: Span) {
        let found = Diagnostic::new(Code::NoBound, span, "the saga has no deadline")
            .label("`timeout` is missing")
            .help("say how long the way forward may take, like `timeout: 30s`, or `timeout: none`");
        self.push(found);
    }

    pub(super) fn add_no_undo(&mut self, span: Span) {
        let found = Diagnostic::new(Code::NoUndo, span, "nothing says how to undo this command")
            .label("`undo` is missing")
            .help(
                "write the command that undoes it, `none` when there is nothing to undo, or \
                 `irreversible` when nothing can",
            );
        self.push(found);
    }

    pub(super) fn add_one_of(&mut self, span: Span, what: &str, group: &[&str], hint: &str) {
        let message = format!("{what} needs one of {}", choices(group));
        let mut found = Diagnostic::new(Code::OneOf, span, message).label("none is written");
        if !hint.is_empty() {
            found = found.help(hint);
        }
        self.push(found);
    }

    pub(super) fn add_two_of(&mut self, what: &str, first: (&str, Span), again: (&str, Span)) {
        let message = format!("{what} has both `{}` and `{}`", first.0, again.0);
        let found = Diagnostic::new(Code::OneOf, again.1, message)
            .label("a second one")
            .also(first.1, "the first one")
            .help("keep one of them; two steps are two entries of the list");
        self.push(found);
    }

    pub(super) fn add_key_not_here(&mut self, key: &str, span: Span, why: &str, help: &str) {
        let found = Diagnostic::new(Code::KeyNotHere, span, format!("`{key}` {why}"));
        self.push(if help.is_empty() { found } else { found.help(help) });
    }

    pub(super) fn add_bad_cron(&mut self, text: &Text, error: CronError) {
        let found = Diagnostic::new(Code::BadCron, text.at(error.at), error.message);
        self.push(found.help(error.help));
    }

    pub(super) fn add_schedule_too_often(&mut self, every: At<Millis>) {
        let message = format!(
            "`{}` is too often: the least is `{}`",
            every.value,
            limits::SCHEDULE_EVERY_MIN
        );
        let found = Diagnostic::new(Code::BadDuration, every.span, message);
        self.push(found.help("each tick is a record, and may be a saga"));
    }
}

/// Values.
impl Diagnostics {
    pub(super) fn add_wrong_shape(&mut self, span: Span, key: &str, must: &str, is: &str) {
        let message = format!("`{key}` must be {must}, not {is}");
        self.push(Diagnostic::new(Code::WrongShape, span, message));
    }

    /// A name where a list of them stands.
    pub(super) fn add_name_for_list(&mut self, name: At<&str>, key: &str, must: &str) {
        let message = format!("`{key}` must be {must}, not a string");
        let found = Diagnostic::new(Code::WrongShape, name.span, message);
        self.push(found.fix("write a list", name.span, format!("[{}]", name.value)));
    }

    pub(super) fn add_wrong_shape_help(
        &mut self,
        span: Span,
        key: &str,
        must: &str,
        is: &str,
        help: &str,
    ) {
        let message = format!("`{key}` must be {must}, not {is}");
        self.push(Diagnostic::new(Code::WrongShape, span, message).help(help));
    }

    pub(super) fn add_unquoted_word(&mut self, word: &str, span: Span, key: &str, reads: &str) {
        let message = format!("unquoted `{word}` stands where `{key}` takes a string");
        let found = Diagnostic::new(Code::UnquotedWord, span, message).label(reads).fix(
            "quote it",
            span,
            quoted(word),
        );
        self.push(found);
    }

    pub(super) fn add_bad_duration(&mut self, text: &str, span: Span, why: &str) {
        let message = format!("`{text}` is not a duration: {why}");
        let found = Diagnostic::new(Code::BadDuration, span, message);
        self.push(match duration::respelled(text) {
            Some(meant) => found.fix(format!("write `{meant}`"), span, meant),
            None => found,
        });
    }

    pub(super) fn add_bad_name(&mut self, name: &str, span: Span, what: &str) {
        let message = format!("`{name}` is not snake_case");
        let mut found = Diagnostic::new(Code::BadName, span, message)
            .label(format!("{what} is a snake_case name"))
            .help("a name begins with a small letter; then small letters, digits and `_`");
        if let Some(better) = snake_case(name) {
            found = found.help(format!("for example `{better}`"));
        }
        self.push(found);
    }

    pub(super) fn add_unknown_word(&mut self, word: &str, span: Span, key: &str, known: &[&str]) {
        let message = format!("`{key}` cannot be `{word}`");
        let found = Diagnostic::new(Code::UnknownWord, span, message)
            .help(format!("it is {}", choices(known)));
        self.push(found.respell(&At::new(word.to_owned(), span), known.iter().copied()));
    }

    pub(super) fn add_out_of_range(&mut self, text: &str, span: Span, key: &str, range: &str) {
        let message = format!("`{key}` must be {range}, not `{text}`");
        self.push(Diagnostic::new(Code::NumberOutOfRange, span, message));
    }

    pub(super) fn add_literal_expected(&mut self, span: Span, key: &str) {
        let message = format!("`{key}` is a literal; it cannot hold `${{{{ }}}}`");
        let found = Diagnostic::new(Code::LiteralExpected, span, message)
            .help("names, ids, durations and policies are fixed when the saga is loaded");
        self.push(found);
    }

    pub(super) fn add_bare_expected(&mut self, span: Span, key: &str, inner: Option<&str>) {
        let message = format!("`{key}` is an expression already; it stands without `${{{{ }}}}`");
        let mut found = Diagnostic::new(Code::BareExpected, span, message);
        if let Some(inner) = inner.filter(|inner| !inner.chars().any(char::is_control)) {
            found = found.fix("write it bare", span, bare(inner));
        }
        self.push(found);
    }

    pub(super) fn add_ambiguous_number(&mut self, text: &str, span: Span) {
        let message = format!("readers of YAML disagree about `{text}`; here it is a string");
        let found = Diagnostic::new(Code::AmbiguousNumber, span, message)
            .help("quote it if a string is meant, else write a plain decimal number")
            .fix("quote it", span, quoted(text));
        self.push(found);
    }
}

/// Catalogs and names across files.
impl Diagnostics {
    pub(super) fn add_bad_field_schema(&mut self, name: &str, span: Span, why: &str) {
        let message = format!("field `{name}` has no valid schema: {why}");
        let found = Diagnostic::new(Code::BadFieldSchema, span, message)
            .help("a field is a JSON Schema, like `{ type: string }` or `{ enum: [left, right] }`");
        self.push(found);
    }

    pub(super) fn add_reserved_name(&mut self, name: &str, span: Span, what: &str, why: &str) {
        let message = format!("{what} cannot be called `{name}`: {why}");
        self.push(Diagnostic::new(Code::ReservedName, span, message));
    }

    pub(super) fn add_unknown_name(
        &mut self,
        code: Code,
        what: &str,
        name: &At<String>,
        known: &mut dyn Iterator<Item = &str>,
    ) {
        let message = format!("{what} `{}` is not declared in any catalog", name.value);
        let found = Diagnostic::new(code, name.span, message);
        let known: Vec<&str> = known.collect();
        self.push(match nearest(&name.value, known.iter().copied()) {
            Some(near) => found.help(format!("did you mean `{near}`?")).respell(name, known),
            None => found,
        });
    }

    pub(super) fn add_duplicate_name(
        &mut self,
        code: Code,
        what: &str,
        name: &str,
        first: Option<Span>,
        again: Span,
    ) {
        let found = Diagnostic::new(code, again, format!("{what} `{name}` is declared twice"))
            .label("again here");
        self.push(match first {
            Some(first) => found.also(first, "first here"),
            None => found.help("the first one is built in; see `sagaflow catalog`"),
        });
    }
}

/// A bracket where an answer should be.
impl Diagnostics {
    pub(super) fn add_bracket_answer(&mut self, name: &str, span: Span) {
        let message = format!("`{name}` brackets a saga and cannot answer a command");
        self.push(Diagnostic::new(Code::BracketEvent, span, message));
    }
}

/// Words that people bring from other languages.
fn synonym(key: &str, mapping: &Mapping) -> Option<&'static str> {
    let meant = match key {
        "name" => "saga",
        "description" | "comment" | "summary" => "doc",
        "command" | "send" | "cmd" | "call_command" => "issue",
        "args" | "payload" | "params" | "data" => "with",
        "wait" | "wait_for" | "expect" => "await",
        "undo" | "rollback" | "compensation" => "compensate",
        "when" | "condition" | "only_if" => "if",
        "if" | "filter" | "match" => "where",
        "on" | "triggers" => "trigger",
        "inputs" => "input",
        "variables" => "vars",
        "policy" | "concurrency" => "eviction",
        "deadline" => "timeout",
        "sleep" => "delay",
        "publish" => "emit",
        "always_run" | "ensure" => "finally",
        "output" | "outputs" | "returns" => "result",
        "properties" | "schema" => "fields",
        _ => return None,
    };
    mapping.key(meant).map(|key| key.name)
}

/// Whether what stands under a word of another language means the same here under its synonym.
fn means_the_same(key: &str) -> bool {
    [
        "name",
        "description",
        "comment",
        "summary",
        "command",
        "send",
        "cmd",
        "args",
        "payload",
        "params",
        "inputs",
        "variables",
        "deadline",
        "sleep",
        "publish",
        "ensure",
        "outputs",
    ]
    .contains(&key)
}

/// The snake_case name nearest to what was written, when there is one.
fn snake_case(name: &str) -> Option<String> {
    let mut out = String::new();
    for letter in name.chars() {
        match letter {
            'a'..='z' | '0'..='9' | '_' => out.push(letter),
            'A'..='Z' => {
                if !out.is_empty() && !out.ends_with('_') {
                    out.push('_');
                }
                out.push(letter.to_ascii_lowercase());
            }
            '-' | ' ' | '.' | '/' => out.push('_'),
            _ => return None,
        }
    }
    out.starts_with(|first: char| first.is_ascii_lowercase()).then_some(out)
}
