//! The assistant: sessions that listen, connect, send and receive, on the real machine's sockets or on a host of ours, and their logs.

pub(crate) mod api;
mod conversation;
mod counters;
mod datagram;
mod deliver;
pub(crate) mod download;
mod drive;
mod entry;
pub(crate) mod file;
mod filter;
mod forward;
mod frames;
mod holder;
mod log;
mod opening;
mod peer;
mod periodic;
mod project;
mod reply;
mod session;
mod settings;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use session::Session;
