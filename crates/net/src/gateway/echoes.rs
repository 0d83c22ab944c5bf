//! Echo requests on their way out, through ping sockets (`SOCK_DGRAM` with `IPPROTO_ICMP`), where the system has them for
//! this process (`net.ipv4.ping_group_range`).

use super::crossing::{Key, token_of};
use super::doorbell::Doorbell;
use super::roster::{Real, Roster};
use super::way::{Signpost, Way, refusal_of, unreachable_of};
use crate::host::Host;
use crate::socket::Socket;
use crate::waiting::{Interest, WakerKey};
use mio::unix::SourceFd;
use mio::{Interest as Readiness, Registry};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto};
use sockeye_core::network::Unreachable;
use sockeye_core::socket::{CatchAll, Family, Kind};
use sockeye_core::stack::Received;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Messages of one turn.
const TURN: usize = 64;

/// The largest message, its header included.
const LARGEST: usize = 65_535;

/// Bytes of the header of an echo message: type, code, checksum, identifier, sequence number.
const HEADER: usize = 8;

/// For how long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// All echo requests of a gateway.
pub(super) struct Echoes {
    ours: Socket,
    waker: Waker,
    /// By who asks, with his identifier, and who is asked. The system gives each of its sockets an identifier of its own.
    all: Roster<(SocketAddr, IpAddr), OwnedFd>,
    buffer: Vec<u8>,
}

impl Real for OwnedFd {
    fn deregister(&mut self, registry: &Registry) {
        let _ = registry.deregister(&mut SourceFd(&self.as_raw_fd()));
    }
}

impl Echoes {
    pub(super) fn open(host: &Host, doorbell: &Arc<Doorbell<Key>>) -> io::Result<Echoes> {
        let ours = Socket::open_family(host, Family::V6, Kind::Ping)?;
        ours.call(|state, now, id| state.stack.catch_all(now, id, CatchAll::Foreign))?;
        Ok(Echoes { ours, waker: doorbell.waker(Key::Echoes), all: Roster::new(), buffer: vec![0; LARGEST] })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Carries what has been asked inside. `true` if there may be more.
    ///
    /// # Errors
    /// When the host is down.
    pub(super) fn carry_there(&mut self, signpost: &Signpost, registry: &Registry) -> io::Result<bool> {
        for _ in 0..TURN {
            let mut context = Context::from_waker(&self.waker);
            let buffer = self.buffer.get_mut(HEADER..).unwrap_or_default();
            let polled = self.ours.poll(Interest::Read, WakerKey::Half, &mut context, |state, now, id| {
                state.stack.receive_from(now, id, buffer)
            });
            match polled {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(error)) if error.kind() == ErrorKind::NetworkDown => return Err(error),
                // An answer that found no way back, told once: nobody is there to hear of it.
                Poll::Ready(Err(_)) => {}
                Poll::Ready(Ok(heard)) => {
                    if let Err(reason) = self.pass_on(&heard, signpost, registry) {
                        self.refuse(&heard, reason);
                    }
                }
            }
        }
        Ok(true)
    }

    fn pass_on(
        &mut self,
        heard: &Received,
        signpost: &Signpost,
        registry: &Registry,
    ) -> Result<(), Option<Unreachable>> {
        let destination = heard.destination.ip().to_canonical();
        let number = match self.all.find(&(heard.source, destination)) {
            Some(number) => number,
            None => self.begin(heard, destination, signpost, registry)?,
        };
        let Some(conversation) = self.all.get_mut(number) else { return Ok(()) };
        conversation.last_heard = *heard;
        conversation.until = Instant::now() + PATIENCE;
        let Some(message) = self.buffer.get_mut(..HEADER + heard.copied) else { return Ok(()) };
        let kind = if destination.is_ipv4() { 8 } else { 128 };
        // The system fills in checksum and identifier.
        let [high, low] = heard.sequence.to_be_bytes();
        if let Some(header) = message.first_chunk_mut() {
            *header = [kind, 0, 0, 0, 0, 0, high, low];
        }
        match rustix::net::send(&conversation.real, message, SendFlags::empty()) {
            Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
            Err(errno) => Err(unreachable_of(refusal_of(&errno.into()))),
        }
    }

    fn begin(
        &mut self,
        heard: &Received,
        destination: IpAddr,
        signpost: &Signpost,
        registry: &Registry,
    ) -> Result<usize, Option<Unreachable>> {
        match signpost.way_of_echo(destination) {
            Way::To(_) => {}
            Way::Refused(refusal) => return Err(unreachable_of(refusal)),
        }
        let open = |number| {
            let real = ping_socket(destination)?;
            let token = token_of(Key::Echo(number));
            registry.register(&mut SourceFd(&real.as_raw_fd()), token, Readiness::READABLE)?;
            Ok(real)
        };
        let begun =
            self.all.begin(((heard.source, destination), heard), signpost.policy().flows / 4, registry, open);
        begun.map_err(|error: io::Error| unreachable_of(refusal_of(&error)))
    }

    fn refuse(&self, heard: &Received, reason: Option<Unreachable>) {
        if let Some(reason) = reason {
            let _ = self.ours.call(|state, now, id| state.stack.refuse_datagram(now, id, heard, reason));
        }
    }

    /// Carries what has been answered. `true` if there may be more.
    pub(super) fn carry_back(&mut self, number: usize) -> bool {
        for _ in 0..TURN {
            let Some(conversation) = self.all.get_mut(number) else { return false };
            let mut heard = conversation.last_heard;
            let received = rustix::net::recv(&conversation.real, &mut self.buffer[..], RecvFlags::empty());
            match received {
                Ok((_, length)) => {
                    conversation.until = Instant::now() + PATIENCE;
                    let Some([0 | 129, _, _, _, _, _, high, low, data @ ..]) = self.buffer.get(..length)
                    else {
                        continue;
                    };
                    heard.sequence = u16::from_be_bytes([*high, *low]);
                    let _ = self.ours.call(|state, now, id| state.stack.answer_echo(now, id, &heard, data));
                }
                Err(rustix::io::Errno::AGAIN) => return false,
                Err(errno) => {
                    let reason = unreachable_of(refusal_of(&errno.into()));
                    self.refuse(&heard, reason);
                }
            }
        }
        true
    }

    /// Forgets those from whom no answer has come for too long.
    pub(super) fn sweep(&mut self, registry: &Registry) {
        self.all.sweep(registry);
    }
}

/// A real ping socket that hears nobody but `destination`.
fn ping_socket(destination: IpAddr) -> io::Result<OwnedFd> {
    let (family, protocol) = match destination {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let real = rustix::net::socket_with(family, SocketType::DGRAM, flags, Some(protocol))?;
    rustix::net::connect(&real, &SocketAddr::new(destination, 0))?;
    Ok(real)
}

/// Why echo requests do not leave this machine through this process, if they do not.
pub(super) fn why_not() -> Option<String> {
    let error = ping_socket(IpAddr::from([127, 0, 0, 1])).err()?;
    if error.kind() != ErrorKind::PermissionDenied {
        return Some(format!("echo requests do not leave: no ping socket can be opened ({error})"));
    }
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ping_group_range").unwrap_or_default();
    let range = range.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(format!(
        "echo requests do not leave: this user's groups are not in net.ipv4.ping_group_range ({range}); \
         as root: sysctl -w net.ipv4.ping_group_range='0 2147483647'"
    ))
}
