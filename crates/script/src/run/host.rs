//! The host under test: one stack on one point-to-point interface, under a virtual clock.

use std::collections::VecDeque;

use sockeye_core::link::Medium;
use sockeye_core::network::{InterfaceId, Route};
use sockeye_core::socket::SocketId;
use sockeye_core::stack::{ChecksumOffload, Config, Frame, InterfaceConfig, Stack};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::wire::Cidr;
use sockeye_core::wire::ethernet::MacAddr;

use super::failure::Failure;
use super::options::Options;

/// When scripts begin: late enough that nothing before the beginning is before the origin of time.
pub const START: Instant = Instant::from_secs(1000);
/// How many frames may be sent at one instant before they are held to chase each other.
const LIVELOCK: usize = 100_000;
/// The seed of all that is random in the stack.
const SEED: u64 = 0x50C_0E7E;

/// A packet the stack has sent, not looked at yet.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When.
    pub at: Instant,
    /// The whole IP packet.
    pub bytes: Vec<u8>,
}

/// What becomes of packets that leave the stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outlet {
    /// They are on the wire.
    #[default]
    Open,
    /// The queue in front of the wire takes none.
    Shut,
}

/// The host under test.
#[derive(Debug)]
pub struct Host {
    /// The stack.
    pub stack: Stack,
    /// The interface that leads to the script.
    pub interface: InterfaceId,
    /// Whether what it sends gets anywhere.
    pub outlet: Outlet,
    now: Instant,
    sent: VecDeque<Sent>,
    events: Vec<SocketId>,
}

impl Host {
    /// A host as a script wants it.
    ///
    /// # Errors
    /// An MTU or an address that no host can have.
    pub fn new(options: &Options, config: Config) -> Result<Host, Failure> {
        let refused = |error: sockeye_core::error::Error| {
            Failure::script(0, format!("cannot set up the host: {error}"))
        };
        let mut stack = Stack::new(Config { seed: SEED, ..config });
        let interface = stack
            .add_interface(InterfaceConfig {
                name: "tun0".to_owned(),
                medium: Medium::Ip,
                mac: MacAddr([0; 6]),
                mtu: options.mtu,
                checksum_offload: ChecksumOffload::Off,
                segmentation: options.segmentation,
            })
            .map_err(refused)?;
        let v6 = options.local.is_ipv6();
        let cidr = |address, prefix| {
            Cidr::new(address, prefix).map_err(|error| Failure::script(0, format!("{address}: {error:?}")))
        };
        if !options.any_ip {
            let local = cidr(options.local, if v6 { 48 } else { 16 })?;
            stack.add_address(START, interface, local).map_err(refused)?;
        }
        let destination = cidr(options.remote, if v6 { 128 } else { 32 })?;
        let route = Route { destination, gateway: None, interface, metric: 0 };
        stack.add_route(route).map_err(refused)?;
        Ok(Host {
            stack,
            interface,
            outlet: Outlet::Open,
            now: START,
            sent: VecDeque::new(),
            events: Vec::new(),
        })
    }

    /// What sockets opened from now on begin with.
    pub fn set_defaults(&mut self, config: &Config) {
        self.stack.set_tcp_defaults(config.tcp.clone());
        self.stack.set_fast_open(config.fast_open);
        self.stack.set_fast_open_pause(config.fast_open_pause);
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The time since the start of the script.
    pub fn elapsed(&self) -> Duration {
        self.now - START
    }

    /// When something happens in the stack by itself next.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.stack.poll_timeout()
    }

    /// Lets the stack do all that it does now without time going by.
    ///
    /// # Errors
    /// It does not end.
    pub fn settle(&mut self) -> Result<(), Failure> {
        for _ in 0..LIVELOCK {
            let due = self.stack.poll_timeout().is_some_and(|at| at <= self.now);
            if due {
                self.stack.handle_timeout(self.now);
            }
            let mut sent = false;
            while self.outlet == Outlet::Open
                && let Some(transmit) = self.stack.poll_transmit(self.now)
            {
                sent = true;
                if transmit.interface == self.interface {
                    self.sent.push_back(Sent { at: self.now, bytes: transmit.to_vec() });
                }
                if self.sent.len() > LIVELOCK {
                    return Err(Failure::mismatch(0, "the stack sends without end"));
                }
            }
            while let Some(event) = self.stack.poll_event() {
                self.events.push(event.socket);
            }
            if !sent && self.stack.poll_timeout().is_none_or(|at| at > self.now) {
                return Ok(());
            }
        }
        Err(Failure::mismatch(0, "a deadline of the stack that has passed stays"))
    }

    /// Moves the clock to `at`, which is not later than [`Host::next_timeout`], and lets happen what is due then.
    ///
    /// # Errors
    /// As [`Host::settle`].
    pub fn step_to(&mut self, at: Instant) -> Result<(), Failure> {
        self.now = self.now.max(at);
        self.settle()
    }

    /// Hands the stack a packet.
    ///
    /// # Errors
    /// As [`Host::settle`].
    pub fn receive(&mut self, packet: &[u8], segment_size: Option<u16>) -> Result<(), Failure> {
        let frame = Frame { segment_size, ..Frame::new(packet) };
        self.stack.receive(self.now, self.interface, frame);
        self.settle()
    }

    /// The packet that left first of those nobody has looked at.
    pub fn next_sent(&mut self) -> Option<Sent> {
        self.sent.pop_front()
    }

    /// The sockets that have had news since this was last asked.
    pub fn take_events(&mut self) -> Vec<SocketId> {
        core::mem::take(&mut self.events)
    }
}
