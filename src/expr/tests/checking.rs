//! What the checker finds before anything runs, what guards prove to it, and what types it gives.

use std::collections::BTreeMap;

use serde_json::json;

use crate::expr::{
    Env, Facts, Field, ObjectType, Presence, Type, TypeErrorKind, check, expect_bool,
    facts_when_true, json_schema_type, parse,
};

/// One step that may have failed, a variable that it sets, and one set by either of two steps.
fn env() -> Env {
    let path = |text: &str| -> Vec<Box<str>> { text.split('.').map(Box::from).collect() };
    let unless = |guards: &[(&str, &str)]| Presence::Unless {
        when: guards.iter().map(|(step, word)| (path(step), (*word).to_owned())).collect(),
        why: "`reap` may have failed".to_owned(),
    };
    let optional = |ty| Field { ty, presence: Presence::Optional };
    let object = |fields: Vec<(&str, Field)>| {
        let fields: BTreeMap<String, Field> =
            fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect();
        Type::Object(ObjectType { fields, open: false })
    };
    let outcome = || {
        let words = ["succeeded", "failed", "in_doubt", "skipped"];
        Field::always(Type::Word(words.map(str::to_owned).into()))
    };
    let echo = object(vec![("index", Field::always(Type::Int)), ("note", optional(Type::String))]);
    let set_by = |steps: &[(&str, &str)], ty| Field { ty, presence: unless(steps) };
    let reaped = [("steps.reap.outcome", "succeeded")];
    let either = [
        ("steps.reap.outcome", "succeeded"),
        ("steps.reap.outcome", "in_doubt"),
        ("steps.drain.outcome", "succeeded"),
    ];
    let steps = object(vec![
        (
            "reap",
            Field::always(object(vec![("outcome", outcome()), ("echo", set_by(&reaped, echo))])),
        ),
        ("drain", Field::always(object(vec![("outcome", outcome())]))),
    ]);
    let item = object(vec![("id", Field::always(Type::String)), ("n", optional(Type::Int))]);
    let trigger = object(vec![
        ("label", Field::always(Type::String)),
        ("count", Field::always(Type::Int)),
        ("price", Field::always(Type::Double)),
        ("flag", Field::always(Type::Bool)),
        ("note", optional(Type::String)),
        ("deep", optional(object(vec![("id", optional(Type::String))]))),
        ("mode", Field::always(Type::Word(["fast", "slow"].map(str::to_owned).into()))),
        ("items", Field::always(Type::list(item))),
        ("ids", Field::always(Type::list(Type::String))),
        ("any", Field::always(Type::Dyn)),
    ]);
    let vars =
        object(vec![("index", set_by(&reaped, Type::Int)), ("by", set_by(&either, Type::Int))]);
    let roots = [("trigger", trigger), ("vars", vars), ("steps", steps)];
    Env { roots: roots.map(|(name, ty)| (name.to_owned(), ty)).into() }
}

/// The type, then each finding as `[what is underlined] message; help`.
fn found(text: &str) -> (Type, Vec<(TypeErrorKind, String)>) {
    let ast = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let (ty, wrong) = check(&ast, &env(), &Facts::default());
    let wrong = wrong.into_iter().map(|error| {
        let help = error.help.map(|help| format!("; {help}")).unwrap_or_default();
        (error.kind, format!("[{}] {}{help}", &text[error.at], error.message))
    });
    (ty, wrong.collect())
}

#[test]
fn a_sound_expression_has_a_type_and_no_findings() {
    let text = || Type::String;
    for (expression, expected) in [
        ("trigger.label == 'main' && !trigger.flag", Type::Bool),
        ("trigger.count + 1", Type::Int),
        ("trigger.price / 2.0 + double(trigger.count)", Type::Double),
        ("double(trigger.price) / trigger.price", Type::Double),
        ("trigger.count < trigger.price", Type::Bool),
        ("bool(trigger.label) == trigger.flag", Type::Bool),
        ("trigger.label + 'x'", text()),
        ("trigger.flag ? 'a' : 'b'", Type::Word(["a", "b"].map(str::to_owned).into())),
        ("trigger.flag ? trigger.label : 'b'", text()),
        ("trigger.flag ? 1 : 2.5", Type::Double),
        ("trigger.ids + ['x']", Type::list(Type::String)),
        ("trigger.items.filter(i, i.id != '').map(i, i.id)", Type::list(Type::String)),
        ("trigger.items.map(i, has(i.n), i.n)", Type::list(Type::Int)),
        ("trigger.ids[0]", text()),
        ("trigger['label']", text()),
        ("size(trigger.ids) + size(trigger.label)", Type::Int),
        ("distinct(trigger.ids)", Type::list(Type::String)),
        ("string(trigger.mode) == 'fast'", Type::Bool),
        ("trigger.any.whatever.comes + 1", Type::Dyn),
        ("trigger.any[0] == 1 && trigger.any == 'x' && trigger.any", Type::Bool),
        ("{'a': trigger.count}.a", Type::Int),
        ("trigger.mode in ['fast', 'slow'] && 'label' in trigger", Type::Bool),
    ] {
        assert_eq!(found(expression), (expected, Vec::new()), "{expression}");
    }
}

/// Expression, kind, finding.
const WRONG: &[(&str, TypeErrorKind, &str)] = &[
    (
        "triger.label == 'x'",
        TypeErrorKind::UnknownName,
        "[triger] there is no `triger` here; did you mean `trigger`?",
    ),
    (
        "trigger.label == main",
        TypeErrorKind::UnknownName,
        "[main] there is no `main` here; there are `steps`, `trigger`, `vars` here; \
         a string stands in quotes",
    ),
    (
        "trigger.lable == 'x'",
        TypeErrorKind::UnknownField,
        "[lable] there is no `lable` in `trigger`; did you mean `label`?",
    ),
    (
        "steps.reap.result",
        TypeErrorKind::UnknownField,
        "[result] there is no `result` in `steps.reap`; there are `echo`, `outcome`",
    ),
    (
        "trigger.ids.length > 1",
        TypeErrorKind::UnknownField,
        "[length] `trigger.ids` is a list, which has no field `length`; \
         how many there are is `size(trigger.ids)`",
    ),
    (
        "trigger.items.id == 'x'",
        TypeErrorKind::UnknownField,
        "[id] `trigger.items` is a list, which has no field `id`; one element is \
         `trigger.items[0]`; all of them are seen by `all`, `exists`, `filter`, `map`",
    ),
    (
        "has(trigger.nobody)",
        TypeErrorKind::UnknownField,
        "[nobody] there is no `nobody` in `trigger`; there are `any`, `count`, `deep`, `flag`, \
         `ids`, `items`, `label`, `mode`, `note`, `price`",
    ),
    (
        "trigger.count == '3'",
        TypeErrorKind::MixedTypes,
        "[trigger.count == '3'] `trigger.count` is an integer, `\"3\"` is a string: \
         they are never the same; compare alike: `string(trigger.count)`",
    ),
    (
        "trigger.flag == 'true'",
        TypeErrorKind::MixedTypes,
        "[trigger.flag == 'true'] `trigger.flag` is a boolean, `\"true\"` is a string: \
         they are never the same; true and false stand without quotes",
    ),
    (
        "trigger.label == null",
        TypeErrorKind::MixedTypes,
        "[trigger.label == null] `trigger.label` is a string, `null` is null: \
         they are never the same; whether a field has a value is `has(trigger.label)`",
    ),
    (
        "trigger.label < 3",
        TypeErrorKind::MixedTypes,
        "[trigger.label < 3] `trigger.label` is a string, `3` is an integer: \
         they have no order; compare alike: `string(3)`",
    ),
    (
        "trigger.flag < true",
        TypeErrorKind::WrongType,
        "[trigger.flag] `<` orders numbers and strings, not a boolean",
    ),
    (
        "trigger.count in trigger.ids",
        TypeErrorKind::MixedTypes,
        "[trigger.count in trigger.ids] `trigger.count` is an integer, \
         and each element of `trigger.ids` is a string",
    ),
    (
        "'a' in trigger.label",
        TypeErrorKind::WrongType,
        "[trigger.label] `in` looks into a list, and `trigger.label` is a string; \
         a part of a text: `trigger.label.contains(\"a\")`",
    ),
    (
        "trigger.label + 1",
        TypeErrorKind::MixedTypes,
        "[trigger.label + 1] `+` is not for a string and an integer; write `string(1)`",
    ),
    (
        "trigger.price * 2",
        TypeErrorKind::MixedTypes,
        "[trigger.price * 2] `*` is not for a number and an integer; write `2.0`",
    ),
    (
        "trigger.count + trigger.price",
        TypeErrorKind::MixedTypes,
        "[trigger.count + trigger.price] `+` is not for an integer and a number; \
         write `double(trigger.count)`",
    ),
    (
        "trigger.price / trigger.price",
        TypeErrorKind::WrongType,
        "[trigger.price / trigger.price] `trigger.price` and `trigger.price` may come as \
         integers, which lose the rest; write `double(trigger.price) / trigger.price`",
    ),
    (
        "trigger.flag + trigger.flag",
        TypeErrorKind::WrongType,
        "[trigger.flag + trigger.flag] `+` is not for a boolean and a boolean",
    ),
    (
        "trigger.count / 0",
        TypeErrorKind::WrongType,
        "[trigger.count / 0] `trigger.count / 0` divides by zero",
    ),
    (
        "-trigger.label",
        TypeErrorKind::WrongType,
        "[trigger.label] `-` is for numbers, and `trigger.label` is a string",
    ),
    (
        "!trigger.count",
        TypeErrorKind::WrongType,
        "[trigger.count] a condition is true or false, and `trigger.count` is an integer; \
         compare it with something",
    ),
    (
        "trigger.ids || true",
        TypeErrorKind::WrongType,
        "[trigger.ids] a condition is true or false, and `trigger.ids` is a list; \
         whether it has elements is `size(trigger.ids) > 0`",
    ),
    (
        "trigger.flag ? 1 : 'a'",
        TypeErrorKind::MixedTypes,
        "['a'] the choices differ: `1` is an integer, `\"a\"` is a string",
    ),
    (
        "trigger.ids['a']",
        TypeErrorKind::UnknownField,
        "[trigger.ids['a']] `trigger.ids` is a list, which has no field `a`; one element is \
         `trigger.ids[0]`; all of them are seen by `all`, `exists`, `filter`, `map`",
    ),
    (
        "trigger.ids[trigger.label]",
        TypeErrorKind::WrongType,
        "[trigger.label] `trigger.label` is a string, which is no index",
    ),
    (
        "trigger.mode == 'fsat'",
        TypeErrorKind::UnknownWord,
        "['fsat'] `trigger.mode` is never \"fsat\"; it is one of \"fast\", \"slow\"; \
         did you mean \"fast\"?",
    ),
    (
        "'quick' != trigger.mode",
        TypeErrorKind::UnknownWord,
        "['quick'] `trigger.mode` is never \"quick\"; it is one of \"fast\", \"slow\"",
    ),
    (
        "steps.reap.outcome in ['succeeded', 'done']",
        TypeErrorKind::UnknownWord,
        "['done'] `steps.reap.outcome` is never \"done\"; \
         it is one of \"failed\", \"in_doubt\", \"skipped\", \"succeeded\"",
    ),
    (
        "trigger.note == 'x'",
        TypeErrorKind::Optional,
        "[note] `trigger.note` is optional and may be missing; ask first: \
         `has(trigger.note) && …` or `has(trigger.note) ? trigger.note : …`",
    ),
    (
        "vars.index > 1",
        TypeErrorKind::NotSet,
        "[index] `vars.index` may not be set here: `reap` may have failed; read it behind \
         `has(vars.index)`, or behind `steps.reap.outcome == \"succeeded\"`",
    ),
    (
        "steps.reap.echo.index",
        TypeErrorKind::NotSet,
        "[echo] `steps.reap.echo` may not be set here: `reap` may have failed; read it behind \
         `has(steps.reap.echo)`, or behind `steps.reap.outcome == \"succeeded\"`",
    ),
    (
        "size(trigger.count)",
        TypeErrorKind::Function,
        "[trigger.count] `size` is for a string, a list or an object, \
         and `trigger.count` is an integer",
    ),
    (
        "trigger.count.startsWith('1')",
        TypeErrorKind::Function,
        "[trigger.count] `startsWith` is for strings, and `trigger.count` is an integer",
    ),
    (
        "trigger.label.all(x, true)",
        TypeErrorKind::Function,
        "[trigger.label] `all` is for a list, and `trigger.label` is a string",
    ),
    (
        "trigger.ids.all(vars, true)",
        TypeErrorKind::UnknownName,
        "[true] `vars` already names something else here; choose another name for the element",
    ),
    (
        "trigger.items.all(i, i.n > 1)",
        TypeErrorKind::Optional,
        "[n] `i.n` is optional and may be missing; ask first: `has(i.n) && …` or \
         `has(i.n) ? i.n : …`",
    ),
    (
        "trigger.items[0].n > 1",
        TypeErrorKind::Optional,
        "[n] `trigger.items[0].n` is optional and may be missing; ask first: \
         `has(trigger.items[0].n) && …` or `has(trigger.items[0].n) ? trigger.items[0].n : …`",
    ),
];

#[test]
fn a_mistake_is_said_once_with_its_place_and_cure() {
    for (text, kind, expected) in WRONG {
        let (_, wrong) = found(text);
        assert_eq!(wrong, [(*kind, (*expected).to_owned())], "{text}");
    }
}

#[test]
fn all_mistakes_are_said_at_once() {
    let (_, wrong) = found("trigger.lable == 1 && trigger.count == 'x' || size(3) > trigger.mod");
    let kinds: Vec<TypeErrorKind> = wrong.into_iter().map(|(kind, _)| kind).collect();
    use TypeErrorKind::{Function, MixedTypes, UnknownField};
    assert_eq!(kinds, [UnknownField, MixedTypes, Function, UnknownField]);
}

#[test]
fn a_guard_proves_what_stands_behind_it() {
    for text in [
        "has(trigger.note) && trigger.note == 'x'",
        "!has(trigger.note) || trigger.note == 'x'",
        "has(trigger.note) ? trigger.note == 'x' : false",
        "!has(trigger.note) ? false : trigger.note == 'x'",
        "!(has(trigger.note) && trigger.flag) || trigger.note == 'x'",
        "trigger.flag && has(trigger.note) && (trigger.count > 1 || trigger.note == 'x')",
        "has(trigger.deep.id) && trigger.deep.id == 'x'",
        "has(trigger.deep) && has(trigger.deep.id) && trigger.deep.id == 'x'",
        "has(trigger.items[0].n) && trigger.items[0].n > 1",
        "trigger.items.all(i, has(i.n) && i.n > 1)",
        "has(vars.index) && vars.index > 1",
        "steps.reap.outcome == 'succeeded' && vars.index > 1 && steps.reap.echo.index > 1",
        "'succeeded' == steps.reap.outcome && vars.index > 1",
        "steps.reap.outcome != 'succeeded' || vars.index > 1",
        "!(steps.reap.outcome != 'succeeded') && vars.index > 1",
        "steps.reap.outcome in ['succeeded'] && vars.index > 1",
        "!(steps.reap.outcome in ['failed', 'in_doubt', 'skipped']) && vars.index > 1",
        "steps.reap.outcome != 'failed' && steps.reap.outcome != 'in_doubt' \
         && steps.reap.outcome != 'skipped' && vars.index > 1",
        "steps.reap.outcome == 'failed' || steps.reap.outcome == 'skipped' \
         || steps.reap.outcome == 'in_doubt' || vars.index > 1",
        "steps.reap.outcome in ['succeeded', 'in_doubt'] && vars.by > 1",
        "(steps.reap.outcome == 'succeeded' || steps.drain.outcome == 'succeeded') && vars.by > 1",
        "(has(vars.by) || steps.drain.outcome == 'succeeded') && vars.by > 1",
        "(trigger.flag ? has(vars.index) : steps.reap.outcome == 'succeeded') && vars.index > 1",
        "steps.reap.outcome == 'succeeded' && has(steps.reap.echo.note) \
         && steps.reap.echo.note == 'x'",
    ] {
        assert_eq!(found(text), (Type::Bool, Vec::new()), "{text}");
    }
}

#[test]
fn what_is_no_guard_proves_nothing() {
    for text in [
        "trigger.note == 'x' && has(trigger.note)",
        "has(trigger.note) || trigger.note == 'x'",
        "!has(trigger.note) && trigger.note == 'x'",
        "has(trigger.note) ? trigger.flag : trigger.note == 'x'",
        "(has(trigger.note) || trigger.flag) && trigger.note == 'x'",
        "has(trigger.deep) && trigger.deep.id == 'x'",
        "has(trigger.items[0].n) && trigger.items[1].n > 1",
        "trigger.items.all(i, has(i.n)) && trigger.items.all(i, i.n > 1)",
        "steps.reap.outcome != 'failed' && vars.index > 1",
        "steps.reap.outcome == 'in_doubt' && vars.index > 1",
        "steps.reap.outcome in ['succeeded', 'in_doubt'] && vars.index > 1",
        "steps.reap.outcome == 'succeeded' || vars.index > 1",
        "(steps.reap.outcome == 'succeeded' || steps.drain.outcome == 'succeeded') \
         && vars.index > 1",
    ] {
        assert_eq!(found(text).1.len(), 1, "{text}: {:?}", found(text).1);
    }
}

#[test]
fn a_guard_around_counts_inside() {
    let text = "vars.index > 1 && steps.reap.echo.index > 1";
    let ast = parse(text).expect(text);
    let guard = parse("trigger.flag && steps.reap.outcome == 'succeeded'").expect("a guard");
    for facts in [facts_when_true(&guard), Facts::default().and(&facts_when_true(&guard))] {
        assert_eq!(check(&ast, &env(), &facts).1, [], "{facts:?}");
    }
    let other = parse("has(vars.index)").expect("a guard");
    assert_eq!(check(&ast, &env(), &facts_when_true(&other)).1.len(), 1);
}

#[test]
fn many_cases_cost_little_and_stay_sound() {
    let arms: Vec<String> =
        (0..60).map(|i| format!("(has(vars.index) || trigger.count == {i})")).collect();
    let text = format!("{} && vars.index > 1", arms.join(" && "));
    assert_eq!(found(&text).1.len(), 1, "an arm without the guard is left in each part");
    let arms: Vec<String> =
        (0..60).map(|i| format!("has(vars.index) && trigger.label == 'w{i}'")).collect();
    let text = format!("({}) && vars.index > 1", arms.join(" || "));
    assert_eq!(found(&text).1, []);
}

#[test]
fn a_condition_is_said_to_be_none() {
    let ast = parse("trigger.label").expect("a path");
    let (ty, wrong) = check(&ast, &env(), &Facts::default());
    assert_eq!(wrong, []);
    let error = expect_bool(&ast, &ty).expect("a string is no condition");
    assert_eq!(error.message, "a condition is true or false, and `trigger.label` is a string");
    assert_eq!(expect_bool(&ast, &Type::Bool), None);
    assert_eq!(expect_bool(&ast, &Type::Dyn), None);
}

#[test]
fn a_schema_tells_what_an_expression_may_assume() {
    let words = |list: &[&str]| Type::Word(list.iter().map(|w| (*w).to_owned()).collect());
    for (schema, expected) in [
        (json!({"type": "string", "minLength": 1}), Type::String),
        (json!({"type": "integer"}), Type::Int),
        (json!({"type": "number"}), Type::Double),
        (json!({"type": "boolean"}), Type::Bool),
        (json!({"type": "null"}), Type::Null),
        (json!({"enum": ["a", "b"]}), words(&["a", "b"])),
        (json!({"type": "string", "enum": ["a"]}), words(&["a"])),
        (json!({"const": "a"}), words(&["a"])),
        (json!({"const": 3}), Type::Int),
        (json!({"enum": [1, 2.5]}), Type::Double),
        (json!({"enum": ["a", 1]}), Type::Dyn),
        (json!({"enum": ["a", null]}), Type::Dyn),
        (json!({"enum": []}), Type::Dyn),
        (json!({"type": ["string", "null"]}), Type::Dyn),
        (json!({"anyOf": [{"type": "string"}]}), Type::Dyn),
        (json!({"type": "array"}), Type::list(Type::Dyn)),
        (json!({"type": "array", "items": {"type": "string"}}), Type::list(Type::String)),
        (json!({}), Type::Dyn),
        (json!(true), Type::Dyn),
    ] {
        assert_eq!(json_schema_type(&schema), expected, "{schema}");
    }
    let object = json!({"type": "object", "required": ["id"], "properties":
        {"id": {"type": "string"}, "n": {"type": "integer"}}});
    let Type::Object(object) = json_schema_type(&object) else { panic!("an object") };
    assert_eq!(object.fields["id"].presence, Presence::Always);
    assert_eq!(object.fields["n"].presence, Presence::Optional);
    assert!(!object.open, "who lists fields means these");
    for (schema, open) in [
        (json!({"type": "object"}), true),
        (json!({"type": "object", "additionalProperties": false}), false),
        (json!({"type": "object", "properties": {"a": {}}, "additionalProperties": {}}), true),
    ] {
        let Type::Object(object) = json_schema_type(&schema) else { panic!("an object") };
        assert_eq!(object.open, open, "{schema}");
    }
}
