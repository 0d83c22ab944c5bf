//! Rows: what they say, and that the looks at one frame are joined.

use std::time::Instant as Clock;

use serde_json::json;
use sockeye_core::lan::{Conditions, Fate, Passage, Probability};
use sockeye_core::socket::Shutdown;
use sockeye_core::time::{Duration, Instant};

use super::super::{CableSight, Filter, Sight};
use super::scene::Scene;

fn conditions() -> Conditions {
    Conditions { delay: Duration::from_millis(5), ..Conditions::default() }
}

#[test]
fn a_dialogue_with_a_loss() {
    let mut scene = Scene::new(conditions(), 0);
    let (client, served) = scene.connected();
    scene.drop_next(0, 1);
    scene.write(0, client, "你好".as_bytes());
    scene.run(1000);
    scene.read(1, served);
    let (now, host) = (scene.sim.now(), scene.hosts[0]);
    scene.sim.stack_mut(host).shutdown(now, client, Shutdown::Write).unwrap();
    scene.run(100);
    scene.read(1, served);
    scene.close(1, served);
    scene.run(61_000);
    insta::assert_snapshot!(scene.lines());
    let at = scene.recording.at(7.5);
    insta::assert_snapshot!("the_state_of_everything", serde_json::to_string_pretty(&at).unwrap());
}

#[test]
fn each_frame_is_one_row_whatever_the_cables_do() {
    let chance = |value| Probability::new(value).unwrap();
    let bad = Conditions {
        loss: chance(0.05),
        duplicate: chance(0.1),
        corrupt: chance(0.05),
        reorder: chance(0.1),
        jitter: Duration::from_millis(3),
        ..conditions()
    };
    let mut scene = Scene::new(bad, 2);
    let (client, served) = scene.connected();
    for _ in 0..200 {
        let (now, host) = (scene.sim.now(), scene.hosts[0]);
        let _ = scene.sim.stack_mut(host).write(now, client, &[b'x'; 3000]);
        scene.run(50);
        scene.read(1, served);
    }
    scene.run(10_000);
    let rows = scene.rows();
    let frames: Vec<_> = rows.iter().filter(|row| row["kind"] == "frame").collect();
    assert!(frames.len() > 400);
    let has = |name: &str| {
        frames.iter().filter(|row| row["marks"].as_array().unwrap().contains(&json!(name))).count()
    };
    assert!(has("duplicated") > 20 && has("corrupted") > 10 && has("held") > 20);
    for row in &frames {
        assert!(!row["from"].is_null(), "every Down belongs to an Up: {row}");
        let (arrives, lost) = (&row["arrives"], &row["lost"]);
        assert!(arrives.is_null() != lost.is_null(), "either it arrives or it is lost: {row}");
        if let Some(arrives) = arrives.as_f64() {
            assert!(arrives >= row["time"].as_f64().unwrap());
        }
        if !row["first"].is_null() {
            let first = &rows[row["first"].as_u64().unwrap() as usize];
            assert_eq!(first["kind"], "frame");
            assert_eq!(first["connection"], row["connection"]);
            let sent = |row: &serde_json::Value| {
                let seq = row["seq"].as_u64().unwrap();
                seq..seq + row["bytes"].as_u64().unwrap().max(1)
            };
            assert!(sent(first).contains(&row["seq"].as_u64().unwrap()), "{first} {row}");
        }
    }
    let unicast = frames.iter().filter(|row| row["to"].as_array().unwrap().len() > 1);
    // Corrupted addresses and ARP requests alone go to everybody.
    for flood in unicast {
        let marks = flood["marks"].as_array().unwrap();
        assert!(flood["protocol"] == "ARP" || marks.contains(&json!("corrupted")), "{flood}");
    }
    let times: Vec<f64> = rows.iter().map(|row| row["time"].as_f64().unwrap()).collect();
    assert!(times.is_sorted());
}

#[test]
fn a_frame_that_is_held_up_is_found_all_the_same() {
    let mut scene = Scene::new(conditions(), 0);
    let (client, served) = scene.connected();
    scene.write(0, client, b"late");
    scene.run(1);
    let (now, lan, port) = (scene.sim.now(), scene.lan, scene.port(0));
    scene.sim.lan_mut(lan).hold(now, port, sockeye_core::lan::Direction::Up, Duration::from_millis(150));
    scene.run(2000);
    assert_eq!(scene.read(1, served), 4);
    let rows = scene.rows();
    let late = rows.iter().find(|row| row["payload"] == "\"late\"").unwrap();
    assert!(late["arrives"].as_f64().unwrap() - late["time"].as_f64().unwrap() > 0.15, "{late}");
}

#[test]
fn filters_count_what_passes() {
    let mut scene = Scene::new(conditions(), 0);
    scene.connected();
    scene.rows();
    let filter: Filter =
        serde_json::from_value(json!({ "connection": 1, "hide": ["frame", "state"] })).unwrap();
    let answer = scene.recording.rows(1, 1, &filter);
    assert_eq!(answer["count"], 2, "connect and accept: {answer}");
    assert_eq!((&answer["rows"][0]["call"], answer["rows"].as_array().unwrap().len()), (&json!("accept"), 1));
    assert_eq!(scene.recording.find(5.5, &filter)["index"], 1);
}

/// Prints how many frames a second a recording takes. Worth a look in a release build only.
#[test]
fn the_rate() {
    let scene = Scene::new(conditions(), 0);
    let mut frame = vec![0; 1514];
    let headers = [
        &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0][..],
        &[0x45, 0, 5, 220, 0, 0, 64, 0, 64, 6, 0, 0, 10, 0, 0, 3, 10, 0, 0, 2],
        &[0x9c, 0x40, 0x1e, 0x6c, 0, 0, 0, 0, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0],
    ]
    .concat();
    frame[..headers.len()].copy_from_slice(&headers);
    // The IP header's checksum, which is looked at.
    let sum: u32 = frame[14..34].chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    let frames: u32 = if cfg!(debug_assertions) { 20_000 } else { 600_000 };
    let start = Clock::now();
    for number in 0..frames {
        let at = Instant::from_micros(u64::from(number) * 100);
        frame[38..42].copy_from_slice(&(number * 1460).to_be_bytes());
        let look = |at, host, direction| {
            let fate = Fate::Arrives(Passage {
                at: at + Duration::from_millis(5),
                copy_at: None,
                corrupted_bit: None,
                is_marked: false,
                is_held_back: false,
            });
            Sight::Cable(CableSight { at, host, direction, frame: frame.clone(), fate })
        };
        scene.recording.on_sight(look(at, 0, sockeye_core::lan::Direction::Up));
        scene.recording.on_sight(look(at + Duration::from_millis(5), 1, sockeye_core::lan::Direction::Down));
        if number % 100 == 0 {
            scene.recording.advance(at);
        }
    }
    scene.recording.finish();
    let rate = f64::from(frames) / start.elapsed().as_secs_f64();
    println!("{rate:.0} frames a second");
    assert!(rate > 10_000.0, "{rate:.0} frames a second");
}
