//! `setsockopt` and `getsockopt`. `docs/run.md` has the table: what is honoured, what is kept and given back because it
//! changes nothing here, and what is refused. Nothing else is taken.

use super::ancillary::Wishes;
use super::{Answer, Call, Outcome, raw, tcp_info};
use crate::entry::{Body, errno};
use rustix::io::Errno;
use sockeye::sockeye_core::transport::tcp::{CongestionName, FinWait2, QuickAck};
use sockeye::{Family, Kind, OptionName, SocketOption};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// An option by the kernel's numbers.
type Number = (i32, i32);

/// `TCP_CONGESTION` takes names of this length at most, with the end.
const CONGESTION_NAME: usize = 16;

fn seconds(value: i32) -> Option<Duration> {
    u64::try_from(value).ok().filter(|value| *value > 0).map(Duration::from_secs)
}

/// The option that is meant by `number` with `value`. `None` for a number that means none of the stack's options.
///
/// # Errors
/// `EINVAL` for a value out of range.
fn option(number: Number, value: i32) -> Result<Option<SocketOption>, Errno> {
    let on = value != 0;
    let count = u32::try_from(value);
    let bytes = count.map(|count| count as usize);
    let byte = |least: i32| match value {
        -1 => Ok(None),
        _ if value < least => Err(Errno::INVAL),
        _ => u8::try_from(value).map(Some).map_err(|_| Errno::INVAL),
    };
    Ok(Some(match number {
        (libc::SOL_SOCKET, libc::SO_REUSEADDR) => SocketOption::ReuseAddress(on),
        (libc::SOL_SOCKET, libc::SO_REUSEPORT) => SocketOption::ReusePort(on),
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE) => SocketOption::KeepAlive(on),
        (libc::SOL_SOCKET, libc::SO_BROADCAST) => SocketOption::Broadcast(on),
        // As Linux: a negative size is a very large one.
        (libc::SOL_SOCKET, libc::SO_SNDBUF) => SocketOption::SendBuffer(bytes.unwrap_or(usize::MAX / 4)),
        (libc::SOL_SOCKET, libc::SO_RCVBUF) => SocketOption::ReceiveBuffer(bytes.unwrap_or(usize::MAX / 4)),
        (libc::SOL_SOCKET, libc::SO_MAX_PACING_RATE) => {
            SocketOption::MaxPacingRate((value != -1).then_some(u64::from(value as u32)))
        }
        (libc::IPPROTO_TCP, libc::TCP_NODELAY) => SocketOption::NoDelay(on),
        (libc::IPPROTO_TCP, libc::TCP_CORK) => SocketOption::Cork(on),
        (libc::IPPROTO_TCP, libc::TCP_MAXSEG) => {
            SocketOption::MaxSegment(u16::try_from(value).map_err(|_| Errno::INVAL)?)
        }
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE) => {
            SocketOption::KeepIdle(seconds(value).ok_or(Errno::INVAL)?)
        }
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL) => {
            SocketOption::KeepInterval(seconds(value).ok_or(Errno::INVAL)?)
        }
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT) => SocketOption::KeepCount(count.map_err(|_| Errno::INVAL)?),
        (libc::IPPROTO_TCP, libc::TCP_SYNCNT) => SocketOption::SynRetries(count.map_err(|_| Errno::INVAL)?),
        (libc::IPPROTO_TCP, libc::TCP_LINGER2) => SocketOption::FinWait2(match value {
            0 => FinWait2::Host,
            _ => seconds(value).map_or(FinWait2::Never, FinWait2::For),
        }),
        (libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT) => {
            SocketOption::DeferAccept(seconds(value).unwrap_or(Duration::ZERO))
        }
        (libc::IPPROTO_TCP, libc::TCP_WINDOW_CLAMP) => {
            SocketOption::WindowClamp(Some(count.map_err(|_| Errno::INVAL)?).filter(|clamp| *clamp > 0))
        }
        (libc::IPPROTO_TCP, libc::TCP_QUICKACK) => SocketOption::QuickAck(match (on, value & 1) {
            (false, _) => QuickAck::Off,
            (true, 0) => QuickAck::Once,
            (true, _) => QuickAck::On,
        }),
        (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT) => {
            let millis = count.map_err(|_| Errno::INVAL)?;
            SocketOption::UserTimeout((millis > 0).then(|| Duration::from_millis(millis.into())))
        }
        (libc::IPPROTO_TCP, libc::TCP_FASTOPEN) => SocketOption::FastOpen(count.map_err(|_| Errno::INVAL)?),
        (libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT) => SocketOption::FastOpenConnect(on),
        (libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT) => {
            SocketOption::UnsentLowWater(Some(value as u32).filter(|bytes| *bytes != u32::MAX))
        }
        (libc::IPPROTO_IP, libc::IP_TTL) => match byte(1)? {
            Some(hops) => SocketOption::HopLimit(hops),
            None => SocketOption::HopLimit(64),
        },
        (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS) => SocketOption::HopLimit(byte(1)?.unwrap_or(64)),
        (libc::IPPROTO_IP, libc::IP_TOS) => SocketOption::TrafficClass(value as u8),
        (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => SocketOption::TrafficClass(byte(0)?.unwrap_or(0)),
        (libc::IPPROTO_IP, libc::IP_MULTICAST_TTL) => SocketOption::MulticastHopLimit(byte(0)?.unwrap_or(1)),
        (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS) => {
            SocketOption::MulticastHopLimit(byte(0)?.unwrap_or(1))
        }
        (libc::IPPROTO_IP, libc::IP_MULTICAST_LOOP) => SocketOption::MulticastLoop(on),
        (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP) => SocketOption::MulticastLoop(on),
        (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY) => SocketOption::OnlyV6(on),
        _ => return Ok(None),
    }))
}

/// The name of the option with this number.
fn name(number: Number) -> Option<OptionName> {
    Some(match number {
        (libc::SOL_SOCKET, libc::SO_REUSEADDR) => OptionName::ReuseAddress,
        (libc::SOL_SOCKET, libc::SO_REUSEPORT) => OptionName::ReusePort,
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE) => OptionName::KeepAlive,
        (libc::SOL_SOCKET, libc::SO_BROADCAST) => OptionName::Broadcast,
        (libc::SOL_SOCKET, libc::SO_SNDBUF) => OptionName::SendBuffer,
        (libc::SOL_SOCKET, libc::SO_RCVBUF) => OptionName::ReceiveBuffer,
        (libc::SOL_SOCKET, libc::SO_MAX_PACING_RATE) => OptionName::MaxPacingRate,
        (libc::IPPROTO_TCP, libc::TCP_NODELAY) => OptionName::NoDelay,
        (libc::IPPROTO_TCP, libc::TCP_CORK) => OptionName::Cork,
        (libc::IPPROTO_TCP, libc::TCP_MAXSEG) => OptionName::MaxSegment,
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE) => OptionName::KeepIdle,
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL) => OptionName::KeepInterval,
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT) => OptionName::KeepCount,
        (libc::IPPROTO_TCP, libc::TCP_SYNCNT) => OptionName::SynRetries,
        (libc::IPPROTO_TCP, libc::TCP_LINGER2) => OptionName::FinWait2,
        (libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT) => OptionName::DeferAccept,
        (libc::IPPROTO_TCP, libc::TCP_WINDOW_CLAMP) => OptionName::WindowClamp,
        (libc::IPPROTO_TCP, libc::TCP_QUICKACK) => OptionName::QuickAck,
        (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT) => OptionName::UserTimeout,
        (libc::IPPROTO_TCP, libc::TCP_FASTOPEN) => OptionName::FastOpen,
        (libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT) => OptionName::FastOpenConnect,
        (libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT) => OptionName::UnsentLowWater,
        (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS) => {
            OptionName::HopLimit
        }
        (libc::IPPROTO_IP, libc::IP_TOS) | (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
            OptionName::TrafficClass
        }
        (libc::IPPROTO_IP, libc::IP_MULTICAST_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS) => {
            OptionName::MulticastHopLimit
        }
        (libc::IPPROTO_IP, libc::IP_MULTICAST_LOOP) | (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP) => {
            OptionName::MulticastLoop
        }
        (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY) => OptionName::OnlyV6,
        _ => return None,
    })
}

/// An option's value as the `int` that `getsockopt` gives.
fn value(option: SocketOption) -> i32 {
    let whole = |time: Duration| i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
    let size = |bytes: usize| i32::try_from(bytes).unwrap_or(i32::MAX);
    match option {
        SocketOption::ReuseAddress(on)
        | SocketOption::ReusePort(on)
        | SocketOption::KeepAlive(on)
        | SocketOption::Broadcast(on)
        | SocketOption::NoDelay(on)
        | SocketOption::Cork(on)
        | SocketOption::FastOpenConnect(on)
        | SocketOption::MulticastLoop(on)
        | SocketOption::OnlyV6(on) => on.into(),
        SocketOption::SendBuffer(bytes) | SocketOption::ReceiveBuffer(bytes) => size(bytes),
        SocketOption::MaxPacingRate(rate) => rate.map_or(-1, |rate| rate as i32),
        SocketOption::MaxSegment(bytes) => bytes.into(),
        SocketOption::KeepIdle(time) | SocketOption::KeepInterval(time) | SocketOption::DeferAccept(time) => {
            whole(time)
        }
        SocketOption::KeepCount(count) | SocketOption::SynRetries(count) | SocketOption::FastOpen(count) => {
            count as i32
        }
        SocketOption::FinWait2(FinWait2::Host) => 60,
        SocketOption::FinWait2(FinWait2::For(time)) => whole(time),
        SocketOption::FinWait2(FinWait2::Never) => -1,
        SocketOption::WindowClamp(bytes) => bytes.unwrap_or(0) as i32,
        SocketOption::QuickAck(quick) => i32::from(quick == QuickAck::On),
        SocketOption::UserTimeout(time) => {
            time.map_or(0, |time| i32::try_from(time.as_millis()).unwrap_or(i32::MAX))
        }
        SocketOption::UnsentLowWater(bytes) => bytes.unwrap_or(u32::MAX) as i32,
        SocketOption::HopLimit(hops) | SocketOption::MulticastHopLimit(hops) => hops.into(),
        SocketOption::TrafficClass(class) => class.into(),
        _ => 0,
    }
}

/// Options that change nothing here, kept and given back: priorities and marks of a real interface, errors that are told
/// anyway, hints to a real device, and interfaces of a host that has one.
const KEPT: &[Number] = &[
    (libc::SOL_SOCKET, libc::SO_PRIORITY),
    (libc::SOL_SOCKET, libc::SO_DONTROUTE),
    (libc::SOL_SOCKET, libc::SO_INCOMING_CPU),
    (libc::IPPROTO_IP, libc::IP_RECVERR),
    (libc::IPPROTO_IP, libc::IP_RETOPTS),
    (libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT),
    (libc::IPPROTO_IP, libc::IP_MULTICAST_ALL),
    (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_IF),
    (libc::IPPROTO_TCP, libc::TCP_THIN_LINEAR_TIMEOUTS),
];

/// Options that the kernel honours at the program's end of the pair.
const NATIVE: &[Number] = &[
    (libc::SOL_SOCKET, libc::SO_RCVTIMEO),
    (libc::SOL_SOCKET, libc::SO_SNDTIMEO),
    (libc::SOL_SOCKET, libc::SO_RCVLOWAT),
    (libc::SOL_SOCKET, libc::SO_OOBINLINE),
    (libc::SOL_SOCKET, libc::SO_PEEK_OFF),
];

pub(super) fn set(call: &mut Call<'_>) -> Outcome {
    let number = (call.int(1), call.int(2));
    if NATIVE.contains(&number) {
        return Ok(Answer::Native);
    }
    if number.0 == libc::IPPROTO_IPV6 && call.entry.front.family == Family::V4 {
        return Err(Errno::NOPROTOOPT);
    }
    let (at, length) = (call.argument(3), call.argument(4) as i32);
    let length = usize::try_from(length).map_err(|_| Errno::INVAL)?;
    if let Some(name) = raw::name(call.entry.front.family, number) {
        return raw::set(call, name, at, length);
    }
    match number {
        (libc::SOL_SOCKET, libc::SO_LINGER) => return set_linger(call, at, length),
        (libc::IPPROTO_TCP, libc::TCP_CONGESTION) => return set_congestion(call, at, length),
        (libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP | libc::IP_DROP_MEMBERSHIP) => {
            return set_membership_v4(call, at, length);
        }
        (libc::IPPROTO_IPV6, libc::IPV6_ADD_MEMBERSHIP | libc::IPV6_DROP_MEMBERSHIP) => {
            return set_membership_v6(call, at, length);
        }
        (libc::IPPROTO_IP, libc::IP_MULTICAST_IF) => return set_multicast_interface(call, at, length),
        (libc::SOL_SOCKET, libc::SO_BINDTODEVICE) => return bind_to_device(call, at, length),
        _ => {}
    }
    let given = match (number.0, length) {
        (libc::IPPROTO_IP, 1..4) => {
            let mut byte = [0];
            call.memory.read_exact(at, &mut byte)?;
            byte.first().copied().map_or(0, i32::from)
        }
        (_, 0..4) => return Err(Errno::INVAL),
        _ => call.memory.read_u32(at)? as i32,
    };
    if let Some(wish) = wish(call, number) {
        *wish = given != 0;
        return Ok(Answer::Value(0));
    }
    if KEPT.contains(&number) || Wishes::NUMBERS.contains(&number) {
        call.entry.front.kept.insert(number, given);
        return Ok(Answer::Value(0));
    }
    if matches!(
        number,
        (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER) | (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER)
    ) {
        if call.entry.front.kind == Kind::Stream {
            set_option(call, SocketOption::PathMtuDiscovery(given != libc::IP_PMTUDISC_DONT))?;
        }
        call.entry.front.kept.insert(number, given);
        return Ok(Answer::Value(0));
    }
    match option(number, given)? {
        Some(option) => {
            set_option(call, option)?;
            call.entry.front.fit_pair(&call.far);
            Ok(Answer::Value(0))
        }
        None => Err(Errno::NOPROTOOPT),
    }
}

/// Sets an option of the stack's, behind what the program has written before.
pub(super) fn set_option(call: &mut Call<'_>, option: SocketOption) -> Outcome {
    call.entry.advance(call.tools);
    call.entry.front.ours.set_option(option).map_err(|error| errno(&error))?;
    Ok(Answer::Value(0))
}

fn set_linger(call: &mut Call<'_>, at: u64, length: usize) -> Outcome {
    let mut bytes = [0; 8];
    if length < bytes.len() {
        return Err(Errno::INVAL);
    }
    call.memory.read_exact(at, &mut bytes)?;
    let [a, b, c, d, e, f, g, h] = bytes;
    let (on, time) = (i32::from_ne_bytes([a, b, c, d]), i32::from_ne_bytes([e, f, g, h]));
    let time = Duration::from_secs(u64::try_from(time).unwrap_or(u64::from(u32::MAX)));
    set_option(call, SocketOption::Linger((on != 0).then_some(time)))
}

fn set_congestion(call: &mut Call<'_>, at: u64, length: usize) -> Outcome {
    let mut bytes = [0; CONGESTION_NAME];
    let name =
        bytes.get_mut(..length.min(CONGESTION_NAME)).filter(|name| !name.is_empty()).ok_or(Errno::INVAL)?;
    call.memory.read_exact(at, name)?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let known = CongestionName::ALL.into_iter().find(|known| known.name().as_bytes() == name);
    set_option(call, SocketOption::Congestion(known.ok_or(Errno::NOENT)?))
}

/// `struct ip_mreqn`, or the older `struct ip_mreq` without a number.
fn set_membership_v4(call: &mut Call<'_>, at: u64, length: usize) -> Outcome {
    let mut bytes = [0; 12];
    let given = bytes.get_mut(..length.min(12)).filter(|given| given.len() >= 8).ok_or(Errno::INVAL)?;
    call.memory.read_exact(at, given)?;
    let [a, b, c, d, e, f, g, h, number @ ..] = bytes;
    let (group, interface) = (Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h));
    let number = if length >= 12 { u32::from_ne_bytes(number) } else { 0 };
    let ours = &call.entry.front.ours;
    let outcome = match (call.int(2) == libc::IP_ADD_MEMBERSHIP, number) {
        (true, 0) => ours.join_v4(group, interface),
        (false, 0) => ours.leave_v4(group, interface),
        // Our interfaces are counted from the first one that is not the loopback interface.
        (true, number) => ours.join(group.into(), number.saturating_sub(1)),
        (false, number) => ours.leave(group.into(), number.saturating_sub(1)),
    };
    outcome.map_err(|error| errno(&error))?;
    Ok(Answer::Value(0))
}

/// `struct ipv6_mreq`.
fn set_membership_v6(call: &mut Call<'_>, at: u64, length: usize) -> Outcome {
    let mut bytes = [0; 20];
    if length < bytes.len() {
        return Err(Errno::INVAL);
    }
    call.memory.read_exact(at, &mut bytes)?;
    let (group, number) = bytes.split_at(16);
    let group: [u8; 16] = group.try_into().map_err(|_| Errno::INVAL)?;
    let number = number.try_into().map_or(0, u32::from_ne_bytes).saturating_sub(1);
    let group = IpAddr::from(Ipv6Addr::from(group));
    let ours = &call.entry.front.ours;
    let joins = call.int(2) == libc::IPV6_ADD_MEMBERSHIP;
    let outcome = if joins { ours.join(group, number) } else { ours.leave(group, number) };
    outcome.map_err(|error| errno(&error))?;
    Ok(Answer::Value(0))
}

/// The interface that multicast datagrams leave by: the host has one, so any of its addresses names it.
fn set_multicast_interface(call: &mut Call<'_>, at: u64, length: usize) -> Outcome {
    let mut bytes = [0; 12];
    let given = bytes.get_mut(..length.min(12)).filter(|given| given.len() >= 4).ok_or(Errno::INVAL)?;
    call.memory.read_exact(at, given)?;
    let address = match length {
        4..8 => bytes.first_chunk(),
        _ => bytes.get(4..).and_then(|rest| rest.first_chunk()),
    };
    let address = address.copied().map_or(Ipv4Addr::UNSPECIFIED, |octets: [u8; 4]| Ipv4Addr::from(octets));
    let host = call.entry.front.ours.host();
    let is_ours = address.is_unspecified()
        || address.is_loopback()
        || host.addresses().iter().any(|own| own.address() == IpAddr::V4(address));
    if !is_ours {
        return Err(Errno::ADDRNOTAVAIL);
    }
    call.entry
        .front
        .kept
        .insert((libc::IPPROTO_IP, libc::IP_MULTICAST_IF), i32::from_ne_bytes(address.octets()));
    Ok(Answer::Value(0))
}

/// `SO_BINDTODEVICE`: the host has one interface, besides the loopback interface, and routes as it must.
fn bind_to_device(call: &mut Call<'_>, at: u64, length: usize) -> Outcome {
    let mut bytes = [0; 16];
    let given = bytes.get_mut(..length.min(16)).unwrap_or_default();
    call.memory.read_exact(at, given)?;
    let name = given.split(|byte| *byte == 0).next().unwrap_or_default();
    let interfaces = call.entry.front.ours.host().interfaces();
    let is_known = name.is_empty() || interfaces.iter().any(|interface| interface.name.as_bytes() == name);
    if is_known { Ok(Answer::Value(0)) } else { Err(Errno::NODEV) }
}

/// What a program wants to be told of each datagram.
fn wish<'a>(call: &'a mut Call<'_>, number: Number) -> Option<&'a mut bool> {
    match &mut call.entry.body {
        Body::Datagram(datagram) => datagram.wishes.wish(number),
        _ => None,
    }
}

pub(super) fn get(call: &mut Call<'_>) -> Outcome {
    let number = (call.int(1), call.int(2));
    if NATIVE.contains(&number) {
        return Ok(Answer::Native);
    }
    if number.0 == libc::IPPROTO_IPV6 && call.entry.front.family == Family::V4 {
        return Err(Errno::OPNOTSUPP);
    }
    let (at, length_at) = (call.argument(3), call.argument(4));
    let bytes = match number {
        (libc::SOL_SOCKET, libc::SO_LINGER) => {
            let linger = match call.entry.front.ours.option(OptionName::Linger) {
                Ok(SocketOption::Linger(linger)) => linger,
                _ => None,
            };
            let time = linger.map_or(0, |time| i32::try_from(time.as_secs()).unwrap_or(i32::MAX));
            [i32::from(linger.is_some()), time].map(i32::to_ne_bytes).concat()
        }
        (libc::IPPROTO_TCP, libc::TCP_INFO) => tcp_info::bytes(&call.entry.front.ours, &call.entry.body)?,
        (libc::IPPROTO_TCP, libc::TCP_CONGESTION) => {
            let option = call.entry.front.ours.option(OptionName::Congestion);
            let SocketOption::Congestion(name) = option.map_err(|error| errno(&error))? else {
                return Err(Errno::NOPROTOOPT);
            };
            let mut bytes = name.name().as_bytes().to_vec();
            bytes.resize(CONGESTION_NAME, 0);
            bytes
        }
        (libc::SOL_SOCKET, libc::SO_BINDTODEVICE) => Vec::new(),
        (libc::SOL_SOCKET, libc::SO_COOKIE) => call.entry.front.key.to_ne_bytes().to_vec(),
        _ => match raw::name(call.entry.front.family, number) {
            Some(name) => raw::get(call, name)?,
            None => get_number(call, number)?.to_ne_bytes().to_vec(),
        },
    };
    let room = i32::try_from(call.memory.read_u32(length_at)?).map_err(|_| Errno::INVAL)?;
    let room = usize::try_from(room).map_err(|_| Errno::INVAL)?;
    call.memory.write_cut(at, room, &bytes)?;
    call.memory.write_all(length_at, &(bytes.len().min(room) as u32).to_ne_bytes())?;
    Ok(Answer::Value(0))
}

fn get_number(call: &mut Call<'_>, number: Number) -> Result<i32, Errno> {
    if let Some(wish) = wish(call, number) {
        return Ok((*wish).into());
    }
    let front = &mut call.entry.front;
    let is_v4 = front.family == Family::V4;
    Ok(match number {
        (libc::SOL_SOCKET, libc::SO_ERROR) => {
            // What the kernel has noted at the program's end is another word for the same; if it is gone, a call has
            // told it.
            let noted = rustix::net::sockopt::socket_error(&call.far);
            let is_told = front.is_broken && matches!(noted, Ok(Ok(())));
            let error = match front.error.take().filter(|_| !is_told) {
                Some(error) => Some(error),
                None => front.ours.take_error().ok().flatten().map(|error| errno(&error)),
            };
            error.map_or(0, Errno::raw_os_error)
        }
        (libc::SOL_SOCKET, libc::SO_TYPE) => match front.kind {
            Kind::Stream => libc::SOCK_STREAM,
            Kind::Raw(_) => libc::SOCK_RAW,
            _ => libc::SOCK_DGRAM,
        },
        (libc::SOL_SOCKET, libc::SO_DOMAIN) => {
            if is_v4 {
                libc::AF_INET
            } else {
                libc::AF_INET6
            }
        }
        (libc::SOL_SOCKET, libc::SO_PROTOCOL) => match front.kind {
            Kind::Stream => libc::IPPROTO_TCP,
            Kind::Datagram => libc::IPPROTO_UDP,
            Kind::Ping if is_v4 => libc::IPPROTO_ICMP,
            Kind::Ping => libc::IPPROTO_ICMPV6,
            Kind::Raw(protocol) => u8::from(protocol).into(),
        },
        (libc::SOL_SOCKET, libc::SO_ACCEPTCONN) => matches!(call.entry.body, Body::Listening(_)).into(),
        (libc::SOL_SOCKET, libc::SO_SNDLOWAT) => 1,
        (libc::IPPROTO_IP, libc::IP_MTU) | (libc::IPPROTO_IPV6, libc::IPV6_MTU) => mtu(call)?,
        (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER) | (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER) => {
            let usual =
                if front.kind == Kind::Stream { libc::IP_PMTUDISC_WANT } else { libc::IP_PMTUDISC_DONT };
            front.kept.get(&number).copied().unwrap_or(usual)
        }
        (libc::IPPROTO_IP, libc::IP_MULTICAST_IF) => front.kept.get(&number).copied().unwrap_or(0),
        _ if KEPT.contains(&number) || Wishes::NUMBERS.contains(&number) => {
            front.kept.get(&number).copied().unwrap_or(0)
        }
        _ => {
            let name = name(number).ok_or(Errno::NOPROTOOPT)?;
            value(front.ours.option(name).map_err(|error| errno(&error))?)
        }
    })
}

/// The largest packet towards the peer, of a connected socket.
fn mtu(call: &Call<'_>) -> Result<i32, Errno> {
    let ours = &call.entry.front.ours;
    ours.peer_addr().map_err(|error| errno(&error))?;
    match ours.tcp_info() {
        Ok(info) => Ok(info.path_mtu as i32),
        Err(_) => Ok(ours.host().interfaces().first().map_or(65_536, |interface| interface.mtu as i32)),
    }
}
