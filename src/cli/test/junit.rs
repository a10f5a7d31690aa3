//! What was played, as JUnit XML: one suite a file, one test case a case.

use std::fmt::Write;

use super::Results;
use crate::sim::transcript;
use crate::view::text::Line;

/// Columns of the transcripts: nobody's terminal is asked.
const WIDTH: usize = 120;

/// The whole document.
pub(super) fn junit(results: &Results) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (all, failed) = (results.cases().count(), results.failed());
    put(&mut xml, format_args!("<testsuites tests=\"{all}\" failures=\"{failed}\">\n"));
    for suite in &results.suites {
        let failed = suite.cases.iter().filter(|case| !case.judged.passed()).count();
        let (name, all) = (text(&suite.path), suite.cases.len());
        put(
            &mut xml,
            format_args!(
                "  <testsuite name=\"{name}\" tests=\"{all}\" failures=\"{failed}\" errors=\"0\">\n"
            ),
        );
        for case in &suite.cases {
            let (saga, name) = (text(&suite.saga.name), text(&case.name));
            let (file, line) = (text(&suite.path), results.defined.sources.place(case.span).line);
            put(
                &mut xml,
                format_args!(
                    "    <testcase classname=\"{saga}\" name=\"{name}\" file=\"{file}\" \
                     line=\"{line}\""
                ),
            );
            if case.judged.passed() {
                xml.push_str("/>\n");
                continue;
            }
            let (place, faults) = (text(&results.place(case)), case.judged.faults.to_string());
            let with = if faults.is_empty() { String::new() } else { format!(" with {faults}") };
            let with = text(&with);
            put(&mut xml, format_args!(">\n      <failure message=\"differs at {place}{with}\">"));
            if let Some(played) = &case.judged.played {
                let lines = transcript::side_by_side(&played.rows, WIDTH);
                let lines: Vec<String> = lines.iter().map(Line::plain).collect();
                let broken =
                    played.broken.as_deref().or(played.unkept.as_deref()).unwrap_or_default();
                xml.push_str(&text(&format!("{broken}\n{}\n", lines.join("\n"))));
            }
            xml.push_str("</failure>\n    </testcase>\n");
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn put(xml: &mut String, what: std::fmt::Arguments<'_>) {
    xml.write_fmt(what).expect("a string takes all");
}

/// Text as XML has it; what XML cannot hold at all is shown as a question mark.
fn text(raw: &str) -> String {
    let mut safe = String::with_capacity(raw.len());
    for one in raw.chars() {
        match one {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(one),
            '\u{fffe}' | '\u{ffff}' => safe.push('?'),
            one if one.is_control() => safe.push('?'),
            one => safe.push(one),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_of_a_scenario_cannot_break_the_document() {
        assert_eq!(super::text("a<b & \"c\" > \u{1b}\u{0}"), "a&lt;b &amp; &quot;c&quot; &gt; ??");
    }
}
