//! A TCP/IP stack that lives in your program.
