//! What becomes of a frame on a cable.

use core::fmt;

use crate::time::Instant;

/// What becomes of a frame, decided the moment it is put on the cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Arrives(Passage),
    /// It does not.
    Lost(Loss),
}

impl Fate {
    /// How the frame arrives, if it does.
    pub fn passage(&self) -> Option<Passage> {
        match *self {
            Fate::Arrives(passage) => Some(passage),
            Fate::Lost(_) => None,
        }
    }

    /// Why the frame is lost, if it is.
    pub fn loss(&self) -> Option<Loss> {
        match *self {
            Fate::Arrives(_) => None,
            Fate::Lost(loss) => Some(loss),
        }
    }
}

/// How a frame arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// When. A hold of the cable that begins while the frame travels can make it later.
    pub at: Instant,
    /// When its copy arrives, where it is duplicated.
    pub copy_at: Option<Instant>,
    /// The bit that is flipped on the way, where one is: bit 0 is the highest of the first byte, as on the wire.
    pub corrupted_bit: Option<usize>,
    /// Whether it is marked with congestion experienced.
    pub is_marked: bool,
    /// Whether it is held back so that later frames can overtake it.
    pub is_held_back: bool,
}

/// Why a frame does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// The dice said so.
    Chance,
    /// Too much waits for the cable already.
    QueueFull,
    /// The packet is larger than the cable carries.
    TooBig,
    /// The cable is cut at the moment.
    Cut,
    /// Somebody asked for this very frame to be dropped.
    Requested,
    /// It is shorter than an Ethernet header; the switch cannot tell where it goes.
    Malformed,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Loss::Chance => "lost",
            Loss::QueueFull => "queue full",
            Loss::TooBig => "too big for the cable",
            Loss::Cut => "cable cut",
            Loss::Requested => "dropped on request",
            Loss::Malformed => "no Ethernet frame",
        })
    }
}
