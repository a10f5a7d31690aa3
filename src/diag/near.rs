//! Names that are near each other, as a slip of the hand is. Knows no name.

/// The known name nearest to `name`, near enough to be a slip of the hand.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = match name.chars().count() {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    known
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(far, _)| *far <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The one known name that was surely meant: no other is nearly as near, and all that differs is a
/// slip inside of a word. A name that begins otherwise, as `unlock` does beside `lock`, or counts
/// otherwise, as `tab_2` beside `tab_1`, is another name.
#[must_use]
pub fn sole<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = |one: &'a str| (distance(name, one), one);
    let mut near: Vec<(usize, &str)> =
        known.into_iter().filter(|one| nearest(name, [*one]).is_some()).map(far).collect();
    near.sort_unstable();
    near.dedup();
    let (best, only) = *near.first()?;
    let alone = near.get(1).is_none_or(|(next, _)| *next >= best + 2);
    (alone && is_slip(name, only)).then_some(only)
}

fn is_slip(written: &str, meant: &str) -> bool {
    let digits = |name: &str| name.chars().filter(char::is_ascii_digit).collect::<String>();
    let joined = |name: &str| name.replace(['_', '-', ' '], "").to_lowercase();
    if digits(written) != digits(meant) {
        return false;
    }
    if joined(written) == joined(meant) {
        return true;
    }
    let words = |name: &str| name.split('_').map(str::to_owned).collect::<Vec<_>>();
    let (written, meant) = (words(written), words(meant));
    let same = |(a, b): (&String, &String)| {
        a == b || (b.len() >= 4 && a.chars().next() == b.chars().next() && distance(a, b) <= 2)
    };
    written.len() == meant.len() && written.iter().zip(&meant).all(same)
}

/// Edits (insert, delete, replace, swap neighbours) from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let swap = usize::from(a[i - 1] != b[j - 1]);
                let mut best =
                    (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + swap);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_near_and_a_stranger_is_not() {
        let known = ["timeout", "trigger", "steps"];
        assert_eq!(nearest("timout", known), Some("timeout"));
        assert_eq!(nearest("tigger", known), Some("trigger"));
        assert_eq!(nearest("stesp", known), Some("steps"));
        assert_eq!(nearest("eviction", known), None);
    }

    #[test]
    fn only_a_slip_inside_of_a_word_is_sure() {
        for (written, meant) in [
            ("timout", "timeout"),
            ("stesp", "steps"),
            ("pane_reaped", "panes_reaped"),
            ("windowClosed", "window_closed"),
        ] {
            assert_eq!(
                sole(written, [meant, "pivot", "far_away_from_it"]),
                Some(meant),
                "{written}"
            );
        }
        for (written, known) in [
            ("unlock", ["lock", "x"]),
            ("tab_unlock", ["tab_lock", "x"]),
            ("enabled", ["disabled", "x"]),
            ("tab_2", ["tab_1", "x"]),
            ("get", ["set", "x"]),
            ("close", ["closed", "closes"]),
        ] {
            assert_eq!(sole(written, known), None, "{written}");
        }
    }
}
