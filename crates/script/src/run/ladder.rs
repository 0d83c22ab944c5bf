//! All that has happened so far, in order, for whoever has to understand why a script failed.

use core::fmt;

use sockeye_core::time::Duration;

/// What sort of thing has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// The script sent a packet.
    Received,
    /// The stack sent one that the script was waiting for.
    Sent,
    /// The stack sent one that belongs to no socket under test.
    Other,
    /// The stack had sent one that nobody had asked for when the script ended or failed.
    Unseen,
    /// The program called.
    Call,
    /// A call that had waited returned.
    Return,
    /// A command changed the host.
    Command,
    /// Something that another stack's administrator is to have set.
    Assumed,
    /// What another stack's program is to have called.
    Service,
    /// `TCP_INFO` was asked for.
    Code,
}

/// One thing that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, since the start of the script.
    pub at: Duration,
    /// What sort of thing.
    pub rung: Rung,
    /// In words.
    pub text: String,
}

/// All that has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    /// In order.
    pub entries: Vec<Entry>,
}

impl Ladder {
    /// Something has happened.
    pub fn push(&mut self, at: Duration, rung: Rung, text: impl Into<String>) {
        self.entries.push(Entry { at, rung, text: text.into() });
    }
}

impl Ladder {
    /// How many packets the stack has sent that nobody had asked for.
    pub fn unseen(&self) -> usize {
        self.entries.iter().filter(|entry| entry.rung == Rung::Unseen).count()
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.rung {
            Rung::Received => "  < ",
            Rung::Sent => "  > ",
            Rung::Other => "  > (not of this socket) ",
            Rung::Unseen => "  > (nobody asked for it) ",
            Rung::Call | Rung::Command | Rung::Code => "",
            Rung::Assumed => "(left to whoever runs the other stack) ",
            Rung::Service => "(the service) ",
            Rung::Return => "… ",
        };
        let (seconds, micros) = (self.at.as_secs(), self.at.subsec_micros());
        write!(f, "{seconds:>5}.{micros:06} {mark}{}", self.text)
    }
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.iter().try_for_each(|entry| writeln!(f, "{entry}"))
    }
}
