//! What a cable does to the frames on it.

use core::fmt;

use super::quantity::{BurstLength, Probability, QueueLimit, Rate};
use crate::time::Duration;

/// What one direction of a cable does to the frames on it. The default is a perfect cable: everything arrives at once.
///
/// A frame goes through these stations, in this order:
/// 1. one that is too large for [`mtu`](Self::mtu) is lost;
/// 2. with a [`rate`](Self::rate), it waits in the [`queue`](Self::queue) for its turn and takes its time to be sent;
///    it is lost where the queue is full, and marked where more than [`mark`](Self::mark) waits already;
/// 3. on the wire it is lost with the probability [`loss`](Self::loss): it has used up the rate all the same;
/// 4. one of its bits is flipped with the probability [`corrupt`](Self::corrupt);
/// 5. it travels for [`delay`](Self::delay), give or take [`jitter`](Self::jitter), never overtaking the frame before it;
///    only a frame held back by [`reorder`](Self::reorder) is overtaken;
/// 6. a copy of it follows with the probability [`duplicate`](Self::duplicate), with jitter and reordering of its own.
///
/// Each of the random decisions has its own sequence of random numbers, so that switching one on or changing it does not
/// change what the others decide.
///
/// ```
/// use sockeye_core::lan::Conditions;
/// use sockeye_core::time::Duration;
/// let bad_wlan = Conditions { loss: "10%".parse()?, delay: Duration::from_millis(50), ..Conditions::default() };
/// assert_eq!(bad_wlan.to_string(), "loss 10%, delay 50ms");
/// assert_eq!(Conditions::default().to_string(), "perfect");
/// # Ok::<(), sockeye_core::lan::QuantityError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Conditions {
    /// The share of the frames that is lost on the wire.
    pub loss: Probability,
    /// Without it every frame is lost or not by itself. With it losses come in bursts with this mean length (a Gilbert
    /// model: everything is lost during a burst, nothing between two), while the share of lost frames stays
    /// [`loss`](Self::loss). Bursts are longer where that share cannot be reached otherwise.
    pub loss_burst: Option<BurstLength>,
    /// How long a frame travels.
    pub delay: Duration,
    /// By how much the delay varies: uniform from `delay - jitter` to `delay + jitter`, and never below zero. Order is
    /// kept, as in a queue: a frame that is faster than the one before arrives together with it.
    pub jitter: Duration,
    /// The share of the frames that is held back. Such a frame arrives later by a uniform time up to
    /// [`reorder_span`](Self::reorder_span), and whatever is sent meanwhile may overtake it.
    pub reorder: Probability,
    /// The share of the frames that arrives twice.
    pub duplicate: Probability,
    /// The share of the frames that has exactly one bit flipped, anywhere in the frame.
    pub corrupt: Probability,
    /// How many bits of frames go onto the cable per second. Without it they go at once.
    pub rate: Option<Rate>,
    /// How much may wait where there is a rate. Without one nothing ever waits.
    pub queue: QueueLimit,
    /// From how much waiting on, packets are marked with congestion experienced where their senders are ECN-capable
    /// (RFC 3168), as a router with active queue management does. The others wait, and are lost where the queue is full.
    pub mark: Option<QueueLimit>,
    /// The largest packet the cable carries, in bytes behind the 14 bytes of Ethernet header.
    pub mtu: Option<usize>,
}

impl Conditions {
    /// The longest time a reordered frame is held back: half the delay, but a millisecond at least.
    pub fn reorder_span(&self) -> Duration {
        (self.delay / 2).max(Duration::from_millis(1))
    }

    /// Whether every frame arrives at once and as it was sent.
    pub fn is_perfect(&self) -> bool {
        let Conditions { queue, mark, loss_burst, .. } = *self;
        *self == Conditions { queue, mark, loss_burst, ..Conditions::default() }
    }
}

impl fmt::Display for Conditions {
    /// What differs from a perfect cable, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_perfect() {
            return f.write_str("perfect");
        }
        let mut separator = "";
        let mut part = |f: &mut fmt::Formatter<'_>, name: &str, value: &dyn fmt::Display| {
            let before = core::mem::replace(&mut separator, ", ");
            write!(f, "{before}{name} {value}")
        };
        let times = [("delay", self.delay), ("jitter", self.jitter)];
        let chances = [("reorder", self.reorder), ("duplicate", self.duplicate), ("corrupt", self.corrupt)];
        if !self.loss.is_never() {
            part(f, "loss", &self.loss)?;
            if let Some(burst) = self.loss_burst {
                part(f, "loss burst", &burst)?;
            }
        }
        for (name, time) in times.into_iter().filter(|(_, time)| !time.is_zero()) {
            part(f, name, &format_args!("{time:?}"))?;
        }
        for (name, chance) in chances.into_iter().filter(|(_, chance)| !chance.is_never()) {
            part(f, name, &chance)?;
        }
        if let Some(rate) = self.rate {
            part(f, "rate", &rate)?;
            part(f, "queue", &self.queue)?;
            if let Some(mark) = self.mark {
                part(f, "mark", &mark)?;
            }
        }
        if let Some(mtu) = self.mtu {
            part(f, "mtu", &mtu)?;
        }
        Ok(())
    }
}

/// The conditions of both directions of a cable.
///
/// ```
/// use sockeye_core::lan::{Conditions, Duplex};
/// let conditions = Conditions { loss: "1%".parse()?, ..Conditions::default() };
/// let both: Duplex = conditions.into();
/// assert_eq!(both, Duplex { up: conditions, down: conditions });
/// # Ok::<(), sockeye_core::lan::QuantityError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Duplex {
    /// [`Direction::Up`](super::Direction::Up): from the host.
    pub up: Conditions,
    /// [`Direction::Down`](super::Direction::Down): to the host.
    pub down: Conditions,
}

impl From<Conditions> for Duplex {
    /// The same conditions both ways.
    fn from(conditions: Conditions) -> Self {
        Duplex { up: conditions, down: conditions }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_what_differs() {
        let conditions = Conditions {
            loss: Probability::new(0.05).unwrap(),
            loss_burst: BurstLength::new(3.0),
            delay: Duration::from_millis(20),
            jitter: Duration::from_micros(1500),
            reorder: Probability::new(0.01).unwrap(),
            duplicate: Probability::new(0.02).unwrap(),
            corrupt: Probability::new(0.001).unwrap(),
            rate: Rate::new(10_000_000),
            queue: QueueLimit::Frames(50),
            mark: Some(QueueLimit::Frames(20)),
            mtu: Some(576),
        };
        assert_eq!(
            conditions.to_string(),
            "loss 5%, loss burst 3, delay 20ms, jitter 1.5ms, reorder 1%, duplicate 2%, corrupt 0.1%, rate 10mbit, \
             queue 50 frames, mark 20 frames, mtu 576"
        );
        assert!(!conditions.is_perfect());
        assert_eq!(
            Conditions { delay: Duration::from_secs(1), ..conditions }.reorder_span(),
            Duration::from_millis(500)
        );
    }
}
