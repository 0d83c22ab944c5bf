//! Plots of lessons.

use serde_json::{Value, json};
use sockeye_core::time::Instant;

use super::{Covered, Points, thinned};
use crate::web::recording::tests::played;
use crate::web::recording::{Recording, capture};
use crate::web::world::World;

fn plot(recording: &Recording, name: &str) -> Value {
    recording.plot(1, 0, name, (None, None), 1000).unwrap()
}

fn points(plot: &Value, name: &str) -> Vec<(f64, f64)> {
    let series = plot["series"].as_array().into_iter().flatten().find(|series| series["name"] == name);
    let points = series.and_then(|series| series["points"].as_array()).into_iter().flatten();
    points.map(|point| (point[0].as_f64().unwrap(), point[1].as_f64().unwrap())).collect()
}

#[test]
fn peaks_survive() {
    let points: Points =
        (0..10_000).map(|at| (Instant::from_millis(at), if at == 7777 { 99.0 } else { 1.0 })).collect();
    let kept = thinned(points, 100);
    assert!(kept.len() <= 100);
    assert!(kept.contains(&(Instant::from_millis(7777), 99.0)));
    assert!(kept.is_sorted_by_key(|(at, _)| *at));
}

#[test]
fn bytes_count_once() {
    let mut covered = Covered::default();
    assert_eq!(covered.add(0, 10), 10);
    assert_eq!(covered.add(20, 30), 10);
    assert_eq!(covered.add(5, 25), 10);
    assert_eq!(covered.add(0, 30), 0);
    assert_eq!(covered.add(30, 31), 1);
    assert_eq!(covered.stretches.len(), 1);
}

#[test]
fn a_loss_is_seen_in_all_of_them() {
    let recording = played("fast-retransmit", 1, json!({}));
    let sequence = plot(&recording, "sequence");
    let sorts: Vec<&str> =
        sequence["segments"].as_array().unwrap().iter().filter_map(|segment| segment[3].as_str()).collect();
    assert!(sorts.contains(&"lost") && sorts.contains(&"again"), "{sorts:?}");
    assert!(!sequence["sacks"].as_array().unwrap().is_empty());
    let acks = points(&sequence, "ack");
    assert!(acks.is_sorted_by(|one, next| one.1 <= next.1), "acknowledgements never go back: {acks:?}");
    let last = sequence["segments"].as_array().unwrap().iter().map(|it| it[2].as_u64().unwrap()).max();
    // The FIN counts as one.
    assert_eq!(acks.last().unwrap().1 as u64, last.unwrap() + 1, "all of it is acknowledged in the end");
    let windows = points(&sequence, "window");
    assert!(acks.iter().zip(&windows).all(|(ack, window)| ack.1 <= window.1));

    let window = plot(&recording, "window");
    let cwnd = points(&window, "cwnd");
    let highest = cwnd.iter().map(|point| point.1).fold(0.0, f64::max);
    assert!(cwnd.last().unwrap().1 < highest, "the loss makes it smaller");
    assert!(points(&window, "in_flight").iter().all(|(_, bytes)| *bytes <= highest + 3000.0));
    assert!(!points(&window, "ssthresh").is_empty() && !points(&window, "peer_window").is_empty());

    let rtt = plot(&recording, "rtt");
    let measured = points(&rtt, "rtt");
    assert!(!measured.is_empty() && measured.iter().all(|(_, ms)| *ms > 0.0 && *ms < 1000.0), "{measured:?}");
    assert!(!points(&rtt, "srtt").is_empty() && !points(&rtt, "rto").is_empty());

    let queues = plot(&recording, "queues");
    assert_eq!(points(&queues, "on_the_way").last().unwrap().1, 0.0, "all of it comes or is lost");
}

#[test]
fn what_arrives_counts_once() {
    let recording = played("fast-retransmit", 1, json!({}));
    let throughput = plot(&recording, "throughput");
    let width = {
        let sent = points(&throughput, "throughput");
        sent[1].0 - sent[0].0
    };
    let sum = |name: &str| points(&throughput, name).iter().map(|point| point.1 * width).sum::<f64>();
    let told = recording.boundaries(1, 0, (0, u64::MAX)).unwrap();
    let total = told["total"].as_f64().unwrap();
    assert!((sum("goodput") - total).abs() < 1.0, "{} of {total}", sum("goodput"));
    assert!(sum("throughput") > total, "some of it was sent twice");
}

#[test]
fn a_file_has_no_congestion_window() {
    let lesson = played("fast-retransmit", 1, json!({}));
    let world = World::new();
    let opened = capture::open(&world, "", &lesson.pcapng(None).unwrap()).unwrap();
    let window = plot(&opened, "window");
    assert!(points(&window, "cwnd").is_empty() && !points(&window, "in_flight").is_empty());
    assert_eq!(plot(&opened, "sequence")["segments"].as_array().unwrap().len(), {
        plot(&lesson, "sequence")["segments"].as_array().unwrap().len()
    });
}

#[test]
fn what_is_not_there_is_said() {
    let recording = played("handshake", 1, json!({}));
    assert_eq!(recording.plot(7, 0, "rtt", (None, None), 10).unwrap_err().code, "gone");
    assert_eq!(recording.plot(1, 0, "weather", (None, None), 10).unwrap_err().code, "bad-request");
    assert_eq!(recording.plot(1, 2, "rtt", (None, None), 10).unwrap_err().code, "bad-request");
}
