//! Lessons: dialogues of real stacks in virtual time, played to their end at once.
//!
//! A lesson sets hosts on a [`stage`], writes their [`program`]s line by line, and says its [`step`]s as they are reached. What the
//! audience has seen becomes a recording like any other. The same [`Recipe`] gives the same bytes; a fork is the same recipe with
//! another seed for the cables from a time on.

pub(crate) mod ask;
mod closing;
mod flow;
mod loss;
mod network;
mod opening;
mod parameter;
mod program;
mod queues;
mod stage;
mod step;
mod watcher;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sockeye_core::error::Error;
use sockeye_core::time::{Duration, Instant};

use super::api::parameters;
use super::recording::{HostIndex, Sight};
use super::trouble::Trouble;
use parameter::Parameter;
pub(crate) use parameter::Values;
use program::Program;
use stage::{Stage, cidr};
pub(crate) use step::Reached;
use step::Step;

/// No lesson takes longer.
const LONGEST: Duration = Duration::from_secs(86_400);

/// More forks of forks are not followed.
const FORKS: usize = 100;

/// After the server, which has to listen first.
const SOON: Duration = Duration::from_millis(5);

/// The usual cast: who connects, and who is connected to.
const CLIENT: HostIndex = 0;
/// See [`CLIENT`].
const SERVER: HostIndex = 1;
/// The client's address.
const CLIENT_ADDRESS: [u8; 4] = [10, 0, 0, 3];
/// The server's address.
const SERVER_ADDRESS: [u8; 4] = [10, 0, 0, 2];
/// Where the server listens.
const SERVICE: SocketAddr = at(SERVER_ADDRESS, 7788);

/// How long frames travel on each cable.
const DELAY: Parameter =
    Parameter::number("delay_ms", "how long a frame travels on each cable, one way", 10, (1, 2000), "ms");
/// How many frames are lost on each cable.
const LOSS: Parameter = Parameter::number("loss", "how many frames each cable loses", 0, (0, 100), "%");

/// An address with a port.
const fn at(address: [u8; 4], port: u16) -> SocketAddr {
    let [a, b, c, d] = address;
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port)
}

/// A lesson that can be played.
#[derive(Debug)]
pub(crate) struct Lesson {
    /// Its name in requests and links.
    name: &'static str,
    /// In English.
    title: &'static str,
    parameters: &'static [Parameter],
    steps: &'static [Step],
    /// Sets the stage.
    set: fn(&mut Stage) -> Result<(), Error>,
}

/// All lessons, in the order in which one may read them.
const ALL: [&[Lesson]; 6] =
    [opening::LESSONS, closing::LESSONS, flow::LESSONS, loss::LESSONS, queues::LESSONS, network::LESSONS];

/// All that decides about a lesson.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    lesson: &'static Lesson,
    seed: u64,
    values: Values,
    forks: Vec<Fork>,
}

/// A recipe as [`Recipe::described`] has it.
#[derive(Debug, Deserialize)]
struct Described {
    name: String,
    seed: u64,
    parameters: Map<String, Value>,
    forks: Vec<DescribedFork>,
}

/// A fork as [`Recipe::described`] has it.
#[derive(Debug, Deserialize)]
struct DescribedFork {
    at: f64,
    seed: u64,
}

/// From a time on, the cables follow another seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fork {
    at: Instant,
    seed: u64,
}

/// A lesson that has been played.
#[derive(Debug)]
pub(crate) struct Played {
    /// The hosts' names and addresses.
    pub(crate) hosts: Vec<(String, Vec<IpAddr>)>,
    /// What happened.
    pub(crate) sights: Vec<Sight>,
    /// The steps that were reached; each is among the sights too, as a note before what it is about.
    pub(crate) steps: Vec<Reached>,
}

impl Recipe {
    /// A lesson with a seed and parameters as a request gives them.
    ///
    /// # Errors
    /// There is no such lesson, or a parameter makes no sense.
    pub(crate) fn new(name: &str, seed: u64, parameters: &Map<String, Value>) -> Result<Recipe, Trouble> {
        let lesson = ALL.iter().flat_map(|some| some.iter()).find(|lesson| lesson.name == name);
        let lesson = lesson.ok_or_else(|| {
            Trouble::new("no-lesson", format!("there is no lesson {name}"), "choose one of `about.lessons`")
                .with("name", name)
        })?;
        let values = Values::read(lesson.parameters, parameters)?;
        Ok(Recipe { lesson, seed, values, forks: Vec::new() })
    }

    /// The same up to a time; from then on chance on the cables follows another seed.
    ///
    /// # Errors
    /// It is a fork of a fork of … too many times.
    pub(crate) fn forked(&self, at: Instant, seed: u64) -> Result<Recipe, Trouble> {
        let mut fork = self.clone();
        fork.forks.retain(|before| before.at < at);
        if fork.forks.len() >= FORKS {
            return Err(Trouble::new(
                "too-many-forks",
                format!("this lesson was forked {FORKS} times already"),
                "open it anew with a seed of your choice",
            ));
        }
        fork.forks.push(Fork { at, seed });
        Ok(fork)
    }

    /// In English.
    pub(crate) fn title(&self) -> &'static str {
        self.lesson.title
    }

    /// All of it, as `docs/web-api.md` describes it.
    pub(crate) fn described(&self) -> Map<String, Value> {
        let fork =
            |fork: &Fork| json!({ "at": fork.at.since(Instant::ZERO).as_secs_f64(), "seed": fork.seed });
        let described = json!({
            "name": self.lesson.name,
            "seed": self.seed,
            "parameters": self.values.described(),
            "forks": self.forks.iter().map(fork).collect::<Vec<_>>(),
        });
        described.as_object().cloned().unwrap_or_default()
    }

    /// The recipe that describes itself so.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn read(described: &Map<String, Value>) -> Result<Recipe, Trouble> {
        let described: Described = parameters(Value::Object(described.clone()))?;
        let mut recipe = Recipe::new(&described.name, described.seed, &described.parameters)?;
        for DescribedFork { at, seed } in described.forks {
            recipe = recipe.forked(ask::moment(at)?, seed)?;
        }
        Ok(recipe)
    }

    /// Plays it.
    ///
    /// # Errors
    /// The stage could not be set: a fault of the lesson.
    pub(crate) fn play(&self) -> Result<Played, Trouble> {
        let mut stage = Stage::new(self.seed, self.values.clone(), self.lesson.steps);
        (self.lesson.set)(&mut stage).map_err(|error| {
            let words = format!("the lesson {} cannot be played: {error}", self.lesson.name);
            Trouble::new(error.name(), words, "this is a fault of ours; please tell us")
        })?;
        stage.begin();
        stage.play(LONGEST, &self.forks);
        let (cast, sights, steps) = stage.finish();
        let addresses = |actor: &stage::Actor| actor.addresses.iter().map(|it| it.address()).collect();
        let hosts = cast.iter().map(|actor| (actor.name.to_owned(), addresses(actor))).collect();
        Ok(Played { hosts, sights, steps })
    }
}

/// All lessons, as `docs/web-api.md` describes them.
pub(crate) fn described() -> Value {
    let step = |step: &Step| json!({ "key": step.key, "text": step.text });
    let lesson = |lesson: &Lesson| {
        json!({
            "name": lesson.name,
            "title": lesson.title,
            "parameters": lesson.parameters.iter().map(Parameter::described).collect::<Vec<_>>(),
            "steps": lesson.steps.iter().map(step).collect::<Vec<_>>(),
        })
    };
    ALL.iter().flat_map(|some| some.iter()).map(lesson).collect()
}

/// The usual cast: a client at the left and a server at the right, who know each other.
fn pair(stage: &mut Stage) -> Result<(), Error> {
    stage.add_host("client", cidr(CLIENT_ADDRESS, 24)?)?;
    stage.add_host("server", cidr(SERVER_ADDRESS, 24)?)?;
    stage.introduce()
}

/// A server as tutorials begin it.
fn server(stage: &mut Stage, backlog: usize) -> &mut Program {
    stage.program(SERVER).socket("listener").bind("listener", SERVICE).listen("listener", backlog)
}

/// A client as tutorials begin it, started a little after the server.
fn client(stage: &mut Stage) -> &mut Program {
    stage.program(CLIENT).wait(SOON).socket("socket").connect("socket", SERVICE)
}

#[cfg(test)]
mod tests;
