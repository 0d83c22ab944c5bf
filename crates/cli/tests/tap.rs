//! On TAP and TUN interfaces, with the kernel on the other side, in a namespace of the test's own.

mod running;

use std::process::{Command, Output};

use running::{finish, has};

/// Runs a script in a network of its own; none, said aloud, where that is not permitted.
fn in_a_network(script: &str) -> Option<Output> {
    if !["unshare", "ip", "nc", "ping"].into_iter().all(has) {
        return None;
    }
    let setup = "set -e; ip link set lo up; ip tuntap add dev t0 mode $MODE; ip addr add 10.77.0.1/24 dev t0; \
                 ip addr add fd77::1/64 dev t0 nodad; ip link set t0 up; set +e;";
    for mode in ["tap", "tun"] {
        let probe = Command::new("unshare")
            .args(["--user", "--map-root-user", "--net", "sh", "-c", setup])
            .env("MODE", mode)
            .output()
            .unwrap();
        if !probe.status.success() {
            eprintln!(
                "skipped: no {mode} interface in a namespace: {}",
                String::from_utf8_lossy(&probe.stderr).trim()
            );
            return None;
        }
    }
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-c", &format!("{setup}{script}")]);
    command.env("SOCKEYE", env!("CARGO_BIN_EXE_sockeye")).env("LC_ALL", "C.UTF-8");
    command.env("MODE", if script.contains("tun:t0") { "tun" } else { "tap" });
    Some(finish(&mut command, b""))
}

/// Starts the server as `$server`, and waits until it serves.
const SERVE: &str = r#"
serve() {
    "$SOCKEYE" serve echo:7 discard:9 chargen:19 --ip 10.77.0.2/24 --ip fd77::2/64 "$@" 2>"$said" & server=$!
    for _ in $(seq 500); do grep -q 'chargen on' "$said" && break; sleep 0.02; done
}
said=$(mktemp)
trap 'rm -f "$said"' EXIT
"#;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn kernel_programs_talk_to_it() {
    for options in [
        "--on tap:t0",
        "--on tap:t0 --no-offload --mtu 1400 --mac 02:00:00:00:77:02",
        "--on tun:t0",
        "--on tun:t0 --no-offload",
    ] {
        let script = format!(
            r#"{SERVE} serve {options}
            ping -c 2 -i 0.2 -s 20000 10.77.0.2 | grep -o '[0-9]* received'
            ping -c 2 -i 0.2 fd77::2 | grep -o '[0-9]* received'
            echo hello | nc -N -w 10 10.77.0.2 7
            echo hello6 | nc -N -w 10 fd77::2 7
            head -c 5000000 /dev/zero | nc -N -w 10 10.77.0.2 7 | wc -c
            nc -w 10 fd77::2 19 </dev/null | head -c 3000000 | wc -c
            nc -z -w 5 10.77.0.2 10 || echo refused
            kill -INT $server; wait $server; echo "code $?""#
        );
        let Some(output) = in_a_network(&script) else { return };
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines: Vec<&str> = lines.lines().map(str::trim).collect();
        let expected =
            ["2 received", "2 received", "hello", "hello6", "5000000", "3000000", "refused", "code 130"];
        assert_eq!(lines, expected, "{options}: {}", said(&output));
    }
}

#[test]
fn a_cable_between_the_kernel_and_the_host() {
    let script = format!(
        r#"{SERVE} serve --on tap:t0 --loss 10% --delay 10ms --seed 3 --ladder
        head -c 200000 /dev/zero | nc -N -w 30 10.77.0.2 7 | wc -c
        kill -INT $server; wait $server; echo "code $?"; grep -c 'lost' "$said"; grep -c 'ESTABLISHED$' "$said""#
    );
    let Some(output) = in_a_network(&script) else { return };
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = lines.lines().map(str::trim).collect();
    let [bytes, code, lost, established] = lines[..] else { panic!("{}", said(&output)) };
    assert_eq!((bytes, code), ("200000", "code 130"), "{}", said(&output));
    assert!(lost.parse::<u32>().unwrap() > 1 && established.parse::<u32>().unwrap() > 1, "{}", said(&output));
}

#[test]
fn connect_and_ping_reach_the_kernel() {
    let script = r#"
        sleep 2 | nc -lN 10.77.0.1 5000 >/tmp/$$ & sleep 0.3
        echo from sockeye | "$SOCKEYE" connect 10.77.0.1:5000 --on tap:t0 --ip 10.77.0.2/24 2>/dev/null
        echo "code $?"; wait; cat /tmp/$$; rm /tmp/$$
        "$SOCKEYE" ping 10.77.0.1 -c 2 -i 50ms --on tap:t0 --ip 10.77.0.2/24 2>/dev/null | grep -o '[0-9]* received'
        "$SOCKEYE" connect 10.77.0.1:1 --on tap:t0 --ip 10.77.0.2/24 2>/dev/null; echo "code $?"
        "$SOCKEYE" connect 10.77.0.9:1 --on tap:t0 --ip 10.77.0.2/24 2>/dev/null; echo "code $?"
        "$SOCKEYE" connect example.org:1 --on tap:t0 --ip 10.77.0.2/24 2>/dev/null; echo "code $?""#;
    let Some(output) = in_a_network(script) else { return };
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = lines.lines().map(str::trim).collect();
    assert_eq!(
        lines,
        ["code 0", "from sockeye", "2 received", "code 7", "code 7", "code 6"],
        "{}",
        said(&output)
    );
}
