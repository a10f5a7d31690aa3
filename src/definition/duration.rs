//! Durations as written: an integer and one unit. Measures nothing.

use crate::time::Millis;

/// A deadline, or the author's word that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// `none`.
    None,
    /// That long.
    After(Millis),
}

impl Bound {
    /// The span of time; nothing for `none`.
    #[must_use]
    pub fn millis(self) -> Option<Millis> {
        match self {
            Bound::None => None,
            Bound::After(span) => Some(span),
        }
    }
}

/// The longest duration that may be written: a hundred years. Beyond, sums of deadlines could
/// overflow.
pub const DURATION_MAX: Millis = Millis(36_500 * 86_400_000);

/// Reads `10s`: an integer and `ms`, `s`, `m`, `h` or `d`, one unit, above zero.
///
/// # Errors
///
/// Words that say what is wrong with it, and what would be right.
pub fn parse(text: &str) -> Result<Millis, String> {
    const SHAPE: &str = "write an integer and one unit: `ms`, `s`, `m`, `h` or `d`";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if digits == 0 {
        return Err(SHAPE.to_owned());
    }
    let size = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" => return Err(format!("the unit is missing; `{number}s` would be seconds")),
        _ if unit.starts_with('.') => {
            return Err("it must be an integer; `1500ms` is one and a half seconds".to_owned());
        }
        _ => return Err(unknown_unit(number, unit).unwrap_or_else(|| SHAPE.to_owned())),
    };
    let span = number.parse::<u64>().ok().and_then(|count| count.checked_mul(size));
    match span {
        Some(0) => Err("it must be above zero; the opt-out is the word `none`".to_owned()),
        Some(span) if span <= DURATION_MAX.0 => Ok(Millis(span)),
        Some(_) | None => Err("it is longer than a hundred years".to_owned()),
    }
}

/// What the author probably meant by a unit that the language does not have.
fn unknown_unit(number: &str, unit: &str) -> Option<String> {
    let meant = match unit.trim().to_ascii_lowercase().as_str() {
        "sec" | "secs" | "second" | "seconds" | "s" => "s",
        "min" | "mins" | "minute" | "minutes" | "m" => "m",
        "hour" | "hours" | "hr" | "hrs" | "h" => "h",
        "day" | "days" | "d" => "d",
        "milli" | "millis" | "msec" | "milliseconds" | "ms" => "ms",
        _ => return None,
    };
    Some(format!("`{unit}` is not a unit; did you mean `{number}{meant}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_integer_and_one_unit_above_zero() {
        let good = [("250ms", 250), ("10s", 10_000), ("2m", 120_000), ("1h", 3_600_000)];
        for (text, millis) in good {
            assert_eq!(parse(text), Ok(Millis(millis)));
        }
        for bad in ["", "s", "0s", "10", "1.5s", "1m30s", "10 s", "-1s", "10sec", "99999999999999d"]
        {
            assert!(parse(bad).is_err(), "{bad} must be refused");
        }
        assert!(parse("10sec").is_err_and(|words| words.contains("`10s`")));
    }
}
