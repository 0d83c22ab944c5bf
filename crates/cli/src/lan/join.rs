//! How a process joins a named LAN: with a private one of its own, whose uplink is the stream to the named one. So the
//! cable of its host, with its conditions, ladder and capture, is in this process, as on any private LAN.

use std::io::ErrorKind;
use std::net::IpAddr;

use sockeye::sockeye_device::{Medium, StreamSocket};
use sockeye::{Attachment, Cidr, Lan, MacAddr};

use super::MTU;
use super::name::{LAN_SUFFIX, LanName};
use crate::failure::{Code, Failure, plain};
use crate::folder::Folder;

/// How a host wants to be on a named LAN.
pub(crate) struct Membership<'a> {
    /// The LAN.
    pub(crate) lan: &'a LanName,
    /// The host's name.
    pub(crate) host: &'a str,
    /// Its addresses.
    pub(crate) addresses: &'a [Cidr],
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
    /// The host's hardware address.
    pub(crate) mac: MacAddr,
    /// Its addresses.
    pub(crate) addresses: Vec<Cidr>,
    /// Its way out of the subnet.
    pub(crate) gateway: Option<IpAddr>,
}

/// Joins a named LAN.
///
/// # Errors
/// When there is no such LAN, or it does not let anybody in.
pub(crate) fn join(wish: &Membership<'_>) -> Result<Joined, Failure> {
    let folder = Folder::open()?;
    let name = wish.lan;
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
    Ok(Joined {
        lan,
        attachment,
        mac: wish.mac.unwrap_or_else(drawn_mac),
        addresses: wish.addresses.to_vec(),
        gateway: wish.gateway,
    })
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
