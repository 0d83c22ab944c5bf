use super::*;
use crate::tshark::Recording;

/// An ARP request, which tshark understands without further help.
fn arp() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
    frame
}

/// An IPv4 packet of 29 bytes: UDP with one byte, without a checksum.
const PACKET: [u8; 29] =
    [0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0x66, 0xce, 10, 0, 0, 2, 10, 0, 0, 1, 0, 7, 0, 9, 0, 9, 0, 0, 1];

fn plain<'a>(interface: InterfaceId, parts: &'a [IoSlice<'a>]) -> CapturedFrame<'a> {
    let timestamp = Duration::from_nanos(1_700_000_000_123_456_789);
    CapturedFrame { interface, timestamp, direction: None, parts, checksum: None, comment: None }
}

/// The type and body of every block; fails unless the lengths before and after agree and fill the file.
fn blocks(mut file: &[u8]) -> Vec<(u32, &[u8])> {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    let mut blocks = Vec::new();
    while !file.is_empty() {
        let length = number(&file[4..8]) as usize;
        assert_eq!(length % 4, 0);
        assert_eq!(number(&file[length - 4..length]) as usize, length);
        blocks.push((number(&file[..4]), &file[8..length - 4]));
        file = &file[length..];
    }
    blocks
}

#[test]
fn tshark_reads_what_was_written() {
    let recording = Recording::new("fields");
    let mut writer =
        PcapngWriter::new(std::fs::File::create(recording.path()).unwrap(), Flush::EveryPacket).unwrap();
    let cable = writer.interface("cable", Medium::Ethernet, None).unwrap();
    let tunnel = writer.interface("tunnel", Medium::Ip, Some(20)).unwrap();
    let arp = arp();
    let (one, two) = arp.split_at(13);
    writer
        .frame(&CapturedFrame {
            direction: Some(Direction::Outbound),
            comment: Some("lost 丢了"),
            ..plain(cable, &[IoSlice::new(one), IoSlice::new(two)])
        })
        .unwrap();
    let parts = [IoSlice::new(&PACKET)];
    writer.frame(&CapturedFrame { direction: Some(Direction::Inbound), ..plain(tunnel, &parts) }).unwrap();
    writer.frame(&plain(cable, &[IoSlice::new(&arp)])).unwrap();
    // It is read while it is being written.
    let fields = ["interface_name", "time_epoch", "len", "cap_len", "packet_flags_direction", "comment"];
    let fields: Vec<_> = fields.iter().map(|field| format!("frame.{field}")).collect();
    let mut arguments = vec!["-T", "fields", "-E", "separator=|"];
    for field in fields.iter().map(String::as_str).chain(["arp.dst.proto_ipv4", "ip.src"]) {
        arguments.extend(["-e", field]);
    }
    let Some(lines) = recording.read(&arguments) else { return };
    assert_eq!(
        lines,
        [
            "cable|1700000000.123456789|42|42|2|lost 丢了|10.0.0.1|",
            "tunnel|1700000000.123456789|29|20|1|||10.0.0.2",
            "cable|1700000000.123456789|42|42|||10.0.0.1|",
        ]
    );
}

#[test]
fn blocks_are_whole_whatever_the_lengths() {
    let mut file = Vec::new();
    let mut writer = PcapngWriter::new(&mut file, Flush::WhenFull).unwrap();
    let interface = writer.interface("x", Medium::Ethernet, None).unwrap();
    let comment = "粘".repeat(3000);
    for length in 0..9 {
        let bytes = vec![1; length];
        let parts = [IoSlice::new(&bytes)];
        let comment = Some(&comment[..length / 3 * 3]);
        writer.frame(&CapturedFrame { comment, ..plain(interface, &parts) }).unwrap();
    }
    let parts = [IoSlice::new(&[0; 300_000])];
    writer.frame(&CapturedFrame { comment: Some(&comment), ..plain(interface, &parts) }).unwrap();
    drop(writer);
    let blocks = blocks(&file);
    assert_eq!(blocks.len(), 12);
    let (_, last) = blocks[11];
    assert_eq!(last[12..16], 262_144u32.to_le_bytes());
    assert_eq!(last[16..20], 300_000u32.to_le_bytes());
    // 4096 bytes are 1365 characters of three bytes and a third of one, which is not kept.
    let comment_at = 20 + 262_144;
    assert_eq!(last[comment_at..comment_at + 4], [1, 0, 0xff, 0x0f]);
    assert!(std::str::from_utf8(&last[comment_at + 4..comment_at + 4 + 4095]).is_ok());
}

/// An output that counts what reaches it, and fails after `room` bytes.
struct Disk<'a> {
    bytes: &'a std::cell::RefCell<Vec<u8>>,
    room: usize,
}

impl Write for Disk<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room);
        if taken == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room -= taken;
        self.bytes.borrow_mut().extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn only_whole_blocks_reach_the_output_and_when_they_should() {
    for (policy, most_waiting) in [(Flush::EveryPacket, 0), (Flush::WhenFull, BUFFER_BYTES)] {
        let bytes = std::cell::RefCell::default();
        let mut writer = PcapngWriter::new(Disk { bytes: &bytes, room: usize::MAX }, policy).unwrap();
        let interface = writer.interface("x", Medium::Ethernet, None).unwrap();
        let frame = [0; 1000];
        let parts = [IoSlice::new(&frame)];
        for number in 1..200 {
            writer.frame(&plain(interface, &parts)).unwrap();
            let written = bytes.borrow();
            assert!(number * 1000 <= written.len() + most_waiting);
            blocks(&written);
        }
        writer.flush().unwrap();
        assert_eq!(blocks(&bytes.borrow()).len(), 201);
    }
}

#[test]
fn nothing_follows_an_error() {
    let bytes = std::cell::RefCell::default();
    let mut writer = PcapngWriter::new(Disk { bytes: &bytes, room: 1000 }, Flush::EveryPacket).unwrap();
    let interface = writer.interface("x", Medium::Ethernet, None).unwrap();
    let frame = [0; 1000];
    let parts = [IoSlice::new(&frame)];
    assert_eq!(writer.frame(&plain(interface, &parts)).unwrap_err().kind(), io::ErrorKind::StorageFull);
    writer.output.room = usize::MAX;
    assert!(writer.frame(&plain(interface, &parts)).is_err());
    drop(writer);
    assert_eq!(bytes.borrow().len(), 1000);
}

#[test]
fn an_interface_of_another_capture_is_refused() {
    let mut one = PcapngWriter::new(io::sink(), Flush::EveryPacket).unwrap();
    let interface = one.interface("x", Medium::Ip, None).unwrap();
    let mut other = PcapngWriter::new(io::sink(), Flush::EveryPacket).unwrap();
    let refused = other.frame(&plain(interface, &[])).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
}
