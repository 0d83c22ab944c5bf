//! What the page is told of the program and of the machine, once.

use std::fs::read_to_string;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

use super::lan::profiles;
use super::lesson;
use super::text::Encoding;
use super::text::checksum::Checksum;

/// Ports that one meets in exercises, offered for new sessions.
const PORTS: [u16; 4] = [7788, 8008, 8001, 5000];

/// `about`, as `docs/web-api.md` describes it.
pub(crate) fn about() -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "addresses": addresses(),
        "encodings": Encoding::ALL.map(Encoding::name),
        "checksums": Checksum::NAMES,
        "ports": PORTS,
        "lessons": lesson::described(),
        "profiles": profiles(),
    })
}

/// The addresses of this machine, as Linux tells of them.
fn addresses() -> Vec<Value> {
    let read = |path: &str| read_to_string(path).unwrap_or_default();
    let (trie, routes) = (read("/proc/net/fib_trie"), read("/proc/net/route"));
    let v4 = v4(&trie).into_iter().map(|address| {
        let interface =
            if address.is_loopback() { "lo" } else { interface_of(address, &routes).unwrap_or_default() };
        (IpAddr::V4(address), interface.to_owned())
    });
    let v6 = read("/proc/net/if_inet6");
    let v6 =
        v6.lines().filter_map(v6_row).map(|(address, interface)| (IpAddr::V6(address), interface.to_owned()));
    v4.chain(v6).map(|(address, interface)| json!({ "address": address, "interface": interface })).collect()
}

/// The local addresses in the kernel's tree of routes: what is marked `LOCAL` and has all 32 bits. Each stands there twice.
fn v4(trie: &str) -> Vec<Ipv4Addr> {
    let mut found: Vec<Ipv4Addr> = Vec::new();
    let mut last = None;
    for line in trie.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("|--") => last = words.next().and_then(|address| address.parse().ok()),
            Some("/32") if line.ends_with("host LOCAL") => {
                found.extend(last.filter(|address| !found.contains(address)));
            }
            _ => {}
        }
    }
    found
}

/// The interface whose network an address is of.
fn interface_of(address: Ipv4Addr, routes: &str) -> Option<&str> {
    let mut best: Option<(u32, &str)> = None;
    for row in routes.lines().skip(1) {
        let fields: Vec<&str> = row.split_ascii_whitespace().collect();
        let [interface, destination, _, _, _, _, _, mask, ..] = fields.as_slice() else { continue };
        // In the byte order of the machine.
        let number = |digits: &str| {
            u32::from_str_radix(digits, 16).ok().map(|word| u32::from_be_bytes(word.to_ne_bytes()))
        };
        let (Some(destination), Some(mask)) = (number(destination), number(mask)) else { continue };
        let is_in = mask != 0 && address.to_bits() & mask == destination;
        if is_in && best.is_none_or(|(longest, _)| mask > longest) {
            best = Some((mask, interface));
        }
    }
    best.map(|(_, interface)| interface)
}

/// A row of the table of IPv6 addresses, but for those of one link, which need more than an address.
fn v6_row(row: &str) -> Option<(Ipv6Addr, &str)> {
    let mut fields = row.split_ascii_whitespace();
    let address = Ipv6Addr::from_bits(u128::from_str_radix(fields.next()?, 16).ok()?);
    (!address.is_unicast_link_local()).then_some((address, fields.nth(4)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_understood() {
        let trie = "Main:\n     |-- 127.0.0.0\n        /8 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n     \
                    |-- 192.0.2.2\n        /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n     \
                    |-- 192.0.2.2\n        /32 host LOCAL\n";
        let here = Ipv4Addr::new(192, 0, 2, 2);
        assert_eq!(v4(trie), [Ipv4Addr::LOCALHOST, here]);
        let row = "fd000000000000000000000000000002 04 40 00 82     eth0";
        assert_eq!(v6_row(row), Some(("fd00::2".parse().unwrap(), "eth0")));
        assert_eq!(v6_row("fe8000000000000000fc00fffe000001 04 40 20 80     eth0"), None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn an_address_has_the_interface_of_its_network() {
        let routes = "Iface Destination\neth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\neth1 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n";
        assert_eq!(interface_of(Ipv4Addr::new(192, 0, 2, 2), routes), Some("eth1"));
        assert_eq!(interface_of(Ipv4Addr::new(10, 0, 0, 1), routes), None);
    }
}
