//! smoltcp as a peer: see `../programs.rs` for what a peer does. Its frames pass over the stream at descriptor 0, each
//! after its length.

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;

const PORT: u16 = 7000;
/// Bytes of each buffer of a socket.
const BUFFER: usize = 256 << 10;
/// Bytes of an Ethernet header.
const ETHERNET: usize = 14;

/// The stream of frames.
struct Frames {
    stream: UnixStream,
    /// What has come, and is not yet handed up.
    ahead: VecDeque<u8>,
    mtu: usize,
}

impl Frames {
    fn fill(&mut self) -> io::Result<()> {
        let mut piece = [0; 65_536];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => std::process::exit(0), // the other side has gone
                Ok(length) => self.ahead.extend(&piece[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        let length = self.ahead.iter().take(4).fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        if self.ahead.len() < 4 + length || self.ahead.len() < 4 {
            return None;
        }
        Some(self.ahead.drain(..4 + length).skip(4).collect())
    }
}

impl Device for Frames {
    type RxToken<'a> = Incoming;
    type TxToken<'a> = Outgoing<'a>;

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = self.mtu + ETHERNET;
        capabilities
    }

    fn receive(&mut self, _now: Instant) -> Option<(Incoming, Outgoing<'_>)> {
        let frame = self.next()?;
        Some((Incoming(frame), Outgoing(&mut self.stream)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Outgoing<'_>> {
        Some(Outgoing(&mut self.stream))
    }
}

struct Incoming(Vec<u8>);

impl phy::RxToken for Incoming {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(&self.0)
    }
}

struct Outgoing<'a>(&'a mut UnixStream);

impl phy::TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, make: F) -> R {
        let mut frame = vec![0; 4 + length];
        let result = make(&mut frame[4..]);
        frame[..4].copy_from_slice(&u32::try_from(length).expect("a frame's length").to_be_bytes());
        let mut rest = &frame[..];
        while !rest.is_empty() {
            match self.0.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(_) => std::process::exit(0),
            }
        }
        result
    }
}

/// What is done with the connection.
#[derive(Debug)]
struct Work {
    /// What comes goes back.
    is_echo: bool,
    /// Bytes still to be sent before that half is closed.
    to_send: usize,
    position: usize,
    received: u64,
    hash: u64,
    /// Received, and not yet sent back.
    back: VecDeque<u8>,
    is_opened: bool,
    is_finished: bool,
}

impl Work {
    fn step(&mut self, socket: &mut tcp::Socket<'_>) {
        if socket.may_send() && !self.is_opened {
            self.is_opened = true;
        }
        if !self.is_opened {
            return;
        }
        // No more than goes back: otherwise a peer that only writes would fill the memory.
        while socket.can_recv() && self.back.len() < BUFFER {
            let piece = socket.recv(|piece| (piece.len(), piece.to_vec())).expect("it can");
            self.received += piece.len() as u64;
            for byte in &piece {
                self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
            }
            if self.is_echo {
                self.back.extend(piece);
            }
        }
        while socket.can_send() && (!self.back.is_empty() || self.to_send > 0) {
            if self.is_echo {
                let sent = socket.send_slice(self.back.make_contiguous()).expect("it can");
                self.back.drain(..sent);
            } else {
                let length = self.to_send.min(4096);
                let piece: Vec<u8> =
                    (self.position..self.position + length).map(|number| (number % 251) as u8).collect();
                let sent = socket.send_slice(&piece).expect("it can");
                self.position += sent;
                self.to_send -= sent;
            }
        }
        let is_at_end = !socket.may_recv() && !socket.can_recv();
        if self.to_send == 0 && self.back.is_empty() && (!self.is_echo || is_at_end) && socket.may_send() {
            socket.close();
        }
        if is_at_end && !socket.may_send() && !self.is_finished {
            self.is_finished = true;
            say(&format!("done {} {:016x}", self.received, self.hash));
        }
    }
}

fn say(line: &str) {
    println!("{line}");
    io::stdout().flush().expect("somebody listens");
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, role, mode, address, mtu] = &arguments[..] else { panic!("ROLE MODE ADDRESS MTU") };
    let stdin = io::stdin().as_fd().try_clone_to_owned().expect("a descriptor");
    let stream = UnixStream::from(stdin);
    stream.set_nonblocking(true).expect("a socket");
    let mut device = Frames { stream, ahead: VecDeque::new(), mtu: mtu.parse().expect("an MTU") };
    let mut config = Config::new(EthernetAddress([2, 0, 0, 0, 0x78, 2]).into());
    config.random_seed = u64::from(std::process::id()) << 20;
    let mut interface = Interface::new(config, &mut device, Instant::now());
    interface.update_ip_addrs(|addresses| {
        addresses.push(IpCidr::new(IpAddress::v4(10, 78, 0, 2), 24)).expect("room");
        addresses.push(IpCidr::new(IpAddress::v6(0xfd78, 0, 0, 0, 0, 0, 0, 2), 64)).expect("room");
    });
    let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    socket.set_tsval_generator(Some(|| {
        u32::try_from(Instant::now().total_millis() & 0xffff_ffff).unwrap_or(0)
    }));
    let mut sockets = SocketSet::new(Vec::new());
    let address: std::net::IpAddr = address.parse().expect("an address");
    let is_server = role == "serve";
    if is_server {
        socket.listen((IpAddress::from(address), PORT)).expect("listening");
        say("ready");
    }
    let handle: SocketHandle = sockets.add(socket);
    if !is_server {
        let local = 49_152 + (std::process::id() % 16_000) as u16;
        let socket = sockets.get_mut::<tcp::Socket<'_>>(handle);
        socket.connect(interface.context(), (IpAddress::from(address), PORT), local).expect("connecting");
    }
    let to_send = mode.strip_prefix("send:").map_or(0, |text| text.parse().expect("a number"));
    let mut work = Work {
        is_echo: mode == "echo",
        to_send,
        position: 0,
        received: 0,
        hash: 0xcbf2_9ce4_8422_2325,
        back: VecDeque::new(),
        is_opened: false,
        is_finished: false,
    };
    let mut is_refused = false;
    loop {
        device.fill().expect("frames");
        interface.poll(Instant::now(), &mut device, &mut sockets);
        let socket = sockets.get_mut::<tcp::Socket<'_>>(handle);
        if !is_server && !work.is_opened && !is_refused && socket.state() == tcp::State::Closed {
            is_refused = true;
            say("refused");
        }
        work.step(socket);
        interface.poll(Instant::now(), &mut device, &mut sockets);
        if device.ahead.is_empty() {
            let most = Duration::from_millis(100);
            let delay = interface.poll_delay(Instant::now(), &sockets).map_or(most, |delay| delay.min(most));
            let descriptor = device.stream.as_raw_fd();
            phy::wait(descriptor, Some(delay)).expect("poll");
        }
    }
}
