//! Which conditions pin an event to a saga, and what an expression reads.

use crate::expr::{parse, pins, reads};

const BOUND: [&str; 5] = ["trigger", "input", "vars", "steps", "pane"];

fn pinned(text: &str) -> Option<String> {
    let ast = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let pins = pins(&ast, &BOUND)?;
    let sign = |one_of| if one_of { " in " } else { "=" };
    let words =
        pins.iter().map(|pin| format!("{}{}{}", pin.field.join("."), sign(pin.one_of), pin.value));
    Some(words.collect::<Vec<_>>().join(" | "))
}

#[test]
fn each_arm_of_a_condition_pins_or_the_condition_does_not() {
    for (text, expected) in [
        ("event.label == input.label", Some("label=input.label")),
        ("input.label == event.label", Some("label=input.label")),
        ("event.pane.id == pane.id", Some("pane.id=pane.id")),
        ("event['a-b'] == input.x", Some("a-b=input.x")),
        ("event.id == 'ws-' + input.id", Some("id='ws-' + input.id")),
        ("event.n > 1 && event.id == vars.id && event.ok", Some("id=vars.id")),
        ("event.a == input.a || event.b == steps.s.echo.b", Some("a=input.a | b=steps.s.echo.b")),
        ("(event.a == input.a || event.b == input.b) && event.ok", Some("a=input.a | b=input.b")),
        ("(event.a == input.a || event.b == input.b) && event.c == input.c", Some("c=input.c")),
        ("event.id in vars.ids", Some("id in vars.ids")),
        ("event.id in vars.ids && event.k == input.k", Some("id in vars.ids")),
        ("event.id in ['a', 'b']", None),
        ("input.id in event.ids", None),
        ("!(event.id in vars.ids)", None),
        ("event.label == 'main'", None),
        ("event.label != input.label", None),
        ("event.a == input.a || event.ok", None),
        ("event.a == event.b", None),
        ("event.a == input.a + event.b", None),
        ("event.id == saga.id", None),
        ("!(event.a == input.a)", None),
        ("event.ok ? event.a == input.a : true", None),
        ("event == input.a", None),
        ("event.ids.exists(x, x == input.id)", None),
        ("event.ids[0] == input.id", None),
        ("true", None),
    ] {
        let expected = expected.map(|text| text.replace('\'', "\""));
        assert_eq!(pinned(text), expected, "{text}");
    }
}

#[test]
fn all_that_is_read_is_named_with_its_place() {
    let text = "has(vars.a) && steps.s.echo['x-y'] in input.l.map(i, i.n + vars.b[vars.c])";
    let found: Vec<(String, &str, bool)> = reads(&parse(text).expect(text))
        .into_iter()
        .map(|read| (read.path.join("/"), &text[read.at], read.is_asked))
        .collect();
    let expected = [
        ("vars/a", "vars.a", true),
        ("steps/s/echo/x-y", "steps.s.echo['x-y']", false),
        ("input/l", "input.l", false),
        ("vars/b", "vars.b", false),
        ("vars/c", "vars.c", false),
    ];
    assert_eq!(found, expected.map(|(path, at, asked)| (path.to_owned(), at, asked)));
}
