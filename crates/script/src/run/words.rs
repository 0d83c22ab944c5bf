//! Packets in the words of a script, which are tcpdump's of old.

use core::fmt::Write;

use sockeye_core::wire::tcp::Flags;

use super::live::{Body, Live, RawOption, Tcp};
use crate::constant::icmp::{self, IcmpVersion};

/// What of a segment is not to be shown, because the script says nothing of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unsaid {
    /// The window.
    pub window: bool,
    /// The options.
    pub options: bool,
}

/// A segment: `P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 5 ecr 4>`.
pub fn segment(tcp: &Tcp, unsaid: Unsaid) -> String {
    let mut words = flags(tcp.flags);
    let length = tcp.payload.len();
    let end = tcp.seq.wrapping_add(length as u32);
    // Writing to a string cannot fail.
    let _ = write!(words, " {}:{end}({length})", tcp.seq);
    if tcp.flags.contains(Flags::ACK) {
        let _ = write!(words, " ack {}", tcp.ack);
    }
    if !unsaid.window {
        let _ = write!(words, " win {}", tcp.window);
    }
    if tcp.flags.contains(Flags::URG) || tcp.urgent != 0 {
        let _ = write!(words, " urg {}", tcp.urgent);
    }
    if unsaid.options {
        words.push_str(" <...>");
    } else if !tcp.options.is_empty() {
        let _ = write!(words, " <{}>", options(&tcp.options));
    }
    words
}

/// Flags in packetdrill's letters.
pub fn flags(flags: Flags) -> String {
    const LETTERS: [(Flags, char); 9] = [
        (Flags::FIN, 'F'),
        (Flags::SYN, 'S'),
        (Flags::RST, 'R'),
        (Flags::PSH, 'P'),
        (Flags::URG, 'U'),
        (Flags::ECE, 'E'),
        (Flags::CWR, 'W'),
        (Flags::AE, 'A'),
        // Last, as the language has it: what is shown can be written.
        (Flags::ACK, '.'),
    ];
    let set: String =
        LETTERS.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, letter)| letter).collect();
    if set.is_empty() { "-".to_owned() } else { set }
}

/// Options, separated by commas.
pub fn options(options: &[RawOption]) -> String {
    options.iter().map(option).collect::<Vec<_>>().join(",")
}

/// One option.
pub fn option(option: &RawOption) -> String {
    let data = option.data.as_slice();
    match (option.kind, data) {
        (0, []) => "eol".to_owned(),
        (1, []) => "nop".to_owned(),
        (2, &[a, b]) => format!("mss {}", u16::from_be_bytes([a, b])),
        (3, [shift]) => format!("wscale {shift}"),
        (4, []) => "sackOK".to_owned(),
        (5, edges) => {
            let (edges, _) = edges.as_chunks::<8>();
            let block = |&[a, b, c, d, e, f, g, h]: &[u8; 8]| {
                let (left, right) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
                format!(" {left}:{right}")
            };
            format!("sack{}", edges.iter().map(block).collect::<String>())
        }
        (19, digest) => format!("md5 {}", hex(digest)),
        (34, []) => "FO".to_owned(),
        (34, cookie) => format!("FO {}", hex(cookie)),
        (254, [0xf9, 0x89, cookie @ ..]) => format!("FOEXP {}", hex(cookie)).trim_end().to_owned(),
        (kind, data) => match option.timestamps() {
            Some((value, echo)) => format!("TS val {value} ecr {echo}"),
            None => format!("kind {kind} {}", hex(data)).trim_end().to_owned(),
        },
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The ECN field by name (RFC 3168 section 5).
pub fn ecn_field(tos: u8) -> &'static str {
    match ecn(tos).trim_end() {
        "" => "[noecn]",
        mark => mark,
    }
}

/// What is special about the IP header, in front of the segment: `[ect0] `.
pub fn ecn(tos: u8) -> &'static str {
    match tos & 3 {
        1 => "[ect1] ",
        2 => "[ect0] ",
        3 => "[ce] ",
        _ => "",
    }
}

/// Any packet.
pub fn packet(live: &Live) -> String {
    match &live.body {
        Body::Tcp(tcp) => format!("{}{}", ecn(live.tos), segment(tcp, Unsaid::default())),
        Body::Udp { payload, .. } => format!("udp ({})", payload.len()),
        Body::Icmp { kind, code, .. } => {
            let version = if live.source.is_ipv6() { IcmpVersion::V6 } else { IcmpVersion::V4 };
            format!("icmp {}", icmp::words(*kind, *code, version))
        }
        Body::Other(protocol) => format!("ip-proto-{protocol}"),
    }
}
