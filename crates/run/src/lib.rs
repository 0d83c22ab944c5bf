//! Unmodified programs on a Sockeye host: any language, dynamically or statically linked, with threads and children.
//!
//! A filter in the kernel (seccomp user notification) hands the program's socket calls to a supervisor in this process, which
//! owns the host. Each socket of the program is a real descriptor: one end of a pair whose other end the supervisor pumps to and
//! from the stack. So reading, writing, polling, duplicating and inheriting are the kernel's own, and only calls that carry
//! addresses or options come here. No privileges are needed.
//!
//! It is a network, not a sandbox: a program that wants to harm its user can do so as ever. See `SECURITY.md`.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let lan = sockeye::Lan::builder().seed(7).build()?;
//! let host = lan.host("host").address("10.0.0.2/24".parse()?).build()?;
//! let mut command = std::process::Command::new("python3");
//! command.args(["-m", "http.server", "8000"]);
//! let program = sockeye_run::Program::start(&host, command)?;
//! let status = program.wait()?;
//! println!("it has ended: {status}");
//! # Ok(())
//! # }
//! ```

mod address;
mod call;
mod doorbell;
mod echo;
mod entry;
mod error;
mod interface;
mod netlink;
mod pairing;
mod peer;
mod process;
mod program;
mod supervisor;
mod sys;
mod table;
mod task;
mod tools;

pub use error::RunError;
pub use program::Program;
