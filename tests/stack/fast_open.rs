//! TCP Fast Open (RFC 7413) between two hosts: cookies, data in the SYN, answers before the handshake ends, and every way
//! in which it becomes an ordinary handshake instead.

use std::cell::RefCell;
use std::rc::Rc;

use sockeye_core::error::Error;
use sockeye_core::socket::{Family, Kind, OptionName, SocketId, SocketOption};
use sockeye_core::stack::Config;
use sockeye_core::time::Duration;
use sockeye_core::transport::tcp::{FastOpen, FastOpenFailure, FastOpenKeys, State};
use sockeye_core::wire::tcp::{Flags, Options, Segment, SeqNumber};

use super::wire::Network;

/// Segments in the order sent: host and tcpdump's words.
type Seen = Rc<RefCell<Vec<(usize, Segment)>>>;

/// Two hosts that both may, a listener with a queue of four, and what passes between them.
fn pair() -> (Network, SocketId, Seen) {
    let config = |seed| Config { seed, fast_open: FastOpen::from_bits(3), ..Config::default() };
    let mut network = Network::pair_with(config(1), config(2), 1500);
    network.introduce();
    let listener = network.listen(1, "10.0.0.2:80", 8);
    network.hosts[1].set_option(network.now, listener, SocketOption::FastOpen(4)).unwrap();
    let seen = Seen::default();
    let log = Rc::clone(&seen);
    network.loses = Box::new(move |host, frame| {
        if let Some(segment) = segment_of(frame) {
            log.borrow_mut().push((host, segment));
        }
        false
    });
    (network, listener, seen)
}

/// The TCP segment in an Ethernet frame with an IPv4 header without options.
fn segment_of(frame: &[u8]) -> Option<Segment> {
    use sockeye_core::wire::Protocol;
    use sockeye_core::wire::checksum::{ChecksumCheck, PseudoHeader};
    let packet = frame.get(14..).filter(|_| frame[12..14] == [8, 0])?;
    let address = |at: usize| <[u8; 4]>::try_from(&packet[at..at + 4]).unwrap();
    let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let pseudo = PseudoHeader::new(address(12).into(), address(16).into(), Protocol::Tcp, 0);
    Segment::parse(packet.get(20..length)?, &pseudo, ChecksumCheck::Verify).ok().map(|(segment, _)| segment)
}

/// Connects with data.
fn send(network: &mut Network, data: &[u8]) -> (SocketId, Result<usize, Error>) {
    let id = network.hosts[0].open(Family::V4, Kind::Stream).unwrap();
    let sent = network.hosts[0].connect_with_data(network.now, id, "10.0.0.2:80".parse().unwrap(), data);
    (id, sent)
}

/// Asks for a cookie and closes the connection again.
fn get_cookie(network: &mut Network, listener: SocketId) {
    let (client, sent) = send(network, b"");
    assert_eq!(sent, Err(Error::InProgress));
    network.settle();
    let (server, _) = network.hosts[1].accept(network.now, listener).unwrap();
    network.close(0, client);
    network.close(1, server);
}

fn taken(network: &Network, host: usize, id: SocketId) -> (bool, FastOpenFailure) {
    let info = network.hosts[host].tcp_info(id).unwrap();
    (info.syn_data, info.fast_open_failure)
}

#[test]
fn the_second_connection_is_answered_within_one_round_trip() {
    let (mut network, listener, seen) = pair();
    get_cookie(&mut network, listener);
    {
        let seen = seen.borrow();
        assert!(seen[0].1.options.fast_open.unwrap().is_request());
        assert_eq!(seen[1].1.options.fast_open.unwrap().as_slice().len(), 8);
    }
    seen.borrow_mut().clear();
    // The acknowledgement that completes the handshake is lost.
    let log = Rc::clone(&seen);
    network.loses = Box::new(move |host, frame| {
        let segment = segment_of(frame).unwrap();
        log.borrow_mut().push((host, segment));
        host == 0 && !segment.flags.contains(Flags::SYN)
    });
    let (client, sent) = send(&mut network, b"question");
    assert_eq!(sent, Ok(8));
    network.settle();
    let (server, _) = network.hosts[1].accept(network.now, listener).unwrap();
    assert_eq!(network.hosts[1].tcp_info(server).unwrap().state, State::SynReceived);
    assert_eq!(network.read(1, server).unwrap(), b"question");
    assert_eq!(network.write(1, server, b"answer"), Ok(6));
    assert_eq!(network.read(0, client).unwrap(), b"answer");
    assert_eq!(taken(&network, 0, client), (true, FastOpenFailure::None));
    assert_eq!(taken(&network, 1, server), (true, FastOpenFailure::None));
    let lines: Vec<String> = seen
        .borrow()
        .iter()
        .map(|(host, segment)| format!("{host} {} {}", segment.flags, segment.length))
        .collect();
    assert_eq!(lines[..4], ["0 [S] 8", "1 [S.] 0", "0 [.] 0", "1 [P.] 6"], "{lines:?}");
    let (syn, syn_ack) = (seen.borrow()[0].1, seen.borrow()[1].1);
    assert_eq!(syn_ack.ack, syn.seq + 9);
    assert_eq!(syn_ack.options.fast_open, None);
    // Everything that was lost comes again.
    network.loses = Box::new(|_, _| false);
    network.run(Duration::from_secs(3));
    assert_eq!(network.hosts[1].tcp_info(server).unwrap().state, State::Established);
    network.close(0, client);
    network.close(1, server);
    network.run(Duration::from_secs(90));
    network.close(1, listener);
    network.assert_idle();
}

#[test]
fn a_cookie_of_another_key_gets_a_new_one_and_the_data_comes_again() {
    let (mut network, listener, seen) = pair();
    get_cookie(&mut network, listener);
    network.hosts[1].set_fast_open_keys(FastOpenKeys::new([9; 16]));
    seen.borrow_mut().clear();
    let (client, sent) = send(&mut network, b"question");
    assert_eq!(sent, Ok(8));
    network.settle();
    assert_eq!(taken(&network, 0, client), (false, FastOpenFailure::DataNotAcked));
    let (server, _) = network.hosts[1].accept(network.now, listener).unwrap();
    assert_eq!(network.read(1, server).unwrap(), b"question");
    let syn_ack = seen.borrow()[1].1;
    assert_eq!(syn_ack.ack, seen.borrow()[0].1.seq + 1);
    // At once, with the acknowledgement of the handshake.
    assert_eq!(seen.borrow()[2].1.length, 8);
    // The new cookie is good.
    let (second, sent) = send(&mut network, b"again");
    assert_eq!(sent, Ok(5));
    network.settle();
    assert_eq!(taken(&network, 0, second), (true, FastOpenFailure::None));
}

#[test]
fn the_cookie_of_the_key_before_counts_and_is_exchanged() {
    let (mut network, listener, seen) = pair();
    get_cookie(&mut network, listener);
    let old = network.hosts[1].fast_open_keys();
    network.hosts[1].set_fast_open_keys(old.rotated([9; 16]));
    for expected in [true, false] {
        seen.borrow_mut().clear();
        let (client, _) = send(&mut network, b"question");
        network.settle();
        assert_eq!(taken(&network, 0, client), (true, FastOpenFailure::None));
        assert_eq!(seen.borrow()[1].1.options.fast_open.is_some(), expected);
    }
}

#[test]
fn a_syn_lost_with_its_data_leaves_again_alone() {
    let (mut network, listener, seen) = pair();
    get_cookie(&mut network, listener);
    seen.borrow_mut().clear();
    let log = Rc::clone(&seen);
    network.loses = Box::new(move |host, frame| {
        let segment = segment_of(frame).unwrap();
        log.borrow_mut().push((host, segment));
        segment.flags.contains(Flags::SYN) && segment.length > 0
    });
    let (client, sent) = send(&mut network, b"question");
    assert_eq!(sent, Ok(8));
    network.run(Duration::from_secs(2));
    let syns: Vec<_> =
        seen.borrow().iter().filter(|(_, it)| it.flags == Flags::SYN).map(|(_, it)| *it).collect();
    assert_eq!((syns.len(), syns[1].length, syns[1].options.fast_open), (2, 0, None));
    assert_eq!(taken(&network, 0, client), (false, FastOpenFailure::SynRetransmitted));
    let (server, _) = network.hosts[1].accept(network.now, listener).unwrap();
    assert_eq!(network.read(1, server).unwrap(), b"question");
}

#[test]
fn connect_waits_for_the_first_write_where_a_cookie_is_known() {
    let (mut network, listener, seen) = pair();
    let open = |network: &mut Network| {
        let id = network.hosts[0].open(Family::V4, Kind::Stream).unwrap();
        network.hosts[0].set_option(network.now, id, SocketOption::FastOpenConnect(true)).unwrap();
        let result = network.hosts[0].connect(network.now, id, "10.0.0.2:80".parse().unwrap());
        (id, result)
    };
    let (first, result) = open(&mut network);
    assert_eq!(result, Err(Error::InProgress));
    network.settle();
    assert_eq!(taken(&network, 0, first), (false, FastOpenFailure::CookieUnavailable));
    assert_eq!(network.hosts[0].tcp_info(first).unwrap().state, State::Established);
    seen.borrow_mut().clear();
    let (second, result) = open(&mut network);
    assert_eq!(result, Ok(()));
    network.run(Duration::from_secs(5));
    assert!(seen.borrow().is_empty());
    assert!(network.hosts[0].readiness(second).unwrap().is_writable());
    let again = network.hosts[0].connect(network.now, second, "10.0.0.2:80".parse().unwrap());
    assert_eq!(again, Err(Error::IsConnected));
    assert_eq!(network.hosts[0].read(network.now, second, &mut [0]), Err(Error::WouldBlock));
    assert_eq!(network.hosts[0].write(network.now, second, b"hello"), Ok(5));
    assert!(!network.hosts[0].readiness(second).unwrap().is_writable());
    assert_eq!(network.hosts[0].write(network.now, second, b"more"), Err(Error::WouldBlock));
    network.settle();
    assert_eq!(taken(&network, 0, second), (true, FastOpenFailure::None));
    let (_, _) = network.hosts[1].accept(network.now, listener).unwrap();
    let (server, _) = network.hosts[1].accept(network.now, listener).unwrap();
    assert_eq!(network.read(1, server).unwrap(), b"hello");
    // One that is closed before it has written anything was never there.
    let (third, _) = open(&mut network);
    seen.borrow_mut().clear();
    network.close(0, third);
    assert!(seen.borrow().is_empty());
}

#[test]
fn without_permission_there_is_no_such_call() {
    let mut network = Network::pair();
    let listener = network.listen(1, "10.0.0.2:80", 8);
    let address = "10.0.0.2:80".parse().unwrap();
    let now = network.now;
    network.hosts[0].set_fast_open(FastOpen::from_bits(2));
    let id = network.hosts[0].open(Family::V4, Kind::Stream).unwrap();
    assert_eq!(network.hosts[0].connect_with_data(now, id, address, b"x"), Err(Error::NotSupported));
    let connect = SocketOption::FastOpenConnect(true);
    assert_eq!(network.hosts[0].set_option(now, id, connect), Err(Error::NotSupported));
    network.hosts[0].set_fast_open(FastOpen::from_bits(1));
    assert_eq!(network.hosts[0].set_option(now, id, connect), Ok(()));
    assert_eq!(network.hosts[0].option(id, OptionName::FastOpenConnect), Ok(connect));
    let datagram = network.hosts[0].open(Family::V4, Kind::Datagram).unwrap();
    assert_eq!(network.hosts[0].connect_with_data(now, datagram, address, b"x"), Err(Error::NotSupported));
    assert_eq!(network.hosts[0].set_option(now, datagram, connect), Err(Error::UnknownOption));
    assert_eq!(
        network.hosts[1].set_option(now, listener, SocketOption::FastOpenConnect(true)),
        Err(Error::InvalidArgument)
    );
    assert_eq!(network.hosts[1].connect_with_data(now, listener, address, b"x"), Err(Error::IsConnected));
    // While the attempt goes on, and after it.
    assert_eq!(network.hosts[0].connect_with_data(now, id, address, b"x"), Err(Error::InProgress));
    assert_eq!(network.hosts[0].connect_with_data(now, id, address, b"x"), Err(Error::AlreadyInProgress));
    network.settle();
    assert_eq!(network.hosts[0].connect_with_data(now, id, address, b"x"), Ok(1));
    assert_eq!(network.hosts[0].connect_with_data(now, id, address, b"x"), Err(Error::IsConnected));
    assert_eq!(network.hosts[0].set_option(now, id, connect), Err(Error::InvalidArgument));
}

#[test]
fn a_listener_that_does_not_ask_for_it_gives_no_cookie() {
    let (mut network, _, seen) = pair();
    let other = network.listen(1, "10.0.0.2:81", 8);
    let ask = |network: &mut Network| {
        seen.borrow_mut().clear();
        let id = network.hosts[0].open(Family::V4, Kind::Stream).unwrap();
        let _ = network.hosts[0].connect_with_data(network.now, id, "10.0.0.2:81".parse().unwrap(), b"x");
        network.settle();
        seen.borrow()[1].1.options.fast_open.is_some()
    };
    assert!(!ask(&mut network));
    network.hosts[1].set_option(network.now, other, SocketOption::FastOpen(1)).unwrap();
    assert!(ask(&mut network));
    // Bit 0x400 is for those that begin to listen afterwards.
    network.hosts[1].set_fast_open(FastOpen::from_bits(0x402));
    let id = network.listen(1, "10.0.0.2:82", 7);
    assert_eq!(network.hosts[1].option(id, OptionName::FastOpen), Ok(SocketOption::FastOpen(7)));
    network.hosts[1].set_fast_open(FastOpen::from_bits(0x1));
    assert!(!ask(&mut network));
}

#[test]
fn without_cookies_anybody_is_served() {
    for (client, server) in [(0x5, 0x202), (0x1, 0x2)] {
        let (mut network, listener, seen) = pair();
        network.hosts[0].set_fast_open(FastOpen::from_bits(client));
        network.hosts[1].set_fast_open(FastOpen::from_bits(server));
        let id = network.hosts[0].open(Family::V4, Kind::Stream).unwrap();
        if client == 1 {
            let now = network.now;
            network.hosts[0].set_option(now, id, SocketOption::FastOpenNoCookie(true)).unwrap();
            network.hosts[1].set_option(now, listener, SocketOption::FastOpenNoCookie(true)).unwrap();
        }
        let sent =
            network.hosts[0].connect_with_data(network.now, id, "10.0.0.2:80".parse().unwrap(), b"question");
        assert_eq!(sent, Ok(8));
        network.settle();
        assert_eq!(taken(&network, 0, id), (true, FastOpenFailure::None));
        assert!(seen.borrow().iter().all(|(_, segment)| segment.options.fast_open.is_none()));
    }
}

#[test]
fn the_queue_is_bounded_and_a_reset_counts_for_a_minute() {
    let (mut network, listener, _) = pair();
    get_cookie(&mut network, listener);
    network.hosts[1].set_option(network.now, listener, SocketOption::FastOpen(1)).unwrap();
    // Nothing but the client's SYNs arrives: the server's connections stay unconfirmed.
    network.loses = Box::new(|host, frame| match segment_of(frame) {
        Some(segment) => {
            host == 1 || !segment.flags.contains(Flags::SYN) && !segment.flags.contains(Flags::RST)
        }
        None => false,
    });
    let (first, _) = send(&mut network, b"one");
    network.settle();
    let (server, _) = network.hosts[1].accept(network.now, listener).unwrap();
    let (_, _) = send(&mut network, b"two");
    network.settle();
    assert_eq!(network.hosts[1].accept(network.now, listener), Err(Error::WouldBlock));
    // The program holds the first when it is reset: forged SYNs would end so.
    let (snd_nxt, remote) =
        (network.hosts[0].tcp_info(first).unwrap().snd_nxt, network.hosts[1].peer_address(server).unwrap());
    let reset = Segment {
        source_port: remote.port(),
        destination_port: 80,
        seq: snd_nxt,
        ack: SeqNumber(0),
        flags: Flags::RST,
        window: 0,
        urgent: 0,
        options: Options::default(),
        length: 0,
    };
    network.inject(1, [10, 0, 0, 1].into(), [10, 0, 0, 2].into(), &reset);
    assert_eq!(network.read(1, server).unwrap(), b"one");
    assert_eq!(network.read(1, server), Err(Error::ConnectionReset));
    let served = |network: &mut Network| {
        let (_, sent) = send(network, b"next");
        assert_eq!(sent, Ok(4));
        network.settle();
        network.hosts[1].accept(network.now, listener).is_ok()
    };
    assert!(!served(&mut network));
    network.now += Duration::from_secs(59);
    assert!(!served(&mut network));
    network.now += Duration::from_secs(2);
    assert!(served(&mut network));
    assert!(!served(&mut network));
}

#[test]
fn the_listener_that_closes_resets_what_nobody_has_taken() {
    let (mut network, listener, seen) = pair();
    get_cookie(&mut network, listener);
    network.loses = Box::new({
        let log = Rc::clone(&seen);
        move |host, frame| {
            let segment = segment_of(frame).unwrap();
            log.borrow_mut().push((host, segment));
            host == 1 && segment.flags.contains(Flags::SYN)
        }
    });
    let (_, _) = send(&mut network, b"question");
    network.settle();
    seen.borrow_mut().clear();
    network.close(1, listener);
    let (host, reset) = seen.borrow()[0];
    assert_eq!((host, reset.flags), (1, Flags::RST | Flags::ACK));
}

#[test]
fn clients_do_without_for_a_while_where_everything_vanishes() {
    let (mut network, listener, seen) = pair();
    get_cookie(&mut network, listener);
    network.hosts[0].set_fast_open_pause(Duration::from_secs(100));
    network.loses = Box::new(|host, frame| host == 0 && segment_of(frame).is_some());
    let (client, sent) = send(&mut network, b"question");
    assert_eq!(sent, Ok(8));
    network.run(Duration::from_secs(8));
    network.close(0, client);
    let log = Rc::clone(&seen);
    network.loses = Box::new(move |host, frame| {
        log.borrow_mut().extend(segment_of(frame).map(|segment| (host, segment)));
        false
    });
    let options = |network: &mut Network| {
        seen.borrow_mut().clear();
        let (client, sent) = send(network, b"question");
        network.settle();
        let (server, _) = network.hosts[1].accept(network.now, listener).unwrap();
        // Only an answer with data shows that fast open works again.
        network.write(1, server, b"answer").unwrap();
        network.close(1, server);
        assert_eq!(network.hosts[0].tcp_info(client).unwrap().fast_open_failure, FastOpenFailure::None);
        (sent, seen.borrow()[0].1.options.fast_open.is_some())
    };
    assert_eq!(options(&mut network), (Err(Error::InProgress), false));
    network.run(Duration::from_secs(101));
    assert_eq!(options(&mut network), (Ok(8), true));
}
