//! Two ends over a pipe in virtual time.

mod accurate_ecn;
mod calls;
mod corners;
mod counters;
mod early_fin;
mod ecn;
mod fast_open;
mod hostile_peer;
mod matrix;
mod mtu_probe;
mod pipe;
mod push;
mod reassembly;
mod receive_space;
mod recovery;
mod scoreboard;
mod send_space;
mod transfers;
mod urgent;

use crate::time::{Duration, Instant};
use crate::wire::tcp::{Flags, Options, Segment, SeqNumber};

use super::*;

/// Milliseconds.
const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// The ends of the first host.
fn ends() -> Endpoints {
    Endpoints { local: "10.0.0.1:1000".parse().unwrap(), remote: "10.0.0.2:2000".parse().unwrap() }
}

fn reversed(ends: Endpoints) -> Endpoints {
    Endpoints { local: ends.remote, remote: ends.local }
}

fn opening(iss: u32) -> Opening {
    Opening { iss: SeqNumber(iss), timestamp_offset: iss.wrapping_mul(7), path_mss: 1460 }
}

/// A segment from the peer of [`ends`].
fn from_peer(flags: Flags, seq: u32, ack: u32) -> Segment {
    Segment {
        source_port: 2000,
        destination_port: 1000,
        seq: SeqNumber(seq),
        ack: SeqNumber(ack),
        flags,
        window: 60_000,
        urgent: 0,
        options: Options::default(),
        length: 0,
    }
}

/// A peer played by the test: plain options, so that the numbers are easy to read. The connection's ISS is 1000, the
/// peer's 5000.
fn plain() -> Settings {
    Settings { timestamps: false, sack: false, window_scaling: false, ..Settings::default() }
}

/// What the connection sends now, in tcpdump's words.
fn sent(connection: &mut Connection, now: Instant) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(outgoing) = connection.poll_transmit(now, 0) {
        assert!(all.len() < 2000, "never ends");
        all.push(outgoing.segment.to_string());
    }
    check(connection);
    all
}

/// An established connection: SND.NXT 1001, RCV.NXT 5001, nothing waiting.
fn established(settings: Settings) -> Connection {
    connected(settings, at(0), at(10))
}

/// The same, the SYN sent and answered at these times.
fn connected(settings: Settings, asked: Instant, answered: Instant) -> Connection {
    let mut connection = Connection::connect(asked, ends(), settings, opening(1000));
    assert_eq!(sent(&mut connection, asked).len(), 1);
    let mut syn_ack = from_peer(Flags::SYN | Flags::ACK, 5000, 1001);
    syn_ack.options.mss = Some(1460);
    connection.on_segment(answered, &syn_ack, &[]).unwrap();
    assert_eq!(sent(&mut connection, answered).len(), 1);
    assert_eq!(connection.state(), State::Established);
    connection
}

/// Gives the connection data from the peer.
fn give(connection: &mut Connection, now: Instant, seq: u32, ack: u32, payload: &[u8]) {
    let mut segment = from_peer(Flags::ACK, seq, ack);
    segment.length = payload.len() as u32;
    let _ = connection.on_segment(now, &segment, payload);
    check(connection);
}

/// What must hold at any time.
fn check(connection: &Connection) {
    let (sender, receiver) = (&connection.sender, &connection.receiver);
    let board = &sender.board;
    assert!(sender.una.at_or_before(sender.nxt));
    if connection.state.is_synchronized() && !matches!(connection.state, State::TimeWait | State::SynReceived)
    {
        assert_eq!(board.outstanding(), sender.outstanding(), "{connection:?}");
        assert!(board.sacked() + board.to_resend() <= board.outstanding());
        assert!(board.lost() <= board.outstanding());
        // Whoever waits for an acknowledgement has a timer running, and whoever has something to send and may not has
        // one too.
        let armed = connection.awaits_acknowledgement();
        assert!(armed || sender.outstanding() == 0, "nothing will ever be sent again: {connection:?}");
        let idle = connection.poll_timeout().is_none() && !connection.has_transmit();
        assert!(!(idle && sender.has_unsent()), "stuck: {connection:?}");
    }
    assert!(sender.congestion.cwnd() >= 1);
    assert!(receiver.ring.len() <= (receiver.space.size() as usize).max(65_535) + (1 << receiver.shift));
    if connection.state == State::Closed || connection.state == State::TimeWait {
        assert_eq!(connection.poll_timeout(), None, "{connection:?}");
    }
}
