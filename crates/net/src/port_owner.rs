//! Who holds a port of the real machine, as far as `/proc` shows it.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// Which of the real machine's protocols a port belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TCP: listening sockets.
    Tcp,
    /// UDP: bound sockets.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
        })
    }
}

/// The program that holds a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortOwner {
    /// Its process number.
    pub pid: u32,
    /// Its name, as `ps` shows it.
    pub program: String,
}

impl fmt::Display for PortOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.program, self.pid)
    }
}

impl PortOwner {
    /// Who holds `address` on this machine. `None` where the system does not show it: on other systems than Linux,
    /// and for processes of other users.
    pub fn find(protocol: Protocol, address: SocketAddr) -> Option<PortOwner> {
        let inode = inode(protocol, address)?;
        let wanted = format!("socket:[{inode}]");
        for entry in std::fs::read_dir("/proc").ok()?.flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let Ok(descriptors) = std::fs::read_dir(entry.path().join("fd")) else { continue };
            let holds = descriptors
                .flatten()
                .filter_map(|descriptor| std::fs::read_link(descriptor.path()).ok())
                .any(|target| target.as_os_str() == wanted.as_str());
            if holds {
                let program = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
                let program = program.trim_end();
                let program = if program.is_empty() { "a program" } else { program };
                return Some(PortOwner { pid, program: program.to_owned() });
            }
        }
        None
    }
}

/// `error`, with the address in it, and with the holder of the port if that is what is wrong.
pub(crate) fn explain(error: io::Error, protocol: Protocol, address: SocketAddr) -> io::Error {
    let text = match error.kind() {
        io::ErrorKind::AddrInUse => match PortOwner::find(protocol, address) {
            Some(owner) => {
                format!("{protocol} port {} of {} is in use by {owner}", address.port(), address.ip())
            }
            None => {
                format!("{protocol} port {} of {} is in use by another program", address.port(), address.ip())
            }
        },
        _ => format!("cannot listen on {protocol} {address}: {error}"),
    };
    io::Error::new(error.kind(), text)
}

/// The inode of the socket that holds `address`, from the kernel's tables.
fn inode(protocol: Protocol, address: SocketAddr) -> Option<u64> {
    let tables = match protocol {
        Protocol::Tcp => ["/proc/net/tcp", "/proc/net/tcp6"],
        Protocol::Udp => ["/proc/net/udp", "/proc/net/udp6"],
    };
    tables.into_iter().find_map(|table| {
        let table = std::fs::read_to_string(table).ok()?;
        table.lines().skip(1).find_map(|line| parse_row(line, protocol, address))
    })
}

/// The inode in one row of a table, if the row's socket is in the way of `address`.
fn parse_row(row: &str, protocol: Protocol, address: SocketAddr) -> Option<u64> {
    // TCP_LISTEN; UDP sockets without a peer are in TCP_CLOSE.
    const LISTEN: &str = "0A";
    let mut fields = row.split_ascii_whitespace();
    let (ip, port) = fields.nth(1)?.split_once(':')?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?.parse().ok()?;
    let is_same_port = u16::from_str_radix(port, 16).ok()? == address.port();
    let is_listening = protocol == Protocol::Udp || state == LISTEN;
    let held = parse_address(ip)?;
    let overlaps = held.is_unspecified() || address.ip().is_unspecified() || held == address.ip();
    (is_same_port && is_listening && overlaps && inode != 0).then_some(inode)
}

/// An address as the tables write it: 32-bit words in the byte order of the machine.
fn parse_address(text: &str) -> Option<IpAddr> {
    let mut words = [0u32; 4];
    let count = text.len() / 8;
    for (word, index) in words.iter_mut().zip(0..count) {
        let digits = text.get(index * 8..index * 8 + 8)?;
        *word = u32::from_str_radix(digits, 16).ok()?;
    }
    let bytes = words.map(u32::to_ne_bytes);
    match (count, text.len() % 8) {
        (1, 0) => Some(IpAddr::from(*bytes.first()?)),
        (4, 0) => {
            let mut octets = [0; 16];
            for (octet, byte) in octets.iter_mut().zip(bytes.as_flattened()) {
                *octet = *byte;
            }
            Some(IpAddr::from(octets).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn a_row_of_the_kernels_table_is_understood() {
        let row = "   0: 0100007F:1E6C 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 123456 1 0000000000000000 100 0 0 10 0";
        let here: SocketAddr = "127.0.0.1:7788".parse().unwrap();
        assert_eq!(parse_row(row, Protocol::Tcp, here), Some(123_456));
        assert_eq!(parse_row(row, Protocol::Tcp, "0.0.0.0:7788".parse().unwrap()), Some(123_456));
        assert_eq!(parse_row(row, Protocol::Tcp, "127.0.0.2:7788".parse().unwrap()), None);
        assert_eq!(parse_row(row, Protocol::Tcp, "127.0.0.1:7789".parse().unwrap()), None);
        let connected = row.replace(" 0A ", " 01 ");
        assert_eq!(parse_row(&connected, Protocol::Tcp, here), None);
        assert_eq!(parse_row("nonsense", Protocol::Tcp, here), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_program_is_found_by_its_own_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let owner = PortOwner::find(Protocol::Tcp, listener.local_addr().unwrap()).unwrap();
        assert_eq!(owner.pid, std::process::id());
        let socket = std::net::UdpSocket::bind("[::1]:0");
        if let Ok(socket) = socket {
            let owner = PortOwner::find(Protocol::Udp, socket.local_addr().unwrap()).unwrap();
            assert_eq!(owner.pid, std::process::id());
        }
    }
}
