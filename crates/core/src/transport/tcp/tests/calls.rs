//! What a program sees of its connection.

use super::*;
use crate::error::Error;

#[test]
fn what_came_is_read_before_the_reset_that_followed() {
    let mut connection = established(plain());
    give(&mut connection, at(20), 5001, 1001, b"last words");
    connection.on_segment(at(21), &from_peer(Flags::RST, 5011, 0), &[]).unwrap();
    assert_eq!(connection.state(), State::Closed);
    assert!(connection.is_readable() && connection.is_writable() && connection.has_failed());
    let mut buffer = [0; 20];
    assert_eq!(connection.read(at(22), &mut buffer), Ok(10));
    assert_eq!(connection.read(at(22), &mut buffer), Err(Error::ConnectionReset));
    assert_eq!(connection.read(at(22), &mut buffer), Ok(0));
    assert_eq!(connection.write(at(22), b"x"), Err(Error::BrokenPipe));
    assert!(!connection.has_transmit());
}

#[test]
fn close_with_unread_data_or_linger_zero_resets_and_otherwise_sends_a_fin() {
    let mut connection = established(plain());
    give(&mut connection, at(20), 5001, 1001, b"unread");
    sent(&mut connection, at(20));
    connection.close(at(21));
    assert_eq!(sent(&mut connection, at(21)), ["Flags [R.], seq 1001, ack 5007, win 0, length 0"]);
    let mut connection = established(Settings { linger: Some(Duration::ZERO), ..plain() });
    connection.write(at(20), b"never sent").unwrap();
    connection.close(at(21));
    assert_eq!(sent(&mut connection, at(21)), ["Flags [R.], seq 1001, ack 5001, win 0, length 0"]);
    let mut connection = established(plain());
    connection.write(at(20), b"sent").unwrap();
    connection.close(at(21));
    assert_eq!(sent(&mut connection, at(21)), ["Flags [FP.], seq 1001:1005, ack 5001, win 64240, length 4"]);
}

#[test]
fn data_for_an_orphan_is_reset() {
    let mut connection = established(plain());
    connection.close(at(20));
    sent(&mut connection, at(20));
    give(&mut connection, at(30), 5001, 1002, b"");
    assert_eq!(connection.state(), State::FinWait2);
    // A bare acknowledgement ahead of a lost FIN is none.
    give(&mut connection, at(31), 5002, 1002, b"");
    assert_eq!(connection.state(), State::FinWait2);
    give(&mut connection, at(32), 5001, 1002, b"who reads this?");
    assert_eq!(connection.state(), State::Closed);
    assert_eq!(sent(&mut connection, at(32)), ["Flags [R], seq 1002, win 0, length 0"]);
}

#[test]
fn an_orphan_does_not_wait_for_the_peers_fin_for_ever() {
    let mut connection = established(plain());
    connection.close(at(20));
    sent(&mut connection, at(20));
    give(&mut connection, at(30), 5001, 1002, b"");
    // Housekeeping comes first, then the minute.
    while connection.state() == State::FinWait2 {
        let due = connection.poll_timeout().unwrap();
        connection.on_timeout(due);
        if connection.state() == State::Closed {
            assert_eq!(due, at(60_030));
        }
    }
    let mut held = established(plain());
    held.shutdown_write(at(20));
    sent(&mut held, at(20));
    give(&mut held, at(30), 5001, 1002, b"");
    held.on_timeout(at(200_000));
    assert_eq!((held.state(), held.poll_timeout()), (State::FinWait2, None), "who holds it may wait");
}

#[test]
fn nodelay_lets_go_at_once_what_nagle_held_back() {
    let mut connection = established(plain());
    connection.write(at(20), b"first").unwrap();
    assert_eq!(sent(&mut connection, at(20)).len(), 1);
    connection.write(at(21), b"second").unwrap();
    assert!(!connection.has_transmit());
    connection.set_settings(at(22), Settings { nagle: false, ..plain() });
    assert_eq!(sent(&mut connection, at(22)), ["Flags [P.], seq 1006:1012, ack 5001, win 64240, length 6"]);
}

#[test]
fn a_small_segment_waits_for_a_small_one_only() {
    let mut connection = established(plain());
    connection.write(at(20), &[7; 1460]).unwrap();
    assert_eq!(sent(&mut connection, at(20)).len(), 1);
    connection.write(at(21), b"small").unwrap();
    assert_eq!(
        sent(&mut connection, at(21)).len(),
        1,
        "a full segment in flight holds nothing back (Minshall)"
    );
    connection.write(at(22), b"smaller").unwrap();
    assert!(!connection.has_transmit());
    connection.shutdown_write(at(23));
    assert_eq!(sent(&mut connection, at(23)), ["Flags [FP.], seq 2466:2473, ack 5001, win 64240, length 7"]);
}

#[test]
fn keepalive_probes_a_silent_peer_and_gives_up() {
    let values = Keepalive { idle: ms(10_000), interval: ms(1000), probes: 3 };
    let mut connection = established(Settings { keepalive: true, keepalive_values: values, ..plain() });
    let mut probes = Vec::new();
    let mut answered = false;
    while connection.state() == State::Established {
        let due = connection.poll_timeout().expect("a keepalive timer");
        connection.on_timeout(due);
        for segment in sent(&mut connection, due) {
            probes.push((due.as_millis(), segment));
        }
        if probes.len() == 2 && !answered {
            answered = true;
            give(&mut connection, due + ms(5), 5001, 1001, b"");
        }
    }
    let probe = "Flags [.], ack 5001, win 64240, length 0".to_string();
    let times: Vec<u64> = probes.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [10_010, 11_010, 21_015, 22_015, 23_015, 24_015]);
    assert_eq!(probes[0].1, probe);
    assert_eq!(probes[5].1, "Flags [R.], seq 1001, ack 5001, win 0, length 0");
    assert_eq!(connection.take_error(), Some(Error::TimedOut));
}

#[test]
fn a_keepalive_probe_is_answered() {
    let mut connection = established(plain());
    give(&mut connection, at(50), 5000, 1001, b"");
    assert_eq!(sent(&mut connection, at(50)), ["Flags [.], ack 5001, win 64240, length 0"]);
}

#[test]
fn the_user_timeout_ends_a_wait_and_progress_begins_it_anew() {
    let mut connection = established(Settings { user_timeout: Some(ms(3000)), ..plain() });
    connection.write(at(100), &[1; 2920]).unwrap();
    sent(&mut connection, at(100));
    give(&mut connection, at(2900), 5001, 2461, b"");
    let mut last = at(0);
    while let Some(due) = connection.poll_timeout() {
        connection.on_timeout(due);
        sent(&mut connection, due);
        last = due;
    }
    assert_eq!((connection.take_error(), last), (Some(Error::TimedOut), at(5900)));
}

#[test]
fn what_icmp_said_is_the_reason_given_when_time_runs_out() {
    let mut connection = established(Settings { retries: 3, ..plain() });
    connection.write(at(100), b"x").unwrap();
    sent(&mut connection, at(100));
    connection.on_icmp_error(at(110), Error::HostUnreachable, SeqNumber(2000));
    assert_eq!(connection.soft_error, None, "nothing with that number is in flight");
    connection.on_icmp_error(at(110), Error::HostUnreachable, SeqNumber(1001));
    assert_eq!(connection.state(), State::Established);
    while let Some(due) = connection.poll_timeout() {
        connection.on_timeout(due);
        sent(&mut connection, due);
    }
    assert_eq!(connection.take_error(), Some(Error::HostUnreachable));
}

#[test]
fn a_syn_nobody_answers_is_sent_seven_times() {
    let mut connection = Connection::connect(at(0), ends(), plain(), opening(1000));
    let mut times = Vec::new();
    let mut now = at(0);
    loop {
        times.extend(sent(&mut connection, now).iter().map(|_| now.as_millis() / 1000));
        let Some(due) = connection.poll_timeout() else { break };
        now = due;
        connection.on_timeout(due);
    }
    assert_eq!(times, [0, 1, 3, 7, 15, 31, 63]);
    assert_eq!((now.as_millis(), connection.take_error()), (127_000, Some(Error::TimedOut)));
    assert!(connection.was_refused());
}

#[test]
fn an_idle_connection_owns_no_buffers_and_is_small() {
    assert!(size_of::<Connection>() <= 1200, "{}", size_of::<Connection>());
    assert!(size_of::<Handshake>() < 200, "{}", size_of::<Handshake>());
    assert!(size_of::<TimeWait>() <= 80, "{}", size_of::<TimeWait>());
    let mut connection = established(plain());
    assert_eq!(connection.memory(), 0);
    connection.write(at(20), &[1; 9000]).unwrap();
    give(&mut connection, at(20), 5001, 1001, &[2; 3000]);
    sent(&mut connection, at(20));
    give(&mut connection, at(21), 8001, 10_001, b"");
    assert_eq!(connection.read(at(22), &mut [0; 4000]), Ok(3000));
    sent(&mut connection, at(22));
    assert!(connection.memory() > 0, "kept for what may come next");
    while let Some(due) = connection.poll_timeout() {
        connection.on_timeout(due);
        sent(&mut connection, due);
    }
    assert_eq!((connection.memory(), connection.state()), (0, State::Established));
}

#[test]
fn a_reset_that_a_call_asks_for_has_timestamps() {
    let mut connection = Connection::connect(at(0), ends(), Settings::default(), opening(1000));
    sent(&mut connection, at(0));
    let mut syn_ack = from_peer(Flags::SYN | Flags::ACK, 5000, 1001);
    syn_ack.options.timestamps = Some(crate::wire::tcp::Timestamps { value: 9, echo: 7000 });
    connection.on_segment(at(10), &syn_ack, &[]).unwrap();
    sent(&mut connection, at(10));
    connection.abort(at(20));
    let reset = sent(&mut connection, at(20)).remove(0);
    assert!(reset.contains("[R.]") && reset.contains("TS val 7020 ecr 9"), "{reset}");
}

#[test]
fn who_acknowledges_what_was_never_sent_is_answered_and_does_not_move_the_clock() {
    let mut connection = Connection::connect(at(0), ends(), Settings::default(), opening(1000));
    sent(&mut connection, at(0));
    let mut segment = from_peer(Flags::SYN | Flags::ACK, 5000, 1001);
    let clock = |value| Some(crate::wire::tcp::Timestamps { value, echo: 7000 });
    segment.options.timestamps = clock(9);
    connection.on_segment(at(10), &segment, &[]).unwrap();
    sent(&mut connection, at(10));
    let mut guess = from_peer(Flags::ACK, 5001, 9999);
    guess.options.timestamps = clock(200_000);
    assert!(connection.on_segment(at(20), &guess, &[]).is_err());
    let challenge = sent(&mut connection, at(20)).remove(0);
    assert!(challenge.contains("ack 5001") && challenge.contains("ecr 9"), "{challenge}");
    assert!(connection.on_segment(at(21), &guess, &[]).is_err());
    assert!(!connection.has_transmit(), "not so soon again");
    let mut honest = Segment { length: 3, ..from_peer(Flags::ACK, 5001, 1001) };
    honest.options.timestamps = clock(10);
    connection.on_segment(at(30), &honest, b"abc").unwrap();
    let answer = sent(&mut connection, at(30)).remove(0);
    assert!(answer.contains("ack 5004") && answer.contains("ecr 10"), "{answer}");
}

#[test]
fn a_device_without_room_is_asked_twice_a_second_until_the_user_timeout() {
    let mut connection = established(Settings { user_timeout: Some(ms(3000)), ..plain() });
    connection.write(at(20), b"stays").unwrap();
    let mut looked = Vec::new();
    while connection.state() == State::Established {
        let due = connection.poll_timeout().expect("a timer");
        connection.on_timeout(due);
        assert_eq!(connection.info().backoff, 0);
        if connection.info().probes as usize > looked.len() {
            looked.push(due.as_millis());
        }
        if looked.len() == 2 {
            assert_eq!(connection.write(due, b"x"), Ok(1), "which does not put anything off");
        }
        assert_eq!(connection.has_transmit(), connection.state() == State::Established);
    }
    assert_eq!(looked, [230, 730, 1230, 1730, 2230, 2730]);
    assert_eq!(connection.take_error(), Some(Error::TimedOut));
    // With room it goes on as if nothing had been.
    let mut connection = established(plain());
    connection.write(at(20), b"stays").unwrap();
    assert_eq!(sent(&mut connection, at(3000)).len(), 1);
    give(&mut connection, at(3010), 5001, 1006, b"");
    let info = connection.info();
    assert_eq!((info.probes, info.in_flight), (0, 0));
}
