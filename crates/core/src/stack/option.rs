//! Socket options: each is honoured, or refused with `ENOPROTOOPT`; none is taken and ignored.

use std::sync::Arc;

use super::Stack;
use super::raw::raw_option;
use crate::error::Error;
use crate::socket::listener::MAX_BACKLOG;
use crate::socket::{Body, Datagram, Family, OptionName, Socket, SocketId, SocketOption};
use crate::time::{Duration, Instant};
use crate::transport::ports::Reuse;
use crate::transport::tcp::{Connection, FinWait2, Keepalive, QuickAck, Settings, Tuning};

/// The least that `SO_RCVBUF` reports, as on Linux.
const LEAST_RECEIVE_BUFFER: usize = 2304;
/// The least that `SO_SNDBUF` reports, as on Linux.
const LEAST_SEND_BUFFER: usize = 4608;
/// The least that `TCP_WINDOW_CLAMP` is, as on Linux.
const LEAST_WINDOW_CLAMP: u32 = 1152;
/// The longest that `TCP_KEEPIDLE` and `TCP_KEEPINTVL` take, as on Linux.
const MOST_KEEPALIVE_TIME: Duration = Duration::from_secs(32_767);
/// The most probes that `TCP_KEEPCNT` takes, as on Linux.
const MOST_KEEPALIVE_PROBES: u32 = 127;

impl Stack {
    /// Sets an option: `setsockopt(2)`. On a connection it acts at once.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] where this kind of socket has no such option; [`Error::InvalidArgument`] for a value
    /// out of range, or when it is too late for it.
    pub fn set_option(&mut self, now: Instant, id: SocketId, option: SocketOption) -> Result<(), Error> {
        // As Linux does, the double is kept and reported: what is asked for is payload, what is kept is memory.
        let option = match option {
            SocketOption::SendBuffer(bytes) => SocketOption::SendBuffer(
                (2 * bytes.min(self.config.send_buffer_limit)).max(LEAST_SEND_BUFFER),
            ),
            SocketOption::ReceiveBuffer(bytes) => SocketOption::ReceiveBuffer(
                (2 * bytes.min(self.config.receive_buffer_limit)).max(LEAST_RECEIVE_BUFFER),
            ),
            other => other,
        };
        let socket = self.held_mut(id)?;
        match option {
            SocketOption::ReuseAddress(on) => {
                let reuse = Reuse { address: on, ..socket.options.reuse };
                self.set_reuse(id, reuse);
            }
            SocketOption::ReusePort(on) => {
                let reuse = Reuse { port: on, ..socket.options.reuse };
                self.set_reuse(id, reuse);
            }
            SocketOption::Broadcast(on) => socket.options.broadcast = on,
            SocketOption::OnlyV6(on) => {
                if socket.family != Family::V6 {
                    return Err(Error::UnknownOption);
                }
                let untouched = matches!(socket.body, Body::Idle(_) | Body::Datagram(_));
                if socket.binding.is_some() || !untouched {
                    return Err(Error::InvalidArgument);
                }
                socket.options.only_v6 = on;
            }
            SocketOption::HopLimit(0) => return Err(Error::InvalidArgument),
            SocketOption::HopLimit(limit) => socket.options.hop_limit = Some(limit),
            SocketOption::MulticastHopLimit(limit) => {
                datagram(socket)?;
                socket.options.multicast_hop_limit = limit;
            }
            SocketOption::MulticastLoop(on) => {
                datagram(socket)?;
                socket.options.multicast_loop = on;
            }
            SocketOption::TrafficClass(class) => socket.options.traffic_class = class,
            SocketOption::PathMtuDiscovery(on) => {
                if on && matches!(socket.body, Body::Datagram(_)) {
                    return Err(Error::InvalidArgument);
                }
                socket.options.path_mtu_discovery = on;
            }
            SocketOption::SendBuffer(bytes) | SocketOption::ReceiveBuffer(bytes)
                if matches!(socket.body, Body::Datagram(_)) =>
            {
                let datagram = datagram(socket)?;
                let sending = matches!(option, SocketOption::SendBuffer(_));
                let queue = if sending { &mut datagram.sending } else { &mut datagram.received };
                queue.set_limit(bytes);
            }
            SocketOption::HeaderIncluded(_)
            | SocketOption::IcmpFilter(_)
            | SocketOption::ChecksumOffset(_) => self.set_raw_option(id, option)?,
            _ => return self.set_tcp_option(now, id, option),
        }
        self.report(id);
        Ok(())
    }

    /// The port is shared from now on, or no longer, with whoever asks for it next.
    fn set_reuse(&mut self, id: SocketId, reuse: Reuse) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let old = core::mem::replace(&mut socket.options.reuse, reuse);
        let port = socket.binding.map(|binding| binding.address.port());
        let (ports, demux) = match &socket.body {
            Body::Datagram(datagram) => {
                let kind = datagram.kind;
                let bound = self.bound_mut(kind);
                (&mut bound.ports, &mut bound.demux)
            }
            Body::Stream(stream) if stream.in_demux => {
                let local = stream.connection.endpoints().local;
                self.tcp.ports.release(local, old);
                self.tcp.ports.hold(local, reuse);
                (&mut self.tcp.ports, &mut self.tcp.demux)
            }
            _ => (&mut self.tcp.ports, &mut self.tcp.demux),
        };
        if let Some(port) = port {
            ports.set_reuse(port, id, reuse);
            demux.set_reuse(port, id, reuse);
        }
    }

    fn set_tcp_option(&mut self, now: Instant, id: SocketId, option: SocketOption) -> Result<(), Error> {
        if matches!(option, SocketOption::FastOpenConnect(_)) && !self.config.fast_open.client {
            return Err(Error::NotSupported);
        }
        match &mut self.held_mut(id)?.body {
            Body::Idle(settings) => change(Arc::make_mut(settings), option),
            Body::Listener(_) if matches!(option, SocketOption::FastOpenConnect(_)) => {
                Err(Error::InvalidArgument)
            }
            Body::Listener(_) if option == SocketOption::WindowClamp(None) => Err(Error::InvalidArgument),
            Body::Listener(listener) => change(Arc::make_mut(&mut listener.settings), option),
            Body::Stream(stream) => {
                let fixed = matches!(
                    option,
                    SocketOption::MaxSegment(_)
                        | SocketOption::Ecn(_)
                        | SocketOption::WindowClamp(None)
                        | SocketOption::FastOpen(_)
                        | SocketOption::FastOpenConnect(_)
                        | SocketOption::FastOpenNoCookie(_)
                        | SocketOption::FastOpenKey(_)
                );
                if fixed {
                    return Err(Error::InvalidArgument);
                }
                let mut settings = stream.connection.settings().clone();
                change(&mut settings, option)?;
                self.with_connection(now, id, "option", |connection| {
                    connection.set_settings(now, settings);
                    match option {
                        // As on Linux it lets go of what is held back, corked or not, whatever was set before.
                        SocketOption::NoDelay(true) => connection.release_held(now),
                        SocketOption::Cork(false) => connection.expect_no_more(now),
                        SocketOption::QuickAck(quick) => connection.set_quick_ack(quick),
                        _ => {}
                    }
                });
                Ok(())
            }
            Body::Datagram(_) => Err(Error::UnknownOption),
        }
    }

    /// Reads an option: `getsockopt(2)`.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] where this kind of socket has no such option.
    pub fn option(&self, id: SocketId, name: OptionName) -> Result<SocketOption, Error> {
        let socket = self.held(id)?;
        let options = &socket.options;
        Ok(match name {
            OptionName::ReuseAddress => SocketOption::ReuseAddress(options.reuse.address),
            OptionName::ReusePort => SocketOption::ReusePort(options.reuse.port),
            OptionName::Broadcast => SocketOption::Broadcast(options.broadcast),
            OptionName::OnlyV6 if socket.family == Family::V6 => SocketOption::OnlyV6(options.only_v6),
            OptionName::OnlyV6 => return Err(Error::UnknownOption),
            OptionName::HopLimit => {
                SocketOption::HopLimit(options.hop_limit.unwrap_or(self.network.hop_limit()))
            }
            OptionName::MulticastHopLimit => SocketOption::MulticastHopLimit(options.multicast_hop_limit),
            OptionName::MulticastLoop => SocketOption::MulticastLoop(options.multicast_loop),
            OptionName::TrafficClass => SocketOption::TrafficClass(options.traffic_class),
            OptionName::PathMtuDiscovery => SocketOption::PathMtuDiscovery(
                options.path_mtu_discovery && !matches!(socket.body, Body::Datagram(_)),
            ),
            OptionName::FastOpenKey if !matches!(socket.body, Body::Datagram(_)) => {
                let own = settings_of(socket).and_then(|settings| settings.fast_open.keys);
                SocketOption::FastOpenKey(own.unwrap_or(self.tcp.fast_open_keys))
            }
            OptionName::HeaderIncluded | OptionName::IcmpFilter | OptionName::ChecksumOffset => {
                return raw_option(socket, name);
            }
            _ => return tcp_option(socket, name),
        })
    }
}

fn datagram(socket: &mut Socket) -> Result<&mut Datagram, Error> {
    match &mut socket.body {
        Body::Datagram(datagram) => Ok(datagram),
        _ => Err(Error::UnknownOption),
    }
}

/// Changes one of the settings of TCP.
fn change(settings: &mut Settings, option: SocketOption) -> Result<(), Error> {
    let mut values = settings.keepalive_values;
    let bounded = |time: Duration| match time {
        Duration::ZERO => Err(Error::InvalidArgument),
        _ if time > MOST_KEEPALIVE_TIME => Err(Error::InvalidArgument),
        _ => Ok(time),
    };
    match option {
        SocketOption::NoDelay(on) => settings.nagle = !on,
        SocketOption::Cork(on) => settings.cork = on,
        SocketOption::UnsentLowWater(bytes) => settings.unsent_low_water = bytes.filter(|bytes| *bytes > 0),
        SocketOption::UrgentInLine(on) => settings.urgent_in_line = on,
        SocketOption::KeepAlive(on) => settings.keepalive = on,
        SocketOption::KeepIdle(idle) => values.idle = bounded(idle)?,
        SocketOption::KeepInterval(interval) => values.interval = bounded(interval)?,
        SocketOption::KeepCount(probes) if !(1..=MOST_KEEPALIVE_PROBES).contains(&probes) => {
            return Err(Error::InvalidArgument);
        }
        SocketOption::KeepCount(probes) => values.probes = probes,
        SocketOption::UserTimeout(limit) => settings.user_timeout = limit.filter(|limit| !limit.is_zero()),
        SocketOption::Linger(linger) => settings.linger = linger,
        SocketOption::MaxSegment(0) => settings.max_segment = None,
        SocketOption::MaxSegment(bytes) if bytes < 88 => return Err(Error::InvalidArgument),
        SocketOption::MaxSegment(bytes) => settings.max_segment = Some(bytes),
        SocketOption::Congestion(name) => settings.congestion = name,
        SocketOption::MaxPacingRate(Some(0)) => return Err(Error::InvalidArgument),
        SocketOption::MaxPacingRate(rate) => settings.max_pacing_rate = rate,
        SocketOption::Ecn(mode) => settings.ecn = mode,
        SocketOption::SynRetries(retries) if !(1..=127).contains(&retries) => {
            return Err(Error::InvalidArgument);
        }
        SocketOption::SynRetries(retries) => settings.syn_retries = retries,
        SocketOption::QuickAck(quick) => settings.quick_ack = quick == QuickAck::On,
        SocketOption::FinWait2(wait) => {
            settings.own_fin_wait_2 = match wait {
                FinWait2::For(time) if time.is_zero() => FinWait2::Host,
                FinWait2::For(time) => FinWait2::For(time.min(FinWait2::LONGEST)),
                other => other,
            }
        }
        SocketOption::DeferAccept(time) => settings.defer_accept = settings.deferrals(time),
        SocketOption::WindowClamp(clamp) => {
            settings.window_clamp = clamp.map(|bytes| bytes.max(LEAST_WINDOW_CLAMP));
        }
        SocketOption::FastOpen(queue) => settings.fast_open.queue = queue.min(MAX_BACKLOG as u32),
        SocketOption::FastOpenConnect(on) => settings.fast_open.connect = on,
        SocketOption::FastOpenNoCookie(on) => settings.fast_open.no_cookie = on,
        SocketOption::FastOpenKey(keys) => settings.fast_open.keys = Some(keys),
        SocketOption::SendBuffer(bytes) => {
            settings.send_buffer = bytes;
            settings.send_tuning = Tuning::Fixed;
        }
        SocketOption::ReceiveBuffer(bytes) => {
            settings.receive_buffer = bytes;
            settings.receive_tuning = Tuning::Fixed;
        }
        _ => return Err(Error::UnknownOption),
    }
    settings.keepalive_values = values;
    Ok(())
}

/// What TCP is set to at this socket.
fn settings_of(socket: &Socket) -> Option<&Settings> {
    match &socket.body {
        Body::Idle(settings) => Some(settings),
        Body::Listener(listener) => Some(&listener.settings),
        Body::Stream(stream) => Some(stream.connection.settings()),
        Body::Datagram(_) => None,
    }
}

fn tcp_option(socket: &Socket, name: OptionName) -> Result<SocketOption, Error> {
    if let Body::Datagram(datagram) = &socket.body {
        return match name {
            OptionName::SendBuffer => Ok(SocketOption::SendBuffer(datagram.sending.limit())),
            OptionName::ReceiveBuffer => Ok(SocketOption::ReceiveBuffer(datagram.received.limit())),
            _ => Err(Error::UnknownOption),
        };
    }
    let settings = settings_of(socket).ok_or(Error::UnknownOption)?;
    let Keepalive { idle, interval, probes } = settings.keepalive_values;
    Ok(match name {
        OptionName::NoDelay => SocketOption::NoDelay(!settings.nagle),
        OptionName::Cork => SocketOption::Cork(settings.cork),
        OptionName::UnsentLowWater => SocketOption::UnsentLowWater(settings.unsent_low_water),
        OptionName::UrgentInLine => SocketOption::UrgentInLine(settings.urgent_in_line),
        OptionName::KeepAlive => SocketOption::KeepAlive(settings.keepalive),
        OptionName::KeepIdle => SocketOption::KeepIdle(idle),
        OptionName::KeepInterval => SocketOption::KeepInterval(interval),
        OptionName::KeepCount => SocketOption::KeepCount(probes),
        OptionName::UserTimeout => SocketOption::UserTimeout(settings.user_timeout),
        OptionName::Linger => SocketOption::Linger(settings.linger),
        OptionName::MaxSegment => SocketOption::MaxSegment(match socket.connection() {
            Some(connection) => connection.info().snd_mss,
            None => settings.max_segment.unwrap_or(536),
        }),
        OptionName::SynRetries => SocketOption::SynRetries(settings.syn_retries),
        OptionName::QuickAck => {
            let is_quick = socket.connection().map_or(settings.quick_ack, Connection::has_quick_ack);
            SocketOption::QuickAck(if is_quick { QuickAck::On } else { QuickAck::Off })
        }
        OptionName::FinWait2 => SocketOption::FinWait2(match settings.own_fin_wait_2 {
            FinWait2::Host => FinWait2::For(settings.fin_wait_2),
            own => own,
        }),
        OptionName::DeferAccept => SocketOption::DeferAccept(settings.deferral(settings.defer_accept)),
        OptionName::WindowClamp => SocketOption::WindowClamp(settings.window_clamp),
        OptionName::FastOpen => SocketOption::FastOpen(settings.fast_open.queue),
        OptionName::FastOpenConnect => SocketOption::FastOpenConnect(settings.fast_open.connect),
        OptionName::FastOpenNoCookie => SocketOption::FastOpenNoCookie(settings.fast_open.no_cookie),
        OptionName::Congestion => SocketOption::Congestion(settings.congestion),
        OptionName::MaxPacingRate => SocketOption::MaxPacingRate(settings.max_pacing_rate),
        OptionName::Ecn => SocketOption::Ecn(settings.ecn),
        OptionName::SendBuffer => SocketOption::SendBuffer(match socket.connection() {
            Some(connection) => connection.send_buffer(),
            None => settings.send_buffer,
        }),
        OptionName::ReceiveBuffer => SocketOption::ReceiveBuffer(match socket.connection() {
            Some(connection) => connection.receive_buffer(),
            None => settings.receive_buffer,
        }),
        _ => return Err(Error::UnknownOption),
    })
}
