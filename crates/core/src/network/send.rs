//! The way down: the IP header, and the cutting of what is too large for its path.

use core::hash::BuildHasher;
use core::net::IpAddr;

use super::{Network, Offload, OutPacket, Path};
use crate::drop_reason::DropReason;
use crate::hash::SecretState;
use crate::wire::headers::Headers;
use crate::wire::ip::Protocol;
use crate::wire::ipv4::Ipv4Header;
use crate::wire::ipv6::{Ipv6Fragment, Ipv6Header};

/// The longest payload of a packet, in bytes: what its length field can say.
const LONGEST_V4: usize = 65_535 - Ipv4Header::MIN_LEN;
const LONGEST_V6: usize = 65_535;

/// Whether a packet may be cut on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragmentation {
    /// It may.
    Allowed,
    /// It must not: the sender wants to learn the path's MTU.
    Forbidden,
}

/// A packet to be sent, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// Our address.
    pub source: IpAddr,
    /// Where it goes.
    pub destination: IpAddr,
    /// What it carries.
    pub protocol: Protocol,
    /// TTL or hop limit; `None`: [`NetworkConfig::hop_limit`](super::NetworkConfig::hop_limit), and one for groups.
    pub hop_limit: Option<u8>,
    /// DSCP (upper six bits) and ECN (lower two).
    pub traffic_class: u8,
    /// Whether it may be cut.
    pub fragmentation: Fragmentation,
    /// Bytes behind the IP header.
    pub payload_length: usize,
}

/// Which piece of a packet a fragment is.
#[derive(Clone, Copy)]
struct Piece {
    offset: usize,
    length: usize,
    more: bool,
    identification: u32,
}

/// Numbers for packets that may be cut: never repeated soon for one pair of addresses (RFC 6864), and not to be guessed
/// by anybody else (RFC 7739). Pairs share a few hundred counters, each pair at a secret distance.
#[derive(Debug)]
pub(super) struct Identifications {
    counters: Box<[u32]>,
    secret: SecretState,
}

impl Identifications {
    const COUNTERS: u32 = 256;

    pub(super) fn new(secret: SecretState) -> Identifications {
        let counters = (0..Identifications::COUNTERS).map(|index| secret.hash_one(index) as u32).collect();
        Identifications { counters, secret }
    }

    fn next(&mut self, source: IpAddr, destination: IpAddr) -> u32 {
        let hash = self.secret.hash_one((source, destination));
        let distance = (hash >> 32) as u32;
        let Some(counter) = self.counters.get_mut(hash as usize % Identifications::COUNTERS as usize) else {
            return distance;
        };
        *counter = counter.wrapping_add(1);
        counter.wrapping_add(distance)
    }
}

impl Network {
    /// Bytes of the header that [`Network::prepend`] will write.
    pub fn header_length(&self, send: &Send) -> usize {
        if send.destination.is_ipv4() { Ipv4Header::MIN_LEN } else { Ipv6Header::LEN }
    }

    /// A number for a packet between these addresses that may be cut.
    pub fn identify(&mut self, source: IpAddr, destination: IpAddr) -> u32 {
        self.identifications.next(source, destination)
    }

    /// Writes the IP header in front of what stands in `headers`.
    pub fn prepend(&mut self, headers: &mut Headers, send: &Send) {
        // A packet that is never cut needs no number (RFC 6864 section 4.1).
        let identification = match (send.destination, send.fragmentation) {
            (IpAddr::V4(_), Fragmentation::Allowed) => {
                self.identifications.next(send.source, send.destination)
            }
            _ => 0,
        };
        let piece = Piece { offset: 0, length: send.payload_length, more: false, identification };
        self.write(headers, send, &piece);
    }

    fn write(&self, headers: &mut Headers, send: &Send, piece: &Piece) {
        let default = if send.destination.is_multicast() { 1 } else { self.config.hop_limit };
        let hop_limit = send.hop_limit.unwrap_or(default);
        let (dscp, ecn) = (send.traffic_class >> 2, send.traffic_class & 3);
        // Offsets were found to fit before anything was cut.
        let offset = u16::try_from(piece.offset).unwrap_or(u16::MAX);
        match (send.source, send.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Ipv4Header {
                ttl: hop_limit,
                dscp,
                ecn,
                identification: piece.identification as u16,
                dont_fragment: send.fragmentation == Fragmentation::Forbidden,
                more_fragments: piece.more,
                fragment_offset: offset,
                payload_length: piece.length,
                ..Ipv4Header::new(source, destination, send.protocol)
            }
            .prepend(headers),
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let is_piece = piece.more || piece.offset > 0;
                Ipv6Header {
                    hop_limit,
                    dscp,
                    ecn,
                    fragment: is_piece.then_some(Ipv6Fragment {
                        offset,
                        more: piece.more,
                        identification: piece.identification,
                    }),
                    payload_length: piece.length,
                    ..Ipv6Header::new(source, destination, send.protocol)
                }
                .prepend(headers);
            }
            // The families differ: `route` gives no such path.
            _ => {}
        }
    }

    /// Cuts a packet larger than the path's MTU: the fragments are polled. `headers` holds the transport header.
    ///
    /// # Errors
    /// [`DropReason::PacketTooBig`] where cutting is forbidden or impossible; [`DropReason::QueueFull`].
    pub fn fragment(
        &mut self,
        headers: &Headers,
        payload: [&[u8]; 2],
        send: &Send,
        path: &Path,
    ) -> Result<(), DropReason> {
        let [first, second] = payload;
        self.originate(path, send, [headers.as_slice(), first, second])
    }

    /// Queues a packet of this layer's own, in one piece or in several.
    pub(super) fn originate(
        &mut self,
        path: &Path,
        send: &Send,
        parts: [&[u8]; 3],
    ) -> Result<(), DropReason> {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let header = self.header_length(send);
        let longest = if send.destination.is_ipv4() { LONGEST_V4 } else { LONGEST_V6 };
        if total > longest || send.source.is_ipv4() != send.destination.is_ipv4() {
            return Err(DropReason::PacketTooBig);
        }
        let whole = Send { payload_length: total, ..*send };
        if header + total <= path.mtu {
            self.outbox.check_room(1, header + total)?;
            let mut headers = Headers::new();
            self.prepend(&mut headers, &whole);
            return self.queue(path, &headers, &parts, 0..total);
        }
        if send.fragmentation == Fragmentation::Forbidden {
            return Err(DropReason::PacketTooBig);
        }
        let header = if send.destination.is_ipv4() { header } else { header + Ipv6Header::FRAGMENT_LEN };
        let most = path.mtu.saturating_sub(header) & !7;
        if most == 0 {
            return Err(DropReason::PacketTooBig);
        }
        let count = total.div_ceil(most);
        self.outbox.check_room(count, total + count * header)?;
        let identification = self.identifications.next(send.source, send.destination);
        for offset in (0..total).step_by(most) {
            let end = (offset + most).min(total);
            let piece = Piece { offset, length: end - offset, more: end < total, identification };
            let mut headers = Headers::new();
            self.write(&mut headers, &whole, &piece);
            self.queue(path, &headers, &parts, offset..end)?;
        }
        Ok(())
    }

    /// Queues one packet whose payload is a range of `parts`.
    fn queue(
        &mut self,
        path: &Path,
        headers: &Headers,
        parts: &[&[u8]],
        range: core::ops::Range<usize>,
    ) -> Result<(), DropReason> {
        let mut bytes = self.outbox.buffer(headers.len() + range.len());
        bytes.extend_from_slice(headers.as_slice());
        let (mut skip, mut left) = (range.start, range.len());
        for part in parts {
            let rest = part.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(part.len());
            let taken = rest.get(..left).unwrap_or(rest);
            bytes.extend_from_slice(taken);
            left -= taken.len();
        }
        self.outbox.push(OutPacket { path: *path, bytes, offload: Offload::default() })
    }
}
