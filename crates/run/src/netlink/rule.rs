//! Which table of routes is looked at when: `RTM_GETRULE` (`include/uapi/linux/fib_rules.h`). Our hosts have the rules that
//! every Linux host begins with, and cannot be given others.

use super::answer::Wish;
use super::message::Message;

/// `FR_ACT_TO_TBL`.
const LOOK_UP: u8 = 1;
/// `FRA_PRIORITY`, `FRA_SUPPRESS_PREFIXLEN`, `FRA_TABLE`, `FRA_PROTOCOL`.
const PRIORITY: u16 = 6;
const SUPPRESSED_PREFIX: u16 = 14;
const TABLE: u16 = 15;
const PROTOCOL: u16 = 21;

/// Priorities and tables.
const RULES_V4: &[(u32, u8)] =
    &[(0, libc::RT_TABLE_LOCAL), (32_766, libc::RT_TABLE_MAIN), (32_767, libc::RT_TABLE_DEFAULT)];
const RULES_V6: &[(u32, u8)] = &[(0, libc::RT_TABLE_LOCAL), (32_766, libc::RT_TABLE_MAIN)];

fn encode(family: i32, priority: u32, table: u8) -> Message {
    let mut fixed = vec![family as u8, 0, 0, 0, table, 0, 0, LOOK_UP];
    fixed.extend(0u32.to_ne_bytes());
    let mut message = Message::new(libc::RTM_NEWRULE, &fixed);
    message.number(TABLE, table.into());
    message.number(SUPPRESSED_PREFIX, u32::MAX);
    message.attribute(PROTOCOL, &[libc::RTPROT_KERNEL]);
    if priority != 0 {
        message.number(PRIORITY, priority);
    }
    message
}

pub(super) fn all(wish: &Wish<'_>) -> Vec<Message> {
    let mut messages = Vec::new();
    for family in wish.families() {
        let rules = if family == libc::AF_INET { RULES_V4 } else { RULES_V6 };
        messages.extend(rules.iter().map(|(priority, table)| encode(family, *priority, *table)));
    }
    messages
}
