//! A recording as a capture file, and back.

use serde_json::json;
use sockeye_core::lan::{Conditions, Probability};
use sockeye_core::time::Duration;

use super::super::{Filter, capture};
use super::scene::Scene;
use crate::web::world::{Entity, World};

#[test]
fn a_capture_opened_again_tells_the_same() {
    let chance = |value| Probability::new(value).unwrap();
    let bad = Conditions {
        loss: chance(0.1),
        duplicate: chance(0.1),
        delay: Duration::from_millis(5),
        ..Conditions::default()
    };
    let mut scene = Scene::new(bad, 0);
    let (client, served) = scene.connected();
    for _ in 0..30 {
        scene.write(0, client, &[b'x'; 2000]);
        scene.run(300);
        scene.read(1, served);
    }
    scene.close(0, client);
    scene.run(1000);
    let rows: Vec<_> = scene.rows().into_iter().filter(|row| row["kind"] == "frame").collect();
    let file = scene.recording.pcapng().unwrap();
    let world = World::new();
    let opened = capture::open(&world, "again", &file).unwrap();
    let again = opened.rows(0, 500, &Filter::default());
    let again = again["rows"].as_array().unwrap();
    assert_eq!(again.len(), rows.len().min(500));
    let summary = opened.summary();
    let hosts = summary["hosts"].as_array().unwrap();
    let name = |index: &serde_json::Value| index.as_u64().map(|index| hosts[index as usize]["name"].clone());
    let names = [json!("client"), json!("server")];
    let offset = rows[0]["time"].as_f64().unwrap();
    for (before, after) in rows.iter().zip(again) {
        for member in
            ["words", "lost", "protocol", "length", "payload", "flags", "seq", "ack", "window", "marks"]
        {
            assert_eq!(before[member], after[member], "{member}: {before} {after}");
        }
        let from = before["from"].as_u64().map(|from| names[from as usize].clone());
        assert_eq!(name(&after["from"]), from);
        let time = after["time"].as_f64().unwrap() + offset;
        assert!((time - before["time"].as_f64().unwrap()).abs() < 1e-6);
        assert_eq!(before["first"].is_null(), after["first"].is_null());
    }
    assert_eq!(summary["connections"][0]["bytes"], json!([60_000, 0]));
    assert!(
        opened.plot(1, "sequence", 0, (None, None), 100).unwrap()["segments"].as_array().unwrap().len() > 30
    );
    assert!(opened.frame(again[0]["row"].as_u64().unwrap()).is_ok());
}

#[test]
fn a_file_that_is_no_capture_is_refused_and_one_that_is_cut_off_is_shown() {
    let mut scene = Scene::new(Conditions::default(), 0);
    scene.connected();
    let frames = scene.rows().into_iter().filter(|row| row["kind"] == "frame").count();
    let file = scene.recording.pcapng().unwrap();
    let world = World::new();
    assert_eq!(capture::open(&world, "no", b"PK\x03\x04").unwrap_err().code, "bad-capture");
    assert_eq!(world.recordings.all().len(), 0);
    let opened = capture::open(&world, "half", &file[..file.len() - 10]).unwrap();
    let rows = opened.rows(0, 500, &Filter::default());
    let rows = rows["rows"].as_array().unwrap();
    assert_eq!(rows.last().unwrap()["note"], "missing");
    assert_eq!(rows.len(), frames, "the remark stands for the frame that is missing");
    for _ in 0..7 {
        capture::open(&world, "more", &file).unwrap();
    }
    assert_eq!(capture::open(&world, "more", &file).unwrap_err().code, "too-many");
}
