//! Instants and spans as plain numbers. Reads no clock: `now` is always an argument.

mod cron;
mod schedule;

use std::fmt;
use std::ops::Add;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use cron::{Cron, CronError};
pub use schedule::Schedule;

/// Milliseconds since 1970-01-01T00:00:00Z; printed as RFC 3339 in UTC.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A span of time in milliseconds.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Add<Millis> for Timestamp {
    type Output = Timestamp;

    /// Saturates: a deadline beyond the end of time is the end of time.
    fn add(self, span: Millis) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }
}

impl Timestamp {
    /// Time since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> Millis {
        Millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads what `Display` prints, and nothing else: `2024-02-29T12:00:00.123Z`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Timestamp> {
        const SHAPE: &[u8] = b"0000-00-00T00:00:00.000Z";
        let bytes = text.as_bytes();
        let fits = bytes.len() == SHAPE.len()
            && bytes.iter().zip(SHAPE).all(|(byte, shape)| match shape {
                b'0' => byte.is_ascii_digit(),
                _ => byte == shape,
            });
        if !fits {
            return None;
        }
        let number = |from: usize, to: usize| text[from..to].parse::<i64>().ok();
        let days = days_from_civil(number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let seconds = number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
        let read = Timestamp(days * 86_400_000 + seconds * 1_000 + number(20, 23)?);
        // Printing it again finds the 30th of February and the 25th hour.
        (read.to_string() == text).then_some(read)
    }
}

/// The day number, counted from 1970-01-01, of a date (proleptic Gregorian); undoes [`civil`].
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a day number counted from 1970-01-01 (proleptic Gregorian).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0.div_euclid(86_400_000));
        let ms = self.0.rem_euclid(86_400_000);
        let (hour, minute) = (ms / 3_600_000, ms / 60_000 % 60);
        let (second, milli) = (ms / 1_000 % 60, ms % 1_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

impl fmt::Display for Millis {
    /// The longest unit that says it exactly: `90s`, `2m`, `1500ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        for (size, unit) in units {
            if self.0 > 0 && self.0.is_multiple_of(size) {
                return write!(f, "{}{unit}", self.0 / size);
            }
        }
        write!(f, "{}ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_print_as_rfc_3339() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp(1_709_208_000_123).to_string(), "2024-02-29T12:00:00.123Z");
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn instants_are_read_back_as_printed() {
        for at in [0, 1_709_208_000_123, -1, 4_102_444_799_999, -62_135_596_800_000] {
            assert_eq!(Timestamp::parse(&Timestamp(at).to_string()), Some(Timestamp(at)));
        }
        let bad = ["", "2024-02-30T12:00:00.123Z", "2024-02-29T25:00:00.123Z", "2024-02-29"];
        assert_eq!(bad.map(Timestamp::parse), [None; 4]);
    }

    #[test]
    fn spans_print_in_their_longest_exact_unit() {
        let shown =
            [Millis(10_000), Millis(1_500), Millis(120_000), Millis(0)].map(|m| m.to_string());
        assert_eq!(shown, ["10s", "1500ms", "2m", "0ms"]);
    }
}
