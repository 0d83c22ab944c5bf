//! The services `sockeye serve` knows: their names, and which of them speak what.

mod datagram;
mod http;
mod stream;

use std::str::FromStr;
use std::sync::Arc;

pub(crate) use datagram::serve_datagrams;
pub(crate) use http::serve_http;
pub(crate) use stream::serve_streams;

/// What a port answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// Everything back as it came (RFC 862).
    Echo,
    /// Everything back with the letters a–z in upper case.
    Upper,
    /// Nothing, ever (RFC 863).
    Discard,
    /// Lines of characters without end (RFC 864).
    Chargen,
    /// The time of day, then the end (RFC 867).
    Daytime,
    /// The same text for whatever arrives.
    Reply(Arc<[u8]>),
    /// A web page that says who asked.
    Http,
}

/// The names, as a user writes them.
const NAMES: [&str; 7] = ["echo", "upper", "discard", "chargen", "daytime", "reply=TEXT", "http"];

impl Service {
    /// The name a user writes.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Service::Echo => "echo",
            Service::Upper => "upper",
            Service::Discard => "discard",
            Service::Chargen => "chargen",
            Service::Daytime => "daytime",
            Service::Reply(_) => "reply",
            Service::Http => "http",
        }
    }

    /// Whether the service answers datagrams too.
    pub(crate) fn has_datagrams(&self) -> bool {
        *self != Service::Http
    }
}

impl FromStr for Service {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(reply) = text.strip_prefix("reply=") {
            return Ok(Service::Reply(reply.as_bytes().into()));
        }
        match text {
            "echo" => Ok(Service::Echo),
            "upper" => Ok(Service::Upper),
            "discard" => Ok(Service::Discard),
            "chargen" => Ok(Service::Chargen),
            "daytime" => Ok(Service::Daytime),
            "http" => Ok(Service::Http),
            unknown => {
                let nearest = NAMES
                    .iter()
                    .map(|name| {
                        (strsim::damerau_levenshtein(unknown, name.split('=').next().unwrap_or(name)), name)
                    })
                    .min()
                    .filter(|(distance, _)| *distance <= 2)
                    .map(|(_, name)| format!(", did you mean `{name}`?"))
                    .unwrap_or_default();
                Err(format!("no service is called `{unknown}`{nearest} (services: {})", NAMES.join(", ")))
            }
        }
    }
}

/// A service and the port it answers on, written `echo:7788`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceAt {
    /// What is served.
    pub(crate) service: Service,
    /// The port, never 0.
    pub(crate) port: u16,
}

impl FromStr for ServiceAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The last colon: a reply's text may have colons of its own.
        let (service, port) =
            text.rsplit_once(':').ok_or_else(|| format!("a service needs its port, as in `{text}:7788`"))?;
        let service = service.parse()?;
        match port.parse() {
            Ok(0) | Err(_) => Err(format!("`{port}` is no port: a port is a number from 1 to 65535")),
            Ok(port) => Ok(ServiceAt { service, port }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_may_contain_colons() {
        let parsed: ServiceAt = "reply=time: 12:30:7788".parse().unwrap();
        assert_eq!(parsed, ServiceAt { service: Service::Reply(b"time: 12:30"[..].into()), port: 7788 });
    }

    #[test]
    fn an_unknown_service_lists_the_known_and_names_the_nearest() {
        let error = "ehco:7".parse::<ServiceAt>().unwrap_err();
        assert!(error.contains("did you mean `echo`?") && error.contains("chargen"), "{error}");
        assert!(!"gopher:70".parse::<ServiceAt>().unwrap_err().contains("did you mean"));
    }

    #[test]
    fn ports_are_checked() {
        for bad in ["echo", "echo:", "echo:0", "echo:65536", "echo:x"] {
            assert!(bad.parse::<ServiceAt>().is_err(), "{bad}");
        }
    }
}
