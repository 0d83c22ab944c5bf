//! The cables of a named LAN: one for each connection to its socket.

use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sockeye::sockeye_device::{Capabilities, Device, Medium, Offload, Received, StreamSocket};
use sockeye::{Lan, MacAddr};
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
}

impl Cables {
    pub(super) fn new(lan: Lan) -> Cables {
        Cables { lan, plugged: AtomicUsize::new(0) }
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
    /// Remembers the sender of a frame.
    fn learn(&mut self, frame: &[u8]) {
        let Some(&[a, b, c, d, e, f]) = frame.get(6..12) else { return };
        let mac = MacAddr([a, b, c, d, e, f]);
        if mac.is_unicast() && !self.stations.contains(&mac) && self.stations.len() < MOST_STATIONS {
            self.stations.push(mac);
        }
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.cables.plugged.fetch_sub(1, Ordering::Relaxed);
        announce(&format!("cable {} is pulled out", self.number));
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
