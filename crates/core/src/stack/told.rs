//! Calls of programs, told to those who watch.

use core::net::SocketAddr;

use super::Stack;
use crate::error::Error;
use crate::socket::{Body, SocketId};
use crate::time::Instant;
use crate::trace::{Call, TraceEvent};

/// The two addresses of a socket, as far as it has them.
pub(super) type Addresses = (Option<SocketAddr>, Option<SocketAddr>);

impl Stack {
    /// Tells of a call and hands on what it is answered with. Nothing is told of one that would have to wait.
    pub(super) fn told<T>(
        &mut self,
        now: Instant,
        id: SocketId,
        call: Call,
        answer: Result<T, Error>,
        amount: impl FnOnce(&T) -> usize,
    ) -> Result<T, Error> {
        if self.log.is_some() {
            let addresses = self.addresses_of(id);
            self.tell(now, id, call, addresses, answer.as_ref().map(amount).map_err(|error| *error));
        }
        answer
    }

    /// [`Stack::told`] of a call whose addresses are not simply the socket's.
    pub(super) fn tell(
        &mut self,
        now: Instant,
        socket: SocketId,
        call: Call,
        (local, remote): Addresses,
        outcome: Result<usize, Error>,
    ) {
        if outcome != Err(Error::WouldBlock) {
            self.record(now, || TraceEvent::Call { socket, local, remote, call, outcome });
        }
    }

    /// Nothing where nobody watches, so that it costs nothing.
    pub(super) fn addresses_if_watched(&self, id: SocketId) -> Addresses {
        if self.log.is_some() { self.addresses_of(id) } else { (None, None) }
    }

    fn addresses_of(&self, id: SocketId) -> Addresses {
        let Some(socket) = self.sockets.get(id) else { return (None, None) };
        let bound = socket.binding.map(|binding| binding.address);
        match &socket.body {
            Body::Stream(stream) => {
                let ends = stream.connection.endpoints();
                (Some(ends.local), Some(ends.remote))
            }
            Body::Datagram(datagram) => (socket.own_address().or(bound), datagram.peer),
            Body::Idle(_) | Body::Listener(_) => (bound, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{Family, Kind, Shutdown};
    use crate::stack::Config;
    use crate::trace::Tracing;

    fn calls(host: &mut Stack) -> Vec<String> {
        let traces = core::iter::from_fn(|| host.poll_trace());
        let calls = traces.filter_map(|trace| match trace.event {
            TraceEvent::Call { local, remote, call, outcome, .. } => {
                let [local, remote] =
                    [local, remote].map(|it| it.map_or("-".to_owned(), |it| it.to_string()));
                Some(format!("{} {local} {remote} {outcome:?}", call.name()))
            }
            _ => None,
        });
        calls.collect()
    }

    fn deliver(host: &mut Stack, now: Instant) {
        while host.poll_transmit(now).is_some() {}
    }

    #[test]
    fn each_call_of_a_stream_is_told_once_with_its_addresses() {
        let now = Instant::ZERO;
        let mut host = Stack::new(Config::default());
        host.set_tracing(Tracing::On);
        let server = host.open(Family::V4, Kind::Stream).unwrap();
        let address = "127.0.0.1:7788".parse().unwrap();
        host.bind(now, server, address).unwrap();
        host.listen(now, server, 5).unwrap();
        host.accept(now, server).unwrap_err();
        let other = host.open(Family::V4, Kind::Stream).unwrap();
        host.bind(now, other, address).unwrap_err();
        let client = host.open(Family::V4, Kind::Stream).unwrap();
        host.bind(now, client, "127.0.0.1:4000".parse().unwrap()).unwrap();
        host.connect(now, client, address).unwrap_err();
        deliver(&mut host, now);
        let (served, _) = host.accept(now, server).unwrap();
        let mut buffer = [0; 10];
        host.read(now, served, &mut buffer).unwrap_err();
        host.write(now, client, b"hello").unwrap();
        deliver(&mut host, now);
        host.read(now, served, &mut buffer).unwrap();
        host.shutdown(now, client, Shutdown::Write).unwrap();
        deliver(&mut host, now);
        host.read(now, served, &mut buffer).unwrap();
        host.close(now, served).unwrap();
        let told = [
            "bind 127.0.0.1:7788 - Ok(0)",
            "listen 127.0.0.1:7788 - Ok(0)",
            "bind 127.0.0.1:7788 - Err(AddressInUse)",
            "bind 127.0.0.1:4000 - Ok(0)",
            "connect 127.0.0.1:4000 127.0.0.1:7788 Err(InProgress)",
            "accept 127.0.0.1:7788 127.0.0.1:4000 Ok(0)",
            "send 127.0.0.1:4000 127.0.0.1:7788 Ok(5)",
            "recv 127.0.0.1:7788 127.0.0.1:4000 Ok(5)",
            "shutdown 127.0.0.1:4000 127.0.0.1:7788 Ok(0)",
            "recv 127.0.0.1:7788 127.0.0.1:4000 Ok(0)",
            "close 127.0.0.1:7788 127.0.0.1:4000 Ok(0)",
        ];
        assert_eq!(calls(&mut host), told);
    }

    #[test]
    fn datagrams_are_told_with_where_they_go_and_come_from() {
        let now = Instant::ZERO;
        let mut host = Stack::new(Config::default());
        let [a, b] = [4001, 4002].map(|port| {
            let socket = host.open(Family::V4, Kind::Datagram).unwrap();
            host.bind(now, socket, ([127, 0, 0, 1], port).into()).unwrap();
            socket
        });
        assert_eq!(host.poll_trace(), None, "nobody watches");
        host.set_tracing(Tracing::On);
        host.send_to(now, a, b"hello", Some("127.0.0.1:4002".parse().unwrap())).unwrap();
        deliver(&mut host, now);
        host.receive_from(now, b, &mut [0; 3]).unwrap();
        host.receive_from(now, b, &mut [0; 3]).unwrap_err();
        let told = ["send 127.0.0.1:4001 127.0.0.1:4002 Ok(5)", "recv 127.0.0.1:4002 127.0.0.1:4001 Ok(3)"];
        assert_eq!(calls(&mut host), told);
    }
}
