//! The options of a segment: RFC 9293, 7323 (window scale, timestamps), 2018 (SACK), 7413 (fast open), 9768 (accurate ECN).

use core::fmt;

use super::accurate_ecn::{self, AccurateEcn};
use super::seq::SeqNumber;

const END: u8 = 0;
const NOP: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;
const MD5_SIGNATURE: u8 = 19;
const AUTHENTICATION: u8 = 29;
const FAST_OPEN: u8 = 34;
/// RFC 6994: experiments share this kind and are told apart by the two bytes that follow.
const EXPERIMENT: u8 = 254;
/// The experiment that fast open was before it had a kind of its own (RFC 7413 appendix A.1).
const FAST_OPEN_EXPERIMENT: [u8; 2] = [0xf9, 0x89];

/// Received bytes beyond the cumulative acknowledgement: from `left` up to, not including, `right`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SackBlock {
    /// The first byte held.
    pub left: SeqNumber,
    /// The first byte behind it not held.
    pub right: SeqNumber,
}

/// Up to four SACK blocks, the most that the option space holds.
///
/// ```
/// use sockeye_core::wire::tcp::{SackBlock, SackBlocks, SeqNumber};
/// let mut blocks = SackBlocks::new();
/// assert!(blocks.push(SackBlock { left: SeqNumber(10), right: SeqNumber(20) }));
/// assert_eq!(blocks.as_slice().len(), 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SackBlocks {
    blocks: [SackBlock; 4],
    count: u8,
}

impl SackBlocks {
    /// The most blocks a segment without timestamps can carry.
    pub const MAX: usize = 4;
    /// The most blocks a segment with timestamps can carry.
    pub const MAX_WITH_TIMESTAMPS: usize = 3;

    /// No blocks.
    pub const fn new() -> SackBlocks {
        SackBlocks { blocks: [SackBlock { left: SeqNumber(0), right: SeqNumber(0) }; 4], count: 0 }
    }

    /// Adds a block; `false`, and nothing done, when four are there.
    pub fn push(&mut self, block: SackBlock) -> bool {
        let Some(free) = self.blocks.get_mut(usize::from(self.count)) else { return false };
        *free = block;
        self.count += 1;
        true
    }

    /// The blocks in the order of the option: the most recent first.
    pub fn as_slice(&self) -> &[SackBlock] {
        self.blocks.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl FromIterator<SackBlock> for SackBlocks {
    /// The first four blocks.
    fn from_iter<I: IntoIterator<Item = SackBlock>>(blocks: I) -> SackBlocks {
        let mut all = SackBlocks::new();
        for block in blocks.into_iter().take(SackBlocks::MAX) {
            all.push(block);
        }
        all
    }
}

/// The timestamps option (RFC 7323 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timestamps {
    /// The sender's clock.
    pub value: u32,
    /// The peer's clock as last seen; meaningful with ACK.
    pub echo: u32,
}

/// As which option a fast open cookie travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FastOpenForm {
    /// Kind 34 (RFC 7413 section 4.1.1).
    #[default]
    Standard,
    /// Kind 254 with the magic 0xF989, as before the RFC; some servers know no other (appendix A.1).
    Experimental,
}

/// A fast open cookie (RFC 7413): empty asks for one, otherwise 4 to 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct FastOpenCookie {
    bytes: [u8; 16],
    len: u8,
    form: FastOpenForm,
}

impl FastOpenCookie {
    /// The empty cookie, which asks the peer for one.
    pub const REQUEST: FastOpenCookie =
        FastOpenCookie { bytes: [0; 16], len: 0, form: FastOpenForm::Standard };

    /// A cookie of an even number of bytes from 4 to 16, or the empty request; `None` for other lengths.
    pub fn new(cookie: &[u8]) -> Option<FastOpenCookie> {
        if !matches!(cookie.len(), 0 | 4 | 6 | 8 | 10 | 12 | 14 | 16) {
            return None;
        }
        let mut bytes = [0; 16];
        bytes.get_mut(..cookie.len())?.copy_from_slice(cookie);
        Some(FastOpenCookie { bytes, len: cookie.len() as u8, form: FastOpenForm::Standard })
    }

    /// The same cookie as another option.
    #[must_use]
    pub const fn in_form(self, form: FastOpenForm) -> FastOpenCookie {
        FastOpenCookie { form, ..self }
    }

    /// As which option it came, or is to be sent.
    pub const fn form(&self) -> FastOpenForm {
        self.form
    }

    /// The cookie's bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether it is the request for a cookie.
    pub fn is_request(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Debug for FastOpenCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FastOpenCookie").field(&self.as_slice()).field(&self.form).finish()
    }
}

/// The options of a segment as typed fields.
///
/// Read leniently, as Linux does: unknown kinds are skipped by their length; a known kind with a wrong length is
/// skipped too; a length below two or past the end of the header ends the reading, and what was read so far counts.
/// An option given twice counts as last given. Nothing here judges values or whether an option may stand on this
/// segment (MSS, window scale, SACK-permitted and fast open belong on a SYN): that is the connection's business.
///
/// ```
/// use sockeye_core::wire::tcp::{Options, Timestamps};
/// let options = Options {
///     mss: Some(1460),
///     sack_permitted: true,
///     timestamps: Some(Timestamps { value: 1, echo: 0 }),
///     window_scale: Some(7),
///     ..Options::default()
/// };
/// assert_eq!(options.to_string(), "mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7");
/// assert_eq!(Options::parse(options.emit().as_slice()), options);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// The largest segment payload the sender takes, in bytes.
    pub mss: Option<u16>,
    /// How far the sender's window fields are to be shifted; as sent: above 14 means 14 (RFC 7323 section 2.3).
    pub window_scale: Option<u8>,
    /// The sender understands SACK.
    pub sack_permitted: bool,
    /// What the sender holds beyond its acknowledgement.
    pub sack: SackBlocks,
    /// Clocks.
    pub timestamps: Option<Timestamps>,
    /// Fast open cookie, or request for one.
    pub fast_open: Option<FastOpenCookie>,
    /// How many bytes the sender has received with which ECN field.
    pub accurate_ecn: Option<AccurateEcn>,
    /// The sender has signed the segment (RFC 2385, RFC 5925). Only read: nothing here signs.
    pub is_signed: bool,
}

/// Options as bytes: whole words, at most 40 bytes.
#[derive(Debug, Clone, Copy)]
pub struct OptionBytes {
    bytes: [u8; Options::MAX_LEN],
    len: usize,
}

impl OptionBytes {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn room(&self) -> usize {
        Options::MAX_LEN - self.len
    }

    /// Appends the whole of `option` or, when it does not fit, nothing.
    fn push(&mut self, option: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.len..self.len + option.len()) {
            room.copy_from_slice(option);
            self.len += option.len();
        }
    }
}

impl Options {
    /// The most bytes options can take.
    pub const MAX_LEN: usize = 40;

    /// Reads the option bytes of a header. Never fails: see the type.
    pub fn parse(bytes: &[u8]) -> Options {
        let mut options = Options::default();
        // What almost every segment of a running connection carries.
        if let [NOP, NOP, TIMESTAMPS, 10, value @ ..] = bytes
            && let Ok(value) = <&[u8; 8]>::try_from(value)
        {
            options.timestamps = Some(timestamps(value));
            return options;
        }
        let mut rest = bytes;
        loop {
            match *rest {
                [] | [END, ..] => break,
                [NOP, ref after @ ..] => rest = after,
                [kind, len, ..] if len >= 2 => {
                    let Some((option, after)) = rest.split_at_checked(len.into()) else { break };
                    options.take(kind, option.get(2..).unwrap_or_default());
                    rest = after;
                }
                _ => break,
            }
        }
        options
    }

    fn take(&mut self, kind: u8, data: &[u8]) {
        match (kind, data) {
            (MSS, &[a, b]) => self.mss = Some(u16::from_be_bytes([a, b])),
            (WINDOW_SCALE, &[shift]) => self.window_scale = Some(shift),
            (SACK_PERMITTED, []) => self.sack_permitted = true,
            (SACK, blocks) => {
                if let (blocks, []) = blocks.as_chunks::<8>()
                    && !blocks.is_empty()
                {
                    self.sack = blocks.iter().map(sack_block).collect();
                }
            }
            (TIMESTAMPS, data) => {
                if let Ok(data) = <&[u8; 8]>::try_from(data) {
                    self.timestamps = Some(timestamps(data));
                }
            }
            (FAST_OPEN, cookie) => {
                if let Some(cookie) = FastOpenCookie::new(cookie) {
                    self.fast_open = Some(cookie);
                }
            }
            (EXPERIMENT, &[a, b, ref cookie @ ..]) if [a, b] == FAST_OPEN_EXPERIMENT => {
                if let Some(cookie) = FastOpenCookie::new(cookie) {
                    self.fast_open = Some(cookie.in_form(FastOpenForm::Experimental));
                }
            }
            (accurate_ecn::KIND_0 | accurate_ecn::KIND_1, data) => {
                self.accurate_ecn = AccurateEcn::parse(kind, data).or(self.accurate_ecn);
            }
            (MD5_SIGNATURE, data) if data.len() == 16 => self.is_signed = true,
            (AUTHENTICATION, data) if data.len() >= 2 => self.is_signed = true,
            _ => {}
        }
    }

    /// The bytes, in the order and alignment that Linux uses: MSS, SACK-permitted, timestamps, window scale, SACK
    /// blocks (as many as fit), fast open, the counters of accurate ECN (as many as fit). What does not fit is left out.
    pub fn emit(&self) -> OptionBytes {
        let mut out = OptionBytes { bytes: [0; Options::MAX_LEN], len: 0 };
        if let Some(mss) = self.mss {
            let [a, b] = mss.to_be_bytes();
            out.push(&[MSS, 4, a, b]);
        }
        if let Some(Timestamps { value, echo }) = self.timestamps {
            let [a, b, c, d] = value.to_be_bytes();
            let [e, f, g, h] = echo.to_be_bytes();
            let [first, second] = if self.sack_permitted { [SACK_PERMITTED, 2] } else { [NOP, NOP] };
            out.push(&[first, second, TIMESTAMPS, 10, a, b, c, d, e, f, g, h]);
        } else if self.sack_permitted {
            out.push(&[NOP, NOP, SACK_PERMITTED, 2]);
        }
        if let Some(shift) = self.window_scale {
            out.push(&[NOP, WINDOW_SCALE, 3, shift]);
        }
        let count = self.sack.as_slice().len().min(out.room().saturating_sub(4) / 8);
        if count > 0 {
            out.push(&[NOP, NOP, SACK, (2 + 8 * count) as u8]);
            for SackBlock { left, right } in self.sack.as_slice().iter().take(count) {
                let [a, b, c, d] = left.0.to_be_bytes();
                let [e, f, g, h] = right.0.to_be_bytes();
                out.push(&[a, b, c, d, e, f, g, h]);
            }
        }
        if let Some(cookie) = &self.fast_open {
            let [a, b] = FAST_OPEN_EXPERIMENT;
            let (kind, magic): (u8, &[u8]) = match cookie.form {
                FastOpenForm::Standard => (FAST_OPEN, &[]),
                FastOpenForm::Experimental => (EXPERIMENT, &[a, b]),
            };
            let len = 2 + magic.len() + cookie.as_slice().len();
            if out.room() >= len {
                out.push(&[kind, len as u8]);
                out.push(magic);
                out.push(cookie.as_slice());
            }
        }
        if let Some(counters) = &self.accurate_ecn {
            let (option, len) = counters.emit(out.room());
            out.push(option.get(..len).unwrap_or_default());
        }
        while !out.len.is_multiple_of(4) {
            out.push(&[NOP]);
        }
        out
    }

    /// Bytes that [`Options::emit`] gives: a whole number of words.
    pub fn len(&self) -> usize {
        // Data segments of a running connection need no more than this.
        let Options {
            mss: None,
            window_scale: None,
            sack_permitted: false,
            sack,
            timestamps,
            fast_open: None,
            accurate_ecn: None,
            is_signed: _,
        } = self
        else {
            return self.emit().len;
        };
        let clocks = if timestamps.is_some() { 12 } else { 0 };
        match sack.as_slice().len().min((Options::MAX_LEN - clocks - 4) / 8) {
            0 => clocks,
            count => clocks + 4 + 8 * count,
        }
    }

    /// Whether there is no option at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn timestamps(&[a, b, c, d, e, f, g, h]: &[u8; 8]) -> Timestamps {
    Timestamps { value: u32::from_be_bytes([a, b, c, d]), echo: u32::from_be_bytes([e, f, g, h]) }
}

fn sack_block(&[a, b, c, d, e, f, g, h]: &[u8; 8]) -> SackBlock {
    SackBlock {
        left: SeqNumber(u32::from_be_bytes([a, b, c, d])),
        right: SeqNumber(u32::from_be_bytes([e, f, g, h])),
    }
}

impl fmt::Display for Options {
    /// In tcpdump's words and in the order of [`Options::emit`], padding included: `nop,nop,TS val 5 ecr 4`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.emit();
        let mut rest = bytes.as_slice();
        let mut comma = "";
        while let [kind, after @ ..] = rest {
            f.write_str(comma)?;
            comma = ",";
            if *kind == NOP {
                f.write_str("nop")?;
                rest = after;
                continue;
            }
            // Our own bytes: every length is in range. Were it not, the text would end here.
            let len = after.first().map_or(usize::MAX, |len| usize::from(*len));
            let Some((option, after)) = rest.split_at_checked(len.max(2)) else { break };
            rest = after;
            let mut one = Options::default();
            one.take(*kind, option.get(2..).unwrap_or_default());
            one.name(f)?;
        }
        Ok(())
    }
}

impl Options {
    /// Writes the first option that is there in words.
    fn name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(mss) = self.mss {
            write!(f, "mss {mss}")
        } else if let Some(shift) = self.window_scale {
            write!(f, "wscale {shift}")
        } else if self.sack_permitted {
            f.write_str("sackOK")
        } else if let Some(Timestamps { value, echo }) = self.timestamps {
            write!(f, "TS val {value} ecr {echo}")
        } else if let Some(cookie) = self.fast_open {
            if cookie.form == FastOpenForm::Experimental {
                f.write_str("exp-")?;
            }
            if cookie.is_request() {
                return f.write_str("tfo cookiereq");
            }
            f.write_str("tfo cookie ")?;
            cookie.as_slice().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        } else if let Some(counters) = self.accurate_ecn {
            write!(f, "{counters}")
        } else {
            write!(f, "sack {} ", self.sack.as_slice().len())?;
            self.sack.as_slice().iter().try_for_each(|block| write!(f, "{{{}:{}}}", block.left, block.right))
        }
    }
}
