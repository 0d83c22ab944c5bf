//! The log as a file: `GET /api/session/s1/log.txt`, `.csv`, `.json`.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use serde_json::{Value, json};

use super::entry::{Body as Told, Kind, Side};
use super::log::Shown;
use super::opening::{PlaceName, SessionKind};
use super::session::Session;
use crate::web::recording;
use crate::web::text::hex;
use crate::web::trouble::Trouble;
use crate::web::world::World;

/// What is written at once, between two looks at the log.
const STEP: usize = 256 << 10;

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Csv,
    Json,
}

/// A file of a session.
pub(crate) async fn send(
    State(world): State<Arc<World>>,
    Path((name, file)): Path<(String, String)>,
) -> Response {
    let session = match world.sessions.get(&name) {
        Ok(session) => session,
        Err(trouble) => return not_found(&trouble),
    };
    let (form, kind) = match file.as_str() {
        "log.txt" => (Form::Text, "text/plain; charset=utf-8"),
        "log.csv" => (Form::Csv, "text/csv; charset=utf-8"),
        "log.json" => (Form::Json, "application/json"),
        "log.pcapng" => return capture(&world, &session, format!("{name}-{file}")).await,
        _ => return not_found(&Trouble::gone("file", &file)),
    };
    let mut response = Response::new(body(session, form));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(attachment) = HeaderValue::from_str(&format!("attachment; filename=\"{name}-{file}\"")) {
        headers.insert(CONTENT_DISPOSITION, attachment);
    }
    response
}

fn not_found(trouble: &Trouble) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": trouble }))).into_response()
}

/// The frames of the session's host, from the recording of its LAN.
async fn capture(world: &World, session: &Session, file: String) -> Response {
    let PlaceName::Lan { lan, host } = &session.opening.place else {
        return not_found(&Trouble::new(
            "no-frames",
            "a session on the real machine has no frames: the kernel sends and receives them",
            "open the session on a host of a LAN, or capture with tcpdump",
        ));
    };
    let found = world.lans.get(lan).and_then(|lan| {
        let index = lan.place_of(host).ok_or_else(|| Trouble::gone("host", host))?;
        Ok((world.recordings.get(lan.recording())?, index))
    });
    match found {
        Ok((recording, host)) => recording::file::download(recording, Some(host), file).await,
        Err(trouble) => not_found(&trouble),
    }
}

/// Writes the log as far as it goes now, a step at a time: nobody waits for whoever reads it slowly.
fn body(session: Arc<Session>, form: Form) -> Body {
    let (first, count, _) = session.log().extent();
    let end = first + count;
    let head = match form {
        Form::Text => "",
        Form::Csv => "n,time,kind,side,peer,address,length,text,hex\r\n",
        Form::Json => "[",
    };
    let start = (session, first, Some(head.to_owned()));
    Body::from_stream(stream::unfold(start, move |(session, mut next, text)| async move {
        let mut text = text?;
        let kind = session.opening.kind;
        while next < end && text.len() < STEP {
            let log = session.log();
            // What has gone meanwhile is not there.
            next = next.max(log.extent().0);
            if let Some(shown) = log.shown(next, usize::MAX) {
                write(&mut text, form, kind, &shown);
            }
            next += 1;
        }
        let more = (next < end).then(String::new);
        if more.is_none() && form == Form::Json {
            text.push_str("\n]\n");
        }
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(text)), (session, next, more)))
    }))
}

fn write(text: &mut String, form: Form, session: SessionKind, shown: &Shown<'_>) {
    let at = date_and_time(shown.entry.at);
    match form {
        Form::Text => {
            let arrow = match shown.entry.kind {
                Kind::Sent => "->",
                Kind::Received => "<-",
                Kind::Event => "--",
                Kind::Error => "!!",
            };
            let address = shown.entry.address.as_deref().unwrap_or_default();
            let said = match &shown.entry.body {
                Told::Words(trouble) => trouble.words.clone(),
                _ => shown_text(shown),
            };
            // A String takes everything.
            let _ = writeln!(text, "{at} {arrow} {address} {said}");
        }
        Form::Csv => {
            let entry = shown.entry;
            let peer = peer(session, shown).map(|peer| peer.to_string()).unwrap_or_default();
            let mut writer =
                csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
            let record = [
                shown.number.to_string(),
                at,
                kind_name(entry.kind).to_owned(),
                side(session, shown).unwrap_or_default().to_owned(),
                peer,
                entry.address.as_deref().unwrap_or_default().to_owned(),
                shown.length.to_string(),
                harmless(shown.text()),
                hex::format(&shown.bytes),
            ];
            if writer.write_record(&record).is_ok()
                && let Ok(line) = writer.into_inner()
            {
                text.push_str(&String::from_utf8_lossy(&line));
            }
        }
        Form::Json => {
            text.push_str(if text.is_empty() || text.ends_with('[') { "\n" } else { ",\n" });
            // A step that begins with nothing written follows another entry, but for the first.
            if text == "\n" {
                *text = ",\n".to_owned();
            }
            let _ = write!(text, "{}", to_json(session, shown));
        }
    }
}

/// Tables take what begins like this for a formula.
fn harmless(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
}

/// Text with what could not be decoded as escapes, on one line.
fn shown_text(shown: &Shown<'_>) -> String {
    let mut text = String::new();
    for piece in shown.pieces() {
        match piece {
            crate::web::text::Piece::Text(piece) => {
                for character in piece.chars() {
                    match character {
                        '\n' => text.push_str("\\n"),
                        '\r' => text.push_str("\\r"),
                        '\t' => text.push_str("\\t"),
                        '\\' => text.push_str("\\\\"),
                        control if control.is_control() => {
                            let _ = write!(text, "\\u{:04x}", u32::from(control));
                        }
                        plain => text.push(plain),
                    }
                }
            }
            crate::web::text::Piece::Bytes(bytes) => {
                for byte in bytes {
                    let _ = write!(text, "\\x{byte:02x}");
                }
            }
        }
    }
    text
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Sent => "sent",
        Kind::Received => "received",
        Kind::Event => "event",
        Kind::Error => "error",
    }
}

/// The number of the peer; a client has none, and what concerns a session as a whole neither.
fn peer(session: SessionKind, shown: &Shown<'_>) -> Option<u64> {
    let link = shown.entry.channel?.link;
    (session != SessionKind::TcpClient).then_some(link)
}

/// Of a forwarder: which of its two ends.
fn side(session: SessionKind, shown: &Shown<'_>) -> Option<&'static str> {
    let side = shown.entry.channel?.side;
    (session == SessionKind::Forward).then_some(match side {
        Side::Near => "near",
        Side::Far => "far",
    })
}

/// An entry as the API writes it.
pub(super) fn to_json(session: SessionKind, shown: &Shown<'_>) -> Value {
    let mut json = json!({
        "n": shown.number,
        "at": shown.entry.at,
        "kind": shown.entry.kind,
        "peer": peer(session, shown),
        "address": shown.entry.address.as_deref(),
    });
    let Some(members) = json.as_object_mut() else { return json };
    if let Some(side) = side(session, shown) {
        members.insert("side".to_owned(), side.into());
    }
    match &shown.entry.body {
        Told::Words(trouble) => {
            members.insert("words".to_owned(), trouble.words.clone().into());
            members.insert("next".to_owned(), trouble.next.clone().into());
            members.insert("code".to_owned(), trouble.code.clone().into());
            members.insert("facts".to_owned(), trouble.facts.clone().into());
        }
        _ => {
            let pieces: Vec<Value> = shown.pieces().iter().map(crate::web::text::Piece::to_json).collect();
            members.insert("bytes".to_owned(), STANDARD.encode(&shown.bytes).into());
            members.insert("length".to_owned(), shown.length.into());
            members.insert("pieces".to_owned(), pieces.into());
            if shown.is_open {
                members.insert("open".to_owned(), true.into());
            }
        }
    }
    json
}

/// The date and time in UTC, to the millisecond.
fn date_and_time(at: u64) -> String {
    let (days, ms) = (at / 86_400_000, at % 86_400_000);
    // Days since 1 March 0000, in eras of 400 years: the leap day stands at the end of each year then.
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(date_and_time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(date_and_time(951_827_696_789), "2000-02-29T12:34:56.789Z");
        assert_eq!(date_and_time(1_772_323_199_999), "2026-02-28T23:59:59.999Z");
    }

    #[test]
    fn no_text_becomes_a_formula() {
        assert_eq!(harmless("=1+1".to_owned()), "'=1+1");
        assert_eq!(harmless("a=1".to_owned()), "a=1");
    }
}
