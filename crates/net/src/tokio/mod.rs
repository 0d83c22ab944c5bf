//! The sockets of `tokio::net`, on a host of ours.
//!
//! They wait with wakers only: any executor will do, no reactor has to run. The names of methods and their meaning are
//! tokio's. Addresses are given as for `std::net`; a host *name* would be resolved by the operating system, blocking
//! the task, so give socket addresses.
//!
//! ```
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let lan = sockeye::Lan::builder().seed(1).build()?;
//! let server = lan.host("server").address("10.0.0.2/24".parse()?).build()?;
//! let client = lan.host("client").address("10.0.0.3/24".parse()?).build()?;
//! tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//!     let listener = sockeye::tokio::TcpListener::bind(&server, "10.0.0.2:7788").await?;
//!     let mut near = sockeye::tokio::TcpStream::connect(&client, "10.0.0.2:7788").await?;
//!     let (mut far, _peer) = listener.accept().await?;
//!     near.write_all(b"hello").await?;
//!     let mut text = [0; 5];
//!     far.read_exact(&mut text).await?;
//!     assert_eq!(&text, b"hello");
//!     Ok::<(), std::io::Error>(())
//! })?;
//! # Ok(())
//! # }
//! ```

mod attempt;
mod datagram;
pub(crate) mod driver;
mod listener;
mod socket;
mod split;
mod stream;

pub use datagram::UdpSocket;
pub use listener::TcpListener;
pub use socket::TcpSocket;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use stream::TcpStream;
