//! Names: a [`NameService`] answers for those of a LAN's hosts, and asks the real machine's resolvers for all others;
//! [`lookup`] is a client of it.

mod forward;
mod lookup;
mod names;
mod resolvers;
mod service;
mod zone;

pub use lookup::lookup;
pub use names::Names;
pub use resolvers::Resolvers;
pub use service::NameService;
