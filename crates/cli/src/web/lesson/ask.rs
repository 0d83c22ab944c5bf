//! The requests about lessons.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sockeye_core::time::Instant;

use super::{Played, Recipe};
use crate::web::api::{Answer, parameters};
use crate::web::recording::{Kind, Opening, Recording, Station, check_room};
use crate::web::trouble::Trouble;
use crate::web::world::{Entity, World};

/// Rows that are looked through at once.
const ROWS: usize = 500;

#[derive(Debug, Deserialize)]
struct Open {
    name: String,
    seed: Option<u64>,
    #[serde(default)]
    parameters: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Fork {
    recording: String,
    at: f64,
    seed: Option<u64>,
}

/// Answers `lesson.open` and `lesson.fork`; `what` is what stands behind the point.
///
/// # Errors
/// There is no such request, lesson or recording, or a parameter makes no sense.
pub(crate) async fn answer(world: &Arc<World>, what: &str, asked: Value) -> Answer {
    let world = Arc::clone(world);
    match what {
        "open" => {
            let Open { name, seed, parameters } = parameters(asked)?;
            let recipe = Recipe::new(&name, seed.map_or_else(any_seed, Ok)?, &parameters)?;
            aside(move || record(&world, &recipe, None)).await
        }
        "fork" => {
            let Fork { recording, at, seed } = parameters(asked)?;
            let (origin, moment) = (world.recordings.get(&recording)?, moment(at)?);
            let lesson = origin.summary().get("lesson").and_then(Value::as_object).cloned();
            let recipe = Recipe::read(&lesson.ok_or_else(|| {
                Trouble::new("no-lesson", format!("{recording} is no lesson"), "only lessons can be forked")
            })?)?;
            let recipe = recipe.forked(moment, seed.map_or_else(any_seed, Ok)?)?;
            let fork = json!({ "of": recording, "at": at });
            aside(move || record(&world, &recipe, Some(fork))).await
        }
        _ => Err(Trouble::request(format!("there is no request `lesson.{what}`"))),
    }
}

/// Off the threads that serve the page: a lesson can take a second of computing.
async fn aside(work: impl FnOnce() -> Answer + Send + 'static) -> Answer {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(Trouble::new("fault", "the lesson broke off", "this is a fault of ours; please tell us"))
    })
}

/// A seed that a page can show: JavaScript's numbers are exact so far.
fn any_seed() -> Result<u64, Trouble> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes)
        .map_err(|error| Trouble::new("no-seed", error.to_string(), "give a seed of your own"))?;
    Ok(u32::from_ne_bytes(bytes).into())
}

/// A time that a request gives in seconds.
pub(super) fn moment(at: f64) -> Result<Instant, Trouble> {
    if at.is_finite() && (0.0..=super::LONGEST.as_secs_f64()).contains(&at) {
        Ok(Instant::from_nanos((at * 1e9).round() as u64))
    } else {
        Err(Trouble::request(format!("{at} is no time in this lesson")))
    }
}

/// Plays a lesson into a new recording.
fn record(world: &World, recipe: &Recipe, fork: Option<Value>) -> Answer {
    check_room(world)?;
    let Played { hosts, sights, steps } = recipe.play()?;
    let stations = hosts.into_iter().map(|(name, addresses)| Station::new(name, addresses)).collect();
    let opening =
        Opening { title: recipe.title().to_owned(), kind: Kind::Lesson, stations, start: Instant::ZERO };
    let recording = world.recordings.add(|name, version| {
        let recording = Recording::new(name, version, opening);
        for sight in sights {
            recording.on_sight(sight);
        }
        recording.finish();
        let rows = rows_of_steps(&recording);
        let steps = steps.iter().map(|step| {
            let at = step.at.since(Instant::ZERO).as_secs_f64();
            let row = rows.get(step.key);
            json!({ "at": at, "row": row, "words": step.key, "text": step.text, "facts": step.facts })
        });
        let mut lesson = recipe.described();
        lesson.insert("steps".to_owned(), steps.collect());
        lesson.insert("fork".to_owned(), fork.into());
        recording.set_lesson(Value::Object(lesson));
        recording
    });
    Ok(json!({ "recording": recording.name() }))
}

/// By key of the step: the row of its note.
fn rows_of_steps(recording: &Recording) -> Map<String, Value> {
    let mut found = Map::new();
    let mut next = 0;
    loop {
        let rows = recording.rows(next, ROWS);
        let Some(last) = rows.last().and_then(|row| row.get("row")).and_then(Value::as_u64) else {
            return found;
        };
        for row in &rows {
            if let (Some(key), Some(number)) =
                (row.pointer("/facts/step").and_then(Value::as_str), row.get("row"))
            {
                found.insert(key.to_owned(), number.clone());
            }
        }
        next = last + 1;
    }
}
