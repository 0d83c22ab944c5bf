//! Socket options, by meaning: what `getsockopt` and `setsockopt` see.

use core::net::IpAddr;

use super::IcmpFilter;
use crate::time::Duration;
use crate::transport::ports::Reuse;
use crate::transport::tcp::{CongestionName, EcnMode, FastOpenKeys, FinWait2, QuickAck};

/// One option with its value, for `Stack::set_option`, and as `Stack::option` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketOption {
    /// `TCP_NODELAY`: send small segments at once (Nagle's algorithm off).
    NoDelay(bool),
    /// `TCP_CORK`: a last segment that is not full waits for more, for a retransmission time-out at most; switching it off
    /// sends what waits.
    Cork(bool),
    /// `TCP_NOTSENT_LOWAT`: a write waits while this many bytes were never sent, readiness to write while half as many.
    UnsentLowWater(Option<u32>),
    /// `SO_OOBINLINE`: urgent data stays in the stream.
    UrgentInLine(bool),
    /// `SO_KEEPALIVE`: probe a silent peer.
    KeepAlive(bool),
    /// `TCP_KEEPIDLE`: silence before the first keepalive probe, up to 32,767 s; 7200 s by default.
    KeepIdle(Duration),
    /// `TCP_KEEPINTVL`: time between keepalive probes, up to 32,767 s; 75 s by default.
    KeepInterval(Duration),
    /// `TCP_KEEPCNT`: unanswered probes before the connection is given up, up to 127; 9 by default.
    KeepCount(u32),
    /// `TCP_USER_TIMEOUT`: how long sent data may stay unacknowledged before the connection is given up.
    UserTimeout(Option<Duration>),
    /// `SO_LINGER`: with zero, `close` resets the connection. Any other time is kept for whoever calls `close` and can wait,
    /// which the stack never does: until `Stack::tcp_info` shows that the closed socket's state is none of FIN-WAIT-1,
    /// CLOSING and LAST-ACK any more, or answers `EBADF`.
    Linger(Option<Duration>),
    /// `TCP_MAXSEG`: the largest segment, in bytes of payload; to be set before the connection is opened. Zero: as large
    /// as the path allows.
    MaxSegment(u16),
    /// `TCP_CONGESTION`: the congestion control, by name. A connection goes on with the window it has.
    Congestion(CongestionName),
    /// `SO_MAX_PACING_RATE`: the most bytes of payload per second that are sent, evenly.
    MaxPacingRate(Option<u64>),
    /// Explicit congestion notification: what Linux's `tcp_ecn` says for a whole host, here for one socket; to be set
    /// before the connection is opened.
    Ecn(EcnMode),
    /// `TCP_SYNCNT`: how often a SYN is sent again before the attempt is given up, from 1 to 127; 6 by default.
    SynRetries(u32),
    /// `TCP_QUICKACK`: whether acknowledgements wait for the program's answers; a hint, which the talk overrules again.
    QuickAck(QuickAck),
    /// `TCP_LINGER2`: for how long a closed connection waits for the peer's FIN.
    FinWait2(FinWait2),
    /// `TCP_DEFER_ACCEPT`: of a listener, for how long a peer is not accepted that has said nothing yet, rounded up to a
    /// time-out of the SYN-ACK; of a client, whether its part of the handshake waits for data. Zero: neither.
    DeferAccept(Duration),
    /// `TCP_WINDOW_CLAMP`: the largest window to announce; as on Linux at least 1,152 bytes, and never taken back to
    /// `None` once the socket listens or is connected.
    WindowClamp(Option<u32>),
    /// `TCP_FASTOPEN` (RFC 7413): how many connections of a listener may be served before their handshake is complete;
    /// none by default. Where the host's `FastOpen::server` is off, no listener does.
    FastOpen(u32),
    /// `TCP_FASTOPEN_CONNECT`: where a cookie of the peer is known, `connect` succeeds at once, and the SYN leaves with
    /// the first write; to be set before.
    FastOpenConnect(bool),
    /// `TCP_FASTOPEN_NO_COOKIE`: neither this client nor this listener needs a cookie.
    FastOpenNoCookie(bool),
    /// `TCP_FASTOPEN_KEY`: what a listener makes its cookies with, instead of the host's keys.
    FastOpenKey(FastOpenKeys),
    /// `SO_SNDBUF`: the limit of bytes written but not yet acknowledged; of a datagram socket: that have not left yet.
    /// As on Linux it is bounded by `Config::send_buffer_limit`, doubled, and read doubled.
    SendBuffer(usize),
    /// `SO_RCVBUF`: the limit of bytes received but not yet read. As on Linux it is bounded by
    /// `Config::receive_buffer_limit`, doubled, and read doubled; of a connection, what is asked for becomes the largest
    /// window, and the window is not tuned any more.
    ReceiveBuffer(usize),
    /// `SO_REUSEADDR`: share the port with others that say so as long as none of them listens, and with connections of such,
    /// those in TIME-WAIT among them.
    ReuseAddress(bool),
    /// `SO_REUSEPORT`: share the port with others that say so, whatever they do with it; to be set before `bind`. Each
    /// connection goes to one of the listeners, and each flow of datagrams to one of the sockets, chosen by a keyed hash of
    /// its ends; of those only to sockets of the address that fits best, and a connected one hears its peer and nobody else.
    /// What is half-open when its listener is closed is reset by the others. Groups and broadcasts are heard by all.
    ReusePort(bool),
    /// `SO_BROADCAST`: allow datagrams to broadcast addresses. (A stream socket has it too, and sends none.)
    Broadcast(bool),
    /// `IPV6_V6ONLY`: an IPv6 wildcard takes no IPv4; to be set before `bind`.
    OnlyV6(bool),
    /// `IP_TTL`, `IPV6_UNICAST_HOPS`: the hop limit packets leave with; a listener's SYN-ACKs too.
    HopLimit(u8),
    /// `IP_MULTICAST_TTL`, `IPV6_MULTICAST_HOPS`: the hop limit multicast packets leave with; 1 by default. With 0 they
    /// do not leave, but this host's own members hear them.
    MulticastHopLimit(u8),
    /// `IP_MULTICAST_LOOP`: deliver multicast datagrams to this host's own members too.
    MulticastLoop(bool),
    /// `IP_TOS`, `IPV6_TCLASS`: the eight bits of DSCP and ECN packets leave with (the ECN bits are masked off on TCP).
    TrafficClass(u8),
    /// `IP_MTU_DISCOVER` (`IP_PMTUDISC_WANT`, and off `IP_PMTUDISC_DONT`), `IPV6_MTU_DISCOVER`: whether packets of a
    /// stream socket forbid routers to cut them, so that these tell what fits (RFC 1191); on by default. Datagram sockets
    /// leave cutting to whoever needs it, and cannot be told otherwise.
    PathMtuDiscovery(bool),
    /// `IP_HDRINCL`, `IPV6_HDRINCL`: what is sent on a raw socket begins with its IP header, and goes where the call says. Of
    /// an IPv4 header the length and the checksum are filled in, the source and the identification where they are zero.
    HeaderIncluded(bool),
    /// `ICMP_FILTER`, `ICMP6_FILTER`: the types of messages that a raw socket of ICMP does not hear.
    IcmpFilter(IcmpFilter),
    /// `IPV6_CHECKSUM`: where the payload of a raw socket's packets has a checksum like UDP's, in bytes, an even number: it
    /// is filled in, and what comes with a wrong one is refused. That of ICMPv6 cannot be switched off.
    ChecksumOffset(Option<u16>),
}

/// Which option `Stack::option` shall read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // each is documented at the `SocketOption` of its name
pub enum OptionName {
    NoDelay,
    Cork,
    UnsentLowWater,
    UrgentInLine,
    KeepAlive,
    KeepIdle,
    KeepInterval,
    KeepCount,
    UserTimeout,
    Linger,
    MaxSegment,
    Congestion,
    MaxPacingRate,
    Ecn,
    SynRetries,
    QuickAck,
    FinWait2,
    DeferAccept,
    WindowClamp,
    FastOpen,
    FastOpenConnect,
    FastOpenNoCookie,
    FastOpenKey,
    SendBuffer,
    ReceiveBuffer,
    ReuseAddress,
    ReusePort,
    Broadcast,
    OnlyV6,
    HopLimit,
    MulticastHopLimit,
    MulticastLoop,
    TrafficClass,
    PathMtuDiscovery,
    HeaderIncluded,
    IcmpFilter,
    ChecksumOffset,
}

/// The options below TCP that every socket has.
#[derive(Clone, Copy, Debug)]
pub struct IpOptions {
    /// See [`SocketOption::ReuseAddress`] and [`SocketOption::ReusePort`].
    pub reuse: Reuse,
    /// See [`SocketOption::Broadcast`].
    pub broadcast: bool,
    /// See [`SocketOption::OnlyV6`].
    pub only_v6: bool,
    /// See [`SocketOption::HopLimit`]; `None` is the host's default.
    pub hop_limit: Option<u8>,
    /// See [`SocketOption::MulticastHopLimit`].
    pub multicast_hop_limit: u8,
    /// See [`SocketOption::MulticastLoop`].
    pub multicast_loop: bool,
    /// See [`SocketOption::TrafficClass`].
    pub traffic_class: u8,
    /// See [`SocketOption::PathMtuDiscovery`].
    pub path_mtu_discovery: bool,
}

impl Default for IpOptions {
    fn default() -> Self {
        IpOptions {
            reuse: Reuse::default(),
            broadcast: false,
            only_v6: false,
            hop_limit: None,
            multicast_hop_limit: 1,
            multicast_loop: true,
            traffic_class: 0,
            path_mtu_discovery: true,
        }
    }
}

impl IpOptions {
    /// The options of one datagram that brings its own hop limit or traffic class.
    #[must_use]
    pub fn for_one(mut self, hop_limit: Option<u8>, traffic_class: Option<u8>) -> IpOptions {
        self.hop_limit = hop_limit.or(self.hop_limit);
        self.multicast_hop_limit = hop_limit.unwrap_or(self.multicast_hop_limit);
        self.traffic_class = traffic_class.unwrap_or(self.traffic_class);
        self
    }

    /// The hop limit of a packet to `destination`; `None` is the host's default.
    pub fn hop_limit_to(&self, destination: IpAddr) -> Option<u8> {
        if destination.is_multicast() { Some(self.multicast_hop_limit) } else { self.hop_limit }
    }
}
