//! The transport layer: ports, and what stands behind them.

pub mod demux;
pub mod ports;
pub mod tcp;
pub mod udp;
