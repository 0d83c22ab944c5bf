//! The link speaks and hears ARP (RFC 826, RFC 5227).

use core::net::{IpAddr, Ipv4Addr};

use super::neighbor::{Answer, Unknown};
use super::{Link, LinkReceive};
use crate::drop_reason::DropReason;
use crate::time::Instant;
use crate::wire::arp::{Arp, ArpOperation};
use crate::wire::ethernet::{EtherType, Ethernet, MacAddr};
use crate::wire::headers::Headers;

impl Link {
    /// An ARP packet in a frame with this header.
    pub(super) fn on_arp<'f>(&mut self, now: Instant, frame: &Ethernet, packet: &[u8]) -> LinkReceive<'f> {
        match Arp::parse(packet) {
            Err(_) => LinkReceive::Dropped(DropReason::Malformed),
            Ok(arp) => match self.hear_arp(now, frame, &arp) {
                Ok(()) => LinkReceive::Consumed,
                Err(reason) => LinkReceive::Dropped(reason),
            },
        }
    }

    fn hear_arp(&mut self, now: Instant, frame: &Ethernet, arp: &Arp) -> Result<(), DropReason> {
        if !arp.sender_mac.is_unicast() {
            return Err(DropReason::BadSourceMac);
        }
        if arp.sender_mac == self.config.mac {
            return Err(DropReason::UnwantedDiscovery); // our own words, come back
        }
        let (sender, target) = (IpAddr::V4(arp.sender_ip), IpAddr::V4(arp.target_ip));
        let is_probe = arp.sender_ip.is_unspecified() && arp.operation == ArpOperation::Request;
        if self.addresses.is_tentative(sender) || is_probe && self.addresses.is_tentative(target) {
            // Somebody has the address, or wants it at the same time (RFC 5227 section 2.1.1).
            self.give_up(if is_probe { target } else { sender }, Some(arp.sender_mac));
            return Err(DropReason::AddressConflict);
        }
        if self.addresses.is_ours(sender) {
            if self.addresses.defends(now, sender) {
                self.announce_v4(arp.sender_ip)?;
            }
            return Err(DropReason::AddressConflict);
        }
        if !is_probe && !can_be_host(arp.sender_ip) {
            return Err(DropReason::MartianSource);
        }
        let is_for_us = self.addresses.is_ours(target);
        if !is_probe {
            let is_answer = arp.operation == ArpOperation::Reply;
            let is_released = if is_answer || arp.sender_ip == arp.target_ip {
                // An announcement, or an answer: to us alone if it came to our MAC address.
                let solicited = is_answer && is_for_us && frame.destination == self.config.mac;
                let answer = Answer { mac: Some(arp.sender_mac), solicited, overrides: true };
                self.neighbors.on_answer(now, sender, answer)
            } else {
                let unknown = if is_for_us { Unknown::Add } else { Unknown::Ignore };
                self.neighbors.on_hint(now, sender, arp.sender_mac, unknown)
            };
            self.report_dropped();
            if is_released {
                self.release(sender, arp.sender_mac);
            }
        }
        match arp.operation {
            ArpOperation::Request if is_for_us => self.say_arp(
                arp.sender_mac,
                &Arp {
                    operation: ArpOperation::Reply,
                    sender_mac: self.config.mac,
                    sender_ip: arp.target_ip,
                    target_mac: arp.sender_mac,
                    target_ip: arp.sender_ip,
                },
            ),
            // Others' questions are heard by everybody: nothing is wrong with them.
            _ => Ok(()),
        }
    }

    /// Asks who has `target`: everybody, or the neighbour at the MAC address `at` whether it still has it.
    pub(super) fn ask_v4(
        &mut self,
        source: Ipv4Addr,
        target: Ipv4Addr,
        at: Option<MacAddr>,
    ) -> Result<(), DropReason> {
        let request = Arp {
            operation: ArpOperation::Request,
            sender_mac: self.config.mac,
            sender_ip: source,
            target_mac: MacAddr::UNSPECIFIED,
            target_ip: target,
        };
        self.say_arp(at.unwrap_or(MacAddr::BROADCAST), &request)
    }

    /// Tells everybody that the address is ours (RFC 5227 section 2.3).
    pub(super) fn announce_v4(&mut self, address: Ipv4Addr) -> Result<(), DropReason> {
        self.ask_v4(address, address, None)
    }

    fn say_arp(&mut self, to: MacAddr, arp: &Arp) -> Result<(), DropReason> {
        let mut headers = Headers::new();
        headers.push_front(&arp.emit());
        self.say(to, EtherType::Arp, &mut headers)
    }
}

/// Whether an address can be a neighbour's at all.
fn can_be_host(address: Ipv4Addr) -> bool {
    !(address.is_unspecified() || address.is_broadcast() || address.is_multicast() || address.is_loopback())
}
