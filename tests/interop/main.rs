//! Transfers between our stack and the Linux kernel's with each option of TCP on and off at either end: what both ends
//! want is used, what one of them does not want is not, by what our end says and by what crosses the wire, and the bytes arrive
//! in every case. tshark, where it is installed,
//! finds no fault with what crossed the wire.
//!
//! Each test runs in a network namespace of its own, whose sysctls it sets; where that is not permitted it says `skipped:`.
#![cfg(target_os = "linux")]

mod capture;
mod exchange;
mod fast_open;
mod matrix;
#[path = "../kernel_tap/namespace.rs"]
mod namespace;
mod wire;

use namespace::in_namespace;

#[test]
fn every_option_on_and_off() {
    in_namespace("every_option_on_and_off", matrix::on_a_wire);
}

#[test]
fn every_option_on_and_off_through_a_bad_cable() {
    in_namespace("every_option_on_and_off_through_a_bad_cable", matrix::through_a_bad_cable);
}

#[test]
fn fast_open_on_and_off() {
    in_namespace("fast_open_on_and_off", fast_open::on_and_off);
}
