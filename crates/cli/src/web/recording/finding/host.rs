//! What concerns a host: what it refuses, addresses that are in use, full queues, cookies, packets that are too big.

use std::collections::{BTreeMap, HashMap};

use super::{CallRow, Finding, FrameRow, HostIndex, Kind, List, Seen, Severity, What, has};

/// The findings that go on, by host.
#[derive(Debug, Default)]
pub(super) struct Watch {
    drops: HashMap<(HostIndex, String), Option<u64>>,
    cookies: BTreeMap<HostIndex, Option<u64>>,
    too_big: BTreeMap<HostIndex, Option<u64>>,
    datagrams: BTreeMap<HostIndex, Option<u64>>,
    /// The last frame was TCP's.
    was_tcp: bool,
}

impl Watch {
    pub(super) fn look(&mut self, seen: &Seen<'_>, list: &mut List) {
        match &seen.row.what {
            What::Drop { host, reason, words } => self.on_drop(seen, *host, reason, words, list),
            What::Call(call) if call.error.as_deref() == Some("EADDRINUSE") => {
                on_address_in_use(seen, call, list)
            }
            What::Frame(frame) => {
                self.was_tcp = frame.protocol == "TCP";
                let says_so = frame.words.contains("need to frag") || frame.words.contains("too big");
                if self.was_tcp {
                    self.on_segment(seen, frame, list);
                } else if frame.protocol.starts_with("ICMP") && says_so {
                    self.on_too_big(seen, frame.from, list);
                } else if frame.protocol == "UDP" && frame.lost.is_some() {
                    self.on_lost_datagram(seen, frame, list);
                }
            }
            _ => {}
        }
    }

    fn on_drop(&mut self, seen: &Seen<'_>, host: HostIndex, reason: &str, words: &str, list: &mut List) {
        match reason {
            "PacketTooBig" => return self.on_too_big(seen, host, list),
            // A segment for no socket is refused with a RST, and a RST that ends a connection is told of; an old duplicate
            // comes with its repetition.
            "NoSocket" if self.was_tcp => return,
            "Reset" | "OldDuplicate" => return,
            _ => {}
        }
        let last = self.drops.entry((host, reason.to_owned())).or_default();
        let (kind, severity, next) = match reason {
            "AcceptQueueFull" => (
                "backlog-full",
                Severity::Warning,
                "call accept more often, or listen with a larger backlog; the client tries its SYN again after a second",
            ),
            "HalfOpenQueueFull" => (
                "half-open-full",
                Severity::Warning,
                "SYN cookies let it answer all the same; a flood of SYNs is best stopped before it gets here",
            ),
            "NeighborUnreachable" => (
                "unreachable",
                Severity::Error,
                "nobody has that address on this LAN: look at the address, the subnet mask and the gateway, and if the host is up",
            ),
            "BadChecksum" | "BadIpChecksum" => {
                ("drop", Severity::Warning, "a frame was damaged on the way; what it carried is sent again")
            }
            "NoSocket" => (
                "drop",
                Severity::Note,
                "nobody is bound to that port: start the program, or look at the port",
            ),
            "NoRoute" => ("drop", Severity::Error, "give the host a gateway, or a route"),
            _ => ("drop", Severity::Note, "docs/tcp.md says which rule asks for it"),
        };
        let name = seen.host(host);
        let begin = || {
            let finding = Finding::new(seen, kind, severity).with("host", name.clone());
            finding.with("reason", reason).says("", next)
        };
        list.count(last, seen.row.time, begin, |count| {
            let times = if count == 1 { String::new() } else { format!(", {count} times") };
            match kind {
                "backlog-full" => {
                    format!("the accept queue of {name} is full: its program does not call accept{times}")
                }
                "half-open-full" => {
                    format!("the half-open queue of {name} is full: too many SYNs are not followed up{times}")
                }
                "unreachable" => {
                    format!("{name} cannot reach a neighbour: nobody answers its ARP or NDP requests{times}")
                }
                _ => format!("{name} refuses a packet: {words}{times}"),
            }
        });
    }

    /// A listener that answers without remembering (RFC 4987 section 3.6).
    fn on_segment(&mut self, seen: &Seen<'_>, frame: &FrameRow, list: &mut List) {
        let is_answer =
            has(frame, "SYN") && has(frame, "ACK") && frame.first.is_none() && !frame.is_forwarded;
        let [own, _] = frame.states;
        if !is_answer || own.is_some() || seen.kind == Kind::File {
            return;
        }
        let name = seen.host(frame.from);
        let last = self.cookies.entry(frame.from).or_default();
        let begin = || {
            let next = "nothing: who answers is real, and only then is the connection remembered; options of the SYN may be lost";
            Finding::new(seen, "syn-cookies", Severity::Warning).with("host", name.clone()).says("", next)
        };
        list.count(last, seen.row.time, begin, |count| {
            format!("the half-open queue of {name} is full: it has answered {count} SYNs with cookies, and remembers none of them")
        });
    }

    fn on_lost_datagram(&mut self, seen: &Seen<'_>, frame: &FrameRow, list: &mut List) {
        let name = seen.host(frame.from);
        let why = frame.lost.as_deref().unwrap_or_default();
        let last = self.datagrams.entry(frame.from).or_default();
        let begin = || {
            let next = "UDP sends nothing again: where it matters, the program asks for an answer and tries again itself";
            Finding::new(seen, "datagram-lost", Severity::Warning).with("host", name.clone()).says("", next)
        };
        list.count(last, seen.row.time, begin, |count| {
            let datagrams = if count == 1 { "a datagram".to_owned() } else { format!("{count} datagrams") };
            format!("{datagrams} of {name} did not arrive ({why})")
        });
    }

    /// A router cannot pass a packet on, and says so (RFC 1191, RFC 8201).
    fn on_too_big(&mut self, seen: &Seen<'_>, host: HostIndex, list: &mut List) {
        let name = seen.host(host);
        let last = self.too_big.entry(host).or_default();
        let begin = || {
            let next = "nothing: an ICMP message tells the sender, who makes its segments smaller; where that is filtered, it never learns";
            Finding::new(seen, "packet-too-big", Severity::Note).with("host", name.clone()).says("", next)
        };
        list.count(last, seen.row.time, begin, |count| {
            let packets = if count == 1 { "a packet that is" } else { "packets that are" };
            format!("{name} cannot pass on {packets} too big for the next link")
        });
    }
}

fn on_address_in_use(seen: &Seen<'_>, call: &CallRow, list: &mut List) {
    let address = call.arguments.as_str();
    let port = address.rsplit_once(':').map(|(_, port)| format!(":{port}")).unwrap_or_default();
    let is_time_wait = seen.connections.values().any(|connection| {
        (0..2).any(|end| {
            connection.hosts.get(end).copied().flatten() == Some(call.host)
                && connection.ends.get(end).is_some_and(|it| it.to_string().ends_with(&port))
                && connection.state(end) == Some("TIME-WAIT")
        })
    });
    let host = seen.host(call.host);
    let (kind, words, next) = match is_time_wait {
        true => (
            "address-in-time-wait",
            format!(
                "{address} is in use on {host}: a connection of before is in TIME-WAIT there, for 60 s since this end closed first"
            ),
            "set SO_REUSEADDR before bind, or wait until TIME-WAIT is over, or let the client close first",
        ),
        false => (
            "address-in-use",
            format!("{address} is in use on {host}: another socket is bound there"),
            "close the other one, or take another port",
        ),
    };
    let finding = Finding::new(seen, kind, Severity::Error).with("host", host);
    list.add(finding.with("address", address).says(words, next));
}
