//! `sockeye serve`.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use encoding_rs::Encoding;
use sockeye::{Cidr, PortOwner, Protocol};

use crate::address::Publish;
use crate::command::Serve;
use crate::failure::{Code, Failure, plain};
use crate::interrupt::interrupted;
use crate::options::{EncodesText, On};
use crate::place::{Os, Place};
use crate::service::{Service, ServiceAt, serve_datagrams, serve_http, serve_streams};
use crate::site::{Role, Site, Wish, announce};
use crate::watch::JsonTo;

/// Serves until interrupted.
pub(crate) async fn run(mut options: Serve) -> Result<(), Failure> {
    let replies = options.services.iter().any(|at| matches!(at.service, Service::Reply(_)));
    options.common.check(if replies { EncodesText::Yes } else { EncodesText::No })?;
    options.common.check_congestion(options.congestion)?;
    check_ports(&options)?;
    if let Some(encoding) = options.common.seeing.encoding {
        encode_replies(&mut options.services, encoding)?;
    }
    // Before anybody is told that there is something to end.
    let interrupted = interrupted();
    match options.common.place.on {
        On::Os => {
            for ServiceAt { service, port } in &options.services {
                for at in published_at(*port, &options.publish) {
                    open(&Os, service, at).await.map_err(|error| cannot_take(at, &error))?;
                    announce(&format!("{} on {at}; try {}", service.name(), how_to_try(service, at)));
                }
            }
            Err(interrupted.await)
        }
        On::Lan | On::Named(_) | On::Tap(_) | On::Tun(_) => serve_on_site(&options, interrupted).await,
    }
}

async fn serve_on_site(options: &Serve, interrupted: impl Future<Output = Failure>) -> Result<(), Failure> {
    let is_lan = options.common.place.on == On::Lan;
    if !is_lan && !options.publish.is_empty() {
        let line =
            "--publish is for the private LAN and the real machine: a host elsewhere is reached where it is";
        return Err(Failure::usage(line));
    }
    let site = Site::build(&Wish {
        common: &options.common,
        role: Role::Server,
        listening: options.services.iter().map(|at| at.port).collect(),
        json_to: JsonTo::Stdout,
        congestion: options.congestion,
        way_out: None,
    })?;
    let outcome = async {
        for ServiceAt { service, port } in &options.services {
            let addresses: Vec<IpAddr> = site.host.addresses().iter().map(Cidr::address).collect();
            let mut places: Vec<String> = Vec::new();
            let mut to_try = None;
            for address in addresses {
                let at = SocketAddr::new(address, *port);
                open(&site.host, service, at).await.map_err(|error| {
                    Failure::new(Code::Bind, format!("cannot listen on {at}: {}", plain(&error)))
                })?;
                places.push(at.to_string());
                to_try.get_or_insert(at);
            }
            if is_lan {
                to_try = None;
                for at in published_at(*port, &options.publish) {
                    site.publish(at, *port).map_err(|error| cannot_publish(at, &error))?;
                    places.push(format!("published on {at}"));
                    to_try.get_or_insert(at);
                }
            }
            let to_try = to_try.map(|at| match &options.common.place.on {
                On::Named(lan) => match site.known_as() {
                    Some(name) => format!("; try sockeye connect {name}:{port} --on lan:{lan}"),
                    None => format!("; try sockeye connect {at} --on lan:{lan} --ip …"),
                },
                _ => format!("; try {}", how_to_try(service, at)),
            });
            let to_try = to_try.unwrap_or_default();
            announce(&format!("{} on {}{to_try}", service.name(), places.join(", ")));
        }
        tokio::select! {
            failure = interrupted => Err(failure),
            failure = site.gone() => Err(failure),
            () = site.unread() => Ok(()),
        }
    }
    .await;
    let closed = tokio::task::spawn_blocking(move || site.close()).await.unwrap_or(Ok(()));
    outcome.and(closed)
}

/// Each port serves one thing, and only what is served can be published.
fn check_ports(options: &Serve) -> Result<(), Failure> {
    for (place, ServiceAt { port, .. }) in options.services.iter().enumerate() {
        if options.services.iter().skip(place + 1).any(|other| other.port == *port) {
            return Err(Failure::usage(format!("port {port} is given to two services")));
        }
    }
    for Publish { port, .. } in &options.publish {
        if !options.services.iter().any(|service| service.port == *port) {
            return Err(Failure::usage(format!("--publish names port {port}, which no service is on")));
        }
    }
    Ok(())
}

/// Replies are sent in the encoding that is shown.
fn encode_replies(services: &mut [ServiceAt], encoding: &'static Encoding) -> Result<(), Failure> {
    for ServiceAt { service, .. } in services {
        if let Service::Reply(text) = service {
            let utf8 = String::from_utf8_lossy(text).into_owned();
            let (encoded, _, has_unmappable) = encoding.encode(&utf8);
            if has_unmappable {
                return Err(Failure::usage(format!("the reply cannot be written in {}", encoding.name())));
            }
            *text = encoded.into_owned().into();
        }
    }
    Ok(())
}

/// Where the real machine listens for a service's port.
fn published_at(port: u16, publish: &[Publish]) -> Vec<SocketAddr> {
    let told: Vec<SocketAddr> =
        publish.iter().filter(|publish| publish.port == port).map(|publish| publish.at).collect();
    if told.is_empty() { vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))] } else { told }
}

/// Opens a service's sockets and starts to serve.
pub(crate) async fn open<P: Place>(place: &P, service: &Service, at: SocketAddr) -> io::Result<()> {
    let listener = place.listen(at).await?;
    if service.has_datagrams() {
        let socket = place.open_datagrams(at).await?;
        tokio::spawn(serve_datagrams(service.clone(), socket));
        tokio::spawn(serve_streams(service.clone(), listener));
    } else {
        tokio::spawn(serve_http(listener, P::WHOSE));
    }
    Ok(())
}

/// Why a port of the real machine cannot be had, who has it, and what can be done.
fn cannot_take(at: SocketAddr, error: &io::Error) -> Failure {
    let line = match error.kind() {
        ErrorKind::AddrInUse => {
            let owner = [Protocol::Tcp, Protocol::Udp].into_iter().find_map(|p| PortOwner::find(p, at));
            let owner = owner.map(|owner| format!(" by {owner}")).unwrap_or_default();
            let line = format!("port {} of {} is in use{owner}", at.port(), at.ip());
            return cannot_bind(at, line);
        }
        ErrorKind::PermissionDenied => {
            return cannot_bind(
                at,
                format!("port {} of {} is for the system's own services", at.port(), at.ip()),
            );
        }
        _ => format!("cannot listen on {at}: {}", plain(error)),
    };
    Failure::new(Code::Bind, line)
}

/// The same for a published port, where the error says already who has it.
pub(crate) fn cannot_publish(at: SocketAddr, error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::AddrInUse => cannot_bind(at, plain_sentence(error)),
        ErrorKind::PermissionDenied => cannot_take(at, error),
        _ => Failure::new(Code::Bind, plain_sentence(error)),
    }
}

fn plain_sentence(error: &io::Error) -> String {
    error.to_string().split(" (os error").next().unwrap_or_default().to_owned()
}

fn cannot_bind(at: SocketAddr, why: String) -> Failure {
    let port = at.port();
    let other = if port < 1024 { 8000 + port } else { port.checked_add(1).unwrap_or(1024) };
    Failure::new(Code::Bind, format!("{why}; another leads there with --publish {other}:{port}"))
}

/// What to type to see it work.
fn how_to_try(service: &Service, at: SocketAddr) -> String {
    let at = match at.ip() {
        ip if ip.is_unspecified() => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), at.port()),
        _ => at,
    };
    match service {
        Service::Http => format!("curl http://{at}/"),
        _ => format!("nc {} {}", at.ip(), at.port()),
    }
}
