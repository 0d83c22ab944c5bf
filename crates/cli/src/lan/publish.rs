//! Ports of the real machine that lead to hosts of a named LAN, as long as these are there.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use sockeye::dns::Names;
use sockeye::{Host, PortOwner, Protocol, Published};

use crate::address::PublishHost;
use crate::failure::{Code, Failure, plain};
use crate::site::announce;

/// How often a port is looked at without a change of names: it may be in use now, and free later.
const GLANCE: Duration = Duration::from_secs(2);

/// A port, and where it leads at the moment.
struct Way {
    wish: PublishHost,
    open: Option<(SocketAddr, Published)>,
    /// What was last said of it, so that it is said once.
    said: String,
}

/// Publishes the ports, by way of the host `gateway`, from now to the end of the process.
///
/// # Errors
/// When one of the ports is in use.
pub(super) fn start(wishes: &[PublishHost], gateway: &Host, names: &Names) -> Result<(), Failure> {
    if wishes.is_empty() {
        return Ok(());
    }
    for wish in wishes {
        check(wish)?;
    }
    let ways = wishes.iter().map(|wish| Way { wish: wish.clone(), open: None, said: String::new() });
    let mut ways: Vec<Way> = ways.collect();
    let (gateway, names) = (gateway.clone(), names.clone());
    let started = std::thread::Builder::new().name("publish".into()).spawn(move || {
        let mut seen = 0;
        loop {
            for way in &mut ways {
                way.follow(&gateway, &names);
            }
            seen = names.wait_for_change(seen, GLANCE);
        }
    });
    started.map(drop).map_err(|error| Failure::talking("cannot publish", &error))
}

/// Whether the real machine's port can be had.
fn check(wish: &PublishHost) -> Result<(), Failure> {
    let PublishHost { at, host, port } = wish;
    let taken = std::net::TcpListener::bind(at).and_then(|_| std::net::UdpSocket::bind(at));
    let error = match taken {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    let why = match error.kind() {
        ErrorKind::AddrInUse => {
            let owner = [Protocol::Tcp, Protocol::Udp].into_iter().find_map(|p| PortOwner::find(p, *at));
            let owner = owner.map(|owner| format!(" by {owner}")).unwrap_or_default();
            format!("port {} of {} is in use{owner}", at.port(), at.ip())
        }
        _ => format!("cannot listen on {at}: {}", plain(&error)),
    };
    let other = at.port().checked_add(1).unwrap_or(1024);
    Err(Failure::new(Code::Bind, format!("{why}; another leads there with --publish {other}:{host}:{port}")))
}

impl Way {
    /// Leads to where the host is now.
    fn follow(&mut self, gateway: &Host, names: &Names) {
        let PublishHost { at, host, port } = &self.wish;
        let target = names.addresses(host).first().map(|address| SocketAddr::new(*address, *port));
        if self.open.as_ref().map(|(target, _)| *target) == target {
            return;
        }
        let was_open = self.open.take().is_some();
        let said = match target {
            None if was_open => format!("{host} is gone, and {at} leads nowhere"),
            None => return,
            Some(target) => match gateway.publish(*at, target) {
                Ok(published) => {
                    self.open = Some((target, published));
                    format!("{host}:{port} ({target}) is published on {at}")
                }
                Err(error) => format!("{host}:{port} is not published: {}", plain(&error)),
            },
        };
        if said != self.said {
            announce(&said);
            self.said = said;
        }
    }
}
