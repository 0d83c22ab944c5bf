//! The kernel's side of the cable gets its address and its names from us, by programs that others wrote: busybox's
//! `udhcpc` and `nslookup`.

use crate::namespace::INTERFACE;
use sockeye::Lan;
use sockeye::dhcp::{Server, ServerOptions};
use sockeye::dns::{NameService, Names, Resolvers};
use sockeye::sockeye_device::{Offloads, Tap};
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// What `udhcpc` runs with what it got.
const SCRIPT: &str = "#!/bin/sh\n\
    [ \"$1\" = bound ] || exit 0\n\
    ip addr flush dev $interface scope global\n\
    ip addr add $ip/$mask dev $interface\n\
    ip route add default via $router\n\
    echo \"got $ip/$mask router $router dns $dns domain $domain mtu $mtu hostname $hostname lease $lease\"\n";

/// The output of a program, standard error with it.
fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

pub(crate) fn by_other_peoples_clients() {
    if Command::new("busybox").arg("true").status().is_err() {
        let _ = writeln!(std::io::stderr(), "skipped: busybox is not installed");
        return;
    }
    let lan = Lan::builder().seed(7).build().unwrap();
    let gateway = lan.host("gateway").address("10.9.0.1/28".parse().unwrap()).build().unwrap();
    let names = Names::new("lan");
    names.insert("gateway", "10.9.0.1".parse().unwrap());
    let lease_time = std::time::Duration::from_secs(3600);
    let server =
        Server::start(&gateway, ServerOptions::default().names(&names).lease_time(lease_time)).unwrap();
    let _service = NameService::start(&gateway, &names, Resolvers::Nobody).unwrap();
    let tap = Box::new(Tap::open(INTERFACE, Offloads::Off).unwrap());
    lan.attach("kernel", tap, None).unwrap();

    let script = std::env::temp_dir().join(format!("sockeye-udhcpc-{}", std::process::id()));
    std::fs::write(&script, SCRIPT).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let script_path = script.to_str().unwrap();
    let client =
        ["udhcpc", "-i", INTERFACE, "-f", "-q", "-n", "-t", "5", "-x", "hostname:Kernel", "-s", script_path];
    for _ in 0..2 {
        // The second time it asks for what it had.
        let (is_fine, told) = run("busybox", &client);
        assert!(is_fine, "{told}");
        let got = told.lines().find(|line| line.starts_with("got ")).unwrap_or_else(|| panic!("{told}"));
        assert_eq!(
            got,
            "got 10.9.0.2/28 router 10.9.0.1 dns 10.9.0.1 domain lan mtu 1500 hostname kernel lease 3600"
        );
    }
    std::fs::remove_file(&script).unwrap();
    assert_eq!(names.addresses("kernel"), ["10.9.0.2".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(server.held(), 1);

    let (is_fine, told) = run("ping", &["-c", "1", "-W", "5", "10.9.0.1"]);
    assert!(is_fine, "{told}");
    for (asked, answer) in
        [("gateway.lan", "10.9.0.1"), ("kernel.lan", "10.9.0.2"), ("10.9.0.2", "kernel.lan")]
    {
        let (_, told) = run("busybox", &["nslookup", asked, "10.9.0.1"]);
        assert!(told.contains(answer), "{asked}: {told}");
    }
    let (is_fine, told) = run("busybox", &["nslookup", "nobody.lan", "10.9.0.1"]);
    assert!(!is_fine && told.contains("NXDOMAIN"), "{told}");
    // What the kernel sends to us that is no question.
    let noise = UdpSocket::bind("10.9.0.2:0").unwrap();
    for length in [0, 5, 12, 100, 1400] {
        noise.send_to(&vec![0xa5; length], "10.9.0.1:53").unwrap();
        noise.send_to(&vec![0xa5; length], "10.9.0.1:67").unwrap();
    }
    let (is_fine, told) = run("busybox", &["nslookup", "gateway.lan", "10.9.0.1"]);
    assert!(is_fine, "{told}");
}
