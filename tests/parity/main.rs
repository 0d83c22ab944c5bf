//! One body for every test, run on the sockets of `std::net` and on ours: what a program sees must be the same.

mod datagram;
mod options;
mod place;
mod stream;

use place::{Kernel, Lan, Loopback};

/// Runs each body in every place.
macro_rules! everywhere {
    ($($module:ident::$body:ident),+ $(,)?) => {
        mod kernel {
            use super::*;
            $(#[test] fn $body() { $module::$body(&Kernel::new()); })+
        }
        mod lan_v4 {
            use super::*;
            $(#[test] fn $body() { $module::$body(&Lan::v4()); })+
        }
        mod lan_v6 {
            use super::*;
            $(#[test] fn $body() { $module::$body(&Lan::v6()); })+
        }
        mod loopback {
            use super::*;
            $(#[test] fn $body() { $module::$body(&Loopback::new()); })+
        }
    };
}

everywhere!(
    stream::echo_and_addresses,
    stream::half_close_both_ways,
    stream::read_timeout,
    stream::write_timeout,
    stream::nonblocking,
    stream::peek_leaves_the_bytes,
    stream::refused,
    stream::linger_of_zero_resets,
    stream::big_transfer_both_ways,
    stream::clones_share_a_connection,
    stream::incoming_connections,
    stream::many_threads_on_one_host,
    stream::shutdown_ends_each_half,
    stream::shutdown_wakes_a_reader,
    stream::writing_to_a_closed_peer_fails,
    stream::two_threads_accept,
    stream::vectored,
    stream::bytes_before_the_end_arrive,
    stream::address_in_use,
    stream::dropped_listener_refuses,
    options::streams_remember_their_options,
    options::timeouts_of_zero_are_refused,
    options::listeners_remember_their_options,
    datagram::unconnected,
    datagram::connected_hears_its_peer_only,
    datagram::closed_port_refuses,
    datagram::cut_short_and_empty,
    datagram::peeking,
    datagram::timeouts_and_nonblocking,
    datagram::errors_of_sending,
    datagram::options_are_remembered,
    datagram::clones_share_a_socket,
);
