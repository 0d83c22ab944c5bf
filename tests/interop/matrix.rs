//! Each option, at both ends, on and off.

use crate::capture;
use crate::exchange::{Exchange, Server, addresses, exchange, settle, tap};
use crate::namespace::INTERFACE;
use crate::wire::{Seen, Syn, Wire};
use sockeye::sockeye_core::transport::tcp::Settings;
use sockeye::sockeye_device::{Capture, Device, Offloads};
use sockeye::{Conditions, EcnMode, Host, HostBuilder, Lan};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::thread;
use std::time::Duration;

/// What one end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    sack: bool,
    timestamps: bool,
    scaling: bool,
    /// Linux's `tcp_ecn`: never (0), asked for and granted (1), granted (2); with Accurate ECN both (3), granted while
    /// classic ECN is asked for (4), or granted only (5).
    ecn: u8,
}

/// As both are from the start.
const USUAL: End = End { sack: true, timestamps: true, scaling: true, ecn: 2 };
const NOTHING: End = End { sack: false, timestamps: false, scaling: false, ecn: 0 };
const EVERYTHING: End = End { ecn: 1, ..USUAL };

impl End {
    /// Sets the kernel's side. False where this kernel does not know a value.
    fn tell_the_kernel(self) -> bool {
        let switches = [
            ("tcp_sack", self.sack),
            ("tcp_timestamps", self.timestamps),
            ("tcp_window_scaling", self.scaling),
        ];
        for (name, is_on) in switches {
            sysctl(name, u8::from(is_on)).expect("a sysctl of the namespace");
        }
        let ecn = sysctl("tcp_ecn", self.ecn);
        assert!(ecn.is_ok() || self.ecn > 2, "a sysctl of the namespace: {ecn:?}");
        ecn.is_ok()
    }

    fn tell_us(self, tcp: &mut Settings) {
        tcp.sack = self.sack;
        tcp.timestamps = self.timestamps;
        tcp.window_scaling = self.scaling;
        tcp.ecn = [
            EcnMode::Off,
            EcnMode::On,
            EcnMode::Passive,
            EcnMode::Accurate,
            EcnMode::AccurateForPeers,
            EcnMode::AccuratePassive,
        ][usize::from(self.ecn)];
    }

    fn asks_for_ecn(self) -> bool {
        matches!(self.ecn, 1 | 3 | 4)
    }
}

fn sysctl(name: &str, value: u8) -> std::io::Result<()> {
    std::fs::write(format!("/proc/sys/net/ipv4/{name}"), value.to_string())
}

/// The kernel's end and ours: every value of each option with every one of the other's, the rest being usual; and
/// everything against nothing.
fn combinations() -> Vec<(End, End)> {
    let switch = |set: fn(&mut End, bool)| {
        [false, true].map(|is_on| {
            let mut end = USUAL;
            set(&mut end, is_on);
            end
        })
    };
    let mut all = Vec::new();
    for ends in [
        switch(|end, is_on| end.sack = is_on),
        switch(|end, is_on| end.timestamps = is_on),
        switch(|end, is_on| end.scaling = is_on),
        [NOTHING, EVERYTHING],
    ] {
        all.extend(ends.iter().flat_map(|kernel| ends.map(|ours| (*kernel, ours))));
    }
    let ecn = |ecn| End { ecn, ..USUAL };
    all.extend((0..=5).flat_map(|kernel| (0..=5).map(move |ours| (ecn(kernel), ecn(ours)))));
    all
}

/// What is left open by a path that loses SYNs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Clean,
    /// A SYN sent again does without ECN (RFC 3168, section 6.1.1.1).
    Lossy,
}

/// What the two ends made of it, against what they had to.
fn judge(client: End, server: End, path: Path, exchange: &Exchange, seen: &Seen, what: &str) {
    let info = &exchange.info;
    let all = |syns: &[Syn], has: &dyn Fn(&Syn) -> bool, expected: bool, option: &str| {
        assert!(!syns.is_empty(), "{what}: no SYN seen");
        for syn in syns {
            assert_eq!(has(syn), expected, "{what}: {option} in {syn:?}");
        }
    };
    let has_sack = |syn: &Syn| syn.options.sack_permitted;
    let has_timestamps = |syn: &Syn| syn.options.timestamps.is_some();
    let has_scale = |syn: &Syn| syn.options.window_scale.is_some();
    all(&seen.syns, &has_sack, client.sack, "sackOK");
    all(&seen.syns, &has_timestamps, client.timestamps, "TS");
    all(&seen.syns, &has_scale, client.scaling, "wscale");
    let sack = client.sack && server.sack;
    let timestamps = client.timestamps && server.timestamps;
    let scaling = client.scaling && server.scaling;
    all(&seen.syn_acks, &has_sack, sack, "sackOK");
    all(&seen.syn_acks, &has_timestamps, timestamps, "TS");
    all(&seen.syn_acks, &has_scale, scaling, "wscale");

    assert_eq!(info.sack, sack, "{what}: {info:?}");
    assert!(sack || seen.reports == 0, "{what}: blocks that nobody had agreed on: {seen:?}");
    assert_eq!(info.timestamps, timestamps, "{what}: {info:?}");
    assert_eq!(seen.stamped, if timestamps { seen.segments } else { 0 }, "{what}: {seen:?}");
    assert_eq!((info.snd_shift > 0, info.rcv_shift > 0), (scaling, scaling), "{what}: {info:?}");

    let is_asked = client.asks_for_ecn();
    let mut ecn = is_asked && server.ecn != 0;
    let accurate = client.ecn == 3 && server.ecn >= 3;
    if path == Path::Clean {
        all(&seen.syns, &Syn::is_ecn, is_asked, "ECN");
        if accurate {
            // What the SYN-ACK says then depends on how the SYN's packet was marked (RFC 9768, section 3.1.1).
            assert!(info.accurate_ecn, "{what}: {info:?}");
        } else {
            all(&seen.syn_acks, &Syn::is_ecn, ecn, "ECN");
        }
    } else {
        // One that is sent again may do without.
        assert!(is_asked || !seen.syns.iter().any(Syn::is_ecn), "{what}: {seen:?}");
        assert!(ecn || !seen.syn_acks.iter().any(Syn::is_ecn), "{what}: {seen:?}");
        ecn = ecn && !accurate && seen.syns.iter().all(Syn::is_ecn) && seen.syn_acks.iter().all(Syn::is_ecn);
    }
    assert!(accurate || !info.accurate_ecn, "{what}: {info:?}");
    if path == Path::Clean || ecn {
        assert_eq!(info.ecn, ecn, "{what}: {info:?}");
    }
    if ecn {
        // Retransmissions travel without the mark (RFC 3168, section 6.1.5). On a clean path they are what a busy machine
        // makes of a timer.
        let most = if path == Path::Clean { seen.with_data / 10 } else { seen.with_data / 2 };
        assert!(seen.with_data - seen.capable <= most, "{what}: {seen:?}");
    } else if path == Path::Clean {
        assert_eq!((seen.capable, seen.echoes), (0, 0), "{what}: {seen:?}");
    }
}

fn addressed(builder: HostBuilder, ours: End) -> Host {
    builder
        .address("10.77.0.2/24".parse().expect("an address"))
        .address("fd77::2/64".parse().expect("an address"))
        .configure(|config| ours.tell_us(&mut config.tcp))
        .build()
        .expect("our host")
}

/// What all connections together showed.
#[derive(Debug, Default)]
struct Totals {
    connections: usize,
    reports: usize,
    echoes: usize,
    ecn: usize,
}

/// Tries everything over hosts that `open` makes; `length` bytes each way.
fn all(path: Path, length: usize, wire: &Wire, open: impl Fn(End) -> Host) -> Totals {
    let mut totals = Totals::default();
    let mut unknown = Vec::new();
    for (kernel, ours) in combinations() {
        if !kernel.tell_the_kernel() {
            unknown.push(kernel.ecn);
            continue;
        }
        let host = open(ours);
        if path == Path::Clean {
            settle(&host);
        }
        // At once: behind a bad cable they mostly wait.
        let cases =
            addresses().into_iter().flat_map(|of| [Server::Ours, Server::Kernel].map(|server| (of, server)));
        let exchanges: Vec<_> = thread::scope(|scope| {
            let host = &host;
            let started: Vec<_> = cases
                .map(|(of, server)| (server, scope.spawn(move || exchange(host, server, of, length))))
                .collect();
            started.into_iter().map(|(server, end)| (server, end.join().expect("an exchange"))).collect()
        });
        for (server, exchange) in exchanges {
            let what = format!("kernel {kernel:?}, {ours:?}, server {server:?}, {}", exchange.ours);
            let seen = wire.take(exchange.ours, exchange.kernel);
            let (client, server) = if server == Server::Kernel { (ours, kernel) } else { (kernel, ours) };
            judge(client, server, path, &exchange, &seen, &what);
            totals.connections += 1;
            totals.reports += usize::from(seen.reports > 0);
            totals.echoes += usize::from(seen.echoes > 0);
            totals.ecn += usize::from(exchange.info.ecn);
        }
        host.shutdown(Duration::from_secs(5));
    }
    unknown.dedup();
    if !unknown.is_empty() {
        let _ =
            writeln!(std::io::stderr(), "skipped: Accurate ECN: this kernel knows no tcp_ecn of {unknown:?}");
    }
    println!("{totals:?}");
    totals
}

/// On the bare TAP interface, every second host without offloads, and judged by tshark.
pub(crate) fn on_a_wire() {
    let file = capture::begin("wire");
    let wire = Wire::default();
    let count = Cell::new(0);
    let totals = all(Path::Clean, 200_000, &wire, |ours| {
        count.set(count.get() + 1);
        let offloads = if count.get() % 2 == 0 { Offloads::On } else { Offloads::Off };
        let tap = Capture::new(tap(offloads), file.file(), INTERFACE).expect("a capture");
        addressed(Host::builder("ours").device(Box::new(wire.watch(tap))), ours)
    });
    file.judge(totals.connections);
}

/// Behind a cable that loses, delays and marks.
pub(crate) fn through_a_bad_cable() {
    let conditions = Conditions {
        loss: "2%".parse().expect("a share"),
        delay: Duration::from_millis(2),
        rate: Some("200mbit".parse().expect("a rate")),
        mark: Some("20".parse().expect("a limit")),
        ..Conditions::default()
    };
    let lans = RefCell::new(Vec::new());
    let wire = Wire::default();
    let totals = all(Path::Lossy, 100_000, &wire, |ours| {
        lans.borrow_mut().clear(); // the last one gives the TAP interface back
        let lan = Lan::builder().seed(7).build().expect("a LAN");
        let tap: Box<dyn Device> = Box::new(wire.watch(tap(Offloads::Off)));
        lan.attach("kernel", tap, None).expect("the kernel on our LAN");
        let host = addressed(lan.host("ours").conditions(conditions), ours);
        lans.borrow_mut().push(lan);
        host
    });
    // Losses were reported by SACK, marks by ECN, and most of those that agreed on ECN had no SYN lost.
    assert!(totals.reports > totals.connections / 4, "{totals:?}");
    assert!(totals.echoes > 0 && totals.ecn > 8, "{totals:?}");
}
