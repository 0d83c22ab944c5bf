//! Between the hosts of a LAN and the real machine: inwards, [`Published`] carries what reaches a port of the real machine
//! to a host of ours; outwards, [`Gateway`] carries what hosts of ours send to the world through the machine's own sockets.
//!
//! One thread serves each of them, however many connections it carries: real sockets by `mio`, ours by wakers that put
//! their key on a list and ring the same bell ([`doorbell`]). Between the two ends of a connection ([`relay`]) stand two
//! buffers of fixed size; whoever sends too fast fills one, and is stopped by TCP's own means.
//!
//! Inwards: [`listener`], [`service`], and [`sessions`] for UDP. Outwards: [`policy`] says what may pass, [`way`] where it
//! goes, [`crossing`] is the thread, [`connections`], [`flows`] and [`echoes`] are TCP, UDP and ICMP; [`roster`] is what the
//! last two remember.

mod connections;
mod crossing;
mod doorbell;
mod echoes;
mod flows;
mod listener;
mod outward;
mod policy;
mod published;
mod relay;
mod roster;
mod rule;
mod service;
mod sessions;
mod way;

pub use outward::Gateway;
pub use policy::{GatewayPolicy, HostLoopback};
pub use published::Published;
pub(crate) use published::Target;
pub use rule::{GatewayRule, RuleError};
