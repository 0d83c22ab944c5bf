//! Files of our own, files made by hand in both byte orders, and files that are none.

use super::*;
use crate::{CapturedFrame, Flush, PcapngWriter};
use std::io::IoSlice;

fn ours() -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = PcapngWriter::new(&mut file, Flush::EveryPacket).unwrap();
    let cable = writer.interface("cable", Medium::Ethernet, None).unwrap();
    let short = writer.interface("tunnel", Medium::Ip, Some(10)).unwrap();
    for (interface, length, comment) in [(cable, 61, Some("lost on the cable: cable cut")), (short, 40, None)]
    {
        let frame = vec![length; usize::from(length)];
        let written = CapturedFrame {
            interface,
            timestamp: Duration::new(1_700_000_000, 123_456_789),
            direction: Some(Direction::Outbound),
            parts: &[IoSlice::new(&frame)],
            checksum: None,
            comment,
        };
        writer.frame(&written).unwrap();
    }
    drop(writer);
    file
}

#[test]
fn what_we_write_is_read() {
    let file = ours();
    let mut reader = CaptureReader::new(&file).unwrap();
    let packets: Vec<_> = reader.by_ref().map(Result::unwrap).collect();
    assert!(reader.application().unwrap().starts_with("Sockeye"));
    let names: Vec<_> = reader.interfaces().iter().map(|it| (it.name.as_deref(), it.link_type)).collect();
    assert_eq!(names, [(Some("cable"), 1), (Some("tunnel"), 101)]);
    let [first, second] = &packets[..] else { panic!("{packets:?}") };
    assert_eq!((first.interface, first.bytes.len(), first.original_length), (0, 61, 61));
    assert_eq!(first.timestamp, Duration::new(1_700_000_000, 123_456_789));
    assert_eq!(first.direction, Some(Direction::Outbound));
    assert_eq!(first.comment.as_deref(), Some("lost on the cable: cable cut"));
    assert_eq!((second.interface, second.bytes.len(), second.original_length), (1, 10, 40));
    assert_eq!(second.comment, None);
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut block = kind.to_be_bytes().to_vec();
    let length = (body.len() as u32 + 12).to_be_bytes();
    block.extend(length);
    block.extend(body);
    block.extend(length);
    block
}

#[test]
fn the_other_byte_order_coarse_times_and_simple_packets() {
    let section = [&0x1a2b_3c4d_u32.to_be_bytes()[..], &[0, 1, 0, 0], &[0xff; 8]].concat();
    // Units of 2^-10 seconds, and an offset of 100 seconds.
    let options =
        [&[0, 9, 0, 1, 0x8a, 0, 0, 0][..], &[0, 14, 0, 8, 0, 0, 0, 0, 0, 0, 0, 100], &[0; 4]].concat();
    let interface = [&[0, 101, 0, 0, 0, 0, 0, 0][..], &options].concat();
    let packet =
        [&[0; 4][..], &[0; 4], &1536_u32.to_be_bytes(), &3_u32.to_be_bytes(), &9_u32.to_be_bytes(), b"abc\0"]
            .concat();
    let simple = [&5_u32.to_be_bytes()[..], b"defgh\0\0\0"].concat();
    let unknown = block(0x0bad, b"nothing!");
    let file = [
        block(SECTION_HEADER, &section),
        block(INTERFACE_DESCRIPTION, &interface),
        unknown,
        block(ENHANCED_PACKET, &packet),
        block(SIMPLE_PACKET, &simple),
    ]
    .concat();
    let packets: Vec<_> = CaptureReader::new(&file).unwrap().map(Result::unwrap).collect();
    assert_eq!((packets[0].bytes, packets[0].original_length), (&b"abc"[..], 9));
    assert_eq!(packets[0].timestamp, Duration::from_millis(101_500));
    assert_eq!((packets[1].bytes, packets[1].timestamp), (&b"defgh"[..], packets[0].timestamp));
    // A second section counts its interfaces from 0 again.
    let twice = [&file[..], &file[..]].concat();
    let places: Vec<_> =
        CaptureReader::new(&twice).unwrap().map(|packet| packet.unwrap().interface).collect();
    assert_eq!(places, [0, 0, 1, 1]);
    let none = [block(SECTION_HEADER, &section), block(ENHANCED_PACKET, &packet)].concat();
    assert_eq!(
        CaptureReader::new(&none).unwrap().next(),
        Some(Err(CaptureError::UnknownInterface { at: 28 }))
    );
}

#[test]
fn classic_files_of_four_sorts() {
    for (magic, fraction, nanoseconds) in [(PCAP_MICROSECONDS, 5, 5000), (PCAP_NANOSECONDS, 5, 5)] {
        for order in [Order::Little, Order::Big] {
            let long = |value: u32| match order {
                Order::Little => value.to_le_bytes(),
                Order::Big => value.to_be_bytes(),
            };
            let words = [magic, 0x0002_0004, 0, 0, 65535, 1, 7, fraction, 3, 60];
            let mut file: Vec<u8> = words.into_iter().flat_map(long).collect();
            file.extend(b"abc");
            let mut reader = CaptureReader::new(&file).unwrap();
            let packet = reader.next().unwrap().unwrap();
            assert_eq!(packet.timestamp, Duration::new(7, nanoseconds));
            assert_eq!((packet.bytes, packet.original_length), (&b"abc"[..], 60));
            assert_eq!(reader.interfaces()[0].link_type, 1);
            assert_eq!(reader.next(), None);
        }
    }
}

#[test]
fn what_is_cut_off_is_read_up_to_there() {
    let file = ours();
    assert_eq!(CaptureReader::new(b"GET / HTTP/1.1").unwrap_err(), CaptureError::NoCapture);
    assert_eq!(CaptureReader::new(b"").unwrap_err(), CaptureError::NoCapture);
    for length in 4..file.len() {
        let packets: Vec<_> = CaptureReader::new(&file[..length]).unwrap().collect();
        assert!(packets.len() <= 2);
        let (last, before) = match packets.split_last() {
            Some(split) => split,
            None => continue,
        };
        assert!(before.iter().all(Result::is_ok));
        assert!(last.is_ok() || matches!(last, Err(CaptureError::Broken { .. })));
    }
}

#[test]
fn any_bytes_end() {
    let file = ours();
    let mut state = 7_u64;
    for _ in 0..5000 {
        let mut damaged = file.clone();
        for _ in 0..4 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let place = (state >> 33) as usize % damaged.len();
            damaged[place] = (state >> 20) as u8;
        }
        if let Ok(reader) = CaptureReader::new(&damaged) {
            assert!(reader.count() < 100);
        }
    }
}

#[test]
fn what_captures_put_before_packets_is_taken_off() {
    let content = |link, bytes| captured_content(link, bytes);
    assert_eq!(content(1, b"frame"), Some((Medium::Ethernet, &b"frame"[..])));
    assert_eq!(content(0, b"\x02\0\0\0E"), Some((Medium::Ip, &b"E"[..])));
    let any = [&[0; 14][..], &[8, 0], b"E"].concat();
    assert_eq!(content(113, &any), Some((Medium::Ip, &b"E"[..])));
    assert_eq!(content(113, &[0; 3]), None);
    assert_eq!(content(105, b"wireless"), None);
}
