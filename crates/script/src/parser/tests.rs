//! Scripts of our own, and what they mean.

use super::parse;
use crate::ast::packet::AccEcnOrder;
use crate::ast::*;
use sockeye_core::time::Duration;

fn script(source: &str) -> Script {
    parse("t.pkt", source, &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn action(source: &str) -> Action {
    let mut script = script(source);
    assert_eq!(script.events.len(), 1, "{source}");
    script.events.remove(0).action
}

fn tcp(source: &str) -> TcpPacket {
    match action(source) {
        Action::Packet(Packet { transport: Transport::Tcp(tcp), .. }) => tcp,
        other => panic!("{source}: {other:?}"),
    }
}

fn call(source: &str) -> SystemCall {
    match action(source) {
        Action::Call(call) => call,
        other => panic!("{source}: {other:?}"),
    }
}

fn message(source: &str) -> String {
    parse("t.pkt", source, &[]).expect_err(source).to_string()
}

#[test]
fn a_script_has_options_commands_and_events_with_their_lines() {
    let script = script(
        "// first\n--mtu=1400 --define=N=\"x y\"\n`setup`\n 0 close(3) = 0\n+.5 `echo`\n* > . 1:1(0) ack 1\n%s`after`\n"
            .replace("%s", "+.1 %{ assert 1 }%\n")
            .as_str(),
    );
    assert_eq!(script.options[0], ScriptOption { line: 2, name: "mtu".into(), value: Some("1400".into()) });
    assert_eq!(script.options[1].value.as_deref(), Some("N=\"x y\""));
    assert_eq!(script.init, Some(Command { line: 3, text: "setup".into() }));
    assert_eq!(script.cleanup, Some(Command { line: 8, text: "after".into() }));
    assert_eq!(script.events.iter().map(|event| event.line).collect::<Vec<_>>(), [4, 5, 6, 7]);
    assert_eq!(script.events[1].action, Action::Command(Command { line: 5, text: "echo".into() }));
    assert_eq!(script.events[3].action, Action::Code(Code { line: 7, text: "assert 1".into() }));
}

#[test]
fn times_are_exact() {
    let time = |source: &str| script(&format!("{source} > . 1:1(0) ack 1")).events[0].time;
    let millis = Duration::from_millis;
    assert_eq!(time("0.1"), Time::Absolute(millis(100)));
    assert_eq!(time("+.3"), Time::Relative(millis(300)));
    assert_eq!(time("*"), Time::Any);
    assert_eq!(time("0.1~0.2"), Time::AbsoluteRange(millis(100), millis(200)));
    assert_eq!(time("+.3~+.303"), Time::RelativeRange(millis(300), millis(303)));
    assert_eq!(time("+2.00000012345"), Time::Relative(Duration::new(2, 123)));
    for source in
        ["+.3~+.2 > . 1:1(0)", "* close(3) = 0", "0~1 < . 1:1(0) win 1", "-1 close(3) = 0", "+1~2 > . 1:1(0)"]
    {
        message(source);
    }
}

#[test]
fn segments() {
    let found = tcp("+0 < 4000 > 8080 SEWA 0:0(0) win 32792 urg 3 <mss 1460,sackOK,nop,nop,wscale 7,nop>");
    assert_eq!(found.ports, Some(Ports { source: 4000, destination: 8080 }));
    assert_eq!(found.flags, TcpFlags { bits: 0x1c2, ace: false });
    assert_eq!((found.window, found.urgent, found.ack), (Some(32792), Some(3), None));
    let TcpOptions::These(options) = found.options else { panic!("any options") };
    assert_eq!(options.len(), 6);
    assert_eq!(options[4], TcpOption::WindowScale(7));

    let found = tcp("+0 > P. 4294967295:999(1000) ack 1 <...>");
    assert_eq!(found.sequence, Sequence { start: u32::MAX, length: 1000 });
    assert_eq!((found.ack, found.window, found.options), (Some(1), None, TcpOptions::Any));
    assert_eq!(tcp("+0 > - 1:1(0)").flags, TcpFlags::default());
    assert_eq!(tcp("+0 > .5 1:1(0)").flags, TcpFlags { bits: 0x150, ace: true });
    assert_eq!(tcp("+0 > S.1 1:1(0)").flags, TcpFlags { bits: 0x052, ace: true });
    assert_eq!(tcp("+0 > FP. 1:1(0)").flags, TcpFlags { bits: 0x019, ace: false });
}

#[test]
fn options_of_segments() {
    let options = |text: &str| match tcp(&format!("+0 > . 1:1(0) <{text}>")).options {
        TcpOptions::These(options) => options,
        TcpOptions::Any => panic!("any options"),
    };
    assert_eq!(options("nop,nop,sack 1:2 3:4")[2], TcpOption::Sack(vec![(1, 2), (3, 4)]));
    assert_eq!(options("nop,nop,TS val 7 ecr 8")[2], TcpOption::Timestamps { value: 7, echo: 8 });
    assert_eq!(options("FO,nop,eol")[0], TcpOption::FastOpen(vec![]));
    // More digits than any integer has.
    let cookie = vec![0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0x78, 0x90];
    assert_eq!(options("FO 12345678901234567890")[0], TcpOption::FastOpen(cookie));
    assert_eq!(options("FOEXP ab12cd34")[0], TcpOption::FastOpenExperimental(vec![0xab, 0x12, 0xcd, 0x34]));
    assert_eq!(options("kind 99 0a0b")[0], TcpOption::Other { kind: 99, data: vec![10, 11] });
    assert_eq!(options("exp f989")[0], TcpOption::Other { kind: 254, data: vec![0xf9, 0x89] });
    assert_eq!(options("[63040102]")[0], TcpOption::Raw(vec![0x63, 4, 1, 2]));
    let counters = TcpOption::AccEcn { first: AccEcnOrder::Ect1First, counters: vec![1, 2, 3] };
    assert_eq!(options("ECN e1b 1 ceb 2 e0b 3,nop")[0], counters);
}

#[test]
fn annotations_and_headers_around() {
    let packet = |source: &str| match action(source) {
        Action::Packet(packet) => packet,
        other => panic!("{source}: {other:?}"),
    };
    assert_eq!(packet("+0 > [ect0] . 1:1(0)").ip.tos, Tos::Ecn(2));
    assert_eq!(packet("+0 > (tos 0x4) . 1:1(0)").ip.tos, Tos::Octet(4));
    let ip = packet("+0 > [ce, flowlabel 0xfffff] . 1:1(0)").ip;
    assert_eq!((ip.tos, ip.flow_label, ip.ttl), (Tos::Ecn(3), Some(0xf_ffff), None));
    assert_eq!(
        packet("+0 < [ttl 3] udp 1 > 2 (5)").transport,
        Transport::Udp(UdpPacket { ports: Some(Ports { source: 1, destination: 2 }), length: 5 })
    );
    let found = packet(
        "+0 < ipv4 192.0.2.1 > 192.0.2.2: gre: mpls (label 5, tc 1, [S], ttl 9): ipv6 1::2 > 2::1: . 1:1(0) win 1",
    );
    assert_eq!(found.encapsulation.len(), 4);
    assert_eq!(packet("+0 > encap psp spi 7 . 1:1(0)").encapsulation, [Encapsulation::Psp { spi: 7 }]);
    let Transport::Icmp(icmp) = packet("+0 < icmp unreachable frag_needed mtu 1400 [1:1001(1000)]").transport
    else {
        panic!("no ICMP")
    };
    assert_eq!(
        (icmp.kind.as_str(), icmp.code.as_deref(), icmp.mtu),
        ("unreachable", Some("frag_needed"), Some(1400))
    );
    assert_eq!(icmp.echoed, EchoedPacket::Tcp(Sequence { start: 1, length: 1000 }));
}

#[test]
fn calls() {
    let found = call("0...0.2 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)");
    assert_eq!((found.name.as_str(), found.until), ("connect", Some(Duration::from_millis(200))));
    let errno = Errno { name: "EINPROGRESS".into(), text: "Operation now in progress".into() };
    assert_eq!((found.result, found.error), (Argument::Integer(-1), Some(errno)));
    let found = call("0 fcntl(3, F_GETFL) = 0x2 (flags O_RDWR|O_NONBLOCK)");
    assert_eq!(
        (found.result, found.note.as_deref()),
        (Argument::Integer(2), Some("flags O_RDWR|O_NONBLOCK"))
    );
    assert_eq!(call("0 x() = ?").result, Argument::Unknown);
    message("1...0.5 read(3) = 0");
}

#[test]
fn arguments() {
    let argument = |text: &str| call(&format!("0 f({text}) = 0")).arguments.remove(0);
    let word = |text: &str| Argument::Word(text.into());
    assert_eq!(argument("A|B|3"), Argument::Or(vec![word("A"), word("B"), Argument::Integer(3)]));
    assert_eq!(argument("\"a\" \"\\x41\\n\\0\""), Argument::Text(b"aA\n\0".to_vec()));
    assert_eq!(argument("\"a\"..."), Argument::TextEllipsis(b"a".to_vec()));
    assert_eq!(argument("[]"), Argument::Array(vec![]));
    assert_eq!(argument("{..., 10}"), Argument::Iovec(10));
    assert_eq!(
        argument("{sa_family=AF_INET6, sin_port=htons(80), sin_addr=inet_addr(\"::1\")}"),
        Argument::Address("[::1]:80".parse().expect("an address"))
    );
    assert_eq!(argument("{onoff=1, linger=5}"), Argument::Linger { onoff: 1, linger: 5 });
    assert!(matches!(argument("{fd=4, events=POLLIN|POLLOUT}"), Argument::PollFd { .. }));
    assert!(
        matches!(argument("{events=EPOLLIN, fd=4}"), Argument::EpollEvent { member, .. } if member == "fd")
    );
    assert!(
        matches!(argument("{tcpi_state=1, tcpi_rto=2}"), Argument::Struct(members) if members.len() == 2)
    );
    assert!(matches!(
        argument("{msg_name(...)=..., msg_iov(1)=[{..., 5}], msg_flags=MSG_A|MSG_B, msg_control=[{cmsg_level=1, cmsg_type=X, cmsg_data=3}]}"),
        Argument::MsgHdr { iov_length: 1, control, .. } if matches!(control[0], Argument::Cmsg { .. })
    ));
    assert_eq!(argument("0xffffffffffffffff"), Argument::Integer(-1));
}

#[test]
fn defines_replace_words_and_the_command_line_wins() {
    let source = "--define=CODE=frag_needed --define=N=7\n+0 < icmp unreachable CODE mtu N";
    let code = |defines: &[(String, String)]| match parse("t", source, defines)
        .expect("a script")
        .events
        .remove(0)
        .action
    {
        Action::Packet(Packet { transport: Transport::Icmp(icmp), .. }) => (icmp.code, icmp.mtu),
        other => panic!("{other:?}"),
    };
    assert_eq!(code(&[]), (Some("frag_needed".into()), Some(7)));
    assert_eq!(code(&[("CODE".into(), "x".into())]), (Some("x".into()), Some(7)));
    assert!(parse("t", source, &[("A".into(), "b c".into())]).is_err());
}

#[test]
fn errors_show_the_place() {
    assert_eq!(
        message("0 close(3) = 0\n\t+0 > X. 1:2(1)\n"),
        "t.pkt:2:7: 'X' is no TCP flag: those are FSRPUEWA and '.'\n    \t+0 > X. 1:2(1)\n    \t     ^"
    );
    for (source, part) in [
        ("+0 > . 1:3(1)", "do not make"),
        ("+0 < . 1:1(0)", "'win'"),
        ("+0 < . 1:1(0) win 65536", "out of range"),
        ("+0 > SS 1:1(0)", "twice"),
        ("+0 > . 1:1(0) <mss 1460,nop>", "multiple of 4"),
        ("+0 > . 1:1(0) <foo>", "'foo' is no TCP option"),
        ("+0 < . 1:1(0) win 1 <...>", "<...> is for"),
        ("+0 close(3", "',' or ')'"),
        ("+0 close(3) = 0 EINVAL", "-1"),
        ("`a`\n+0 x() = 0\n`b`\n+0 y() = 0", "the end of the script"),
        ("+0 > E5 1:1(0)", "ACE"),
        ("+0", "expected a packet"),
    ] {
        assert!(message(source).contains(part), "{source}: {}", message(source));
    }
    assert!(message(&format!("0 f({}) = 0", "[".repeat(1_000_000))).contains("stand in each other"));
}

#[test]
fn what_is_printed_reads_as_the_same_packet() {
    for text in [
        "< 4000 > 8080 SEWA 0:0(0) win 32792 urg 3 <mss 1460,sackOK,nop,nop,wscale 7,eol>",
        "> P. 4294967295:999(1000) ack 1 <...>",
        "> FRPU.5 1:1(0) ack 1 win 0 <nop,nop,TS val 1 ecr 2>",
        "> - 1:1(0) <nop,nop,sack 1:2 3:4>",
        "> [ect01, ttl 3, flowlabel 0x12345] . 1:1(0) <FO,nop,eol,FOEXP,FO aabb,[0a0b0c0d]>",
        "< [tos 0x4] icmp unreachable frag_needed mtu 1400 id 4 [1:1001(1000)]",
        "> . 1:1(0) <ECN e1b 1 ceb 2 e0b 3,kind 99,kind 98 00,nop,nop,nop,md5 0102,nop>",
        "< icmp echo_request [udp (5)]",
        "< icmp echo_request [raw (5)]",
        "< udp 1 > 2 (10)",
        "< udp (10)",
        "< ipv4 [ce] 192.0.2.1 > 192.0.2.2: gre: ipv6 2001:db8::1 > ::1: [ect0] . 1:1(0) win 7",
        "> gre flags 0xb000, sum 1, off 2, key=3, seq 4: mpls (label 1, tc 2, ttl 3) (label 4, tc 5, [S], ttl 6): . 1:1(0)",
        "> [noecn] encap psp spi 7 . 1:1(0)",
    ] {
        let Action::Packet(packet) = action(&format!("+0 {text}")) else { panic!("{text}") };
        assert_eq!(packet.to_string(), text);
    }
}
