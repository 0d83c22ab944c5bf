//! `sockeye ping`: echo requests, in the words people know.

mod echo;
mod summary;

use std::io::{self, ErrorKind, Write, stderr, stdout};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::command::Ping;
use crate::failure::{Code, Failure};
use crate::interrupt::interrupted;
use crate::options::{EncodesText, On};
use crate::site::Site;
use crate::watch::JsonTo;
use echo::{OsEcho, OurEcho};
use summary::Summary;

/// An answer to an echo request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The sequence number of the request.
    pub(crate) sequence: u16,
    /// Bytes of ICMP, its header included.
    pub(crate) length: usize,
}

/// What sends echo requests to one host and receives their answers; may be used by two threads at once.
pub(crate) trait EchoSocket: Send + Sync + 'static {
    /// Sends a request.
    fn send(&self, sequence: u16, data: &[u8]) -> io::Result<()>;

    /// Waits a limited time for an answer; [`ErrorKind::WouldBlock`] or [`ErrorKind::TimedOut`] when none came.
    fn receive(&self) -> io::Result<Answer>;
}

/// Something the receiving thread has to tell.
enum News {
    Answered(Answer, Instant),
    Failed(io::Error),
}

/// Asks until the count is reached or somebody interrupts.
pub(crate) async fn run(options: Ping) -> Result<(), Failure> {
    options.common.check(EncodesText::No)?;
    match options.common.place.on {
        On::Os => {
            let target = look_up(&options.host).await?;
            let socket = OsEcho::open(target).map_err(|error| match error.kind() {
                ErrorKind::PermissionDenied => {
                    let line = "cannot ping: this user may have neither ICMP datagram sockets (sysctl \
                                net.ipv4.ping_group_range) nor raw ones";
                    Failure::new(Code::Network, line)
                }
                _ => Failure::talking(format!("cannot ping {target}"), &error),
            })?;
            ask(Arc::new(socket), target, &options).await
        }
        On::Lan | On::Named(_) | On::Tap(_) | On::Tun(_) => {
            let site = Site::for_client(&options.common, JsonTo::Stdout, None).await?;
            let asked = async {
                let target = tokio::select! {
                    found = site.look_up(&options.host) => found?.first().copied(),
                    failure = interrupted() => return Err(failure),
                };
                let target = target.ok_or_else(|| unknown(&options.host))?;
                let socket = OurEcho::open(&site.host, target)
                    .map_err(|error| Failure::talking(format!("cannot ping {target}"), &error))?;
                tokio::select! {
                    outcome = ask(Arc::new(socket), target, &options) => outcome,
                    failure = site.gone() => Err(failure),
                    () = site.unread() => Ok(()),
                }
            };
            let outcome = asked.await;
            site.looked_at().await;
            let closed = tokio::task::spawn_blocking(move || site.close()).await.unwrap_or(Ok(()));
            outcome.and(closed)
        }
    }
}

fn unknown(host: &str) -> Failure {
    Failure::new(Code::NameNotFound, format!("no host is known by the name `{host}`"))
}

async fn look_up(host: &str) -> Result<IpAddr, Failure> {
    let found = tokio::net::lookup_host((host, 0)).await.ok().and_then(|mut found| found.next());
    found.map(|address: SocketAddr| address.ip()).ok_or_else(|| unknown(host))
}

/// Sends the requests, prints the answers as they come, and sums up.
async fn ask<E: EchoSocket>(socket: Arc<E>, target: IpAddr, options: &Ping) -> Result<(), Failure> {
    let voice = if options.common.seeing.json { Voice::Stderr } else { Voice::Stdout };
    let (tell, mut news) = mpsc::unbounded_channel();
    let receiver = Arc::clone(&socket);
    std::thread::spawn(move || listen(&*receiver, &tell));
    let data: Vec<u8> = (0..options.size).map(|n| n.to_le_bytes()[0]).collect();
    voice.say(&format!("PING {} ({target}) {} bytes of data.", options.host, options.size));

    let mut summary = Summary::new(options.host.clone());
    let mut ticks = tokio::time::interval(options.interval.max(Duration::from_millis(1)));
    let mut interruption = std::pin::pin!(interrupted());
    let all_sent = |summary: &Summary| options.count.is_some_and(|count| summary.sent() >= count);
    let mut refusal = None;
    let end = loop {
        if all_sent(&summary) && summary.is_all_answered() {
            break None;
        }
        tokio::select! {
            failure = &mut interruption => break Some(failure),
            _ = ticks.tick(), if !all_sent(&summary) => {
                let now = Instant::now();
                for sequence in summary.overdue(now, options.timeout) {
                    voice.say(&format!("no answer to icmp_seq={sequence} in {:?}", options.timeout));
                }
                let sequence = summary.on_send(now);
                if let Err(error) = socket.send(sequence, &data) {
                    voice.say(&format!("icmp_seq={sequence}: {}", crate::failure::plain(&error)));
                    refusal = Some(error);
                }
            }
            () = tokio::time::sleep(options.timeout), if all_sent(&summary) => break None,
            Some(heard) = news.recv() => match heard {
                News::Answered(answer, at) => {
                    if let Some(line) = summary.on_answer(answer, at, target) {
                        voice.say(&line);
                    }
                }
                News::Failed(error) => {
                    voice.say(&format!("from {target}: {}", crate::failure::plain(&error)));
                    summary.on_error();
                    refusal = Some(error);
                }
            },
        }
    };
    voice.say(&summary.to_string());
    match end {
        Some(interruption) => Err(interruption),
        None if summary.received() > 0 => Ok(()),
        None => Err(match refusal {
            Some(error) => Failure::talking(format!("cannot ping {target}"), &error),
            None => Failure::new(Code::Timeout, format!("{target} did not answer")),
        }),
    }
}

/// Receives until nobody listens to the news any more.
fn listen<E: EchoSocket>(socket: &E, tell: &mpsc::UnboundedSender<News>) {
    loop {
        let news = match socket.receive() {
            Ok(answer) => News::Answered(answer, Instant::now()),
            Err(error) if is_mere_silence(&error) => {
                if tell.is_closed() {
                    return;
                }
                continue;
            }
            Err(error) => News::Failed(error),
        };
        if tell.send(news).is_err() {
            return;
        }
    }
}

fn is_mere_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Where the words go: not where the JSON goes.
#[derive(Clone, Copy)]
enum Voice {
    Stdout,
    Stderr,
}

impl Voice {
    fn say(self, line: &str) {
        match self {
            Voice::Stdout => writeln!(stdout(), "{line}").ok(),
            Voice::Stderr => writeln!(stderr(), "{line}").ok(),
        };
    }
}

/// Whether this user may have a socket for echo requests from the real machine.
pub(crate) fn os_can_ping() -> io::Result<()> {
    OsEcho::open(IpAddr::from([127, 0, 0, 1])).map(drop)
}
