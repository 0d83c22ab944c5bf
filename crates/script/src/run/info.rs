//! `struct tcp_info` as Linux has it, by the names of its members.

use sockeye_core::error::Error;
use sockeye_core::socket::SocketId;
use sockeye_core::stack::Stack;
use sockeye_core::time::{Duration, Instant};
use sockeye_core::transport::tcp::{Recovering, State, TcpInfo};

use crate::constant;

/// Linux's way of saying that there is no slow-start threshold yet.
const NO_THRESHOLD: i64 = 0x7fff_ffff;

/// What is known of a connection at one moment.
#[derive(Clone, Debug)]
pub struct Values {
    info: TcpInfo,
    now: Instant,
}

impl Values {
    /// What is known of this socket now.
    ///
    /// # Errors
    /// As [`Stack::tcp_info`].
    pub fn of(stack: &Stack, id: SocketId, now: Instant) -> Result<Values, Error> {
        Ok(Values { info: stack.tcp_info(id)?, now })
    }

    /// The member of this name; `None` where there is none.
    pub fn get(&self, name: &str) -> Option<i64> {
        let info = &self.info;
        let mss = i64::from(info.snd_mss).max(1);
        let bytes = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        let segments = |count: usize| (bytes(count) + mss - 1) / mss;
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let millis = |then: Instant| i64::try_from(self.now.since(then).as_millis()).unwrap_or(i64::MAX);
        let option = |on: bool, name: &str| if on { constant::value(name).unwrap_or(0) } else { 0 };
        Some(match name.strip_prefix("tcpi_")? {
            "state" => constant::value(state(info.state))?,
            "ca_state" => constant::value(match info.recovering {
                Recovering::Open => "TCP_CA_Open",
                Recovering::Disorder => "TCP_CA_Disorder",
                Recovering::Cwr => "TCP_CA_CWR",
                Recovering::Recovery => "TCP_CA_Recovery",
                Recovering::Loss => "TCP_CA_Loss",
            })?,
            "retransmits" => info.retransmits.into(),
            "backoff" => info.backoff.into(),
            "probes" => info.probes.into(),
            "options" => {
                option(info.timestamps, "TCPI_OPT_TIMESTAMPS")
                    | option(info.sack, "TCPI_OPT_SACK")
                    | option(info.syn_data, "TCPI_OPT_SYN_DATA")
                    | option(info.ecn, "TCPI_OPT_ECN")
                    | option(info.ecn_seen, "TCPI_OPT_ECN_SEEN")
                    | option(info.snd_shift > 0 || info.rcv_shift > 0, "TCPI_OPT_WSCALE")
            }
            "snd_wscale" => info.snd_shift.into(),
            "rcv_wscale" => info.rcv_shift.into(),
            "rto" => micros(info.rto),
            "snd_mss" => info.snd_mss.into(),
            "rcv_mss" => info.rcv_mss.into(),
            "unacked" => segments(info.in_flight),
            "sacked" => segments(info.sacked),
            "lost" => segments(info.lost),
            "delivered" => info.delivered_segments.into(),
            "reord_seen" => info.reordered.into(),
            "reordering" => info.reordering.into(),
            "retrans" => segments(info.resent),
            "dsack_dups" => info.duplicates.into(),
            "rtt" => info.rtt.map_or(0, micros),
            "rttvar" => micros(info.rtt_variance),
            "min_rtt" => info.rtt_minimum.map_or(i64::from(u32::MAX), micros),
            "snd_ssthresh" if info.ssthresh == usize::MAX => NO_THRESHOLD,
            "snd_ssthresh" => bytes(info.ssthresh) / mss,
            "snd_cwnd" => bytes(info.cwnd) / mss,
            "total_retrans" => count(info.total_retransmits),
            "notsent_bytes" => bytes(info.unsent),
            "snd_wnd" => info.snd_wnd.into(),
            "rcv_wnd" => info.rcv_wnd.into(),
            "pacing_rate" => info.pacing_rate.map_or(i64::MAX, count),
            "delivery_rate" => count(info.delivery_rate),
            "delivery_rate_app_limited" => info.delivery_rate_app_limited.into(),
            "rcv_ssthresh" => info.rcv_ssthresh.into(),
            "rcv_space" => info.rcv_space.into(),
            "rcv_rtt" => info.rcv_rtt.map_or(0, micros),
            "fastopen_client_fail" => info.fast_open_failure as i64,
            "pmtu" => info.path_mtu.into(),
            "advmss" => info.announced_mss.into(),
            "ato" => micros(info.ack_delay),
            "delivered_ce" => info.delivered_ce.into(),
            "last_data_sent" => millis(info.last_data_sent),
            "last_data_recv" => millis(info.traffic.last_data_received),
            "last_ack_recv" => millis(info.last_heard),
            "segs_out" => count(info.traffic.segments_sent),
            "segs_in" => count(info.traffic.segments_received),
            "data_segs_out" => count(info.traffic.data_segments_sent),
            "data_segs_in" => count(info.traffic.data_segments_received),
            "rcv_ooopack" => count(info.traffic.out_of_order_segments),
            "bytes_sent" => count(info.traffic.bytes_sent),
            "bytes_retrans" => count(info.traffic.bytes_retransmitted),
            "bytes_acked" => count(info.traffic.bytes_acknowledged),
            "bytes_received" => count(info.traffic.bytes_received),
            "busy_time" => micros(info.limits.busy(self.now)),
            "rwnd_limited" => micros(info.limits.window(self.now)),
            "sndbuf_limited" => micros(info.limits.buffer(self.now)),
            _ => return None,
        })
    }
}

fn state(state: State) -> &'static str {
    match state {
        State::Closed => "TCP_CLOSE",
        State::Listen => "TCP_LISTEN",
        State::SynSent => "TCP_SYN_SENT",
        State::SynReceived => "TCP_SYN_RECV",
        State::Established => "TCP_ESTABLISHED",
        State::FinWait1 => "TCP_FIN_WAIT1",
        State::FinWait2 => "TCP_FIN_WAIT2",
        State::CloseWait => "TCP_CLOSE_WAIT",
        State::Closing => "TCP_CLOSING",
        State::LastAck => "TCP_LAST_ACK",
        State::TimeWait => "TCP_TIME_WAIT",
    }
}
