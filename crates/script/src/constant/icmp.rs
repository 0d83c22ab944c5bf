//! Names of ICMP's types and codes. RFC 792, RFC 4443.

use crate::ast::IcmpPacket;

/// A type's name and number, and the names of its codes.
type Row = (&'static str, u8, &'static [(&'static str, u8)]);

const V4: &[Row] = &[
    ("echo_reply", 0, &[]),
    (
        "unreachable",
        3,
        &[
            ("net_unreachable", 0),
            ("host_unreachable", 1),
            ("protocol_unreachable", 2),
            ("port_unreachable", 3),
            ("frag_needed", 4),
            ("source_route_failed", 5),
            ("net_unknown", 6),
            ("host_unknown", 7),
            ("source_host_isolated", 8),
            ("net_prohibited", 9),
            ("host_prohibited", 10),
            ("net_unreachable_for_tos", 11),
            ("host_unreachable_for_tos", 12),
            ("packet_filtered", 13),
            ("precedence_violation", 14),
            ("precedence_cutoff", 15),
        ],
    ),
    ("source_quench", 4, &[]),
    ("redirect", 5, &[]),
    ("echo_request", 8, &[]),
    ("time_exceeded", 11, &[]),
    ("parameter_problem", 12, &[]),
    ("timestamp_request", 13, &[]),
    ("timestamp_reply", 14, &[]),
    ("information_request", 15, &[]),
    ("information_reply", 16, &[]),
    ("address_mask_request", 17, &[]),
    ("address_mask_reply", 18, &[]),
];

const V6: &[Row] = &[
    (
        "unreachable",
        1,
        &[
            // Two names for 0: scripts that run over both versions write IPv4's.
            ("net_unreachable", 0),
            ("no_route", 0),
            ("admin_prohibited", 1),
            ("not_neighbour", 2),
            ("address_unreachable", 3),
            ("port_unreachable", 4),
        ],
    ),
    ("packet_too_big", 2, &[]),
    ("time_exceeded", 3, &[("exceeded_hop_limit", 0), ("exceeded_frag_time", 1)]),
    ("parameter_problem", 4, &[("header_field", 0), ("unknown_next_header", 1), ("unknown_option", 2)]),
    ("echo_request", 128, &[]),
    ("echo_reply", 129, &[]),
];

/// Which ICMP a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpVersion {
    /// ICMP, over IPv4.
    V4,
    /// ICMPv6.
    V6,
}

/// The numbers of a message's type and code; a code not written is 0. `type_13` and `code_5` name any number.
///
/// # Errors
/// What is not known by name, and an MTU where the message has no room for one, in a sentence.
pub fn numbers(packet: &IcmpPacket, version: IcmpVersion) -> Result<(u8, u8), String> {
    let rows = match version {
        IcmpVersion::V4 => V4,
        IcmpVersion::V6 => V6,
    };
    let row = rows.iter().find(|(name, ..)| *name == packet.kind).copied();
    let kind = match (row, numbered(&packet.kind, "type_")) {
        (Some((_, number, _)), _) | (None, Some(number)) => number,
        (None, None) => return Err(format!("'{}' is no type of {version:?} ICMP", packet.kind)),
    };
    let code = match &packet.code {
        None => 0,
        Some(code) => {
            let names = row.map_or(&[][..], |(_, _, codes)| codes);
            let named = names.iter().find(|(name, _)| name == code).map(|(_, number)| *number);
            named
                .or_else(|| numbered(code, "code_"))
                .ok_or_else(|| format!("'{code}' is no code of {version:?} ICMP's '{}'", packet.kind))?
        }
    };
    // RFC 1191, section 4: sixteen bits of the fourth code of type 3. RFC 4443, section 3.2: all 32.
    if let Some(mtu) = packet.mtu {
        let (carries, most) = match version {
            IcmpVersion::V4 => ((kind, code) == (3, 4), u32::from(u16::MAX)),
            IcmpVersion::V6 => ((kind, code) == (2, 0), u32::MAX),
        };
        if !carries || mtu > most {
            return Err(format!(
                "{version:?} ICMP's '{}' with code {code} carries no MTU of {mtu}",
                packet.kind
            ));
        }
    }
    Ok((kind, code))
}

/// The words for a type and a code, as a script writes them.
pub fn words(kind: u8, code: u8, version: IcmpVersion) -> String {
    let rows = match version {
        IcmpVersion::V4 => V4,
        IcmpVersion::V6 => V6,
    };
    let row = rows.iter().find(|(_, number, _)| *number == kind);
    let name = row.map_or_else(|| format!("type_{kind}"), |(name, ..)| (*name).to_owned());
    let codes = row.map_or(&[][..], |(.., codes)| codes);
    match codes.iter().find(|(_, number)| *number == code) {
        Some((code, _)) => format!("{name} {code}"),
        None if code == 0 => name,
        None => format!("{name} code_{code}"),
    }
}

fn numbered(word: &str, prefix: &str) -> Option<u8> {
    word.strip_prefix(prefix)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::EchoedPacket;

    fn of(
        kind: &str,
        code: Option<&str>,
        mtu: Option<u32>,
        version: IcmpVersion,
    ) -> Result<(u8, u8), String> {
        let code = code.map(str::to_owned);
        numbers(
            &IcmpPacket { kind: kind.into(), code, mtu, id: None, echoed: EchoedPacket::Unspecified },
            version,
        )
    }

    #[test]
    fn numbers_have_words() {
        assert_eq!(words(3, 4, IcmpVersion::V4), "unreachable frag_needed");
        assert_eq!(words(2, 0, IcmpVersion::V6), "packet_too_big");
        assert_eq!(words(99, 7, IcmpVersion::V4), "type_99 code_7");
    }

    #[test]
    fn names_depend_on_the_version() {
        assert_eq!(of("unreachable", Some("frag_needed"), Some(1400), IcmpVersion::V4), Ok((3, 4)));
        assert_eq!(of("packet_too_big", None, Some(70_000), IcmpVersion::V6), Ok((2, 0)));
        assert_eq!(of("unreachable", Some("port_unreachable"), None, IcmpVersion::V6), Ok((1, 4)));
        assert_eq!(of("type_99", Some("code_7"), None, IcmpVersion::V4), Ok((99, 7)));
        for (kind, code, mtu, version) in [
            ("packet_too_big", None, None, IcmpVersion::V4),
            ("unreachable", Some("frag_needed"), None, IcmpVersion::V6),
            ("unreachable", Some("host_unreachable"), Some(1400), IcmpVersion::V4),
            ("unreachable", Some("frag_needed"), Some(70_000), IcmpVersion::V4),
            ("type_256", None, None, IcmpVersion::V4),
        ] {
            assert!(of(kind, code, mtu, version).is_err(), "{kind} {code:?} {mtu:?}");
        }
    }
}
