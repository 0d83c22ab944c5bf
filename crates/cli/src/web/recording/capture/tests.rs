//! Recordings as files and files as recordings.

use serde_json::{Value, json};

use super::open;
use crate::web::recording::Recording;
use crate::web::recording::tests::{all, frames, lessons, played};
use crate::web::world::{Entity, World};

/// What a file still knows of a frame.
fn kept(recording: &Recording) -> Vec<Value> {
    let rows = all(recording).into_iter().filter(|row| row["kind"] == "frame");
    let kept = rows.map(|row| {
        let told =
            ["protocol", "length", "connection", "direction", "flags", "seq", "ack", "data", "lost", "words"];
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
