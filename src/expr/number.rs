//! Numbers of JSON under the rules of CEL: integers of 64 bits with a sign, doubles, never wrapped,
//! never NaN. Knows no expressions.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::ast::Arithmetic;

/// A number as arithmetic sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Num {
    /// Wide enough for all integers that JSON brings.
    Int(i128),
    /// Always finite: JSON has nothing else.
    Double(f64),
}

impl Num {
    pub(super) fn of(number: &Number) -> Num {
        match (number.as_i128(), number.as_f64()) {
            (Some(int), _) => Num::Int(int),
            (None, Some(double)) => Num::Double(double),
            // `arbitrary_precision` is off, so that a number is one of the two.
            (None, None) => Num::Double(0.0),
        }
    }

    pub(super) fn double(self) -> f64 {
        match self {
            Num::Int(int) => int as f64,
            Num::Double(double) => double,
        }
    }
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Outside 64 bits, or not finite.
    Overflow,
    /// A divisor of zero.
    ByZero,
    /// `%` of doubles.
    NotDefined,
}

/// Numeric order, exact also between integers and doubles.
pub(super) fn compare(a: Num, b: Num) -> Option<Ordering> {
    match (a, b) {
        (Num::Int(a), Num::Int(b)) => Some(a.cmp(&b)),
        (Num::Double(a), Num::Double(b)) => a.partial_cmp(&b),
        (Num::Int(a), Num::Double(b)) => int_to_double(a, b),
        (Num::Double(a), Num::Int(b)) => int_to_double(b, a).map(Ordering::reverse),
    }
}

/// Integers here are below 2^64, so a cast of the whole part that saturates still orders rightly.
fn int_to_double(int: i128, double: f64) -> Option<Ordering> {
    let whole = double.trunc() as i128;
    Some(int.cmp(&whole).then(0.0_f64.partial_cmp(&(double - double.trunc()))?))
}

/// `+ - * / %`.
pub(super) fn arithmetic(op: Arithmetic, a: Num, b: Num) -> Result<Value, Failure> {
    if let (Num::Int(a), Num::Int(b)) = (a, b) {
        let result = match op {
            Arithmetic::Add => a.checked_add(b),
            Arithmetic::Subtract => a.checked_sub(b),
            Arithmetic::Multiply => a.checked_mul(b),
            Arithmetic::Divide | Arithmetic::Remainder if b == 0 => return Err(Failure::ByZero),
            Arithmetic::Divide => a.checked_div(b),
            // CEL has no rest where it has no quotient.
            Arithmetic::Remainder => int(a / b).ok().and(a.checked_rem(b)),
        };
        return result.ok_or(Failure::Overflow).and_then(int);
    }
    let (a, b) = (a.double(), b.double());
    match op {
        Arithmetic::Add => finite(a + b),
        Arithmetic::Subtract => finite(a - b),
        Arithmetic::Multiply => finite(a * b),
        Arithmetic::Divide if b == 0.0 => Err(Failure::ByZero),
        Arithmetic::Divide => finite(a / b),
        Arithmetic::Remainder => Err(Failure::NotDefined),
    }
}

/// The opposite.
pub(super) fn negate(a: Num) -> Result<Value, Failure> {
    match a {
        Num::Int(a) => int(-a),
        Num::Double(a) => finite(-a),
    }
}

/// An integer, if 64 bits with a sign hold it.
pub(super) fn int(int: i128) -> Result<Value, Failure> {
    i64::try_from(int).map(Value::from).map_err(|_| Failure::Overflow)
}

/// A double, unless JSON has no word for it.
pub(super) fn finite(double: f64) -> Result<Value, Failure> {
    Number::from_f64(double).map(Value::Number).ok_or(Failure::Overflow)
}

/// The whole part, as `int()` gives it.
pub(super) fn truncate(a: Num) -> Result<Value, Failure> {
    match a {
        Num::Int(a) => int(a),
        Num::Double(a) => int(a as i128),
    }
}

/// A number in words: a whole double has no `.0`, so that `1` and `1.0` read alike.
pub(super) fn words(a: Num) -> String {
    match a {
        Num::Int(a) => a.to_string(),
        Num::Double(a) => a.to_string(),
    }
}
