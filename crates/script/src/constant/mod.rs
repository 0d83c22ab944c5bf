//! What the words of scripts stand for: the C names of Linux's socket interface, and the names of ICMP's types and codes.

mod errno;
mod file;
pub mod icmp;
mod socket;
mod tcp;

/// The number that a C name stands for, if it is one of those a script may use; an error's name gives its positive number.
pub fn value(name: &str) -> Option<i64> {
    let tables = [socket::NAMES, tcp::NAMES, file::NAMES, errno::NAMES];
    tables.into_iter().flatten().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// The number of an error, such as 11 for `EAGAIN`.
pub fn errno(name: &str) -> Option<i32> {
    let (_, number) = errno::NAMES.iter().find(|(known, _)| *known == name)?;
    i32::try_from(*number).ok()
}

/// The usual name of an error's number.
pub fn errno_name(number: i32) -> Option<&'static str> {
    errno::NAMES.iter().find(|(_, known)| *known == i64::from(number)).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_name_stands_twice() {
        let mut seen = BTreeSet::new();
        for (name, _) in [socket::NAMES, tcp::NAMES, file::NAMES, errno::NAMES].into_iter().flatten() {
            assert!(seen.insert(*name), "{name}");
        }
        assert!(seen.len() > 350, "only {} names", seen.len());
    }

    #[test]
    fn names_and_numbers() {
        assert_eq!(value("SO_REUSEADDR"), Some(2));
        assert_eq!(value("TCP_CA_Recovery"), Some(3));
        assert_eq!(value("EPOLLET"), Some(1 << 31));
        assert_eq!(value("TCP_INFINITE_SSTHRESH"), Some(0x7fff_ffff));
        assert_eq!(value("so_reuseaddr"), None);
        assert_eq!((errno("EWOULDBLOCK"), errno_name(11)), (Some(11), Some("EAGAIN")));
        assert_eq!((errno("EOPNOTSUPP"), errno_name(95)), (Some(95), Some("EOPNOTSUPP")));
        assert_eq!(errno("SO_REUSEADDR"), None);
        assert_eq!(errno_name(0), None);
    }
}
