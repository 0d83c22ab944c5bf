//! To how many stations something was addressed.

/// To how many stations a frame or packet was addressed.
///
/// ```
/// use sockeye_core::wire::cast::Cast;
/// assert!(Cast::Unicast.is_unicast());
/// assert!(!Cast::Broadcast.is_unicast());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cast {
    /// To this one.
    Unicast,
    /// To all on the link.
    Broadcast,
    /// To a group.
    Multicast,
}

impl Cast {
    /// Whether it was meant for one station only. What was not is never answered with an error.
    pub const fn is_unicast(self) -> bool {
        matches!(self, Cast::Unicast)
    }
}
