//! What a change does to a text, line by line. Compares nothing but lines.

/// Lines around a change that are shown with it.
const AROUND: usize = 3;

/// Pairs of lines that are compared at most; beyond, what differs is shown as one block.
const PAIRS_MAX: usize = 4_000_000;

/// One line of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'a> {
    Same(&'a str),
    Gone(&'a str),
    Come(&'a str),
}

/// A unified diff, with the file's name on top.
#[must_use]
pub(super) fn unified(path: &str, before: &str, after: &str) -> String {
    let lines = compare(&split(before), &split(after));
    let mut out = format!("--- {path}\n+++ {path}\n");
    let changed: Vec<usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !matches!(line, Line::Same(_)))
        .map(|(at, _)| at)
        .collect();
    let mut next = 0;
    while let Some(first) = changed.get(next) {
        let start = first.saturating_sub(AROUND);
        let mut end = first + 1;
        while let Some(again) = changed.get(next)
            && *again <= end + 2 * AROUND
        {
            end = again + 1;
            next += 1;
        }
        let end = (end + AROUND).min(lines.len());
        hunk(&lines, start, end, &mut out);
    }
    out
}

fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn hunk(lines: &[Line<'_>], start: usize, end: usize, out: &mut String) {
    let old = |line: &&Line<'_>| !matches!(line, Line::Come(_));
    let new = |line: &&Line<'_>| !matches!(line, Line::Gone(_));
    let before =
        (lines[..start].iter().filter(old).count(), lines[start..end].iter().filter(old).count());
    let after =
        (lines[..start].iter().filter(new).count(), lines[start..end].iter().filter(new).count());
    let place = |(at, count): (usize, usize)| format!("{},{count}", at + usize::from(count > 0));
    out.push_str(&format!("@@ -{} +{} @@\n", place(before), place(after)));
    for line in &lines[start..end] {
        let (sign, text) = match line {
            Line::Same(text) => (' ', text),
            Line::Gone(text) => ('-', text),
            Line::Come(text) => ('+', text),
        };
        // White space at the end of a line is often all that goes, so it must be seen.
        let (body, end) = match text.strip_suffix('\n') {
            Some(body) => (body, "\n"),
            None => (*text, "\n\\ no newline at the end of the file\n"),
        };
        out.push_str(&format!("{sign}{}{end}", body.replace('\r', "\\r")));
    }
}

fn compare<'a>(before: &[&'a str], after: &[&'a str]) -> Vec<Line<'a>> {
    let head = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let (old, new) = (&before[head..], &after[head..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    let mut lines: Vec<Line<'a>> = before[..head].iter().map(|line| Line::Same(line)).collect();
    middle(old, new, &mut lines);
    lines.extend(before[before.len() - tail..].iter().map(|line| Line::Same(line)));
    lines
}

/// The longest common lines of two texts stay.
fn middle<'a>(old: &[&'a str], new: &[&'a str], lines: &mut Vec<Line<'a>>) {
    let width = new.len() + 1;
    let mut longest = vec![0_u32; 0];
    if old.len().saturating_mul(new.len()) <= PAIRS_MAX {
        longest = vec![0; (old.len() + 1) * width];
        for a in (0..old.len()).rev() {
            for b in (0..new.len()).rev() {
                longest[a * width + b] = if old[a] == new[b] {
                    longest[(a + 1) * width + b + 1] + 1
                } else {
                    longest[(a + 1) * width + b].max(longest[a * width + b + 1])
                };
            }
        }
    }
    let kept = |a: usize, b: usize| longest.get(a * width + b).copied().unwrap_or(0);
    let (mut a, mut b) = (0, 0);
    while a < old.len() || b < new.len() {
        if a < old.len() && b < new.len() && old[a] == new[b] && !longest.is_empty() {
            lines.push(Line::Same(old[a]));
            a += 1;
            b += 1;
        } else if a < old.len() && (b == new.len() || kept(a + 1, b) >= kept(a, b + 1)) {
            lines.push(Line::Gone(old[a]));
            a += 1;
        } else {
            lines.push(Line::Come(new[b]));
            b += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_shown_with_the_lines_around_them() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n";
        let after = before.replace("5\n6\n", "6\n5a\n").replace("16\n", "16");
        let expected = "--- a\n+++ a\n@@ -2,8 +2,8 @@\n 2\n 3\n 4\n-5\n 6\n+5a\n 7\n 8\n 9\n\
                        @@ -13,4 +13,4 @@\n 13\n 14\n 15\n-16\n+16\n\
                        \\ no newline at the end of the file\n";
        assert_eq!(unified("a", before, &after), expected);
    }
}
