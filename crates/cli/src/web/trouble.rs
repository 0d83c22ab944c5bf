//! What cannot be done, in plain words with the next step, and as a code for pages in other languages.

use std::io;

use rustix::io::Errno;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::failure::plain;

/// Why a request is not fulfilled, or what has happened to a session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Trouble {
    /// Names the kind: an errno as `ECONNREFUSED`, or a word of the API's own as `bad-hex`.
    pub(crate) code: String,
    /// What is wrong.
    pub(crate) words: String,
    /// What to do about it; empty where there is nothing to be done.
    pub(crate) next: String,
    /// What the words are about, for translations.
    pub(crate) facts: Map<String, Value>,
}

impl Trouble {
    /// Something wrong, and the next step.
    pub(crate) fn new(code: &str, words: impl Into<String>, next: impl Into<String>) -> Trouble {
        Trouble { code: code.to_owned(), words: words.into(), next: next.into(), facts: Map::new() }
    }

    /// With one more fact.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Trouble {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// A request that makes no sense.
    pub(crate) fn request(words: impl Into<String>) -> Trouble {
        Trouble::new("bad-request", words, "see docs/web-api.md")
    }

    /// Something that there is not, or not any more.
    pub(crate) fn gone(what: &str, name: &str) -> Trouble {
        Trouble::new("gone", format!("there is no {what} {name}"), "it may have been closed meanwhile")
            .with("what", what)
            .with("name", name)
    }

    /// What the system said; `doing` is what was tried.
    pub(crate) fn system(doing: &str, error: &io::Error) -> Trouble {
        let code = Errno::from_io_error(error).map_or_else(|| "io".to_owned(), |errno| format!("{errno:?}"));
        let code = if code.starts_with("Errno") || code == "io" { code } else { format!("E{code}") };
        Trouble::new(&code, format!("{doing}: {}", plain(error)), "")
    }
}
