//! Sessions as a file: `project.save` and `project.load`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::drive;
use super::opening::Opening;
use super::session::Session;
use crate::web::trouble::Trouble;
use crate::web::world::World;

/// What this program writes. Older ones are read; newer ones may mean something else by the same names.
const VERSION: u64 = 1;
/// Sessions of a project, at most.
const SESSIONS: usize = 100;

/// Sessions as one opens them: those of these names, or all.
///
/// # Errors
/// There is none of a name.
pub(crate) fn save(world: &World, names: Option<&[String]>) -> Result<Value, Trouble> {
    let sessions = match names {
        None => world.sessions.all(),
        Some(names) => names.iter().map(|name| world.sessions.get(name)).collect::<Result<_, _>>()?,
    };
    let sessions: Vec<Value> = sessions.iter().map(|session| opening(session)).collect();
    Ok(json!({ "version": VERSION, "sessions": sessions, "lans": [] }))
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

/// Opens the sessions of a project: all of them, or where one makes no sense none.
///
/// # Errors
/// The member that makes no sense, and why.
pub(crate) fn load(world: &Arc<World>, project: &Value) -> Result<Vec<String>, Trouble> {
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
    let sessions = match project.get("sessions") {
        None => &none,
        Some(sessions) => sessions.as_array().ok_or_else(|| wrong("sessions", "it is no list"))?,
    };
    if sessions.len() > SESSIONS {
        return Err(wrong("sessions", &format!("there are at most {SESSIONS}")));
    }
    let prepared = sessions
        .iter()
        .enumerate()
        .map(|(index, session)| {
            Session::prepare(read(&format!("sessions[{index}]"), session)?)
                .map_err(|trouble| wrong(&format!("sessions[{index}]"), &trouble.words))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let opened = prepared.into_iter().map(|make| {
        let session = world.sessions.add(make);
        drive::start(world, &session);
        session.name.clone()
    });
    Ok(opened.collect())
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
