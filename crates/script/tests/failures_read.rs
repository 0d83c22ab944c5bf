//! What a failure says: the place, what differs field by field, and both sides in the words of a script.

use sockeye_script::run::{IpVersion, Wishes, run};

/// A connection, opened.
const OPEN: &str = "`../common/defaults.sh`
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
   +0 < S 0:0(0) win 65535 <mss 1000,sackOK,nop,nop,nop,wscale 8>
   +0 > S. 0:0(0) ack 1 <...>
  +.1 < . 1:1(0) ack 1 win 1000
   +0 accept(3, ..., ...) = 4
";

/// The failure of a script that goes on so, line by line without the first blanks.
fn said(version: IpVersion, rest: &str) -> Vec<String> {
    let source = if rest.starts_with("0 ") { rest.to_owned() } else { format!("{OPEN}{rest}") };
    let script = sockeye_script::parse("t", &source, &[]).unwrap_or_else(|error| panic!("{error}"));
    let options = vec![("strict_end".to_owned(), None)];
    let outcome = run(&script, &Wishes { ip_version: Some(version), options });
    let failure = outcome.failure.unwrap_or_else(|| panic!("it passed:\n{source}"));
    failure.to_string().lines().map(|line| line.trim_start().to_owned()).collect()
}

#[test]
fn each_says_what_was_expected_and_what_came() {
    let write = "+0 write(4, ..., 1000) = 1000\n";
    let failures: [(&str, IpVersion, String, &[&str]); 13] = [
        (
            "a call that waits",
            IpVersion::V4,
            "+0 read(4, NULL, 10) = -1 ECONNRESET (Reset)\n".into(),
            &["line 9: read does not return"],
        ),
        (
            "another errno",
            IpVersion::V4,
            format!("{write}+0 > P. 1:1001(1000) ack 1\n+0 close(4) = -1 EBADF (Bad)\n"),
            &[
                "line 11: close returned something else",
                "result: expected -1 EBADF, was 0",
                "script: close(4) = -1 EBADF",
                "actual: close(4) = 0",
            ],
        ),
        (
            "no packet",
            IpVersion::V4,
            "+0 > P. 1:1001(1000) ack 1\n".into(),
            &["line 9: no packet came until 2.100000 s", "script: P. 1:1001(1000) ack 1", "actual: nothing"],
        ),
        (
            "a packet too many",
            IpVersion::V4,
            write.into(),
            &[
                "line 9: a packet came that the script does not mention",
                "script: nothing",
                "actual: P. 1:1001(1000) ack 1 win 256",
            ],
        ),
        (
            "another option",
            IpVersion::V4,
            "+.1 < . 1001:2001(1000) ack 1 win 1000\n+0 > . 1:1(0) ack 1 <nop,nop,sack 1:2>\n".into(),
            &[
                "line 10: the stack sent another packet",
                "options: expected <nop,nop,sack 1:2>, was <nop,nop,sack 1001:2001>",
                "script: . 1:1(0) ack 1 <nop,nop,sack 1:2>",
                "actual: . 1:1(0) ack 1 win 268 <nop,nop,sack 1001:2001>",
            ],
        ),
        (
            "too late",
            IpVersion::V4,
            format!("{write}+0 > P. 1:1001(1000) ack 1\n+.1 > P. 1:1001(1000) ack 1\n"),
            &[
                "line 11: packet too late: at 0.400000 s, not at 0.200000 s (tolerance 0.012500 s)",
                "time: expected 0.200000 s, was 0.400000 s",
                "script: P. 1:1001(1000) ack 1",
                "actual: P. 1:1001(1000) ack 1 win 256",
            ],
        ),
        (
            "another state",
            IpVersion::V4,
            format!("{write}+0 > P. 1:1001(1000) ack 1\n+0 %{{ assert tcpi_unacked == 2 }}%\n"),
            &["line 11: assert tcpi_unacked == 2 does not hold (tcpi_unacked = 1)"],
        ),
        (
            "other data",
            IpVersion::V4,
            "+.1 < P. 1:501(500) ack 1 win 1000\n+0 > . 1:1(0) ack 501\n+0 read(4, ..., 1000) = 400\n".into(),
            &[
                "line 11: read returned something else",
                "result: expected 400, was 500",
                "script: read(4, ..., 1000) = 400",
                "actual: read(4, ..., 1000) = 500",
            ],
        ),
        (
            "over IPv6",
            IpVersion::V6,
            format!("{write}+0 > P. 1:1002(1001) ack 1\n"),
            &[
                "line 10: the stack sent another packet",
                "payload length: expected 1001, was 1000",
                "script: P. 1:1002(1001) ack 1",
                "actual: P. 1:1001(1000) ack 1 win 256",
            ],
        ),
        (
            "over mapped addresses",
            IpVersion::Mapped,
            format!("{write}+0 > [ect0] F. 1:1001(1000) ack 2 win 9\n"),
            &[
                "line 10: the stack sent another packet",
                "ECN field: expected [ect0], was [noecn]",
                "flags: expected F., was P.",
                "acknowledgement number: expected 2, was 1",
                "window: expected 9, was 256",
                "script: [ect0] F. 1:1001(1000) ack 2 win 9",
                "actual: P. 1:1001(1000) ack 1 win 256",
            ],
        ),
        (
            "another protocol",
            IpVersion::V4,
            format!("{write}+0 > icmp unreachable frag_needed mtu 1400\n"),
            &[
                "line 10: the stack sent another packet",
                "protocol: expected ICMP, was P. 1:1001(1000) ack 1 win 256",
                "script: icmp unreachable frag_needed mtu 1400",
                "actual: P. 1:1001(1000) ack 1 win 256",
            ],
        ),
        (
            "readiness",
            IpVersion::V4,
            "+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN}], 1, 0) = 1\n".into(),
            &[
                "line 9: poll gave something else than the script says",
                "revents: expected POLLIN of entry 0, was POLLOUT",
            ],
        ),
        (
            "what is not offered",
            IpVersion::V4,
            "+0 fork(4) = 1\n".into(),
            &["line 9: unsupported: call fork"],
        ),
    ];
    for (what, version, rest, expected) in failures {
        assert_eq!(said(version, &rest), expected, "{what}");
    }
}
