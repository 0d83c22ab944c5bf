//! Recordings of lessons, whose dialogues are the real stack's.

use serde_json::{Map, Value, json};

use super::{Filter, Kind, MOST, Opening, Recording, Station};
use crate::web::lesson::Recipe;
use crate::web::world::{Entity, World};
use sockeye_core::lan::Fate;
use sockeye_core::time::{Duration, Instant};
use sockeye_core::trace::Trace;
use std::sync::Arc;

/// The frames of a recording.
pub(super) fn frames(recording: &Recording) -> Vec<Vec<u8>> {
    let inner = recording.inner.lock();
    let frames = inner.rows.iter().filter_map(|row| match &row.what {
        super::What::Frame(frame) => Some(frame.bytes.clone()),
        _ => None,
    });
    frames.collect()
}

/// The names of all lessons.
pub(super) fn lessons() -> Vec<String> {
    let all = crate::web::lesson::described();
    let names = all.as_array().into_iter().flatten().filter_map(|lesson| lesson["name"].as_str());
    names.map(str::to_owned).collect()
}

/// A lesson as a recording.
pub(super) fn played(name: &str, seed: u64, parameters: Value) -> Arc<Recording> {
    let parameters = parameters.as_object().cloned().unwrap_or_default();
    let played = Recipe::new(name, seed, &parameters).unwrap().play().unwrap();
    let stations = played.hosts.into_iter().map(|(name, addresses)| Station::new(name, addresses)).collect();
    let opening = Opening { title: name.to_owned(), kind: Kind::Lesson, stations, start: Instant::ZERO };
    let recording = World::new().recordings.add(|name, version| Recording::new(name, version, opening));
    for sight in played.sights {
        recording.on_sight(sight);
    }
    recording.finish();
    recording
}

pub(super) fn all(recording: &Recording) -> Vec<Value> {
    let mut rows = Vec::new();
    loop {
        let some = recording.rows(rows.len() as u64, MOST);
        if some.is_empty() {
            return rows;
        }
        rows.extend(some);
    }
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

#[test]
fn the_handshake_is_told_in_its_order() {
    let rows = all(&played("handshake", 1, json!({})));
    let told: Vec<String> = rows
        .iter()
        .filter(|row| row["connection"] == 1)
        .map(|row| match text(row, "kind") {
            "frame" => format!("{} {}", row["from"], text(row, "flags")),
            "call" => format!("{} {}()", row["host"], text(row, "call")),
            "state" => format!("{} {}", row["host"], text(row, "state")),
            other => other.to_owned(),
        })
        .collect();
    // The second `connect` is the first one's return.
    let asks = ["0 connect()", "0 SYN-SENT", "0 SYN", "1 SYN-RECEIVED", "1 SYN ACK"];
    assert_eq!(told[..5], asks, "{told:?}");
    assert_eq!(told[5..8], ["0 ESTABLISHED", "0 connect()", "0 ACK"], "{told:?}");
    let syn = rows.iter().find(|row| text(row, "flags") == "SYN").unwrap();
    assert_eq!((&syn["to"], &syn["seq"], &syn["direction"]), (&json!([1]), &json!(0), &json!(0)));
    assert!(syn["arrives"].as_f64().unwrap() > syn["time"].as_f64().unwrap(), "{syn}");
    for (place, row) in rows.iter().enumerate() {
        assert_eq!(row["row"], place, "rows are numbered one after the other");
    }
}

#[test]
fn what_is_lost_is_sent_again_and_points_back() {
    let rows = all(&played("fast-retransmit", 1, json!({})));
    let again: Vec<&Value> = rows.iter().filter(|row| !row["first"].is_null()).collect();
    assert!(!again.is_empty(), "something is sent again");
    for row in again {
        let first = &rows[row["first"].as_u64().unwrap() as usize];
        assert_eq!((&first["seq"], &first["direction"]), (&row["seq"], &row["direction"]), "{row}");
        assert!(first["time"].as_f64() < row["time"].as_f64());
    }
    let lost = rows.iter().filter(|row| row["lost"].is_string());
    assert!(lost.clone().count() > 0 && lost.clone().all(|row| row["arrives"].is_null()));
}

#[test]
fn what_a_router_passes_on_is_no_repetition() {
    for (lesson, parameters) in [("gateway", json!({})), ("mtu", json!({"icmp": false}))] {
        let rows = all(&played(lesson, 1, parameters));
        let forwarded = rows.iter().filter(|row| row["forwarded"] == true);
        assert!(forwarded.clone().count() > 2, "{lesson}");
        for row in forwarded {
            assert!(row["first"].is_null() && !text(row, "words").contains("keepalive"), "{row}");
        }
    }
}

#[test]
fn every_moment_has_its_states() {
    let recording = played("close", 1, json!({}));
    let summary = recording.summary();
    let end = recording.at(None);
    assert_eq!(end["time"], summary["to"]);
    let states = |at: &Value| -> Vec<String> {
        let ends = at["connections"][0]["ends"].as_array().cloned().unwrap_or_default();
        ends.iter().map(|end| text(end, "state").to_owned()).collect()
    };
    let rows = all(&recording);
    let moment = |state: &str| {
        let row = rows.iter().find(|row| text(row, "kind") == "state" && text(row, "state") == state);
        row.unwrap_or_else(|| panic!("{state} is reached"))["time"].as_f64().unwrap()
    };
    assert_eq!(states(&recording.at(Some(moment("FIN-WAIT-1"))))[0], "FIN-WAIT-1");
    let waiting = recording.at(Some(moment("TIME-WAIT")));
    assert_eq!(states(&waiting)[0], "TIME-WAIT");
    let ends = &waiting["connections"][0]["ends"];
    assert_eq!(ends[0]["expires"].as_f64().unwrap() - ends[0]["since"].as_f64().unwrap(), 60.0);
    assert_eq!(recording.at(Some(-1.0))["connections"], json!([]), "nothing had happened yet");
}

#[test]
fn the_queues_of_a_listener_fill() {
    let recording = played("backlog", 1, json!({}));
    let rows = all(&recording);
    let fullest = rows.iter().filter_map(|row| {
        let at = recording.at(row["time"].as_f64());
        at["listeners"][0]["accept_queue"].as_u64()
    });
    let backlog = recording.at(None)["listeners"][0]["backlog"].as_u64().unwrap();
    assert!(fullest.max().unwrap() > backlog.min(1), "the accept queue fills");
}

#[test]
fn filters_leave_out_what_they_name() {
    let recording = played("arp", 1, json!({}));
    let hide = vec!["arp".to_owned(), "call".to_owned()];
    let (rows, first, count) = recording.range(0, MOST, &Filter { connection: None, hide });
    assert!(first == 0 && rows.len() as u64 == count && count > 0);
    assert!(rows.iter().all(|row| row["protocol"] != "ARP" && row["kind"] != "call"));
    assert!(all(&recording).iter().any(|row| row["protocol"] == "ARP"));
    let of_one = Filter { connection: Some(1), hide: vec!["note".to_owned()] };
    assert!(recording.range(0, MOST, &of_one).0.iter().all(|row| row["connection"] == 1));
    let late = recording.place(f64::MAX, &Filter::default());
    assert_eq!(late, recording.summary()["rows"].as_u64().unwrap());
}

#[test]
fn old_rows_become_counts_and_nothing_grows_for_ever() {
    let world = World::new();
    let station = |name: &str, address: &str| Station::new(name, vec![address.parse().unwrap()]);
    let stations = vec![station("client", "10.0.0.3"), station("server", "10.0.0.2")];
    let opening = Opening { title: String::new(), kind: Kind::Live, stations, start: Instant::ZERO };
    let recording = world.recordings.add(|name, version| Recording::new(name, version, opening));
    // A frame of a lesson, over and over.
    let played = Recipe::new("handshake", 1, &Map::new()).unwrap().play().unwrap();
    let up = played.sights.into_iter().find_map(|sight| match sight {
        super::Sight::Cable(sight) if sight.frame.len() > 60 => Some(sight),
        _ => None,
    });
    let up = up.unwrap();
    let frames = 250_000_u64;
    let begun = std::time::Instant::now();
    for n in 0..frames {
        let at = Instant::from_micros(n * 100);
        recording.on_sight(super::Sight::Cable(super::CableSight { at, ..up.clone() }));
        if n % 1000 == 0 {
            recording.advance(at);
        }
    }
    recording.finish();
    let rate = frames as f64 / begun.elapsed().as_secs_f64();
    println!("{rate:.0} frames a second");
    assert!(rate > 20_000.0, "{rate:.0} frames a second");
    let summary = recording.summary();
    let (first, count) = (summary["first"].as_u64().unwrap(), summary["rows"].as_u64().unwrap());
    assert_eq!(first + count, frames);
    assert!(count < super::ROWS as u64 + 2 * super::SUMMARISED as u64 + 300, "{count}");
    let oldest = &recording.rows(first, 1)[0];
    assert_eq!((text(oldest, "kind"), &oldest["row"]), ("summary", &json!(first)));
    let code = |row: u64| recording.frame(row).map_err(|trouble| trouble.code);
    assert_eq!([code(0), code(first)].map(Result::unwrap_err), ["summarised", "summarised"]);
    assert_eq!(code(frames).unwrap_err(), "gone");
    assert_eq!(code(frames - 1).unwrap().0, up.frame);
    let kept = recording.inner.lock().rows.len() as u64;
    assert_eq!(summary["summarised"].as_u64().unwrap() + kept, frames);
}

#[test]
fn ports_that_are_used_again_are_another_connection() {
    let played = Recipe::new("close", 1, &Map::new()).unwrap().play().unwrap();
    let stations =
        played.hosts.iter().cloned().map(|(name, addresses)| Station::new(name, addresses)).collect();
    let opening = Opening { title: String::new(), kind: Kind::Live, stations, start: Instant::ZERO };
    let recording = World::new().recordings.add(|name, version| Recording::new(name, version, opening));
    for round in 0..2 {
        let later = Duration::from_secs(round * 1000);
        for sight in played.sights.clone() {
            recording.on_sight(match sight {
                super::Sight::Host(host, trace) => {
                    super::Sight::Host(host, Trace { at: trace.at + later, ..trace })
                }
                super::Sight::Cable(mut sight) => {
                    sight.at += later;
                    if let Fate::Arrives(passage) = &mut sight.fate {
                        passage.at += later;
                    }
                    super::Sight::Cable(sight)
                }
                super::Sight::Sample(mut sample) => {
                    sample.at += later;
                    super::Sight::Sample(sample)
                }
                super::Sight::Note(mut note) => {
                    note.at += later;
                    super::Sight::Note(note)
                }
            });
        }
    }
    recording.finish();
    let rows = all(&recording);
    let life = |connection: u64| -> Vec<&str> {
        let ours = rows.iter().filter(|row| row["connection"] == connection && row["kind"] == "state");
        ours.map(|row| text(row, "state")).collect()
    };
    assert_eq!(life(1), life(2));
    assert_eq!(life(1)[0], "SYN-SENT");
    assert!(rows.iter().all(|row| row["first"].is_null()), "nothing is sent again");
    assert_eq!(recording.summary()["connections"].as_array().unwrap().len(), 2);
}
