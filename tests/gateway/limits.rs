//! Nothing is left behind, and nothing breaks where the system has no more to give.
#![cfg(target_os = "linux")]

use crate::apart::in_a_process_of_its_own;
use crate::ends::{LONG, by_gateway, eventually, inside, loopback};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sockeye::{TcpStream, UdpSocket};
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn dropped_in_the_middle_it_leaves_no_thread_and_no_descriptor() {
    in_a_process_of_its_own("limits::dropped_in_the_middle_it_leaves_no_thread_and_no_descriptor", || {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let far = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = by_gateway(server.local_addr().unwrap());
        let inside = inside(loopback());
        inside.gateway.close();
        eventually("the first gateway never ends", || inside.router.snapshot().is_idle());
        let before = (count("/proc/self/task"), count("/proc/self/fd"));
        for _ in 0..20 {
            let gateway = sockeye::Gateway::open(&inside.router, loopback()).unwrap();
            let streams: Vec<_> = (0..10).map(|_| TcpStream::connect(&inside.client, to).unwrap()).collect();
            let mut accepted: Vec<_> = (0..10).map(|_| server.accept().unwrap().0).collect();
            for mut stream in &streams {
                stream.write_all(&[7; 100_000]).unwrap();
            }
            accepted[0].read_exact(&mut [0; 1000]).unwrap();
            let near = UdpSocket::bind(&inside.client, "0.0.0.0:0").unwrap();
            near.send_to(b"x", by_gateway(far.local_addr().unwrap())).unwrap();
            far.recv(&mut [0; 9]).unwrap();
            drop(gateway);
            for mut stream in accepted {
                stream.set_read_timeout(Some(LONG)).unwrap();
                let ended = std::io::copy(&mut stream, &mut std::io::sink()).unwrap_err();
                assert_eq!(ended.kind(), ErrorKind::ConnectionReset);
            }
            drop(streams);
            eventually("the router keeps something", || inside.router.snapshot().is_idle());
            eventually("a thread or descriptor is left", || {
                before == (count("/proc/self/task"), count("/proc/self/fd"))
            });
        }
        eventually("the client keeps something", || inside.client.snapshot().is_idle());
    });
}

#[test]
fn without_descriptors_clients_try_again_until_there_are_some() {
    in_a_process_of_its_own("limits::without_descriptors_clients_try_again_until_there_are_some", || {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let far = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        far.set_read_timeout(Some(LONG)).unwrap();
        let to = by_gateway(server.local_addr().unwrap());
        let inside = inside(loopback());
        let near = UdpSocket::bind(&inside.client, "0.0.0.0:0").unwrap();
        near.connect(by_gateway(far.local_addr().unwrap())).unwrap();
        let limit = getrlimit(Resource::Nofile);
        let exhausted = Rlimit { current: Some(0), maximum: limit.maximum };
        setrlimit(Resource::Nofile, exhausted).unwrap();
        let refused = TcpStream::connect_timeout(&inside.client, &to, Duration::from_millis(300));
        near.send(b"lost").unwrap();
        near.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let silence = near.recv(&mut [0; 9]);
        let waiting = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| TcpStream::connect(&inside.client, to));
            std::thread::sleep(Duration::from_millis(200));
            setrlimit(Resource::Nofile, limit).unwrap();
            waiting.join().unwrap()
        });
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(silence.unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(waiting.is_ok(), "{waiting:?}");
        near.send(b"heard").unwrap();
        assert_eq!(far.recv(&mut [0; 9]).unwrap(), 5);
    });
}
