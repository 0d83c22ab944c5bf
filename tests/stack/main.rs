//! Two or three hosts wired together in virtual time, driven through the socket calls alone.

mod datagrams;
mod routing;
mod streams;
mod wire;
