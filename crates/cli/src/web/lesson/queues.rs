//! The two queues of a listener: `backlog`, `syn-flood`.

use std::net::Ipv4Addr;

use sockeye_core::error::Error;
use sockeye_core::sim::HostConfig;
use sockeye_core::stack::Config;
use sockeye_core::time::Duration;
use sockeye_core::trace::TraceEvent;
use sockeye_core::transport::tcp::{RetransmitCause, State};
use sockeye_core::wire::ethernet::{EtherType, Ethernet, MacAddr};
use sockeye_core::wire::headers::Headers;
use sockeye_core::wire::ipv4::Ipv4Header;
use sockeye_core::wire::tcp::{Flags, Options, Segment, SeqNumber};
use sockeye_core::wire::{ChecksumEmit, Protocol};

use super::parameter::Parameter;
use super::stage::Stage;
use super::step::{Cue, Step, is_plain_ack, is_syn, is_syn_ack};
use super::{
    CLIENT, CLIENT_ADDRESS, DELAY, LOSS, Lesson, SERVER, SERVER_ADDRESS, SERVICE, SOON, cidr, pair, server,
};

pub(super) const LESSONS: &[Lesson] = &[
    Lesson {
        name: "backlog",
        title: "listen(backlog): the accept queue is full",
        parameters: &[
            Parameter::number("backlog", "the argument of listen", 2, (1, 16), ""),
            Parameter::number("clients", "connections that are asked for", 4, (1, 32), ""),
            Parameter::number("pause_s", "how long the server does not accept", 5, (1, 100), "s"),
            DELAY,
            LOSS,
        ],
        steps: BACKLOG,
        set: backlog,
    },
    Lesson {
        name: "syn-flood",
        title: "A SYN flood, and SYN cookies",
        parameters: &[
            Parameter::number("syns", "SYNs with forged senders", 20, (0, 500), ""),
            Parameter::number(
                "half_open",
                "how many half-open connections the server keeps",
                8,
                (1, 256),
                "",
            ),
            DELAY,
        ],
        steps: SYN_FLOOD,
        set: syn_flood,
    },
];

const BACKLOG: &[Step] = &[
    Step {
        key: "backlog.listen",
        text: "The server calls listen with a backlog, and then is busy: it does not call accept. Connections are made all the same; the \
               stack makes them, not the program.",
        cue: Cue::Said,
    },
    Step {
        key: "backlog.first",
        text: "A handshake is complete. The connection waits in the accept queue, and the client may send.",
        cue: Cue::State(SERVER, State::Established),
    },
    Step {
        key: "backlog.full",
        text: "The accept queue is full. The next SYN is dropped in silence (AcceptQueueFull): the client shall try again, for the queue may \
               be empty by then.",
        cue: Cue::Event(SERVER, |event| {
            matches!(
                event,
                TraceEvent::Drop { reason: sockeye_core::drop_reason::DropReason::AcceptQueueFull, .. }
            )
        }),
    },
    Step {
        key: "backlog.again",
        text: "The client does: after one second, then two, then four. To its program, connect is slow.",
        cue: Cue::Again(CLIENT, RetransmitCause::Timeout),
    },
    Step {
        key: "backlog.accepts",
        text: "The server calls accept, again and again. There is room.",
        cue: Cue::Said,
    },
    Step {
        key: "backlog.through",
        text: "A SYN that is sent again finds room. Next: accept faster, or a larger backlog.",
        cue: Cue::Segment(SERVER, is_syn_ack),
    },
    Step { key: "backlog.all", text: "All are served.", cue: Cue::Said },
];

fn backlog(stage: &mut Stage) -> Result<(), Error> {
    let (backlog, clients) = (stage.values.number("backlog"), stage.values.number("clients"));
    let pause = Duration::from_secs(stage.values.number("pause_s").into());
    pair(stage)?;
    let program = server(stage, backlog as usize).say("backlog.listen").wait(pause).say("backlog.accepts");
    for _ in 0..clients {
        program.accept("listener", "peer").receive("peer", 1024).send("peer", "world").close("peer");
    }
    program.say("backlog.all").close("listener");
    for number in 0..clients {
        let program = stage.program(CLIENT).wait(SOON + Duration::from_millis(u64::from(number) * 50));
        program.socket("socket").connect("socket", SERVICE).send("socket", "hello");
        program.receive("socket", 1024).receive("socket", 1024).close("socket");
    }
    Ok(())
}

const SYN_FLOOD: &[Step] = &[
    Step {
        key: "syn-flood.begins",
        text: "Somebody sends SYNs with forged senders: nobody at those addresses has asked for anything, nobody will answer.",
        cue: Cue::Said,
    },
    Step {
        key: "syn-flood.half-open",
        text: "For each the server keeps a half-open connection, and answers with a SYN-ACK that leads nowhere. It will send that again five \
               times, for a minute.",
        cue: Cue::State(SERVER, State::SynReceived),
    },
    Step {
        key: "syn-flood.full",
        text: "The half-open queue is full. Without more ado the server would have to turn away everybody, honest clients too.",
        cue: Cue::Said,
    },
    Step { key: "syn-flood.client", text: "An honest client connects.", cue: Cue::Segment(CLIENT, is_syn) },
    Step {
        key: "syn-flood.cookie",
        text: "The server answers and keeps nothing: the sequence number of this SYN-ACK is a SYN cookie (RFC 4987), made of the addresses, \
               the ports, the time, the MSS and a secret.",
        cue: Cue::Segment(SERVER, |segment| is_syn_ack(segment) && segment.destination_port < FORGED_PORTS),
    },
    Step {
        key: "syn-flood.ack",
        text: "The client's ACK brings the cookie back, plus one: proof that it hears what is sent to its address.",
        cue: Cue::Segment(CLIENT, is_plain_ack),
    },
    Step {
        key: "syn-flood.established",
        text: "The cookie is right, and the connection is there, made of nothing but that ACK. The flood has cost the server its bounded \
               queue, and no more.",
        cue: Cue::State(SERVER, State::Established),
    },
    Step { key: "syn-flood.served", text: "The client is served.", cue: Cue::Said },
    Step {
        key: "syn-flood.given-up",
        text: "The half-open connections are given up, one after the other.",
        cue: Cue::Event(SERVER, |event| {
            matches!(event, TraceEvent::State { from: State::SynReceived, to: State::Closed, .. })
        }),
    },
];

/// Forged SYNs come from ports from here on, which the client of a stack of ours does not use.
const FORGED_PORTS: u16 = 62_000;

fn syn_flood(stage: &mut Stage) -> Result<(), Error> {
    const INTERNET: usize = 2;
    let (syns, half_open) = (stage.values.number("syns"), stage.values.number("half_open"));
    stage.add_host("client", cidr(CLIENT_ADDRESS, 24)?)?;
    let config = Config { half_open_limit: half_open as usize, ..Config::default() };
    let server_config = HostConfig { config, ..HostConfig::new("server", cidr(SERVER_ADDRESS, 24)?) };
    stage.add_host_on(stage.lan(), "server", server_config)?;
    stage.add_host("internet", cidr([10, 0, 0, 1], 24)?)?;
    stage.add_gateway(SERVER, [10, 0, 0, 1])?;
    stage.introduce()?;
    let is_full = syns >= half_open;
    if !is_full {
        stage.leave_out("syn-flood.cookie");
        stage.leave_out("syn-flood.ack");
        stage.leave_out("syn-flood.established");
    }
    let (from, to) = (stage.mac(INTERNET), stage.mac(SERVER));
    let program = server(stage, 5).accept("listener", "peer").receive("peer", 1024).send("peer", "world");
    program.close("peer");
    let hand = stage.hand().wait(Duration::from_millis(100)).say("syn-flood.begins");
    for number in 0..syns {
        hand.inject(INTERNET, forged_syn(number, from, to)).wait(Duration::from_millis(2));
    }
    if is_full {
        hand.wait(Duration::from_millis(200)).say("syn-flood.full");
    }
    let after = Duration::from_millis(1000 + u64::from(syns) * 2);
    let program = stage.program(CLIENT).wait(after).socket("socket").connect("socket", SERVICE);
    program.send("socket", "hello").receive("socket", 1024).say("syn-flood.served").close("socket");
    Ok(())
}

/// A SYN that claims to come from somebody in 198.51.100.0/24.
fn forged_syn(number: u32, source: MacAddr, destination: MacAddr) -> Vec<u8> {
    let from = Ipv4Addr::new(198, 51, 100, (number % 254 + 1) as u8);
    let mut ip = Ipv4Header::new(from, Ipv4Addr::from(SERVER_ADDRESS), Protocol::Tcp);
    let segment = Segment {
        source_port: FORGED_PORTS + (number / 254) as u16,
        destination_port: SERVICE.port(),
        seq: SeqNumber(number.wrapping_mul(0x9e37_79b9)),
        ack: SeqNumber(0),
        flags: Flags::SYN,
        window: 64_240,
        urgent: 0,
        options: Options { mss: Some(1460), ..Options::default() },
        length: 0,
    };
    ip.payload_length = segment.header_len();
    let mut headers = Headers::new();
    segment.prepend(&mut headers, &ip.pseudo(), [&[], &[]], ChecksumEmit::Full);
    ip.prepend(&mut headers);
    Ethernet { destination, source, ethertype: EtherType::Ipv4 }.prepend(&mut headers);
    headers.as_slice().to_vec()
}
