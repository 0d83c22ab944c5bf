//! How a process joins a named LAN: with a private one of its own, whose uplink is the stream to the named one. So the
//! cable of its host, with its conditions, ladder and capture, is in this process, as on any private LAN.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::Duration;

use sockeye::sockeye_device::{Medium, StreamSocket};
use sockeye::{Attachment, Cidr, Conditions, Lan, MacAddr, dhcp};

use super::MTU;
use super::name::{LAN_SUFFIX, LanName};
use crate::failure::{Code, Failure, plain};
use crate::folder::Folder;

/// How a host wants to be on a named LAN.
pub(crate) struct Membership {
    /// The LAN.
    pub(crate) lan: LanName,
    /// The host's name.
    pub(crate) host: String,
    /// Its addresses; one is asked for otherwise.
    pub(crate) addresses: Vec<Cidr>,
    /// What its cable does to frames.
    pub(crate) conditions: Conditions,
    /// Its hardware address; one is drawn otherwise.
    pub(crate) mac: Option<MacAddr>,
    /// Its way out of the subnet.
    pub(crate) gateway: Option<IpAddr>,
    /// The seed of everything left to chance on this side.
    pub(crate) seed: u64,
}

/// A private LAN that is plugged into a named one, and what a host on it has to be called.
pub(crate) struct Joined {
    /// The private LAN: nothing is on it but the uplink, and the host to come.
    pub(crate) lan: Lan,
    /// The uplink.
    pub(crate) attachment: Attachment,
    /// What the host is called: on a LAN with a gateway, this is the name that it is known by.
    pub(crate) host: String,
    /// The host's hardware address.
    pub(crate) mac: MacAddr,
    /// Its addresses.
    pub(crate) addresses: Vec<Cidr>,
    /// Its way out of the subnet.
    pub(crate) gateway: Option<IpAddr>,
    /// Who answers for names.
    pub(crate) dns: Option<IpAddr>,
}

/// How long the gateway is given to answer a host that has an address of its own: there may be none.
const WORD_PATIENCE: Duration = Duration::from_millis(1500);

/// Joins a named LAN: plugs in, and gets an address for the host, or tells of its own.
///
/// # Errors
/// When there is no such LAN, or it does not let anybody in, or it has no address for the host.
pub(crate) fn join(wish: &Membership) -> Result<Joined, Failure> {
    let folder = Folder::open()?;
    let name = &wish.lan;
    let stream = folder.connect(&name.socket()).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            Failure::new(Code::Refused, no_such_lan(&folder, name))
        }
        _ => Failure::new(Code::Network, format!("cannot join the LAN {name}: {}", plain(&error))),
    })?;
    let cannot = |error| Failure::talking(format!("cannot join the LAN {name}"), &error);
    let lan = Lan::builder().seed(wish.seed).build().map_err(cannot)?;
    let device = StreamSocket::new(stream, Medium::Ethernet, MTU).map_err(cannot)?;
    let attachment = lan.attach(&format!("lan:{name}"), Box::new(device), None).map_err(cannot)?;
    let mac = wish.mac.unwrap_or_else(drawn_mac);
    let lease = lease(wish, &lan, mac)?;
    let leased = lease.as_ref().filter(|_| wish.addresses.is_empty()).map(|lease| lease.address);
    let told = lease.as_ref();
    Ok(Joined {
        lan,
        attachment,
        host: told.and_then(|lease| lease.host_name.clone()).unwrap_or_else(|| wish.host.clone()),
        mac,
        addresses: leased.into_iter().chain(wish.addresses.iter().copied()).collect(),
        gateway: wish.gateway.or(told.and_then(|lease| lease.gateway)),
        dns: told.and_then(|lease| lease.dns.first().copied()),
    })
}

/// What the LAN's gateway tells the host; none where it has an address of its own, and nobody answers.
fn lease(wish: &Membership, lan: &Lan, mac: MacAddr) -> Result<Option<dhcp::Lease>, Failure> {
    let client = dhcp::Client::new(mac).host_name(wish.host.as_str()).conditions(wish.conditions);
    let own = wish.addresses.iter().find_map(|own| match own.address() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    let name = &wish.lan;
    match own {
        None if wish.addresses.is_empty() => client.lease(lan).map(Some).map_err(|error| match error.kind() {
            ErrorKind::TimedOut => Failure::new(
                Code::Timeout,
                format!("nobody on the LAN {name} gives out addresses: say which one the host has, as in --ip 10.0.0.2/24"),
            ),
            _ => Failure::talking(format!("no address from the LAN {name}"), &error),
        }),
        None => Ok(None),
        Some(address) => match client.patience(WORD_PATIENCE).inform(lan, address) {
            Ok(lease) => Ok(Some(lease)),
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(None),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                Err(Failure::new(Code::Bind, format!("{error} on the LAN {name}: take another, or none")))
            }
            Err(error) => Err(Failure::talking(format!("cannot join the LAN {name}"), &error)),
        },
    }
}

fn no_such_lan(folder: &Folder, name: &LanName) -> String {
    let others = folder.names(LAN_SUFFIX);
    let others =
        if others.is_empty() { String::new() } else { format!(" (names in use: {})", others.join(", ")) };
    format!("there is no LAN called {name}: make it with sockeye lan {name}{others}")
}

/// A hardware address that depends on nothing: hosts of several processes must not have the same, whatever their seeds.
fn drawn_mac() -> MacAddr {
    let [a, b, c, d, e, ..] = crate::site::drawn().to_be_bytes();
    MacAddr([0x02, a, b, c, d, e])
}
