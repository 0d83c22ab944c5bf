//! Stories told from frames made by hand, and drawn.

use std::net::SocketAddr;

use encoding_rs::{GBK, UTF_8};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::transport::tcp::{CwndReason, Recovering, RecoveryChange, RetransmitCause};
use sockeye_core::wire::arp::{Arp, ArpOperation};
use sockeye_core::wire::ethernet::{EtherType, Ethernet, MacAddr};
use sockeye_core::wire::ipv4::Ipv4Header;
use sockeye_core::wire::tcp::{Flags, Options, Segment, SeqNumber};
use sockeye_core::wire::{ChecksumEmit, Headers, LinkType, Protocol};

use super::row::{Ends, Row};
use super::rung::{Drawing, Glyphs};
use super::{AgainSight, FrameSight, Outcome, Party, RecoverySight, Shown, Side, Sight, StateSight, Story};

const CLIENT: &str = "10.0.0.1:49152";
const SERVER: &str = "10.0.0.2:7788";

/// A segment of the conversation between CLIENT and SERVER; its numbers count from 1000 and 5000.
struct Spoken {
    from: Side,
    flags: Flags,
    seq: u32,
    ack: u32,
    data: &'static [u8],
}

fn spoken(from: Side, flags: Flags, seq: u32, ack: u32, data: &'static [u8]) -> Spoken {
    Spoken { from, flags, seq, ack, data }
}

fn micros(at: u64) -> Instant {
    Instant::from_micros(at)
}

fn ethernet(from: Side, ethertype: EtherType, headers: &mut Headers) {
    let [client, server] = [MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2])];
    let (source, destination) = if from == Side::Left { (client, server) } else { (server, client) };
    Ethernet { destination, source, ethertype }.prepend(headers);
}

fn frame_of(spoken: &Spoken) -> Vec<u8> {
    let [client, server]: [SocketAddr; 2] = [CLIENT, SERVER].map(|address| address.parse().unwrap());
    let (source, destination, starts) = if spoken.from == Side::Left {
        (client, server, [1000, 5000])
    } else {
        (server, client, [5000, 1000])
    };
    let (SocketAddr::V4(source), SocketAddr::V4(destination)) = (source, destination) else { unreachable!() };
    let mut options = Options::default();
    if spoken.flags.contains(Flags::SYN) {
        options.mss = Some(1460);
        options.sack_permitted = true;
        options.window_scale = Some(7);
    }
    let segment = Segment {
        source_port: source.port(),
        destination_port: destination.port(),
        seq: SeqNumber(starts[0] + spoken.seq),
        ack: SeqNumber(if spoken.flags.contains(Flags::ACK) { starts[1] + spoken.ack } else { 0 }),
        flags: spoken.flags,
        window: if spoken.flags.contains(Flags::SYN) { 65535 } else { 512 },
        urgent: 0,
        options,
        length: spoken.data.len() as u32,
    };
    let mut ip = Ipv4Header::new(*source.ip(), *destination.ip(), Protocol::Tcp);
    ip.payload_length = segment.header_len() + spoken.data.len();
    let mut headers = Headers::new();
    segment.prepend(&mut headers, &ip.pseudo(), [spoken.data, &[]], ChecksumEmit::Full);
    ip.prepend(&mut headers);
    ethernet(spoken.from, EtherType::Ipv4, &mut headers);
    [headers.as_slice(), spoken.data].concat()
}

fn arrives(at: u64) -> Outcome {
    Outcome::Arrives { at: micros(at), is_doubled: false, is_damaged: false, is_held_back: false }
}

fn sent(at: u64, outcome: Outcome, spoken: Spoken) -> Sight {
    let (from, bytes) = (spoken.from, frame_of(&spoken));
    Sight::Frame(FrameSight { at: micros(at), from, bytes, segment_size: None, outcome })
}

fn state(at: u64, side: Side, change: &str, cause: &'static str) -> Sight {
    let [client, server]: [SocketAddr; 2] = [CLIENT, SERVER].map(|address| address.parse().unwrap());
    let (local, remote) = if side == Side::Left { (client, server) } else { (server, client) };
    let by_segment = cause == "segment";
    let (before, state) = change.split_once(" to ").unwrap();
    let [before, state] = [before, state].map(str::to_owned);
    Sight::State(StateSight { at: micros(at), side, local, remote, before, state, by_segment, cause })
}

fn rows(sights: Vec<Sight>, shown: Shown) -> Vec<Row> {
    let mut story = Story::new(Party {
        link: LinkType::Ethernet,
        shown,
        start: Instant::ZERO,
        has_states: [true, true],
        listening: vec![7788],
    });
    for sight in sights {
        story.on_sight(sight);
    }
    let late = Instant::ZERO + Duration::from_secs(3600);
    let rows = std::iter::from_fn(|| story.poll_rows(late)).flatten().collect();
    assert!(!story.is_waiting());
    rows
}

fn drawn(rows: &[Row], glyphs: Glyphs) -> String {
    let drawing = Drawing::new(glyphs, 124);
    let start = Row::Start(Ends { left: "gateway 10.0.0.1".to_owned(), right: "server 10.0.0.2".to_owned() });
    let lines: Vec<String> = std::iter::once(&start).chain(rows).map(|row| drawing.draw(row)).collect();
    anstream::adapter::strip_str(&lines.join("\n")).to_string()
}

use Side::{Left, Right};
const SYN: Flags = Flags::SYN;
const ACK: Flags = Flags::ACK;

fn handshake() -> Vec<Sight> {
    vec![
        state(100, Left, "CLOSED to SYN-SENT", "call"),
        sent(101, arrives(101), spoken(Left, SYN, 0, 0, b"")),
        state(105, Right, "LISTEN to SYN-RECEIVED", "segment"),
        sent(106, arrives(106), spoken(Right, SYN | ACK, 0, 1, b"")),
        state(110, Left, "SYN-SENT to ESTABLISHED", "segment"),
        sent(111, arrives(111), spoken(Left, ACK, 1, 1, b"")),
        state(115, Right, "SYN-RECEIVED to ESTABLISHED", "segment"),
    ]
}

#[test]
fn a_whole_connection() {
    let mut sights = vec![];
    let arp = Arp {
        operation: ArpOperation::Request,
        sender_mac: MacAddr([2, 0, 0, 0, 0, 1]),
        sender_ip: "10.0.0.1".parse().unwrap(),
        target_mac: MacAddr::UNSPECIFIED,
        target_ip: "10.0.0.2".parse().unwrap(),
    };
    let mut headers = Headers::new();
    headers.push_front(&arp.emit());
    ethernet(Left, EtherType::Arp, &mut headers);
    let bytes = headers.as_slice().to_vec();
    sights.push(Sight::Frame(FrameSight {
        at: micros(50),
        from: Left,
        bytes,
        segment_size: None,
        outcome: arrives(50),
    }));
    sights.extend(handshake());
    sights.extend([
        sent(2000, arrives(2000), spoken(Left, Flags::PSH | ACK, 1, 1, b"hello\n")),
        sent(2050, arrives(2050), spoken(Right, Flags::PSH | ACK, 1, 7, b"hello\n")),
        state(3000, Left, "ESTABLISHED to FIN-WAIT-1", "call"),
        sent(3001, arrives(3001), spoken(Left, Flags::FIN | ACK, 7, 7, b"")),
        state(3005, Right, "ESTABLISHED to CLOSE-WAIT", "segment"),
        state(3100, Right, "CLOSE-WAIT to LAST-ACK", "call"),
        sent(3101, arrives(3101), spoken(Right, Flags::FIN | ACK, 7, 8, b"")),
        state(3105, Left, "FIN-WAIT-1 to TIME-WAIT", "segment"),
        sent(3106, arrives(3106), spoken(Left, ACK, 8, 8, b"")),
        state(3110, Right, "LAST-ACK to CLOSED", "segment"),
        state(60_003_105, Left, "TIME-WAIT to CLOSED", "timer"),
    ]);
    insta::assert_snapshot!(
        "whole_connection",
        drawn(&rows(sights.clone(), Shown::Text(UTF_8)), Glyphs::Unicode)
    );
    insta::assert_snapshot!(
        "whole_connection_ascii",
        drawn(&rows(sights, Shown::Text(UTF_8)), Glyphs::Ascii)
    );
}

#[test]
fn what_a_bad_cable_does_is_marked() {
    let damaged =
        Outcome::Arrives { at: micros(352_100), is_doubled: true, is_damaged: true, is_held_back: true };
    let mut sights = handshake();
    sights.extend([
        sent(2000, Outcome::Lost("lost".to_owned()), spoken(Left, Flags::PSH | ACK, 1, 1, b"hello\n")),
        sent(202_000, arrives(252_000), spoken(Left, Flags::PSH | ACK, 1, 1, b"hello\n")),
        sent(252_100, Outcome::Lost("queue full".to_owned()), spoken(Right, ACK, 1, 7, b"")),
        sent(302_100, damaged, spoken(Right, ACK, 1, 7, b"")),
        sent(402_100, arrives(402_100), spoken(Left, ACK, 6, 1, b"")),
    ]);
    insta::assert_snapshot!("bad_cable", drawn(&rows(sights, Shown::Text(UTF_8)), Glyphs::Unicode));
}

#[test]
fn a_refused_connection_was_never_listened_for() {
    let mut story = Story::new(Party {
        link: LinkType::Ethernet,
        shown: Shown::Text(UTF_8),
        start: Instant::ZERO,
        has_states: [true, true],
        listening: vec![80],
    });
    story.on_sight(sent(10, arrives(10), spoken(Left, SYN, 0, 0, b"")));
    story.on_sight(sent(20, arrives(20), spoken(Right, Flags::RST | ACK, 0, 1, b"")));
    let rows: Vec<Row> = std::iter::from_fn(|| story.poll_rows(micros(1_000_000))).flatten().collect();
    insta::assert_snapshot!("refused", drawn(&rows, Glyphs::Unicode));
}

#[test]
fn split_characters_and_hexadecimal() {
    let sights = || {
        let mut sights = handshake();
        sights.push(sent(2000, arrives(2000), spoken(Left, ACK, 1, 1, b"\xc4\xe3\xba")));
        sights.push(sent(2010, arrives(2010), spoken(Left, ACK, 4, 1, b"\xc3\xca\xc0\xbd\xe7")));
        sights
    };
    insta::assert_snapshot!("gbk", drawn(&rows(sights(), Shown::Text(GBK)), Glyphs::Unicode));
    insta::assert_snapshot!("gbk_ascii", drawn(&rows(sights(), Shown::Text(GBK)), Glyphs::Ascii));
    insta::assert_snapshot!("hex", drawn(&rows(sights(), Shown::Hex), Glyphs::Unicode));
}

#[test]
fn nothing_is_told_before_its_time() {
    let mut story = Story::new(Party {
        link: LinkType::Ethernet,
        shown: Shown::Hex,
        start: Instant::ZERO,
        has_states: [false, true],
        listening: vec![7788],
    });
    // The observer of the host is slower than that of the cable, and the frame takes 50 ms.
    story.on_sight(sent(101, arrives(50_101), spoken(Left, SYN, 0, 0, b"")));
    assert_eq!(story.poll_rows(micros(60_000)), None);
    story.on_sight(state(50_105, Right, "LISTEN to SYN-RECEIVED", "segment"));
    let rows = story.poll_rows(micros(66_000)).unwrap();
    let Some(Row::Frame(row)) = rows.get(1) else { panic!("{rows:?}") };
    assert_eq!((row.left_state.as_deref(), row.right_state.as_deref()), (None, Some("SYN-RECEIVED")));
}

#[test]
fn a_state_stamped_too_early_is_told_with_its_cause() {
    let mut sights = handshake();
    sights.extend([
        sent(2000, arrives(2000), spoken(Right, Flags::PSH | ACK, 1, 1, b"bye")),
        // The host has taken both frames at once.
        state(2010, Left, "ESTABLISHED to CLOSE-WAIT", "segment"),
        sent(2050, arrives(2050), spoken(Right, Flags::FIN | ACK, 4, 1, b"")),
        sent(90_000, arrives(90_000), spoken(Left, ACK, 1, 5, b"")),
    ]);
    let rows = rows(sights, Shown::Text(UTF_8));
    let states: Vec<&str> = rows
        .iter()
        .map(|row| match row {
            Row::Frame(row) => row.left_state.as_deref().unwrap_or_default(),
            Row::State(row) => panic!("{row:?}"),
            _ => "",
        })
        .skip(4)
        .collect();
    assert_eq!(states, ["ESTABLISHED", "CLOSE-WAIT", "CLOSE-WAIT"]);
}

#[test]
fn a_segment_sent_again_names_its_first_time() {
    let mut sights = handshake();
    sights.extend([
        sent(2000, arrives(2000), spoken(Left, Flags::FIN | ACK, 1, 1, b"")),
        sent(2100, Outcome::Lost("lost".to_owned()), spoken(Right, ACK, 1, 2, b"")),
        sent(300_000, arrives(300_000), spoken(Left, Flags::FIN | ACK, 1, 1, b"")),
    ]);
    let first: Vec<Option<f64>> = rows(sights, Shown::Text(UTF_8))
        .iter()
        .filter_map(|row| if let Row::Frame(row) = row { Some(row.first_sent) } else { None })
        .skip(3)
        .collect();
    assert_eq!(first, [None, None, Some(0.002)]);
}

fn ends(side: Side) -> (SocketAddr, SocketAddr) {
    let [client, server]: [SocketAddr; 2] = [CLIENT, SERVER].map(|address| address.parse().unwrap());
    if side == Left { (client, server) } else { (server, client) }
}

fn again(at: u64, side: Side, seq: u32, length: u32, cause: RetransmitCause) -> Sight {
    let (local, remote) = ends(side);
    let start = if side == Left { 1000 } else { 5000 };
    Sight::Again(AgainSight {
        at: micros(at),
        side,
        local,
        remote,
        seq: SeqNumber(start + seq),
        length,
        cause,
    })
}

fn recovery(
    at: u64,
    side: Side,
    phases: [Recovering; 2],
    window: (u32, CwndReason),
    is_undone: bool,
) -> Sight {
    let (local, remote) = ends(side);
    let ([from, to], (cwnd, reason)) = (phases, window);
    let ssthresh = (reason != CwndReason::HyStart).then_some(7);
    let change = RecoveryChange { from, to, cwnd, ssthresh, reason, is_undone };
    Sight::Recovery(RecoverySight { at: micros(at), side, local, remote, change })
}

#[test]
fn a_segment_sent_again_says_why_and_what_the_window_is_stands_beside_it() {
    use Recovering::{Loss, Open};
    let hello = || spoken(Left, Flags::PSH | ACK, 1, 1, b"hello");
    let mut sights = handshake();
    sights.extend([
        sent(2000, Outcome::Lost("lost".to_owned()), hello()),
        // A cause of another segment, and one of another end: neither is this one's.
        again(202_000, Left, 6, 5, RetransmitCause::Reneging),
        again(202_000, Right, 1, 5, RetransmitCause::Reneging),
        again(202_000, Left, 1, 5, RetransmitCause::LossProbe),
        sent(202_001, Outcome::Lost("lost".to_owned()), hello()),
        recovery(402_000, Left, [Open, Loss], (1, CwndReason::Timeout), false),
        again(402_000, Left, 1, 5, RetransmitCause::Timeout),
        sent(402_001, arrives(402_001), hello()),
        recovery(502_000, Left, [Loss, Open], (10, CwndReason::Undo), true),
        recovery(602_000, Right, [Open, Open], (40, CwndReason::HyStart), false),
        // Sent again, and nobody has said why.
        sent(702_001, arrives(702_001), hello()),
    ]);
    let rows = rows(sights, Shown::Text(UTF_8));
    insta::assert_snapshot!("recovery", drawn(&rows, Glyphs::Unicode));
    let lines: Vec<String> = rows.iter().skip(5).map(|row| serde_json::to_string(row).unwrap()).collect();
    insta::assert_snapshot!("recovery_json", lines.join("\n"));
}

#[test]
fn rows_as_json() {
    let mut sights = handshake();
    sights.push(sent(
        2000,
        Outcome::Lost("lost".to_owned()),
        spoken(Left, Flags::PSH | ACK, 1, 1, b"hello\n"),
    ));
    let lines: Vec<String> =
        rows(sights, Shown::Text(UTF_8)).iter().map(|row| serde_json::to_string(row).unwrap()).collect();
    insta::assert_snapshot!("json", lines.join("\n"));
}

#[test]
fn an_acknowledgement_of_data_does_not_end_a_connection_whose_fin_is_still_to_leave() {
    let mut sights = handshake();
    sights.extend([
        sent(2000, arrives(2000), spoken(Left, Flags::PSH | ACK, 1, 1, b"hello\n")),
        // The program has closed before the answer to its data, but the FIN leaves after that, all within two milliseconds.
        state(2040, Left, "ESTABLISHED to FIN-WAIT-1", "call"),
        sent(2050, arrives(2050), spoken(Right, ACK, 1, 7, b"")),
        sent(2060, arrives(2060), spoken(Left, Flags::FIN | ACK, 7, 1, b"")),
        state(2065, Right, "ESTABLISHED to CLOSE-WAIT", "segment"),
        sent(2070, arrives(2070), spoken(Right, ACK, 1, 8, b"")),
        state(2075, Left, "FIN-WAIT-1 to FIN-WAIT-2", "segment"),
    ]);
    let rows = rows(sights, Shown::Text(UTF_8));
    let states: Vec<Option<&str>> = rows
        .iter()
        .filter_map(|row| if let Row::Frame(row) = row { Some(row.left_state.as_deref()) } else { None })
        .skip(4)
        .collect();
    assert_eq!(states, [Some("FIN-WAIT-1"), Some("FIN-WAIT-1"), Some("FIN-WAIT-2")]);
}
