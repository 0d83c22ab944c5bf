//! What a client remembers of servers (RFC 7413 section 4.1.3): cookie, MSS, and which form of the option they know.

use core::net::IpAddr;
use std::collections::VecDeque;

use super::{FastOpenLesson, FastOpenPlan};
use crate::hash::{SecretMap, SecretState};
use crate::wire::tcp::{FastOpenCookie, FastOpenForm};

/// The most servers remembered; beyond it the one learned of first is forgotten.
const MOST_SERVERS: usize = 1024;

/// Our own address and the server's: a cookie counts for one pair.
type Path = (IpAddr, IpAddr);

/// What is known of servers, bounded.
#[derive(Debug)]
pub struct FastOpenCache {
    known: SecretMap<Path, Known>,
    /// In the order learned.
    order: VecDeque<Path>,
}

/// What is known of one server.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    mss: Option<u16>,
    cookie: Option<FastOpenCookie>,
    forms: Forms,
}

/// Which form of the option to ask in, where no cookie ever came: the standard one; once the experiment's; then the
/// standard one for good, as Linux.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Forms {
    #[default]
    Untried,
    TryExperimental,
    Neither,
}

impl FastOpenCache {
    /// Nothing known yet.
    pub fn new(secret: SecretState) -> FastOpenCache {
        FastOpenCache { known: SecretMap::with_hasher(secret), order: VecDeque::new() }
    }

    /// How to open a connection from `local` to `remote`: with the cookie that is known, or asking for one.
    pub fn plan(&self, local: IpAddr, remote: IpAddr) -> FastOpenPlan {
        let known = self.known.get(&(local, remote)).copied().unwrap_or_default();
        let form = match known.forms {
            Forms::TryExperimental => FastOpenForm::Experimental,
            Forms::Untried | Forms::Neither => FastOpenForm::Standard,
        };
        let option = known.cookie.unwrap_or(FastOpenCookie::REQUEST.in_form(form));
        FastOpenPlan { option: Some(option), mss: known.mss, is_paused: false }
    }

    /// What a SYN-ACK has taught.
    pub fn learn(&mut self, local: IpAddr, remote: IpAddr, lesson: &FastOpenLesson) {
        let path = (local, remote);
        if !self.known.contains_key(&path) {
            if self.order.len() >= MOST_SERVERS
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
            self.order.push_back(path);
        }
        let known = self.known.entry(path).or_default();
        known.mss = Some(lesson.mss);
        if let Some(cookie) = lesson.cookie {
            known.cookie = Some(cookie);
        } else if known.cookie.is_none() {
            let forms = match lesson.unanswered {
                None => Forms::Untried,
                Some(FastOpenForm::Standard) => Forms::TryExperimental,
                Some(FastOpenForm::Experimental) => Forms::Neither,
            };
            known.forms = known.forms.max(forms);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.known.clear();
        self.order.clear();
    }

    /// How many servers are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lesson(cookie: Option<FastOpenCookie>, unanswered: Option<FastOpenForm>) -> FastOpenLesson {
        FastOpenLesson { mss: 1000, cookie, unanswered }
    }

    #[test]
    fn a_server_without_answer_is_asked_once_in_the_other_form() {
        let (local, remote) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let mut cache = FastOpenCache::new(SecretState::new(1, 2));
        let form = |cache: &FastOpenCache| cache.plan(local, remote).option.unwrap().form();
        let mut asked = Vec::new();
        for _ in 0..4 {
            asked.push(form(&cache));
            cache.learn(local, remote, &lesson(None, Some(form(&cache))));
        }
        use FastOpenForm::{Experimental, Standard};
        assert_eq!(asked, [Standard, Experimental, Standard, Standard]);
        let cookie = FastOpenCookie::new(&[1; 4]).unwrap().in_form(Experimental);
        cache.learn(local, remote, &lesson(Some(cookie), None));
        cache.learn(local, remote, &lesson(None, Some(Experimental)));
        assert_eq!(
            cache.plan(local, remote),
            FastOpenPlan { option: Some(cookie), mss: Some(1000), is_paused: false }
        );
        assert_eq!(cache.plan(remote, local).option, Some(FastOpenCookie::REQUEST));
    }

    #[test]
    fn the_oldest_server_is_forgotten_first() {
        let mut cache = FastOpenCache::new(SecretState::new(1, 2));
        let local = "10.0.0.1".parse().unwrap();
        let server = |number: u32| IpAddr::from((0x0b00_0000 + number).to_be_bytes());
        let cookie = FastOpenCookie::new(&[1; 4]);
        for number in 0..=MOST_SERVERS as u32 {
            cache.learn(local, server(number), &lesson(cookie, None));
        }
        assert_eq!((cache.len(), cache.order.len()), (MOST_SERVERS, MOST_SERVERS));
        assert_eq!(cache.plan(local, server(0)).option, Some(FastOpenCookie::REQUEST));
        assert_eq!(cache.plan(local, server(1)).option, cookie);
        cache.clear();
        assert!(cache.is_empty() && cache.order.is_empty());
    }
}
