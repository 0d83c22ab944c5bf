//! Multicast groups, with interfaces named as std names them.

use crate::error::no_such_device;
use crate::socket::Socket;
use sockeye_core::stack::Stack;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

/// What happens to a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Join,
    Leave,
}

/// How an interface is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// By one of its addresses; 0.0.0.0 is any.
    Address(Ipv4Addr),
    /// By its number, as the kernel counts with `lo` aside; 0 is any.
    Number(u32),
}

impl Socket {
    pub(crate) fn change_group(&self, change: Change, group: IpAddr, by: By) -> io::Result<()> {
        let find = |stack: &Stack| match by {
            By::Address(address) => stack.interface_of(address.into()),
            By::Number(number) => stack.interface_named(&format!("eth{}", number.checked_sub(1)?)),
        };
        let is_any = match by {
            By::Address(address) => address.is_unspecified(),
            By::Number(number) => number == 0,
        };
        let interface =
            if is_any { None } else { Some(self.host().engine().look(find).ok_or_else(no_such_device)?) };
        self.call(|state, now, id| match change {
            Change::Join => state.stack.join(now, id, interface, group),
            Change::Leave => state.stack.leave(now, id, interface, group),
        })
        .map_err(|error| match error.kind() {
            // Only "any" finds no interface: std says so with the same number as for a name that nobody has.
            io::ErrorKind::AddrNotAvailable if change == Change::Join => no_such_device(),
            _ => error,
        })
    }
}
