//! Arbitrary frames: nothing panics, nothing grows, and the link still works afterwards.

use proptest::prelude::*;

use super::*;

/// A frame whose first bytes are plausible, so that what follows is read at all.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let head = prop_oneof![
        Just(b"\x02\0\0\0\0\x01\x02\0\0\0\0\x07\x08\x06\0\x01\x08\0\x06\x04\0".to_vec()),
        Just(b"\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x07\x08\x06\0\x01\x08\0\x06\x04\0".to_vec()),
        Just(b"\x02\0\0\0\0\x01\x02\0\0\0\0\x07\x86\xdd\x60".to_vec()),
        Just(Vec::new()),
    ];
    (head, prop::collection::vec(any::<u8>(), 0..90)).prop_map(|(head, tail)| [head, tail].concat())
}

/// Neighbour discovery with any flags and addresses of the neighbourhood.
fn message() -> impl Strategy<Value = (u16, Ndp)> {
    let link = prop_oneof![Just(None), any::<[u8; 6]>().prop_map(|bytes| Some(MacAddr(bytes)))];
    let near = 0u16..6;
    prop_oneof![
        (near.clone(), near.clone(), link.clone()).prop_map(|(source, target, source_link)| {
            let target = core::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, target);
            (source, Ndp::NeighborSolicitation { target, source_link })
        }),
        (near.clone(), near, link, any::<[bool; 3]>()).prop_map(|(source, target, target_link, flags)| {
            let target = core::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, target);
            let [router, solicited, override_] = flags;
            (source, Ndp::NeighborAdvertisement { router, solicited, override_, target, target_link })
        }),
    ]
}

proptest! {
    #[test]
    fn frames_of_any_bytes(frames in prop::collection::vec(frame(), 1..40)) {
        let mut ours = link(1);
        let mut now = START;
        for frame in &frames {
            now += Duration::from_millis(300);
            let _ = hear(&mut ours, now, frame);
            ours.handle_timeout(now);
            prop_assert!(ours.neighbors().count() <= frames.len());
        }
        while ours.poll_transmit(now).is_some() {}
        let mut peer = link(200);
        send(&mut ours, now, "10.0.0.200", "still here");
        let packets = carry(&mut [&mut ours, &mut peer], now);
        prop_assert!(packets.iter().any(|packet| packet.ends_with(b"still here")));
    }

    #[test]
    fn discovery_of_any_content(messages in prop::collection::vec(message(), 1..40)) {
        let mut ours = link(1);
        let mut now = START;
        for (source, message) in messages {
            now += Duration::from_millis(700);
            let source = core::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, source);
            let _ = ours.on_ndp(now, source, core::net::Ipv6Addr::LOCALHOST, &message);
            send(&mut ours, now, "fd00::4", "x");
            ours.handle_timeout(now);
            for neighbor in ours.neighbors() {
                prop_assert_eq!(neighbor.mac.is_none(), neighbor.state == NeighborState::Incomplete);
                prop_assert!(neighbor.mac.is_none_or(|mac| mac.is_unicast()));
                prop_assert!(neighbor.mac.is_none() || neighbor.parked == 0);
            }
        }
    }
}
