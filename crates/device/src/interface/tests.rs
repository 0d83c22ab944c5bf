//! The Linux kernel at the other end of TAP and TUN, in a network namespace that lasts as long as one thread.

mod segment;

use super::*;
use crate::tshark::Recording;
use crate::{Capture, CaptureFile, Checksum, Tap, Tun};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{CapabilitySet, UnshareFlags};
use segment::{Dialogue, Incoming, Version};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

/// Runs `test` in a network namespace of its own, or says why not.
fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        // SAFETY: a network namespace of this thread's own takes away no memory and no descriptor of any other.
        if let Err(error) = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) } {
            eprintln!("skipped: no network namespace can be made here: {error}");
            return;
        }
        if !std::path::Path::new("/dev/net/tun").exists() {
            eprintln!("skipped: there is no /dev/net/tun here");
            return;
        }
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `ip` with the words of `line`.
fn ip(line: &str) {
    let status = Command::new("ip").args(line.split_whitespace()).status().expect("`ip` runs");
    assert!(status.success(), "ip {line} failed");
}

/// Tries for ten seconds at most: a program that another test starts just now holds copies of all descriptors
/// for a moment, so that an interface may be closed later than it is dropped.
fn eventually<T>(attempt: impl Fn() -> Option<T>) -> T {
    for _ in 0..1000 {
        if let Some(value) = attempt() {
            return value;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it did not happen within ten seconds");
}

/// Waits for a frame, for ten seconds at most.
fn wait(device: &dyn Device) {
    let fd = device.readiness().expect("an interface can be waited on");
    let timeout = Timespec { tv_sec: 10, tv_nsec: 0 };
    let ready = poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&timeout)).expect("poll works");
    assert_eq!(ready, 1, "no frame came");
}

/// The next TCP segment for us, with what the device said about its frame.
fn next_segment(device: &mut dyn Device, buffer: &mut [u8], version: Version) -> (Received, Incoming) {
    let medium = device.capabilities().medium;
    loop {
        match device.receive(buffer) {
            Ok(received) => {
                let frame = buffer.get(..received.length).expect("a frame lies in the buffer");
                // Neighbour and multicast chatter is nothing to this test.
                if let Some(incoming) = Incoming::parse(frame, medium, version) {
                    return (received, incoming);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(device),
            Err(error) => panic!("receiving failed: {error}"),
        }
    }
}

const BYTES: usize = 30_000;

fn pattern() -> Vec<u8> {
    (0..BYTES).map(|at| (at % 251) as u8).collect()
}

/// The kernel connects, sends 30,000 bytes and reads them back.
fn kernel_gets_its_echo(mode: Mode, version: Version, offloads: Offloads) {
    if control::Control::new("echo0").unwrap().kind().unwrap() == control::Kind::Missing {
        ip(&format!("tuntap add dev echo0 mode {mode}"));
        ip("link set echo0 up");
    }
    let remote: SocketAddr = match version {
        Version::Four => {
            ip("address add 10.9.0.1/24 dev echo0");
            (Ipv4Addr::new(10, 9, 0, 2), 7).into()
        }
        Version::Six => {
            ip("address add fd09::1/64 dev echo0 nodad");
            (Ipv6Addr::new(0xfd09, 0, 0, 0, 0, 0, 0, 2), 7).into()
        }
    };
    let device: Box<dyn Device> = match mode {
        Mode::Tap => {
            ip(&format!("neighbor add {} lladdr 02:00:00:00:00:02 dev echo0", remote.ip()));
            Box::new(eventually(|| Tap::open("echo0", offloads).ok()))
        }
        Mode::Tun => Box::new(eventually(|| Tun::open("echo0", offloads).ok())),
    };
    let recording = Recording::new(&format!("echo-{mode}-{version:?}-{offloads:?}"));
    let file = CaptureFile::create(recording.path()).unwrap();
    let mut device = Capture::new(device, &file, "echo0").unwrap();
    let capabilities = device.capabilities();
    assert_eq!(capabilities.mtu, 1500);
    // A thread is born into its parent's namespace.
    let kernel = std::thread::spawn(move || {
        let mut stream = TcpStream::connect_timeout(&remote, Duration::from_secs(10)).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(&pattern()).unwrap();
        let mut echo = vec![0; BYTES];
        stream.read_exact(&mut echo).expect("the echo arrives");
        assert!(echo == pattern(), "the echo differs");
    });

    let mut buffer = vec![0; capabilities.frame_capacity()];
    let (received, syn) = next_segment(&mut device, &mut buffer, version);
    let mut dialogue = Dialogue::answer(&syn, capabilities.medium, version);
    assert_eq!(matches!(received.checksum, Checksum::Partial(_)), capabilities.checksum);
    dialogue.send_syn_ack(&mut device, 1400);

    let mut arrived = Vec::new();
    let mut largest = Received::default();
    while arrived.len() < BYTES {
        let (received, incoming) = next_segment(&mut device, &mut buffer, version);
        if received.length > largest.length {
            largest = received;
        }
        if let Checksum::Partial(partial) = received.checksum {
            assert_eq!(usize::from(partial.start), dialogue.transport_at());
            assert_eq!(partial.offset, 16);
        } else {
            assert_eq!(incoming.checksum_sum(), 0xffff, "a complete checksum was promised");
        }
        if incoming.sequence == dialogue.expected {
            arrived.extend_from_slice(&incoming.payload);
            dialogue.expected = dialogue.expected.wrapping_add(incoming.payload.len() as u32);
        }
        if !incoming.payload.is_empty() {
            dialogue.send(&mut device, &[], None);
        }
    }
    assert!(arrived == pattern(), "what arrived differs");
    if capabilities.segmentation.is_some() {
        assert_eq!(largest.segment_size, Some(1400));
        assert!(largest.length > 2 * 1400, "no large segment came");
        dialogue.send(&mut device, &arrived, Some(1400));
    } else {
        assert_eq!(largest.segment_size, None);
        assert!(largest.length <= capabilities.frame_capacity());
        for piece in arrived.chunks(1400) {
            dialogue.send(&mut device, piece, None);
        }
    }
    kernel.join().expect("the kernel's end is content");
    // Not even a clean end: what has been recorded can be read at any time.
    recording.judge(10);
}

#[test]
fn tap_with_offloads_over_ipv4() {
    in_namespace(|| kernel_gets_its_echo(Mode::Tap, Version::Four, Offloads::On));
}

#[test]
fn tap_with_offloads_over_ipv6() {
    in_namespace(|| kernel_gets_its_echo(Mode::Tap, Version::Six, Offloads::OnWithUdp));
}

#[test]
fn tap_without_offloads_over_ipv4() {
    in_namespace(|| kernel_gets_its_echo(Mode::Tap, Version::Four, Offloads::Off));
}

#[test]
fn tun_with_offloads_over_ipv4() {
    in_namespace(|| kernel_gets_its_echo(Mode::Tun, Version::Four, Offloads::On));
}

#[test]
fn tun_with_offloads_over_ipv6() {
    in_namespace(|| kernel_gets_its_echo(Mode::Tun, Version::Six, Offloads::On));
}

#[test]
fn tun_without_offloads_over_ipv6() {
    in_namespace(|| kernel_gets_its_echo(Mode::Tun, Version::Six, Offloads::Off));
}

#[test]
fn an_interface_that_had_offloads_can_be_reopened_without() {
    in_namespace(|| {
        ip("tuntap add dev echo0 mode tap");
        ip("link set echo0 up");
        drop(Tap::open("echo0", Offloads::OnWithUdp).unwrap());
        kernel_gets_its_echo(Mode::Tap, Version::Four, Offloads::Off);
    });
}

#[test]
fn a_new_interface_is_up_and_goes_away_with_its_owner() {
    in_namespace(|| {
        let tap = Tap::open("fresh0", Offloads::On).unwrap();
        assert_eq!(tap.origin(), Origin::Created);
        assert_eq!(tap.name(), "fresh0");
        assert!(control::Control::new("fresh0").unwrap().is_up().unwrap());
        drop(tap);
        eventually(|| {
            let kind = control::Control::new("fresh0").unwrap().kind().unwrap();
            (kind == control::Kind::Missing).then_some(())
        });
    });
}

#[test]
fn the_mtu_is_the_interfaces() {
    in_namespace(|| {
        ip("tuntap add dev wide0 mode tun");
        ip("link set wide0 mtu 9000 up");
        let tun = Tun::open("wide0", Offloads::Off).unwrap();
        assert_eq!(tun.origin(), Origin::Existing);
        assert_eq!(tun.capabilities(), Capabilities::plain(Medium::Ip, 9000));
    });
}

#[test]
fn one_of_several_queues_opens() {
    in_namespace(|| {
        ip("tuntap add dev many0 mode tap multi_queue");
        ip("link set many0 up");
        Tap::open("many0", Offloads::On).unwrap();
    });
}

/// The refusal of `tap:NAME`.
fn refusal(name: &str) -> OpenError {
    Tap::open(name, Offloads::On).err().unwrap_or_else(|| panic!("{name:?} should not open"))
}

#[test]
fn a_refusal_names_cause_and_next_step() {
    in_namespace(|| {
        ip("tuntap add dev packets0 mode tun");
        let error = refusal("packets0");
        assert!(
            matches!(error, OpenError::WrongMode { found: Mode::Tun, wanted: Mode::Tap, .. }),
            "{error:?}"
        );
        ip("link add wire0 type veth peer name wire1");
        for name in ["lo", "wire0"] {
            assert!(matches!(refusal(name), OpenError::NotTunTap { .. }));
        }
        ip("tuntap add dev low0 mode tap");
        let error = refusal("low0");
        assert!(matches!(error, OpenError::Down { .. }), "{error:?}");
        assert_eq!(error.to_string(), "low0 is down: run `sudo ip link set low0 up`");
        ip("link set low0 up");
        let _held = Tap::open("low0", Offloads::On).unwrap();
        assert!(matches!(refusal("low0"), OpenError::Busy { .. }));
        for name in ["", "sixteen-bytes-it", "a/b", "tap%d", "two words", "..", "a\0b"] {
            assert!(matches!(refusal(name), OpenError::InvalidName { .. }));
        }
    });
}

#[test]
fn without_privilege_the_command_to_run_is_named() {
    in_namespace(|| {
        ip("tuntap add dev mine0 mode tap user 0");
        ip("link set mine0 up");
        ip("tuntap add dev theirs0 mode tap user 12345");
        // Capabilities belong to the thread, so that this takes nothing from other tests.
        let mut sets = rustix::thread::capabilities(None).expect("a thread may read its capabilities");
        sets.effective.remove(CapabilitySet::NET_ADMIN);
        rustix::thread::set_capabilities(None, sets).expect("a thread may give capabilities up");

        let error = refusal("tap7");
        assert!(matches!(error, OpenError::NotPermitted { .. }), "{error:?}");
        assert_eq!(
            error.to_string(),
            "there is no interface tap7 and this user may not create it: run \
             `sudo ip tuntap add dev tap7 mode tap user $USER && sudo ip link set tap7 up`"
        );
        assert!(matches!(refusal("theirs0"), OpenError::NotOwner { .. }));
        Tap::open("mine0", Offloads::On).expect("an owner needs no privilege");
    });
}

#[test]
fn down_and_removed_are_told_apart() {
    in_namespace(|| {
        ip("tuntap add dev shaky0 mode tap");
        ip("link set shaky0 up");
        let mut tap = Tap::open("shaky0", Offloads::On).unwrap();
        let frame = [0; 60];
        let mut buffer = vec![0; tap.capabilities().frame_capacity()];
        ip("link set shaky0 down");
        let error = tap.send(&[IoSlice::new(&frame)], &Offload::NONE).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NetworkDown);
        ip("link set shaky0 up");
        tap.send(&[IoSlice::new(&frame)], &Offload::NONE).unwrap();
        ip("link delete shaky0");
        let error = tap.send(&[IoSlice::new(&frame)], &Offload::NONE).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{error}");
        let error = loop {
            match tap.receive(&mut buffer) {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
        wait(&tap);
    });
}

#[test]
fn a_frame_too_long_for_the_buffer_is_discarded_with_an_error() {
    in_namespace(|| {
        let mut tun = Tun::open("short0", Offloads::On).unwrap();
        ip("address add 10.9.0.1/24 dev short0");
        ip("link set dev short0 addrgenmode none");
        let socket = std::net::UdpSocket::bind("10.9.0.1:0").unwrap();
        let mut buffer = [0; 300];
        while tun.receive(&mut buffer).is_ok() {}
        socket.send_to(&[1; 1000], "10.9.0.2:9").unwrap();
        socket.send_to(&[2; 100], "10.9.0.2:9").unwrap();
        wait(&tun);
        assert_eq!(tun.receive(&mut buffer).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(tun.receive(&mut buffer).unwrap().length, 128);
        assert_eq!(buffer[28..128], [2; 100]);
    });
}

#[test]
fn many_pieces_make_one_frame() {
    in_namespace(|| {
        let mut tun = Tun::open("pieces0", Offloads::On).unwrap();
        ip("address add 10.9.0.1/24 dev pieces0");
        let socket = std::net::UdpSocket::bind("10.9.0.1:4000").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let header = segment::datagram_header(4000, 400);
        let payload: Vec<u8> = (0..400u16).map(|number| number as u8).collect();
        let mut pieces = vec![IoSlice::new(&header)];
        pieces.extend(payload.chunks(2).map(IoSlice::new));
        tun.send(&pieces, &Offload::NONE).unwrap();
        let mut buffer = [0; 500];
        let (length, _) = socket.recv_from(&mut buffer).expect("the datagram arrives");
        assert_eq!(&buffer[..length], payload);
    });
}
