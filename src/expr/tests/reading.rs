//! What is an expression, what is none, and what each error points at.

use crate::expr::{SyntaxErrorKind, parse};
use crate::limits::{EXPR_BYTES_MAX, EXPR_DEPTH_MAX};

/// What is underlined, the message, and the help.
fn refused(text: &str) -> (SyntaxErrorKind, String) {
    let error = parse(text).expect_err(text);
    let at = text.get(error.at.clone()).unwrap_or_else(|| panic!("{text}: {:?}", error.at));
    (error.kind, format!("[{at}] {error}"))
}

use SyntaxErrorKind::{Function, Syntax};

/// Text, kind, and `[what is underlined] message; help`.
const REFUSED: &[(&str, SyntaxErrorKind, &str)] = &[
    ("", Syntax, "[] an expression is missing"),
    ("a.b = 1", Syntax, "[=] `=` has no meaning here; equality is `==`"),
    (
        "a and b",
        Syntax,
        "[and] `and` stands where the expression had ended; both conditions is `&&`",
    ),
    ("not a", Syntax, "[a] `a` stands where the expression had ended; the opposite is `!`"),
    (
        "a not in b",
        Syntax,
        "[not] `not` stands where the expression had ended; the opposite of `a in b` is `!(a \
             in b)`",
    ),
    ("a & b", Syntax, "[&] `&` has no meaning here; both conditions is `&&`"),
    (
        "${{ a }}",
        Syntax,
        "[$] `$` has no meaning here; a condition is written bare, without `${{ }}`",
    ),
    (
        "1 < a < 3",
        Syntax,
        "[<] `<` stands where the expression had ended; comparisons do not chain; write `a < \
             b && b < c`",
    ),
    ("a ==", Syntax, "[] a value is missing at the end"),
    ("(a", Syntax, "[] `)` is missing after what `(` opened, found the end"),
    ("a ? b", Syntax, "[] `:` is missing after the first choice of `? :`, found the end"),
    ("a.1", Syntax, "[.1] `0.1` stands where the expression had ended"),
    ("'abc", Syntax, "['abc] a string that ' does not close"),
    (
        "\"a\\q\"",
        Syntax,
        "[\\q] an escape that cannot be read; known are \\n \\t \\r \\\\ \\\" \\' \\xHH \
             \\uHHHH \\UHHHHHHHH and \\OOO",
    ),
    (
        "5u",
        Syntax,
        "[5u] a number does not end with `u`; there are no unsigned integers; leave the `u` \
             out",
    ),
    (
        "9223372036854775808",
        Syntax,
        "[9223372036854775808] an integer that does not fit in 64 bits",
    ),
    (
        "99999999999999999999",
        Syntax,
        "[99999999999999999999] `99999999999999999999` is no number that fits",
    ),
    ("b'x'", Syntax, "[b'] there are no byte strings here; write a plain string, without `b`"),
    ("import", Syntax, "[import] `import` is a reserved word of CEL"),
    ("{'a': 1, 'a': 2}", Syntax, "['a'] the key `a` stands twice in one map"),
    (
        "\u{201c}a\u{201d}",
        Syntax,
        "[\u{201c}] `\u{201c}` has no meaning here; strings are quoted with plain \" or '",
    ),
    (
        "startswith(a, b)",
        Function,
        "[startswith] there is no function `startswith`; did you mean `startsWith`?",
    ),
    (
        "startsWith(a, b)",
        Function,
        "[startsWith] `startsWith` has other arguments; it is written `text.startsWith(part)`",
    ),
    (
        "a.startsWith()",
        Function,
        "[startsWith] `startsWith` has other arguments; it is written `text.startsWith(part)`",
    ),
    (
        "len(a)",
        Function,
        "[len] there is no function `len`; the number of elements or characters is `size(x)`",
    ),
    (
        "timestamp(a)",
        Function,
        "[timestamp] there is no function `timestamp`; instants are texts like `saga.now`, which \
         `<` compares; to wait there are `delay` and `timeout`",
    ),
    (
        "has(a)",
        Function,
        "[a] `has` asks whether a field has a value; it is written `has(trigger.field)`",
    ),
    (
        "a.all(x)",
        Function,
        "[all] `all` has other arguments; it is written `list.all(x, condition)`",
    ),
    (
        "a.all(x, b.all(x, true))",
        Syntax,
        "[x] `x` already names the element of the list around; choose another name",
    ),
    (
        "a.matches(b)",
        Function,
        "[b] the pattern of `matches` is a literal; for parts that vary there are \
             `startsWith`, `endsWith`, `contains`",
    ),
    ("a.matches('(')", Syntax, "['('] a pattern that cannot be used: error: unclosed group"),
];

#[test]
fn what_cannot_be_read_says_where_and_how() {
    for (text, kind, expected) in REFUSED {
        assert_eq!(refused(text), (*kind, (*expected).to_owned()), "{text}");
    }
}

#[test]
fn what_is_too_long_or_too_deep_is_refused_before_it_costs_anything() {
    let deep = 20_000;
    for text in [
        "(".repeat(EXPR_DEPTH_MAX + 1),
        format!("{}1{}", "(".repeat(40), ")".repeat(40)),
        format!("{}true", "!".repeat(40)),
        format!("{}1", "- ".repeat(40)),
        format!("{}{}", "[".repeat(40), "]".repeat(40)),
        format!("a{}", "[0]".repeat(40)),
        format!("a[0]{}", ".b".repeat(40)),
        format!("1{}", " + 1".repeat(40)),
        format!("{}3", "true ? 1 : ".repeat(40)),
        "(".repeat(deep),
        "!".repeat(deep),
        "[1, ".repeat(deep),
        "x".repeat(EXPR_BYTES_MAX + 1),
        "'a'.matches('(((((a{100}){100}){100}){100}){100})')".to_owned(),
    ] {
        let error = parse(&text).expect_err(&text);
        assert_eq!(error.kind, SyntaxErrorKind::TooLarge, "{error}");
        assert!(error.at.end <= text.len());
    }
    // Long is not deep.
    let wide = vec!["a.b == 1"; 200].join(" || ");
    parse(&wide).expect("two hundred arms are one level");
}

#[test]
fn an_expression_written_out_again_is_the_same_expression() {
    for text in [
        "a.b == c.d && (e || !f.g) || h in [1, 2]",
        "(a + b) * c - (d - e) / f % g",
        "-(-1) + -a",
        "a - (b - c)",
        "(a ? b : c) ? d : e ? f : g",
        "!(a && b)",
        "(a == b) == c",
        "{\"k\": [1, 2.5, null]}.k[0]",
        "a[\"x-y\"].b",
        "x.all(i, has(i.a) && i.a.matches(\"^\\\\d+$\"))",
        "x.map(i, i > 1, i * 2).filter(j, j != 4)",
        "size(a.startsWith(\"b\") ? [a] : distinct(c))",
        "(-1).x",
        "(a || b) || c",
    ] {
        let ast = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(ast.to_string(), text);
    }
}

#[test]
fn an_expression_is_shared_between_threads() {
    fn is_shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    is_shared(&parse("a.b.matches('x')").expect("an expression"));
}
