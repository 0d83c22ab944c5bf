//! What is left of programs when they are gone: nothing. (Alone in its binary: it counts this process's descriptors.)

mod harness;

use harness::{Site, held};

#[test]
fn nothing_is_left_of_a_program_that_has_ended() {
    let site = Site::new();
    let before = held();
    if site.run("calls.py", &["tutorial"]).is_none() {
        return;
    }
    assert_eq!(held(), before);
    let snapshot = site.host.snapshot();
    assert!(snapshot.sockets.is_empty(), "{:?}", snapshot.sockets);
}
