//! The cables of a named LAN: one for each connection to its socket.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sockeye::dns::Names;
use sockeye::sockeye_device::{Capabilities, Device, Medium, Offload, Received, StreamSocket};
use sockeye::{Lan, MacAddr, dhcp};
use sockeye_core::wire::arp::Arp;
use sockeye_core::wire::ethernet::{EtherType, Ethernet};
use tokio::net::UnixListener;

use super::MTU;
use crate::failure::{Failure, plain};
use crate::folder::Claim;
use crate::site::announce;

/// The most cables at a time: each takes a thread and a few descriptors.
const MOST_CABLES: usize = 250;

/// Stations that are remembered for a cable; more than these are not forgotten when it is pulled.
const MOST_STATIONS: usize = 64;

/// How long a process without descriptors waits before it lets in the next.
const RETRY: Duration = Duration::from_millis(100);

/// What all cables of a named LAN have in common.
pub(super) struct Cables {
    lan: Lan,
    plugged: AtomicUsize,
    /// Behind which cable a station was seen first, or last after it had moved.
    homes: Mutex<BTreeMap<MacAddr, u64>>,
    registry: Option<Registry>,
}

/// Who has which address and which name.
pub(super) struct Registry {
    pub(super) names: Names,
    pub(super) dhcp: Arc<dhcp::Server>,
}

impl Registry {
    /// Frees what a station had; says who it was, if it was anybody.
    fn forget(&self, mac: MacAddr) -> Vec<String> {
        let names = self.names.all();
        let described = |address| {
            let name = names.iter().find(|(_, addresses)| addresses.contains(&address));
            name.map_or_else(|| address.to_string(), |(name, _)| format!("{name} {address}"))
        };
        self.dhcp.forget(mac).into_iter().map(described).collect()
    }
}

impl Cables {
    pub(super) fn new(lan: Lan, registry: Option<Registry>) -> Cables {
        Cables { lan, plugged: AtomicUsize::new(0), homes: Mutex::default(), registry }
    }

    /// The station is behind this cable now.
    fn settle(&self, mac: MacAddr, cable: u64) {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner).insert(mac, cable);
    }

    /// The cable is pulled out: its stations are gone, unless they have moved. Says who they were.
    fn pull(&self, stations: &[MacAddr], cable: u64) -> Vec<String> {
        let mut homes = self.homes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = stations.to_vec();
        gone.retain(|mac| homes.get(mac) == Some(&cable));
        homes.retain(|_, home| *home != cable);
        let told = |registry: &Registry| gone.into_iter().flat_map(|mac| registry.forget(mac)).collect();
        self.registry.as_ref().map(told).unwrap_or_default()
    }

    /// Plugs a stream in.
    fn plug(self: &Arc<Self>, number: u64, stream: UnixStream) -> io::Result<()> {
        if self.plugged.fetch_add(1, Ordering::Relaxed) >= MOST_CABLES {
            self.plugged.fetch_sub(1, Ordering::Relaxed);
            return Err(io::Error::other(format!("{MOST_CABLES} are plugged in, and no more fit")));
        }
        let cables = Arc::clone(self);
        let device = match StreamSocket::new(stream, Medium::Ethernet, MTU) {
            Ok(device) => device,
            Err(error) => {
                self.plugged.fetch_sub(1, Ordering::Relaxed);
                return Err(error);
            }
        };
        let cable = Cable { device, number, stations: Vec::new(), cables };
        self.lan.attach(&format!("cable {number}"), Box::new(cable), None).map(drop)
    }
}

/// The end of a cable in this process. Dropped, it is pulled out, and who was behind it is gone.
struct Cable {
    device: StreamSocket,
    number: u64,
    /// Who is behind it.
    stations: Vec<MacAddr>,
    cables: Arc<Cables>,
}

impl Cable {
    /// Remembers the sender of a frame, and the address it has, where it says that by ARP.
    fn learn(&mut self, frame: &[u8]) {
        let Ok((Ethernet { source: mac, ethertype, .. }, payload)) = Ethernet::parse(frame) else { return };
        if !self.stations.contains(&mac) {
            if !mac.is_unicast() || self.stations.len() >= MOST_STATIONS {
                return;
            }
            self.stations.push(mac);
            self.cables.settle(mac, self.number);
        }
        if ethertype == EtherType::Arp
            && let Ok(arp) = Arp::parse(payload)
            && let Some(registry) = &self.cables.registry
        {
            registry.dhcp.heard(mac, arp.sender_ip);
        }
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.cables.plugged.fetch_sub(1, Ordering::Relaxed);
        let gone = self.cables.pull(&self.stations, self.number);
        let gone = if gone.is_empty() { String::new() } else { format!(": {} is gone", gone.join(", ")) };
        announce(&format!("cable {} is pulled out{gone}", self.number));
    }
}

impl Device for Cable {
    fn capabilities(&self) -> Capabilities {
        self.device.capabilities()
    }

    fn send(&mut self, parts: &[IoSlice<'_>], offload: &Offload) -> io::Result<()> {
        self.device.send(parts, offload)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let received = self.device.receive(buffer)?;
        self.learn(buffer.get(..received.length).unwrap_or_default());
        Ok(received)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.device.flush()
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.device.readiness()
    }
}

/// Lets in whoever comes.
///
/// # Errors
/// At once when the listener cannot be used; later, only when it breaks.
pub(super) fn serve(cables: Arc<Cables>, claim: &Claim) -> io::Result<impl Future<Output = Failure>> {
    let listener = claim.listener.try_clone()?;
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    Ok(async move {
        let mut number = 0;
        loop {
            match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
                Ok(stream) => {
                    number += 1;
                    match cables.plug(number, stream) {
                        Ok(()) => announce(&format!("cable {number} is plugged in")),
                        Err(error) => announce(&format!("cable {number} is refused: {}", plain(&error))),
                    }
                }
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    announce(&format!("nobody is let in at the moment: {}", plain(&error)));
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    })
}
