//! Accurate ECN (RFC 9768): every mark is reported, not one in a round trip.
//!
//! Three flags are one number, ACE. In a SYN and its answers it says who can do what, and with which ECN field the SYN
//! and the SYN-ACK came, so that mangling shows ("handshake encoding"). Behind the handshake it is a counter of marked
//! packets, modulo eight; the options AccECN0 and AccECN1 count bytes, which tells whether the counter has gone round.

use super::Connection;
use super::delayed_ack::DelayedAck;
use super::ecn::Feedback;
use crate::wire::ecn::Codepoint;
use crate::wire::tcp::{AccurateEcn, AccurateEcnOrder, Flags, Segment};

/// What ACE counts from (section 3.2.1).
const START: u32 = 5;
/// So many marks are reported at once (section 3.2.2.5.1).
const MOST_PENDING: u8 = 2;

/// The number that three flags are.
pub(super) fn ace(flags: Flags) -> u8 {
    let bit = |flag| u8::from(flags.contains(flag));
    bit(Flags::AE) << 2 | bit(Flags::CWR) << 1 | bit(Flags::ECE)
}

/// The flags of a number from 0 to 7.
fn flags_of(ace: u8) -> Flags {
    let of = |bit: u8, flag| if ace & bit != 0 { flag } else { Flags::NONE };
    of(4, Flags::AE) | of(2, Flags::CWR) | of(1, Flags::ECE)
}

/// The flags that say with which field a SYN or SYN-ACK came (section 3.1.1, tables 2 and 3).
pub(super) fn handshake_flags(field: Codepoint) -> Flags {
    flags_of(match field {
        Codepoint::NotEct => 0b010,
        Codepoint::Ect1 => 0b011,
        Codepoint::Ect0 => 0b100,
        Codepoint::Ce => 0b110,
    })
}

/// Whether an answer in handshake encoding shows that something on the way has changed the field of a SYN or SYN-ACK,
/// which we never make ECN-capable (section 3.2.2.3).
pub(super) fn shows_mangling(ace: u8) -> bool {
    matches!(ace, 0b011 | 0b100 | 0b110)
}

/// What the sender's half knows of the peer's counters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AccurateSender {
    /// Marked packets reported, modulo eight.
    packets: u8,
    /// Marked bytes reported, modulo 2^24.
    bytes: u32,
    /// Whether the counter was looked at before.
    is_seen: bool,
}

/// What an acknowledgement reports.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    /// The counter of packets, modulo eight.
    pub(super) ace: u8,
    /// The counter of bytes, modulo 2^24.
    pub(super) bytes: Option<u32>,
}

impl Report {
    /// What this segment reports.
    pub(super) fn of(segment: &Segment) -> Report {
        let bytes = segment.options.accurate_ecn.and_then(|counters| counters.bytes(Codepoint::Ce));
        Report { ace: ace(segment.flags), bytes }
    }
}

impl AccurateSender {
    /// How many of the `packets` of `mss` bytes that were delivered now were marked, as far as that can be known. `None`: the
    /// counter was never anything but zero, which it cannot be (section 3.2.2.4).
    pub(super) fn on_report(&mut self, report: Report, packets: u32, mss: u32) -> Option<u32> {
        if !core::mem::replace(&mut self.is_seen, true) && report.ace == 0 {
            return None;
        }
        let marked = u32::from(report.ace).wrapping_sub(START + u32::from(self.packets)) & 7;
        let bytes = report.bytes.and_then(|bytes| AccurateEcn::growth(self.bytes, bytes).zip(Some(bytes)));
        if let Some((_, bytes)) = bytes {
            self.bytes = bytes;
        }
        // Appendix A.2: the counter may have gone round; then the most that is possible counts, unless the bytes say better.
        let most = packets - (packets.wrapping_sub(marked) & 7).min(packets);
        let marked = match bytes {
            _ if packets <= 7 => marked,
            Some((growth, _)) if u64::from(growth) * 2 <= u64::from(most) * u64::from(mss) => marked,
            _ => most.max(marked),
        };
        self.packets = self.packets.wrapping_add(marked as u8) & 7;
        Some(marked)
    }
}

/// What the receiver's half has counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct AccurateReceiver {
    /// Marked packets.
    packets: u32,
    /// Those of them that were not reported yet.
    pending: u8,
    /// Bytes of payload by field: ECT(0), CE, ECT(1).
    bytes: [u32; 3],
    /// Whether the last data was marked.
    was_marked: bool,
    /// With which field the peer's SYN or SYN-ACK came.
    pub(super) first: Codepoint,
    /// Whether the next bare acknowledgement says so.
    pub(super) tells_first: bool,
}

impl Default for AccurateReceiver {
    fn default() -> Self {
        AccurateReceiver {
            packets: 0,
            pending: 0,
            bytes: [1, 0, 1], // section 3.2.1: so that zeroing on the way shows
            was_marked: false,
            first: Codepoint::NotEct,
            tells_first: false,
        }
    }
}

impl AccurateReceiver {
    /// Marked packets that have come.
    pub(super) fn packets(&self) -> u32 {
        self.packets
    }

    /// Data or an acknowledgement has come with this field, in so many packets.
    pub(super) fn on_packets(&mut self, field: Codepoint, length: u32, packets: u32, ack: &mut DelayedAck) {
        let [ect0, ce, ect1] = &mut self.bytes;
        match field {
            Codepoint::NotEct => {}
            Codepoint::Ect0 => *ect0 = ect0.wrapping_add(length),
            Codepoint::Ect1 => *ect1 = ect1.wrapping_add(length),
            Codepoint::Ce => {
                *ce = ce.wrapping_add(length);
                self.packets = self.packets.wrapping_add(packets);
                self.pending = self.pending.saturating_add(packets.min(255) as u8);
            }
        }
        if length == 0 {
            return; // two ends that answer each other's acknowledgements would never stop
        }
        // The first mark is news, and so are several (section 3.2.2.5.1).
        let is_marked = field == Codepoint::Ce;
        if is_marked && !self.was_marked || self.pending >= MOST_PENDING {
            ack.owe();
        }
        self.was_marked = is_marked;
    }

    /// The flags of any segment behind the handshake.
    pub(super) fn flags(&self) -> Flags {
        flags_of((self.packets.wrapping_add(START) & 7) as u8)
    }

    /// A segment with them has left.
    pub(super) fn on_reported(&mut self) {
        self.pending = 0;
    }

    /// The option. What we send is ECT(0), and most others do so too: it comes first, and ECT(1) where there is room.
    pub(super) fn option(&self) -> AccurateEcn {
        AccurateEcn::new(AccurateEcnOrder::Ect0First, &self.bytes)
    }
}

impl Connection {
    /// A bare acknowledgement says more than other segments: how the peer's SYN-ACK has come, if that is not said yet, and
    /// how many bytes were marked.
    pub(super) fn report_marks(&mut self, segment: &mut Segment) {
        if self.sender.ecn.feedback != Feedback::Accurate {
            return;
        }
        let accurate = &mut self.receiver.ecn.accurate;
        if accurate.tells_first && segment.options.sack.is_empty() {
            accurate.tells_first = false;
            let counter = Flags::AE | Flags::CWR | Flags::ECE;
            segment.flags = segment.flags & !counter | handshake_flags(accurate.first);
        }
        if self.settings.accurate_ecn_option {
            segment.options.accurate_ecn = Some(accurate.option());
        }
    }

    /// The segment that completes a handshake we did not begin, by its ACE: whether the ECN field of our SYN-ACK has come
    /// through as it was sent, and the flags at all (sections 3.2.2.3 and 3.2.2.4).
    pub(super) fn check_third_ack(&mut self, segment: &Segment) {
        let is_bare = segment.sequence_length() == 0 && segment.options.sack.is_empty();
        if self.sender.ecn.feedback != Feedback::Accurate || !is_bare {
            return;
        }
        let ace = ace(segment.flags);
        if ace == 0 || shows_mangling(ace) {
            self.sender.ecn.silence();
        }
    }
}
