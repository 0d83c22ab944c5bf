//! `sockeye lan`: a LAN with a name, which the hosts of other processes join.

mod cable;
mod join;
mod name;
mod publish;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use clap::Args;
use sockeye::dns::Names;
use sockeye::{Cidr, Host, Lan, dhcp};

use crate::address::PublishHost;
use crate::failure::{Code, Failure, plain};
use crate::folder::{Claim, ClaimError, Folder};
use crate::interrupt::interrupted;
use crate::options::CableOptions;
use crate::site::{announce, drawn, with_hardware};
use crate::ss::Control;
use crate::way_out::{DOMAIN, WayOut, WayOutOptions};
use crate::web::View;
use cable::{Cables, Registry};
pub(crate) use join::{Joined, Membership, join};
pub(crate) use name::{LanName, parse_host_name};

/// The largest IP packet on a named LAN, in bytes.
pub(crate) const MTU: usize = 1500;

/// So long the last words of a connection are waited for at the end.
const FAREWELL: std::time::Duration = std::time::Duration::from_millis(500);

/// `sockeye lan`.
#[derive(Args)]
pub(crate) struct LanOptions {
    /// What the LAN is called: others join it with --on lan:NAME
    pub(crate) name: LanName,
    /// Its addresses
    #[arg(long, value_name = "CIDR", default_value = "10.0.0.0/24")]
    pub(crate) subnet: Cidr,
    /// Leave the gateway out: nobody gives out addresses then, or answers for names
    #[arg(long)]
    pub(crate) no_gateway: bool,
    /// Let a port of the real machine lead to a port of a host, while a host of that name is there; repeatable
    #[arg(long, value_name = "[ADDR:]PORT:HOST:PORT", conflicts_with = "no_gateway")]
    pub(crate) publish: Vec<PublishHost>,
    #[command(flatten)]
    pub(crate) way_out: WayOutOptions,
    #[command(flatten)]
    pub(crate) cable: CableOptions,
    /// Serve a page on 127.0.0.1 that shows the LAN live: ladder, plots, cables that can be spoiled meanwhile [port: 7780, or one
    /// that is free]
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true)]
    pub(crate) web: Option<Option<u16>>,
}

/// Makes the LAN, and lets others in until interrupted.
pub(crate) async fn run(options: LanOptions) -> Result<(), Failure> {
    let gateway = gateway_of(&options.subnet)?;
    // Before anybody is told that there is something to end.
    let interrupted = interrupted();
    let claim = claim(&options.name)?;
    let seed = options.cable.seed.unwrap_or_else(drawn);
    let conditions = options.cable.conditions();
    let cannot = |error| Failure::talking("cannot make a LAN", &error);
    let lan = Lan::builder().seed(seed).conditions(conditions).build().map_err(cannot)?;
    let view = options.web.map(|port| View::open(port, "lan")).transpose()?;
    let names = Names::new(DOMAIN);
    if let Some(view) = &view {
        view.watch_lan(&lan, Some(options.name.to_string()), Some(names.clone()))?;
    }
    let gateway = match options.no_gateway {
        true => None,
        false => Some(Gateway::start(&lan, gateway, (&options.way_out, names)).map_err(cannot)?),
    };
    if let (Some(view), Some(gateway)) = (&view, &gateway) {
        view.watch_host(&gateway.host, conditions)?;
    }
    let on_the_cables = match conditions.is_perfect() {
        true => String::new(),
        false => format!("; on every cable, both ways: {conditions}"),
    };
    let (name, subnet) = (&options.name, options.subnet.network());
    announce(&format!("the LAN {name}, {subnet}, seed {seed}{on_the_cables}"));
    match &gateway {
        Some(gateway) => {
            announce(&format!("on it: {}", with_hardware(&gateway.host)));
            gateway.way_out.warnings().iter().for_each(|warning| announce(warning));
            announce(&format!(
                "the gateway gives out addresses, and answers for names, those in .{DOMAIN} itself"
            ));
        }
        None => announce("nobody is on it: who joins says which address it has, as in --ip 10.0.0.2/24"),
    }
    announce(&format!("join it with --on lan:{name}, or from QEMU with {}", qemu(&claim)));
    let registry = gateway.as_ref().map(Gateway::registry);
    let cables = Arc::new(Cables::new(lan.clone(), registry));
    let _control = Control::start(gateway.iter().map(|gateway| gateway.host.clone()).collect());
    if let Some(gateway) = &gateway {
        publish::start(&options.publish, &gateway.host, &gateway.names)?;
    }
    let serving = cable::serve(Arc::clone(&cables), &claim).map_err(cannot)?;
    tokio::select! {
        failure = interrupted => {
            close(gateway).await;
            Err(failure)
        }
        failure = serving => Err(failure),
    }
}

/// The host that gives out addresses, answers for names, and leads out.
struct Gateway {
    host: Host,
    names: Names,
    dhcp: Arc<dhcp::Server>,
    way_out: WayOut,
}

impl Gateway {
    fn start(lan: &Lan, address: Cidr, (options, names): (&WayOutOptions, Names)) -> io::Result<Gateway> {
        let host = WayOut::prepare(lan.host("gateway").address(address)).build()?;
        names.insert("gateway", address.address());
        let dhcp = Arc::new(dhcp::Server::start(
            &host,
            dhcp::ServerOptions::default().names(&names).without_probes(),
        )?);
        let way_out = WayOut::open(&host, options, &names)?;
        Ok(Gateway { host, names, dhcp, way_out })
    }

    fn registry(&self) -> Registry {
        Registry { names: self.names.clone(), dhcp: Arc::clone(&self.dhcp) }
    }
}

async fn close(gateway: Option<Gateway>) {
    if let Some(gateway) = gateway {
        tokio::task::spawn_blocking(move || gateway.host.shutdown(FAREWELL)).await.ok();
    }
}

/// Takes the name, unless it is in use.
fn claim(name: &LanName) -> Result<Claim, Failure> {
    let folder = Folder::open()?;
    folder.claim(&name.socket()).map_err(|error| match error {
        ClaimError::Living { pid } => {
            let owner = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            let line = format!(
                "there is a LAN called {name} already{owner}: join it with --on lan:{name}, or take another name"
            );
            Failure::new(Code::Bind, line)
        }
        ClaimError::Io(error) => {
            let path = folder.path(&name.socket());
            Failure::new(Code::Bind, format!("cannot listen on {}: {}", path.display(), plain(&error)))
        }
    })
}

/// The first address of the subnet.
fn gateway_of(subnet: &Cidr) -> Result<Cidr, Failure> {
    let network = subnet.network();
    let IpAddr::V4(first) = network.address() else {
        return Err(Failure::usage(format!(
            "--subnet {subnet}: a named LAN has an IPv4 subnet, as in 10.0.0.0/24"
        )));
    };
    if !(8..=29).contains(&network.prefix()) {
        return Err(Failure::usage(format!("--subnet {subnet} is no size for a LAN: between /8 and /29")));
    }
    let first = u32::from(first).saturating_add(1);
    Cidr::new(IpAddr::V4(first.into()), network.prefix()).map_err(|error| Failure::usage(error.to_string()))
}

/// What QEMU has to be told.
fn qemu(claim: &Claim) -> String {
    let path = claim.path().display();
    format!("-netdev stream,id=n0,addr.type=unix,addr.path={path} -device virtio-net,netdev=n0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_has_the_first_address() {
        let gateway = |subnet: &str| gateway_of(&subnet.parse().unwrap()).map_err(|failure| failure.line);
        assert_eq!(gateway("10.0.0.0/24"), Ok("10.0.0.1/24".parse().unwrap()));
        assert_eq!(gateway("192.168.5.77/28"), Ok("192.168.5.65/28".parse().unwrap()));
        assert!(gateway("10.0.0.0/30").unwrap_err().contains("/29"));
        assert!(gateway("fd77::/64").unwrap_err().contains("IPv4"));
    }
}
