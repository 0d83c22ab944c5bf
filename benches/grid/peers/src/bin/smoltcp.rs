//! smoltcp behind a TAP interface: whoever connects to 10.77.0.2:19 gets data without end.
#![forbid(unsafe_code)]

use std::io::{self, IoSlice};

use clap::{Parser, ValueEnum};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::socket::tcp::{self, CongestionControl};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};
use sockeye_device::{Device, Offload, Offloads, Tap};
use sockeye_grid_peers::{ADDRESS, BUFFER, CHARGEN};

/// Serve chargen by smoltcp.
#[derive(Parser)]
struct Options {
    /// The TAP interface
    #[arg(long)]
    dev: String,
    /// The congestion control; smoltcp's own default is none
    #[arg(long, value_enum, default_value_t = Control::Own)]
    congestion: Control,
    /// How many connections may be open at a time
    #[arg(long, default_value_t = 8)]
    connections: usize,
}

/// The names are those of the grid's pairs.
#[derive(Clone, Copy, ValueEnum)]
enum Control {
    /// What smoltcp does unless it is asked for more: nothing.
    Own,
    Reno,
    Cubic,
}

/// A TAP interface as smoltcp wants its devices.
struct Wire {
    tap: Tap,
    buffer: Vec<u8>,
}

struct Received<'a>(&'a [u8]);

struct Sending<'a>(&'a mut Tap);

impl phy::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, act: F) -> R {
        act(self.0)
    }
}

impl phy::TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, act: F) -> R {
        let mut frame = [0; 1514];
        let frame = &mut frame[..length];
        let result = act(frame);
        // A frame that the interface does not take is lost, as on any wire.
        self.0.send(&[IoSlice::new(frame)], &Offload::NONE).ok();
        result
    }
}

impl phy::Device for Wire {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Received<'_>, Sending<'_>)> {
        let received = self.tap.receive(&mut self.buffer).ok()?;
        Some((Received(self.buffer.get(..received.length)?), Sending(&mut self.tap)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Sending<'_>> {
        Some(Sending(&mut self.tap))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

fn socket(congestion: Control) -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    socket.set_nagle_enabled(false);
    socket.set_congestion_control(match congestion {
        Control::Own => CongestionControl::None,
        Control::Reno => CongestionControl::Reno,
        Control::Cubic => CongestionControl::Cubic,
    });
    socket
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let tap = Tap::open(&options.dev, Offloads::Off).map_err(io::Error::other)?;
    let buffer = vec![0; tap.capabilities().frame_capacity()];
    let mut wire = Wire { tap, buffer };
    let mac = EthernetAddress([2, 0, 0, 0, 78, 2]);
    let mut interface =
        Interface::new(Config::new(HardwareAddress::Ethernet(mac)), &mut wire, Instant::now());
    interface.update_ip_addrs(|addresses| {
        // There is room for one.
        addresses.push(IpCidr::new(ADDRESS.into(), 24)).ok();
    });
    let mut sockets = SocketSet::new(Vec::new());
    let handles: Vec<SocketHandle> =
        (0..options.connections).map(|_| sockets.add(socket(options.congestion))).collect();
    let zeros = vec![0; 64 << 10];
    loop {
        interface.poll(Instant::now(), &mut wire, &mut sockets);
        let mut is_busy = false;
        for handle in &handles {
            let socket = sockets.get_mut::<tcp::Socket<'_>>(*handle);
            if !socket.is_open() {
                socket.listen((ADDRESS, CHARGEN)).map_err(io::Error::other)?;
            }
            while socket.can_send() && matches!(socket.send_slice(&zeros), Ok(1..)) {
                is_busy = true;
            }
            // Whoever closes has heard enough.
            if socket.may_send() && !socket.may_recv() {
                socket.abort();
                is_busy = true;
            }
        }
        if is_busy {
            continue;
        }
        let wait = interface.poll_delay(Instant::now(), &sockets).map(|wait| Timespec {
            tv_sec: wait.secs().cast_signed(),
            tv_nsec: i64::try_from(wait.micros() % 1_000_000 * 1000).unwrap_or(0),
        });
        if let Some(readiness) = wire.tap.readiness() {
            match poll(&mut [PollFd::from_borrowed_fd(readiness, PollFlags::IN)], wait.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
