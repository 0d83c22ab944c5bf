//! A TCP/IP stack that lives in your program.
#![forbid(unsafe_code)]
