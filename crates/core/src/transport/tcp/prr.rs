//! Proportional rate reduction (RFC 6937bis): in a recovery the window comes down to its goal as segments are delivered,
//! neither in a burst nor with a silence.

/// One reduction. All numbers are bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Prr {
    /// RecoverFS: the window when it began; zero where none is under way.
    prior_cwnd: u32,
    /// prr_delivered.
    delivered: u32,
    /// prr_out.
    out: u32,
}

/// What an acknowledgement says to a reduction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// Bytes newly delivered.
    pub(super) delivered: u32,
    /// SND.UNA moved and nothing more was found lost: SafeACK.
    pub(super) is_safe: bool,
}

impl Prr {
    /// A reduction from `cwnd` begins.
    pub(super) fn begin(&mut self, cwnd: u32) {
        *self = Prr { prior_cwnd: cwnd, delivered: 0, out: 0 };
    }

    /// `bytes` were sent, new or again.
    pub(super) fn on_sent(&mut self, bytes: u32) {
        self.out = self.out.saturating_add(bytes);
    }

    /// The window after an acknowledgement, with `pipe` bytes in flight; none where it says nothing.
    pub(super) fn window(&mut self, progress: Progress, pipe: u32, ssthresh: u32, mss: u32) -> Option<u32> {
        if progress.delivered == 0 || self.prior_cwnd == 0 {
            return None;
        }
        self.delivered = self.delivered.saturating_add(progress.delivered);
        let allowed = if pipe > ssthresh {
            // Proportional: as much of what is delivered as the goal is of the window before, in whole segments.
            let share = u64::from(ssthresh) * u64::from(self.delivered) / u64::from(self.prior_cwnd);
            let share = share.div_ceil(u64::from(mss)).saturating_mul(u64::from(mss));
            u32::try_from(share).unwrap_or(u32::MAX).saturating_sub(self.out)
        } else {
            // Below the goal: conserve, and grow as in slow start where the acknowledgement is a good sign.
            let mut limit = self.delivered.saturating_sub(self.out).max(progress.delivered);
            if progress.is_safe {
                limit = limit.saturating_add(mss);
            }
            limit.min(ssthresh - pipe)
        };
        // The first segment of a recovery leaves at once.
        let least = if self.out == 0 { mss } else { 0 };
        Some(pipe.saturating_add(allowed.max(least)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1000;

    fn ack(delivered: u32) -> Progress {
        Progress { delivered, is_safe: false }
    }

    #[test]
    fn seven_leave_for_ten_delivered() {
        let mut prr = Prr::default();
        prr.begin(20_000);
        let mut pipe = 19_000; // one is lost
        let mut left = 0;
        for _ in 0..19 {
            pipe -= MSS;
            let window = prr.window(ack(MSS), pipe, 14_000, MSS).unwrap();
            while pipe + MSS <= window {
                pipe += MSS;
                prr.on_sent(MSS);
                left += 1;
            }
        }
        assert_eq!((left, pipe), (14, 14_000));
    }

    #[test]
    fn below_the_goal_it_conserves_and_then_grows() {
        let mut prr = Prr::default();
        prr.begin(20_000);
        assert_eq!(prr.window(ack(MSS), 4_000, 10_000, MSS), Some(5_000), "one for one");
        prr.on_sent(MSS);
        let safe = Progress { delivered: MSS, is_safe: true };
        assert_eq!(prr.window(safe, 4_000, 10_000, MSS), Some(6_000), "two for one");
        prr.on_sent(2 * MSS);
        assert_eq!(prr.window(safe, 9_500, 10_000, MSS), Some(10_000), "never above the goal");
    }

    #[test]
    fn without_a_reduction_or_a_delivery_it_says_nothing() {
        let mut prr = Prr::default();
        assert_eq!(prr.window(ack(MSS), 0, 10_000, MSS), None);
        prr.begin(10_000);
        assert_eq!(prr.window(ack(0), 0, 10_000, MSS), None);
    }
}
