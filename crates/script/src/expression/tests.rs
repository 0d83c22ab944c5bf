//! Code as scripts write it, and what Python makes of the same.

use super::*;

fn info(name: &str) -> Option<i128> {
    match name {
        "tcpi_snd_cwnd" => Some(10),
        "tcpi_rtt" => Some(20_000),
        "tcpi_ca_state" => Some(3),
        "tcpi_options" => Some(0x27),
        "tcpi_large" => Some(i128::from(u64::MAX)),
        _ => None,
    }
}

fn run_with(text: &str, names: &mut Names) -> Result<Vec<String>, CodeError> {
    Program::parse(&Code { line: 10, text: text.to_owned() })?.run(names, &info)
}

fn run(text: &str) -> Result<Vec<String>, CodeError> {
    run_with(text, &mut Names::default())
}

/// What `print` shows of an expression.
fn shown(expression: &str) -> String {
    let printed =
        run(&format!("print({expression})")).unwrap_or_else(|error| panic!("{expression}: {error}"));
    printed.join("\n")
}

#[test]
fn assertions_hold_or_tell_the_values() {
    assert_eq!(
        run(
            "assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd; assert 5000 <= tcpi_rtt <= 20000, 'srtt=%d us' % tcpi_rtt"
        ),
        Ok(vec![])
    );
    assert_eq!(run("assert (tcpi_options & TCPI_OPT_SYN_DATA) != 0, tcpi_options"), Ok(vec![]));
    let error = run("\n\nassert tcpi_ca_state == TCP_CA_Open, 'state %d' % tcpi_ca_state").expect_err("open");
    assert_eq!(error.failure, Failure::Assertion);
    assert_eq!(
        error.to_string(),
        "line 12: assert tcpi_ca_state == TCP_CA_Open does not hold: state 3 (tcpi_ca_state = 3)"
    );
    let error = run("assert 100 <= tcpi_snd_cwnd <= 200").expect_err("too small");
    assert_eq!(error.message, "assert 100 <= tcpi_snd_cwnd <= 200 does not hold (tcpi_snd_cwnd = 10)");
}

#[test]
fn lines_go_on_and_comments_end() {
    let text = "assert tcpi_snd_cwnd == 10; \\\n assert tcpi_rtt == 20000, tcpi_rtt;\\\n\n# nothing\nassert (1 ==\n 2)  # 3";
    let error = run(text).expect_err("1 is not 2");
    assert_eq!((error.line, error.failure), (14, Failure::Assertion));
    assert_eq!(run("assert tcpi_rtt;\\"), Ok(vec![]));
}

#[test]
fn names_last_from_block_to_block() {
    let mut names = Names::default();
    run_with("cwnd = 9", &mut names).expect("an assignment");
    let printed =
        run_with("print(tcpi_snd_cwnd, cwnd); cwnd += 1; assert tcpi_snd_cwnd == cwnd, cwnd", &mut names);
    assert_eq!(printed, Ok(vec!["10 9".to_owned()]));
    run_with("cwnd *= 2; assert cwnd == 20", &mut names).expect("twice as much");
    assert!(run("cwnd += 1").expect_err("no such name").message.contains("'cwnd'"));
}

#[test]
fn operators_are_pythons() {
    for (expression, value) in [
        ("1 + 2 * 3", "7"),
        ("-7 // 2", "-4"),
        ("7 // -2", "-4"),
        ("-7 % 3", "2"),
        ("7 % -3", "-2"),
        ("7 / 2", "3.5"),
        ("4 / 2", "2.0"),
        ("-2 ** 2", "-4"),
        ("2 ** 3 ** 2", "512"),
        ("2 ** -1.0", "0.5"),
        ("1 | 2 ^ 3 & 4 << 1", "3"),
        ("~5", "-6"),
        ("-16 >> 2", "-4"),
        ("1 < 2 < 3 and not 3 > 4", "True"),
        ("3 > 2 == 2", "True"),
        ("0 or 5", "5"),
        ("0 and undefined", "0"),
        ("1 == 1.0", "True"),
        ("'a' 'b' + 'c' == \"abc\"", "True"),
        ("'a' == 1", "False"),
        ("(1, 'x')", "(1, 'x')"),
        ("1, 'x'", "1 x"),
        ("(1, 2),", "(1, 2)"),
        ("(1,),", "(1,)"),
        ("(1, 'x'),", "(1, 'x')"),
        ("max(1, 3, 2), min(2, 1), abs(-3), int(2.9)", "3 1 3 2"),
        ("True + True", "2"),
        ("0x1F + 0b11 + 1_000", "1034"),
        ("tcpi_large + 1", "18446744073709551616"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("not 0 == 1", "True"),
        ("None", "None"),
        ("7.5 // 2, -7.5 % 2", "3.0 0.5"),
    ] {
        assert_eq!(shown(expression), value, "{expression}");
    }
}

#[test]
fn formats_are_pythons() {
    for (expression, value) in [
        ("'%d%%' % 5", "5%"),
        ("'%5d|%-5d|%05d|%+d' % (1, 2, -3, 4)", "    1|2    |-0003|+4"),
        ("'%x %X %#x %o' % (255, 255, 255, 8)", "ff FF 0xff 10"),
        ("'%s %r %.2s' % ('a', 'b', 'cde')", "a 'b' cd"),
        ("'%.2f %f %5.1f' % (1.005, 2, -2.25)", "1.00 2.000000  -2.2"),
        ("'%d' % 2.9", "2"),
        ("'%u %ld' % (1, 2)", "1 2"),
    ] {
        assert_eq!(shown(expression), value, "{expression}");
    }
    for (expression, part) in [
        ("'%d' % 'a'", "%d"),
        ("'%d %d' % 1", "too few"),
        ("'%d' % (1, 2)", "too many"),
        ("'%q' % 1", "%q"),
        ("'%' % 1", "'%'"),
        ("'%1000d' % 1", "places"),
    ] {
        let error = run(&format!("print({expression})")).expect_err(expression);
        assert!(error.message.contains(part), "{expression}: {error}");
    }
}

#[test]
fn what_is_not_known_is_named() {
    for (text, part) in [
        ("assert tcpi_nothing == 1", "'tcpi_nothing'"),
        ("assert tcpi_rtt = 1", "'='"),
        ("import os", "'import'"),
        ("if tcpi_rtt: pass", "':'"),
        ("if tcpi_rtt", "'if'"),
        ("for x in y", "'for'"),
        ("assert 1 in (1, 2)", "'in'"),
        ("assert open('x')", "open"),
        ("assert 1 +", "the end"),
        ("assert (1", "the end"),
        ("assert 1)", "')'"),
        ("assert tcpi_rtt.x", "'.x'"),
        ("x = [1]", "'['"),
        ("assert 1 2", "'2'"),
        ("assert 017", "'017'"),
        ("assert 5x", "'5x'"),
        ("assert 'a", "no end"),
        ("assert 1 / 0", "zero"),
        ("assert 1 % 0", "zero"),
        ("assert 'a' < 1", "'<'"),
        ("assert -'a'", "'-'"),
        ("assert 1 << -1", "negative"),
        ("assert 1 << 200", "128"),
        ("assert 10 ** 100", "128"),
        ("assert (1 == 2, 'x')", "tuple"),
        ("and = 1", "'and'"),
        ("print 5", "'('"),
    ] {
        let error = run(text).expect_err(text);
        assert_eq!(error.failure, Failure::Script, "{text}: {error}");
        assert!(error.message.contains(part), "{text}: {error}");
    }
}

#[test]
fn what_is_too_large_is_refused() {
    for text in [
        format!("assert {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("assert {}1", "not ".repeat(100_000)),
        format!("assert {}1", "-".repeat(100_000)),
        format!("assert 1{}", " + 1".repeat(100_000)),
        format!("assert 1{}", " ** 1".repeat(100_000)),
        format!("assert 1{}", " < 1".repeat(100_000)),
        format!("x = 'aaaaaaaa'\n{}", "x += x\n".repeat(64)),
    ] {
        assert_eq!(run(&text).expect_err("too large").failure, Failure::Script);
    }
}
