//! The packets of a script against another stack, in real time.
//!
//! Only the wire is ours then. The script's calls must be those of a [`Service`] that whoever runs the other stack offers
//! there ([`super::service`]), and what the script sets before it begins is left to them, aloud.

use sockeye_core::time::{Duration, Instant};

use super::exchange::{self, Exchange, Wire};
use super::failure::{Failure, Kind};
use super::flow::{Carrier, Flow, Stage};
use super::host::{self, Sent};
use super::ladder::{Ladder, Rung};
use super::options::{Options, Wishes};
use super::service::{self, Service};
use super::{Outcome, at_line, packet, seconds, setting};
use crate::ast::{Action, Argument, Command, Direction, Event, Script, SystemCall};
use crate::setup::Setup;

/// Another stack and the wire to it. Times are counted from whenever it likes.
pub trait Opponent {
    /// The time now.
    fn elapsed(&self) -> Duration;

    /// Sends an IP packet to the stack.
    ///
    /// # Errors
    /// In words, why that cannot be done.
    fn send(&mut self, packet: &[u8]) -> Result<(), String>;

    /// Waits until `until` at most for an IP packet of the stack; with the time at which it came.
    ///
    /// # Errors
    /// In words, why the wire is out of order.
    fn receive(&mut self, until: Duration) -> Result<Option<(Duration, Vec<u8>)>, String>;

    /// For how long nobody has looked at the wire at most, since this was last asked: the machine was busy with other things.
    fn take_absence(&mut self) -> Duration;
}

/// What is to be known of the other stack.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// What its program does.
    pub service: Service,
    /// The port from which the script's first connection comes, another one for each script.
    pub first_port: u16,
}

/// Lets a script's packets play against another stack. What its administrator is to have set is in the ladder of the outcome,
/// as [`Rung::Assumed`].
pub fn run_against(script: &Script, wishes: &Wishes, terms: Terms, opponent: &mut dyn Opponent) -> Outcome {
    let ip_version = wishes.ip_version.unwrap_or_default();
    let ended = |failure| Outcome { failure: Some(failure), ladder: Ladder::default(), ip_version };
    let options = match Options::new(script, wishes) {
        Ok(options) => options,
        Err(failure) => return ended(failure),
    };
    if let Some(failure) = service::refusal(script, terms.service, &options) {
        return ended(failure);
    }
    let (ip_version, tolerance) = (options.ip_version, options.tolerance);
    opponent.take_absence();
    let start = opponent.elapsed();
    let mut exchange = Exchange::new(options);
    exchange.set_first_port(terms.first_port);
    let mut duel = Duel { exchange, opponent, start };
    let mut result = duel.play(script);
    // Whatever happened, the other stack shall not go on asking the next script for acknowledgements.
    result = result.and(duel.reset());
    let absence = duel.opponent.take_absence();
    if let Err(failure) = &mut result
        && failure.kind == Kind::Mismatch
        && absence > tolerance / 2
    {
        failure.kind = Kind::Late;
        failure.text += &format!(" (this machine was too busy to look at the wire for {})", seconds(absence));
    }
    Outcome { failure: result.err(), ladder: duel.exchange.finish(), ip_version }
}

/// A script that plays against another stack.
struct Duel<'o> {
    exchange: Exchange,
    opponent: &'o mut dyn Opponent,
    /// When the script began.
    start: Duration,
}

/// How long a packet that may come at any time is waited for: nobody sits an hour before a real wire.
const PATIENCE: Duration = Duration::from_secs(60);

impl Duel<'_> {
    fn play(&mut self, script: &Script) -> Result<(), Failure> {
        if let Some(command) = &script.init {
            self.assume_command(command)?;
        }
        for (line, sysctl) in self.exchange.options.sysctls.clone() {
            self.assume(format!("line {line}: sysctl {sysctl}"));
        }
        for event in &script.events {
            self.event(event).map_err(|failure| at_line(failure, event.line))?;
        }
        self.wait_until(self.now() + self.exchange.options.tolerance)?;
        self.exchange.check_rest(script.events.last().map_or(0, |event| event.line))
    }

    fn event(&mut self, event: &Event) -> Result<(), Failure> {
        let schedule = self.exchange.schedule(event, self.now())?;
        match &event.action {
            Action::Packet(packet) if packet.direction == Direction::Outbound => {
                exchange::expect(self, packet, schedule)?;
            }
            action => {
                self.wait_until(schedule.earliest)?;
                if self.exchange.has_begun() {
                    self.exchange.check_time(schedule, self.now(), "event")?;
                }
                match action {
                    Action::Packet(packet) => exchange::inject(self, packet)?,
                    Action::Call(call) => self.on_call(call),
                    Action::Command(command) => self.sleep(command)?,
                    Action::Code(_) => {} // refused
                }
            }
        }
        self.exchange.on_event(event, schedule);
        Ok(())
    }

    /// Lets time go by. What the stack sends meanwhile waits for whoever expects it.
    fn wait_until(&mut self, at: Instant) -> Result<(), Failure> {
        while self.now() < at {
            if let Some(sent) = self.receive(at)? {
                self.exchange.keep(sent);
            }
        }
        Ok(())
    }

    fn receive(&mut self, until: Instant) -> Result<Option<Sent>, Failure> {
        let limit = self.start + (until - host::START);
        let got = self.opponent.receive(limit).map_err(|text| Failure::script(0, text))?;
        Ok(got.map(|(at, bytes)| Sent { at: host::START + at.saturating_sub(self.start), bytes }))
    }

    fn assume(&mut self, what: String) {
        self.exchange.ladder.push(self.now() - host::START, Rung::Assumed, what);
    }

    fn assume_command(&mut self, command: &Command) -> Result<(), Failure> {
        setting::steps(command)?;
        let line = command.text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        self.assume(format!("`{line}`"));
        Ok(())
    }

    /// The one command that has a meaning here.
    fn sleep(&mut self, command: &Command) -> Result<(), Failure> {
        for step in setting::steps(command)? {
            if let Setup::Sleep(time) = step.setup {
                self.wait_until(self.now() + time)?;
            }
        }
        Ok(())
    }

    /// A call that the service makes.
    fn on_call(&mut self, call: &SystemCall) {
        let descriptor = match &call.result {
            Argument::Integer(descriptor) => i32::try_from(*descriptor).ok(),
            _ => None,
        };
        match call.name.as_str() {
            "socket" => drop(self.exchange.flows.push(Flow::new(descriptor, Stage::New, Carrier::Tcp))),
            "listen" => {
                if let Some(flow) = self.exchange.flows.under_test() {
                    flow.stage = Stage::Listening;
                }
            }
            _ => {}
        }
        let at = self.now() - host::START;
        self.exchange.ladder.push(at, Rung::Service, call.written());
    }

    /// Ends the connection under test, as packetdrill does at the end.
    fn reset(&mut self) -> Result<(), Failure> {
        let Some(flow) = self.exchange.flows.under_test() else { return Ok(()) };
        let Some(bytes) = packet::reset(flow) else { return Ok(()) };
        self.send(&bytes.map_err(|text| Failure::script(0, text))?)
    }
}

impl Wire for Duel<'_> {
    fn exchange(&mut self) -> &mut Exchange {
        &mut self.exchange
    }

    fn now(&self) -> Instant {
        host::START + self.opponent.elapsed().saturating_sub(self.start)
    }

    fn next_sent(&mut self, limit: Instant) -> Result<Option<Sent>, Failure> {
        match self.exchange.kept() {
            Some(sent) => Ok(Some(sent)),
            None => self.receive(limit.min(self.now() + PATIENCE)),
        }
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), Failure> {
        self.opponent.send(packet).map_err(|text| Failure::script(0, text))
    }
}
