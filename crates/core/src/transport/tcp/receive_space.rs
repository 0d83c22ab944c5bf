//! How large the receive window may become: the buffer's size, what of it is announced, and Linux's automatic tuning
//! (dynamic right-sizing, after Fisk and Feng), which gives the peer twice what the program reads in a round trip.

use super::{Settings, Tuning};
use crate::time::{Duration, Instant};
use crate::wire::tcp::SeqNumber;

/// The largest window a SYN can announce, in bytes, and so the one a connection begins with.
const FIRST_WINDOW: u32 = 65_535;
/// The largest window that scaling can express (RFC 7323 section 2.3).
const LARGEST_WINDOW: usize = 1 << 30;
/// Segments a program is believed to read in its first round trip: the initial window (RFC 6928).
const FIRST_SEGMENTS: u32 = 10;
/// What a shorter segment says about the peer is not worth a larger window: it carries a dialogue, not a transfer.
const LEAST_FILL: u32 = 128;
/// Nobody reads ahead of the program. (An `Option` would need four bytes more in every connection.)
const NOBODY: u32 = u32::MAX;

/// The receive buffer and the window that is made of it.
#[derive(Debug)]
pub(super) struct ReceiveSpace {
    /// Bytes of payload that may wait to be read.
    size: u32,
    /// How far tuning may raise that.
    most: u32,
    /// The largest window: `TCP_WINDOW_CLAMP`, or what the window field can express.
    clamp: u32,
    /// The most that is announced: it begins with the first window and grows with what comes.
    threshold: u32,
    /// Our largest segment.
    mss: u16,
    tuning: Tuning,
    /// Whether the host is short of memory: nothing grows then.
    pub(super) is_pressed: bool,
    /// When the measurement of the program began, and what it has read since.
    since: Instant,
    read: u32,
    /// Bytes that were read ahead of the program and wait in front of it, where somebody does so; [`NOBODY`] otherwise.
    ahead: u32,
    /// What it has read in the busiest round trip so far.
    busiest: u32,
    round: Round,
}

/// The round-trip time as a receiver can know it, who may never send anything that is acknowledged.
#[derive(Debug)]
struct Round {
    /// Zero before anything is known.
    micros: u32,
    /// When the window that is being filled was announced, and where it ends.
    since: Instant,
    end: SeqNumber,
    /// The echo that was measured last: a round trip has one.
    echo: u32,
}

impl ReceiveSpace {
    pub(super) fn new(now: Instant, settings: &Settings) -> ReceiveSpace {
        let mut space = ReceiveSpace {
            size: 0,
            most: 0,
            clamp: FIRST_WINDOW,
            threshold: FIRST_WINDOW,
            mss: 536,
            tuning: settings.receive_tuning,
            is_pressed: false,
            since: now,
            read: 0,
            ahead: NOBODY,
            busiest: 0,
            round: Round { micros: 0, since: now, end: SeqNumber(0), echo: 0 },
        };
        space.set(settings, 0);
        space
    }

    /// The settings have changed. A size that tuning has reached stays unless a program fixes another.
    pub(super) fn set(&mut self, settings: &Settings, shift: u8) {
        let size = bounded(settings.receive_window());
        let is_fixed = settings.receive_tuning == Tuning::Fixed;
        self.size = if is_fixed { size } else { self.size.max(bounded(settings.receive_buffer)) };
        self.most = bounded(settings.receive_buffer_max);
        self.tuning = settings.receive_tuning;
        self.clamp = settings.window_clamp.unwrap_or(u32::MAX).min(FIRST_WINDOW << shift);
        self.threshold = self.threshold.min(self.clamp);
    }

    /// Our SYN or SYN-ACK has announced `window`.
    pub(super) fn on_announced(&mut self, window: u32) {
        self.threshold = window;
    }

    /// The handshake is done: a window up to the number `end` was announced in it, and a scale agreed.
    pub(super) fn start(&mut self, now: Instant, end: SeqNumber, settings: &Settings, shift: u8) {
        self.set(settings, shift);
        self.threshold = self.threshold.min(self.full());
        self.busiest = self.threshold.min(FIRST_SEGMENTS * u32::from(self.mss));
        self.since = now;
        self.round.since = now;
        self.round.end = end;
    }

    /// Our largest segment has changed with the path.
    pub(super) fn set_mss(&mut self, mss: u32) {
        self.mss = u16::try_from(mss).unwrap_or(u16::MAX);
    }

    /// The window for a SYN, never scaled: whole segments, as far as 16 bits go.
    pub(super) fn first_window(settings: &Settings, mss: u32) -> u16 {
        let window = bounded(settings.receive_window()).min(settings.window_clamp.unwrap_or(u32::MAX));
        let whole = if window > mss { window - window % mss.max(1) } else { window };
        whole.min(FIRST_WINDOW) as u16
    }

    /// The window there would be if nothing waited to be read.
    pub(super) fn full(&self) -> u32 {
        self.size.min(self.clamp)
    }

    /// All that may wait to be read, whatever is announced.
    pub(super) fn size(&self) -> u32 {
        self.size
    }

    /// The most that is announced.
    pub(super) fn threshold(&self) -> u32 {
        self.threshold
    }

    /// What the program reads in a round trip.
    pub(super) fn busiest(&self) -> u32 {
        self.busiest
    }

    /// The round-trip time as the receiver sees it.
    pub(super) fn rtt(&self) -> Option<Duration> {
        (self.round.micros > 0).then(|| Duration::from_micros(self.round.micros.into()))
    }

    /// The window to announce while `waiting` bytes wait to be read, `segment` being the size of what the peer sends and
    /// `shift` the scale: silly-window avoidance (RFC 9293 section 3.8.6.2.2) in the way of Linux. `current` is what is
    /// left of the window announced before.
    pub(super) fn window(&self, waiting: u32, current: u32, segment: u32, shift: u8) -> u32 {
        let full = self.full();
        let segment = segment.min(full);
        if segment == 0 {
            return 0;
        }
        let mut free = self.size.saturating_sub(waiting);
        if free < full / 2 {
            free -= free % (1 << shift);
            // Towards zero while there is still room for what is on its way.
            if free < self.size / 16 || free < segment {
                return 0;
            }
        }
        let free = free.min(self.threshold).min(full);
        if shift > 0 {
            return free;
        }
        // Without scaling, in whole segments, and only where that gives one more of them.
        if current <= free.saturating_sub(segment) || current > free {
            free - free % segment
        } else if segment == full && free > current + full / 2 {
            free
        } else {
            current
        }
    }

    /// A segment of `length` bytes has come: the next window may be two segments, or twice this one, larger. So it grows
    /// as slow start does, but never before the peer shows that it uses it.
    pub(super) fn on_segment(&mut self, length: u32, waiting: u32) {
        if length < LEAST_FILL {
            return;
        }
        if self.is_pressed {
            self.threshold = self.threshold.min(4 * u32::from(self.mss));
            return;
        }
        let room = self.full().min(self.size.saturating_sub(waiting)).saturating_sub(self.threshold);
        self.threshold += room.min((2 * u32::from(self.mss)).max(length.saturating_mul(2)));
    }

    /// RCV.NXT is `nxt` now, and `window` is what is left beyond it: times how long the peer takes to use up a window.
    /// The shortest such time is kept, for it is too long rather than too short.
    pub(super) fn time_window(&mut self, now: Instant, nxt: SeqNumber, window: u32) {
        if nxt.is_before(self.round.end) {
            return;
        }
        let took = micros(now.since(self.round.since));
        if self.round.micros == 0 || took < self.round.micros {
            self.round.micros = took;
        }
        self.round.since = now;
        self.round.end = nxt + window.max(1);
    }

    /// A segment echoes the timestamp `echo` of ours, sent `age` ago: a round trip, and what the peer waited. Of each only
    /// the first segment counts, and only a full one, which waited for nothing but us.
    pub(super) fn on_echo(&mut self, echo: u32, age: Duration, is_full: bool) {
        if core::mem::replace(&mut self.round.echo, echo) == echo || !is_full {
            return;
        }
        let (old, sample) = (self.round.micros, micros(age));
        self.round.micros = if old == 0 || sample < old { sample } else { old - old / 8 + sample / 8 };
    }

    /// Somebody reads ahead of the program, and `waiting` bytes of what was read before still wait in front of it. What is
    /// ahead is no measure of how fast the program reads.
    pub(super) fn keep_ahead(&mut self, waiting: usize) {
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        let had = if self.ahead == NOBODY { 0 } else { self.ahead };
        self.ahead = waiting.min(NOBODY - 1);
        self.read = self.read.saturating_add(had.saturating_sub(waiting));
    }

    /// `count` bytes have been read. Where the program has read more in this round trip than in any before, the peer may
    /// send twice that in the next, and more while it is still accelerating.
    pub(super) fn on_read(&mut self, now: Instant, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if self.ahead == NOBODY {
            self.read = self.read.saturating_add(count);
        } else {
            self.ahead = self.ahead.saturating_add(count).min(NOBODY - 1);
        }
        let Some(rtt) = self.rtt() else { return };
        if now.since(self.since) < rtt {
            return;
        }
        let read = core::mem::take(&mut self.read);
        self.since = now;
        if read <= self.busiest {
            return;
        }
        if self.tuning == Tuning::Automatic && !self.is_pressed {
            let wanted = u64::from(read) * 2 + 16 * u64::from(self.mss);
            let faster = u64::from(read - self.busiest);
            let wanted = wanted + 2 * (wanted * faster / u64::from(self.busiest.max(1)));
            let wanted = u32::try_from(wanted).unwrap_or(u32::MAX).min(self.most);
            self.size = self.size.max(wanted);
        }
        self.busiest = read;
    }
}

/// A time in microseconds, at least one.
fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX).max(1)
}

/// A buffer as a window: at most what scaling can express.
fn bounded(bytes: usize) -> u32 {
    bytes.min(LARGEST_WINDOW) as u32
}
