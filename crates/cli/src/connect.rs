//! `sockeye connect`: standard input and output, joined to a port.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::address::HostPort;
use crate::command::Connect;
use crate::failure::{Code, Failure};
use crate::interrupt::interrupted;
use crate::options::{EncodesText, On};
use crate::place::{Datagrams, Os, Place, Stream};
use crate::site::{Site, with_port};
use crate::watch::JsonTo;

const BUFFER: usize = 256 * 1024;

/// Connects, relays, and ends when the peer or both sides have ended.
pub(crate) async fn run(options: Connect) -> Result<(), Failure> {
    options.common.check(EncodesText::No)?;
    options.common.check_congestion(options.congestion)?;
    match options.common.place.on {
        On::Os => {
            let talk = async { talk(&Os, &look_up(&options.to).await?, &options).await };
            or_interrupted(talk).await
        }
        On::Lan | On::Named(_) | On::Tap(_) | On::Tun(_) => {
            let site = Site::for_client(&options.common, JsonTo::Stderr, options.congestion).await?;
            let talk = async {
                let addresses = with_port(&site.look_up(&options.to.host).await?, options.to.port);
                tokio::select! {
                    outcome = talk(&site.host, &addresses, &options) => outcome,
                    failure = site.gone() => Err(failure),
                }
            };
            let outcome = or_interrupted(talk).await;
            site.looked_at().await;
            let closed = tokio::task::spawn_blocking(move || site.close()).await.unwrap_or(Ok(()));
            outcome.and(closed)
        }
    }
}

async fn or_interrupted(talk: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::select! {
        outcome = talk => outcome,
        failure = interrupted() => Err(failure),
    }
}

/// The addresses the real machine knows a name by.
async fn look_up(to: &HostPort) -> Result<Vec<SocketAddr>, Failure> {
    let unknown = || Failure::new(Code::NameNotFound, format!("no host is known by the name `{}`", to.host));
    let found: Vec<SocketAddr> =
        tokio::net::lookup_host((to.host.as_str(), to.port)).await.map_err(|_| unknown())?.collect();
    if found.is_empty() { Err(unknown()) } else { Ok(found) }
}

/// Talks to the first of the addresses that takes the connection.
async fn talk<P: Place>(place: &P, addresses: &[SocketAddr], options: &Connect) -> Result<(), Failure> {
    let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
    let wait = options.wait.unwrap_or(Duration::from_secs(1));
    let mut failure = Failure::new(Code::NameNotFound, format!("`{}` has no address", options.to.host));
    for &address in addresses {
        let attempt = async {
            if options.udp {
                let socket = place.open_datagrams(any_port_for(address)).await?;
                socket.connect(address).await?;
                Ok(Talk::Datagrams(socket))
            } else {
                with_limit(options.timeout, place.connect(address)).await.map(Talk::Stream)
            }
        };
        match attempt.await {
            Ok(Talk::Stream(stream)) => return relay(stream, input, output, address).await,
            Ok(Talk::Datagrams(socket)) => {
                return exchange(socket, input, output, address, wait).await;
            }
            Err(error) => failure = Failure::talking(format!("cannot connect to {address}"), &error),
        }
    }
    Err(failure)
}

enum Talk<S, D> {
    Stream(S),
    Datagrams(D),
}

/// An unspecified address of the same family, any port.
fn any_port_for(peer: SocketAddr) -> SocketAddr {
    match peer {
        SocketAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
        SocketAddr::V6(_) => SocketAddr::from(([0u16; 8], 0)),
    }
}

async fn with_limit<T>(
    limit: Option<Duration>,
    attempt: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    match limit {
        None => attempt.await,
        Some(limit) => match tokio::time::timeout(limit, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(io::Error::from_raw_os_error(ETIMEDOUT)),
        },
    }
}

/// Linux's number for "connection timed out", so that the words are the kernel's.
const ETIMEDOUT: i32 = 110;

/// Carries bytes both ways: the end of input closes our half, the peer's end ends the program.
async fn relay<S: Stream>(
    stream: S,
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    peer: SocketAddr,
) -> Result<(), Failure> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let send = async {
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = input.read(&mut buffer).await.unwrap_or(0);
            let Some(bytes @ [_, ..]) = buffer.get(..length) else { break };
            if writer.write_all(bytes).await.is_err() {
                // The peer reads no more: its side of the story is told by what we read from it.
                return std::future::pending().await;
            }
        }
        writer.shutdown().await.ok();
        std::future::pending::<()>().await;
    };
    let receive = async {
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = reader.read(&mut buffer).await.map_err(|error| lost(peer, &error))?;
            let Some(bytes @ [_, ..]) = buffer.get(..length) else { return Ok(()) };
            if print(&mut output, bytes).await.is_err() {
                return Ok(());
            }
        }
    };
    tokio::select! {
        outcome = receive => outcome,
        () = send => Ok(()),
    }
}

/// Writes through to where standard output goes; an error means that nobody reads it any more.
async fn print(output: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    output.write_all(bytes).await?;
    output.flush().await
}

/// Carries datagrams both ways, until input has ended and nothing has come for a while.
async fn exchange<D: Datagrams>(
    socket: D,
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    peer: SocketAddr,
    wait: Duration,
) -> Result<(), Failure> {
    let mut outgoing = vec![0; 65_507];
    let mut incoming = vec![0; 65_536];
    let mut input_open = true;
    loop {
        tokio::select! {
            read = input.read(&mut outgoing), if input_open => match outgoing.get(..read.unwrap_or(0)) {
                Some(datagram @ [_, ..]) => {
                    socket.send(datagram).await.map_err(|error| lost(peer, &error))?;
                }
                _ => input_open = false,
            },
            received = socket.receive_from(&mut incoming) => {
                let (length, _) = received.map_err(|error| lost(peer, &error))?;
                if print(&mut output, incoming.get(..length).unwrap_or_default()).await.is_err() {
                    return Ok(());
                }
            }
            () = tokio::time::sleep(wait), if !input_open => return Ok(()),
        }
    }
}

/// A conversation that broke off.
fn lost(peer: SocketAddr, error: &io::Error) -> Failure {
    Failure::talking(format!("the conversation with {peer} broke off"), error)
}
