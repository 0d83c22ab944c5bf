//! The switch with its cables.

use super::*;

fn mac(host: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, host]
}

fn frame(destination: [u8; 6], source: [u8; 6], payload: &[u8]) -> Vec<u8> {
    [&destination[..], &source, &[8, 0], payload].concat()
}

fn all(lan: &mut Lan) -> Vec<Delivery> {
    core::iter::from_fn(|| lan.poll(Instant::MAX)).collect()
}

fn delay(millis: u64) -> Conditions {
    Conditions { delay: Duration::from_millis(millis), ..Conditions::default() }
}

#[test]
fn frames_find_their_host_and_strangers_see_them_once() {
    let mut lan = Lan::new();
    let [a, b, c] = [1, 2, 3].map(|seed| lan.add_port(Conditions::default(), seed));
    lan.send(Instant::ZERO, a, frame([0xff; 6], mac(1), b"who?"));
    assert_eq!(all(&mut lan).iter().map(|it| it.port).collect::<Vec<_>>(), [b, c], "to all but the sender");
    lan.send(Instant::ZERO, b, frame(mac(1), mac(2), b"me"));
    assert_eq!(all(&mut lan).iter().map(|it| it.port).collect::<Vec<_>>(), [a]);
    lan.send(Instant::ZERO, a, frame(mac(2), mac(1), b"thanks"));
    let delivery = all(&mut lan).pop().unwrap();
    assert_eq!((delivery.port, delivery.frame), (b, frame(mac(2), mac(1), b"thanks")));
    assert!(lan.is_quiet() && lan.poll_timeout().is_none());
}

#[test]
fn both_cables_delay_and_a_late_poll_does_not_delay_more() {
    let mut lan = Lan::new();
    let a = lan.add_port(Duplex { up: delay(10), down: delay(1000) }, 1);
    let b = lan.add_port(delay(5), 2);
    lan.send(Instant::ZERO, a, frame(mac(2), mac(1), b""));
    assert_eq!(lan.poll_timeout(), Some(Instant::from_millis(10)));
    assert_eq!(lan.poll(Instant::from_millis(14)), None);
    let delivery = lan.poll(Instant::from_secs(100)).unwrap();
    assert_eq!((delivery.port, delivery.at), (b, Instant::from_millis(15)));
}

#[test]
fn deliveries_of_many_cables_come_in_order_of_time() {
    let mut lan = Lan::new();
    let sender = lan.add_port(Conditions::default(), 0);
    let slow = [30, 10, 20, 10].map(|millis| lan.add_port(delay(millis), millis));
    lan.send(Instant::ZERO, sender, frame([0xff; 6], mac(1), b""));
    lan.hold(Instant::ZERO, slow[1], Direction::Down, Duration::from_millis(40));
    let order: Vec<_> = all(&mut lan).iter().map(|it| (it.at.as_millis(), it.port)).collect();
    assert_eq!(order, [(10, slow[3]), (20, slow[2]), (30, slow[0]), (40, slow[1])]);
}

#[test]
fn a_hold_that_begins_later_keeps_every_frame() {
    let mut lan = Lan::new();
    let (a, b) = (lan.add_port(Conditions::default(), 1), lan.add_port(delay(10), 2));
    for number in 0..5 {
        lan.send(Instant::ZERO, a, frame([0xff; 6], mac(1), &[number]));
    }
    assert_eq!(lan.poll(Instant::from_millis(1)), None, "they are on the second cable");
    lan.hold(Instant::from_millis(1), b, Direction::Down, Duration::from_millis(50));
    assert_eq!(lan.poll(Instant::from_millis(50)), None);
    assert_eq!(lan.poll_timeout(), Some(Instant::from_millis(51)));
    let order: Vec<_> = all(&mut lan).iter().map(|it| (it.at.as_millis(), it.frame[14])).collect();
    assert_eq!(order, [(51, 0), (51, 1), (51, 2), (51, 3), (51, 4)]);
}

#[test]
fn observations_tell_each_cable_and_each_fate() {
    let mut lan = Lan::new();
    let (a, b) = (lan.add_port(Conditions::default(), 1), lan.add_port(delay(10), 2));
    lan.send(Instant::ZERO, a, frame(mac(2), mac(1), b"unseen"));
    all(&mut lan);
    assert_eq!(lan.poll_observation(), None, "off by default");
    lan.set_observing(Observing::On);
    lan.drop_next(b, Direction::Down, 1);
    let sent = frame(mac(2), mac(1), b"seen");
    lan.send(Instant::ZERO, a, sent.clone());
    lan.send(Instant::ZERO, a, vec![1, 2, 3]);
    all(&mut lan);
    let seen: Vec<_> = core::iter::from_fn(|| lan.poll_observation()).collect();
    let arrives = Passage {
        at: Instant::ZERO,
        copy_at: None,
        corrupted_bit: None,
        is_marked: false,
        is_held_back: false,
    };
    let observation = |port, direction, frame: &[u8], fate| Observation {
        at: Instant::ZERO,
        port,
        direction,
        frame: frame.to_vec(),
        fate,
    };
    assert_eq!(
        seen,
        [
            observation(a, Direction::Up, &sent, Fate::Arrives(arrives)),
            observation(a, Direction::Up, &[1, 2, 3], Fate::Lost(Loss::Malformed)),
            observation(b, Direction::Down, &sent, Fate::Lost(Loss::Requested)),
        ]
    );
}

#[test]
fn observations_are_bounded() {
    let mut lan = Lan::new();
    let a = lan.add_port(Conditions::default(), 1);
    lan.set_observing(Observing::On);
    for _ in 0..Lan::OBSERVATION_LIMIT + 5 {
        lan.send(Instant::ZERO, a, frame(mac(2), mac(1), b""));
        lan.poll(Instant::ZERO);
    }
    assert_eq!(lan.observations_lost(), 5);
    assert_eq!(core::iter::from_fn(|| lan.poll_observation()).count(), Lan::OBSERVATION_LIMIT);
}

#[test]
fn an_unplugged_port_is_silent_and_its_host_forgotten() {
    let mut lan = Lan::new();
    let (a, b) = (lan.add_port(Conditions::default(), 1), lan.add_port(delay(5), 2));
    lan.send(Instant::ZERO, b, frame([0xff; 6], mac(2), b""));
    all(&mut lan);
    lan.send(Instant::ZERO, a, frame(mac(2), mac(1), b"on its way"));
    assert_eq!(lan.poll(Instant::from_millis(4)), None);
    lan.remove_port(b);
    assert_eq!(all(&mut lan), []);
    assert_eq!(lan.send(Instant::ZERO, b, frame([0xff; 6], mac(2), b"")), Fate::Lost(Loss::Cut));
    let c = lan.add_port(Conditions::default(), 3);
    assert_ne!(c, b, "its number is not used again");
    lan.send(Instant::ZERO, a, frame(mac(2), mac(1), b""));
    assert_eq!(all(&mut lan).iter().map(|it| it.port).collect::<Vec<_>>(), [c], "flooded again");
    assert!(lan.cable(b).is_none());
}

#[test]
fn the_conditions_of_one_direction_change_while_running() {
    let mut lan = Lan::new();
    let (a, b) = (lan.add_port(Conditions::default(), 1), lan.add_port(Conditions::default(), 2));
    lan.set_conditions(b, Direction::Down, Conditions { loss: Probability::ALWAYS, ..Conditions::default() });
    lan.send(Instant::ZERO, a, frame(mac(2), mac(1), b""));
    assert_eq!(all(&mut lan), []);
    lan.send(Instant::ZERO, b, frame(mac(1), mac(2), b""));
    assert_eq!(all(&mut lan).len(), 1);
    lan.set_conditions(b, Direction::Down, Conditions::default());
    lan.cut(Instant::ZERO, a, Direction::Up, Duration::from_secs(1));
    assert_eq!(lan.send(Instant::ZERO, a, frame(mac(2), mac(1), b"")).loss(), Some(Loss::Cut));
    lan.send(Instant::from_secs(1), a, frame(mac(2), mac(1), b""));
    assert_eq!(all(&mut lan).len(), 1);
}

#[test]
fn buffers_come_back() {
    let mut lan = Lan::new();
    let (a, b) = (lan.add_port(Conditions::default(), 1), lan.add_port(Conditions::default(), 2));
    lan.send(Instant::ZERO, b, frame([0xff; 6], mac(2), b""));
    all(&mut lan);
    let mut buffer = Vec::with_capacity(2048);
    for _ in 0..10 {
        let address = buffer.as_ptr();
        buffer.extend_from_slice(&frame(mac(2), mac(1), b"data"));
        lan.send(Instant::ZERO, a, buffer);
        let delivery = lan.poll(Instant::ZERO).unwrap();
        lan.recycle(delivery.frame);
        buffer = lan.buffer();
        assert!(
            buffer.is_empty() && buffer.as_ptr() == address,
            "the same memory, without a copy on the way"
        );
    }
}
