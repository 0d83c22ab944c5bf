//! Transfers between our stack and others': lwIP, smoltcp, and gVisor's netstack. `./run` builds them and starts this.

mod programs;
#[allow(dead_code, reason = "the tests with the kernel look at more of it")]
#[path = "../wire.rs"]
mod wire;

use programs::{LONG, Peer, Stack, Task};
use sockeye::sockeye_device::{Device, Medium, StreamSocket};
use sockeye::{Conditions, Host, HostBuilder, Lan, TcpListener, TcpStream};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use wire::{Seen, Wire};

const PORT: u16 = 7000;
const MTU: usize = 1500;

/// Whose socket listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Ours,
    Peer,
}

/// Peer's address and ours, of each family.
fn addresses() -> [(IpAddr, IpAddr); 2] {
    [("10.78.0.2", "10.78.0.1"), ("fd78::2", "fd78::1")]
        .map(|(peer, ours)| (peer.parse().expect("an address"), ours.parse().expect("an address")))
}

/// What is between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    Nothing,
    BadCable,
}

/// A peer, our host beside it, and what passes between them.
struct World {
    host: Host,
    wire: Wire,
    _lan: Option<Lan>,
    theirs: Option<UnixStream>,
}

impl World {
    fn open(between: Between) -> World {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        let wire = Wire::default();
        let device: Box<dyn Device> =
            Box::new(wire.watch(StreamSocket::new(ours, Medium::Ethernet, MTU).expect("a device")));
        let addressed = |builder: HostBuilder| {
            let builder = builder.address("10.78.0.1/24".parse().expect("an address"));
            builder.address("fd78::1/64".parse().expect("an address")).build().expect("our host")
        };
        let (host, lan) = match between {
            Between::Nothing => (addressed(Host::builder("ours").device(device)), None),
            Between::BadCable => {
                let conditions = Conditions {
                    loss: "1%".parse().expect("a share"),
                    delay: Duration::from_millis(2),
                    ..Conditions::default()
                };
                let lan = Lan::builder().seed(7).build().expect("a LAN");
                lan.attach("peer", device, None).expect("the peer on our LAN");
                (addressed(lan.host("ours").conditions(conditions)), Some(lan))
            }
        };
        World { host, wire, _lan: lan, theirs: Some(theirs) }
    }

    /// Starts the peer for one connection, and makes it.
    fn join(&mut self, program: &PathBuf, case: &Case, send: Option<usize>) -> (Peer, TcpStream) {
        let frames = self.theirs.take().expect("one peer for each world");
        let (peer, ours) = case.addresses;
        let (role, address) = match case.server {
            Server::Peer => ("serve", peer),
            Server::Ours => ("connect", ours),
        };
        let task = Task { role, send, address, mtu: case.mtu };
        let (peer, stream) = match case.server {
            Server::Peer => {
                let peer = Peer::start(program, task, frames);
                assert_eq!(peer.says(), "ready");
                (peer, TcpStream::connect(&self.host, (address, PORT)).expect("we connect"))
            }
            Server::Ours => {
                let listener = TcpListener::bind(&self.host, (address, PORT)).expect("our listener");
                let peer = Peer::start(program, task, frames);
                (peer, listener.accept().expect("we accept").0)
            }
        };
        stream.set_read_timeout(Some(LONG)).expect("a time-out");
        stream.set_write_timeout(Some(LONG)).expect("a time-out");
        (peer, stream)
    }

    fn seen(&self, stream: &TcpStream) -> Seen {
        self.wire.take(stream.local_addr().expect("our address"), stream.peer_addr().expect("the peer's"))
    }
}

/// How a connection is made.
#[derive(Clone, Copy, Debug)]
struct Case {
    server: Server,
    addresses: (IpAddr, IpAddr),
    mtu: usize,
}

fn cases(mtu: usize) -> impl Iterator<Item = Case> {
    let of = move |addresses| [Server::Ours, Server::Peer].map(|server| Case { server, addresses, mtu });
    addresses().into_iter().flat_map(of)
}

/// Bytes that do not repeat (xorshift64).
fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_ne_bytes()
    });
    words.flatten().take(length).collect()
}

/// What a peer says when it is done.
fn done(data: &[u8]) -> String {
    let hash = data.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    format!("done {} {hash:016x}", data.len())
}

/// `length` bytes go and come back at the same time.
fn echo(program: &PathBuf, case: &Case, between: Between, length: usize) -> Seen {
    let mut world = World::open(between);
    let (peer, mut stream) = world.join(program, case, None);
    let data = bytes(length);
    let back = thread::scope(|scope| {
        let mut writer = stream.try_clone().expect("a clone");
        let data = &data;
        scope.spawn(move || {
            writer.write_all(data).expect("writing");
            writer.shutdown(Shutdown::Write).expect("a FIN");
        });
        let mut back = Vec::new();
        stream.read_to_end(&mut back).expect("reading");
        back
    });
    assert!(back == data, "{case:?}: {} bytes of {length} came back, or others", back.len());
    assert_eq!(peer.says(), done(&data), "{case:?}");
    world.seen(&stream)
}

/// The peer sends and closes its half; what we send after that still arrives.
fn half_close(program: &PathBuf, case: &Case) {
    const LENGTH: usize = 300_000;
    let mut world = World::open(Between::Nothing);
    let (peer, mut stream) = world.join(program, case, Some(LENGTH));
    let mut came = Vec::new();
    stream.read_to_end(&mut came).expect("reading");
    assert!(came.iter().enumerate().all(|(number, byte)| number % 251 == usize::from(*byte)), "{case:?}");
    assert_eq!(came.len(), LENGTH, "{case:?}");
    let data = bytes(LENGTH);
    stream.write_all(&data).expect("writing after the peer's FIN");
    stream.shutdown(Shutdown::Write).expect("a FIN");
    assert_eq!(peer.says(), done(&data), "{case:?}");
}

/// Where nobody listens, both are refused.
fn refused(program: &PathBuf, case: &Case) {
    let mut world = World::open(Between::Nothing);
    match case.server {
        Server::Peer => {
            let (_peer, _stream) = world.join(program, case, None);
            let elsewhere = SocketAddr::new(case.addresses.0, PORT + 1);
            let error = TcpStream::connect(&world.host, elsewhere).expect_err("nobody listens there");
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{case:?}: {error}");
        }
        Server::Ours => {
            let task = Task { role: "connect", send: None, address: case.addresses.1, mtu: case.mtu };
            let peer = Peer::start(program, task, world.theirs.take().expect("one peer"));
            assert_eq!(peer.says(), "refused", "{case:?}");
        }
    }
}

/// No segment of ours is longer than the peer's MSS, and full ones are as long as that lets them be.
fn keeps_to_the_mss(case: &Case, seen: &Seen) {
    let headers = if case.addresses.0.is_ipv4() { 40 } else { 60 };
    let theirs = if case.server == Server::Peer { seen.syn_acks[0] } else { seen.syns[0] };
    let mss = usize::from(theirs.options.mss.expect("an MSS"));
    assert!(mss <= case.mtu - headers, "{case:?}: an MSS of {mss}");
    let ours = seen.longest.iter().find(|(end, _)| end.ip() == case.addresses.1).expect("segments of ours");
    let options = if seen.stamped > 0 { 12 } else { 0 };
    assert_eq!(*ours.1 as usize, mss - options, "{case:?}: the longest segment, of an MSS of {mss}");
}

/// A row of the table in `docs/interop.md`.
fn tell(stack: Stack, case: &Case, seen: &Seen) {
    let (syn, syn_ack) = (seen.syns[0], seen.syn_acks[0]);
    let both = |is_there: bool, is_granted: bool| if is_there && is_granted { "yes" } else { "no" };
    let theirs = if case.server == Server::Peer { syn_ack } else { syn };
    println!(
        "| {stack:?} | {} | {} | {} | {} | {} | {} |",
        if case.addresses.0.is_ipv4() { "v4" } else { "v6" },
        if case.server == Server::Ours { "ours" } else { "peer's" },
        theirs.options.mss.unwrap_or_default(),
        both(syn.options.window_scale.is_some(), syn_ack.options.window_scale.is_some()),
        both(syn.options.sack_permitted, syn_ack.options.sack_permitted),
        both(syn.options.timestamps.is_some(), syn_ack.options.timestamps.is_some()),
    );
}

fn all(stack: Stack) {
    let Some(program) = stack.program() else { return };
    for case in cases(MTU) {
        let seen = echo(&program, &case, Between::Nothing, 2_000_000);
        keeps_to_the_mss(&case, &seen);
        tell(stack, &case, &seen);
        half_close(&program, &case);
        refused(&program, &case);
        echo(&program, &case, Between::BadCable, 200_000);
    }
    for case in cases(1300) {
        keeps_to_the_mss(&case, &echo(&program, &case, Between::Nothing, 100_000));
    }
}

#[test]
fn lwip() {
    all(Stack::Lwip);
}

#[test]
fn smoltcp() {
    all(Stack::Smoltcp);
}

#[test]
fn gvisor() {
    all(Stack::Gvisor);
}
