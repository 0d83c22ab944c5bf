//! The corners of the RFCs, one test each.

use super::pipe::{Conditions, End, Pipe};
use super::*;
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::hash::SecretState;
use crate::wire::tcp::{SackBlock, SackBlocks, Timestamps};

/// Two connections that both have sent a SYN; gives what each has to send to the other until nothing is left.
fn exchange(first: &mut Connection, second: &mut Connection, now: Instant) {
    for _ in 0..20 {
        let mut moved = false;
        for _ in 0..2 {
            let (from, to) = if moved { (&mut *second, &mut *first) } else { (&mut *first, &mut *second) };
            moved = !moved;
            while let Some(outgoing) = from.poll_transmit(now, 0) {
                let payload = from.payload(outgoing.offset, outgoing.length).concat();
                let _ = to.on_segment(now, &outgoing.segment, &payload);
            }
        }
    }
    assert!(!first.has_transmit() && !second.has_transmit());
    check(first);
    check(second);
}

#[test]
fn simultaneous_open_and_simultaneous_close() {
    let settings = Settings::default();
    let mut first = Connection::connect(at(0), ends(), settings.clone(), opening(1000));
    let mut second = Connection::connect(at(0), reversed(ends()), settings, opening(5000));
    let syns = [first.poll_transmit(at(0), 0).unwrap(), second.poll_transmit(at(0), 0).unwrap()];
    first.on_segment(at(5), &syns[1].segment, &[]).unwrap();
    second.on_segment(at(5), &syns[0].segment, &[]).unwrap();
    assert_eq!((first.state(), second.state()), (State::SynReceived, State::SynReceived));
    exchange(&mut first, &mut second, at(10));
    assert_eq!((first.state(), second.state()), (State::Established, State::Established));
    first.write(at(20), b"one").unwrap();
    second.write(at(20), b"two").unwrap();
    exchange(&mut first, &mut second, at(20));
    let mut buffer = [0; 9];
    assert_eq!((first.read(at(21), &mut buffer), second.read(at(21), &mut buffer)), (Ok(3), Ok(3)));
    let info = first.info();
    assert!(info.sack && info.timestamps && info.snd_shift == 10, "{info:?}");

    first.shutdown_write(at(30));
    second.shutdown_write(at(30));
    let fins = [first.poll_transmit(at(30), 0).unwrap(), second.poll_transmit(at(30), 0).unwrap()];
    first.on_segment(at(35), &fins[1].segment, &[]).unwrap();
    second.on_segment(at(35), &fins[0].segment, &[]).unwrap();
    assert_eq!((first.state(), second.state()), (State::Closing, State::Closing));
    exchange(&mut first, &mut second, at(40));
    assert_eq!((first.state(), second.state()), (State::TimeWait, State::TimeWait));
}

#[test]
fn a_connection_to_itself() {
    let here = ends().local;
    let ends = Endpoints { local: here, remote: here };
    let mut connection = Connection::connect(at(0), ends, Settings::default(), opening(1000));
    let loopback = |connection: &mut Connection, now| {
        while let Some(outgoing) = connection.poll_transmit(now, 0) {
            let payload = connection.payload(outgoing.offset, outgoing.length).concat();
            let _ = connection.on_segment(now, &outgoing.segment, &payload);
        }
    };
    loopback(&mut connection, at(1));
    assert_eq!(connection.state(), State::Established);
    connection.write(at(2), b"to myself").unwrap();
    loopback(&mut connection, at(2));
    let mut buffer = [0; 20];
    assert_eq!(connection.read(at(3), &mut buffer), Ok(9));
    connection.close(at(4));
    loopback(&mut connection, at(4));
    assert_eq!(connection.state(), State::TimeWait);
}

#[test]
fn a_shut_window_is_probed_for_ever_while_the_peer_answers() {
    let mut connection = established(Settings { retries: 3, ..plain() });
    let shut = Segment { window: 0, ..from_peer(Flags::ACK, 5001, 1001) };
    connection.on_segment(at(20), &shut, &[]).unwrap();
    connection.write(at(30), b"waits").unwrap();
    assert!(!connection.has_transmit());
    let mut probes = Vec::new();
    for _ in 0..40 {
        let due = connection.poll_timeout().expect("a probe timer");
        connection.on_timeout(due);
        if connection.has_transmit() {
            assert_eq!(sent(&mut connection, due), ["Flags [.], ack 5001, win 64240, length 0"]);
            probes.push(due.as_millis());
            connection.on_segment(due + ms(10), &shut, &[]).unwrap();
        }
    }
    let pauses: Vec<u64> = probes.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses[..4], [420, 840, 1680, 3360], "from an RTO of 210 ms on");
    assert!(pauses.iter().all(|pause| *pause <= 120_000));
    assert_eq!(connection.state(), State::Established);
    let open = Segment { window: 100, ..from_peer(Flags::ACK, 5001, 1001) };
    connection.on_segment(at(9_000_000), &open, &[]).unwrap();
    assert_eq!(
        sent(&mut connection, at(9_000_000)),
        ["Flags [P.], seq 1001:1006, ack 5001, win 64240, length 5"]
    );

    // Unanswered probes end it.
    let mut connection = established(Settings { retries: 3, ..plain() });
    connection.on_segment(at(20), &shut, &[]).unwrap();
    connection.write(at(30), b"waits").unwrap();
    while let Some(due) = connection.poll_timeout() {
        connection.on_timeout(due);
        sent(&mut connection, due);
    }
    assert_eq!(connection.take_error(), Some(Error::TimedOut));
}

#[test]
fn a_window_of_crumbs_is_not_used_at_once() {
    let mut connection = established(plain());
    let crumbs = Segment { window: 100, ..from_peer(Flags::ACK, 5001, 1001) };
    connection.on_segment(at(20), &crumbs, &[]).unwrap();
    connection.write(at(30), &[1; 5000]).unwrap();
    assert!(!connection.has_transmit(), "the peer once had 60,000");
    let due = connection.poll_timeout().unwrap();
    connection.on_timeout(due);
    assert_eq!(sent(&mut connection, due), ["Flags [P.], seq 1001:1101, ack 5001, win 64240, length 100"]);
}

#[test]
fn a_slow_reader_opens_the_window_in_useful_steps_only() {
    let mut connection =
        established(Settings { receive_buffer: 2 * 8760, receive_tuning: Tuning::Fixed, ..plain() });
    for place in 0..6 {
        give(&mut connection, at(20), 5001 + place * 1460, 1001, &[9; 1460]);
        sent(&mut connection, at(20));
    }
    let mut buffer = [0; 73];
    let mut told = Vec::new();
    for _ in 0..120 {
        assert_eq!(connection.read(at(30), &mut buffer), Ok(73));
        told.extend(sent(&mut connection, at(30)));
    }
    assert_eq!(
        told,
        [
            "Flags [.], ack 13761, win 1460, length 0",
            "Flags [.], ack 13761, win 2920, length 0",
            "Flags [.], ack 13761, win 5840, length 0",
        ]
    );
}

#[test]
fn the_right_edge_of_the_window_never_moves_back() {
    let mut connection = established(plain());
    give(&mut connection, at(20), 5001, 1001, &[9; 1000]);
    assert_eq!(sent(&mut connection, at(20)), ["Flags [.], ack 6001, win 65000, length 0"]);
    connection
        .set_settings(at(21), Settings { receive_buffer: 4000, receive_tuning: Tuning::Fixed, ..plain() });
    give(&mut connection, at(22), 6001, 1001, &[9; 1000]);
    assert_eq!(sent(&mut connection, at(22)), ["Flags [.], ack 7001, win 64000, length 0"]);
}

#[test]
fn old_timestamps_are_refused_until_they_are_too_old_to_tell() {
    let mut connection = Connection::connect(at(0), ends(), Settings::default(), opening(1000));
    sent(&mut connection, at(0));
    let stamped = |value, seq, flags| Segment {
        options: Options {
            timestamps: Some(Timestamps { value, echo: connection_clock(0) }),
            mss: flags_mss(flags),
            ..Options::default()
        },
        ..from_peer(flags, seq, 1001)
    };
    connection.on_segment(at(10), &stamped(100, 5000, Flags::SYN | Flags::ACK), &[]).unwrap();
    sent(&mut connection, at(10));
    let data = |value, seq| Segment { length: 1, ..stamped(value, seq, Flags::ACK) };
    connection.on_segment(at(20), &data(200, 5001), b"a").unwrap();
    sent(&mut connection, at(20));
    assert_eq!(connection.on_segment(at(21), &data(150, 5002), b"b"), Err(DropReason::OldTimestamp));
    assert_eq!(sent(&mut connection, at(21)).len(), 1, "it is answered");
    let later = Instant::from_secs(25 * 24 * 3600);
    assert_eq!(connection.on_segment(later, &data(150, 5002), b"b"), Ok(()));
    assert_eq!(connection.receive_queue(), 2);
}

fn connection_clock(millis: u32) -> u32 {
    opening(1000).timestamp_offset.wrapping_add(millis)
}

fn flags_mss(flags: Flags) -> Option<u16> {
    flags.contains(Flags::SYN).then_some(1460)
}

#[test]
fn what_is_unacceptable_is_answered_seldom_but_data_always() {
    let mut connection = established(plain());
    let out_of_window = from_peer(Flags::ACK, 4000, 1001);
    let mut answers = 0;
    for millis in 0..1000 {
        let _ = connection.on_segment(at(100 + millis), &out_of_window, &[]);
        answers += sent(&mut connection, at(100 + millis)).len();
    }
    assert_eq!(answers, 2);
    for millis in 0..10 {
        give(&mut connection, at(5000 + millis), 4001, 1001, b"old");
        answers += sent(&mut connection, at(5000 + millis)).len();
    }
    assert_eq!(answers, 12);
}

#[test]
fn a_reset_that_only_lies_in_the_window_is_challenged() {
    let mut connection = established(plain());
    assert_eq!(
        connection.on_segment(at(20), &from_peer(Flags::RST, 5002, 0), &[]),
        Err(DropReason::OutOfWindow)
    );
    assert_eq!(sent(&mut connection, at(20)), ["Flags [.], ack 5001, win 64240, length 0"]);
    // One that answers with the number behind what came out of order is the peer's.
    give(&mut connection, at(21), 5101, 1001, &[1; 100]);
    connection.on_segment(at(22), &from_peer(Flags::RST, 5201, 0), &[]).unwrap();
    assert_eq!((connection.state(), connection.take_error()), (State::Closed, Some(Error::ConnectionReset)));
}

#[test]
fn odd_options_of_a_syn_are_made_the_best_of() {
    for (options, mss, shift) in [
        (Options { mss: Some(0), ..Options::default() }, 536, 0),
        (Options { mss: Some(1), ..Options::default() }, 48, 0),
        (Options { mss: Some(65_535), window_scale: Some(255), ..Options::default() }, 1460, 14),
        (Options::default(), 536, 0),
    ] {
        let settings = Settings { timestamps: false, ..Settings::default() };
        let mut connection = Connection::connect(at(0), ends(), settings, opening(1000));
        sent(&mut connection, at(0));
        let syn_ack = Segment { options, ..from_peer(Flags::SYN | Flags::ACK, 5000, 1001) };
        connection.on_segment(at(10), &syn_ack, &[]).unwrap();
        assert_eq!((connection.info().snd_mss, connection.info().snd_shift), (mss, shift));
        // The window of a SYN is never scaled.
        assert_eq!(connection.info().snd_wnd, 60_000);
    }
}

#[test]
fn data_and_fin_may_come_with_the_syn_ack() {
    let mut connection = Connection::connect(at(0), ends(), plain(), opening(1000));
    sent(&mut connection, at(0));
    let syn_ack = Segment { length: 2, ..from_peer(Flags::SYN | Flags::ACK | Flags::FIN, 5000, 1001) };
    connection.on_segment(at(10), &syn_ack, b"hi").unwrap();
    assert_eq!(connection.state(), State::CloseWait);
    assert_eq!(sent(&mut connection, at(10)), ["Flags [.], ack 5004, win 64237, length 0"]);
    let mut buffer = [0; 9];
    assert_eq!((connection.read(at(11), &mut buffer), connection.read(at(11), &mut buffer)), (Ok(2), Ok(0)));
}

#[test]
fn a_cookie_remembers_what_the_syn_offered() {
    let secret = SecretState::new(3, 4);
    let ours = reversed(ends());
    let settings = Settings::default();
    let mut client = Connection::connect(at(1000), ends(), settings.clone(), opening(77));
    let syn = client.poll_transmit(at(1000), 0).unwrap().segment;
    let iss = cookie::encode(at(1010), &ours, &syn, &secret);
    let answer =
        Handshake::on_syn(at(1010), ours, &syn, opening(0), &settings).cookie_syn_ack(at(1010), iss, &syn);
    client.on_segment(at(1020), &answer, &[]).unwrap();
    let ack = client.poll_transmit(at(1020), 0).unwrap().segment;
    let remembered = cookie::decode(at(1030), &ours, &ack, &secret).expect("our own cookie");
    assert_eq!((remembered.mss, remembered.window_scale, remembered.sack), (1460, Some(10), true));
    let handshake = Handshake::from_cookie(at(1030), ours, &ack, remembered, &settings);
    let mut server = Connection::accepted(at(1030), &handshake, &ack, &settings);
    server.on_segment(at(1030), &ack, &[]).unwrap();
    let info = server.info();
    assert_eq!((info.snd_shift, info.sack, info.timestamps, info.snd_mss), (10, true, true, 1448));
    // Its timestamps go on from the SYN-ACK's.
    server.write(at(1031), b"hello").unwrap();
    let data = server.poll_transmit(at(1031), 0).unwrap();
    let [before, after] = [answer, data.segment].map(|segment| segment.options.timestamps.unwrap().value);
    assert!((1..200).contains(&after.wrapping_sub(before)), "{before} {after}");
    client.on_segment(at(1040), &data.segment, b"hello").unwrap();
    assert_eq!(client.receive_queue(), 5);
    // Another secret, another peer, another time.
    assert_eq!(cookie::decode(at(1030), &ours, &ack, &SecretState::new(3, 5)), None);
    assert_eq!(cookie::decode(at(1030), &ends(), &ack, &secret), None);
    assert_eq!(cookie::decode(at(200_000), &ours, &ack, &secret), None);
    let forged = Segment { ack: ack.ack + 1, ..ack };
    assert_eq!(cookie::decode(at(1030), &ours, &forged, &secret), None);
}

#[test]
fn a_smaller_path_mtu_cuts_what_is_in_flight_anew_and_leaves_the_window() {
    let mut connection = established(plain());
    connection.write(at(20), &[1; 2920]).unwrap();
    assert_eq!(sent(&mut connection, at(20)).len(), 2);
    let cwnd = connection.info().cwnd / usize::from(connection.info().snd_mss);
    connection.on_packet_too_big(at(30), 500, SeqNumber(90_000));
    assert!(!connection.has_transmit(), "nobody sent that");
    connection.on_packet_too_big(at(30), 500, SeqNumber(1001));
    let again: Vec<_> = core::iter::from_fn(|| connection.poll_transmit(at(30), 0)).collect();
    assert_eq!(again.iter().map(|outgoing| outgoing.length).sum::<usize>(), 2920);
    assert!(again.iter().all(|outgoing| outgoing.length <= 500));
    assert!(again.iter().all(|outgoing| outgoing.retransmission == Some(RetransmitCause::PathMtu)));
    assert_eq!(connection.info().cwnd / usize::from(connection.info().snd_mss), cwnd);
}

#[test]
fn the_last_acknowledgement_is_repeated_from_time_wait() {
    let mut pipe = Pipe::new(5, [plain(), plain()], Conditions { delay: 10, ..Conditions::default() });
    // The client closes first; its acknowledgement of the server's FIN is lost.
    pipe.rule = |number, segment| number > 5 && segment.flags == Flags::ACK && segment.seq == SeqNumber(7);
    pipe.run(ms(100));
    let now = pipe.now;
    pipe.client().shutdown_write(now);
    pipe.run(ms(50));
    let now = pipe.now;
    pipe.server().close(now);
    pipe.run(ms(100));
    assert!(matches!(pipe.ends[0], End::TimeWait(..)), "{:?}", pipe.ends[0]);
    pipe.rule = |_, _| false;
    pipe.run(ms(1000));
    assert_eq!(pipe.server().state(), State::Closed);
    assert!(matches!(pipe.ends[0], End::TimeWait(..)));
    pipe.run(ms(61_000));
    assert!(matches!(pipe.ends[0], End::Gone(..)));
}

#[test]
fn a_new_incarnation_takes_over_from_time_wait_only_when_it_is_newer() {
    let mut connection = established(plain());
    connection.close(at(20));
    sent(&mut connection, at(20));
    connection.on_segment(at(30), &from_peer(Flags::FIN | Flags::ACK, 5001, 1002), &[]).unwrap();
    let mut record = connection.time_wait(at(30));
    let syn = |seq| from_peer(Flags::SYN, seq, 0);
    assert!(matches!(record.on_segment(at(40), &syn(5002)), TimeWaitStep::Acknowledge(_)));
    let TimeWaitStep::Reopen { iss_at_least } = record.on_segment(at(40), &syn(5003)) else { panic!() };
    assert!(iss_at_least.is_after(SeqNumber(1002) + 65_535));
    assert_eq!(record.expires(), at(60_030));
}

#[test]
fn sack_blocks_lead_to_the_missing_segments_and_no_others() {
    let mut connection = Connection::connect(at(0), ends(), Settings::default(), opening(1000));
    sent(&mut connection, at(0));
    let options = Options { mss: Some(1460), sack_permitted: true, ..Options::default() };
    let syn_ack = Segment { options, ..from_peer(Flags::SYN | Flags::ACK, 5000, 1001) };
    connection.on_segment(at(10), &syn_ack, &[]).unwrap();
    sent(&mut connection, at(10));
    connection.write(at(20), &[1; 14_600]).unwrap();
    assert_eq!(sent(&mut connection, at(20)).len(), 10);
    let block = |first: u32, last: u32| SackBlock {
        left: SeqNumber(1001 + first * 1460),
        right: SeqNumber(1001 + last * 1460),
    };
    let report = |blocks: &[SackBlock]| {
        let sack: SackBlocks = blocks.iter().copied().collect();
        Segment { options: Options { sack, ..Options::default() }, ..from_peer(Flags::ACK, 5001, 1001) }
    };
    // The first and the fourth are missing.
    for blocks in [&[block(1, 2)][..], &[block(1, 3)], &[block(4, 5), block(1, 3)]] {
        connection.on_segment(at(30), &report(blocks), &[]).unwrap();
    }
    assert_eq!(sent(&mut connection, at(30)), ["Flags [.], seq 1001:2461, ack 5001, win 64240, length 1460"]);
    for last in 6..=10 {
        connection.on_segment(at(31), &report(&[block(4, last), block(1, 3)]), &[]).unwrap();
    }
    assert_eq!(sent(&mut connection, at(31)), ["Flags [.], seq 5381:6841, ack 5001, win 64240, length 1460"]);
    assert_eq!(connection.info().sacked, 8 * 1460);
    assert_eq!(connection.info().recovering, Recovering::Recovery);
    give(&mut connection, at(50), 5001, 1001 + 14_600, b"");
    assert_eq!((connection.info().recovering, connection.info().in_flight), (Recovering::Open, 0));
}
