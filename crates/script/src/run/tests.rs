//! Small scripts of our own, and what becomes of them when a word of theirs is wrong.

use super::{IpVersion, Kind, Outcome, Wishes, run};

/// A connection that is opened, used in both directions and closed.
const TALK: &str = "
--sysctl=net.ipv4.tcp_timestamps=0
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
  +.1 < S 0:0(0) win 32792 <mss 1000,nop,wscale 7>
   +0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 10>
  +.1 < . 1:1(0) ack 1 win 257
   +0 accept(3, ..., ...) = 4
   +0 write(4, ..., 3000) = 3000
   +0 > P. 1:3001(3000) ack 1
  +.1 < P. 1:501(500) ack 3001 win 257
   +0 read(4, ..., 1000) = 500
   +0 > . 3001:3001(0) ack 501
   +0...0.2 read(4, ..., 1000) = 100
  +.2 < P. 501:601(100) ack 3001 win 257
   +0 %{ assert tcpi_unacked == 0, tcpi_unacked }%
   +0 > . 3001:3001(0) ack 601
   +0 close(4) = 0
   +0 > F. 3001:3001(0) ack 601
";

fn play(source: &str, version: IpVersion) -> Outcome {
    let script = crate::parse("test.pkt", source, &[]).unwrap_or_else(|error| panic!("{error}"));
    run(&script, &Wishes { ip_version: Some(version), options: Vec::new() })
}

fn fails(source: &str) -> super::Failure {
    let outcome = play(source, IpVersion::V4);
    outcome.failure.unwrap_or_else(|| panic!("it passed:\n{source}"))
}

#[test]
fn a_script_passes_over_every_ip() {
    for version in [IpVersion::V4, IpVersion::V6, IpVersion::Mapped] {
        let outcome = play(TALK, version);
        assert!(outcome.has_passed(), "{version:?}: {}\n{}", outcome.failure.unwrap(), outcome.ladder);
    }
}

#[test]
fn every_word_that_is_changed_makes_it_fail() {
    for (right, wrong) in [
        ("> S. 0:0(0) ack 1", "> S. 0:0(0) ack 2"),
        ("> S. 0:0(0)", "> S 0:0(0)"),
        ("mss 1460,nop,wscale 10>\n  +.1 < .", "mss 1460,nop,wscale 8>\n  +.1 < ."),
        ("mss 1460,nop,wscale 10>\n  +.1 < .", "mss 1460>\n  +.1 < ."),
        ("> P. 1:3001(3000)", "> P. 1:2001(2000)"),
        ("> P. 1:3001(3000)", "> P. 2:3002(3000)"),
        ("> P. 1:3001(3000)", "> . 1:3001(3000)"),
        ("> P. 1:3001(3000) ack 1", "> P. 1:3001(3000) ack 1 win 1"),
        ("+0 > . 3001", "+.1 > . 3001"),
        ("+0 > . 3001", "+1~+2 > . 3001"),
        ("3001:3001(0) ack 501", "3001:3001(0) ack 601"),
        ("1000) = 500", "1000) = 501"),
        ("1000) = 500", "1000) = -1 EAGAIN (Resource temporarily unavailable)"),
        ("0...0.2 read", "0...0.3 read"),
        ("0...0.2 read", "0...0.1 read"),
        ("tcpi_unacked == 0", "tcpi_unacked == 1"),
        ("> F. 3001", "> R. 3001"),
        ("close(4) = 0", "close(5) = 0"),
    ] {
        assert!(TALK.contains(right), "{right}");
        let failure = fails(&TALK.replacen(right, wrong, 1));
        assert_eq!(failure.kind, Kind::Mismatch, "{right} -> {wrong}: {failure}");
    }
}

#[test]
fn what_is_not_offered_is_named() {
    for (right, wrong, name) in [
        ("bind(3, ..., ...) = 0", "dream(3) = 0", "dream"),
        ("bind(3, ..., ...) = 0", "setsockopt(3, SOL_TCP, TCP_REPAIR, [1], 4) = 0", "TCP_REPAIR"),
        ("net.ipv4.tcp_timestamps=0", "net.ipv4.tcp_dream=0", "tcp_dream"),
        ("bind(3, ..., ...) = 0", "`dream on`", "dream"),
    ] {
        let failure = fails(&TALK.replacen(right, wrong, 1));
        assert_eq!(failure.kind, Kind::Unsupported, "{failure}");
        assert!(failure.text.contains(name), "{failure}");
    }
}

#[test]
fn nothing_is_waited_for_without_end() {
    let waits = "
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
   +0 accept(3, ..., ...) = 4
";
    assert!(fails(waits).text.contains("does not return"));
}
