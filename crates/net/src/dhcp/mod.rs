//! Addresses for hosts that have none: DHCP (RFC 2131, RFC 2132), server and client.
//!
//! A [`Server`] runs on a host of ours. A [`Client`] asks before its host is built, on a LAN or on any device, and the
//! host is then built with what it got.

mod client;
mod frame;
mod message;
mod pool;
mod server;

pub use client::{Client, Lease};
pub use server::{Server, ServerOptions};
