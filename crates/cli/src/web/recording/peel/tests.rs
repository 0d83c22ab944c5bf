//! Frames that are whole, and bytes that are anything.

use std::collections::BTreeSet;

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

fn whole(frame: &[u8]) -> Vec<Layer> {
    peel(frame, LinkType::Ethernet, frame.len())
}

fn frames() -> Vec<Vec<u8>> {
    let lessons = ["arp", "handshake", "sticky"];
    lessons.into_iter().flat_map(|name| super::super::tests::frames(&played(name, 1, json!({})))).collect()
}

#[test]
fn a_syn_and_data_and_arp() {
    let frames = frames();
    let told = |is_it: fn(&str) -> bool| {
        frames.iter().map(|frame| lines(&whole(frame))).find(|text| is_it(text)).unwrap()
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
    assert!(lines(&whole(&frame)).contains("wrong: the frame was damaged"));
    frame.truncate(40);
    assert!(lines(&whole(&frame)).contains("malformed"));
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
    insta::assert_snapshot!("neighbor_solicitation", lines(&whole(&solicitation)));
    let fragment = [
        &[0x45, 0, 0, 28, 0, 7, 0x20, 2, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2][..],
        b"fragment",
        b"padding",
    ]
    .concat();
    insta::assert_snapshot!("fragment", lines(&peel(&fragment, LinkType::Ip, fragment.len())));
}

/// Every frame of every lesson: nothing malformed, and each byte in one layer, and in a field of it.
#[test]
fn what_our_stack_sends_is_understood() {
    for lesson in lessons() {
        for frame in super::super::tests::frames(&played(&lesson, 1, json!({}))) {
            let layers = whole(&frame);
            let told = lines(&layers);
            assert!(!told.contains("malformed") && !told.contains("cut off"), "{lesson}: {told}");
            let mut end = 0;
            for layer in &layers {
                assert_eq!(layer.from, end, "{lesson}: {told}");
                end = layer.to;
                for byte in layer.from..layer.to {
                    let is_told = |field: &super::Field| (field.from..field.to).contains(&byte);
                    assert!(layer.fields.iter().any(is_told), "{lesson}: byte {byte} of {told}");
                }
                let is_inside = |field: &super::Field| field.from >= layer.from && field.to <= layer.to;
                assert!(layer.fields.iter().all(is_inside), "{lesson}: {told}");
            }
            assert_eq!(end, frame.len(), "{lesson}: {told}");
        }
    }
}

/// Captures often keep no more than the headers of frames, or less: what is not there is not called wrong.
#[test]
fn a_frame_that_was_not_kept_whole_is_shown_as_far_as_it_goes() {
    for frame in frames() {
        let all = whole(&frame);
        for kept in 1..frame.len() {
            let layers = peel(&frame[..kept], LinkType::Ethernet, frame.len());
            let told = lines(&layers);
            assert!(!told.contains("malformed") && !told.contains("wrong"), "{kept} bytes of {told}");
            assert_eq!(layers.last().map(|layer| layer.to), Some(kept), "{told}");
            for (layer, whole) in layers.iter().zip(&all) {
                assert_eq!(layer.name, whole.name, "{kept} bytes of {told}");
            }
        }
    }
    let data = frames().into_iter().find(|frame| frame.ends_with(b"hello")).unwrap();
    let told = lines(&peel(&data[..data.len() - 3], LinkType::Ethernet, data.len()));
    assert!(told.contains("UDP 34..42") && told.contains("not all of the packet is here"), "{told}");
}

/// The sum of a datagram in fragments is that of all of them.
#[test]
fn the_first_fragment_of_a_datagram_is_not_called_wrong() {
    let datagram = [&[0x13, 0x88, 0x1e, 0x6c, 0x0b, 0xb8, 0x12, 0x34][..], &[7; 16]].concat();
    let header = [0x45, 0, 0, 44, 0, 7, 0x20, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    let fragment = [&header[..], &datagram].concat();
    let told = lines(&peel(&fragment, LinkType::Ip, fragment.len()));
    assert!(told.contains("source port: 5000") && told.contains("Payload 28..44"), "{told}");
    assert!(!told.contains("malformed") && told.contains("not to be checked"), "{told}");
}

/// Frames of all sorts, of which every byte is given every value: all layers, fields and notes that there are.
#[test]
fn all_that_is_said_has_chinese_words() {
    let dictionary = include_str!("../../page/words/zh/peel.js");
    let key = |line: &'static str| Some(line.trim().strip_prefix('"')?.split_once("\": ")?.0);
    let keys: BTreeSet<&str> = dictionary.lines().filter_map(key).collect();
    let has = |key: &str| keys.contains(key);
    // As the page looks texts up: whole, or with numbers as facts.
    let pattern = |text: &str| {
        let (mut pattern, mut count) = (String::new(), 0);
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter.is_ascii_digit() {
                while letters.next_if(char::is_ascii_digit).is_some() {}
                count += 1;
                pattern.push_str(&format!("{{{count}}}"));
            } else {
                pattern.push(letter);
            }
        }
        pattern
    };
    let is_words = |text: &str| {
        let text = text.replace("0x", "");
        let mut words = text.split(|letter: char| !letter.is_ascii_lowercase());
        words.any(|word| word.len() > 2 && !word.chars().all(|letter| letter.is_ascii_hexdigit()))
    };
    let mut missing = BTreeSet::new();
    let mut look = |layers: Vec<Layer>| {
        for layer in layers {
            missing.extend(Some(format!("layer.{}", layer.name)).filter(|key| !has(key)));
            for field in layer.fields {
                let name = Some(format!("field.{}", field.name)).filter(|_| is_words(&field.name));
                missing.extend(name.filter(|key| !has(key)));
                let note = field.note.filter(|_| field.name != "data");
                for text in [Some(field.value), note].into_iter().flatten().filter(|text| is_words(text)) {
                    let keys = [format!("noted.{text}"), format!("noted.{}", pattern(&text))];
                    if !keys.iter().any(|key| has(key)) {
                        missing.extend(keys.into_iter().last());
                    }
                }
            }
        }
    };
    for mut frame in sorts() {
        look(peel(&frame[..frame.len() - 1], LinkType::Ethernet, frame.len()));
        for place in 0..frame.len() {
            let before = frame[place];
            for value in 0..=255 {
                frame[place] = value;
                look(whole(&frame));
            }
            frame[place] = before;
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// A frame of each sort that is told of in its own way.
fn sorts() -> Vec<Vec<u8>> {
    let ethernet = |kind: [u8; 2]| [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &kind].concat();
    let ipv4 = |protocol: u8, options: &[u8], payload: &[u8]| {
        let words = 5 + options.len() / 4;
        let length = (words * 4 + payload.len()) as u8;
        let fixed = [0x40 | words as u8, 0, 0, length, 0, 7, 0x40, 0, 64, protocol, 0, 0];
        [&fixed[..], &[10, 0, 0, 1, 10, 0, 0, 2], options, payload].concat()
    };
    let ipv6 = |next: u8, payload: &[u8]| {
        let address = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        [&[0x60, 0, 0, 0, 0, payload.len() as u8, next, 255][..], &address, &address, payload].concat()
    };
    let quoted = ipv4(17, &[], &[0, 7, 0, 9, 0, 16, 0, 0]);
    let icmp = |kind: u8| [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &quoted].concat();
    let options = [2, 4, 5, 180, 1, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 5, 10];
    let tcp =
        [&[0, 7, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0xd0, 0x18, 4, 0, 0, 0, 0, 0][..], &options, &[0; 10], b"hi"];
    let udp = [0, 7, 0, 9, 0, 10, 0, 0, b'h', b'i'];
    let announced =
        [&[134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0][..], &[1, 1, 2, 0, 0, 0, 0, 1]].concat();
    let prefix = [&[3, 4, 64, 0xc0][..], &[0; 28]].concat();
    let others =
        [&[5, 1, 0, 0, 0, 0, 5, 220, 14, 1, 1, 2, 3, 4, 5, 6, 25, 3, 0, 0, 0, 0, 0, 9][..], &[0; 16]]
            .concat();
    let neighbor = [&[136, 0, 0, 0, 0xe0, 0, 0, 0][..], &[0xfe; 16], &[2, 1, 2, 0, 0, 0, 0, 1]].concat();
    let redirect = [&[137, 0, 0, 0, 0, 0, 0, 0][..], &[0xfe; 32]].concat();
    let extended = [&[6, 0, 1, 4, 0, 0, 0, 0][..], &tcp.concat()].concat();
    let four: Vec<Vec<u8>> = vec![
        ipv4(6, &[], &tcp.concat()),
        ipv4(17, &[148, 4, 0, 0, 1, 1, 1, 0], &udp),
        ipv4(1, &[], &icmp(3)),
        ipv4(1, &[], &icmp(11)),
        ipv4(1, &[], &icmp(8)),
    ];
    let six: Vec<Vec<u8>> = vec![
        ipv6(0, &extended),
        ipv6(44, &[&[17, 0, 0, 0, 0, 0, 0, 7][..], &udp].concat()),
        ipv6(58, &icmp(1)),
        ipv6(58, &[&announced[..], &prefix, &others].concat()),
        ipv6(58, &neighbor),
        ipv6(58, &redirect),
    ];
    let four = four.iter().map(|packet| [&ethernet([8, 0])[..], packet].concat());
    let six = six.iter().map(|packet| [&ethernet([0x86, 0xdd])[..], packet].concat());
    let tagged = [&ethernet([0x81, 0])[..], &[0x20, 7, 8, 0], &quoted, &[0; 4]].concat();
    let mut sorts = frames();
    sorts.truncate(2);
    sorts.extend(four.chain(six).chain([tagged]));
    sorts
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
            let length = bytes.len() + chance() as usize % 3 * 700;
            let layers = peel(&bytes, link, length);
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
