//! The system calls that set an interface up and ask about it.

use super::Offloads;
use crate::open_error::Mode;
use rustix::io::Errno;
use rustix::ioctl::{IntegerSetter, Opcode, Updater, ioctl, opcode};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::ffi::{c_int, c_uint};
use std::os::fd::{BorrowedFd, OwnedFd};

/// Bytes of an interface name with its closing zero (`IFNAMSIZ`).
pub(super) const NAME_LENGTH: usize = 16;

const TUNSETIFF: Opcode = opcode::write::<c_int>(b'T', 202);
const TUNSETOFFLOAD: Opcode = opcode::write::<c_uint>(b'T', 208);
const SIOCGIFFLAGS: Opcode = 0x8913;
const SIOCSIFFLAGS: Opcode = 0x8914;
const SIOCGIFMTU: Opcode = 0x8921;
const SIOCETHTOOL: Opcode = 0x8946;

const IFF_UP: u16 = 1;
const IFF_TUN: u16 = 0x0001;
const IFF_TAP: u16 = 0x0002;
const IFF_MULTI_QUEUE: u16 = 0x0100;
const IFF_NO_PI: u16 = 0x1000;
const IFF_VNET_HDR: u16 = 0x4000;

const TUN_F_CSUM: usize = 0x01;
const TUN_F_TSO4: usize = 0x02;
const TUN_F_TSO6: usize = 0x04;
const TUN_F_TSO_ECN: usize = 0x08;
const TUN_F_USO: usize = 0x20 | 0x40;

const ETHTOOL_GDRVINFO: u32 = 3;

/// `struct ifreq` with the member of its union that is in use.
#[repr(C)]
struct Request<T> {
    name: [u8; NAME_LENGTH],
    value: T,
}

/// A union member of 24 bytes, the size of the largest, that begins with `flags`.
#[repr(C)]
struct Flags {
    flags: u16,
    rest: [u8; 22],
}

/// A union member of 24 bytes that begins with a number.
#[repr(C)]
struct Number {
    number: c_int,
    rest: [u8; 20],
}

/// A union member of at least 24 bytes that begins with a pointer.
#[repr(C)]
struct Pointer<'a, T> {
    pointer: &'a mut T,
    rest: [u8; 20],
}

/// `struct ethtool_drvinfo`.
#[repr(C)]
struct DriverInfo {
    command: u32,
    driver: [u8; 32],
    version: [u8; 32],
    firmware: [u8; 32],
    bus: [u8; 32],
    rom: [u8; 32],
    reserved: [u8; 12],
    counts: [u32; 5],
}

/// What an interface name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Missing,
    TunTap(Mode),
    Other,
}

/// A socket of no protocol, to ask about one interface.
pub(super) struct Control {
    socket: OwnedFd,
    name: [u8; NAME_LENGTH],
}

impl Control {
    pub(super) fn new(name: &str) -> Result<Self, Errno> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        Ok(Self { socket, name: padded(name) })
    }

    pub(super) fn kind(&self) -> Result<Kind, Errno> {
        let mut info = DriverInfo {
            command: ETHTOOL_GDRVINFO,
            driver: [0; 32],
            version: [0; 32],
            firmware: [0; 32],
            bus: [0; 32],
            rom: [0; 32],
            reserved: [0; 12],
            counts: [0; 5],
        };
        let value = Pointer { pointer: &mut info, rest: [0; 20] };
        match self.update::<SIOCETHTOOL, _>(&mut Request { name: self.name, value }) {
            Ok(()) => {}
            Err(Errno::NODEV) => return Ok(Kind::Missing),
            // No driver to speak of: the loopback and others.
            Err(Errno::OPNOTSUPP) => return Ok(Kind::Other),
            Err(other) => return Err(other),
        }
        Ok(match (text(&info.driver), text(&info.bus)) {
            (b"tun", b"tap") => Kind::TunTap(Mode::Tap),
            (b"tun", b"tun") => Kind::TunTap(Mode::Tun),
            _ => Kind::Other,
        })
    }

    pub(super) fn mtu(&self) -> Result<usize, Errno> {
        let value = Number { number: 0, rest: [0; 20] };
        let mut request = Request { name: self.name, value };
        self.update::<SIOCGIFMTU, _>(&mut request)?;
        Ok(usize::try_from(request.value.number).unwrap_or(0))
    }

    pub(super) fn is_up(&self) -> Result<bool, Errno> {
        Ok(self.flags()?.value.flags & IFF_UP != 0)
    }

    pub(super) fn bring_up(&self) -> Result<(), Errno> {
        let mut request = self.flags()?;
        request.value.flags |= IFF_UP;
        self.update::<SIOCSIFFLAGS, _>(&mut request)
    }

    fn flags(&self) -> Result<Request<Flags>, Errno> {
        let value = Flags { flags: 0, rest: [0; 22] };
        let mut request = Request { name: self.name, value };
        self.update::<SIOCGIFFLAGS, _>(&mut request)?;
        Ok(request)
    }

    fn update<const OPCODE: Opcode, T>(&self, request: &mut Request<T>) -> Result<(), Errno> {
        // SAFETY: every caller's opcode takes a `struct ifreq` and reads and writes no more than its 40 bytes,
        // which `Request` has with each of the union members above; SIOCETHTOOL with ETHTOOL_GDRVINFO also writes
        // one `struct ethtool_drvinfo` through the pointer, which `DriverInfo` has room for and outlives the call.
        unsafe { ioctl(&self.socket, Updater::<OPCODE, Request<T>>::new(request)) }
    }
}

/// Attaches a freshly opened `/dev/net/tun` to the interface `name`, which is created if it is missing.
pub(super) fn attach(queue: BorrowedFd<'_>, name: &str, mode: Mode, offloads: Offloads) -> Result<(), Errno> {
    let kind = match mode {
        Mode::Tap => IFF_TAP,
        Mode::Tun => IFF_TUN,
    };
    let header = match offloads {
        Offloads::On | Offloads::OnWithUdp => IFF_VNET_HDR,
        Offloads::Off => 0,
    };
    let with = |flags| {
        let mut request = Request { name: padded(name), value: Flags { flags, rest: [0; 22] } };
        // SAFETY: TUNSETIFF takes a `struct ifreq`, whose 40 bytes `request` has, and writes the name back into it.
        unsafe { ioctl(queue, Updater::<TUNSETIFF, Request<Flags>>::new(&mut request)) }
    };
    match with(kind | header | IFF_NO_PI) {
        // So it is one of several queues, of which one is enough.
        Err(Errno::INVAL) => with(kind | header | IFF_NO_PI | IFF_MULTI_QUEUE),
        other => other,
    }
}

/// Tells the kernel which offloads it may use towards us. What a former user agreed on is undone by this.
pub(super) fn set_offloads(queue: BorrowedFd<'_>, offloads: Offloads) -> Result<(), Errno> {
    let tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    let set = |features| {
        // SAFETY: TUNSETOFFLOAD takes a number and touches no memory of ours.
        unsafe { ioctl(queue, IntegerSetter::<TUNSETOFFLOAD>::new_usize(features)) }
    };
    match offloads {
        Offloads::Off => set(0),
        Offloads::On => set(tcp),
        // Kernels before 6.2 know nothing of UDP segments.
        Offloads::OnWithUdp => set(tcp | TUN_F_USO).or_else(|_| set(tcp)),
    }
}

/// An interface name as the kernel takes it; one that is too long is cut.
fn padded(name: &str) -> [u8; NAME_LENGTH] {
    let mut padded = [0; NAME_LENGTH];
    for (place, byte) in padded.iter_mut().zip(name.bytes().take(NAME_LENGTH - 1)) {
        *place = byte;
    }
    padded
}

/// What stands before the first zero.
fn text(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

const _: () = {
    assert!(size_of::<Request<Flags>>() == 40);
    assert!(size_of::<Request<Number>>() == 40);
    assert!(size_of::<Request<Pointer<'_, DriverInfo>>>() >= 40);
    assert!(size_of::<DriverInfo>() == 196);
};
