//! As much TCP as it takes to talk to a kernel over a link that loses nothing.

use crate::{Device, Medium, Offload, PartialChecksum, complete_checksum};
use std::io::IoSlice;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Four,
    Six,
}

impl Version {
    fn header_length(self) -> usize {
        match self {
            Self::Four => 20,
            Self::Six => 40,
        }
    }
}

fn link_length(medium: Medium) -> usize {
    match medium {
        Medium::Ethernet => 14,
        Medium::Ip => 0,
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The folded sum of 16-bit words.
fn sum(bytes: &[u8], start: u32) -> u32 {
    let mut sum = start;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

/// A TCP segment from the kernel.
pub(super) struct Incoming {
    ethernet: Vec<u8>,
    addresses: Vec<u8>,
    segment: Vec<u8>,
    pub(super) sequence: u32,
    pub(super) payload: Vec<u8>,
}

impl Incoming {
    pub(super) fn parse(frame: &[u8], medium: Medium, version: Version) -> Option<Self> {
        let (ethernet, packet) = frame.split_at(link_length(medium));
        let (length, protocol, addresses) = match (version, packet.first()? >> 4) {
            (Version::Four, 4) => {
                (u16::from_be_bytes([packet[2], packet[3]]) as usize, packet[9], &packet[12..20])
            }
            (Version::Six, 6) => {
                (u16::from_be_bytes([packet[4], packet[5]]) as usize + 40, packet[6], &packet[8..40])
            }
            _ => return None,
        };
        if protocol != 6 {
            return None;
        }
        let segment = &packet[version.header_length()..length];
        Some(Self {
            ethernet: ethernet.to_vec(),
            addresses: addresses.to_vec(),
            segment: segment.to_vec(),
            sequence: word(segment, 4),
            payload: segment[usize::from(segment[12] >> 4) * 4..].to_vec(),
        })
    }

    /// 0xffff if the checksum is right.
    pub(super) fn checksum_sum(&self) -> u32 {
        sum(&self.segment, sum(&self.addresses, 6 + self.segment.len() as u32))
    }
}

/// Our side of a connection.
pub(super) struct Dialogue {
    medium: Medium,
    version: Version,
    ethernet: Vec<u8>,
    addresses: Vec<u8>,
    ports: [u8; 4],
    next: u32,
    pub(super) expected: u32,
}

impl Dialogue {
    pub(super) fn answer(syn: &Incoming, medium: Medium, version: Version) -> Self {
        let mut ethernet = syn.ethernet.clone();
        if let [destination @ .., _, _] = ethernet.as_mut_slice() {
            destination.rotate_left(6);
        }
        let mut addresses = syn.addresses.clone();
        addresses.rotate_left(syn.addresses.len() / 2);
        let ports = [syn.segment[2], syn.segment[3], syn.segment[0], syn.segment[1]];
        let expected = syn.sequence.wrapping_add(1);
        Self { medium, version, ethernet, addresses, ports, next: 1_000, expected }
    }

    /// Where the TCP header begins in a frame.
    pub(super) fn transport_at(&self) -> usize {
        link_length(self.medium) + self.version.header_length()
    }

    pub(super) fn send_syn_ack(&mut self, device: &mut dyn Device, maximum_segment: u16) {
        let [high, low] = maximum_segment.to_be_bytes();
        self.emit(device, 0x12, &[2, 4, high, low], &[], None);
        self.next += 1;
    }

    pub(super) fn send(&mut self, device: &mut dyn Device, payload: &[u8], segment_size: Option<u16>) {
        self.emit(device, 0x18, &[], payload, segment_size);
        self.next += payload.len() as u32;
    }

    fn emit(
        &self,
        device: &mut dyn Device,
        flags: u8,
        options: &[u8],
        payload: &[u8],
        segment_size: Option<u16>,
    ) {
        let length = 20 + options.len() + payload.len();
        let mut frame = self.ethernet.clone();
        match self.version {
            Version::Four => {
                let [high, low] = (20 + length as u16).to_be_bytes();
                let mut header = vec![0x45, 0, high, low, 0, 0, 0x40, 0, 64, 6, 0, 0];
                header.extend_from_slice(&self.addresses);
                let checksum = !(sum(&header, 0) as u16);
                header[10..12].copy_from_slice(&checksum.to_be_bytes());
                frame.extend(header);
            }
            Version::Six => {
                let [high, low] = (length as u16).to_be_bytes();
                frame.extend([0x60, 0, 0, 0, high, low, 6, 64]);
                frame.extend_from_slice(&self.addresses);
            }
        }
        let pseudo_header = sum(&self.addresses, 6 + length as u32) as u16;
        frame.extend(self.ports);
        frame.extend(self.next.to_be_bytes());
        frame.extend(self.expected.to_be_bytes());
        frame.extend([(5 + options.len() as u8 / 4) << 4, flags, 0xff, 0xff]);
        frame.extend(pseudo_header.to_be_bytes());
        frame.extend([0, 0]);
        frame.extend_from_slice(options);
        let partial = PartialChecksum { start: self.transport_at() as u16, offset: 16 };
        if device.capabilities().checksum {
            let offload =
                Offload { checksum: Some(partial), segment_size, header_length: frame.len() as u16 };
            device.send(&[IoSlice::new(&frame), IoSlice::new(payload)], &offload)
        } else {
            frame.extend_from_slice(payload);
            assert!(complete_checksum(&mut frame, partial));
            device.send(&[IoSlice::new(&frame)], &Offload::NONE)
        }
        .expect("the kernel takes the segment");
    }
}

/// IPv4 and UDP headers of a datagram of `length` bytes from 10.9.0.2 to 10.9.0.1, without a UDP checksum.
pub(super) fn datagram_header(port: u16, length: u16) -> Vec<u8> {
    let [high, low] = (28 + length).to_be_bytes();
    let mut header = vec![0x45, 0, high, low, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1];
    let checksum = !(sum(&header, 0) as u16);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    header.extend(port.to_be_bytes());
    header.extend(port.to_be_bytes());
    header.extend((8 + length).to_be_bytes());
    header.extend([0, 0]);
    header
}
