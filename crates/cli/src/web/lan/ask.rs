//! The requests about LANs.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sockeye_core::lan::Direction;

use super::{Lan, Plan, Way};
use crate::web::api::{Answer, parameters};
use crate::web::trouble::Trouble;
use crate::web::world::{Entity, World};

/// LANs at a time.
const MOST: usize = 16;
/// The longest time that a cable is cut or held up.
const LONGEST_MS: u64 = 3_600_000;

#[derive(Debug, Deserialize)]
struct Named {
    lan: String,
}

#[derive(Debug, Deserialize)]
struct Cable {
    lan: String,
    host: String,
    #[serde(default)]
    direction: Way,
    conditions: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct DropNext {
    lan: String,
    host: String,
    #[serde(default)]
    direction: Way,
    frames: usize,
}

#[derive(Debug, Deserialize)]
struct ForTime {
    lan: String,
    host: String,
    #[serde(default)]
    direction: Way,
    ms: u64,
}

impl Way {
    fn directions(self) -> &'static [Direction] {
        match self {
            Way::Up => &[Direction::Up],
            Way::Down => &[Direction::Down],
            Way::Both => &Direction::BOTH,
        }
    }
}

/// Whether there may be one more.
///
/// # Errors
/// There are too many.
pub(super) fn check_room(world: &World) -> Result<(), Trouble> {
    if world.lans.all().len() < MOST {
        return Ok(());
    }
    let words = format!("there are {MOST} LANs already");
    Err(Trouble::new("too-many-lans", words, "close one that is not needed"))
}

/// Answers `lan.…`; `what` is what stands behind the point.
///
/// # Errors
/// There is no such request, LAN or host, or a parameter makes no sense.
pub(crate) fn answer(world: &Arc<World>, what: &str, asked: Value) -> Answer {
    match what {
        "open" => {
            let plan: Plan = parameters(asked)?;
            check_room(world)?;
            let lan = Lan::open(world, &plan)?;
            Ok(json!({ "lan": lan.name(), "recording": lan.recording() }))
        }
        "get" => {
            let Named { lan } = parameters(asked)?;
            Ok(json!({ "lan": world.lans.get(&lan)?.summary() }))
        }
        "close" => {
            let Named { lan } = parameters(asked)?;
            if let Some(owner) = world.lans.get(&lan)?.owner {
                let words = format!("this LAN belongs to sockeye {owner}");
                return Err(
                    Trouble::new("owned", words, "end that command, as with Ctrl-C").with("owner", owner)
                );
            }
            world.lans.remove(&lan)?.close();
            Ok(json!({}))
        }
        "cable" => {
            let Cable { lan, host, direction, conditions } = parameters(asked)?;
            world.lans.get(&lan)?.change_cable(&host, direction, &conditions)?;
            Ok(json!({}))
        }
        "drop_next" => {
            let DropNext { lan, host, direction, frames } = parameters(asked)?;
            let lan = world.lans.get(&lan)?;
            lan.control(&host, ("drop-next", direction, frames as f64), |lan, host| {
                direction.directions().iter().all(|way| lan.drop_next(host, *way, frames))
            })
        }
        "cut" | "hold" => {
            let ForTime { lan, host, direction, ms } = parameters(asked)?;
            if ms > LONGEST_MS {
                return Err(Trouble::request(format!("ms: {LONGEST_MS} at most")));
            }
            let (lan, time) = (world.lans.get(&lan)?, Duration::from_millis(ms));
            let note = if what == "cut" { "cut" } else { "hold" };
            lan.control(&host, (note, direction, time.as_secs_f64()), |lan, host| {
                direction.directions().iter().all(|way| match note {
                    "cut" => lan.cut(host, *way, time),
                    _ => lan.hold(host, *way, time),
                })
            })
        }
        _ => Err(Trouble::request(format!("there is no request `lan.{what}`"))),
    }
}
