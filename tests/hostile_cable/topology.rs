//! The hosts of a scenario, and what lies between them.

use std::net::IpAddr;

use sockeye_core::error::Error;
use sockeye_core::lan::Observing;
use sockeye_core::network::{Forwarding, InterfaceId, Route};
use sockeye_core::sim::{HostConfig, HostId, LanId, Simulation};
use sockeye_core::socket::Family;
use sockeye_core::stack::Config;
use sockeye_core::wire::Cidr;

use crate::scenario::Scenario;

/// Client and server on one LAN, or with two routers between them.
pub struct Topology {
    pub client: HostId,
    pub server: HostId,
    pub server_address: IpAddr,
    /// The LANs, with the names of the hosts at their ports.
    pub lans: Vec<(LanId, [&'static str; 2])>,
}

/// The address of host `host` on LAN `lan`, with the LAN's prefix.
fn address(family: Family, lan: usize, host: usize) -> Result<Cidr, Error> {
    let address = match family {
        Family::V4 => format!("10.0.{lan}.{host}/24"),
        Family::V6 => format!("fd00:{lan}::{host}/64"),
    };
    address.parse().map_err(|_| Error::InvalidArgument)
}

struct Builder<'a> {
    sim: &'a mut Simulation,
    scenario: &'a Scenario,
    lans: Vec<(LanId, [&'static str; 2])>,
}

impl Builder<'_> {
    fn lan(&mut self, observing: Observing, names: [&'static str; 2]) -> LanId {
        let lan = self.sim.add_lan();
        self.sim.lan_mut(lan).set_observing(observing);
        self.lans.push((lan, names));
        lan
    }

    fn host(
        &mut self,
        name: &str,
        lan: LanId,
        cidr: Cidr,
        end: usize,
        config: Config,
    ) -> Result<HostId, Error> {
        let (mtu, conditions) = (self.scenario.mtu[end], self.scenario.cables[end]);
        self.sim.add_host(lan, HostConfig { mtu, conditions, config, ..HostConfig::new(name, cidr) })
    }

    /// A router between two LANs, on perfect cables.
    fn router(&mut self, name: &str, lans: [(LanId, Cidr, usize); 2]) -> Result<HostId, Error> {
        let config = Config { forwarding: Forwarding::On, ..Config::default() };
        let [one, two] =
            lans.map(|(lan, cidr, mtu)| (lan, HostConfig { mtu, ..HostConfig::new(name, cidr) }));
        let router = self.sim.add_host(one.0, HostConfig { config, ..one.1 })?;
        self.sim.add_interface(router, two.0, &two.1)?;
        Ok(router)
    }

    fn route(&mut self, host: HostId, interface: u8, gateway: Cidr) -> Result<(), Error> {
        let everywhere = match self.scenario.family {
            Family::V4 => "0.0.0.0/0",
            Family::V6 => "::/0",
        };
        let destination = everywhere.parse().map_err(|_| Error::InvalidArgument)?;
        let (gateway, interface) = (Some(gateway.address()), InterfaceId(interface));
        self.sim.stack_mut(host).add_route(Route { destination, gateway, interface, metric: 0 })
    }
}

/// Builds the hosts of a scenario.
pub fn build(
    sim: &mut Simulation,
    scenario: &Scenario,
    observing: Observing,
    config: Config,
) -> Result<Topology, Error> {
    let cidr = |lan, host| address(scenario.family, lan, host);
    let mut builder = Builder { sim, scenario, lans: Vec::new() };
    let Some(bottleneck) = scenario.bottleneck else {
        let lan = builder.lan(observing, ["client", "server"]);
        let client = builder.host("client", lan, cidr(1, 1)?, 0, config.clone())?;
        let server = builder.host("server", lan, cidr(1, 2)?, 1, config)?;
        return Ok(Topology { client, server, server_address: cidr(1, 2)?.address(), lans: builder.lans });
    };
    let left = builder.lan(observing, ["client", "router 1"]);
    let middle = builder.lan(observing, ["router 1", "router 2"]);
    let right = builder.lan(observing, ["server", "router 2"]);
    let client = builder.host("client", left, cidr(1, 1)?, 0, config.clone())?;
    let server = builder.host("server", right, cidr(3, 1)?, 1, config)?;
    let [left_mtu, right_mtu] = scenario.mtu;
    let one =
        builder.router("router 1", [(left, cidr(1, 2)?, left_mtu), (middle, cidr(2, 1)?, bottleneck)])?;
    let two =
        builder.router("router 2", [(middle, cidr(2, 2)?, bottleneck), (right, cidr(3, 2)?, right_mtu)])?;
    builder.route(client, 1, cidr(1, 2)?)?;
    builder.route(server, 1, cidr(3, 2)?)?;
    builder.route(one, 2, cidr(2, 2)?)?;
    builder.route(two, 1, cidr(2, 1)?)?;
    Ok(Topology { client, server, server_address: cidr(3, 1)?.address(), lans: builder.lans })
}
