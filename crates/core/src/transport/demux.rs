//! Whose segment is this? The exact flow first, then the best listener of the port.

use core::hash::{BuildHasher, Hash, Hasher};
use core::net::{IpAddr, SocketAddr};

use super::ports::Reuse;
use crate::error::Error;
use crate::hash::{SecretMap, SecretState};
use crate::table::Handle;

/// The two ends of a flow: both addresses, IPv4 in its mapped form, and both ports. Words, because there is one for each
/// connection: numbers of 128 bits would leave gaps behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowKey {
    local: [u32; 4],
    remote: [u32; 4],
    ports: u32,
}

impl FlowKey {
    /// The key of the flow between `local` and `remote`.
    pub fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        FlowKey {
            local: words(local.ip()),
            remote: words(remote.ip()),
            ports: u32::from(local.port()) << 16 | u32::from(remote.port()),
        }
    }
}

impl Hash for FlowKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let pair = |[high, low]: [u32; 2]| u64::from(high) << 32 | u64::from(low);
        for [a, b, c, d] in [self.local, self.remote] {
            state.write_u64(pair([a, b]));
            state.write_u64(pair([c, d]));
        }
        state.write_u32(self.ports);
    }
}

fn words(address: IpAddr) -> [u32; 4] {
    let number = match address {
        IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
        IpAddr::V6(address) => u128::from(address),
    };
    [(number >> 96) as u32, (number >> 64) as u32, (number >> 32) as u32, number as u32]
}

/// What stands behind a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// A connection, by its socket.
    Connection(Handle),
    /// A half-open passive connection.
    Handshake(Handle),
    /// A connection whose last acknowledgement may still be asked for again.
    TimeWait(Handle),
}

/// One family of local addresses a socket listens on or is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This address only.
    Address(IpAddr),
    /// Every IPv4 address of the host.
    AnyV4,
    /// Every IPv6 address of the host.
    AnyV6,
    /// Every address of the host, of both families (an IPv6 wildcard without `IPV6_V6ONLY`).
    Any,
}

impl Scope {
    /// The scope of a socket bound to `address`; `dual` says whether an IPv6 wildcard takes IPv4 too.
    pub fn new(address: IpAddr, dual: Dual) -> Self {
        match address {
            IpAddr::V4(address) if address.is_unspecified() => Scope::AnyV4,
            IpAddr::V6(address) if address.is_unspecified() && dual == Dual::Stack => Scope::Any,
            IpAddr::V6(address) if address.is_unspecified() => Scope::AnyV6,
            address => Scope::Address(canonical(address)),
        }
    }

    /// How well this scope fits a packet to `address`: the higher the better, `None` not at all.
    pub fn fit(self, address: IpAddr) -> Option<u8> {
        match (self, address) {
            (Scope::Address(own), _) => (own == address).then_some(2),
            (Scope::AnyV4, IpAddr::V4(_)) | (Scope::AnyV6, IpAddr::V6(_)) => Some(1),
            (Scope::Any, _) => Some(0),
            _ => None,
        }
    }

    /// Whether some packet could be meant for both scopes.
    pub fn overlaps(self, other: Scope) -> bool {
        match (self, other) {
            (Scope::Address(own), Scope::Address(other)) => own == other,
            (Scope::Address(address), any) | (any, Scope::Address(address)) => any.fit(address).is_some(),
            (Scope::AnyV4, Scope::AnyV6) | (Scope::AnyV6, Scope::AnyV4) => false,
            _ => true,
        }
    }
}

/// Whether an IPv6 wildcard socket takes IPv4 as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dual {
    /// Both families.
    Stack,
    /// Its own family only (`IPV6_V6ONLY`, and every IPv4 socket).
    Off,
}

/// An IPv4-mapped IPv6 address as the IPv4 address it means; any other as it is.
pub fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// [`canonical`] with a port.
pub fn canonical_socket(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) if v6.ip().to_ipv4_mapped().is_some() => {
            SocketAddr::new(canonical(address.ip()), address.port())
        }
        _ => address,
    }
}

/// The form in which an IPv6 socket shows an address: an IPv4 one mapped.
pub fn mapped_socket(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(v4) => SocketAddr::new(IpAddr::V6(v4.to_ipv6_mapped()), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// Whose address a packet came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The host's own.
    Own,
    /// None of the host's.
    Foreign,
}

#[derive(Clone, Copy, Debug)]
struct Bound {
    scope: Scope,
    socket: Handle,
    reuse: Reuse,
}

/// What a socket takes that asks for what nobody else is there for, whatever the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchAll {
    /// What comes to addresses that are none of the host's.
    Foreign,
    /// That, and what comes to the host's own addresses at ports where no socket is; not to 127.0.0.0/8 and ::1.
    Unclaimed,
}

#[derive(Clone, Copy, Debug)]
struct Catcher {
    scope: Scope,
    what: CatchAll,
    socket: Handle,
}

/// Flows by their four numbers, bound sockets by port, and the few that take what is left.
#[derive(Debug)]
pub struct Demux {
    flows: SecretMap<FlowKey, Flow>,
    bound: SecretMap<u16, Vec<Bound>>,
    catchers: Vec<Catcher>,
}

impl Demux {
    /// An empty table hashed with `secret`.
    pub fn new(secret: SecretState) -> Self {
        Demux {
            flows: SecretMap::with_hasher(secret),
            bound: SecretMap::with_hasher(secret),
            catchers: Vec::new(),
        }
    }

    /// What stands behind the flow, if anything.
    #[inline]
    pub fn flow(&self, key: &FlowKey) -> Option<Flow> {
        self.flows.get(key).copied()
    }

    /// Puts a flow in, in place of what stood there.
    pub fn insert_flow(&mut self, key: FlowKey, flow: Flow) {
        self.flows.insert(key, flow);
    }

    /// Takes a flow out, provided `flow` is what stands there.
    pub fn remove_flow(&mut self, key: &FlowKey, flow: Flow) {
        if self.flow(key) == Some(flow) {
            self.flows.remove(key);
        }
    }

    /// How many flows there are.
    pub fn flows(&self) -> usize {
        self.flows.len()
    }

    /// How many bound sockets there are, and such as catch all.
    pub fn bound(&self) -> usize {
        self.bound.values().map(Vec::len).sum::<usize>() + self.catchers.len()
    }

    /// Lets `socket` receive what comes within `scope`, to any port, and is nobody's.
    ///
    /// # Errors
    /// [`Error::AddressInUse`] when another socket does so already.
    pub fn insert_catcher(&mut self, scope: Scope, what: CatchAll, socket: Handle) -> Result<(), Error> {
        if self.catchers.iter().any(|other| other.scope.overlaps(scope)) {
            return Err(Error::AddressInUse);
        }
        self.catchers.push(Catcher { scope, what, socket });
        Ok(())
    }

    /// The socket no longer catches all.
    pub fn remove_catcher(&mut self, socket: Handle) {
        self.catchers.retain(|catcher| catcher.socket != socket);
    }

    /// The socket that takes what came to `address`, if nobody else does; `whose` tells whose address that is.
    pub fn catcher(&self, address: IpAddr, whose: Whose) -> Option<Handle> {
        let takes = |catcher: &&Catcher| {
            catcher.scope.fit(address).is_some()
                && match whose {
                    Whose::Foreign => true,
                    Whose::Own => catcher.what == CatchAll::Unclaimed && !address.is_loopback(),
                }
        };
        self.catchers.iter().find(takes).map(|catcher| catcher.socket)
    }

    /// Lets `socket` receive what comes for `port` within `scope` and belongs to no flow; `reuse` says whether it shares
    /// that with others.
    pub fn insert_bound(&mut self, port: u16, scope: Scope, socket: Handle, reuse: Reuse) {
        self.bound.entry(port).or_default().push(Bound { scope, socket, reuse });
    }

    /// The socket has changed its mind about sharing.
    pub fn set_reuse(&mut self, port: u16, socket: Handle, reuse: Reuse) {
        let bucket = self.bound.get_mut(&port).into_iter().flatten();
        bucket.filter(|bound| bound.socket == socket).for_each(|own| own.reuse = reuse);
    }

    /// Takes the socket's place at `port` away.
    pub fn remove_bound(&mut self, port: u16, socket: Handle) {
        if let Some(bucket) = self.bound.get_mut(&port) {
            bucket.retain(|bound| bound.socket != socket);
            if bucket.is_empty() {
                self.bound.remove(&port);
            }
        }
    }

    /// Of the sockets that hear what comes from `remote` to `local`, the one whose scope fits best; among equals the one
    /// bound last, as Linux does, or, if that shares the port (`SO_REUSEPORT`), one of those that do: always the same for a
    /// flow, as long as they are the same, and nobody outside can tell which.
    pub fn best_bound(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
        hears: impl Fn(Handle) -> bool,
    ) -> Option<Handle> {
        let bucket = self.bound.get(&local.port())?;
        [2, 1, 0].into_iter().find_map(|fit| {
            let equals = || {
                bucket.iter().filter(|bound| bound.scope.fit(local.ip()) == Some(fit) && hears(bound.socket))
            };
            let last = equals().next_back()?;
            let sharing = || equals().filter(|bound| bound.reuse.port);
            let count = if last.reuse.port { sharing().count() } else { 1 };
            if count == 1 {
                return Some(last.socket);
            }
            let hash = self.bound.hasher().hash_one(FlowKey::new(local, remote));
            sharing().nth(((u128::from(hash) * count as u128) >> 64) as usize).map(|bound| bound.socket)
        })
    }

    /// Whether any socket is bound to the port.
    pub fn is_port_bound(&self, port: u16) -> bool {
        self.bound.contains_key(&port)
    }

    /// Whether a socket is bound where `local` could be meant.
    pub fn is_bound(&self, local: SocketAddr) -> bool {
        self.all_bound(local).next().is_some()
    }

    /// All sockets at the port whose wildcard or own address fits `local`: who hears a broadcast or multicast.
    pub fn all_bound(&self, local: SocketAddr) -> impl Iterator<Item = Handle> {
        self.bound
            .get(&local.port())
            .into_iter()
            .flatten()
            .filter(move |bound| bound.scope.fit(local.ip()).is_some())
            .map(|bound| bound.socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Table;

    fn best(demux: &Demux, local: SocketAddr) -> Option<Handle> {
        demux.best_bound(local, "10.0.0.1:4000".parse().unwrap(), |_| true)
    }

    #[test]
    fn those_who_share_a_port_share_its_flows_and_each_keeps_its_own() {
        let mut table = Table::new();
        let mut demux = Demux::new(SecretState::new(1, 2));
        let sockets = [(); 4].map(|()| table.insert(()).unwrap());
        let sharing = Reuse { port: true, ..Reuse::default() };
        let local: SocketAddr = "10.0.0.2:80".parse().unwrap();
        for socket in sockets {
            demux.insert_bound(80, Scope::new(local.ip(), Dual::Off), socket, sharing);
        }
        let flows = || (1..=4000).map(|port| SocketAddr::new("10.0.0.1".parse().unwrap(), port));
        let share = |demux: &Demux, socket: Handle| {
            flows().filter(|remote| demux.best_bound(local, *remote, |_| true) == Some(socket)).count()
        };
        for socket in sockets {
            let share = share(&demux, socket);
            assert!((900..1100).contains(&share), "{share} of 4000");
        }
        // Whoever does not hear it gets none, and neither does one that fits less well.
        let [deaf, ..] = sockets;
        assert!(flows().all(|remote| demux.best_bound(local, remote, |id| id != deaf) != Some(deaf)));
        demux.insert_bound(80, Scope::new("0.0.0.0".parse().unwrap(), Dual::Off), deaf, sharing);
        demux.remove_bound(80, deaf);
        let any = table.insert(()).unwrap();
        demux.insert_bound(80, Scope::new("0.0.0.0".parse().unwrap(), Dual::Off), any, sharing);
        assert_eq!((share(&demux, deaf), share(&demux, any)), (0, 0));
        // The last one that does not share has all.
        demux.set_reuse(80, sockets[3], Reuse::default());
        assert_eq!(share(&demux, sockets[3]), 4000);
    }

    #[test]
    fn the_exact_address_is_preferred_to_the_wildcard_and_the_family_to_both() {
        let mut table = Table::new();
        let mut demux = Demux::new(SecretState::new(1, 2));
        let [any, v4, exact] = [(); 3].map(|()| table.insert(()).unwrap());
        let here: SocketAddr = "10.0.0.2:80".parse().unwrap();
        assert_eq!(best(&demux, here), None);
        demux.insert_bound(80, Scope::new("::".parse().unwrap(), Dual::Stack), any, Reuse::default());
        assert_eq!(best(&demux, here), Some(any));
        demux.insert_bound(80, Scope::new("0.0.0.0".parse().unwrap(), Dual::Off), v4, Reuse::default());
        assert_eq!(best(&demux, here), Some(v4));
        demux.insert_bound(80, Scope::new(here.ip(), Dual::Off), exact, Reuse::default());
        assert_eq!(best(&demux, here), Some(exact));
        assert_eq!(best(&demux, "10.0.0.3:80".parse().unwrap()), Some(v4));
        assert_eq!(best(&demux, "[fd00::1]:80".parse().unwrap()), Some(any));
        assert_eq!(demux.all_bound(here).count(), 3);
        demux.remove_bound(80, exact);
        assert_eq!(best(&demux, here), Some(v4));
    }

    #[test]
    fn what_is_nobodys_goes_to_the_one_that_catches_all() {
        let mut table = Table::new();
        let mut demux = Demux::new(SecretState::new(1, 2));
        let [one, other] = [(); 2].map(|()| table.insert(()).unwrap());
        let scope = |address: &str| Scope::new(address.parse().unwrap(), Dual::Stack);
        let [world, own, loopback] = ["192.0.2.1", "10.0.0.1", "127.0.0.1"].map(|text| text.parse().unwrap());
        demux.insert_catcher(scope("0.0.0.0"), CatchAll::Foreign, one).unwrap();
        assert_eq!(demux.insert_catcher(scope("::"), CatchAll::Foreign, other), Err(Error::AddressInUse));
        assert_eq!(demux.catcher(world, Whose::Foreign), Some(one));
        assert_eq!(demux.catcher(own, Whose::Own), None);
        assert_eq!(demux.catcher("2001:db8::1".parse().unwrap(), Whose::Foreign), None);
        demux.remove_catcher(one);
        demux.insert_catcher(scope("::"), CatchAll::Unclaimed, other).unwrap();
        assert_eq!(demux.catcher(own, Whose::Own), Some(other));
        assert_eq!(demux.catcher(loopback, Whose::Own), None);
        assert_eq!(demux.bound(), 1);
    }

    #[test]
    fn a_mapped_address_names_the_same_flow_as_the_plain_one() {
        let local: SocketAddr = "10.0.0.2:80".parse().unwrap();
        let remote: SocketAddr = "10.0.0.1:4000".parse().unwrap();
        assert!(FlowKey::new(local, remote) == FlowKey::new(mapped_socket(local), mapped_socket(remote)));
        assert!(FlowKey::new(local, remote) != FlowKey::new(remote, local));
        assert_eq!(canonical_socket(mapped_socket(local)), local);
    }
}
