//! A client's messages as frames: it has no address yet, and so no socket.

use super::message::{CLIENT_PORT, Message, SERVER_PORT};
use sockeye_core::wire::arp::{Arp, ArpOperation};
use sockeye_core::wire::ethernet::{EtherType, Ethernet, MacAddr};
use sockeye_core::wire::ipv4::Ipv4Header;
use sockeye_core::wire::udp::Udp;
use sockeye_core::wire::{ChecksumCheck, ChecksumEmit, Headers, Protocol};
use std::net::Ipv4Addr;

/// A message to every server: from the client's address, if it has one.
pub(super) fn to_servers(message: &Message) -> Vec<u8> {
    let payload = message.emit();
    let mut headers = Headers::new();
    let ip = Ipv4Header {
        payload_length: Udp::LEN + payload.len(),
        ..Ipv4Header::new(message.ciaddr, Ipv4Addr::BROADCAST, Protocol::Udp)
    };
    let udp = Udp::new(CLIENT_PORT, SERVER_PORT, payload.len());
    udp.prepend(&mut headers, &ip.pseudo(), [&payload, &[]], ChecksumEmit::Full);
    ip.prepend(&mut headers);
    let ethernet =
        Ethernet { destination: MacAddr::BROADCAST, source: message.chaddr, ethertype: EtherType::Ipv4 };
    ethernet.prepend(&mut headers);
    [headers.as_slice(), &payload].concat()
}

/// The message of a server to the client at `mac`; `None` for every other frame.
pub(super) fn from_server(frame: &[u8], mac: MacAddr) -> Option<Message> {
    let (ethernet, packet) = Ethernet::parse(frame).ok()?;
    let is_for_us = ethernet.destination == mac || ethernet.destination.is_broadcast();
    if !is_for_us || ethernet.ethertype != EtherType::Ipv4 {
        return None;
    }
    let (ip, datagram) = Ipv4Header::parse(packet).ok()?;
    if ip.is_fragment() || ip.protocol != Protocol::Udp {
        return None;
    }
    let (udp, payload) = Udp::parse(datagram, &ip.pseudo(), ChecksumCheck::Verify).ok()?;
    if (udp.source_port, udp.destination_port) != (SERVER_PORT, CLIENT_PORT) {
        return None;
    }
    Message::parse(payload).filter(|message| message.chaddr == mac)
}

/// The answer to a frame that asks who has `own`: a server that answers by unicast asks before.
pub(super) fn arp_reply(frame: &[u8], own: Ipv4Addr, mac: MacAddr) -> Option<Vec<u8>> {
    let (ethernet, packet) = Ethernet::parse(frame).ok()?;
    if ethernet.ethertype != EtherType::Arp || own.is_unspecified() {
        return None;
    }
    let request = Arp::parse(packet).ok()?;
    if request.operation != ArpOperation::Request || request.target_ip != own {
        return None;
    }
    let reply = Arp {
        operation: ArpOperation::Reply,
        sender_mac: mac,
        sender_ip: own,
        target_mac: request.sender_mac,
        target_ip: request.sender_ip,
    };
    let mut headers = Headers::new();
    let ethernet = Ethernet { destination: request.sender_mac, source: mac, ethertype: EtherType::Arp };
    ethernet.prepend(&mut headers);
    Some([headers.as_slice(), &reply.emit()].concat())
}
