//! What a program's calls answer: each case is a function of `python/calls.py`.

mod harness;

use harness::Site;
use sockeye::Conditions;
use std::io::{Read, Write};
use std::time::Duration;

fn case(name: &str) {
    Site::new().run("calls.py", &[name]);
}

macro_rules! cases {
    ($($name:ident)*) => {
        $(#[test] fn $name() { case(stringify!($name)); })*
    };
}

cases! {
    tutorial names unconnected types ends reset_while_writing sigpipe reuse reuse_port disconnect fast_open workers
    epoll_edges interrupted timeouts datagrams flood ancillary options urgent descriptors
}

#[test]
fn connect_nonblocking() {
    let delay = Duration::from_millis(50);
    let site = Site::with(Conditions { delay, ..Conditions::default() });
    let listener = sockeye::TcpListener::bind(&site.other, "10.0.0.3:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let serving = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 5];
            stream.read_exact(&mut bytes).unwrap();
            stream.write_all(&bytes.to_ascii_uppercase()).unwrap();
        }
    });
    if site.run("calls.py", &["connect_nonblocking", &port]).is_some() {
        serving.join().unwrap();
    }
}
