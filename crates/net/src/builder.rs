//! How a host is put together.

use crate::clock;
use crate::driver::Driver;
use crate::engine::Engine;
use crate::error::io_error;
use crate::host::{Host, Interface, LINGER};
use crate::lan::{Cabling, Lan, PlugError};
use crate::port::Port;
use sockeye_core::lan::Conditions;
use sockeye_core::link::{Detection, Medium};
use sockeye_core::network::{ForeignAddresses, Forwarding, Route};
use sockeye_core::stack::{ChecksumOffload, Config, InterfaceConfig, LOOPBACK, Stack};
use sockeye_core::time::Duration;
use sockeye_core::wire::Cidr;
use sockeye_core::wire::ethernet::MacAddr;
use sockeye_device::Device;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

/// Why a host could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No device and no LAN was given.
    #[error("host '{0}' has no interface: give it a device, or make it with Lan::host")]
    NoInterface(String),
    /// An address was given before the interface it belongs to.
    #[error("host '{0}' is given interface settings before its first interface")]
    SettingsWithoutInterface(String),
    /// The gateway is in none of the host's subnets.
    #[error("the gateway {gateway} is in none of the subnets of host '{host}'")]
    GatewayOutside {
        /// The host.
        host: String,
        /// The gateway.
        gateway: IpAddr,
    },
    /// The address cannot be a host's.
    #[error("{address} cannot be the address of host '{host}'")]
    BadAddress {
        /// The host.
        host: String,
        /// The address.
        address: Cidr,
    },
    /// The MTU is larger than the device's, or smaller than IP allows.
    #[error("an MTU of {mtu} bytes is not possible here: between {least} and {most}")]
    BadMtu {
        /// The MTU asked for.
        mtu: usize,
        /// The least.
        least: usize,
        /// The most.
        most: usize,
    },
    /// Conditions were given for an interface that is not plugged into a LAN.
    #[error("conditions belong to a cable of a LAN, and interface {0} has none")]
    ConditionsWithoutCable(String),
    /// The LAN does not take the host.
    #[error(transparent)]
    Plug(#[from] PlugError),
    /// The operating system gave no thread or no descriptor.
    #[error("the operating system has no thread or descriptor left: {0}")]
    Io(#[from] io::Error),
}

impl From<BuildError> for io::Error {
    fn from(error: BuildError) -> io::Error {
        match error {
            BuildError::Io(error) => error,
            other => io::Error::new(io::ErrorKind::InvalidInput, other),
        }
    }
}

/// A host in the making.
///
/// [`address`](Self::address), [`mac`](Self::mac), [`mtu`](Self::mtu) and [`conditions`](Self::conditions) concern
/// the interface added last by [`device`](Self::device) or [`plug`](Self::plug); a host made with
/// [`Lan::host`] begins with one.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sockeye_device::{Capabilities, Medium, memory_pair};
/// let (near, _far) = memory_pair(Capabilities::plain(Medium::Ethernet, 1500), 64)?;
/// let host = sockeye::Host::builder("host")
///     .device(Box::new(near))
///     .address("192.0.2.2/24".parse()?)
///     .address("2001:db8::2/64".parse()?)
///     .gateway("192.0.2.1".parse()?)
///     .build()?;
/// assert_eq!(host.addresses().len(), 2);
/// # Ok(())
/// # }
/// ```
#[must_use = "build() makes the host"]
pub struct HostBuilder {
    name: String,
    drafts: Vec<Draft>,
    gateways: Vec<IpAddr>,
    routes: Vec<(Cidr, IpAddr)>,
    loopback_addresses: Vec<IpAddr>,
    config: Config,
    seed: Option<u64>,
    linger: Duration,
    #[cfg(feature = "tokio")]
    runtime: Option<tokio::runtime::Handle>,
    is_misplaced: bool,
}

/// An interface in the making.
struct Draft {
    attachment: Attachment,
    addresses: Vec<Cidr>,
    mac: Option<MacAddr>,
    mtu: Option<usize>,
    conditions: Option<Conditions>,
}

enum Attachment {
    Device(Box<dyn Device>),
    Lan(Lan),
}

/// The smallest MTU of IPv4 (RFC 791).
const LEAST_MTU: usize = 68;

impl HostBuilder {
    pub(crate) fn new(name: String) -> HostBuilder {
        HostBuilder {
            name,
            drafts: Vec::new(),
            gateways: Vec::new(),
            routes: Vec::new(),
            loopback_addresses: Vec::new(),
            config: Config::default(),
            seed: None,
            linger: LINGER,
            #[cfg(feature = "tokio")]
            runtime: None,
            is_misplaced: false,
        }
    }

    fn attach(mut self, attachment: Attachment) -> Self {
        self.drafts.push(Draft { attachment, addresses: Vec::new(), mac: None, mtu: None, conditions: None });
        self
    }

    fn draft(mut self, change: impl FnOnce(&mut Draft)) -> Self {
        match self.drafts.last_mut() {
            Some(draft) => change(draft),
            None => self.is_misplaced = true,
        }
        self
    }

    /// Adds an interface on `device`.
    pub fn device(self, device: Box<dyn Device>) -> Self {
        self.attach(Attachment::Device(device))
    }

    /// Adds an interface on `lan`.
    pub fn plug(self, lan: &Lan) -> Self {
        self.attach(Attachment::Lan(lan.clone()))
    }

    /// Gives the interface an address, with its subnet. May be called again, for both families.
    pub fn address(self, address: Cidr) -> Self {
        self.draft(|draft| draft.addresses.push(address))
    }

    /// The hardware address; otherwise a LAN numbers them, and any other interface draws one.
    pub fn mac(self, mac: MacAddr) -> Self {
        self.draft(|draft| draft.mac = Some(mac))
    }

    /// The largest IP packet in bytes; otherwise the device's, or 1500 on a LAN.
    pub fn mtu(self, mtu: usize) -> Self {
        self.draft(|draft| draft.mtu = Some(mtu))
    }

    /// What the cable to the LAN does to frames, both ways; otherwise what [`crate::LanBuilder::conditions`] says.
    pub fn conditions(self, conditions: Conditions) -> Self {
        self.draft(|draft| draft.conditions = Some(conditions))
    }

    /// Where packets go that no subnet of the host holds; one for each family.
    pub fn gateway(mut self, gateway: IpAddr) -> Self {
        self.gateways.push(gateway);
        self
    }

    /// Adds a route: packets to `destination` go to `gateway`.
    pub fn route(mut self, destination: Cidr, gateway: IpAddr) -> Self {
        self.routes.push((destination, gateway));
        self
    }

    /// Makes the host a router: it passes on packets that are not for itself.
    pub fn forwarding(mut self) -> Self {
        self.config.forwarding = Forwarding::On;
        self
    }

    /// Gives the host an address of its own that belongs to none of its devices, but to its loopback interface, as routers
    /// have: it answers there by whichever interface it is reached.
    pub fn loopback_address(mut self, address: IpAddr) -> Self {
        self.loopback_addresses.push(address);
        self
    }

    /// Makes the host take packets for any address, and not only for its own: what no socket of its own is for, and what it
    /// does not pass on as a router, is for its [`Gateway`](crate::Gateway). Without one it is dropped as before.
    pub fn any_address(mut self) -> Self {
        self.config.foreign = ForeignAddresses::Take;
        self
    }

    /// Checks new addresses for duplicates before they are used (RFC 5227, RFC 4862). Off by default: it takes more
    /// than a second.
    pub fn duplicate_address_detection(mut self) -> Self {
        self.config.detection = Detection::On;
        self
    }

    /// The seed of every random choice of the stack; otherwise the LAN's, or one drawn from the operating system.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How long connections may go on after the last handle is gone, until what they have to say is acknowledged; five
    /// seconds otherwise.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Makes a task of `runtime` drive the host, instead of a thread of its own: what a frame brings reaches tasks of the same
    /// runtime without a change of threads. The runtime needs I/O (`enable_io`), and must not be kept from its tasks: a
    /// call that waits for the host in its only thread would wait for ever. When the runtime ends, so does the host.
    ///
    /// [`build`](Self::build) panics where the runtime has no I/O, as tokio's own sockets do there.
    ///
    /// ```
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    /// let lan = sockeye::Lan::builder().seed(1).build()?;
    /// let driven = |name| lan.host(name).drive_on(runtime.handle().clone());
    /// let server = driven("server").address("10.0.0.2/24".parse()?).build()?;
    /// let client = driven("client").address("10.0.0.3/24".parse()?).build()?;
    /// runtime.block_on(async {
    ///     let listener = sockeye::tokio::TcpListener::bind(&server, "10.0.0.2:7788").await?;
    ///     let mut near = sockeye::tokio::TcpStream::connect(&client, "10.0.0.2:7788").await?;
    ///     let (mut far, _peer) = listener.accept().await?;
    ///     near.write_all(b"hello").await?;
    ///     let mut text = [0; 5];
    ///     far.read_exact(&mut text).await?;
    ///     assert_eq!(&text, b"hello");
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tokio")]
    pub fn drive_on(mut self, runtime: tokio::runtime::Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Changes the stack's configuration in detail; its `seed` is set by [`seed`](Self::seed).
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Puts the host together and sets it to work.
    ///
    /// # Errors
    /// [`BuildError`] says what does not fit together.
    pub fn build(self) -> Result<Host, BuildError> {
        let HostBuilder {
            name,
            drafts,
            gateways,
            routes,
            loopback_addresses,
            mut config,
            seed,
            linger,
            #[cfg(feature = "tokio")]
            runtime,
            is_misplaced,
        } = self;
        if is_misplaced {
            return Err(BuildError::SettingsWithoutInterface(name));
        }
        if drafts.is_empty() {
            return Err(BuildError::NoInterface(name));
        }
        let from_lan = drafts.iter().find_map(|draft| match &draft.attachment {
            Attachment::Lan(lan) => Some(lan.seed_for(&name)),
            Attachment::Device(_) => None,
        });
        config.seed = seed.or(from_lan).unwrap_or_else(drawn);
        let mut stack = Stack::new(config.clone());
        let label: Arc<str> = name.as_str().into();
        let mut ports = Vec::new();
        let mut interfaces = Vec::new();
        let mut plugs = Vec::new();
        let mut capacity = 0;
        let now = clock::now();
        for (index, draft) in drafts.into_iter().enumerate() {
            let interface_name = format!("eth{index}");
            let (device, mac, mtu): (Box<dyn Device>, _, _) = match draft.attachment {
                Attachment::Lan(lan) => {
                    let (port, plug) = lan.plug(Cabling {
                        name: &label,
                        addresses: &draft.addresses,
                        gateways: &gateways,
                        mac: draft.mac,
                        mtu: draft.mtu,
                        conditions: draft.conditions,
                    })?;
                    let (mac, mtu) = (plug.mac(), port.capabilities().mtu);
                    plugs.push(plug);
                    (Box::new(port), mac, mtu)
                }
                Attachment::Device(_) if draft.conditions.is_some() => {
                    return Err(BuildError::ConditionsWithoutCable(interface_name));
                }
                Attachment::Device(device) => {
                    let most = device.capabilities().mtu;
                    let mtu = draft.mtu.unwrap_or(most);
                    if !(LEAST_MTU..=most).contains(&mtu) {
                        return Err(BuildError::BadMtu { mtu, least: LEAST_MTU, most });
                    }
                    (device, draft.mac.unwrap_or_else(|| mac_of(config.seed, index)), mtu)
                }
            };
            let capabilities = device.capabilities();
            capacity = capacity.max(capabilities.frame_capacity());
            let id = stack
                .add_interface(InterfaceConfig {
                    name: interface_name.clone(),
                    medium: match capabilities.medium {
                        sockeye_device::Medium::Ethernet => Medium::Ethernet,
                        sockeye_device::Medium::Ip => Medium::Ip,
                    },
                    mac,
                    mtu,
                    checksum_offload: if capabilities.checksum {
                        ChecksumOffload::On
                    } else {
                        ChecksumOffload::Off
                    },
                    segmentation: capabilities.segmentation,
                })
                .map_err(io_error)?;
            for address in &draft.addresses {
                stack
                    .add_address(now, id, *address)
                    .map_err(|_| BuildError::BadAddress { host: name.clone(), address: *address })?;
            }
            ports.push(Port::new(id, device));
            interfaces.push((id, Interface { name: interface_name, mac, mtu, addresses: draft.addresses }));
        }
        for address in loopback_addresses.into_iter().map(Cidr::host) {
            stack
                .add_address(now, LOOPBACK, address)
                .map_err(|_| BuildError::BadAddress { host: name.clone(), address })?;
        }
        let default_routes = gateways.into_iter().map(|gateway| (everything(gateway), gateway));
        for (destination, gateway) in default_routes.chain(routes) {
            let (id, _) = interfaces
                .iter()
                .find(|(_, interface)| interface.addresses.iter().any(|subnet| subnet.contains(gateway)))
                .ok_or_else(|| BuildError::GatewayOutside { host: name.clone(), gateway })?;
            stack
                .add_route(Route { destination, gateway: Some(gateway), interface: *id, metric: 0 })
                .map_err(io_error)?;
        }
        let engine = Arc::new(Engine::new(label, stack, ports)?);
        #[cfg(feature = "tokio")]
        match runtime {
            Some(runtime) => crate::tokio::driver::start(&engine, capacity, &runtime)?,
            None => Driver::start(&engine, capacity)?,
        }
        #[cfg(not(feature = "tokio"))]
        Driver::start(&engine, capacity)?;
        let interfaces = interfaces.into_iter().map(|(_, interface)| interface).collect();
        let host = Host::new(engine, interfaces, linger);
        for plug in plugs {
            plug.register(&host);
        }
        Ok(host)
    }
}

/// The block that holds every address of the family of `like`.
fn everything(like: IpAddr) -> Cidr {
    let any = match like {
        IpAddr::V4(_) => IpAddr::from([0; 4]),
        IpAddr::V6(_) => IpAddr::from([0; 16]),
    };
    // A prefix of no bits fits both families.
    Cidr::new(any, 0).unwrap_or(Cidr::host(any))
}

/// A number nobody can guess, from the operating system.
pub(crate) fn drawn() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A locally administered address that depends on the seed only.
fn mac_of(seed: u64, index: usize) -> MacAddr {
    let [a, b, c, d, e, ..] = mixed(seed, &format!("mac {index}")).to_be_bytes();
    MacAddr([0x02, a, b, c, d, e])
}

/// Another seed, that depends on `seed` and `label` only: FNV-1a, then the finish of SplitMix64.
pub(crate) fn mixed(seed: u64, label: &str) -> u64 {
    let mut hash = label.bytes().fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
