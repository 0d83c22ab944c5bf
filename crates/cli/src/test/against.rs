//! Another stack behind a TAP interface, for `sockeye test --against`: the script's end of the wire in real time.

use std::io::{ErrorKind, IoSlice};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::thread::sleep;
use std::time::{Duration, Instant as Clock};

use sockeye_core::link::{
    Detection, Link, LinkConfig, LinkEvent, LinkReceive, LinkSend, Medium, NextHop, Offload,
};
use sockeye_core::time::Instant;
use sockeye_core::wire::ethernet::MacAddr;
use sockeye_core::wire::icmpv4::Icmpv4;
use sockeye_core::wire::icmpv6::Icmpv6;
use sockeye_core::wire::ipv4::Ipv4Header;
use sockeye_core::wire::ipv6::Ipv6Header;
use sockeye_core::wire::ndp::Ndp;
use sockeye_core::wire::{Cidr, Headers, Protocol};
use sockeye_device::{Device, Offloads, Origin, Tap};
use sockeye_script::run::{Opponent, Options};

use crate::failure::{Code, Failure};

/// How long the wire is left alone when nothing has come: short against the tolerances of scripts.
const NAP: Duration = Duration::from_micros(50);
/// How long the other stack's MAC address is asked for before the script begins.
const INTRODUCTION: Duration = Duration::from_secs(3);

/// How long answers to that may still come.
const SETTLING: Duration = Duration::from_millis(20);

/// The wire to another stack.
pub(super) struct TapOpponent {
    tap: Tap,
    link: Link,
    began: Clock,
    buffer: Vec<u8>,
    /// The addresses that scripts have used on this side.
    own: Vec<IpAddr>,
    /// The other stack's address in the script that is played.
    address: IpAddr,
    /// When the wire was last looked at, and the longest time that it was not.
    looked: Duration,
    absence: Duration,
    /// From which port the next script's first connection comes.
    port: u16,
}

/// Ports of connections, so far apart that no script reaches the next one's.
const PORTS: RangeInclusive<u16> = 10_000..=60_000;
const PORTS_APART: u16 = 50;

impl TapOpponent {
    /// Opens the interface.
    pub(super) fn open(name: &str) -> Result<Self, Failure> {
        let cannot = |text: String| Failure::new(Code::Bind, text);
        let tap = Tap::open(name, Offloads::Off).map_err(|error| cannot(error.to_string()))?;
        if tap.origin() == Origin::Created {
            return Err(cannot(format!("there is no interface {name}, and so no other stack behind it")));
        }
        let capabilities = tap.capabilities();
        let link = Link::new(LinkConfig {
            medium: Medium::Ethernet,
            mac: MacAddr([2, 0, 0, 0, 0x5c, 0x12]),
            mtu: capabilities.mtu,
            seed: 1,
        });
        let buffer = vec![0; capabilities.frame_capacity()];
        let address = Ipv4Addr::UNSPECIFIED.into();
        // The other stack may remember the connections of another run, too.
        let port = PORTS.start() + (std::process::id() % 1000) as u16 * PORTS_APART;
        Ok(TapOpponent {
            tap,
            link,
            began: Clock::now(),
            buffer,
            own: Vec::new(),
            address,
            looked: Duration::ZERO,
            absence: Duration::ZERO,
            port,
        })
    }

    /// The interface's MTU in bytes, which must be that of the script: segments' sizes follow from it.
    pub(super) fn mtu(&self) -> usize {
        self.tap.capabilities().mtu
    }

    /// Where a script's connections come from.
    pub(super) fn next_port(&mut self) -> u16 {
        self.port =
            self.port.checked_add(PORTS_APART).filter(|port| PORTS.contains(port)).unwrap_or(*PORTS.start());
        self.port
    }

    /// Takes the script's address and finds the other stack, so that this takes no time when the script has begun.
    pub(super) fn meet(&mut self, options: &Options) -> Result<(), Failure> {
        self.find(options.remote, options.local).map_err(|text| Failure::new(Code::Refused, text))
    }

    fn find(&mut self, own: IpAddr, address: IpAddr) -> Result<(), String> {
        self.address = address;
        let prefix = if own.is_ipv4() { 32 } else { 128 };
        let cidr = Cidr::new(own, prefix).map_err(|error| format!("{own}: {error:?}"))?;
        if !self.own.contains(&own) {
            let now = self.now();
            self.link.add_address(now, cidr, Detection::Off);
            self.own.push(own);
        }
        let until = self.began.elapsed() + INTRODUCTION;
        self.send(&echo_request(own, address))?;
        while !self.link.neighbors().any(|known| known.address == address && known.mac.is_some()) {
            if self.began.elapsed() >= until {
                return Err(format!(
                    "nobody at {address} answers: the other stack needs that address on the interface, and a route to {own}"
                ));
            }
            self.take()?;
            sleep(NAP);
        }
        // Its answer, and what the script before has left behind, is none of the next one's business.
        let until = self.began.elapsed() + SETTLING;
        while self.began.elapsed() < until {
            self.take()?;
            sleep(NAP);
        }
        Ok(())
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.began.elapsed()
    }

    /// Sends what the link has to say by itself.
    fn flush(&mut self) -> Result<(), String> {
        let now = self.now();
        self.link.handle_timeout(now);
        while let Some(frame) = self.link.poll_transmit(now) {
            self.transmit(&frame.bytes)?;
        }
        while let Some(event) = self.link.poll_event() {
            if let LinkEvent::Unreachable { next_hop, .. } = event {
                return Err(format!("{next_hop:?} does not answer"));
            }
        }
        Ok(())
    }

    fn transmit(&mut self, frame: &[u8]) -> Result<(), String> {
        loop {
            match self.tap.send(&[IoSlice::new(frame)], &sockeye_device::Offload::NONE) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(NAP),
                other => return other.map_err(|error| format!("cannot send: {error}")),
            }
        }
    }

    /// The next frame, if one waits; an IP packet for the script comes back.
    fn take(&mut self) -> Result<Option<Vec<u8>>, String> {
        let looked = self.began.elapsed();
        self.absence = self.absence.max(looked.saturating_sub(self.looked));
        self.looked = looked;
        let now = self.now();
        let length = match self.tap.receive(&mut self.buffer) {
            Ok(received) => received.length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.flush()?;
                return Ok(None);
            }
            Err(error) => return Err(format!("cannot receive: {error}")),
        };
        let frame = self.buffer.get(..length).unwrap_or_default();
        let packet = match self.link.receive(now, frame) {
            LinkReceive::Packet { packet, .. } => packet.to_vec(),
            LinkReceive::Consumed | LinkReceive::Dropped(_) => {
                self.flush()?;
                return Ok(None);
            }
        };
        if let Ok((header, payload)) = Ipv6Header::parse(&packet)
            && header.protocol == Protocol::Icmpv6
            && let Ok(message) = Ndp::parse(payload, &header)
        {
            // Whatever it says about neighbours is no business of the script's.
            let _ = self.link.on_ndp(now, header.source, header.destination, &message);
            self.flush()?;
            return Ok(None);
        }
        Ok(Some(packet))
    }
}

impl Opponent for TapOpponent {
    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), String> {
        let mut headers = Headers::new();
        let hop = NextHop::Unicast(self.address);
        match self.link.send(self.now(), hop, &mut headers, [packet, &[]], &Offload::default()) {
            LinkSend::Ready => {
                let frame = [headers.as_slice(), packet].concat();
                self.transmit(&frame)
            }
            LinkSend::Parked => self.flush(),
            LinkSend::Dropped(reason) => Err(format!("a packet of {} bytes: {reason}", packet.len())),
        }
    }

    fn take_absence(&mut self) -> Duration {
        let now = self.began.elapsed();
        let absence = self.absence.max(now.saturating_sub(self.looked));
        (self.looked, self.absence) = (now, Duration::ZERO);
        absence
    }

    fn receive(&mut self, until: Duration) -> Result<Option<(Duration, Vec<u8>)>, String> {
        loop {
            if let Some(packet) = self.take()? {
                return Ok(Some((self.began.elapsed(), packet)));
            }
            if self.began.elapsed() >= until {
                return Ok(None);
            }
            sleep(NAP);
        }
    }
}

/// A ping, for want of anything less to say.
fn echo_request(source: IpAddr, destination: IpAddr) -> Vec<u8> {
    let mut headers = Headers::new();
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            Icmpv4::EchoRequest { id: 1, seq: 1 }.prepend(&mut headers, &[]);
            let header = Ipv4Header::new(source, destination, Protocol::Icmp);
            Ipv4Header { payload_length: Icmpv4::LEN, ..header }.prepend(&mut headers);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let header = Ipv6Header::new(source, destination, Protocol::Icmpv6);
            let header = Ipv6Header { payload_length: Icmpv6::LEN, ..header };
            Icmpv6::EchoRequest { id: 1, seq: 1 }.prepend(&mut headers, &header.pseudo(), &[]);
            header.prepend(&mut headers);
        }
        // Options have seen to it that both are of one family.
        _ => {}
    }
    headers.as_slice().to_vec()
}
