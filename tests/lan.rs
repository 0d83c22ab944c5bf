//! Hosts on a LAN: what cables do, what is seen of it, and what is refused.

use parking_lot::Mutex;
use sockeye::sockeye_core::lan::Direction;
use sockeye::{
    BuildError, Conditions, Host, Lan, PingSocket, PlugError, TcpListener, TcpStream, TraceEvent, UdpSocket,
};
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(30);

fn host(lan: &Lan, name: &str, address: &str) -> Host {
    lan.host(name).address(address.parse().unwrap()).build().unwrap()
}

fn echo_once(server: &Host, client: &Host, bytes: &[u8]) -> Vec<u8> {
    let address = (server.addresses()[0].address(), 7);
    let listener = TcpListener::bind(server, address).unwrap();
    let serving = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        std::io::copy(&mut &stream, &mut &stream).unwrap();
    });
    let stream = TcpStream::connect(client, address).unwrap();
    let mut received = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            (&stream).write_all(bytes).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        });
        (&stream).read_to_end(&mut received).unwrap();
    });
    serving.join().unwrap();
    received
}

#[test]
fn a_bad_cable_loses_time_but_no_bytes() {
    let bad = Conditions {
        loss: "5%".parse().unwrap(),
        duplicate: "5%".parse().unwrap(),
        corrupt: "2%".parse().unwrap(),
        reorder: "10%".parse().unwrap(),
        delay: Duration::from_millis(1),
        ..Conditions::default()
    };
    let lan = Lan::builder().seed(3).conditions(bad).build().unwrap();
    let (server, client) = (host(&lan, "server", "10.0.0.2/24"), host(&lan, "client", "10.0.0.3/24"));
    let bytes: Vec<u8> = (0..200_000).map(|n| (n % 253) as u8).collect();
    assert!(echo_once(&server, &client, &bytes) == bytes);
}

#[test]
fn every_frame_is_seen_with_its_fate() {
    let lan = Lan::builder().seed(3).build().unwrap();
    let (server, client) = (host(&lan, "server", "10.0.0.2/24"), host(&lan, "client", "10.0.0.3/24"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    lan.observe(move |observation| sink.lock().push(observation.clone())).unwrap();
    let states = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&states);
    client
        .trace(move |trace| {
            if let TraceEvent::State { from, to, .. } = &trace.event {
                sink.lock().push((trace.at, *from, *to));
            }
        })
        .unwrap();
    assert_eq!(echo_once(&server, &client, b"hello"), b"hello");
    // One frame is lost on request, and sent again.
    assert!(lan.drop_next("client", Direction::Up, 1));
    assert_eq!(echo_once(&server, &client, b"again"), b"again");
    assert!(lan.flush_observations(LONG) && client.flush_trace(LONG));
    let seen = seen.lock();
    assert!(seen.windows(2).all(|pair| pair[0].at <= pair[1].at), "in order");
    assert_eq!(seen.iter().filter(|frame| frame.fate.loss().is_some()).count(), 1);
    // Each frame that is not lost going up comes down at the other host.
    let ups = seen.iter().filter(|frame| frame.direction == Direction::Up && frame.fate.loss().is_none());
    let downs = seen.iter().filter(|frame| frame.direction == Direction::Down);
    assert_eq!(ups.count(), downs.count());
    let payloads = |text: &[u8]| seen.iter().filter(|frame| frame.frame.ends_with(text)).count();
    assert!(payloads(b"hello") >= 4);
    let states = states.lock();
    assert!(states.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    let names: Vec<String> = states.iter().map(|(_, _, to)| to.to_string()).collect();
    assert!(names.iter().any(|name| name == "ESTABLISHED"), "{names:?}");
}

#[test]
fn nobody_at_an_address() {
    let lan = Lan::builder().seed(3).build().unwrap();
    let client = host(&lan, "client", "10.0.0.3/24");
    let start = Instant::now();
    let error =
        TcpStream::connect_timeout(&client, &"10.0.0.99:80".parse().unwrap(), Duration::from_millis(200))
            .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() < Duration::from_secs(5));
    let error = TcpStream::connect(&client, "10.0.0.99:80").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HostUnreachable);
    let error = TcpStream::connect(&client, "192.0.2.1:80").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NetworkUnreachable);
    let zero = TcpStream::connect_timeout(&client, &"10.0.0.99:80".parse().unwrap(), Duration::ZERO);
    assert_eq!(zero.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn pings_of_all_sizes() {
    let lan = Lan::builder().seed(3).build().unwrap();
    let here = lan
        .host("here")
        .address("10.0.0.2/24".parse().unwrap())
        .address("fd00::2/64".parse().unwrap())
        .build()
        .unwrap();
    let _there = lan
        .host("there")
        .address("10.0.0.3/24".parse().unwrap())
        .address("fd00::3/64".parse().unwrap())
        .build()
        .unwrap();
    for destination in ["10.0.0.3", "fd00::3", "127.0.0.1", "10.0.0.2"] {
        let socket = PingSocket::new(&here, destination.parse().unwrap()).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        for (sequence, size) in (1u16..).zip([0, 8, 56, 1472, 1473, 20_000, 60_000]) {
            let data: Vec<u8> = (0..size).map(|n| (n % 249) as u8).collect();
            socket.send(sequence, &data).unwrap();
            let mut buffer = vec![0; 65_536];
            let reply = socket.receive(&mut buffer).unwrap();
            assert_eq!((reply.sequence, reply.length), (sequence, size), "{destination}");
            assert!(buffer[..size] == data[..]);
        }
    }
}

#[test]
fn a_flood_starves_nobody() {
    let lan = Lan::builder().seed(3).build().unwrap();
    let (server, client) = (host(&lan, "server", "10.0.0.2/24"), host(&lan, "client", "10.0.0.3/24"));
    let flooder = host(&lan, "flooder", "10.0.0.4/24");
    let _sink = UdpSocket::bind(&server, "10.0.0.2:9").unwrap();
    let flood = UdpSocket::bind(&flooder, "10.0.0.4:9").unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let until = Arc::clone(&is_over);
    let flooding = thread::spawn(move || {
        let mut sent = 0u64;
        while !until.load(Ordering::Relaxed) {
            flood.send_to(&[0; 100], "10.0.0.2:9").unwrap();
            sent += 1;
        }
        sent
    });
    let bytes = vec![9; 500_000];
    assert!(echo_once(&server, &client, &bytes) == bytes);
    is_over.store(true, Ordering::Relaxed);
    assert!(flooding.join().unwrap() > 0);
}

#[test]
fn a_full_device_stops_the_sender_and_loses_nothing() {
    use sockeye::sockeye_device::{Capabilities, Medium};
    let offloads = Capabilities { medium: Medium::Ip, mtu: 1500, checksum: true, segmentation: Some(65_535) };
    for capabilities in [
        Capabilities::plain(Medium::Ethernet, 1500),
        Capabilities::plain(Medium::Ethernet, 9000),
        Capabilities::plain(Medium::Ip, 600),
        offloads,
    ] {
        // What is lost is lost every time; a thread that had to wait for the machine sends a probe once.
        let sent_again: Vec<usize> = (0..3)
            .map(|_| sent_again_through_a_full_device(capabilities))
            .take_while(|again| *again > 0)
            .collect();
        assert!(sent_again.len() < 3, "{capabilities:?}: sent again {sent_again:?}");
    }
}

/// Segments that were sent again in an echo through devices whose queues one frame fills.
fn sent_again_through_a_full_device(capabilities: sockeye::sockeye_device::Capabilities) -> usize {
    let (left, right) = sockeye::sockeye_device::memory_pair(capabilities, 1).unwrap();
    let on = |name: &str, device: sockeye::sockeye_device::MemoryDevice, address: &str| {
        Host::builder(name).device(Box::new(device)).address(address.parse().unwrap()).build().unwrap()
    };
    let (server, client) = (on("left", left, "10.0.0.2/24"), on("right", right, "10.0.0.3/24"));
    let (seen, sent_again) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for host in [&server, &client] {
        let (seen, sent_again) = (Arc::clone(&seen), Arc::clone(&sent_again));
        host.trace(move |trace| {
            seen.fetch_add(1, Ordering::Relaxed);
            if matches!(trace.event, TraceEvent::Retransmission { .. }) {
                sent_again.fetch_add(1, Ordering::Relaxed);
            }
        })
        .unwrap();
    }
    let bytes: Vec<u8> = (0..3_000_000).map(|n| (n % 239) as u8).collect();
    assert!(echo_once(&server, &client, &bytes) == bytes);
    assert_eq!((server.frames_lost(), client.frames_lost()), (0, 0), "{capabilities:?}");
    assert!(server.flush_trace(LONG) && client.flush_trace(LONG));
    assert!(seen.load(Ordering::Relaxed) > 100, "the events were seen at all");
    sent_again.load(Ordering::Relaxed)
}

#[test]
fn many_hosts_all_at_once() {
    const HOSTS: usize = 12;
    let lan = Lan::builder().seed(3).build().unwrap();
    let hosts: Vec<Host> =
        (0..HOSTS).map(|n| host(&lan, &format!("host{n}"), &format!("10.0.0.{}/24", n + 1))).collect();
    thread::scope(|scope| {
        for n in 0..HOSTS {
            let (server, client) = (&hosts[n], &hosts[(n + 1) % HOSTS]);
            scope.spawn(move || {
                let bytes = vec![n as u8; 300_000];
                assert!(echo_once(server, client, &bytes) == bytes);
            });
        }
    });
}

#[test]
fn groups_are_heard_while_they_are_joined() {
    let lan = Lan::builder().seed(3).build().unwrap();
    let build = |name: &str, v4: &str, v6: &str| {
        lan.host(name).address(v4.parse().unwrap()).address(v6.parse().unwrap()).build().unwrap()
    };
    let sender = build("sender", "10.0.0.2/24", "fd00::2/64");
    let hearer = build("hearer", "10.0.0.3/24", "fd00::3/64");
    let (v4, v6) = ("239.1.2.3".parse().unwrap(), "ff02::1234".parse().unwrap());
    let short = Some(Duration::from_millis(100));
    let mut buffer = [0; 10];

    let socket = UdpSocket::bind(&hearer, "0.0.0.0:5000").unwrap();
    let speaker = UdpSocket::bind(&sender, "10.0.0.2:0").unwrap();
    let mut says = |text: &[u8], to: &str, speaker: &UdpSocket, socket: &UdpSocket| {
        speaker.send_to(text, to).unwrap();
        socket.set_read_timeout(short).unwrap();
        socket.recv_from(&mut buffer).map(|(length, _)| length)
    };
    assert_eq!(says(b"1", "239.1.2.3:5000", &speaker, &socket).unwrap_err().kind(), ErrorKind::WouldBlock);
    socket.join_multicast_v4(&v4, &"0.0.0.0".parse().unwrap()).unwrap();
    assert_eq!(says(b"22", "239.1.2.3:5000", &speaker, &socket).unwrap(), 2);
    let again = socket.join_multicast_v4(&v4, &"10.0.0.3".parse().unwrap()).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AddrInUse);
    let nowhere = socket.join_multicast_v4(&v4, &"10.9.9.9".parse().unwrap()).unwrap_err();
    assert_eq!(nowhere.raw_os_error(), Some(rustix::io::Errno::NODEV.raw_os_error()));
    let no_group = socket.join_multicast_v4(&"10.0.0.9".parse().unwrap(), &"0.0.0.0".parse().unwrap());
    assert_eq!(no_group.unwrap_err().kind(), ErrorKind::InvalidInput);
    socket.leave_multicast_v4(&v4, &"10.0.0.3".parse().unwrap()).unwrap();
    assert_eq!(says(b"3", "239.1.2.3:5000", &speaker, &socket).unwrap_err().kind(), ErrorKind::WouldBlock);
    let gone = socket.leave_multicast_v4(&v4, &"10.0.0.3".parse().unwrap()).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::AddrNotAvailable);

    let socket = UdpSocket::bind(&hearer, "[::]:5001").unwrap();
    let other = UdpSocket::bind(&hearer, "[::]:5002").unwrap();
    let speaker = UdpSocket::bind(&sender, "[fd00::2]:0").unwrap();
    assert_eq!(says(b"1", "[ff02::1234]:5001", &speaker, &socket).unwrap_err().kind(), ErrorKind::WouldBlock);
    socket.join_multicast_v6(&v6, 1).unwrap();
    other.join_multicast_v6(&v6, 0).unwrap();
    assert_eq!(says(b"22", "[ff02::1234]:5001", &speaker, &socket).unwrap(), 2);
    // A membership ends with its socket, and only that one.
    drop(socket);
    assert_eq!(says(b"333", "[ff02::1234]:5002", &speaker, &other).unwrap(), 3);
    other.leave_multicast_v6(&v6, 1).unwrap();
    assert_eq!(says(b"4", "[ff02::1234]:5002", &speaker, &other).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let lan = Lan::builder().seed(3).build().unwrap();
    let first = host(&lan, "first", "10.0.0.2/24");
    let build =
        |name: &str, address: &str| lan.host(name).address(address.parse().unwrap()).build().unwrap_err();
    assert!(matches!(build("first", "10.0.0.3/24"), BuildError::Plug(PlugError::NameTaken(_))));
    let taken = build("second", "10.0.0.2/24");
    assert_eq!(taken.to_string(), "the address 10.0.0.2 belongs to host 'first' already");
    assert!(matches!(build("second", "224.0.0.1/24"), BuildError::BadAddress { .. }));
    let outside = lan
        .host("second")
        .address("10.0.0.3/24".parse().unwrap())
        .gateway("10.0.1.1".parse().unwrap())
        .build()
        .unwrap_err();
    assert_eq!(outside.to_string(), "the gateway 10.0.1.1 is in none of the subnets of host 'second'");
    let small = lan.host("second").address("10.0.0.3/24".parse().unwrap()).mtu(20).build().unwrap_err();
    assert!(matches!(small, BuildError::Plug(PlugError::BadMtu(20))));
    assert!(matches!(Host::builder("x").build().unwrap_err(), BuildError::NoInterface(_)));
    let misplaced =
        Host::builder("x").address("10.0.0.3/24".parse().unwrap()).plug(&lan).build().unwrap_err();
    assert!(matches!(misplaced, BuildError::SettingsWithoutInterface(_)));
    // A failed attempt keeps no place, and neither does a host that is gone.
    host(&lan, "second", "10.0.0.3/24");
    drop(first);
    host(&lan, "first", "10.0.0.2/24");
}

#[test]
fn a_close_with_a_linger_time_waits_for_the_peer_nonblocking_or_not() {
    let slow = Conditions { delay: Duration::from_millis(30), ..Conditions::default() };
    let lan = Lan::builder().seed(5).conditions(slow).build().unwrap();
    let (server, client) = (host(&lan, "server", "10.0.0.2/24"), host(&lan, "client", "10.0.0.3/24"));
    let listener = TcpListener::bind(&server, "10.0.0.2:80").unwrap();
    let timed_close = |patience: Option<Duration>, nonblocking, is_cut| {
        let mut near = TcpStream::connect(&client, "10.0.0.2:80").unwrap();
        let (far, _) = listener.accept().unwrap();
        near.set_linger(patience).unwrap();
        near.set_nonblocking(nonblocking).unwrap();
        near.write_all(b"last words").unwrap();
        if is_cut {
            lan.cut("client", Direction::Up, LONG);
        }
        let began = Instant::now();
        drop(near);
        let took = began.elapsed();
        drop(far);
        took
    };
    let round = Duration::from_millis(60);
    assert!(timed_close(None, false, false) < round, "nobody asked to wait");
    for nonblocking in [false, true] {
        let took = timed_close(Some(LONG), nonblocking, false);
        assert!(took >= round && took < LONG, "{took:?}");
    }
    let short = Duration::from_millis(300);
    let took = timed_close(Some(short), false, true);
    assert!(took >= short && took < LONG, "{took:?}");
}

#[test]
fn a_host_does_not_wait_for_a_peer_that_is_gone_to_hear_its_end() {
    let lan = Lan::builder().seed(6).build().unwrap();
    let (server, client) = (host(&lan, "server", "10.0.0.2/24"), host(&lan, "client", "10.0.0.3/24"));
    let listener = TcpListener::bind(&server, "10.0.0.2:80").unwrap();
    let near = TcpStream::connect(&client, "10.0.0.2:80").unwrap();
    let (mut far, _) = listener.accept().unwrap();
    drop(near);
    assert_eq!(far.read(&mut [0; 10]).unwrap(), 0);
    // It has heard nothing of the server's end when it goes.
    client.shutdown(LONG);
    drop(far);
    let began = Instant::now();
    server.shutdown(LONG);
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(500) && took < Duration::from_secs(10), "{took:?}");
}
