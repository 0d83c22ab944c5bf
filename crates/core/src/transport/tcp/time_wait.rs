//! TIME-WAIT in a few words (RFC 9293, 3.4.1; RFC 6191).

use super::{Connection, Endpoints, empty};
use crate::drop_reason::DropReason;
use crate::time::{Duration, Instant};
use crate::wire::tcp::{Flags, Options, Segment, SeqNumber, Timestamps};

/// What is kept of a connection for two segment lifetimes.
#[derive(Clone, Debug)]
pub struct TimeWait {
    ends: Endpoints,
    snd_nxt: SeqNumber,
    rcv_nxt: SeqNumber,
    ts_recent: u32,
    ts_offset: Option<u32>,
    window: u16,
    lifetime: Duration,
    expires: Instant,
}

/// What a segment does in TIME-WAIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeWaitStep {
    /// The last acknowledgement, once more.
    Acknowledge(Segment),
    /// A new connection between the same two ends may begin; its initial sequence number shall not be before this.
    Reopen {
        /// The least initial sequence number.
        iss_at_least: SeqNumber,
    },
    /// Over at once.
    Closed,
    /// Refused.
    Drop(DropReason),
}

impl TimeWait {
    pub(super) fn new(now: Instant, connection: &Connection) -> TimeWait {
        let lifetime = connection.settings.msl * 2;
        TimeWait {
            ends: connection.ends,
            snd_nxt: connection.sender.nxt,
            rcv_nxt: connection.receiver.nxt,
            ts_recent: connection.receiver.ts_recent,
            ts_offset: connection.timestamps,
            window: (connection.receiver.window() >> connection.receiver.shift).min(65_535) as u16,
            lifetime,
            expires: now + lifetime,
        }
    }

    /// Its two ends.
    pub fn endpoints(&self) -> Endpoints {
        self.ends
    }

    /// When it is over.
    pub fn expires(&self) -> Instant {
        self.expires
    }

    /// A segment for it.
    pub fn on_segment(&mut self, now: Instant, segment: &Segment) -> TimeWaitStep {
        let flags = segment.flags;
        if flags.contains(Flags::RST) {
            // RFC 1337: a RST must not cut TIME-WAIT short.
            return TimeWaitStep::Drop(DropReason::OutOfWindow);
        }
        let newer = match (segment.options.timestamps, self.ts_offset) {
            (Some(timestamps), Some(_)) => timestamps.value.wrapping_sub(self.ts_recent) as i32 > 0,
            _ => segment.seq.is_after(self.rcv_nxt),
        };
        if flags.contains(Flags::SYN)
            && !flags.contains(Flags::ACK)
            && (newer || segment.seq.is_after(self.rcv_nxt))
        {
            return TimeWaitStep::Reopen { iss_at_least: self.snd_nxt + 65_536 };
        }
        if flags.contains(Flags::FIN) && segment.end() == self.rcv_nxt {
            self.expires = now + self.lifetime;
        }
        if segment.sequence_length() == 0 && segment.seq == self.rcv_nxt {
            return TimeWaitStep::Drop(DropReason::OldDuplicate);
        }
        TimeWaitStep::Acknowledge(self.acknowledgement(now))
    }

    fn acknowledgement(&self, now: Instant) -> Segment {
        let timestamps = self.ts_offset.map(|offset| Timestamps {
            value: (now.as_millis() as u32).wrapping_add(offset),
            echo: self.ts_recent,
        });
        Segment {
            seq: self.snd_nxt,
            ack: self.rcv_nxt,
            flags: Flags::ACK,
            window: self.window,
            options: Options { timestamps, ..Options::default() },
            ..empty(self.ends.local.port(), self.ends.remote.port())
        }
    }
}
