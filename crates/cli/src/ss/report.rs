//! What a process tells of its hosts: the objects of `sockeye ss --json`.

use serde::{Deserialize, Serialize};
use sockeye::sockeye_core::socket::{Holder, Kind};
use sockeye::sockeye_core::stack::SocketSnapshot;
use sockeye::{Cidr, Host, Instant, TcpInfo};

/// A process with hosts.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ProcessReport {
    /// Its number.
    pub(crate) pid: u32,
    /// Its command line, without the program.
    pub(crate) command: String,
    /// Its hosts.
    pub(crate) hosts: Vec<HostReport>,
}

/// A host.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HostReport {
    /// Its name.
    pub(crate) name: String,
    /// Its addresses, with their subnets.
    pub(crate) addresses: Vec<String>,
    /// Half-open passive connections.
    pub(crate) half_open: usize,
    /// TIME-WAIT records.
    pub(crate) time_wait: usize,
    /// Its sockets.
    pub(crate) sockets: Vec<SocketReport>,
}

/// A socket. Times are seconds, windows and queues bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SocketReport {
    /// `tcp`, `udp`, `icmp` or `raw`.
    pub(crate) protocol: String,
    /// The state of a TCP socket.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) state: Option<String>,
    /// What waits to be read (of a listener: connections to be accepted).
    pub(crate) recv_q: usize,
    /// What is not acknowledged yet (of a listener: its backlog).
    pub(crate) send_q: usize,
    /// Its own address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) local: Option<String>,
    /// Its peer's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) peer: Option<String>,
    /// Whether no program holds it any more: it finishes by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(crate) orphan: bool,
    /// In how many seconds the first of its timers is due.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) timer: Option<f64>,
    /// What is known of a connection.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) tcp: Option<TcpReport>,
}

/// A connection, in numbers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TcpReport {
    /// The congestion control.
    pub(crate) congestion: String,
    /// What it does about losses: `open`, `disorder`, `cwr`, `recovery`, `loss`.
    pub(crate) recovery: String,
    /// The congestion window, in segments.
    pub(crate) cwnd: usize,
    /// The slow-start threshold, in segments.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) ssthresh: Option<usize>,
    /// Bytes of payload in a full segment.
    pub(crate) mss: u16,
    /// The smoothed round-trip time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) rtt: Option<f64>,
    /// Its variance.
    pub(crate) rtt_variance: f64,
    /// The retransmission time-out.
    pub(crate) rto: f64,
    /// Time-outs in a row.
    pub(crate) timeouts: u32,
    /// Segments sent again so far.
    pub(crate) retransmissions: u64,
    /// Bytes sent and not acknowledged.
    pub(crate) in_flight: usize,
    /// Bytes written and not sent.
    pub(crate) unsent: usize,
    /// The windows, ours and the peer's.
    pub(crate) rcv_wnd: u32,
    pub(crate) snd_wnd: u32,
    /// Bytes of payload each way, those sent again included.
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    /// Bytes per second.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) pacing_rate: Option<u64>,
    pub(crate) delivery_rate: u64,
}

impl ProcessReport {
    /// This process at the moment.
    pub(crate) fn of(hosts: &[Host]) -> ProcessReport {
        let arguments = std::env::args_os().skip(1);
        let command: Vec<String> = arguments.map(|word| word.to_string_lossy().into_owned()).collect();
        let hosts = hosts.iter().map(HostReport::of).collect();
        ProcessReport { pid: std::process::id(), command: command.join(" "), hosts }
    }
}

impl HostReport {
    fn of(host: &Host) -> HostReport {
        let (now, snapshot) = (host.now(), host.snapshot());
        let mut sockets: Vec<SocketReport> =
            snapshot.sockets.iter().map(|socket| SocketReport::of(now, socket)).collect();
        // Listeners first, then by address.
        sockets.sort_by_key(|socket| (socket.peer.is_some(), socket.local.clone(), socket.peer.clone()));
        HostReport {
            name: host.name().to_owned(),
            addresses: host.addresses().iter().map(Cidr::to_string).collect(),
            half_open: snapshot.half_open,
            time_wait: snapshot.time_wait,
            sockets,
        }
    }
}

impl SocketReport {
    fn of(now: Instant, socket: &SocketSnapshot) -> SocketReport {
        let protocol = match socket.datagram {
            None => "tcp",
            Some(Kind::Ping) => "icmp",
            Some(Kind::Raw(_)) => "raw",
            Some(_) => "udp",
        };
        SocketReport {
            protocol: protocol.to_owned(),
            state: socket.state.map(|state| state.to_string()),
            recv_q: socket.receive_queue,
            send_q: socket.send_queue,
            local: socket.local.map(|address| address.to_string()),
            peer: socket.remote.map(|address| address.to_string()),
            orphan: socket.holder == Holder::Nobody,
            timer: socket.next_timer.map(|at| at.since(now).as_secs_f64()),
            tcp: socket.tcp.as_deref().map(TcpReport::of),
        }
    }
}

impl TcpReport {
    fn of(info: &TcpInfo) -> TcpReport {
        let mss = usize::from(info.snd_mss.max(1));
        TcpReport {
            congestion: info.congestion.to_string(),
            recovery: info.recovering.to_string(),
            cwnd: info.cwnd / mss,
            ssthresh: (info.ssthresh != usize::MAX).then_some(info.ssthresh / mss),
            mss: info.snd_mss,
            rtt: info.rtt.map(|rtt| rtt.as_secs_f64()),
            rtt_variance: info.rtt_variance.as_secs_f64(),
            rto: info.rto.as_secs_f64(),
            timeouts: info.retransmits,
            retransmissions: info.total_retransmits,
            in_flight: info.in_flight,
            unsent: info.unsent,
            rcv_wnd: info.rcv_wnd,
            snd_wnd: info.snd_wnd,
            bytes_sent: info.traffic.bytes_sent,
            bytes_received: info.traffic.bytes_received,
            pacing_rate: info.pacing_rate,
            delivery_rate: info.delivery_rate,
        }
    }
}
