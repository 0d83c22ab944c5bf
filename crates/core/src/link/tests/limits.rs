//! Memory stays bounded, whoever talks.

use super::*;
use crate::link::neighbor::{MOST_NEIGHBORS, MOST_PARKED, MOST_PARKED_EACH};

#[test]
fn a_full_queue_drops_its_oldest_packet() {
    let mut ours = link(1);
    let text = "x".repeat(1400);
    let fits = MOST_PARKED_EACH / (14 + 20 + 1404 + 192);
    for number in 0..fits + 3 {
        assert_eq!(send(&mut ours, START, "10.0.0.2", &format!("{text}{number:04}")), LinkSend::Parked);
    }
    assert_eq!(ours.parked(), fits);
    let dropped = events(&mut ours);
    assert_eq!(dropped.len(), 3);
    for (number, event) in dropped.iter().enumerate() {
        assert!(matches!(event, LinkEvent::Dropped { reason: DropReason::NeighborQueueFull, packet }
            if packet.ends_with(format!("{number:04}").as_bytes())));
    }
}

#[test]
fn five_hundred_handshakes_fit_in_a_queue() {
    let mut ours = link(1);
    for _ in 0..512 {
        assert_eq!(send(&mut ours, START, "10.0.0.2", &"s".repeat(60)), LinkSend::Parked);
    }
    assert_eq!((ours.parked(), events(&mut ours).len()), (512, 0));
}

#[test]
fn all_queues_together_are_bounded() {
    let mut ours = link(1);
    let text = "x".repeat(1400);
    let mut displaced = 0;
    for number in 0..6000 {
        let to = format!("10.0.{}.{}", number / 200 % 4, number % 200 + 10);
        displaced += usize::from(send(&mut ours, START, &to, &text) != LinkSend::Parked);
        displaced += events(&mut ours).len();
        while ours.poll_transmit(START).is_some() {}
        assert_eq!(ours.parked() + displaced, number + 1, "every packet waits, or was reported");
    }
    assert!(ours.parked() * (1420 + 14 + 192) <= MOST_PARKED);
    assert!(displaced > 3000, "{displaced}");
}

#[test]
fn the_least_useful_neighbour_is_forgotten() {
    let mut ours = link(1);
    let mut peer = link(2);
    // One in use, then more strangers asking than there is room for.
    send(&mut ours, START, "10.0.0.2", "x");
    carry(&mut [&mut ours, &mut peer], START);
    for number in 0..3000u32 {
        let mut stranger = bare(3);
        let own = format!("10.0.{}.{}/16", number / 200 + 1, number % 200 + 1);
        stranger.add_address(START, own.parse().unwrap(), Detection::Off);
        lines(&mut stranger, START);
        let now = START + Duration::from_millis(number.into());
        send(&mut stranger, now, "10.0.0.1", "x");
        hear(&mut ours, now, &stranger.poll_transmit(now).unwrap().bytes).unwrap();
        lines(&mut ours, now);
    }
    assert_eq!(ours.neighbors().count(), MOST_NEIGHBORS);
    assert_eq!(state_of(&ours, "10.0.0.2"), Some(NeighborState::Reachable));
    assert_eq!(state_of(&ours, "10.0.1.1"), None);
    assert_eq!(state_of(&ours, "10.0.15.200"), Some(NeighborState::Stale));
}

#[test]
fn the_same_seed_gives_the_same_frames() {
    let run_once = || {
        let (mut ours, mut peer) = (bare(1), link(2));
        ours.add_address(START, "10.0.0.1/24".parse().unwrap(), Detection::On);
        send(&mut ours, START, "10.0.0.2", "x");
        let mut said = Vec::new();
        for step in 0..200u32 {
            let now = START + Duration::from_millis(50) * step;
            ours.handle_timeout(now);
            while let Some(frame) = ours.poll_transmit(now) {
                let _ = hear(&mut peer, now, &frame.bytes);
                said.push((now, frame.bytes));
            }
            while let Some(frame) = peer.poll_transmit(now) {
                let _ = hear(&mut ours, now, &frame.bytes);
            }
        }
        said
    };
    let first = run_once();
    assert!(first.len() > 5);
    assert_eq!(first, run_once());
}
