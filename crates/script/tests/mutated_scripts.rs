//! Whatever is done to a script, it is read or refused: the parser does not panic.

use proptest::prelude::*;
use sockeye_script::ast::{Action, Code, Command, Packet};
use sockeye_script::expression::{Names, Program};

/// Every construct of the language once.
const SCRIPT: &str = r#"// comment
--tolerance_usecs=5000 --define=CODE="frag_needed" --ip-version=ipv4
`sysctl -q net.ipv4.tcp_sack=1`
   0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3 /* a
 comment */
  +0 bind(3, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("192.0.2.1")}, 16) = 0
 +.1 < 1 > 2 SEWA 0:0(0) win 32792 urg 1 <mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7>
  +0~+.01 > [ect0, flowlabel 0x12345] S. 0:0(0) ack 1 <...>
   * > (tos 0x4) P.5 1:1001(1000) ack 1 win 5 <nop,nop,sack 1:2 3:4>
  +0 < ipv4 192.0.2.1 > 192.0.2.2: gre flags [key present], sum 0, off 0, key=1, seq 2: . 1:1(0) win 1 <FO ab,[01]>
  +0 < mpls (label 0, tc 0, [S], ttl 0): ipv6 2001:db8::1 > fd::2: udp (5)
  +0 < icmp unreachable frag_needed mtu 1400 id 3 [1:1001(1000)]
 0...0.2 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN}], 1, 100) = 1 (note)
  +0 sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 4}], msg_flags=0, msg_control=[{cmsg_level=SOL_TCP, cmsg_type=A, cmsg_data=5}]}, MSG_MORE) = -1 EAGAIN (Try again)
  +0 write(4, "a\x41\n" "b"..., -1) = ?
  +0 %{ assert tcpi_rtt == 5, 'x %d' % tcpi_rtt }%
`/tmp/restore`
"#;

#[test]
fn the_script_is_right_before_it_is_changed() {
    if let Err(error) = sockeye_script::parse("t", SCRIPT, &[]) {
        panic!("{error}");
    }
}

fn read(source: &str) {
    match sockeye_script::parse("t", source, &[("X".into(), "1".into())]) {
        Ok(script) => {
            for event in script.events {
                if let Action::Packet(packet) = event.action {
                    let text = format!("+0 {packet}");
                    let again =
                        sockeye_script::parse("t", &text, &[]).unwrap_or_else(|error| panic!("{error}"));
                    let Action::Packet(again) = &again.events[0].action else {
                        panic!("{text} is no packet")
                    };
                    assert_eq!(Packet { line: packet.line, ..again.clone() }, packet, "{text}");
                }
            }
        }
        Err(error) => assert!(error.to_string().starts_with("t:"), "{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_characters(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<char>()), 1..6)) {
        let mut characters: Vec<char> = SCRIPT.chars().collect();
        for (place, character) in edits {
            let place = place.index(characters.len());
            characters[place] = character;
        }
        read(&characters.into_iter().collect::<String>());
    }

    #[test]
    fn moved_and_lost_pieces(edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, any::<prop::sample::Index>()), 1..5)) {
        let mut characters: Vec<char> = SCRIPT.chars().collect();
        for (from, length, to) in edits {
            let from = from.index(characters.len());
            let end = (from + length).min(characters.len());
            let piece: Vec<char> = characters.drain(from..end).collect();
            let to = to.index(characters.len() + 1);
            if length % 3 != 0 {
                characters.splice(to..to, piece);
            }
            if characters.is_empty() {
                break;
            }
        }
        read(&characters.into_iter().collect::<String>());
    }

    #[test]
    fn any_command(text in "[-<>0-9a-z.:=|\"'%$*;&#/\\n \\\\]{0,60}", name in "(sysctl |ip route change |tc qdisc |dd |sleep |echo |)") {
        let text = format!("{name}{text}");
        if let Ok(steps) = sockeye_script::setup::parse(&Command { line: 1, text }) {
            assert!(steps.iter().all(|step| step.line >= 1));
        }
    }

    #[test]
    fn any_code(text in "(assert |print|x = |x \\+= |)([-<>0-9a-c.=|\"'%*;#/\\\\\n (),&^~]|and|or|not |<=|==|<<|\\*\\*|%d|%5s){0,30}") {
        let code = Code { line: 1, text };
        let info = |name: &str| (name == "a").then_some(i128::MAX);
        if let Ok(program) = Program::parse(&code) {
            let mut names = Names::default();
            let first = program.run(&mut names, &info);
            if let Err(error) = first {
                assert!(error.line >= 1);
            }
            drop(program.run(&mut names, &info));
        }
    }

    #[test]
    fn any_text(source in "[-<>\\[\\](){}0-9a-zA-Z.:=|\"`%*+~,#/\n é]{0,120}") {
        read(&source);
    }
}
