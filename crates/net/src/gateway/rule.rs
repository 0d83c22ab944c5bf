//! A rule of a gateway: a block of addresses, and perhaps a port.

use sockeye_core::wire::Cidr;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Destinations that a gateway's policy names: `CIDR[:PORT]`. A single address stands for its block; an IPv6 block with a
/// port stands in brackets.
///
/// ```
/// use sockeye::GatewayRule;
/// let web: GatewayRule = "192.0.2.0/24:443".parse()?;
/// assert!(web.covers("192.0.2.7:443".parse()?) && !web.covers("192.0.2.7:80".parse()?));
/// let all: GatewayRule = "2001:db8::/32".parse()?;
/// assert!(all.covers("[2001:db8::7]:80".parse()?));
/// assert_eq!("[2001:db8::1/32]:443".parse::<GatewayRule>()?.to_string(), "[2001:db8::/32]:443");
/// assert_eq!("10.0.0.0/8:http".parse::<GatewayRule>().unwrap_err().to_string(),
///     "'http' is not a port: a number from 1 to 65535");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GatewayRule {
    block: Cidr,
    port: Option<u16>,
}

/// Why something is no rule of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// What stands before the port is neither an address nor a block.
    #[error(
        "'{0}' is no block of addresses: write it as 192.0.2.0/24 or 192.0.2.7, with a port as 192.0.2.0/24:443, \
         and in IPv6 as 2001:db8::/32 or [2001:db8::/32]:443"
    )]
    BadBlock(String),
    /// What stands behind the colon is no port.
    #[error("'{0}' is not a port: a number from 1 to 65535")]
    BadPort(String),
    /// An IPv6 block with a port, but without brackets.
    #[error("an IPv6 block with a port stands in brackets: write '[{block}]:{port}'")]
    NoBrackets {
        /// The block.
        block: String,
        /// What seems to be the port.
        port: String,
    },
    /// IPv4 addresses in the disguise of IPv6 ones, which no destination ever has.
    #[error("'{0}' holds IPv4 addresses: write it as a block of IPv4")]
    Mapped(String),
}

impl GatewayRule {
    /// A block of addresses; at one port, or at all of them and for echo requests too.
    pub fn new(block: Cidr, port: Option<u16>) -> GatewayRule {
        GatewayRule { block: block.network(), port }
    }

    /// The block.
    pub fn block(&self) -> Cidr {
        self.block
    }

    /// The port, if it is about one only.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether a TCP connection or a datagram to `destination` is meant. An IPv4-mapped address counts as what it means.
    pub fn covers(&self, destination: SocketAddr) -> bool {
        let is_port = self.port.is_none_or(|port| port == destination.port());
        is_port && self.block.contains(destination.ip().to_canonical())
    }

    /// Whether an echo request to `destination` is meant: only a rule without port is about those.
    pub fn covers_echo(&self, destination: IpAddr) -> bool {
        self.port.is_none() && self.block.contains(destination.to_canonical())
    }
}

impl fmt::Display for GatewayRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.port, self.block.address()) {
            (None, _) => write!(f, "{}", self.block),
            (Some(port), IpAddr::V4(_)) => write!(f, "{}:{port}", self.block),
            (Some(port), IpAddr::V6(_)) => write!(f, "[{}]:{port}", self.block),
        }
    }
}

impl FromStr for GatewayRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<GatewayRule, RuleError> {
        if let Some(rest) = text.strip_prefix('[') {
            let (inside, behind) = rest.split_once(']').ok_or_else(|| RuleError::BadBlock(text.into()))?;
            let block = parse_block(inside)?;
            return match behind.strip_prefix(':') {
                Some(port) => Ok(GatewayRule::new(block, Some(parse_port(port)?))),
                None if behind.is_empty() => Ok(GatewayRule::new(block, None)),
                None => Err(RuleError::BadBlock(text.into())),
            };
        }
        let error = match parse_block(text) {
            Ok(block) => return Ok(GatewayRule::new(block, None)),
            Err(error @ RuleError::Mapped(_)) => return Err(error),
            Err(error) => error,
        };
        let Some((block, port)) = text.rsplit_once(':') else { return Err(error) };
        match parse_block(block).map_err(|_| error)? {
            parsed if parsed.address().is_ipv4() => Ok(GatewayRule::new(parsed, Some(parse_port(port)?))),
            _ => Err(RuleError::NoBrackets { block: block.into(), port: port.into() }),
        }
    }
}

/// A block, or an address that stands for itself.
fn parse_block(text: &str) -> Result<Cidr, RuleError> {
    let single = || text.parse().map(Cidr::host).ok();
    let block = text.parse().ok().or_else(single).ok_or_else(|| RuleError::BadBlock(text.into()))?;
    match block.address() {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => Err(RuleError::Mapped(text.into())),
        _ => Ok(block),
    }
}

fn parse_port(text: &str) -> Result<u16, RuleError> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| *port > 0 && is_digits);
    port.ok_or_else(|| RuleError::BadPort(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8:80", "10.0.0.0/8:80"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("192.0.2.7:443", "192.0.2.7/32:443"),
            ("0.0.0.0/0:53", "0.0.0.0/0:53"),
            ("::/0", "::/0"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("[2001:db8::1]", "2001:db8::1/128"),
            ("[2001:db8::1]:22", "[2001:db8::1/128]:22"),
            ("[10.0.0.0/8]:22", "10.0.0.0/8:22"),
        ] {
            assert_eq!(text.parse::<GatewayRule>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_rule_is_named_with_what_to_write_instead() {
        let error = |text: &str| text.parse::<GatewayRule>().unwrap_err().to_string();
        for text in ["", "example.org", "10.0.0.0/33", "10.0.0/8", "[10.0.0.0/8", "[::/0]x", "10.0.0.0/8/9"] {
            assert!(error(text).contains("is no block of addresses"), "{text}: {}", error(text));
        }
        for port in ["0", "65536", "+80", "", "http", "80 "] {
            assert_eq!(
                error(&format!("10.0.0.0/8:{port}")),
                format!("'{port}' is not a port: a number from 1 to 65535")
            );
        }
        assert!(error("2001:db8::/32:443").contains("write '[2001:db8::/32]:443'"));
        assert!(error("::ffff:10.0.0.0/104").contains("write it as a block of IPv4"));
    }

    #[test]
    fn ports_and_disguises_are_seen_through() {
        let rule: GatewayRule = "10.0.0.0/8:80".parse().unwrap();
        assert!(rule.covers("[::ffff:10.1.1.1]:80".parse().unwrap()));
        assert!(!rule.covers("[::10.1.1.1]:80".parse().unwrap()));
        assert!(!rule.covers_echo("10.1.1.1".parse().unwrap()));
        let all: GatewayRule = "10.0.0.0/8".parse().unwrap();
        assert!(all.covers_echo("::ffff:10.1.1.1".parse().unwrap()));
    }
}
