//! `ioctl` requests about interfaces (`netdevice(7)`, `include/uapi/linux/sockios.h`). They are the same on any socket, of
//! whatever family, so they are answered on those of the program, too, that are the kernel's.

use super::{Answer, Outcome};
use crate::address;
use crate::interface::{Interface, QUEUE_LENGTH, View};
use crate::supervisor::Supervisor;
use crate::sys::notification::Notification;
use crate::task::{Descriptor, Memory};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use std::net::{IpAddr, Ipv4Addr};

/// `IFNAMSIZ`, and `sizeof(struct ifreq)` where pointers have 64 bits.
const NAME: usize = 16;
const SIZE: usize = 40;

/// Whether these are the arguments of a request about interfaces, routes or neighbours: all device-independent ones but
/// those about a socket itself (`SIOCOUTQNSD`, `SIOCGSKNS`, and those below `SIOCADDRT`), and all about wireless ones.
pub(super) fn is_request([_, request, ..]: [u64; 6]) -> bool {
    matches!(request as u32, 0x890b..=0x890d | 0x8910..=0x894a | 0x8950..=0x89df | 0x89f0..=0x89ff | 0x8b00..=0x8bff)
}

pub(super) fn ioctl(supervisor: &Supervisor, notification: &Notification, far: &Descriptor) -> Outcome {
    if !fstat(far).is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::Socket) {
        return Ok(Answer::Native);
    }
    let [_, request, at, ..] = notification.arguments;
    let request = request as u32;
    let memory = Memory { thread: notification.thread };
    let view = View::of(&supervisor.tools.host);
    if request == GET_LIST {
        list(&view, memory, at)?;
        return Ok(Answer::Value(0));
    }
    if CHANGES.contains(&request) {
        return Err(Errno::PERM);
    }
    let mut name = [0; NAME];
    memory.read_exact(at, &mut name)?;
    if request == GET_NAME {
        let index = memory.read_u32(at + NAME as u64)?;
        let interface = view.by_index(index).ok_or(Errno::NODEV)?;
        memory.write_all(at, &name_field(interface))?;
        return Ok(Answer::Value(0));
    }
    let named = name.split(|byte| *byte == 0).next().unwrap_or_default();
    // What is behind a colon names one of several addresses; ours all have the interface's name.
    let named = named.split(|byte| *byte == b':').next().unwrap_or_default();
    let interface = view.by_name(named).ok_or(Errno::NODEV)?;
    memory.write_all(at + NAME as u64, &value(interface, request)?)?;
    Ok(Answer::Value(0))
}

/// Requests for the privileged: all that change something.
const CHANGES: &[u32] = &[
    libc::SIOCADDRT as u32,
    libc::SIOCDELRT as u32,
    libc::SIOCSIFLINK as u32,
    libc::SIOCSIFFLAGS as u32,
    libc::SIOCSIFADDR as u32,
    libc::SIOCSIFDSTADDR as u32,
    libc::SIOCSIFBRDADDR as u32,
    libc::SIOCSIFNETMASK as u32,
    libc::SIOCSIFMETRIC as u32,
    libc::SIOCSIFMEM as u32,
    libc::SIOCSIFMTU as u32,
    libc::SIOCSIFNAME as u32,
    libc::SIOCSIFHWADDR as u32,
    libc::SIOCSIFENCAP as u32,
    libc::SIOCSIFSLAVE as u32,
    libc::SIOCADDMULTI as u32,
    libc::SIOCDELMULTI as u32,
    libc::SIOCSIFPFLAGS as u32,
    libc::SIOCDIFADDR as u32,
    libc::SIOCSIFHWBROADCAST as u32,
    libc::SIOCSIFBR as u32,
    libc::SIOCSIFTXQLEN as u32,
    libc::SIOCSMIIREG as u32,
    libc::SIOCDARP as u32,
    libc::SIOCSARP as u32,
    libc::SIOCDRARP as u32,
    libc::SIOCSRARP as u32,
    libc::SIOCSIFMAP as u32,
];

// libc's numbers have types of their own, which differ from one C library to the other.
const GET_LIST: u32 = libc::SIOCGIFCONF as u32;
const GET_NAME: u32 = libc::SIOCGIFNAME as u32;
const GET_INDEX: u32 = libc::SIOCGIFINDEX as u32;
const GET_FLAGS: u32 = libc::SIOCGIFFLAGS as u32;
const GET_MTU: u32 = libc::SIOCGIFMTU as u32;
const GET_QUEUE_LENGTH: u32 = libc::SIOCGIFTXQLEN as u32;
const GET_METRIC: u32 = libc::SIOCGIFMETRIC as u32;
const GET_MAP: u32 = libc::SIOCGIFMAP as u32;
const GET_HARDWARE_ADDRESS: u32 = libc::SIOCGIFHWADDR as u32;
const GET_ADDRESS: u32 = libc::SIOCGIFADDR as u32;
const GET_OTHER_END: u32 = libc::SIOCGIFDSTADDR as u32;
const GET_BROADCAST: u32 = libc::SIOCGIFBRDADDR as u32;
const GET_MASK: u32 = libc::SIOCGIFNETMASK as u32;

/// What stands behind the name in the answer.
fn value(interface: &Interface, request: u32) -> Result<Vec<u8>, Errno> {
    let number = |number: u32| Ok(number.to_ne_bytes().to_vec());
    let v4 = || interface.v4().next().ok_or(Errno::ADDRNOTAVAIL);
    let of_address = |address: IpAddr| address::encode((address, 0).into());
    match request {
        GET_INDEX => number(interface.index),
        // The field has 16 bits: IFF_LOWER_UP does not fit.
        GET_FLAGS => Ok((interface.flags() as u16).to_ne_bytes().to_vec()),
        GET_MTU => number(interface.mtu),
        GET_QUEUE_LENGTH => number(QUEUE_LENGTH),
        GET_METRIC => number(0),
        GET_MAP => Ok(vec![0; SIZE - NAME]),
        GET_HARDWARE_ADDRESS => {
            let mut bytes = interface.hardware_type().to_ne_bytes().to_vec();
            bytes.extend(interface.hardware_addresses().map_or([0; 6], |(own, _)| own));
            bytes.resize(NAME, 0);
            Ok(bytes)
        }
        // Of an interface without a known other end its own address stands for that.
        GET_ADDRESS | GET_OTHER_END => v4().map(|(address, _)| of_address(address.into())),
        GET_BROADCAST => {
            let (_, own) = v4()?;
            Ok(of_address(interface.broadcast(&own).unwrap_or(Ipv4Addr::UNSPECIFIED).into()))
        }
        GET_MASK => v4().map(|(_, own)| of_address(own.netmask())),
        // There is no device behind that had something to tell: SIOCETHTOOL and its like.
        _ => Err(Errno::OPNOTSUPP),
    }
}

fn name_field(interface: &Interface) -> [u8; NAME] {
    let mut field = [0; NAME];
    // The last byte is the end of the longest name.
    field.iter_mut().take(NAME - 1).zip(interface.name.bytes()).for_each(|(slot, byte)| *slot = byte);
    field
}

/// `SIOCGIFCONF`: the IPv4 addresses, as many as there is room for; without a place for them, how much room they take.
fn list(view: &View, memory: Memory, at: u64) -> Result<(), Errno> {
    let mut entries = Vec::new();
    for interface in &view.interfaces {
        for (address, _) in interface.v4() {
            entries.extend(name_field(interface));
            entries.extend(address::encode((address, 0).into()));
            entries.resize(entries.len().next_multiple_of(SIZE), 0);
        }
    }
    // `struct ifconf`: a length, and a pointer at the next multiple of eight bytes.
    let mut request = [0; 16];
    memory.read_exact(at, &mut request)?;
    let [a, b, c, d, _, _, _, _, place @ ..] = request;
    let place = u64::from_ne_bytes(place);
    if place != 0 {
        let room = usize::try_from(i32::from_ne_bytes([a, b, c, d])).map_err(|_| Errno::INVAL)?;
        entries.truncate(room / SIZE * SIZE);
        memory.write_all(place, &entries)?;
    }
    memory.write_all(at, &(entries.len() as u32).to_ne_bytes())
}
