//! What a session is opened with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::web::trouble::Trouble;

/// What a session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SessionKind {
    /// Listens for connections.
    TcpServer,
    /// Has one.
    TcpClient,
    /// Has a socket for datagrams.
    Udp,
    /// Listens, and carries what comes to somebody else, and back.
    Forward,
}

/// Where its sockets are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "lowercase")]
pub(crate) enum PlaceName {
    /// The real machine's.
    #[default]
    Machine,
    /// Those of a host of ours.
    Lan {
        /// The LAN.
        lan: String,
        /// The host.
        host: String,
    },
}

/// The parameters of `session.open`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Opening {
    /// What it does.
    pub(crate) kind: SessionKind,
    /// Where.
    #[serde(default)]
    pub(crate) place: PlaceName,
    /// What it is called.
    #[serde(default)]
    pub(crate) title: String,
    /// Its own address.
    #[serde(default)]
    pub(crate) address: Option<IpAddr>,
    /// Its own port; any if it is not said.
    #[serde(default)]
    pub(crate) port: u16,
    /// Whom it talks to: `HOST:PORT`.
    #[serde(default)]
    pub(crate) to: Option<String>,
    /// Of UDP: whether it may send to broadcast addresses.
    #[serde(default)]
    pub(crate) broadcast: bool,
    /// Of UDP: the groups it hears.
    #[serde(default)]
    pub(crate) join: Vec<IpAddr>,
    /// Of UDP: how far its datagrams may go, as in the option `ttl`.
    #[serde(default)]
    pub(crate) ttl: Option<u8>,
    /// The settings that are not as usual.
    #[serde(default)]
    pub(crate) settings: Map<String, Value>,
}

impl Opening {
    /// What does not go together.
    ///
    /// # Errors
    /// The first such thing.
    pub(crate) fn check(&self) -> Result<(), Trouble> {
        let is_udp = self.kind == SessionKind::Udp;
        if matches!(self.kind, SessionKind::TcpClient | SessionKind::Forward) && self.to.is_none() {
            return Err(Trouble::request("`to` says whom to connect to, as HOST:PORT"));
        }
        if self.kind == SessionKind::TcpServer && self.to.is_some() {
            return Err(Trouble::request("a server connects to nobody: leave `to` away"));
        }
        if !is_udp && (self.broadcast || !self.join.is_empty() || self.ttl.is_some()) {
            return Err(Trouble::request(
                "`broadcast`, `join` and `ttl` are UDP's; TCP has its `ttl` in the settings' options",
            ));
        }
        if let Some(address) = self.join.iter().find(|address| !address.is_multicast()) {
            return Err(Trouble::request(format!(
                "{address} is no group: those are 224.0.0.0 to 239.255.255.255, and ff00::/8"
            )));
        }
        if let Some(to) = &self.to {
            split(to)?;
        }
        Ok(())
    }

    /// Where it listens: this machine alone hears, unless an address says otherwise.
    pub(crate) fn listen_at(&self, usual: IpAddr) -> SocketAddr {
        SocketAddr::new(self.address.unwrap_or(usual), self.port)
    }

    /// Where a client's own end is, if that is said.
    pub(crate) fn connect_from(&self, to: SocketAddr) -> Option<SocketAddr> {
        if self.address.is_none() && self.port == 0 {
            return None;
        }
        let any = match to {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        };
        Some(SocketAddr::new(self.address.unwrap_or(any), self.port))
    }
}

/// The host and the port of `HOST:PORT`; `[::1]:80` for IPv6.
///
/// # Errors
/// What is missing.
pub(crate) fn split(to: &str) -> Result<(&str, u16), Trouble> {
    let wrong = || {
        Trouble::new(
            "bad-address",
            format!("`{to}` is no HOST:PORT"),
            "write it like 127.0.0.1:7788 or [::1]:7788",
        )
        .with("to", to)
    };
    let (host, port) = to.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.trim().parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
    if host.trim().is_empty() { Err(wrong()) } else { Ok((host.trim(), port)) }
}
