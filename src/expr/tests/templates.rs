//! Text with holes: what keeps its type, what becomes text, what stays as written.

use std::sync::Arc;

use serde_json::json;

use super::names;
use crate::expr::template::length;
use crate::expr::{EvalErrorKind, Template, eval_fields, parse_template};
use crate::limits::PAYLOAD_BYTES_MAX;

#[test]
fn a_whole_hole_keeps_its_type_and_text_takes_words() {
    for (text, expected) in [
        ("plain", json!("plain")),
        ("", json!("")),
        ("${{ trigger.count }}", json!(3)),
        ("${{ input.ids }}", json!(["a", "b", "c"])),
        ("${{trigger.flag}}", json!(false)),
        ("ws-${{ saga.id }}", json!("ws-12")),
        ("${{ trigger.label }}/${{ trigger.count }}: ${{ trigger.flag }}", json!("main/3: false")),
        ("${{ trigger.count }} ", json!("3 ")),
        ("$${{ not a hole }}", json!("${{ not a hole }}")),
        ("a $${{ b }} ${{ saga.id }}", json!("a ${{ b }} 12")),
        ("$ {{ x }} }} ${", json!("$ {{ x }} }} ${")),
        ("${{ {'a': {'b': 1}} }}", json!({"a": {"b": 1}})),
        ("${{ {'a': {'b': 1}}}}", json!({"a": {"b": 1}})),
        ("${{ '}}' + \"}}\" }}", json!("}}}}")),
        ("é ${{ trigger.label }} é", json!("é main é")),
    ] {
        let template = parse_template(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(template.eval(&names()).as_ref(), Ok(&expected), "{text}");
    }
}

#[test]
fn a_value_that_is_no_word_does_not_become_text() {
    for (text, expected) in [
        ("x ${{ input.ids }}", "`input.ids` is a list; text takes strings, integers and booleans"),
        (
            "x ${{ input.ratio }}",
            "`input.ratio` is a number; text takes strings, integers and booleans",
        ),
        (
            "x ${{ input.nothing }}",
            "`input.nothing` is null; text takes strings, integers and booleans",
        ),
        ("x ${{ vars.nobody }}", "`vars.nobody` has no value"),
    ] {
        let error = parse_template(text).expect(text).eval(&names()).expect_err(text);
        assert_eq!(error.message, expected);
    }
}

#[test]
fn an_error_in_a_hole_points_into_the_whole_text() {
    for (text, marked, message) in [
        ("ab ${{ 1 + }} cd", "", "a value is missing at the end"),
        ("ab ${{ a = b }}", "=", "`=` has no meaning here"),
        ("ab ${{ x", "${{", "a `${{` that `}}` does not close"),
        ("ab ${{ }}", "", "an expression is missing"),
        ("ab ${{ 'x }}", "'x ", "a string that ' does not close"),
        ("é ${{ a b }}", "b", "`b` stands where the expression had ended"),
    ] {
        let error = parse_template(text).expect_err(text);
        assert_eq!((&text[error.at.clone()], error.message.as_str()), (marked, message), "{text}");
    }
}

#[test]
fn values_that_go_out_together_are_bounded_together() {
    let copies = |text: &str, many: usize| -> Vec<(Arc<str>, Template)> {
        let template = parse_template(text).expect(text);
        (0..many).map(|n| (n.to_string().into(), template.clone())).collect()
    };
    let word = "x\"\n\u{1}\u{e9}".repeat(100);
    let long = format!("${{{{ '{}' }}}}", "y".repeat(3_998));
    let fits = PAYLOAD_BYTES_MAX / 4_000;
    assert!(eval_fields(&copies(&long, fits), &names()).is_ok());
    let more = copies(&long, fits + 1);
    let (name, error) = eval_fields(&more, &names()).expect_err("too long");
    assert_eq!((name, error.kind), (&*fits.to_string(), EvalErrorKind::Limit));
    let values = [json!(word), json!([1, -1, 0.5, 1e15, true, null, "", {"a": {"b\t": []}}])];
    for value in values {
        let (counted, written) = (length(&value), value.to_string().len());
        assert!(counted >= written && counted <= written + 100, "{value}: {counted}");
    }
}

#[test]
fn a_tree_of_templates_is_filled_in_order() {
    let hole = |text: &str| parse_template(text).expect(text);
    let tree = Template::Map(vec![
        ("z".to_owned(), Template::List(vec![hole("${{ saga.id }}"), hole("x")])),
        ("a".to_owned(), Template::Literal(json!(1))),
    ]);
    let value = tree.eval(&names()).expect("all is set");
    assert_eq!(value.to_string(), r#"{"z":[12,"x"],"a":1}"#);
}
