//! ECN: what is agreed on, what is marked, what an echo costs, and when it ends.

use super::pipe::{Conditions, Pipe};
use super::*;
use crate::wire::ecn::Codepoint;

fn mode(ecn: EcnMode) -> Settings {
    Settings { ecn, ..Settings::default() }
}

/// What leaves now: flags and ECN field of each segment.
fn marks(connection: &mut Connection, now: Instant, largest: usize) -> Vec<(String, Codepoint, u32)> {
    let mut all = Vec::new();
    while let Some(out) = connection.poll_transmit(now, largest) {
        all.push((out.segment.flags.to_string(), out.ecn, out.segment.length));
    }
    check(connection);
    all
}

/// A connection that has agreed on ECN with a peer played by the test.
fn agreed() -> Connection {
    let mut connection =
        Connection::connect(at(0), ends(), Settings { ecn: EcnMode::On, ..plain() }, opening(1000));
    assert_eq!(marks(&mut connection, at(0), 0), [("[SEW]".into(), Codepoint::NotEct, 0)]);
    let mut syn_ack = from_peer(Flags::SYN | Flags::ACK | Flags::ECE, 5000, 1001);
    syn_ack.options.mss = Some(1000);
    connection.on_segment(at(10), &syn_ack, &[]).unwrap();
    assert_eq!(marks(&mut connection, at(10), 0), [("[.]".into(), Codepoint::NotEct, 0)]);
    assert!(connection.info().ecn);
    connection
}

fn ack(flags: Flags, ack: u32) -> Segment {
    from_peer(Flags::ACK | flags, 5001, ack)
}

fn data(connection: &mut Connection, now: Instant, seq: u32, flags: Flags, codepoint: Codepoint) {
    let segment = Segment { length: 100, ..from_peer(Flags::ACK | flags, seq, 1001) };
    connection.on_marked_segment(now, &segment, &[7; 100], codepoint).unwrap();
}

#[test]
fn both_modes_agree_as_linux_does() {
    use EcnMode::{Off, On, Passive};
    for (client, server, agreed) in [
        (On, On, true),
        (On, Passive, true),
        (On, Off, false),
        (Passive, On, false),
        (Passive, Passive, false),
        (Off, On, false),
    ] {
        let mut pipe =
            Pipe::new(1, [mode(client), mode(server)], Conditions { delay: 5, ..Default::default() });
        pipe.run(ms(100));
        let found = (pipe.client().info().ecn, pipe.server().info().ecn);
        assert_eq!(found, (agreed, agreed), "{client:?} {server:?}");
    }
}

#[test]
fn a_syn_sent_again_does_without_unless_told_otherwise() {
    for (fallback, again) in [(true, "[S]"), (false, "[SEW]")] {
        let settings = Settings { ecn: EcnMode::On, ecn_fallback: fallback, ..plain() };
        let mut connection = Connection::connect(at(0), ends(), settings, opening(1000));
        assert_eq!(marks(&mut connection, at(0), 0)[0].0, "[SEW]");
        connection.on_timeout(at(1000));
        assert_eq!(marks(&mut connection, at(1000), 0)[0].0, again);
        // The answer may be one to the first of them: RFC 3168 forbids to mark data then, but the peer may do so.
        connection
            .on_segment(at(1010), &from_peer(Flags::SYN | Flags::ACK | Flags::ECE, 5000, 1001), &[])
            .unwrap();
        marks(&mut connection, at(1010), 0);
        connection.write(at(1010), &[0; 100]).unwrap();
        let expected = if fallback { Codepoint::NotEct } else { Codepoint::Ect0 };
        assert_eq!(marks(&mut connection, at(1010), 0), [("[P.]".into(), expected, 100)]);
        data(&mut connection, at(1020), 5001, Flags::NONE, Codepoint::Ce);
        assert_eq!(marks(&mut connection, at(1020), 0)[0].0, "[.E]");
    }
}

#[test]
fn answers_that_grant_nothing() {
    for flags in [Flags::NONE, Flags::ECE | Flags::CWR, Flags::CWR] {
        let mut connection = Connection::connect(at(0), ends(), mode(EcnMode::On), opening(1000));
        marks(&mut connection, at(0), 0);
        let syn_ack = from_peer(Flags::SYN | Flags::ACK | flags, 5000, 1001);
        connection.on_segment(at(10), &syn_ack, &[]).unwrap();
        assert!(!connection.info().ecn, "{flags}");
        connection.write(at(10), &[0; 100]).unwrap();
        assert!(marks(&mut connection, at(10), 0).iter().all(|(_, ecn, _)| *ecn == Codepoint::NotEct));
        data(&mut connection, at(20), 5001, Flags::NONE, Codepoint::Ce);
        assert!(marks(&mut connection, at(20), 0).iter().all(|(flags, ..)| flags == "[.]"));
    }
}

#[test]
fn only_new_data_is_marked() {
    let mut connection = agreed();
    connection.write(at(20), &[0; 1500]).unwrap();
    let both = [("[.]".into(), Codepoint::Ect0, 1000), ("[P.]".into(), Codepoint::Ect0, 500)];
    assert_eq!(marks(&mut connection, at(20), 0), both);
    let due = connection.poll_timeout().unwrap();
    connection.on_timeout(due);
    let again = marks(&mut connection, due, 0);
    assert_eq!(again, [("[.]".into(), Codepoint::NotEct, 1000)], "a retransmission");
    connection.on_segment(due, &ack(Flags::NONE, 2501), &[]).unwrap();
    connection.write(due, &[0; 10]).unwrap();
    assert_eq!(marks(&mut connection, due, 0), [("[P.W]".into(), Codepoint::Ect0, 10)], "and CWR behind it");
    connection.on_segment(due, &ack(Flags::NONE, 2511), &[]).unwrap();
    connection.shutdown_write(due);
    assert_eq!(marks(&mut connection, due, 0), [("[F.]".into(), Codepoint::NotEct, 0)], "a FIN alone");
}

#[test]
fn an_echo_reduces_the_window_once_a_round() {
    let mut connection = agreed();
    connection.write(at(20), &[0; 100_000]).unwrap();
    assert_eq!(marks(&mut connection, at(20), 0).len(), 10);
    connection.on_segment(at(30), &ack(Flags::ECE, 2001), &[]).unwrap();
    let reduced = connection.info().ssthresh;
    assert_eq!(reduced, 7000, "CUBIC's 0.7 of the window");
    assert_eq!(connection.info().recovering, Recovering::Cwr);
    for number in 2..=10 {
        connection.on_segment(at(30), &ack(Flags::ECE, 1001 + number * 1000), &[]).unwrap();
        assert_eq!(connection.info().ssthresh, reduced, "still the same round");
    }
    assert_eq!(connection.info().delivered_ce, 10);
    let next = marks(&mut connection, at(30), 65_000);
    assert_eq!(next[0], ("[.W]".into(), Codepoint::Ect0, 1000), "CWR alone, never in a burst");
    assert!(
        next[1..].iter().all(|(flags, ecn, _)| !flags.contains('W') && *ecn == Codepoint::Ect0),
        "{next:?}"
    );
    // The acknowledgement of what carried CWR ends the round; an echo after it is news.
    connection.on_segment(at(40), &ack(Flags::NONE, 12_001), &[]).unwrap();
    assert_eq!((connection.info().recovering, connection.info().cwnd), (Recovering::Open, reduced));
    connection.on_segment(at(40), &ack(Flags::ECE, 13_001), &[]).unwrap();
    assert!(connection.info().ssthresh < reduced, "{}", connection.info().ssthresh);
}

#[test]
fn an_echo_in_recovery_reduces_nothing_more() {
    let mut connection = agreed();
    connection.write(at(20), &[0; 10_000]).unwrap();
    marks(&mut connection, at(20), 0);
    connection.on_segment(at(30), &ack(Flags::ECE, 2001), &[]).unwrap();
    let reduced = connection.info().ssthresh;
    for _ in 0..4 {
        connection.on_segment(at(30), &ack(Flags::ECE, 2001), &[]).unwrap();
    }
    let info = connection.info();
    assert_eq!((info.recovering, info.ssthresh), (Recovering::Recovery, reduced), "lost in the same round");
}

#[test]
fn a_mark_is_echoed_until_the_peer_says_it_knows() {
    let mut connection = agreed();
    let mut seq = 5001;
    let mut come = |connection: &mut Connection, flags, codepoint| {
        data(connection, at(20), seq, flags, codepoint);
        seq += 100;
        marks(connection, at(20), 0).into_iter().map(|(flags, ..)| flags).collect::<Vec<_>>()
    };
    assert_eq!(come(&mut connection, Flags::NONE, Codepoint::Ect0), ["[.]"]);
    assert!(connection.info().ecn_seen);
    assert_eq!(come(&mut connection, Flags::NONE, Codepoint::Ce), ["[.E]"]);
    assert_eq!(come(&mut connection, Flags::NONE, Codepoint::Ect0), ["[.E]"]);
    // What we send ourselves carries the echo too.
    connection.write(at(20), &[0; 10]).unwrap();
    assert_eq!(marks(&mut connection, at(20), 0)[0].0, "[P.E]");
    assert_eq!(come(&mut connection, Flags::CWR, Codepoint::Ect0), ["[.]"]);
    assert_eq!(come(&mut connection, Flags::CWR, Codepoint::Ce), ["[.E]"], "marked again on the way");
}

#[test]
fn old_data_says_nothing_about_congestion() {
    let mut connection = agreed();
    data(&mut connection, at(20), 5001, Flags::NONE, Codepoint::Ect0);
    marks(&mut connection, at(20), 0);
    let old = Segment { length: 100, ..from_peer(Flags::ACK, 5001, 1001) };
    let _ = connection.on_marked_segment(at(30), &old, &[7; 100], Codepoint::Ce);
    assert!(marks(&mut connection, at(30), 0).iter().all(|(flags, ..)| flags == "[.]"));
}

#[test]
fn the_server_hears_a_syn_without_ecn_too() {
    let settings = mode(EcnMode::Passive);
    let syn = from_peer(Flags::SYN | Flags::ECE | Flags::CWR, 5000, 0);
    let mut handshake = Handshake::on_syn(at(0), ends(), &syn, opening(1000), &settings);
    assert_eq!(handshake.syn_ack(at(0)).flags.to_string(), "[S.E]");
    let plain_syn = from_peer(Flags::SYN, 5000, 0);
    let HandshakeStep::Reply(answer) = handshake.on_segment(at(1), &plain_syn) else { panic!() };
    assert_eq!(answer.flags.to_string(), "[S.E]");
    let ack = from_peer(Flags::ACK, 5001, 1001);
    assert_eq!(handshake.on_segment(at(2), &ack), HandshakeStep::Complete);
    let mut connection = Connection::accepted(at(2), &handshake, &ack, &settings);
    connection.write(at(2), &[0; 10]).unwrap();
    assert_eq!(marks(&mut connection, at(2), 0), [("[P.]".into(), Codepoint::NotEct, 10)]);
}

#[test]
fn a_cookie_remembers_ecn_where_there_are_timestamps() {
    let secret = crate::hash::SecretState::new(1, 2);
    for stamped in [true, false] {
        let mut syn = from_peer(Flags::SYN | Flags::ECE | Flags::CWR, 5000, 0);
        syn.options.mss = Some(1460);
        syn.options.timestamps = stamped.then_some(crate::wire::tcp::Timestamps { value: 9, echo: 0 });
        let settings = Settings::default();
        let now = Instant::from_secs(1000);
        let handshake = Handshake::on_syn(now, ends(), &syn, opening(1000), &settings);
        let iss = cookie::encode(now, &ends(), &syn, &secret);
        let answer = handshake.cookie_syn_ack(now, iss, &syn);
        assert_eq!(answer.flags.contains(Flags::ECE), stamped);
        let mut ack = from_peer(Flags::ACK, 5001, (iss + 1).0);
        ack.options.timestamps = answer
            .options
            .timestamps
            .map(|ours| crate::wire::tcp::Timestamps { value: 10, echo: ours.value });
        let remembered = cookie::decode(now, &ends(), &ack, &secret).unwrap();
        let handshake = Handshake::from_cookie(now, ends(), &ack, remembered, &settings);
        let connection = Connection::accepted(now, &handshake, &ack, &settings);
        assert_eq!(connection.info().ecn, stamped);
    }
}
