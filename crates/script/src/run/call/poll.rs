//! `poll` and `epoll`.

use sockeye_core::socket::Readiness;
use sockeye_core::time::Duration;

use super::{Answer, Arguments, Caller, Outcome, Progress, done, done_with, failed};
use crate::ast::Argument;
use crate::constant::value as constant;
use crate::run::failure::{Difference, Failure};
use crate::run::process::{Object, Returned, Watch};

const IN: u32 = 0x001;
const PRI: u32 = 0x002;
const OUT: u32 = 0x004;
const ERR: u32 = 0x008;
const HUP: u32 = 0x010;
const NVAL: u32 = 0x020;
const READ_NORMAL: u32 = 0x040;
const WRITE_NORMAL: u32 = 0x100;
const READ_HUP: u32 = 0x2000;
const ONE_SHOT: u32 = 1 << 30;
const EDGE: u32 = 1 << 31;

/// Readiness in the bits of poll(2), which epoll shares.
fn bits(readiness: Readiness) -> u32 {
    let mut bits = 0;
    if readiness.is_readable() {
        bits |= IN | READ_NORMAL;
    }
    if readiness.has_urgent() {
        bits |= PRI;
    }
    if readiness.is_writable() {
        bits |= OUT | WRITE_NORMAL;
    }
    if readiness.has_failed() {
        bits |= ERR;
    }
    if readiness.is_read_closed() {
        bits |= READ_HUP;
    }
    if readiness.is_read_closed() && readiness.is_write_closed() {
        bits |= HUP;
    }
    bits
}

/// The bits by the names that poll(2) gives them; 0 where none is set.
fn names(bits: u32) -> String {
    let known = [
        (IN, "POLLIN"),
        (PRI, "POLLPRI"),
        (OUT, "POLLOUT"),
        (ERR, "POLLERR"),
        (HUP, "POLLHUP"),
        (NVAL, "POLLNVAL"),
        (READ_NORMAL, "POLLRDNORM"),
        (WRITE_NORMAL, "POLLWRNORM"),
        (READ_HUP, "POLLRDHUP"),
    ];
    let rest = known.iter().fold(bits, |rest, (bit, _)| rest & !bit);
    let named = known.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| (*name).to_owned());
    let all: Vec<String> = named.chain((rest != 0).then(|| format!("{rest:#x}"))).collect();
    if all.is_empty() { "0".to_owned() } else { all.join("|") }
}

impl Caller<'_> {
    /// What a descriptor is ready for, of what is asked; errors and hang-ups always.
    fn ready(&self, descriptor: i32, asked: u32) -> u32 {
        match self.process.descriptors.get(&descriptor) {
            Some(Object::Socket(file)) => match self.host.stack.readiness(file.id) {
                Ok(readiness) => bits(readiness) & (asked | ERR | HUP),
                Err(_) => NVAL,
            },
            Some(_) => asked & (IN | OUT),
            None => NVAL,
        }
    }

    /// Waits for as long as a time-out in milliseconds says; `None` when that has passed.
    fn patience(&self, milliseconds: i64) -> Option<Progress> {
        let Ok(milliseconds) = u64::try_from(milliseconds) else { return Some(Progress::Wait(None)) };
        let until = self.ongoing.began + Duration::from_millis(milliseconds);
        (self.host.now() < until).then_some(Progress::Wait(Some(until)))
    }

    pub(super) fn poll(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[3])?;
        let Argument::Array(list) = a.get(0)? else {
            return Err(a.unsupported("an array of pollfds that is none"));
        };
        if i64::try_from(list.len()) != Ok(a.number(1)?) {
            return Err(Failure::script(a.line(), "poll: the number of pollfds is not the one announced"));
        }
        let mut ready = 0;
        let mut differences = Vec::new();
        for (index, entry) in list.iter().enumerate() {
            let Argument::PollFd { fd, events, revents } = entry else {
                return Err(a.unsupported(format!("{entry} as a pollfd")));
            };
            let (fd, events, expected) = (a.value(fd)?, a.value(events)?, a.value(revents)?);
            let actual = self.ready(a.narrow(fd)?, events as u32);
            ready += i64::from(actual != 0);
            if i64::from(actual) != expected {
                differences.push(Difference {
                    field: "revents",
                    expected: format!("{} of entry {index}", names(expected as u32)),
                    actual: names(actual),
                });
            }
        }
        if ready == 0
            && let Some(wait) = self.patience(a.number(2)?)
        {
            return Ok(wait);
        }
        done_with(Returned::Value(ready), differences)
    }

    pub(super) fn epoll_create(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[1])?;
        done(Returned::Descriptor(Object::Epoll(Vec::new())))
    }

    pub(super) fn epoll_ctl(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[4])?;
        let (epoll, operation, descriptor) = (a.descriptor(0)?, a.number(1)?, a.descriptor(2)?);
        let file = super::socket_of!(self, a, 2);
        let is = |name: &str| Some(operation) == constant(name);
        let (adds, changes, deletes) = (is("EPOLL_CTL_ADD"), is("EPOLL_CTL_MOD"), is("EPOLL_CTL_DEL"));
        let watch = if deletes {
            None
        } else {
            let Argument::EpollEvent { events, data, .. } = a.get(3)? else {
                return Err(a.unsupported("an epoll_event that is none"));
            };
            Some(Watch {
                descriptor,
                socket: file.id,
                events: a.value(events)? as u32,
                data: a.value(data)? as u64,
                is_fresh: true,
                is_armed: true,
            })
        };
        let watches = match self.process.descriptors.get_mut(&epoll) {
            Some(Object::Epoll(watches)) => watches,
            Some(_) => return failed("EINVAL"),
            None => return failed("EBADF"),
        };
        let place = watches.iter().position(|watch| watch.descriptor == descriptor);
        match (place, watch) {
            (Some(_), Some(_)) if adds => return failed("EEXIST"),
            (None, Some(watch)) if adds => watches.push(watch),
            (Some(place), Some(watch)) if changes => watches[place] = watch,
            (Some(place), None) => drop(watches.remove(place)),
            (None, _) => return failed("ENOENT"),
            _ => return failed("EINVAL"),
        }
        done(Returned::Value(0))
    }

    pub(super) fn epoll_wait(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[4])?;
        let (epoll, limit, timeout) = (a.descriptor(0)?, a.number(2)?, a.number(3)?);
        let Ok(limit @ 1..) = usize::try_from(limit) else { return failed("EINVAL") };
        let watches = match self.process.descriptors.get(&epoll) {
            Some(Object::Epoll(watches)) => watches.clone(),
            Some(_) => return failed("EINVAL"),
            None => return failed("EBADF"),
        };
        let mut told = Vec::new();
        for (place, watch) in watches.iter().enumerate() {
            let asked = watch.events & !(EDGE | ONE_SHOT);
            let ready = self.ready(watch.descriptor, asked);
            let speaks = watch.is_armed && (watch.events & EDGE == 0 || watch.is_fresh);
            if speaks && ready != 0 && told.len() < limit {
                told.push((place, ready, watch.data));
            }
        }
        if told.is_empty()
            && let Some(wait) = self.patience(timeout)
        {
            return Ok(wait);
        }
        if let Some(Object::Epoll(watches)) = self.process.descriptors.get_mut(&epoll) {
            for (place, ..) in &told {
                let watch = &mut watches[*place];
                watch.is_fresh = false;
                watch.is_armed = watch.events & ONE_SHOT == 0;
            }
        }
        let Argument::EpollEvent { events, data, .. } = a.get(1)? else {
            return Err(a.unsupported("an epoll_event that is none"));
        };
        let expected = (a.value(events)? as u32, a.value(data)? as u64);
        let actual = told.first().map_or((0, 0), |(_, ready, data)| (*ready, *data));
        let mut differences = Vec::new();
        for (field, expected, actual) in [
            ("events", names(expected.0), names(actual.0)),
            ("data", format!("{:#x}", expected.1), format!("{:#x}", actual.1)),
        ] {
            if expected != actual {
                differences.push(Difference { field, expected, actual });
            }
        }
        let returned = Returned::Value(told.len() as i64);
        Ok(Progress::Done(Answer { returned, differences }))
    }
}
