//! One connection: what it receives, what it is told to send, and its end.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::entry::{Channel, wall_clock};
use super::reply::{Answered, Answerer};
use super::session::{Ending, LinkEnd, Order, Session, changed, ending};
use super::words;
use crate::place::Stream;

/// So long we wait for the other end's FIN after ours, and for what is left to be sent after the other end's.
const FAREWELL: Duration = Duration::from_secs(2);
/// Receiving goes on so many times before others have their turn.
const TURNS: usize = 32;
/// Answers of a session that wait for their time.
const WAITING: usize = 10_000;

/// Where received bytes go, beside the log.
pub(super) enum Output {
    /// To what answers by itself.
    Answers(mpsc::WeakSender<Order>),
    /// To the other connection of a forwarder.
    Partner(mpsc::Sender<Order>),
}

/// How a connection has ended.
#[derive(Debug)]
pub(super) enum End {
    /// The other end has closed, and so have we.
    ByPeer,
    /// We have.
    ByUs(Ending),
    /// It broke.
    Failed(io::Error),
}

/// Whose bytes they are.
struct Line {
    channel: Channel,
    address: Arc<str>,
}

/// Lives through a connection, to its end.
pub(super) async fn converse<S: Stream>(
    session: &Arc<Session>,
    stream: S,
    link: LinkEnd,
    output: Output,
) -> End {
    let LinkEnd { channel, address, mut orders, ending: mut ends, mut options } = link;
    let line = Line { channel, address };
    let is_partner = matches!(output, Output::Partner(_));
    let partner = match &output {
        Output::Partner(partner) => Some(partner.clone()),
        Output::Answers(_) => None,
    };
    let end = {
        let mut reading = pin!(read(session, &stream, &line, output));
        let mut writing = pin!(write(session, &stream, &line, &mut orders));
        let (mut has_read, mut has_written) = (false, false);
        let end = loop {
            if has_written && (has_read || !is_partner) {
                break End::ByPeer;
            }
            tokio::select! {
                read = &mut reading, if !has_read => match read {
                    Ok(()) => {
                        has_read = true;
                        session.happened(Some(channel), Some(&line.address), words::fin_received());
                        match &partner {
                            Some(partner) => drop(partner.send(Order::EndWriting).await),
                            // What waits is sent; nothing new is taken.
                            None => session.unlink(channel, "closing"),
                        }
                    }
                    Err(error) => break End::Failed(error),
                },
                wrote = &mut writing, if !has_written => match wrote {
                    Ok(()) => has_written = true,
                    Err(error) => break End::Failed(error),
                },
                how = ending(&mut ends) => break End::ByUs(how),
                options = changed(&mut options) => {
                    if let Err(error) = stream.apply(&options) {
                        session.went_wrong(Some(channel), Some(&line.address), words::option(&error));
                    }
                }
                () = sleep(FAREWELL), if has_read && !is_partner => break End::ByPeer,
            }
        };
        if let End::ByUs(Ending::Fin) = end {
            // Closing with `linger0` resets by itself; otherwise what was sent arrives, and what still comes is received.
            let resets = session.current().settings.options.linger0;
            session.happened(Some(channel), Some(&line.address), words::closing(resets));
            session.unlink(channel, "closing");
            if !resets && stream.end_writing().is_ok() && !has_read {
                timeout(FAREWELL, &mut reading).await.ok();
            }
        }
        end
    };
    match &end {
        End::ByUs(Ending::Rst) => {
            session.happened(Some(channel), Some(&line.address), words::resetting());
            if let Err(error) = stream.reset_when_closed() {
                session.went_wrong(Some(channel), Some(&line.address), words::lost(&line.address, &error));
            }
        }
        End::Failed(error) => {
            session.went_wrong(Some(channel), Some(&line.address), words::lost(&line.address, error))
        }
        End::ByPeer | End::ByUs(Ending::Fin) => {}
    }
    drop(stream);
    session.unlink(channel, "closed");
    end
}

/// Receives until the other end has no more.
async fn read<S: Stream>(session: &Arc<Session>, stream: &S, line: &Line, output: Output) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut answerer: Option<Answerer> = None;
    let mut turns = 0;
    loop {
        buffer.resize(session.current().settings.chunk, 0);
        let received = match answerer.as_ref().and_then(Answerer::gap) {
            None => Some(stream.receive(&mut buffer).await?),
            Some(gap) => match timeout(gap, stream.receive(&mut buffer)).await {
                Ok(received) => Some(received?),
                Err(_) => None,
            },
        };
        let answers = match received {
            Some(0) => return Ok(()),
            Some(length) => {
                let bytes = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
                session.received(line.channel, &line.address, bytes.clone());
                if let Output::Partner(partner) = &output {
                    // Waits where the other end takes it more slowly: so do those who send to us.
                    partner.send(Order::Send { bytes, to: None, done: None }).await.ok();
                    Vec::new()
                } else {
                    let reaction = Arc::clone(&session.current().reaction);
                    let encoding = session.encoding_of(line.channel.link);
                    match &mut answerer {
                        Some(answerer) if answerer.is_of(&reaction, encoding) => {}
                        old => *old = Some(Answerer::new(reaction, encoding)),
                    }
                    answerer
                        .as_mut()
                        .map(|answerer| answerer.answers(wall_clock(), &bytes))
                        .unwrap_or_default()
                }
            }
            None => answerer.as_mut().and_then(Answerer::end_by_silence).into_iter().collect(),
        };
        if let Output::Answers(orders) = &output {
            for answered in answers {
                answer(session, orders, answered).await;
            }
        }
        turns += 1;
        if turns % TURNS == 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// Sends an answer, now or at its time.
pub(super) async fn answer(session: &Arc<Session>, orders: &mpsc::WeakSender<Order>, answered: Answered) {
    answer_to(session, orders, None, answered).await;
}

/// The same, of UDP.
pub(super) async fn answer_to(
    session: &Arc<Session>,
    orders: &mpsc::WeakSender<Order>,
    to: Option<std::net::SocketAddr>,
    answered: Answered,
) {
    static PENDING: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let order = Order::Send { bytes: answered.bytes, to, done: None };
    if answered.delay.is_zero() {
        if let Some(orders) = orders.upgrade() {
            orders.send(order).await.ok();
        }
        return;
    }
    use std::sync::atomic::Ordering::Relaxed;
    if PENDING.fetch_add(1, Relaxed) >= WAITING {
        PENDING.fetch_sub(1, Relaxed);
        session.went_wrong(None, None, words::too_many_answers(WAITING));
        return;
    }
    let orders = orders.clone();
    tokio::spawn(async move {
        sleep(answered.delay).await;
        if let Some(orders) = orders.upgrade() {
            orders.send(order).await.ok();
        }
        PENDING.fetch_sub(1, Relaxed);
    });
}

/// Does what it is told, until nobody can tell anything any more.
async fn write<S: Stream>(
    session: &Arc<Session>,
    stream: &S,
    line: &Line,
    orders: &mut mpsc::Receiver<Order>,
) -> io::Result<()> {
    while let Some(order) = orders.recv().await {
        match order {
            Order::Send { bytes, done, .. } => {
                let sent = send(session, stream, line, bytes).await;
                if let Some(done) = done {
                    let told =
                        sent.as_ref().map(|calls| *calls).map_err(|error| words::lost(&line.address, error));
                    done.send(told).ok();
                }
                sent?;
            }
            Order::EndWriting => {
                stream.end_writing()?;
                session.happened(Some(line.channel), Some(&line.address), words::closing(false));
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Sends all of it; each call stands in the log.
async fn send<S: Stream>(
    session: &Arc<Session>,
    stream: &S,
    line: &Line,
    mut bytes: Bytes,
) -> io::Result<u64> {
    let mut calls = 0;
    while !bytes.is_empty() {
        let taken = stream.send(&bytes).await?;
        calls += 1;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        session.sent(line.channel, &line.address, bytes.split_to(taken.min(bytes.len())));
    }
    Ok(calls)
}
