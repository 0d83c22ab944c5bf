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

/// `SO_REUSEADDR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// The port is this socket's alone.
    Off,
    /// Others that say so too may share the port, as long as none of them listens.
    On,
}

#[derive(Clone, Copy, Debug)]
struct Binding {
    socket: Handle,
    scope: Scope,
    reuse: Reuse,
    listening: bool,
}

/// Connections and TIME-WAITs at one local address, which hold the port after their listener is gone.
#[derive(Clone, Copy, Debug)]
struct Held {
    address: IpAddr,
    total: u32,
    exclusive: u32,
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
        let taken = self.bindings.get(&port).is_some_and(|bucket| {
            bucket.iter().any(|other| {
                let shared = reuse == Reuse::On && other.reuse == Reuse::On && !other.listening;
                other.scope.overlaps(scope) && !shared
            })
        });
        let held = self.held.get(&port).is_some_and(|bucket| {
            bucket.iter().any(|held| {
                let count = if reuse == Reuse::On { held.exclusive } else { held.total };
                count > 0 && Scope::Address(held.address).overlaps(scope)
            })
        });
        if taken || held {
            return Err(Error::AddressInUse);
        }
        self.bindings.entry(port).or_default().push(Binding { socket, scope, reuse, listening: false });
        Ok(())
    }

    /// Marks the socket's binding as one that listens: no other may listen within its scope.
    ///
    /// # Errors
    /// [`Error::AddressInUse`] when another socket listens there.
    pub fn listen(&mut self, port: u16, socket: Handle) -> Result<(), Error> {
        let bucket = self.bindings.get_mut(&port).ok_or(Error::InvalidArgument)?;
        let own = bucket.iter().find(|binding| binding.socket == socket).ok_or(Error::InvalidArgument)?.scope;
        let rival = |other: &Binding| other.socket != socket && other.listening && other.scope.overlaps(own);
        if bucket.iter().any(rival) {
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
        let exclusive = u32::from(reuse == Reuse::Off);
        match bucket.iter_mut().find(|held| held.address == local.ip()) {
            Some(held) => {
                held.total += 1;
                held.exclusive += exclusive;
            }
            None => bucket.push(Held { address: local.ip(), total: 1, exclusive }),
        }
    }

    /// Counts one less; `reuse` as it was given to [`Ports::hold`].
    pub fn release(&mut self, local: SocketAddr, reuse: Reuse) {
        let Some(bucket) = self.held.get_mut(&local.port()) else { return };
        if let Some(held) = bucket.iter_mut().find(|held| held.address == local.ip()) {
            held.total = held.total.saturating_sub(1);
            held.exclusive = held.exclusive.saturating_sub(u32::from(reuse == Reuse::Off));
        }
        bucket.retain(|held| held.total > 0);
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

    fn scope(address: &str) -> Scope {
        Scope::new(address.parse().unwrap(), Dual::Off)
    }

    #[test]
    fn a_port_is_shared_only_by_sockets_that_agree_and_do_not_listen() {
        let mut table = Table::new();
        let [a, b, c] = [(); 3].map(|()| table.insert(()).unwrap());
        let mut ports = Ports::new(SecretState::new(1, 2));
        ports.bind(80, scope("0.0.0.0"), a, Reuse::On).unwrap();
        assert_eq!(ports.bind(80, scope("10.0.0.2"), b, Reuse::Off), Err(Error::AddressInUse));
        ports.bind(80, scope("::"), c, Reuse::Off).unwrap();
        ports.bind(80, scope("10.0.0.2"), b, Reuse::On).unwrap();
        ports.listen(80, a).unwrap();
        assert_eq!(ports.listen(80, b), Err(Error::AddressInUse));
        ports.unbind(80, b);
        assert_eq!(ports.bind(80, scope("10.0.0.2"), b, Reuse::On), Err(Error::AddressInUse));
    }

    #[test]
    fn a_restarting_server_needs_reuse_while_its_connections_linger() {
        let mut table = Table::new();
        let server = table.insert(()).unwrap();
        let mut ports = Ports::new(SecretState::new(1, 2));
        let local = "10.0.0.2:80".parse().unwrap();
        ports.hold(local, Reuse::On);
        assert_eq!(ports.bind(80, scope("0.0.0.0"), server, Reuse::Off), Err(Error::AddressInUse));
        ports.bind(80, scope("0.0.0.0"), server, Reuse::On).unwrap();
        ports.unbind(80, server);
        ports.hold(local, Reuse::Off);
        assert_eq!(ports.bind(80, scope("0.0.0.0"), server, Reuse::On), Err(Error::AddressInUse));
        ports.bind(80, scope("10.0.0.3"), server, Reuse::Off).unwrap();
        ports.unbind(80, server);
        ports.release(local, Reuse::Off);
        ports.release(local, Reuse::On);
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
