//! A host of ours at an end of the cable, with the programs that send and read.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::VecDeque;

use super::world::End;
use crate::error::Error;
use crate::link::Medium;
use crate::network::InterfaceId;
use crate::socket::{Family, Kind, SocketId, SocketOption};
use crate::stack::{ChecksumOffload, Config, Frame, InterfaceConfig, Stack};
use crate::time::Instant;
use crate::transport::tcp::TcpInfo;
use crate::wire::ethernet::MacAddr;
use crate::wire::ip::Cidr;
use crate::wire::tcp::SeqNumber;

/// The address of the end that sends.
pub const SENDER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The address of the end that receives.
pub const RECEIVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// The address of a second host at the sending end, where two share the wire.
pub const SECOND_SENDER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);
/// The port that the receiver listens at.
pub const PORT: u16 = 9;

/// A connection that a [`GridHost`] opens to [`RECEIVER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowPlan {
    /// When it is opened.
    pub at: Instant,
    /// How much it sends before it closes; without it there is no end.
    pub bytes: Option<u64>,
}

#[derive(Debug)]
struct Sending {
    plan: FlowPlan,
    socket: Option<SocketId>,
    written: u64,
    is_closed: bool,
    /// Time-outs in a row when it was last looked.
    timeouts: u32,
}

/// A host whose programs send what their plans say, or read and forget.
#[derive(Debug)]
pub struct GridHost {
    stack: Stack,
    interface: InterfaceId,
    sending: Vec<Sending>,
    listener: Option<SocketId>,
    reading: Vec<SocketId>,
    expired: VecDeque<(u16, SeqNumber)>,
    buffer: Vec<u8>,
}

impl GridHost {
    const CHUNK: usize = 64 << 10;

    /// A host that opens connections to [`RECEIVER`] and sends.
    ///
    /// # Errors
    /// As [`Stack::add_interface`] and [`Stack::add_address`].
    pub fn sender(
        config: Config,
        address: Ipv4Addr,
        flows: impl IntoIterator<Item = FlowPlan>,
    ) -> Result<GridHost, Error> {
        let sending = flows.into_iter().map(|plan| Sending {
            plan,
            socket: None,
            written: 0,
            is_closed: false,
            timeouts: 0,
        });
        Ok(GridHost { sending: sending.collect(), ..GridHost::new(config, address)? })
    }

    /// A host that listens, and reads whatever comes.
    ///
    /// # Errors
    /// As [`GridHost::sender`], and as [`Stack::listen`].
    pub fn receiver(config: Config) -> Result<GridHost, Error> {
        let mut host = GridHost::new(config, RECEIVER)?;
        let listener = host.stack.open(Family::V4, Kind::Stream)?;
        host.stack.bind(Instant::ZERO, listener, SocketAddr::from((RECEIVER, PORT)))?;
        host.stack.listen(Instant::ZERO, listener, 4096)?;
        host.listener = Some(listener);
        Ok(host)
    }

    fn new(config: Config, address: Ipv4Addr) -> Result<GridHost, Error> {
        let mut stack = Stack::new(config);
        let [.., last] = address.octets();
        let interface = stack.add_interface(InterfaceConfig {
            name: "grid".to_owned(),
            medium: Medium::Ethernet,
            mac: MacAddr([2, 0, 0, 0, 77, last]),
            mtu: 1500,
            checksum_offload: ChecksumOffload::Off,
            segmentation: None,
        })?;
        let cidr = Cidr::new(IpAddr::V4(address), 24).map_err(|_| Error::InvalidArgument)?;
        stack.add_address(Instant::ZERO, interface, cidr)?;
        Ok(GridHost {
            stack,
            interface,
            sending: Vec::new(),
            listener: None,
            reading: Vec::new(),
            expired: VecDeque::new(),
            buffer: vec![0; GridHost::CHUNK],
        })
    }

    /// What is known about each flow this host sends, by its port.
    pub fn tcp_infos(&self) -> impl Iterator<Item = (u16, TcpInfo)> {
        self.sending.iter().filter_map(|flow| {
            let socket = flow.socket?;
            Some((self.stack.local_address(socket).ok()?.port(), self.stack.tcp_info(socket).ok()?))
        })
    }

    /// Opens what is to be opened by now.
    fn open(&mut self, now: Instant) {
        for flow in self.sending.iter_mut().filter(|flow| flow.socket.is_none() && flow.plan.at <= now) {
            // A host of the grid has room for all its sockets.
            let Ok(socket) = self.stack.open(Family::V4, Kind::Stream) else { continue };
            flow.socket = Some(socket);
            // Nagle's algorithm holds no full segment back, and a program that wants its last bytes out says so.
            self.stack.set_option(now, socket, SocketOption::NoDelay(true)).ok();
            match self.stack.connect(now, socket, SocketAddr::from((RECEIVER, PORT))) {
                Ok(()) | Err(Error::InProgress) => {}
                Err(_) => flow.is_closed = true,
            }
        }
    }

    /// Looks which retransmission timers have expired.
    fn look_for_timeouts(&mut self) {
        for flow in &mut self.sending {
            let Some(socket) = flow.socket else { continue };
            let Ok(info) = self.stack.tcp_info(socket) else { continue };
            if info.retransmits > flow.timeouts
                && let Ok(local) = self.stack.local_address(socket)
            {
                self.expired.push_back((local.port(), info.snd_una));
            }
            flow.timeouts = info.retransmits;
        }
    }

    fn run_programs(&mut self, now: Instant) {
        while let Some(event) = self.stack.poll_event() {
            if Some(event.socket) == self.listener {
                while let Ok((socket, _)) = self.stack.accept(now, event.socket) {
                    self.reading.push(socket);
                    self.read(now, socket);
                }
            } else if self.listener.is_some() {
                self.read(now, event.socket);
            } else {
                self.write(now, event.socket);
            }
        }
    }

    fn read(&mut self, now: Instant, socket: SocketId) {
        loop {
            match self.stack.read(now, socket, &mut self.buffer) {
                Ok(1..) => {}
                Err(Error::WouldBlock) => return,
                Ok(0) | Err(_) => {
                    // The end, or a reset: there is nothing more to do about it here.
                    self.stack.close(now, socket).ok();
                    self.reading.retain(|held| *held != socket);
                    return;
                }
            }
        }
    }

    fn write(&mut self, now: Instant, socket: SocketId) {
        let Some(flow) = self.sending.iter_mut().find(|flow| flow.socket == Some(socket)) else { return };
        while !flow.is_closed {
            let rest = flow.plan.bytes.map_or(u64::MAX, |bytes| bytes - flow.written);
            if rest == 0 {
                self.stack.close(now, socket).ok();
                flow.is_closed = true;
                return;
            }
            let chunk = self.buffer.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
            match self.stack.write(now, socket, &self.buffer[..chunk]) {
                Ok(written) => flow.written += written as u64,
                Err(Error::WouldBlock) => return,
                Err(_) => {
                    self.stack.close(now, socket).ok();
                    flow.is_closed = true;
                }
            }
        }
    }
}

impl End for GridHost {
    fn receive(&mut self, now: Instant, frame: &[u8]) {
        self.stack.receive(now, self.interface, Frame::new(frame));
        self.run_programs(now);
    }

    fn wake(&mut self, now: Instant) {
        if self.stack.poll_timeout().is_some_and(|at| at <= now) {
            self.stack.handle_timeout(now);
            self.look_for_timeouts();
        }
        self.open(now);
        self.run_programs(now);
    }

    fn poll_transmit(&mut self, now: Instant, frame: &mut Vec<u8>) -> bool {
        let Some(transmit) = self.stack.poll_transmit(now) else { return false };
        for part in [transmit.headers, transmit.payload[0], transmit.payload[1]] {
            frame.extend_from_slice(part);
        }
        true
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let opens = self.sending.iter().filter(|flow| flow.socket.is_none()).map(|flow| flow.plan.at);
        opens.chain(self.stack.poll_timeout()).min()
    }

    fn poll_expired(&mut self) -> Option<(u16, SeqNumber)> {
        self.expired.pop_front()
    }
}
