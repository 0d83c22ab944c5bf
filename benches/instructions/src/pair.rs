//! Two hosts on one cable that loses nothing and takes no time.

use sockeye_core::link::Medium;
use sockeye_core::network::InterfaceId;
use sockeye_core::socket::{Family, Kind, SocketId};
use sockeye_core::stack::{ChecksumOffload, ChecksumState, Config, Frame, InterfaceConfig, Stack};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::wire::ethernet::MacAddr;

/// The port on which the second host listens.
const PORT: &str = "10.0.0.2:7788";

/// What the two devices do themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offload {
    /// Nothing: frames of the MTU, and their checksums.
    Off,
    /// Checksums, and large segments in one piece, as virtio-net does.
    On,
}

/// Two hosts, their clock, and a frame on its way.
#[derive(Debug)]
pub struct Pair {
    pub hosts: [Stack; 2],
    pub now: Instant,
    pub listener: SocketId,
    interface: InterfaceId,
    checksum: ChecksumState,
    frame: Vec<u8>,
    /// Frames that have crossed the cable.
    pub frames: u64,
    /// Every so manieth frame with more than a header is lost, where there is such a number.
    pub lose_every: Option<u64>,
}

impl Pair {
    /// Both hosts, of which the second listens.
    pub fn new(offload: Offload) -> Pair {
        let host = |number: u8| {
            let config = Config { seed: u64::from(number), half_open_limit: 1 << 21, ..Config::default() };
            let mut stack = Stack::new(config);
            let is_on = offload == Offload::On;
            let interface = InterfaceConfig {
                name: "eth0".to_owned(),
                medium: Medium::Ethernet,
                mac: MacAddr([2, 0, 0, 0, 0, number]),
                mtu: 1500,
                checksum_offload: if is_on { ChecksumOffload::On } else { ChecksumOffload::Off },
                segmentation: is_on.then_some(65_000),
            };
            let id = stack.add_interface(interface).expect("an interface");
            let address = format!("10.0.0.{number}/8").parse().expect("an address");
            stack.add_address(Instant::ZERO, id, address).expect("an address");
            (stack, id)
        };
        let ((near, interface), (mut far, _)) = (host(1), host(2));
        let listener = far.open(Family::V4, Kind::Stream).expect("a socket");
        far.bind(Instant::ZERO, listener, PORT.parse().expect("an address")).expect("bound");
        far.listen(Instant::ZERO, listener, 4096).expect("listening");
        Pair {
            hosts: [near, far],
            now: Instant::ZERO,
            listener,
            interface,
            checksum: if offload == Offload::On { ChecksumState::Partial } else { ChecksumState::Unknown },
            frame: Vec::with_capacity(1 << 16),
            frames: 0,
            lose_every: None,
        }
    }

    /// Carries frames until neither host has another.
    pub fn settle(&mut self) {
        loop {
            let before = self.frames;
            for from in [0, 1] {
                while self.pass(from) {}
                while self.hosts[from].poll_event().is_some() {}
            }
            if self.frames == before {
                return;
            }
        }
    }

    /// Carries one frame of a host.
    fn pass(&mut self, from: usize) -> bool {
        let Some(transmit) = self.hosts[from].poll_transmit(self.now) else { return false };
        self.frame.clear();
        self.frame.extend_from_slice(transmit.headers);
        let headers = self.frame.len();
        for piece in transmit.payload {
            self.frame.extend_from_slice(piece);
        }
        let segment_size = transmit.offload.segment_size;
        self.frames += 1;
        // A frame a microsecond: bursts are spread as a fast cable spreads them.
        self.now += Duration::from_micros(1);
        let is_lost = self.lose_every.is_some_and(|every| self.frames.is_multiple_of(every))
            && self.frame.len() > headers;
        if !is_lost {
            let frame = Frame { bytes: &self.frame, checksum: self.checksum, segment_size };
            self.hosts[1 - from].receive(self.now, self.interface, frame);
        }
        true
    }

    /// Lets time pass, with everything that falls due in it.
    pub fn rest(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.settle();
            let next = self.hosts.iter().filter_map(Stack::poll_timeout).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            for host in &mut self.hosts {
                host.handle_timeout(self.now);
            }
        }
        self.now = self.now.max(until);
    }

    /// Lets time pass to the next thing that falls due.
    pub fn skip(&mut self) {
        self.settle();
        if let Some(next) = self.hosts.iter().filter_map(Stack::poll_timeout).min() {
            self.rest(next.since(self.now));
        }
    }

    /// A connection, by its two sockets.
    pub fn connect(&mut self) -> [SocketId; 2] {
        let near = self.hosts[0].open(Family::V4, Kind::Stream).expect("a socket");
        // Not yet: it is on its way.
        let _ = self.hosts[0].connect(self.now, near, PORT.parse().expect("an address"));
        self.settle();
        let (far, _) = self.hosts[1].accept(self.now, self.listener).expect("a connection");
        [near, far]
    }

    /// Closes both sockets.
    pub fn close(&mut self, [near, far]: [SocketId; 2]) {
        self.hosts[0].close(self.now, near).expect("open");
        self.settle();
        self.hosts[1].close(self.now, far).expect("open");
        self.settle();
    }

    /// One byte there and one back.
    pub fn round_trip(&mut self, [near, far]: [SocketId; 2]) {
        let mut byte = [0];
        self.hosts[0].write(self.now, near, b"?").expect("room");
        self.settle();
        self.hosts[1].read(self.now, far, &mut byte).expect("a byte");
        self.hosts[1].write(self.now, far, b"!").expect("room");
        self.settle();
        self.hosts[0].read(self.now, near, &mut byte).expect("a byte");
    }

    /// Carries so many bytes from the first host to the second.
    pub fn transfer(&mut self, [near, far]: [SocketId; 2], bytes: usize, buffer: &mut [u8]) {
        let (mut sent, mut received) = (0, 0);
        let chunk = vec![0x5a; 65_536];
        while received < bytes {
            let before = self.frames;
            while sent < bytes {
                let piece = &chunk[..chunk.len().min(bytes - sent)];
                match self.hosts[0].write(self.now, near, piece) {
                    Ok(taken) => sent += taken,
                    Err(_) => break,
                }
            }
            self.settle();
            while let Ok(taken) = self.hosts[1].read(self.now, far, buffer) {
                received += taken;
            }
            self.settle();
            if self.frames == before {
                self.skip();
            }
        }
    }
}
