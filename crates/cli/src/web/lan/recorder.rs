//! What watches a LAN for its recording: its cables, its hosts, and now and then how the connections stand.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use sockeye::Host;
use sockeye_core::trace::{Direction, TraceEvent};

use super::super::recording::{CableSight, Recording, Sample, Sight, Station};
use super::{Entity, Lan, station};

/// How often what is seen is told.
const TELLING: Duration = Duration::from_millis(20);
/// One look at the connections for so many tellings: every 60 ms.
const SAMPLING: u32 = 3;
/// One look at the number of sockets for so many: about every half second.
const COUNTING: u32 = 25;

/// Records the frames on all cables.
pub(super) fn watch_cables(lan: &Lan) -> io::Result<()> {
    let recording = Arc::clone(&lan.recording);
    let mut known: HashMap<Arc<str>, Option<usize>> = HashMap::new();
    lan.lan.observe(move |seen| {
        let host = *known.entry(Arc::clone(&seen.host)).or_insert_with(|| {
            recording.station(Station { name: seen.host.to_string(), addresses: Vec::new() })
        });
        // Beyond all bounds of hosts: who comes then is not seen.
        let Some(host) = host else { return };
        recording.on_sight(Sight::Cable(CableSight {
            at: seen.at,
            host,
            direction: seen.direction,
            frame: seen.frame.clone(),
            fate: seen.fate,
        }));
    })
}

/// Records the events of a host.
pub(super) fn watch_host(recording: &Arc<Recording>, host: &Host) -> io::Result<()> {
    let Some(index) = recording.station(station(host)) else { return Ok(()) };
    let recording = Arc::clone(recording);
    host.trace(move |trace| {
        // Frames are seen on the cables, but for those that stay inside.
        let is_wanted = match &trace.event {
            TraceEvent::Frame { interface, direction, .. } => {
                *interface == sockeye_core::stack::LOOPBACK && *direction == Direction::Sent
            }
            _ => true,
        };
        if is_wanted {
            recording.on_sight(Sight::Host(index, trace.clone()));
        }
    })
}

/// Starts the thread that tells, which ends with the LAN.
pub(super) fn start(lan: &Arc<Lan>) -> io::Result<()> {
    let lan = Arc::downgrade(lan);
    std::thread::Builder::new().name("recorder".to_owned()).spawn(move || run(&lan)).map(drop)
}

fn run(lan: &Weak<Lan>) {
    let (mut round, mut sockets) = (0_u32, 0);
    loop {
        std::thread::sleep(TELLING);
        let Some(lan) = lan.upgrade() else { return };
        lan.recording.advance(sockeye::now());
        round = round.wrapping_add(1);
        if round.is_multiple_of(SAMPLING) {
            sample(&lan);
        }
        if round.is_multiple_of(COUNTING) {
            let hosts: Vec<Host> = lan.hosts.lock().values().cloned().collect();
            let counted: usize = hosts.iter().map(|host| host.snapshot().sockets.len()).sum();
            if std::mem::replace(&mut sockets, counted) != counted {
                lan.version().touch();
            }
        }
    }
}

/// Looks how the connections stand, at the hosts that have any.
fn sample(lan: &Lan) {
    for (index, name) in lan.recording.busy_hosts() {
        let Ok(host) = lan.host(&name) else { continue };
        let (at, snapshot) = (sockeye::now(), host.snapshot());
        for socket in snapshot.sockets {
            let (Some(local), Some(remote), Some(tcp)) = (socket.local, socket.remote, socket.tcp) else {
                continue;
            };
            lan.recording.on_sight(Sight::Sample(Sample {
                at,
                host: index,
                local,
                remote,
                receive_queue: socket.receive_queue,
                send_queue: socket.send_queue,
                tcp,
            }));
        }
    }
}
