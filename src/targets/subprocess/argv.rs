//! The arguments of one turn: what was asked for, and what resumes a session. Starts nothing.

/// How a turn resumes the session of the turn before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Not at all: each turn is a conversation of its own.
    Never,
    /// By two more arguments: this one, and the session's id.
    Flag(String),
    /// As `codex exec` does it: `exec resume … ID -`.
    CodexExec,
}

/// What cannot be made into arguments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// A strategy that nobody knows.
    #[error("`resume_strategy` is none, flag or codex_exec, not `{0}`")]
    Strategy(String),
    /// A flag is asked for and none is named.
    #[error("`resume_strategy: flag` needs a `resume_flag`, such as `--resume`")]
    NoFlag,
    /// Arguments that are not those of `codex exec`.
    #[error("`resume_strategy: codex_exec` needs an argument `{0}`, and this turn has none: {1}")]
    NotCodex(&'static str, &'static str),
    /// A session's id that an argument list would not take for one.
    #[error("the session id {0:?} is none: it may neither begin with `-` nor hold control signs")]
    Session(String),
}

/// Longest session id, in bytes; a longer one is taken for none.
pub const SESSION_BYTES_MAX: usize = 512;

/// Whether a session's id can be an argument: a text that begins with `-` would be an option of
/// the program, and a program's output must not choose these.
#[must_use]
pub fn is_session(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= SESSION_BYTES_MAX
        && !id.starts_with('-')
        && !id.contains(char::is_control)
}

impl Resume {
    /// The way that a command's words name. No strategy: by the flag, where there is one.
    ///
    /// # Errors
    ///
    /// The words name none.
    pub fn of(strategy: &str, flag: &str) -> Result<Resume, Mistake> {
        match strategy {
            "none" => Ok(Resume::Never),
            "" if flag.is_empty() => Ok(Resume::Never),
            "flag" if flag.is_empty() => Err(Mistake::NoFlag),
            "" | "flag" => Ok(Resume::Flag(flag.to_owned())),
            "codex_exec" => Ok(Resume::CodexExec),
            other => Err(Mistake::Strategy(other.to_owned())),
        }
    }

    /// The session that a turn is told to resume; empty: none.
    #[must_use]
    pub fn session<'a>(&self, known: &'a str) -> &'a str {
        match self {
            Resume::Never => "",
            Resume::Flag(_) | Resume::CodexExec => known,
        }
    }

    /// The arguments of a turn that resumes `session`; empty: that begins one.
    ///
    /// # Errors
    ///
    /// They would not resume it. A turn that silently began another session would lose what was
    /// said before.
    pub fn argv(&self, argv: &[String], session: &str) -> Result<Vec<String>, Mistake> {
        let mut all = argv.to_vec();
        if self.session(session).is_empty() {
            return Ok(all);
        }
        if !is_session(session) {
            return Err(Mistake::Session(session.to_owned()));
        }
        match self {
            Resume::Never => {}
            Resume::Flag(flag) => all.extend([flag.clone(), session.to_owned()]),
            Resume::CodexExec => resume_codex(&mut all, session)?,
        }
        Ok(all)
    }
}

fn resume_codex(argv: &mut Vec<String>, session: &str) -> Result<(), Mistake> {
    let exec = argv.iter().skip(1).position(|arg| arg == "exec").map(|at| at + 1);
    let exec = exec.ok_or(Mistake::NotCodex("exec", "nothing tells where `resume` belongs"))?;
    // The mark for "the message is on standard input" is the last argument.
    if argv.last().is_none_or(|arg| arg != "-") {
        return Err(Mistake::NotCodex("-", "it must be the last, behind the session"));
    }
    argv.insert(argv.len() - 1, session.to_owned());
    argv.insert(exec + 1, "resume".to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(strategy: &str, flag: &str, argv: &str, session: &str, expected: Result<&str, &str>) {
        let argv: Vec<String> = argv.split(' ').map(str::to_owned).collect();
        let built = Resume::of(strategy, flag).and_then(|resume| resume.argv(&argv, session));
        match (built, expected) {
            (Ok(built), Ok(expected)) => assert_eq!(built.join(" "), expected),
            (Err(mistake), Err(words)) => {
                assert!(mistake.to_string().contains(words), "{mistake}");
            }
            (built, expected) => panic!("{built:?} where {expected:?} was expected"),
        }
    }

    #[test]
    fn bg_b14_a_session_is_resumed_as_the_strategy_says() {
        check("flag", "--resume", "agent -p", "s1", Ok("agent -p --resume s1"));
        check("flag", "--resume", "agent -p", "", Ok("agent -p"));
        check("flag", "", "agent -p", "s1", Err("needs a `resume_flag`"));
        check("", "--resume", "agent -p", "s1", Ok("agent -p --resume s1"));
        check("", "", "agent -p", "s1", Ok("agent -p"));
        check("none", "--resume", "agent -p", "s1", Ok("agent -p"));
        check("codex_exec", "", "codex exec --json -", "", Ok("codex exec --json -"));
        check("codex_exec", "", "codex exec --json -", "s1", Ok("codex exec resume --json s1 -"));
        check("codex_exec", "", "codex --json -", "s1", Err("an argument `exec`"));
        check("codex_exec", "", "exec --json -", "s1", Err("an argument `exec`"));
        check("codex_exec", "", "codex exec --json", "s1", Err("an argument `-`"));
        check("guess", "", "agent", "s1", Err("not `guess`"));
    }

    #[test]
    fn a_session_never_becomes_an_option_of_the_program() {
        for bad in ["--dangerous", "-", "a\nb", "a\0b"] {
            check("flag", "--resume", "agent", bad, Err("is none"));
            assert!(!is_session(bad));
        }
        assert!(!is_session(""));
        assert!(!is_session(&"x".repeat(SESSION_BYTES_MAX + 1)));
        assert!(is_session("0190-abc_DEF.7"));
    }
}
