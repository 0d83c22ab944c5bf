//! Options show in every packet of their socket, also in those that no connection sends.

use sockeye_core::socket::{Family, Kind, OptionName, SocketOption};
use sockeye_core::time::Duration;
use sockeye_core::wire::checksum::{ChecksumCheck, PseudoHeader};
use sockeye_core::wire::ipv4::Ipv4Header;
use sockeye_core::wire::tcp::{Flags, Segment};

use super::wire::Network;

/// What host 1 sends now over IPv4 and TCP: hop limit, traffic class, segment.
fn sent(network: &mut Network) -> Vec<(u8, u8, Segment)> {
    let mut all = Vec::new();
    while let Some(transmit) = network.hosts[1].poll_transmit(network.now) {
        let frame = transmit.to_vec();
        let Ok((ip, payload)) = Ipv4Header::parse(&frame[14..]) else { continue };
        let pseudo = PseudoHeader::new(ip.source.into(), ip.destination.into(), ip.protocol, 0);
        let Ok((segment, _)) = Segment::parse(payload, &pseudo, ChecksumCheck::Verify) else { continue };
        all.push((ip.ttl, ip.dscp << 2 | ip.ecn, segment));
    }
    all
}

fn carry(network: &mut Network) {
    while let Some(transmit) = network.hosts[0].poll_transmit(network.now) {
        let frame = transmit.to_vec();
        let interface = sockeye_core::network::InterfaceId(1);
        network.hosts[1].receive(network.now, interface, sockeye_core::stack::Frame::new(&frame));
    }
}

#[test]
fn syn_acks_resets_and_last_acknowledgements_carry_what_their_socket_asks_for() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:80", 3);
    let now = network.now;
    for option in [SocketOption::HopLimit(9), SocketOption::TrafficClass(0xb8), SocketOption::MaxSegment(700)]
    {
        network.hosts[1].set_option(now, listener, option).unwrap();
    }
    let (client, server) = network.connected(listener, "10.0.0.2:80");
    let inherited = network.hosts[1].option(server, OptionName::HopLimit);
    assert_eq!(inherited, Ok(SocketOption::HopLimit(9)));
    assert!(network.hosts[0].tcp_info(client).unwrap().snd_mss <= 700, "the SYN-ACK said so");

    // A SYN-ACK and its retransmission.
    let half_open = network.connect(0, "10.0.0.2:80");
    carry(&mut network);
    for _ in 0..2 {
        let answers = sent(&mut network);
        let [(9, 0xb8, segment)] = answers[..] else { panic!("{answers:?}") };
        assert!(segment.flags.contains(Flags::SYN | Flags::ACK) && segment.options.mss == Some(700));
        network.now += Duration::from_millis(1100);
        network.hosts[1].handle_timeout(network.now);
    }
    network.close(0, half_open);

    // The last acknowledgement of TIME-WAIT, asked for again.
    network.close(1, server);
    network.loses = Box::new(|host, _| host == 1);
    network.close(0, client);
    network.loses = Box::new(|_, _| false);
    network.now += Duration::from_secs(2);
    network.hosts[0].handle_timeout(network.now);
    carry(&mut network);
    assert_eq!(network.hosts[1].snapshot().time_wait, 1);
    let answers = sent(&mut network);
    assert!(!answers.is_empty() && answers.iter().all(|(ttl, class, _)| (*ttl, *class) == (9, 0xb8)));

    // The RST for nobody has nobody's options.
    network.connect(0, "10.0.0.2:81");
    carry(&mut network);
    let answers = sent(&mut network);
    assert!(
        answers
            .iter()
            .any(|(ttl, class, segment)| { (*ttl, *class) == (64, 0) && segment.flags.contains(Flags::RST) })
    );
}

#[test]
fn the_ecn_bits_of_a_program_reach_datagrams_but_not_segments() {
    let mut network = Network::pair();
    let now = network.now;
    network.introduce();
    let stream = network.hosts[1].open(Family::V4, Kind::Stream).unwrap();
    network.hosts[1].set_option(now, stream, SocketOption::TrafficClass(0xff)).unwrap();
    network.hosts[1].connect(now, stream, "10.0.0.1:9".parse().unwrap()).unwrap_err();
    assert!(sent(&mut network).iter().all(|(_, class, _)| *class == 0xfc));
}

#[test]
fn a_stream_socket_may_let_routers_cut_its_packets() {
    for discovers in [true, false] {
        let mut network = Network::pair();
        let now = network.now;
        network.introduce();
        let stream = network.hosts[1].open(Family::V4, Kind::Stream).unwrap();
        let option = SocketOption::PathMtuDiscovery(discovers);
        network.hosts[1].set_option(now, stream, option).unwrap();
        assert_eq!(network.hosts[1].option(stream, OptionName::PathMtuDiscovery), Ok(option));
        network.hosts[1].connect(now, stream, "10.0.0.1:9".parse().unwrap()).unwrap_err();
        let frame = network.hosts[1].poll_transmit(now).unwrap().to_vec();
        let (header, _) = Ipv4Header::parse(&frame[14..]).unwrap();
        assert_eq!(header.dont_fragment, discovers);
    }
}
