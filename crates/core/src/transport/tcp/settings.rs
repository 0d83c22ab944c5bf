//! What can be set for a connection; the defaults are Linux's.

use std::sync::Arc;

use super::{CongestionName, EcnMode, FastOpenOptions, MtuProbing, SlowStartExit};
use crate::time::Duration;

/// How a silent peer is probed (RFC 9293 section 3.8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first probe: `TCP_KEEPIDLE`.
    pub idle: Duration,
    /// Time between probes: `TCP_KEEPINTVL`.
    pub interval: Duration,
    /// Unanswered probes before the connection is given up: `TCP_KEEPCNT`.
    pub probes: u32,
}

/// Who decides about the size of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tuning {
    /// The connection: it grows with the speed of the path and of the program.
    Automatic,
    /// The program has: `SO_SNDBUF`, `SO_RCVBUF`.
    Fixed,
}

/// How acknowledgements are held back: `TCP_QUICKACK`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuickAck {
    /// They leave with the program's answers, or when their time is over: 0.
    Off,
    /// What is held back leaves, and what follows leaves at once for a while: an odd number.
    On,
    /// What is held back leaves; then as `Off`: an even number.
    Once,
}

/// How long a connection that no program holds any more waits for the peer's FIN: `TCP_LINGER2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinWait2 {
    /// As long as the host has it: [`Settings::fin_wait_2`].
    Host,
    /// This long, two minutes at most.
    For(Duration),
    /// Not at all: it is reset instead.
    Never,
}

impl FinWait2 {
    /// The longest, as on Linux.
    pub const LONGEST: Duration = Duration::from_secs(120);
}

/// What can be set for a connection.
///
/// ```
/// use sockeye_core::transport::tcp::Settings;
/// let settings = Settings { nagle: false, ..Settings::default() };
/// assert_eq!(settings.window_shift(), 10); // up to 32 MiB in units of 1024 bytes
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Size of the send buffer, in bytes, overhead included: what a connection begins with (the second number of Linux's
    /// `tcp_wmem`), or what the program has fixed.
    pub send_buffer: usize,
    /// How far tuning may raise it (the third number of `tcp_wmem`).
    pub send_buffer_max: usize,
    /// Whether it may.
    pub send_tuning: Tuning,
    /// Size of the receive buffer, in bytes: what a connection begins with (the second number of Linux's `tcp_rmem`), or
    /// what the program has fixed. Of the latter, and of the first window, only half is announced: memory comes in
    /// powers of two.
    pub receive_buffer: usize,
    /// How far tuning may raise it (the third number of `tcp_rmem`).
    pub receive_buffer_max: usize,
    /// Whether it may.
    pub receive_tuning: Tuning,
    /// The largest window to announce once the handshake is done: `TCP_WINDOW_CLAMP`.
    pub window_clamp: Option<u32>,
    /// Nagle's algorithm (RFC 9293 section 3.7.4, with Minshall's change); off is `TCP_NODELAY`.
    pub nagle: bool,
    /// A last segment that is not full waits for more, for a retransmission time-out at most: `TCP_CORK`.
    pub cork: bool,
    /// A write, and readiness to write, waits while this many bytes (or, for readiness, half as many) were never sent:
    /// `TCP_NOTSENT_LOWAT`. `None`: the host's `default_unsent_low_water` counts.
    pub unsent_low_water: Option<u32>,
    /// The same for connections that say nothing of their own: `tcp_notsent_lowat`. `None`: only the send buffer's limit
    /// counts.
    pub default_unsent_low_water: Option<u32>,
    /// Urgent data stays in the stream: `SO_OOBINLINE`.
    pub urgent_in_line: bool,
    /// Whether a silent peer is probed: `SO_KEEPALIVE`.
    pub keepalive: bool,
    /// How it is probed.
    pub keepalive_values: Keepalive,
    /// How long sent data may stay unacknowledged before the connection is given up: `TCP_USER_TIMEOUT` (RFC 5482).
    /// `None`: as long as `retries` says.
    pub user_timeout: Option<Duration>,
    /// `SO_LINGER`; a time of zero makes `close` reset the connection. Waiting for other times is the socket's business.
    pub linger: Option<Duration>,
    /// The largest segment to announce and to send, in bytes of options and payload: `TCP_MAXSEG`.
    pub max_segment: Option<u16>,
    /// The segment size to announce, whatever the path carries: what a route says (`advmss`). `None`: what the path
    /// carries.
    pub advertised_mss: Option<u16>,
    /// The congestion control: `TCP_CONGESTION`.
    pub congestion: CongestionName,
    /// How CUBIC finds the end of slow start before anything is lost. The other algorithms do not look at it.
    pub slow_start_exit: SlowStartExit,
    /// Whether what is sent is paced, in bursts of a millisecond (BBR always is).
    pub pacing: bool,
    /// The most bytes per second that are sent, without headers: `SO_MAX_PACING_RATE`. It switches pacing on.
    pub max_pacing_rate: Option<u64>,
    /// Segments of the initial congestion window (RFC 6928), at least one. Up to ten it is bounded in bytes as well.
    pub initial_window: u32,
    /// Whether the congestion window shrinks while it is not used (RFC 5681 section 4.1, RFC 7661):
    /// `tcp_slow_start_after_idle`.
    pub slow_start_after_idle: bool,
    /// Retransmission time-out before anything is measured (RFC 6298 section 2.1).
    pub initial_rto: Duration,
    /// Lower bound of the RTO's variance term: the RTO is never less than the smoothed RTT plus this.
    pub rto_min: Duration,
    /// Upper bound of the RTO.
    pub rto_max: Duration,
    /// How often a SYN is sent again.
    pub syn_retries: u32,
    /// How often a SYN-ACK is sent again.
    pub syn_ack_retries: u32,
    /// How long data is sent again, expressed as Linux's `tcp_retries2`: the time this many doublings from `rto_min`
    /// take (15: 924.6 s).
    pub retries: u32,
    /// The same for a connection that no program holds any more (`tcp_orphan_retries`; 8: 102.2 s).
    pub orphan_retries: u32,
    /// The longest an acknowledgement is held back. It adapts below that, from 40 ms on.
    pub ack_delay: Duration,
    /// Maximum segment lifetime; TIME-WAIT lasts two of them.
    pub msl: Duration,
    /// Whether no RST ends TIME-WAIT (RFC 1337): `tcp_rfc1337`.
    pub rfc1337: bool,
    /// How long a connection that no program holds any more waits in FIN-WAIT-2.
    pub fin_wait_2: Duration,
    /// What the connection has of its own instead.
    pub own_fin_wait_2: FinWait2,
    /// Whether acknowledgements leave at once in the beginning: `TCP_QUICKACK` before there is a connection.
    pub quick_ack: bool,
    /// Of a listener: how often the time for an answer to its SYN-ACK may pass while a peer that has completed the handshake
    /// says nothing, before that is accepted all the same. Of a client: above zero, its part of the handshake waits for
    /// data. `TCP_DEFER_ACCEPT`.
    pub defer_accept: u8,
    /// Window scaling (RFC 7323).
    pub window_scaling: bool,
    /// Timestamps (RFC 7323).
    pub timestamps: bool,
    /// Selective acknowledgements (RFC 2018).
    pub sack: bool,
    /// Explicit congestion notification (RFC 3168): `tcp_ecn`.
    pub ecn: EcnMode,
    /// Whether a SYN that is sent again does without ECN, should that be what it was dropped for (RFC 3168 section
    /// 6.1.1.1): `tcp_ecn_fallback`.
    pub ecn_fallback: bool,
    /// Whether accurate ECN counts bytes in an option besides packets in the header (RFC 9768 section 3.2.3):
    /// `tcp_ecn_option`.
    pub accurate_ecn_option: bool,
    /// Whether the path's MTU is found by trying (RFC 4821): `tcp_mtu_probing`. Unlike Linux we do so by default from the
    /// time on when a path swallows large segments in silence.
    pub mtu_probing: MtuProbing,
    /// Payload of a segment that any path should carry: `tcp_base_mss`.
    pub mtu_base: u16,
    /// The least payload a segment is cut down to in search of what the path carries: `tcp_mtu_probe_floor`. Linux has 48;
    /// but no path swallows packets of 576 bytes, while many an outage looks as if it did.
    pub mtu_floor: u16,
    /// The search is over when it is as precise as this, in bytes: `tcp_probe_threshold`.
    pub mtu_probe_threshold: u16,
    /// The search begins anew after this time: `tcp_probe_interval`.
    pub mtu_probe_interval: Duration,
    /// TCP Fast Open (RFC 7413).
    pub fast_open: FastOpenOptions,
    /// A burst that a device is given to cut has as many segments at least: `tcp_min_tso_segs`.
    pub least_burst: u32,
    /// Tail loss probes (RFC 8985 section 7).
    pub loss_probe: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            send_buffer: 16 << 10,
            send_buffer_max: 4 << 20,
            send_tuning: Tuning::Automatic,
            receive_buffer: 128 << 10,
            receive_buffer_max: 32 << 20,
            receive_tuning: Tuning::Automatic,
            window_clamp: None,
            nagle: true,
            cork: false,
            urgent_in_line: false,
            unsent_low_water: None,
            default_unsent_low_water: None,
            keepalive: false,
            keepalive_values: Keepalive {
                idle: Duration::from_secs(7200),
                interval: Duration::from_secs(75),
                probes: 9,
            },
            user_timeout: None,
            linger: None,
            max_segment: None,
            advertised_mss: None,
            congestion: CongestionName::Cubic,
            slow_start_exit: SlowStartExit::HyStartPlusPlus,
            pacing: false,
            max_pacing_rate: None,
            initial_window: 10,
            slow_start_after_idle: true,
            initial_rto: Duration::from_secs(1),
            rto_min: Duration::from_millis(200),
            rto_max: Duration::from_secs(120),
            syn_retries: 6,
            syn_ack_retries: 5,
            retries: 15,
            orphan_retries: 8,
            ack_delay: Duration::from_millis(200),
            msl: Duration::from_secs(30),
            rfc1337: false,
            fin_wait_2: Duration::from_secs(60),
            own_fin_wait_2: FinWait2::Host,
            quick_ack: true,
            defer_accept: 0,
            window_scaling: true,
            timestamps: true,
            sack: true,
            ecn: EcnMode::Passive,
            ecn_fallback: true,
            accurate_ecn_option: true,
            mtu_probing: MtuProbing::BlackHole,
            mtu_base: 1024,
            mtu_floor: 512,
            mtu_probe_threshold: 8,
            mtu_probe_interval: Duration::from_secs(600),
            fast_open: FastOpenOptions::default(),
            least_burst: 2,
            loss_probe: true,
        }
    }
}

impl From<&Settings> for Arc<Settings> {
    fn from(settings: &Settings) -> Self {
        Arc::new(settings.clone())
    }
}

impl Settings {
    /// How many bytes may wait unsent: the connection's own bound, or the host's.
    pub(super) fn most_unsent(&self) -> Option<u32> {
        self.unsent_low_water.or(self.default_unsent_low_water)
    }

    /// The window that the receive buffer makes before anything is known of what will come.
    pub(super) fn receive_window(&self) -> usize {
        self.receive_buffer / 2
    }

    /// The shift that lets the largest window this connection may ever have be announced in 16 bits (RFC 7323 section
    /// 2.3: at most 14).
    pub fn window_shift(&self) -> u8 {
        let largest = match self.receive_tuning {
            Tuning::Automatic => self.receive_buffer.max(self.receive_buffer_max),
            Tuning::Fixed => self.receive_window(),
        };
        let largest = self.window_clamp.map_or(largest, |clamp| largest.min(clamp as usize));
        (0..14).find(|shift| largest >> shift <= 65_535).unwrap_or(14)
    }

    /// How long a SYN-ACK that is sent again `retries` times was waited for, in `TCP_DEFER_ACCEPT`'s way of counting.
    pub fn deferral(&self, retries: u8) -> Duration {
        let mut timeout = self.initial_rto;
        let mut total = Duration::ZERO;
        for _ in 0..retries {
            total += timeout;
            timeout = timeout.saturating_mul(2).min(self.rto_max);
        }
        total
    }

    /// How often a SYN-ACK is sent again in `time`, at least.
    pub fn deferrals(&self, time: Duration) -> u8 {
        (0..u8::MAX).find(|retries| self.deferral(*retries) >= time).unwrap_or(u8::MAX)
    }

    /// How long `retries` doublings of the time-out take, as Linux reckons it: from `rto_min`, bounded by `rto_max`.
    pub(super) fn patience(&self, retries: u32) -> Duration {
        let mut timeout = self.rto_min;
        let mut total = Duration::ZERO;
        for _ in 0..=retries.min(255) {
            total += timeout.min(self.rto_max);
            timeout = timeout.saturating_mul(2);
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_that_of_linux() {
        let settings = Settings::default();
        assert_eq!(settings.patience(settings.retries), Duration::from_millis(924_600));
        assert_eq!(settings.patience(settings.orphan_retries), Duration::from_millis(102_200));
    }

    #[test]
    fn the_shift_is_bounded_whatever_the_buffer() {
        let up_to = |receive_buffer_max| {
            let settings = Settings { receive_buffer: 0, receive_buffer_max, ..Settings::default() };
            settings.window_shift()
        };
        let shifts = [0, 65_535, 65_536, 6 << 20, 15_728_640, 1 << 29, usize::MAX].map(up_to);
        assert_eq!(shifts, [0, 0, 1, 7, 8, 14, 14]);
        let fixed =
            Settings { receive_buffer: 131_072, receive_tuning: Tuning::Fixed, ..Settings::default() };
        assert_eq!(fixed.window_shift(), 1, "only what was asked for can ever be announced");
        let clamped = Settings { window_clamp: Some(65_535), ..Settings::default() };
        assert_eq!(clamped.window_shift(), 0);
    }
}
