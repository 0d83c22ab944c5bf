//! Whom the real machine asks for names.

use parking_lot::Mutex;
use sockeye_core::time::Duration;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

/// Where names are answered.
const PORT: u16 = 53;

/// How many are asked at most: as many as the C library knows.
const MOST: usize = 3;

/// How often to look whether the file has changed.
const GLANCE: Duration = Duration::from_secs(1);

/// Who is asked for the names that are not the LAN's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Resolvers {
    /// The real machine's own, as `/etc/resolv.conf` names them; it is read again when it changes.
    #[default]
    System,
    /// Those that a file in the form of `resolv.conf` names.
    File(PathBuf),
    /// These addresses of the real machine's network, in this order.
    At(Vec<SocketAddr>),
    /// Nobody: such questions are refused.
    Nobody,
}

impl Resolvers {
    /// Whom these are now, and where programs of the real machine therefore send their questions.
    pub fn current(&self) -> Vec<IpAddr> {
        Directory::new(self.clone()).current().iter().map(SocketAddr::ip).collect()
    }
}

/// The resolvers as they are at the moment.
#[derive(Debug)]
pub(super) struct Directory {
    file: Option<PathBuf>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    servers: Vec<SocketAddr>,
    stamp: Option<SystemTime>,
    looked_at: Option<Instant>,
}

impl Directory {
    pub(super) fn new(resolvers: Resolvers) -> Directory {
        let (file, servers) = match resolvers {
            Resolvers::System => (Some(PathBuf::from("/etc/resolv.conf")), Vec::new()),
            Resolvers::File(path) => (Some(path), Vec::new()),
            Resolvers::At(servers) => (None, servers),
            Resolvers::Nobody => (None, Vec::new()),
        };
        let directory =
            Directory { file, known: Mutex::new(Known { servers, stamp: None, looked_at: None }) };
        directory.current();
        directory
    }

    /// Whom to ask now.
    pub(super) fn current(&self) -> Vec<SocketAddr> {
        let mut known = self.known.lock();
        if let Some(file) = &self.file
            && known.looked_at.is_none_or(|at| at.elapsed() >= GLANCE)
        {
            known.looked_at = Some(Instant::now());
            let stamp = std::fs::metadata(file).and_then(|found| found.modified()).ok();
            if stamp != known.stamp || stamp.is_none() {
                known.stamp = stamp;
                known.servers = parse(&std::fs::read_to_string(file).unwrap_or_default());
            }
        }
        known.servers.clone()
    }
}

/// The `nameserver` lines of a `resolv.conf`. An address with a scope (`fe80::1%eth0`) is left out.
fn parse(text: &str) -> Vec<SocketAddr> {
    let address = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let is_server = words.next() == Some("nameserver");
        words.next().filter(|_| is_server)?.parse::<IpAddr>().ok()
    };
    text.lines().filter_map(address).map(|ip| SocketAddr::new(ip, PORT)).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_understood() {
        let text = "# comment\nsearch example.org\nnameserver 192.0.2.1\n nameserver\t2001:db8::53 # x\nnameserver fe80::1%eth0\n\
                    nameserver\nnameserver 192.0.2.2\nnameserver 192.0.2.3\noptions edns0\n";
        let servers: Vec<String> = parse(text).iter().map(SocketAddr::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[2001:db8::53]:53", "192.0.2.2:53"]);
    }

    #[test]
    fn a_file_that_changes_is_read_again() {
        let path = std::env::temp_dir().join(format!("sockeye-resolv-{}", std::process::id()));
        let directory = Directory::new(Resolvers::File(path.clone()));
        assert!(directory.current().is_empty(), "no file, nobody");
        std::fs::write(&path, "nameserver 192.0.2.1\n").unwrap();
        directory.known.lock().looked_at = None;
        assert_eq!(directory.current(), ["192.0.2.1:53".parse().unwrap()]);
        std::fs::write(&path, "nameserver 192.0.2.2\n").unwrap();
        let later = SystemTime::now() + Duration::from_secs(5);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        assert_eq!(directory.current(), ["192.0.2.1:53".parse().unwrap()], "not looked at all the time");
        directory.known.lock().looked_at = None;
        assert_eq!(directory.current(), ["192.0.2.2:53".parse().unwrap()]);
        std::fs::remove_file(&path).unwrap();
    }
}
