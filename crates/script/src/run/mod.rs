//! Runs a script on a stack of its own, in virtual time: no process, no privilege, no waiting.
//!
//! [`run`] sets a [`host::Host`] up as the script's options and first command say and then lets happen what the script says,
//! event by event: packets that the script sends are put on the wire ([`packet`]), those that the stack sends are compared
//! ([`compare`]), calls are made ([`call`]). A packet that does not come, or comes too early, too late or different, a call
//! that returns something else, an assertion that does not hold: each ends the run with a [`Failure`].
//!
//! [`run_against`] lets the packets of a script play against another stack instead, in real time.
//!
//! What a packet, a time or a return value may be follows packetdrill; where this is stricter, the module says so.

pub mod call;
pub mod compare;
mod duel;
mod event;
mod exchange;
pub mod failure;
pub mod flow;
pub mod host;
pub mod icmp;
pub mod info;
pub mod ladder;
pub mod live;
pub mod options;
pub mod packet;
pub mod pattern;
pub mod process;
pub mod report;
pub mod service;
mod setting;
mod sysctl;
#[cfg(test)]
mod tests;
pub mod words;

use sockeye_core::stack::Config;
use sockeye_core::time::{Duration, Instant};
use sockeye_core::transport::tcp::MtuProbing;

use crate::ast::{Action, Direction, Event, Script, SystemCall};
use crate::expression::Names;
use crate::run::call::{Caller, Progress};
use crate::run::exchange::{Exchange, Wire};
use crate::run::host::{Host, Sent};
use crate::run::ladder::{Ladder, Rung};
use crate::run::process::{Ongoing, Process};
use crate::run::setting::Target;

pub use duel::{Opponent, Terms, run_against};
pub use failure::{Difference, Failure, Kind};
pub use options::{IpVersion, Options, Wishes};
pub use service::Service;

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// All that happened.
    pub ladder: Ladder,
    /// Which IP it was run over.
    pub ip_version: IpVersion,
}

impl Outcome {
    /// Whether the stack did all that the script says.
    pub fn has_passed(&self) -> bool {
        self.failure.is_none()
    }

    /// Why the script was not played, if it was not.
    pub fn refusal(&self) -> Option<&Failure> {
        self.failure.as_ref().filter(|failure| failure.kind == Kind::Refused)
    }
}

/// Runs a script.
pub fn run(script: &Script, wishes: &Wishes) -> Outcome {
    let mut ladder = Ladder::default();
    let ip_version = wishes.ip_version.unwrap_or_default();
    let options = match Options::new(script, wishes) {
        Ok(options) => options,
        Err(failure) => return Outcome { failure: Some(failure), ladder, ip_version },
    };
    let ip_version = options.ip_version;
    let result = Run::new(script, options).and_then(|mut run| {
        let result = run.play();
        ladder = run.finish();
        result
    });
    Outcome { failure: result.err(), ladder, ip_version }
}

/// A call that has not returned yet.
#[derive(Debug)]
struct Blocked<'s> {
    call: &'s SystemCall,
    ongoing: Ongoing,
    /// When the script says that it began.
    began: Instant,
    /// When it has to return; none for a call that must not wait and is allowed to all the same until something is wrong.
    until: Option<Instant>,
    /// When it returns whatever happens.
    deadline: Option<Instant>,
}

/// A script that is being run.
#[derive(Debug)]
struct Run<'s> {
    script: &'s Script,
    exchange: Exchange,
    host: Host,
    /// What new sockets begin with.
    config: Config,
    process: Process,
    /// What assertions have given names to.
    names: Names,
    blocked: Option<Blocked<'s>>,
}

/// How long the end of a script, and a call, wait for a call that has not returned.
const PATIENCE: Duration = Duration::from_secs(1);
impl<'s> Run<'s> {
    fn new(script: &'s Script, mut options: Options) -> Result<Run<'s>, Failure> {
        let mut config = Config::default();
        config.tcp.mtu_probing = MtuProbing::Off; // Linux's default, unlike ours
        let steps = script.init.as_ref().map(setting::steps).transpose()?.unwrap_or_default();
        let mut target = Target {
            config: &mut config,
            running: None,
            segmentation: options.segmentation,
            slept: Duration::ZERO,
        };
        for step in &steps {
            setting::apply(step, &mut target)?;
        }
        options.segmentation = target.segmentation;
        for (line, assignment) in &options.sysctls {
            let wrong = |text| Failure::script(*line, text);
            let (name, value) = assignment
                .split_once('=')
                .ok_or_else(|| wrong(format!("{assignment:?} is no NAME=VALUE")))?;
            sysctl::set(&mut config, name, value).map_err(wrong)?;
        }
        let mut host = Host::new(&options, config.clone())?;
        let mut process = Process::default();
        let mut target = Target {
            config: &mut config,
            running: Some((&mut host, &mut process)),
            segmentation: options.segmentation,
            slept: Duration::ZERO,
        };
        for step in steps.iter().filter(|step| setting::needs_host(step)) {
            setting::apply(step, &mut target)?;
        }
        Ok(Run {
            script,
            exchange: Exchange::new(options),
            host,
            config,
            process,
            names: Names::default(),
            blocked: None,
        })
    }

    /// Lets happen what the script says.
    fn play(&mut self) -> Result<(), Failure> {
        for event in &self.script.events {
            self.event(event).map_err(|failure| at_line(failure, event.line))?;
        }
        self.await_call(PATIENCE)?;
        if let Some(blocked) = &self.blocked {
            return Err(Failure::mismatch(
                blocked.call.line,
                format!("{} has not returned", blocked.call.name),
            ));
        }
        if self.exchange.options.strict_end {
            self.advance_to(self.host.now() + self.exchange.options.tolerance)?;
            self.check_rest(self.script.events.last().map_or(0, |event| event.line))?;
        }
        Ok(())
    }

    /// Nothing that the socket under test has sent is left over.
    fn check_rest(&mut self, line: u32) -> Result<(), Failure> {
        while let Some(sent) = self.host.next_sent() {
            self.exchange.keep(sent);
        }
        self.exchange.check_rest(line)
    }

    fn event(&mut self, event: &'s Event) -> Result<(), Failure> {
        let schedule = self.exchange.schedule(event, self.host.now())?;
        match &event.action {
            Action::Packet(packet) if packet.direction == Direction::Outbound => {
                exchange::expect(self, packet, schedule)?;
            }
            action => {
                self.advance_to(schedule.earliest)?;
                if self.exchange.has_begun() {
                    self.exchange.check_time(schedule, self.host.now(), "event")?;
                }
                match action {
                    Action::Packet(packet) => exchange::inject(self, packet)?,
                    // Packets are looked at for the socket that was opened last.
                    Action::Call(call) if call.name == "socket" && self.exchange.options.strict_end => {
                        self.check_rest(event.line)?;
                        self.call(call, event, schedule)?;
                    }
                    Action::Call(call) => self.call(call, event, schedule)?,
                    Action::Command(command) => self.command(command)?,
                    Action::Code(code) => self.code(code)?,
                }
            }
        }
        self.exchange.on_event(event, schedule);
        Ok(())
    }

    /// Lets time go by until `at`.
    fn advance_to(&mut self, at: Instant) -> Result<(), Failure> {
        while self.step(at)? {}
        Ok(())
    }

    /// Lets happen what happens next, at `limit` at the latest; says whether there was anything before that.
    fn step(&mut self, limit: Instant) -> Result<bool, Failure> {
        let deadline = self.blocked.as_ref().and_then(|blocked| blocked.deadline);
        let next = self.host.next_timeout().into_iter().chain(deadline).min();
        let (at, more) = match next {
            Some(at) if at <= limit => (at, true),
            _ => (limit.max(self.host.now()), false),
        };
        self.host.step_to(at)?;
        self.after_change()?;
        Ok(more)
    }

    /// Something has happened at the stack: who waits for it goes on.
    fn after_change(&mut self) -> Result<(), Failure> {
        let events = self.host.take_events();
        self.process.on_events(&events);
        self.retry()?;
        let events = self.host.take_events();
        self.process.on_events(&events);
        Ok(())
    }

    /// Tries the call that waits once more.
    fn retry(&mut self) -> Result<(), Failure> {
        let Some(mut blocked) = self.blocked.take() else { return Ok(()) };
        blocked.ongoing.is_retry = true;
        match self.attempt(blocked.call, &mut blocked.ongoing)? {
            Progress::Wait(deadline) => {
                blocked.deadline = deadline;
                self.blocked = Some(blocked);
                Ok(())
            }
            Progress::Done(answer) => {
                self.returned(blocked.call, answer, Rung::Return)?;
                self.check_return_time(&blocked)
            }
        }
    }

    fn attempt(&mut self, call: &SystemCall, ongoing: &mut Ongoing) -> Result<Progress, Failure> {
        let mut caller = Caller {
            host: &mut self.host,
            process: &mut self.process,
            flows: &mut self.exchange.flows,
            options: &self.exchange.options,
            ongoing,
        };
        let progress = caller.attempt(call)?;
        self.host.settle()?;
        Ok(progress)
    }

    fn check_return_time(&self, blocked: &Blocked<'_>) -> Result<(), Failure> {
        let Some(until) = blocked.until else { return Ok(()) };
        let at = self.host.now();
        let tolerance = self.exchange.options.tolerance_after(until - blocked.began);
        let off = at.since(until).max(until.since(at));
        if off <= tolerance {
            return Ok(());
        }
        let (expected, actual) = (seconds(until - host::START), seconds(at - host::START));
        let text = format!("{} returned at {actual}, not at {expected}", blocked.call.name);
        let mut failure = Failure::mismatch(blocked.call.line, text);
        failure.differences.push(Difference { field: "time", expected, actual });
        Err(failure)
    }

    /// Waits for the call that has not returned, for a while.
    fn await_call(&mut self, patience: Duration) -> Result<(), Failure> {
        let limit = self.host.now() + patience;
        while self.blocked.is_some() && self.step(limit)? {}
        Ok(())
    }

    /// What was left over, and all that happened.
    fn finish(mut self) -> Ladder {
        while let Some(sent) = self.host.next_sent() {
            self.exchange.on_unseen(&sent);
        }
        self.exchange.finish()
    }
}

impl Wire for Run<'_> {
    fn exchange(&mut self) -> &mut Exchange {
        &mut self.exchange
    }

    fn now(&self) -> Instant {
        self.host.now()
    }

    fn next_sent(&mut self, limit: Instant) -> Result<Option<Sent>, Failure> {
        loop {
            if let Some(sent) = self.exchange.kept().or_else(|| self.host.next_sent()) {
                return Ok(Some(sent));
            }
            if self.host.now() >= limit {
                return Ok(None);
            }
            self.step(limit)?;
        }
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), Failure> {
        self.host.receive(packet, self.exchange.options.mss)?;
        self.after_change()
    }
}

/// A time in seconds, in words.
fn seconds(time: Duration) -> String {
    format!("{}.{:06} s", time.as_secs(), time.subsec_micros())
}

/// The line of the event, where a failure names none.
fn at_line(mut failure: Failure, line: u32) -> Failure {
    if failure.line == 0 {
        failure.line = line;
    }
    failure
}
