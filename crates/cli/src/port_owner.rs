//! Who holds a port of the real machine: what Linux tells in /proc.

use std::fs;
use std::net::{IpAddr, SocketAddr};

/// Tells apart the two tables of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Listening TCP sockets.
    Tcp,
    /// UDP sockets.
    Udp,
}

/// The process that holds the port, as `python3 (pid 4711)`; nothing where it is not known or not ours to see.
pub(crate) fn port_owner(protocol: Protocol, at: SocketAddr) -> Option<String> {
    let tables = match protocol {
        Protocol::Tcp => ["/proc/net/tcp", "/proc/net/tcp6"],
        Protocol::Udp => ["/proc/net/udp", "/proc/net/udp6"],
    };
    let inode = tables.iter().find_map(|path| find_inode(&fs::read_to_string(path).ok()?, protocol, at))?;
    let wanted = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // Other users' processes cannot be looked into: passed over.
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else { continue };
        let holds = descriptors
            .flatten()
            .any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target.as_os_str() == wanted.as_str()));
        if holds {
            let program = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (pid {pid})", program.trim()));
        }
    }
    None
}

/// The inode of the socket in a table of /proc/net that stands in the way of binding `at`.
fn find_inode(table: &str, protocol: Protocol, at: SocketAddr) -> Option<u64> {
    const LISTEN: &str = "0A";
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?.parse().ok()?;
        let (address, port) = local.split_once(':')?;
        let same_port = u16::from_str_radix(port, 16).ok()? == at.port();
        let in_the_way = at.ip().is_unspecified()
            || address.chars().all(|digit| digit == '0')
            || address.eq_ignore_ascii_case(&hexadecimal(at.ip()));
        let holding = protocol == Protocol::Udp || state == LISTEN;
        (same_port && in_the_way && holding).then_some(inode)
    })
}

/// An address as /proc/net writes it: words of 32 bits in the machine's own byte order.
fn hexadecimal(address: IpAddr) -> String {
    let word = |bytes: &[u8]| {
        let bytes: [u8; 4] = bytes.try_into().unwrap_or_default();
        format!("{:08X}", u32::from_ne_bytes(bytes))
    };
    match address {
        IpAddr::V4(address) => word(&address.octets()),
        IpAddr::V6(address) => address.octets().chunks(4).map(word).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn our_own_sockets_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let pid = format!("(pid {})", std::process::id());
        for (protocol, at) in
            [(Protocol::Tcp, listener.local_addr().unwrap()), (Protocol::Udp, socket.local_addr().unwrap())]
        {
            let owner = port_owner(protocol, at).unwrap();
            assert!(owner.ends_with(&pid), "{owner}");
        }
    }

    #[test]
    fn another_address_is_not_in_the_way() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:1E6C 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1";
        let find = |at: &str| find_inode(table, Protocol::Tcp, at.parse().unwrap());
        if cfg!(target_endian = "little") {
            assert_eq!(find("127.0.0.1:7788"), Some(4242));
        }
        assert_eq!(find("0.0.0.0:7788"), Some(4242));
        assert_eq!(find("127.0.0.2:7788"), None);
        assert_eq!(find("127.0.0.1:7789"), None);
    }
}
