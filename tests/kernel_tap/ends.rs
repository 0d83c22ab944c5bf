//! The two ends: our host and the kernel, with the same calls.

use crate::namespace::INTERFACE;
use sockeye::sockeye_device::{Device, Offloads, Tap};
use sockeye::{Conditions, Host, Lan};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::time::Duration;

/// Longer than anything takes that works.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Whose socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    Kernel,
}

impl Side {
    pub(crate) const BOTH: [Side; 2] = [Side::Ours, Side::Kernel];

    pub(crate) fn other(self) -> Side {
        match self {
            Side::Ours => Side::Kernel,
            Side::Kernel => Side::Ours,
        }
    }
}

/// Which addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const BOTH: [Family; 2] = [Family::V4, Family::V6];
}

/// A connection of either side.
pub(crate) trait Connection: Read + Write + Send {
    fn end_writing(&self);
    fn reset_on_drop(&self);
    fn another(&self) -> Box<dyn Connection>;
}

impl Connection for std::net::TcpStream {
    fn end_writing(&self) {
        self.shutdown(Shutdown::Write).unwrap();
    }
    fn reset_on_drop(&self) {
        rustix::net::sockopt::set_socket_linger(self, Some(Duration::ZERO)).unwrap();
    }
    fn another(&self) -> Box<dyn Connection> {
        Box::new(self.try_clone().unwrap())
    }
}

impl Connection for sockeye::TcpStream {
    fn end_writing(&self) {
        self.shutdown(Shutdown::Write).unwrap();
    }
    fn reset_on_drop(&self) {
        self.set_linger(Some(Duration::ZERO)).unwrap();
    }
    fn another(&self) -> Box<dyn Connection> {
        Box::new(self.try_clone().unwrap())
    }
}

/// A listener of either side.
pub(crate) enum Listener {
    Ours(sockeye::TcpListener),
    Kernel(std::net::TcpListener),
}

impl Listener {
    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Listener::Ours(listener) => listener.local_addr().unwrap(),
            Listener::Kernel(listener) => listener.local_addr().unwrap(),
        }
    }

    pub(crate) fn accept(&self) -> Box<dyn Connection> {
        match self {
            Listener::Ours(listener) => {
                let (stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(LONG)).unwrap();
                Box::new(stream)
            }
            Listener::Kernel(listener) => {
                let (stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(LONG)).unwrap();
                Box::new(stream)
            }
        }
    }
}

/// Our host, beside the kernel.
pub(crate) struct World {
    pub(crate) host: Host,
}

impl World {
    pub(crate) fn open(offloads: Offloads) -> World {
        World::with(Box::new(Tap::open(INTERFACE, offloads).unwrap()))
    }

    pub(crate) fn with(device: Box<dyn Device>) -> World {
        World { host: Self::addressed(Host::builder("ours").device(device)) }
    }

    /// With a cable of ours before the TAP interface.
    pub(crate) fn behind_a_cable(conditions: Conditions) -> World {
        let lan = Lan::builder().seed(7).build().unwrap();
        let tap = Box::new(Tap::open(INTERFACE, Offloads::Off).unwrap());
        lan.attach("kernel", tap, None).unwrap();
        World { host: Self::addressed(lan.host("ours").conditions(conditions)) }
    }

    fn addressed(builder: sockeye::HostBuilder) -> Host {
        builder
            .address("10.77.0.2/24".parse().unwrap())
            .address("fd77::2/64".parse().unwrap())
            // For those that ask for it: data in the SYN.
            .configure(|config| config.fast_open = sockeye::FastOpen::from_bits(3))
            .build()
            .unwrap()
    }

    pub(crate) fn address(side: Side, family: Family) -> IpAddr {
        match (side, family) {
            (Side::Kernel, Family::V4) => "10.77.0.1",
            (Side::Ours, Family::V4) => "10.77.0.2",
            (Side::Kernel, Family::V6) => "fd77::1",
            (Side::Ours, Family::V6) => "fd77::2",
        }
        .parse()
        .unwrap()
    }

    pub(crate) fn listen(&self, side: Side, family: Family) -> Listener {
        let address = (World::address(side, family), 0);
        match side {
            Side::Ours => Listener::Ours(sockeye::TcpListener::bind(&self.host, address).unwrap()),
            Side::Kernel => Listener::Kernel(std::net::TcpListener::bind(address).unwrap()),
        }
    }

    pub(crate) fn connect(&self, side: Side, to: SocketAddr) -> io::Result<Box<dyn Connection>> {
        match side {
            Side::Ours => {
                let stream = sockeye::TcpStream::connect(&self.host, to)?;
                stream.set_read_timeout(Some(LONG))?;
                Ok(Box::new(stream))
            }
            Side::Kernel => {
                let stream = std::net::TcpStream::connect(to)?;
                stream.set_read_timeout(Some(LONG))?;
                Ok(Box::new(stream))
            }
        }
    }

    /// A connection: the end of `server`, then the other one's.
    pub(crate) fn pair(&self, server: Side, family: Family) -> (Box<dyn Connection>, Box<dyn Connection>) {
        let listener = self.listen(server, family);
        let client = self.connect(server.other(), listener.address()).unwrap();
        (listener.accept(), client)
    }
}

/// A number from the environment, or the default.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")),
        Err(_) => default,
    }
}
