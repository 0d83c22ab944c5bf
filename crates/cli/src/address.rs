//! Addresses as users write them: `HOST:PORT`, and `[ADDR:]PORT:PORT` for what is published.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use crate::lan::parse_host_name;

/// A host by name or address, and a port: `example.org:80`, `10.0.0.2:7`, `[::1]:7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    /// A name, or an address without brackets.
    pub(crate) host: String,
    /// Never 0.
    pub(crate) port: u16,
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) =
            text.rsplit_once(':').ok_or_else(|| format!("`{text}` has no port: write HOST:PORT"))?;
        let port = parse_port(port)?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address,
            None if host.contains(':') => {
                return Err(format!(
                    "`{text}` is ambiguous: an IPv6 address goes in brackets, as in [::1]:7788"
                ));
            }
            None => host,
        };
        if host.is_empty() {
            return Err(format!("`{text}` has no host: write HOST:PORT"));
        }
        Ok(HostPort { host: host.to_owned(), port })
    }
}

/// A port of the real machine that leads to a port of a service: `[ADDR:]PORT:PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Publish {
    /// Where the real machine listens; loopback unless the user said otherwise.
    pub(crate) at: SocketAddr,
    /// The service's port.
    pub(crate) port: u16,
}

impl FromStr for Publish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is not [ADDR:]PORT:PORT, as in 8080:80 or 0.0.0.0:8080:80");
        let (outside, inside) = text.rsplit_once(':').ok_or_else(form)?;
        let (address, outside) = match outside.rsplit_once(':') {
            Some((address, port)) => {
                let address = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
                (address.parse::<IpAddr>().map_err(|_| form())?, port)
            }
            None => (IpAddr::V4(Ipv4Addr::LOCALHOST), outside),
        };
        Ok(Publish { at: SocketAddr::new(address, parse_port(outside)?), port: parse_port(inside)? })
    }
}

/// A port of the real machine that leads to a port of a host, which is known by name: `[ADDR:]PORT:HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublishHost {
    /// Where the real machine listens; loopback unless the user said otherwise.
    pub(crate) at: SocketAddr,
    /// The host.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
}

impl FromStr for PublishHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form =
            || format!("`{text}` is not [ADDR:]PORT:HOST:PORT, as in 8080:web:80 or 0.0.0.0:8080:web:80");
        let (rest, inside) = text.rsplit_once(':').ok_or_else(form)?;
        let (outside, host) = rest.rsplit_once(':').ok_or_else(form)?;
        let host = parse_host_name(host)?;
        let Publish { at, port } = format!("{outside}:{inside}").parse().map_err(|_| form())?;
        Ok(PublishHost { at, host, port })
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("`{text}` is no port: a port is a number from 1 to 65535")),
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        let parsed = |host: &str, port| Ok(HostPort { host: host.to_owned(), port });
        assert_eq!("server:7".parse(), parsed("server", 7));
        assert_eq!("[fd77::2]:7".parse(), parsed("fd77::2", 7));
        for bad in ["server", "::1:7", ":7", "server:0", "server:99999", "[]:7"] {
            assert!(bad.parse::<HostPort>().is_err(), "{bad}");
        }
    }

    #[test]
    fn published_ports_of_hosts() {
        let parsed = |at: &str, host: &str, port| {
            Ok(PublishHost { at: at.parse().unwrap(), host: host.to_owned(), port })
        };
        assert_eq!("8080:web:80".parse(), parsed("127.0.0.1:8080", "web", 80));
        assert_eq!("0.0.0.0:8080:Web-1:80".parse(), parsed("0.0.0.0:8080", "web-1", 80));
        assert_eq!("[::1]:8080:web:80".parse(), parsed("[::1]:8080", "web", 80));
        for bad in ["80", "80:web", "8080:80", "x:web:80", "8080:web:0", "8080:we_b:80", ":8080:web:80"] {
            assert!(bad.parse::<PublishHost>().is_err(), "{bad}");
        }
    }

    #[test]
    fn published_ports() {
        let parsed = |at: &str, port| Ok(Publish { at: at.parse().unwrap(), port });
        assert_eq!("8080:80".parse(), parsed("127.0.0.1:8080", 80));
        assert_eq!("0.0.0.0:8080:80".parse(), parsed("0.0.0.0:8080", 80));
        assert_eq!("[::1]:8080:80".parse(), parsed("[::1]:8080", 80));
        for bad in ["80", "x:80", "10.0.0:80:80", "80:0"] {
            assert!(bad.parse::<Publish>().is_err(), "{bad}");
        }
    }
}
