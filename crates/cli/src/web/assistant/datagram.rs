//! A UDP session: one socket, and whoever sends to it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use sockeye::Protocol;
use tokio::sync::mpsc;

use super::conversation::answer_to;
use super::drive::{Stop, not_opened, target};
use super::entry::{Channel, Kind};
use super::reply::Answerer;
use super::session::{Order, Session, State, ending};
use super::words;
use crate::place::{Datagrams, Place, UdpOptions};
use crate::web::trouble::Trouble;
use crate::web::world::World;

/// The largest datagram, and one byte.
const LARGEST: usize = 65_536;

/// The link of a UDP session, which is not a peer's.
pub(super) const SOCKET: Channel = Channel { link: 0, side: super::entry::Side::Near };

/// Exchanges datagrams until it shall end.
pub(super) async fn exchange<P: Place>(
    world: &Arc<World>,
    session: &Arc<Session>,
    place: &P,
    usual: IpAddr,
    mut stop: Stop,
) -> Result<(), Trouble> {
    let opening = &session.opening;
    let remote = match opening.to {
        Some(_) => Some(target(world, session).await?),
        None => None,
    };
    let (at, options) = sockets(session, usual);
    let socket = match place.open_datagrams_with(at, &options) {
        Ok(socket) => socket,
        Err(error) => return Err(not_opened(world, session, Protocol::Udp, at, error).await),
    };
    let local = socket.local_address().unwrap_or(at);
    let address: Arc<str> = local.to_string().into();
    let mut link = session.link(SOCKET, &address);
    session.enter(State::Open, Some(local), remote);
    session.happened(None, None, words::opened("open", local));
    if at.ip().is_unspecified() && !opening.join.is_empty() {
        session.happened(None, None, heard_by_all(&opening.join));
    }
    let orders = session.inner().links.get(&SOCKET).map(|link| link.orders.downgrade());
    tokio::select! {
        () = receive(session, &socket, orders) => {}
        () = send(session, &socket, &mut link.orders) => {}
        _ = ending(&mut stop) => {}
    }
    session.inner().links.remove(&SOCKET);
    Ok(())
}

/// Where the socket is opened. Who hears a group has to listen on all addresses: what is sent to a group has the group's.
fn sockets(session: &Arc<Session>, usual: IpAddr) -> (SocketAddr, UdpOptions) {
    let opening = &session.opening;
    let options = session.current().settings.options.clone();
    let mut at = opening.listen_at(usual);
    let mut through = None;
    if !opening.join.is_empty() {
        if let IpAddr::V4(address) = at.ip() {
            through = (!address.is_unspecified()).then_some(address);
            at.set_ip(Ipv4Addr::UNSPECIFIED.into());
        } else {
            at.set_ip(Ipv6Addr::UNSPECIFIED.into());
        }
    }
    let is_machine = session.opening.place == super::opening::PlaceName::Machine;
    let udp = UdpOptions {
        broadcast: opening.broadcast,
        // Several programs may hear a group at one port; otherwise one that shares a port takes the other's datagrams away.
        reuseaddr: options.reuseaddr.unwrap_or(is_machine && !opening.join.is_empty()),
        receive_buffer: options.receive_buffer,
        send_buffer: options.send_buffer,
        ttl: options.ttl,
        join: opening.join.clone(),
        through,
    };
    (at, udp)
}

fn heard_by_all(groups: &[IpAddr]) -> Trouble {
    let groups = groups.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let words = format!(
        "hears {groups}; for that the socket listens on all addresses, and hears what is sent to any of them"
    );
    Trouble::new("joined", words, "").with("groups", groups)
}

async fn receive<D: Datagrams>(session: &Arc<Session>, socket: &D, orders: Option<mpsc::WeakSender<Order>>) {
    let mut buffer = vec![0; LARGEST];
    let mut answerer: Option<Answerer> = None;
    loop {
        let (length, from) = match socket.receive_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                session.went_wrong(None, None, words::datagram(None, &error));
                if !is_about_an_earlier_one(&error) {
                    // The socket itself is broken: it would say so again at once.
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                continue;
            }
        };
        let bytes = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
        let channel = session.datagram(Kind::Received, &from.to_string().into(), bytes.clone());
        let reaction = Arc::clone(&session.current().reaction);
        let encoding = session.encoding_of(channel.link);
        match &mut answerer {
            Some(answerer) if answerer.is_of(&reaction, encoding) => {}
            old => *old = Some(Answerer::new(reaction, encoding)),
        }
        let answered = answerer.as_mut().and_then(|answerer| answerer.answer_datagram(&bytes));
        if let (Some(answered), Some(orders)) = (answered, &orders) {
            answer_to(session, orders, Some(from), answered).await;
        }
    }
}

fn is_about_an_earlier_one(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable
    )
}

async fn send<D: Datagrams>(session: &Arc<Session>, socket: &D, orders: &mut mpsc::Receiver<Order>) {
    while let Some(order) = orders.recv().await {
        let Order::Send { bytes, to: Some(to), done } = order else { continue };
        let sent = socket.send_to(&bytes, to).await.map_err(|error| words::datagram(Some(to), &error));
        let address: Arc<str> = to.to_string().into();
        match &sent {
            Ok(_) => drop(session.datagram(Kind::Sent, &address, bytes)),
            Err(trouble) => session.went_wrong(None, Some(&address), trouble.clone()),
        }
        if let Some(done) = done {
            done.send(sent.map(|_| 1)).ok();
        }
    }
}
