//! Two or three hosts wired together in virtual time, driven through the socket calls alone.

mod bounds;
mod catch_all;
mod congestion_marks;
mod datagrams;
mod fast_open;
mod gate;
mod gate_siege;
mod groups;
mod hostile;
mod lifecycle;
mod memory;
mod ports;
mod raw;
mod readiness;
mod replies;
mod reuse_port;
mod routing;
mod signatures;
mod streams;
mod wire;
