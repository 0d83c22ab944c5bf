//! What a route says of the connections over it, besides the way: what `ip route` calls its metrics.

use core::time::Duration;

use super::{Network, Route};
use crate::error::Error;

/// What a route says of the packets and connections of this host that take it. What is forwarded pays no heed to it.
///
/// ```
/// use sockeye_core::network::RouteAttributes;
/// let narrow = RouteAttributes { mtu: Some(640), mtu_is_locked: true, advmss: Some(600), ..RouteAttributes::default() };
/// assert_eq!(narrow.to_string(), " mtu lock 640 advmss 600");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteAttributes {
    /// The largest packet, in bytes; never more than the interface's. IPv4 counts nothing below 68, IPv6 below 1,280.
    pub mtu: Option<usize>,
    /// Nothing that routers report changes it (`mtu lock`): there is no path MTU discovery, and routers may cut packets.
    pub mtu_is_locked: bool,
    /// The MSS that TCP announces, whatever the MTU.
    pub advmss: Option<u16>,
    /// The initial congestion window of a connection, in segments.
    pub initcwnd: Option<u32>,
    /// The lower bound of a connection's retransmission time-out.
    pub rto_min: Option<Duration>,
    /// Connections ask for ECN here, and grant it, whatever the host does otherwise (`features ecn`).
    pub ecn: bool,
}

impl RouteAttributes {
    /// Whether they say anything.
    pub fn is_empty(&self) -> bool {
        *self == RouteAttributes::default()
    }
}

impl core::fmt::Display for RouteAttributes {
    /// In the words of `ip route`, with a space in front of each.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let lock = if self.mtu_is_locked { "lock " } else { "" };
        if let Some(mtu) = self.mtu {
            write!(f, " mtu {lock}{mtu}")?;
        }
        if let Some(advmss) = self.advmss {
            write!(f, " advmss {advmss}")?;
        }
        if let Some(initcwnd) = self.initcwnd {
            write!(f, " initcwnd {initcwnd}")?;
        }
        if let Some(rto_min) = self.rto_min {
            write!(f, " rto_min {}ms", rto_min.as_millis())?;
        }
        if self.ecn {
            f.write_str(" features ecn")?;
        }
        Ok(())
    }
}

impl Network {
    /// Says what holds on a route; what was said before is forgotten. What is on its way, and the MSS that was announced
    /// already, stay as they are.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a route that is not there, or an MTU below the least that IP knows.
    pub fn set_route_attributes(&mut self, route: &Route, attributes: RouteAttributes) -> Result<(), Error> {
        let least = if route.destination.address().is_ipv4() { 68 } else { 1280 };
        let is_lawful = match attributes.mtu {
            // A locked MTU is meant literally: experiments with narrow paths have it below what IPv6 guarantees.
            Some(mtu) => mtu >= if attributes.mtu_is_locked { 68 } else { least },
            None => !attributes.mtu_is_locked,
        };
        if !is_lawful || !self.routes.set_attributes(route, attributes) {
            return Err(Error::InvalidArgument);
        }
        Ok(())
    }

    /// What holds on a route, if it is there.
    pub fn route_attributes(&self, route: &Route) -> Option<RouteAttributes> {
        self.routes.attributes(route)
    }
}
