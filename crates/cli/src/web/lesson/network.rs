//! Below TCP, and beside it: `arp`, `gateway`, `mtu`, `udp`.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Map, Value, json};
use sockeye_core::error::Error;
use sockeye_core::lan::{Conditions, Direction, Duplex};
use sockeye_core::network::Forwarding;
use sockeye_core::sim::HostConfig;
use sockeye_core::stack::Config;
use sockeye_core::time::Duration;
use sockeye_core::transport::tcp::RetransmitCause;
use sockeye_core::wire::arp::ArpOperation;
use sockeye_core::wire::ip::Cidr;

use super::parameter::Parameter;
use super::program::Change;
use super::stage::Stage;
use super::step::{Cue, Packet, Step, is_data, is_syn, is_syn_ack};
use super::{
    CLIENT, CLIENT_ADDRESS, DELAY, LOSS, Lesson, SERVER, SERVER_ADDRESS, SERVICE, SOON, at, cidr, pair,
};

pub(super) const LESSONS: &[Lesson] = &[
    Lesson {
        name: "arp",
        title: "ARP: from an IP address to a MAC address",
        parameters: &[Parameter::choice("to", "whom the client writes to", &["server", "nobody"]), DELAY],
        steps: ARP,
        set: arp,
    },
    Lesson {
        name: "gateway",
        title: "Same subnet or not: the mask, and the gateway",
        parameters: &[
            Parameter::choice("to", "whom the client connects to", &["10.0.1.2", "10.0.0.5"]),
            Parameter::number("prefix", "the client's mask, in bits", 24, (8, 30), ""),
            DELAY,
        ],
        steps: GATEWAY,
        set: gateway,
    },
    Lesson {
        name: "mtu",
        title: "The path's MTU, and a black hole",
        parameters: &[
            Parameter::number("mtu", "the largest packet of the second link", 1280, (576, 1400), "bytes"),
            Parameter::switch("icmp", "whether the router says that packets are too big", true),
            DELAY,
        ],
        steps: MTU,
        set: mtu,
    },
    Lesson {
        name: "udp",
        title: "UDP: no handshake, no retransmission",
        parameters: &[DELAY, LOSS],
        steps: UDP,
        set: udp,
    },
];

/// The host in the middle.
const ROUTER: usize = 1;
/// Beyond the router.
const FAR: usize = 2;

fn asks(packet: &Packet) -> bool {
    matches!(packet, Packet::Arp(arp) if arp.operation == ArpOperation::Request)
}

fn answers(packet: &Packet) -> bool {
    matches!(packet, Packet::Arp(arp) if arp.operation == ArpOperation::Reply)
}

fn is_datagram(packet: &Packet) -> bool {
    matches!(packet, Packet::Udp)
}

fn is_icmp(packet: &Packet) -> bool {
    matches!(packet, Packet::Icmp)
}

const ARP: &[Step] = &[
    Step {
        key: "arp.send",
        text: "The client sends a datagram to an address in its own subnet. IP knows where: directly. But a frame needs a MAC address, and \
               none is known. The packet waits.",
        cue: Cue::Said,
    },
    Step {
        key: "arp.request",
        text: "ARP request, to everybody on the cable (ff:ff:ff:ff:ff:ff): who has this address? Tell me. It brings the client's own pair \
               of addresses along.",
        cue: Cue::Packet(CLIENT, asks),
    },
    Step {
        key: "arp.reply",
        text: "Whoever has it answers, to the client alone. The others say nothing.",
        cue: Cue::Packet(SERVER, answers),
    },
    Step {
        key: "arp.datagram",
        text: "The pair goes into the neighbour cache, and what waited leaves.",
        cue: Cue::Packet(CLIENT, is_datagram),
    },
    Step {
        key: "arp.cached",
        text: "A second datagram: the cache knows, and nobody is asked.",
        cue: Cue::Said,
    },
    Step {
        key: "arp.stale",
        text: "A minute later the entry is stale. The datagram leaves all the same, to the MAC address that is known …",
        cue: Cue::Said,
    },
    Step {
        key: "arp.verify",
        text: "… and since nothing has shown meanwhile that it is right, the client asks again five seconds later, this time that host alone.",
        cue: Cue::Packet(CLIENT, asks),
    },
    Step {
        key: "arp.again",
        text: "No answer. It asks once a second, three times.",
        cue: Cue::Packet(CLIENT, asks),
    },
    Step {
        key: "arp.nobody",
        text: "Nobody has that address: EHOSTUNREACH (\"no route to host\"). Next: is the host on, is the address right, is the mask?",
        cue: Cue::Said,
    },
];

fn arp(stage: &mut Stage) -> Result<(), Error> {
    let nobody = stage.values.word("to") == "nobody";
    let to = if nobody { at([10, 0, 0, 9], 7788) } else { SERVICE };
    stage.add_host("client", cidr(CLIENT_ADDRESS, 24)?)?;
    stage.add_host("server", cidr(SERVER_ADDRESS, 24)?)?;
    stage.add_host("other", cidr([10, 0, 0, 4], 24)?)?;
    stage.leave_out(if nobody { "arp.verify" } else { "arp.again" });
    let program = stage.program(SERVER).datagram_socket("socket").bind("socket", SERVICE);
    program.receive("socket", 1024).receive("socket", 1024).receive("socket", 1024).close("socket");
    let program = stage.program(CLIENT).datagram_socket("socket").connect("socket", to);
    program.wait(SOON).say("arp.send").send_to("socket", b"hello", to);
    if nobody {
        program.receive("socket", 1024).lament("arp.nobody").close("socket");
        return Ok(());
    }
    program.wait(Duration::from_millis(200)).say("arp.cached").send_to("socket", b"hello again", to);
    program.wait(Duration::from_secs(60)).say("arp.stale").send_to("socket", b"are you still there?", to);
    program.wait(Duration::from_secs(10)).close("socket");
    Ok(())
}

const GATEWAY: &[Step] = &[
    Step {
        key: "gateway.arithmetic",
        text: "Before anything leaves, the client compares: its own address AND its mask, and the destination AND the same mask.",
        cue: Cue::Said,
    },
    Step {
        key: "gateway.beyond",
        text: "They differ: the destination is not in the client's subnet. The packet goes to the gateway, whose address the default route \
               says.",
        cue: Cue::Said,
    },
    Step {
        key: "gateway.same",
        text: "They are the same: to the client, the destination is in its own subnet. The packet goes to it directly, without gateway.",
        cue: Cue::Said,
    },
    Step {
        key: "gateway.ask-gateway",
        text: "ARP asks for the MAC address of the gateway, not for that of the far host: ARP does not pass routers.",
        cue: Cue::Packet(CLIENT, asks),
    },
    Step {
        key: "gateway.ask-directly",
        text: "ARP asks for the destination itself.",
        cue: Cue::Packet(CLIENT, asks),
    },
    Step {
        key: "gateway.to-gateway",
        text: "The SYN leaves: to the MAC address of the gateway, and to the IP address of the far host.",
        cue: Cue::Segment(CLIENT, is_syn),
    },
    Step {
        key: "gateway.ask-far",
        text: "The router decides for itself: that address is in the subnet of its other interface. It asks there.",
        cue: Cue::Packet(ROUTER, asks),
    },
    Step {
        key: "gateway.forwarded",
        text: "It passes the packet on. The IP addresses stay; the MAC addresses are new, and the TTL is one less.",
        cue: Cue::Segment(ROUTER, is_syn),
    },
    Step {
        key: "gateway.answer",
        text: "The answer makes the same decisions on its way back: the server, too, needs a gateway.",
        cue: Cue::Segment(FAR, is_syn_ack),
    },
    Step { key: "gateway.connected", text: "Connected.", cue: Cue::Said },
    Step {
        key: "gateway.nobody",
        text: "Nobody answers: the far host is behind the router, and the mask made the client believe otherwise. connect fails with \
               EHOSTUNREACH. Next: correct the mask.",
        cue: Cue::Said,
    },
];

fn gateway(stage: &mut Stage) -> Result<(), Error> {
    const OWN: [u8; 4] = [10, 0, 0, 2];
    const GATE: [u8; 4] = [10, 0, 0, 1];
    let prefix = u8::try_from(stage.values.number("prefix")).map_err(|_| Error::InvalidArgument)?;
    let is_far = stage.values.word("to") == "10.0.1.2";
    let to = if is_far { [10, 0, 1, 2] } else { [10, 0, 0, 5] };
    let own = cidr(OWN, prefix)?;
    let same = own.contains(IpAddr::from(to));
    let second = route_through(stage, own, (GATE, 24), ([10, 0, 1, 1], 24), 1500)?;
    stage.add_host_on(second, "server", HostConfig::new("server", cidr([10, 0, 1, 2], 24)?))?;
    stage.add_gateway(CLIENT, GATE)?;
    stage.add_gateway(FAR, [10, 0, 1, 1])?;
    let listens = if is_far { FAR } else { stage.add_host("neighbour", cidr([10, 0, 0, 5], 24)?)? };
    stage.leave_out(if same { "gateway.ask-gateway" } else { "gateway.ask-directly" });
    if same {
        stage.leave_out("gateway.to-gateway");
    }
    if !is_far {
        stage.leave_out("gateway.answer");
    }
    let service = at(to, 7788);
    let program = stage.program(listens).socket("listener").bind("listener", service).listen("listener", 5);
    program.accept("listener", "peer").receive("peer", 1024).close("peer").close("listener");
    let program = stage.program(CLIENT).wait(SOON);
    program.say_with("gateway.arithmetic", arithmetic(own, Ipv4Addr::from(to)));
    program.say(if same { "gateway.same" } else { "gateway.beyond" });
    program.socket("socket").connect("socket", service);
    program.say("gateway.connected").lament("gateway.nobody").close("socket");
    Ok(())
}

/// A client, and a router with a second interface. Answers the virtual Ethernet beyond.
fn route_through(
    stage: &mut Stage,
    client: Cidr,
    (near, near_prefix): ([u8; 4], u8),
    (far, far_prefix): ([u8; 4], u8),
    far_mtu: usize,
) -> Result<sockeye_core::sim::LanId, Error> {
    let second = stage.add_lan();
    stage.add_host("client", client)?;
    let config = Config { forwarding: Forwarding::On, ..Config::default() };
    let one = HostConfig { config, ..HostConfig::new("router", cidr(near, near_prefix)?) };
    let two = HostConfig { addresses: vec![cidr(far, far_prefix)?], mtu: far_mtu, ..one.clone() };
    let router = stage.add_host_on(stage.lan(), "router", one)?;
    stage.add_interface(router, second, &two)?;
    Ok(second)
}

/// What the client reckons, in decimal and bit by bit.
fn arithmetic(own: Cidr, to: Ipv4Addr) -> Map<String, Value> {
    let (IpAddr::V4(address), IpAddr::V4(mask)) = (own.address(), own.netmask()) else { return Map::new() };
    let rows = [
        ("address", address),
        ("mask", mask),
        ("network", address & mask),
        ("destination", to),
        ("destination_network", to & mask),
    ];
    let bits = |address: Ipv4Addr| address.octets().map(|octet| format!("{octet:08b}")).join(".");
    let decimal: Map<String, Value> =
        rows.iter().map(|(name, address)| ((*name).to_owned(), json!(address.to_string()))).collect();
    let binary: Map<String, Value> =
        rows.iter().map(|(name, address)| ((*name).to_owned(), json!(bits(*address)))).collect();
    let same = address & mask == to & mask;
    let facts = json!({ "decimal": decimal, "binary": binary, "prefix": own.prefix(), "same": same });
    facts.as_object().cloned().unwrap_or_default()
}

const MTU: &[Step] = &[
    Step {
        key: "mtu.sends",
        text: "Both ends know links of 1500 bytes, and have told each other an MSS of 1460. The client sends full segments, with the bit that \
               forbids routers to cut them (DF).",
        cue: Cue::Segment(CLIENT, is_data),
    },
    Step {
        key: "mtu.too-big",
        text: "The second link is narrower. The router drops the packet and says so: ICMP \"fragmentation needed\", with the MTU of that link \
               (RFC 1191).",
        cue: Cue::Packet(ROUTER, is_icmp),
    },
    Step {
        key: "mtu.again",
        text: "The client believes it (the quoted header is one of its own segments), remembers the path's MTU, and sends the same bytes \
               again in smaller segments.",
        cue: Cue::Again(CLIENT, RetransmitCause::PathMtu),
    },
    Step {
        key: "mtu.silence",
        text: "Nothing comes back: the packets are too big for the second link, and the router is not allowed to say so (a firewall drops \
               ICMP). A black hole: handshakes and small requests pass, everything large vanishes.",
        cue: Cue::Again(CLIENT, RetransmitCause::Timeout),
    },
    Step {
        key: "mtu.smaller",
        text: "After some time-outs the client suspects the size, and tries smaller segments (RFC 4821).",
        cue: Cue::Segment(CLIENT, |segment| (1..=1024).contains(&segment.length)),
    },
    Step { key: "mtu.over", text: "All is there.", cue: Cue::Said },
];

fn mtu(stage: &mut Stage) -> Result<(), Error> {
    const BYTES: usize = 10 * 1448;
    let (mtu, says_so) = (stage.values.number("mtu") as usize, stage.values.is_on("icmp"));
    let far_mtu = if says_so { mtu } else { 1500 };
    let client = cidr([10, 0, 0, 2], 24)?;
    let second = route_through(stage, client, ([10, 0, 0, 1], 24), ([10, 0, 1, 1], 24), far_mtu)?;
    stage.add_host_on(second, "server", HostConfig::new("server", cidr([10, 0, 1, 2], 24)?))?;
    stage.add_gateway(CLIENT, [10, 0, 0, 1])?;
    stage.add_gateway(FAR, [10, 0, 1, 1])?;
    stage.introduce()?;
    let out: &[&str] = if says_so { &["mtu.silence", "mtu.smaller"] } else { &["mtu.too-big", "mtu.again"] };
    out.iter().for_each(|key| stage.leave_out(key));
    if !says_so {
        let usual = stage.conditions();
        stage.lay(ROUTER, 1, Duplex { up: Conditions { mtu: Some(mtu), ..usual }, down: usual });
    }
    let service = at([10, 0, 1, 2], 7788);
    let program = stage.program(FAR).socket("listener").bind("listener", service).listen("listener", 5);
    program.accept("listener", "peer").receive_exactly("peer", BYTES).say("mtu.over");
    program.send("peer", "got it").receive("peer", 1024).close("peer").close("listener");
    let program = stage.program(CLIENT).wait(SOON).socket("socket").connect("socket", service);
    program.send("socket", vec![b'x'; BYTES]).receive("socket", 1024).close("socket");
    Ok(())
}

const UDP: &[Step] = &[
    Step {
        key: "udp.send",
        text: "No handshake, no connection: the client calls sendto, and that is all.",
        cue: Cue::Said,
    },
    Step {
        key: "udp.datagram",
        text: "One datagram for one call, with eight bytes of header: two ports, a length, a checksum.",
        cue: Cue::Packet(CLIENT, is_datagram),
    },
    Step {
        key: "udp.lost",
        text: "The second datagram is lost on the cable. Nobody notices, and nobody sends it again.",
        cue: Cue::Said,
    },
    Step {
        key: "udp.received",
        text: "The server has called recvfrom twice and has the first and the third: each call returned one whole datagram, never two, never \
               half of one.",
        cue: Cue::Said,
    },
    Step { key: "udp.closed", text: "Another datagram, to a port where nobody is.", cue: Cue::Said },
    Step {
        key: "udp.unreachable",
        text: "The host says so: ICMP \"port unreachable\", quoting what it could not deliver. It need not: many firewalls are silent.",
        cue: Cue::Packet(SERVER, is_icmp),
    },
    Step {
        key: "udp.refused",
        text: "The client's socket was connected (which for UDP sends nothing), so its next call fails with ECONNREFUSED. A socket that is not \
               connected is never told.",
        cue: Cue::Said,
    },
];

fn udp(stage: &mut Stage) -> Result<(), Error> {
    pair(stage)?;
    let program = stage.program(SERVER).datagram_socket("socket").bind("socket", SERVICE);
    program.receive("socket", 1024).receive("socket", 1024).say("udp.received").receive("socket", 1024);
    let pause = Duration::from_millis(100);
    let program = stage.program(CLIENT).datagram_socket("socket").wait(SOON).say("udp.send");
    program.send_to("socket", b"one", SERVICE).wait(pause).say("udp.lost");
    program.cable(CLIENT, Direction::Up, Change::DropNext(1)).send_to("socket", b"two", SERVICE).wait(pause);
    program.send_to("socket", b"three", SERVICE).wait(pause * 5).close("socket");
    let closed = at(SERVER_ADDRESS, 9);
    program
        .say("udp.closed")
        .datagram_socket("other")
        .connect("other", closed)
        .send_to("other", b"hello?", closed);
    program.receive("other", 1024).lament("udp.refused").close("other");
    Ok(())
}
