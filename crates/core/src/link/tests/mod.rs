//! The link by itself and against another link, in virtual time.

mod duplicate;
mod exchange;
mod hostile;
mod limits;
mod states;

use core::net::IpAddr;

use super::{
    Detection, Link, LinkConfig, LinkEvent, LinkReceive, LinkSend, Medium, NeighborState, NextHop, Offload,
};
use crate::drop_reason::DropReason;
use crate::time::{Duration, Instant};
use crate::wire::describe::{LinkType, describe};
use crate::wire::ethernet::MacAddr;
use crate::wire::headers::Headers;
use crate::wire::icmpv6::Icmpv6;
use crate::wire::ipv6::Ipv6Header;
use crate::wire::ndp::Ndp;

const START: Instant = Instant::from_secs(100);

fn mac(last: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, last])
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A link with MAC address `mac(last)` and no address.
fn bare(last: u8) -> Link {
    Link::new(LinkConfig { medium: Medium::Ethernet, mac: mac(last), mtu: 1500, seed: last.into() })
}

/// A link with the addresses 10.0.0.`last`/24 and fd00::`last`/64, already announced.
fn link(last: u8) -> Link {
    let mut link = bare(last);
    link.add_address(START, format!("10.0.0.{last}/24").parse().unwrap(), Detection::Off);
    link.add_address(START, format!("fd00::{last}/64").parse().unwrap(), Detection::Off);
    while link.poll_transmit(START).is_some() {}
    while link.poll_event().is_some() {}
    link
}

/// Sends a packet of its family whose last bytes are `text`.
fn send(link: &mut Link, now: Instant, to: &str, text: &str) -> LinkSend {
    let mut headers = Headers::new();
    headers.push_front(&[if ip(to).is_ipv4() { 0x45 } else { 0x60 }; 20]);
    link.send(now, NextHop::Unicast(ip(to)), &mut headers, [text.as_bytes(), b""], &Offload::default())
}

/// What the link sends by itself, a line a frame.
fn lines(link: &mut Link, now: Instant) -> Vec<String> {
    core::iter::from_fn(|| link.poll_transmit(now))
        .map(|frame| describe(&frame.bytes, LinkType::Ethernet).to_string())
        .collect()
}

/// Hands a frame up, and neighbour discovery back, as the spine does. What came of the packets.
fn hear<'f>(link: &mut Link, now: Instant, frame: &'f [u8]) -> Result<Option<&'f [u8]>, DropReason> {
    match link.receive(now, frame) {
        LinkReceive::Consumed => Ok(None),
        LinkReceive::Dropped(reason) => Err(reason),
        LinkReceive::Packet { packet, .. } => {
            if let Ok((header, payload)) = Ipv6Header::parse(packet)
                && let Ok((Icmpv6::Other { kind, .. }, _)) = Icmpv6::parse(payload, &header.pseudo())
                && Ndp::is_ndp(kind)
                && let Ok(message) = Ndp::parse(payload, &header)
            {
                link.on_ndp(now, header.source, header.destination, &message)?;
                return Ok(None);
            }
            Ok(Some(packet))
        }
    }
}

/// Carries frames between the links until there are none; every link hears the others. The packets that arrived.
fn carry(links: &mut [&mut Link], now: Instant) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    loop {
        let mut frames = Vec::new();
        for (from, link) in links.iter_mut().enumerate() {
            frames.extend(core::iter::from_fn(|| link.poll_transmit(now)).map(|frame| (from, frame.bytes)));
        }
        if frames.is_empty() {
            return packets;
        }
        for (from, frame) in frames {
            for (to, link) in links.iter_mut().enumerate() {
                if to != from
                    && let Ok(Some(packet)) = hear(link, now, &frame)
                {
                    packets.push(packet.to_vec());
                }
            }
        }
    }
}

/// Lets time pass to `until`, deadline by deadline, carrying frames.
fn run(links: &mut [&mut Link], from: Instant, until: Instant) -> Vec<Vec<u8>> {
    let mut packets = carry(links, from);
    while let Some(next) =
        links.iter().filter_map(|link| link.poll_timeout()).min().filter(|next| *next <= until)
    {
        for link in links.iter_mut() {
            link.handle_timeout(next);
        }
        packets.extend(carry(links, next));
    }
    packets
}

fn state_of(link: &Link, address: &str) -> Option<NeighborState> {
    link.neighbors().find(|neighbor| neighbor.address == ip(address)).map(|neighbor| neighbor.state)
}

fn events(link: &mut Link) -> Vec<LinkEvent> {
    core::iter::from_fn(|| link.poll_event()).collect()
}

const SECOND: Duration = Duration::from_secs(1);
