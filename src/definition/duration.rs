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
    let meant = unit_meant(unit)?;
    Some(format!("`{unit}` is not a unit; did you mean `{number}{meant}`?"))
}

/// The language's word for a unit in another spelling. `M` alone means months to some.
fn unit_meant(unit: &str) -> Option<&'static str> {
    if unit.trim() == "M" {
        return None;
    }
    Some(match unit.trim().to_ascii_lowercase().as_str() {
        "sec" | "secs" | "second" | "seconds" | "s" => "s",
        "min" | "mins" | "minute" | "minutes" | "m" => "m",
        "hour" | "hours" | "hr" | "hrs" | "h" => "h",
        "day" | "days" | "d" => "d",
        "milli" | "millis" | "msec" | "msecs" | "millisecond" | "milliseconds" | "ms" => "ms",
        _ => return None,
    })
}

/// The duration that another spelling surely means, in the language's: `10s` for `10 sec`, `1500ms`
/// for `1.5s`, `90s` for `1m30s`.
#[must_use]
pub fn respelled(text: &str) -> Option<String> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    let mut finest = u64::MAX;
    let mut last = u64::MAX;
    while !rest.is_empty() {
        let number = rest.find(|one: char| !one.is_ascii_digit() && one != '.')?;
        let (count, after) = rest.split_at(number);
        let end = after.trim_start().find(|one: char| !one.is_ascii_alphabetic());
        let end = end.map_or(after.len(), |at| at + after.len() - after.trim_start().len());
        let (unit, after) = after.split_at(end);
        let (_, size) = *UNITS.iter().find(|(word, _)| Some(*word) == unit_meant(unit))?;
        // From great to small, each once: anything else is a slip and not a spelling.
        if size >= last {
            return None;
        }
        let (whole, part) = count.split_once('.').unwrap_or((count, ""));
        let mut unit = size;
        let mut value = whole.parse::<u64>().ok()?.checked_mul(size)?;
        if !part.is_empty() {
            let share = part.parse::<u64>().ok()?;
            let parts = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
            let millis = share.checked_mul(size)?;
            if millis % parts != 0 {
                return None;
            }
            value = value.checked_add(millis / parts)?;
            unit = UNITS.iter().map(|(_, size)| *size).find(|size| value % size == 0)?;
        }
        total = total.checked_add(value)?;
        (finest, last) = (finest.min(unit), size);
        rest = after.trim_start();
    }
    let (word, size) = UNITS.iter().find(|(_, size)| *size == finest)?;
    let meant = format!("{}{word}", total / size);
    (meant != text && parse(&meant).is_ok()).then_some(meant)
}

/// The units, from great to small, in milliseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

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

    #[test]
    fn another_spelling_means_the_same_time_or_nothing() {
        for (written, meant) in [
            ("10 sec", "10s"),
            ("10 s", "10s"),
            ("2Hours", "2h"),
            ("1.5s", "1500ms"),
            ("0.5 h", "30m"),
            ("1m30s", "90s"),
            ("1h 30m", "90m"),
            ("250 milliseconds", "250ms"),
        ] {
            assert_eq!(respelled(written).as_deref(), Some(meant), "{written}");
        }
        for unsure in [
            "",
            "10",
            "s",
            "5M",
            "soon",
            "0 s",
            "30s1m",
            "1s1s",
            "1.0001s",
            "-1 s",
            "1.s.5",
            "1,5s",
            "99999999999999999999 s",
            "9999999999999999 days",
        ] {
            assert_eq!(respelled(unsure), None, "{unsure}");
        }
    }
}
