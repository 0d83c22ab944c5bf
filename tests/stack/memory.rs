//! The memory that all connections of a host share, and what becomes of connections that nobody holds any more.

use sockeye_core::error::Error;
use sockeye_core::socket::{SocketId, SocketOption};
use sockeye_core::stack::{Config, MemoryLimits, Stack};
use sockeye_core::time::Duration;
use sockeye_core::transport::tcp::State;

use super::wire::Network;

const MIB: usize = 1 << 20;
/// What each connection has in any case, and what its scoreboard may add before anybody looks.
const LEAST: usize = 2 * 4096;

fn small(seed: u64) -> Config {
    let memory = MemoryLimits { low: 4 * MIB, pressure: 6 * MIB, high: 8 * MIB };
    Config { seed, memory, ..Config::default() }
}

/// `count` connections from the first host to the second.
fn connect(network: &mut Network, count: usize) -> Vec<(SocketId, SocketId)> {
    let listener = network.listen(1, "0.0.0.0:80", 4096);
    let pairs = (0..count)
        .map(|_| {
            let client = network.connect(0, "10.0.0.2:80");
            network.settle();
            (client, network.hosts[1].accept(network.now, listener).unwrap().0)
        })
        .collect();
    network.hosts[1].close(network.now, listener).unwrap();
    pairs
}

fn used(host: &Stack) -> usize {
    host.snapshot().tcp_memory
}

#[test]
fn a_thousand_slow_readers_share_what_there_is_and_all_are_served() {
    let mut network = Network::pair_with(small(1), small(2), 1500);
    let pairs = connect(&mut network, 1000);
    let all = 30_000;
    let mut written = vec![0; pairs.len()];
    let mut read = vec![0; pairs.len()];
    let mut most = [0; 2];
    let mut was_pressed = false;
    let mut buffer = vec![0; 3000];
    for round in 0.. {
        assert!(round < 10_000, "stuck: {} of {}", read.iter().sum::<usize>(), all * pairs.len());
        for (place, (client, server)) in pairs.iter().enumerate() {
            let now = network.now;
            if written[place] < all {
                match network.hosts[0].write(now, *client, &vec![place as u8; all - written[place]]) {
                    Ok(taken) => written[place] += taken,
                    Err(error) => assert_eq!(error, Error::WouldBlock),
                }
            }
            // Each reader takes a little, and seldom.
            if (round + place) % 20 == 0 {
                match network.hosts[1].read(now, *server, &mut buffer) {
                    Ok(count) => {
                        assert!(buffer[..count].iter().all(|byte| *byte == place as u8));
                        read[place] += count;
                    }
                    Err(error) => assert_eq!(error, Error::WouldBlock),
                }
            }
        }
        network.run(Duration::from_millis(20));
        for (host, most) in most.iter_mut().enumerate() {
            let snapshot = network.hosts[host].snapshot();
            *most = (*most).max(snapshot.tcp_memory);
            was_pressed |= snapshot.tcp_is_pressed;
        }
        if read.iter().all(|bytes| *bytes == all) {
            break;
        }
    }
    assert!(was_pressed);
    for most in most {
        assert!(most > 4 * MIB && most <= 8 * MIB + pairs.len() * LEAST, "{most}");
    }
    for (client, server) in pairs {
        network.hosts[0].close(network.now, client).unwrap();
        network.hosts[1].close(network.now, server).unwrap();
    }
    network.run(Duration::from_secs(120));
    assert!(network.hosts.iter().all(|host| host.snapshot().is_idle()));
}

#[test]
fn buffers_grow_only_while_memory_is_plentiful() {
    let tight = MemoryLimits { low: 100_000, pressure: 200_000, high: 8 * MIB };
    for (memory, grows) in [(MemoryLimits::default(), true), (tight, false)] {
        let config = |seed| Config { seed, memory, ..Config::default() };
        let mut network = Network::pair_with(config(1), config(2), 1500);
        let (client, server) = connect(&mut network, 1)[0];
        let mut buffer = vec![0; 1 << 20];
        for _ in 0..1000 {
            let now = network.now;
            let _ = network.hosts[0].write(now, client, &buffer);
            let _ = network.hosts[1].read(now, server, &mut buffer);
            network.run(Duration::from_millis(2));
        }
        let info = network.hosts[1].tcp_info(server).unwrap();
        assert_eq!(info.rcv_wnd > 1 << 20, grows, "{}", info.rcv_wnd);
        assert!(used(&network.hosts[0]) > 0);
    }
}

#[test]
fn a_writer_that_was_refused_for_want_of_memory_hears_when_there_is_some() {
    let memory = MemoryLimits { low: 40_000, pressure: 60_000, high: 69_000 };
    let mut network = Network::pair_with(Config { seed: 1, memory, ..Config::default() }, small(2), 1500);
    let pairs = connect(&mut network, 2);
    // Nobody reads: what is written stays here.
    let full = SocketOption::ReceiveBuffer(2000);
    for (_, server) in &pairs {
        network.hosts[1].set_option(network.now, *server, full).unwrap();
    }
    let (greedy, other) = (pairs[0].0, pairs[1].0);
    // Until the peers' windows are full and nothing moves any more.
    for _ in 0..40 {
        for socket in [greedy, other] {
            while network.hosts[0].write(network.now, socket, &[1; 10_000]).is_ok() {}
        }
        network.run(Duration::from_millis(50));
    }
    let waiting = |network: &Network, id| {
        let sockets = network.hosts[0].snapshot().sockets;
        sockets.iter().find(|socket| socket.id == id).map_or(0, |socket| socket.send_queue)
    };
    assert!(waiting(&network, greedy) >= 32_768);
    assert!(waiting(&network, other) >= 4096, "each has a little in any case");
    assert!(used(&network.hosts[0]) <= 69_000 + 2 * LEAST);
    assert_eq!(network.hosts[0].write(network.now, other, b"x"), Err(Error::WouldBlock));
    while network.hosts[0].poll_event().is_some() {}
    assert!(!network.hosts[0].readiness(other).unwrap().is_writable());
    let now = network.now;
    network.hosts[0].set_option(now, greedy, SocketOption::Linger(Some(Duration::ZERO))).unwrap();
    network.hosts[0].close(now, greedy).unwrap();
    let news: Vec<_> = std::iter::from_fn(|| network.hosts[0].poll_event()).collect();
    assert!(news.iter().any(|event| event.socket == other && event.readiness.is_writable()), "{news:?}");
    assert!(network.hosts[0].write(now, other, &[2; 10_000]).is_ok());
}

#[test]
fn too_many_orphans_are_reset_and_those_that_end_count_no_more() {
    let mut network = Network::pair_with(
        Config { seed: 1, orphan_limit: 3, ..Config::default() },
        Config { seed: 2, ..Config::default() },
        1500,
    );
    let pairs = connect(&mut network, 5);
    for (client, _) in &pairs {
        network.hosts[0].close(network.now, *client).unwrap();
    }
    assert_eq!(network.hosts[0].snapshot().orphans, 3);
    network.run(Duration::from_millis(10));
    let states: Vec<_> =
        pairs.iter().map(|(_, server)| network.hosts[1].tcp_info(*server).unwrap().state).collect();
    assert_eq!(states[..3], [State::CloseWait; 3]);
    assert_eq!(states[3..], [State::Closed; 2], "they were reset");
    for (_, server) in &pairs {
        network.hosts[1].close(network.now, *server).unwrap();
    }
    network.run(Duration::from_millis(10));
    assert!(network.hosts.iter().all(|host| host.snapshot().orphans == 0));
}
