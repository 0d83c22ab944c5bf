//! The options that std has calls for, in the types of those calls.

use crate::error::io_error;
use crate::socket::Socket;
use sockeye_core::error::Error;
use sockeye_core::socket::{OptionName, SocketOption};
use std::io;
use std::time::Duration;

impl Socket {
    pub(crate) fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        let hops = u8::try_from(ttl).map_err(|_| io_error(Error::InvalidArgument))?;
        self.set(SocketOption::HopLimit(hops))
    }

    pub(crate) fn ttl(&self) -> io::Result<u32> {
        match self.option(OptionName::HopLimit)? {
            SocketOption::HopLimit(hops) => Ok(hops.into()),
            _ => Err(io_error(Error::UnknownOption)),
        }
    }

    pub(crate) fn set_multicast_ttl(&self, ttl: u32) -> io::Result<()> {
        let hops = u8::try_from(ttl).map_err(|_| io_error(Error::InvalidArgument))?;
        self.set(SocketOption::MulticastHopLimit(hops))
    }

    pub(crate) fn multicast_ttl(&self) -> io::Result<u32> {
        match self.option(OptionName::MulticastHopLimit)? {
            SocketOption::MulticastHopLimit(hops) => Ok(hops.into()),
            _ => Err(io_error(Error::UnknownOption)),
        }
    }

    pub(crate) fn multicast_loop(&self) -> io::Result<bool> {
        match self.option(OptionName::MulticastLoop)? {
            SocketOption::MulticastLoop(on) => Ok(on),
            _ => Err(io_error(Error::UnknownOption)),
        }
    }

    pub(crate) fn broadcast(&self) -> io::Result<bool> {
        match self.option(OptionName::Broadcast)? {
            SocketOption::Broadcast(on) => Ok(on),
            _ => Err(io_error(Error::UnknownOption)),
        }
    }

    pub(crate) fn nodelay(&self) -> io::Result<bool> {
        match self.option(OptionName::NoDelay)? {
            SocketOption::NoDelay(on) => Ok(on),
            _ => Err(io_error(Error::UnknownOption)),
        }
    }

    pub(crate) fn linger(&self) -> io::Result<Option<Duration>> {
        match self.option(OptionName::Linger)? {
            SocketOption::Linger(time) => Ok(time),
            _ => Err(io_error(Error::UnknownOption)),
        }
    }
}
