//! Who is spoken for by which real socket: a bounded number of conversations, forgotten when they have been silent.

use mio::Registry;
use sockeye_core::stack::Received;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

/// A real socket that can be taken out of a registry.
pub(super) trait Real {
    /// It is about to be closed.
    fn deregister(&mut self, registry: &Registry);
}

/// What is kept of a conversation.
pub(super) struct Conversation<E, R> {
    ends: E,
    pub(super) real: R,
    /// What came last from inside: an ICMP error is about that.
    pub(super) last_heard: Received,
    /// When it is forgotten if nothing passes.
    pub(super) until: Instant,
}

/// All conversations of a kind, by number and by their ends inside.
pub(super) struct Roster<E, R> {
    all: HashMap<usize, Conversation<E, R>>,
    by_ends: HashMap<E, usize>,
    next: usize,
}

impl<E: Copy + Eq + Hash, R: Real> Roster<E, R> {
    pub(super) fn new() -> Roster<E, R> {
        Roster { all: HashMap::new(), by_ends: HashMap::new(), next: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The conversation between these ends.
    pub(super) fn find(&self, ends: &E) -> Option<usize> {
        self.by_ends.get(ends).copied()
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut Conversation<E, R>> {
        self.all.get_mut(&number)
    }

    /// Begins a conversation with the socket that `open` makes for its number; numbers are not used twice. If there are
    /// `limit` already, the one that would be forgotten first is forgotten now.
    ///
    /// # Errors
    /// What `open` says.
    pub(super) fn begin<X>(
        &mut self,
        (ends, heard): (E, &Received),
        limit: usize,
        registry: &Registry,
        open: impl FnOnce(usize) -> Result<R, X>,
    ) -> Result<usize, X> {
        if self.all.len() >= limit.max(1)
            && let Some(oldest) =
                self.all.iter().min_by_key(|(_, entry)| entry.until).map(|(oldest, _)| *oldest)
        {
            self.remove(oldest, registry);
        }
        let number = self.next;
        let real = open(number)?;
        self.next += 1;
        self.by_ends.insert(ends, number);
        self.all.insert(number, Conversation { ends, real, last_heard: *heard, until: Instant::now() });
        Ok(number)
    }

    /// Forgets those that have been silent for too long.
    pub(super) fn sweep(&mut self, registry: &Registry) {
        let now = Instant::now();
        let silent: Vec<_> =
            self.all.iter().filter(|(_, entry)| entry.until <= now).map(|(number, _)| *number).collect();
        silent.into_iter().for_each(|number| self.remove(number, registry));
    }

    fn remove(&mut self, number: usize, registry: &Registry) {
        if let Some(mut conversation) = self.all.remove(&number) {
            self.by_ends.remove(&conversation.ends);
            conversation.real.deregister(registry);
        }
    }
}
