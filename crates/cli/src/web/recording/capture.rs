//! Capture files: a recording as one, and one as a recording.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use sockeye::sockeye_device::{
    CaptureReader, CapturedFrame, CapturedPacket, Direction, Flush, InterfaceId, Medium, PcapngWriter,
    captured_content,
};
use sockeye_core::lan::Loss;
use sockeye_core::time::{Duration, Instant};
use sockeye_core::wire::LinkType;
use sockeye_core::wire::arp::Arp;
use sockeye_core::wire::ethernet::{EtherType, Ethernet};

use super::cable::loss;
use super::row::{Arrival, Event, FrameRow, Marks};
use super::sight::HostIndex;
use super::tape::{STATIONS, frame_row};
use super::{Kind, Opening, Recording, Station, check_room};
use crate::web::trouble::Trouble;
use crate::web::world::World;

/// Before the reason, in the remark at a frame that was lost.
const LOST: &str = "lost on the cable: ";
/// Recordings of files that there are at once: each may take a hundred megabytes.
const FILES: usize = 8;
/// Every reason why a frame is lost.
const LOSSES: [Loss; 6] =
    [Loss::Chance, Loss::QueueFull, Loss::TooBig, Loss::Cut, Loss::Requested, Loss::Malformed];
/// What is said of frames that arrive in another way than they were sent.
const CORRUPTED: &str = "arrives with one bit flipped";
const DUPLICATED: &str = "arrives twice";
const MARKED: &str = "marked: congestion experienced";
const HELD: &str = "held back";

/// What a frame's fate says beside it in Wireshark.
fn comment(frame: &FrameRow) -> Option<String> {
    if let Some(why) = frame.loss() {
        return Some(format!("{LOST}{why}"));
    }
    let Marks { is_corrupted, is_duplicated, is_held, is_marked } = frame.marks;
    let all = [(is_corrupted, CORRUPTED), (is_duplicated, DUPLICATED), (is_marked, MARKED), (is_held, HELD)];
    let said: Vec<&str> = all.into_iter().filter_map(|(applies, words)| applies.then_some(words)).collect();
    (!said.is_empty()).then(|| said.join(", "))
}

/// What a remark says of a frame: why it was lost, or what the cable did.
fn fate(comment: &str) -> (Option<&'static str>, Marks) {
    if let Some(why) = comment.strip_prefix(LOST) {
        let known = LOSSES.map(loss).into_iter().find(|known| *known == why);
        return (Some(known.unwrap_or(loss(Loss::Chance))), Marks::default());
    }
    let marks = Marks {
        is_corrupted: comment.contains(CORRUPTED),
        is_duplicated: comment.contains(DUPLICATED),
        is_held: comment.contains(HELD),
        is_marked: comment.contains(MARKED),
    };
    (None, marks)
}

impl Recording {
    /// The frames that are kept, as a pcapng file: each once, on the cable of its sender, with what became of it.
    ///
    /// # Errors
    /// None that memory does not have.
    pub(crate) fn pcapng(&self) -> io::Result<Vec<u8>> {
        let tape = self.tape.lock();
        let opening = &tape.opening;
        let time = |at: Instant| match opening.kind {
            Kind::Live => sockeye::wall_clock(at).duration_since(UNIX_EPOCH).unwrap_or_default(),
            // Virtual time begins in 1970; the times of a file are those it had.
            Kind::Lesson => at.since(opening.start),
            Kind::File => at.since(Instant::ZERO),
        };
        let mut file = Vec::new();
        let mut writer = PcapngWriter::new(&mut file, Flush::WhenFull)?;
        let mut interfaces: HashMap<(Option<HostIndex>, bool), InterfaceId> = HashMap::new();
        for (_, row) in tape.reel.iter() {
            let Event::Frame(frame) = &row.event else { continue };
            let is_ethernet = frame.link == LinkType::Ethernet;
            let interface = match interfaces.get(&(frame.from, is_ethernet)) {
                Some(interface) => *interface,
                None => {
                    let name = frame.from.and_then(|from| opening.stations.get(from));
                    let name = name.map_or("elsewhere", |station| station.name.as_str());
                    let medium = if is_ethernet { Medium::Ethernet } else { Medium::Ip };
                    let interface = writer.interface(name, medium, None)?;
                    interfaces.insert((frame.from, is_ethernet), interface);
                    interface
                }
            };
            let comment = comment(frame);
            writer.frame(&CapturedFrame {
                interface,
                timestamp: time(row.at),
                direction: Some(Direction::Outbound),
                parts: &[IoSlice::new(&frame.bytes)],
                checksum: None,
                comment: comment.as_deref(),
            })?;
        }
        writer.flush()?;
        drop(writer);
        Ok(file)
    }
}

/// Who is in a file.
#[derive(Debug, Default)]
struct Cast {
    stations: Vec<Station>,
    by_address: HashMap<IpAddr, HostIndex>,
    by_name: HashMap<String, HostIndex>,
}

impl Cast {
    /// The station that has an address; `name` is what it is called where the file is one of ours.
    fn station(&mut self, address: IpAddr, name: Option<&str>) -> Option<HostIndex> {
        if address.is_multicast() || address.is_unspecified() || is_broadcast(address) {
            return None;
        }
        let known = self.by_address.get(&address).copied();
        let Some(name) = name else {
            return known.or_else(|| self.add(address.to_string(), Some(address)));
        };
        let named = self.by_name.get(name).copied();
        let index = match (known, named) {
            (Some(index), _) => {
                // It was seen as somebody's peer before, by its address alone.
                let station = self.stations.get_mut(index)?;
                if station.name == address.to_string() && named.is_none() {
                    name.clone_into(&mut station.name);
                    self.by_name.insert(name.to_owned(), index);
                }
                index
            }
            (None, Some(index)) => {
                self.stations.get_mut(index)?.addresses.push(address);
                self.by_address.insert(address, index);
                index
            }
            (None, None) => self.add(name.to_owned(), Some(address))?,
        };
        Some(index)
    }

    fn add(&mut self, name: String, address: Option<IpAddr>) -> Option<HostIndex> {
        if self.stations.len() >= STATIONS {
            return None;
        }
        let index = self.stations.len();
        self.by_name.insert(name.clone(), index);
        if let Some(address) = address {
            self.by_address.insert(address, index);
        }
        self.stations.push(Station { name, addresses: address.into_iter().collect() });
        Some(index)
    }
}

fn is_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.is_broadcast())
}

/// Whom a frame is from and whom it is for, by addresses of IP.
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

/// Opens a capture file as a recording.
///
/// # Errors
/// It is none, or there is nothing in it that could be shown, or too many are open.
pub(crate) fn open(world: &World, title: &str, file: &[u8]) -> Result<Arc<Recording>, Trouble> {
    let open = world.recordings.all().iter().filter(|it| it.is_file()).count();
    if open >= FILES {
        let words = format!("{FILES} files are open already");
        return Err(Trouble::new("too-many", words, "forget a recording that is not needed any more"));
    }
    check_room(world)?;
    let no_capture = |error: &dyn std::fmt::Display| {
        Trouble::new(
            "bad-capture",
            error.to_string(),
            "open a pcapng or pcap file, as Wireshark and tcpdump write it",
        )
    };
    let mut reader = CaptureReader::new(file).map_err(|error| no_capture(&error))?;
    let mut cast = Cast::default();
    let mut frames: Vec<(Instant, FrameRow)> = Vec::new();
    let mut trouble = None;
    while let Some(packet) = reader.next() {
        let packet = match packet {
            Ok(packet) => packet,
            Err(error) => {
                trouble = Some(error);
                break;
            }
        };
        let is_ours = reader.application().is_some_and(|name| name.starts_with("Sockeye"));
        let Some(interface) = reader.interfaces().get(packet.interface) else { continue };
        let name = interface.name.as_deref().filter(|name| is_ours && *name != "elsewhere");
        let Some((medium, bytes)) = captured_content(interface.link_type, packet.bytes) else { continue };
        let name = name.filter(|_| packet.direction == Some(Direction::Outbound));
        frames.push(frame(&mut cast, &packet, name, (medium, bytes)));
    }
    let Some(start) = frames.iter().map(|(at, _)| *at).min() else {
        return Err(match trouble {
            Some(error) => no_capture(&error),
            None => no_capture(&"there is no Ethernet frame and no IP packet in this file"),
        });
    };
    let opening = Opening { title: title.to_owned(), kind: Kind::File, stations: cast.stations, start };
    let recording = world.recordings.add(|name, version| Recording::new(name, version, opening));
    recording.take_frames(frames);
    if let Some(error) = trouble {
        recording.remark("missing", &error.to_string());
    }
    recording.finish();
    Ok(recording)
}

fn frame(
    cast: &mut Cast,
    packet: &CapturedPacket<'_>,
    name: Option<&str>,
    (medium, bytes): (Medium, &[u8]),
) -> (Instant, FrameRow) {
    let link = match medium {
        Medium::Ethernet => LinkType::Ethernet,
        Medium::Ip => LinkType::Ip,
    };
    let (from, to) = match addresses(bytes, link) {
        Some((source, destination)) => (cast.station(source, name), cast.station(destination, None)),
        None => (None, None),
    };
    let at =
        Instant::ZERO + Duration::from_nanos(u64::try_from(packet.timestamp.as_nanos()).unwrap_or(u64::MAX));
    let (lost, marks) = packet.comment.as_deref().map(fate).unwrap_or_default();
    let mut row = FrameRow { link, lost, marks, toward: to, ..frame_row(from) };
    row.bytes = bytes.into();
    if lost.is_none() {
        row.arrivals = to.map(|host| Arrival { host, outcome: Ok(at), copy_at: None }).into_iter().collect();
    }
    (at, row)
}
