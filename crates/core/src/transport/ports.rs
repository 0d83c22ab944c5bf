//! Who holds which local port, and the choice of a free one (RFC 6056).

use core::hash::BuildHasher;
use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;

use super::demux::Scope;
use crate::error::Error;
use crate::hash::{SecretMap, SecretState};
use crate::table::Handle;

/// The ports given to sockets that ask for none; Linux's range.
pub const EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;

/// With whom a socket shares its port. With nobody, by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reuse {
    /// `SO_REUSEADDR`: with others that say so too, as long as none of them listens.
    pub address: bool,
    /// `SO_REUSEPORT`: with others that say so too, whatever they do with it.
    pub port: bool,
}

impl Reuse {
    /// Whether a socket that says this shares its port with one that says `other` and listens, or does not.
    fn shares(self, other: Reuse, other_listens: bool) -> bool {
        self.port && other.port || self.address && other.address && !other_listens
    }
}

#[derive(Clone, Copy, Debug)]
struct Binding {
    socket: Handle,
    scope: Scope,
    reuse: Reuse,
    listening: bool,
}

impl Binding {
    /// Whether another socket stands in its way.
    fn is_taken(&self, bucket: &[Binding]) -> bool {
        bucket.iter().any(|other| {
            other.socket != self.socket
                && other.scope.overlaps(self.scope)
                && !self.reuse.shares(other.reuse, other.listening)
        })
    }
}

/// Connections and TIME-WAITs at one local address, which hold the port after their listener is gone.
#[derive(Clone, Copy, Debug)]
struct Held {
    address: IpAddr,
    reuse: Reuse,
    count: u32,
}

/// The local ports of one transport protocol.
#[derive(Debug)]
pub struct Ports {
    bindings: SecretMap<u16, Vec<Binding>>,
    held: SecretMap<u16, Vec<Held>>,
    secret: SecretState,
    counter: u32,
}

impl Ports {
    /// No port held; `secret` makes the choice of ephemeral ports unpredictable.
    pub fn new(secret: SecretState) -> Self {
        Ports {
            bindings: SecretMap::with_hasher(secret),
            held: SecretMap::with_hasher(secret),
            secret,
            counter: 0,
        }
    }

    /// Gives `port` within `scope` to `socket`.
    ///
    /// # Errors
    /// [`Error::AddressInUse`] when another socket, or a connection not yet forgotten, holds it.
    pub fn bind(&mut self, port: u16, scope: Scope, socket: Handle, reuse: Reuse) -> Result<(), Error> {
        let own = Binding { socket, scope, reuse, listening: false };
        let held = self.held.get(&port).is_some_and(|bucket| {
            bucket
                .iter()
                .any(|held| !reuse.shares(held.reuse, false) && Scope::Address(held.address).overlaps(scope))
        });
        let bucket = self.bindings.entry(port).or_default();
        if held || own.is_taken(bucket) {
            if bucket.is_empty() {
                self.bindings.remove(&port);
            }
            return Err(Error::AddressInUse);
        }
        bucket.push(own);
        Ok(())
    }

    /// Marks the socket's binding as one that listens: no other may listen within its scope, unless they share the port.
    ///
    /// # Errors
    /// [`Error::AddressInUse`] when another socket listens there, or does not share the port any more.
    pub fn listen(&mut self, port: u16, socket: Handle) -> Result<(), Error> {
        let bucket = self.bindings.get_mut(&port).ok_or(Error::InvalidArgument)?;
        let own = bucket.iter().find(|binding| binding.socket == socket).ok_or(Error::InvalidArgument)?;
        if own.is_taken(bucket) {
            return Err(Error::AddressInUse);
        }
        bucket.iter_mut().filter(|binding| binding.socket == socket).for_each(|own| own.listening = true);
        Ok(())
    }

    /// The socket has changed its mind about sharing.
    pub fn set_reuse(&mut self, port: u16, socket: Handle, reuse: Reuse) {
        let bucket = self.bindings.get_mut(&port).into_iter().flatten();
        bucket.filter(|binding| binding.socket == socket).for_each(|own| own.reuse = reuse);
    }

    /// The socket's binding no longer listens.
    pub fn unlisten(&mut self, port: u16, socket: Handle) {
        let bucket = self.bindings.get_mut(&port).into_iter().flatten();
        bucket.filter(|binding| binding.socket == socket).for_each(|own| own.listening = false);
    }

    /// Takes the socket's binding away.
    pub fn unbind(&mut self, port: u16, socket: Handle) {
        if let Some(bucket) = self.bindings.get_mut(&port) {
            bucket.retain(|binding| binding.socket != socket);
            if bucket.is_empty() {
                self.bindings.remove(&port);
            }
        }
    }

    /// Counts one more connection or TIME-WAIT at `local`.
    pub fn hold(&mut self, local: SocketAddr, reuse: Reuse) {
        let bucket = self.held.entry(local.port()).or_default();
        match bucket.iter_mut().find(|held| held.address == local.ip() && held.reuse == reuse) {
            Some(held) => held.count += 1,
            None => bucket.push(Held { address: local.ip(), reuse, count: 1 }),
        }
    }

    /// Counts one less; `reuse` as it was given to [`Ports::hold`].
    pub fn release(&mut self, local: SocketAddr, reuse: Reuse) {
        let Some(bucket) = self.held.get_mut(&local.port()) else { return };
        if let Some(held) = bucket.iter_mut().find(|held| held.address == local.ip() && held.reuse == reuse) {
            held.count = held.count.saturating_sub(1);
        }
        bucket.retain(|held| held.count > 0);
        if bucket.is_empty() {
            self.held.remove(&local.port());
        }
    }

    /// Whether a socket is bound to `port`, whatever its address.
    pub fn is_bound(&self, port: u16) -> bool {
        self.bindings.contains_key(&port)
    }

    /// Whether a connection or TIME-WAIT holds `port`.
    pub fn is_held(&self, port: u16) -> bool {
        self.held.contains_key(&port)
    }

    /// How many sockets are bound and how many ports are held by connections: zero and zero when nothing is left.
    pub fn in_use(&self) -> (usize, usize) {
        (self.bindings.values().map(Vec::len).sum(), self.held.len())
    }

    /// A port that `is_free` accepts, tried from a place that depends on a secret, the two addresses and the remote
    /// port: sequential for one destination, unpredictable from another (RFC 6056, 3.3.3).
    ///
    /// # Errors
    /// [`Error::AddressNotAvailable`] when the whole range is taken.
    pub fn ephemeral(
        &mut self,
        local: IpAddr,
        remote: Option<SocketAddr>,
        mut is_free: impl FnMut(&Ports, u16) -> bool,
    ) -> Result<u16, Error> {
        let span = u32::from(*EPHEMERAL.end() - *EPHEMERAL.start()) + 1;
        let offset = self.secret.hash_one((local, remote)) as u32;
        for step in 0..span {
            let place = offset.wrapping_add(self.counter).wrapping_add(step) % span;
            let port = EPHEMERAL.start() + place as u16;
            if is_free(self, port) {
                self.counter = self.counter.wrapping_add(step + 1);
                return Ok(port);
            }
        }
        Err(Error::AddressNotAvailable)
    }
}

#[cfg(test)]
mod tests {
    use super::super::demux::Dual;
    use super::*;
    use crate::table::Table;

    const ADDRESS: Reuse = Reuse { address: true, port: false };
    const PORT: Reuse = Reuse { address: false, port: true };
    const BOTH: Reuse = Reuse { address: true, port: true };

    fn scope(address: &str) -> Scope {
        Scope::new(address.parse().unwrap(), Dual::Off)
    }

    #[test]
    fn a_port_is_shared_only_by_sockets_that_agree_and_do_not_listen() {
        let mut table = Table::new();
        let [a, b, c] = [(); 3].map(|()| table.insert(()).unwrap());
        let mut ports = Ports::new(SecretState::new(1, 2));
        ports.bind(80, scope("0.0.0.0"), a, ADDRESS).unwrap();
        assert_eq!(ports.bind(80, scope("10.0.0.2"), b, Reuse::default()), Err(Error::AddressInUse));
        ports.bind(80, scope("::"), c, Reuse::default()).unwrap();
        ports.bind(80, scope("10.0.0.2"), b, ADDRESS).unwrap();
        ports.listen(80, a).unwrap();
        assert_eq!(ports.listen(80, b), Err(Error::AddressInUse));
        ports.unbind(80, b);
        assert_eq!(ports.bind(80, scope("10.0.0.2"), b, ADDRESS), Err(Error::AddressInUse));
    }

    #[test]
    fn those_who_share_the_port_may_all_listen() {
        let mut table = Table::new();
        let [a, b, c, d] = [(); 4].map(|()| table.insert(()).unwrap());
        let mut ports = Ports::new(SecretState::new(1, 2));
        ports.bind(80, scope("0.0.0.0"), a, PORT).unwrap();
        ports.listen(80, a).unwrap();
        for reuse in [Reuse::default(), ADDRESS] {
            assert_eq!(ports.bind(80, scope("0.0.0.0"), b, reuse), Err(Error::AddressInUse));
        }
        ports.bind(80, scope("0.0.0.0"), b, BOTH).unwrap();
        ports.listen(80, b).unwrap();
        ports.bind(80, scope("10.0.0.2"), c, PORT).unwrap();
        // It changes its mind.
        ports.set_reuse(80, c, Reuse::default());
        assert_eq!(ports.listen(80, c), Err(Error::AddressInUse));
        ports.set_reuse(80, c, PORT);
        ports.listen(80, c).unwrap();
        // One that shares in either way, with those that do not listen, and with one that listens.
        ports.bind(81, scope("0.0.0.0"), a, ADDRESS).unwrap();
        ports.bind(81, scope("0.0.0.0"), b, BOTH).unwrap();
        assert_eq!(ports.bind(81, scope("0.0.0.0"), c, PORT), Err(Error::AddressInUse));
        ports.listen(81, a).unwrap();
        assert_eq!(ports.bind(81, scope("0.0.0.0"), d, BOTH), Err(Error::AddressInUse));
        // And with connections that are left.
        ports.hold("10.0.0.2:82".parse().unwrap(), PORT);
        for reuse in [Reuse::default(), ADDRESS] {
            assert_eq!(ports.bind(82, scope("0.0.0.0"), a, reuse), Err(Error::AddressInUse));
        }
        ports.bind(82, scope("0.0.0.0"), a, PORT).unwrap();
    }

    #[test]
    fn a_restarting_server_needs_reuse_while_its_connections_linger() {
        let mut table = Table::new();
        let server = table.insert(()).unwrap();
        let mut ports = Ports::new(SecretState::new(1, 2));
        let local = "10.0.0.2:80".parse().unwrap();
        ports.hold(local, ADDRESS);
        assert_eq!(ports.bind(80, scope("0.0.0.0"), server, Reuse::default()), Err(Error::AddressInUse));
        ports.bind(80, scope("0.0.0.0"), server, ADDRESS).unwrap();
        ports.unbind(80, server);
        ports.hold(local, Reuse::default());
        assert_eq!(ports.bind(80, scope("0.0.0.0"), server, ADDRESS), Err(Error::AddressInUse));
        ports.bind(80, scope("10.0.0.3"), server, Reuse::default()).unwrap();
        ports.unbind(80, server);
        ports.release(local, Reuse::default());
        ports.release(local, ADDRESS);
        assert_eq!(ports.in_use(), (0, 0));
    }

    #[test]
    fn ephemeral_ports_are_all_found_and_then_run_out() {
        let mut ports = Ports::new(SecretState::new(7, 9));
        let local = "10.0.0.2".parse().unwrap();
        let mut taken = std::collections::HashSet::new();
        for _ in EPHEMERAL {
            let port = ports.ephemeral(local, None, |_, port| !taken.contains(&port)).unwrap();
            assert!(EPHEMERAL.contains(&port) && taken.insert(port));
        }
        let exhausted = ports.ephemeral(local, None, |_, port| !taken.contains(&port));
        assert_eq!(exhausted, Err(Error::AddressNotAvailable));
    }
}
