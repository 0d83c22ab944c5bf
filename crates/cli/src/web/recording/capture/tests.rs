//! Recordings as files and files as recordings.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IoSlice;

use serde_json::{Value, json};
use sockeye::sockeye_device::{
    CaptureReader, CapturedFrame, Direction, Flush, Medium, PcapngWriter, captured_content,
};

use super::open;
use crate::web::recording::Recording;
use crate::web::recording::peel::peel;
use crate::web::recording::tests::{all, frames, lessons, played};
use crate::web::world::{Entity, World};

/// What a file still knows of a frame.
fn kept(recording: &Recording) -> Vec<Value> {
    let rows = all(recording).into_iter().filter(|row| row["kind"] == "frame");
    let kept = rows.map(|row| {
        let told = [
            "protocol",
            "length",
            "connection",
            "direction",
            "flags",
            "seq",
            "ack",
            "data",
            "lost",
            "marks",
            "words",
        ];
        Value::Object(told.into_iter().map(|name| (name.to_owned(), row[name].clone())).collect())
    });
    kept.collect()
}

#[test]
fn every_lesson_comes_back_as_it_went() {
    let world = World::new();
    for name in lessons() {
        let lesson = played(&name, 1, json!({}));
        let file = lesson.pcapng(None).unwrap();
        let opened = open(&world, &name, &file).unwrap();
        let (before, after) = (kept(&lesson), kept(&opened));
        assert_eq!(before.len(), after.len(), "{name}");
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before, after, "{name}");
        }
        let count = |recording: &Recording| {
            let told = all(recording);
            told.iter().filter(|row| !row["first"].is_null()).count()
        };
        assert_eq!(count(&lesson), count(&opened), "what is sent again points back as before: {name}");
        let summary = opened.summary();
        assert_eq!((&summary["kind"], &summary["title"]), (&json!("file"), &json!(name)));
        world.recordings.remove(opened.name()).unwrap();
    }
}

#[test]
fn hosts_have_the_names_of_their_cables() {
    let lesson = played("handshake", 1, json!({}));
    let opened = open(&World::new(), "", &lesson.pcapng(None).unwrap()).unwrap();
    let names = |recording: &Recording| {
        let summary = recording.summary();
        let mut names: Vec<String> = summary["hosts"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|host| host["name"].as_str().unwrap_or_default().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&opened), names(&lesson));
}

#[test]
fn one_host_is_a_part_of_all() {
    let lesson = played("gateway", 1, json!({}));
    let opened = open(&World::new(), "", &lesson.pcapng(Some(0)).unwrap()).unwrap();
    let count = frames(&opened).len();
    assert!(count > 0 && count < frames(&lesson).len(), "{count}");
}

/// A classic file, of either byte order and resolution, with one Ethernet frame.
fn classic(is_big: bool, magic: u32, frame: &[u8]) -> Vec<u8> {
    let long = |value: u32| if is_big { value.to_be_bytes() } else { value.to_le_bytes() };
    let word = |value: u16| if is_big { value.to_be_bytes() } else { value.to_le_bytes() };
    let length = long(frame.len() as u32);
    let head = [
        long(magic),
        [word(2), word(4)].concat().try_into().unwrap(),
        long(0),
        long(0),
        long(65_535),
        long(1),
    ];
    [head.concat(), [long(1_700_000_000), long(5), length, length].concat(), frame.to_vec()].concat()
}

#[test]
fn classic_files_of_other_machines_are_read() {
    let frame = frames(&played("arp", 1, json!({}))).remove(0);
    for (is_big, magic) in
        [(false, 0xa1b2_c3d4), (true, 0xa1b2_c3d4), (false, 0xa1b2_3c4d), (true, 0xa1b2_3c4d)]
    {
        let opened = open(&World::new(), "", &classic(is_big, magic, &frame)).unwrap();
        assert_eq!(frames(&opened), std::slice::from_ref(&frame), "{is_big} {magic:x}");
    }
}

#[test]
fn damaged_files_show_what_came_before() {
    let file = played("handshake", 1, json!({})).pcapng(None).unwrap();
    let whole = frames(&open(&World::new(), "", &file).unwrap());
    let (mut opened, mut refused) = (0, 0);
    for end in 0..file.len() {
        match open(&World::new(), "", &file[..end]) {
            Ok(recording) => {
                let some = frames(&recording);
                assert!(whole.starts_with(&some), "cut off at {end}");
                opened += 1;
            }
            Err(trouble) => {
                assert_eq!(trouble.code, "bad-capture", "cut off at {end}");
                assert!(!trouble.next.is_empty());
                refused += 1;
            }
        }
    }
    assert!(opened > 0 && refused > 0, "{opened} {refused}");
    let cut = open(&World::new(), "", &file[..file.len() - 1]).unwrap();
    assert!(all(&cut).iter().any(|row| row["note"] == "damaged"), "and say so");
    let trouble = open(&World::new(), "", b"<html>this is no capture at all</html>").unwrap_err();
    assert!(trouble.next.contains("pcapng"), "{trouble:?}");
}

/// The states that each end of each connection went through, by the end's address.
fn lives(recording: &Recording) -> BTreeMap<(u64, String), Vec<String>> {
    let mut lives: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for row in all(recording).iter().filter(|row| row["kind"] == "state") {
        let end = (row["connection"].as_u64().unwrap(), row["address"].as_str().unwrap().to_owned());
        let life = lives.entry(end).or_default();
        if life.last().is_some_and(|last| last == "TIME-WAIT") {
            // No segment tells of the end of this wait.
            continue;
        }
        life.push(row["state"].as_str().unwrap().to_owned());
    }
    lives
}

#[test]
fn states_are_those_that_the_segments_show() {
    // Cookies take the place of states there, which no segment shows.
    for name in lessons().into_iter().filter(|name| name != "syn-flood") {
        let lesson = played(&name, 1, json!({}));
        let opened = open(&World::new(), "", &lesson.pcapng(None).unwrap()).unwrap();
        assert_eq!(lives(&lesson), lives(&opened), "{name}");
    }
}

/// A capture may begin in the middle of a connection, and ports may be used again.
#[test]
fn a_capture_need_not_have_the_beginning() {
    let whole = frames(&played("close", 1, json!({})));
    let tcp: Vec<&Vec<u8>> = whole.iter().filter(|frame| frame[12..14] == [8, 0]).collect();
    let written = |frames: &[&Vec<u8>]| {
        let mut file = Vec::new();
        let mut writer = PcapngWriter::new(&mut file, Flush::WhenFull).unwrap();
        let interface = writer.interface("any", Medium::Ethernet, None).unwrap();
        for (second, bytes) in (7..).zip(frames) {
            let (timestamp, parts) = (std::time::Duration::from_secs(second), [IoSlice::new(bytes)]);
            let (direction, checksum, comment) = (None, None, None);
            let frame = CapturedFrame { interface, timestamp, direction, parts: &parts, checksum, comment };
            writer.frame(&frame).unwrap();
        }
        drop(writer);
        open(&World::new(), "", &file).unwrap()
    };
    let late = lives(&written(&tcp[3..]));
    assert_eq!(late.len(), 2, "{late:?}");
    assert!(late.values().all(|life| life[0] == "ESTABLISHED"), "{late:?}");
    // The same ports once more, with other sequence numbers.
    let mut again = frames(&played("close", 2, json!({})));
    again.retain(|frame| frame[12..14] == [8, 0]);
    for (frame, first) in again.iter_mut().zip(&tcp) {
        frame[34..38].copy_from_slice(&first[34..38]);
    }
    let twice = lives(&written(&[tcp.clone(), again.iter().collect()].concat()));
    let ends: Vec<&String> = twice.values().filter_map(|life| life.last()).collect();
    let addresses: BTreeSet<&String> = twice.keys().map(|(_, address)| address).collect();
    assert_eq!((twice.len(), addresses.len()), (4, 2), "{twice:?}");
    assert!(ends.iter().all(|end| ["CLOSED", "TIME-WAIT"].contains(&end.as_str())), "{twice:?}");
}

/// The same file with no more than the beginning of each frame, as `tcpdump -s` keeps it.
fn shortened(file: &[u8], most: u32) -> Vec<u8> {
    let mut short = Vec::new();
    let mut writer = PcapngWriter::new(&mut short, Flush::WhenFull).unwrap();
    let mut reader = CaptureReader::new(file).unwrap();
    while let Some(packet) = reader.next() {
        let packet = packet.unwrap();
        let (medium, _) = captured_content(reader.interfaces()[packet.interface].link_type, &[]).unwrap();
        let name = reader.interfaces()[packet.interface].name.clone().unwrap();
        let interface = writer.interface(&name, medium, Some(most)).unwrap();
        let (timestamp, direction) = (packet.timestamp, packet.direction);
        let parts = [IoSlice::new(packet.bytes)];
        let comment = packet.comment.as_deref();
        let frame = CapturedFrame { interface, timestamp, direction, parts: &parts, checksum: None, comment };
        writer.frame(&frame).unwrap();
    }
    drop(writer);
    short
}

#[test]
fn a_capture_of_headers_tells_of_whole_frames() {
    let world = World::new();
    for name in ["fast-retransmit", "sticky", "close"] {
        let lesson = played(name, 1, json!({}));
        // Ethernet, IPv4, and a TCP header with three blocks of SACK: hardly a byte of data.
        let short = open(&world, "", &shortened(&lesson.pcapng(None).unwrap(), 94)).unwrap();
        assert_eq!(kept(&lesson), kept(&short), "{name}");
        assert!(frames(&short).iter().all(|frame| frame.len() <= 94), "{name}");
        let again = open(&world, "", &short.pcapng(None).unwrap()).unwrap();
        assert_eq!((kept(&short), frames(&short)), (kept(&again), frames(&again)), "{name}");
        for row in all(&short).iter().filter(|row| row["kind"] == "frame") {
            assert!(row["payload"].as_str().is_none_or(|text| text.len() <= 40), "{row}");
            let (bytes, link, length) = short.frame(row["row"].as_u64().unwrap()).unwrap();
            assert_eq!(row["length"], length);
            let layers = serde_json::to_string(&peel(&bytes, link, length)).unwrap();
            assert!(!layers.contains("malformed"), "{layers}");
        }
    }
}

#[test]
fn what_the_cable_did_is_still_known() {
    let frame = frames(&played("handshake", 1, json!({}))).remove(2);
    let mut file = Vec::new();
    let mut writer = PcapngWriter::new(&mut file, Flush::WhenFull).unwrap();
    let interface = writer.interface("client", Medium::Ethernet, None).unwrap();
    let comments =
        ["corrupted", "duplicated, held", "marked", "lost on the cable: cable cut", "unremarkable"];
    for (second, comment) in (7..).zip(comments) {
        let written = CapturedFrame {
            interface,
            timestamp: std::time::Duration::from_secs(second),
            direction: Some(Direction::Outbound),
            parts: &[IoSlice::new(&frame)],
            checksum: None,
            comment: Some(comment),
        };
        writer.frame(&written).unwrap();
    }
    drop(writer);
    let opened = open(&World::new(), "", &file).unwrap();
    let told = |recording: &Recording| -> Vec<Value> {
        let rows = all(recording).into_iter().filter(|row| row["kind"] == "frame");
        rows.map(|row| json!([row["marks"], row["lost"], row["to"]])).collect()
    };
    let expected = [
        json!([["corrupted"], null, [1]]),
        json!([["duplicated", "held"], null, [1]]),
        json!([["marked"], null, [1]]),
        json!([[], "cable cut", [1]]),
        json!([[], null, [1]]),
    ];
    assert_eq!(told(&opened), expected);
    let again = open(&World::new(), "", &opened.pcapng(None).unwrap()).unwrap();
    assert_eq!(told(&again), expected);
}

/// Chance changes bytes, or a whole number to the largest there is: no file is too damaged to be answered.
#[test]
fn any_file_is_opened_or_refused() {
    let world = World::new();
    let mut state = 7_u64;
    let mut chance = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    let lesson = played("fast-retransmit", 1, json!({})).pcapng(None).unwrap();
    let frame = frames(&played("handshake", 1, json!({}))).remove(2);
    let files = [lesson, classic(true, 0xa1b2_c3d4, &frame)];
    let (mut opened, mut refused) = (0, 0);
    for round in 0..600 {
        let mut file = files[round % 2].clone();
        for _ in 0..=chance(6) {
            let place = chance(file.len());
            match chance(3) {
                0 => file.iter_mut().skip(place / 4 * 4).take(8).for_each(|byte| *byte = 0xff),
                _ => file[place] = chance(256) as u8,
            }
        }
        match open(&world, "", &file) {
            Ok(recording) => {
                opened += 1;
                for row in all(&recording).iter().filter(|row| row["kind"] == "frame") {
                    let (bytes, link, length) = recording.frame(row["row"].as_u64().unwrap()).unwrap();
                    peel(&bytes, link, length);
                }
                recording.pcapng(None).unwrap();
                world.recordings.remove(recording.name()).unwrap();
            }
            Err(trouble) => {
                assert_eq!(trouble.code, "bad-capture");
                refused += 1;
            }
        }
    }
    assert!(opened > 100 && refused > 10, "{opened} {refused}");
}
