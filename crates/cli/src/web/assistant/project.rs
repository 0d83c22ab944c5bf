//! Sessions and LANs as a file: `project.save` and `project.load`.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::drive;
use super::opening::{Opening, PlaceName};
use super::session::Session;
use crate::web::lan::Lan;
use crate::web::lan::project::Draft;
use crate::web::trouble::Trouble;
use crate::web::world::World;

/// What this program writes. Older ones are read; newer ones may mean something else by the same names.
const VERSION: u64 = 1;
/// Sessions of a project, at most.
const SESSIONS: usize = 100;

/// Sessions and LANs as one opens them: all, or sessions of these names, and the LANs that they are on. What is on a LAN that
/// belongs to another command is left out.
///
/// # Errors
/// There is none of a name.
pub(crate) fn save(world: &World, names: Option<&[String]>) -> Result<Value, Trouble> {
    let sessions = match names {
        None => world.sessions.all(),
        Some(names) => names.iter().map(|name| world.sessions.get(name)).collect::<Result<_, _>>()?,
    };
    let lans: Vec<(String, Value)> =
        world.lans.all().iter().filter_map(|lan| Some((lan.name().to_owned(), lan.opening()?))).collect();
    let lan_of = |session: &Session| match &session.opening.place {
        PlaceName::Machine => None,
        PlaceName::Lan { lan, .. } => Some(lan.clone()),
    };
    let is_saved = |name: &String| lans.iter().any(|(lan, _)| lan == name);
    let sessions: Vec<&Arc<Session>> =
        sessions.iter().filter(|session| lan_of(session).is_none_or(|lan| is_saved(&lan))).collect();
    let is_used = |name: &str| sessions.iter().any(|session| lan_of(session).as_deref() == Some(name));
    let lans = lans.iter().filter(|(lan, _)| names.is_none() || is_used(lan));
    let lans: Vec<Value> = lans.map(|(_, lan)| lan.clone()).collect();
    let sessions: Vec<Value> = sessions.into_iter().map(|session| opening(session)).collect();
    Ok(json!({ "version": VERSION, "lans": lans, "sessions": sessions }))
}

/// What would open a session like this one.
fn opening(session: &Session) -> Value {
    let mut opening = serde_json::to_value(&session.opening).unwrap_or_default();
    let settings = serde_json::to_value(&session.current().settings).unwrap_or_default();
    if let Some(opening) = opening.as_object_mut() {
        opening.insert("settings".to_owned(), settings);
    }
    opening
}

/// What a project has become: the names of its sessions and LANs here.
#[derive(Debug, Serialize)]
pub(crate) struct Loaded {
    sessions: Vec<String>,
    lans: Vec<String>,
}

/// Opens a project: all of it, or where something makes no sense nothing.
///
/// # Errors
/// The member that makes no sense, and why.
pub(crate) fn load(world: &Arc<World>, project: &Value) -> Result<Loaded, Trouble> {
    let project = project.as_object().ok_or_else(|| wrong("project", "it is no object"))?;
    match project.get("version") {
        None => return Err(wrong("version", "it is missing")),
        Some(version) if version.as_u64().is_none_or(|version| version == 0 || version > VERSION) => {
            return Err(wrong(
                "version",
                &format!("this program reads up to {VERSION}, and this is {version}"),
            ));
        }
        Some(_) => {}
    }
    let none = Vec::new();
    let list = |name: &str| match project.get(name) {
        None => Ok(&none),
        Some(list) => list.as_array().ok_or_else(|| wrong(name, "it is no list")),
    };
    let mut drafts: Vec<Draft> = Vec::new();
    for (index, lan) in list("lans")?.iter().enumerate() {
        let draft =
            Draft::read(lan).map_err(|(member, why)| wrong(&format!("lans[{index}]{member}"), &why))?;
        if drafts.iter().any(|known| known.name == draft.name) {
            return Err(wrong(&format!("lans[{index}].lan"), "another LAN of the project has this name"));
        }
        drafts.push(draft);
    }
    let sessions = list("sessions")?;
    if sessions.len() > SESSIONS {
        return Err(wrong("sessions", &format!("there are at most {SESSIONS}")));
    }
    let mut openings = Vec::new();
    for (index, session) in sessions.iter().enumerate() {
        let path = format!("sessions[{index}]");
        let opening = read(&path, session)?;
        if let PlaceName::Lan { lan, host } = &opening.place {
            let draft = drafts.iter().find(|draft| draft.name == *lan);
            let draft = draft
                .ok_or_else(|| wrong(&format!("{path}.place.lan"), "no LAN of the project is called so"))?;
            if !draft.has_host(host) {
                return Err(wrong(&format!("{path}.place.host"), "no host of that LAN is called so"));
            }
        }
        // Whether it can be opened at all, before anything is.
        drop(Session::prepare(opening.clone()).map_err(|trouble| wrong(&path, &trouble.words))?);
        openings.push(opening);
    }
    let lans = open_lans(world, &drafts)?;
    let mut opened = Vec::new();
    for mut opening in openings {
        if let PlaceName::Lan { lan, .. } = &mut opening.place
            && let Some(place) = drafts.iter().position(|draft| draft.name == *lan)
            && let Some(here) = lans.get(place)
        {
            here.name().clone_into(lan);
        }
        let session = world.sessions.add(Session::prepare(opening)?);
        drive::start(world, &session);
        opened.push(session.name.clone());
    }
    Ok(Loaded { sessions: opened, lans: lans.iter().map(|lan| lan.name().to_owned()).collect() })
}

/// All of them, or none.
fn open_lans(world: &Arc<World>, drafts: &[Draft]) -> Result<Vec<Arc<Lan>>, Trouble> {
    let mut lans: Vec<Arc<Lan>> = Vec::new();
    for draft in drafts {
        match draft.open(world) {
            Ok(lan) => lans.push(lan),
            Err(trouble) => {
                for lan in lans {
                    // Nobody can have taken it out meanwhile but who wanted it gone.
                    if world.lans.remove(lan.name()).is_ok() {
                        lan.close();
                    }
                }
                return Err(trouble);
            }
        }
    }
    Ok(lans)
}

/// A session of a project. What it has besides is of another version, and is not looked at.
fn read(path: &str, session: &Value) -> Result<Opening, Trouble> {
    let mut members = session.as_object().ok_or_else(|| wrong(path, "it is no object"))?.clone();
    if let Some(settings) = members.get_mut("settings") {
        let settings =
            settings.as_object_mut().ok_or_else(|| wrong(&format!("{path}.settings"), "it is no object"))?;
        keep_known(settings);
    }
    let kind = members.get("kind").cloned().ok_or_else(|| wrong(&format!("{path}.kind"), "it is missing"))?;
    // One member at a time, so that the one that is wrong is known.
    for (name, value) in &members {
        let mut alone = Map::from_iter([("kind".to_owned(), kind.clone())]);
        alone.insert(name.clone(), value.clone());
        serde_json::from_value::<Opening>(alone.into())
            .map_err(|error| wrong(&format!("{path}.{name}"), &error.to_string()))?;
    }
    serde_json::from_value(members.into()).map_err(|error| wrong(path, &error.to_string()))
}

/// Leaves only settings that this version has.
fn keep_known(settings: &mut Map<String, Value>) {
    let known = serde_json::to_value(super::settings::Settings::default()).unwrap_or_default();
    settings.retain(|name, _| known.get(name).is_some());
    for (name, value) in settings {
        if let (Some(value), Some(known)) =
            (value.as_object_mut(), known.get(name).and_then(Value::as_object))
        {
            value.retain(|name, _| known.contains_key(name));
        }
    }
}

fn wrong(member: &str, why: &str) -> Trouble {
    Trouble::new(
        "bad-project",
        format!("`{member}` of the project: {why}"),
        "correct the file, or save the project again",
    )
    .with("member", member)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(session: Value) -> Result<Opening, Trouble> {
        read("sessions[0]", &session)
    }

    #[test]
    fn what_another_version_has_besides_is_not_looked_at() {
        let settings = json!({"encoding": "GBK", "colour": "red", "options": {"nodelay": true, "fast": 1}});
        let opening = read_one(json!({"kind": "udp", "glow": 5, "settings": settings})).unwrap();
        assert_eq!(Value::from(opening.settings), json!({"encoding": "GBK", "options": {"nodelay": true}}));
    }

    #[test]
    fn the_member_that_is_wrong_is_named() {
        let member =
            |session| read_one(session).unwrap_err().facts.get("member").cloned().unwrap_or_default();
        assert_eq!(member(json!({"kind": "udp", "port": "x"})), "sessions[0].port");
        assert_eq!(member(json!({"kind": "tcp", "port": 1})), "sessions[0].kind");
        assert_eq!(member(json!({"port": 1})), "sessions[0].kind");
        assert_eq!(member(json!({"kind": "udp", "settings": 1})), "sessions[0].settings");
        assert_eq!(member(json!(5)), "sessions[0]");
    }
}
