//! Options of raw sockets (`raw(7)`, RFC 3542 sections 3.1 and 3.2): headers, checksums, and filters for ICMP.

use super::{Call, Outcome};
use crate::entry::errno;
use rustix::io::Errno;
use sockeye::{Family, IcmpFilter, IpProtocol, Kind, OptionName, SocketOption};

/// The level of options that raw sockets of any protocol have.
const SOL_RAW: i32 = 255;
/// The option's number at that level, and at the level of ICMPv6.
const FILTER: i32 = 1;
/// `IPV6_HDRINCL`.
const IPV6_HDRINCL: i32 = 36;

/// The option of the stack that is meant. `None` where a socket of this family has no such option.
pub(super) fn name(family: Family, number: (i32, i32)) -> Option<OptionName> {
    Some(match (number, family) {
        ((libc::IPPROTO_IP, libc::IP_HDRINCL), Family::V4) => OptionName::HeaderIncluded,
        ((libc::IPPROTO_IPV6, IPV6_HDRINCL), Family::V6) => OptionName::HeaderIncluded,
        ((SOL_RAW, FILTER), Family::V4) => OptionName::IcmpFilter,
        ((libc::IPPROTO_ICMPV6, FILTER), Family::V6) => OptionName::IcmpFilter,
        ((SOL_RAW | libc::IPPROTO_IPV6, libc::IPV6_CHECKSUM), Family::V6) => OptionName::ChecksumOffset,
        _ => return None,
    })
}

/// Sets an option, to the `length` bytes at `at`.
pub(super) fn set(call: &mut Call<'_>, name: OptionName, at: u64, length: usize) -> Outcome {
    let option = match name {
        OptionName::IcmpFilter => {
            let mut bytes = get(call, name)?;
            let given = length.min(bytes.len());
            call.memory.read_exact(at, bytes.get_mut(..given).unwrap_or_default())?;
            SocketOption::IcmpFilter(filter(&bytes))
        }
        OptionName::HeaderIncluded => SocketOption::HeaderIncluded(number(call, at, length)? != 0),
        _ => {
            // What ICMPv6 does anyway may be asked for at one level, and not at the other (RFC 3542 section 3.1).
            let is_icmpv6 = call.entry.front.kind == Kind::Raw(IpProtocol::Icmpv6);
            if is_icmpv6 && call.int(1) == libc::IPPROTO_IPV6 {
                return Err(Errno::INVAL);
            }
            SocketOption::ChecksumOffset(match number(call, at, length)? {
                ..0 => None,
                offset => Some(u16::try_from(offset).map_err(|_| Errno::INVAL)?),
            })
        }
    };
    super::option::set_option(call, option)
}

fn number(call: &Call<'_>, at: u64, length: usize) -> Result<i32, Errno> {
    let mut byte = [0];
    match length {
        0 => Err(Errno::INVAL),
        1..4 if call.int(1) == libc::IPPROTO_IP => {
            call.memory.read_exact(at, &mut byte)?;
            let [byte] = byte;
            Ok(byte.into())
        }
        1..4 => Err(Errno::INVAL),
        _ => Ok(call.memory.read_u32(at)? as i32),
    }
}

/// An option's value, in bytes.
///
/// # Errors
/// `ENOPROTOOPT` on a socket that is not raw; `EOPNOTSUPP` for the filter of one that is not ICMP's.
pub(super) fn get(call: &Call<'_>, name: OptionName) -> Result<Vec<u8>, Errno> {
    let front = &call.entry.front;
    // Every socket of IPv4 says that it does not.
    if name == OptionName::HeaderIncluded && front.family == Family::V4 && !matches!(front.kind, Kind::Raw(_))
    {
        return Ok(0i32.to_ne_bytes().to_vec());
    }
    Ok(match front.ours.option(name).map_err(|error| errno(&error))? {
        SocketOption::IcmpFilter(filter) => {
            let words = filter.words().map(u32::to_ne_bytes).concat();
            // That of IPv4 knows the types up to 31 only.
            words.get(..if front.family == Family::V4 { 4 } else { 32 }).unwrap_or_default().to_vec()
        }
        SocketOption::HeaderIncluded(on) => i32::from(on).to_ne_bytes().to_vec(),
        SocketOption::ChecksumOffset(offset) => offset.map_or(-1, i32::from).to_ne_bytes().to_vec(),
        _ => return Err(Errno::NOPROTOOPT),
    })
}

fn filter(bytes: &[u8]) -> IcmpFilter {
    let mut words = [0; 8];
    let (given, _) = bytes.as_chunks::<4>();
    for (word, bytes) in words.iter_mut().zip(given) {
        *word = u32::from_ne_bytes(*bytes);
    }
    IcmpFilter::new(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_of_their_family() {
        let included = (libc::IPPROTO_IP, libc::IP_HDRINCL);
        assert_eq!(name(Family::V4, included), Some(OptionName::HeaderIncluded));
        assert_eq!(name(Family::V6, included), None);
        assert_eq!(name(Family::V6, (SOL_RAW, FILTER)), None);
        assert_eq!(name(Family::V6, (SOL_RAW, libc::IPV6_CHECKSUM)), Some(OptionName::ChecksumOffset));
        assert_eq!(filter(&1u32.to_ne_bytes()), IcmpFilter::PASS_ALL.block(0));
    }
}
