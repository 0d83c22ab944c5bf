//! One body for every test, run on the sockets of `tokio::net` and on ours.

mod bodies;
mod place;

use place::{Driven, Kernel, Lan, Loopback};
use std::time::Duration;

/// Longer than anything takes that works, on a busy machine too.
const LONG: Duration = Duration::from_secs(60);

/// Runs each body in every place, on one thread and on several.
macro_rules! everywhere {
    ($($body:ident),+ $(,)?) => {
        everywhere!(@place kernel Kernel $($body)+);
        everywhere!(@place lan Lan $($body)+);
        everywhere!(@place driven Driven $($body)+);
        everywhere!(@place loopback Loopback $($body)+);
    };
    (@place $module:ident $place:ident $($body:ident)+) => {
        mod $module {
            use super::*;
            $(
                mod $body {
                    use super::*;
                    #[tokio::test]
                    async fn one_thread() {
                        tokio::time::timeout(LONG, bodies::$body($place::new())).await.unwrap();
                    }
                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn two_threads() {
                        tokio::time::timeout(LONG, bodies::$body($place::new())).await.unwrap();
                    }
                }
            )+
        }
    };
}

everywhere!(
    echo,
    half_close_by_halves,
    refused,
    reset,
    big_transfer_both_ways,
    many_tasks,
    readiness_and_trying,
    peeking,
    waiting_can_be_cancelled,
    datagrams,
    datagrams_to_a_closed_port,
);
