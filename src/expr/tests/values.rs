//! What expressions compute, and what keeps them from it.

use serde_json::json;

use super::{Names, names};
use crate::expr::same::same;
use crate::expr::{EvalErrorKind, eval, eval_bool, key_text, parse};
use crate::limits::EXPR_VISITS_MAX;

fn check(text: &str, expected: &serde_json::Value) {
    let ast = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let names = names();
    let found = eval(&ast, &names).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(*found, *expected, "{text}");
}

fn fails(text: &str, kind: EvalErrorKind) -> String {
    let ast = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let error = eval(&ast, &names()).expect_err(text);
    assert_eq!(error.kind, kind, "{text}: {error}");
    error.message
}

#[test]
fn an_expression_has_the_value_that_cel_gives_it() {
    for (text, expected) in [
        ("1 + 2 * 3 - 4 / 2", json!(5)),
        ("-7 / 2", json!(-3)),
        ("-7 % 3", json!(-1)),
        ("1.5 + 2.0", json!(3.5)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("0x1F", json!(31)),
        (".5e1", json!(5.0)),
        ("'a' + \"b\" + r'\\n'", json!("ab\\n")),
        ("\"tab\\t\\u00e9\\x41\\101\"", json!("tab\té\u{41}A")),
        ("'''it's'''", json!("it's")),
        ("[1, 2,] + [3]", json!([1, 2, 3])),
        ("{'a': 1, 'b': [true, null]}", json!({"a": 1, "b": [true, null]})),
        ("{'a': 1}.a", json!(1)),
        ("{'a': {'b': 2}}['a'].b", json!(2)),
        ("[1, 2, 3][1]", json!(2)),
        ("trigger.label", json!("main")),
        ("trigger['a-b']", json!("dash")),
        ("event.items[0].n", json!(1)),
        ("trigger.flag ? 'yes' : trigger.count > 2 ? 'many' : 'few'", json!("many")),
        ("size('h\u{e9}') + size([1]) + size({'a': 1}) + input.ids.size()", json!(7)),
        ("int('42') + int(2.9) + int(-2.9)", json!(42)),
        ("double(2) + double('0.5')", json!(2.5)),
        ("[bool('true'), bool('0'), bool(true)]", json!([true, false, true])),
        ("string(2.0) + string(true) + string(-3) + string('x')", json!("2true-3x")),
        ("distinct([1, 1.0, 'a', 'a', [1], [1.0]])", json!([1, "a", [1]])),
        ("input.ids.filter(x, x != 'b')", json!(["a", "c"])),
        ("input.ids.map(x, x + '!')", json!(["a!", "b!", "c!"])),
        ("[1, 2, 3].map(x, x > 1, x * 10)", json!([20, 30])),
        ("[1, 2].map(x, [3, 4].map(y, x * y))", json!([[3, 4], [6, 8]])),
        ("event.items.map(i, i.id)", json!(["a", "b"])),
        ("// a remark\n trigger.count // another", json!(3)),
        ("trigger.price + 0.5", json!(2.5)),
    ] {
        check(text, &expected);
    }
}

#[test]
fn a_condition_is_true_or_false() {
    for text in [
        "trigger.label == input.label && !trigger.flag",
        "1 == 1.0 && 2 < 2.5 && 9007199254740993 != 9007199254740992.0",
        "9007199254740993 > 9007199254740992.0 && 3 >= 3.0 && -1.5 < -1",
        "'a' < 'b' && 'a' <= 'a' && 'b' > 'a' && 'b' >= 'b'",
        "[1, {'a': 2}] == [1.0, {'a': 2.0}] && [1] != [1, 2]",
        "{'a': 1, 'b': 2} == {'b': 2, 'a': 1}",
        "'b' in input.ids && !('z' in input.ids) && 'label' in trigger",
        "1.0 in [1]",
        "has(trigger.label) && !has(trigger.nobody) && has(input.nothing)",
        "!has(steps.drain.echo.index) && has(steps.reap.echo.index)",
        "has(event.items[0].n) && !has(event.items[1].n)",
        "input.nothing == null && trigger.label != null",
        "trigger.label.startsWith('ma') && trigger.label.endsWith('in')",
        "trigger.label.contains('ai') && trigger.label.matches('^m.+n$')",
        "matches('abc', 'b')",
        "[1, 2, 3].all(x, x > 0) && [1, 2, 3].exists(x, x == 2) && [1, 2].exists_one(x, x > 1)",
        "[].all(x, false) && ![].exists(x, true)",
        "event.items.all(i, i.id in input.ids)",
        "input.ids.exists(x, event.items.exists(y, y.id == x && has(y.n)))",
        "true || false && false",
        "!(true && false) == true",
    ] {
        let ast = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let found = eval_bool(&ast, &names());
        assert!(found.as_ref().is_ok_and(|truth| *truth), "{text}: {found:?}");
    }
}

#[test]
fn a_part_that_decides_makes_up_for_one_without_a_value() {
    for (text, expected) in [
        ("vars.nobody && false", false),
        ("false && vars.nobody", false),
        ("vars.nobody || true", true),
        ("true || vars.nobody", true),
        ("[1, 0].exists(x, 4 / x == 4)", true),
        ("[0, 5].all(x, 4 / x > 1)", false),
    ] {
        let ast = parse(text).expect(text);
        assert_eq!(eval_bool(&ast, &names()), Ok(expected), "{text}");
    }
    for text in ["vars.nobody && true", "vars.nobody || false", "[0, 1].all(x, 4 / x > 1)"] {
        let ast = parse(text).expect(text);
        eval_bool(&ast, &names()).expect_err(text);
    }
}

#[test]
fn what_has_no_value_says_why() {
    use EvalErrorKind::{Conversion, DivisionByZero, Missing, Overflow, Type};
    for (text, kind, message) in [
        ("steps.drain.echo.index", Missing, "`steps.drain.echo.index` has no value"),
        ("event.items[2]", Missing, "`event.items[2]`: there is no element 2"),
        ("event.items[-1]", Missing, "`event.items[-1]`: there is no element -1"),
        ("event.items[1].n + 1", Missing, "`event.items[1].n` has no value"),
        ("9223372036854775807 + 1", Overflow, "`9223372036854775807 + 1` does not fit in a number"),
        ("-(-9223372036854775808)", Overflow, "`-(-9223372036854775808)` does not fit in a number"),
        ("9223372036854775807 * 9223372036854775807", Overflow, ""),
        ("-9223372036854775808 / -1", Overflow, ""),
        ("-9223372036854775808 % -1", Overflow, ""),
        ("1e308 * 10.0", Overflow, ""),
        ("int(1e300)", Overflow, ""),
        ("1 / (trigger.count - 3)", DivisionByZero, "`1 / (trigger.count - 3)` divides by zero"),
        ("1 % (trigger.count - 3)", DivisionByZero, ""),
        ("1.0 / 0.0", DivisionByZero, ""),
        ("1.5 % 1.0", Type, "`1.5 % 1.0` is not for numbers with a fraction"),
        ("'a' + 1", Type, "`+` is not for a string and an integer"),
        ("'a' < 1", Type, "`<` is not for a string and an integer"),
        ("true < false", Type, ""),
        ("1 in 2", Type, "`in` is not for an integer and an integer"),
        ("size(1)", Type, "`size` is not for an integer"),
        ("-'a'", Type, "`-` is not for a string"),
        ("int('4x')", Conversion, "\"4x\" is no integer"),
        ("bool('yes')", Conversion, "\"yes\" is no boolean"),
        ("double('many')", Conversion, "\"many\" is no number"),
        ("double('NaN')", Overflow, ""),
        ("string([1])", Type, ""),
        ("input.ids.all(x, x)", Type, "a condition is true or false, not a string"),
        ("trigger.label.all(x, true)", Type, "`all` is not for a string"),
        ("trigger.label ? 1 : 2", Type, "a condition is true or false, not a string"),
        ("{trigger.label: 1, 'main': 2}", Type, "the key `main` stands twice in one map"),
    ] {
        let found = fails(text, kind);
        assert!(message.is_empty() || found == message, "{text}: {found}");
    }
}

#[test]
fn an_evaluation_does_bounded_work() {
    let list: Vec<u64> = (0..1_000).collect();
    let scope = Names(json!({ "input": { "list": list, "text": "a".repeat(1_000_000) } }));
    for text in [
        "input.list.all(x, input.list.all(y, input.list.all(z, z >= 0)))",
        "input.list.map(x, input.list)",
        "input.list.map(x, input.list.filter(y, y < x))",
        "input.list.all(x, input.text.contains('b') || true)",
        "input.list.all(x, x in input.list)",
        "input.list.all(x, input.text == input.text)",
        "input.list.map(x, input.text + input.text)",
        "input.list.exists(x, input.text.matches('(a|aa)+$') && false)",
    ] {
        let ast = parse(text).expect(text);
        let error = eval(&ast, &scope).expect_err(text);
        assert_eq!(error.kind, EvalErrorKind::Limit, "{text}: {error}");
        assert!(error.message.contains(&EXPR_VISITS_MAX.to_string()), "{error}");
    }
}

#[test]
fn an_index_key_is_one_exactly_for_values_that_are_the_same() {
    let values = [
        json!(null),
        json!(true),
        json!("true"),
        json!("1"),
        json!(1),
        json!(1.0),
        json!(1.5),
        json!(-0.0),
        json!(0),
        json!(u64::MAX),
        json!(18446744073709551615.0),
        json!(9007199254740993_u64),
        json!(9007199254740992.0),
        json!(1e40),
        json!(["a", 1]),
        json!(["a", 1.0]),
        json!(["a,1"]),
        json!({"a": 1, "b": 2}),
        json!({"b": 2, "a": 1}),
        json!("a\"b"),
        json!("a\\\"b"),
    ];
    for a in &values {
        for b in &values {
            assert_eq!(same(a, b), key_text(a) == key_text(b), "{a} and {b}");
        }
    }
}
