//! Every state with every event: what the state is afterwards, what leaves, what the caller is told.

use core::fmt::Write;

use super::*;
use crate::error::Error;

/// The connection in this state, nothing waiting: SND.UNA 1001 (or behind our FIN), RCV.NXT 5001 (or behind the peer's).
fn in_state(state: State) -> Connection {
    let mut connection = match state {
        State::SynSent | State::SynReceived => {
            let mut connection = Connection::connect(at(0), ends(), plain(), opening(1000));
            sent(&mut connection, at(0));
            if state == State::SynReceived {
                connection.on_segment(at(10), &from_peer(Flags::SYN, 5000, 0), &[]).unwrap();
                sent(&mut connection, at(10));
            }
            connection
        }
        _ => established(plain()),
    };
    let now = at(20);
    let fin = |connection: &mut Connection, ack| {
        connection.on_segment(now, &from_peer(Flags::FIN | Flags::ACK, 5001, ack), &[]).unwrap();
        sent(connection, now);
    };
    match state {
        State::FinWait1 | State::FinWait2 | State::Closing => {
            connection.shutdown_write(now);
            sent(&mut connection, now);
            match state {
                State::FinWait2 => give(&mut connection, now, 5001, 1002, &[]),
                State::Closing => fin(&mut connection, 1001),
                _ => {}
            }
        }
        State::CloseWait | State::LastAck => {
            fin(&mut connection, 1001);
            if state == State::LastAck {
                connection.shutdown_write(now);
                sent(&mut connection, now);
            }
        }
        State::Closed => connection.abort(now),
        _ => {}
    }
    sent(&mut connection, now);
    assert_eq!(connection.state(), state);
    connection
}

/// The segments, by name. `seq` is what is expected next, `ack` what is not acknowledged yet.
fn segments(seq: u32, ack: u32) -> Vec<(&'static str, Segment, &'static [u8])> {
    let data = |seq, ack, flags, payload: &'static [u8]| {
        (Segment { length: payload.len() as u32, ..from_peer(flags | Flags::ACK, seq, ack) }, payload)
    };
    let bare = |flags, seq, ack| (from_peer(flags, seq, ack), &b""[..]);
    let fin_ack = Flags::FIN | Flags::ACK;
    let all = [
        ("SYN", bare(Flags::SYN, 5000, 0)),
        ("SYN in window", bare(Flags::SYN, seq + 100, 0)),
        ("SYN-ACK", bare(Flags::SYN | Flags::ACK, 5000, ack)),
        ("SYN-ACK of nothing", bare(Flags::SYN | Flags::ACK, 5000, ack + 500)),
        ("ACK", bare(Flags::ACK, seq, ack)),
        ("ACK of FIN", bare(Flags::ACK, seq, ack + 1)),
        ("ACK of nothing", bare(Flags::ACK, seq, ack + 500)),
        ("ACK far too old", bare(Flags::ACK, seq, 1001_u32.wrapping_sub(500_000))),
        ("no ACK", bare(Flags::NONE, seq, 0)),
        ("data", data(seq, ack, Flags::PSH, b"hello")),
        ("data ahead", data(seq + 100, ack, Flags::NONE, b"hello")),
        ("data again", data(seq - 5, ack, Flags::NONE, b"hello")),
        ("data out of window", data(seq + 1_000_000, ack, Flags::NONE, b"hello")),
        ("data and urgent", data(seq, ack, Flags::URG, b"hello")),
        ("FIN", bare(fin_ack, seq, ack)),
        ("FIN again", bare(fin_ack, seq - 1, ack)),
        ("FIN again, ACK of FIN", bare(fin_ack, seq - 1, ack + 1)),
        ("FIN with ACK of FIN", bare(fin_ack, seq, ack + 1)),
        ("FIN with data", data(seq, ack, Flags::FIN, b"hello")),
        ("FIN ahead", bare(fin_ack, seq + 100, ack)),
        ("RST", bare(Flags::RST, seq, 0)),
        ("RST-ACK", bare(Flags::RST | Flags::ACK, seq, ack)),
        ("RST in window", bare(Flags::RST, seq + 100, 0)),
        ("RST out of window", bare(Flags::RST, seq + 1_000_000, 0)),
    ];
    all.into_iter().map(|(name, (segment, payload))| (name, segment, payload)).collect()
}

type Call = fn(&mut Connection) -> String;

/// The calls, by name.
fn calls() -> Vec<(&'static str, Call)> {
    fn told(result: Result<usize, Error>) -> String {
        result.map_or_else(|error| error.name().into(), |count| count.to_string())
    }
    vec![
        ("write", |connection| told(connection.write(at(30), b"hello"))),
        ("read", |connection| told(connection.read(at(30), &mut [0; 10]))),
        ("shutdown write", |connection| {
            connection.shutdown_write(at(30));
            String::new()
        }),
        ("shutdown read", |connection| {
            connection.shutdown_read(at(30));
            told(connection.read(at(30), &mut [0; 10]))
        }),
        ("close", |connection| {
            connection.close(at(30));
            String::new()
        }),
        ("abort", |connection| {
            connection.abort(at(30));
            String::new()
        }),
        ("ICMP error", |connection| {
            connection.on_icmp_error(at(30), Error::HostUnreachable, connection.sender.una);
            String::new()
        }),
        ("path MTU", |connection| {
            connection.on_path_mss(at(30), 500);
            String::new()
        }),
        ("timer", |connection| {
            let due = connection.poll_timeout();
            due.map_or(String::new(), |due| connection.on_timeout(due).names().collect::<Vec<_>>().join(" "))
        }),
    ]
}

fn row(text: &mut String, name: &str, connection: &mut Connection, told: &str) {
    let leaves = sent(connection, at(30)).join(" | ").replace("Flags ", "");
    let error = connection.take_error().map_or("", Error::name);
    let words: Vec<&str> = [told, error].into_iter().filter(|word| !word.is_empty()).collect();
    let state = connection.state();
    let line = format!("  {name:<22} {state:<12} {:<44} {leaves}", words.join(", "));
    writeln!(text, "{}", line.trim_end()).unwrap();
}

#[test]
fn every_state_and_every_event() {
    let mut text = String::new();
    for state in State::ALL {
        if matches!(state, State::Listen | State::TimeWait) {
            continue;
        }
        writeln!(text, "{state}").unwrap();
        let (seq, ack) = match state {
            State::CloseWait | State::Closing | State::LastAck => (5002, 1001),
            State::FinWait2 => (5001, 1002),
            _ => (5001, 1001),
        };
        for (name, segment, payload) in segments(seq, ack) {
            let mut connection = in_state(state);
            let outcome = connection.on_segment(at(30), &segment, payload);
            let told = outcome.err().map_or("", |reason| reason.message());
            row(&mut text, name, &mut connection, told);
        }
        for (name, call) in calls() {
            let mut connection = in_state(state);
            let told = call(&mut connection);
            row(&mut text, name, &mut connection, &told);
        }
    }
    insta::assert_snapshot!("states", text);
}

/// LISTEN and the SYN-RECEIVED of a passive open are records, and so is TIME-WAIT.
#[test]
fn every_event_of_the_records() {
    let mut text = String::from("SYN-RECEIVED (passive)\n");
    let handshake = || {
        let syn = from_peer(Flags::SYN, 5000, 0);
        Handshake::on_syn(at(0), ends(), &syn, opening(1000), &plain())
    };
    for (name, segment, _) in segments(5001, 1001) {
        let step = match handshake().on_segment(at(30), &segment) {
            HandshakeStep::Complete => "ESTABLISHED".into(),
            HandshakeStep::Reply(answer) => format!("reply {answer}"),
            HandshakeStep::Reset(answer) => format!("reset {answer}"),
            HandshakeStep::Silent => "waits for data".into(),
            HandshakeStep::Closed => "CLOSED".into(),
            HandshakeStep::Drop(reason) => reason.to_string(),
        };
        writeln!(text, "  {name:<22} {step}").unwrap();
    }
    let mut record = handshake();
    for turn in 1..=6 {
        let due = record.poll_timeout();
        let step = match record.on_timeout(due) {
            HandshakeTimeout::Resend(answer) => format!("resend {answer}"),
            HandshakeTimeout::Wait => "waits".into(),
            HandshakeTimeout::GiveUp => "CLOSED".into(),
        };
        writeln!(text, "  timer {turn} at {due} {step}").unwrap();
    }
    text += "TIME-WAIT\n";
    for (name, segment, _) in segments(5002, 1002) {
        let mut connection = in_state(State::FinWait2);
        let fin = from_peer(Flags::FIN | Flags::ACK, 5001, 1002);
        connection.on_segment(at(20), &fin, &[]).unwrap();
        assert_eq!((connection.state(), sent(&mut connection, at(20)).len()), (State::TimeWait, 1));
        let mut record = connection.time_wait(at(20));
        assert_eq!(record.endpoints(), ends());
        let step = match record.on_segment(at(30), &segment) {
            TimeWaitStep::Acknowledge(answer) => format!("acknowledge {answer}"),
            TimeWaitStep::Reopen { iss_at_least } => format!("reopen from {iss_at_least}"),
            TimeWaitStep::Closed => "CLOSED".into(),
            TimeWaitStep::Drop(reason) => reason.to_string(),
        };
        writeln!(text, "  {name:<22} {step}, until {}", record.expires()).unwrap();
    }
    text += "CLOSED and LISTEN (nobody there)\n";
    for (name, segment, _) in segments(5001, 1001) {
        let answer = reset_for(&segment).map_or(String::new(), |reset| reset.to_string());
        writeln!(text, "  {name:<22} {answer}").unwrap();
    }
    insta::assert_snapshot!("records", text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"));
}
