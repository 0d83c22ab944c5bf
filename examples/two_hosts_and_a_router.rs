//! Two LANs, a host on each, and a router between them, all in this process.
//!
//!     cargo run -p sockeye --example two_hosts_and_a_router

use sockeye::{Conditions, Host, Lan, PingSocket, TcpListener, TcpStream};
use std::error::Error;
use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let left = Lan::builder().seed(1).build()?;
    let slow = Conditions { delay: Duration::from_millis(5), ..Conditions::default() };
    let right = Lan::builder().seed(2).conditions(slow).build()?;

    let alice = left
        .host("alice")
        .address("10.1.0.2/24".parse()?)
        .address("fd01::2/64".parse()?)
        .gateway("10.1.0.1".parse()?)
        .gateway("fd01::1".parse()?)
        .build()?;
    let bob = right
        .host("bob")
        .address("10.2.0.2/24".parse()?)
        .address("fd02::2/64".parse()?)
        .gateway("10.2.0.1".parse()?)
        .gateway("fd02::1".parse()?)
        .build()?;
    let _router = Host::builder("router")
        .plug(&left)
        .address("10.1.0.1/24".parse()?)
        .address("fd01::1/64".parse()?)
        .plug(&right)
        .address("10.2.0.1/24".parse()?)
        .address("fd02::1/64".parse()?)
        .forwarding()
        .build()?;

    for destination in ["10.1.0.1", "10.2.0.2", "fd02::2"] {
        let ping = PingSocket::new(&alice, destination.parse()?)?;
        ping.set_read_timeout(Some(Duration::from_secs(5)))?;
        let start = Instant::now();
        ping.send(1, b"are you there?")?;
        let mut buffer = [0; 64];
        let reply = ping.receive(&mut buffer)?;
        println!("{} bytes from {} in {:.1?}", reply.length, reply.source, start.elapsed());
        assert_eq!(&buffer[..reply.length], b"are you there?");
    }

    for address in ["10.2.0.2:7788", "[fd02::2]:7788"] {
        let listener = TcpListener::bind(&bob, address)?;
        let serving = thread::spawn(move || -> std::io::Result<()> {
            let (mut stream, peer) = listener.accept()?;
            write!(stream, "hello, {peer}, from the other side of the router")
        });
        let mut text = String::new();
        TcpStream::connect(&alice, address)?.read_to_string(&mut text)?;
        println!("{address} says: {text}");
        assert!(text.contains("from the other side"));
        serving.join().expect("the server does not panic")?;
    }
    Ok(())
}
