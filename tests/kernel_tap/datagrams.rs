//! UDP and pings.

use crate::ends::{Family, LONG, Side, World};
use sockeye::{PingSocket, UdpSocket};
use std::io::ErrorKind;
use std::process::Command;

/// The kernel's `ping` asks us, and we ask the kernel, with 20,000 bytes.
pub(crate) fn pings(world: &World) {
    for family in Family::BOTH {
        for size in [56, 1472, 20_000] {
            let ours = World::address(Side::Ours, family).to_string();
            let output = Command::new("ping")
                .args(["-c", "3", "-i", "0.2", "-W", "10", "-s", &size.to_string(), &ours])
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && text.contains(" 0% packet loss"), "{text}");

            let socket = PingSocket::new(&world.host, World::address(Side::Kernel, family)).unwrap();
            socket.set_read_timeout(Some(LONG)).unwrap();
            for sequence in 1..=3 {
                let data: Vec<u8> = (0..size).map(|n| (n % 249) as u8).collect();
                socket.send(sequence, &data).unwrap();
                let mut buffer = vec![0; 65_536];
                let reply = socket.receive(&mut buffer).unwrap();
                assert_eq!((reply.sequence, reply.length), (sequence, size));
                assert!(buffer[..size] == data[..]);
            }
        }
    }
}

/// Datagrams far larger than the MTU, both ways.
pub(crate) fn large(world: &World) {
    for family in Family::BOTH {
        let ours = UdpSocket::bind(&world.host, (World::address(Side::Ours, family), 0)).unwrap();
        let kernel = std::net::UdpSocket::bind((World::address(Side::Kernel, family), 0)).unwrap();
        ours.set_read_timeout(Some(LONG)).unwrap();
        kernel.set_read_timeout(Some(LONG)).unwrap();
        for size in [1, 1472, 1473, 9000, 60_000] {
            let sent: Vec<u8> = (0..size).map(|n| (n % 247) as u8).collect();
            let mut buffer = vec![0; 65_536];
            kernel.send_to(&sent, ours.local_addr().unwrap()).unwrap();
            let (length, source) = ours.recv_from(&mut buffer).unwrap();
            assert_eq!((length, source), (size, kernel.local_addr().unwrap()));
            assert!(buffer[..length] == sent[..]);
            ours.send_to(&sent, source).unwrap();
            let (length, source) = kernel.recv_from(&mut buffer).unwrap();
            assert_eq!((length, source), (size, ours.local_addr().unwrap()));
            assert!(buffer[..length] == sent[..]);
        }
    }
}

/// A connected socket learns that nobody listens.
pub(crate) fn closed_port(world: &World) {
    for family in Family::BOTH {
        let at = |side| (World::address(side, family), 0);
        let closed = std::net::UdpSocket::bind(at(Side::Kernel)).unwrap().local_addr().unwrap();
        let ours = UdpSocket::bind(&world.host, at(Side::Ours)).unwrap();
        ours.connect(closed).unwrap();
        ours.set_read_timeout(Some(LONG)).unwrap();
        ours.send(b"anybody?").unwrap();
        assert_eq!(ours.recv(&mut [0; 10]).unwrap_err().kind(), ErrorKind::ConnectionRefused, "{family:?}");

        let closed = UdpSocket::bind(&world.host, at(Side::Ours)).unwrap().local_addr().unwrap();
        let kernel = std::net::UdpSocket::bind(at(Side::Kernel)).unwrap();
        kernel.connect(closed).unwrap();
        kernel.set_read_timeout(Some(LONG)).unwrap();
        kernel.send(b"anybody?").unwrap();
        assert_eq!(kernel.recv(&mut [0; 10]).unwrap_err().kind(), ErrorKind::ConnectionRefused, "{family:?}");
    }
}
