//! Received bytes cut into frames, for the view: where each of them begins and ends in the log.
//!
//! A frame stands where its first byte was received. Until its end has come it is open, and grows.

use std::collections::{HashMap, VecDeque};

use super::entry::{Body, Channel, Entry, Kind};
use crate::web::text::framing::Mode;
use crate::web::text::{Cutter, Encoding, Framing};
use crate::web::trouble::Trouble;

/// Frames that are kept: a stream of newlines has one each byte.
const FRAMES: usize = 200_000;

/// Something that is shown when the view is framed.
#[derive(Debug)]
pub(crate) enum Item {
    /// An entry as it is, by its number.
    Entry(u64),
    /// A frame.
    Frame(Frame),
}

/// A frame.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The entry in which it begins.
    pub(crate) entry: u64,
    /// Where in that entry.
    pub(crate) offset: usize,
    /// The last entry that has bytes of it.
    pub(crate) last: u64,
    /// Its bytes so far.
    pub(crate) length: usize,
    /// Whether its end has not come.
    pub(crate) is_open: bool,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Frames {
    framing: Framing,
    first: u64,
    items: VecDeque<Item>,
    cuts: HashMap<Channel, Cut>,
}

/// Where a channel stands.
#[derive(Debug)]
struct Cut {
    cutter: Cutter,
    /// The number of the frame that is open.
    open: Option<u64>,
}

impl Frames {
    /// None yet; `None` where calls are shown as they were.
    ///
    /// # Errors
    /// A framing that cannot be.
    pub(crate) fn new(framing: &Framing) -> Result<Option<Frames>, Trouble> {
        framing.cutter(Encoding::Utf8)?;
        let frames =
            Frames { framing: framing.clone(), first: 0, items: VecDeque::new(), cuts: HashMap::new() };
        Ok((framing.mode != Mode::None).then_some(frames))
    }

    /// The number of the first.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// The one at a number.
    pub(crate) fn item(&self, number: u64) -> Option<&Item> {
        self.items.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.first += self.items.len() as u64;
        self.items.clear();
        self.cuts.clear();
    }

    /// Takes an entry; whether a frame that was shown already has changed.
    pub(crate) fn add(&mut self, number: u64, entry: &Entry, encoding: Encoding) -> bool {
        let (Kind::Received, Body::Stream(bytes, _), Some(channel)) =
            (entry.kind, &entry.body, entry.channel)
        else {
            self.push(Item::Entry(number));
            return false;
        };
        let mut cut = match self.cuts.remove(&channel) {
            Some(cut) => cut,
            None => match self.framing.cutter(encoding) {
                Ok(cutter) => Cut { cutter, open: None },
                Err(_) => {
                    self.push(Item::Entry(number));
                    return false;
                }
            },
        };
        let had_open = cut.open.is_some();
        let mut from = 0;
        for end in cut.cutter.feed(entry.at, bytes) {
            self.extend(&mut cut, number, from, end);
            if let Some(frame) = cut.open.take().and_then(|open| self.frame(open)) {
                frame.is_open = false;
            }
            from = end;
        }
        if from < bytes.len() {
            self.extend(&mut cut, number, from, bytes.len());
        }
        self.cuts.insert(channel, cut);
        had_open
    }

    /// More bytes of the frame that is open, or of a new one.
    fn extend(&mut self, cut: &mut Cut, number: u64, from: usize, end: usize) {
        let more = end - from;
        match cut.open.and_then(|open| self.frame(open)) {
            Some(_) if more == 0 => {}
            Some(frame) => {
                frame.length += more;
                frame.last = number;
            }
            None if more == 0 => {}
            None => {
                let frame = Frame { entry: number, offset: from, last: number, length: more, is_open: true };
                cut.open = Some(self.push(Item::Frame(frame)));
            }
        }
    }

    /// What has not ended ends so; whether there was something.
    pub(crate) fn end_channel(&mut self, channel: Channel) -> bool {
        let open = self.cuts.remove(&channel).and_then(|cut| cut.open);
        match open.and_then(|open| self.frame(open)) {
            Some(frame) => {
                frame.is_open = false;
                true
            }
            None => false,
        }
    }

    /// Forgets what begins before an entry.
    pub(crate) fn forget_before(&mut self, entry: u64) {
        while let Some(oldest) = self.items.front() {
            let begins = match oldest {
                Item::Entry(begins) => *begins,
                Item::Frame(frame) => frame.entry,
            };
            if begins >= entry && self.items.len() <= FRAMES {
                return;
            }
            self.items.pop_front();
            self.first += 1;
        }
    }

    fn frame(&mut self, number: u64) -> Option<&mut Frame> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        match self.items.get_mut(index)? {
            Item::Frame(frame) => Some(frame),
            Item::Entry(_) => None,
        }
    }

    fn push(&mut self, item: Item) -> u64 {
        self.items.push_back(item);
        self.first + self.items.len() as u64 - 1
    }
}
