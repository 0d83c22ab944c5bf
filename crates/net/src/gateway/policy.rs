//! What may pass a gateway.

use super::rule::GatewayRule;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Whether the hosts behind a gateway reach the real machine itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostLoopback {
    /// Not at all: neither its loopback nor any other address of it.
    #[default]
    Off,
    /// What is sent to the gateway's own address, at a port where the gateway host itself does not listen, goes to the same
    /// port of the real machine's 127.0.0.1 (in IPv6: of ::1), as 10.0.2.2 does in slirp; and the real machine's other
    /// addresses count like anybody's. Its loopback addresses themselves are never reached by their names.
    On,
}

/// What may pass a gateway, and how much of it.
///
/// ```
/// use sockeye::GatewayPolicy;
/// let policy = GatewayPolicy {
///     allow: vec!["0.0.0.0/0:443".parse()?, "0.0.0.0/0:53".parse()?],
///     deny: vec!["10.0.0.0/8".parse()?],
///     ..GatewayPolicy::default()
/// };
/// assert!(policy.permits("192.0.2.7:443".parse()?));
/// assert!(!policy.permits("192.0.2.7:80".parse()?)); // not among what is allowed
/// assert!(!policy.permits("10.1.2.3:443".parse()?)); // denied: that counts more
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayPolicy {
    /// What may pass; everything, if the list is empty.
    pub allow: Vec<GatewayRule>,
    /// What may not pass, whether or not it is allowed too.
    pub deny: Vec<GatewayRule>,
    /// Whether the real machine itself is reached.
    pub host_loopback: HostLoopback,
    /// TCP connections at once, those included that are being opened; more are not answered, so that the client tries
    /// again.
    pub connections: usize,
    /// UDP flows at once (an address and port inside, and where they send to); the one that has been silent for longest
    /// makes room. Of echo requests a quarter as many.
    pub flows: usize,
    /// How long a real connection may take to be made, before the client is told that the host cannot be reached. No longer
    /// than the host holds a SYN ([`hold_time`](sockeye_core::stack::Config::hold_time)).
    pub connect_timeout: Duration,
    /// How long a silent UDP flow is remembered; after the answer to a DNS question, five seconds at most.
    pub flow_timeout: Duration,
}

impl Default for GatewayPolicy {
    fn default() -> Self {
        GatewayPolicy {
            allow: Vec::new(),
            deny: Vec::new(),
            host_loopback: HostLoopback::Off,
            connections: 1024,
            flows: 1024,
            connect_timeout: Duration::from_secs(60),
            flow_timeout: Duration::from_secs(30),
        }
    }
}

impl GatewayPolicy {
    /// Whether the rules let TCP and UDP to `destination` pass. (The real machine's own addresses are a matter of
    /// [`host_loopback`](Self::host_loopback) besides.)
    pub fn permits(&self, destination: SocketAddr) -> bool {
        self.decide(|rule| rule.covers(destination))
    }

    /// Whether the rules let echo requests to `destination` pass: only rules without port are about those.
    pub fn permits_echo(&self, destination: IpAddr) -> bool {
        self.decide(|rule| rule.covers_echo(destination))
    }

    /// What makes no sense in it, if anything.
    pub(super) fn problem(&self, hold_time: Duration) -> Option<String> {
        let (connect, flow) = (self.connect_timeout, self.flow_timeout);
        if self.connections == 0 || self.flows == 0 {
            Some("a gateway needs room for one connection and one flow at least".to_owned())
        } else if connect.is_zero() || flow.is_zero() {
            Some("a gateway's timeouts cannot be zero: nothing would ever pass".to_owned())
        } else if connect > hold_time {
            Some(format!(
                "a connect timeout of {connect:?} is longer than the host holds a SYN: {hold_time:?} at most, \
                 or build the host with a longer hold_time"
            ))
        } else {
            None
        }
    }

    fn decide(&self, covers: impl Fn(&GatewayRule) -> bool) -> bool {
        (self.allow.is_empty() || self.allow.iter().any(&covers)) && !self.deny.iter().any(&covers)
    }
}
