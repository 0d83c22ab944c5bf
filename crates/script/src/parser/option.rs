//! TCP options between `<` and `>`.

use super::cursor::Cursor;
use crate::ast::packet::AccEcnOrder;
use crate::ast::{TcpOption, TcpOptions};
use crate::error::ScriptError;
use crate::lexer::Kind;

/// What a data offset of 15 leaves for options. RFC 9293, section 3.1.
const MOST_OCTETS: usize = 40;

pub(super) fn options(cursor: &mut Cursor<'_>) -> Result<TcpOptions, ScriptError> {
    // An inbound packet of the next event also begins with <, but behind a time.
    let start = cursor.here();
    if !cursor.accept('<') {
        return Ok(TcpOptions::These(Vec::new()));
    }
    if *cursor.peek() == Kind::Ellipsis {
        cursor.advance();
        cursor.mark('>')?;
        return Ok(TcpOptions::Any);
    }
    let mut options = Vec::new();
    let mut octets = 0_usize;
    loop {
        let option = option(cursor)?;
        octets += option.length();
        options.push(option);
        if octets > MOST_OCTETS {
            return Err(cursor.error(start, format!("these options take more than {MOST_OCTETS} octets")));
        }
        if !cursor.accept(',') {
            break;
        }
    }
    cursor.mark('>')?;
    if !octets.is_multiple_of(4) {
        let message =
            format!("these options take {octets} octets, which nop or eol must bring to a multiple of 4");
        return Err(cursor.error(start, message));
    }
    Ok(TcpOptions::These(options))
}

fn option(cursor: &mut Cursor<'_>) -> Result<TcpOption, ScriptError> {
    if cursor.accept('[') {
        let octets = cursor.octets("the octets of an option")?;
        cursor.mark(']')?;
        return Ok(TcpOption::Raw(octets));
    }
    let Some(word) = cursor.word().map(str::to_owned) else { return Err(cursor.expected("a TCP option")) };
    let start = cursor.here();
    cursor.advance();
    Ok(match word.as_str() {
        "eol" => TcpOption::EndOfList,
        "nop" => TcpOption::NoOperation,
        "mss" => TcpOption::MaximumSegmentSize(cursor.number("a maximum segment size", u16::MAX)?),
        "wscale" => TcpOption::WindowScale(cursor.number("a shift count", u8::MAX)?),
        "sackOK" => TcpOption::SackPermitted,
        "sack" => {
            let mut blocks = vec![block(cursor)?];
            while matches!(cursor.peek(), Kind::Integer(_)) {
                blocks.push(block(cursor)?);
            }
            TcpOption::Sack(blocks)
        }
        "TS" => {
            cursor.keyword("val")?;
            let value = cursor.number("a timestamp", u32::MAX)?;
            cursor.keyword("ecr")?;
            TcpOption::Timestamps { value, echo: cursor.number("a timestamp", u32::MAX)? }
        }
        "FO" => TcpOption::FastOpen(perhaps_octets(cursor, "a cookie")?),
        "FOEXP" => TcpOption::FastOpenExperimental(perhaps_octets(cursor, "a cookie")?),
        "md5" => TcpOption::Md5(cursor.octets("a digest")?),
        "ECN" => acc_ecn(cursor)?,
        "exp" => TcpOption::Other { kind: 254, data: perhaps_octets(cursor, "an option's content")? },
        "kind" => {
            let kind = cursor.number("an option's kind", u8::MAX)?;
            TcpOption::Other { kind, data: perhaps_octets(cursor, "an option's content")? }
        }
        other => {
            let names = "eol, nop, mss, wscale, sackOK, sack, TS, FO, FOEXP, md5, ECN, exp, kind";
            return Err(
                cursor.error(start, format!("'{other}' is no TCP option: those are {names} and [octets]"))
            );
        }
    })
}

fn block(cursor: &mut Cursor<'_>) -> Result<(u32, u32), ScriptError> {
    let left = cursor.number("a SACK block's left edge", u32::MAX)?;
    cursor.mark(':')?;
    Ok((left, cursor.number("a SACK block's right edge", u32::MAX)?))
}

fn perhaps_octets(cursor: &mut Cursor<'_>, what: &str) -> Result<Vec<u8>, ScriptError> {
    match cursor.peek() {
        Kind::Word(_) | Kind::Integer(_) => cursor.octets(what),
        _ => Ok(Vec::new()),
    }
}

/// `e0b 1 ceb 0 e1b 1` or `e1b 1 ceb 0 e0b 1`, cut behind any of the three.
fn acc_ecn(cursor: &mut Cursor<'_>) -> Result<TcpOption, ScriptError> {
    let (order, names) = match cursor.word() {
        Some("e0b") => (AccEcnOrder::Ect0First, ["e0b", "ceb", "e1b"]),
        Some("e1b") => (AccEcnOrder::Ect1First, ["e1b", "ceb", "e0b"]),
        _ => return Err(cursor.expected("'e0b' or 'e1b'")),
    };
    let mut counters = Vec::new();
    for name in names {
        if !cursor.accept_word(name) {
            break;
        }
        counters.push(cursor.number("a counter of AccECN", 0xff_ffff_u32)?);
    }
    Ok(TcpOption::AccEcn { first: order, counters })
}
