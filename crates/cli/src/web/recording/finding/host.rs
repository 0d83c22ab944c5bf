//! What a host refuses: segments that it drops, connections for a full queue, addresses that are in use.

use std::collections::BTreeMap;

use sockeye_core::drop_reason::DropReason;
use sockeye_core::error::Error;
use sockeye_core::transport::tcp::State;

use super::super::row::Event;
use super::super::sight::HostIndex;
use super::{Finding, List, Seen, Severity};

/// The findings that go on, by host and reason.
#[derive(Debug, Default)]
pub(super) struct Watch {
    drops: BTreeMap<(HostIndex, DropReason), Option<u64>>,
}

impl Watch {
    pub(super) fn look(&mut self, seen: &Seen<'_>, list: &mut List) {
        match &seen.row.event {
            Event::Drop(host, reason) => self.on_drop(seen, (*host, *reason), list),
            Event::Call(call) if call.outcome == Err(Error::AddressInUse) => {
                let Some(local) = call.local else { return };
                let holds = |state| {
                    let mut ends = seen.connections.iter().flat_map(|it| &it.ends);
                    ends.any(|end| {
                        end.host == Some(call.host)
                            && end.address.port() == local.port()
                            && end.state.is_some_and(state)
                    })
                };
                let is_time_wait = holds(|state| state == State::TimeWait);
                let (words, next) = match is_time_wait {
                    true => (
                        format!(
                            "{local} is in use: a connection of before is in TIME-WAIT there, for 60 s since this end closed first"
                        ),
                        "set SO_REUSEADDR before bind, or wait until TIME-WAIT is over, or let the client close first",
                    ),
                    false => (
                        format!("{local} is in use: another socket is bound there"),
                        "close the other one, or take another port",
                    ),
                };
                list.add(
                    Finding::new(seen, "address-in-use", Severity::Error)
                        .with("host", call.host)
                        .with("address", local.to_string())
                        .with("time_wait", is_time_wait)
                        .says(words, next),
                );
            }
            _ => {}
        }
    }

    fn on_drop(&mut self, seen: &Seen<'_>, key: (HostIndex, DropReason), list: &mut List) {
        let (host, reason) = key;
        let last = self.drops.entry(key).or_default();
        let (kind, severity, next) = match reason {
            DropReason::AcceptQueueFull => (
                "backlog-full",
                Severity::Warning,
                "call accept more often, or listen with a larger backlog; the client tries its SYN again after a second",
            ),
            DropReason::BadChecksum | DropReason::BadIpChecksum => {
                ("drop", Severity::Warning, "a frame was damaged on the way; what it carried is sent again")
            }
            DropReason::NoSocket => (
                "drop",
                Severity::Note,
                "nobody is bound to that port: start the program, or look at the port",
            ),
            DropReason::OldDuplicate | DropReason::Reset => {
                ("drop", Severity::Note, "nothing: that is as it should be")
            }
            _ => ("drop", Severity::Note, "docs/tcp.md says which rule asks for it"),
        };
        let begin = || {
            Finding::new(seen, kind, severity)
                .with("host", host)
                .with("reason", format!("{reason:?}"))
                .says("", next)
        };
        let times = |count: u64| if count == 1 { String::new() } else { format!(", {count} times") };
        list.count(last, begin, seen.row.at, |count| match reason {
            DropReason::AcceptQueueFull => format!(
                "the accept queue of a listener is full: its program does not call accept{}",
                times(count)
            ),
            _ => format!("refused: {}{}", reason.message(), times(count)),
        });
    }
}
