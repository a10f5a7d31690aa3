//! What the reference of the language promises to find is found: sentence, code, and an example
//! of each in tests/diagnostics, whose own test holds that the code fires there and nothing else.

use std::collections::BTreeSet;

use super::diagnostics::cases;
use super::tidy::{read, root};

/// The clauses of the table of checks, as they are written there.
const TABLE: &[(&str, &[&str])] = &[
    (
        "YAML syntax with a helpful word about the usual traps (`!x` read as a tag, unquoted \
         `? :`, `no` as a boolean), duplicate and unknown keys, bad durations and policies, two \
         verbs or none, aliases, files too large or too deep",
        &[
            "SF001_bad_indentation",
            "SF002_not_is_a_tag",
            "SF001_ternary",
            "SF012_no_is_a_word",
            "SF008_key_twice",
            "SF009_unknown_key",
            "SF013_bad_duration",
            "SF015_unknown_policy",
            "SF016_two_verbs",
            "SF016_no_verb",
            "SF003_anchor",
            "SF004_too_deep",
        ],
    ),
    (
        "unknown event, command, target, saga, step",
        &[
            "SF101_unknown_trigger",
            "SF102_unknown_command",
            "SF103_unknown_target",
            "SF104_unknown_callee",
            "SF105_unknown_step",
        ],
    ),
    ("two sagas or two steps of one name", &["SF106_two_sagas", "SF107_two_steps"]),
    (
        "payload fields missing, unknown or of the wrong type",
        &["SF109_missing_field", "SF110_unknown_field", "SF111_wrong_type"],
    ),
    ("an `await` of what the command never answers", &["SF112_never_answered"]),
    ("syntax", &["SF201_half"]),
    ("unknown name or field", &["SF202_unknown_name", "SF203_unknown_field"]),
    ("wrong result type", &["SF204_condition"]),
    (
        "comparison of different types or with an unknown outcome word",
        &["SF205_text_and_number", "SF206_outcome"],
    ),
    ("optional field read without `has()`", &["SF207_optional"]),
    ("a step or var read where it may not have been set", &["SF208_later_step", "SF208_variable"]),
    (
        "an `event` wait or `cancel_on` whose `where` pins nothing",
        &["SF209_no_identity", "SF209_cancel_on"],
    ),
    ("an effect without `compensate`, `undo` or `none`", &["SF301_no_undo"]),
    (
        "`compensate: none` before the pivot on a command whose catalog `undo` is a command",
        &["SF302_none"],
    ),
    ("a compensation that reads its own unguarded echo", &["SF303_own_echo"]),
    ("a compensating command neither idempotent nor probed", &["SF304_not_idempotent"]),
    (
        "an irreversible command elsewhere than at or after the pivot, in `compensate` or in \
         `finally`",
        &["SF305_irreversible"],
    ),
    ("undo after the pivot", &["SF306_after_the_pivot"]),
    (
        "a step after the pivot that cannot be tried again (best-effort ones excepted)",
        &["SF307_not_repeatable"],
    ),
    (
        "`retry.on` timeout or unreachable for what is neither idempotent nor probed",
        &["SF308_timeout", "SF308_default", "SF308_around"],
    ),
    ("`covers` of a stranger", &["SF309_unknown", "SF309_earlier"]),
    (
        "a probe that does not save what its step saves, or that changes something",
        &["SF312_probe_saves_nothing", "SF313_probe_opens_a_window"],
    ),
    (
        "an undo whose `if` is false whenever its step succeeded",
        &["SF314_only_in_doubt", "SF314_not_succeeded"],
    ),
    ("no bound where it waits", &["SF401_step", "SF401_undo", "SF401_finally"]),
    (
        "a saga deadline shorter than its own steps' worst forward case (retries and backoff \
         counted; the sum is shown)",
        &["SF402_too_short", "SF402_nested"],
    ),
    ("a wait for a `signal` that has a `timeout` and no `on_timeout`", &["SF403_nobody_approves"]),
    ("no eviction policy", &["SF501_no_policy"]),
    ("`queue` without bound", &["SF502_no_bound"]),
    ("`replace` past a pivot", &["SF503_pivot"]),
    (
        "`parallel` with waits that cannot tell sagas apart",
        &["SF504_constant", "SF504_flag", "SF504_fail_on"],
    ),
    ("parent and child that need the same key", &["SF505_calls_itself"]),
    ("unreachable step", &["SF601_after_done", "SF601_after_fail"]),
    (
        "constant condition, or a part of one",
        &["SF602_always_true", "SF602_a_part", "SF602_itself"],
    ),
    ("a join that cannot finish", &["SF603_all"]),
    (
        "a saga that triggers itself, also around several sagas",
        &["SF604_emits_its_trigger", "SF604_in_finally", "SF604_around_two"],
    ),
    (
        "calls in a circle or too deep, or between a saga that sends and one that observes",
        &["SF606_circle", "SF606_too_deep", "SF607_across", "SF607_live_calls"],
    ),
    ("unused `save`", &["SF605_unread"]),
    ("numbers that readers of YAML disagree about", &["W001_leading_zero"]),
    (
        "an answer of the command that the step does not hear",
        &["W003_one_of_two", "W003_in_an_undo"],
    ),
    (
        "an alternative that an earlier one forestalls",
        &["W004_the_wider_first", "W004_fails_before", "W004_trigger"],
    ),
    ("a variable that nothing reads", &["W005_first_value"]),
    (
        "a wait without end that keeps others of its key out",
        &["W006_refuses", "W006_undo_by_catalog"],
    ),
    ("a setting without effect", &["W007_one_attempt", "W007_several"]),
    ("a comment that silences nothing", &["W002_idle", "W002_no_reason", "W002_no_lint"]),
];

/// What the reference says elsewhere, and what a definition hears that does otherwise.
const ELSEWHERE: &[(&str, &[&str])] = &[
    ("One YAML document a file", &["SF007_two_documents", "SF006_empty", "SF005_latin_1"]),
    ("All keys and names are snake_case", &["SF014_bad_name"]),
    ("Every key has one spelling", &["SF009_word_of_another_language"]),
    ("and one shape", &["SF011_mapping_for_list", "SF011_nothing", "SF011_name_for_list"]),
    (
        "silence about time, undoing or contention is an error",
        &["SF401_no_deadline", "SF301_no_undo", "SF501_no_policy"],
    ),
    ("Events and commands are declared once", &["SF108_declared_twice"]),
    ("A field is a JSON Schema", &["SF020_bad_schema", "SF020_default_does_not_fit"]),
    ("Reserved field names", &["SF021_envelope"]),
    ("unique in the directory", &["SF106_two_sagas"]),
    (
        "each alternative carries its own `input`, with the same names and types",
        &["SF115_inputs_differ", "SF115_types_differ"],
    ),
    ("`trigger` has the fields that all alternatives share with one type", &["SF203_not_shared"]),
    ("`save` goes with `join`", &["SF017_save_without_join"]),
    ("`none` must be said", &["SF401_no_deadline"]),
    ("`cancel`, `retry` and `resolve` are every saga's", &["SF021_signal_of_the_engine"]),
    (
        "unique in the whole saga, nested ones, `finally` and `on_timeout` included",
        &["SF107_two_steps"],
    ),
    ("and one verb", &["SF016_no_verb", "SF016_two_verbs"]),
    ("so it never satisfies an echo", &["SF117_nothing_issued"]),
    ("never inside a branch or a retry", &["SF017_done_in_branch"]),
    (
        "From one branch neither the steps nor the variables that another saves are read",
        &["SF212_beside", "SF213_read_beside"],
    ),
    ("two do not save the same one", &["SF213_saved_twice"]),
    ("must be said for a command that has echoes", &["SF113_await_not_said"]),
    ("its `where` must pin identity", &["SF209_no_identity", "SF209_one_arm"]),
    ("attempts count the first", &["SF018_no_attempt"]),
    ("one missing is an error", &["SF310_undo_lacks_field"]),
    ("or else this step's timeout", &["W006_undo_by_catalog"]),
    ("names later steps that it undoes as well", &["SF309_earlier", "SF309_twice"]),
    ("the point of no return", &["SF311_second", "SF311_on_timeout"]),
    ("or a var that the step itself saves", &["SF303_own_variable"]),
    ("Bare in condition positions", &["SF023_hole_in_a_condition"]),
    ("mixed with text it is a string of strings, integers and booleans", &["SF204_list_amid_text"]),
    ("Names, ids, durations and policies are literals", &["SF022_hole_in_a_duration"]),
    ("A duration is an integer", &["SF013_bad_duration", "SF013_no_unit"]),
    ("none under `all_of`: use `save`", &["SF203_echo_of_all_of"]),
    (
        "A var is read only where every path has set it",
        &["SF208_one_alternative", "SF208_after_a_timeout", "SF208_in_finally"],
    ),
    ("All are bounded, and there is no I/O", &["SF210_unknown_function", "SF211_too_deep"]),
    ("a literal does not pin", &["SF209_no_identity"]),
    (
        "Quote a whole expression that begins with a quote, `!`, `[`, `{` or `*`",
        &["SF001_begins_with_a_quote", "SF001_begins_with_a_bracket", "SF002_not_is_a_tag"],
    ),
    (
        "inside `{ … }` also one with `,` or a bracket, and `${{ }}` always",
        &["SF001_list_in_braces", "SF001_hole_in_braces"],
    ),
    ("`off`, `yes`, `on` where a string belongs are errors", &["SF012_no_is_a_word"]),
];

fn reference() -> String {
    read(&root().join("docs/reference/language.md")).text
}

/// One blank for any white space, so that the reference may be wrapped as it likes.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The clauses of each row of the table of checks; what stands in brackets belongs together.
fn clauses() -> Vec<String> {
    let text = reference();
    let (_, table) = text.split_once("| family | finds |\n|---|---|\n").expect("the table");
    let mut found = Vec::new();
    for row in table.lines().take_while(|line| line.starts_with('|')) {
        let cell = row.trim_matches('|').split(" | ").nth(1).expect("two cells");
        let (mut clause, mut depth) = (String::new(), 0);
        for one in cell.chars() {
            match one {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if one == ';' && depth == 0 {
                found.push(std::mem::take(&mut clause).trim().to_owned());
            } else {
                clause.push(one);
            }
        }
        found.push(clause.trim().to_owned());
    }
    found
}

#[test]
fn each_clause_of_the_table_of_checks_has_a_code_that_fires() {
    let written: BTreeSet<String> = clauses().into_iter().collect();
    let known: BTreeSet<String> = TABLE.iter().map(|(clause, _)| flat(clause)).collect();
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        one.difference(other).cloned().collect::<Vec<_>>()
    };
    assert!(only(&written, &known).is_empty(), "without a code: {:#?}", only(&written, &known));
    assert!(only(&known, &written).is_empty(), "not promised: {:#?}", only(&known, &written));
}

#[test]
fn what_the_reference_says_elsewhere_has_a_code_that_fires() {
    let text = flat(&reference());
    for (sentence, _) in ELSEWHERE {
        assert!(text.contains(&flat(sentence)), "the reference no longer says: {sentence}");
    }
}

#[test]
fn the_examples_of_what_is_promised_are_there() {
    let cases = cases();
    for (sentence, stems) in TABLE.iter().chain(ELSEWHERE) {
        assert!(!stems.is_empty(), "{sentence}");
        for stem in *stems {
            assert!(cases.contains_key(*stem), "{sentence}: tests/diagnostics/{stem} is not there");
        }
    }
}
