//! Where what is sent to an address goes, if it goes anywhere: the policy, and the guard around the real machine itself.

use super::policy::{GatewayPolicy, HostLoopback};
use rustix::io::Errno;
use sockeye_core::network::Unreachable;
use sockeye_core::stack::Refusal;
use sockeye_core::wire::Cidr;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// What is decided about a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It leads there, in the real world.
    To(SocketAddr),
    /// Nowhere.
    Refused(Refusal),
}

const PROHIBITED: Way = Way::Refused(Refusal::Unreachable(Unreachable::Prohibited));

/// Knows the way to every destination.
#[derive(Clone, Debug)]
pub(super) struct Signpost {
    policy: GatewayPolicy,
    /// The addresses of the gateway host, with their subnets.
    own: Vec<Cidr>,
}

impl Signpost {
    pub(super) fn new(policy: GatewayPolicy, own: Vec<Cidr>) -> Signpost {
        Signpost { policy, own }
    }

    pub(super) fn policy(&self) -> &GatewayPolicy {
        &self.policy
    }

    /// The way of a TCP connection or a datagram.
    pub(super) fn way(&self, destination: SocketAddr) -> Way {
        let plain = SocketAddr::new(destination.ip().to_canonical(), destination.port());
        if !self.policy.permits(plain) {
            return PROHIBITED;
        }
        if self.own.iter().any(|own| own.address() == plain.ip()) {
            return match self.policy.host_loopback {
                HostLoopback::On => Way::To(SocketAddr::new(loopback(plain.ip()), plain.port())),
                // As of any port on which nobody listens.
                HostLoopback::Off => Way::Refused(Refusal::Reset),
            };
        }
        self.guarded(plain)
    }

    /// The way of an echo request.
    pub(super) fn way_of_echo(&self, destination: IpAddr) -> Way {
        let plain = destination.to_canonical();
        if self.policy.permits_echo(plain) { self.guarded(SocketAddr::new(plain, 0)) } else { PROHIBITED }
    }

    /// The way to an address of the world, if it is one.
    fn guarded(&self, plain: SocketAddr) -> Way {
        if self.own.iter().any(|own| own.contains(plain.ip())) {
            // A host of the LAN that is not there: the world has other hosts of that address.
            return Way::Refused(Refusal::Unreachable(Unreachable::Host));
        }
        if is_confined(plain.ip()) {
            return PROHIBITED;
        }
        if self.policy.host_loopback == HostLoopback::On {
            return Way::To(plain);
        }
        match is_machines_own(plain.ip()) {
            Ok(false) => Way::To(plain),
            Ok(true) => PROHIBITED,
            Err(error) => Way::Refused(refusal_of(&error)),
        }
    }
}

fn loopback(like: IpAddr) -> IpAddr {
    if like.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() }
}

/// Whether an address means something on one machine or one link only, or is a disguise of one that may: none of these is
/// ever asked of the real machine, whatever the policy. Of 0.0.0.0 it would make its loopback.
fn is_confined(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let first = address.octets()[0];
            first == 0 || first == 127 || first >= 224 || address.is_link_local()
        }
        IpAddr::V6(address) => {
            let words = address.segments();
            // ::/96 with ::1, :: and the IPv4-compatible addresses, and ::ffff:0:0/96, the mapped ones.
            let has_v4_inside = words[..5] == [0; 5] && matches!(words[5], 0 | 0xffff);
            has_v4_inside || address.is_unicast_link_local() || address.is_multicast()
        }
    }
}

/// Whether packets to an address would never leave the real machine. A socket can be bound to such addresses and to no
/// others: that holds for those of all its interfaces, for broadcast addresses, and for whole blocks routed to `lo`.
fn is_machines_own(address: IpAddr) -> io::Result<bool> {
    let outcome = UdpSocket::bind(SocketAddr::new(address, 0));
    match outcome {
        Ok(_) if binds_anything(address) => goes_nowhere(address),
        Ok(_) => Ok(true),
        Err(error) => match error.kind() {
            ErrorKind::AddrNotAvailable => Ok(false),
            // No socket of this family: then no connection either, and that tells why.
            _ if Errno::from_io_error(&error) == Some(Errno::AFNOSUPPORT) => Ok(false),
            _ => Err(error),
        },
    }
}

/// Whether the system lets sockets be bound to addresses it does not have (`ip_nonlocal_bind`).
fn binds_anything(address: IpAddr) -> bool {
    let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
    let setting = std::fs::read_to_string(format!("/proc/sys/net/{family}/ip_nonlocal_bind"));
    setting.is_ok_and(|setting| setting.trim() != "0")
}

/// Whether what is sent to an address comes from that address, too: the system's choice where it is its own.
fn goes_nowhere(address: IpAddr) -> io::Result<bool> {
    const ANY_PORT: u16 = 9;
    let any: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let probe = UdpSocket::bind(SocketAddr::new(any, 0))?;
    match probe.connect(SocketAddr::new(address, ANY_PORT)) {
        Ok(()) => Ok(probe.local_addr()?.ip() == address),
        // Nothing is sent there at all.
        Err(_) => Ok(false),
    }
}

/// How somebody inside learns of what the real machine says of a connection or a datagram.
pub(super) fn refusal_of(error: &io::Error) -> Refusal {
    let unreachable = Refusal::Unreachable;
    match Errno::from_io_error(error) {
        Some(Errno::CONNREFUSED | Errno::CONNRESET) => Refusal::Reset,
        Some(Errno::NETUNREACH | Errno::NETDOWN | Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => {
            unreachable(Unreachable::Network)
        }
        Some(Errno::ACCESS | Errno::PERM) => unreachable(Unreachable::Prohibited),
        // No descriptors or no memory: the same may succeed in a moment.
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::AGAIN) => Refusal::Silence,
        _ => unreachable(Unreachable::Host),
    }
}

/// What an ICMP error says of a datagram that the real machine could not deliver; nothing where it is only lost.
pub(super) fn unreachable_of(refusal: Refusal) -> Option<Unreachable> {
    match refusal {
        Refusal::Reset => Some(Unreachable::Port),
        Refusal::Unreachable(reason) => Some(reason),
        Refusal::Silence => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signpost(host_loopback: HostLoopback) -> Signpost {
        let own = ["10.0.0.1/24", "fd00::1/64"].map(|cidr| cidr.parse().unwrap());
        Signpost::new(GatewayPolicy { host_loopback, ..GatewayPolicy::default() }, own.to_vec())
    }

    #[test]
    fn the_real_loopback_has_no_name_inside_but_the_gateways() {
        for (text, expected) in [("10.0.0.1:80", "127.0.0.1:80"), ("[fd00::1]:80", "[::1]:80")] {
            let (own, real) = (text.parse().unwrap(), expected.parse().unwrap());
            assert_eq!(signpost(HostLoopback::On).way(own), Way::To(real));
            assert_eq!(signpost(HostLoopback::Off).way(own), Way::Refused(Refusal::Reset));
        }
        for host_loopback in [HostLoopback::Off, HostLoopback::On] {
            let signpost = signpost(host_loopback);
            for text in [
                "127.0.0.1",
                "127.1.2.3",
                "0.0.0.0",
                "0.1.2.3",
                "::1",
                "::",
                "::ffff:127.0.0.1",
                "::ffff:0.0.0.0",
                "::127.0.0.1",
                "169.254.169.254",
                "fe80::1",
                "::ffff:169.254.0.1",
                "224.0.0.1",
                "ff02::1",
                "255.255.255.255",
            ] {
                let address: IpAddr = text.parse().unwrap();
                assert_eq!(signpost.way(SocketAddr::new(address, 80)), PROHIBITED, "{text}");
                assert_eq!(signpost.way_of_echo(address), PROHIBITED, "{text}");
            }
        }
    }

    #[test]
    fn the_lans_own_addresses_are_not_looked_for_in_the_world() {
        let nobody = Way::Refused(Refusal::Unreachable(Unreachable::Host));
        assert_eq!(signpost(HostLoopback::On).way("10.0.0.77:80".parse().unwrap()), nobody);
        assert_eq!(signpost(HostLoopback::On).way("[::ffff:10.0.0.77]:80".parse().unwrap()), nobody);
    }

    #[test]
    fn the_machines_own_addresses_are_known() {
        assert!(is_machines_own("127.0.0.1".parse().unwrap()).unwrap());
        // TEST-NET-3: no machine has it.
        assert!(!is_machines_own("203.0.113.77".parse().unwrap()).unwrap());
        assert!(goes_nowhere("127.0.0.1".parse().unwrap()).unwrap());
        assert!(!goes_nowhere("203.0.113.77".parse().unwrap()).unwrap());
    }

    #[test]
    fn errors_of_the_real_machine_become_what_says_the_same_inside() {
        let of = |errno: Errno| refusal_of(&io::Error::from_raw_os_error(errno.raw_os_error()));
        assert_eq!(of(Errno::CONNREFUSED), Refusal::Reset);
        assert_eq!(of(Errno::NETUNREACH), Refusal::Unreachable(Unreachable::Network));
        assert_eq!(of(Errno::HOSTUNREACH), Refusal::Unreachable(Unreachable::Host));
        assert_eq!(of(Errno::TIMEDOUT), Refusal::Unreachable(Unreachable::Host));
        assert_eq!(of(Errno::MFILE), Refusal::Silence);
        assert_eq!(of(Errno::ACCESS), Refusal::Unreachable(Unreachable::Prohibited));
    }
}
