//! Fragments in any order, doubled, overlapping, and in floods.

use core::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::wire::headers::Headers;
use crate::wire::ip::Protocol;
use crate::wire::ipv6::Ipv6Fragment;

const NOW: Instant = Instant::from_secs(1);

fn table() -> Reassembly {
    Reassembly::new(SecretState::new(1, 2), 4 << 20, 1 << 20)
}

/// A fragment's own bytes.
#[derive(Clone, Debug)]
struct Owned {
    source: IpAddr,
    offset: usize,
    more: bool,
    ecn: u8,
    head: Vec<u8>,
    payload: Vec<u8>,
}

impl Owned {
    fn lend(&self) -> Fragment<'_> {
        Fragment {
            source: self.source,
            destination: if self.source.is_ipv4() {
                IpAddr::from([10, 0, 0, 2])
            } else {
                IpAddr::V6(Ipv6Addr::LOCALHOST)
            },
            identification: 7,
            protocol: 17,
            offset: self.offset,
            more: self.more,
            ecn: self.ecn,
            head: &self.head,
            payload: &self.payload,
            interface: InterfaceId(1),
            cast: Cast::Unicast,
        }
    }
}

/// A piece of `data`, with the headers it would have.
fn piece(source: IpAddr, data: &[u8], range: core::ops::Range<usize>) -> Owned {
    let (offset, more) = (range.start, range.end < data.len());
    let mut headers = Headers::new();
    match source {
        IpAddr::V4(source) => Ipv4Header {
            fragment_offset: offset as u16,
            more_fragments: more,
            payload_length: range.len(),
            ..Ipv4Header::new(source, Ipv4Addr::new(10, 0, 0, 2), Protocol::Udp)
        }
        .prepend(&mut headers),
        IpAddr::V6(source) => Ipv6Header {
            fragment: Some(Ipv6Fragment { offset: offset as u16, more, identification: 7 }),
            payload_length: range.len(),
            ..Ipv6Header::new(source, Ipv6Addr::LOCALHOST, Protocol::Udp)
        }
        .prepend(&mut headers),
    }
    let payload = data.get(range).unwrap().to_vec();
    Owned { source, offset, more, ecn: 0, head: headers.as_slice().to_vec(), payload }
}

fn v4() -> IpAddr {
    IpAddr::from([10, 0, 0, 1])
}

fn v6() -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1))
}

fn pieces(source: IpAddr, data: &[u8], size: usize) -> Vec<Owned> {
    (0..data.len())
        .step_by(size)
        .map(|start| piece(source, data, start..(start + size).min(data.len())))
        .collect()
}

fn check_whole(source: IpAddr, packet: &[u8], data: &[u8]) {
    if source.is_ipv4() {
        let (header, payload) = Ipv4Header::parse(packet).unwrap();
        assert!(!header.is_fragment());
        assert_eq!((header.protocol, payload), (Protocol::Udp, data));
    } else {
        let (header, payload) = Ipv6Header::parse(packet).unwrap();
        assert_eq!((header.fragment, header.protocol, payload), (None, Protocol::Udp, data));
    }
}

proptest! {
    #[test]
    fn any_order_and_any_duplicates_make_the_packet_once(
        length in 9usize..6000,
        units in 1usize..120,
        family in any::<bool>(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
    ) {
        let source = if family { v4() } else { v6() };
        let data: Vec<u8> = (0..length).map(|byte| byte as u8 ^ (byte >> 8) as u8).collect();
        let all = pieces(source, &data, units * 8);
        prop_assume!(all.len() > 1 && all.len() < 700);
        let mut table = table();
        let mut seen = vec![false; all.len()];
        let mut whole = 0;
        // First any at random, then those still missing, from behind.
        let random = order.iter().map(|index| index.index(all.len()));
        for index in random.chain((0..all.len()).rev()) {
            if whole == 1 {
                break;
            }
            seen[index] = true;
            match table.on_fragment(NOW, &all[index].lend()) {
                Outcome::Kept => prop_assert!(!seen.iter().all(|seen| *seen)),
                Outcome::Whole(packet) => {
                    prop_assert!(seen.iter().all(|seen| *seen));
                    check_whole(source, &packet, &data);
                    whole += 1;
                }
                Outcome::Dropped(reason) => prop_assert!(false, "{}", reason),
            }
        }
        prop_assert_eq!(whole, 1);
        prop_assert_eq!((table.bytes(), table.next_due()), (0, None));
    }

    #[test]
    fn whatever_overlaps_is_never_joined(
        start in 0usize..60,
        length in 1usize..60,
        family in any::<bool>(),
        late in any::<bool>(),
    ) {
        // Bytes that contradict those of the honest fragments, anywhere over them.
        let source = if family { v4() } else { v6() };
        let data = vec![1; 512];
        let honest = pieces(source, &data, 64);
        let end = ((start + length) * 8).min(504);
        prop_assume!(start * 8 < end);
        let forged = piece(source, &[2; 512], start * 8..end);
        let mut table = table();
        let (before, after) = honest.split_at(if late { 7 } else { 1 });
        let mut outcomes: Vec<_> = before.iter().map(|piece| table.on_fragment(NOW, &piece.lend())).collect();
        outcomes.push(table.on_fragment(NOW, &forged.lend()));
        outcomes.extend(after.iter().map(|piece| table.on_fragment(NOW, &piece.lend())));
        for outcome in outcomes {
            if let Outcome::Whole(packet) = outcome {
                // Only a forgery that came first and overlapped nothing at all could be part of it; none does here.
                prop_assert!(false, "joined {} bytes", packet.len());
            }
        }
        // Refused as a whole, and what comes later too.
        prop_assert!(matches!(
            table.on_fragment(NOW, &honest[0].lend()),
            Outcome::Dropped(DropReason::FragmentOverlap)
        ));
    }

    #[test]
    fn a_flood_of_half_packets_takes_bounded_memory(
        fragments in prop::collection::vec((0u32..4000, 0usize..100, 8usize..1480, any::<bool>(), 0u8..40), 1..3000),
    ) {
        let mut table = Reassembly::new(SecretState::new(1, 2), 256 << 10, 64 << 10);
        for (identification, unit, length, more, host) in fragments {
            let length = if more { length & !7 } else { length };
            let owned = Owned {
                source: IpAddr::from([10, 0, 0, host]),
                offset: unit * 8,
                more,
                ecn: 0,
                head: vec![0x45; 20],
                payload: vec![0; length],
            };
            table.on_fragment(NOW, &Fragment { identification, ..owned.lend() });
            prop_assert!(table.bytes() <= 256 << 10);
            prop_assert!(table.sources.values().all(|source| source.cost <= 64 << 10));
            let sum: usize = table.assemblies.values().map(|assembly| assembly.cost).sum();
            prop_assert_eq!(sum, table.bytes());
            prop_assert_eq!(table.expiry.len(), table.assemblies.len());
        }
        while table.pop_expired(NOW + PATIENCE_V4).is_some() {}
        prop_assert_eq!((table.bytes(), table.assemblies.len(), table.sources.len()), (0, 0, 0));
    }
}

#[test]
fn an_exact_duplicate_is_ignored_but_not_one_with_other_bytes() {
    for source in [v4(), v6()] {
        let data = [5; 32];
        let mut table = table();
        let first = piece(source, &data, 0..16);
        assert_eq!(table.on_fragment(NOW, &first.lend()), Outcome::Kept);
        assert_eq!(table.on_fragment(NOW, &first.lend()), Outcome::Kept);
        let forged = piece(source, &[6; 32], 0..16);
        assert_eq!(table.on_fragment(NOW, &forged.lend()), Outcome::Dropped(DropReason::FragmentOverlap));
        let last = piece(source, &data, 16..32);
        assert_eq!(table.on_fragment(NOW, &last.lend()), Outcome::Dropped(DropReason::FragmentOverlap));
        // The grave is remembered until its time is over, and no longer.
        assert!(table.pop_expired(NOW + PATIENCE_V6).unwrap().first.is_none());
        assert_eq!(table.on_fragment(NOW + PATIENCE_V6, &first.lend()), Outcome::Kept);
        assert!(matches!(table.on_fragment(NOW + PATIENCE_V6, &last.lend()), Outcome::Whole(_)));
    }
}

#[test]
fn two_ends_contradict_each_other() {
    let mut table = table();
    let long = piece(v4(), &[1; 64], 48..64);
    let short = piece(v4(), &[1; 40], 24..40);
    assert_eq!(table.on_fragment(NOW, &long.lend()), Outcome::Kept);
    assert_eq!(table.on_fragment(NOW, &short.lend()), Outcome::Dropped(DropReason::FragmentOverlap));
    // Nor does anything come behind the end.
    let mut table = self::table();
    table.on_fragment(NOW, &short.lend());
    let beyond = piece(v4(), &[1; 128], 64..80);
    assert_eq!(table.on_fragment(NOW, &beyond.lend()), Outcome::Dropped(DropReason::FragmentOverlap));
}

#[test]
fn impossible_fragments_are_malformed() {
    let whole = piece(v4(), &[0; 2000], 0..1000);
    let refused =
        |owned: &Owned| table().on_fragment(NOW, &owned.lend()) == Outcome::Dropped(DropReason::Malformed);
    assert!(!refused(&whole));
    assert!(refused(&Owned { payload: vec![0; 1001], ..whole.clone() }), "not a multiple of eight");
    assert!(refused(&Owned { payload: Vec::new(), ..whole.clone() }), "empty");
    assert!(
        refused(&Owned { offset: 65_512, more: false, payload: vec![0; 8], ..whole.clone() }),
        "too long"
    );
    assert!(!refused(&Owned { offset: 65_504, more: false, payload: vec![0; 8], ..whole.clone() }));
    // Tiny fragments: a TCP header in pieces.
    let tcp = |owned: &Owned| {
        table().on_fragment(NOW, &Fragment { protocol: 6, ..owned.lend() })
            == Outcome::Dropped(DropReason::Malformed)
    };
    assert!(tcp(&Owned { payload: vec![0; 16], ..whole.clone() }));
    assert!(!tcp(&Owned { payload: vec![0; 24], ..whole.clone() }));
    assert!(tcp(&Owned { offset: 8, payload: vec![0; 24], ..whole }));
}

#[test]
fn the_longest_packet_comes_through() {
    for (source, length) in [(v4(), 65_515), (v6(), 65_535)] {
        let data = vec![9; length];
        let mut table = table();
        let all = pieces(source, &data, 1480);
        let (last, others) = all.split_last().unwrap();
        for piece in others {
            assert_eq!(table.on_fragment(NOW, &piece.lend()), Outcome::Kept);
        }
        let Outcome::Whole(packet) = table.on_fragment(NOW, &last.lend()) else { panic!("not whole") };
        check_whole(source, &packet, &data);
    }
}

#[test]
fn the_first_fragment_comes_back_when_time_is_over() {
    for (source, patience) in [(v4(), PATIENCE_V4), (v6(), PATIENCE_V6)] {
        let mut table = table();
        let data = [3; 64];
        let first = piece(source, &data, 0..32);
        table.on_fragment(NOW, &first.lend());
        assert_eq!(table.next_due(), Some(NOW + patience));
        assert_eq!(table.pop_expired(NOW), None);
        let expired = table.pop_expired(NOW + patience).unwrap();
        assert_eq!(expired.first, Some([first.head, first.payload].concat()));
        // Without it nobody is told.
        table.on_fragment(NOW, &piece(source, &data, 32..64).lend());
        assert_eq!(table.pop_expired(NOW + patience).unwrap().first, None);
        assert_eq!((table.pop_expired(NOW + patience), table.bytes()), (None, 0));
    }
}

#[test]
fn congestion_seen_by_one_fragment_is_seen_by_the_packet() {
    for (first, second, expected) in
        [(2, 2, Some(2)), (2, 3, Some(3)), (3, 1, Some(3)), (0, 0, Some(0)), (0, 3, None)]
    {
        for source in [v4(), v6()] {
            let data = [1; 32];
            let mut table = table();
            let mut one = piece(source, &data, 0..16);
            let traffic_class = if source.is_ipv4() { 0 } else { 4 };
            one.head[1] |= first << traffic_class;
            table.on_fragment(NOW, &Owned { ecn: first, ..one }.lend());
            let two = Owned { ecn: second, ..piece(source, &data, 16..32) };
            let outcome = table.on_fragment(NOW, &two.lend());
            let ecn = match &outcome {
                Outcome::Whole(packet) if source.is_ipv4() => Some(Ipv4Header::parse(packet).unwrap().0.ecn),
                Outcome::Whole(packet) => Some(Ipv6Header::parse(packet).unwrap().0.ecn),
                _ => None,
            };
            assert_eq!(ecn, expected, "{first} {second} {outcome:?}");
        }
    }
}
