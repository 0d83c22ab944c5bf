//! The options AccECN0 and AccECN1 (RFC 9768 section 3.2.3): how many bytes came with which ECN field.

use core::fmt;

use crate::wire::ecn::Codepoint;

/// Where ECT(0) is counted first.
pub(super) const KIND_0: u8 = 172;
/// Where ECT(1) is counted first.
pub(super) const KIND_1: u8 = 174;
/// Counters have 24 bits.
const MASK: u32 = 0xff_ffff;

/// Which counter stands first; the last ones may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccurateEcnOrder {
    /// AccECN0: ECT(0), CE, ECT(1).
    #[default]
    Ect0First,
    /// AccECN1: ECT(1), CE, ECT(0).
    Ect1First,
}

/// Up to three counters of payload bytes, by the ECN field they came with, modulo 2^24.
///
/// ```
/// use sockeye_core::wire::ecn::Codepoint::{Ce, Ect0, Ect1};
/// use sockeye_core::wire::tcp::{AccurateEcn, AccurateEcnOrder};
/// let counters = AccurateEcn::new(AccurateEcnOrder::Ect0First, &[1, 1448, 1]);
/// assert_eq!([Ect0, Ce, Ect1].map(|field| counters.bytes(field)), [Some(1), Some(1448), Some(1)]);
/// assert_eq!(counters.to_string(), "ECN e0b 1 ceb 1448 e1b 1");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccurateEcn {
    order: AccurateEcnOrder,
    counters: [u32; 3],
    count: u8,
}

impl AccurateEcn {
    /// These counters, in this order; what exceeds three of them or 24 bits is left out.
    pub fn new(order: AccurateEcnOrder, counters: &[u32]) -> AccurateEcn {
        let mut all = [0; 3];
        let count = counters.len().min(3);
        for (place, counter) in all.iter_mut().zip(counters) {
            *place = counter & MASK;
        }
        AccurateEcn { order, counters: all, count: count as u8 }
    }

    /// The counter of this ECN field, if it is there; packets that are not ECN-capable are not counted.
    pub fn bytes(&self, field: Codepoint) -> Option<u32> {
        let place = self.fields().iter().position(|counted| *counted == field)?;
        self.as_slice().get(place).copied()
    }

    /// How much larger a counter is than it `was`; `None` if it is smaller.
    pub fn growth(was: u32, is: u32) -> Option<u32> {
        let growth = is.wrapping_sub(was) & MASK;
        (growth <= MASK / 2).then_some(growth)
    }

    fn fields(&self) -> [Codepoint; 3] {
        match self.order {
            AccurateEcnOrder::Ect0First => [Codepoint::Ect0, Codepoint::Ce, Codepoint::Ect1],
            AccurateEcnOrder::Ect1First => [Codepoint::Ect1, Codepoint::Ce, Codepoint::Ect0],
        }
    }

    fn as_slice(&self) -> &[u32] {
        self.counters.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// Reads what stands behind kind and length; the lengths 2, 5, 8 and 11 are known.
    pub(super) fn parse(kind: u8, data: &[u8]) -> Option<AccurateEcn> {
        let order = match kind {
            KIND_0 => AccurateEcnOrder::Ect0First,
            KIND_1 => AccurateEcnOrder::Ect1First,
            _ => return None,
        };
        let (counters, []) = data.as_chunks::<3>() else { return None };
        if counters.len() > 3 {
            return None;
        }
        let mut all = AccurateEcn { order, counters: [0; 3], count: counters.len() as u8 };
        for (place, [a, b, c]) in all.counters.iter_mut().zip(counters) {
            *place = u32::from_be_bytes([0, *a, *b, *c]);
        }
        Some(all)
    }

    /// The option, with as many counters as `room` holds; empty where that is none.
    pub(super) fn emit(&self, room: usize) -> ([u8; 11], usize) {
        let mut option = [0; 11];
        let count = room.saturating_sub(2).min(9) / 3;
        let count = count.min(usize::from(self.count));
        if count == 0 && self.count > 0 || room < 2 {
            return (option, 0);
        }
        let len = 2 + 3 * count;
        option[0] = match self.order {
            AccurateEcnOrder::Ect0First => KIND_0,
            AccurateEcnOrder::Ect1First => KIND_1,
        };
        option[1] = len as u8;
        for (place, counter) in option[2..].chunks_exact_mut(3).zip(self.as_slice()).take(count) {
            let [_, high, middle, low] = counter.to_be_bytes();
            place.copy_from_slice(&[high, middle, low]);
        }
        (option, len)
    }
}

impl fmt::Display for AccurateEcn {
    /// In packetdrill's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ECN")?;
        for (field, counter) in self.fields().iter().zip(self.as_slice()) {
            let name = match field {
                Codepoint::Ect0 => "e0b",
                Codepoint::Ect1 => "e1b",
                _ => "ceb",
            };
            write!(f, " {name} {counter}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_emitted_is_read_again_as_far_as_there_is_room() {
        for order in [AccurateEcnOrder::Ect0First, AccurateEcnOrder::Ect1First] {
            let all = AccurateEcn::new(order, &[1, 0xff_fffe, 0x12_3456]);
            for (room, len) in [(40, 11), (11, 11), (10, 8), (8, 8), (7, 5), (5, 5), (4, 0), (0, 0)] {
                let (bytes, emitted) = all.emit(room);
                assert_eq!(emitted, len, "{room}");
                let Some(read) = AccurateEcn::parse(bytes[0], &bytes[2.min(len)..len]) else {
                    assert_eq!(len, 0);
                    continue;
                };
                assert_eq!(read, AccurateEcn::new(order, &all.counters[..len / 3]), "{room}");
            }
        }
        assert_eq!(AccurateEcn::new(AccurateEcnOrder::Ect0First, &[]).emit(40).1, 2);
    }

    #[test]
    fn other_lengths_are_no_counters() {
        for length in [1, 2, 4, 5, 7, 8, 10, 12] {
            assert_eq!(AccurateEcn::parse(KIND_0, &[0; 12][..length]), None, "{length}");
        }
        assert_eq!(AccurateEcn::parse(170, &[0; 3]), None);
    }

    #[test]
    fn counters_wrap() {
        assert_eq!(AccurateEcn::growth(0xff_ffff, 4), Some(5));
        assert_eq!(AccurateEcn::growth(4, 4), Some(0));
        assert_eq!(AccurateEcn::growth(5, 4), None);
    }
}
