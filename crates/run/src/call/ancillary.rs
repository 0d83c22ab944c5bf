//! What goes along with datagrams: the control messages of `recvmsg` and `sendmsg` (RFC 3542 section 6), in the order and
//! with the limits of Linux.

use super::message::{ALIGNMENT, CONTROL_HEADER as HEADER, Control, Header};
use crate::entry::{Front, Message};
use crate::interface;
use crate::task::Memory;
use rustix::io::Errno;
use sockeye::{Ancillary, Family};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::SystemTime;

/// A control message by its level and type.
type Number = (i32, i32);

/// The most bytes of control messages in one call (`net.core.optmem_max`).
const MOST: u64 = 131_072;

/// What a program wants to be told of each datagram.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wishes {
    /// Of those that come over IPv4, to whatever socket.
    v4: PacketWishes,
    /// Of those that come over IPv6; and of all that come to an IPv6 socket, where they were sent to.
    v6: PacketWishes,
    /// `SO_TIMESTAMP`.
    timestamp: bool,
    /// `SO_TIMESTAMPNS`.
    timestamp_nanos: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct PacketWishes {
    /// `IP_PKTINFO`, `IPV6_RECVPKTINFO`.
    info: bool,
    /// `IP_RECVTTL`, `IPV6_RECVHOPLIMIT`.
    hop_limit: bool,
    /// `IP_RECVTOS`, `IPV6_RECVTCLASS`.
    traffic_class: bool,
}

impl Wishes {
    /// The options that are such a wish.
    pub(super) const NUMBERS: &[Number] = &[
        (libc::IPPROTO_IP, libc::IP_PKTINFO),
        (libc::IPPROTO_IP, libc::IP_RECVTTL),
        (libc::IPPROTO_IP, libc::IP_RECVTOS),
        (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
        (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT),
        (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS),
        (libc::SOL_SOCKET, libc::SO_TIMESTAMP),
        (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS),
    ];

    /// The wish that is meant by an option.
    pub(super) fn wish(&mut self, option: Number) -> Option<&mut bool> {
        Some(match option {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => &mut self.v4.info,
            (libc::IPPROTO_IP, libc::IP_RECVTTL) => &mut self.v4.hop_limit,
            (libc::IPPROTO_IP, libc::IP_RECVTOS) => &mut self.v4.traffic_class,
            (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO) => &mut self.v6.info,
            (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT) => &mut self.v6.hop_limit,
            (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS) => &mut self.v6.traffic_class,
            (libc::SOL_SOCKET, libc::SO_TIMESTAMP) => &mut self.timestamp,
            (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS) => &mut self.timestamp_nanos,
            _ => return None,
        })
    }

    /// The control messages that come with `message`, as far as there is room for them in `control`.
    pub(super) fn control(self, front: &Front, message: &Message, mut control: Control) -> Control {
        self.put_timestamp(&mut control);
        let origin = &message.origin;
        let destination = origin.destination.ip();
        let index = interface::index_of(&front.ours, destination);
        let (hop_limit, class) = (i32::from(origin.hop_limit).to_ne_bytes(), origin.traffic_class);
        if let (IpAddr::V6(address), true) = (destination, self.v6.info) {
            let info = [&address.octets()[..], &index.to_ne_bytes()].concat();
            control.put((libc::IPPROTO_IPV6, libc::IPV6_PKTINFO), &info);
        }
        match destination.to_canonical() {
            IpAddr::V6(_) => {
                if self.v6.hop_limit {
                    control.put((libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT), &hop_limit);
                }
                if self.v6.traffic_class {
                    control.put((libc::IPPROTO_IPV6, libc::IPV6_TCLASS), &i32::from(class).to_ne_bytes());
                }
            }
            IpAddr::V4(address) => {
                if self.v4.info {
                    let answers = answering_address(front, address).octets();
                    let info = [index.to_ne_bytes(), answers, address.octets()].concat();
                    control.put((libc::IPPROTO_IP, libc::IP_PKTINFO), &info);
                }
                if self.v4.hop_limit {
                    control.put((libc::IPPROTO_IP, libc::IP_TTL), &hop_limit);
                }
                if self.v4.traffic_class {
                    control.put((libc::IPPROTO_IP, libc::IP_TOS), &[class]);
                }
            }
        }
        control
    }

    fn put_timestamp(self, control: &mut Control) {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (kind, fraction) = match self {
            Wishes { timestamp_nanos: true, .. } => (libc::SCM_TIMESTAMPNS, since.subsec_nanos()),
            Wishes { timestamp: true, .. } => (libc::SO_TIMESTAMP, since.subsec_micros()),
            _ => return,
        };
        let time = [since.as_secs().to_ne_bytes(), u64::from(fraction).to_ne_bytes()].concat();
        control.put((libc::SOL_SOCKET, kind), &time);
    }
}

/// The own address from which a datagram that came to `address`, perhaps a group's, would be answered.
fn answering_address(front: &Front, address: Ipv4Addr) -> Ipv4Addr {
    if address.is_loopback() {
        return address;
    }
    let own: Vec<IpAddr> = front.ours.host().addresses().iter().map(|own| own.address()).collect();
    let first = own.iter().find_map(|own| match own {
        IpAddr::V4(own) => Some(*own),
        IpAddr::V6(_) => None,
    });
    if own.contains(&address.into()) { address } else { first.unwrap_or(address) }
}

/// What goes along with the datagram at `header`, which goes to `to` or to the peer.
///
/// # Errors
/// `EINVAL` for a message that is not understood, or out of range; `ENODEV` for an interface that there is not; `EFAULT`,
/// `ENOBUFS`.
pub(super) fn read(
    memory: Memory,
    header: &Header,
    front: &Front,
    to: Option<SocketAddr>,
) -> Result<Ancillary, Errno> {
    let mut ancillary = Ancillary::default();
    if header.control == 0 || header.control_length == 0 {
        return Ok(ancillary);
    }
    if header.control_length > MOST {
        return Err(Errno::NOBUFS);
    }
    let mut bytes = vec![0; header.control_length as usize];
    memory.read_exact(header.control, &mut bytes)?;
    let to = to.or_else(|| front.ours.peer_addr().ok());
    let reader = Reader {
        family: front.family,
        is_v4: to.is_none_or(|to| to.ip().to_canonical().is_ipv4()),
        interfaces: front.ours.host().interfaces().len(),
    };
    let mut rest = bytes.as_slice();
    while let Some((length, kind)) = parse_header(rest) {
        let data = rest.get(HEADER..length).ok_or(Errno::INVAL)?;
        reader.take(kind, data, &mut ancillary)?;
        rest = rest.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
    }
    Ok(ancillary)
}

/// The length of the control message that `bytes` begin with, its header included, and what it is.
fn parse_header(bytes: &[u8]) -> Option<(usize, Number)> {
    let (header, _) = bytes.split_first_chunk::<HEADER>()?;
    let [a, b, c, d, e, f, g, h, level @ .., i, j, k, l] = *header;
    let length = u64::from_ne_bytes([a, b, c, d, e, f, g, h]);
    let number = (i32::from_ne_bytes(level), i32::from_ne_bytes([i, j, k, l]));
    Some((usize::try_from(length).unwrap_or(usize::MAX), number))
}

/// How control messages are understood: by the family of the socket, and by that of the packet.
#[derive(Clone, Copy, Debug)]
struct Reader {
    family: Family,
    is_v4: bool,
    interfaces: usize,
}

impl Reader {
    fn take(self, (level, kind): Number, data: &[u8], ancillary: &mut Ancillary) -> Result<(), Errno> {
        match (level, kind) {
            // Marks of a real interface's packets, and what is meant for other sockets.
            (libc::SOL_SOCKET, libc::SO_MARK | libc::SO_PRIORITY | libc::SO_TIMESTAMPING) => {}
            (libc::SOL_SOCKET, libc::SCM_RIGHTS | libc::SCM_CREDENTIALS) => {}
            (libc::SOL_SOCKET | libc::SOL_UDP, _) => return Err(Errno::INVAL),
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if self.is_v4 && self.family == Family::V6 => {
                ancillary.source = self.info_v6(data, |address| address.to_ipv4_mapped().is_some())?;
            }
            (libc::IPPROTO_IP, _) if self.is_v4 => self.take_v4(kind, data, ancillary)?,
            (libc::IPPROTO_IPV6, _) if !self.is_v4 => self.take_v6(kind, data, ancillary)?,
            // As on Linux: nobody looks at those of other layers.
            _ => {}
        }
        Ok(())
    }

    fn take_v4(self, kind: i32, data: &[u8], ancillary: &mut Ancillary) -> Result<(), Errno> {
        match kind {
            libc::IP_TTL => ancillary.hop_limit = Some(byte(int(data)?, 1)?),
            libc::IP_TOS => {
                ancillary.traffic_class = Some(match data {
                    [class] => *class,
                    _ => byte(int(data)?, 0)?,
                });
            }
            libc::IP_PKTINFO => {
                // The address to come from stands between the interface and one that only `recvmsg` fills in.
                let [a, b, c, d, address @ .., _, _, _, _] =
                    <[u8; 12]>::try_from(data).map_err(|_| Errno::INVAL)?;
                self.check_interface(u32::from_ne_bytes([a, b, c, d]))?;
                let address = Ipv4Addr::from(address);
                ancillary.source = Some(match self.family {
                    Family::V4 => source(address),
                    Family::V6 => source(address.to_ipv6_mapped()),
                });
            }
            _ => return Err(Errno::INVAL),
        }
        Ok(())
    }

    fn take_v6(self, kind: i32, data: &[u8], ancillary: &mut Ancillary) -> Result<(), Errno> {
        match kind {
            libc::IPV6_HOPLIMIT | libc::IPV6_2292HOPLIMIT => {
                ancillary.hop_limit = byte_or_default(int(data)?)?
            }
            libc::IPV6_TCLASS => ancillary.traffic_class = byte_or_default(int(data)?)?,
            libc::IPV6_PKTINFO | libc::IPV6_2292PKTINFO => {
                ancillary.source = self.info_v6(data, |address| address.to_ipv4_mapped().is_none())?;
            }
            _ => return Err(Errno::INVAL),
        }
        Ok(())
    }

    /// The address to come from in a `struct in6_pktinfo`, as far as it suits; `None` if it is unspecified.
    fn info_v6(self, data: &[u8], suits: impl Fn(Ipv6Addr) -> bool) -> Result<Option<SocketAddr>, Errno> {
        let (address, rest) = data.split_first_chunk::<16>().ok_or(Errno::INVAL)?;
        let index = rest.first_chunk().ok_or(Errno::INVAL)?;
        let address = Ipv6Addr::from(*address);
        if !suits(address) {
            return Err(Errno::INVAL);
        }
        self.check_interface(u32::from_ne_bytes(*index))?;
        Ok(Some(address).filter(|address| !address.is_unspecified()).map(source))
    }

    /// Packets leave by the interface that their route says; one that is named must at least exist.
    fn check_interface(self, index: u32) -> Result<(), Errno> {
        // The loopback interface is the first.
        if index as usize <= self.interfaces + 1 { Ok(()) } else { Err(Errno::NODEV) }
    }
}

fn source(address: impl Into<IpAddr>) -> SocketAddr {
    SocketAddr::new(address.into(), 0)
}

/// Data that must be an `int`.
fn int(data: &[u8]) -> Result<i32, Errno> {
    data.try_into().map(i32::from_ne_bytes).map_err(|_| Errno::INVAL)
}

fn byte(value: i32, least: u8) -> Result<u8, Errno> {
    u8::try_from(value).ok().filter(|value| *value >= least).ok_or(Errno::INVAL)
}

/// RFC 3542 sections 6.3 and 6.5: -1 is what the socket would do anyway.
fn byte_or_default(value: i32) -> Result<Option<u8>, Errno> {
    if value == -1 { Ok(None) } else { byte(value, 0).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_or_not_understood_is_refused() {
        let v6 = Reader { family: Family::V6, is_v4: false, interfaces: 1 };
        let v4 = Reader { family: Family::V4, is_v4: true, interfaces: 1 };
        let taken = |reader: Reader, number: Number, data: &[u8]| {
            let mut ancillary = Ancillary::default();
            reader.take(number, data, &mut ancillary).map(|()| ancillary)
        };
        let number = |value: i32| value.to_ne_bytes();
        let hop_limit = (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT);
        assert_eq!(taken(v6, hop_limit, &number(2)).map(|with| with.hop_limit), Ok(Some(2)));
        assert_eq!(taken(v6, hop_limit, &number(-1)).map(|with| with.hop_limit), Ok(None));
        for data in [&number(256)[..], &number(-2), &[2], &[2, 0, 0, 0, 0]] {
            assert_eq!(taken(v6, hop_limit, data), Err(Errno::INVAL));
        }
        let ttl = (libc::IPPROTO_IP, libc::IP_TTL);
        assert_eq!(taken(v4, ttl, &number(0)), Err(Errno::INVAL));
        assert_eq!(taken(v6, ttl, &number(0)), Ok(Ancillary::default()), "of another layer");
        assert_eq!(taken(v4, (libc::IPPROTO_IP, libc::IP_TOS), &[4]).unwrap().traffic_class, Some(4));
        assert_eq!(taken(v4, (libc::SOL_UDP, 99), &[4]), Err(Errno::INVAL));
        let info = [&[3, 0, 0, 0][..], &[10, 0, 0, 2], &[0; 4]].concat();
        assert_eq!(taken(v4, (libc::IPPROTO_IP, libc::IP_PKTINFO), &info), Err(Errno::NODEV));
    }
}
