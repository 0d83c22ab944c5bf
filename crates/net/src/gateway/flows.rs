//! UDP on its way out: a connected real socket for each address and port inside, and where they send to.

use super::crossing::{Key, token_of};
use super::doorbell::Doorbell;
use super::roster::{Real, Roster};
use super::way::{Signpost, Way, refusal_of, unreachable_of};
use crate::host::Host;
use crate::socket::Socket;
use crate::waiting::{Interest, WakerKey};
use mio::net::UdpSocket;
use mio::{Interest as Readiness, Registry};
use sockeye_core::network::Unreachable;
use sockeye_core::socket::{CatchAll, Family, Kind, SocketOption};
use sockeye_core::stack::{Ancillary, Received};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Datagrams of one turn.
const TURN: usize = 64;

/// The largest datagram.
const LARGEST: usize = 65_535;

/// What waits inside at most, in bytes each way, as far as the host allows it: this one socket stands for all flows.
const QUEUE: usize = 2 << 20;

/// Where questions to DNS go, and how long a flow is remembered after an answer: there is one, most often.
const DNS_PORT: u16 = 53;
const AFTER_DNS_ANSWER: Duration = Duration::from_secs(5);

/// All UDP flows of a gateway.
pub(super) struct Flows {
    ours: Socket,
    waker: Waker,
    /// By their two ends inside: the client's and the foreign one.
    all: Roster<(SocketAddr, SocketAddr), UdpSocket>,
    buffer: Vec<u8>,
}

impl Real for UdpSocket {
    fn deregister(&mut self, registry: &Registry) {
        let _ = registry.deregister(self);
    }
}

impl Flows {
    pub(super) fn open(host: &Host, what: CatchAll, doorbell: &Arc<Doorbell<Key>>) -> io::Result<Flows> {
        let ours = Socket::open_family(host, Family::V6, Kind::Datagram)?;
        ours.set(SocketOption::ReceiveBuffer(QUEUE))?;
        ours.set(SocketOption::SendBuffer(QUEUE))?;
        ours.call(|state, now, id| state.stack.catch_all(now, id, what))?;
        Ok(Flows {
            ours,
            waker: doorbell.waker(Key::Datagrams),
            all: Roster::new(),
            buffer: vec![0; LARGEST],
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Carries what has been sent inside. `true` if there may be more.
    ///
    /// # Errors
    /// When the host is down.
    pub(super) fn carry_there(&mut self, signpost: &Signpost, registry: &Registry) -> io::Result<bool> {
        for _ in 0..TURN {
            let mut context = Context::from_waker(&self.waker);
            let buffer = &mut self.buffer;
            let polled = self.ours.poll(Interest::Read, WakerKey::Half, &mut context, |state, now, id| {
                state.stack.receive_from(now, id, buffer)
            });
            match polled {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(error)) if error.kind() == ErrorKind::NetworkDown => return Err(error),
                // An answer that found no way back, told once: nobody is there to hear of it.
                Poll::Ready(Err(_)) => {}
                Poll::Ready(Ok(heard)) => self.pass_on(&heard, signpost, registry),
            }
        }
        Ok(true)
    }

    fn pass_on(&mut self, heard: &Received, signpost: &Signpost, registry: &Registry) {
        let number = match self.all.find(&(heard.source, heard.destination)) {
            Some(number) => number,
            None => match self.begin(heard, signpost, registry) {
                Ok(number) => number,
                Err(reason) => return self.refuse(heard, reason),
            },
        };
        let Some(flow) = self.all.get_mut(number) else { return };
        flow.last_heard = *heard;
        flow.until = Instant::now() + signpost.policy().flow_timeout;
        let Some(bytes) = self.buffer.get(..heard.copied) else { return };
        let mut sent = flow.real.send(bytes);
        if let Err(error) = &sent
            && error.kind() == ErrorKind::ConnectionRefused
        {
            // That was about an earlier datagram; this one has not been sent.
            let _ = self
                .ours
                .call(|state, now, id| state.stack.refuse_datagram(now, id, heard, Unreachable::Port));
            sent = flow.real.send(bytes);
        }
        match sent {
            // A datagram for which there is no room is lost, as on any router.
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionRefused) => {}
            Err(error) => self.refuse(heard, unreachable_of(refusal_of(&error))),
        }
    }

    /// A flow for what nobody has sent before; or why there is none.
    fn begin(
        &mut self,
        heard: &Received,
        signpost: &Signpost,
        registry: &Registry,
    ) -> Result<usize, Option<Unreachable>> {
        let to = match signpost.way(heard.destination) {
            Way::To(to) => to,
            Way::Refused(refusal) => return Err(unreachable_of(refusal)),
        };
        let ends = (heard.source, heard.destination);
        let open = |number| connect(to, number, registry).map_err(|error| unreachable_of(refusal_of(&error)));
        self.all.begin((ends, heard), signpost.policy().flows, registry, open)
    }

    fn refuse(&self, heard: &Received, reason: Option<Unreachable>) {
        if let Some(reason) = reason {
            let _ = self.ours.call(|state, now, id| state.stack.refuse_datagram(now, id, heard, reason));
        }
    }

    /// Carries what has come back for one flow. `true` if there may be more.
    pub(super) fn carry_back(&mut self, number: usize, signpost: &Signpost) -> bool {
        let Some(flow) = self.all.get_mut(number) else { return false };
        let Received { source, destination, .. } = flow.last_heard;
        for _ in 0..TURN {
            match flow.real.recv(&mut self.buffer) {
                Ok(length) => {
                    let after = match destination.port() {
                        DNS_PORT => AFTER_DNS_ANSWER.min(signpost.policy().flow_timeout),
                        _ => signpost.policy().flow_timeout,
                    };
                    flow.until = Instant::now() + after;
                    let Some(bytes) = self.buffer.get(..length) else { continue };
                    let with = Ancillary { source: Some(destination), ..Ancillary::default() };
                    let _ = self
                        .ours
                        .call(|state, now, id| state.stack.send_with(now, id, bytes, Some(source), &with));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => {
                    let heard = flow.last_heard;
                    if let Some(reason) = unreachable_of(refusal_of(&error)) {
                        let _ = self
                            .ours
                            .call(|state, now, id| state.stack.refuse_datagram(now, id, &heard, reason));
                    }
                }
            }
        }
        true
    }

    /// Forgets flows that have been silent for too long.
    pub(super) fn sweep(&mut self, registry: &Registry) {
        self.all.sweep(registry);
    }
}

/// A real socket that hears nobody but `to`.
fn connect(to: SocketAddr, number: usize, registry: &Registry) -> io::Result<UdpSocket> {
    let any = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let mut real = UdpSocket::bind(SocketAddr::new(any, 0))?;
    real.connect(to)?;
    registry.register(&mut real, token_of(Key::Flow(number)), Readiness::READABLE)?;
    Ok(real)
}
