//! The supervisor: one thread that answers the program's calls and pumps its bytes.
//!
//! It waits on one epoll set for four sorts of news: a call has been made, something has happened at our end of a pair, the
//! stack has something for a socket (the doorbell), the program's first process has ended. Whatever the news is about has its turn
//! in a queue, so that a busy socket holds up nobody.

use crate::call;
use crate::entry::{Entry, Progress};
use crate::netlink;
use crate::process;
use crate::sys::notification::Listener;
use crate::table::Table;
use crate::tools::{CHILD, DOORBELL, NOTIFICATIONS, Tools};
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventFlags};
use rustix::io::Errno;
use sockeye::Host;
use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

/// News taken at once.
const BATCH: usize = 256;

/// How often sockets are looked after that have no pair: nothing tells when the program closes them.
const SWEEP: Duration = Duration::from_secs(1);

/// So long the last words of connections are waited for when no process of the program is left.
const FAREWELL: Duration = Duration::from_secs(60);

/// An answer that nobody has heard, because a signal came in between: the same call, made again, gets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unheard {
    pub(crate) call: i64,
    pub(crate) arguments: [u64; 6],
    pub(crate) answer: Result<i64, Errno>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Supervisor {
    pub(crate) tools: Tools,
    pub(crate) table: Table<Entry>,
    /// Those that ask about the host itself.
    pub(crate) netlink: Table<netlink::Socket>,
    /// Sockets to look at, in turn.
    pub(crate) work: VecDeque<u64>,
    /// By thread.
    pub(crate) unheard: HashMap<u32, Unheard>,
    /// Whether no process of the program is left.
    is_alone: bool,
    sweep_at: Option<Instant>,
}

impl Supervisor {
    pub(crate) fn new(host: Host, listener: Listener) -> io::Result<Supervisor> {
        Ok(Supervisor {
            tools: Tools::new(host, listener)?,
            table: Table::default(),
            netlink: Table::default(),
            work: VecDeque::new(),
            unheard: HashMap::new(),
            is_alone: false,
            sweep_at: None,
        })
    }

    /// Works until no process of the program is left. `ended` is told how the first one ended, as soon as it has.
    pub(crate) fn run(
        mut self,
        mut child: Child,
        ended: &SyncSender<io::Result<ExitStatus>>,
    ) -> io::Result<()> {
        let pid = rustix::process::Pid::from_child(&child);
        let handle = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
        self.tools.watch(&handle, CHILD, EventFlags::IN | EventFlags::ONESHOT)?;
        let mut events: Vec<Event> = Vec::with_capacity(BATCH);
        let mut until = None;
        loop {
            if self.is_alone {
                let until = *until.get_or_insert_with(|| Instant::now() + FAREWELL);
                if self.table.len() == 0 || Instant::now() >= until {
                    // Without processes that is over; the news of it may still be on its way. Told twice is told once.
                    let _ = ended.try_send(child.wait());
                    return Ok(());
                }
            }
            self.tools.doorbell.rest(&mut self.work);
            let timeout = self.timeout(until).map(|time| Timespec {
                tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: time.subsec_nanos().into(),
            });
            events.clear();
            match epoll::wait(
                &self.tools.epoll,
                rustix::buffer::spare_capacity(&mut events),
                timeout.as_ref(),
            ) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            let mut calls = None;
            for event in events.drain(..) {
                match event.data.u64() {
                    NOTIFICATIONS => calls = Some(event.flags),
                    DOORBELL => self.tools.doorbell.silence(),
                    CHILD => {
                        // Nobody may want to know any more.
                        let _ = ended.try_send(child.wait());
                    }
                    key => self.look(key, event.flags),
                }
            }
            self.tools.doorbell.take(&mut self.work);
            // What the program has closed before it made a call is closed before the call is answered.
            self.take_turns();
            if let Some(flags) = calls {
                self.take_call(flags);
                self.take_turns();
            }
            self.look_at_the_clock();
        }
    }

    fn timeout(&self, until: Option<Instant>) -> Option<Duration> {
        if !self.work.is_empty() {
            return Some(Duration::ZERO);
        }
        let parked = self.tools.deadlines.peek().map(|Reverse((deadline, _))| *deadline);
        let next = parked.into_iter().chain(self.sweep_at).chain(until).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn take_call(&mut self, flags: EventFlags) {
        if flags.contains(EventFlags::HUP) && !flags.contains(EventFlags::IN) {
            self.is_alone = true;
            let _ = epoll::delete(&self.tools.epoll, &self.tools.listener);
            return;
        }
        // An error: the thread was gone before its call could be taken.
        if let Ok(notification) = self.tools.listener.receive() {
            call::answer(self, notification);
        }
    }

    /// Something has happened at our end of a pair.
    fn look(&mut self, key: u64, flags: EventFlags) {
        let is_hung_up = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        if let Some(entry) = self.table.entry(key) {
            entry.front.is_hung_up |= is_hung_up;
            entry.front.has_news |= flags.intersects(EventFlags::IN | EventFlags::HUP);
        } else if let Some(socket) = self.netlink.entry(key) {
            socket.is_hung_up |= is_hung_up;
        }
        self.work.push_back(key);
    }

    /// One turn for each socket that there is news of.
    fn take_turns(&mut self) {
        for _ in 0..self.work.len() {
            let Some(key) = self.work.pop_front() else { break };
            let Some(entry) = self.table.entry(key) else {
                self.ask_netlink(key);
                continue;
            };
            match entry.advance(&mut self.tools) {
                Progress::More => self.work.push_back(key),
                Progress::Over => self.table.remove(key),
                Progress::Waiting => {
                    let is_unwatched = entry.front.is_unwatched();
                    let accepted = entry.take_accepted();
                    self.table.extend(accepted);
                    if is_unwatched {
                        self.expect_sweep();
                    }
                }
            }
        }
    }

    /// The turn of a netlink socket, if it is one.
    fn ask_netlink(&mut self, key: u64) {
        let Some(socket) = self.netlink.entry(key) else { return };
        match socket.advance(&mut self.tools) {
            Progress::More => self.work.push_back(key),
            Progress::Over => self.netlink.remove(key),
            Progress::Waiting => {}
        }
    }

    fn look_at_the_clock(&mut self) {
        if self.tools.deadlines.is_empty() && self.sweep_at.is_none() {
            return;
        }
        let now = Instant::now();
        while let Some(Reverse((deadline, key))) = self.tools.deadlines.peek().copied()
            && deadline <= now
        {
            self.tools.deadlines.pop();
            if let Some(entry) = self.table.entry(key) {
                entry.expire(&self.tools, now);
            } else if let Some(socket) = self.netlink.entry(key) {
                socket.expire(&self.tools, now);
            }
        }
        if self.sweep_at.is_some_and(|at| at <= now) || (self.is_alone && self.sweep_at.is_some()) {
            self.sweep();
        }
    }

    /// Forgets the sockets without pair that no process has any more.
    pub(crate) fn sweep(&mut self) {
        let mut unseen = Vec::new();
        for entry in self.table.entries().filter(|entry| entry.front.is_unwatched()) {
            if !self.tools.is_seen(entry.front.seen, entry.front.inode) {
                unseen.push((entry.front.key, entry.front.inode));
            }
        }
        if !unseen.is_empty() {
            let open = process::open_sockets();
            for (key, inode) in unseen {
                if !open.contains(&inode) {
                    self.table.remove(key);
                }
            }
        }
        let is_any_left = self.table.entries().any(|entry| entry.front.is_unwatched());
        self.sweep_at = is_any_left.then(|| Instant::now() + SWEEP);
    }

    /// Makes sure that sockets without pair are looked after.
    pub(crate) fn expect_sweep(&mut self) {
        if self.sweep_at.is_none() {
            self.sweep_at = Some(Instant::now() + SWEEP);
        }
    }
}
