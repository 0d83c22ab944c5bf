//! Devices plugged into a LAN, and pulled out again: nothing of them is left, and none holds up the others.

use sockeye::sockeye_device::{Capabilities, Device, Medium, Offload, Received, StreamSocket, memory_pair};
use sockeye::{Host, Lan, PingSocket, UdpSocket};
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(30);

fn lan(seed: u64) -> Lan {
    Lan::builder().seed(seed).build().unwrap()
}

fn host(lan: &Lan, name: &str, number: u8) -> Host {
    let address = format!("10.0.0.{number}/24").parse().unwrap();
    lan.host(name).address(address).mac(sockeye::MacAddr([2, 0, 0, 0, 1, number])).build().unwrap()
}

fn answers(from: &Host, to: &str) -> bool {
    let socket = PingSocket::new(from, to.parse().unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.send(1, b"there?").unwrap();
    socket.receive(&mut [0; 100]).is_ok()
}

/// What this process holds at the moment: descriptors, and threads.
fn held() -> (usize, usize) {
    let count = |folder: &str| std::fs::read_dir(folder).map_or(0, Iterator::count);
    (count("/proc/self/fd"), count("/proc/self/task"))
}

fn settles_at((descriptors, threads): (usize, usize)) -> bool {
    let start = Instant::now();
    while start.elapsed() < LONG {
        let now = held();
        if now.0 <= descriptors && now.1 <= threads {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// One process for all of it, since it counts what the process holds.
#[test]
fn five_hundred_cables_leave_nothing_behind() {
    let named = lan(1);
    let gateway = host(&named, "gateway", 1);
    let before = held();
    for round in 0..500u64 {
        let (here, there) = UnixStream::pair().unwrap();
        let cable = StreamSocket::new(here, Medium::Ethernet, 1500).unwrap();
        let attachment = named.attach("cable", Box::new(cable), None).unwrap();
        if round % 10 == 0 {
            // A whole network comes and goes.
            let private = lan(round);
            let guest = host(&private, "guest", 7);
            let cable = StreamSocket::new(there, Medium::Ethernet, 1500).unwrap();
            private.attach("lan", Box::new(cable), None).unwrap();
            assert!(answers(&guest, "10.0.0.1"), "round {round}");
            guest.shutdown(LONG);
        } else if round % 2 == 0 {
            attachment.unplug();
        } else {
            drop(there);
        }
        assert!(attachment.wait_unplugged(Some(LONG)), "round {round}");
        assert!(!attachment.is_plugged());
    }
    assert!(settles_at(before), "{before:?} and now {:?}", held());
    drop(gateway);

    // A cable that nobody reads at its other end holds the others up for a moment, and no longer.
    let sender = host(&named, "sender", 2);
    let receiver = host(&named, "receiver", 3);
    let (here, _unread) = UnixStream::pair().unwrap();
    let cable = StreamSocket::new(here, Medium::Ethernet, 1500).unwrap();
    let stopped = named.attach("stopped", Box::new(cable), None).unwrap();
    let flood = UdpSocket::bind(&sender, "10.0.0.2:5000").unwrap();
    flood.set_broadcast(true).unwrap();
    let start = Instant::now();
    for _ in 0..10_000 {
        flood.send_to(&[0; 1000], "10.0.0.255:9").unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(answers(&sender, "10.0.0.3") && answers(&receiver, "10.0.0.2"));
    assert!(stopped.is_plugged());
    // The LAN goes, and what is plugged into it.
    drop((flood, sender, receiver, named));
    assert!(stopped.wait_unplugged(Some(LONG)));
}

#[test]
fn a_device_that_is_busy_all_the_time_can_be_unplugged() {
    let lan = lan(1);
    let capabilities = Capabilities::plain(Medium::Ethernet, 1500);
    let (near, mut far) = memory_pair(capabilities, 64).unwrap();
    let attachment = lan.attach("flooder", Box::new(near), None).unwrap();
    let frame = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 9], &[0x88, 0xb5], &[0; 46]].concat();
    let flooding = std::thread::spawn(move || {
        use sockeye::sockeye_device::{Device, Offload};
        let start = Instant::now();
        while start.elapsed() < LONG {
            match far.send(&[std::io::IoSlice::new(&frame)], &Offload::NONE) {
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return true,
                _ => {}
            }
        }
        false
    });
    std::thread::sleep(Duration::from_millis(50));
    attachment.unplug();
    assert!(attachment.wait_unplugged(Some(LONG)));
    assert!(flooding.join().unwrap());
}

/// The near end of somebody who has asked 200 times for 10.0.0.1, and is gone: nothing can be sent there any more.
struct Gone {
    waiting: UnixStream,
    left: usize,
}

impl Device for Gone {
    fn capabilities(&self) -> Capabilities {
        Capabilities::plain(Medium::Ethernet, 1500)
    }

    fn send(&mut self, _: &[IoSlice<'_>], _: &Offload) -> io::Result<()> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        self.left = self.left.checked_sub(1).ok_or(ErrorKind::UnexpectedEof)?;
        // Slowly: the answers to the first are there before the last is taken.
        std::thread::sleep(Duration::from_millis(1));
        let request = [
            &[0xff; 6][..],
            &[2, 0, 0, 0, 1, 9, 8, 6],
            &[0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 1, 9, 10, 0, 0, 9],
            &[0, 0, 0, 0, 0, 0, 10, 0, 0, 1],
        ]
        .concat();
        buffer[..request.len()].copy_from_slice(&request);
        Ok(Received { length: request.len(), ..Received::default() })
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        Some(self.waiting.as_fd())
    }
}

#[test]
fn what_somebody_has_sent_who_is_gone_arrives() {
    let lan = lan(3);
    let _host = host(&lan, "host", 1);
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    lan.observe(move |observation| {
        let is_request =
            observation.frame.get(20..22) == Some(&[0, 1]) && observation.frame[12..14] == [8, 6];
        if &*observation.host == "host" && is_request && observation.frame[6..12] == [2, 0, 0, 0, 1, 9] {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    })
    .unwrap();
    let (waiting, far) = UnixStream::pair().unwrap();
    drop(far);
    let attachment = lan.attach("gone", Box::new(Gone { waiting, left: 200 }), None).unwrap();
    assert!(attachment.wait_unplugged(Some(LONG)));
    assert!(lan.flush_observations(LONG));
    assert_eq!(seen.load(Ordering::Relaxed), 200);
}
