//! Who has which address: the server's side of DHCP without sockets and without a clock (RFC 2131 section 4.3).

use super::message::{Kind, Message, code};
use crate::dns::Names;
use sockeye_core::time::{Duration, Instant};
use sockeye_core::wire::Cidr;
use sockeye_core::wire::ethernet::MacAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// The most leases, and the most addresses that are kept in mind for clients that have left.
const MOST: usize = 4096;

/// How long an offered address waits for its client.
const OFFER: Duration = Duration::from_secs(60);

/// How long an address is left alone that a client has found in use.
const DECLINED: Duration = Duration::from_secs(3600);

/// "For ever", as a lease time (RFC 2131 section 3.3).
const INFINITE: u32 = u32::MAX;

/// What a server tells its clients.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// The server's own address, in the subnet of its clients.
    pub(super) own: Ipv4Addr,
    pub(super) subnet: Cidr,
    pub(super) router: Option<Ipv4Addr>,
    pub(super) dns: Option<Ipv4Addr>,
    pub(super) mtu: u16,
    /// How long an address is given away for; for ever if there is no limit.
    pub(super) lease_time: Option<Duration>,
    pub(super) reserved: BTreeSet<Ipv4Addr>,
    pub(super) names: Option<Names>,
}

/// The addresses of a subnet.
#[derive(Debug)]
pub(super) struct Pool {
    settings: Settings,
    leases: BTreeMap<Ipv4Addr, Lease>,
    /// Which address a client had last, by its identifier and by its name.
    homes: BTreeMap<Home, Ipv4Addr>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Home {
    Client(Vec<u8>),
    Host(String),
}

#[derive(Debug)]
struct Lease {
    client: Vec<u8>,
    mac: MacAddr,
    standing: Standing,
    until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Offered, and not accepted yet.
    Offered,
    /// Given away.
    Bound,
    /// Of a host that has it without us, and told so.
    Fixed,
    /// In use by nobody knows whom.
    Declined,
}

/// What goes back to a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) message: Message,
    /// Where to; to all if there is none.
    pub(super) to: Option<Ipv4Addr>,
    /// An address that is newly offered: whoever has it should be asked to show up.
    pub(super) probe: Option<Ipv4Addr>,
}

impl Pool {
    pub(super) fn new(settings: Settings) -> Pool {
        Pool { settings, leases: BTreeMap::new(), homes: BTreeMap::new() }
    }

    /// What the server says to a message; `None` where it is silent. `is_occupied` tells whether a station other than
    /// this one is known to have an address.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        message: &Message,
        is_occupied: &dyn Fn(Ipv4Addr, MacAddr) -> bool,
    ) -> Option<Answer> {
        // There are no relays on a LAN of ours.
        if !message.giaddr.is_unspecified() || !message.chaddr.is_unicast() {
            return None;
        }
        self.leases.retain(|_, lease| lease.until > now);
        match message.kind {
            Kind::Discover => self.on_discover(now, message, is_occupied),
            Kind::Request => self.on_request(now, message, is_occupied),
            Kind::Inform => self.on_inform(message, is_occupied),
            Kind::Decline => {
                let address = message.address(code::REQUESTED_ADDRESS)?;
                let lease = self.leases.get_mut(&address)?;
                if lease.client == client_of(message) {
                    lease.standing = Standing::Declined;
                    lease.until = now + DECLINED;
                    self.forget_name(address);
                }
                None
            }
            Kind::Release => {
                let address = message.ciaddr;
                if self.leases.get(&address)?.client == client_of(message) {
                    self.leases.remove(&address);
                    self.forget_name(address);
                }
                None
            }
            Kind::Offer | Kind::Ack | Kind::Nak => None,
        }
    }

    /// The station is gone: its addresses and names are free again.
    pub(super) fn forget(&mut self, mac: MacAddr) -> Vec<Ipv4Addr> {
        let mut gone = Vec::new();
        self.leases.retain(|address, lease| {
            let is_its = lease.mac == mac && lease.standing != Standing::Declined;
            if is_its {
                gone.push(*address);
            }
            !is_its
        });
        for address in &gone {
            self.forget_name(*address);
        }
        gone
    }

    /// How many addresses are given away, or known to be fixed.
    pub(super) fn held(&self) -> usize {
        let is_held = |lease: &&Lease| matches!(lease.standing, Standing::Bound | Standing::Fixed);
        self.leases.values().filter(is_held).count()
    }

    fn on_discover(
        &mut self,
        now: Instant,
        message: &Message,
        is_occupied: &dyn Fn(Ipv4Addr, MacAddr) -> bool,
    ) -> Option<Answer> {
        let client = client_of(message);
        let is_free = |pool: &Pool, address: Ipv4Addr| pool.is_free_for(address, message, is_occupied);
        // RFC 2131 section 4.3.1: the address it has or had, else the one it asks for, else a new one.
        let host = message.text(code::HOST_NAME).map(|host| Home::Host(host.to_ascii_lowercase()));
        let known = [Some(Home::Client(client.clone())), host];
        let known = known.iter().flatten().filter_map(|home| self.homes.get(home).copied());
        let wanted = known.chain(message.address(code::REQUESTED_ADDRESS));
        let address = wanted
            .into_iter()
            .find(|address| is_free(self, *address))
            .or_else(|| self.new_address(&|address| is_free(self, address)))?;
        let had = self.leases.get(&address).map(|lease| (lease.standing, lease.until));
        if had.is_none() && self.leases.len() >= MOST {
            return None;
        }
        // A client that begins anew keeps what it has until it accepts.
        let (standing, until) = had.unwrap_or((Standing::Offered, now + OFFER));
        self.leases.insert(address, Lease { client, mac: message.chaddr, standing, until });
        let mut offer = self.reply(Kind::Offer, message);
        offer.yiaddr = address;
        offer.set(code::LEASE_TIME, self.lease_seconds().to_be_bytes());
        Some(Answer { message: offer, to: None, probe: had.is_none().then_some(address) })
    }

    fn on_request(
        &mut self,
        now: Instant,
        message: &Message,
        is_occupied: &dyn Fn(Ipv4Addr, MacAddr) -> bool,
    ) -> Option<Answer> {
        let client = client_of(message);
        let (server, requested) =
            (message.address(code::SERVER_ID), message.address(code::REQUESTED_ADDRESS));
        if server.is_some_and(|server| server != self.settings.own) {
            // It has taken another server's offer; ours is free again.
            self.leases.retain(|_, lease| lease.standing != Standing::Offered || lease.client != client);
            return None;
        }
        let address = match requested {
            Some(address) => address,
            None if !message.ciaddr.is_unspecified() => message.ciaddr,
            None => return None,
        };
        let has_it = self.leases.get(&address).is_some_and(|lease| lease.client == client);
        // Rebooting, with an address we know nothing of: another server may (RFC 2131 section 4.3.2).
        let is_rebooting = server.is_none() && message.ciaddr.is_unspecified();
        if is_rebooting && !has_it && self.is_in_pool(address) && !self.leases.contains_key(&address) {
            return None;
        }
        // Who renews an address that was forgotten meanwhile keeps it, if nobody else has it.
        let may_have_it = self.is_free_for(address, message, is_occupied);
        if !may_have_it || server.is_some() && !has_it {
            if has_it {
                self.leases.remove(&address);
                self.forget_name(address);
            }
            return Some(self.refusal(message, format!("{address} is not free")));
        }
        let until = self.settings.lease_time.map_or(Instant::MAX, |time| now + time);
        self.keep_in_mind(Home::Client(client.clone()), address);
        self.leases.insert(address, Lease { client, mac: message.chaddr, standing: Standing::Bound, until });
        let mut ack = self.reply(Kind::Ack, message);
        ack.yiaddr = address;
        ack.set(code::LEASE_TIME, self.lease_seconds().to_be_bytes());
        if let Some(name) = self.register(message, address, &mut ack) {
            self.keep_in_mind(Home::Host(name), address);
        }
        let to = (!message.ciaddr.is_unspecified() && !message.wants_broadcast).then_some(message.ciaddr);
        Some(Answer { message: ack, to, probe: None })
    }

    /// A host with an address of its own wants to know the rest, and tells its name (RFC 2131 section 4.3.5).
    fn on_inform(
        &mut self,
        message: &Message,
        is_occupied: &dyn Fn(Ipv4Addr, MacAddr) -> bool,
    ) -> Option<Answer> {
        let address = message.ciaddr;
        if !self.settings.subnet.contains(address.into()) {
            return None;
        }
        let client = client_of(message);
        let is_anothers = self.leases.get(&address).is_some_and(|lease| {
            let is_given = matches!(lease.standing, Standing::Bound | Standing::Fixed);
            is_given && lease.client != client && lease.mac != message.chaddr
        });
        if is_anothers || address == self.settings.own || is_occupied(address, message.chaddr) {
            // Not the RFC's, which leaves the host to find out by itself; our own clients are glad of it, others deaf.
            let owner = self.settings.names.as_ref().and_then(|names| names.host(address.into()));
            let owner = owner.map_or_else(|| "another host".to_owned(), |owner| format!("the host {owner}"));
            return Some(self.refusal(message, format!("{address} belongs to {owner} already")));
        }
        if self.leases.len() < MOST || self.leases.contains_key(&address) {
            let lease = Lease { client, mac: message.chaddr, standing: Standing::Fixed, until: Instant::MAX };
            self.leases.insert(address, lease);
        }
        let mut ack = self.reply(Kind::Ack, message);
        ack.ciaddr = address;
        self.register(message, address, &mut ack);
        let to = (!message.wants_broadcast).then_some(address);
        Some(Answer { message: ack, to, probe: None })
    }

    /// Registers the name that the client calls itself, and tells it the name it has got.
    fn register(&self, message: &Message, address: Ipv4Addr, ack: &mut Message) -> Option<String> {
        let names = self.settings.names.as_ref()?;
        names.forget_address(address.into());
        let wanted = message.text(code::HOST_NAME)?;
        // Some say their full name: the first label is the host's.
        let wanted = wanted.split('.').next().unwrap_or_default();
        let name = names.free(wanted, address.into()).filter(|name| names.insert(name, address.into()))?;
        ack.set(code::HOST_NAME, name.as_str());
        Some(name)
    }

    /// A message to a client, with everything it should know.
    fn reply(&self, kind: Kind, to: &Message) -> Message {
        let mut reply = Message::new(kind, to.xid, to.chaddr);
        reply.wants_broadcast = to.wants_broadcast;
        let settings = &self.settings;
        reply.set_address(code::SERVER_ID, settings.own);
        // RFC 6842: so that the client knows that it is meant.
        reply.set(code::CLIENT_ID, to.get(code::CLIENT_ID).unwrap_or_default());
        if kind == Kind::Nak {
            return reply;
        }
        if let IpAddr::V4(mask) = settings.subnet.netmask() {
            reply.set_address(code::SUBNET_MASK, mask);
        }
        for (number, address) in [(code::ROUTER, settings.router), (code::DNS_SERVER, settings.dns)] {
            if let Some(address) = address {
                reply.set_address(number, address);
            }
        }
        if let Some(names) = &settings.names {
            reply.set(code::DOMAIN, names.domain());
        }
        reply.set(code::MTU, settings.mtu.to_be_bytes());
        reply
    }

    fn refusal(&self, message: &Message, why: String) -> Answer {
        let mut nak = self.reply(Kind::Nak, message);
        nak.set(code::MESSAGE, why);
        Answer { message: nak, to: None, probe: None }
    }

    fn lease_seconds(&self) -> u32 {
        self.settings
            .lease_time
            .map_or(INFINITE, |time| u32::try_from(time.as_secs()).unwrap_or(INFINITE).clamp(1, INFINITE - 1))
    }

    /// Whether the address can be given to anybody at all.
    fn is_in_pool(&self, address: Ipv4Addr) -> bool {
        let Settings { own, subnet, reserved, .. } = &self.settings;
        subnet.contains(address.into())
            && IpAddr::V4(address) != subnet.network().address()
            && Some(address) != subnet.broadcast()
            && address != *own
            && !reserved.contains(&address)
    }

    /// Whether the sender of this message can have the address.
    fn is_free_for(
        &self,
        address: Ipv4Addr,
        message: &Message,
        is_occupied: &dyn Fn(Ipv4Addr, MacAddr) -> bool,
    ) -> bool {
        let is_theirs = self.leases.get(&address).is_none_or(|lease| {
            matches!(lease.standing, Standing::Offered | Standing::Bound)
                && lease.client == client_of(message)
        });
        is_theirs && self.is_in_pool(address) && !is_occupied(address, message.chaddr)
    }

    /// The first address that nobody has or had; if there is none, the first that nobody has.
    fn new_address(&self, is_free: &dyn Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
        let IpAddr::V4(network) = self.settings.subnet.network().address() else { return None };
        let last = self.settings.subnet.broadcast().map_or(u32::MAX, u32::from);
        let all = || (u32::from(network)..last).map(Ipv4Addr::from).filter(|address| is_free(*address));
        let homes: BTreeSet<Ipv4Addr> = self.homes.values().copied().collect();
        all().find(|address| !homes.contains(address)).or_else(|| all().next())
    }

    fn keep_in_mind(&mut self, home: Home, address: Ipv4Addr) {
        if self.homes.len() >= MOST {
            let leases = &self.leases;
            self.homes.retain(|_, address| leases.contains_key(address));
        }
        if self.homes.len() < MOST {
            self.homes.insert(home, address);
        }
    }

    fn forget_name(&self, address: Ipv4Addr) {
        if let Some(names) = &self.settings.names {
            names.forget_address(address.into());
        }
    }
}

/// Who a client is: what it says, or else its hardware address (RFC 2131 section 4.2).
fn client_of(message: &Message) -> Vec<u8> {
    let by_hardware = || [&[1][..], &message.chaddr.0].concat();
    message.get(code::CLIENT_ID).map_or_else(by_hardware, <[u8]>::to_vec)
}

#[cfg(test)]
mod tests;
