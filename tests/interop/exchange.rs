//! One connection over which both ends send at once.

use crate::namespace::INTERFACE;
use sockeye::sockeye_device::{Offloads, Tap};
use sockeye::{Host, TcpInfo};
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::thread;
use std::time::Duration;

/// Longer than anything takes that works.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Whose socket listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Ours,
    Kernel,
}

/// The addresses of a family: the kernel's and ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) kernel: IpAddr,
    pub(crate) ours: IpAddr,
}

/// Of both families.
pub(crate) fn addresses() -> [Addresses; 2] {
    [("10.77.0.1", "10.77.0.2"), ("fd77::1", "fd77::2")].map(|(kernel, ours)| Addresses {
        kernel: kernel.parse().expect("an address"),
        ours: ours.parse().expect("an address"),
    })
}

/// Bytes that do not repeat (xorshift64), different for each direction.
fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ seed;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_ne_bytes()
    });
    words.flatten().take(length).collect()
}

/// Sends `outgoing` while it reads to the end; says what came.
fn both<S: Read + Write + Send>(
    mut reader: S,
    mut writer: S,
    finish: impl FnOnce(&S) + Send,
    outgoing: &[u8],
) -> Vec<u8> {
    thread::scope(|scope| {
        scope.spawn(move || {
            writer.write_all(outgoing).expect("writing");
            finish(&writer);
        });
        let mut incoming = Vec::new();
        reader.read_to_end(&mut incoming).expect("reading");
        incoming
    })
}

/// What is known of a connection afterwards.
pub(crate) struct Exchange {
    /// What our end knew of it while it was open.
    pub(crate) info: TcpInfo,
    pub(crate) ours: SocketAddr,
    pub(crate) kernel: SocketAddr,
}

/// `length` bytes each way at the same time.
pub(crate) fn exchange(host: &Host, server: Server, addresses: Addresses, length: usize) -> Exchange {
    let (ours, kernel) = match server {
        Server::Ours => {
            let listener = sockeye::TcpListener::bind(host, (addresses.ours, 0)).expect("our listener");
            let address = listener.local_addr().expect("our address");
            let client =
                thread::spawn(move || std::net::TcpStream::connect(address).expect("the kernel connects"));
            let (ours, _) = listener.accept().expect("we accept");
            (ours, client.join().expect("the kernel's client"))
        }
        Server::Kernel => {
            let listener = std::net::TcpListener::bind((addresses.kernel, 0)).expect("the kernel's listener");
            let address = listener.local_addr().expect("its address");
            let ours = sockeye::TcpStream::connect(host, address).expect("we connect");
            (ours, listener.accept().expect("the kernel accepts").0)
        }
    };
    ours.set_read_timeout(Some(LONG)).expect("a time-out");
    kernel.set_read_timeout(Some(LONG)).expect("a time-out");
    let known = (ours.local_addr().expect("our address"), ours.peer_addr().expect("the kernel's address"));
    let (up, down) = (bytes(length, 1), bytes(length, 2));
    let info = thread::scope(|scope| {
        let theirs = scope.spawn(|| {
            let reader = kernel.try_clone().expect("a clone");
            both(reader, kernel, |stream| stream.shutdown(Shutdown::Write).expect("a FIN"), &down)
        });
        let writer = ours.try_clone().expect("a clone");
        let reader = ours.try_clone().expect("a clone");
        let came = both(reader, writer, |stream| stream.shutdown(Shutdown::Write).expect("a FIN"), &up);
        assert!(came == down, "{} bytes of {length} came to us, or others", came.len());
        let went = theirs.join().expect("the kernel's end");
        assert!(went == up, "{} bytes of {length} came to the kernel, or others", went.len());
        ours.tcp_info().expect("what is known")
    });
    Exchange { info, ours: known.0, kernel: known.1 }
}

/// Waits until packets pass: the kernel takes up to a second to notice that somebody holds the TAP interface again, and
/// a SYN that is lost meanwhile is sent again without ECN.
pub(crate) fn settle(host: &Host) {
    for addresses in addresses() {
        exchange(host, Server::Kernel, addresses, 1);
    }
}

/// The TAP interface, once the host before has let it go.
pub(crate) fn tap(offloads: Offloads) -> Tap {
    let patience = std::time::Instant::now() + LONG;
    loop {
        match Tap::open(INTERFACE, offloads) {
            Ok(tap) => return tap,
            Err(error) if std::time::Instant::now() > patience => panic!("the TAP interface: {error}"),
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
}
