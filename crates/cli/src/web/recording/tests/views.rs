//! Views of a recording: boundaries and plots, that agree with what happened.

use serde_json::Value;
use sockeye_core::lan::{Conditions, Probability};
use sockeye_core::time::Duration;

use super::super::Sample;
use super::super::Sight;
use super::scene::Scene;

fn lossy() -> Conditions {
    let loss = Probability::new(0.03).unwrap();
    Conditions { delay: Duration::from_millis(5), loss, ..Conditions::default() }
}

fn numbers(row: &Value) -> (u64, u64) {
    (row[0].as_u64().unwrap(), row[1].as_u64().unwrap())
}

/// Both ends, as a LAN in real time looks at them.
fn sample(scene: &Scene) {
    for (index, host) in scene.hosts.iter().enumerate() {
        for socket in scene.sim.stack(*host).snapshot().sockets {
            if let (Some(local), Some(remote), Some(tcp)) = (socket.local, socket.remote, socket.tcp) {
                let (receive_queue, send_queue) = (socket.receive_queue, socket.send_queue);
                let at = scene.sim.now();
                let sample = Sample { at, host: index, local, remote, receive_queue, send_queue, tcp };
                scene.recording.on_sight(Sight::Sample(sample));
            }
        }
    }
}

fn transfer() -> Scene {
    let mut scene = Scene::new(lossy(), 0);
    let (client, served) = scene.connected();
    let mut read = 0;
    for round in 0..200 {
        if round < 50 {
            scene.write(0, client, &vec![b'x'; 3000 + round]);
        }
        scene.run(40);
        sample(&scene);
        if round % 3 == 0 {
            read += scene.read(1, served);
        }
    }
    assert_eq!(read, 50 * 3000 + 49 * 25);
    scene.rows();
    scene
}

#[test]
fn boundaries_add_up() {
    let scene = transfer();
    let told = scene.recording.boundaries(1, 0, (0, u64::MAX)).unwrap();
    let total = 50 * 3000 + 49 * 25;
    assert_eq!(told["total"], total);
    for (name, count) in [("sends", Some(50)), ("receives", None)] {
        let stretches: Vec<_> = told[name].as_array().unwrap().iter().map(numbers).collect();
        assert!(count.is_none_or(|count| count == stretches.len()), "{name}");
        assert!(stretches.windows(2).all(|pair| pair[0].1 == pair[1].0), "{name} have no gaps");
        assert_eq!((stretches[0].0, stretches[stretches.len() - 1].1), (0, total), "{name}");
    }
    // Every byte was sent new once, and what was lost was sent again.
    let segments = told["segments"].as_array().unwrap();
    let mut covered = vec![false; total as usize];
    let mut kinds = std::collections::BTreeMap::new();
    for segment in segments {
        *kinds.entry(segment[3].as_str().unwrap()).or_insert(0) += 1;
        if segment[3] != "lost" {
            let (from, to) = numbers(segment);
            covered[from as usize..to as usize].fill(true);
        }
    }
    assert!(covered.iter().all(|is| *is));
    assert!(kinds["lost"] > 0 && kinds["again"] > 0, "{kinds:?}");
    let some = scene.recording.boundaries(1, 0, (3000, 6000)).unwrap();
    assert_eq!(some["sends"].as_array().unwrap().len(), 1);
    assert!(scene.recording.boundaries(9, 0, (0, 1)).is_err());
}

#[test]
fn plots_tell_what_happened() {
    let scene = transfer();
    let plot = |name: &str| scene.recording.plot(1, name, 0, (None, None), 400).unwrap();
    let series = |plot: &Value, name: &str| -> Vec<(f64, f64)> {
        let of = plot["series"].as_array().unwrap().iter().find(|it| it["name"] == name);
        let points = of.unwrap()["points"].as_array().unwrap();
        points.iter().map(|point| (point[0].as_f64().unwrap(), point[1].as_f64().unwrap())).collect()
    };
    let sequence = plot("sequence");
    let (acks, windows) = (series(&sequence, "ack"), series(&sequence, "window"));
    assert!(acks.is_sorted_by_key(|point| point.0));
    assert_eq!(acks.last().unwrap().1, f64::from(50 * 3000 + 49 * 25));
    assert!(acks.iter().zip(&windows).all(|(ack, window)| window.1 >= ack.1));
    assert!(!sequence["sacks"].as_array().unwrap().is_empty());
    let segments = sequence["segments"].as_array().unwrap();
    assert!(segments.iter().any(|segment| segment[3] == "again"));

    let window = plot("window");
    assert!(series(&window, "cwnd").iter().any(|point| point.1 >= 14_480.0));
    assert!(!series(&window, "ssthresh").is_empty(), "there were losses");
    assert!(series(&window, "in flight").iter().all(|point| point.1 <= 200_000.0));

    let rtt = plot("rtt");
    let measured = series(&rtt, "measured");
    assert!(!measured.is_empty() && measured.iter().all(|point| point.1 >= 19.9), "two cables each way");
    assert!(series(&rtt, "rto").iter().all(|point| point.1 >= 200.0));

    let throughput = plot("throughput");
    let came = series(&throughput, "goodput");
    let width = came[1].0 - came[0].0;
    let bytes: f64 = came.iter().map(|point| point.1 * width).sum();
    assert!((bytes / f64::from(50 * 3000 + 49 * 25) - 1.0).abs() < 0.05, "{bytes}");

    let queues = plot("queues");
    assert!(series(&queues, "receive queue").iter().any(|point| point.1 > 0.0));
    assert!(scene.recording.plot(1, "cake", 0, (None, None), 10).is_err());
}
