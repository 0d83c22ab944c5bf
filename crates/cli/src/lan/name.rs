//! The names of LANs and of the hosts on them.

use std::fmt;
use std::str::FromStr;

/// The longest name of a LAN, in bytes.
const LONGEST: usize = 32;

/// The name of a LAN that several processes share: it is a file's name too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LanName(String);

impl LanName {
    /// What its socket is called in the [`Folder`](crate::folder::Folder).
    pub(crate) fn socket(&self) -> String {
        format!("{self}{LAN_SUFFIX}")
    }
}

/// How the names of such sockets end.
pub(crate) const LAN_SUFFIX: &str = ".lan";

impl FromStr for LanName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || text.len() > LONGEST || text.starts_with('.') || !text.chars().all(is_fine) {
            return Err(format!(
                "`{text}` cannot be the name of a LAN: it has letters, digits, - _ . and at most {LONGEST} of them"
            ));
        }
        Ok(LanName(text.to_owned()))
    }
}

impl fmt::Display for LanName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a host: one label, as RFC 1123 section 2.1 has it.
pub(crate) fn parse_host_name(text: &str) -> Result<String, String> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_bounded = (1..=63).contains(&text.len()) && !text.starts_with('-') && !text.ends_with('-');
    if is_bounded && text.chars().all(is_fine) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(format!(
            "`{text}` cannot be a host's name: it has letters, digits and - inside, and at most 63 of them"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_files_names() {
        for good in ["demo", "a", "my-lan_2.0", "0123456789abcdef0123456789abcdef"] {
            assert_eq!(good.parse::<LanName>().unwrap().to_string(), good);
        }
        for bad in ["", ".", "..", ".demo", "a/b", "ä", "a b", "0123456789abcdef0123456789abcdef0"] {
            assert!(bad.parse::<LanName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_hosts() {
        assert_eq!(parse_host_name("Web-1").as_deref(), Ok("web-1"));
        for bad in ["", "-a", "a-", "a.b", "a_b", "ä"] {
            assert!(parse_host_name(bad).is_err(), "{bad}");
        }
    }
}
