//! Options of streams and listeners.

use crate::place::{Listener, Place, Stream};
use std::io::ErrorKind;
use std::time::Duration;

pub(crate) fn streams_remember_their_options<P: Place>(place: &P) {
    let (near, _far) = place.pair();
    assert!(!near.nodelay().unwrap());
    near.set_nodelay(true).unwrap();
    assert!(near.nodelay().unwrap());
    near.set_nodelay(false).unwrap();
    assert!(!near.nodelay().unwrap());
    if near.local_addr().unwrap().is_ipv4() {
        assert_eq!(near.ttl().unwrap(), 64);
        near.set_ttl(9).unwrap();
        assert_eq!(near.ttl().unwrap(), 9);
        assert_eq!(near.set_ttl(256).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(near.set_ttl(0).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(near.ttl().unwrap(), 9);
    }
    assert!(near.take_error().unwrap().is_none());
    for timeout in [Some(Duration::from_millis(1500)), None] {
        near.set_write_timeout(timeout).unwrap();
        assert_eq!(near.write_timeout().unwrap(), timeout);
    }
}

pub(crate) fn timeouts_of_zero_are_refused<P: Place>(place: &P) {
    let (near, _far) = place.pair();
    let read = near.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
    let write = near.set_write_timeout(Some(Duration::ZERO)).unwrap_err();
    assert_eq!((read.kind(), write.kind()), (ErrorKind::InvalidInput, ErrorKind::InvalidInput));
    assert_eq!(near.read_timeout().unwrap(), None);
}

pub(crate) fn listeners_remember_their_options<P: Place>(place: &P) {
    let listener = place.listen(0).unwrap();
    if listener.local_addr().unwrap().is_ipv4() {
        listener.set_ttl(33).unwrap();
        assert_eq!(listener.ttl().unwrap(), 33);
        let _near = place.connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        assert_eq!(far.ttl().unwrap(), 33);
    }
    assert!(listener.take_error().unwrap().is_none());
}
