//! A call's arguments, read as its prototype wants them.

use crate::ast::{Argument, SystemCall};
use crate::constant;
use crate::run::failure::Failure;

/// What stands in a buffer's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buffer {
    /// `...`: a buffer that is there.
    There,
    /// `NULL`.
    Null,
}

/// The arguments of one call.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a> {
    call: &'a SystemCall,
}

impl<'a> Arguments<'a> {
    /// Those of `call`.
    pub fn new(call: &'a SystemCall) -> Self {
        Arguments { call }
    }

    /// The line to name in failures.
    pub fn line(&self) -> u32 {
        self.call.line
    }

    fn wrong(&self, text: impl core::fmt::Display) -> Failure {
        Failure::script(self.call.line, format!("{}: {text}", self.call.name))
    }

    /// That this is something the runner does not offer.
    pub fn unsupported(&self, what: impl core::fmt::Display) -> Failure {
        Failure::unsupported(self.call.line, format!("{}: {what}", self.call.name))
    }

    /// Checks how many there are.
    ///
    /// # Errors
    /// Fewer or more.
    pub fn expect(&self, counts: &[usize]) -> Result<(), Failure> {
        let there = self.call.arguments.len();
        if counts.contains(&there) { Ok(()) } else { Err(self.wrong(format!("{there} arguments"))) }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.call.arguments.len()
    }

    /// An argument.
    ///
    /// # Errors
    /// There is none at `index`.
    pub fn get(&self, index: usize) -> Result<&'a Argument, Failure> {
        self.call.arguments.get(index).ok_or_else(|| self.wrong(format!("argument {} is missing", index + 1)))
    }

    /// A number: written as one, as a constant's name, or as several of these with `|` between.
    ///
    /// # Errors
    /// It is none, or a name that is not known.
    pub fn number(&self, index: usize) -> Result<i64, Failure> {
        self.value(self.get(index)?)
    }

    /// A descriptor.
    ///
    /// # Errors
    /// No number, or too large a one.
    pub fn descriptor(&self, index: usize) -> Result<i32, Failure> {
        self.narrow(self.number(index)?)
    }

    /// A length in bytes.
    ///
    /// # Errors
    /// No number, or a negative or absurd one.
    pub fn length(&self, index: usize) -> Result<usize, Failure> {
        self.bytes(self.number(index)?)
    }

    /// A number as a length in bytes.
    ///
    /// # Errors
    /// It is negative or absurd.
    pub fn bytes(&self, number: i64) -> Result<usize, Failure> {
        usize::try_from(number)
            .ok()
            .filter(|length| *length <= 1 << 30)
            .ok_or_else(|| self.wrong(format!("{number} is no length")))
    }

    /// A number that fits 32 bits.
    ///
    /// # Errors
    /// It does not.
    pub fn narrow(&self, number: i64) -> Result<i32, Failure> {
        i32::try_from(number).map_err(|_| self.wrong(format!("{number} is out of range")))
    }

    /// The number that an argument, or a part of one, is.
    ///
    /// # Errors
    /// It is none, or a name that is not known.
    pub fn value(&self, argument: &Argument) -> Result<i64, Failure> {
        match argument {
            Argument::Integer(number) => Ok(*number),
            Argument::Word(name) => {
                constant::value(name).ok_or_else(|| self.wrong(format!("{name} is not known")))
            }
            Argument::Or(parts) => parts.iter().try_fold(0, |all, part| Ok(all | self.value(part)?)),
            other => Err(self.wrong(format!("a number is expected, not {other}"))),
        }
    }

    /// The name that an argument is.
    ///
    /// # Errors
    /// It is none.
    pub fn word(&self, index: usize) -> Result<&'a str, Failure> {
        match self.get(index)? {
            Argument::Word(name) => Ok(name),
            other => Err(self.wrong(format!("write the constant by its name, not {other}"))),
        }
    }

    /// `[number]`.
    ///
    /// # Errors
    /// It is something else.
    pub fn bracketed(&self, index: usize) -> Result<i64, Failure> {
        match self.get(index)? {
            Argument::Array(list) => match list.as_slice() {
                [number] => self.value(number),
                _ => Err(self.wrong(format!("{} numbers in brackets where one is expected", list.len()))),
            },
            other => Err(self.wrong(format!("a number in brackets is expected, not {other}"))),
        }
    }

    /// Whether an argument is `...`.
    ///
    /// # Errors
    /// There is none at `index`.
    pub fn is_ellipsis(&self, index: usize) -> Result<bool, Failure> {
        Ok(*self.get(index)? == Argument::Ellipsis)
    }

    /// Checks that an argument is `...`.
    ///
    /// # Errors
    /// It is not.
    pub fn ellipsis(&self, index: usize) -> Result<(), Failure> {
        match self.get(index)? {
            Argument::Ellipsis => Ok(()),
            other => Err(self.unsupported(format!("{other} where only ... is understood"))),
        }
    }

    /// Checks that an argument is `...`, or no place at all, so that nothing of what is put there would be looked at.
    ///
    /// # Errors
    /// It is something else.
    pub fn nowhere(&self, index: usize) -> Result<(), Failure> {
        match self.get(index)? {
            Argument::Ellipsis => Ok(()),
            Argument::Word(name) if name == "NULL" => Ok(()),
            other if self.value(other).is_ok_and(|value| value == 0) => Ok(()),
            other => Err(self.unsupported(format!("{other} where only ... and NULL are understood"))),
        }
    }

    /// A buffer.
    ///
    /// # Errors
    /// Neither `...` nor `NULL`.
    pub fn buffer(&self, index: usize) -> Result<Buffer, Failure> {
        match self.get(index)? {
            Argument::Ellipsis => Ok(Buffer::There),
            Argument::Word(name) if name == "NULL" => Ok(Buffer::Null),
            other if self.value(other).is_ok_and(|value| value == 0) => Ok(Buffer::Null),
            other => Err(self.unsupported(format!("the buffer {other}: only ... and NULL are understood"))),
        }
    }

    /// The lengths of an array of iovecs, and whether they are `count` as the script says.
    ///
    /// # Errors
    /// Something that is no iovec, or another count.
    pub fn iovecs(&self, list: &[Argument], count: i64) -> Result<Vec<usize>, Failure> {
        if i64::try_from(list.len()) != Ok(count) {
            return Err(self.wrong(format!("{count} iovecs are announced, {} are there", list.len())));
        }
        list.iter()
            .map(|iovec| match iovec {
                Argument::Iovec(length) => self.bytes(*length),
                other => Err(self.wrong(format!("{other} is no iovec"))),
            })
            .collect()
    }
}
