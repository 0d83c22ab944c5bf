//! What is told of a run: TAP for people and machines, JUnit's XML for build servers.

use core::fmt::{self, Write};
use core::str::FromStr;
use std::time::Duration;

use super::failure::Failure;
use super::{Kind, Outcome};

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The Test Anything Protocol, version 13.
    #[default]
    Tap,
    /// JUnit's XML.
    Junit,
}

impl FromStr for Format {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "tap" => Ok(Format::Tap),
            "junit" => Ok(Format::Junit),
            _ => Err(format!("`{text}` is neither tap nor junit")),
        }
    }
}

/// What became of one script over one version of IP.
#[derive(Debug)]
pub struct Case {
    /// The script's file.
    pub file: String,
    /// Which IP it was run over, in packetdrill's words.
    pub ip_version: &'static str,
    /// How the run ended.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

impl Case {
    fn name(&self) -> String {
        format!("{} ({})", self.file, self.ip_version)
    }
}

/// What became of many scripts.
#[derive(Debug, Default)]
pub struct Report {
    cases: Vec<Case>,
}

impl Report {
    /// Another script has been run.
    pub fn push(&mut self, case: Case) {
        self.cases.push(case);
    }

    /// All of them, in order.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// How many were run.
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// How many did not pass.
    pub fn failed(&self) -> usize {
        self.cases.len() - self.passed() - self.refused()
    }

    /// How many were not played, since they ask for what another stack's program does not do.
    pub fn refused(&self) -> usize {
        self.cases.iter().filter(|case| case.outcome.refusal().is_some()).count()
    }

    fn passed(&self) -> usize {
        self.cases.iter().filter(|case| case.outcome.has_passed()).count()
    }

    /// The report's text.
    pub fn text(&self, format: Format, verbose: bool) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = match format {
            Format::Tap => self.tap(&mut text, verbose),
            Format::Junit => self.junit(&mut text),
        };
        text
    }

    fn tap(&self, out: &mut String, verbose: bool) -> fmt::Result {
        writeln!(out, "TAP version 13\n1..{}", self.cases.len())?;
        for (number, case) in self.cases.iter().enumerate() {
            let number = number + 1;
            match &case.outcome.failure {
                None => {
                    writeln!(out, "ok {number} - {}", case.name())?;
                    match case.outcome.ladder.unseen() {
                        0 => {}
                        1 => writeln!(out, "# a packet came at its end that it does not mention")?,
                        rest => writeln!(out, "# {rest} packets came at its end that it does not mention")?,
                    }
                }
                Some(failure) if failure.kind == Kind::Refused => {
                    writeln!(out, "ok {number} - {} # SKIP {}", case.name(), refusal(failure))?;
                }
                Some(failure) => {
                    writeln!(out, "not ok {number} - {}", case.name())?;
                    for line in explanation(&case.file, failure).lines() {
                        writeln!(out, "# {line}")?;
                    }
                }
            }
            let has_differed = |failure: &Failure| matches!(failure.kind, Kind::Mismatch | Kind::Late);
            if verbose || case.outcome.failure.as_ref().is_some_and(has_differed) {
                for line in case.outcome.ladder.to_string().lines() {
                    writeln!(out, "#   {line}")?;
                }
            }
        }
        write!(out, "# {} of {} passed", self.passed(), self.cases.len())?;
        match self.refused() {
            0 => writeln!(out),
            refused => writeln!(out, ", {refused} skipped"),
        }
    }

    fn junit(&self, out: &mut String) -> fmt::Result {
        let total: f64 = self.cases.iter().map(|case| case.took.as_secs_f64()).sum();
        writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(
            out,
            "<testsuite name=\"sockeye test\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{total:.6}\">",
            self.cases.len(),
            self.failed(),
            self.refused()
        )?;
        for case in &self.cases {
            let (name, class, took) = (escape(&case.file), case.ip_version, case.took.as_secs_f64());
            write!(out, "  <testcase name=\"{name}\" classname=\"{class}\" time=\"{took:.6}\"")?;
            match &case.outcome.failure {
                None => writeln!(out, "/>")?,
                Some(failure) if failure.kind == Kind::Refused => {
                    let why = escape(&refusal(failure));
                    writeln!(out, ">\n    <skipped message=\"{why}\"/>\n  </testcase>")?;
                }
                Some(failure) => {
                    let text = format!("{}\n{}", explanation(&case.file, failure), case.outcome.ladder);
                    writeln!(
                        out,
                        ">\n    <failure message=\"{}\">{}</failure>",
                        escape(&failure.text),
                        escape(&text)
                    )?;
                    writeln!(out, "  </testcase>")?;
                }
            }
        }
        writeln!(out, "</testsuite>")
    }
}

/// Why a script did not pass: the place, what differs, and both sides one above the other.
fn explanation(file: &str, failure: &Failure) -> String {
    let place = if failure.line > 0 { format!("{file}:{}: ", failure.line) } else { format!("{file}: ") };
    let mut text = format!("{place}{}", failure.text);
    for difference in &failure.differences {
        let (field, expected, actual) = (difference.field, &difference.expected, &difference.actual);
        let _ = write!(text, "\n  {field}: expected {expected}, was {actual}");
    }
    if let (Some(expected), Some(actual)) = (&failure.expected, &failure.actual) {
        let _ = write!(text, "\n  script: {expected}\n  actual: {actual}");
    }
    text
}

/// Why a script was not played, in a line.
fn refusal(failure: &Failure) -> String {
    if failure.line > 0 { format!("line {}: {}", failure.line, failure.text) } else { failure.text.clone() }
}

/// Text as XML takes it. Control characters, which it does not, become spaces.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push('\n'),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::ladder::Ladder;
    use crate::run::{Difference, IpVersion};

    fn report() -> Report {
        let case = |file: &str, failure| Case {
            file: file.to_owned(),
            ip_version: "ipv4",
            outcome: Outcome { failure, ladder: Ladder::default(), ip_version: IpVersion::V4 },
            took: Duration::from_millis(2),
        };
        let mut failure =
            Failure::mismatch(7, "the stack sent <another> packet").with("S 0:0(0)", "R 0:0(0)");
        failure.differences.push(Difference { field: "flags", expected: "S".into(), actual: "R".into() });
        let mut report = Report::default();
        report.push(case("good.pkt", None));
        report.push(case("bad.pkt", Some(failure)));
        report
    }

    #[test]
    fn tap_says_what_failed_where_and_how() {
        let text = report().text(Format::Tap, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "TAP version 13",
                "1..2",
                "ok 1 - good.pkt (ipv4)",
                "not ok 2 - bad.pkt (ipv4)",
                "# bad.pkt:7: the stack sent <another> packet",
                "#   flags: expected S, was R",
                "#   script: S 0:0(0)",
                "#   actual: R 0:0(0)",
                "# 1 of 2 passed",
            ]
        );
    }

    #[test]
    fn junit_is_xml_whatever_a_failure_says() {
        let text = report().text(Format::Junit, false);
        assert!(text.contains("tests=\"2\" failures=\"1\""), "{text}");
        assert!(text.contains("message=\"the stack sent &lt;another&gt; packet\""), "{text}");
        assert_eq!(text.matches("<testcase").count(), 2);
    }
}
