//! Neighbour discovery for IPv6 (RFC 4861): the five ICMPv6 messages by which nodes of a link find each other.

use core::fmt;
use core::net::Ipv6Addr;

use super::checksum::PseudoHeader;
use super::error::{WireError, split};
use super::ethernet::MacAddr;
use super::headers::Headers;
use super::icmpv6::{seal, verify};
use super::ip::Protocol;
use super::ipv6::Ipv6Header;

const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOR_SOLICITATION: u8 = 135;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;

const SOURCE_LINK: u8 = 1;
const TARGET_LINK: u8 = 2;
const PREFIX_INFORMATION: u8 = 3;
const MTU: u8 = 5;

/// A prefix that a router announces (RFC 4861 section 4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixInformation {
    /// The prefix; bits behind its length mean nothing.
    pub prefix: Ipv6Addr,
    /// Its length in bits, at most 128.
    pub length: u8,
    /// L: addresses in it are on this link.
    pub is_on_link: bool,
    /// A: hosts may make addresses in it (RFC 4862).
    pub is_autonomous: bool,
    /// Seconds it stays on-link; all ones for ever.
    pub valid_lifetime: u32,
    /// Seconds its addresses stay preferred; all ones for ever.
    pub preferred_lifetime: u32,
}

/// The prefixes of a router advertisement: the first four; more are ignored, so that memory stays bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prefixes {
    prefixes: [Option<PrefixInformation>; 4],
}

impl Prefixes {
    /// Adds a prefix; `false`, and nothing done, when four are there.
    pub fn push(&mut self, prefix: PrefixInformation) -> bool {
        match self.prefixes.iter_mut().find(|place| place.is_none()) {
            Some(place) => {
                *place = Some(prefix);
                true
            }
            None => false,
        }
    }

    /// The prefixes in their order.
    pub fn iter(&self) -> impl Iterator<Item = &PrefixInformation> {
        self.prefixes.iter().flatten()
    }
}

impl FromIterator<PrefixInformation> for Prefixes {
    /// The first four prefixes.
    fn from_iter<I: IntoIterator<Item = PrefixInformation>>(prefixes: I) -> Prefixes {
        let mut all = Prefixes::default();
        for prefix in prefixes.into_iter().take(4) {
            all.push(prefix);
        }
        all
    }
}

/// What a router says of itself and the link (RFC 4861 section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouterAdvertisement {
    /// The hop limit hosts are to use; zero says nothing.
    pub hop_limit: u8,
    /// M: addresses are to be had by DHCPv6.
    pub is_managed: bool,
    /// O: other configuration is to be had by DHCPv6.
    pub has_other_config: bool,
    /// Seconds this router may be a default router; zero: it is none.
    pub lifetime: u16,
    /// Milliseconds a neighbour stays reachable; zero says nothing.
    pub reachable_millis: u32,
    /// Milliseconds between solicitations; zero says nothing.
    pub retransmit_millis: u32,
    /// The hardware address of the router.
    pub source_link: Option<MacAddr>,
    /// The MTU of the link.
    pub mtu: Option<u32>,
    /// Prefixes.
    pub prefixes: Prefixes,
}

/// A neighbour discovery message.
///
/// ```
/// use sockeye_core::wire::{Headers, Protocol, ipv6::Ipv6Header, ndp::Ndp, ethernet::MacAddr};
/// let target = "fe80::2".parse().unwrap();
/// let solicitation = Ndp::NeighborSolicitation { target, source_link: Some(MacAddr([2, 0, 0, 0, 0, 1])) };
/// let header = Ipv6Header {
///     hop_limit: 255,
///     payload_length: solicitation.message_len(),
///     ..Ipv6Header::new("fe80::1".parse().unwrap(), Ipv6Header::solicited_node(target), Protocol::Icmpv6)
/// };
/// let mut headers = Headers::new();
/// solicitation.prepend(&mut headers, header.source, header.destination);
/// assert_eq!(Ndp::parse(headers.as_slice(), &header), Ok(solicitation));
/// assert_eq!(solicitation.to_string(), "neighbor solicitation, who has fe80::2");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ndp {
    /// Type 133: "which routers are there?"
    RouterSolicitation {
        /// The hardware address of whoever asks.
        source_link: Option<MacAddr>,
    },
    /// Type 134.
    RouterAdvertisement(RouterAdvertisement),
    /// Type 135: "who has the target?"
    NeighborSolicitation {
        /// The address asked about.
        target: Ipv6Addr,
        /// The hardware address of whoever asks; absent when it checks for duplicates.
        source_link: Option<MacAddr>,
    },
    /// Type 136: "I have the target."
    NeighborAdvertisement {
        /// R: the sender is a router.
        router: bool,
        /// S: this answers a solicitation.
        solicited: bool,
        /// O: replace what is known of the target.
        override_: bool,
        /// The address.
        target: Ipv6Addr,
        /// The hardware address it is at.
        target_link: Option<MacAddr>,
    },
    /// Type 137: "there is a better first hop."
    Redirect {
        /// The better hop; the destination itself when it is a neighbour.
        target: Ipv6Addr,
        /// For what destination.
        destination: Ipv6Addr,
        /// The hardware address of the target.
        target_link: Option<MacAddr>,
    },
}

impl Ndp {
    /// Whether an ICMPv6 type is one of neighbour discovery's.
    pub fn is_ndp(kind: u8) -> bool {
        (ROUTER_SOLICITATION..=REDIRECT).contains(&kind)
    }

    /// Reads the ICMPv6 message that `header` carries, with every check that RFC 4861 sections 6.1, 7.1 and 8.1 ask
    /// for: hop limit 255 (so that nothing from beyond the link is believed), checksum, code, lengths, addresses,
    /// options of length zero. Options that are not known are skipped.
    ///
    /// # Errors
    /// [`WireError::Truncated`], [`WireError::BadChecksum`], [`WireError::BadOption`], and [`WireError::BadValue`] for
    /// the field that makes the message invalid.
    pub fn parse(message: &[u8], header: &Ipv6Header) -> Result<Ndp, WireError> {
        let (&[kind, code, _, _, a, b, c, d], body) = split::<8>(message, "neighbour discovery message")?;
        if header.hop_limit != 255 {
            return Err(bad("hop limit of neighbour discovery", header.hop_limit.into()));
        }
        if code != 0 {
            return Err(bad("code of neighbour discovery", code.into()));
        }
        verify(message, &header.pseudo())?;
        match kind {
            ROUTER_SOLICITATION => {
                let options = NdpOptions::parse(body)?;
                if header.source.is_unspecified() && options.source_link.is_some() {
                    return Err(bad("source link address of an unspecified source", 0));
                }
                Ok(Ndp::RouterSolicitation { source_link: options.source_link })
            }
            ROUTER_ADVERTISEMENT => {
                let (&[e, f, g, h, i, j, k, l], options) = split::<8>(body, "router advertisement")?;
                if !header.source.is_unicast_link_local() {
                    return Err(bad("source of a router advertisement", 0));
                }
                let options = NdpOptions::parse(options)?;
                Ok(Ndp::RouterAdvertisement(RouterAdvertisement {
                    hop_limit: a,
                    is_managed: b & 0x80 != 0,
                    has_other_config: b & 0x40 != 0,
                    lifetime: u16::from_be_bytes([c, d]),
                    reachable_millis: u32::from_be_bytes([e, f, g, h]),
                    retransmit_millis: u32::from_be_bytes([i, j, k, l]),
                    source_link: options.source_link,
                    mtu: options.mtu,
                    prefixes: options.prefixes,
                }))
            }
            NEIGHBOR_SOLICITATION => {
                let (target, options) = address(body, "neighbour solicitation")?;
                let options = NdpOptions::parse(options)?;
                if target.is_multicast() {
                    return Err(bad("target of a neighbour solicitation", target_word(target)));
                }
                if header.source.is_unspecified() {
                    if options.source_link.is_some() {
                        return Err(bad("source link address of an unspecified source", 0));
                    }
                    if header.destination != Ipv6Header::solicited_node(target) {
                        return Err(bad(
                            "destination of an unspecified source",
                            target_word(header.destination),
                        ));
                    }
                }
                Ok(Ndp::NeighborSolicitation { target, source_link: options.source_link })
            }
            NEIGHBOR_ADVERTISEMENT => {
                let (target, options) = address(body, "neighbour advertisement")?;
                let options = NdpOptions::parse(options)?;
                let solicited = a & 0x40 != 0;
                if target.is_multicast() {
                    return Err(bad("target of a neighbour advertisement", target_word(target)));
                }
                if solicited && header.destination.is_multicast() {
                    return Err(bad("solicited flag of a multicast advertisement", 1));
                }
                Ok(Ndp::NeighborAdvertisement {
                    router: a & 0x80 != 0,
                    solicited,
                    override_: a & 0x20 != 0,
                    target,
                    target_link: options.target_link,
                })
            }
            REDIRECT => {
                let (target, rest) = address(body, "redirect")?;
                let (destination, options) = address(rest, "redirect")?;
                let options = NdpOptions::parse(options)?;
                if !header.source.is_unicast_link_local() {
                    return Err(bad("source of a redirect", 0));
                }
                if destination.is_multicast() {
                    return Err(bad("destination of a redirect", target_word(destination)));
                }
                if target != destination && !target.is_unicast_link_local() {
                    return Err(bad("target of a redirect", target_word(target)));
                }
                Ok(Ndp::Redirect { target, destination, target_link: options.target_link })
            }
            other => Err(bad("type of neighbour discovery", other.into())),
        }
    }

    /// Bytes of the whole ICMPv6 message.
    pub fn message_len(&self) -> usize {
        let link = |link: &Option<MacAddr>| if link.is_some() { 8 } else { 0 };
        match self {
            Ndp::RouterSolicitation { source_link } => 8 + link(source_link),
            Ndp::RouterAdvertisement(RouterAdvertisement { source_link, mtu, prefixes, .. }) => {
                16 + link(source_link) + if mtu.is_some() { 8 } else { 0 } + 32 * prefixes.iter().count()
            }
            Ndp::NeighborSolicitation { source_link, .. } => 24 + link(source_link),
            Ndp::NeighborAdvertisement { target_link, .. } => 24 + link(target_link),
            Ndp::Redirect { target_link, .. } => 40 + link(target_link),
        }
    }

    /// Puts the whole ICMPv6 message in front, with its checksum. It is to be sent with hop limit 255.
    pub fn prepend(&self, headers: &mut Headers, source: Ipv6Addr, destination: Ipv6Addr) {
        let before = headers.len();
        match self {
            Ndp::RouterSolicitation { source_link } => {
                push_link(headers, SOURCE_LINK, *source_link);
                headers.push_front(&[ROUTER_SOLICITATION, 0, 0, 0, 0, 0, 0, 0]);
            }
            Ndp::RouterAdvertisement(advertisement) => advertisement.prepend(headers),
            Ndp::NeighborSolicitation { target, source_link } => {
                push_link(headers, SOURCE_LINK, *source_link);
                headers.push_front(&target.octets());
                headers.push_front(&[NEIGHBOR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0]);
            }
            Ndp::NeighborAdvertisement { router, solicited, override_, target, target_link } => {
                push_link(headers, TARGET_LINK, *target_link);
                headers.push_front(&target.octets());
                let flags = u8::from(*router) << 7 | u8::from(*solicited) << 6 | u8::from(*override_) << 5;
                headers.push_front(&[NEIGHBOR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0]);
            }
            Ndp::Redirect { target, destination, target_link } => {
                push_link(headers, TARGET_LINK, *target_link);
                headers.push_front(&destination.octets());
                headers.push_front(&target.octets());
                headers.push_front(&[REDIRECT, 0, 0, 0, 0, 0, 0, 0]);
            }
        }
        let pseudo = PseudoHeader::new(source.into(), destination.into(), Protocol::Icmpv6, 0);
        seal(headers, headers.len() - before, &pseudo, &[]);
    }
}

impl RouterAdvertisement {
    fn prepend(&self, headers: &mut Headers) {
        for place in self.prefixes.prefixes.iter().rev().flatten() {
            let mut option = [0; 32];
            option[0..3].copy_from_slice(&[PREFIX_INFORMATION, 4, place.length]);
            option[3] = u8::from(place.is_on_link) << 7 | u8::from(place.is_autonomous) << 6;
            option[4..8].copy_from_slice(&place.valid_lifetime.to_be_bytes());
            option[8..12].copy_from_slice(&place.preferred_lifetime.to_be_bytes());
            option[16..32].copy_from_slice(&place.prefix.octets());
            headers.push_front(&option);
        }
        if let Some(mtu) = self.mtu {
            let [a, b, c, d] = mtu.to_be_bytes();
            headers.push_front(&[MTU, 1, 0, 0, a, b, c, d]);
        }
        push_link(headers, SOURCE_LINK, self.source_link);
        headers.push_front(&self.retransmit_millis.to_be_bytes());
        headers.push_front(&self.reachable_millis.to_be_bytes());
        let flags = u8::from(self.is_managed) << 7 | u8::from(self.has_other_config) << 6;
        let [c, d] = self.lifetime.to_be_bytes();
        headers.push_front(&[ROUTER_ADVERTISEMENT, 0, 0, 0, self.hop_limit, flags, c, d]);
    }
}

/// The options read here, each as last given.
#[derive(Default)]
struct NdpOptions {
    source_link: Option<MacAddr>,
    target_link: Option<MacAddr>,
    mtu: Option<u32>,
    prefixes: Prefixes,
}

impl NdpOptions {
    /// Reads options to the end of the message. A length of zero, or past the end, makes the whole message invalid.
    fn parse(mut rest: &[u8]) -> Result<NdpOptions, WireError> {
        let mut options = NdpOptions::default();
        while let [kind, words, ..] = *rest {
            let malformed = WireError::BadOption { what: "neighbour discovery", kind };
            if words == 0 {
                return Err(malformed);
            }
            let (option, after) = rest.split_at_checked(usize::from(words) * 8).ok_or(malformed)?;
            match (kind, option) {
                // A link address of another length is not an Ethernet address: nothing to learn from.
                (SOURCE_LINK, &[_, _, a, b, c, d, e, f]) => {
                    options.source_link = Some(MacAddr([a, b, c, d, e, f]));
                }
                (TARGET_LINK, &[_, _, a, b, c, d, e, f]) => {
                    options.target_link = Some(MacAddr([a, b, c, d, e, f]));
                }
                (MTU, &[_, _, _, _, a, b, c, d]) => options.mtu = Some(u32::from_be_bytes([a, b, c, d])),
                (PREFIX_INFORMATION, option) => {
                    if let Ok(option) = <&[u8; 32]>::try_from(option)
                        && option[2] <= 128
                    {
                        options.prefixes.push(prefix_information(option));
                    }
                }
                _ => {}
            }
            rest = after;
        }
        match rest {
            [kind] => Err(WireError::BadOption { what: "neighbour discovery", kind: *kind }),
            _ => Ok(options),
        }
    }
}

fn prefix_information(option: &[u8; 32]) -> PrefixInformation {
    let mut prefix = [0; 16];
    prefix.copy_from_slice(&option[16..32]);
    PrefixInformation {
        prefix: prefix.into(),
        length: option[2],
        is_on_link: option[3] & 0x80 != 0,
        is_autonomous: option[3] & 0x40 != 0,
        valid_lifetime: u32::from_be_bytes([option[4], option[5], option[6], option[7]]),
        preferred_lifetime: u32::from_be_bytes([option[8], option[9], option[10], option[11]]),
    }
}

fn push_link(headers: &mut Headers, kind: u8, link: Option<MacAddr>) {
    if let Some(MacAddr([a, b, c, d, e, f])) = link {
        headers.push_front(&[kind, 1, a, b, c, d, e, f]);
    }
}

fn address<'a>(bytes: &'a [u8], what: &'static str) -> Result<(Ipv6Addr, &'a [u8]), WireError> {
    let (address, rest) = split::<16>(bytes, what)?;
    Ok((Ipv6Addr::from(*address), rest))
}

fn bad(what: &'static str, value: u32) -> WireError {
    WireError::BadValue { what, value }
}

/// The first word of an address: enough to tell a multicast address in an error.
fn target_word(address: Ipv6Addr) -> u32 {
    (address.to_bits() >> 96) as u32
}

impl fmt::Display for Ndp {
    /// In tcpdump's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ndp::RouterSolicitation { .. } => f.write_str("router solicitation"),
            Ndp::RouterAdvertisement(advertisement) => {
                write!(f, "router advertisement, lifetime {} s", advertisement.lifetime)?;
                if let Some(mtu) = advertisement.mtu {
                    write!(f, ", mtu {mtu}")?;
                }
                advertisement
                    .prefixes
                    .iter()
                    .try_for_each(|prefix| write!(f, ", prefix {}/{}", prefix.prefix, prefix.length))
            }
            Ndp::NeighborSolicitation { target, .. } => {
                write!(f, "neighbor solicitation, who has {target}")
            }
            Ndp::NeighborAdvertisement { target, target_link: Some(link), .. } => {
                write!(f, "neighbor advertisement, {target} is at {link}")
            }
            Ndp::NeighborAdvertisement { target, .. } => {
                write!(f, "neighbor advertisement, tgt is {target}")
            }
            Ndp::Redirect { target, destination, .. } => write!(f, "redirect, {destination} by {target}"),
        }
    }
}
