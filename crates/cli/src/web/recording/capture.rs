//! Capture files: a recording as one, and one as a recording.

mod states;

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use serde_json::{Map, Value};
use sockeye::sockeye_device::{
    CaptureReader, CapturedFrame, CapturedPacket, Direction, Flush, InterfaceId, Medium, PcapngWriter,
    captured_content,
};
use sockeye_core::lan::{self, Fate, Loss, Passage};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::trace::{Trace, TraceEvent};
use sockeye_core::wire::LinkType;
use sockeye_core::wire::arp::Arp;
use sockeye_core::wire::ethernet::{EtherType, Ethernet};

use states::{Change, States};

use super::row::{FrameRow, What};
use super::sight::{CableSight, HostIndex, Note, Sight};
use super::{Kind, Opening, Recording, Station, check_room};
use crate::ladder::story::tcp_in;
use crate::web::trouble::Trouble;
use crate::web::world::World;

/// Hosts that a file is drawn with at most; all others are one.
const STATIONS: usize = 15;
/// What that one is called.
const ELSEWHERE: &str = "elsewhere";
/// Begins the remark at a frame that was lost.
const LOST: &str = "lost on the cable: ";
/// A longer frame is no frame: a length in the file lies. What a sender leaves to be cut up by its device is as long as that.
const LONGEST: usize = 256 << 10;
/// Frames that are told at a time.
const BATCH: usize = 1000;

impl Recording {
    /// The frames that are kept, those of one host or of all, as a pcapng file: each once, on the cable of its sender, with what
    /// became of it as a remark.
    ///
    /// # Errors
    /// A frame too long for the format.
    pub(crate) fn pcapng(&self, host: Option<HostIndex>) -> io::Result<Vec<u8>> {
        let start = self.opening.start;
        let start = match self.opening.kind {
            Kind::Live => sockeye::wall_clock(start).duration_since(UNIX_EPOCH).unwrap_or_default(),
            // Virtual time begins in 1970; a file has its own.
            Kind::Lesson | Kind::File => start.since(Instant::ZERO),
        };
        let inner = self.inner.lock();
        let mut file = Vec::new();
        let mut writer = PcapngWriter::new(&mut file, Flush::WhenFull)?;
        let mut interfaces: HashMap<(HostIndex, Medium, Option<usize>), InterfaceId> = HashMap::new();
        for row in &inner.rows {
            let What::Frame(frame) = &row.what else { continue };
            if host.is_some_and(|host| frame.from != host && !frame.to.contains(&host)) {
                continue;
            }
            let medium = match frame.link {
                LinkType::Ethernet => Medium::Ethernet,
                LinkType::Ip => Medium::Ip,
            };
            // How long a frame was that is not whole is told by an interface that keeps just so much.
            let missing = frame.length.saturating_sub(frame.bytes.len());
            let kept = (missing > 0).then_some(frame.bytes.len());
            let interface = match interfaces.get(&(frame.from, medium, kept)) {
                Some(interface) => *interface,
                None => {
                    let station = inner.teller.stations.get(frame.from);
                    let name = station.map_or(ELSEWHERE, |station| station.name.as_str());
                    let most = kept.and_then(|kept| u32::try_from(kept).ok());
                    let interface = writer.interface(name, medium, most)?;
                    interfaces.insert((frame.from, medium, kept), interface);
                    interface
                }
            };
            let comment = comment(frame);
            writer.frame(&CapturedFrame {
                interface,
                timestamp: start + Duration::from_nanos((row.time * 1e9).round() as u64),
                direction: Some(Direction::Outbound),
                parts: &[IoSlice::new(&frame.bytes), IoSlice::new(&vec![0; missing])],
                checksum: None,
                comment: comment.as_deref(),
            })?;
        }
        writer.flush()?;
        drop(writer);
        Ok(file)
    }
}

/// What became of a frame, for whoever reads the file with other tools.
fn comment(frame: &FrameRow) -> Option<String> {
    match &frame.lost {
        Some(why) => Some(format!("{LOST}{why}")),
        None if frame.marks.is_empty() => None,
        None => Some(frame.marks.join(", ")),
    }
}

/// The same, read back: what the cable did to a frame that was put on it at `at`.
fn fate(at: Instant, comment: &str) -> Fate {
    const LOSSES: [Loss; 6] =
        [Loss::Chance, Loss::QueueFull, Loss::TooBig, Loss::Cut, Loss::Requested, Loss::Malformed];
    if let Some(why) = comment.strip_prefix(LOST) {
        let known = LOSSES.into_iter().find(|loss| loss.to_string() == why);
        return Fate::Lost(known.unwrap_or(Loss::Chance));
    }
    let is_said = |mark: &str| comment.split(", ").any(|said| said == mark);
    Fate::Arrives(Passage {
        at,
        // Neither the time of the copy nor the bit is in the file: some time and some bit.
        copy_at: is_said("duplicated").then_some(at),
        corrupted_bit: is_said("corrupted").then_some(0),
        is_marked: is_said("marked"),
        is_held_back: is_said("held"),
    })
}

/// Who is in a file.
#[derive(Debug, Default)]
struct Cast {
    stations: Vec<Station>,
    by_address: HashMap<IpAddr, HostIndex>,
    by_name: HashMap<String, HostIndex>,
}

impl Cast {
    /// Who sent a packet: by the name of its interface where the file is one of ours, otherwise by address.
    fn sender(&mut self, address: Option<IpAddr>, name: Option<&str>, hardware: String) -> HostIndex {
        let known = address.and_then(|address| self.by_address.get(&address).copied());
        let named = name.and_then(|name| self.by_name.get(name).copied());
        // Who was spoken to before it spoke is called by its address, until its cable gives it a name.
        let is_unnamed = |index: &HostIndex| {
            let station = self.stations.get(*index);
            station.is_some_and(|station| address.is_some_and(|address| station.name == address.to_string()))
        };
        let index = match (named, known.filter(|index| name.is_none() || is_unnamed(index))) {
            (Some(index), _) | (None, Some(index)) => index,
            (None, None) => {
                let name = name.map(str::to_owned).or_else(|| address.map(|address| address.to_string()));
                self.add(name.unwrap_or(hardware))
            }
        };
        // A router's cable carries what others have sent.
        if let (Some(address), None, Some(station)) = (address, known, self.stations.get_mut(index))
            && !station.addresses.contains(&address)
            && station.name != ELSEWHERE
        {
            station.addresses.push(address);
            self.by_address.insert(address, index);
        }
        if let (Some(name), None, Some(station)) = (name, named, self.stations.get_mut(index))
            && station.name != ELSEWHERE
        {
            name.clone_into(&mut station.name);
            self.by_name.insert(name.to_owned(), index);
        }
        index
    }

    /// Whom a packet is for, if that is one host.
    fn receiver(&mut self, address: IpAddr) -> Option<HostIndex> {
        let is_everybody = matches!(address, IpAddr::V4(address) if address.is_broadcast());
        if is_everybody || address.is_multicast() || address.is_unspecified() {
            return None;
        }
        Some(self.sender(Some(address), None, String::new()))
    }

    fn add(&mut self, name: String) -> HostIndex {
        if let Some(index) = self.by_name.get(&name) {
            return *index;
        }
        let name = if self.stations.len() < STATIONS { name } else { ELSEWHERE.to_owned() };
        *self.by_name.entry(name.clone()).or_insert_with(|| {
            self.stations.push(Station::new(name, Vec::new()));
            self.stations.len() - 1
        })
    }
}

/// From whom a packet is and whom it is for, as far as it says so.
fn addresses(bytes: &[u8], link: LinkType) -> Option<(IpAddr, IpAddr)> {
    let packet = match link {
        LinkType::Ip => bytes,
        LinkType::Ethernet => {
            let (ethernet, packet) = Ethernet::parse(bytes).ok()?;
            if ethernet.ethertype == EtherType::Arp {
                let arp = Arp::parse(packet).ok()?;
                return Some((arp.sender_ip.into(), arp.target_ip.into()));
            }
            packet
        }
    };
    let four = |at: usize| Some(IpAddr::from(*packet.get(at..)?.first_chunk::<4>()?));
    let sixteen = |at: usize| Some(IpAddr::from(*packet.get(at..)?.first_chunk::<16>()?));
    match packet.first()? >> 4 {
        4 => Some((four(12)?, four(16)?)),
        6 => Some((sixteen(8)?, sixteen(24)?)),
        _ => None,
    }
}

/// A packet of the file, before it is known who else is in it.
struct Taken<'a> {
    at: Instant,
    from: HostIndex,
    to: Option<HostIndex>,
    link: LinkType,
    bytes: &'a [u8],
    /// How many more it had.
    missing: usize,
    comment: Option<String>,
}

/// Opens a capture file as a recording.
///
/// # Errors
/// It is none, or there is nothing in it that could be shown, or there are too many recordings.
pub(crate) fn open(world: &World, title: &str, file: &[u8]) -> Result<Arc<Recording>, Trouble> {
    check_room(world)?;
    let no_capture = |words: String| {
        Trouble::new("bad-capture", words, "open a pcapng or pcap file, as Wireshark and tcpdump write it")
    };
    let mut reader = CaptureReader::new(file).map_err(|error| no_capture(error.to_string()))?;
    let mut cast = Cast::default();
    let mut packets = Vec::new();
    let mut damage = None;
    while let Some(packet) = reader.next() {
        match packet {
            Ok(packet) => packets.extend(take(&mut cast, &reader, packet)),
            Err(error) => {
                damage = Some(error.to_string());
                break;
            }
        }
    }
    let Some(start) = packets.iter().map(|packet| packet.at).min() else {
        let nothing = "there is no Ethernet frame and no IP packet in this file".to_owned();
        return Err(no_capture(damage.unwrap_or(nothing)));
    };
    let end = packets.iter().map(|packet| packet.at).max().unwrap_or(start);
    let opening = Opening { title: title.to_owned(), kind: Kind::File, stations: cast.stations, start };
    // Files of several interfaces are not always in order.
    packets.sort_by_key(|packet| packet.at);
    Ok(world.recordings.add(|name, version| {
        let recording = Recording::new(name, version, opening);
        let mut states = States::default();
        for batch in packets.chunks(BATCH) {
            batch.iter().for_each(|packet| see(&recording, packet, &mut states));
            recording.advance(batch.last().map_or(end, |packet| packet.at));
        }
        if let Some(words) = damage {
            let mut facts = Map::new();
            facts.insert("damage".to_owned(), Value::from(words.clone()));
            let words = format!("{words}; what came before is shown");
            recording.on_sight(Sight::Note(Note { at: end, note: "damaged", words, facts }));
        }
        recording.finish();
        recording
    }))
}

fn take<'a>(cast: &mut Cast, reader: &CaptureReader<'a>, packet: CapturedPacket<'a>) -> Option<Taken<'a>> {
    let interface = reader.interfaces().get(packet.interface)?;
    let (medium, bytes) = captured_content(interface.link_type, packet.bytes)?;
    let link = match medium {
        Medium::Ethernet => LinkType::Ethernet,
        Medium::Ip => LinkType::Ip,
    };
    // Ours names the sender's cable.
    let is_ours = reader.application().is_some_and(|name| name.starts_with("Sockeye"));
    let name = interface.name.as_deref().filter(|_| is_ours && packet.direction == Some(Direction::Outbound));
    let (source, destination) = addresses(bytes, link).unzip();
    let hardware = match (link, bytes.get(6..12)) {
        (LinkType::Ethernet, Some(source)) => {
            source.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
        }
        _ => ELSEWHERE.to_owned(),
    };
    let from = cast.sender(source.filter(|source| !source.is_unspecified()), name, hardware);
    let to = destination.and_then(|destination| cast.receiver(destination)).filter(|to| *to != from);
    let at = Instant::from_nanos(u64::try_from(packet.timestamp.as_nanos()).unwrap_or(u64::MAX));
    let missing = packet.original_length.saturating_sub(packet.bytes.len());
    let missing = if packet.original_length > LONGEST { 0 } else { missing };
    // What others remark is for people.
    let comment = packet.comment.filter(|_| is_ours);
    Some(Taken { at, from, to, link, bytes, missing, comment })
}

/// As if observers of the sender's and of the receiver's cable had seen it, at the one time that is known.
fn see(recording: &Recording, packet: &Taken<'_>, states: &mut States) {
    let fate = fate(packet.at, packet.comment.as_deref().unwrap_or_default());
    let mut frame = packet.bytes.to_vec();
    frame.resize(frame.len() + packet.missing, 0);
    let sight = |host, direction, frame| {
        Sight::Cable(CableSight {
            at: packet.at,
            host,
            direction,
            frame,
            missing: packet.missing,
            link: packet.link,
            fate,
        })
    };
    if let Some((local, remote, segment, _)) = tcp_in(&frame, packet.link) {
        // It is told behind the segment that shows it.
        let at = packet.at + Duration::from_nanos(1);
        let is_lost = matches!(fate, Fate::Lost(_));
        for Change { is_sender, from, to } in states.take((local, remote), &segment, is_lost) {
            let (host, local, remote, cause) = match is_sender {
                true => (packet.from, local, remote, "transmit"),
                false => (packet.to.unwrap_or(packet.from), remote, local, "segment"),
            };
            let event = TraceEvent::State { socket: None, local, remote, from, to, cause };
            recording.on_sight(Sight::Host(host, Trace { at, event }));
        }
    }
    if let (Some(to), Fate::Arrives(passage)) = (packet.to, fate) {
        let mut heard = frame.clone();
        if let (Some(_), Some(byte)) = (passage.corrupted_bit, heard.first_mut()) {
            *byte ^= 0x80;
        }
        recording.on_sight(sight(to, lan::Direction::Down, heard));
    }
    recording.on_sight(sight(packet.from, lan::Direction::Up, frame));
}

#[cfg(test)]
mod tests;
