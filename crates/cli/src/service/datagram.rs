//! The services over UDP: each datagram is a question.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use super::Service;
use super::stream::{characters, time_of_day};
use crate::place::Datagrams;

/// The largest UDP datagram there is, and one byte.
const DATAGRAM_AT_MOST: usize = 65_536;

/// Answers datagrams for ever.
pub(crate) async fn serve_datagrams<D: Datagrams>(service: Service, socket: D) {
    let mut buffer = vec![0; DATAGRAM_AT_MOST];
    let mut answered: usize = 0;
    loop {
        // An error is news about an answer sent earlier (its asker's port was closed): nothing to do about it. One that
        // stays must not keep a processor busy.
        let Ok((length, from)) = socket.receive_from(&mut buffer).await else {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        if is_answering_machine(from) {
            continue;
        }
        let Some(question) = buffer.get_mut(..length) else { continue };
        if let Some(answer) = answer(&service, question, answered) {
            socket.send_to(&answer, from).await.ok();
            answered = answered.wrapping_add(1);
        }
    }
}

/// Whether an answer would itself be answered: two such services, set on each other by one forged datagram, never stop.
fn is_answering_machine(from: SocketAddr) -> bool {
    matches!(from.port(), 0 | 7 | 13 | 17 | 19 | 37)
}

/// What goes back, if anything; `answered` counts the answers before this one.
fn answer<'a>(service: &'a Service, question: &'a mut [u8], answered: usize) -> Option<Cow<'a, [u8]>> {
    match service {
        Service::Echo => Some(Cow::Borrowed(question)),
        Service::Upper => {
            question.make_ascii_uppercase();
            Some(Cow::Borrowed(question))
        }
        Service::Chargen => {
            // RFC 864 asks for 0 to 512 characters, a different number each time; 199 and 513 have no common divisor.
            let length = answered.wrapping_mul(199) % 513;
            characters().get(..length).map(Cow::Borrowed)
        }
        Service::Daytime => Some(Cow::Owned(time_of_day().into_bytes())),
        Service::Reply(text) => Some(Cow::Borrowed(text)),
        Service::Discard | Service::Http => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_answers_as_its_rfc_says() {
        let mut question = *b"hello 1";
        assert_eq!(answer(&Service::Echo, &mut question, 0).as_deref(), Some(&b"hello 1"[..]));
        assert_eq!(answer(&Service::Upper, &mut question, 0).as_deref(), Some(&b"HELLO 1"[..]));
        assert_eq!(answer(&Service::Discard, &mut question, 0), None);
        assert_eq!(
            answer(&Service::Reply(b"yes"[..].into()), &mut question, 0).as_deref(),
            Some(&b"yes"[..])
        );
        assert!(answer(&Service::Daytime, &mut question, 0).unwrap().ends_with(b"GMT\r\n"));
        let lengths: std::collections::BTreeSet<usize> =
            (0..513).map(|n| answer(&Service::Chargen, &mut question, n).unwrap().len()).collect();
        assert_eq!((lengths.len(), lengths.last()), (513, Some(&512)));
    }

    #[test]
    fn answering_machines_get_no_answer() {
        assert!(is_answering_machine("10.0.0.9:7".parse().unwrap()));
        assert!(!is_answering_machine("10.0.0.9:40000".parse().unwrap()));
    }
}
