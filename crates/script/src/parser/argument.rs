//! Arguments and results of calls: numbers, words, strings, arrays and C's structures in strace's words.

use super::cursor::Cursor;
use crate::ast::Argument;
use crate::error::ScriptError;
use crate::lexer::Kind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Arguments with commas between them up to `close`, which may follow at once.
pub(super) fn list(cursor: &mut Cursor<'_>, close: char) -> Result<Vec<Argument>, ScriptError> {
    let mut arguments = Vec::new();
    if cursor.accept(close) {
        return Ok(arguments);
    }
    loop {
        arguments.push(argument(cursor)?);
        if cursor.accept(close) {
            return Ok(arguments);
        }
        if !cursor.accept(',') {
            return Err(cursor.expected(&format!("',' or '{close}'")));
        }
    }
}

/// One argument, which may be several with `|` between them.
pub(super) fn argument(cursor: &mut Cursor<'_>) -> Result<Argument, ScriptError> {
    if let (Some(name), Kind::Mark('=')) = (cursor.word().map(str::to_owned), cursor.ahead(1)) {
        cursor.advance();
        cursor.advance();
        let value = cursor.nested(argument)?;
        return Ok(Argument::Assign(name, Box::new(value)));
    }
    let first = cursor.nested(operand)?;
    if *cursor.peek() != Kind::Mark('|') {
        return Ok(first);
    }
    let mut operands = vec![first];
    while cursor.accept('|') {
        operands.push(cursor.nested(operand)?);
    }
    Ok(Argument::Or(operands))
}

fn operand(cursor: &mut Cursor<'_>) -> Result<Argument, ScriptError> {
    match cursor.peek().clone() {
        Kind::Ellipsis => {
            cursor.advance();
            Ok(Argument::Ellipsis)
        }
        Kind::Integer(_) | Kind::Hex(_) => Ok(Argument::Integer(cursor.integer("a number")?)),
        Kind::Text(_) => strings(cursor),
        Kind::Mark('[') => {
            cursor.advance();
            Ok(Argument::Array(list(cursor, ']')?))
        }
        Kind::Mark('{') => {
            cursor.advance();
            structure(cursor)
        }
        Kind::Word(word) => {
            cursor.advance();
            match (word.as_str(), cursor.peek()) {
                ("inet_addr", Kind::Mark('(')) => Ok(Argument::InetAddr(quoted_address(cursor)?)),
                ("inet6_addr", Kind::Mark('(')) => Ok(Argument::Inet6Addr(quoted_address(cursor)?)),
                _ => Ok(Argument::Word(word)),
            }
        }
        _ => Err(cursor.expected("an argument")),
    }
}

/// Strings in a row are one, as in C.
fn strings(cursor: &mut Cursor<'_>) -> Result<Argument, ScriptError> {
    let mut octets = Vec::new();
    while let Kind::Text(_) = cursor.peek() {
        let start = cursor.here();
        let text = cursor.text()?;
        octets.extend(unescaped(&text).map_err(|message| cursor.error(start, message))?);
    }
    if *cursor.peek() == Kind::Ellipsis {
        cursor.advance();
        return Ok(Argument::TextEllipsis(octets));
    }
    Ok(Argument::Text(octets))
}

/// C's escapes: `\n`, `\x4f`, `\117` and the like.
fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'\\' {
            octets.push(*first);
            continue;
        }
        let Some((kind, behind)) = rest.split_first() else {
            return Err("a backslash ends this string".to_owned());
        };
        let (value, length) = match kind {
            b'n' => (b'\n', 1),
            b't' => (b'\t', 1),
            b'r' => (b'\r', 1),
            b'a' => (7, 1),
            b'b' => (8, 1),
            b'v' => (11, 1),
            b'f' => (12, 1),
            b'\\' | b'"' | b'\'' | b'?' => (*kind, 1),
            b'x' => {
                let (value, digits) = digits(behind, 16, 2);
                if digits == 0 {
                    return Err("hexadecimal digits belong behind \\x".to_owned());
                }
                (u8::try_from(value).unwrap_or(0), 1 + digits)
            }
            b'0'..=b'7' => {
                let (value, digits) = digits(rest, 8, 3);
                (u8::try_from(value).map_err(|_| format!("\\{value:o} is more than an octet"))?, digits)
            }
            other => return Err(format!("\\{} is no escape of C's", other.escape_ascii())),
        };
        octets.push(value);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(octets)
}

/// The number that `text` begins with, and how many of its octets are that number's digits.
fn digits(text: &[u8], radix: u32, most: usize) -> (u32, usize) {
    let values = text.iter().take(most).map_while(|digit| char::from(*digit).to_digit(radix));
    values.fold((0, 0), |(value, count), digit| (value * radix + digit, count + 1))
}

/// `("192.0.2.1")`
fn quoted_address<T: std::str::FromStr>(cursor: &mut Cursor<'_>) -> Result<T, ScriptError> {
    cursor.mark('(')?;
    let start = cursor.here();
    let text = cursor.text()?;
    let address = text.parse().map_err(|_| cursor.error(start, format!("\"{text}\" is no such address")))?;
    cursor.mark(')')?;
    Ok(address)
}

/// What follows `{`.
fn structure(cursor: &mut Cursor<'_>) -> Result<Argument, ScriptError> {
    if let (Kind::Ellipsis, Kind::Mark(','), Kind::Integer(_) | Kind::Hex(_), Kind::Mark('}')) =
        (cursor.peek(), cursor.ahead(1), cursor.ahead(2), cursor.ahead(3))
    {
        cursor.ellipsis()?;
        cursor.mark(',')?;
        let start = cursor.here();
        let length = cursor.integer("a length")?;
        if length < 0 {
            return Err(cursor.error(start, "the length of an iovec is not negative"));
        }
        cursor.mark('}')?;
        return Ok(Argument::Iovec(length));
    }
    match cursor.word() {
        Some("sa_family") => return address(cursor),
        Some("msg_name") => return message(cursor),
        _ => {}
    }
    let start = cursor.here();
    let members = list(cursor, '}')?;
    if !members.iter().all(|member| matches!(member, Argument::Assign(..))) || members.is_empty() {
        return Ok(Argument::Group(members));
    }
    let members = members.into_iter().filter_map(|member| match member {
        Argument::Assign(name, value) => Some((name, *value)),
        _ => None,
    });
    named(members.collect()).map_err(|message| cursor.error(start, message))
}

/// The structure that has these members.
fn named(members: Vec<(String, Argument)>) -> Result<Argument, String> {
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    for (place, name) in names.iter().enumerate() {
        if names[..place].contains(name) {
            return Err(format!("the member {name} stands twice"));
        }
    }
    let values = |names: &[&str]| -> Option<Vec<Argument>> {
        let value =
            |wanted: &&str| members.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        (names.len() == members.len()).then(|| names.iter().map(value).collect())?
    };
    let integers = |names: &[&str]| -> Option<Vec<i64>> {
        let integer = |value: Argument| if let Argument::Integer(value) = value { Some(value) } else { None };
        values(names)?.into_iter().map(integer).collect()
    };
    if let Some([onoff, linger]) = integers(&["onoff", "linger"]).as_deref() {
        return Ok(Argument::Linger { onoff: *onoff, linger: *linger });
    }
    if let Some([seconds, nanoseconds]) = integers(&["scm_sec", "scm_nsec"]).as_deref() {
        return Ok(Argument::Timestamping { seconds: *seconds, nanoseconds: *nanoseconds });
    }
    let poll = values(&["fd", "events", "revents"]).or_else(|| {
        let mut short = values(&["fd", "events"])?;
        short.push(Argument::Integer(0));
        Some(short)
    });
    if let Some(Ok([fd, events, revents])) = poll.map(<[Argument; 3]>::try_from)
        && names.first() == Some(&"fd")
    {
        return Ok(Argument::PollFd { fd: fd.into(), events: events.into(), revents: revents.into() });
    }
    for member in ["fd", "ptr", "u32", "u64"] {
        if let Some(Ok([events, data])) = values(&["events", member]).map(<[Argument; 2]>::try_from) {
            let (events, member, data) = (events.into(), member.to_owned(), data.into());
            return Ok(Argument::EpollEvent { events, member, data });
        }
    }
    if let Some(Ok([level, kind, data])) =
        values(&["cmsg_level", "cmsg_type", "cmsg_data"]).map(<[Argument; 3]>::try_from)
    {
        return Ok(Argument::Cmsg { level: level.into(), kind: kind.into(), data: data.into() });
    }
    let error = ["ee_errno", "ee_origin", "ee_type", "ee_code", "ee_info", "ee_data"];
    if let Some(Ok(members)) = values(&error).map(<[Argument; 6]>::try_from) {
        return Ok(Argument::ExtendedError(Box::new(members)));
    }
    Ok(Argument::Struct(members))
}

/// `sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("192.0.2.1")}`
fn address(cursor: &mut Cursor<'_>) -> Result<Argument, ScriptError> {
    cursor.keyword("sa_family")?;
    cursor.mark('=')?;
    let six = match cursor.word() {
        Some("AF_INET") => false,
        Some("AF_INET6") => true,
        _ => return Err(cursor.expected("AF_INET or AF_INET6")),
    };
    cursor.advance();
    cursor.mark(',')?;
    cursor.keyword("sin_port")?;
    cursor.mark('=')?;
    cursor.keyword("htons")?;
    cursor.mark('(')?;
    let port = cursor.number("a port", u16::MAX)?;
    cursor.mark(')')?;
    cursor.mark(',')?;
    cursor.keyword("sin_addr")?;
    cursor.mark('=')?;
    cursor.keyword("inet_addr")?;
    let address = if six {
        IpAddr::V6(quoted_address::<Ipv6Addr>(cursor)?)
    } else {
        IpAddr::V4(quoted_address::<Ipv4Addr>(cursor)?)
    };
    cursor.mark('}')?;
    Ok(Argument::Address(SocketAddr::new(address, port)))
}

/// `msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0, msg_control=[]}`
fn message(cursor: &mut Cursor<'_>) -> Result<Argument, ScriptError> {
    cursor.keyword("msg_name")?;
    cursor.mark('(')?;
    cursor.ellipsis()?;
    cursor.mark(')')?;
    cursor.mark('=')?;
    cursor.ellipsis()?;
    cursor.mark(',')?;
    cursor.keyword("msg_iov")?;
    cursor.mark('(')?;
    let iov_length = cursor.integer("a number of iovecs")?;
    cursor.mark(')')?;
    cursor.mark('=')?;
    cursor.mark('[')?;
    let iov = list(cursor, ']')?;
    cursor.mark(',')?;
    cursor.keyword("msg_flags")?;
    cursor.mark('=')?;
    let flags = Box::new(argument(cursor)?);
    let mut control = Vec::new();
    if cursor.accept(',') {
        cursor.keyword("msg_control")?;
        cursor.mark('=')?;
        cursor.mark('[')?;
        control = list(cursor, ']')?;
    }
    cursor.mark('}')?;
    Ok(Argument::MsgHdr { iov_length, iov, flags, control })
}
