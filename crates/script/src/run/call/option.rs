//! `getsockopt` and `setsockopt`: each option by its name, in the units of the system call.

use sockeye_core::error::Error;
use sockeye_core::socket::{OptionName, SocketOption};
use sockeye_core::time::Duration;
use sockeye_core::transport::tcp::{CongestionName, FastOpenKeys, FinWait2, QuickAck};

use super::{Arguments, Caller, Outcome, differs, done, done_with, failed, socket_of};
use crate::ast::Argument;
use crate::constant::value as constant;
use crate::run::failure::{Difference, Failure};
use crate::run::flow::Carrier;
use crate::run::process::Returned;

/// A value that an option has, as the system call passes it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Number(i64),
    Linger(Option<Duration>),
    Text(Vec<u8>),
}

impl Value {
    fn shown(&self) -> String {
        match self {
            Value::Number(number) => number.to_string(),
            Value::Linger(None) => "{onoff=0, linger=0}".to_owned(),
            Value::Linger(Some(time)) => format!("{{onoff=1, linger={}}}", time.as_secs()),
            Value::Text(text) => format!("{:?}", String::from_utf8_lossy(text)),
        }
    }
}

/// The level of an option, several names of which mean the same.
fn level(name: &str) -> &str {
    match name {
        "IPPROTO_TCP" => "SOL_TCP",
        "IPPROTO_IP" => "SOL_IP",
        "IPPROTO_IPV6" => "SOL_IPV6",
        other => other,
    }
}

fn value(a: &Arguments<'_>, index: usize) -> Result<Value, Failure> {
    Ok(match a.get(index)? {
        Argument::Array(_) => Value::Number(a.bracketed(index)?),
        Argument::Linger { onoff: 0, .. } => Value::Linger(None),
        Argument::Linger { linger, .. } => {
            Value::Linger(Some(Duration::from_secs(u64::try_from(*linger).unwrap_or(0))))
        }
        Argument::Text(text) => Value::Text(text.clone()),
        other => return Err(a.unsupported(format!("the value {other}"))),
    })
}

fn congestion(name: &[u8]) -> Option<CongestionName> {
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    core::str::from_utf8(name.get(..end)?).ok()?.parse().ok()
}

fn seconds(number: i64) -> Option<Duration> {
    u64::try_from(number).ok().map(Duration::from_secs)
}

/// The stack's option for what `setsockopt` was given. `Ok(Err(errno))` is what Linux answers.
fn option_of(
    a: &Arguments<'_>,
    level: &str,
    name: &str,
    value: &Value,
) -> Result<Result<SocketOption, &'static str>, Failure> {
    let number = match value {
        Value::Number(number) => *number,
        Value::Linger(_) | Value::Text(_) => 0,
    };
    let on = number != 0;
    let bytes = || usize::try_from(number).unwrap_or(0);
    let option = match (level, name, value) {
        ("SOL_SOCKET", "SO_REUSEADDR", _) => SocketOption::ReuseAddress(on),
        ("SOL_SOCKET", "SO_REUSEPORT", _) => SocketOption::ReusePort(on),
        ("SOL_SOCKET", "SO_BROADCAST", _) => SocketOption::Broadcast(on),
        ("SOL_SOCKET", "SO_KEEPALIVE", _) => SocketOption::KeepAlive(on),
        ("SOL_SOCKET", "SO_SNDBUF", _) => SocketOption::SendBuffer(bytes()),
        ("SOL_SOCKET", "SO_RCVBUF", _) => SocketOption::ReceiveBuffer(bytes()),
        ("SOL_SOCKET", "SO_LINGER", Value::Linger(linger)) => SocketOption::Linger(*linger),
        ("SOL_TCP", "TCP_NODELAY", _) => SocketOption::NoDelay(on),
        ("SOL_TCP", "TCP_CORK", _) => SocketOption::Cork(on),
        // The largest number is no limit.
        ("SOL_SOCKET", "SO_MAX_PACING_RATE", _) => {
            SocketOption::MaxPacingRate(Some(u64::from(number as u32)).filter(|rate| *rate < u32::MAX.into()))
        }
        ("SOL_SOCKET", "SO_OOBINLINE", _) => SocketOption::UrgentInLine(on),
        ("SOL_TCP", "TCP_FASTOPEN", _) => match u32::try_from(number) {
            Ok(queue) => SocketOption::FastOpen(queue),
            Err(_) => return Ok(Err("EINVAL")),
        },
        // Linux takes nothing but 0 and 1 for these.
        ("SOL_TCP", "TCP_FASTOPEN_CONNECT" | "TCP_FASTOPEN_NO_COOKIE", _) if !matches!(number, 0 | 1) => {
            return Ok(Err("EINVAL"));
        }
        ("SOL_TCP", "TCP_FASTOPEN_CONNECT", _) => SocketOption::FastOpenConnect(on),
        ("SOL_TCP", "TCP_FASTOPEN_NO_COOKIE", _) => SocketOption::FastOpenNoCookie(on),
        ("SOL_TCP", "TCP_FASTOPEN_KEY", Value::Text(key)) => match FastOpenKeys::from_bytes(key) {
            Some(keys) => SocketOption::FastOpenKey(keys),
            None => return Ok(Err("EINVAL")),
        },
        ("SOL_TCP", "TCP_NOTSENT_LOWAT", _) => {
            // Zero is the host's own value; the largest is no limit (tcp(7)).
            SocketOption::UnsentLowWater(Some(number as u32).filter(|bytes| *bytes > 0))
        }
        ("SOL_TCP", "TCP_MAXSEG", _) => match u16::try_from(number) {
            Ok(bytes) => SocketOption::MaxSegment(bytes),
            Err(_) => return Ok(Err("EINVAL")),
        },
        ("SOL_TCP", "TCP_KEEPIDLE" | "TCP_KEEPINTVL", _) => match seconds(number) {
            Some(time) if name == "TCP_KEEPIDLE" => SocketOption::KeepIdle(time),
            Some(time) => SocketOption::KeepInterval(time),
            None => return Ok(Err("EINVAL")),
        },
        ("SOL_TCP", "TCP_QUICKACK", _) => SocketOption::QuickAck(match number {
            0 => QuickAck::Off,
            _ if number % 2 == 0 => QuickAck::Once,
            _ => QuickAck::On,
        }),
        ("SOL_TCP", "TCP_LINGER2", _) => {
            SocketOption::FinWait2(seconds(number).map_or(FinWait2::Never, FinWait2::For))
        }
        ("SOL_TCP", "TCP_DEFER_ACCEPT", _) => SocketOption::DeferAccept(seconds(number).unwrap_or_default()),
        ("SOL_TCP", "TCP_WINDOW_CLAMP", _) => {
            SocketOption::WindowClamp(Some(number as u32).filter(|bytes| *bytes > 0))
        }
        ("SOL_TCP", "TCP_SYNCNT", _) => match u32::try_from(number) {
            Ok(retries) => SocketOption::SynRetries(retries),
            Err(_) => return Ok(Err("EINVAL")),
        },
        ("SOL_TCP", "TCP_KEEPCNT", _) => match u32::try_from(number) {
            Ok(count) => SocketOption::KeepCount(count),
            Err(_) => return Ok(Err("EINVAL")),
        },
        ("SOL_TCP", "TCP_USER_TIMEOUT", _) => match u64::try_from(number) {
            Ok(milliseconds) => SocketOption::UserTimeout(Some(Duration::from_millis(milliseconds))),
            Err(_) => return Ok(Err("EINVAL")),
        },
        ("SOL_TCP", "TCP_CONGESTION", Value::Text(text)) => match congestion(text) {
            Some(name) => SocketOption::Congestion(name),
            None => return Ok(Err("ENOENT")),
        },
        ("SOL_IPV6", "IPV6_V6ONLY", _) => SocketOption::OnlyV6(on),
        ("SOL_IP", "IP_TOS", _) | ("SOL_IPV6", "IPV6_TCLASS", _) => SocketOption::TrafficClass(number as u8),
        ("SOL_IP", "IP_MTU_DISCOVER", _) | ("SOL_IPV6", "IPV6_MTU_DISCOVER", _) => match number {
            0 | 1 => SocketOption::PathMtuDiscovery(on),
            2..=5 => return Err(a.unsupported(format!("{name} {number}"))),
            _ => return Ok(Err("EINVAL")),
        },
        ("SOL_IP", "IP_TTL", _) | ("SOL_IPV6", "IPV6_UNICAST_HOPS", _) => match u8::try_from(number) {
            Ok(limit) => SocketOption::HopLimit(limit),
            Err(_) => return Ok(Err("EINVAL")),
        },
        _ => return Err(a.unsupported(format!("{name} of {level}"))),
    };
    Ok(Ok(option))
}

/// Which option of the stack `getsockopt` asks for.
fn name_of(a: &Arguments<'_>, level: &str, name: &str) -> Result<OptionName, Failure> {
    Ok(match (level, name) {
        ("SOL_SOCKET", "SO_REUSEADDR") => OptionName::ReuseAddress,
        ("SOL_SOCKET", "SO_REUSEPORT") => OptionName::ReusePort,
        ("SOL_SOCKET", "SO_BROADCAST") => OptionName::Broadcast,
        ("SOL_SOCKET", "SO_KEEPALIVE") => OptionName::KeepAlive,
        ("SOL_SOCKET", "SO_SNDBUF") => OptionName::SendBuffer,
        ("SOL_SOCKET", "SO_RCVBUF") => OptionName::ReceiveBuffer,
        ("SOL_SOCKET", "SO_LINGER") => OptionName::Linger,
        ("SOL_TCP", "TCP_NODELAY") => OptionName::NoDelay,
        ("SOL_TCP", "TCP_CORK") => OptionName::Cork,
        ("SOL_SOCKET", "SO_MAX_PACING_RATE") => OptionName::MaxPacingRate,
        ("SOL_SOCKET", "SO_OOBINLINE") => OptionName::UrgentInLine,
        ("SOL_TCP", "TCP_QUICKACK") => OptionName::QuickAck,
        ("SOL_TCP", "TCP_LINGER2") => OptionName::FinWait2,
        ("SOL_TCP", "TCP_DEFER_ACCEPT") => OptionName::DeferAccept,
        ("SOL_TCP", "TCP_WINDOW_CLAMP") => OptionName::WindowClamp,
        ("SOL_TCP", "TCP_SYNCNT") => OptionName::SynRetries,
        ("SOL_TCP", "TCP_FASTOPEN") => OptionName::FastOpen,
        ("SOL_TCP", "TCP_FASTOPEN_CONNECT") => OptionName::FastOpenConnect,
        ("SOL_TCP", "TCP_FASTOPEN_NO_COOKIE") => OptionName::FastOpenNoCookie,
        ("SOL_TCP", "TCP_FASTOPEN_KEY") => OptionName::FastOpenKey,
        ("SOL_TCP", "TCP_NOTSENT_LOWAT") => OptionName::UnsentLowWater,
        ("SOL_TCP", "TCP_MAXSEG") => OptionName::MaxSegment,
        ("SOL_TCP", "TCP_KEEPIDLE") => OptionName::KeepIdle,
        ("SOL_TCP", "TCP_KEEPINTVL") => OptionName::KeepInterval,
        ("SOL_TCP", "TCP_KEEPCNT") => OptionName::KeepCount,
        ("SOL_TCP", "TCP_USER_TIMEOUT") => OptionName::UserTimeout,
        ("SOL_TCP", "TCP_CONGESTION") => OptionName::Congestion,
        ("SOL_IPV6", "IPV6_V6ONLY") => OptionName::OnlyV6,
        ("SOL_IP", "IP_TOS") | ("SOL_IPV6", "IPV6_TCLASS") => OptionName::TrafficClass,
        ("SOL_IP", "IP_MTU_DISCOVER") | ("SOL_IPV6", "IPV6_MTU_DISCOVER") => OptionName::PathMtuDiscovery,
        ("SOL_IP", "IP_TTL") | ("SOL_IPV6", "IPV6_UNICAST_HOPS") => OptionName::HopLimit,
        _ => return Err(a.unsupported(format!("{name} of {level}"))),
    })
}

/// What `getsockopt` returns for a value of the stack.
fn returned(a: &Arguments<'_>, option: SocketOption) -> Result<Value, Failure> {
    let time = |time: Duration| Value::Number(time.as_secs() as i64);
    Ok(match option {
        SocketOption::ReuseAddress(on)
        | SocketOption::ReusePort(on)
        | SocketOption::PathMtuDiscovery(on)
        | SocketOption::Broadcast(on)
        | SocketOption::KeepAlive(on)
        | SocketOption::NoDelay(on)
        | SocketOption::Cork(on)
        | SocketOption::UrgentInLine(on)
        | SocketOption::FastOpenConnect(on)
        | SocketOption::FastOpenNoCookie(on)
        | SocketOption::OnlyV6(on) => Value::Number(on.into()),
        SocketOption::SendBuffer(bytes) | SocketOption::ReceiveBuffer(bytes) => Value::Number(bytes as i64),
        SocketOption::Linger(linger) => Value::Linger(linger),
        SocketOption::MaxPacingRate(rate) => {
            Value::Number(rate.map_or(u32::MAX.into(), |rate| rate.min(u32::MAX.into()) as i64))
        }
        SocketOption::FastOpen(queue) => Value::Number(queue.into()),
        SocketOption::QuickAck(quick) => Value::Number((quick == QuickAck::On).into()),
        SocketOption::FinWait2(FinWait2::For(time)) | SocketOption::DeferAccept(time) => {
            Value::Number(time.as_secs() as i64)
        }
        SocketOption::FinWait2(_) => Value::Number(-1),
        SocketOption::WindowClamp(clamp) => Value::Number(clamp.unwrap_or(0).into()),
        SocketOption::SynRetries(retries) => Value::Number(retries.into()),
        SocketOption::FastOpenKey(keys) => Value::Text(keys.to_bytes()),
        SocketOption::UnsentLowWater(bytes) => Value::Number(bytes.unwrap_or(0).into()),
        SocketOption::MaxSegment(bytes) => Value::Number(bytes.into()),
        SocketOption::KeepIdle(idle) | SocketOption::KeepInterval(idle) => time(idle),
        SocketOption::KeepCount(count) => Value::Number(count.into()),
        SocketOption::UserTimeout(limit) => Value::Number(limit.map_or(0, |limit| limit.as_millis() as i64)),
        SocketOption::Congestion(name) => Value::Text(name.to_string().into_bytes()),
        SocketOption::TrafficClass(class) => Value::Number(class.into()),
        SocketOption::HopLimit(limit) => Value::Number(limit.into()),
        other => return Err(a.unsupported(format!("{other:?}"))),
    })
}

impl Caller<'_> {
    pub(super) fn setsockopt(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[5])?;
        let mut file = socket_of!(self, a, 0);
        let (level, name, value) = (level(a.word(1)?), a.word(2)?, value(a, 3)?);
        // The options of IPv4 are content with a byte.
        let least = if level == "SOL_IP" { 1 } else { 4 };
        if let (Value::Number(_), length) = (&value, a.number(4)?)
            && length < least
        {
            return failed("EINVAL");
        }
        if (level, name) == ("SOL_SOCKET", "SO_ZEROCOPY") {
            file.zero_copy = value != Value::Number(0);
            self.keep(a.descriptor(0)?, file);
            return done(Returned::Value(0));
        }
        if (level, name) == ("SOL_TCP", "TCP_INQ") && file.carrier == Carrier::Tcp {
            let Value::Number(number @ 0..=1) = value else { return failed("EINVAL") };
            file.tells_rest = number == 1;
            self.keep(a.descriptor(0)?, file);
            return done(Returned::Value(0));
        }
        let option = match option_of(a, level, name, &value)? {
            Ok(option) => option,
            Err(errno) => return failed(errno),
        };
        let now = self.host.now();
        done(self.host.stack.set_option(now, file.id, option).map(|()| 0))
    }

    pub(super) fn getsockopt(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[5])?;
        let file = socket_of!(self, a, 0);
        let (level, name) = (level(a.word(1)?), a.word(2)?);
        let actual = if (level, name) == ("SOL_SOCKET", "SO_ERROR") {
            match self.host.stack.take_error(file.id) {
                Ok(error) => Value::Number(error.map_or(0, number_of)),
                Err(error) => return done(error),
            }
        } else {
            match self.host.stack.option(file.id, name_of(a, level, name)?) {
                Ok(option) => returned(a, option)?,
                Err(error) => return done(error),
            }
        };
        let mut differences = Vec::new();
        if *a.get(3)? != Argument::Ellipsis {
            let expected = value(a, 3)?;
            // Both of 32 bits: 0xffffffff and -1 are the same.
            let same = match (&expected, &actual) {
                (Value::Number(expected), Value::Number(actual)) => *expected as i32 == *actual as i32,
                _ => expected == actual,
            };
            if !same {
                let (expected, actual) = (expected.shown(), actual.shown());
                differences.push(Difference { field: "value", expected, actual });
            }
        }
        if *a.get(4)? != Argument::Ellipsis {
            let length = match &actual {
                Value::Number(_) => 4,
                Value::Linger(_) => 8,
                // A name is padded with zeros to as much as was asked for, at most sixteen bytes.
                Value::Text(_) if name == "TCP_CONGESTION" => a.bracketed(4)?.min(16),
                Value::Text(bytes) => bytes.len() as i64,
            };
            differs("length", a.bracketed(4)?, length, &mut differences);
        }
        done_with(Returned::Value(0), differences)
    }
}

/// The number of an error.
fn number_of(error: Error) -> i64 {
    constant(error.name()).unwrap_or(-1)
}
