//! Held against another CEL: for one expression and one set of values we give the same answer, or
//! refuse. And whatever comes, we neither panic nor disagree with our own checker.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Map, Number, Value, json};

use super::Names;
use crate::expr::same::same;
use crate::expr::{
    Env, EvalErrorKind, Facts, Field, ObjectType, Presence, Type, check, eval, parse,
    parse_template, pins, reads,
};

/// What a value is, while an expression is made up.
#[derive(Clone, Copy, PartialEq)]
enum Sort {
    Bool,
    Int,
    Double,
    Text,
    Ints,
    Texts,
}

/// Makes up well-typed expressions from bytes, so that failures shrink.
struct Maker<'b> {
    bytes: std::slice::Iter<'b, u8>,
    macros: usize,
}

impl Maker<'_> {
    /// A choice below `of`; the first one when the bytes have run out.
    fn pick(&mut self, of: u8) -> u8 {
        self.bytes.next().map_or(0, |byte| byte % of)
    }

    fn two(&mut self, sort: Sort, sign: &str, depth: u8) -> String {
        format!("({} {sign} {})", self.make(sort, depth), self.make(sort, depth))
    }

    fn make(&mut self, sort: Sort, depth: u8) -> String {
        let Some(below) = depth.checked_sub(1).filter(|_| self.bytes.len() > 0) else {
            return self.leaf(sort);
        };
        if self.pick(8) == 0 {
            let condition = self.make(Sort::Bool, below);
            return format!(
                "({condition} ? {} : {})",
                self.make(sort, below),
                self.make(sort, below)
            );
        }
        match sort {
            Sort::Bool => self.condition(below),
            Sort::Int => match self.pick(9) {
                0 => self.leaf(sort),
                1 => self.two(sort, "+", below),
                2 => self.two(sort, "-", below),
                3 => self.two(sort, "*", below),
                4 => self.two(sort, "/", below),
                5 => self.two(sort, "%", below),
                6 => format!("size({})", self.make(Sort::Ints, below)),
                7 => format!("-({})", self.make(sort, below)),
                _ => format!("{}[{}]", self.make(Sort::Ints, below), self.pick(3)),
            },
            Sort::Double => match self.pick(6) {
                0 => self.leaf(sort),
                1 => self.two(sort, "+", below),
                2 => self.two(sort, "-", below),
                3 => self.two(sort, "*", below),
                4 => format!("(double({}) / t.d)", self.make(Sort::Double, below)),
                _ => format!("double({})", self.make(Sort::Int, below)),
            },
            Sort::Text => match self.pick(4) {
                0 => self.leaf(sort),
                1 => self.two(sort, "+", below),
                2 => format!("string({})", self.make(Sort::Int, below)),
                _ => format!("{}[{}]", self.make(Sort::Texts, below), self.pick(3)),
            },
            Sort::Ints => self.list(sort, Sort::Int, below),
            Sort::Texts => self.list(sort, Sort::Text, below),
        }
    }

    fn leaf(&mut self, sort: Sort) -> String {
        let choices: &[&str] = match sort {
            Sort::Bool => &["t.b", "true", "false", "t.b"],
            Sort::Int => &["t.i", "t.j", "0", "1", "-3", "9223372036854775807", "t.o.a"],
            Sort::Double => &["t.d", "1.5", "0.0", "-2.0", "1e300"],
            Sort::Text => &["t.s", "'ab'", "''", "\"a\\\"b\\n\"", "r'\\d'"],
            Sort::Ints => &["t.l", "[]", "[1, 2]", "[t.i]"],
            Sort::Texts => &["t.w", "[]", "['ab', t.s]"],
        };
        let pick = self.pick(choices.len() as u8);
        choices[usize::from(pick)].to_owned()
    }

    fn conversion(&mut self, below: u8) -> String {
        match self.pick(3) {
            0 => format!("bool({})", self.make(Sort::Bool, below)),
            1 => format!("bool({})", self.make(Sort::Text, below)),
            _ => {
                let words = ["true", "TRUE", "True", "t", "1", "tRUE", "false", "False", "f", "0"];
                format!("bool('{}')", words[usize::from(self.pick(10))])
            }
        }
    }

    fn condition(&mut self, below: u8) -> String {
        let compared = [Sort::Int, Sort::Double, Sort::Text, Sort::Bool, Sort::Ints]
            [usize::from(self.pick(5))];
        let order = ["<", "<=", ">", ">="][usize::from(self.pick(4))];
        match self.pick(15) {
            0 => self.leaf(Sort::Bool),
            14 => self.conversion(below),
            1 => self.two(Sort::Bool, "&&", below),
            2 => self.two(Sort::Bool, "||", below),
            3 => format!("!({})", self.make(Sort::Bool, below)),
            4 => self.two(compared, "==", below),
            5 => self.two(compared, "!=", below),
            6 => self.two(Sort::Int, order, below),
            7 => self.two(Sort::Double, order, below),
            8 => self.two(Sort::Text, order, below),
            // Beyond 2^53 it rounds integers before it compares; we are exact, as the spec has it.
            9 => {
                let (int, double) = (self.make(Sort::Int, below), self.make(Sort::Double, below));
                format!("({int} % 1000 {order} {double})")
            }
            10 => format!("({} in {})", self.make(Sort::Int, below), self.make(Sort::Ints, below)),
            11 => {
                let name = ["startsWith", "endsWith", "contains"][usize::from(self.pick(3))];
                let (text, part) = (self.make(Sort::Text, below), self.make(Sort::Text, below));
                format!("({text}).{name}({part})")
            }
            12 => [
                "(has(t.o.b) && t.o.b > 1)",
                "(has(t.o.b) ? t.o.b == t.i : t.b)",
                "has(t.o.b)",
                "t.s.matches('^a+|b')",
                "(!has(t.o.b) || t.o.b != t.j)",
            ][usize::from(self.pick(5))]
            .to_owned(),
            _ => {
                let list = self.make(Sort::Ints, below);
                let name = ["all", "exists", "exists_one"][usize::from(self.pick(3))];
                self.each(&list, name, Sort::Bool, below)
            }
        }
    }

    fn list(&mut self, sort: Sort, of: Sort, below: u8) -> String {
        match self.pick(5) {
            0 => self.leaf(sort),
            1 => self.two(sort, "+", below),
            2 => format!("[{}, {}]", self.make(of, below), self.make(of, below)),
            3 => {
                let list = self.make(Sort::Ints, below);
                self.each(&list, "map", of, below)
            }
            _ if sort == Sort::Ints => {
                let list = self.make(sort, below);
                self.each(&list, "filter", Sort::Bool, below)
            }
            _ => self.leaf(sort),
        }
    }

    /// A macro over integers whose body may use the element.
    fn each(&mut self, list: &str, name: &str, body: Sort, below: u8) -> String {
        self.macros += 1;
        let element = format!("x{}", self.macros);
        let inner = self.make(body, below);
        let body = match (body, self.pick(2)) {
            (Sort::Bool, 0) => format!("{inner} || {element} > 1"),
            (Sort::Bool, _) => format!("4 / {element} == 2 && {inner}"),
            (Sort::Int, _) => format!("{element} + {inner}"),
            (Sort::Text, _) => format!("string({element}) + {inner}"),
            (Sort::Double | Sort::Ints | Sort::Texts, _) => inner,
        };
        format!("{list}.{name}({element}, {body})")
    }
}

fn made_up(bytes: &[u8]) -> String {
    let mut maker = Maker { bytes: bytes.iter(), macros: 0 };
    let sorts = [Sort::Bool, Sort::Int, Sort::Double, Sort::Text, Sort::Ints, Sort::Texts];
    let sort = sorts[usize::from(maker.pick(6))];
    maker.make(sort, 4)
}

fn types() -> Env {
    let o = ObjectType {
        fields: [
            ("a".to_owned(), Field::always(Type::Int)),
            ("b".to_owned(), Field { ty: Type::Int, presence: Presence::Optional }),
        ]
        .into(),
        open: false,
    };
    let t = Type::object([
        ("i", Type::Int),
        ("j", Type::Int),
        ("d", Type::Double),
        ("b", Type::Bool),
        ("s", Type::String),
        ("l", Type::list(Type::Int)),
        ("w", Type::list(Type::String)),
        ("o", Type::Object(o)),
    ]);
    Env { roots: [("t".to_owned(), t)].into() }
}

fn values() -> impl Strategy<Value = Value> {
    let int = || prop_oneof![4 => -3_i64..4, 1 => any::<i64>()];
    let double = prop_oneof![4 => (-4_i32..5).prop_map(|n| f64::from(n) / 2.0), 1 => -1e308..1e308];
    let text = || "[a-c]{0,3}";
    let ints = prop::collection::vec(int(), 0..4);
    let texts = prop::collection::vec(text(), 0..4);
    let optional = prop::option::of(int());
    ((int(), int(), double, any::<bool>()), (text(), ints, texts, int(), optional)).prop_map(
        |((i, j, d, b), (s, l, w, a, optional))| {
            let mut o = json!({ "a": a });
            if let Some(value) = optional {
                o["b"] = value.into();
            }
            json!({"i": i, "j": j, "d": d, "b": b, "s": s, "l": l, "w": w, "o": o})
        },
    )
}

fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(word) => cel::Value::Bool(*word),
        Value::Number(number) => match number.as_i64() {
            Some(int) => cel::Value::Int(int),
            None => cel::Value::Float(number.as_f64().expect("finite")),
        },
        Value::String(text) => cel::Value::String(Arc::new(text.clone())),
        Value::Array(list) => cel::Value::List(Arc::new(list.iter().map(to_cel).collect())),
        Value::Object(map) => {
            let entries: HashMap<String, cel::Value> =
                map.iter().map(|(name, value)| (name.clone(), to_cel(value))).collect();
            cel::Value::Map(entries.into())
        }
    }
}

/// Nothing for what JSON has no word for.
fn of_cel(value: &cel::Value) -> Option<Value> {
    Some(match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(word) => Value::Bool(*word),
        cel::Value::Int(int) => Value::from(*int),
        cel::Value::UInt(int) => Value::from(*int),
        cel::Value::Float(double) => Value::Number(Number::from_f64(*double)?),
        cel::Value::String(text) => Value::from(text.as_str()),
        cel::Value::List(list) => {
            Value::Array(list.iter().map(of_cel).collect::<Option<Vec<_>>>()?)
        }
        cel::Value::Map(map) => {
            let entry = |(name, value): (&_, &_)| -> Option<(String, Value)> {
                let name: &cel::objects::Key = name;
                Some((name.to_string(), of_cel(value)?))
            };
            Value::Object(map.map.iter().map(entry).collect::<Option<Map<_, _>>>()?)
        }
        cel::Value::Function(..)
        | cel::Value::Bytes(_)
        | cel::Value::Opaque(_)
        | cel::Value::Struct(_) => panic!("no expression of ours gives {value:?}"),
    })
}

/// The answer of the other one.
fn asked(text: &str, t: &Value) -> Result<Option<Value>, String> {
    let env = Arc::new(cel::Env::stdlib());
    let program = env.compile(text).map_err(|error| error.to_string())?;
    let mut context = cel::Context::with_env(env);
    context.add_variable_from_value("t", to_cel(t));
    program.execute(&context).map(|value| of_cel(&value)).map_err(|error| error.to_string())
}

/// Whether a value is one of those that the checker promised.
fn is_of(value: &Value, ty: &Type) -> bool {
    match ty {
        Type::Dyn => true,
        Type::Bool => value.is_boolean(),
        Type::Int => value.is_i64(),
        Type::Double => value.is_number(),
        Type::String => value.is_string(),
        Type::Word(words) => value.as_str().is_some_and(|word| words.contains(word)),
        Type::Null => value.is_null(),
        Type::List(of) => value.as_array().is_some_and(|list| list.iter().all(|v| is_of(v, of))),
        Type::Object(_) => value.is_object(),
    }
}

/// The same cases in every run: a test that fails today failed yesterday. `EXPR_CASES` asks for
/// more, of its own seed.
fn cases(count: u32) -> ProptestConfig {
    let more = option_env!("EXPR_CASES").and_then(|count| count.parse().ok());
    let seed = u64::from(more.unwrap_or(0));
    ProptestConfig {
        cases: more.unwrap_or(count),
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn what_we_answer_is_what_cel_answers(
        bytes in prop::collection::vec(any::<u8>(), 0..120),
        t in values(),
    ) {
        let text = made_up(&bytes);
        // It may nest too deep for us.
        let Ok(ast) = parse(&text) else { return Ok(()) };
        let (ty, wrong) = check(&ast, &types(), &Facts::default());
        let names = Names(json!({ "t": t }));
        let ours = eval(&ast, &names);
        if !wrong.is_empty() {
            return Ok(());
        }
        match ours {
            Ok(ours) => {
                prop_assert!(is_of(&ours, &ty), "{text} is no {ty}: {ours}");
                let theirs = asked(&text, &names.0["t"]);
                prop_assert!(
                    matches!(&theirs, Ok(Some(theirs)) if same(&ours, theirs)),
                    "{text}\n over {}\n ours {ours}\n theirs {theirs:?}",
                    names.0
                );
            }
            // Nothing that was checked is of the wrong type, or missing but for an index.
            Err(error) => prop_assert!(
                error.kind != EvalErrorKind::Type
                    && (error.kind != EvalErrorKind::Missing || error.message.contains("element")),
                "{text}: {error}"
            ),
        }
    }

    #[test]
    fn an_expression_survives_being_written_out(
        bytes in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let text = made_up(&bytes);
        let Ok(ast) = parse(&text) else { return Ok(()) };
        let again = ast.to_string();
        let read = parse(&again);
        prop_assert_eq!(read.map(|ast| ast.to_string()), Ok(again));
    }

    #[test]
    fn no_text_makes_us_panic(text in "[a-c0-9 .,:?!&|=<>()\\[\\]{}'\"\\\\$+*/%é-]{0,60}") {
        if let Ok(template) = parse_template(&text) {
            let _ = template.eval(&super::names());
        }
        if let Ok(ast) = parse(&text) {
            let _ = check(&ast, &types(), &Facts::default());
            let _ = eval(&ast, &super::names());
            let _ = (pins(&ast, &["a"]), reads(&ast), ast.to_string());
        }
    }
}
