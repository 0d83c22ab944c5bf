//! `sockeye serve`.

use std::io::{self, ErrorKind, Write, stderr};
use std::net::{Ipv4Addr, SocketAddr};

use crate::address::Publish;
use crate::command::{On, Serve};
use crate::failure::{Code, Failure, plain};
use crate::interrupt::interrupted;
use crate::place::{Os, Place};
use crate::port_owner::{Protocol, port_owner};
use crate::service::{Service, ServiceAt, serve_datagrams, serve_http, serve_streams};

/// Serves until interrupted.
pub(crate) async fn run(options: Serve) -> Result<(), Failure> {
    check_ports(&options)?;
    match options.place.on {
        On::Os => {
            for service in &options.services {
                for at in published_at(service.port, &options.publish) {
                    let at =
                        open(&Os, &service.service, at).await.map_err(|error| cannot_take(at, &error))?;
                    announce(&format!(
                        "{} on {at}: {}",
                        service.service.name(),
                        how_to_try(&service.service, at)
                    ));
                }
            }
        }
    }
    Err(interrupted().await)
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

/// Where the real machine listens for a service's port.
fn published_at(port: u16, publish: &[Publish]) -> Vec<SocketAddr> {
    let told: Vec<SocketAddr> =
        publish.iter().filter(|publish| publish.port == port).map(|publish| publish.at).collect();
    if told.is_empty() { vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))] } else { told }
}

/// Opens a service's sockets and starts to serve.
async fn open<P: Place>(place: &P, service: &Service, at: SocketAddr) -> io::Result<SocketAddr> {
    let listener = place.listen(at).await?;
    if service.has_datagrams() {
        let socket = place.open_datagrams(at).await?;
        tokio::spawn(serve_datagrams(service.clone(), socket));
        tokio::spawn(serve_streams(service.clone(), listener));
    } else {
        tokio::spawn(serve_http(listener, P::WHOSE));
    }
    Ok(at)
}

/// Why a port of the real machine cannot be had, who has it, and what can be done.
fn cannot_take(at: SocketAddr, error: &io::Error) -> Failure {
    let line = match error.kind() {
        ErrorKind::AddrInUse => {
            let owner = port_owner(Protocol::Tcp, at).or_else(|| port_owner(Protocol::Udp, at));
            let owner = owner.map(|owner| format!(", held by {owner}")).unwrap_or_default();
            format!("port {} of {} is in use{owner}; --publish takes another", at.port(), at.ip())
        }
        ErrorKind::PermissionDenied => format!(
            "port {} of {} is for the system's own services; --publish {}:{} takes one that is free to all",
            at.port(),
            at.ip(),
            8000 + at.port() % 1024,
            at.port(),
        ),
        _ => format!("cannot listen on {at}: {}", plain(error)),
    };
    Failure::new(Code::Bind, line)
}

/// What to type to see it work.
fn how_to_try(service: &Service, at: SocketAddr) -> String {
    let address = match at.ip() {
        ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
        ip => ip.to_string(),
    };
    match service {
        Service::Http => format!("curl http://{}/", SocketAddr::new(at.ip(), at.port())),
        _ => format!("nc {address} {}", at.port()),
    }
}

/// One line for the person who started the command.
fn announce(line: &str) {
    writeln!(stderr(), "sockeye: {line}").ok();
}
