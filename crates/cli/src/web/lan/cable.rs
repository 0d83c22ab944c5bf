//! Conditions of cables, as the API has them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sockeye::Conditions;
use sockeye_core::lan::{BurstLength, Probability, QueueLimit, Rate};

use crate::web::trouble::Trouble;

/// The longest delay: beyond it nobody would wait for the page either.
const LONGEST_MS: f64 = 60_000.0;

/// What one direction of a cable does: chances in percent, times in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CableConditions {
    loss: f64,
    reorder: f64,
    duplicate: f64,
    corrupt: f64,
    delay_ms: f64,
    jitter_ms: f64,
    rate_kbit: Option<u64>,
    queue_frames: Option<usize>,
    loss_burst: Option<f64>,
    mtu: Option<usize>,
}

impl CableConditions {
    /// As the cables have it.
    ///
    /// # Errors
    /// Which number makes no sense.
    pub(crate) fn read(&self) -> Result<Conditions, Trouble> {
        let nonsense = |name: &str, may: &str| {
            Trouble::new("bad-condition", format!("{name} must be {may}"), "change it, and try again")
                .with("name", name)
                .with("may", may)
        };
        let chance = |name: &str, percent: f64| {
            Probability::new(percent / 100.0).ok_or_else(|| nonsense(name, "a percentage from 0 to 100"))
        };
        let time = |name: &str, ms: f64| match ms {
            ms if (0.0..=LONGEST_MS).contains(&ms) => Ok(Duration::from_secs_f64(ms / 1000.0)),
            _ => Err(nonsense(name, "from 0 to 60000 ms")),
        };
        let mut conditions = Conditions {
            loss: chance("loss", self.loss)?,
            reorder: chance("reorder", self.reorder)?,
            duplicate: chance("duplicate", self.duplicate)?,
            corrupt: chance("corrupt", self.corrupt)?,
            delay: time("delay_ms", self.delay_ms)?,
            jitter: time("jitter_ms", self.jitter_ms)?,
            ..Conditions::default()
        };
        if let Some(kbit) = self.rate_kbit {
            let rate = kbit.checked_mul(1000).and_then(Rate::new);
            conditions.rate = Some(rate.ok_or_else(|| nonsense("rate_kbit", "a number above 0"))?);
        }
        match self.queue_frames {
            Some(0) => return Err(nonsense("queue_frames", "a number above 0")),
            Some(frames) => conditions.queue = QueueLimit::Frames(frames),
            None => {}
        }
        if let Some(frames) = self.loss_burst {
            let burst =
                BurstLength::new(frames).ok_or_else(|| nonsense("loss_burst", "a number from 1 on"))?;
            conditions.loss_burst = Some(burst);
        }
        match self.mtu {
            Some(mtu) if !(68..=65_535).contains(&mtu) => {
                return Err(nonsense("mtu", "from 68 to 65535 bytes"));
            }
            mtu => conditions.mtu = mtu,
        }
        Ok(conditions)
    }

    /// The same with changes, as the cables have it.
    ///
    /// # Errors
    /// Which member there is not, or makes no sense.
    pub(crate) fn changed(&self, changes: &Map<String, Value>) -> Result<Conditions, Trouble> {
        let mut members = serde_json::to_value(self).unwrap_or_default();
        if let Some(members) = members.as_object_mut() {
            members.extend(changes.clone());
        }
        let changed: CableConditions = serde_json::from_value(members)
            .map_err(|error| Trouble::request(format!("conditions: {error}")))?;
        changed.read()
    }

    /// As a client reads it.
    pub(crate) fn of(conditions: &Conditions) -> CableConditions {
        let percent = |chance: Probability| chance.value() * 100.0;
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        CableConditions {
            loss: percent(conditions.loss),
            reorder: percent(conditions.reorder),
            duplicate: percent(conditions.duplicate),
            corrupt: percent(conditions.corrupt),
            delay_ms: ms(conditions.delay),
            jitter_ms: ms(conditions.jitter),
            rate_kbit: conditions.rate.map(|rate| rate.bits_per_second() / 1000),
            queue_frames: match conditions.queue {
                QueueLimit::Frames(frames) if conditions.rate.is_some() => Some(frames),
                _ => None,
            },
            loss_burst: conditions.loss_burst.map(BurstLength::frames),
            mtu: conditions.mtu,
        }
    }
}

/// Named conditions, in the order of how bad they are. The figures are round ones of what such a link is like on an ordinary day.
pub(crate) fn profiles() -> Value {
    json!([
        { "name": "perfect", "conditions": {} },
        { "name": "lossy", "conditions": { "loss": 1.0 } },
        { "name": "dsl", "conditions": { "delay_ms": 15.0, "jitter_ms": 2.0, "rate_kbit": 16_000, "queue_frames": 100 } },
        { "name": "wifi", "conditions": { "loss": 2.0, "delay_ms": 5.0, "jitter_ms": 4.0, "reorder": 0.5, "rate_kbit": 20_000 } },
        { "name": "3g", "conditions": { "loss": 1.0, "delay_ms": 75.0, "jitter_ms": 30.0, "rate_kbit": 2_000 } },
        { "name": "satellite", "conditions": { "loss": 0.5, "delay_ms": 300.0, "jitter_ms": 5.0, "rate_kbit": 20_000 } },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_go_there_and_back() {
        for profile in profiles().as_array().unwrap() {
            let read: CableConditions = serde_json::from_value(profile["conditions"].clone()).unwrap();
            let again = CableConditions::of(&read.read().unwrap());
            let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
            assert!(close(again.loss, read.loss) && close(again.delay_ms, read.delay_ms), "{profile}");
            assert_eq!((again.rate_kbit, again.mtu), (read.rate_kbit, read.mtu), "{profile}");
        }
    }

    #[test]
    fn nonsense_is_named() {
        for (bad, name) in [
            (json!({ "loss": 101.0 }), "loss"),
            (json!({ "delay_ms": -1.0 }), "delay_ms"),
            (json!({ "rate_kbit": 0 }), "rate_kbit"),
            (json!({ "queue_frames": 0 }), "queue_frames"),
            (json!({ "mtu": 10 }), "mtu"),
        ] {
            let conditions: CableConditions = serde_json::from_value(bad).unwrap();
            let trouble = conditions.read().unwrap_err();
            assert_eq!((trouble.code.as_str(), &trouble.facts["name"]), ("bad-condition", &json!(name)));
        }
        assert!(
            serde_json::from_value::<CableConditions>(json!({ "los": 1.0 })).is_err(),
            "a slip is no condition"
        );
    }
}
