//! Fast open (RFC 7413), segment by segment: the client whose SYN carries data, and the server's connection before its
//! handshake is complete.

use super::*;
use crate::error::Error;
use crate::wire::tcp::FastOpenCookie;

fn cookie() -> Option<FastOpenCookie> {
    FastOpenCookie::new(&[7; 8])
}

/// A client that has a cookie and opens with these bytes: how many it took, and its SYN.
fn client(settings: Settings, mss: Option<u16>, bytes: &[u8]) -> (Connection, usize, Segment) {
    let mut connection = Connection::connect(at(0), ends(), settings, opening(1000));
    let plan = FastOpenPlan { option: cookie(), mss, is_paused: false };
    let taken = connection.open_with_data(at(0), &plan, bytes);
    let out = connection.poll_transmit(at(0), 0).unwrap();
    assert_eq!(connection.payload(out.offset, out.length).concat(), bytes[..taken]);
    assert_eq!(connection.poll_transmit(at(0), 0), None);
    check(&connection);
    (connection, taken, out.segment)
}

fn syn_ack(ack: u32) -> Segment {
    let mut segment = from_peer(Flags::SYN | Flags::ACK, 5000, ack);
    segment.options.mss = Some(1000);
    segment
}

fn sack() -> Settings {
    Settings { sack: true, ..plain() }
}

#[test]
fn a_syn_takes_as_much_as_the_servers_segments_and_forty_bytes_of_options_leave() {
    let big = [1; 5000];
    let room = |settings, mss| client(settings, mss, &big).1;
    assert_eq!(room(plain(), None), 1420);
    assert_eq!(room(plain(), Some(940)), 900);
    assert_eq!(room(plain(), Some(10_000)), 1420);
    assert_eq!(room(plain(), Some(20)), 0);
    assert_eq!(room(Settings { max_segment: Some(1040), ..plain() }, None), 1000);
    let (_, taken, syn) = client(plain(), None, b"hello");
    assert_eq!(
        (taken, syn.to_string().as_str()),
        (
            5,
            "Flags [S], seq 1000:1005, win 64240, options [mss 1460,tfo cookie 0707070707070707,nop,nop], length 5"
        )
    );
    let (mut none, taken, syn) = client(plain(), None, b"");
    assert_eq!((taken, syn.options.fast_open), (0, cookie()));
    none.on_segment(at(10), &syn_ack(1001), &[]).unwrap();
    assert_eq!((none.info().syn_data, none.state()), (false, State::Established));
}

#[test]
fn what_a_syn_ack_leaves_out_is_sent_again_at_once() {
    for (acked, expected) in [(1001, 1420), (1101, 1320), (2421, 0)] {
        let (mut connection, taken, _) = client(sack(), None, &[1; 1420]);
        assert_eq!(taken, 1420);
        assert_eq!(connection.write(at(5), b"x"), Err(Error::WouldBlock));
        let mut answer = syn_ack(acked);
        answer.options.sack_permitted = true;
        connection.on_segment(at(10), &answer, &[]).unwrap();
        check(&connection);
        let mut again = 0;
        let mut lines = 0;
        while let Some(out) = connection.poll_transmit(at(10), 0) {
            let is_last = out.length > 0 && again + out.length == expected;
            assert_eq!(out.segment.flags.contains(Flags::PSH), is_last);
            assert!(out.length == 0 || out.retransmission == Some(RetransmitCause::SynData));
            assert!(out.length <= 1000);
            again += out.length;
            lines += 1;
            check(&connection);
        }
        assert_eq!((again, lines > 0), (expected, true));
        let info = connection.info();
        let failure = if expected > 0 { FastOpenFailure::DataNotAcked } else { FastOpenFailure::None };
        assert_eq!((info.syn_data, info.fast_open_failure), (expected == 0, failure));
        assert_eq!(info.rtt, Some(ms(10)));
        assert_eq!(info.cwnd, 10_000);
        if expected > 0 {
            connection.on_segment(at(20), &from_peer(Flags::ACK, 5001, 2421), &[]).unwrap();
        }
        check(&connection);
        assert_eq!((connection.send_queue(), connection.info().recovering), (0, Recovering::Open));
        let lesson = connection.take_fast_open_lesson().unwrap();
        assert_eq!((lesson.mss, lesson.cookie, lesson.unanswered), (1000, None, None));
    }
}

#[test]
fn who_goes_on_writing_with_the_handshake_talks_in_turns() {
    let answered = |expects: bool| {
        let (mut connection, _, _) = client(plain(), None, b"hello");
        if expects {
            connection.expect_write();
        }
        connection.on_segment(at(10), &syn_ack(1006), &[]).unwrap();
        let first = sent(&mut connection, at(10)).len();
        connection.write(at(10), b"more").unwrap();
        assert_eq!(sent(&mut connection, at(10)).len(), 1);
        give(&mut connection, at(20), 5001, 1010, b"answer");
        (first, sent(&mut connection, at(20)).len())
    };
    assert_eq!((answered(false), answered(true)), ((1, 1), (0, 0)));
    // The program does not write after all: the peer is not left without.
    let (mut connection, _, _) = client(plain(), None, b"hello");
    connection.expect_write();
    connection.on_segment(at(10), &syn_ack(1006), &[]).unwrap();
    assert_eq!(connection.poll_timeout(), Some(at(210)));
    connection.on_timeout(at(210));
    assert_eq!(sent(&mut connection, at(210)).len(), 1);
}

#[test]
fn a_syn_ack_of_more_than_was_sent_is_reset_and_teaches_nothing() {
    let (mut connection, _, _) = client(plain(), None, b"hello");
    let mut answer = syn_ack(1007);
    answer.options.fast_open = cookie();
    assert!(connection.on_segment(at(10), &answer, &[]).is_err());
    assert_eq!(sent(&mut connection, at(10)), ["Flags [R], seq 1007, win 0, length 0"]);
    assert_eq!((connection.state(), connection.take_fast_open_lesson()), (State::SynSent, None));
    connection.on_segment(at(20), &syn_ack(1006), &[]).unwrap();
    assert!(connection.info().syn_data);
}

#[test]
fn a_syn_too_large_for_the_path_leaves_again_alone_at_once() {
    let (mut connection, _, _) = client(plain(), None, &[1; 1000]);
    connection.on_packet_too_big(at(10), 760, SeqNumber(1000));
    connection.on_path_mss(at(10), 760);
    assert_eq!(
        sent(&mut connection, at(10)),
        ["Flags [S], seq 1000, win 65360, options [mss 760], length 0"]
    );
    connection.on_segment(at(30), &syn_ack(1001), &[]).unwrap();
    assert_eq!(connection.info().fast_open_failure, FastOpenFailure::SynRetransmitted);
    let lengths: Vec<_> =
        core::iter::from_fn(|| connection.poll_transmit(at(30), 0)).map(|out| out.length).collect();
    assert_eq!(lengths, [760, 240]);
}

#[test]
fn a_cookie_is_learned_only_by_who_asked_and_a_silent_server_is_noted() {
    let learned = |option: Option<FastOpenCookie>, given: Option<FastOpenCookie>, bytes: &[u8]| {
        let mut connection = Connection::connect(at(0), ends(), plain(), opening(1000));
        let taken =
            connection.open_with_data(at(0), &FastOpenPlan { option, mss: None, is_paused: false }, bytes);
        sent(&mut connection, at(0));
        let mut answer = syn_ack(1001 + taken as u32);
        answer.options.fast_open = given;
        connection.on_segment(at(10), &answer, &[]).unwrap();
        connection.take_fast_open_lesson().map(|lesson| (lesson.cookie, lesson.unanswered))
    };
    let request = Some(FastOpenCookie::REQUEST);
    let standard = Some(crate::wire::tcp::FastOpenForm::Standard);
    assert_eq!(learned(request, cookie(), b"x"), Some((cookie(), None)));
    assert_eq!(learned(request, None, b"x"), Some((None, standard)));
    assert_eq!(learned(request, request, b"x"), Some((None, None)));
    assert_eq!(learned(cookie(), None, b"x"), Some((None, None)));
    assert_eq!(learned(None, cookie(), b"x"), Some((None, None)));
    assert_eq!(learned(None, cookie(), b""), None);
}

#[test]
fn an_echo_of_what_was_never_sent_is_reset() {
    let (mut connection, _, syn) = client(Settings { timestamps: true, ..plain() }, None, b"hello");
    let clock = syn.options.timestamps.unwrap().value;
    let mut answer = syn_ack(1006);
    for wrong in [clock.wrapping_sub(50), clock.wrapping_add(500)] {
        answer.options.timestamps = Some(crate::wire::tcp::Timestamps { value: 1, echo: wrong });
        assert!(connection.on_segment(at(10), &answer, &[]).is_err());
        assert_eq!(sent(&mut connection, at(10)).len(), 1);
        assert_eq!(connection.state(), State::SynSent);
        // The SYN keeps its time: it is not sent again for this.
        assert_eq!(connection.poll_timeout(), Some(at(1000)));
    }
    answer.options.timestamps = Some(crate::wire::tcp::Timestamps { value: 1, echo: clock });
    connection.on_segment(at(10), &answer, &[]).unwrap();
    assert_eq!(connection.state(), State::Established);
}

#[test]
fn data_in_both_syns_of_a_simultaneous_open() {
    let (mut connection, _, _) = client(sack(), None, &[1; 1000]);
    let mut syn = from_peer(Flags::SYN, 5000, 0);
    syn.options.mss = Some(1040);
    syn.options.sack_permitted = true;
    syn.length = 500;
    connection.on_segment(at(5), &syn, &[2; 500]).unwrap();
    assert_eq!(
        sent(&mut connection, at(5))[0],
        "Flags [S.], seq 1000, ack 5001, win 64240, options [mss 1460,nop,nop,sackOK], length 0"
    );
    let mut answer = syn_ack(2001);
    answer.options.sack_permitted = true;
    let _ = connection.on_segment(at(50), &answer, &[]);
    assert_eq!(connection.state(), State::Established);
    assert_eq!(
        sent(&mut connection, at(50))[0],
        "Flags [.], ack 5001, win 64240, options [nop,nop,sack 1 {5000:5001}], length 0"
    );
    assert_eq!(connection.send_queue(), 0);
    check(&connection);
}

#[test]
fn after_a_simultaneous_open_the_data_is_watched_over() {
    let (mut connection, _, _) = client(plain(), None, &[1; 500]);
    connection.on_segment(at(5), &from_peer(Flags::SYN, 5000, 0), &[]).unwrap();
    sent(&mut connection, at(5));
    connection.on_segment(at(10), &from_peer(Flags::ACK, 5001, 1001), &[]).unwrap();
    check(&connection);
    let due = connection.poll_timeout().unwrap();
    connection.on_timeout(due);
    assert_eq!(connection.poll_transmit(due, 0).unwrap().length, 500);
}

/// A server's connection that came of a SYN with these bytes: the client's ISN is 5000, its own 1000.
fn child(settings: &Settings, bytes: &[u8]) -> Connection {
    let mut syn = from_peer(Flags::SYN, 5000, 0);
    syn.options.mss = Some(1460);
    syn.length = bytes.len() as u32;
    let handshake = Handshake::on_syn(at(0), ends(), &syn, opening(1000), settings);
    let connection = Connection::accept_fast(at(0), &handshake, (&syn, bytes), settings, cookie());
    check(&connection);
    connection
}

#[test]
fn a_child_reads_and_writes_before_its_handshake_ends() {
    let mut connection = child(&plain(), b"hello");
    assert!(connection.is_readable() && connection.is_writable() && connection.info().syn_data);
    assert_eq!(
        sent(&mut connection, at(0)),
        [
            "Flags [S.], seq 1000, ack 5006, win 64240, options [mss 1460,tfo cookie 0707070707070707,nop,nop], length 0"
        ]
    );
    let mut buffer = [0; 9];
    assert_eq!(connection.read(at(1), &mut buffer), Ok(5));
    assert_eq!(connection.write(at(2), &[3; 100]), Ok(100));
    assert_eq!(sent(&mut connection, at(2)), ["Flags [P.], seq 1001:1101, ack 5006, win 64240, length 100"]);
    let traffic = connection.info().traffic;
    assert_eq!((traffic.bytes_received, traffic.segments_received, traffic.segments_sent), (5, 1, 1));
    // The SYN-ACK is lost: it comes again, nothing else does, and without the cookie.
    assert_eq!(connection.poll_timeout(), Some(at(1000)));
    connection.on_timeout(at(1000));
    assert_eq!(
        sent(&mut connection, at(1000)),
        ["Flags [S.], seq 1000, ack 5006, win 64240, options [mss 1460], length 0"]
    );
    // So it does when the client's SYN comes again, with its data or without.
    let syn = from_peer(Flags::SYN, 5000, 0);
    let _ = connection.on_segment(at(1500), &syn, &[]);
    let _ = connection.on_segment(at(1500), &Segment { length: 5, ..syn }, b"hello");
    assert_eq!(sent(&mut connection, at(1500)).len(), 1);
    connection.on_segment(at(1600), &from_peer(Flags::ACK, 5006, 1101), &[]).unwrap();
    check(&connection);
    assert_eq!((connection.state(), connection.send_queue()), (State::Established, 0));
    give(&mut connection, at(1700), 5006, 1101, b"more");
    assert_eq!(connection.read(at(1700), &mut buffer), Ok(4));
    assert!(connection.info().syn_data);
}

#[test]
fn a_child_measures_its_handshake_and_keeps_its_window_in_order() {
    let mut connection = child(&plain(), &[1; 1400]);
    sent(&mut connection, at(0));
    assert_eq!(connection.info().rcv_wnd, 64_240);
    connection.write(at(1), &[3; 3000]).unwrap();
    sent(&mut connection, at(1));
    connection.on_segment(at(40), &from_peer(Flags::ACK, 6401, 1001), &[]).unwrap();
    check(&connection);
    assert_eq!((connection.info().rtt, connection.info().in_flight > 0), (Some(ms(40)), true));
    // What is in flight is watched over from now on.
    let due = connection.poll_timeout().unwrap();
    connection.on_timeout(due);
    assert!(connection.has_transmit());
}

#[test]
fn a_child_nobody_answers_ends_after_one_try_more_than_an_ordinary_handshake() {
    let mut connection = child(&plain(), b"hello");
    sent(&mut connection, at(0));
    let mut times = Vec::new();
    while connection.state() != State::Closed {
        let now = connection.poll_timeout().unwrap();
        connection.on_timeout(now);
        if !sent(&mut connection, now).is_empty() {
            times.push(now.as_millis() / 1000);
        }
    }
    assert_eq!(times, [1, 3, 7, 15, 31, 63]);
    assert_eq!(connection.read(at(0), &mut [0; 9]), Ok(5));
    assert_eq!(connection.read(at(0), &mut [0; 9]), Err(Error::TimedOut));
}

#[test]
fn two_lost_syn_acks_begin_the_connection_with_one_segment_unless_they_were_not_lost() {
    for (lost, echo, expected) in [(1, 1000, 10), (2, 3000, 1), (2, 0, 10)] {
        let settings = Settings { timestamps: true, ..plain() };
        let mut syn = from_peer(Flags::SYN, 5000, 0);
        syn.options.mss = Some(1460);
        syn.options.timestamps = Some(crate::wire::tcp::Timestamps { value: 1, echo: 0 });
        let handshake = Handshake::on_syn(at(0), ends(), &syn, opening(1000), &settings);
        let mut connection = Connection::accept_fast(at(0), &handshake, (&syn, &[]), &settings, None);
        let clock = connection.poll_transmit(at(0), 0).unwrap().segment.options.timestamps.unwrap().value;
        for _ in 0..lost {
            let now = connection.poll_timeout().unwrap();
            connection.on_timeout(now);
            sent(&mut connection, now);
        }
        let mut ack = from_peer(Flags::ACK, 5001, 1001);
        ack.options.timestamps =
            Some(crate::wire::tcp::Timestamps { value: 2, echo: clock.wrapping_add(echo) });
        connection.on_segment(at(3010), &ack, &[]).unwrap();
        assert_eq!(connection.info().cwnd / 1448, expected, "{lost} {echo}");
    }
}

#[test]
fn a_child_that_is_reset_keeps_what_it_has_read() {
    let mut connection = child(&plain(), b"hello");
    sent(&mut connection, at(0));
    let _ = connection.on_segment(at(1), &from_peer(Flags::RST | Flags::ACK, 5006, 0), &[]);
    assert!(connection.was_reset() && !connection.was_refused());
    assert_eq!(connection.read(at(2), &mut [0; 9]), Ok(5));
    assert_eq!(connection.write(at(2), b"x"), Err(Error::ConnectionReset));
    assert_eq!(connection.read(at(2), &mut [0; 9]), Ok(0));
}

#[test]
fn an_icmp_error_ends_a_child_only_in_the_queue() {
    for is_accepted in [false, true] {
        let mut connection = child(&plain(), b"hello");
        sent(&mut connection, at(0));
        if is_accepted {
            connection.on_accepted();
        }
        connection.on_icmp_error(at(1), Error::HostUnreachable, SeqNumber(5000));
        assert_eq!(connection.state(), State::SynReceived);
        connection.on_icmp_error(at(1), Error::HostUnreachable, SeqNumber(1000));
        let expected = if is_accepted { State::SynReceived } else { State::Closed };
        assert_eq!(connection.state(), expected);
    }
}

#[test]
fn closing_a_child_sends_a_fin_at_once_and_shutting_it_down_waits() {
    for is_close in [true, false] {
        let mut connection = child(&plain(), b"");
        sent(&mut connection, at(0));
        connection.write(at(1), b"bye").unwrap();
        if is_close {
            connection.close(at(1))
        } else {
            connection.shutdown_write(at(1))
        }
        let flags = if is_close { "Flags [FP.]" } else { "Flags [P.]" };
        let lines = sent(&mut connection, at(1));
        assert!(lines.len() == 1 && lines[0].starts_with(flags), "{lines:?}");
        connection.on_segment(at(9), &from_peer(Flags::ACK, 5001, 1004), &[]).unwrap();
        check(&connection);
        assert_eq!(connection.state(), State::FinWait1);
        assert_eq!(sent(&mut connection, at(9)).len(), usize::from(!is_close));
        connection.on_segment(at(20), &from_peer(Flags::ACK, 5001, 1005), &[]).unwrap();
        assert_eq!(connection.state(), State::FinWait2);
    }
    let mut unread = child(&plain(), b"hello");
    sent(&mut unread, at(0));
    unread.close(at(1));
    assert_eq!(sent(&mut unread, at(1)), ["Flags [R.], seq 1001, ack 5006, win 0, length 0"]);
}

#[test]
fn a_fin_with_the_last_acknowledgement_of_the_handshake() {
    let mut connection = child(&plain(), b"hello");
    sent(&mut connection, at(0));
    connection.on_segment(at(9), &from_peer(Flags::FIN | Flags::ACK, 5006, 1001), &[]).unwrap();
    assert_eq!(connection.state(), State::CloseWait);
    assert_eq!(sent(&mut connection, at(9)), ["Flags [.], ack 5007, win 64239, length 0"]);
}

#[test]
fn a_path_that_swallows_three_in_a_row_is_suspect() {
    let suspect_after = |retries: u32, option: Option<FastOpenCookie>, is_paused: bool| {
        let settings = Settings { syn_retries: retries, ..plain() };
        let mut connection = Connection::connect(at(0), ends(), settings, opening(1000));
        connection.open_with_data(at(0), &FastOpenPlan { option, mss: None, is_paused }, b"x");
        sent(&mut connection, at(0));
        while let Some(due) = connection.poll_timeout() {
            connection.on_timeout(due);
            sent(&mut connection, due);
            if connection.take_suspicion() {
                return Some(due.as_millis() / 1000);
            }
        }
        None
    };
    // The time-outs come after 1, 3 and 7 seconds.
    assert_eq!(suspect_after(6, cookie(), false), Some(7));
    assert_eq!(suspect_after(1, cookie(), false), Some(3));
    assert_eq!(suspect_after(6, None, false), Some(7));
    assert_eq!(suspect_after(6, cookie(), true), None);
}
