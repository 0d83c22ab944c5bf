//! The names of a LAN's hosts, shared by whoever learns them and whoever answers for them.

use parking_lot::{Condvar, Mutex};
use sockeye_core::time::Duration;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The most names; a LAN has no more hosts.
const MOST: usize = 65_536;

/// The longest label, in bytes (RFC 1035 section 2.3.4).
const LONGEST_LABEL: usize = 63;

/// The names of the hosts of a LAN and their addresses. The value is a handle: clone it freely; a
/// [`NameService`](super::NameService) that has it answers with what is registered at the moment.
///
/// ```
/// let names = sockeye::dns::Names::new("lan");
/// assert!(names.insert("web", "10.0.0.2".parse().unwrap()));
/// assert_eq!(names.addresses("Web"), ["10.0.0.2".parse::<std::net::IpAddr>().unwrap()]);
/// names.forget_address("10.0.0.2".parse().unwrap());
/// assert!(names.addresses("web").is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Names {
    domain: Arc<str>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    table: Mutex<Table>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Table {
    hosts: BTreeMap<String, Vec<IpAddr>>,
    version: u64,
}

impl Names {
    /// No names yet, in the domain called `domain` (such as `lan`), which nobody else answers for.
    pub fn new(domain: &str) -> Names {
        let domain = domain.trim_matches('.').to_ascii_lowercase();
        Names { domain: domain.into(), shared: Arc::default() }
    }

    /// The domain, in lower case, without dots around it.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Gives a host an address, beside those it has. `false` if the name is no single label of letters, digits and `-`
    /// (RFC 1123 section 2.1), or there are too many.
    pub fn insert(&self, host: &str, address: IpAddr) -> bool {
        let Some(host) = label(host) else { return false };
        let mut table = self.shared.table.lock();
        if table.hosts.len() >= MOST && !table.hosts.contains_key(&host) {
            return false;
        }
        let addresses = table.hosts.entry(host).or_default();
        if !addresses.contains(&address) {
            addresses.push(address);
            self.has_changed(&mut table);
        }
        true
    }

    fn has_changed(&self, table: &mut Table) {
        table.version += 1;
        self.shared.changed.notify_all();
    }

    /// Waits until the names are others than when the answer was `seen` (0 at first), `timeout` at most; the answer is a
    /// number for what they are now.
    pub fn wait_for_change(&self, seen: u64, timeout: Duration) -> u64 {
        let mut table = self.shared.table.lock();
        let is_the_same = |table: &mut Table| table.version == seen;
        let _ = self.shared.changed.wait_while_for(&mut table, is_the_same, timeout);
        table.version
    }

    /// Forgets a host.
    pub fn remove(&self, host: &str) {
        let mut table = self.shared.table.lock();
        if table.hosts.remove(&host.to_ascii_lowercase()).is_some() {
            self.has_changed(&mut table);
        }
    }

    /// Takes an address away from whoever has it; a host without addresses is forgotten.
    pub fn forget_address(&self, address: IpAddr) {
        let mut table = self.shared.table.lock();
        let mut is_found = false;
        table.hosts.retain(|_, addresses| {
            is_found |= addresses.contains(&address);
            addresses.retain(|own| *own != address);
            !addresses.is_empty()
        });
        if is_found {
            self.has_changed(&mut table);
        }
    }

    /// The addresses of a host, which is named without the domain; none if it is not known.
    pub fn addresses(&self, host: &str) -> Vec<IpAddr> {
        self.shared.table.lock().hosts.get(&host.to_ascii_lowercase()).cloned().unwrap_or_default()
    }

    /// The host that has an address.
    pub fn host(&self, address: IpAddr) -> Option<String> {
        let table = self.shared.table.lock();
        table.hosts.iter().find(|(_, addresses)| addresses.contains(&address)).map(|(host, _)| host.clone())
    }

    /// All hosts, in the order of their names.
    pub fn all(&self) -> Vec<(String, Vec<IpAddr>)> {
        let table = self.shared.table.lock();
        table.hosts.iter().map(|(host, addresses)| (host.clone(), addresses.clone())).collect()
    }

    /// The name under which a host that calls itself `wanted` can be registered at `address`: the same, or with a number
    /// behind it if another host is called so; `None` where it is no name.
    pub fn free(&self, wanted: &str, address: IpAddr) -> Option<String> {
        let wanted = label(wanted)?;
        let table = self.shared.table.lock();
        let is_free = |name: &String| table.hosts.get(name).is_none_or(|owner| owner.contains(&address));
        let numbered = (2..=MOST).map(|number| {
            let number = format!("-{number}");
            let kept = LONGEST_LABEL.saturating_sub(number.len());
            format!("{}{number}", wanted.get(..kept).unwrap_or(&wanted))
        });
        std::iter::once(wanted.clone()).chain(numbered).find(is_free)
    }
}

/// A host's name in lower case, if it is one.
fn label(host: &str) -> Option<String> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_bounded = (1..=LONGEST_LABEL).contains(&host.len());
    let is_host = is_bounded && host.chars().all(is_fine) && !host.starts_with('-') && !host.ends_with('-');
    is_host.then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, number])
    }

    #[test]
    fn names_come_and_go() {
        let names = Names::new(".LAN.");
        assert_eq!(names.domain(), "lan");
        assert!(names.insert("web", address(2)) && names.insert("WEB", address(3)));
        assert!(!names.insert("a.b", address(4)) && !names.insert("", address(4)));
        assert_eq!(names.addresses("web"), [address(2), address(3)]);
        assert_eq!(names.host(address(3)).as_deref(), Some("web"));
        names.forget_address(address(2));
        assert_eq!(names.all(), [("web".to_owned(), vec![address(3)])]);
        let seen = names.wait_for_change(0, Duration::ZERO);
        assert_eq!(names.wait_for_change(seen, Duration::ZERO), seen, "nothing has changed");
        names.remove("Web");
        assert_ne!(names.wait_for_change(seen, Duration::from_secs(60)), seen);
        assert!(names.all().is_empty());
    }

    #[test]
    fn a_name_in_use_gets_a_number() {
        let names = Names::new("lan");
        names.insert("client", address(2));
        assert_eq!(names.free("Client", address(2)).as_deref(), Some("client"));
        assert_eq!(names.free("Client", address(3)).as_deref(), Some("client-2"));
        names.insert("client-2", address(3));
        assert_eq!(names.free("client", address(4)).as_deref(), Some("client-3"));
        let long = "x".repeat(63);
        names.insert(&long, address(5));
        assert_eq!(names.free(&long, address(6)), Some(format!("{}-2", "x".repeat(61))));
        assert_eq!(names.free("no_name", address(6)), None);
    }
}
