//! What crosses the TAP interface, judged by tshark.

use crate::ends::{Family, Side, World};
use crate::namespace::INTERFACE;
use crate::{closing, datagrams, transfer};
use sockeye::sockeye_device::{Capture, CaptureFile, Offloads, Tap};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What must not be found: broken frames, and checksums that are wrong. With checksum offload our datagrams reach the
/// kernel without their checksum, and that is how it quotes them in its ICMP errors: those quotes do not count.
const FAULTS: &str = "_ws.malformed || ip.checksum.status == 0 || (tcp.checksum.status == 0 && !(tcp.checksum == 0xffff)) \
    || (udp.checksum.status == 0 && !icmp && !icmpv6) || icmp.checksum.status == 0 || icmpv6.checksum.status == 0";

/// A bit of everything, captured and judged.
pub(crate) fn judged(offloads: Offloads) {
    if Command::new("tshark").arg("--version").output().is_err() {
        let _ = writeln!(std::io::stderr(), "skipped: captures are not judged: tshark is not installed");
        return;
    }
    let path =
        std::env::temp_dir().join(format!("sockeye-capture-{offloads:?}-{}.pcapng", std::process::id()));
    let file = CaptureFile::create(&path).unwrap();
    let tap = Tap::open(INTERFACE, offloads).unwrap();
    let world = World::with(Box::new(Capture::new(tap, &file, INTERFACE).unwrap()));
    for family in Family::BOTH {
        for server in Side::BOTH {
            for size in [1000, 3_000_000] {
                let (source, sink) = world.pair(server, family);
                transfer::transfer(source, sink, size);
            }
        }
    }
    closing::refused(&world);
    closing::killed(&world);
    closing::half_close(&world);
    datagrams::pings(&world);
    datagrams::large(&world);
    datagrams::closed_port(&world);
    world.host.shutdown(Duration::from_secs(5));
    drop(world);
    file.flush().unwrap();
    assert!(file.error().is_none(), "{:?}", file.error());
    judge(&path);
    std::fs::remove_file(&path).unwrap();
}

fn judge(path: &Path) {
    let tshark = |filter: &str| {
        let output = Command::new("tshark")
            // Nobody's preferences: the directory does not exist.
            .env("WIRESHARK_CONFIG_DIR", path.with_extension("preferences"))
            .args(["-n", "-r"])
            .arg(path)
            .args(["-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"])
            .args(["-o", "ip.check_checksum:TRUE", "-Y", filter])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let all = tshark("frame");
    let kinds = ["ARP", "TCP", "UDP", "ICMP", "ICMPv6"];
    for kind in kinds {
        assert!(all.contains(kind), "no {kind} in the capture");
    }
    let faults = tshark(FAULTS);
    assert!(faults.is_empty(), "tshark finds fault with:\n{}", &faults[..faults.len().min(4000)]);
    println!("tshark has judged {} frames", all.lines().count());
}
