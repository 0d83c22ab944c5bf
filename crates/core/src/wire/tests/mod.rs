//! What holds for every protocol at once: known bytes, round trips, truncation, and bytes of no protocol at all.

mod arbitrary;
mod bytes;
mod descriptions;
mod options;
mod roundtrip;
mod sums;
mod truncation;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;

const V4: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];
const V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2)];

/// From the first address to the second.
fn pseudo_v4(protocol: Protocol) -> PseudoHeader {
    PseudoHeader::new(V4[0].into(), V4[1].into(), protocol, 0)
}

/// From the first address to the second.
fn pseudo_v6(protocol: Protocol) -> PseudoHeader {
    PseudoHeader::new(V6[0].into(), V6[1].into(), protocol, 0)
}

/// Bytes from hexadecimal digits.
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    assert_eq!(digits.len() % 2, 0);
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// An IPv6 packet with `next` named by the fixed header, and its payload.
fn v6_packet(next: u8, payload: &[u8]) -> Vec<u8> {
    let header = ipv6::Ipv6Header {
        payload_length: payload.len(),
        ..ipv6::Ipv6Header::new(V6[0], V6[1], next.into())
    };
    let mut headers = Headers::new();
    header.prepend(&mut headers);
    [headers.as_slice(), payload].concat()
}

fn any_ip(is_v6: bool, first: u128) -> IpAddr {
    if is_v6 { Ipv6Addr::from_bits(first).into() } else { Ipv4Addr::from_bits(first as u32).into() }
}
