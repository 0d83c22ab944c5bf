//! The states of a neighbour (RFC 4861 section 7.3), step by step.

use NeighborState::{Delay, Incomplete, Probe, Reachable, Stale};

use super::*;
use crate::hash::SecretState;
use crate::link::neighbor::{Answer, Ask, Due, Neighbors, Unknown};
use crate::link::queue::Parked;

const FAR: Duration = Duration::from_secs(46);

/// A cache in which 10.0.0.2 is in `state` since [`START`], and the time it came to be so.
fn cache_in(state: NeighborState) -> Neighbors {
    let mut cache = Neighbors::new(SecretState::new(1, 2));
    let who = ip("10.0.0.2");
    cache.park(START, who, Parked::copy([b"x", b"", b""], Offload::default()));
    let solicited = Answer { mac: Some(mac(2)), solicited: true, overrides: true };
    match state {
        Incomplete => {}
        Reachable => {
            cache.on_answer(START, who, solicited);
        }
        Stale => {
            cache.on_answer(START, who, Answer { solicited: false, ..solicited });
        }
        _ => {
            cache.on_answer(START, who, Answer { solicited: false, ..solicited });
            cache.resolve(START, who);
        }
    }
    if state == Probe {
        while state_in(&cache) != Some(Probe) {
            cache.pop_due(START + 5 * SECOND);
        }
    }
    assert_eq!(state_in(&cache), Some(state));
    cache
}

fn state_in(cache: &Neighbors) -> Option<NeighborState> {
    cache.iter().next().map(|neighbor| neighbor.state)
}

fn mac_in(cache: &Neighbors) -> Option<MacAddr> {
    cache.iter().next().and_then(|neighbor| neighbor.mac)
}

#[test]
fn answers_by_state_and_flags() {
    let all = [Incomplete, Reachable, Stale, Delay, Probe];
    // MAC heard, solicited, overrides: the state after each of the five, and whether the MAC address is then the new.
    let table = [
        (Some(2), true, true, [Reachable; 5], false),
        (Some(2), true, false, [Reachable; 5], false),
        (Some(2), false, true, [Stale, Reachable, Stale, Delay, Probe], false),
        (Some(3), true, true, [Reachable; 5], true),
        (Some(3), false, true, [Stale; 5], true),
        (Some(3), true, false, [Reachable, Stale, Stale, Delay, Probe], false),
        (Some(3), false, false, [Stale, Stale, Stale, Delay, Probe], false),
        (None, true, true, [Incomplete, Reachable, Reachable, Reachable, Reachable], false),
        (None, false, true, all, false),
    ];
    for (heard, solicited, overrides, after, is_replaced) in table {
        for (before, after) in all.into_iter().zip(after) {
            let mut cache = cache_in(before);
            let answer = Answer { mac: heard.map(mac), solicited, overrides };
            cache.on_answer(START + SECOND, ip("10.0.0.2"), answer);
            let case = format!("{before:?} {answer:?}");
            assert_eq!(state_in(&cache), Some(after), "{case}");
            let expected = match (before, heard) {
                (Incomplete, heard) => heard.map(mac),
                (_, Some(_)) if is_replaced => Some(mac(3)),
                _ => Some(mac(2)),
            };
            assert_eq!(mac_in(&cache), expected, "{case}");
        }
    }
}

#[test]
fn hints_by_state() {
    for before in [Incomplete, Reachable, Stale, Delay, Probe] {
        let mut cache = cache_in(before);
        cache.on_hint(START, ip("10.0.0.2"), mac(3), Unknown::Ignore);
        assert_eq!((state_in(&cache), mac_in(&cache)), (Some(Stale), Some(mac(3))), "{before:?}");
        let mut cache = cache_in(before);
        let is_released = cache.on_hint(START, ip("10.0.0.2"), mac(2), Unknown::Ignore);
        let after = if before == Incomplete { Stale } else { before };
        assert_eq!((state_in(&cache), is_released), (Some(after), before == Incomplete));
    }
}

#[test]
fn confirmation_by_state() {
    for before in [Incomplete, Reachable, Stale, Delay, Probe] {
        let mut cache = cache_in(before);
        cache.confirm(START, ip("10.0.0.2"));
        let after = if before == Incomplete { Incomplete } else { Reachable };
        assert_eq!(state_in(&cache), Some(after));
        assert_eq!(cache.next_due().is_some(), before == Incomplete, "{before:?}: nothing is due any more");
    }
}

#[test]
fn use_by_state() {
    for (before, at, after) in [
        (Reachable, START + 14 * SECOND, Reachable), // at least half of thirty seconds
        (Reachable, START + FAR, Delay),             // at most one and a half times thirty
        (Stale, START, Delay),
        (Delay, START, Delay),
        (Probe, START, Probe),
    ] {
        let mut cache = cache_in(before);
        assert_eq!(cache.resolve(at, ip("10.0.0.2")), Some(mac(2)));
        assert_eq!(state_in(&cache), Some(after), "{before:?}");
    }
    assert_eq!(cache_in(Incomplete).resolve(START, ip("10.0.0.2")), None);
}

#[test]
fn a_neighbour_gone_silent_is_probed_at_its_own_address_and_forgotten() {
    let mut cache = cache_in(Delay);
    let who = ip("10.0.0.2");
    assert_eq!(cache.next_due(), Some(START + 5 * SECOND));
    assert!(cache.pop_due(START + SECOND * 4999 / 1000).is_none());
    for second in [5, 6, 7] {
        let due = cache.pop_due(START + second * SECOND);
        assert!(matches!(due, Some(Due::Ask(ask)) if ask == Ask { address: who, at: Some(mac(2)) }));
        assert_eq!(state_in(&cache), Some(Probe));
        assert_eq!(cache.resolve(START + second * SECOND, who), Some(mac(2)));
    }
    assert!(matches!(cache.pop_due(START + 8 * SECOND), Some(Due::Failed(address, _)) if address == who));
    assert_eq!((cache.iter().count(), cache.next_due()), (0, None));
}

#[test]
fn steady_use_with_confirmation_never_probes() {
    let mut cache = cache_in(Reachable);
    for second in 0..600 {
        let now = START + second * SECOND;
        assert_eq!(cache.resolve(now, ip("10.0.0.2")), Some(mac(2)));
        cache.confirm(now, ip("10.0.0.2"));
        assert!(cache.pop_due(now).is_none());
        assert_eq!(state_in(&cache), Some(Reachable));
    }
}
