//! Accurate ECN (RFC 9768): who gets it, what the counters say, and what becomes of a path that tampers with them.

use super::pipe::{Conditions, Pipe};
use super::*;
use crate::wire::ecn::Codepoint;
use crate::wire::tcp::{AccurateEcn, AccurateEcnOrder};
use Codepoint::{Ce, Ect0, Ect1, NotEct};

fn mode(ecn: EcnMode) -> Settings {
    Settings { ecn, ..plain() }
}

/// The three flags of a number.
fn ace(number: u32) -> Flags {
    let of = |bit: u32, flag| if number & bit != 0 { flag } else { Flags::NONE };
    of(4, Flags::AE) | of(2, Flags::CWR) | of(1, Flags::ECE)
}

fn number(flags: Flags) -> u32 {
    [(4, Flags::AE), (2, Flags::CWR), (1, Flags::ECE)]
        .into_iter()
        .filter(|(_, flag)| flags.contains(*flag))
        .map(|(bit, _)| bit)
        .sum()
}

fn sent(connection: &mut Connection, now: Instant) -> Vec<Outgoing> {
    let all: Vec<Outgoing> = core::iter::from_fn(|| connection.poll_transmit(now, 0)).collect();
    check(connection);
    all
}

/// A client whose SYN is answered with this number, in a packet with this field.
fn answered(with: u32, field: Codepoint) -> (Connection, Vec<Outgoing>) {
    let mut connection = Connection::connect(at(0), ends(), mode(EcnMode::Accurate), opening(1000));
    assert_eq!(sent(&mut connection, at(0))[0].segment.flags.to_string(), "[SEWe]");
    let mut syn_ack = from_peer(Flags::SYN | Flags::ACK | ace(with), 5000, 1001);
    syn_ack.options.mss = Some(1000);
    connection.on_marked_segment(at(10), &syn_ack, &[], field).unwrap();
    let answers = sent(&mut connection, at(10));
    (connection, answers)
}

fn agreed() -> Connection {
    let (connection, _) = answered(0b010, NotEct);
    assert!(connection.info().accurate_ecn);
    connection
}

fn data(connection: &mut Connection, now: Instant, seq: u32, field: Codepoint) -> Vec<Outgoing> {
    let segment = Segment { length: 100, ..from_peer(Flags::ACK | ace(5), seq, 1001) };
    connection.on_marked_segment(now, &segment, &[7; 100], field).unwrap();
    sent(connection, now)
}

/// An acknowledgement that reports so many marked packets and, perhaps, bytes.
fn report(ack: u32, packets: u32, bytes: Option<u32>) -> Segment {
    let mut segment = from_peer(Flags::ACK | ace((packets + 5) & 7), 5001, ack);
    segment.options.accurate_ecn =
        bytes.map(|bytes| AccurateEcn::new(AccurateEcnOrder::Ect0First, &[1, bytes, 1]));
    segment
}

#[test]
fn two_ends_agree_on_the_best_that_both_want() {
    use EcnMode::{Accurate, AccurateForPeers, AccuratePassive, Off, On, Passive};
    let all = [Off, On, Passive, Accurate, AccurateForPeers, AccuratePassive];
    for (client, server) in all.into_iter().flat_map(|client| all.map(|server| (client, server))) {
        let expected = match (client, server) {
            (_, Off) | (Off | Passive | AccuratePassive, _) => (false, false),
            (Accurate, Accurate | AccurateForPeers | AccuratePassive) => (true, true),
            _ => (true, false),
        };
        let mut pipe =
            Pipe::new(1, [mode(client), mode(server)], Conditions { delay: 5, ..Default::default() });
        pipe.run(ms(100));
        for info in [pipe.client().info(), pipe.server().info()] {
            assert_eq!((info.ecn, info.accurate_ecn), expected, "{client:?} {server:?}");
        }
    }
}

#[test]
fn a_server_says_how_the_syn_came_and_knows_flags_to_come() {
    let modes = [(EcnMode::AccuratePassive, true), (EcnMode::Passive, false)];
    for (mode, is_accurate) in modes {
        let settings = Settings { ecn: mode, ..plain() };
        // What RFC 3168 grants to each number, and whether RFC 9768 takes it for a request.
        for (asked, classic, accurate) in [
            (0b000, 0b000, false),
            (0b001, 0b000, true),
            (0b010, 0b000, true),
            (0b011, 0b001, false),
            (0b100, 0b000, true),
            (0b101, 0b000, true),
            (0b110, 0b000, true),
            (0b111, 0b001, true),
        ] {
            for (field, encoded) in [(NotEct, 0b010), (Ect1, 0b011), (Ect0, 0b100), (Ce, 0b110)] {
                let syn = from_peer(Flags::SYN | ace(asked), 5000, 0);
                let handshake = Handshake::on_syn(at(0), ends(), &syn, opening(1000), &settings).met(field);
                let answer = handshake.syn_ack(at(0));
                let expected = if accurate && is_accurate { encoded } else { classic };
                assert_eq!(number(answer.flags), expected, "{mode:?} {asked:03b} {field:?}");
                let has_counters = answer.options.accurate_ecn.is_some();
                assert_eq!(has_counters, accurate && is_accurate, "{mode:?} {asked:03b}");
            }
        }
    }
}

#[test]
fn a_client_says_how_the_syn_ack_came() {
    for (field, encoded) in [(NotEct, 0b010), (Ect1, 0b011), (Ect0, 0b100), (Ce, 0b110)] {
        let (mut connection, answers) = answered(0b010, field);
        let flags: Vec<u32> = answers.iter().map(|out| number(out.segment.flags)).collect();
        assert_eq!(flags, [encoded], "{field:?}");
        // Behind it the number counts, from five, and a marked SYN-ACK is the first to be counted.
        connection.write(at(20), &[0; 10]).unwrap();
        let counted = number(sent(&mut connection, at(20))[0].segment.flags);
        assert_eq!(counted, if field == Ce { 6 } else { 5 }, "{field:?}");
        // The SYN-ACK again: the acknowledgement was lost, and what it said.
        let again = from_peer(Flags::SYN | Flags::ACK | ace(0b010), 5000, 1001);
        let _ = connection.on_marked_segment(at(1000), &again, &[], NotEct);
        assert_eq!(number(sent(&mut connection, at(1000))[0].segment.flags), encoded, "{field:?}");
    }
}

#[test]
fn answers_in_other_dialects() {
    for (with, ecn, accurate) in [
        (0b000, false, false),
        (0b001, true, false),
        (0b010, true, true),
        (0b011, true, true),
        (0b100, true, true),
        (0b101, true, false),
        (0b110, true, true),
        (0b111, false, false),
    ] {
        let (mut connection, _) = answered(with, NotEct);
        let info = connection.info();
        assert_eq!((info.ecn, info.accurate_ecn), (ecn, accurate), "{with:03b}");
        // Our SYN was not ECN-capable: whoever has seen it otherwise has seen it changed, and data would fare no better.
        connection.write(at(20), &[0; 10]).unwrap();
        let is_mangled = accurate && with != 0b010;
        let expected = if ecn && !is_mangled { Ect0 } else { NotEct };
        assert_eq!(sent(&mut connection, at(20))[0].ecn, expected, "{with:03b}");
    }
}

#[test]
fn the_third_acknowledgement_shows_what_the_path_does() {
    for (third, expected) in [(0b010, Ect0), (0b101, Ect0), (0b111, Ect0), (0b000, NotEct), (0b110, NotEct)] {
        let settings = mode(EcnMode::Accurate);
        let syn = from_peer(Flags::SYN | ace(0b111), 5000, 0);
        let handshake = Handshake::on_syn(at(0), ends(), &syn, opening(1000), &settings);
        let ack = from_peer(Flags::ACK | ace(third), 5001, 1001);
        let mut connection = Connection::accepted(at(2), &handshake, &ack, &settings);
        connection.on_marked_segment(at(2), &ack, &[], NotEct).unwrap();
        assert_eq!(connection.info().delivered_ce, 0, "it is no counter");
        connection.write(at(2), &[0; 10]).unwrap();
        assert_eq!(sent(&mut connection, at(2))[0].ecn, expected, "{third:03b}");
    }
}

#[test]
fn a_syn_is_sent_twice_with_the_flags_before_it_does_without() {
    let mut connection = Connection::connect(at(0), ends(), mode(EcnMode::Accurate), opening(1000));
    let mut flags = vec![sent(&mut connection, at(0))[0].segment.flags.to_string()];
    for _ in 0..2 {
        let due = connection.poll_timeout().unwrap();
        connection.on_timeout(due);
        flags.push(sent(&mut connection, due)[0].segment.flags.to_string());
    }
    assert_eq!(flags, ["[SEWe]", "[SEWe]", "[S]"]);
}

#[test]
fn every_mark_is_counted_and_the_first_of_a_row_is_reported_at_once() {
    let mut connection = agreed();
    let mut seq = 5001;
    let mut come = |connection: &mut Connection, field| {
        let answers = data(connection, at(20), seq, field);
        seq += 100;
        answers
    };
    // Past the quick acknowledgements of the beginning.
    let settled = (0..40).map(|_| come(&mut connection, Ect0)).filter(Vec::is_empty).count();
    assert!(settled > 5, "{settled}");
    while !come(&mut connection, Ect0).is_empty() {}
    let first = come(&mut connection, Ce);
    assert_eq!(first.iter().map(|out| number(out.segment.flags)).collect::<Vec<_>>(), [6]);
    let counters = first[0].segment.options.accurate_ecn.unwrap();
    assert_eq!(counters.bytes(Ce), Some(100));
    assert_eq!(counters.bytes(Ect1), Some(1));
    assert_eq!(counters.bytes(Ect0).map(|bytes| bytes % 100), Some(1));
    // A row of marks: at the latest every second is answered, and none is forgotten.
    let rows: Vec<usize> = (0..10).map(|_| come(&mut connection, Ce).len()).collect();
    assert!(rows.windows(2).all(|pair| pair[0] + pair[1] > 0), "{rows:?}");
    assert_eq!(connection.info().received_ce, 11);
    let info = connection.write(at(20), &[0; 10]).and(Ok(sent(&mut connection, at(20))));
    assert_eq!(number(info.unwrap()[0].segment.flags), (11 + 5) & 7);
}

#[test]
fn a_report_reduces_the_window_once_a_round_and_says_nothing_back() {
    let mut connection = agreed();
    connection.write(at(20), &[0; 100_000]).unwrap();
    assert_eq!(sent(&mut connection, at(20)).len(), 10);
    connection.on_segment(at(30), &report(2001, 1, None), &[]).unwrap();
    let reduced = connection.info().ssthresh;
    assert_eq!((reduced, connection.info().recovering), (7000, Recovering::Cwr));
    connection.on_segment(at(30), &report(6001, 4, None), &[]).unwrap();
    connection.on_segment(at(30), &report(11_001, 5, None), &[]).unwrap();
    assert_eq!((connection.info().ssthresh, connection.info().delivered_ce), (reduced, 5));
    let next = sent(&mut connection, at(30));
    assert!(next.iter().all(|out| number(out.segment.flags) == 5 && out.ecn == Ect0), "no CWR: it counts");
    // Nothing new in the next round: the window grows again.
    connection.on_segment(at(40), &report(12_001, 5, None), &[]).unwrap();
    assert_eq!((connection.info().recovering, connection.info().delivered_ce), (Recovering::Open, 5));
}

#[test]
fn a_counter_that_may_have_gone_round_counts_as_gone_round_unless_the_bytes_say_no() {
    // One acknowledgement of ten segments, and what the counters say of them.
    for (packets, bytes, expected) in [
        (0, None, 8),
        (2, None, 10),
        (4, None, 4),
        (0, Some(0), 0),
        (2, Some(2000), 2),
        (8, Some(8000), 8),
        (10, Some(10_000), 10),
    ] {
        let mut connection = agreed();
        connection.write(at(20), &[0; 100_000]).unwrap();
        assert_eq!(sent(&mut connection, at(20)).len(), 10);
        connection.on_segment(at(30), &report(11_001, packets, bytes), &[]).unwrap();
        assert_eq!(connection.info().delivered_ce, expected, "{packets} {bytes:?}");
    }
}

#[test]
fn an_old_report_is_no_news_and_zeros_are_no_counter() {
    let mut connection = agreed();
    connection.write(at(20), &[0; 10_000]).unwrap();
    sent(&mut connection, at(20));
    connection.on_segment(at(30), &report(4001, 2, Some(2000)), &[]).unwrap();
    connection.on_segment(at(30), &report(2001, 0, Some(0)), &[]).unwrap();
    connection.on_segment(at(30), &report(4001, 0, Some(0)), &[]).unwrap();
    connection.on_segment(at(30), &report(5001, 2, Some(2000)), &[]).unwrap();
    assert_eq!(connection.info().delivered_ce, 2);

    let mut connection = agreed();
    connection.write(at(20), &[0; 1000]).unwrap();
    assert_eq!(sent(&mut connection, at(20))[0].ecn, Ect0);
    connection.on_segment(at(30), &from_peer(Flags::ACK, 5001, 2001), &[]).unwrap();
    connection.write(at(30), &[0; 1000]).unwrap();
    assert_eq!(sent(&mut connection, at(30))[0].ecn, NotEct, "the path wipes the flags");
}

#[test]
fn the_option_can_be_left_out() {
    let settings = Settings { accurate_ecn_option: false, ..mode(EcnMode::Accurate) };
    let syn = from_peer(Flags::SYN | ace(0b111), 5000, 0);
    let handshake = Handshake::on_syn(at(0), ends(), &syn, opening(1000), &settings);
    assert_eq!(handshake.syn_ack(at(0)).options.accurate_ecn, None);
    let ack = from_peer(Flags::ACK | ace(0b010), 5001, 1001);
    let mut connection = Connection::accepted(at(2), &handshake, &ack, &settings);
    let answers = data(&mut connection, at(20), 5001, Ce);
    assert_eq!(number(answers[0].segment.flags), 6);
    assert_eq!(answers[0].segment.options.accurate_ecn, None);
}

#[test]
fn a_cookie_grants_the_other_kind() {
    let mut syn = from_peer(Flags::SYN | ace(0b111), 5000, 0);
    syn.options.timestamps = Some(crate::wire::tcp::Timestamps { value: 9, echo: 0 });
    let settings = Settings { ecn: EcnMode::Accurate, ..Settings::default() };
    let now = Instant::from_secs(1000);
    let handshake = Handshake::on_syn(now, ends(), &syn, opening(1000), &settings);
    let iss = cookie::encode(now, &ends(), &syn, &crate::hash::SecretState::new(1, 2));
    let answer = handshake.cookie_syn_ack(now, iss, &syn);
    assert_eq!((number(answer.flags), answer.options.accurate_ecn), (0b001, None));
}
