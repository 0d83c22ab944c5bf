//! Why a script did not pass.

use core::fmt;

/// What sort of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The stack did something else than the script says.
    Mismatch,
    /// The script uses something that the runner or the stack does not offer.
    Unsupported,
    /// The script makes no sense.
    Script,
    /// As [`Kind::Mismatch`], but the runner itself was not in time, where it plays in real time.
    Late,
    /// The script asks another stack's program for something that nobody makes it do: it was not played.
    Refused,
}

/// Why a script did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The line of the script, from 1; 0 where none is to blame.
    pub line: u32,
    /// What sort of failure.
    pub kind: Kind,
    /// What is wrong, in a line.
    pub text: String,
    /// What was expected, in tcpdump's or strace's words, where that helps.
    pub expected: Option<String>,
    /// What happened instead.
    pub actual: Option<String>,
    /// Field by field what differs.
    pub differences: Vec<Difference>,
}

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which field.
    pub field: &'static str,
    /// What the script says.
    pub expected: String,
    /// What was seen.
    pub actual: String,
}

impl Failure {
    fn new(line: u32, kind: Kind, text: impl Into<String>) -> Failure {
        Failure { line, kind, text: text.into(), expected: None, actual: None, differences: Vec::new() }
    }

    /// The stack did something else than the script says.
    pub fn mismatch(line: u32, text: impl Into<String>) -> Failure {
        Failure::new(line, Kind::Mismatch, text)
    }

    /// The script uses something that is not there.
    pub fn unsupported(line: u32, what: impl fmt::Display) -> Failure {
        Failure::new(line, Kind::Unsupported, format!("unsupported: {what}"))
    }

    /// The script makes no sense.
    pub fn script(line: u32, text: impl Into<String>) -> Failure {
        let text = text.into();
        let kind = if text.starts_with("unsupported: ") { Kind::Unsupported } else { Kind::Script };
        Failure::new(line, kind, text)
    }

    /// The script was not played.
    pub fn refused(line: u32, why: impl Into<String>) -> Failure {
        Failure::new(line, Kind::Refused, why)
    }

    /// With both sides in words.
    #[must_use]
    pub fn with(mut self, expected: impl Into<String>, actual: impl Into<String>) -> Failure {
        (self.expected, self.actual) = (Some(expected.into()), Some(actual.into()));
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        f.write_str(&self.text)?;
        for Difference { field, expected, actual } in &self.differences {
            write!(f, "\n  {field}: expected {expected}, was {actual}")?;
        }
        if let Some(expected) = &self.expected {
            write!(f, "\n  script: {expected}")?;
        }
        if let Some(actual) = &self.actual {
            write!(f, "\n  actual: {actual}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
