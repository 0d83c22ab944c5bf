//! Runs a session: servers accept, clients connect, and connect again.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use sockeye::Protocol;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use super::conversation::{End, Output, converse};
use super::entry::Channel;
use super::opening::{PlaceName, SessionKind, split};
use super::session::{Ending, Order, Session, State, ending};
use super::{datagram, forward, holder, words};
use crate::place::{Listener, Os, Place, Stream};
use crate::web::trouble::Trouble;
use crate::web::world::World;

/// Connections of one session at once; then the next ones wait in the backlog.
const CONNECTIONS: usize = 4096;
/// A listener that cannot accept (no descriptors are left) tries again so much later.
const BREATH: Duration = Duration::from_millis(200);

/// What a session is told that it shall end.
pub(super) type Stop = watch::Receiver<Option<Ending>>;

/// Starts a session, in the background.
pub(crate) fn start(world: &Arc<World>, session: &Arc<Session>) {
    let Some(stop) = session.begin() else { return };
    let (world, session) = (Arc::clone(world), Arc::clone(session));
    tokio::spawn(async move {
        let outcome = tokio::select! {
            outcome = run(&world, &session, stop) => outcome,
            () = session.measure() => Ok(()),
        };
        session.ended(outcome.err());
    });
}

async fn run(world: &Arc<World>, session: &Arc<Session>, stop: Stop) -> Result<(), Trouble> {
    match &session.opening.place {
        PlaceName::Machine => drive(world, session, &Os, Ipv4Addr::LOCALHOST.into(), stop).await,
        PlaceName::Lan { lan, host } => {
            let host = world.host(lan, host)?;
            let usual = host.addresses().first().map_or(Ipv4Addr::UNSPECIFIED.into(), |cidr| cidr.address());
            drive(world, session, &host, usual, stop).await
        }
    }
}

/// Runs it at a place, where `usual` is the address that is taken unless another is said.
pub(super) async fn drive<P: Place>(
    world: &Arc<World>,
    session: &Arc<Session>,
    place: &P,
    usual: IpAddr,
    stop: Stop,
) -> Result<(), Trouble> {
    match session.opening.kind {
        SessionKind::TcpServer => {
            serve(world, session, place, usual, stop, async |session: Arc<Session>, stream, peer| {
                talk(&session, stream, peer).await;
            })
            .await
        }
        SessionKind::Forward => {
            let to = target(world, session).await?;
            let from = place.clone();
            serve(world, session, place, usual, stop, move |session: Arc<Session>, stream, peer| {
                let place = from.clone();
                async move { forward::carry(&session, &place, stream, peer, to).await }
            })
            .await
        }
        SessionKind::TcpClient => connect(world, session, place, stop).await,
        SessionKind::Udp => datagram::exchange(world, session, place, usual, stop).await,
    }
}

/// Why an address cannot be had.
pub(super) async fn not_opened(
    world: &Arc<World>,
    session: &Arc<Session>,
    protocol: Protocol,
    at: SocketAddr,
    error: io::Error,
) -> Trouble {
    let is_machine = session.opening.place == PlaceName::Machine;
    if !is_machine {
        let mut trouble = words::listen(at, &error);
        if error.kind() == io::ErrorKind::AddrInUse {
            trouble.next =
                "a socket of that host has the port: close its session, or take another port".to_owned();
        }
        return trouble;
    }
    let world = Arc::clone(world);
    let explained = tokio::task::spawn_blocking(move || holder::explain(&world, protocol, at, &error)).await;
    explained.unwrap_or_else(|_| {
        Trouble::new("EADDRINUSE", format!("port {} is in use", at.port()), "take another port")
    })
}

/// Accepts, and gives each connection to somebody.
async fn serve<P: Place, T: Future<Output = ()> + Send + 'static>(
    world: &Arc<World>,
    session: &Arc<Session>,
    place: &P,
    usual: IpAddr,
    mut stop: Stop,
    talk: impl Fn(Arc<Session>, P::Stream, SocketAddr) -> T,
) -> Result<(), Trouble> {
    let at = session.opening.listen_at(usual);
    let options = session.current().settings.options.tcp(session.opening.kind);
    let mut listener = match place.listen_with(at, &options) {
        Ok(listener) => listener,
        Err(error) => return Err(not_opened(world, session, Protocol::Tcp, at, error).await),
    };
    let local = listener.local_address().unwrap_or(at);
    session.enter(State::Listening, Some(local), None);
    session.happened(None, None, words::opened("listening", local));
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let accepting = async {
        loop {
            let Ok(seat) = Arc::clone(&room).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let talk = talk(Arc::clone(session), stream, peer);
                    tokio::spawn(async move {
                        talk.await;
                        drop(seat);
                    });
                }
                Err(error) => {
                    session.went_wrong(None, None, words::listen(local, &error));
                    sleep(BREATH).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = ending(&mut stop) => {}
    }
    drop(listener);
    // Until the last connection has ended.
    let _ = room.acquire_many(CONNECTIONS as u32).await;
    Ok(())
}

/// A connection that somebody has opened to us.
async fn talk<S: Stream>(session: &Arc<Session>, stream: S, peer: SocketAddr) {
    let address: Arc<str> = peer.to_string().into();
    let channel = Channel::near(session.new_number(&address));
    let link = session.link(channel, &address);
    session.happened(Some(channel), Some(&address), words::accepted(&address));
    // On Linux these come with the listener; not everywhere.
    let current = session.current();
    if let Err(error) = stream.apply(&current.settings.options.tcp(session.opening.kind)) {
        session.went_wrong(Some(channel), Some(&address), words::option(&error));
    }
    greet(session, channel);
    let orders = output(session, channel);
    converse(session, stream, link, orders).await;
}

/// What is said first goes before everything else.
pub(super) fn greet(session: &Arc<Session>, channel: Channel) {
    let inner = session.inner();
    let Some(greeting) = &inner.current.settings.greeting else { return };
    let Ok(bytes) = greeting.bytes() else { return };
    if let Some(link) = inner.links.get(&channel) {
        link.orders.try_send(Order::Send { bytes: Bytes::from(bytes), to: None, done: None }).ok();
    }
}

/// Where the answers of a connection go.
pub(super) fn output(session: &Arc<Session>, channel: Channel) -> Output {
    let inner = session.inner();
    let orders = inner.links.get(&channel).map(|link| link.orders.downgrade());
    // A connection without a link has ended before it began.
    Output::Answers(orders.unwrap_or_else(|| tokio::sync::mpsc::channel(1).0.downgrade()))
}

/// Connects, again and again where that is wanted.
async fn connect<P: Place>(
    world: &Arc<World>,
    session: &Arc<Session>,
    place: &P,
    mut stop: Stop,
) -> Result<(), Trouble> {
    loop {
        session.enter(State::Connecting, None, None);
        let attempt = async {
            let to = target(world, session).await?;
            session.enter(State::Connecting, None, Some(to));
            let options = session.current().settings.options.tcp(session.opening.kind);
            let from = session.opening.connect_from(to);
            let stream =
                place.connect_with(from, to, &options).await.map_err(|error| words::connect(to, &error))?;
            Ok((stream, to))
        };
        let attempt = tokio::select! {
            attempt = attempt => attempt,
            _ = ending(&mut stop) => return Ok(()),
        };
        let failure = match attempt {
            Ok((stream, to)) => match once(session, stream, to).await {
                End::ByUs(_) => return Ok(()),
                End::ByPeer => None,
                End::Failed(error) => Some(words::lost(&to.to_string(), &error)),
            },
            Err(trouble) => Some(trouble),
        };
        let Some(reconnect) = session.current().settings.reconnect else {
            // A connection that broke has said so; one that could not be had says so as it fails.
            return match failure {
                Some(trouble) if session.inner().error.as_ref() == Some(&trouble) => {
                    session.inner().error = Some(trouble);
                    Ok(())
                }
                Some(trouble) => Err(trouble),
                None => Ok(()),
            };
        };
        if let Some(trouble) = failure
            && session.inner().error.as_ref() != Some(&trouble)
        {
            session.went_wrong(None, None, trouble);
        }
        session.enter(State::Waiting, None, None);
        session.happened(None, None, words::again(reconnect.after_ms));
        tokio::select! {
            () = sleep(Duration::from_millis(reconnect.after_ms)) => {}
            _ = ending(&mut stop) => return Ok(()),
        }
    }
}

/// One connection of a client.
async fn once<S: Stream>(session: &Arc<Session>, stream: S, to: SocketAddr) -> End {
    let address: Arc<str> = to.to_string().into();
    let channel = Channel::near(session.new_number(&address));
    let local = stream.local_address().ok();
    let link = session.link(channel, &address);
    session.enter(State::Connected, local, Some(to));
    session.happened(Some(channel), Some(&address), words::connected(local, to));
    greet(session, channel);
    let orders = output(session, channel);
    converse(session, stream, link, orders).await
}

/// The address of whom it talks to.
pub(super) async fn target(world: &Arc<World>, session: &Arc<Session>) -> Result<SocketAddr, Trouble> {
    let to = session.opening.to.as_deref().unwrap_or_default();
    resolve(world, &session.opening.place, to).await
}

/// The address behind `HOST:PORT`; on a LAN, hosts are known by their names.
pub(super) async fn resolve(world: &Arc<World>, place: &PlaceName, to: &str) -> Result<SocketAddr, Trouble> {
    let (host, port) = split(to)?;
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    let unknown = || {
        Trouble::new(
            "unknown-host",
            format!("no host is called `{host}`"),
            "correct the name, or write its address",
        )
        .with("host", host)
    };
    match place {
        PlaceName::Machine => {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((host, port)).await.map_err(|_| unknown())?.collect();
            // Servers of one's own seldom listen on IPv6.
            let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
            first.copied().ok_or_else(unknown)
        }
        PlaceName::Lan { lan, .. } => {
            let host = world.host(lan, host)?;
            let address = host.addresses().first().map(|cidr| cidr.address()).ok_or_else(unknown)?;
            Ok(SocketAddr::new(address, port))
        }
    }
}
