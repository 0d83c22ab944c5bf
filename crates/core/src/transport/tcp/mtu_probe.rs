//! The path MTU found by trying (RFC 4821, RFC 8899): where routers drop what is too large and say nothing, larger
//! segments are sent now and then to see whether they arrive, and after time-outs in a row smaller ones are used.
//!
//! The search is Linux's: between a size known to work and one that may, the middle is tried, as the first segment of
//! data that the connection has to send anyway. A lost probe says nothing about congestion.
//!
//! All sizes here are bytes of options and payload, as in [`Opening::path_mss`](super::Opening::path_mss).

use super::connection::Connection;
use super::recovery::Phase;
use super::sender::Sender;
use super::transmit::Next;
use crate::time::{Duration, Instant};
use crate::wire::tcp::SeqNumber;

/// No probe with a smaller congestion window, in segments: the loss of one must be found by what follows it.
const LEAST_WINDOW: u32 = 11;
/// How many segments must follow a probe so that its loss is found: those that may come out of order, and one.
const FOLLOWERS: u32 = 4;
/// How many time-outs in a row mean that the path swallows large segments: `tcp_retries1`.
const BLACK_HOLE: u32 = 3;

/// How many segments must arrive before a size that failed is tried again; twice as many each time.
const RETRIAL: u32 = 32;

/// When larger and smaller segments are tried: Linux's `tcp_mtu_probing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MtuProbing {
    /// Never (0).
    Off,
    /// From the time on when a black hole was found (1).
    #[default]
    BlackHole,
    /// Always (2).
    Always,
}

/// The search of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct MtuSearch {
    /// This size gets through.
    low: u32,
    /// Nothing larger is tried.
    high: u32,
    /// When the search began, last.
    since: Instant,
    /// A size in use since before the search, with which something has arrived already.
    trusted: u32,
    /// Where the probe in flight begins, and its size.
    probe: Option<(SeqNumber, u32)>,
    /// It was lost.
    is_lost: bool,
    /// SND.UNA when a black hole was suspected.
    stalled_at: Option<SeqNumber>,
    /// The size used before that, which is tried once more when something has arrived again: it may have been an outage.
    former: Option<u32>,
    /// SND.UNA when that began, while it goes on.
    tried_from: Option<SeqNumber>,
    /// SND.UNA must be behind this before it begins, and how far that was from the last time, in bytes.
    quiet_until: SeqNumber,
    pause: u32,
}

/// What is to be done about the next segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MtuStep {
    /// Nothing.
    None,
    /// A probe would leave, had the windows more room: that is waited for.
    Wait,
    /// A probe with this much payload.
    Send(u32),
}

impl MtuSearch {
    /// A search between nothing and nothing.
    fn new(now: Instant) -> MtuSearch {
        MtuSearch {
            low: 0,
            high: 0,
            since: now,
            trusted: 0,
            probe: None,
            is_lost: false,
            stalled_at: None,
            former: None,
            tried_from: None,
            quiet_until: SeqNumber(0),
            pause: 0,
        }
    }

    /// The size to use meanwhile.
    pub(super) fn size(&self) -> u32 {
        self.low.max(self.trusted)
    }

    /// As if it had ended at `size`.
    #[cfg(test)]
    pub(super) fn narrow(&mut self, size: u32) {
        (self.low, self.high) = (size, size);
    }

    fn middle(&self, most: u32) -> u32 {
        u32::midpoint(self.low, self.high.min(most))
    }
}

impl Connection {
    /// Bytes of options in each segment.
    fn options_length(&self) -> u32 {
        if self.clock.is_some() { 12 } else { 0 }
    }

    /// Begins the search, where it is to go on from the start. `is_active`: ours was the first SYN.
    pub(super) fn start_mtu_search(&mut self, now: Instant, is_active: bool) {
        if self.settings.mtu_probing == MtuProbing::Always {
            // As on Linux a passive end begins with all that the path is said to carry, an active one at the base.
            let trusted = if is_active { 0 } else { self.sender.mss + self.options_length() };
            self.enable_mtu_search(now, trusted);
            self.size_segments();
            self.sender.congestion.set_mss(self.sender.mss);
        }
    }

    fn enable_mtu_search(&mut self, now: Instant, trusted: u32) {
        let low = u32::from(self.settings.mtu_base) + self.options_length();
        let search = MtuSearch { low, high: self.most_segment(), trusted, ..MtuSearch::new(now) };
        self.sender.mtu_search = Some(Box::new(search));
    }

    /// The largest segment that the peer takes and the settings allow, whatever the path says.
    fn most_segment(&self) -> u32 {
        self.settings.max_segment.map_or(self.peer_mss, |most| most.min(self.peer_mss)).into()
    }

    /// The path carries `mss` at most: nothing larger is tried.
    pub(super) fn bound_mtu_search(&mut self, mss: u16) {
        if let Some(search) = &mut self.sender.mtu_search {
            search.high = search.high.min(mss.into());
        }
    }

    /// After some time what was found is looked at again: the path may be another one.
    pub(super) fn renew_mtu_search(&mut self, now: Instant) {
        let most = self.most_segment();
        let mss = self.sender.mss + self.options_length();
        let Some(search) = &mut self.sender.mtu_search else { return };
        let is_narrow = search.high.saturating_sub(search.low) < self.settings.mtu_probe_threshold.into();
        if is_narrow && search.probe.is_none() && now.since(search.since) >= self.settings.mtu_probe_interval
        {
            **search = MtuSearch { low: mss, high: most, ..MtuSearch::new(now) };
        }
    }

    /// Whether a probe is to leave now, as Linux decides it. `run` bytes can leave in one segment.
    pub(super) fn next_mtu_probe(&self, run: u32) -> MtuStep {
        let sender = &self.sender;
        let Some(search) = self
            .sender
            .mtu_search
            .as_ref()
            .filter(|search| search.probe.is_none() && search.tried_from.is_none())
        else {
            return MtuStep::None;
        };
        let (cwnd, mss) = (sender.congestion.cwnd(), sender.mss);
        if sender.phase != Phase::Open || self.receiver.has_report() {
            return MtuStep::None;
        }
        let path = u32::from(self.path_mss);
        let (high, size) = (search.high.min(path), search.middle(path));
        let is_narrow = high.saturating_sub(search.low) < u32::from(self.settings.mtu_probe_threshold).max(1);
        if is_narrow || cwnd < LEAST_WINDOW * mss {
            return MtuStep::None;
        }
        let payload = size.saturating_sub(self.options_length());
        let needed = payload + FOLLOWERS * mss;
        if run < payload || sender.unsent() < needed || sender.wnd < needed || payload <= mss {
            return MtuStep::None;
        }
        let pipe = sender.pipe();
        if sender.window_room() < needed {
            return MtuStep::Wait;
        }
        match pipe + 2 * mss > cwnd {
            true if pipe == 0 => MtuStep::None,
            true => MtuStep::Wait,
            false => MtuStep::Send(payload),
        }
    }

    /// The probe leaves. It counts as the two segments that it stands for.
    pub(super) fn on_mtu_probe_sent(&mut self, start: SeqNumber, payload: u32) {
        let (size, mss) = (payload + self.options_length(), self.sender.mss);
        let cwnd = self.sender.congestion.cwnd();
        self.sender.congestion.set_cwnd(cwnd.saturating_sub(mss).max(mss));
        if let Some(search) = &mut self.sender.mtu_search {
            search.probe = Some((start, size));
        }
    }

    /// Something was acknowledged: the probe may be among it, or known to be lost.
    pub(super) fn check_mtu_probe(&mut self, now: Instant) {
        self.try_former_size();
        let options = self.options_length();
        let una = self.sender.una;
        let Some(search) = &mut self.sender.mtu_search else { return };
        let Some((start, size)) = search.probe else { return };
        let failed = core::mem::take(&mut search.is_lost);
        if failed {
            search.high = size - 1;
        } else if una.at_or_after(start + (size - options)) {
            search.low = size;
        } else {
            return;
        }
        search.probe = None;
        if failed {
            let (cwnd, mss) = (self.sender.congestion.cwnd(), self.sender.mss);
            self.sender.congestion.set_cwnd(cwnd + mss);
        } else {
            // What was in flight stays what may be in flight: fewer, larger segments.
            let cwnd = self.sender.congestion.cwnd();
            self.resize(now);
            let mss = self.sender.mss;
            self.sender.congestion.set_cwnd((cwnd - cwnd % mss.max(1)).max(mss));
        }
    }

    /// Something is sent again: what becomes of a probe says nothing any more.
    pub(super) fn forget_mtu_probe(&mut self) {
        if let Some(search) = &mut self.sender.mtu_search {
            search.probe = None;
        }
    }

    /// The retransmission timer has expired so often that the path may swallow large segments in silence (RFC 4821
    /// section 7.7, RFC 2923 section 2.1): smaller ones are tried.
    pub(super) fn suspect_black_hole(&mut self, now: Instant) {
        if self.settings.mtu_probing == MtuProbing::Off || self.end_trial() {
            return;
        }
        // Segments that are small already are not swallowed.
        if self.sender.mss <= self.settings.mtu_floor.into() {
            return;
        }
        // Fewer are no proof, however long they took: the path may just lose much.
        let waited = self.sender.undo.first_resent.map_or(Duration::ZERO, |first| now.since(first));
        if self.sender.timeouts < BLACK_HOLE || waited < self.settings.patience(BLACK_HOLE) {
            return;
        }
        let options = self.options_length();
        let (base, floor) = (u32::from(self.settings.mtu_base), u32::from(self.settings.mtu_floor));
        let (una, used) = (self.sender.una, self.sender.mss + options);
        let search = match &mut self.sender.mtu_search {
            Some(search) => search,
            None => {
                self.enable_mtu_search(now, 0);
                let Some(search) = &mut self.sender.mtu_search else { return };
                search
            }
        };
        if search.stalled_at == Some(una) {
            // It was not enough.
            search.low = (search.low.saturating_sub(options) / 2).min(base).max(floor) + options;
        } else {
            search.low = search.low.min(base + options);
            search.former = search.former.max(Some(used));
            search.quiet_until = una + search.pause;
        }
        search.stalled_at = Some(una);
        search.trusted = 0;
        search.probe = None;
        search.tried_from = None;
        // What is in flight counts as lost in a moment and is cut anew then.
        self.size_segments();
        self.sender.congestion.set_mss(self.sender.mss);
    }

    /// Something has arrived after a black hole was suspected: the size used before is tried once more. Linux does not, and
    /// sends crumbs after each outage until its window has become large enough for probes.
    fn try_former_size(&mut self) {
        let (una, options) = (self.sender.una, self.options_length());
        let Some(search) = &mut self.sender.mtu_search else { return };
        let Some(former) = search.former else { return };
        match search.tried_from {
            None if una.is_after(search.quiet_until) && former > search.size() => {
                search.tried_from = Some(una);
                search.trusted = former;
            }
            Some(from) if una.at_or_after(from + former.saturating_sub(options)) => {
                search.low = search.low.max(former);
                (search.former, search.tried_from, search.pause) = (None, None, 0);
                return;
            }
            _ => return,
        }
        self.size_segments();
        self.sender.congestion.set_mss(self.sender.mss);
    }

    /// The retransmission timer has expired while the former size was tried, if it was: it seems too large indeed.
    fn end_trial(&mut self) -> bool {
        let una = self.sender.una;
        let Some(search) = self.sender.mtu_search.as_mut().filter(|search| search.tried_from.is_some())
        else {
            return false;
        };
        search.tried_from = None;
        search.trusted = 0;
        search.pause = search.pause.saturating_mul(2).clamp(RETRIAL * search.low, 1 << 30);
        search.quiet_until = una + search.pause;
        self.size_segments();
        self.sender.congestion.set_mss(self.sender.mss);
        true
    }

    /// What was decided about the next new data.
    pub(super) fn mtu_probe_step(&self, run: u32) -> Option<Option<Next>> {
        match self.next_mtu_probe(run) {
            MtuStep::None => None,
            MtuStep::Wait => Some(None),
            // Larger than all other segments: that is how it is told from them when it is sent.
            MtuStep::Send(payload) => Some(Some(Next::Data { payload, fin: false, mss: payload })),
        }
    }
}

impl Sender {
    /// Something is lost: where it is the probe, that says nothing about congestion. As on Linux what is lost is sent
    /// again in the phase after a time-out, with the window as it was.
    pub(super) fn is_mtu_probe_lost(&mut self) -> bool {
        let Some(search) = self.mtu_search.as_mut().filter(|_| self.phase < Phase::Cwr) else { return false };
        if search.probe.is_none_or(|(start, _)| start != self.una) {
            return false;
        }
        search.is_lost = true;
        self.begin_resending();
        true
    }
}
