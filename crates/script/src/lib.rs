//! Scripts that say which packets and socket calls a TCP must answer with which others, and when.
//!
//! The language is packetdrill's. [`ast`] is what a script means, before anything of it has happened.
#![forbid(unsafe_code)]

pub mod ast;
pub mod constant;
mod error;
pub mod expression;
mod lexer;
mod parser;
pub mod setup;

pub use error::ScriptError;
pub use parser::parse;
