//! The requests about LANs.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::conditions::{Told, Way};
use super::{Action, Lan};
use crate::web::api::{Answer, parameters};
use crate::web::trouble::Trouble;
use crate::web::world::World;

/// LANs that there are at once; each has threads.
const LANS: usize = 32;
/// The longest that a cable is held up or cut.
const LONGEST_MS: u64 = 600_000;
/// The most frames that are dropped on request.
const FRAMES: usize = 1_000_000;

#[derive(Deserialize)]
struct Which {
    lan: String,
}

#[derive(Deserialize)]
struct Cable {
    lan: String,
    host: String,
    #[serde(default)]
    direction: Way,
    conditions: Told,
}

#[derive(Deserialize)]
struct DropNext {
    lan: String,
    host: String,
    #[serde(default)]
    direction: Way,
    #[serde(default = "one")]
    frames: usize,
}

fn one() -> usize {
    1
}

#[derive(Deserialize)]
struct ForAWhile {
    lan: String,
    host: String,
    #[serde(default)]
    direction: Way,
    ms: u64,
}

/// Answers `lan.…`.
///
/// # Errors
/// What is wrong with the request.
pub(crate) async fn answer(world: &Arc<World>, what: &str, given: Value) -> Answer {
    match what {
        "open" => {
            if world.lans.all().len() >= LANS {
                let words = format!("there are {LANS} LANs already");
                return Err(Trouble::new("too-many", words, "close one that is not needed any more"));
            }
            let lan = Lan::open(world, parameters(given)?)?;
            Ok(json!({ "lan": lan.name, "recording": lan.recording.name() }))
        }
        "close" => {
            let which: Which = parameters(given)?;
            if let Some(owner) = world.lans.get(&which.lan)?.owner {
                let words = format!("this LAN belongs to `sockeye {owner}`");
                return Err(Trouble::new("not-ours", words, "it ends with that command").with("owner", owner));
            }
            let lan = world.lans.remove(&which.lan)?;
            // It waits for the hosts to say goodbye; whether it was able to, nobody has to know.
            let _ = tokio::task::spawn_blocking(move || lan.end()).await;
            Ok(json!({}))
        }
        "cable" => {
            let Cable { lan, host, direction, conditions } = parameters(given)?;
            let conditions = conditions.conditions()?;
            world.lans.get(&lan)?.act(&host, direction, Action::Conditions(conditions))?;
            Ok(json!({}))
        }
        "drop_next" => {
            let DropNext { lan, host, direction, frames } = parameters(given)?;
            let action = Action::DropNext(frames.min(FRAMES));
            world.lans.get(&lan)?.act(&host, direction, action)?;
            Ok(json!({}))
        }
        "hold" | "cut" => {
            let ForAWhile { lan, host, direction, ms } = parameters(given)?;
            if ms > LONGEST_MS {
                let words = format!("{ms} ms is longer than a cable is held up or cut here");
                return Err(Trouble::request(words).with("most", LONGEST_MS));
            }
            let time = Duration::from_millis(ms);
            let action = if what == "hold" { Action::Hold(time) } else { Action::Cut(time) };
            world.lans.get(&lan)?.act(&host, direction, action)?;
            Ok(json!({}))
        }
        _ => Err(Trouble::request(format!("there is no request `lan.{what}`"))),
    }
}
