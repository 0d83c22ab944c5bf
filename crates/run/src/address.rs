//! Socket addresses as the system calls have them: `struct sockaddr_in` and `sockaddr_in6`.

use rustix::io::Errno;
use sockeye::Family;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The most bytes that the kernel takes as an address.
pub(crate) const LONGEST: usize = 128;

/// What a program says where an address is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// An address of the Internet.
    Address(SocketAddr),
    /// `AF_UNSPEC`: none.
    Unspecified,
}

/// The bytes of `address`.
pub(crate) fn encode(address: SocketAddr) -> Vec<u8> {
    match address {
        SocketAddr::V4(v4) => {
            let mut bytes = Vec::with_capacity(16);
            bytes.extend((libc::AF_INET as u16).to_ne_bytes());
            bytes.extend(v4.port().to_be_bytes());
            bytes.extend(v4.ip().octets());
            bytes.extend([0; 8]);
            bytes
        }
        SocketAddr::V6(v6) => {
            let mut bytes = Vec::with_capacity(28);
            bytes.extend((libc::AF_INET6 as u16).to_ne_bytes());
            bytes.extend(v6.port().to_be_bytes());
            bytes.extend(v6.flowinfo().to_be_bytes());
            bytes.extend(v6.ip().octets());
            bytes.extend(v6.scope_id().to_ne_bytes());
            bytes
        }
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// What `bytes` say to a socket of `family`.
///
/// # Errors
/// `EINVAL` if they are too few; `EAFNOSUPPORT` for any other family.
pub(crate) fn decode(bytes: &[u8], family: Family) -> Result<Given, Errno> {
    let named = i32::from(u16::from_ne_bytes(array(bytes, 0).ok_or(Errno::INVAL)?));
    match named {
        libc::AF_UNSPEC => Ok(Given::Unspecified),
        libc::AF_INET if family == Family::V4 => {
            let (Some(port), Some(ip), true) = (array(bytes, 2), array::<4>(bytes, 4), bytes.len() >= 16)
            else {
                return Err(Errno::INVAL);
            };
            Ok(Given::Address(SocketAddr::new(Ipv4Addr::from(ip).into(), u16::from_be_bytes(port))))
        }
        libc::AF_INET6 if family == Family::V6 => {
            let (Some(port), Some(ip)) = (array(bytes, 2), array::<16>(bytes, 8)) else {
                return Err(Errno::INVAL);
            };
            let scope = array(bytes, 24).map_or(0, u32::from_ne_bytes);
            let address = SocketAddrV6::new(Ipv6Addr::from(ip), u16::from_be_bytes(port), 0, scope);
            Ok(Given::Address(address.into()))
        }
        _ => Err(Errno::AFNOSUPPORT),
    }
}

/// The address that names none, in the form of `family`.
pub(crate) fn unspecified(family: Family) -> SocketAddr {
    SocketAddr::new(family.unspecified(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_went() {
        for (text, family) in [("10.0.0.2:7788", Family::V4), ("[fd00::2]:80", Family::V6)] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(decode(&encode(address), family), Ok(Given::Address(address)));
        }
    }

    #[test]
    fn what_is_no_address_of_the_family_is_refused() {
        let v4 = encode("10.0.0.2:80".parse().unwrap());
        assert_eq!(decode(&v4, Family::V6), Err(Errno::AFNOSUPPORT));
        assert_eq!(decode(&v4[..15], Family::V4), Err(Errno::INVAL));
        assert_eq!(decode(&[], Family::V4), Err(Errno::INVAL));
        assert_eq!(decode(&[0, 0], Family::V4), Ok(Given::Unspecified));
        assert_eq!(decode(&[9, 9, 1], Family::V4), Err(Errno::AFNOSUPPORT));
    }
}
