//! Two looks at one frame: going up the sender's cable, and down the receivers', at the moment at which it came out of the first.

use std::collections::BTreeMap;

use sockeye_core::lan::{Fate, Loss, Passage};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::wire::ecn;

use super::row::{Arrival, Marks};
use super::sight::{CableSight, HostIndex};

/// A frame that was held up on its way is looked for so long.
const LATE: Duration = Duration::from_secs(30);
/// So many frames are looked through for one that was held up.
const LOOK_BACK: usize = 1024;
/// So many frames at most are waited for at the switch.
const FRAMES: usize = 65_536;

/// Why a frame is lost, in a word or two.
pub(crate) fn loss(loss: Loss) -> &'static str {
    match loss {
        Loss::Chance => "lost",
        Loss::QueueFull => "queue full",
        Loss::TooBig => "too big",
        Loss::Cut => "cable cut",
        Loss::Requested => "dropped on request",
        Loss::Malformed => "no Ethernet frame",
        _ => "lost otherwise",
    }
}

/// What a cable did.
pub(crate) fn marks(passage: &Passage) -> Marks {
    Marks {
        is_corrupted: passage.corrupted_bit.is_some(),
        is_duplicated: passage.copy_at.is_some(),
        is_held: passage.is_held_back,
        is_marked: passage.is_marked,
    }
}

/// What becomes of a frame on the cable of a receiver.
pub(crate) fn arrival(sight: &CableSight) -> Arrival {
    let host = sight.host;
    match sight.fate {
        Fate::Arrives(passage) => Arrival { host, outcome: Ok(passage.at), copy_at: passage.copy_at },
        Fate::Lost(why) => Arrival { host, outcome: Err(loss(why)), copy_at: None },
    }
}

/// A frame as it comes out of a cable.
pub(crate) fn changed(frame: &[u8], passage: &Passage) -> Vec<u8> {
    let mut changed = frame.to_vec();
    if passage.is_marked
        && let Some(packet) = changed.get_mut(14..)
    {
        ecn::mark(packet);
    }
    if let Some(bit) = passage.corrupted_bit
        && let Some(byte) = changed.get_mut(bit / 8)
    {
        *byte ^= 0x80 >> (bit % 8);
    }
    changed
}

/// Where a frame of a sender's cable is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// It waits to be told, under this key.
    Waiting(super::tape::Key),
    /// It is told, in this row.
    Told(u64),
}

/// A frame that comes out of a sender's cable.
#[derive(Clone, Debug)]
struct Coming {
    place: Place,
    from: HostIndex,
    /// As it comes out, where that is not as it was put in.
    changed: Option<Box<[u8]>>,
    /// The hosts whose cables it went down.
    heard: Vec<HostIndex>,
}

/// When a frame comes out of its cable, and which of those that come then it is.
pub(crate) type Ticket = (Instant, u64);

/// The frames that are waited for at the switch.
#[derive(Debug, Default)]
pub(crate) struct Switchyard {
    coming: BTreeMap<Ticket, Coming>,
    count: u64,
}

impl Switchyard {
    /// A frame is on its way to the switch: once, or twice. The tickets lead to it when it has moved.
    pub(crate) fn expect(
        &mut self,
        sight: &CableSight,
        passage: &Passage,
        place: Place,
    ) -> [Option<Ticket>; 2] {
        let is_changed = passage.corrupted_bit.is_some() || passage.is_marked;
        let out = is_changed.then(|| changed(&sight.frame, passage).into_boxed_slice());
        [Some(passage.at), passage.copy_at].map(|at| {
            let ticket = (at?, self.count);
            self.count += 1;
            let coming = Coming { place, from: sight.host, changed: out.clone(), heard: Vec::new() };
            self.coming.insert(ticket, coming);
            while self.coming.len() > FRAMES {
                self.coming.pop_first();
            }
            Some(ticket)
        })
    }

    /// A frame that waited has been told.
    pub(crate) fn moved(&mut self, tickets: [Option<Ticket>; 2], row: u64) {
        for ticket in tickets.into_iter().flatten() {
            if let Some(coming) = self.coming.get_mut(&ticket) {
                coming.place = Place::Told(row);
            }
        }
    }

    /// Where the frame is that goes down a cable here. `bytes_of` shows what was put in at a place.
    pub(crate) fn find<'a>(
        &mut self,
        sight: &CableSight,
        bytes_of: impl Fn(Place) -> Option<&'a [u8]>,
    ) -> Option<(Place, HostIndex)> {
        let is_it = |coming: &Coming| match &coming.changed {
            Some(changed) => **changed == *sight.frame,
            None => bytes_of(coming.place).is_some_and(|bytes| *bytes == *sight.frame),
        };
        // A flood goes down several cables at one moment, each of which is another look at the same frame; but two frames that
        // go down one cable are two, however equal they are.
        let is_next = |(_, coming): &(&Ticket, &Coming)| {
            coming.from != sight.host && !coming.heard.contains(&sight.host) && is_it(coming)
        };
        let mut now = self.coming.range((sight.at, 0)..=(sight.at, u64::MAX));
        // The cable was held up after the frame had been put in: it comes later than was foreseen.
        let late = || {
            let before = self.coming.range(..(sight.at, 0)).rev().take(LOOK_BACK);
            before.filter(|(_, coming)| coming.heard.is_empty()).filter(is_next).last()
        };
        let ticket = *now.find(is_next).or_else(late)?.0;
        let mut coming = self.coming.remove(&ticket)?;
        let answer = (coming.place, coming.from);
        coming.heard.push(sight.host);
        self.coming.insert((sight.at, ticket.1), coming);
        self.forget(sight.at);
        Some(answer)
    }

    /// Frames that were heard are over when time goes on; the others when nobody can expect them any more.
    pub(crate) fn forget(&mut self, now: Instant) {
        while let Some(entry) = self.coming.first_entry()
            && entry.key().0 < now
            && (!entry.get().heard.is_empty() || entry.key().0 + LATE < now)
        {
            entry.remove();
        }
    }
}
