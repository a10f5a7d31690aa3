//! What kind of failure a turn's end tells of, from its own words. Ends nothing and repeats
//! nothing.

/// The kinds of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Its provider slows it down; worth another try.
    RateLimited,
    /// Its provider has no room; worth another try.
    Overloaded,
    /// Its provider was not reached; worth another try.
    Network,
    /// What was paid for is used up.
    UsageLimit,
    /// It may not.
    Auth,
    /// The session is too long.
    ContextExceeded,
    /// It took as many steps as it may.
    MaxTurns,
    /// Somebody else ended it.
    Killed,
    /// It ended well and gave no result.
    NoOutput,
    /// It told of an error that nobody here knows.
    ErrorResult,
    /// It ended badly and nobody here knows why.
    UnknownNonZero,
}

/// How a turn ended, and what it said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End<'a> {
    /// The program's exit code; nothing: a signal ended it.
    pub exit_code: Option<i32>,
    /// Whether we ended it, which is no failure.
    pub ended_by_us: bool,
    /// The words of the last error that its output told of; a result without an error takes them
    /// back.
    pub error: Option<&'a str>,
    /// The last lines of its error output.
    pub stderr: &'a str,
    /// Whether it owed a result and gave none, or wrote nothing at all.
    pub silent: bool,
}

impl Failure {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Failure::RateLimited => "rate_limited",
            Failure::Overloaded => "overloaded",
            Failure::Network => "network",
            Failure::UsageLimit => "usage_limit",
            Failure::Auth => "auth",
            Failure::ContextExceeded => "context_exceeded",
            Failure::MaxTurns => "max_turns",
            Failure::Killed => "killed",
            Failure::NoOutput => "no_output",
            Failure::ErrorResult => "error_result",
            Failure::UnknownNonZero => "unknown_non_zero",
        }
    }

    /// What kind of failure that end is; nothing: none.
    #[must_use]
    pub fn of(end: &End<'_>) -> Option<Failure> {
        if end.ended_by_us {
            return None;
        }
        let Some(code) = end.exit_code else { return Some(Failure::Killed) };
        // A shell tells so that a signal ended its program.
        if matches!(code, 137 | 143) {
            return Some(Failure::Killed);
        }
        if let Some(words) = end.error {
            return Some(Failure::in_words(words).unwrap_or(if code == 0 {
                Failure::ErrorResult
            } else {
                Failure::in_words(end.stderr).unwrap_or(Failure::UnknownNonZero)
            }));
        }
        if code != 0 {
            return Some(Failure::in_words(end.stderr).unwrap_or(Failure::UnknownNonZero));
        }
        end.silent.then_some(Failure::NoOutput)
    }

    /// The kind that some words tell of. The order matters: who is slowed down reads that this is
    /// not about the usage limit.
    #[must_use]
    pub fn in_words(words: &str) -> Option<Failure> {
        let words = words.to_lowercase();
        KINDS.iter().find(|(_, signs)| signs.iter().any(|sign| has(&words, sign))).map(|k| k.0)
    }
}

const KINDS: &[(Failure, &[&str])] = &[
    (
        Failure::RateLimited,
        &[
            "429",
            "rate limit",
            "rate-limit",
            "rate_limit",
            "too many requests",
            "not your usage limit",
        ],
    ),
    (
        Failure::UsageLimit,
        &[
            "usage limit",
            "usage_limit",
            "limit reached",
            "quota",
            "credit balance",
            "billing",
            "402",
        ],
    ),
    (Failure::MaxTurns, &["max_turns", "max turns", "maximum number of turns"]),
    (
        Failure::ContextExceeded,
        &[
            "prompt is too long",
            "context length",
            "context window",
            "context_length",
            "maximum context",
        ],
    ),
    (
        Failure::Auth,
        &[
            "401",
            "403",
            "unauthorized",
            "forbidden",
            "authenticat",
            "invalid api key",
            "invalid_api_key",
            "/login",
            "not logged in",
            "oauth token",
            "permission_error",
        ],
    ),
    (
        Failure::Overloaded,
        &["529", "503", "500", "502", "overload", "capacity", "internal server error"],
    ),
    (
        Failure::Network,
        &[
            "econnrefused",
            "econnreset",
            "enotfound",
            "etimedout",
            "eai_again",
            "connection refused",
            "connection reset",
            "connection error",
            "could not resolve",
            "fetch failed",
            "network",
            "dns",
            "timed out",
            "504",
        ],
    ),
];

/// Whether words hold a sign; a number counts only where it stands alone.
fn has(words: &str, sign: &str) -> bool {
    if !sign.bytes().all(|byte| byte.is_ascii_digit()) {
        return words.contains(sign);
    }
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '.');
    words.match_indices(sign).any(|(at, _)| {
        let after = &words[at + sign.len()..];
        !part(words[..at].chars().next_back()) && !after.starts_with(|c: char| c.is_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(end: &End<'_>, expected: &str) {
        assert_eq!(Failure::of(end).map_or("", Failure::word), expected, "{end:?}");
    }

    fn error(words: &str) -> End<'_> {
        End { exit_code: Some(0), error: Some(words), ..End::default() }
    }

    fn stderr(words: &str) -> End<'_> {
        End { exit_code: Some(1), stderr: words, ..End::default() }
    }

    #[test]
    fn bg_b20_an_end_is_told_from_others_by_its_words() {
        check(&error("Server is limiting requests (not your usage limit)"), "rate_limited");
        check(&error("API Error: 429"), "rate_limited");
        check(&error("Claude usage limit reached"), "usage_limit");
        check(&error("API Error: 529 Overloaded"), "overloaded");
        check(&error("API Error: 401 Unauthorized"), "auth");
        check(&error("Invalid API key · Please run /login"), "auth");
        check(&error("Prompt is too long"), "context_exceeded");
        check(&error("error_max_turns"), "max_turns");
        check(&error("request 14011 was odd"), "error_result");
        check(&stderr("getaddrinfo ENOTFOUND api.example.com"), "network");
        check(&stderr("segfault"), "unknown_non_zero");
        check(&stderr(""), "unknown_non_zero");
        let both = End { exit_code: Some(1), error: Some("odd"), stderr: "401", ..End::default() };
        check(&both, "auth");
    }

    #[test]
    fn bg_b20_a_signal_is_told_by_whoever_saw_it() {
        check(&End::default(), "killed");
        check(&End { exit_code: Some(137), ..End::default() }, "killed");
        check(&End { exit_code: Some(143), error: Some("401"), ..End::default() }, "killed");
    }

    #[test]
    fn bg_b20_silence_is_a_failure_of_who_ended_well() {
        let well = End { exit_code: Some(0), ..End::default() };
        check(&well, "");
        check(&End { silent: true, ..well.clone() }, "no_output");
        check(&End { stderr: "401", ..well }, "");
        check(&End { exit_code: Some(2), silent: true, ..End::default() }, "unknown_non_zero");
    }

    #[test]
    fn bg_b36_what_we_ended_ourselves_is_no_failure() {
        check(&End { ended_by_us: true, error: Some("401"), ..End::default() }, "");
        check(&End { ended_by_us: true, exit_code: Some(137), ..End::default() }, "");
    }
}
