//! The client's side: an address for a host that is yet to be built (RFC 2131 section 4.4).

use super::frame::{arp_reply, from_server, to_servers};
use super::message::{Kind, Message, code};
use crate::builder::drawn;
use crate::clock;
use crate::lan::Lan;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sockeye_core::lan::Conditions;
use sockeye_core::time::{Duration, Instant};
use sockeye_core::wire::Cidr;
use sockeye_core::wire::ethernet::MacAddr;
use sockeye_device::{Device, Offload};
use std::io::{self, ErrorKind, IoSlice};
use std::net::{IpAddr, Ipv4Addr};

/// The time before the first retransmission, doubled with each up to the longest, each a quarter longer or shorter by
/// chance (RFC 2131 section 4.1, which names 4 and 64 seconds for the Ethernet of its time, and leaves them to be chosen by
/// what the network is like).
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(64);

/// How often a request is sent before the client begins anew (RFC 2131 section 3.1, point 5).
const REQUESTS: u32 = 4;

/// How long to wait after a refusal before beginning anew, so that nobody is flooded.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);

/// So long a server is waited for, unless the client says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a server has told a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// The address, with its subnet.
    pub address: Cidr,
    /// The way out of the subnet.
    pub gateway: Option<IpAddr>,
    /// Who answers for names.
    pub dns: Vec<IpAddr>,
    /// The domain of the hosts of this network.
    pub domain: Option<String>,
    /// The name under which the host is known; another than it asked for, where that was taken.
    pub host_name: Option<String>,
    /// The largest IP packet, in bytes.
    pub mtu: Option<u16>,
    /// How long the address may be used; for ever if there is no limit. Nobody renews it here.
    pub lease_time: Option<Duration>,
    /// Who gave it.
    pub server: IpAddr,
}

/// A client of DHCP: it asks before its host is built, on a cable that is plugged in for the moment.
///
/// ```
/// use sockeye::{MacAddr, dhcp};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lan = sockeye::Lan::builder().seed(7).build()?;
/// let gateway = lan.host("gateway").address("10.0.0.1/24".parse()?).build()?;
/// let names = sockeye::dns::Names::new("lan");
/// let server = dhcp::Server::start(&gateway, dhcp::ServerOptions::default().names(&names))?;
///
/// let mac = MacAddr([2, 0, 0, 0, 7, 7]);
/// let lease = dhcp::Client::new(mac).host_name("web").lease(&lan)?;
/// assert_eq!(lease.address, "10.0.0.2/24".parse()?);
/// let host = lan.host("web").mac(mac).address(lease.address).build()?;
/// assert_eq!(names.addresses("web"), [host.addresses()[0].address()]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "lease() or inform() asks"]
pub struct Client {
    mac: MacAddr,
    host_name: Option<String>,
    conditions: Option<Conditions>,
    patience: Duration,
}

impl Client {
    /// The client of the host that is going to have this hardware address.
    pub fn new(mac: MacAddr) -> Client {
        Client { mac, host_name: None, conditions: None, patience: PATIENCE }
    }

    /// What the host is called (option 12).
    pub fn host_name(mut self, name: impl Into<String>) -> Client {
        self.host_name = Some(name.into());
        self
    }

    /// What the cable to the LAN does to frames; otherwise what [`crate::LanBuilder::conditions`] says.
    pub fn conditions(mut self, conditions: Conditions) -> Client {
        self.conditions = Some(conditions);
        self
    }

    /// How long to try; ten seconds otherwise.
    pub fn patience(mut self, patience: Duration) -> Client {
        self.patience = patience;
        self
    }

    /// Asks the servers of a LAN for an address.
    ///
    /// # Errors
    /// `TimedOut` when no server gives one in time; `BrokenPipe` when the cable is pulled; or when no descriptor is left.
    pub fn lease(&self, lan: &Lan) -> io::Result<Lease> {
        self.lease_on(&mut lan.plug_for_now(self.label(), self.conditions)?)
    }

    /// [`lease`](Self::lease) on any device that carries Ethernet. Frames that come meanwhile and are no answers are
    /// discarded.
    ///
    /// # Errors
    /// As [`lease`](Self::lease).
    pub fn lease_on(&self, device: &mut dyn Device) -> io::Result<Lease> {
        let mut exchange = self.exchange(device, Ipv4Addr::UNSPECIFIED);
        loop {
            let discover = exchange.message(Kind::Discover);
            let offer = exchange.ask(discover, &[Kind::Offer], u32::MAX)?;
            let Some(offer) = offer else { continue };
            let mut request = exchange.message(Kind::Request);
            request.set(code::SERVER_ID, offer.get(code::SERVER_ID).unwrap_or_default());
            request.set_address(code::REQUESTED_ADDRESS, offer.yiaddr);
            match exchange.ask(request, &[Kind::Ack, Kind::Nak], REQUESTS)? {
                Some(ack) if ack.kind == Kind::Ack => {
                    if let Some(lease) = Lease::of(&ack, ack.yiaddr) {
                        return Ok(lease);
                    }
                }
                _ => {}
            }
            exchange.begin_anew();
        }
    }

    /// Tells the servers of a LAN that the host has `address` of its own, and its name, and asks for the rest
    /// (RFC 2131 section 4.4.3).
    ///
    /// # Errors
    /// `AddrInUse` when a server of ours says that the address is somebody else's; otherwise as [`lease`](Self::lease).
    pub fn inform(&self, lan: &Lan, address: Ipv4Addr) -> io::Result<Lease> {
        self.inform_on(&mut lan.plug_for_now(self.label(), self.conditions)?, address)
    }

    /// [`inform`](Self::inform) on any device that carries Ethernet.
    ///
    /// # Errors
    /// As [`inform`](Self::inform).
    pub fn inform_on(&self, device: &mut dyn Device, address: Ipv4Addr) -> io::Result<Lease> {
        let mut exchange = self.exchange(device, address);
        loop {
            let inform = exchange.message(Kind::Inform);
            match exchange.ask(inform, &[Kind::Ack, Kind::Nak], u32::MAX)? {
                Some(ack) if ack.kind == Kind::Ack => {
                    if let Some(lease) = Lease::of(&ack, address) {
                        return Ok(lease);
                    }
                }
                Some(nak) => {
                    let why = nak.text(code::MESSAGE).unwrap_or_else(|| format!("{address} is refused"));
                    return Err(io::Error::new(ErrorKind::AddrInUse, why));
                }
                None => {}
            }
            exchange.begin_anew();
        }
    }

    fn label(&self) -> &str {
        self.host_name.as_deref().unwrap_or("dhcp-client")
    }

    fn exchange<'d>(&self, device: &'d mut dyn Device, own: Ipv4Addr) -> Exchange<'d> {
        let start = clock::now();
        Exchange {
            buffer: vec![0; device.capabilities().frame_capacity()],
            device,
            mac: self.mac,
            own,
            host_name: self.host_name.clone(),
            xid: drawn() as u32,
            start,
            end: start + self.patience,
        }
    }
}

impl Lease {
    /// What a message says; `None` if its address is none.
    fn of(message: &Message, address: Ipv4Addr) -> Option<Lease> {
        let ones = message.address(code::SUBNET_MASK).map_or(24, |mask| u32::from(mask).leading_ones());
        let is_station = !address.is_unspecified() && !address.is_broadcast() && !address.is_multicast();
        let address = Cidr::new(address.into(), u8::try_from(ones).ok()?).ok().filter(|_| is_station)?;
        let gateway = message.address(code::ROUTER).map(IpAddr::V4);
        let seconds = message.number(code::LEASE_TIME).filter(|seconds| *seconds != u32::MAX);
        Some(Lease {
            address,
            gateway: gateway.filter(|gateway| address.contains(*gateway)),
            dns: message.addresses(code::DNS_SERVER).map(IpAddr::V4).collect(),
            domain: message.text(code::DOMAIN),
            host_name: message.text(code::HOST_NAME),
            mtu: message.short_number(code::MTU),
            lease_time: seconds.map(|seconds| Duration::from_secs(seconds.into())),
            server: IpAddr::V4(message.address(code::SERVER_ID)?),
        })
    }
}

/// One client at work on its device.
struct Exchange<'d> {
    device: &'d mut dyn Device,
    buffer: Vec<u8>,
    mac: MacAddr,
    /// The address it has already, if any.
    own: Ipv4Addr,
    host_name: Option<String>,
    xid: u32,
    start: Instant,
    end: Instant,
}

impl Exchange<'_> {
    /// A message of this client.
    fn message(&self, kind: Kind) -> Message {
        let mut message = Message::new(kind, self.xid, self.mac);
        message.ciaddr = self.own;
        // Nothing answers for an address here that is not a host's yet.
        message.wants_broadcast = true;
        message.set(code::HOST_NAME, self.host_name.clone().unwrap_or_default());
        let parameters =
            [code::SUBNET_MASK, code::ROUTER, code::DNS_SERVER, code::DOMAIN, code::HOST_NAME, code::MTU];
        message.set(code::PARAMETERS, parameters);
        message.set(code::MAXIMUM_SIZE, 1500u16.to_be_bytes());
        message
    }

    /// Another exchange, after one that led nowhere.
    fn begin_anew(&mut self) {
        self.xid = self.xid.wrapping_add(1);
        std::thread::sleep(AFTER_REFUSAL);
    }

    /// Sends a message, again and again, until one of the answers is there; `None` after `times` without any.
    fn ask(&mut self, mut message: Message, answers: &[Kind], times: u32) -> io::Result<Option<Message>> {
        let server = message.address(code::SERVER_ID);
        let mut wait = FIRST_WAIT;
        for _ in 0..times {
            let now = clock::now();
            if now >= self.end {
                let text = "no DHCP server answered";
                return Err(io::Error::new(ErrorKind::TimedOut, text));
            }
            message.secs = u16::try_from(now.since(self.start).as_secs()).unwrap_or(u16::MAX);
            self.send(&to_servers(&message))?;
            let chance = drawn() as u32 % (wait.as_millis() as u32 / 2).max(1);
            let until = now + wait * 3 / 4 + Duration::from_millis(chance.into());
            wait = (wait * 2).min(LONGEST_WAIT);
            while let Some(answer) = self.next(until.min(self.end))? {
                let is_from_them = server.is_none() || answer.address(code::SERVER_ID) == server;
                if answer.xid == self.xid && answers.contains(&answer.kind) && is_from_them {
                    return Ok(Some(answer));
                }
            }
        }
        Ok(None)
    }

    /// Hands a frame to the device. One that it has no room for is lost, as on any cable: it is sent again.
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        match self.device.send(&[IoSlice::new(frame)], &Offload::NONE).and_then(|()| self.device.flush()) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// The next message of a server, before `until`.
    fn next(&mut self, until: Instant) -> io::Result<Option<Message>> {
        loop {
            match self.device.receive(&mut self.buffer) {
                Ok(received) => {
                    let frame = self.buffer.get(..received.length).unwrap_or_default();
                    if let Some(message) = from_server(frame, self.mac) {
                        return Ok(Some(message));
                    }
                    if let Some(reply) = arp_reply(frame, self.own, self.mac) {
                        self.send(&reply)?;
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {}
                    ErrorKind::InvalidData | ErrorKind::Interrupted => continue,
                    _ => return Err(error),
                },
            }
            let left = until.since(clock::now());
            if left.is_zero() {
                return Ok(None);
            }
            let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            match self.device.readiness() {
                Some(fd) => {
                    let _ = poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&timeout));
                }
                None => std::thread::sleep(left.min(Duration::from_millis(10))),
            }
        }
    }
}
