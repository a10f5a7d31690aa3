//! Cron texts: the minutes of the calendar that five fields pick, in UTC. Reads no clock.

use std::fmt;
use std::ops::Range;

use super::{Timestamp, civil};

/// Five fields: minute, hour, day of the month, month, day of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    /// One bit a minute.
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// Zero is Sunday.
    weekdays: u64,
    /// Whether the day of the month, and that of the week, is `*` or begins so.
    any_day: (bool, bool),
    /// The text, with single spaces.
    text: String,
}

/// What is wrong with a cron text, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronError {
    /// The bytes that are wrong.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: &'static str,
}

/// A field of a cron text.
struct Field {
    name: &'static str,
    least: u64,
    most: u64,
    /// Words for numbers, the first for `least`.
    words: &'static [&'static str],
}

const MONTHS: &[&str] =
    &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [Field; 5] = [
    Field { name: "the minute", least: 0, most: 59, words: &[] },
    Field { name: "the hour", least: 0, most: 23, words: &[] },
    Field { name: "the day of the month", least: 1, most: 31, words: &[] },
    Field { name: "the month", least: 1, most: 12, words: MONTHS },
    // Seven is Sunday too.
    Field { name: "the day of the week", least: 0, most: 7, words: WEEKDAYS },
];

const SHAPE: &str = "write minute, hour, day of the month, month and day of the week, in UTC: \
                     `30 4 * * mon-fri` is half past four on working days";

/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;
/// Minutes of a day.
const DAY: i64 = 1_440;
/// A 29th of February on one day of the week is forty years away at most, over a century that has
/// no leap day; so is everything that ever comes.
const DAYS_AHEAD: i64 = 366 * 41;

impl Cron {
    /// Reads a cron text.
    ///
    /// # Errors
    /// What is wrong with it and where, also where it picks a day that never comes.
    pub fn parse(text: &str) -> Result<Cron, CronError> {
        let words: Vec<(usize, &str)> = text
            .split_ascii_whitespace()
            .map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
            .collect();
        let whole = |message: String| CronError { at: 0..text.len(), message, help: SHAPE };
        let [minute, hour, day, month, weekday] = words.as_slice() else {
            return Err(whole(match words.as_slice() {
                [(_, word)] if word.starts_with('@') => {
                    format!("`{word}` is a nickname that not every cron knows")
                }
                list => format!("a cron text has 5 fields, this has {}", list.len()),
            }));
        };
        let bits = |(start, word): &(usize, &str), field: &Field| bits(*start, word, field);
        let weekdays = bits(weekday, &FIELDS[4])?;
        let cron = Cron {
            minutes: bits(minute, &FIELDS[0])?,
            hours: bits(hour, &FIELDS[1])?,
            days: bits(day, &FIELDS[2])?,
            months: bits(month, &FIELDS[3])?,
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            any_day: (day.1.starts_with('*'), weekday.1.starts_with('*')),
            text: words.iter().map(|(_, word)| *word).collect::<Vec<_>>().join(" "),
        };
        match cron.after(Timestamp(0)) {
            Some(_) => Ok(cron),
            None => Err(whole("no month that it names has such a day: it never comes".to_owned())),
        }
    }

    /// The first full minute after an instant that it picks; `None` beyond the end of time.
    #[must_use]
    pub fn after(&self, at: Timestamp) -> Option<Timestamp> {
        let first = at.0.div_euclid(MINUTE).checked_add(1)?;
        let (today, minute) = (first.div_euclid(DAY), first.rem_euclid(DAY));
        for day in today..today.saturating_add(DAYS_AHEAD) {
            if !self.picks_day(day) {
                continue;
            }
            let from = if day == today { minute } else { 0 };
            let found = (from..DAY)
                .find(|minute| has(self.hours, minute / 60) && has(self.minutes, minute % 60));
            if let Some(minute) = found {
                let minutes = day.checked_mul(DAY)?.checked_add(minute)?;
                return minutes.checked_mul(MINUTE).map(Timestamp);
            }
        }
        None
    }

    /// Where both days are restricted one of the two is enough, as in every cron.
    fn picks_day(&self, day: i64) -> bool {
        let (_, month, of_month) = civil(day);
        // The first day of all was a Thursday.
        let of_week = (day + 4).rem_euclid(7);
        let (days, weekdays) = (has(self.days, of_month), has(self.weekdays, of_week));
        has(self.months, month)
            && match self.any_day {
                (false, false) => days || weekdays,
                (true, _) | (_, true) => days && weekdays,
            }
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn has(bits: u64, number: i64) -> bool {
    u32::try_from(number).is_ok_and(|number| bits.checked_shr(number).is_some_and(|b| b & 1 == 1))
}

/// The numbers of a field: `*`, `7`, `mon-fri`, `*/5`, `8-18/2`, or several with commas.
fn bits(start: usize, word: &str, field: &Field) -> Result<u64, CronError> {
    let mut bits = 0;
    let mut at = start;
    for part in word.split(',') {
        bits |= part_bits(part, field).map_err(|(message, help)| CronError {
            at: at..at + part.len().max(1),
            message,
            help,
        })?;
        at += part.len() + 1;
    }
    Ok(bits)
}

fn part_bits(part: &str, field: &Field) -> Result<u64, (String, &'static str)> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => {
            let number = step.parse::<u64>().ok().filter(|step| (1..=field.most).contains(step));
            let step = number.ok_or_else(|| {
                (format!("`{step}` is no step from 1 to {}", field.most), "like `*/5`")
            })?;
            (range, Some(step))
        }
        None => (part, None),
    };
    let (first, last) = match range.split_once('-') {
        _ if range == "*" => (field.least, field.most),
        Some((first, last)) => (number(first, field)?, number(last, field)?),
        None if step.is_some() => {
            let help = "a step goes through `*` or a range, like `8-18/2`";
            return Err((format!("`{part}` has a step and no range"), help));
        }
        None => {
            let only = number(range, field)?;
            (only, only)
        }
    };
    if first > last {
        let help = "write two ranges with a comma, like `22-23,0-4`";
        return Err((format!("`{range}` runs backwards"), help));
    }
    let step = usize::try_from(step.unwrap_or(1)).unwrap_or(1);
    Ok((first..=last).step_by(step).fold(0, |bits, number| bits | 1 << number))
}

fn number(word: &str, field: &Field) -> Result<u64, (String, &'static str)> {
    let named = field.words.iter().position(|known| known.eq_ignore_ascii_case(word));
    let number = match named {
        Some(place) => Some(field.least + place as u64),
        None if word.bytes().all(|byte| byte.is_ascii_digit()) => word.parse().ok(),
        None => None,
    };
    let fits = number.filter(|number| (field.least..=field.most).contains(number));
    fits.ok_or_else(|| {
        let words = match field.words {
            [first, .., last] => format!(" or a word from `{first}` to `{last}`"),
            [] | [_] => String::new(),
        };
        let Field { name, least, most, .. } = field;
        (format!("{name} is a number from {least} to {most}{words}, not `{word}`"), SHAPE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first instants after one that a text picks.
    fn check(text: &str, after: &str, expected: &[&str]) {
        let cron = Cron::parse(text).expect("it can be read");
        let mut at = Timestamp::parse(after).expect("it is an instant");
        for expected in expected {
            at = cron.after(at).expect("it comes");
            assert_eq!(at.to_string(), *expected, "{text} after {after}");
        }
    }

    #[test]
    fn r9_the_next_minute_is_after_and_never_at_the_instant() {
        check(
            "* * * * *",
            "2026-11-21T10:00:00.000Z",
            &["2026-11-21T10:01:00.000Z", "2026-11-21T10:02:00.000Z"],
        );
        check("* * * * *", "2026-11-21T10:00:59.999Z", &["2026-11-21T10:01:00.000Z"]);
        check("0 0 * * *", "2026-12-31T23:59:00.001Z", &["2027-01-01T00:00:00.000Z"]);
        check(
            "*/20 9-10 * * *",
            "2026-11-21T09:39:00.000Z",
            &[
                "2026-11-21T09:40:00.000Z",
                "2026-11-21T10:00:00.000Z",
                "2026-11-21T10:20:00.000Z",
                "2026-11-21T10:40:00.000Z",
                "2026-11-22T09:00:00.000Z",
            ],
        );
    }

    #[test]
    fn days_of_the_week_and_of_the_month_are_one_or_the_other() {
        // The 21st of November 2026 is a Saturday.
        check("0 3 * * mon-fri", "2026-11-21T00:00:00.000Z", &["2026-11-23T03:00:00.000Z"]);
        check("0 3 * * 7", "2026-11-21T00:00:00.000Z", &["2026-11-22T03:00:00.000Z"]);
        check(
            "0 3 * * SUN,3",
            "2026-11-21T00:00:00.000Z",
            &["2026-11-22T03:00:00.000Z", "2026-11-25T03:00:00.000Z"],
        );
        check(
            "0 3 24 * sun",
            "2026-11-21T00:00:00.000Z",
            &["2026-11-22T03:00:00.000Z", "2026-11-24T03:00:00.000Z", "2026-11-29T03:00:00.000Z"],
        );
        check("0 0 */2 * mon", "2026-11-21T00:00:00.000Z", &["2026-11-23T00:00:00.000Z"]);
    }

    #[test]
    fn the_rarest_day_is_found() {
        check("0 0 29 2 *", "2026-11-21T00:00:00.000Z", &["2028-02-29T00:00:00.000Z"]);
        check("0 0 29 feb *", "2096-03-01T00:00:00.000Z", &["2104-02-29T00:00:00.000Z"]);
        // A field that begins with `*` restricts as well: a leap day that is a Sunday.
        check("0 0 29 2 */7", "2088-03-01T00:00:00.000Z", &["2128-02-29T00:00:00.000Z"]);
        check("59 23 31 12 *", "1969-12-31T23:58:00.000Z", &["1969-12-31T23:59:00.000Z"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let wrong = |text: &str| {
            let error = Cron::parse(text).expect_err(text);
            (text[error.at.clone()].to_owned(), error.message)
        };
        let part = |text: &str| wrong(text).0;
        assert_eq!(part("60 * * * *"), "60");
        assert_eq!(part("0  25 * * *"), "25");
        assert_eq!(part("0 1,2,x * * *"), "x");
        assert_eq!(part("5/10 * * * *"), "5/10");
        assert_eq!(part("*/0 * * * *"), "*/0");
        assert_eq!(part("0 22-4 * * *"), "22-4");
        assert_eq!(part("0 0 0 * *"), "0");
        assert_eq!(part("0 0 * * -1"), "-1");
        assert_eq!(part("0 0 * foo *"), "foo");
        assert_eq!(part("+1 0 * * *"), "+1");
        assert!(wrong("0 0 * * * *").1.contains("this has 6"));
        assert!(wrong("").1.contains("this has 0"));
        assert!(wrong("@daily").1.contains("nickname"));
        assert!(wrong("0 0 30 2 *").1.contains("never"));
        assert!(wrong("0 0 1, * *").1.contains("not ``"));
    }

    #[test]
    fn the_end_of_time_is_no_panic() {
        let cron = Cron::parse("* * * * *").expect("it can be read");
        assert_eq!(cron.after(Timestamp(i64::MAX)), None);
        assert!(cron.after(Timestamp(i64::MIN)).is_some());
    }
}
