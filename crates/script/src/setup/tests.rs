//! Commands as scripts write them.

use super::*;

fn steps(text: &str) -> Vec<Step> {
    parse(&Command { line: 3, text: text.to_owned() }).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn setups(text: &str) -> Vec<Setup> {
    steps(text).into_iter().map(|step| step.setup).collect()
}

fn message(text: &str) -> String {
    parse(&Command { line: 3, text: text.to_owned() }).expect_err(text).to_string()
}

fn sysctl(name: &str, value: &str) -> Setup {
    Setup::Sysctl(Sysctl { name: name.into(), value: value.into(), optional: false })
}

#[test]
fn defaults_come_first_and_what_follows_changes_them() {
    let found = steps(
        "../../common/defaults.sh\n../common/set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0 \\\n /proc/sys/net/ipv4/tcp_wmem=\"4096  50000 4194304\"\n",
    );
    let lines: Vec<u32> = found.iter().map(|step| step.line).collect();
    assert_eq!(found.len(), 2 + defaults::SYSCTLS.len() + 2);
    assert_eq!((lines.first(), lines.last()), (Some(&3), Some(&4)));
    assert_eq!(found[0].setup, Setup::FlushMetrics);
    assert_eq!(found[1].setup, sysctl("net.ipv4.tcp_rmem", "4096 540000 15728640"));
    assert_eq!(found[found.len() - 1].setup, sysctl("net.ipv4.tcp_wmem", "4096 50000 4194304"));
    assert_eq!(setups("/tmp/sysctl_restore_${PPID}.sh"), [Setup::RestoreSysctls]);
}

#[test]
fn sysctls() {
    assert_eq!(
        setups("sysctl -q net.ipv4.a=1 net/ipv4/b=0x2  # c"),
        [sysctl("net.ipv4.a", "1"), sysctl("net.ipv4.b", "0x2")]
    );
    let optional = Sysctl { name: "net.ipv4.a".into(), value: "1".into(), optional: true };
    assert_eq!(setups("sysctl -e -q net.ipv4.a=1"), [Setup::Sysctl(optional)]);
    assert_eq!(setups("echo 1 > /proc/sys/net/ipv4/a"), [sysctl("net.ipv4.a", "1")]);
    for text in ["sysctl -q", "sysctl -z net.ipv4.a=1", "sysctl net.ipv4.a", "sysctl =1", "sysctl a="] {
        message(text);
    }
}

#[test]
fn routes_queues_and_offload() {
    let found = setups(
        "ip -6 route change 2001:DB8::1 via fd3d::0 dev tun0 advmss 600 mtu lock 660 initcwnd 11 rto_min 5ms",
    );
    assert_eq!(
        found,
        [Setup::Route(Route {
            destination: Some("2001:db8::1".parse().expect("an address")),
            via: Some("fd3d::".parse().expect("an address")),
            device: Some("tun0".into()),
            mtu: Some(660),
            mtu_locked: true,
            advmss: Some(600),
            initcwnd: Some(11),
            rto_min: Some(Duration::from_millis(5)),
            ..Route::default()
        })]
    );
    let qdisc = |verb: &str, kind: Option<&str>, limit| {
        Setup::Qdisc(Qdisc { verb: verb.into(), device: "tun0".into(), kind: kind.map(Into::into), limit })
    };
    assert_eq!(
        setups("tc qdisc delete dev tun0 root 2>/dev/null ; tc qdisc add dev tun0 root pfifo limit 0"),
        [qdisc("delete", None, None), qdisc("add", Some("pfifo"), Some(0))]
    );
    let features = vec![("tso".to_owned(), false), ("gso".to_owned(), true)];
    assert_eq!(
        setups("ethtool -K tun0 tso off gso on"),
        [Setup::Offload { device: "tun0".into(), features }]
    );
}

#[test]
fn questions_files_and_times() {
    assert_eq!(setups("nstat > /dev/null"), [Setup::ResetCounters]);
    assert_eq!(setups("nstat | grep TcpX > /dev/null"), [Setup::CounterGrew("TcpX".into())]);
    assert_eq!(
        setups("grep \" 0A \" /proc/net/tcp /proc/net/tcp6 | grep \":1F90\""),
        [Setup::Listening(8080)]
    );
    assert_eq!(setups("/bin/rm -f /tmp/x"), [Setup::RemoveFile("/tmp/x".into())]);
    assert_eq!(
        setups("/bin/dd bs=2 count=5 if=/dev/zero of=/tmp/x status=none"),
        [Setup::ZeroFile { path: "/tmp/x".into(), length: 10 }]
    );
    assert_eq!(setups("sleep .25"), [Setup::Sleep(Duration::from_millis(250))]);
    let parameter =
        Setup::ModuleParameter { module: "tcp_cubic".into(), name: "hystart".into(), value: "3".into() };
    assert_eq!(setups("echo 3 > /sys/module/tcp_cubic/parameters/hystart"), [parameter]);
}

#[test]
fn one_command_stands_in_for_another() {
    let found = setups("sysctl -q a.b=0 &> /dev/null ||\\\n ip tcp_metrics flush all &> /dev/null");
    let [Setup::Otherwise { first: Ok(first), instead }] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((first[0].line, &first[0].setup), (3, &sysctl("a.b", "0")));
    assert_eq!((instead[0].line, &instead[0].setup), (4, &Setup::FlushMetrics));
    let found = setups("frobnicate || true");
    assert!(
        matches!(&found[..], [Setup::Otherwise { first: Err(_), instead }] if instead.is_empty()),
        "{found:?}"
    );
}

#[test]
fn what_is_not_known_is_named() {
    assert_eq!(message("sleep 1\nfrobnicate -x 1"), "line 4: the command 'frobnicate -x 1' is not known");
    for (text, part) in [
        ("ip route change 192.0.2.1 colour 5", "'colour 5'"),
        ("ip route change nowhere", "'nowhere'"),
        ("ip route change 192.0.2.1 mtu lock", "'mtu'"),
        ("ip link show", "'ip link show'"),
        ("tc qdisc add dev tun0 root netem loss 5", "netem"),
        ("ethtool -K tun0 tso maybe", "'tso maybe'"),
        ("nstat | wc -l", "wc -l"),
        ("dd if=/dev/sda", "if=/dev/sda"),
        ("sysctl -q a=1 > /etc/passwd", "/etc/passwd"),
        ("sleep -1", "'-1'"),
        ("echo 1", "echo"),
        ("curl example.org", "curl"),
    ] {
        assert!(message(text).contains(part), "{text}: {}", message(text));
    }
}
