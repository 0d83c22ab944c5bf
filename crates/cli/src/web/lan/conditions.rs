//! The conditions of a cable as the API has them, and the named ones.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sockeye::Conditions;
use sockeye_core::lan::{BurstLength, Direction, Probability, QueueLimit, Rate};
use sockeye_core::time::Duration;

use crate::web::trouble::Trouble;

/// The longest delay that makes sense: to the moon and back takes two and a half seconds.
const LONGEST_DELAY_MS: f64 = 60_000.0;
/// The smallest packet that IPv4 wants carried (RFC 791).
const LEAST_MTU: usize = 68;

/// See `docs/web-api.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Told {
    loss: f64,
    reorder: f64,
    duplicate: f64,
    corrupt: f64,
    delay_ms: f64,
    jitter_ms: f64,
    rate_kbit: Option<f64>,
    queue_frames: Option<usize>,
    loss_burst: Option<f64>,
    mtu: Option<usize>,
}

/// Named conditions: the name, and what the cable of a host does both ways.
const PROFILES: [(&str, Told); 6] = {
    let perfect = Told {
        loss: 0.0,
        reorder: 0.0,
        duplicate: 0.0,
        corrupt: 0.0,
        delay_ms: 0.0,
        jitter_ms: 0.0,
        rate_kbit: None,
        queue_frames: None,
        loss_burst: None,
        mtu: None,
    };
    [
        ("perfect", perfect),
        (
            "wifi",
            Told {
                loss: 3.0,
                loss_burst: Some(3.0),
                delay_ms: 4.0,
                jitter_ms: 8.0,
                rate_kbit: Some(20_000.0),
                queue_frames: Some(100),
                ..perfect
            },
        ),
        (
            "3g",
            Told {
                loss: 0.5,
                delay_ms: 60.0,
                jitter_ms: 30.0,
                rate_kbit: Some(1600.0),
                queue_frames: Some(100),
                ..perfect
            },
        ),
        (
            "satellite",
            Told {
                loss: 0.2,
                delay_ms: 280.0,
                jitter_ms: 5.0,
                rate_kbit: Some(10_000.0),
                queue_frames: Some(300),
                ..perfect
            },
        ),
        ("lossy", Told { loss: 1.0, delay_ms: 10.0, ..perfect }),
        (
            "dsl",
            Told {
                delay_ms: 12.0,
                jitter_ms: 1.0,
                rate_kbit: Some(16_000.0),
                queue_frames: Some(150),
                mtu: Some(1492),
                ..perfect
            },
        ),
    ]
};

/// The member `profiles` of `about`.
pub(crate) fn profiles() -> Value {
    let profiles = PROFILES.iter().map(|(name, told)| json!({ "name": name, "conditions": told }));
    profiles.collect()
}

fn wrong(what: &str, wants: &str) -> Trouble {
    Trouble::new("bad-conditions", format!("{what} makes no sense"), format!("give {wants}"))
        .with("what", what)
}

impl Told {
    /// What cables understand.
    ///
    /// # Errors
    /// Which value makes no sense.
    pub(crate) fn conditions(&self) -> Result<Conditions, Trouble> {
        let chance = |name: &str, percent: f64| {
            Probability::new(percent / 100.0).ok_or_else(|| wrong(name, "a percentage from 0 to 100"))
        };
        let time = |name: &str, millis: f64| {
            let fits = (0.0..=LONGEST_DELAY_MS).contains(&millis);
            let time = fits.then(|| Duration::from_secs_f64(millis / 1000.0));
            time.ok_or_else(|| wrong(name, "milliseconds from 0 to 60000"))
        };
        let rate = self.rate_kbit.map(|kbit| {
            // A cast ends at the ends of what there is.
            Rate::new((kbit * 1000.0) as u64).ok_or_else(|| wrong("rate_kbit", "a rate above 0, or null"))
        });
        let burst = self.loss_burst.map(|frames| {
            BurstLength::new(frames).ok_or_else(|| wrong("loss_burst", "a mean length from 1 on, or null"))
        });
        if self.queue_frames == Some(0) {
            return Err(wrong("queue_frames", "a number of frames from 1 on, or null"));
        }
        if self.mtu.is_some_and(|mtu| mtu < LEAST_MTU) {
            return Err(wrong("mtu", "bytes from 68 on, or null"));
        }
        Ok(Conditions {
            loss: chance("loss", self.loss)?,
            loss_burst: burst.transpose()?,
            delay: time("delay_ms", self.delay_ms)?,
            jitter: time("jitter_ms", self.jitter_ms)?,
            reorder: chance("reorder", self.reorder)?,
            duplicate: chance("duplicate", self.duplicate)?,
            corrupt: chance("corrupt", self.corrupt)?,
            rate: rate.transpose()?,
            queue: self.queue_frames.map_or_else(QueueLimit::default, QueueLimit::Frames),
            mark: None,
            mtu: self.mtu,
        })
    }

    /// As the API has them.
    pub(crate) fn of(conditions: &Conditions) -> Told {
        let percent = |chance: Probability| {
            // Six decimals: what was said in percent comes back as it was said.
            (chance.value() * 1e8).round() / 1e6
        };
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        Told {
            loss: percent(conditions.loss),
            reorder: percent(conditions.reorder),
            duplicate: percent(conditions.duplicate),
            corrupt: percent(conditions.corrupt),
            delay_ms: millis(conditions.delay),
            jitter_ms: millis(conditions.jitter),
            rate_kbit: conditions.rate.map(|rate| rate.bits_per_second() as f64 / 1000.0),
            queue_frames: match conditions.queue {
                _ if conditions.queue == QueueLimit::default() => None,
                QueueLimit::Frames(frames) => Some(frames),
                QueueLimit::Bytes(_) => None,
            },
            loss_burst: conditions.loss_burst.map(BurstLength::frames),
            mtu: conditions.mtu,
        }
    }
}

/// One direction of a cable, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    /// From the host.
    Up,
    /// To the host.
    Down,
    /// Both.
    #[default]
    Both,
}

impl Way {
    /// The directions that are meant.
    pub(crate) fn directions(self) -> &'static [Direction] {
        match self {
            Way::Up => &[Direction::Up],
            Way::Down => &[Direction::Down],
            Way::Both => &Direction::BOTH,
        }
    }

    /// As the API names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Way::Up => "up",
            Way::Down => "down",
            Way::Both => "both",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_possible_and_come_back_as_they_were() {
        for (name, told) in PROFILES {
            assert_eq!(Told::of(&told.conditions().unwrap()), told, "{name}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let error =
            |told: Value| serde_json::from_value::<Told>(told).unwrap().conditions().unwrap_err().words;
        assert_eq!(error(json!({ "loss": 101 })), "loss makes no sense");
        assert_eq!(error(json!({ "delay_ms": -1 })), "delay_ms makes no sense");
        assert_eq!(error(json!({ "rate_kbit": 0 })), "rate_kbit makes no sense");
        assert_eq!(error(json!({ "mtu": 10 })), "mtu makes no sense");
        assert!(serde_json::from_value::<Told>(json!({ "los": 1 })).is_err(), "nothing is ignored");
    }
}
