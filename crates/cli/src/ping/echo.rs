//! Echo requests: of a host of ours, and through the real machine by ICMP datagram sockets where the user may have
//! them, by raw sockets otherwise.

use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use sockeye::{Host, PingSocket};
use sockeye_core::wire::Checksum;

use super::{Answer, EchoSocket};

/// How often a waiting receiver looks whether it is still wanted.
const PATIENCE: Duration = Duration::from_millis(200);

const ECHO_REPLY_V4: u8 = 0;
const ECHO_REQUEST_V4: u8 = 8;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;

/// Bytes of an ICMP header.
const HEADER: usize = 8;

/// A host of ours, asking another.
pub(crate) struct OurEcho(PingSocket);

impl OurEcho {
    /// Opens a socket on the host.
    pub(crate) fn open(host: &Host, target: IpAddr) -> io::Result<Self> {
        let socket = PingSocket::new(host, target)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(OurEcho(socket))
    }
}

impl EchoSocket for OurEcho {
    fn send(&self, sequence: u16, data: &[u8]) -> io::Result<()> {
        self.0.send(sequence, data)
    }

    fn receive(&self) -> io::Result<Answer> {
        let mut buffer = vec![0; 65_536];
        let reply = self.0.receive(&mut buffer)?;
        Ok(Answer { sequence: reply.sequence, length: reply.length + HEADER })
    }
}

/// The kernel's ICMP, connected to one host.
pub(crate) struct OsEcho {
    socket: Socket,
    target: IpAddr,
    form: Form,
    identifier: u16,
}

/// What the kernel does for us.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// It fills in identifier and checksum and gives us our own replies only.
    Datagram,
    /// It gives us every ICMP message from the host, under IPv4 with the IP header before it.
    Raw,
}

impl OsEcho {
    /// Opens whichever kind of socket this user may have.
    pub(crate) fn open(target: IpAddr) -> io::Result<Self> {
        let (domain, protocol) = match target {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        let (socket, form) = match Socket::new(domain, Type::DGRAM, Some(protocol)) {
            Ok(socket) => (socket, Form::Datagram),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                (Socket::new(domain, Type::RAW, Some(protocol))?, Form::Raw)
            }
            Err(error) => return Err(error),
        };
        socket.connect(&SocketAddr::new(target, 0).into())?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let [low, high, ..] = std::process::id().to_le_bytes();
        Ok(OsEcho { socket, target, form, identifier: u16::from_le_bytes([low, high]) })
    }

    /// The message inside what was read; nothing if it is not for us.
    fn answer_in(&self, read: &[u8]) -> Option<Answer> {
        let message = match (self.target, self.form) {
            (IpAddr::V4(_), Form::Raw) => read.get(usize::from(read.first()? & 0x0f) * 4..)?,
            _ => read,
        };
        let [kind, _, _, _, id_high, id_low, high, low, ..] = *message else { return None };
        let is_reply = kind == if self.target.is_ipv4() { ECHO_REPLY_V4 } else { ECHO_REPLY_V6 };
        let is_ours = self.form == Form::Datagram || u16::from_be_bytes([id_high, id_low]) == self.identifier;
        let answer = Answer { sequence: u16::from_be_bytes([high, low]), length: message.len() };
        (is_reply && is_ours).then_some(answer)
    }
}

impl EchoSocket for OsEcho {
    fn send(&self, sequence: u16, data: &[u8]) -> io::Result<()> {
        let kind = if self.target.is_ipv4() { ECHO_REQUEST_V4 } else { ECHO_REQUEST_V6 };
        let mut message = vec![kind, 0, 0, 0];
        message.extend(self.identifier.to_be_bytes());
        message.extend(sequence.to_be_bytes());
        message.extend(data);
        // Everywhere but here the kernel fills it in.
        if self.target.is_ipv4() && self.form == Form::Raw {
            let mut sum = Checksum::new();
            sum.add(&message);
            let sum = sum.finish().to_be_bytes();
            if let Some(field) = message.get_mut(2..4) {
                field.copy_from_slice(&sum);
            }
        }
        self.socket.send(&message).map(drop)
    }

    fn receive(&self) -> io::Result<Answer> {
        let mut buffer = vec![0; 65_536];
        loop {
            let length = (&self.socket).read(&mut buffer)?;
            if let Some(answer) = buffer.get(..length).and_then(|read| self.answer_in(read)) {
                return Ok(answer);
            }
        }
    }
}
