//! Datagram and ping sockets that hear what is nobody's, and answer in the name of whatever address it came to.

use core::net::{IpAddr, SocketAddr};

use super::{Ancillary, Received, Stack};
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::network::{Echo, Unreachable};
use crate::socket::{Body, Kind, SocketId};
use crate::time::Instant;
use crate::transport::demux::{CatchAll, Scope, Whose};
use crate::transport::udp::Entry;
use crate::wire::ip::Protocol;

impl Stack {
    /// Lets a datagram socket that is not bound hear every datagram to an address that is none of the host's, whatever the
    /// port (with [`CatchAll::Unclaimed`]: also to own ports where no socket is), in its family, or in both
    /// ([`crate::socket::SocketOption::OnlyV6`]). A ping socket hears the echo requests to such addresses instead.
    /// [`Received::destination`] says to whom; it answers by [`Stack::send_with`] and that address as the source, by
    /// [`Stack::answer_echo`] or by [`Stack::refuse_datagram`], and can send in no other way.
    ///
    /// # Errors
    /// [`Error::AddressNotAvailable`] where [`super::Config::foreign`] is off; [`Error::AddressInUse`] when another socket
    /// does so already; [`Error::InvalidArgument`] for a socket that is bound; [`Error::NotSupported`] for a stream
    /// socket, and for a ping socket with [`CatchAll::Unclaimed`]: echo requests to its own addresses the host answers.
    pub fn catch_all(&mut self, _now: Instant, id: SocketId, what: CatchAll) -> Result<(), Error> {
        let socket = self.held(id)?;
        let Body::Datagram(datagram) = &socket.body else { return Err(Error::NotSupported) };
        let kind = datagram.kind;
        if kind == Kind::Ping && what == CatchAll::Unclaimed {
            return Err(Error::NotSupported);
        }
        if socket.binding.is_some() || datagram.catches_all {
            return Err(Error::InvalidArgument);
        }
        if !self.network.takes_foreign() {
            return Err(Error::AddressNotAvailable);
        }
        let scope = Scope::new(socket.family.unspecified(), socket.dual());
        self.bound_mut(kind).demux.insert_catcher(scope, what, id)?;
        if let Body::Datagram(datagram) = &mut self.held_mut(id)?.body {
            datagram.catches_all = true;
        }
        Ok(())
    }

    /// Answers an echo request that a ping socket has heard, in the name of the address it came to. `bytes` are to be those
    /// of the request.
    ///
    /// # Errors
    /// As [`Stack::send_with`]; [`Error::NotSupported`] on any other socket.
    pub fn answer_echo(
        &mut self,
        now: Instant,
        id: SocketId,
        request: &Received,
        bytes: &[u8],
    ) -> Result<usize, Error> {
        match &self.held(id)?.body {
            Body::Datagram(datagram) if datagram.catches_all && datagram.kind == Kind::Ping => {}
            _ => return Err(Error::NotSupported),
        }
        let with = Ancillary {
            source: Some(request.destination),
            sequence: request.sequence,
            ..Ancillary::default()
        };
        self.send_with(now, id, bytes, Some(request.source), &with)
    }

    /// Answers a datagram or echo request that such a socket has heard with an ICMP error: [`Unreachable::Port`] becomes
    /// `ECONNREFUSED` at its sender. Over the rate limit of ICMP nothing is sent, which is counted.
    ///
    /// # Errors
    /// [`Error::NotSupported`] on a socket that does not catch all.
    pub fn refuse_datagram(
        &mut self,
        now: Instant,
        id: SocketId,
        received: &Received,
        reason: Unreachable,
    ) -> Result<(), Error> {
        let socket = self.held(id)?;
        let kind = match &socket.body {
            Body::Datagram(datagram) if datagram.catches_all => datagram.kind,
            _ => return Err(Error::NotSupported),
        };
        let (source, destination) = (socket.inward(received.source)?, socket.inward(received.destination)?);
        let protocol = match (kind, destination) {
            (Kind::Ping, SocketAddr::V4(_)) => Protocol::Icmp,
            (Kind::Ping, SocketAddr::V6(_)) => Protocol::Icmpv6,
            _ => Protocol::Udp,
        };
        let heard = Entry {
            peer: source,
            local: destination,
            length: received.length,
            mark: received.sequence,
            hop_limit: Some(received.hop_limit),
            traffic_class: Some(received.traffic_class),
        };
        if let Err(reason) = self.report_datagram(now, protocol, &heard, reason) {
            self.dropped(now, None, reason, &[]);
        }
        Ok(())
    }

    /// The address in whose name a socket that catches all sends: there is none of its own.
    pub(super) fn assumed_source(&self, source: Option<SocketAddr>, kind: Kind) -> Result<SocketAddr, Error> {
        let source = source.ok_or(Error::NotSupported)?;
        if source.port() == 0 && kind == Kind::Datagram {
            return Err(Error::InvalidArgument);
        }
        if self.network.speaks_for(source.ip()) { Ok(source) } else { Err(Error::AddressNotAvailable) }
    }

    /// An echo request to a foreign address.
    pub(super) fn receive_echo_request(&mut self, echo: &Echo<'_>) -> Result<(), DropReason> {
        let destination = echo.meta.destination;
        let id = self.ping.demux.catcher(destination, Whose::Foreign).ok_or(DropReason::NotOurAddress)?;
        let entry = Entry {
            peer: SocketAddr::new(echo.meta.source, echo.id),
            local: SocketAddr::new(destination, 0),
            length: echo.data.len(),
            mark: echo.seq,
            hop_limit: Some(echo.meta.hop_limit),
            traffic_class: Some(echo.meta.traffic_class),
        };
        self.enqueue(id, entry, &echo.data)
    }

    /// Whose address it is that a packet has come to.
    pub(super) fn whose(&self, address: IpAddr) -> Whose {
        if self.network.is_local(address) { Whose::Own } else { Whose::Foreign }
    }
}
