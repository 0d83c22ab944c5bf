use super::*;
use crate::tshark::Recording;
use crate::{PartialChecksum, memory_pair};

const OFFLOADING: Capabilities =
    Capabilities { medium: Medium::Ip, mtu: 1500, checksum: true, segmentation: Some(65_535) };

const PARTIAL: Offload = Offload {
    checksum: Some(PartialChecksum { start: 20, offset: 16 }),
    segment_size: Some(1000),
    header_length: 40,
};

/// IPv4 and TCP headers of a segment with 3,000 bytes of payload, with only the pseudo-header's sum in TCP's
/// checksum field.
fn header() -> Vec<u8> {
    // 0x0a00 + 0x0002 + 0x0a00 + 0x0001 + 6 + 3020
    let sum: u16 = 0x0a00 + 0x0002 + 0x0a00 + 0x0001 + 6 + 3020;
    let mut header = vec![0x45, 0, 0x0b, 0xe0, 0, 0, 0, 0, 64, 6, 0x5b, 0x16, 10, 0, 0, 2, 10, 0, 0, 1];
    header.extend([0x1e, 0x6c, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff]);
    header.extend(sum.to_be_bytes());
    header.extend([0, 0]);
    header
}

#[test]
fn unfinished_checksums_look_finished_and_stay_unfinished() {
    let recording = Recording::new("partial");
    let file = CaptureFile::create(recording.path()).unwrap();
    let (left, right) = memory_pair(OFFLOADING, 4).unwrap();
    let mut left = Capture::new(left, &file, "left").unwrap();
    let mut right = Capture::new(right, &file, "right").unwrap();
    let header = header();
    let payload: Vec<u8> = (0..3000u16).map(|number| number as u8).collect();
    left.send(&[IoSlice::new(&header), IoSlice::new(&payload)], &PARTIAL).unwrap();
    let mut buffer = vec![0; right.capabilities().frame_capacity()];
    let received = right.receive(&mut buffer).unwrap();
    assert_eq!(received.segment_size, PARTIAL.segment_size);
    assert_eq!(buffer[..40], header);
    recording.judge(2);
    let fields = ["-T", "fields", "-e", "frame.interface_name", "-e", "frame.packet_flags_direction"];
    if let Some(lines) = recording.read(&fields) {
        assert_eq!(lines, ["left\t2", "right\t1"]);
    }
}

#[test]
fn what_was_refused_is_not_recorded() {
    let recording = Recording::new("refused");
    let file = CaptureFile::create(recording.path()).unwrap();
    let (left, mut right) = memory_pair(Capabilities::plain(Medium::Ip, 1500), 1).unwrap();
    let mut left = Capture::new(left, &file, "left").unwrap();
    let empty = std::fs::metadata(recording.path()).unwrap().len();
    let parts = [IoSlice::new(&[0x45; 40])];
    assert!(left.receive(&mut [0; 100]).is_err());
    assert!(left.send(&parts, &PARTIAL).is_err());
    assert_eq!(std::fs::metadata(recording.path()).unwrap().len(), empty);
    left.send(&parts, &Offload::NONE).unwrap();
    let one = std::fs::metadata(recording.path()).unwrap().len();
    assert!(one > empty);
    assert_eq!(left.send(&parts, &Offload::NONE).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(std::fs::metadata(recording.path()).unwrap().len(), one);
    right.receive(&mut [0; 100]).unwrap();
    // What waits for room can be waited for through the recording.
    assert!(left.readiness().is_some() && left.send_readiness().is_some());
    left.into_inner().send(&parts, &Offload::NONE).unwrap();
    assert_eq!(std::fs::metadata(recording.path()).unwrap().len(), one);
}

/// A disk that is full after the beginning of the file.
struct FullDisk(usize);

impl Write for FullDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.checked_sub(bytes.len()) {
            Some(room) => {
                self.0 = room;
                Ok(bytes.len())
            }
            None => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_does_not_stop_the_network() {
    let file = CaptureFile::new(FullDisk(200), Flush::EveryPacket).unwrap();
    let (left, mut right) = memory_pair(Capabilities::plain(Medium::Ethernet, 1500), 4).unwrap();
    let mut left = Capture::new(left, &file, "left").unwrap();
    assert!(file.error().is_none());
    for _ in 0..2 {
        left.send(&[IoSlice::new(&[0; 500])], &Offload::NONE).unwrap();
        right.receive(&mut [0; 500]).unwrap();
    }
    assert_eq!(file.error().unwrap().kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
}

#[test]
fn a_file_that_cannot_be_made_is_an_error() {
    let error = CaptureFile::create("/nonexistent/directory/out.pcapng").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}
