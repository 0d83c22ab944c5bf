//! The quantities a cable is described with, and how they are written: `5%`, `10mbit`, `50ms`, `64kb`.

use core::fmt;
use core::str::FromStr;

use thiserror::Error;

use crate::time::Duration;

/// Text that is not the quantity it should be. It says what was read and shows how to write it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is not {expected}: {hint}")]
pub struct QuantityError {
    text: String,
    expected: &'static str,
    hint: &'static str,
}

/// A probability from 0 to 1, written `5%` or `0.05`.
///
/// ```
/// use sockeye_core::lan::Probability;
/// let loss: Probability = "5%".parse()?;
/// assert_eq!(loss, "0.05".parse()?);
/// assert_eq!(loss.to_string(), "5%");
/// assert!("5".parse::<Probability>().unwrap_err().to_string().contains("5%"));
/// # Ok::<(), sockeye_core::lan::QuantityError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Default)]
pub struct Probability(f64);

impl Probability {
    /// It never happens.
    pub const NEVER: Probability = Probability(0.0);
    /// It always happens.
    pub const ALWAYS: Probability = Probability(1.0);

    /// The probability `value`, or none where that is not between 0 and 1.
    pub fn new(value: f64) -> Option<Probability> {
        (0.0..=1.0).contains(&value).then_some(Probability(value))
    }

    /// A number from 0 to 1.
    pub const fn value(self) -> f64 {
        self.0
    }

    /// Whether it never happens.
    pub fn is_never(self) -> bool {
        self.0 <= 0.0
    }
}

impl FromStr for Probability {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Probability, QuantityError> {
        let error = |hint| QuantityError { text: text.to_owned(), expected: "a probability", hint };
        let value = match text.trim().strip_suffix('%') {
            Some(percent) => decimal(percent.trim_end()).map(|value| value / 100.0),
            None => decimal(text.trim()),
        };
        let value = value.ok_or_else(|| error("write 5% or 0.05"))?;
        Probability::new(value).ok_or_else(|| error("it is at most 100%, or 1; write 5% or 0.05"))
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Six digits hide what dividing by a hundred and multiplying again adds at the far end.
        write!(f, "{}%", (self.0 * 100.0 * 1e6).round() / 1e6)
    }
}

/// The mean length of a burst of losses, in frames: at least 1, written `4` or `2.5`.
///
/// ```
/// use sockeye_core::lan::BurstLength;
/// assert_eq!("2.5".parse::<BurstLength>()?.frames(), 2.5);
/// assert!("0.5".parse::<BurstLength>().is_err());
/// # Ok::<(), sockeye_core::lan::QuantityError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct BurstLength(f64);

impl BurstLength {
    /// Bursts of `frames` frames on average, or none where that is less than one frame or no number.
    pub fn new(frames: f64) -> Option<BurstLength> {
        (frames >= 1.0 && frames.is_finite()).then_some(BurstLength(frames))
    }

    /// The mean number of frames.
    pub const fn frames(self) -> f64 {
        self.0
    }
}

impl FromStr for BurstLength {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<BurstLength, QuantityError> {
        decimal(text.trim()).and_then(BurstLength::new).ok_or_else(|| QuantityError {
            text: text.to_owned(),
            expected: "a mean burst length",
            hint: "write a number of frames, 1 or more, such as 4 or 2.5",
        })
    }
}

impl fmt::Display for BurstLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A rate in bits per second, never zero, written `64kbit`, `10mbit`, `2.5gbit` or `9600bit`.
///
/// ```
/// use sockeye_core::{lan::Rate, time::Duration};
/// let rate: Rate = "10mbit".parse()?;
/// assert_eq!(rate.bits_per_second(), 10_000_000);
/// assert_eq!(rate.duration_of(1250), Duration::from_millis(1));
/// assert_eq!(rate.to_string(), "10mbit");
/// # Ok::<(), sockeye_core::lan::QuantityError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(core::num::NonZeroU64);

impl Rate {
    /// A rate of this many bits per second; none for zero.
    pub const fn new(bits_per_second: u64) -> Option<Rate> {
        match core::num::NonZeroU64::new(bits_per_second) {
            Some(bits) => Some(Rate(bits)),
            None => None,
        }
    }

    /// Bits per second.
    pub const fn bits_per_second(self) -> u64 {
        self.0.get()
    }

    /// How long `bytes` bytes take, rounded up to a nanosecond.
    pub fn duration_of(self, bytes: usize) -> Duration {
        let nanos = (bytes as u128 * 8 * 1_000_000_000).div_ceil(u128::from(self.bits_per_second()));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl FromStr for Rate {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Rate, QuantityError> {
        let error = |hint| QuantityError { text: text.to_owned(), expected: "a rate", hint };
        const FORMS: &str = "write 64kbit, 10mbit or 1gbit (bits per second)";
        let (number, unit) = split_unit(text);
        let number = decimal(number).ok_or_else(|| error(FORMS))?;
        let scale = match unit.strip_suffix("/s").unwrap_or(&unit) {
            "bit" => 1.0,
            "kbit" => 1e3,
            "mbit" => 1e6,
            "gbit" => 1e9,
            _ => return Err(error(FORMS)),
        };
        // `as` saturates, so that an absurd rate becomes the largest there is.
        Rate::new((number * scale).round() as u64)
            .ok_or_else(|| error("a cable needs some rate; write 64kbit or 10mbit"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.bits_per_second();
        let (scale, unit) = match bits {
            1_000_000_000.. => (1e9, "gbit"),
            1_000_000.. => (1e6, "mbit"),
            1_000.. => (1e3, "kbit"),
            _ => (1.0, "bit"),
        };
        write!(f, "{}{unit}", bits as f64 / scale)
    }
}

/// How much may wait for a cable that has a rate, the frame being sent included; what comes on top is lost (tail drop).
///
/// ```
/// use sockeye_core::lan::QueueLimit;
/// assert_eq!("100".parse(), Ok(QueueLimit::Frames(100)));
/// assert_eq!("64kb".parse(), Ok(QueueLimit::Bytes(64_000)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueLimit {
    /// At most so many frames.
    Frames(usize),
    /// At most so many bytes of frames; a frame that is larger by itself still goes into an empty queue.
    Bytes(usize),
}

impl Default for QueueLimit {
    /// A thousand frames: what a network card's driver keeps.
    fn default() -> Self {
        QueueLimit::Frames(1000)
    }
}

impl FromStr for QueueLimit {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<QueueLimit, QuantityError> {
        let error = |hint| QuantityError { text: text.to_owned(), expected: "a queue limit", hint };
        const FORMS: &str = "write a number of frames such as 100, or of bytes such as 64kb, 64kib or 1mb";
        let (number, unit) = split_unit(text);
        let scale = match unit.as_str() {
            "" => {
                let frames = number.parse().map_err(|_| error(FORMS))?;
                return if frames == 0 {
                    Err(error("at least the frame being sent must fit"))
                } else {
                    Ok(QueueLimit::Frames(frames))
                };
            }
            "b" => 1.0,
            "kb" => 1e3,
            "kib" => 1024.0,
            "mb" => 1e6,
            "mib" => 1024.0 * 1024.0,
            _ => return Err(error(FORMS)),
        };
        let bytes = (decimal(number).ok_or_else(|| error(FORMS))? * scale).round() as usize;
        if bytes == 0 {
            Err(error("at least the frame being sent must fit"))
        } else {
            Ok(QueueLimit::Bytes(bytes))
        }
    }
}

impl fmt::Display for QueueLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            QueueLimit::Frames(frames) => write!(f, "{frames} frames"),
            QueueLimit::Bytes(bytes) => write!(f, "{bytes}b"),
        }
    }
}

/// Reads a time: `50ms`, `1.5s`, `200us`, `800ns`, `2min`, or `0`.
///
/// ```
/// use sockeye_core::{lan::parse_duration, time::Duration};
/// assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
/// assert!(parse_duration("50").unwrap_err().to_string().contains("50ms"));
/// ```
///
/// # Errors
/// For what is no number with one of these units, or too long for 64 bits of nanoseconds (584 years).
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    let error = |hint| QuantityError { text: text.to_owned(), expected: "a time", hint };
    const FORMS: &str = "write 50ms, 1.5s or 200us";
    let (number, unit) = split_unit(text);
    let number = decimal(number).ok_or_else(|| error(FORMS))?;
    let nanos = number
        * match unit.as_str() {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "min" => 60e9,
            "" if number == 0.0 => 0.0,
            "" => return Err(error("it needs a unit; write 50ms, 1.5s or 200us")),
            _ => return Err(error(FORMS)),
        };
    if nanos.round() >= u64::MAX as f64 {
        return Err(error("it is too long"));
    }
    Ok(Duration::from_nanos(nanos.round() as u64))
}

/// The number in front and the unit behind it, in lower case.
fn split_unit(text: &str) -> (&str, String) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start().to_lowercase())
}

/// A plain decimal number: digits, at most one point; no sign, no exponent, no infinity.
fn decimal(text: &str) -> Option<f64> {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.').then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn probabilities_are_read() {
        for (text, value) in
            [("0", 0.0), ("0%", 0.0), ("100%", 1.0), ("1", 1.0), (" 12.5 % ", 0.125), (".5", 0.5)]
        {
            assert_eq!(text.parse::<Probability>().map(Probability::value), Ok(value), "{text}");
        }
        for text in ["", "%", "5", "101%", "-1%", "NaN", "inf", "1e-3", "5%%", "five", "1.2.3%"] {
            let error = text.parse::<Probability>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")) && error.contains("5% or 0.05"), "{error}");
        }
    }

    #[test]
    fn rates_are_read() {
        for (text, bits) in [
            ("9600bit", 9600),
            ("64kbit", 64_000),
            ("10Mbit", 10_000_000),
            ("2.5 gbit", 2_500_000_000),
            ("10mbit/s", 10_000_000),
        ] {
            assert_eq!(text.parse::<Rate>().map(Rate::bits_per_second), Ok(bits), "{text}");
        }
        for text in ["", "10", "10mbps", "mbit", "-1mbit", "10 mb", "0.1bit"] {
            assert!(text.parse::<Rate>().unwrap_err().to_string().contains("10mbit"), "{text}");
        }
        assert!("0mbit".parse::<Rate>().is_err());
        assert_eq!(Rate::new(u64::MAX).unwrap().duration_of(usize::MAX), Duration::from_nanos(8_000_000_000));
    }

    #[test]
    fn durations_are_read() {
        for (text, nanos) in [
            ("50ms", 50_000_000),
            ("1.5s", 1_500_000_000),
            ("200us", 200_000),
            ("200µs", 200_000),
            ("7NS", 7),
            ("0", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        assert_eq!(parse_duration("2min"), Ok(Duration::from_secs(120)));
        for text in ["", "50", "ms", "1h", "-5ms", "5 0ms", "1e3ms", "99999999999999999999s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn queue_limits_are_read() {
        for (text, limit) in [
            ("100", QueueLimit::Frames(100)),
            ("1500b", QueueLimit::Bytes(1500)),
            ("64KB", QueueLimit::Bytes(64_000)),
            ("64kib", QueueLimit::Bytes(65_536)),
            ("1.5mb", QueueLimit::Bytes(1_500_000)),
        ] {
            assert_eq!(text.parse(), Ok(limit), "{text}");
        }
        for text in ["", "0", "0kb", "1.5", "x", "10 frames", "-1", "99999999999999999999999"] {
            assert!(text.parse::<QueueLimit>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_read(percent in 0u32..=10_000, bits in 1u64..1_000_000_000_000) {
            let probability = Probability::new(f64::from(percent) / 10_000.0).unwrap();
            let read: Probability = probability.to_string().parse().unwrap();
            prop_assert!((read.value() - probability.value()).abs() < 1e-12);
            prop_assert_eq!(Rate::new(bits).unwrap().to_string().parse(), Ok(Rate::new(bits).unwrap()));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,12}") {
            let _ = (text.parse::<Probability>(), text.parse::<BurstLength>(), text.parse::<Rate>());
            let _ = (text.parse::<QueueLimit>(), parse_duration(&text));
        }
    }
}
