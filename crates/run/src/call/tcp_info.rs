//! `struct tcp_info`, member by member as Linux lays it out (`include/uapi/linux/tcp.h`).

use crate::entry::{Body, errno};
use rustix::io::Errno;
use sockeye::AnySocket;
use sockeye::sockeye_core::time::{Duration, Instant};
use sockeye::sockeye_core::transport::tcp::{Recovering, State, TcpInfo};

/// Linux's way of saying that there is no slow-start threshold yet.
const NO_THRESHOLD: u32 = 0x7fff_ffff;

/// Its size up to the number of bytes the peer's window takes, which is as far as we know it all.
const SIZE: usize = 240;

/// The members of a socket's.
///
/// # Errors
/// `ENOPROTOOPT` for a datagram socket.
pub(super) fn bytes(socket: &AnySocket, body: &Body) -> Result<Vec<u8>, Errno> {
    let state = match body {
        Body::Datagram(_) => return Err(Errno::NOPROTOOPT),
        Body::Listening(_) => Some(State::Listen),
        Body::Stream(_) => None,
    };
    match (socket.tcp_info(), state) {
        (Ok(info), _) => Ok(layout(&info, socket.host().now())),
        (Err(_), state) => {
            let mut bytes = vec![0; SIZE];
            if let Some(first) = bytes.first_mut() {
                *first = number(state.unwrap_or(State::Closed));
            }
            Ok(bytes)
        }
    }
    .map_err(|error: std::io::Error| errno(&error))
}

/// A state's number in the kernel.
pub(crate) fn number(state: State) -> u8 {
    match state {
        State::Established => 1,
        State::SynSent => 2,
        State::SynReceived => 3,
        State::FinWait1 => 4,
        State::FinWait2 => 5,
        State::TimeWait => 6,
        State::Closed => 7,
        State::CloseWait => 8,
        State::LastAck => 9,
        State::Listen => 10,
        State::Closing => 11,
    }
}

/// The members of a connection's.
pub(crate) fn layout(info: &TcpInfo, now: Instant) -> Vec<u8> {
    let mss = usize::from(info.snd_mss).max(1);
    let segments = |bytes: usize| u32::try_from(bytes.div_ceil(mss)).unwrap_or(u32::MAX);
    let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
    let since = |then: Instant| u32::try_from(now.since(then).as_millis()).unwrap_or(u32::MAX);
    let long = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let options = u8::from(info.timestamps)
        | u8::from(info.sack) << 1
        | u8::from(info.snd_shift > 0 || info.rcv_shift > 0) << 2
        | u8::from(info.ecn) << 3
        | u8::from(info.ecn_seen) << 4
        | u8::from(info.syn_data) << 5;
    let recovering = match info.recovering {
        Recovering::Open => 0,
        Recovering::Disorder => 1,
        Recovering::Cwr => 2,
        Recovering::Recovery => 3,
        Recovering::Loss => 4,
    };
    let mut bytes = vec![
        number(info.state),
        recovering,
        u8::try_from(info.retransmits).unwrap_or(u8::MAX),
        u8::try_from(info.probes).unwrap_or(u8::MAX),
        u8::try_from(info.backoff).unwrap_or(u8::MAX),
        options,
        (info.snd_shift & 15) | (info.rcv_shift << 4),
        u8::from(info.delivery_rate_app_limited) | (info.fast_open_failure as u8) << 1,
    ];
    let ssthresh = if info.ssthresh == usize::MAX { NO_THRESHOLD } else { (info.ssthresh / mss) as u32 };
    let words: [u32; 24] = [
        micros(info.rto),
        micros(info.ack_delay),
        info.snd_mss.into(),
        info.rcv_mss.into(),
        segments(info.in_flight),
        segments(info.sacked),
        segments(info.lost),
        segments(info.resent),
        0, // tcpi_fackets: always zero on Linux, too, since it does without FACK
        since(info.last_data_sent),
        0, // tcpi_last_ack_sent: Linux does not remember it either
        since(info.traffic.last_data_received),
        since(info.last_heard),
        info.path_mtu,
        info.rcv_ssthresh,
        info.rtt.map_or(0, micros),
        micros(info.rtt_variance),
        ssthresh,
        (info.cwnd / mss) as u32,
        info.announced_mss.into(),
        info.reordering,
        info.rcv_rtt.map_or(0, micros),
        info.rcv_space,
        u32::try_from(info.total_retransmits).unwrap_or(u32::MAX),
    ];
    words.iter().for_each(|word| bytes.extend(word.to_ne_bytes()));
    let traffic = &info.traffic;
    let mut add_long = |value: u64| bytes.extend(value.to_ne_bytes());
    add_long(info.pacing_rate.unwrap_or(u64::MAX));
    add_long(u64::MAX); // tcpi_max_pacing_rate: no limit is known here
    add_long(traffic.bytes_acknowledged);
    add_long(traffic.bytes_received);
    let words: [u32; 6] = [
        traffic.segments_sent as u32,
        traffic.segments_received as u32,
        u32::try_from(info.unsent).unwrap_or(u32::MAX),
        info.rtt_minimum.map_or(u32::MAX, micros),
        traffic.data_segments_received as u32,
        traffic.data_segments_sent as u32,
    ];
    words.iter().for_each(|word| bytes.extend(word.to_ne_bytes()));
    let mut add_long = |value: u64| bytes.extend(value.to_ne_bytes());
    add_long(info.delivery_rate);
    add_long(long(info.limits.busy(now)));
    add_long(long(info.limits.window(now)));
    add_long(long(info.limits.buffer(now)));
    let words: [u32; 2] = [info.delivered_segments, info.delivered_ce];
    words.iter().for_each(|word| bytes.extend(word.to_ne_bytes()));
    let mut add_long = |value: u64| bytes.extend(value.to_ne_bytes());
    add_long(traffic.bytes_sent);
    add_long(traffic.bytes_retransmitted);
    let words: [u32; 6] = [
        info.duplicates,
        info.reordered,
        traffic.out_of_order_segments as u32,
        info.snd_wnd,
        info.rcv_wnd,
        0, // tcpi_rehash: flows are not moved to other paths here
    ];
    words.iter().for_each(|word| bytes.extend(word.to_ne_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_stand_where_linux_has_them() {
        let lan = sockeye::Lan::builder().seed(1).build().unwrap();
        let host = lan.host("host").address("10.0.0.2/24".parse().unwrap()).build().unwrap();
        let listener = sockeye::TcpListener::bind(&host, "10.0.0.2:80").unwrap();
        let stream = sockeye::TcpStream::connect(&host, "10.0.0.2:80").unwrap();
        let info = stream.tcp_info().unwrap();
        let bytes = layout(&info, host.now());
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(bytes.len(), SIZE);
        assert_eq!(bytes[0], 1); // tcpi_state
        assert_eq!(word(16), u32::from(info.snd_mss)); // tcpi_snd_mss
        assert_eq!(word(80), (info.cwnd / usize::from(info.snd_mss)) as u32); // tcpi_snd_cwnd
        assert_eq!(word(148), info.rtt_minimum.map_or(u32::MAX, |time| time.as_micros() as u32)); // tcpi_min_rtt
        assert_eq!(word(228), info.snd_wnd); // tcpi_snd_wnd
        drop(listener);
    }
}
