//! `sockeye doctor`: what works on this machine, and what to do about what does not.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write, stdout};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sockeye::{Cidr, Lan, PingSocket};
use sockeye_run::Program;

use crate::folder::Folder;

/// What a check found.
enum Finding {
    /// It works; what exactly was seen.
    Ok(String),
    /// It does not; what to do about it.
    Not(String),
}

use Finding::{Not, Ok as Fine};

type Check = fn() -> Finding;

/// Prints one line for each thing looked at. Nothing found missing is a failure of this command.
pub(crate) fn run() {
    let checks: [(&str, Check); 10] = [
        ("serve, connect and ping on a private LAN", private_lan),
        ("LANs with names, and ss", folder),
        ("ports below 1024 of the real machine", low_ports),
        ("/dev/net/tun", tun_device),
        ("making TAP and TUN interfaces (CAP_NET_ADMIN)", net_admin),
        ("user namespaces", user_namespaces),
        ("run (seccomp user notification)", foreign_programs),
        ("ping with --on os", os_ping),
        ("tshark", || program("tshark", "reads captures in the terminal")),
        ("wireshark", || program("wireshark", "shows captures")),
    ];
    for (what, check) in checks {
        let line = match check() {
            Fine(seen) => format!("ok   {what}: {seen}"),
            Not(advice) => format!("not  {what}: {advice}"),
        };
        if writeln!(stdout(), "{line}").is_err() {
            return;
        }
    }
}

fn private_lan() -> Finding {
    match echo_over_a_lan() {
        Ok(time) => Fine(format!("an echo between two hosts took {time:.0?}, no privileges needed")),
        Err(error) => Not(format!("{error} (is a limit of threads or descriptors too low? ulimit -a)")),
    }
}

fn folder() -> Finding {
    match Folder::open() {
        Ok(folder) => Fine(format!("processes of this user meet in {}", folder.path("").display())),
        Err(failure) => Not(failure.line),
    }
}

/// Makes a LAN, and lets one host on it ask the other.
fn echo_over_a_lan() -> io::Result<Duration> {
    let lan = Lan::builder().build()?;
    let [asking, asked] = ["10.0.0.2/24", "10.0.0.3/24"].map(|address| {
        let address: Cidr = address.parse().map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
        let host = lan.host(address.to_string()).address(address);
        host.build().map_err(io::Error::from)
    });
    let (asking, _asked) = (asking?, asked?);
    let socket = PingSocket::new(&asking, IpAddr::from([10, 0, 0, 3]))?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    let start = Instant::now();
    socket.send(1, b"doctor")?;
    socket.receive(&mut [0; 16])?;
    Ok(start.elapsed())
}

fn low_ports() -> Finding {
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let first = first.ok().and_then(|text| text.trim().parse::<u16>().ok()).unwrap_or(1024);
    const CAP_NET_BIND_SERVICE: u32 = 10;
    if has_capability(CAP_NET_BIND_SERVICE) {
        Fine("any port, this user has CAP_NET_BIND_SERVICE".to_owned())
    } else if first == 0 {
        Fine("any port (net.ipv4.ip_unprivileged_port_start = 0)".to_owned())
    } else {
        Not(format!(
            "the first port free to all is {first}; use --publish 8080:80, \
             or sysctl -w net.ipv4.ip_unprivileged_port_start=0 as root"
        ))
    }
}

fn tun_device() -> Finding {
    match OpenOptions::new().read(true).write(true).open("/dev/net/tun") {
        Ok(_) => Fine("can be opened".to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Not("is not there; modprobe tun as root (in a container: --device /dev/net/tun)".to_owned())
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Not("this user may not open it; chmod 0666 /dev/net/tun as root".to_owned())
        }
        Err(error) => Not(format!("cannot be opened: {error} (modprobe tun as root)")),
    }
}

fn net_admin() -> Finding {
    const CAP_NET_ADMIN: u32 = 12;
    if has_capability(CAP_NET_ADMIN) {
        Fine("this user may".to_owned())
    } else {
        let user = env::var("USER").unwrap_or_else(|_| "$USER".to_owned());
        Not(format!(
            "root can make one for you: ip tuntap add dev tap0 mode tap user {user}; ip link set tap0 up"
        ))
    }
}

/// Whether the process has a capability, by its number in `linux/capability.h`.
fn has_capability(number: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let set = set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or(0);
    set & (1 << number) != 0
}

fn user_namespaces() -> Finding {
    let tried = Command::new("unshare")
        .args(["--user", "--map-root-user", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match tried {
        Ok(status) if status.success() => Fine("this user can make them".to_owned()),
        Ok(_) => {
            Not("cannot be made; sysctl -w user.max_user_namespaces=10000, and where there is AppArmor \
                      sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, as root"
                .to_owned())
        }
        Err(_) => Not("cannot be tried: the program unshare (util-linux) is missing".to_owned()),
    }
}

fn foreign_programs() -> Finding {
    let tried = Lan::builder().build().map_err(|error| error.to_string()).and_then(|lan| {
        let address: Cidr = "10.0.0.2/24".parse().map_err(|_| "no address".to_owned())?;
        let host = lan.host("host").address(address).build().map_err(|error| error.to_string())?;
        let program = Program::start(&host, Command::new("true")).map_err(|error| error.to_string())?;
        program.wait().map_err(|error| error.to_string())
    });
    match tried {
        Ok(_) => Fine("a program's calls can be answered, no privileges needed".to_owned()),
        Err(why) => Not(why),
    }
}

fn os_ping() -> Finding {
    match crate::ping::os_can_ping() {
        Ok(()) => Fine("ICMP sockets can be opened".to_owned()),
        Err(_) => Not("sysctl -w net.ipv4.ping_group_range=\"0 2147483647\" as root".to_owned()),
    }
}

fn program(name: &str, purpose: &str) -> Finding {
    match find_program(name) {
        Some(path) => Fine(path.display().to_string()),
        None => Not(format!("is not installed; it {purpose} (--pcap): apt-get install {name}")),
    }
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| Path::is_file(candidate))
}
