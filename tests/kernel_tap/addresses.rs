//! The kernel's side of the cable gets its address and its names from us, by programs that others wrote: busybox's
//! `udhcpc` and `nslookup`.

use crate::namespace::INTERFACE;
use sockeye::dhcp::{Client, Server, ServerOptions};
use sockeye::dns::{NameService, Names, Resolvers};
use sockeye::sockeye_device::{Offloads, Tap};
use sockeye::{Lan, MacAddr};
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

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

/// A program at work; killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn has_busybox() -> bool {
    let found = Command::new("busybox").arg("true").status().is_ok();
    if !found {
        let _ = writeln!(std::io::stderr(), "skipped: busybox is not installed");
    }
    found
}

/// Our client asks busybox's `udhcpd`, by a device and over a cable.
pub(crate) fn from_other_peoples_server() {
    if !has_busybox() {
        return;
    }
    let folder = std::env::temp_dir().join(format!("sockeye-udhcpd-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let settings = format!(
        "start 10.77.0.20\nend 10.77.0.22\ninterface {INTERFACE}\nlease_file {}\npidfile {}\n\
         option subnet 255.255.255.0\nopt router 10.77.0.1\nopt dns 10.77.0.1 9.9.9.9\n\
         option domain example\noption lease 600\n",
        file("leases"),
        file("pid"),
    );
    std::fs::write(file("leases"), "").unwrap();
    std::fs::write(file("udhcpd.conf"), settings).unwrap();
    let mut command = Command::new("busybox");
    command.args(["udhcpd", "-f", &file("udhcpd.conf")]).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Running(command.spawn().unwrap());
    let client = |number| Client::new(MacAddr([2, 0, 0, 0, 9, number])).host_name("ours");

    let mut tap = Tap::open(INTERFACE, Offloads::Off).unwrap();
    let lease = client(1).lease_on(&mut tap).unwrap();
    let pool = ["10.77.0.20/24", "10.77.0.21/24", "10.77.0.22/24"];
    assert!(pool.contains(&lease.address.to_string().as_str()), "{lease:?}");
    assert_eq!(lease.gateway, Some([10, 77, 0, 1].into()));
    assert_eq!(lease.dns, [[10, 77, 0, 1].into(), std::net::IpAddr::from([9, 9, 9, 9])]);
    assert_eq!(lease.domain.as_deref(), Some("example"));
    assert_eq!(lease.lease_time, Some(std::time::Duration::from_secs(600)));
    assert_eq!(client(1).lease_on(&mut tap).unwrap().address, lease.address, "the same again");
    let informed = client(2).inform_on(&mut tap, [10, 77, 0, 99].into()).unwrap();
    assert_eq!((informed.gateway, informed.lease_time), (lease.gateway, None));

    let lan = Lan::builder().seed(7).build().unwrap();
    lan.attach("kernel", Box::new(tap), None).unwrap();
    let first = lease.address;
    let lease = client(3).lease(&lan).unwrap();
    assert!(pool.contains(&lease.address.to_string().as_str()) && lease.address != first, "{lease:?}");
    let host = lan.host("ours").mac(MacAddr([2, 0, 0, 0, 9, 3])).address(lease.address).build().unwrap();
    let (is_fine, told) = run("ping", &["-c", "1", "-W", "5", &lease.address.address().to_string()]);
    assert!(is_fine, "{told}");
    drop(host);
    drop(server);
    std::fs::remove_dir_all(&folder).unwrap();
}

pub(crate) fn by_other_peoples_clients() {
    if !has_busybox() {
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
