//! The virtual Ethernet of one process at work: the machine of `sockeye_core::lan` behind one lock, with a clock.
//!
//! A frame that is due at once is moved on to the inbox of its host in the sender's thread; a thread of the LAN's own
//! moves those that travel longer, and is started with the first of them. Nothing is dropped but what a condition asks
//! for: while any inbox is full, every sender has to wait. Hosts never wait for anything, so their inboxes always empty.
//! Behind an uplink there may be a process that has been stopped: what it leaves lying for too long is dropped, as a
//! switch does it, and nobody waits for it until it takes its frames again.
//!
//! The lock is taken by devices, under the lock of their host; under it, nothing is locked but an outlet's queue.

use crate::clock;
use crate::outlet::{Outlet, Sink};
use parking_lot::{Condvar, Mutex};
use sockeye_core::lan::{self, Direction, Duplex, Fate, Observing, PortId};
use sockeye_core::time::{Duration, Instant};
use sockeye_device::{Capabilities, Device, Medium, Offload, Received, Signal};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// Frames in an inbox that make senders wait.
const INBOX: usize = 1024;

/// How long senders wait for what is behind an uplink to take its frames.
const UPLINK_PATIENCE: Duration = Duration::from_millis(250);

/// How often to look whether the observers have caught up.
const SINK_RETRY: Duration = Duration::from_millis(2);

/// Bytes of the Ethernet header.
const ETHERNET_HEADER: usize = 14;

/// A frame on a cable of a LAN, and what becomes of it. A frame from host to host is seen twice: on its way up the
/// cable of the sender, and down the cable of the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanObservation {
    /// When it was put on the cable.
    pub at: Instant,
    /// The host at the end of the cable.
    pub host: Arc<str>,
    /// Up to the switch, or down to the host.
    pub direction: Direction,
    /// The frame as it was put in.
    pub frame: Vec<u8>,
    /// What becomes of it: when it arrives, whether it is doubled or damaged, or why it is lost.
    pub fate: Fate,
}

/// The LAN and its lock.
pub(crate) struct Switchboard {
    state: Mutex<State>,
    /// Wakes the LAN's thread.
    alarm_changed: Condvar,
}

struct State {
    machine: lan::Lan,
    inboxes: BTreeMap<PortId, Inbox>,
    /// How many inboxes are full, and waited for.
    full: usize,
    /// Whether senders wait because the observers are behind.
    is_stalled: bool,
    /// When the LAN's thread wakes by itself.
    alarm: Option<Instant>,
    has_thread: bool,
    /// Handles to the LAN, and ports plugged into it.
    users: usize,
    /// What tells the threads of uplinks to end.
    uplinks: BTreeMap<PortId, Arc<Signal>>,
    outlet: Option<Outlet<LanObservation>>,
}

/// What has reached one host and was not taken yet.
struct Inbox {
    host: Arc<str>,
    frames: VecDeque<Vec<u8>>,
    fill: Fill,
    /// How long senders wait for it when it is full; for ever if there is no limit.
    patience: Option<Duration>,
    signals: Arc<Signals>,
    is_waiting: bool,
    is_blocked: bool,
}

/// How full an inbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    /// There is room.
    Room,
    /// There is none since then, and senders wait for it.
    Full(Instant),
    /// There is none, and nobody waits any more.
    Abandoned,
}

#[derive(Debug)]
struct Signals {
    /// Full while frames wait for the host.
    waiting: Signal,
    /// Full while the host has to wait with sending.
    blocked: Signal,
}

impl State {
    /// Moves what is due to the inboxes, as long as none is full.
    fn advance(&mut self, now: Instant) {
        self.abandon(now);
        while self.full == 0 {
            let Some(delivery) = self.machine.poll(now) else { break };
            let inbox = self.inboxes.get_mut(&delivery.port);
            let Some(inbox) = inbox.filter(|inbox| inbox.fill != Fill::Abandoned) else {
                self.machine.recycle(delivery.frame);
                continue;
            };
            inbox.frames.push_back(delivery.frame);
            if inbox.frames.len() >= INBOX && inbox.fill == Fill::Room {
                inbox.fill = Fill::Full(now);
                self.full += 1;
            }
            if !inbox.is_waiting {
                inbox.is_waiting = true;
                inbox.signals.waiting.fill();
            }
        }
        if let Some(outlet) = &self.outlet {
            while let Some(seen) = self.machine.poll_observation() {
                let host = self
                    .inboxes
                    .get(&seen.port)
                    .map_or_else(|| Arc::from(""), |inbox| Arc::clone(&inbox.host));
                outlet.push(LanObservation {
                    at: seen.at,
                    host,
                    direction: seen.direction,
                    frame: seen.frame,
                    fate: seen.fate,
                });
            }
        }
    }

    /// Waits no longer for inboxes that nobody has emptied for too long.
    fn abandon(&mut self, now: Instant) {
        if self.full == 0 {
            return;
        }
        for inbox in self.inboxes.values_mut() {
            if inbox.gives_up_at().is_some_and(|at| at <= now) {
                inbox.fill = Fill::Abandoned;
                self.full -= 1;
            }
        }
    }

    /// Whether senders have to wait.
    fn is_jammed(&mut self) -> bool {
        self.is_stalled = self.outlet.as_ref().is_some_and(Outlet::is_full);
        self.full > 0 || self.is_stalled
    }

    /// Lets the senders go on that had to wait.
    fn unblock(&mut self) {
        if self.is_jammed() {
            return;
        }
        for inbox in self.inboxes.values_mut().filter(|inbox| inbox.is_blocked) {
            inbox.is_blocked = false;
            inbox.signals.blocked.drain();
        }
    }

    /// When the LAN's thread has something to do.
    fn deadline(&self, now: Instant) -> Option<Instant> {
        // Frames that are due wait for a full inbox to be emptied, and that goes on by itself, if not for ever.
        let due = match self.full {
            0 => self.machine.poll_timeout(),
            _ => self.inboxes.values().filter_map(Inbox::gives_up_at).min(),
        };
        let retry = self.is_stalled.then(|| now + SINK_RETRY);
        due.into_iter().chain(retry).min()
    }

    /// An inbox has been emptied, or is gone.
    fn has_room(&mut self, fill: Fill) {
        if matches!(fill, Fill::Full(_)) {
            self.full -= 1;
        }
    }
}

impl Inbox {
    /// When senders stop waiting for it.
    fn gives_up_at(&self) -> Option<Instant> {
        match self.fill {
            Fill::Full(since) => Some(since + self.patience?),
            Fill::Room | Fill::Abandoned => None,
        }
    }
}

impl Switchboard {
    /// A switch with nothing plugged in, and one user: whoever calls this.
    pub(crate) fn new() -> Arc<Switchboard> {
        let state = State {
            machine: lan::Lan::new(),
            inboxes: BTreeMap::new(),
            full: 0,
            is_stalled: false,
            alarm: None,
            has_thread: false,
            users: 1,
            uplinks: BTreeMap::new(),
            outlet: None,
        };
        Arc::new(Switchboard { state: Mutex::new(state), alarm_changed: Condvar::new() })
    }

    /// One user less; without users, the LAN's thread ends.
    pub(crate) fn leave(&self) {
        let mut state = self.state.lock();
        state.users = state.users.saturating_sub(1);
        if state.users == 0 {
            state.outlet = None;
            for uplink in state.uplinks.values() {
                uplink.fill();
            }
            self.alarm_changed.notify_all();
        }
    }

    /// Plugs a host in.
    ///
    /// # Errors
    /// When the process has no file descriptors left.
    pub(crate) fn plug(
        self: &Arc<Self>,
        host: Arc<str>,
        mtu: usize,
        conditions: Duplex,
        seed: u64,
    ) -> io::Result<LanPort> {
        let signals = Arc::new(Signals { waiting: Signal::new()?, blocked: Signal::new()? });
        let mut state = self.state.lock();
        let id = state.machine.add_port(conditions, seed);
        let inbox = Inbox {
            host,
            frames: VecDeque::new(),
            fill: Fill::Room,
            patience: None,
            signals: Arc::clone(&signals),
            is_waiting: false,
            is_blocked: false,
        };
        state.inboxes.insert(id, inbox);
        state.users += 1;
        Ok(LanPort {
            switchboard: Arc::clone(self),
            id,
            mtu,
            signals,
            taken: VecDeque::new(),
            empties: Vec::new(),
            is_user: true,
        })
    }

    /// A port for a device, which does not count as a user: the signal is filled when the last user has left. Who fills
    /// it earlier pulls the cable.
    ///
    /// # Errors
    /// When the process has no file descriptors left.
    pub(crate) fn plug_uplink(
        self: &Arc<Self>,
        name: Arc<str>,
        mtu: usize,
        conditions: Duplex,
        seed: u64,
    ) -> io::Result<(LanPort, Arc<Signal>)> {
        let stop = Arc::new(Signal::new()?);
        let mut port = self.plug(name, mtu, conditions, seed)?;
        port.is_user = false;
        let mut state = self.state.lock();
        state.uplinks.insert(port.id, Arc::clone(&stop));
        if let Some(inbox) = state.inboxes.get_mut(&port.id) {
            inbox.patience = Some(UPLINK_PATIENCE);
        }
        state.users = state.users.saturating_sub(1);
        Ok((port, stop))
    }

    /// Shows every frame on every cable to `sink`.
    pub(crate) fn observe(&self, sink: Sink<LanObservation>) -> io::Result<()> {
        let mut state = self.state.lock();
        match &state.outlet {
            Some(outlet) => outlet.add(sink),
            None => {
                state.outlet = Some(Outlet::open("lan-observers".into(), sink)?);
                state.machine.set_observing(Observing::On);
            }
        }
        Ok(())
    }

    /// Waits until the observers have seen everything so far.
    pub(crate) fn drain(&self, patience: Duration) -> bool {
        let drain = self.state.lock().outlet.as_ref().map(Outlet::drain);
        drain.is_none_or(|drain| drain.wait(patience))
    }

    /// Changes something about the machine, such as the conditions of a cable.
    pub(crate) fn control(self: &Arc<Self>, control: impl FnOnce(Instant, &mut lan::Lan)) {
        let mut state = self.state.lock();
        let now = clock::now();
        control(now, &mut state.machine);
        state.advance(now);
        self.set_alarm(&mut state, now);
    }

    /// Sees to it that the LAN's thread wakes in time; starts it when it is needed first.
    fn set_alarm(self: &Arc<Self>, state: &mut State, now: Instant) {
        let Some(deadline) = state.deadline(now) else { return };
        if !state.has_thread {
            let switchboard = Arc::clone(self);
            let spawned = std::thread::Builder::new().name("lan".into()).spawn(move || switchboard.run());
            // Without a thread the frames come late, with the next frame that anybody sends; there is no better way
            // to go on, and the next call tries again.
            state.has_thread = spawned.is_ok();
        } else if state.alarm.is_none_or(|alarm| deadline < alarm) {
            state.alarm = Some(deadline);
            self.alarm_changed.notify_one();
        }
    }

    /// The LAN's thread: moves frames when they are due.
    fn run(self: Arc<Self>) {
        let mut state = self.state.lock();
        while state.users > 0 {
            let now = clock::now();
            state.advance(now);
            state.unblock();
            state.alarm = state.deadline(now);
            match state.alarm {
                Some(alarm) => {
                    let _ = self.alarm_changed.wait_for(&mut state, alarm.since(clock::now()));
                }
                None => self.alarm_changed.wait(&mut state),
            }
        }
    }
}

/// The host's end of a cable, as a device.
pub(crate) struct LanPort {
    switchboard: Arc<Switchboard>,
    id: PortId,
    mtu: usize,
    signals: Arc<Signals>,
    /// Frames taken from the inbox, all at once.
    taken: VecDeque<Vec<u8>>,
    /// Their buffers, on their way back.
    empties: Vec<Vec<u8>>,
    /// Whether the LAN exists for this port, or this port for the LAN.
    is_user: bool,
}

impl LanPort {
    pub(crate) fn id(&self) -> PortId {
        self.id
    }

    /// Takes everything that waits. `false` if nothing does.
    fn refill(&mut self) -> bool {
        let mut state = self.switchboard.state.lock();
        for buffer in self.empties.drain(..) {
            state.machine.recycle(buffer);
        }
        let Some(inbox) = state.inboxes.get_mut(&self.id) else { return false };
        if inbox.frames.is_empty() {
            if inbox.is_waiting {
                inbox.is_waiting = false;
                inbox.signals.waiting.drain();
            }
            return false;
        }
        std::mem::swap(&mut inbox.frames, &mut self.taken);
        let fill = std::mem::replace(&mut inbox.fill, Fill::Room);
        if fill != Fill::Room {
            state.has_room(fill);
            let now = clock::now();
            state.advance(now);
            state.unblock();
            self.switchboard.set_alarm(&mut state, now);
        }
        true
    }
}

impl Device for LanPort {
    fn capabilities(&self) -> Capabilities {
        Capabilities::plain(Medium::Ethernet, self.mtu)
    }

    fn send(&mut self, parts: &[IoSlice<'_>], offload: &Offload) -> io::Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if !offload.is_none() || length > self.mtu + ETHERNET_HEADER || length < ETHERNET_HEADER {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a LAN carries plain frames of its MTU"));
        }
        let mut state = self.switchboard.state.lock();
        let now = clock::now();
        if state.is_jammed() {
            if let Some(inbox) = state.inboxes.get_mut(&self.id)
                && !inbox.is_blocked
            {
                inbox.is_blocked = true;
                inbox.signals.blocked.fill();
            }
            self.switchboard.set_alarm(&mut state, now);
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut frame = state.machine.buffer();
        for part in parts {
            frame.extend_from_slice(part);
        }
        let _ = state.machine.send(now, self.id, frame);
        state.advance(now);
        self.switchboard.set_alarm(&mut state, now);
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        if self.taken.is_empty() && !self.refill() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let Some(frame) = self.taken.pop_front() else { return Err(ErrorKind::WouldBlock.into()) };
        let length = frame.len();
        let received = match buffer.get_mut(..length) {
            Some(room) => {
                room.copy_from_slice(&frame);
                Ok(Received { length, ..Received::default() })
            }
            None => {
                Err(io::Error::new(ErrorKind::InvalidData, "a frame longer than the buffer was discarded"))
            }
        };
        self.empties.push(frame);
        received
    }

    fn has_sent_all(&self) -> bool {
        let state = self.switchboard.state.lock();
        state.machine.cable(self.id).is_none_or(|cable| cable.is_empty(Direction::Up))
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        Some(self.signals.waiting.input())
    }

    fn send_readiness(&self) -> Option<BorrowedFd<'_>> {
        Some(self.signals.blocked.output())
    }
}

impl Drop for LanPort {
    fn drop(&mut self) {
        let mut state = self.switchboard.state.lock();
        state.machine.remove_port(self.id);
        state.uplinks.remove(&self.id);
        let inbox = state.inboxes.remove(&self.id);
        if let Some(inbox) = &inbox {
            state.has_room(inbox.fill);
            let now = clock::now();
            state.advance(now);
            state.unblock();
            self.switchboard.set_alarm(&mut state, now);
        }
        drop(state);
        drop(inbox);
        if self.is_user {
            self.switchboard.leave();
        }
    }
}
