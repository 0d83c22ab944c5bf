//! Frames that are whole, and bytes that are anything.

use serde_json::json;
use sockeye_core::wire::LinkType;

use super::super::tests::{lessons, played};
use super::{Layer, peel};

fn lines(layers: &[Layer]) -> String {
    let mut lines = Vec::new();
    for layer in layers {
        lines.push(format!("{} {}..{}", layer.name, layer.from, layer.to));
        for field in &layer.fields {
            let note = field.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            lines.push(format!("  {}..{} {}: {}{note}", field.from, field.to, field.name, field.value));
        }
    }
    lines.join("\n")
}

fn frames() -> Vec<Vec<u8>> {
    let lessons = ["arp", "handshake", "sticky"];
    lessons.into_iter().flat_map(|name| super::super::tests::frames(&played(name, 1, json!({})))).collect()
}

#[test]
fn a_syn_and_data_and_arp() {
    let frames = frames();
    let told = |is_it: fn(&str) -> bool| {
        frames.iter().map(|frame| lines(&peel(frame, LinkType::Ethernet))).find(|text| is_it(text)).unwrap()
    };
    insta::assert_snapshot!("arp", told(|text| text.contains("ARP")));
    insta::assert_snapshot!("syn", told(|text| text.contains("window scale")));
    insta::assert_snapshot!("datagram", told(|text| text.contains("UDP")));
    insta::assert_snapshot!("data", told(|text| text.contains("TCP") && text.contains("Payload")));
}

#[test]
fn a_damaged_segment_is_called_wrong() {
    let mut frame = frames().into_iter().find(|frame| frame.ends_with(b"hello")).unwrap();
    let last = frame.len() - 1;
    frame[last] ^= 1;
    assert!(lines(&peel(&frame, LinkType::Ethernet)).contains("wrong: the frame was damaged"));
    frame.truncate(40);
    assert!(lines(&peel(&frame, LinkType::Ethernet)).contains("malformed"));
}

#[test]
fn others() {
    let ethernet = |kind: [u8; 2]| [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &kind].concat();
    let solicitation = [
        &ethernet([0x86, 0xdd])[..],
        &[0x60, 0, 0, 0, 0, 40, 0, 255],
        &[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 2],
        &[58, 0, 5, 2, 0, 0, 1, 0],
        &[135, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
        &[1, 1, 2, 0, 0, 0, 0, 1],
    ]
    .concat();
    insta::assert_snapshot!("neighbor_solicitation", lines(&peel(&solicitation, LinkType::Ethernet)));
    let fragment = [
        &[0x45, 0, 0, 28, 0, 7, 0x20, 2, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2][..],
        b"fragment",
        b"padding",
    ]
    .concat();
    insta::assert_snapshot!("fragment", lines(&peel(&fragment, LinkType::Ip)));
}

/// Every frame of every lesson: nothing malformed, and no byte outside of the layers.
#[test]
fn what_our_stack_sends_is_understood() {
    for lesson in lessons() {
        for frame in super::super::tests::frames(&played(&lesson, 1, json!({}))) {
            let layers = peel(&frame, LinkType::Ethernet);
            assert_eq!(layers.last().map(|layer| layer.to), Some(frame.len()), "{}", lines(&layers));
            assert!(!lines(&layers).contains("malformed"), "{lesson}: {}", lines(&layers));
        }
    }
}

/// A few million bytes that chance has chosen, most of them behind a beginning that leads far in.
#[test]
fn any_bytes_are_peeled() {
    let mut state = 7_u64;
    let mut chance = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let frames = frames();
    for round in 0..20_000 {
        let mut bytes = match round % 3 {
            0 => (0..chance() % 120).map(|_| chance() as u8).collect(),
            _ => frames[chance() as usize % frames.len()].clone(),
        };
        for _ in 0..chance() % 8 {
            let place = chance() as usize % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(place) {
                *byte = chance() as u8;
            }
        }
        bytes.truncate(chance() as usize % 200);
        for link in [LinkType::Ethernet, LinkType::Ip] {
            let layers = peel(&bytes, link);
            let mut end = 0;
            for layer in &layers {
                assert!(layer.from == end && layer.from <= layer.to && layer.to <= bytes.len(), "{layer:?}");
                end = layer.to;
                for field in &layer.fields {
                    assert!(field.from <= field.to && field.to <= bytes.len(), "{field:?} of {bytes:02x?}");
                }
            }
        }
    }
}
