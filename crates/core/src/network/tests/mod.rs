//! The network layer as the layers around it see it, in virtual time.

mod echo;
mod errors;
mod forwarding;
mod groups;
mod refusals;
mod routes;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;
use crate::error::Error;
use crate::wire::checksum::PseudoHeader;
use crate::wire::describe::{LinkType, describe};
use crate::wire::headers::Headers;
use crate::wire::icmpv4::Icmpv4;
use crate::wire::icmpv6::Icmpv6;
use crate::wire::ip::Protocol;
use crate::wire::ipv4::{Ipv4Header, Ipv4Options};

const NOW: Instant = Instant::from_secs(100);
const LO: InterfaceId = InterfaceId(0);
const ETH: InterfaceId = InterfaceId(1);
const FAR: InterfaceId = InterfaceId(2);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn v4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

/// A host with 10.0.0.2/24 and fd00::2/64 on ETH and default routes by .1; a router also has 192.168.7.1/24 and
/// fd07::1/64 on FAR, whose MTU is 1280. Nothing waits to be sent.
fn host(forwarding: Forwarding) -> Network {
    let mut network = Network::new(NetworkConfig { forwarding, seed: 7, ..NetworkConfig::default() });
    network.add_interface(LO, 65_536, InterfaceKind::Loopback);
    network.add_address(LO, cidr("127.0.0.1/8"));
    network.add_address(LO, cidr("::1/128"));
    network.add_interface(ETH, 1500, InterfaceKind::Link);
    network.add_address(ETH, cidr("10.0.0.2/24"));
    network.add_address(ETH, cidr("fd00::2/64"));
    if forwarding == Forwarding::On {
        network.add_interface(FAR, 1280, InterfaceKind::Link);
        network.add_address(FAR, cidr("192.168.7.1/24"));
        network.add_address(FAR, cidr("fd07::1/64"));
    }
    for (destination, gateway) in [("0.0.0.0/0", "10.0.0.1"), ("::/0", "fd00::1")] {
        let route =
            Route { destination: cidr(destination), gateway: Some(ip(gateway)), interface: ETH, metric: 0 };
        network.add_route(route).unwrap();
    }
    while network.poll_transmit().is_some() {}
    network
}

/// A packet with this payload.
fn packet(source: &str, destination: &str, protocol: Protocol, payload: &[u8]) -> Vec<u8> {
    let mut headers = Headers::new();
    match (ip(source), ip(destination)) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            Ipv4Header { payload_length: payload.len(), ..Ipv4Header::new(source, destination, protocol) }
                .prepend(&mut headers);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            Ipv6Header { payload_length: payload.len(), ..Ipv6Header::new(source, destination, protocol) }
                .prepend(&mut headers);
        }
        _ => panic!("two families"),
    }
    [headers.as_slice(), payload].concat()
}

/// A UDP packet with `length` bytes of data; its checksum is none of this layer's business.
fn udp(source: &str, destination: &str, length: usize) -> Vec<u8> {
    let total = (length + 8) as u16;
    let mut payload = vec![0xc3, 0x50, 0, 53];
    payload.extend(total.to_be_bytes());
    payload.extend([0xbe, 0xef]);
    payload.extend((0..length).map(|byte| byte as u8));
    packet(source, destination, Protocol::Udp, &payload)
}

/// An echo request of `length` bytes.
fn ping(source: &str, destination: &str, length: usize) -> Vec<u8> {
    let data: Vec<u8> = (0..length).map(|byte| byte as u8 ^ (byte >> 8) as u8).collect();
    let mut headers = Headers::new();
    let protocol = if ip(source).is_ipv4() {
        Icmpv4::EchoRequest { id: 3, seq: 4 }.prepend(&mut headers, &data);
        Protocol::Icmp
    } else {
        let pseudo = PseudoHeader::new(ip(source), ip(destination), Protocol::Icmpv6, 0);
        Icmpv6::EchoRequest { id: 3, seq: 4 }.prepend(&mut headers, &pseudo, &data);
        Protocol::Icmpv6
    };
    packet(source, destination, protocol, &[headers.as_slice(), &data].concat())
}

/// An ICMPv4 or ICMPv6 error that quotes a packet.
fn error_v4(source: &str, destination: &str, icmp: Icmpv4, quoted: &[u8]) -> Vec<u8> {
    let mut headers = Headers::new();
    icmp.prepend(&mut headers, quoted);
    packet(source, destination, Protocol::Icmp, &[headers.as_slice(), quoted].concat())
}

fn error_v6(source: &str, destination: &str, icmp: Icmpv6, quoted: &[u8]) -> Vec<u8> {
    let mut headers = Headers::new();
    icmp.prepend(&mut headers, &PseudoHeader::new(ip(source), ip(destination), Protocol::Icmpv6, 0), quoted);
    packet(source, destination, Protocol::Icmpv6, &[headers.as_slice(), quoted].concat())
}

/// All that waits to be sent.
fn out(network: &mut Network) -> Vec<OutPacket> {
    core::iter::from_fn(|| network.poll_transmit()).collect()
}

/// What waits to be sent, a line a packet.
fn lines(network: &mut Network) -> Vec<String> {
    out(network).iter().map(|packet| describe(&packet.bytes, LinkType::Ip).to_string()).collect()
}

fn receive<'p>(network: &mut Network, packet: &'p [u8]) -> NetworkReceive<'p> {
    network.receive(NOW, &Arrival::new(ETH), packet)
}
