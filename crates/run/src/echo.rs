//! ICMP echo messages (RFC 792, RFC 4443 4.1), as programs write them to and read them from echo sockets.

use rustix::io::Errno;
use sockeye::Family;
use sockeye::sockeye_core::wire::checksum;

const HEADER: usize = 8;

/// The type of a request and of its reply.
fn types(family: Family) -> (u8, u8) {
    match family {
        Family::V4 => (8, 0),
        Family::V6 => (128, 129),
    }
}

/// The sequence number and the data of a request. Its identifier and checksum are the stack's business, as on Linux.
///
/// # Errors
/// `EINVAL` for anything else.
pub(crate) fn parse_request(bytes: &[u8], family: Family) -> Result<(u16, &[u8]), Errno> {
    match bytes {
        [kind, 0, _, _, _, _, high, low, data @ ..] if *kind == types(family).0 => {
            Ok((u16::from_be_bytes([*high, *low]), data))
        }
        _ => Err(Errno::INVAL),
    }
}

/// A reply.
pub(crate) fn reply(family: Family, identifier: u16, sequence: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + data.len());
    bytes.extend([types(family).1, 0, 0, 0]);
    bytes.extend(identifier.to_be_bytes());
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(data);
    // An IPv6 checksum covers addresses too, and was checked before the message came here.
    if family == Family::V4 {
        let sum = (!checksum::sum(&bytes)).to_be_bytes();
        bytes.splice(2..4, sum);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_understood_and_replies_add_up() {
        let request = [8, 0, 0, 0, 1, 2, 3, 4, b'x'];
        assert_eq!(parse_request(&request, Family::V4), Ok((0x0304, &b"x"[..])));
        assert_eq!(parse_request(&request, Family::V6), Err(Errno::INVAL));
        assert_eq!(parse_request(&request[..7], Family::V4), Err(Errno::INVAL));
        let reply = reply(Family::V4, 0x0102, 0x0304, b"abc");
        assert_eq!(reply.len(), 11);
        assert_eq!(checksum::sum(&reply), 0xffff);
    }
}
