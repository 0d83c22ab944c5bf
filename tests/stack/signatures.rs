//! Segments signed by a key that this host has not.

use sockeye_core::drop_reason::DropReason;
use sockeye_core::error::Error;

use crate::wire::Network;

/// Where the TCP header of an IPv4 frame begins.
const TCP: usize = 14 + 20;

/// Puts an MD5 signature (RFC 2385) in the place of the 20 bytes of options of a SYN, and mends the checksum.
fn sign(frame: &mut [u8]) {
    if frame.get(12..14) != Some(&[8, 0]) || frame[TCP + 13] != 2 {
        return;
    }
    let options = &mut frame[TCP + 20..TCP + 40];
    options.fill(0xa5);
    options[..2].copy_from_slice(&[19, 18]);
    options[18..].fill(1);
    frame[TCP + 16..TCP + 18].fill(0);
    let length = frame.len() - TCP;
    let words =
        frame[26..].chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
    let mut sum = words.sum::<u32>() + 6 + length as u32;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    frame[TCP + 16..TCP + 18].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

#[test]
fn a_signed_segment_is_as_if_it_had_never_come_but_a_closed_port_says_so() {
    let mut network = Network::pair();
    network.listen(1, "10.0.0.2:7", 4);
    network.changes = Box::new(|host, frame| {
        if host == 0 {
            sign(frame)
        }
    });
    let refused = network.connect(0, "10.0.0.2:8");
    let unheard = network.connect(0, "10.0.0.2:7");
    network.settle();
    assert_eq!(network.hosts[0].take_error(refused), Ok(Some(Error::ConnectionRefused)));
    let snapshot = network.hosts[1].snapshot();
    assert_eq!((snapshot.half_open, snapshot.drops.of(DropReason::UnexpectedSignature)), (0, 1));
    // The next SYN is not signed.
    network.changes = Box::new(|_, _| {});
    network.run(sockeye_core::time::Duration::from_secs(2));
    assert!(network.hosts[0].readiness(unheard).is_ok_and(|ready| ready.is_writable()));
    assert_eq!(network.hosts[0].take_error(unheard), Ok(None));
}
