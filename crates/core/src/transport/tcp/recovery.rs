//! Loss recovery: what an acknowledgement says about the segments in flight, and what follows for the window.
//!
//! With SACK, RACK (RFC 8985) says what is lost; without it, duplicates do (NewReno, RFC 6582). The window comes down by
//! proportional rate reduction (RFC 6937bis), a reduction for nothing is undone (`undo`), and after a time-out F-RTO
//! (RFC 5682) looks whether it was one. The phases and the moves between them are Linux's.

use super::RetransmitCause;
use super::congestion::{Acked, RoundTrip, Timeout};
use super::ecn::Echo;
use super::loss_probe::ProbeAnswer;
use super::prr::Progress;
use super::scoreboard::{Delivered, Reports};
use super::sender::{Fin, Sender};
use crate::time::{Duration, Instant};
use crate::wire::tcp::{SackBlock, SeqNumber};

/// How coarse the timestamp clock is.
const CLOCK: Duration = Duration::from_millis(1);
/// What is added to the reordering window: two ticks of Linux's clock.
const TICK: Duration = Duration::from_millis(2);
/// How long a peer that threw away what it had reported may take to think better of it.
const RENEGING_WAIT: Duration = Duration::from_millis(10);

/// What the sender is doing about losses. The end of a phase is `Sender::high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Nothing is out of order.
    Open,
    /// Something is, and may be lost or late.
    Disorder,
    /// The window shrinks because of ECN or a loss already mended.
    Cwr,
    /// Fast recovery.
    Recovery,
    /// After a time-out.
    Loss,
}

/// What the acknowledgement part of a segment says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acknowledgement<'a> {
    /// SEG.ACK, between SND.UNA and SND.NXT.
    pub(super) ack: SeqNumber,
    /// The SACK blocks.
    pub(super) sack: &'a [SackBlock],
    /// Whether the segment carries nothing else and leaves the window as it is (RFC 5681 section 2).
    pub(super) is_bare: bool,
    /// What it says about congestion marks (RFC 3168, RFC 9768).
    pub(super) congestion: Echo,
    /// The round-trip time by the echoed timestamp.
    pub(super) echoed: Option<Duration>,
    /// The echoed timestamp by our clock, in milliseconds.
    pub(super) echo: Option<u32>,
}

/// What follows for the timer that watches over what is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// It stays.
    Unchanged,
    /// It begins anew.
    Anew,
    /// After this time something that may be late counts as lost.
    Reordering(Duration),
    /// After this time the peer counts as having thrown away what it had.
    Reneging(Duration),
}

/// What an acknowledgement has changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// SND.UNA has moved.
    pub(super) progress: bool,
    /// What follows for the timer.
    pub(super) watch: Watch,
}

/// What the moves between the phases are made of.
#[derive(Clone, Copy)]
struct News {
    progress: bool,
    /// SND.UNA before.
    before: SeqNumber,
    /// Duplicate acknowledgements in the sense of RFC 5681.
    duplicates: u32,
    /// Something new was reported.
    has_reports: bool,
    has_original: bool,
    echo: Option<u32>,
    has_congestion_echo: bool,
}

impl Sender {
    /// An acceptable acknowledgement.
    pub(super) fn on_ack(&mut self, now: Instant, acknowledgement: Acknowledgement<'_>) -> Outcome {
        let Acknowledgement { ack, sack, is_bare, congestion, echoed, echo } = acknowledgement;
        let before = self.una;
        let progress = ack.is_after(before);
        let had_in_flight = before != self.nxt;
        let lost_before = self.board.lost_ever();
        let highest = self.board.sacked_to();
        let mut delivered = Delivered::new(now, self.rtt.minimum(), self.high, highest);
        let has_duplicate = self.uses_sack && self.take_duplicate(ack, sack);
        if self.uses_sack {
            for block in sack {
                let is_valid = block.left.is_before(block.right)
                    && block.left.is_after(ack)
                    && block.right.at_or_before(self.nxt);
                if is_valid {
                    self.board.on_sack(*block, self.mss, &mut delivered);
                }
            }
        }
        let has_reports = delivered.bytes > 0;
        if progress {
            let acked = ack.distance(before).cast_unsigned();
            self.board.acknowledge(ack, self.mss, &mut delivered);
            self.take_acknowledged(ack);
            self.timeouts = 0;
            self.restart_waiting(now);
            if !self.uses_sack {
                delivered.bytes = self.remove_reno_duplicates(acked);
                delivered.has_original &= delivered.resent_at.is_none();
            }
        }
        self.new_first = false;
        let is_measured = self.measure(now, progress, &delivered, echoed);
        let mut watch = if progress { Watch::Anew } else { Watch::Unchanged };
        if let (true, Some((first, _)), Some(head)) =
            (is_measured, delivered.sacked_at, self.board.head_sent_at())
            && first < head
        {
            watch = Watch::Anew; // what is reported left before the head was last sent
        }
        self.rack.on_delivered(&delivered);
        if let Some(low) = delivered.reordered.filter(|_| self.uses_sack)
            && (self.phase != Phase::Loss || self.undo.marker.is_some())
        {
            self.rack.on_reordering(low, highest.max(self.board.sacked_to()), self.mss);
        }
        self.rack.adapt_window(self.una, self.nxt);
        let is_duplicate = is_bare && !progress && had_in_flight;
        self.on_probe_answer(ProbeAnswer {
            ack,
            has_duplicate,
            is_pure_duplicate: is_bare && !progress && !has_reports,
        });
        let segments = delivered.bytes.div_ceil(self.mss.max(1));
        let has_congestion_echo = self.ecn.on_echo(congestion, segments, self.mss);
        let is_dubious =
            is_duplicate || has_reports || has_duplicate || has_congestion_echo || self.phase != Phase::Open;
        if is_dubious {
            let news = News {
                progress,
                before,
                duplicates: u32::from(is_duplicate),
                has_reports,
                has_original: delivered.has_original,
                echo,
                has_congestion_echo,
            };
            let delivered_before = self.duplicates;
            if let Some(other) = self.on_news(now, news) {
                watch = other;
            }
            if !progress && !self.uses_sack {
                delivered.bytes += self.duplicates.saturating_sub(delivered_before) * self.mss;
            }
        }
        let segments = delivered.bytes.div_ceil(self.mss.max(1));
        self.ecn.count_echo(has_congestion_echo, segments);
        self.delivered = self.delivered.wrapping_add(segments);
        let newly_lost = self.board.lost_ever().wrapping_sub(lost_before);
        self.control(now, &delivered, newly_lost, progress, has_reports);
        self.learn_rate(now, &delivered, delivered.last_round_trip().filter(|_| is_measured));
        Outcome { progress, watch }
    }

    /// What the acknowledgement means for the window.
    fn control(
        &mut self,
        now: Instant,
        delivered: &Delivered,
        newly_lost: u32,
        progress: bool,
        has_reports: bool,
    ) {
        if matches!(self.phase, Phase::Cwr | Phase::Recovery) {
            self.reduce(Progress { delivered: delivered.bytes, is_safe: progress && newly_lost == 0 });
            return;
        }
        // On a path that reorders much, reports are progress too.
        let may_grow = progress || has_reports && self.rack.reordering > 3;
        if may_grow && delivered.bytes > 0 {
            self.congestion.on_ack(now, Acked { bytes: delivered.bytes });
        }
    }

    /// The congestion window has long been larger than what is sent, and nothing else is wrong.
    pub(super) fn validate_window(&mut self, now: Instant) {
        if self.phase == Phase::Open {
            self.congestion.validate(now, self.rtt.rto());
        }
    }

    /// Proportional rate reduction.
    fn reduce(&mut self, progress: Progress) {
        if self.congestion.controls_recovery() {
            return;
        }
        let (pipe, ssthresh) = (self.pipe(), self.congestion.ssthresh());
        if let Some(window) = self.prr.window(progress, pipe, ssthresh, self.mss) {
            self.congestion.set_cwnd(window);
        }
    }

    /// Takes a round-trip time from what was sent once (Karn), or from the timestamp that shows which of several
    /// transmissions was answered (RFC 7323 section 4). An echo older than the last of them is no use: it may answer the
    /// first, or be what a receiver that had everything before says to a duplicate.
    fn measure(
        &mut self,
        now: Instant,
        progress: bool,
        delivered: &Delivered,
        echoed: Option<Duration>,
    ) -> bool {
        if let Some((_, last)) = delivered.acked_at.or(delivered.sacked_at) {
            self.rtt.on_minimum(now, now.since(last));
        }
        let sample = match (delivered.acked_at, delivered.resent_at, delivered.sacked_at) {
            (Some((first, _)), None, _) | (None, None, Some((first, _))) => now.since(first),
            (_, Some(_), Some((first, _))) => now.since(first),
            (_, Some(resent_at), None) if progress => {
                let since = now.since(resent_at) + CLOCK;
                match echoed.filter(|sample| *sample <= since) {
                    Some(sample) => sample,
                    None => {
                        self.rtt.on_unmeasured_progress();
                        return false;
                    }
                }
            }
            _ => return false,
        };
        self.rtt.on_sample(self.una, self.nxt, sample);
        // That of the last segment acknowledged says more about the path: it waited for no other.
        let last = delivered.last_round_trip().unwrap_or(sample);
        let least = self.rtt.minimum().unwrap_or(last);
        let trip = RoundTrip { sample: last, least, una: self.una, nxt: self.nxt };
        self.congestion.on_round_trip(now, trip);
        true
    }

    fn take_acknowledged(&mut self, ack: SeqNumber) {
        let bytes = ack.distance(self.una).max(0) as usize;
        if bytes > self.ring.len() && self.fin == Fin::Sent {
            self.fin = Fin::Acknowledged;
        }
        self.ring.consume(bytes);
        self.una = ack;
    }

    /// The moves between the phases. Says what follows for the timer, if anything.
    fn on_news(&mut self, now: Instant, news: News) -> Option<Watch> {
        if self.board.outstanding() == 0 {
            self.duplicates = 0;
        }
        if news.has_congestion_echo {
            self.undo.forbid();
        }
        if news.progress && self.board.is_reneged() {
            let wait = self.rtt.smoothed().unwrap_or_default() / 2;
            return Some(Watch::Reneging(wait.max(RENEGING_WAIT)));
        }
        if self.phase == Phase::Open {
            if !self.board.has_resent() {
                self.undo.first_resent = None;
            }
        } else if self.una.at_or_after(self.high) {
            match self.phase {
                // The first acknowledgement beyond ends it: one exactly there may be of what was sent before.
                Phase::Cwr if self.una != self.high => {
                    self.end_reduction();
                    self.phase = Phase::Open;
                }
                Phase::Recovery => {
                    if !self.uses_sack {
                        self.duplicates = 0;
                    }
                    if self.try_undo_recovery(news.echo) {
                        return None;
                    }
                    self.end_reduction();
                }
                _ => {}
            }
        }
        let mut watch = None;
        match self.phase {
            Phase::Recovery => {
                if !news.progress {
                    self.add_reno_duplicates(news.duplicates);
                } else if self.try_undo_partial(news.before, news.echo) {
                    return None;
                }
                if self.try_undo_by_duplicates() {
                    self.try_to_open(news.has_congestion_echo);
                }
                self.find_losses(now, news.progress, &mut watch);
                if self.phase != Phase::Recovery && self.board.lost() > 0 {
                    self.enter_recovery(news.has_congestion_echo);
                }
                watch
            }
            Phase::Loss => {
                self.process_loss(&news);
                let has_lost_again = self.find_losses(now, news.progress, &mut watch);
                if self.phase == Phase::Open || has_lost_again {
                    self.look_for_loss(now, news, &mut watch);
                }
                watch
            }
            _ => {
                self.look_for_loss(now, news, &mut watch);
                watch
            }
        }
    }

    /// Outside of a recovery: does one begin?
    fn look_for_loss(&mut self, now: Instant, news: News, watch: &mut Option<Watch>) {
        if !self.uses_sack {
            if news.progress {
                self.duplicates = 0;
            }
            self.add_reno_duplicates(news.duplicates);
        }
        if self.phase <= Phase::Disorder {
            self.try_undo_by_duplicates();
        }
        self.find_losses(now, news.progress, watch);
        if self.board.lost() > 0 {
            self.enter_recovery(news.has_congestion_echo);
        } else {
            self.try_to_open(news.has_congestion_echo);
        }
    }

    /// Marks what is lost. Says whether retransmissions are among it.
    fn find_losses(&mut self, now: Instant, progress: bool, watch: &mut Option<Watch>) -> bool {
        if self.board.outstanding() == 0 {
            return false;
        }
        if !self.uses_sack {
            let is_proof = self.phase < Phase::Recovery && self.duplicates >= self.rack.reordering.into();
            if is_proof || self.phase == Phase::Recovery && progress {
                self.board.lose_head(self.mss);
            }
            return false;
        }
        if !self.rack.has_advanced {
            return false;
        }
        self.rack.has_advanced = false;
        let detected = self.board.detect_lost(now, &self.rack, self.reordering_window());
        if let Some(wait) = detected.wait {
            *watch = Some(Watch::Reordering(wait + TICK));
        }
        detected.has_lost_again
    }

    /// How late a segment may be.
    pub(super) fn reordering_window(&self) -> Duration {
        self.rack.window(
            self.phase >= Phase::Recovery,
            self.board.sacked_segments(),
            self.rtt.minimum().unwrap_or_default(),
            self.rtt.smoothed().unwrap_or_default(),
        )
    }

    /// The reordering timer expired (RFC 8985 section 6.3). Says how long the next one is to wait.
    pub(super) fn on_reordering_timeout(&mut self, now: Instant) -> Option<Duration> {
        let pipe = self.pipe();
        let window = self.reordering_window();
        let detected = self.board.detect_lost(now, &self.rack, window);
        if self.pipe() != pipe && self.phase != Phase::Recovery {
            self.enter_recovery(false);
            if self.phase == Phase::Recovery {
                self.cause = RetransmitCause::Reordering;
                self.reduce(Progress { delivered: self.mss, is_safe: false });
            }
        }
        detected.wait.map(|wait| wait + TICK)
    }

    /// RFC 5682 section 3.1, and what else an acknowledgement after a time-out may mean.
    fn process_loss(&mut self, news: &News) {
        let is_recovered = self.una.at_or_after(self.high);
        if news.progress && self.try_undo_loss(false, news.echo) {
            return;
        }
        if self.is_frto {
            // Step 3.b: what was never sent again arrives.
            if news.has_original && self.try_undo_loss(true, news.echo) {
                return;
            }
            if self.nxt.is_after(self.high) {
                if news.has_reports || news.duplicates > 0 {
                    self.is_frto = false; // step 3.a: the loss was real
                }
            } else if news.progress && !is_recovered {
                self.high = self.nxt;
                if self.has_unsent() && self.window_room() > 0 {
                    self.new_first = true; // step 2.b
                    return;
                }
                self.is_frto = false;
            }
        }
        if is_recovered {
            self.try_undo_recovery(news.echo);
            return;
        }
        if !self.uses_sack {
            if self.nxt.is_after(self.high) && news.duplicates > 0 {
                self.add_reno_duplicates(news.duplicates);
            } else if news.progress {
                self.duplicates = 0;
            }
        }
    }

    /// RFC 6582 section 3.2: each duplicate stands for a segment that has arrived, but not for all of them.
    fn add_reno_duplicates(&mut self, count: u32) {
        if self.uses_sack || count == 0 {
            return;
        }
        self.duplicates += count;
        self.limit_reno_duplicates(0);
    }

    fn limit_reno_duplicates(&mut self, acked: u32) {
        let segments = self.board.outstanding().div_ceil(self.mss.max(1));
        let holes = self.board.lost().div_ceil(self.mss.max(1)).max(1).min(segments);
        if self.duplicates + holes > segments {
            self.duplicates = segments - holes;
            // More duplicates than there can be gaps: the path reorders.
            self.rack.on_reordering(self.una, self.una + (segments + acked) * self.mss, self.mss);
        }
    }

    /// Without SACK: `acked` bytes are acknowledged, part of which duplicates have accounted for. Says how many bytes are
    /// news.
    fn remove_reno_duplicates(&mut self, acked: u32) -> u32 {
        let segments = acked.div_ceil(self.mss.max(1));
        let news = segments.saturating_sub(self.duplicates).max(1);
        self.duplicates = self.duplicates.saturating_sub(segments.saturating_sub(1));
        if self.duplicates > 0 {
            self.limit_reno_duplicates(segments);
        }
        if news == segments { acked } else { (news * self.mss).min(acked) }
    }

    /// The numbers a false alarm will come back to.
    fn remember(&mut self) {
        let cwnd = self.congestion.cwnd();
        let ssthresh = match self.phase {
            Phase::Cwr | Phase::Recovery => self.congestion.ssthresh(),
            _ => self.congestion.ssthresh().max(cwnd / 4 * 3),
        };
        self.undo.remember(cwnd, ssthresh);
    }

    fn resent_segments(&self) -> u32 {
        self.board.resent().div_ceil(self.mss.max(1))
    }

    /// A reduction begins: the threshold falls at once, the window as segments are delivered.
    pub(super) fn begin_reduction(&mut self) {
        self.high = self.nxt;
        self.probe.forget();
        let cwnd = self.congestion.cwnd();
        self.prr.begin(cwnd);
        self.congestion.on_loss(cwnd);
        self.ecn.on_reduced();
    }

    /// It is over: the window is the threshold.
    pub(super) fn end_reduction(&mut self) {
        let ssthresh = self.congestion.ssthresh();
        if self.congestion.controls_recovery() {
            return;
        }
        if ssthresh != u32::MAX && (self.phase == Phase::Cwr || self.undo.marker.is_some()) {
            self.congestion.set_cwnd(ssthresh);
        }
    }

    fn enter_recovery(&mut self, has_congestion_echo: bool) {
        if self.is_mtu_probe_lost() {
            return;
        }
        self.undo.forbid();
        self.undo.begin(self.una, self.resent_segments());
        if !matches!(self.phase, Phase::Cwr | Phase::Recovery) {
            if !has_congestion_echo {
                self.remember();
            }
            self.begin_reduction();
        }
        self.phase = Phase::Recovery;
        self.cause = RetransmitCause::FastRetransmit;
    }

    /// RFC 3168 section 6.1.2: a congestion mark was echoed.
    pub(super) fn enter_cwr(&mut self) {
        self.undo.forbid();
        if self.phase < Phase::Cwr {
            self.undo.marker = None;
            self.begin_reduction();
            self.phase = Phase::Cwr;
        }
    }

    fn try_to_open(&mut self, has_congestion_echo: bool) {
        if !self.board.has_resent() {
            self.undo.first_resent = None;
        }
        if has_congestion_echo {
            self.enter_cwr();
        }
        if self.phase != Phase::Cwr {
            self.keep_open();
        }
    }

    /// Open or Disorder, as what is in flight says.
    pub(super) fn keep_open(&mut self) {
        let is_out_of_order = self.board.sacked() > 0
            || self.board.lost() > 0
            || !self.uses_sack && self.duplicates > 0
            || self.board.has_resent();
        let phase = if is_out_of_order { Phase::Disorder } else { Phase::Open };
        if self.phase != phase {
            self.phase = phase;
            self.high = self.nxt;
        }
    }

    /// The retransmission timer expired: what is not reported received, and was not sent just now, counts as lost, and
    /// sending starts again from one segment.
    pub(super) fn on_rto(&mut self, now: Instant) {
        let is_new = self.phase < Phase::Recovery;
        let reports = if self.board.is_reneged() { Reports::Disbelieve } else { Reports::Believe };
        self.duplicates = 0;
        let (phase, timeouts) = (self.phase, self.timeouts);
        self.board.lose_on_timeout(now, &self.rack, reports);
        // Once for each flight (RFC 5681 section 3.1).
        let is_first = phase <= Phase::Disorder
            || self.una.at_or_after(self.high)
            || phase == Phase::Loss && timeouts == 0;
        if is_first {
            self.remember();
            self.undo.begin(self.una, self.resent_segments());
        }
        let which = if is_first { Timeout::First } else { Timeout::Again };
        self.congestion.on_timeout(self.pipe(), which);
        // Three segments above a gap are proof again.
        if phase <= Phase::Disorder && self.board.sacked_segments() >= 3 {
            self.rack.reordering = self.rack.reordering.min(3);
        }
        self.phase = Phase::Loss;
        self.high = self.nxt;
        self.probe.forget();
        self.ecn.on_reduced();
        self.is_frto = is_new || timeouts > 0;
        self.new_first = false;
        self.cause = match reports {
            Reports::Believe => RetransmitCause::Timeout,
            Reports::Disbelieve => RetransmitCause::Reneging,
        };
        self.timeouts += 1;
        self.rtt.back_off();
    }

    /// Segments have become too large for the path and are cut anew. That is no congestion: the window stays.
    pub(super) fn resend_all(&mut self) {
        if self.board.outstanding() == 0 {
            return;
        }
        self.board.lose_all();
        self.begin_resending();
    }

    /// What is lost leaves again, smaller.
    pub(super) fn begin_resending(&mut self) {
        self.duplicates = 0;
        self.cause = RetransmitCause::PathMtu;
        if self.phase < Phase::Loss {
            self.high = self.nxt;
            self.undo.marker = None;
            self.undo.forbid();
            // As Linux has it: in the phase after a time-out, with the window as it was.
            self.phase = Phase::Loss;
            self.is_frto = false;
        }
    }

    /// The stretch to send again next, if the congestion window lets it: where it begins and how long it may be.
    pub(super) fn next_again(&self) -> Option<(SeqNumber, u32)> {
        if self.new_first && self.nxt.is_after(self.high) {
            return None; // F-RTO waits for the answer to what is new
        }
        let (start, length) = self.board.next_lost()?;
        (self.congestion_room() >= self.mss.min(length)).then_some((start, length))
    }

    /// `length` sequence numbers from `start` on leave once more.
    pub(super) fn on_sent_again(&mut self, now: Instant, start: SeqNumber, length: u32) {
        if self.new_first {
            self.new_first = false;
            self.is_frto = false; // there was nothing new to send
        }
        let stamp = self.stamp(now, length);
        self.board.on_resent(now, start, length, stamp);
        let segments = length.div_ceil(self.mss.max(1));
        self.undo.on_resent(now, segments);
        if matches!(self.phase, Phase::Cwr | Phase::Recovery) {
            self.prr.on_sent(length);
        }
        self.last_sent = now;
        self.retransmitted = self.retransmitted.saturating_add(segments);
    }
}
