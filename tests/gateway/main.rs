//! The way out of a LAN: hosts of ours, a gateway, and servers on the real machine.
//!
//! Most tests reach them on the real machine's loopback, by way of `host_loopback`. For addresses that are not the machine's
//! own there is a network namespace, with a host of ours beyond a TAP interface; where that is not permitted, those tests
//! say `skipped:` and why.

mod apart;
mod ends;
mod guard;
mod limits;
mod tcp;
mod udp;
#[cfg(target_os = "linux")]
mod world;
