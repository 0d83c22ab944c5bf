//! A virtual Ethernet in this process, and the hosts that are plugged into it.

use crate::builder::{HostBuilder, drawn, mixed};
use crate::gateway::{Published, Target};
use crate::host::{Host, Inner};
use crate::switchboard::{LanObservation, LanPort, Switchboard};
use crate::uplink::{Attachment, Uplink};
use parking_lot::Mutex;
use sockeye_core::lan::{Conditions, Direction, Duplex, PortId};
use sockeye_core::time::Duration;
use sockeye_core::wire::Cidr;
use sockeye_core::wire::ethernet::MacAddr;
use sockeye_device::Device;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};

/// The MTU of a LAN's interfaces, unless the builder says otherwise.
const DEFAULT_MTU: usize = 1500;

/// The smallest MTU of IPv4 (RFC 791), and the largest packet there is.
const LEAST_MTU: usize = 68;
const LARGEST_MTU: usize = 65_535;

/// Why a LAN does not take a host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlugError {
    /// Another host has the name.
    #[error("the LAN has a host '{0}' already")]
    NameTaken(String),
    /// Another host has the address.
    #[error("the address {address} belongs to host '{owner}' already")]
    AddressTaken {
        /// The address.
        address: IpAddr,
        /// Who has it.
        owner: String,
    },
    /// Another host has the hardware address.
    #[error("the MAC address {mac} belongs to host '{owner}' already")]
    MacTaken {
        /// The hardware address.
        mac: MacAddr,
        /// Who has it.
        owner: String,
    },
    /// A group's hardware address, or none at all.
    #[error("{0} is not the MAC address of one station")]
    BadMac(MacAddr),
    /// An MTU that IP does not allow.
    #[error("an MTU of {0} bytes is not possible: between {LEAST_MTU} and {LARGEST_MTU}")]
    BadMtu(usize),
    /// No descriptor is left.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A port of the real machine that leads to a host of a LAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Where to listen on the real machine, TCP and UDP.
    pub listen: SocketAddr,
    /// The name of the host that serves.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// A LAN in the making.
#[derive(Clone, Debug, Default)]
#[must_use = "build() makes the LAN"]
pub struct LanBuilder {
    seed: Option<u64>,
    conditions: Conditions,
}

impl LanBuilder {
    /// The seed of everything that is left to chance on the LAN and in its hosts; otherwise one is drawn.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// What every cable does to frames, in both directions, unless [`HostBuilder::conditions`] says otherwise. A frame
    /// from host to host passes two cables.
    pub fn conditions(mut self, conditions: Conditions) -> Self {
        self.conditions = conditions;
        self
    }

    /// Makes the LAN.
    ///
    /// # Errors
    /// None so far; reserved for systems that have to be asked.
    pub fn build(self) -> io::Result<Lan> {
        let handle = Handle {
            switchboard: Switchboard::new(),
            seed: self.seed.unwrap_or_else(drawn),
            conditions: self.conditions,
            plugged: Mutex::new(Vec::new()),
            published: Mutex::new(Vec::new()),
        };
        Ok(Lan { handle: Arc::new(handle) })
    }
}

/// A virtual Ethernet: a learning switch with a cable to each host. The value is a handle: clone it freely.
///
/// ```
/// use sockeye_core::lan::Conditions;
/// use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lan = sockeye::Lan::builder()
///     .seed(7)
///     .conditions(Conditions { delay: Duration::from_millis(5), ..Conditions::default() })
///     .build()?;
/// let server = lan.host("server").address("10.0.0.2/24".parse()?).build()?;
/// let client = lan.host("client").address("10.0.0.3/24".parse()?).build()?;
/// lan.observe(|seen| println!("{} {:?} {} bytes", seen.host, seen.direction, seen.frame.len()))?;
///
/// let listener = sockeye::TcpListener::bind(&server, "10.0.0.2:80")?;
/// let start = std::time::Instant::now();
/// let _stream = sockeye::TcpStream::connect(&client, "10.0.0.2:80")?;
/// assert!(start.elapsed() >= Duration::from_millis(20)); // two cables there, two back
/// # drop(listener);
/// # Ok(())
/// # }
/// ```
///
/// Hosts outlive the handle; ports published with [`publish`](Lan::publish) end with the last one.
#[derive(Clone)]
pub struct Lan {
    handle: Arc<Handle>,
}

struct Handle {
    switchboard: Arc<Switchboard>,
    seed: u64,
    conditions: Conditions,
    plugged: Mutex<Vec<Plugged>>,
    published: Mutex<Vec<Published>>,
}

/// A host at a port.
struct Plugged {
    port: PortId,
    name: Arc<str>,
    addresses: Vec<Cidr>,
    gateways: Vec<IpAddr>,
    mac: MacAddr,
    /// None while it is being built.
    host: Option<Weak<Inner>>,
}

impl Plugged {
    fn is_alive(&self) -> bool {
        self.host.as_ref().is_none_or(|host| host.strong_count() > 0)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.published.get_mut().clear();
        self.switchboard.leave();
    }
}

/// What a host asks of a LAN.
pub(crate) struct Cabling<'a> {
    pub(crate) name: &'a Arc<str>,
    pub(crate) addresses: &'a [Cidr],
    pub(crate) gateways: &'a [IpAddr],
    pub(crate) mac: Option<MacAddr>,
    pub(crate) mtu: Option<usize>,
    pub(crate) conditions: Option<Conditions>,
}

/// A place at a LAN, taken for a host that is being built; dropped, it is free again.
pub(crate) struct Plug {
    lan: Lan,
    port: PortId,
    mac: MacAddr,
    is_registered: bool,
}

impl Plug {
    pub(crate) fn mac(&self) -> MacAddr {
        self.mac
    }

    /// The host is there.
    pub(crate) fn register(mut self, host: &Host) {
        self.is_registered = true;
        let mut plugged = self.lan.handle.plugged.lock();
        if let Some(entry) = plugged.iter_mut().find(|entry| entry.port == self.port) {
            entry.host = Some(host.downgrade());
        }
    }
}

impl Drop for Plug {
    fn drop(&mut self) {
        if !self.is_registered {
            self.lan.handle.plugged.lock().retain(|entry| entry.port != self.port);
        }
    }
}

impl Lan {
    /// Begins to describe a LAN.
    pub fn builder() -> LanBuilder {
        LanBuilder::default()
    }

    /// Begins to describe a host on this LAN.
    pub fn host(&self, name: impl Into<String>) -> HostBuilder {
        Host::builder(name).plug(self)
    }

    /// The seed in use.
    pub fn seed(&self) -> u64 {
        self.handle.seed
    }

    pub(crate) fn seed_for(&self, host: &str) -> u64 {
        mixed(self.handle.seed, host)
    }

    /// Shows every frame on every cable to `sink` from now on, with its fate.
    ///
    /// The sink runs on a thread of its own and sees the frames in their order. If it is too slow, the senders wait;
    /// nothing is left out.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn observe(&self, sink: impl FnMut(&LanObservation) + Send + 'static) -> io::Result<()> {
        self.handle.switchboard.observe(Box::new(sink))
    }

    /// Waits until the sinks of [`observe`](Self::observe) have seen every frame so far, `timeout` at most; `false` if
    /// that was not enough.
    pub fn flush_observations(&self, timeout: Duration) -> bool {
        self.handle.switchboard.drain(timeout)
    }

    /// Plugs a device into the LAN, as one more station: a TAP interface, and the kernel is on the LAN; a stream to QEMU,
    /// and a virtual machine is. The device must carry Ethernet and have been opened without offloads. `conditions` are
    /// those of its cable; the LAN's if there are none.
    ///
    /// It stays plugged in until [`Attachment::unplug`], or its other end is gone, or the last handle to the LAN and the
    /// last host on it are. While it does not take its frames, the others wait for a quarter of a second; then its frames
    /// are dropped until it does.
    ///
    /// # Errors
    /// `InvalidInput` for a device that does not fit; or when no thread or no descriptor is left.
    pub fn attach(
        &self,
        name: &str,
        device: Box<dyn Device>,
        conditions: Option<Conditions>,
    ) -> io::Result<Attachment> {
        let seed = mixed(self.handle.seed, &format!("cable of {name}"));
        let conditions = conditions.unwrap_or(self.handle.conditions);
        let mtu = device.capabilities().mtu;
        let (port, stop) =
            self.handle.switchboard.plug_uplink(Arc::from(name), mtu, conditions.into(), seed)?;
        Uplink::start(name, device, port, stop)
    }

    /// A port for somebody who is no host: gone when it is dropped.
    pub(crate) fn plug_for_now(&self, name: &str, conditions: Option<Conditions>) -> io::Result<LanPort> {
        let seed = mixed(self.handle.seed, &format!("cable of {name}"));
        let conditions = conditions.unwrap_or(self.handle.conditions);
        self.handle.switchboard.plug(Arc::from(name), DEFAULT_MTU, conditions.into(), seed)
    }

    /// The host with this name, if it is there.
    pub fn find(&self, name: &str) -> Option<Host> {
        self.find_by(|entry| &*entry.name == name)
    }

    fn find_by(&self, wanted: impl Fn(&Plugged) -> bool) -> Option<Host> {
        let plugged = self.handle.plugged.lock();
        plugged.iter().filter(|entry| wanted(entry)).find_map(|entry| Host::upgrade(entry.host.as_ref()?))
    }

    fn port_of(&self, host: &str) -> Option<PortId> {
        let plugged = self.handle.plugged.lock();
        plugged.iter().find(|entry| &*entry.name == host && entry.is_alive()).map(|entry| entry.port)
    }

    fn control(
        &self,
        host: &str,
        control: impl FnOnce(sockeye_core::time::Instant, &mut sockeye_core::lan::Lan, PortId),
    ) -> bool {
        let Some(port) = self.port_of(host) else { return false };
        self.handle.switchboard.control(|now, machine| control(now, machine, port));
        true
    }

    /// Changes what the cable of `host` does to the frames that are put on it from now on; `false` if there is no such
    /// host.
    pub fn set_conditions(&self, host: &str, conditions: impl Into<Duplex>) -> bool {
        let Duplex { up, down } = conditions.into();
        self.control(host, |_, machine, port| {
            machine.set_conditions(port, Direction::Up, up);
            machine.set_conditions(port, Direction::Down, down);
        })
    }

    /// Drops the next `frames` frames on the cable of `host`; `false` if there is no such host.
    pub fn drop_next(&self, host: &str, direction: Direction, frames: usize) -> bool {
        self.control(host, |_, machine, port| machine.drop_next(port, direction, frames))
    }

    /// Cuts one direction of the cable of `host` for a while; `false` if there is no such host.
    pub fn cut(&self, host: &str, direction: Direction, duration: Duration) -> bool {
        self.control(host, |now, machine, port| machine.cut(now, port, direction, duration))
    }

    /// Holds one direction of the cable of `host` up for a while: nothing comes out of it and nothing is lost, and then all of it
    /// comes in order; `false` if there is no such host.
    pub fn hold(&self, host: &str, direction: Direction, duration: Duration) -> bool {
        self.control(host, |now, machine, port| machine.hold(now, port, direction, duration))
    }

    /// Publishes a host's port on the real machine: whatever connects there is carried over the LAN, by the stack of
    /// the target's gateway (or of the host called `gateway`), and every end with it: FIN as FIN, RST as RST.
    ///
    /// It lasts as long as the LAN, or until the answer is closed.
    ///
    /// # Errors
    /// When there is no such host or no gateway, or when the real machine's port cannot be listened on; if it is in
    /// use, the message says by whom where that can be found out.
    pub fn publish(&self, publish: Publish) -> io::Result<Published> {
        let not_found = |text: String| io::Error::new(io::ErrorKind::NotFound, text);
        let (address, gateways) = {
            let plugged = self.handle.plugged.lock();
            let entry = plugged
                .iter()
                .find(|entry| *entry.name == *publish.host && entry.is_alive())
                .ok_or_else(|| not_found(format!("the LAN has no host '{}'", publish.host)))?;
            let addresses = || entry.addresses.iter().map(Cidr::address);
            let address = addresses()
                .find(IpAddr::is_ipv4)
                .or_else(|| addresses().next())
                .ok_or_else(|| not_found(format!("host '{}' has no address", publish.host)))?;
            (address, entry.gateways.clone())
        };
        let is_gateway =
            |entry: &Plugged| entry.addresses.iter().any(|own| gateways.contains(&own.address()));
        let carrier = self.find_by(is_gateway).or_else(|| self.find("gateway")).ok_or_else(|| {
            not_found(format!("the LAN has no gateway to carry connections to host '{}'", publish.host))
        })?;
        let published =
            Published::start(carrier, publish.listen, Target::new(SocketAddr::new(address, publish.port)))?;
        self.handle.published.lock().push(published.clone());
        Ok(published)
    }

    /// Takes a place for a host.
    pub(crate) fn plug(&self, cabling: Cabling<'_>) -> Result<(LanPort, Plug), PlugError> {
        let mtu = cabling.mtu.unwrap_or(DEFAULT_MTU);
        if !(LEAST_MTU..=LARGEST_MTU).contains(&mtu) {
            return Err(PlugError::BadMtu(mtu));
        }
        if let Some(mac) = cabling.mac.filter(|mac| !mac.is_unicast()) {
            return Err(PlugError::BadMac(mac));
        }
        let mut plugged = self.handle.plugged.lock();
        plugged.retain(Plugged::is_alive);
        for entry in plugged.iter() {
            let owner = || entry.name.to_string();
            if entry.name == *cabling.name {
                return Err(PlugError::NameTaken(owner()));
            }
            let is_taken = |address: &IpAddr| entry.addresses.iter().any(|taken| taken.address() == *address);
            if let Some(address) = cabling.addresses.iter().map(Cidr::address).find(is_taken) {
                return Err(PlugError::AddressTaken { address, owner: owner() });
            }
            if Some(entry.mac) == cabling.mac {
                return Err(PlugError::MacTaken { mac: entry.mac, owner: owner() });
            }
        }
        let seed = mixed(self.handle.seed, &format!("cable of {}", cabling.name));
        let conditions = cabling.conditions.unwrap_or(self.handle.conditions);
        let port = self.handle.switchboard.plug(Arc::clone(cabling.name), mtu, conditions.into(), seed)?;
        let mac = cabling.mac.unwrap_or_else(|| free_mac(&plugged));
        plugged.push(Plugged {
            port: port.id(),
            name: Arc::clone(cabling.name),
            addresses: cabling.addresses.to_vec(),
            gateways: cabling.gateways.to_vec(),
            mac,
            host: None,
        });
        let plug = Plug { lan: self.clone(), port: port.id(), mac, is_registered: false };
        Ok((port, plug))
    }
}

/// The first of 02:00:00:00:00:01, 02:00:00:00:00:02, … that no host has.
fn free_mac(plugged: &[Plugged]) -> MacAddr {
    let numbered = |number: u32| {
        let [a, b, c, d] = number.to_be_bytes();
        MacAddr([0x02, 0, a, b, c, d])
    };
    (1..=u32::MAX)
        .map(numbered)
        .find(|mac| plugged.iter().all(|entry| entry.mac != *mac))
        .unwrap_or(MacAddr([0x02, 0, 0, 0, 0, 0]))
}

impl fmt::Debug for Lan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plugged = self.handle.plugged.lock();
        let names: Vec<_> =
            plugged.iter().filter(|entry| entry.is_alive()).map(|entry| Arc::clone(&entry.name)).collect();
        f.debug_struct("Lan").field("seed", &self.handle.seed).field("hosts", &names).finish()
    }
}
