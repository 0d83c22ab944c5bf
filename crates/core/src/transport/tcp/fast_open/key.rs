//! Cookies of the server: a keyed hash that only this host can make (RFC 7413 section 4.1.2).

use core::fmt;
use core::hash::Hasher;
use core::net::IpAddr;

use siphasher::sip::SipHasher24;

use crate::wire::tcp::FastOpenCookie;

/// What cookies are made with: one key, and perhaps the one before it, whose cookies still count so that keys can be
/// changed without refusing everybody (RFC 7413 section 5.1.1).
///
/// The hash is that of Linux (SipHash-2-4 of the client's and the server's address), so that hosts behind one address may
/// share a key whatever they run.
///
/// ```
/// use sockeye_core::transport::tcp::{CookieCheck, FastOpenKeys};
/// let (client, server) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
/// let old = FastOpenKeys::new([1; 16]);
/// let cookie = old.cookie(client, server);
/// let keys = old.rotated([2; 16]);
/// assert_eq!(keys.check(&cookie, client, server), CookieCheck::Backup);
/// assert_eq!(keys.rotated([3; 16]).check(&cookie, client, server), CookieCheck::Wrong);
/// assert_eq!(old.check(&cookie, server, client), CookieCheck::Wrong);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FastOpenKeys {
    primary: [u8; 16],
    backup: Option<[u8; 16]>,
}

/// What a client's cookie is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieCheck {
    /// Not one of ours.
    Wrong,
    /// Made with the key in use.
    Primary,
    /// Made with the key before it: good, but the client should have a new one.
    Backup,
}

impl FastOpenKeys {
    /// One key.
    pub const fn new(primary: [u8; 16]) -> FastOpenKeys {
        FastOpenKeys { primary, backup: None }
    }

    /// The form of `TCP_FASTOPEN_KEY`: 16 bytes, or 32 with the backup key behind; `None` for another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<FastOpenKeys> {
        let (primary, rest) = bytes.split_first_chunk::<16>()?;
        let backup = match rest {
            [] => None,
            rest => Some(rest.try_into().ok()?),
        };
        Some(FastOpenKeys { primary: *primary, backup })
    }

    /// The bytes of `TCP_FASTOPEN_KEY`: 16 or 32.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.primary.as_slice(), self.backup.as_ref().map_or(&[], |key| key.as_slice())].concat()
    }

    /// A new key in use, and the one in use so far as its backup.
    #[must_use]
    pub const fn rotated(self, primary: [u8; 16]) -> FastOpenKeys {
        FastOpenKeys { primary, backup: Some(self.primary) }
    }

    /// The cookie that `client` gets at `server`: eight bytes.
    pub fn cookie(&self, client: IpAddr, server: IpAddr) -> FastOpenCookie {
        made_with(&self.primary, client, server)
    }

    /// Whether a cookie is one that `client` got at `server`.
    pub fn check(&self, cookie: &FastOpenCookie, client: IpAddr, server: IpAddr) -> CookieCheck {
        let fits = |key| made_with(key, client, server).as_slice() == cookie.as_slice();
        if fits(&self.primary) {
            CookieCheck::Primary
        } else if self.backup.as_ref().is_some_and(fits) {
            CookieCheck::Backup
        } else {
            CookieCheck::Wrong
        }
    }
}

fn made_with(key: &[u8; 16], client: IpAddr, server: IpAddr) -> FastOpenCookie {
    let mut hasher = SipHasher24::new_with_key(key);
    for address in [client, server] {
        match address {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            IpAddr::V6(address) => hasher.write(&address.octets()),
        }
    }
    // Eight is one of the lengths a cookie may have.
    FastOpenCookie::new(&hasher.finish().to_le_bytes()).unwrap_or(FastOpenCookie::REQUEST)
}

impl fmt::Debug for FastOpenKeys {
    /// The keys stay secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FastOpenKeys").field("has_backup", &self.backup.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Linux answers with the key a0bf63f7-ed803d81-cd641d30-cebc4a90 (each word little-endian).
    #[test]
    fn cookies_are_those_of_linux() {
        let words: [u32; 4] = [0xa0bf_63f7, 0xed80_3d81, 0xcd64_1d30, 0xcebc_4a90];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let keys = FastOpenKeys::from_bytes(&bytes).unwrap();
        let cookie = |client: &str, server: &str| {
            keys.cookie(client.parse().unwrap(), server.parse().unwrap()).as_slice().to_vec()
        };
        assert_eq!(cookie("10.248.0.2", "192.168.0.2"), [0x00, 0xab, 0xaa, 0xab, 0xe8, 0xe9, 0x54, 0xc2]);
        assert_eq!(cookie("10.248.0.3", "192.168.0.2"), [0x13, 0x13, 0xa2, 0xda, 0x99, 0x4a, 0x09, 0x51]);
    }

    #[test]
    fn keys_have_sixteen_bytes_or_twice_that() {
        let lengths: Vec<usize> =
            (0..40).filter(|length| FastOpenKeys::from_bytes(&vec![7; *length]).is_some()).collect();
        assert_eq!(lengths, [16, 32]);
        let both = FastOpenKeys::new([1; 16]).rotated([2; 16]);
        assert_eq!(FastOpenKeys::from_bytes(&both.to_bytes()), Some(both));
        assert!(!format!("{both:?}").contains('2'));
    }
}
