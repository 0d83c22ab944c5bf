//! TCP Fast Open (RFC 7413): data in the SYN, and before the handshake is complete.
//!
//! A client that once got a cookie from a server sends it in its SYN together with data (`client`, with what it remembers
//! in `cache`). A server that knows its own cookie again (`key`) makes a connection of the SYN at once, in SYN-RECEIVED:
//! a *child*, which reads and writes before the handshake ends (`child`). Where anything goes wrong it is an ordinary
//! handshake, and the data is sent again behind it.

mod cache;
mod child;
mod client;
mod key;
mod pause;

pub use cache::FastOpenCache;
pub use key::{CookieCheck, FastOpenKeys};
pub use pause::FastOpenPause;

use child::Child;
use client::Attempt;

use crate::wire::tcp::{FastOpenCookie, FastOpenForm};

/// Who may use fast open on a host: the bits of Linux's `tcp_fastopen`. By default clients may.
///
/// ```
/// use sockeye_core::transport::tcp::FastOpen;
/// let both = FastOpen::from_bits(0x403);
/// assert!(both.client && both.server && both.all_listeners && !both.server_without_cookie);
/// assert_eq!((both.bits(), FastOpen::default().bits()), (0x403, 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FastOpen {
    /// 0x1: connections may be opened with data in the SYN.
    pub client: bool,
    /// 0x2: listeners that ask for it take data in the SYN.
    pub server: bool,
    /// 0x4: clients send data even without a cookie (RFC 7413 section 4.2 would have one).
    pub client_without_cookie: bool,
    /// 0x200: listeners take data even without a cookie. Anybody can then fill them with forged SYNs.
    pub server_without_cookie: bool,
    /// 0x400: all listeners take data, those that do not ask for it too.
    pub all_listeners: bool,
}

impl FastOpen {
    /// The meaning of these bits; others mean nothing.
    pub const fn from_bits(bits: u32) -> FastOpen {
        FastOpen {
            client: bits & 0x1 != 0,
            server: bits & 0x2 != 0,
            client_without_cookie: bits & 0x4 != 0,
            server_without_cookie: bits & 0x200 != 0,
            all_listeners: bits & 0x400 != 0,
        }
    }

    /// The bits.
    pub const fn bits(self) -> u32 {
        self.client as u32
            | (self.server as u32) << 1
            | (self.client_without_cookie as u32) << 2
            | (self.server_without_cookie as u32) << 9
            | (self.all_listeners as u32) << 10
    }
}

impl Default for FastOpen {
    fn default() -> Self {
        FastOpen::from_bits(1)
    }
}

/// What one socket wants of fast open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FastOpenOptions {
    /// `TCP_FASTOPEN`: how many connections of a listener may be served before their handshake is complete.
    pub queue: u32,
    /// `TCP_FASTOPEN_CONNECT`: where a cookie is known, `connect` waits for the first write and the SYN takes it along.
    pub connect: bool,
    /// `TCP_FASTOPEN_NO_COOKIE`: no cookie is needed, of this client or at this listener.
    pub no_cookie: bool,
    /// `TCP_FASTOPEN_KEY`: a listener's own keys instead of the host's.
    pub keys: Option<FastOpenKeys>,
}

/// How a client opens a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FastOpenPlan {
    /// The option in the SYN: a cookie, the request for one, or nothing.
    pub option: Option<FastOpenCookie>,
    /// The MSS that the server announced last.
    pub mss: Option<u16>,
    /// The path is suspect: neither option nor data.
    pub is_paused: bool,
}

impl FastOpenPlan {
    /// Whether the SYN may carry data: only who asks for a cookie does not.
    pub fn carries_data(&self) -> bool {
        !self.is_paused && !self.option.is_some_and(|cookie| cookie.is_request())
    }
}

/// What a SYN-ACK has taught about a server: for [`FastOpenCache::learn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FastOpenLesson {
    /// The MSS it announces.
    pub mss: u16,
    /// The cookie it has given.
    pub cookie: Option<FastOpenCookie>,
    /// It was asked for a cookie in this form and gave none.
    pub unanswered: Option<FastOpenForm>,
}

/// Why a client's data did not travel with the SYN: `tcpi_fastopen_client_fail`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FastOpenFailure {
    /// It did, or was never to.
    #[default]
    None = 0,
    /// No cookie was known.
    CookieUnavailable = 1,
    /// The server took the SYN without its data.
    DataNotAcked = 2,
    /// The SYN had to be sent again, alone.
    SynRetransmitted = 3,
}

/// What a connection has to do with fast open.
#[derive(Debug, Default)]
pub(super) struct FastOpenState {
    pub(super) role: Role,
    /// The data of the SYN was acknowledged, ours or the peer's: `TCPI_OPT_SYN_DATA`.
    pub(super) syn_data: bool,
    pub(super) failure: FastOpenFailure,
    /// A client's SYN had the option, or data.
    pub(super) was_tried: bool,
    /// A program waits to write more as soon as the connection is there.
    pub(super) expects_write: bool,
    /// Nothing came through for suspiciously long.
    pub(super) is_suspect: bool,
}

/// Which end of it a connection is.
#[derive(Debug, Default)]
pub(super) enum Role {
    /// The handshake is over.
    #[default]
    Done,
    /// `connect` waits for the first write.
    Deferred,
    /// A client in SYN-SENT or, after a simultaneous open, SYN-RECEIVED.
    Client(Attempt),
    /// What a client has learned.
    Taught(FastOpenLesson),
    /// A server's connection in SYN-RECEIVED.
    Child(Child),
}
