//! Programs that are killed in the middle leave nothing. (Alone in its binary: it counts what this process has.)

mod harness;

use harness::{Site, held};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

const TIMES: usize = 500;
const WARM_UP: usize = 150;

/// What a process may grow by: allocators keep some, but less than one buffer of a socket for each program.
const SLACK_KIB: usize = 12 << 10;

/// How programs meet their end.
const MIDDLES: [&str; 5] = ["sending", "receiving", "accepting", "connecting", "waiting_for_a_datagram"];

#[test]
fn nothing_is_left_of_programs_killed_in_the_middle() {
    let site = Site::new();
    let listener = sockeye::TcpListener::bind(&site.other, "10.0.0.3:80").unwrap();
    // One after the other: takes what comes to port 80, and sends without end who asks for that.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = vec![0; 64 << 10];
            let is_asked = matches!(stream.read(&mut bytes), Ok(1..)) && bytes.starts_with(b"more");
            // Until the program is gone, and its end of the connection with it.
            let mut go_on = || if is_asked { stream.write(&bytes) } else { stream.read(&mut bytes) };
            while matches!(go_on(), Ok(1..)) {}
        }
    });
    let mut before = None;
    for n in 0..TIMES {
        if n == WARM_UP {
            before = Some((held(), resident_kib()));
        }
        let middle = MIDDLES[n % MIDDLES.len()];
        let Some(mut running) = site.start("middles.py", &[middle]) else { return };
        assert_eq!(running.line(), "now", "{middle}");
        // Some are killed before the call, some within.
        std::thread::sleep(Duration::from_millis((n % 4) as u64));
        let pid = Pid::from_raw(running.program.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        let start = Instant::now();
        let (status, output) = running.finish();
        assert_eq!((status.code(), output.as_str()), (None, ""), "{middle}: {status}");
        assert!(start.elapsed() < Duration::from_secs(10), "{middle}: {:?}", start.elapsed());
        // What was on its way may have to be acknowledged.
        while !site.host.snapshot().sockets.is_empty() {
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "{middle}: {:?}",
                site.host.snapshot().sockets
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let (had, resident) = before.unwrap();
    assert_eq!(held(), had, "descriptors and threads");
    let grown = resident_kib().saturating_sub(resident);
    println!("{grown} KiB more than after the first {WARM_UP}");
    assert!(grown < SLACK_KIB, "{grown} KiB more than after the first {WARM_UP}");
}

/// The memory of this process.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
