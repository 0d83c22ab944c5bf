//! What can be set for a connection; the defaults are Linux's.

use super::CongestionName;
use crate::time::Duration;

/// How a silent peer is probed (RFC 9293, 3.8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Unanswered probes before the connection is given up.
    pub probes: u32,
}

/// What can be set for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Limit of bytes written and not yet acknowledged.
    pub send_buffer: usize,
    /// Limit of bytes received and not yet read.
    pub receive_buffer: usize,
    /// Nagle's algorithm (RFC 9293, 3.7.4); off is `TCP_NODELAY`.
    pub nagle: bool,
    /// Whether a silent peer is probed.
    pub keepalive: bool,
    /// How it is probed.
    pub keepalive_values: Keepalive,
    /// How long sent data may stay unacknowledged (RFC 5482).
    pub user_timeout: Option<Duration>,
    /// `SO_LINGER`; zero makes `close` reset.
    pub linger: Option<Duration>,
    /// The largest segment to announce and to send.
    pub max_segment: Option<u16>,
    /// The congestion control.
    pub congestion: CongestionName,
    /// RTO before anything is measured.
    pub initial_rto: Duration,
    /// Lower bound of the RTO.
    pub rto_min: Duration,
    /// Upper bound of the RTO.
    pub rto_max: Duration,
    /// How often a SYN is sent again.
    pub syn_retries: u32,
    /// How often a SYN-ACK is sent again.
    pub syn_ack_retries: u32,
    /// How often data is sent again.
    pub retries: u32,
    /// The same for a connection that no program holds any more (`tcp_orphan_retries`).
    pub orphan_retries: u32,
    /// Maximum segment lifetime; TIME-WAIT lasts two of them.
    pub msl: Duration,
    /// How long an orphan waits in FIN-WAIT-2.
    pub fin_wait_2: Duration,
    /// Window scaling (RFC 7323).
    pub window_scaling: bool,
    /// Timestamps (RFC 7323).
    pub timestamps: bool,
    /// Selective acknowledgements (RFC 2018).
    pub sack: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            send_buffer: 4 << 20,
            receive_buffer: 6 << 20,
            nagle: true,
            keepalive: false,
            keepalive_values: Keepalive {
                idle: Duration::from_secs(7200),
                interval: Duration::from_secs(75),
                probes: 9,
            },
            user_timeout: None,
            linger: None,
            max_segment: None,
            congestion: CongestionName::Cubic,
            initial_rto: Duration::from_secs(1),
            rto_min: Duration::from_millis(200),
            rto_max: Duration::from_secs(120),
            syn_retries: 6,
            syn_ack_retries: 5,
            retries: 15,
            orphan_retries: 8,
            msl: Duration::from_secs(30),
            fin_wait_2: Duration::from_secs(60),
            window_scaling: true,
            timestamps: true,
            sack: true,
        }
    }
}

impl Settings {
    /// The shift that lets the whole receive buffer be announced in 16 bits.
    pub fn window_shift(&self) -> u8 {
        let mut shift = 0;
        while shift < 14 && self.receive_buffer >> shift > 65_535 {
            shift += 1;
        }
        shift
    }
}
