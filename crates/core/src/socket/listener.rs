//! A listening socket: the queue of accepted connections, bounded by the backlog, and the count of half-open ones. A gate
//! is a listener that has SYNs wait for its program's word, too.

use std::sync::Arc;

use std::collections::VecDeque;

use crate::table::Handle;
use crate::time::{Duration, Instant};
use crate::transport::tcp::Settings;

/// The largest backlog, as Linux's `net.core.somaxconn`.
pub const MAX_BACKLOG: usize = 4096;

/// For how long after the last SYN cookie an acknowledgement is taken for the answer to one, as on Linux: a cookie can be
/// guessed, with patience, and where none was sent there is nothing to guess.
const COOKIE_LIFETIME: Duration = Duration::from_secs(120);

/// For how long a connection counts that was reset before its handshake was complete, as on Linux.
const RESET_LIFETIME: Duration = Duration::from_secs(60);

/// How a connection ends that was in use before its handshake was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnconfirmedEnd {
    /// Its handshake is complete, or nobody had taken it, or nobody answers.
    Plain,
    /// Reset by the peer in a program's hands.
    Reset,
}

/// What a listener holds. Half-open connections (半连接) are records of their own in the demultiplexer, counted here;
/// complete ones (全连接) wait for `accept` in the queue.
#[derive(Debug)]
pub struct Listener {
    /// Settings every accepted connection starts with.
    pub settings: Arc<Settings>,
    backlog: usize,
    half_open_limit: usize,
    half_open: usize,
    last_cookie: Option<Instant>,
    queue: VecDeque<Handle>,
    /// Of a gate: half-open connections whose SYN its program has not been told of yet.
    held: Option<VecDeque<Handle>>,
    /// Connections in use whose handshake is not complete (RFC 7413).
    unconfirmed: usize,
    /// When those that were reset meanwhile need not be counted any more.
    reset_until: VecDeque<Instant>,
}

impl Listener {
    /// A listener for `backlog` waiting connections (at least one, at most [`MAX_BACKLOG`]) and `half_open_limit`
    /// half-open ones.
    pub fn new(settings: Arc<Settings>, backlog: usize, half_open_limit: usize) -> Self {
        let mut listener = Listener {
            settings,
            backlog: 1,
            half_open_limit,
            half_open: 0,
            last_cookie: None,
            queue: VecDeque::new(),
            held: None,
            unconfirmed: 0,
            reset_until: VecDeque::new(),
        };
        listener.set_backlog(backlog);
        listener
    }

    /// Makes it a gate: SYNs are held until the program says what shall become of them.
    #[must_use]
    pub fn as_gate(self) -> Self {
        Listener { held: Some(VecDeque::new()), ..self }
    }

    /// Whether it is a gate.
    pub const fn is_gate(&self) -> bool {
        self.held.is_some()
    }

    /// A SYN is held that the program is to be told of.
    pub fn push_held(&mut self, handshake: Handle) {
        if let Some(held) = &mut self.held {
            held.push_back(handshake);
        }
    }

    /// The SYN that waits longest for being told of.
    pub fn pop_held(&mut self) -> Option<Handle> {
        self.held.as_mut()?.pop_front()
    }

    /// A SYN need not be told of any more: there are never more of them than half-open connections.
    pub fn forget_held(&mut self, handshake: Handle) {
        if let Some(held) = &mut self.held {
            held.retain(|waiting| *waiting != handshake);
        }
    }

    /// Whether `accept` or `next_syn` would find something.
    pub fn is_readable(&self) -> bool {
        !self.queue.is_empty() || self.held.as_ref().is_some_and(|held| !held.is_empty())
    }

    /// Changes the backlog; what waits already stays.
    pub fn set_backlog(&mut self, backlog: usize) {
        self.backlog = backlog.clamp(1, MAX_BACKLOG);
    }

    /// Whether another connection may enter the accept queue.
    pub fn has_room(&self) -> bool {
        self.queue.len() < self.backlog
    }

    /// Whether another half-open connection may be kept; where not, SYN cookies answer.
    pub fn has_half_open_room(&self) -> bool {
        self.half_open < self.half_open_limit
    }

    /// Counts one more half-open connection.
    pub fn on_half_open(&mut self) {
        self.half_open += 1;
    }

    /// Counts one half-open connection less: complete, refused or given up.
    pub fn on_half_open_end(&mut self) {
        self.half_open = self.half_open.saturating_sub(1);
    }

    /// A SYN cookie was sent.
    pub fn on_cookie(&mut self, now: Instant) {
        self.last_cookie = Some(now);
    }

    /// Whether somebody may still answer a SYN cookie.
    pub fn awaits_cookies(&self, now: Instant) -> bool {
        self.last_cookie.is_some_and(|sent| now.since(sent) <= COOKIE_LIFETIME)
    }

    /// How many half-open connections there are.
    pub const fn half_open(&self) -> usize {
        self.half_open
    }

    /// Whether another connection may be served before its handshake is complete.
    pub fn has_fast_open_room(&mut self, now: Instant) -> bool {
        let limit = self.settings.fast_open.queue as usize;
        if limit > 0 && self.unconfirmed + self.reset_until.len() >= limit {
            // As on Linux one at a time, and only when there is need.
            self.reset_until.pop_front_if(|until| *until <= now);
        }
        self.unconfirmed + self.reset_until.len() < limit
    }

    /// Counts one more such connection.
    pub fn on_unconfirmed(&mut self) {
        self.unconfirmed += 1;
    }

    /// Counts one such connection less: its handshake is complete, or it has failed. One that was reset in a program's
    /// hands still counts for a minute (RFC 7413 section 5.1.2): it may be that somebody forges SYNs and makes their
    /// supposed senders reset.
    pub fn on_unconfirmed_end(&mut self, now: Instant, end: UnconfirmedEnd) {
        self.unconfirmed = self.unconfirmed.saturating_sub(1);
        if end == UnconfirmedEnd::Reset {
            self.reset_until.push_back(now + RESET_LIFETIME);
        }
    }

    /// Puts a complete connection in the queue.
    pub fn push(&mut self, connection: Handle) {
        self.queue.push_back(connection);
    }

    /// The connection that waits longest.
    pub fn pop(&mut self) -> Option<Handle> {
        self.queue.pop_front()
    }

    /// The connections that wait, in order.
    pub fn waiting(&self) -> &VecDeque<Handle> {
        &self.queue
    }

    /// The limit of the accept queue.
    pub const fn backlog(&self) -> usize {
        self.backlog
    }
}
