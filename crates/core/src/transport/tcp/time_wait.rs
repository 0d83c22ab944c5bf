//! TIME-WAIT in a few words (RFC 9293 section 3.4.1, RFC 6191).

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::connection::{Connection, timestamp};
use super::{Endpoints, empty};
use crate::drop_reason::DropReason;
use crate::time::{Duration, Instant};
use crate::wire::tcp::{Flags, Options, Segment, SeqNumber, Timestamps};

/// What is kept of a connection for two segment lifetimes: 80 bytes in place of a connection and its buffers.
#[derive(Clone, Debug)]
pub struct TimeWait {
    /// IPv4 addresses in their mapped form.
    local: [u8; 16],
    remote: [u8; 16],
    ports: (u16, u16),
    /// Our window, as the field goes into the header.
    window: u16,
    has_timestamps: bool,
    is_v4: bool,
    /// Whether no RST ends it (RFC 1337).
    ignores_reset: bool,
    snd_nxt: SeqNumber,
    rcv_nxt: SeqNumber,
    ts_recent: u32,
    ts_offset: u32,
    lifetime_ms: u32,
    expires: Instant,
    answered: Instant,
}

/// What a segment does in TIME-WAIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeWaitStep {
    /// The last acknowledgement, once more.
    Acknowledge(Segment),
    /// A new connection between the same two ends may begin, if somebody listens; its initial sequence number is not to
    /// lie before this.
    Reopen {
        /// The least initial sequence number.
        iss_at_least: SeqNumber,
    },
    /// Over at once.
    Closed,
    /// Refused; nothing changes.
    Drop(DropReason),
}

impl TimeWait {
    pub(super) fn new(now: Instant, connection: &Connection) -> TimeWait {
        let lifetime = connection.settings.msl.saturating_mul(2);
        let lifetime_ms = u32::try_from(lifetime.as_millis()).unwrap_or(u32::MAX);
        let receiver = &connection.receiver;
        let Endpoints { local, remote } = connection.endpoints();
        TimeWait {
            local: octets(local.ip()),
            remote: octets(remote.ip()),
            ports: (local.port(), remote.port()),
            window: (receiver.window() >> receiver.shift).min(65_535) as u16,
            has_timestamps: connection.clock.is_some(),
            is_v4: local.is_ipv4(),
            ignores_reset: connection.settings.rfc1337,
            snd_nxt: connection.sender.nxt,
            rcv_nxt: receiver.nxt,
            ts_recent: receiver.ts_recent,
            ts_offset: connection.clock.unwrap_or(0),
            lifetime_ms,
            expires: now + Duration::from_millis(lifetime_ms.into()),
            answered: Instant::ZERO,
        }
    }

    /// Its two ends.
    pub fn endpoints(&self) -> Endpoints {
        let address = |octets: [u8; 16], port| {
            let v6 = Ipv6Addr::from(octets);
            let ip = v6.to_ipv4_mapped().filter(|_| self.is_v4).map_or(IpAddr::V6(v6), IpAddr::V4);
            SocketAddr::new(ip, port)
        };
        Endpoints { local: address(self.local, self.ports.0), remote: address(self.remote, self.ports.1) }
    }

    /// When it is over.
    pub fn expires(&self) -> Instant {
        self.expires
    }

    /// A segment for it (RFC 9293 section 3.10.7.4, RFC 6191 section 2).
    pub fn on_segment(&mut self, now: Instant, segment: &Segment) -> TimeWaitStep {
        let flags = segment.flags;
        if flags.contains(Flags::RST) {
            // With exactly the number expected, as RFC 5961 section 3.2 has it elsewhere. That a RST cuts TIME-WAIT short has
            // its dangers (RFC 1337), but as on Linux nobody is protected from them who has not asked for it.
            let is_believed = segment.seq == self.rcv_nxt && !self.ignores_reset;
            return if is_believed {
                TimeWaitStep::Closed
            } else {
                TimeWaitStep::Drop(DropReason::UnexpectedSegment)
            };
        }
        let stamped = segment.options.timestamps.filter(|_| self.has_timestamps);
        let age = stamped.map(|timestamps| timestamps.value.wrapping_sub(self.ts_recent).cast_signed());
        if flags.contains(Flags::SYN) && !flags.contains(Flags::ACK) {
            let is_new = segment.seq.is_after(self.rcv_nxt) || age.is_some_and(|age| age > 0);
            if is_new && age.is_none_or(|age| age >= 0) {
                return TimeWaitStep::Reopen { iss_at_least: self.snd_nxt + 65_537 };
            }
            return self.acknowledge(now);
        }
        if age.is_some_and(|age| age < 0) {
            return self.acknowledge_seldom(now, DropReason::OldTimestamp);
        }
        if !flags.contains(Flags::ACK) {
            return TimeWaitStep::Drop(DropReason::UnexpectedSegment);
        }
        if flags.contains(Flags::FIN) && segment.end() == self.rcv_nxt {
            // The peer's FIN again: our last acknowledgement was lost.
            self.expires = now + Duration::from_millis(self.lifetime_ms.into());
            return self.acknowledge(now);
        }
        if segment.sequence_length() == 0 && segment.seq == self.rcv_nxt {
            return TimeWaitStep::Drop(DropReason::OldDuplicate);
        }
        if segment.length > 0 {
            self.acknowledge(now)
        } else {
            self.acknowledge_seldom(now, DropReason::OutOfWindow)
        }
    }

    /// Answers a bare segment at most twice a second, lest two ends acknowledge each other for ever.
    fn acknowledge_seldom(&mut self, now: Instant, reason: DropReason) -> TimeWaitStep {
        if self.answered != Instant::ZERO && now.since(self.answered) < Duration::from_millis(500) {
            return TimeWaitStep::Drop(reason);
        }
        self.answered = now;
        self.acknowledge(now)
    }

    fn acknowledge(&self, now: Instant) -> TimeWaitStep {
        let value = timestamp(now, self.ts_offset);
        let timestamps = self.has_timestamps.then_some(Timestamps { value, echo: self.ts_recent });
        TimeWaitStep::Acknowledge(Segment {
            seq: self.snd_nxt,
            ack: self.rcv_nxt,
            flags: Flags::ACK,
            window: self.window,
            options: Options { timestamps, ..Options::default() },
            ..empty(self.ports.0, self.ports.1)
        })
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}
