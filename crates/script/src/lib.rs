//! Scripts that say which packets and socket calls a TCP must answer with which others, and when.
//!
//! The language is packetdrill's. [`ast`] is what a script means, before anything of it has happened;
//! [`run`] lets it happen, on a stack of its own.
#![forbid(unsafe_code)]

pub mod ast;
pub mod constant;
mod error;
pub mod expression;
mod lexer;
mod parser;
pub mod run;
pub mod setup;

pub use error::ScriptError;
pub use parser::parse;
