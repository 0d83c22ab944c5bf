//! The gateway of a LAN, as the command line describes it: the way out to the world, and the names.

use std::io;
use std::net::IpAddr;

use clap::Args;
use sockeye::dns::{NameService, Names, Resolvers};
use sockeye::{Gateway, GatewayPolicy, GatewayRule, Host, HostBuilder, HostLoopback};

/// The domain of the hosts of a LAN.
pub(crate) const DOMAIN: &str = "lan";

/// What may leave the LAN.
#[derive(Args)]
#[command(next_help_heading = "The way out")]
pub(crate) struct WayOutOptions {
    /// Let only this out, with a port only that; repeatable: 192.0.2.0/24, 192.0.2.7:443, [2001:db8::/32]:80
    #[arg(long, value_name = "CIDR[:PORT]", conflicts_with = "no_gateway")]
    allow: Vec<GatewayRule>,
    /// Do not let this out, even if it is allowed; repeatable
    #[arg(long, value_name = "CIDR[:PORT]", conflicts_with = "no_gateway")]
    deny: Vec<GatewayRule>,
    /// Let the gateway's own address lead to the real machine: its ports there are those of 127.0.0.1
    #[arg(long, conflicts_with = "no_gateway")]
    host_loopback: bool,
}

impl WayOutOptions {
    /// The first of them that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            (!self.allow.is_empty(), "--allow"),
            (!self.deny.is_empty(), "--deny"),
            (self.host_loopback, "--host-loopback"),
        ];
        given.into_iter().find_map(|(given, name)| given.then_some(name))
    }

    fn policy(&self) -> GatewayPolicy {
        GatewayPolicy {
            allow: self.allow.clone(),
            deny: self.deny.clone(),
            host_loopback: if self.host_loopback { HostLoopback::On } else { HostLoopback::Off },
            ..GatewayPolicy::default()
        }
    }
}

/// A gateway at work: dropped, nothing leaves any more, and nobody answers for names.
pub(crate) struct WayOut {
    gateway: Gateway,
    _names: NameService,
}

impl WayOut {
    /// What a host needs to become the gateway: to take packets for any address, and to be whom the real machine's programs
    /// ask for names. So a program asks us without knowing it, whatever its `resolv.conf` says.
    pub(crate) fn prepare(builder: HostBuilder) -> HostBuilder {
        asked_outside().into_iter().fold(builder.any_address(), HostBuilder::loopback_address)
    }

    /// Opens the way on a host so prepared.
    ///
    /// # Errors
    /// When no thread or no descriptor is left.
    pub(crate) fn open(host: &Host, options: &WayOutOptions, names: &Names) -> io::Result<WayOut> {
        let gateway = Gateway::open(host, options.policy())?;
        let mut addresses: Vec<IpAddr> = host.addresses().iter().map(|cidr| cidr.address()).collect();
        addresses.extend(asked_outside());
        let names = NameService::start_at(host, &addresses, names, Resolvers::System)?;
        Ok(WayOut { gateway, _names: names })
    }

    /// What does not work on this machine, and why.
    pub(crate) fn warnings(&self) -> &[String] {
        self.gateway.warnings()
    }
}

/// Those of the real machine's resolvers that are other machines.
fn asked_outside() -> Vec<IpAddr> {
    Resolvers::System.current().into_iter().filter(|resolver| !is_here(resolver)).collect()
}

/// Whom the programs of a host ask for names on the host itself, because the real machine's ask themselves. (With no resolver
/// named at all, that is whom the C library asks.)
pub(crate) fn asked_inside() -> Vec<IpAddr> {
    let resolvers = Resolvers::System.current();
    match resolvers.is_empty() {
        true => vec![IpAddr::from([127, 0, 0, 1])],
        false => resolvers.into_iter().filter(is_here).collect(),
    }
}

fn is_here(resolver: &IpAddr) -> bool {
    resolver.is_loopback() || resolver.is_unspecified()
}
