//! Requests as programs make them, and the bytes that come back.

use super::answer::{Asker, Protocol, answer};
use super::message::{Attributes, HEADER, Header, Message, Request, Requests};
use crate::interface::{Interface, Medium, View};
use proptest::prelude::*;
use sockeye::MacAddr;
use sockeye::sockeye_core::link::{Neighbor, NeighborState};
use sockeye::sockeye_core::network::{InterfaceId, Route};

const REQUEST: u16 = libc::NLM_F_REQUEST as u16;
const DUMP: u16 = REQUEST | libc::NLM_F_DUMP as u16;
const ASKER: Asker = Asker { port: 4711, is_strict: false, is_brief: false, protocol: Protocol::Routing };
const STRICT: Asker = Asker { is_strict: true, ..ASKER };

fn view() -> View {
    let cidrs = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let interface = |index, name: &str, medium, addresses: &[&str]| Interface {
        index,
        name: name.to_owned(),
        medium,
        mtu: if index == 1 { 65_536 } else { 1500 },
        addresses: cidrs(addresses),
        neighbors: Vec::new(),
    };
    let mut eth0 = interface(
        2,
        "eth0",
        Medium::Ethernet(MacAddr([2, 0, 0, 0, 0, 2])),
        &["10.0.0.2/24", "fd00::2/64", "fe80::2/64"],
    );
    eth0.neighbors.push(Neighbor {
        address: "10.0.0.1".parse().unwrap(),
        mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
        state: NeighborState::Stale,
        parked: 0,
    });
    let route = |destination: &str, gateway: Option<&str>| Route {
        destination: destination.parse().unwrap(),
        gateway: gateway.map(|gateway| gateway.parse().unwrap()),
        interface: InterfaceId(1),
        metric: 0,
    };
    View {
        interfaces: vec![interface(1, "lo", Medium::Loopback, &["127.0.0.1/8", "::1/128"]), eth0],
        routes: vec![
            route("10.0.0.0/24", None),
            route("fd00::/64", None),
            route("fe80::/64", None),
            route("0.0.0.0/0", Some("10.0.0.1")),
        ],
        sockets: Vec::new(),
        now: sockeye::Instant::ZERO,
    }
}

/// A request with this fixed part and these attributes.
fn request(kind: u16, flags: u16, fixed: &[u8], attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut message = Message::new(kind, fixed);
    for (kind, value) in attributes {
        message.attribute(*kind, value);
    }
    Header { kind, flags, sequence: 99, port: 0 }.frame(&message.payload)
}

fn ask_as(asker: Asker, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    answer(bytes, asker, &view(), |piece| {
        pieces.push(piece);
        true
    });
    pieces
}

fn ask(bytes: &[u8]) -> Vec<Vec<u8>> {
    ask_as(ASKER, bytes)
}

/// The list that a request gets, without its end, which is checked here.
fn list_as(asker: Asker, bytes: &[u8]) -> Vec<Vec<u8>> {
    let pieces = ask_as(asker, bytes);
    let all = pieces.concat();
    let mut messages: Vec<Vec<u8>> = Requests(&all).map(|message| message.whole.to_vec()).collect();
    for message in &messages {
        let header = parse(message).header;
        assert_eq!((header.flags, header.sequence, header.port), (libc::NLM_F_MULTI as u16, 99, 4711));
    }
    let end = messages.pop().unwrap();
    assert_eq!(parse(&end).header.kind, libc::NLMSG_DONE as u16);
    assert_eq!(parse(&end).payload, [0; 4]);
    messages
}

fn list(bytes: &[u8]) -> Vec<Vec<u8>> {
    list_as(ASKER, bytes)
}

fn parse(message: &[u8]) -> Request<'_> {
    Requests(message).next().unwrap()
}

fn attributes(message: &[u8], fixed: usize) -> Attributes<'_> {
    parse(message).attributes(fixed)
}

/// The number of the error that a request is answered with.
fn error(bytes: &[u8]) -> i32 {
    let pieces = ask(bytes);
    assert_eq!(pieces.len(), 1, "{pieces:?}");
    let message = parse(&pieces[0]);
    assert_eq!(message.header.kind, libc::NLMSG_ERROR as u16);
    -i32::from_ne_bytes(message.payload[..4].try_into().unwrap())
}

#[test]
fn interfaces_are_listed_as_the_kernel_lays_them_out() {
    let links = list(&request(libc::RTM_GETLINK, DUMP, &[0; 16], &[]));
    assert_eq!(links.len(), 2);
    let eth0 = parse(&links[1]);
    assert_eq!(eth0.header.kind, libc::RTM_NEWLINK);
    // AF_UNSPEC, ARPHRD_ETHER, number 2, UP|BROADCAST|RUNNING|MULTICAST|LOWER_UP.
    assert_eq!(eth0.payload[..16], [0, 0, 1, 0, 2, 0, 0, 0, 0x43, 0x10, 1, 0, 0, 0, 0, 0]);
    let found = |kind| attributes(&links[1], 16).find_last(kind);
    assert_eq!(found(libc::IFLA_IFNAME), Some(&b"eth0\0"[..]));
    assert_eq!(found(libc::IFLA_ADDRESS), Some(&[2, 0, 0, 0, 0, 2][..]));
    assert_eq!(found(libc::IFLA_MTU), Some(&1500u32.to_ne_bytes()[..]));
    assert_eq!(found(libc::IFLA_STATS64).map(<[u8]>::len), Some(200));
    assert_eq!(parse(&links[0]).payload[8..12], 0x1_0049u32.to_ne_bytes());
}

#[test]
fn an_interface_without_frames_has_no_hardware_address() {
    let mut view = view();
    view.interfaces[1].medium = Medium::PointToPoint;
    let mut pieces = Vec::new();
    answer(
        &request(libc::RTM_GETLINK, REQUEST, &[0; 16], &[(libc::IFLA_IFNAME, b"eth0")]),
        ASKER,
        &view,
        |piece| {
            pieces.push(piece);
            true
        },
    );
    // ARPHRD_NONE; UP|POINTOPOINT|RUNNING|NOARP|MULTICAST|LOWER_UP.
    assert_eq!(parse(&pieces[0]).payload[2..4], 0xfffe_u16.to_ne_bytes());
    assert_eq!(parse(&pieces[0]).payload[8..12], 0x1_10d1_u32.to_ne_bytes());
    assert_eq!(attributes(&pieces[0], 16).find_last(libc::IFLA_ADDRESS), None);
}

#[test]
fn one_interface_is_found_by_name_or_number() {
    let by_name = ask(&request(libc::RTM_GETLINK, REQUEST, &[0; 16], &[(libc::IFLA_IFNAME, b"eth0\0")]));
    let header = parse(&by_name[0]).header;
    assert_eq!((by_name.len(), header.kind, header.flags), (1, libc::RTM_NEWLINK, 0));
    let mut fixed = [0; 16];
    fixed[4] = 2;
    assert_eq!(ask(&request(libc::RTM_GETLINK, REQUEST, &fixed, &[])), by_name);
    fixed[4] = 3;
    assert_eq!(error(&request(libc::RTM_GETLINK, REQUEST, &fixed, &[])), libc::ENODEV);
    assert_eq!(error(&request(libc::RTM_GETLINK, REQUEST, &[0; 16], &[])), libc::EINVAL);
}

#[test]
fn addresses_come_by_family_and_with_all_their_names() {
    let prefixes = |family: i32| -> Vec<(u8, u8)> {
        let messages = list(&request(libc::RTM_GETADDR, DUMP, &[family as u8, 0, 0, 0, 0, 0, 0, 0], &[]));
        messages.iter().map(|message| (parse(message).payload[0], parse(message).payload[1])).collect()
    };
    assert_eq!(prefixes(libc::AF_INET), [(2, 8), (2, 24)]);
    assert_eq!(prefixes(libc::AF_INET6), [(10, 128), (10, 64), (10, 64)]);
    assert_eq!(prefixes(libc::AF_UNSPEC).len(), 5);
    let all = list(&request(libc::RTM_GETADDR, DUMP, &[0; 8], &[]));
    // AF_INET, /24, permanent, global, number 2.
    assert_eq!(parse(&all[1]).payload[..8], [2, 24, 0x80, 0, 2, 0, 0, 0]);
    let found = |kind| attributes(&all[1], 8).find_last(kind);
    assert_eq!(found(libc::IFA_LOCAL), Some(&[10, 0, 0, 2][..]));
    assert_eq!(found(libc::IFA_ADDRESS), Some(&[10, 0, 0, 2][..]));
    assert_eq!(found(libc::IFA_BROADCAST), Some(&[10, 0, 0, 255][..]));
    assert_eq!(found(libc::IFA_LABEL), Some(&b"eth0\0"[..]));
    // The scopes of 127.0.0.1, 10.0.0.2, ::1, fd00::2 and fe80::2.
    assert_eq!(
        all.iter().map(|message| parse(message).payload[3]).collect::<Vec<_>>(),
        [254, 0, 254, 0, 253]
    );
}

#[test]
fn only_who_is_strict_gets_a_part_of_a_list() {
    let of_lo = request(libc::RTM_GETADDR, DUMP, &[0, 0, 0, 0, 1, 0, 0, 0], &[]);
    assert_eq!((list(&of_lo).len(), list_as(STRICT, &of_lo).len()), (5, 2));
    let main =
        request(libc::RTM_GETROUTE, DUMP, &[2, 0, 0, 0, libc::RT_TABLE_MAIN, 0, 0, 0, 0, 0, 0, 0], &[]);
    assert_eq!((list(&main).len(), list_as(STRICT, &main).len()), (7, 2));
}

#[test]
fn a_route_is_found_as_packets_find_it() {
    let get = |text: &str| {
        let address: std::net::IpAddr = text.parse().unwrap();
        let family = super::address::family(address) as u8;
        let destination = super::address::octets(address);
        let fixed = [family, destination.len() as u8 * 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        request(libc::RTM_GETROUTE, REQUEST, &fixed, &[(libc::RTA_DST, &destination)])
    };
    // The kind of way, its interface, its gateway and its source.
    let way = |text: &str| {
        let pieces = ask(&get(text));
        let found = |kind| attributes(&pieces[0], 12).find_last(kind).and_then(super::address::from_octets);
        let index = attributes(&pieces[0], 12).number(libc::RTA_OIF).unwrap();
        let text = |kind| found(kind).map_or("-".to_owned(), |address| address.to_string());
        (parse(&pieces[0]).payload[7], index, text(libc::RTA_GATEWAY), text(libc::RTA_PREFSRC))
    };
    let expect =
        |kind, index, gateway: &str, source: &str| (kind, index, gateway.to_owned(), source.to_owned());
    assert_eq!(way("10.0.0.9"), expect(libc::RTN_UNICAST, 2, "-", "10.0.0.2"));
    assert_eq!(way("8.8.8.8"), expect(libc::RTN_UNICAST, 2, "10.0.0.1", "10.0.0.2"));
    assert_eq!(way("10.0.0.2"), expect(libc::RTN_LOCAL, 1, "-", "10.0.0.2"));
    assert_eq!(way("127.9.9.9"), expect(libc::RTN_LOCAL, 1, "-", "127.0.0.1"));
    assert_eq!(way("10.0.0.255"), expect(libc::RTN_BROADCAST, 2, "-", "10.0.0.2"));
    assert_eq!(way("224.0.0.251"), expect(libc::RTN_MULTICAST, 2, "-", "10.0.0.2"));
    assert_eq!(way("fd00::9"), expect(libc::RTN_UNICAST, 2, "-", "fd00::2"));
    assert_eq!(way("fe80::9"), expect(libc::RTN_UNICAST, 2, "-", "fe80::2"));
    assert_eq!(way("ff02::fb"), expect(libc::RTN_MULTICAST, 2, "-", "fd00::2"));
    assert_eq!(error(&get("2001:db8::1")), libc::ENETUNREACH);
}

#[test]
fn neighbors_and_rules_are_listed() {
    let neighbors = list(&request(libc::RTM_GETNEIGH, DUMP, &[0; 12], &[]));
    assert_eq!(
        parse(&neighbors[0]).payload,
        [
            [2, 0, 0, 0].as_slice(),
            &[2, 0, 0, 0],
            &[4, 0, 0, 1], // AF_INET, number 2, stale, unicast
            &[8, 0, 1, 0],
            &[10, 0, 0, 1],
            &[10, 0, 2, 0],
            &[2, 0, 0, 0, 0, 1, 0, 0],
        ]
        .concat()
    );
    assert_eq!(list(&request(libc::RTM_GETRULE, DUMP, &[2; 12], &[])).len(), 3);
    assert_eq!(list(&request(libc::RTM_GETRULE, DUMP, &[0; 12], &[])).len(), 5);
}

#[test]
fn what_changes_something_is_refused() {
    let types =
        [libc::RTM_NEWLINK, libc::RTM_DELLINK, libc::RTM_SETLINK, libc::RTM_NEWADDR, libc::RTM_DELROUTE];
    for kind in types {
        assert_eq!(error(&request(kind, REQUEST | libc::NLM_F_ACK as u16, &[0; 16], &[])), libc::EPERM);
    }
    for kind in [18 + 4 * 26 + 2, 124, 9999, u16::MAX] {
        assert_eq!(error(&request(kind, DUMP, &[0; 16], &[])), libc::EOPNOTSUPP, "{kind}");
    }
}

#[test]
fn questions_about_sockets_are_read_with_care() {
    let asker = Asker { protocol: Protocol::Diagnosis, ..ASKER };
    let error = |kind, payload: &[u8]| {
        let pieces = ask_as(asker, &request(kind, DUMP, payload, &[]));
        let message = parse(&pieces[0]);
        assert_eq!(message.header.kind, libc::NLMSG_ERROR as u16);
        -i32::from_ne_bytes(message.payload[..4].try_into().unwrap())
    };
    assert_eq!(error(20, &[2, 6, 0, 0]), libc::EINVAL);
    assert_eq!(error(20, &[2; 52]), libc::EINVAL);
    // Unix sockets and packet sockets.
    assert_eq!(error(20, &[1; 24]), libc::ENOENT);
    assert_eq!(error(20, &[17; 24]), libc::ENOENT);
    assert_eq!(error(21, &[2; 56]), libc::EPERM);
    assert_eq!(error(22, &[2; 56]), libc::EINVAL);
    assert!(list_as(asker, &request(20, DUMP, &[2; 56], &[])).is_empty());
}

#[test]
fn an_error_has_the_request_behind_it_and_a_success_its_header() {
    let refused = request(libc::RTM_NEWLINK, REQUEST, &[7; 16], &[]);
    let whole = ask(&refused);
    assert_eq!(parse(&whole[0]).payload[4..], refused[..]);
    let brief = ask_as(Asker { is_brief: true, ..ASKER }, &refused);
    assert_eq!(parse(&brief[0]).payload[4..], refused[..HEADER]);
    assert_eq!(parse(&brief[0]).header.flags, libc::NLM_F_CAPPED as u16);
    let flags = REQUEST | libc::NLM_F_ACK as u16;
    let found = ask(&request(libc::RTM_GETLINK, flags, &[0; 16], &[(libc::IFLA_IFNAME, b"lo")]));
    assert_eq!(found.len(), 2);
    assert_eq!(parse(&found[1]).payload[..4], [0; 4]);
    assert_eq!(parse(&found[1]).payload.len(), 4 + HEADER);
}

#[test]
fn several_requests_at_once_are_answered_in_turn() {
    let one = request(libc::RTM_GETLINK, REQUEST, &[0; 16], &[(libc::IFLA_IFNAME, b"eth0")]);
    let two = request(libc::RTM_SETLINK, REQUEST, &[0; 16], &[]);
    let pieces = ask(&[one.clone(), two, one].concat());
    let kinds: Vec<_> = pieces.iter().map(|piece| parse(piece).header.kind).collect();
    assert_eq!(kinds, [libc::RTM_NEWLINK, libc::NLMSG_ERROR as u16, libc::RTM_NEWLINK]);
}

#[test]
fn control_messages_and_what_is_no_request_are_passed_over() {
    assert!(ask(&request(libc::NLMSG_NOOP as u16, REQUEST, &[], &[])).is_empty());
    assert!(ask(&request(libc::RTM_GETLINK, 0, &[0; 16], &[])).is_empty());
    assert!(ask(&request(libc::RTM_GETLINK, DUMP, &[], &[])).is_empty());
    assert_eq!(ask(&request(libc::RTM_GETLINK, libc::NLM_F_ACK as u16, &[0; 16], &[])).len(), 1);
}

#[test]
fn long_lists_come_in_pieces_for_readers_with_a_page() {
    let mut view = view();
    let interface = view.interfaces[1].clone();
    view.interfaces.extend((3..60).map(|index| Interface { index, ..interface.clone() }));
    let mut lengths = Vec::new();
    answer(&request(libc::RTM_GETLINK, DUMP, &[0; 16], &[]), ASKER, &view, |piece| {
        lengths.push(piece.len());
        true
    });
    assert!(lengths.len() > 5 && lengths.iter().all(|length| *length <= 4096), "{lengths:?}");
}

#[test]
fn an_answer_begun_is_finished() {
    let mut view = view();
    let interface = view.interfaces[1].clone();
    view.interfaces.extend((3..60).map(|index| Interface { index, ..interface.clone() }));
    let bytes = request(libc::RTM_GETLINK, DUMP, &[0; 16], &[]).repeat(2);
    let mut pieces = Vec::new();
    let all = answer(&bytes, ASKER, &view, |piece| {
        pieces.push(piece);
        false
    });
    assert!(!all);
    let all = pieces.concat();
    let ends = Requests(&all).filter(|message| message.header.kind == libc::NLMSG_DONE as u16).count();
    assert_eq!((ends, Requests(&all).count()), (1, 60));
}

#[test]
fn who_does_not_read_is_not_answered_for_ever() {
    let bytes = request(libc::RTM_GETADDR, DUMP, &[0; 8], &[]).repeat(2000);
    let mut told = 0;
    answer(&bytes, ASKER, &view(), |_| {
        told += 1;
        told < 10
    });
    assert_eq!(told, 10);
}

proptest! {
    /// Whatever a request has behind its header, it gets answers that are whole, or none.
    #[test]
    fn any_request_is_answered_in_whole_messages(
        kind in 0u16..130,
        flags in any::<u16>(),
        payload in proptest::collection::vec(any::<u8>(), 0..120),
        strict in any::<bool>(),
        routing in any::<bool>(),
    ) {
        let protocol = if routing { Protocol::Routing } else { Protocol::Diagnosis };
        let bytes = Header { kind, flags, sequence: 1, port: 0 }.frame(&payload);
        for piece in ask_as(Asker { is_strict: strict, protocol, ..ASKER }, &bytes) {
            let used: usize = Requests(&piece).map(|message| message.whole.len().next_multiple_of(4)).sum();
            prop_assert_eq!(used, piece.len().next_multiple_of(4));
        }
    }
}
