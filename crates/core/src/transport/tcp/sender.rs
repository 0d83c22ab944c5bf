//! The sending half: SND.UNA, SND.NXT, SND.WND, the scoreboard of what the peer reported, and what is lost.

use super::congestion::Congestion;
use super::rtt::Rtt;
use crate::buffer::Ring;
use crate::time::Instant;
use crate::wire::tcp::{SackBlock, SeqNumber};

/// How many separate ranges the scoreboard keeps.
const MOST_RANGES: usize = 1024;

/// The sending half of a connection.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) iss: SeqNumber,
    pub(super) una: SeqNumber,
    pub(super) nxt: SeqNumber,
    pub(super) wnd: u32,
    pub(super) wl1: SeqNumber,
    pub(super) wl2: SeqNumber,
    pub(super) max_wnd: u32,
    pub(super) shift: u8,
    /// Bytes from `una` on.
    pub(super) ring: Ring,
    pub(super) fin_queued: bool,
    /// The FIN's sequence number, once sent.
    pub(super) fin: Option<SeqNumber>,
    /// Bytes of payload in a full segment.
    pub(super) mss: usize,
    pub(super) congestion: Congestion,
    pub(super) rtt: Rtt,
    sacked: Vec<SackBlock>,
    sacked_bytes: usize,
    pub(super) uses_sack: bool,
    pub(super) duplicate_acks: u32,
    /// Everything before this and not reported received is lost.
    pub(super) lost_below: SeqNumber,
    /// Everything lost before this was sent again.
    pub(super) high_rxt: SeqNumber,
    /// Recovery ends when this is acknowledged.
    pub(super) recovery: Option<SeqNumber>,
    pub(super) after_timeout: bool,
    /// The first retransmission of a recovery does not wait for the window.
    pub(super) force: bool,
    /// A segment being timed where there are no timestamps (Karn).
    pub(super) timed: Option<(SeqNumber, Instant)>,
    pub(super) retransmit_at: Option<Instant>,
    pub(super) probe_at: Option<Instant>,
    pub(super) probes: u32,
    pub(super) retries: u32,
    pub(super) stalled_since: Option<Instant>,
    pub(super) last_sent: Instant,
    pub(super) was_limited: bool,
    pub(super) retransmitted: u64,
}

impl Sender {
    pub(super) fn new(iss: SeqNumber, mss: usize, congestion: Congestion, rtt: Rtt) -> Self {
        Sender {
            iss,
            una: iss,
            nxt: iss,
            wnd: 0,
            wl1: SeqNumber(0),
            wl2: SeqNumber(0),
            max_wnd: 0,
            shift: 0,
            ring: Ring::default(),
            fin_queued: false,
            fin: None,
            mss,
            congestion,
            rtt,
            sacked: Vec::new(),
            sacked_bytes: 0,
            uses_sack: false,
            duplicate_acks: 0,
            lost_below: iss,
            high_rxt: iss,
            recovery: None,
            after_timeout: false,
            force: false,
            timed: None,
            retransmit_at: None,
            probe_at: None,
            probes: 0,
            retries: 0,
            stalled_since: None,
            last_sent: Instant::ZERO,
            was_limited: false,
            retransmitted: 0,
        }
    }

    /// The sequence number of the first byte in the ring.
    pub(super) fn data_start(&self) -> SeqNumber {
        let first = if self.una == self.iss { self.iss + 1 } else { self.una };
        self.fin.map_or(first, |fin| first.min(fin))
    }

    /// The sequence number behind the last byte written.
    pub(super) fn data_end(&self) -> SeqNumber {
        self.data_start() + self.ring.len() as u32
    }

    pub(super) fn in_flight(&self) -> usize {
        self.nxt.distance(self.una).max(0) as usize
    }

    pub(super) fn fin_sent(&self) -> bool {
        self.fin.is_some()
    }

    /// Bytes believed to be on their way (RFC 6675, `pipe`).
    pub(super) fn pipe(&self) -> usize {
        let reported =
            if self.uses_sack { self.sacked_bytes } else { self.duplicate_acks as usize * self.mss };
        let lost = self.unsent_losses();
        self.in_flight().saturating_sub(reported).saturating_sub(lost)
    }

    /// Bytes lost and not yet sent again.
    fn unsent_losses(&self) -> usize {
        let from = self.high_rxt.max(self.una);
        if !from.is_before(self.lost_below) {
            return 0;
        }
        let covered: usize = self
            .sacked
            .iter()
            .map(|range| {
                let left = range.left.max(from);
                let right = range.right.min(self.lost_below);
                right.distance(left).max(0) as usize
            })
            .sum();
        (self.lost_below.distance(from) as usize).saturating_sub(covered)
    }

    /// The next hole to send again: where it begins and where it ends.
    pub(super) fn next_hole(&self) -> Option<(SeqNumber, SeqNumber)> {
        let mut from = self.high_rxt.max(self.una);
        let first = self.sacked.partition_point(|range| range.right.at_or_before(from));
        for range in self.sacked.get(first..).unwrap_or_default() {
            if range.left.is_after(from) {
                break;
            }
            from = range.right;
        }
        if !from.is_before(self.lost_below) {
            return None;
        }
        let next = self.sacked.partition_point(|range| range.left.at_or_before(from));
        let end = self.sacked.get(next).map_or(self.lost_below, |range| range.left.min(self.lost_below));
        Some((from, end))
    }

    /// Notes what the peer reports received; `true` when that was news.
    pub(super) fn on_sack(&mut self, blocks: &[SackBlock]) -> bool {
        let mut news = false;
        for block in blocks {
            let valid = block.left.is_before(block.right)
                && block.left.at_or_after(self.una)
                && block.right.at_or_before(self.nxt);
            if valid {
                news |= self.insert(*block);
            }
        }
        news
    }

    fn insert(&mut self, block: SackBlock) -> bool {
        let from = self.sacked.partition_point(|range| range.right.is_before(block.left));
        let to = self.sacked.partition_point(|range| range.left.at_or_before(block.right));
        let mut merged = block;
        let mut known = 0;
        for range in self.sacked.get(from..to).unwrap_or_default() {
            merged.left = merged.left.min(range.left);
            merged.right = merged.right.max(range.right);
            known += range.right.distance(range.left) as usize;
        }
        let total = merged.right.distance(merged.left) as usize;
        if total == known || from >= to && self.sacked.len() >= MOST_RANGES {
            return false;
        }
        self.sacked.splice(from..to.max(from), [merged]);
        self.sacked_bytes += total - known;
        true
    }

    /// What is lost by RFC 6675's rule: more than two segments' worth was received above it.
    pub(super) fn mark_lost(&mut self) -> bool {
        let before = self.lost_below;
        if self.uses_sack {
            let mut above = 0;
            for range in self.sacked.iter().rev() {
                above += range.right.distance(range.left) as usize;
                if above > 2 * self.mss {
                    self.lost_below = self.lost_below.max(range.left);
                    break;
                }
            }
        } else if self.duplicate_acks >= 3 {
            self.lost_below = self.lost_below.max((self.una + self.mss as u32).min(self.nxt));
        }
        self.lost_below.is_after(before) || self.next_hole().is_some()
    }

    /// SND.UNA moves.
    pub(super) fn advance(&mut self, ack: SeqNumber) -> usize {
        let start = self.data_start();
        let acked = ack.distance(start).max(0) as usize;
        let bytes = acked.min(self.ring.len());
        self.ring.consume(bytes);
        self.una = ack;
        let passed = self.sacked.partition_point(|range| range.right.at_or_before(ack));
        for range in self.sacked.drain(..passed) {
            self.sacked_bytes -= range.right.distance(range.left) as usize;
        }
        if let Some(first) = self.sacked.first_mut()
            && first.left.is_before(ack)
        {
            self.sacked_bytes -= ack.distance(first.left) as usize;
            first.left = ack;
        }
        self.high_rxt = self.high_rxt.max(ack);
        self.lost_below = self.lost_below.max(ack);
        if self.ring.is_empty() {
            self.ring.release_if_empty();
        }
        bytes
    }

    /// The retransmission timer expired: everything not reported received counts as lost.
    pub(super) fn lose_all(&mut self) {
        // The peer may have taken back what it reported (RFC 2018, 8).
        self.sacked.clear();
        self.sacked_bytes = 0;
        self.duplicate_acks = 0;
        self.high_rxt = self.una;
        self.lost_below = self.nxt;
        self.recovery = Some(self.nxt);
        self.after_timeout = true;
        self.force = true;
        self.timed = None;
    }

    pub(super) fn sacked_bytes(&self) -> usize {
        self.sacked_bytes
    }

    pub(super) fn lost_bytes(&self) -> usize {
        self.unsent_losses()
    }
}
