//! What is explained, in scenes that were made for it.

use sockeye_core::lan::{Conditions, Direction};
use sockeye_core::socket::SocketOption;
use sockeye_core::time::Duration;

use super::scene::Scene;

fn quiet() -> Conditions {
    Conditions { delay: Duration::from_millis(5), ..Conditions::default() }
}

fn option(scene: &mut Scene, host: usize, socket: sockeye_core::socket::SocketId, option: SocketOption) {
    let (now, host) = (scene.sim.now(), scene.hosts[host]);
    scene.sim.stack_mut(host).set_option(now, socket, option).unwrap();
}

#[test]
fn an_ordinary_dialogue_has_nothing_to_explain() {
    let mut scene = Scene::new(quiet(), 0);
    let (client, served) = scene.connected();
    scene.write(0, client, b"hello");
    scene.run(100);
    scene.read(1, served);
    scene.close(0, client);
    scene.run(100);
    scene.read(1, served);
    scene.close(1, served);
    scene.run(61_000);
    assert_eq!(scene.kinds(), Vec::<String>::new());
}

#[test]
fn nobody_listens() {
    let mut scene = Scene::new(quiet(), 0);
    scene.connect();
    scene.run(1000);
    assert!(scene.kinds().contains(&"refused".to_owned()));
}

#[test]
fn a_syn_that_is_lost() {
    let mut scene = Scene::new(quiet(), 0);
    scene.listen();
    // The way is known: the first frame is the SYN.
    scene.connected_once_for_arp();
    scene.drop_next(0, 2);
    scene.connect();
    scene.run(10_000);
    let kinds = scene.kinds();
    assert_eq!(kinds.iter().filter(|kind| *kind == "syn-retries").count(), 1, "{kinds:?}");
}

#[test]
fn a_program_that_does_not_read() {
    let mut scene = Scene::new(quiet(), 0);
    let (client, served) = scene.connected();
    for _ in 0..100 {
        let (now, host) = (scene.sim.now(), scene.hosts[0]);
        let _ = scene.sim.stack_mut(host).write(now, client, &[0; 65_536]);
        scene.run(20);
    }
    scene.run(2000);
    while scene.read(1, served) > 0 {
        scene.run(20);
    }
    assert!(scene.kinds().contains(&"zero-window".to_owned()));
}

#[test]
fn closing_with_unread_data_resets() {
    let mut scene = Scene::new(quiet(), 0);
    let (client, served) = scene.connected();
    scene.write(0, client, b"hello");
    scene.run(100);
    scene.close(1, served);
    scene.run(100);
    assert!(scene.kinds().contains(&"reset-unread".to_owned()));
}

#[test]
fn linger_zero_resets() {
    let mut scene = Scene::new(quiet(), 0);
    let (client, _) = scene.connected();
    option(&mut scene, 0, client, SocketOption::Linger(Some(Duration::ZERO)));
    scene.close(0, client);
    scene.run(100);
    assert!(scene.kinds().contains(&"reset-linger".to_owned()));
}

#[test]
fn losses_and_their_repair() {
    let mut scene = Scene::new(quiet(), 0);
    let (client, served) = scene.connected();
    scene.drop_next(0, 1);
    scene.write(0, client, b"hello");
    scene.run(1000);
    scene.read(1, served);
    // Now the acknowledgement is lost, and the data is sent for nothing.
    scene.drop_next(1, 1);
    scene.write(0, client, b"again");
    scene.run(1000);
    assert_eq!(scene.kinds(), ["retransmission-loss", "retransmission-needless", "drop", "undone"]);
}

#[test]
fn keepalives_without_answer() {
    let mut scene = Scene::new(quiet(), 0);
    let (client, _) = scene.connected();
    for wanted in [
        SocketOption::KeepIdle(Duration::from_secs(10)),
        SocketOption::KeepInterval(Duration::from_secs(1)),
        SocketOption::KeepCount(3),
        SocketOption::KeepAlive(true),
    ] {
        option(&mut scene, 0, client, wanted);
    }
    let (now, lan, port) = (scene.sim.now(), scene.lan, scene.port(0));
    scene.sim.lan_mut(lan).cut(now, port, Direction::Up, Duration::from_secs(3600));
    scene.run(60_000);
    let kinds = scene.kinds();
    assert_eq!(kinds, ["keepalive-death", "half-open"]);
}

#[test]
fn two_sends_in_one_recv() {
    let mut scene = Scene::new(quiet(), 0);
    let (client, served) = scene.connected();
    scene.write(0, client, b"one");
    scene.write(0, client, b"two");
    scene.run(1000);
    assert_eq!(scene.read(1, served), 6);
    assert!(scene.kinds().contains(&"joined-messages".to_owned()));
}

#[test]
fn an_accept_queue_that_is_full() {
    let mut scene = Scene::new(quiet(), 0);
    let (now, server) = (scene.sim.now(), scene.hosts[1]);
    let listener = scene.listen();
    scene.sim.stack_mut(server).listen(now, listener, 1).unwrap();
    for _ in 0..4 {
        scene.connect_anywhere();
        scene.run(500);
    }
    assert!(scene.kinds().contains(&"backlog-full".to_owned()));
    let at = scene.recording.at(2.9);
    assert_eq!(at["listeners"][0]["backlog"], 1, "{at}");
    assert!(at["listeners"][0]["accept_queue"].as_u64().unwrap() >= 1, "{at}");
}

#[test]
fn an_address_in_use_by_time_wait() {
    let mut scene = Scene::new(quiet(), 0);
    let listener = scene.listen();
    let client = scene.connect();
    scene.run(100);
    let (now, server) = (scene.sim.now(), scene.hosts[1]);
    let (served, _) = scene.sim.stack_mut(server).accept(now, listener).unwrap();
    scene.close(1, served);
    scene.run(100);
    scene.close(0, client);
    scene.close(1, listener);
    scene.run(100);
    let now = scene.sim.now();
    let stack = scene.sim.stack_mut(server);
    let again = stack.open(sockeye_core::socket::Family::V4, sockeye_core::socket::Kind::Stream).unwrap();
    stack.bind(now, again, super::scene::SERVER.parse().unwrap()).unwrap_err();
    assert!(scene.kinds().contains(&"address-in-use".to_owned()));
    let found = scene.recording.findings(0, 500);
    assert_eq!(found["findings"][0]["facts"]["time_wait"], true, "{found}");
}

#[test]
fn a_black_hole() {
    let mut scene = Scene::new(quiet(), 0);
    let (client, _) = scene.connected();
    let (lan, port) = (scene.lan, scene.port(0));
    scene.sim.lan_mut(lan).set_conditions(port, Direction::Up, Conditions { mtu: Some(1000), ..quiet() });
    scene.write(0, client, &[0; 10_000]);
    scene.run(5000);
    assert!(scene.kinds().contains(&"mtu-black-hole".to_owned()));
}

#[test]
fn nagle_against_delayed_acknowledgements() {
    let mut scene = Scene::new(quiet(), 0);
    let (client, served) = scene.connected();
    // A receiver delays once it talks in turns with the sender.
    for _ in 0..40 {
        scene.write(0, client, b"head");
        scene.run(1);
        scene.write(0, client, b"body");
        scene.run(80);
        scene.read(1, served);
        scene.write(1, served, b"done");
        scene.run(10);
        scene.read(0, client);
    }
    assert!(scene.kinds().contains(&"nagle-delayed-ack".to_owned()));
}
