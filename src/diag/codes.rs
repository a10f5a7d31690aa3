//! Every diagnostic code, once: number, family, title, page. Decides nothing about when a code is
//! found.

use std::fmt;

use super::Severity;

/// What kind of mistake a code belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// `SF0xx`: the text is not a definition.
    Text,
    /// `SF1xx`: a name that nothing carries, or two things do.
    Names,
    /// `SF2xx`: an expression.
    Expressions,
    /// `SF3xx`: undoing.
    Undoing,
    /// `SF4xx`: time.
    Time,
    /// `SF5xx`: contention.
    Contention,
    /// `SF6xx`: the shape of the saga.
    Shape,
    /// `Wxxx`: a lint.
    Lint,
}

macro_rules! codes {
    ($($variant:ident $name:literal $title:literal;)*) => {
        /// A rule that a definition can break. A code is a promise: its number is never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code, in the order of their numbers.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The number as users see it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$variant => $name,)*
                }
            }

            /// One line that says what is wrong.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self {
                    $(Code::$variant => $title,)*
                }
            }

            /// The page that explains it, in Markdown: what it means, an example that fails, the
            /// cure.
            #[must_use]
            pub fn explain(self) -> &'static str {
                match self {
                    $(Code::$variant => include_str!(concat!("../../docs/errors/", $name, ".md")),)*
                }
            }
        }
    };
}

/// Numbers under which nothing is told any more, with their pages. They are never given again.
pub const RETIRED: [(&str, &str); 1] = [("SF019", include_str!("../../docs/errors/SF019.md"))];

// Numbers kept for constructs that are still to come, so that families stay in order:
// SF118 `collect`/`outcomes` of what is no loop,
codes! {
    YamlSyntax "SF001" "the file is not YAML";
    YamlTag "SF002" "a value that begins with `!` is read as a YAML tag";
    YamlAlias "SF003" "anchors, aliases and merge keys are not used in definitions";
    TooLarge "SF004" "the file is too large or too deep";
    NotUtf8 "SF005" "the file is not UTF-8 text";
    EmptyFile "SF006" "the file is empty";
    SeveralDocuments "SF007" "a file holds one document";
    DuplicateKey "SF008" "a key stands twice in one mapping";
    UnknownKey "SF009" "a key that the language does not have";
    MissingKey "SF010" "a required key is missing";
    WrongShape "SF011" "a value has the wrong shape";
    UnquotedWord "SF012" "an unquoted YAML word stands where a string belongs";
    BadDuration "SF013" "a duration that cannot be read";
    BadName "SF014" "a name that is not snake_case";
    UnknownWord "SF015" "a word that is not one of the choices";
    OneOf "SF016" "exactly one of several keys must be written";
    KeyNotHere "SF017" "a key that does not belong in this place";
    NumberOutOfRange "SF018" "a number outside its range";
    BadFieldSchema "SF020" "a field's schema is not valid";
    ReservedName "SF021" "a name that is reserved";
    LiteralExpected "SF022" "an expression where only a literal may stand";
    BareExpected "SF023" "a condition is written bare, without `${{ }}`";
    BadCron "SF024" "a cron text that cannot be read";
    Unreadable "SF025" "a file that cannot be read";
    NotRunnable "SF026" "a command that cannot be run";

    UnknownEvent "SF101" "unknown event";
    UnknownCommand "SF102" "unknown command";
    UnknownTarget "SF103" "unknown target";
    UnknownSaga "SF104" "unknown saga";
    UnknownStep "SF105" "unknown step";
    DuplicateSaga "SF106" "two sagas of one name";
    DuplicateStep "SF107" "two steps of one id";
    DuplicateDeclaration "SF108" "two declarations of one name";
    MissingField "SF109" "a payload field is missing";
    UnknownField "SF110" "a payload field that is not declared";
    WrongFieldType "SF111" "a payload field has the wrong type";
    NeverAnswered "SF112" "an await of what the command never answers";
    AwaitNotSaid "SF113" "a command that is answered needs an `await`";
    BracketEvent "SF114" "a saga's own bracket events neither trigger nor feed sagas";
    TriggersDisagree "SF115" "the alternatives of a trigger give different inputs";
    UnknownSignal "SF116" "unknown signal";
    NothingIssued "SF117" "an echo is awaited where nothing was issued";
    NotStarted "SF119" "a case that cannot start its saga";
    UnknownCase "SF120" "unknown case";
    DuplicateCase "SF121" "two cases of one name";
    NotCallable "SF122" "a `call` of a saga that only events start";

    ExprSyntax "SF201" "an expression that cannot be read";
    ExprUnknownName "SF202" "an expression reads an unknown name";
    ExprUnknownField "SF203" "an expression reads an unknown field";
    ExprWrongType "SF204" "an expression has the wrong type";
    ExprMixedTypes "SF205" "values of different types meet";
    ExprUnknownWord "SF206" "a comparison with a word that can never come";
    ExprOptional "SF207" "an optional field is read without `has()`";
    ExprNotSet "SF208" "a step or variable is read where it may not have been set";
    NoIdentity "SF209" "a wait for anybody's report whose `where` pins nothing";
    ExprFunction "SF210" "an unknown function, or wrong arguments";
    ExprTooLarge "SF211" "an expression is too long or too deep";
    BranchStep "SF212" "a branch's step is read from outside";
    BranchesShare "SF213" "branches that run at once share a variable";

    NoUndo "SF301" "an effect without `compensate`, `undo` or `none`";
    UndoDropped "SF302" "`compensate: none` where the catalog knows an undo";
    OwnEcho "SF303" "a compensation reads an echo that may never have come";
    UndoNotRepeatable "SF304" "a compensating command that cannot be sent again";
    Irreversible "SF305" "an irreversible command before the pivot";
    UndoAfterPivot "SF306" "undoing after the pivot";
    PivotNotRepeatable "SF307" "a step after the pivot that cannot be tried again";
    RetryNotRepeatable "SF308" "a retry in doubt of a command that cannot be sent again";
    CoversStranger "SF309" "`covers` names a step that it cannot undo";
    UndoLacksField "SF310" "the catalog's undo needs a field that the step does not have";
    PivotMisplaced "SF311" "a pivot where none may stand";
    ProbeSavesNot "SF312" "a probe that does not save what its step saves";
    ProbeActs "SF313" "a probe whose command changes something";
    UndoSkips "SF314" "an undo that its `if` skips though its step was done";

    NoBound "SF401" "a wait without a bound";
    DeadlineTooShort "SF402" "a saga deadline shorter than its own steps";
    SignalUnanswered "SF403" "a wait for a signal without `on_timeout`";

    NoEvictionPolicy "SF501" "no eviction policy";
    QueueUnbounded "SF502" "a queue without a bound";
    ReplacePastPivot "SF503" "`replace` of a saga with a pivot";
    ParallelConfused "SF504" "parallel sagas whose waits cannot tell them apart";
    SameKey "SF505" "parent and child that need the same key";

    UnreachableStep "SF601" "a step that is never reached";
    ConstantCondition "SF602" "a condition that always says the same";
    JoinNever "SF603" "a join that cannot finish";
    SelfTrigger "SF604" "a saga that starts itself without end";
    UnusedSave "SF605" "a `save` that nothing reads";
    CallCycle "SF606" "sagas that call each other in a circle";
    CallAcross "SF607" "a call between a saga that sends and one that observes";

    AmbiguousNumber "W001" "a number that readers of YAML disagree about";
    IdleAllow "W002" "a comment that should silence a lint and does not";
    UnheardAnswer "W003" "an answer of the command that the step does not hear";
    NeverWins "W004" "an alternative that an earlier one always forestalls";
    UnreadVariable "W005" "a variable that nothing reads";
    EndlessHold "W006" "a wait without end that keeps other sagas out";
    NoEffect "W007" "a setting that can have no effect";
    UnawaitedSignal "W008" "a signal that no step awaits";
}

impl Code {
    /// The code of that number, in any case of letters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text))
    }

    /// The page's first words on the cure, as one line of a message.
    #[must_use]
    pub fn cure(self) -> String {
        let page = self.explain();
        let cure = page.split_once("\n## Cure\n").map_or(page, |(_, cure)| cure);
        let cure = cure.trim_start().split("\n\n").next().unwrap_or_default();
        let cure = cure.trim_end().trim_end_matches('.').replace('\n', " ");
        let mut letters = cure.chars();
        letters.next().map(char::to_lowercase).into_iter().flatten().chain(letters).collect()
    }

    /// Errors forbid loading; lints do not.
    #[must_use]
    pub fn severity(self) -> Severity {
        if self.family() == Family::Lint { Severity::Warning } else { Severity::Error }
    }

    /// The family, by the first digit.
    #[must_use]
    pub fn family(self) -> Family {
        match self.as_str().as_bytes() {
            [b'S', b'F', b'0', ..] => Family::Text,
            [b'S', b'F', b'1', ..] => Family::Names,
            [b'S', b'F', b'2', ..] => Family::Expressions,
            [b'S', b'F', b'3', ..] => Family::Undoing,
            [b'S', b'F', b'4', ..] => Family::Time,
            [b'S', b'F', b'5', ..] => Family::Contention,
            [b'S', b'F', b'6', ..] => Family::Shape,
            _ => Family::Lint,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_in_order() {
        let numbers: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(numbers, sorted);
        for (retired, _) in RETIRED {
            assert_eq!(Code::parse(retired), None, "a code is never reused");
        }
        assert_eq!(Code::parse("sf101"), Some(Code::UnknownEvent));
    }
}
