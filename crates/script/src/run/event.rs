//! Calls, commands and assertions: what a script lets happen on the host itself.

use sockeye_core::time::Duration;

use super::call::{Answer, Progress};
use super::exchange::{ENDLESS, Schedule};
use super::failure::Difference;
use super::ladder::Rung;
use super::process::{Object, Ongoing, Returned};
use super::{Blocked, Failure, PATIENCE, Run, info, setting};
use crate::ast::{Argument, Code, Command, Event, SystemCall, Time};
use crate::constant;
use crate::expression::{CodeError, Failure as Wrong, Program};

impl<'s> Run<'s> {
    /// Makes a call. One that waits is left alone until it is done.
    pub(super) fn call(
        &mut self,
        call: &'s SystemCall,
        event: &Event,
        schedule: Schedule,
    ) -> Result<(), Failure> {
        self.await_call(PATIENCE)?;
        let now = self.host.now();
        if self.blocked.is_some() {
            return Err(Failure::script(call.line, "a call while another has not returned"));
        }
        let until = call.until.map(|until| match event.time {
            Time::Relative(_) => schedule.base + until,
            _ => super::host::START + until,
        });
        let mut ongoing = Ongoing { began: now, moved: 0, lingers: now, is_retry: false, connects: false };
        let progress = self.attempt(call, &mut ongoing)?;
        let mut blocked = Blocked { call, ongoing, began: schedule.earliest, until, deadline: None };
        match progress {
            Progress::Done(answer) => {
                self.returned(call, answer, Rung::Call)?;
                self.after_change()?;
                self.check_return_time(&blocked)
            }
            Progress::Wait(deadline) => {
                self.exchange.ladder.push(self.host.elapsed(), Rung::Call, format!("{} …", call.written()));
                blocked.deadline = deadline;
                self.blocked = Some(blocked);
                self.after_change()?;
                if until.is_none() {
                    // It is not said to wait, and does so all the same: what comes next comes after it.
                    self.await_call(ENDLESS)?;
                    if self.blocked.is_some() {
                        return Err(Failure::mismatch(call.line, format!("{} does not return", call.name)));
                    }
                }
                Ok(())
            }
        }
    }

    /// Compares what a call has returned with what the script says.
    pub(super) fn returned(
        &mut self,
        call: &'s SystemCall,
        answer: Answer,
        rung: Rung,
    ) -> Result<(), Failure> {
        let expected = match &call.result {
            Argument::Unknown => None,
            other => Some(number(call, other)?),
        };
        let actual = match &answer.returned {
            Returned::Value(value) => value.to_string(),
            Returned::Descriptor(_) => match expected {
                Some(descriptor @ 0..) => descriptor.to_string(),
                _ => "a descriptor".to_owned(),
            },
            Returned::Error(errno) => format!("-1 {errno}"),
        };
        self.exchange.ladder.push(self.host.elapsed(), rung, format!("{} = {actual}", call.written()));
        let wrong = |expected: String| {
            let mut failure = Failure::mismatch(call.line, format!("{} returned something else", call.name));
            let both = [&expected, &actual].map(|result| format!("{} = {result}", call.written()));
            failure.differences.push(Difference { field: "result", expected, actual: actual.clone() });
            let [expected, actual] = both;
            failure.with(expected, actual)
        };
        let expected_words = match (&call.error, expected) {
            (Some(errno), _) => format!("-1 {}", errno.name),
            (None, Some(expected)) => expected.to_string(),
            (None, None) => "?".to_owned(),
        };
        let errno_matches = |actual: &str| {
            call.error.as_ref().is_none_or(|errno| {
                // EWOULDBLOCK is EAGAIN: their numbers are compared.
                constant::value(&errno.name) == constant::value(actual)
            })
        };
        match (answer.returned, expected) {
            (Returned::Error(errno), Some(-1)) if errno_matches(errno) => {}
            (Returned::Error(_), None) | (Returned::Value(_), None) => {}
            (Returned::Value(value), Some(expected)) if value == expected => {}
            (Returned::Descriptor(object), Some(expected @ 0..)) => self.open(call, object, expected)?,
            _ => return Err(wrong(expected_words)),
        }
        if answer.differences.is_empty() {
            return Ok(());
        }
        let text = format!("{} gave something else than the script says", call.name);
        Err(Failure { differences: answer.differences, ..Failure::mismatch(call.line, text) })
    }

    /// Gives an object the descriptor that the script calls it by.
    fn open(&mut self, call: &SystemCall, object: Object, descriptor: i64) -> Result<(), Failure> {
        let descriptor = i32::try_from(descriptor)
            .map_err(|_| Failure::script(call.line, format!("{descriptor} is no descriptor")))?;
        // As in packetdrill, `accept` may take the name of a descriptor that is open: that one has none from then on.
        let is_accepted = matches!(&object, Object::Socket(file) if file.peer.is_some());
        if self.process.descriptors.contains_key(&descriptor) && !is_accepted {
            return Err(Failure::script(call.line, format!("descriptor {descriptor} is open already")));
        }
        if let Object::Socket(file) = &object {
            let flow = match file.peer {
                Some(peer) => self.exchange.flows.accepted(peer),
                None => self.exchange.flows.under_test(),
            };
            if let Some(flow) = flow {
                flow.descriptor = Some(descriptor);
            }
        }
        self.process.descriptors.insert(descriptor, object);
        Ok(())
    }

    /// Changes the host as a command says.
    pub(super) fn command(&mut self, command: &'s Command) -> Result<(), Failure> {
        let mut target = setting::Target {
            config: &mut self.config,
            running: Some((&mut self.host, &mut self.process)),
            segmentation: self.exchange.options.segmentation,
            slept: Duration::ZERO,
        };
        for step in setting::steps(command)? {
            setting::apply(&step, &mut target)?;
        }
        let slept = target.slept;
        self.host.set_defaults(&self.config);
        let line = command.text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        self.exchange.ladder.push(self.host.elapsed(), Rung::Command, format!("`{line}`"));
        self.host.settle()?;
        self.after_change()?;
        self.advance_to(self.host.now() + slept)
    }

    /// Checks assertions about the connection under test.
    pub(super) fn code(&mut self, code: &Code) -> Result<(), Failure> {
        self.exchange.ladder.push(self.host.elapsed(), Rung::Code, format!("%{{ {} }}%", code.text.trim()));
        let descriptor = self.exchange.flows.under_test().and_then(|flow| flow.descriptor);
        let Some(id) = descriptor.and_then(|descriptor| Some(self.process.socket(descriptor)?.id)) else {
            return Err(Failure::script(code.line, "no socket whose TCP_INFO could be asked for"));
        };
        let values = info::Values::of(&self.host.stack, id, self.host.now())
            .map_err(|error| Failure::mismatch(code.line, format!("TCP_INFO: {error}")))?;
        let wrong = |error: CodeError| match error.failure {
            Wrong::Assertion => Failure::mismatch(error.line, error.message),
            Wrong::Script => Failure::script(error.line, error.message),
        };
        let program = Program::parse(code).map_err(wrong)?;
        let printed =
            program.run(&mut self.names, &|name| values.get(name).map(i128::from)).map_err(wrong)?;
        for line in printed {
            self.exchange.ladder.push(self.host.elapsed(), Rung::Code, line);
        }
        Ok(())
    }
}

/// A number in a call's result.
fn number(call: &SystemCall, argument: &Argument) -> Result<i64, Failure> {
    super::call::Arguments::new(call).value(argument)
}
