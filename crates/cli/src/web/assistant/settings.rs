//! What of a session can be changed while it runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::opening::SessionKind;
use super::reply::{Reaction, Reply};
use crate::place::{self, TcpOptions};
use crate::web::text::{Encoding, Framing, Outgoing};
use crate::web::trouble::Trouble;

/// The largest `chunk`.
const CHUNK: usize = 1 << 20;
/// The largest buffer that is asked for.
const BUFFER: u32 = 1 << 30;

/// The settings of a session, as `session.change` has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// Of the log.
    pub(crate) encoding: Encoding,
    /// Of the sockets.
    pub(crate) options: Options,
    /// Whether a client that has lost its connection connects again.
    pub(crate) reconnect: Option<Reconnect>,
    /// What each new peer is sent.
    pub(crate) greeting: Option<Outgoing>,
    /// What is answered by itself.
    pub(crate) reply: Reply,
    /// Of the view, and of what is answered.
    pub(crate) framing: Framing,
    /// Bytes taken by one `recv()`.
    pub(crate) chunk: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            encoding: Encoding::default(),
            options: Options::default(),
            reconnect: None,
            greeting: None,
            reply: Reply::default(),
            framing: Framing::default(),
            chunk: 1024,
        }
    }
}

/// The options of sockets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Options {
    /// `TCP_NODELAY`.
    pub(crate) nodelay: bool,
    /// `SO_KEEPALIVE`.
    pub(crate) keepalive: Option<KeepAlive>,
    /// `SO_LINGER` with zero.
    pub(crate) linger0: bool,
    /// `SO_REUSEADDR`; as is usual for the kind of session if it is not said.
    pub(crate) reuseaddr: Option<bool>,
    /// `SO_RCVBUF`.
    pub(crate) receive_buffer: Option<u32>,
    /// `SO_SNDBUF`.
    pub(crate) send_buffer: Option<u32>,
    /// `IP_TTL`.
    pub(crate) ttl: Option<u8>,
    /// Connections that wait to be accepted.
    pub(crate) backlog: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            nodelay: false,
            keepalive: None,
            linger0: false,
            reuseaddr: None,
            receive_buffer: None,
            send_buffer: None,
            ttl: None,
            backlog: 128,
        }
    }
}

/// When a silent peer is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeepAlive {
    /// Seconds before the first probe.
    pub(crate) idle_s: u32,
    /// Seconds between probes.
    pub(crate) interval_s: u32,
    /// Probes.
    pub(crate) count: u32,
}

/// When to connect again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reconnect {
    /// So long after it was lost, or could not be had.
    pub(crate) after_ms: u64,
}

impl Options {
    /// For TCP sockets. A program that listens shares its port with connections in TIME-WAIT unless told otherwise.
    pub(crate) fn tcp(&self, kind: SessionKind) -> TcpOptions {
        TcpOptions {
            nodelay: self.nodelay,
            keepalive: self.keepalive.map(|keepalive| place::KeepAlive {
                idle: Duration::from_secs(keepalive.idle_s.into()),
                interval: Duration::from_secs(keepalive.interval_s.into()),
                count: keepalive.count,
            }),
            linger0: self.linger0,
            reuseaddr: self.reuseaddr.unwrap_or(kind != SessionKind::TcpClient),
            receive_buffer: self.receive_buffer,
            send_buffer: self.send_buffer,
            ttl: self.ttl,
            backlog: self.backlog,
        }
    }
}

impl Settings {
    /// With some of them changed: those of `options` and of `framing` one by one.
    ///
    /// # Errors
    /// A setting that there is not, or a value that cannot be.
    pub(crate) fn changed(
        &self,
        kind: SessionKind,
        change: &Map<String, Value>,
    ) -> Result<Settings, Trouble> {
        let wrong =
            |error: serde_json::Error| Trouble::request(format!("these settings make no sense: {error}"));
        let mut all = serde_json::to_value(self).map_err(wrong)?;
        for (name, value) in change {
            let Some(place) = all.get_mut(name) else {
                return Err(Trouble::request(format!("there is no setting `{name}`")));
            };
            match (place.as_object_mut(), value.as_object()) {
                (Some(place), Some(value)) if matches!(name.as_str(), "options" | "framing" | "reply") => {
                    for (name, value) in value {
                        if !place.contains_key(name) {
                            return Err(Trouble::request(format!("there is no setting `{name}`")));
                        }
                        place.insert(name.clone(), value.clone());
                    }
                }
                _ => *place = value.clone(),
            }
            let trial: Result<Settings, _> = serde_json::from_value(all.clone());
            trial.map_err(|error| Trouble::request(format!("`{name}` makes no sense: {error}")))?;
        }
        let settings: Settings = serde_json::from_value(all).map_err(wrong)?;
        settings.check(kind)?;
        Ok(settings)
    }

    /// What can be wrong with them.
    ///
    /// # Errors
    /// The first such thing.
    pub(crate) fn check(&self, kind: SessionKind) -> Result<Reaction, Trouble> {
        if self.chunk == 0 || self.chunk > CHUNK {
            return Err(Trouble::request(format!("`chunk` is 1 to {CHUNK} bytes")));
        }
        self.framing.cutter(self.encoding)?;
        let options = &self.options;
        if kind == SessionKind::Udp {
            let unset = Options::default();
            for (name, is_set) in [
                ("nodelay", options.nodelay != unset.nodelay),
                ("keepalive", options.keepalive != unset.keepalive),
                ("linger0", options.linger0 != unset.linger0),
                ("backlog", options.backlog != unset.backlog),
            ] {
                if is_set {
                    return Err(Trouble::request(format!(
                        "`{name}` is an option of TCP: UDP has no connections"
                    )));
                }
            }
        }
        if self.reconnect.is_some() && kind != SessionKind::TcpClient {
            return Err(Trouble::request(
                "`reconnect` is a setting of TCP clients: nobody else connects by itself",
            ));
        }
        if options.ttl == Some(0) {
            return Err(Trouble::request("`ttl` is 1 to 255"));
        }
        for size in [options.receive_buffer, options.send_buffer].into_iter().flatten() {
            if size > BUFFER {
                return Err(Trouble::request(format!("a buffer has at most {BUFFER} bytes")));
            }
        }
        if let Some(keepalive) = options.keepalive {
            let in_range = |seconds| (1..=32_767).contains(&seconds);
            let times = in_range(keepalive.idle_s) && in_range(keepalive.interval_s);
            if !times || !(1..=127).contains(&keepalive.count) {
                return Err(Trouble::request(
                    "the times of keepalive are 1 to 32767 seconds, and its count 1 to 127",
                ));
            }
        }
        Reaction::new(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changed(kind: SessionKind, change: Value) -> Result<Settings, Trouble> {
        Settings::default().changed(kind, change.as_object().unwrap())
    }

    #[test]
    fn what_is_not_named_stays() {
        let tcp = SessionKind::TcpServer;
        let settings = changed(tcp, json!({"encoding": "GBK", "options": {"nodelay": true}})).unwrap();
        assert_eq!(settings.encoding, Encoding::Gbk);
        assert!(settings.options.nodelay && settings.options.backlog == 128);
        let again =
            settings.changed(tcp, json!({"greeting": null, "chunk": 5}).as_object().unwrap()).unwrap();
        assert!(again.options.nodelay && again.chunk == 5);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let words = |kind, change| changed(kind, change).unwrap_err().words;
        let tcp = SessionKind::TcpServer;
        assert!(words(tcp, json!({"encodng": "GBK"})).contains("`encodng`"));
        assert!(words(tcp, json!({"options": {"nodelai": true}})).contains("`nodelai`"));
        assert!(words(tcp, json!({"encoding": "EBCDIC"})).contains("`encoding`"));
        assert!(words(tcp, json!({"chunk": 0})).contains("`chunk`"));
        assert!(words(SessionKind::Udp, json!({"options": {"nodelay": true}})).contains("`nodelay`"));
        assert!(words(tcp, json!({"reconnect": {"after_ms": 5}})).contains("`reconnect`"));
        let regex =
            json!({"reply": {"mode": "rules", "rules": [{"match": "regex", "pattern": "(", "reply": {}}]}});
        assert!(words(tcp, regex).contains("rule 1"));
    }
}
