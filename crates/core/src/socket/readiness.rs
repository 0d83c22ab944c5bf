//! What a socket can do without waiting.

use core::fmt;
use core::ops::{BitOr, BitOrAssign};

/// A set of things a socket is ready for, as `poll(2)` would report them.
///
/// ```
/// use sockeye_core::socket::Readiness;
/// let ready = Readiness::READABLE | Readiness::WRITABLE;
/// assert!(ready.is_readable() && ready.is_writable() && !ready.has_failed());
/// assert_eq!(ready.to_string(), "readable,writable");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Readiness(u8);

impl Readiness {
    /// Ready for nothing.
    pub const NONE: Readiness = Readiness(0);
    /// `read`, `accept` or `receive_from` will not wait: data, a connection, the end of the stream or an error is there.
    pub const READABLE: Readiness = Readiness(1);
    /// `write` or `send_to` will not wait, or the outcome of `connect` is known.
    pub const WRITABLE: Readiness = Readiness(2);
    /// The peer has finished sending, or reading was shut down (`POLLRDHUP`).
    pub const READ_CLOSED: Readiness = Readiness(4);
    /// Nothing more can be written; with [`Readiness::READ_CLOSED`] that is `POLLHUP`.
    pub const WRITE_CLOSED: Readiness = Readiness(8);
    /// An error waits to be taken (`POLLERR`).
    pub const ERROR: Readiness = Readiness(16);
    /// An urgent byte waits to be taken out of the stream (`POLLPRI`).
    pub const URGENT: Readiness = Readiness(32);

    /// Whether reading will not wait.
    pub const fn is_readable(self) -> bool {
        self.contains(Readiness::READABLE)
    }

    /// Whether writing will not wait.
    pub const fn is_writable(self) -> bool {
        self.contains(Readiness::WRITABLE)
    }

    /// Whether the peer has finished sending.
    pub const fn is_read_closed(self) -> bool {
        self.contains(Readiness::READ_CLOSED)
    }

    /// Whether nothing more can be written.
    pub const fn is_write_closed(self) -> bool {
        self.contains(Readiness::WRITE_CLOSED)
    }

    /// Whether an error waits to be taken.
    pub const fn has_failed(self) -> bool {
        self.contains(Readiness::ERROR)
    }

    /// Whether an urgent byte waits.
    pub const fn has_urgent(self) -> bool {
        self.contains(Readiness::URGENT)
    }

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Readiness) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether `self` holds anything that `before` does not.
    pub const fn gains_on(self, before: Readiness) -> bool {
        self.0 & !before.0 != 0
    }

    /// This set, less all that is in `other`.
    #[must_use]
    pub const fn without(self, other: Readiness) -> Readiness {
        Readiness(self.0 & !other.0)
    }

    /// This set, with `other` where `condition` holds.
    #[must_use]
    pub const fn with_if(self, other: Readiness, condition: bool) -> Readiness {
        if condition { Readiness(self.0 | other.0) } else { self }
    }
}

impl BitOr for Readiness {
    type Output = Readiness;
    fn bitor(self, other: Readiness) -> Readiness {
        Readiness(self.0 | other.0)
    }
}

impl BitOrAssign for Readiness {
    fn bitor_assign(&mut self, other: Readiness) {
        self.0 |= other.0;
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["readable", "writable", "read-closed", "write-closed", "error", "urgent"];
        let mut separator = "";
        for (bit, name) in names.iter().enumerate() {
            if self.0 & 1 << bit != 0 {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        if self.0 == 0 { f.write_str("none") } else { Ok(()) }
    }
}
