use super::*;
use crate::{Medium, PartialChecksum};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const OFFLOADING: Capabilities =
    Capabilities { medium: Medium::Ethernet, mtu: 1500, checksum: true, segmentation: Some(65_535) };

/// What `poll` says about `fd` now (`milliseconds` 0) or within a while.
fn polled(fd: Option<BorrowedFd<'_>>, flags: PollFlags, milliseconds: i64) -> bool {
    let fd = fd.expect("a memory device can be waited on");
    let mut fds = [PollFd::from_borrowed_fd(fd, flags)];
    let timeout = Timespec { tv_sec: milliseconds / 1000, tv_nsec: (milliseconds % 1000) * 1_000_000 };
    poll(&mut fds, Some(&timeout)).expect("poll works") == 1
}

fn kind<T>(result: io::Result<T>) -> io::ErrorKind {
    result.err().expect("an error was expected").kind()
}

fn send(device: &mut MemoryDevice, bytes: &[u8]) -> io::Result<()> {
    device.send(&[IoSlice::new(bytes)], &Offload::NONE)
}

#[test]
fn frames_arrive_in_order_and_readiness_follows_them() {
    let (mut left, mut right) = memory_pair(OFFLOADING, 8).unwrap();
    let mut buffer = [0; 100];
    assert!(!polled(right.readiness(), PollFlags::IN, 0));
    assert_eq!(kind(right.receive(&mut buffer)), io::ErrorKind::WouldBlock);
    for byte in 1..=3u8 {
        send(&mut left, &[byte; 20]).unwrap();
    }
    for byte in 1..=3u8 {
        assert!(polled(right.readiness(), PollFlags::IN, 0));
        let received = right.receive(&mut buffer).unwrap();
        assert_eq!(&buffer[..received.length], &[byte; 20]);
    }
    assert_eq!(kind(right.receive(&mut buffer)), io::ErrorKind::WouldBlock);
    assert!(!polled(right.readiness(), PollFlags::IN, 0));
    assert!(!polled(left.readiness(), PollFlags::IN, 0));
}

#[test]
fn a_full_queue_pushes_back_and_wakes_the_sender_at_half() {
    let (mut left, mut right) = memory_pair(OFFLOADING, 4).unwrap();
    for _ in 0..4 {
        assert!(polled(left.send_readiness(), PollFlags::OUT, 0));
        send(&mut left, b"frame").unwrap();
    }
    assert_eq!(kind(send(&mut left, b"frame")), io::ErrorKind::WouldBlock);
    assert!(!polled(left.send_readiness(), PollFlags::OUT, 0));
    let mut buffer = [0; 5];
    right.receive(&mut buffer).unwrap();
    assert!(!polled(left.send_readiness(), PollFlags::OUT, 0));
    right.receive(&mut buffer).unwrap();
    assert!(polled(left.send_readiness(), PollFlags::OUT, 0));
    send(&mut left, b"frame").unwrap();
}

#[test]
fn a_sender_blocked_in_another_thread_wakes_and_nothing_is_lost() {
    let (mut left, mut right) = memory_pair(OFFLOADING, 3).unwrap();
    let sender = std::thread::spawn(move || {
        for number in 0..2000u32 {
            while let Err(error) = send(&mut left, &number.to_be_bytes()) {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                assert!(polled(left.send_readiness(), PollFlags::OUT, 10_000), "the wake-up was forgotten");
            }
        }
    });
    let mut buffer = [0; 4];
    let mut expected = 0u32;
    loop {
        match right.receive(&mut buffer) {
            Ok(_) => {
                assert_eq!(u32::from_be_bytes(buffer), expected);
                expected += 1;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                assert!(polled(right.readiness(), PollFlags::IN, 10_000), "the wake-up was forgotten");
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                break;
            }
        }
    }
    sender.join().unwrap();
    assert_eq!(expected, 2000);
}

#[test]
fn offloads_pass_through_whole() {
    let (mut left, mut right) = memory_pair(OFFLOADING, 4).unwrap();
    let partial = PartialChecksum { start: 34, offset: 16 };
    let offload = Offload { checksum: Some(partial), segment_size: Some(1448), header_length: 66 };
    left.send(&[IoSlice::new(&[1; 66]), IoSlice::new(&[2; 60_000])], &offload).unwrap();
    let mut buffer = vec![0; right.capabilities().frame_capacity()];
    let received = right.receive(&mut buffer).unwrap();
    assert_eq!(
        received,
        Received { length: 60_066, checksum: Checksum::Partial(partial), segment_size: Some(1448) }
    );
}

#[test]
fn what_the_capabilities_do_not_offer_is_refused() {
    let (mut left, mut right) = memory_pair(Capabilities::plain(Medium::Ip, 1500), 4).unwrap();
    let checksum = Some(PartialChecksum { start: 20, offset: 16 });
    let frame = [0; 100];
    let parts = [IoSlice::new(&frame)];
    let partial = Offload { checksum, ..Offload::NONE };
    assert_eq!(kind(left.send(&parts, &partial)), io::ErrorKind::InvalidInput);
    let segmented = Offload { segment_size: Some(10), ..Offload::NONE };
    assert_eq!(kind(left.send(&parts, &segmented)), io::ErrorKind::InvalidInput);
    assert_eq!(kind(send(&mut left, &[0; 1501])), io::ErrorKind::InvalidInput);
    assert_eq!(kind(send(&mut left, &[])), io::ErrorKind::InvalidInput);
    assert_eq!(kind(right.receive(&mut [0; 2000])), io::ErrorKind::WouldBlock);

    let (mut left, _right) = memory_pair(OFFLOADING, 4).unwrap();
    let outside = Offload { checksum: Some(PartialChecksum { start: 90, offset: 9 }), ..Offload::NONE };
    assert_eq!(kind(left.send(&parts, &outside)), io::ErrorKind::InvalidInput);
}

#[test]
fn a_frame_too_long_for_the_buffer_is_discarded_with_an_error() {
    let (mut left, mut right) = memory_pair(OFFLOADING, 4).unwrap();
    send(&mut left, &[7; 50]).unwrap();
    send(&mut left, &[8; 10]).unwrap();
    let mut buffer = [0; 20];
    assert_eq!(kind(right.receive(&mut buffer)), io::ErrorKind::InvalidData);
    assert_eq!(right.receive(&mut buffer).unwrap().length, 10);
}

#[test]
fn the_end_is_seen_after_the_last_frame() {
    let (mut left, mut right) = memory_pair(OFFLOADING, 1).unwrap();
    send(&mut right, b"fill").unwrap();
    assert_eq!(kind(send(&mut right, b"fill")), io::ErrorKind::WouldBlock);
    send(&mut left, b"last").unwrap();
    drop(left);
    assert!(polled(right.send_readiness(), PollFlags::OUT, 0));
    assert_eq!(kind(send(&mut right, b"more")), io::ErrorKind::BrokenPipe);
    let mut buffer = [0; 20];
    assert_eq!(right.receive(&mut buffer).unwrap().length, 4);
    for _ in 0..2 {
        assert_eq!(kind(right.receive(&mut buffer)), io::ErrorKind::UnexpectedEof);
        assert!(polled(right.readiness(), PollFlags::IN, 0));
    }
}

#[test]
fn the_steady_state_recycles_its_buffers() {
    let (mut left, mut right) = memory_pair(OFFLOADING, 4).unwrap();
    let mut buffer = [0; 1500];
    let mut addresses = std::collections::BTreeSet::new();
    for _ in 0..100 {
        send(&mut left, &[1; 1400]).unwrap();
        addresses.insert(left.outgoing.lock().frames[0].bytes.as_ptr() as usize);
        right.receive(&mut buffer).unwrap();
    }
    assert_eq!(addresses.len(), 1);
}
