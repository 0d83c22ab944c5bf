//! What is answered here: the names of the LAN's hosts, and their addresses backwards. Everything else is others'.

use super::names::Names;
use domain::base::iana::{Class, Opcode, OptRcode, Rcode, Rtype};
use domain::base::message_builder::{AdditionalBuilder, PushError};
use domain::base::name::{Name, ParsedName};
use domain::base::{Message, MessageBuilder, Question, Serial, Ttl};
use domain::rdata::{A, Aaaa, Ptr, Soa};
use sockeye_core::wire::Cidr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of an answer that every client takes over UDP (RFC 1035 section 4.2.1).
const LEAST_UDP: usize = 512;

/// Bytes of a datagram that we take (RFC 6891), as the DNS Flag Day of 2020 recommends: it is never fragmented.
pub(super) const OWN_UDP: u16 = 1232;

/// How long an answer may be kept: hosts come and go.
const KEPT: Ttl = Ttl::from_secs(1);

/// What is to be done with a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// This is the answer.
    Answer(Vec<u8>),
    /// Others know.
    Forward,
    /// It is no question.
    Silence,
}

/// The names that this LAN answers for.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    names: Names,
    /// Whose addresses are asked for backwards here, and nowhere else.
    subnets: Vec<Cidr>,
    /// Whether even single names are left to others.
    is_nobodys: bool,
}

/// What a name stands for.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// A host of the LAN, known or not.
    Host(String),
    /// An address, backwards.
    Address(IpAddr),
    /// The domain itself.
    Apex,
    /// Something in the domain that cannot be there.
    Nothing,
    /// Not ours.
    Elsewhere,
}

impl Zone {
    pub(super) fn new(names: Names, subnets: Vec<Cidr>) -> Zone {
        Zone { names, subnets, is_nobodys: false }
    }

    /// No names at all: everything is others'.
    pub(super) fn nobodys() -> Zone {
        Zone { names: Names::new(""), subnets: Vec::new(), is_nobodys: true }
    }

    /// What is to be done with `bytes`.
    pub(super) fn react(&self, bytes: &[u8]) -> Reaction {
        let Ok(message) = Message::from_octets(bytes) else { return Reaction::Silence };
        let header = message.header();
        if header.qr() {
            return Reaction::Silence;
        }
        if header.opcode() != Opcode::QUERY {
            return Reaction::Answer(failure(&message, Rcode::NOTIMP));
        }
        let Ok(question) = message.sole_question() else {
            return Reaction::Answer(failure(&message, Rcode::FORMERR));
        };
        if message.opt().is_some_and(|opt| opt.version() != 0) {
            return Reaction::Answer(bad_version(&message));
        }
        let labels = labels_of(question.qname());
        let place = match question.qclass() {
            Class::IN | Class::ANY if !self.is_nobodys => self.place(&labels, question.qtype()),
            _ => Place::Elsewhere,
        };
        if place == Place::Elsewhere {
            return Reaction::Forward;
        }
        let answer = self.answer(&message, &question, &place);
        Reaction::Answer(answer.unwrap_or_else(|_| failure(&message, Rcode::SERVFAIL)))
    }

    /// What the labels of a name, in lower case, stand for.
    fn place(&self, labels: &[String], kind: Rtype) -> Place {
        let domain: Vec<&str> = self.names.domain().split('.').filter(|label| !label.is_empty()).collect();
        let inside = labels.len().checked_sub(domain.len()).and_then(|cut| labels.split_at_checked(cut));
        match (labels, inside) {
            ([], _) => Place::Elsewhere,
            (_, Some((host, suffix))) if !domain.is_empty() && suffix == domain => match host {
                [] => Place::Apex,
                [host] => Place::Host(host.clone()),
                _ => Place::Nothing,
            },
            // A host by its name alone; whatever else has one label only is nobody's address.
            ([host], _) => match kind {
                _ if !self.names.addresses(host).is_empty() => Place::Host(host.clone()),
                Rtype::A | Rtype::AAAA | Rtype::ANY => Place::Nothing,
                _ => Place::Elsewhere,
            },
            _ => match reversed(labels) {
                Some(address) if self.is_ours(address) => Place::Address(address),
                _ => Place::Elsewhere,
            },
        }
    }

    fn is_ours(&self, address: IpAddr) -> bool {
        self.subnets.iter().any(|subnet| subnet.contains(address)) || self.names.host(address).is_some()
    }

    fn answer(
        &self,
        message: &Message<&[u8]>,
        question: &Question<ParsedName<&[u8]>>,
        place: &Place,
    ) -> Result<Vec<u8>, PushError> {
        let (name, kind) = (question.qname(), question.qtype());
        let wants = |wanted: Rtype| kind == wanted || kind == Rtype::ANY;
        let host = match place {
            Place::Host(host) => self.names.addresses(host),
            _ => Vec::new(),
        };
        let pointer = match place {
            Place::Address(address) => self.names.host(*address),
            _ => None,
        };
        let exists = *place == Place::Apex || !host.is_empty() || pointer.is_some();
        let rcode = if exists { Rcode::NOERROR } else { Rcode::NXDOMAIN };
        let mut answer = MessageBuilder::new_vec().start_answer(message, rcode)?;
        answer.header_mut().set_aa(true);
        answer.header_mut().set_ra(true);
        let mut count = 0;
        for address in host {
            match address {
                IpAddr::V4(address) if wants(Rtype::A) => {
                    answer.push((name, Class::IN, KEPT, A::new(address)))?;
                    count += 1;
                }
                IpAddr::V6(address) if wants(Rtype::AAAA) => {
                    answer.push((name, Class::IN, KEPT, Aaaa::new(address)))?;
                    count += 1;
                }
                _ => {}
            }
        }
        let full_name = |host: &str| Name::vec_from_str(&format!("{host}.{}", self.names.domain()));
        if let Some(host) = pointer.and_then(|host| full_name(&host).ok())
            && wants(Rtype::PTR)
        {
            answer.push((name, Class::IN, KEPT, Ptr::new(host)))?;
            count += 1;
        }
        let soa = Name::vec_from_str(self.names.domain()).ok().zip(full_name("gateway").ok());
        if let Some((apex, server)) = &soa
            && *place == Place::Apex
            && wants(Rtype::SOA)
        {
            answer.push((apex, Class::IN, KEPT, start_of_authority(server)))?;
            count += 1;
        }
        // RFC 2308: whoever keeps "there is no such thing" learns from the SOA for how long.
        let mut authority = answer.authority();
        if let Some((apex, server)) = soa.filter(|_| count == 0) {
            authority.push((apex, Class::IN, KEPT, start_of_authority(&server)))?;
        }
        finish(message, authority.additional())
    }
}

fn start_of_authority(server: &Name<Vec<u8>>) -> Soa<&Name<Vec<u8>>> {
    Soa::new(server, server, Serial(1), KEPT, KEPT, KEPT, KEPT)
}

/// The labels of a name from left to right, in lower case; bytes that are no text are told apart from all text.
fn labels_of(name: &ParsedName<&[u8]>) -> Vec<String> {
    let labels = name.iter().filter(|label| !label.is_root());
    labels.map(|label| String::from_utf8_lossy(label.as_slice()).to_ascii_lowercase()).collect()
}

/// The address whose name in `in-addr.arpa` or `ip6.arpa` this is (RFC 1035 section 3.5, RFC 3596 section 2.5).
fn reversed(labels: &[String]) -> Option<IpAddr> {
    match labels.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [a, b, c, d, "in-addr", "arpa"] => {
            let octet = |text: &str| text.parse::<u8>().ok();
            Some(Ipv4Addr::new(octet(d)?, octet(c)?, octet(b)?, octet(a)?).into())
        }
        [nibbles @ .., "ip6", "arpa"] if nibbles.len() == 32 => {
            let mut bits = 0u128;
            for nibble in nibbles.iter().rev() {
                let digit = Some(nibble).filter(|nibble| nibble.len() == 1)?;
                bits = bits << 4 | u128::from_str_radix(digit, 16).ok()?;
            }
            Some(Ipv6Addr::from(bits).into())
        }
        _ => None,
    }
}

/// Adds what EDNS wants to an answer (RFC 6891: who speaks it is answered in it).
fn finish(question: &Message<&[u8]>, mut answer: AdditionalBuilder<Vec<u8>>) -> Result<Vec<u8>, PushError> {
    if question.opt().is_some() {
        answer.opt(|opt| {
            opt.set_udp_payload_size(OWN_UDP);
            Ok(())
        })?;
    }
    Ok(answer.finish())
}

/// An answer that says only that there is none.
pub(super) fn failure(question: &Message<&[u8]>, rcode: Rcode) -> Vec<u8> {
    let mut answer = MessageBuilder::new_vec().start_error(question, rcode);
    answer.header_mut().set_ra(true);
    // Without EDNS where even that does not fit, which a message in memory always does.
    finish(question, answer.additional()).unwrap_or_default()
}

fn bad_version(question: &Message<&[u8]>) -> Vec<u8> {
    let mut answer = MessageBuilder::new_vec().start_error(question, Rcode::NOERROR).additional();
    let _ = answer.opt(|opt| {
        opt.set_udp_payload_size(OWN_UDP);
        opt.set_rcode(OptRcode::BADVERS);
        Ok(())
    });
    answer.finish()
}

/// Bytes of an answer that whoever asked `question` takes over UDP.
pub(super) fn udp_limit(question: &[u8]) -> usize {
    let opt = Message::from_octets(question).ok().and_then(|message| Some(message.opt()?.udp_payload_size()));
    opt.map_or(LEAST_UDP, |size| usize::from(size).max(LEAST_UDP))
}

/// The answer, if it fits a datagram to whoever asked; otherwise word that it does not (`TC`), so that they ask by TCP.
pub(super) fn fitted(question: &[u8], answer: Vec<u8>) -> Vec<u8> {
    if answer.len() <= udp_limit(question) {
        return answer;
    }
    let (Ok(asked), Ok(full)) = (Message::from_octets(question), Message::from_octets(answer.as_slice()))
    else {
        return answer;
    };
    let mut cut = MessageBuilder::new_vec().start_error(&asked, full.header().rcode());
    cut.header_mut().set_tc(true);
    cut.header_mut().set_ra(true);
    cut.header_mut().set_aa(full.header().aa());
    finish(&asked, cut.additional()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
