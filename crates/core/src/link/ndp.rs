//! The link speaks and hears neighbour discovery (RFC 4861, RFC 4862).

use core::net::{IpAddr, Ipv6Addr};

use super::neighbor::{Answer, Unknown};
use super::{Link, LinkSend, Medium, NextHop, Offload};
use crate::drop_reason::DropReason;
use crate::time::Instant;
use crate::wire::ethernet::{EtherType, MacAddr};
use crate::wire::headers::Headers;
use crate::wire::ip::Protocol;
use crate::wire::ipv6::Ipv6Header;
use crate::wire::ndp::Ndp;

/// All nodes of the link.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

impl Link {
    /// A neighbour discovery message that the network layer has found valid. The answer, if any, is polled.
    ///
    /// Redirects and router advertisements change no route here; a router's MAC address is learnt.
    ///
    /// # Errors
    /// [`DropReason::AddressConflict`], [`DropReason::BadSourceMac`], [`DropReason::QueueFull`], and
    /// [`DropReason::UnwantedDiscovery`] for what is not for us or not believed.
    pub fn on_ndp(
        &mut self,
        now: Instant,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        message: &Ndp,
    ) -> Result<(), DropReason> {
        if self.config.medium == Medium::Ip {
            return Err(DropReason::UnwantedDiscovery);
        }
        if self.addresses.is_ours(source.into()) {
            return Err(DropReason::AddressConflict);
        }
        match *message {
            Ndp::NeighborSolicitation { target, source_link } => {
                self.on_solicitation(now, source, target, source_link)
            }
            Ndp::NeighborAdvertisement { solicited, override_, target, target_link, .. } => {
                let answer = Answer {
                    mac: believable(target_link)?,
                    solicited: solicited && !destination.is_multicast(),
                    overrides: override_,
                };
                self.on_advertisement(now, target, answer)
            }
            Ndp::RouterAdvertisement(advertisement) => match believable(advertisement.source_link)? {
                Some(mac) => {
                    self.hint(now, source.into(), mac, Unknown::Add);
                    Ok(())
                }
                None => Err(DropReason::UnwantedDiscovery),
            },
            Ndp::RouterSolicitation { .. } | Ndp::Redirect { .. } => Err(DropReason::UnwantedDiscovery),
        }
    }

    fn on_solicitation(
        &mut self,
        now: Instant,
        source: Ipv6Addr,
        target: Ipv6Addr,
        source_link: Option<MacAddr>,
    ) -> Result<(), DropReason> {
        let mac = believable(source_link)?;
        if self.addresses.is_tentative(target.into()) {
            if !source.is_unspecified() {
                // Somebody looks for a neighbour that is not there yet (RFC 4862 section 5.4.3).
                return Err(DropReason::UnwantedDiscovery);
            }
            self.give_up(target.into(), None);
            return Err(DropReason::AddressConflict);
        }
        if !self.addresses.is_ours(target.into()) {
            return Err(DropReason::UnwantedDiscovery);
        }
        if source.is_unspecified() {
            return self.announce_v6(target); // it wants our address: it cannot have it
        }
        if let Some(mac) = mac {
            self.hint(now, source.into(), mac, Unknown::Add);
        }
        let answer = Ndp::NeighborAdvertisement {
            router: false,
            solicited: true,
            override_: true,
            target,
            target_link: Some(self.config.mac),
        };
        let mut headers = discovery(&answer, target, source);
        match mac {
            Some(mac) => self.say(mac, EtherType::Ipv6, &mut headers),
            // It did not say where it is: it is looked for, and the answer waits.
            None => {
                let next_hop = NextHop::Unicast(source.into());
                match self.send(now, next_hop, &mut headers, [&[], &[]], &Offload::default()) {
                    LinkSend::Ready => self.enqueue(&headers),
                    LinkSend::Parked => Ok(()),
                    LinkSend::Dropped(reason) => Err(reason),
                }
            }
        }
    }

    fn on_advertisement(&mut self, now: Instant, target: Ipv6Addr, answer: Answer) -> Result<(), DropReason> {
        let address = IpAddr::V6(target);
        if answer.mac == Some(self.config.mac) {
            return Err(DropReason::UnwantedDiscovery); // our own words, come back
        }
        if self.addresses.is_tentative(address) {
            self.give_up(address, answer.mac);
            return Err(DropReason::AddressConflict);
        }
        if self.addresses.is_ours(address) {
            if self.addresses.defends(now, address) {
                self.announce_v6(target)?;
            }
            return Err(DropReason::AddressConflict);
        }
        if self.neighbors.on_answer(now, address, answer)
            && let Some(mac) = answer.mac
        {
            self.release(address, mac);
        }
        Ok(())
    }

    fn hint(&mut self, now: Instant, address: IpAddr, mac: MacAddr, unknown: Unknown) {
        if self.neighbors.on_hint(now, address, mac, unknown) {
            self.release(address, mac);
        }
        self.report_dropped();
    }

    /// Asks who has `target`: its solicited-node group, or the neighbour at the MAC address `at` whether it still has
    /// it.
    pub(super) fn ask_v6(
        &mut self,
        source: Ipv6Addr,
        target: Ipv6Addr,
        at: Option<MacAddr>,
    ) -> Result<(), DropReason> {
        let group = Ipv6Header::solicited_node(target);
        let (destination, to) = match at {
            Some(mac) => (target, mac),
            None => (group, MacAddr::multicast_v6(group)),
        };
        // Who checks for duplicates has no address to be answered at, and gives none away.
        let source_link = (!source.is_unspecified()).then_some(self.config.mac);
        let question = Ndp::NeighborSolicitation { target, source_link };
        self.say(to, EtherType::Ipv6, &mut discovery(&question, source, destination))
    }

    /// Tells everybody that the address is ours (RFC 4861 section 7.2.6).
    pub(super) fn announce_v6(&mut self, address: Ipv6Addr) -> Result<(), DropReason> {
        let announcement = Ndp::NeighborAdvertisement {
            router: false,
            solicited: false,
            override_: true,
            target: address,
            target_link: Some(self.config.mac),
        };
        let mut headers = discovery(&announcement, address, ALL_NODES);
        self.say(MacAddr::multicast_v6(ALL_NODES), EtherType::Ipv6, &mut headers)
    }
}

/// The packet of a message.
fn discovery(message: &Ndp, source: Ipv6Addr, destination: Ipv6Addr) -> Headers {
    let mut headers = Headers::new();
    message.prepend(&mut headers, source, destination);
    let header = Ipv6Header {
        hop_limit: 255,
        payload_length: headers.len(),
        ..Ipv6Header::new(source, destination, Protocol::Icmpv6)
    };
    header.prepend(&mut headers);
    headers
}

/// A MAC address from an option, if it can be one station's.
fn believable(mac: Option<MacAddr>) -> Result<Option<MacAddr>, DropReason> {
    match mac {
        Some(mac) if !mac.is_unicast() => Err(DropReason::BadSourceMac),
        other => Ok(other),
    }
}
