//! Our stack against the Linux kernel's, over a TAP interface in a network namespace of its own.
//!
//! Each test starts itself again inside `unshare --net`; where that is not permitted it says `skipped:` and why. The
//! sizes can be changed: `SOCKEYE_TRANSFER_MIB` (1024: each way, each family, each role), `SOCKEYE_LOSSY_KIB` (16384)
//! on each of `SOCKEYE_LOSSY_CONNECTIONS` (16: for each family, role and sender, so that a gigabyte passes the bad cable
//! each way; one loss in a hundred and a round trip of 40 ms leave a single one some hundred kilobytes a second),
//! `SOCKEYE_ZERO_WINDOW_SECS` (30).
#![cfg(target_os = "linux")]

mod addresses;
mod capture;
mod closing;
mod connections;
mod datagrams;
mod ends;
mod fast_open;
mod namespace;
mod transfer;
mod urgent;

use ends::World;
use namespace::in_namespace;
use sockeye::sockeye_device::Offloads;

/// A test that runs in a namespace, with or without offloads.
macro_rules! tests {
    ($($name:ident: $offloads:ident => $body:path;)+) => {
        $(
            #[test]
            fn $name() {
                in_namespace(stringify!($name), || $body(&World::open(Offloads::$offloads)));
            }
        )+
    };
}

tests! {
    a_gigabyte_each_way_v4: On => transfer::v4;
    a_gigabyte_each_way_v6: On => transfer::v6;
    a_quarter_gigabyte_each_way_without_offloads: Off => transfer::smaller;
    two_thousand_connections_one_after_the_other: On => connections::sequential;
    five_hundred_connections_at_once: On => connections::simultaneous;
    five_hundred_connections_at_once_without_offloads: Off => connections::simultaneous;
    closed_ports_refuse: On => closing::refused;
    killed_peers: On => closing::killed;
    half_closes: On => closing::half_close;
    a_window_of_zero_is_held: On => closing::zero_window;
    an_interface_that_is_down_for_a_while: On => closing::interface_down;
    pings_in_fragments: On => datagrams::pings;
    pings_in_fragments_without_offloads: Off => datagrams::pings;
    datagrams_of_nine_thousand_bytes: On => datagrams::large;
    datagrams_of_nine_thousand_bytes_without_offloads: Off => datagrams::large;
    data_in_the_syn: On => fast_open::both_ways;
    data_in_the_syn_without_offloads: Off => fast_open::both_ways;
    urgent_data: On => urgent::both_ways;
    datagrams_to_closed_ports: On => datagrams::closed_port;
}

#[test]
fn addresses_and_names() {
    in_namespace("addresses_and_names", addresses::by_other_peoples_clients);
}

#[test]
fn addresses_from_another_server() {
    in_namespace("addresses_from_another_server", addresses::from_other_peoples_server);
}

#[test]
fn through_a_bad_cable() {
    in_namespace("through_a_bad_cable", transfer::through_a_bad_cable);
}

#[test]
fn captures_are_flawless() {
    in_namespace("captures_are_flawless", || capture::judged(Offloads::On));
}

#[test]
fn captures_are_flawless_without_offloads() {
    in_namespace("captures_are_flawless_without_offloads", || capture::judged(Offloads::Off));
}
