//! An echo client on our own stack, with sockets like those of `std::net`.
//!
//! Without arguments it makes a LAN with a server on it that loses one frame in fifty, and sends it a megabyte:
//!     cargo run -p sockeye --example echo_client
//! With the name of a TAP interface, an address and a server it talks to a program of the kernel's side:
//!     ncat --listen 10.77.0.1 7 --keep-open --exec /bin/cat
//!     cargo run -p sockeye --example echo_client tap0 10.77.0.2/24 10.77.0.1:7

use sockeye::{Conditions, Host, Lan, TcpListener, TcpStream};
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

const SIZE: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [interface, address, server] => {
            let tap = sockeye::sockeye_device::Tap::open(interface, sockeye::sockeye_device::Offloads::On)?;
            let host = Host::builder("client").device(Box::new(tap)).address(address.parse()?).build()?;
            talk(&host, server)?;
            host.shutdown(Duration::from_secs(5));
        }
        _ => talk_over_a_bad_cable()?,
    }
    Ok(())
}

/// Sends a megabyte in one thread and receives it in another, as `std` programs do.
fn talk(host: &Host, server: &str) -> io::Result<()> {
    let stream = TcpStream::connect(host, server)?;
    println!("connected: {} to {}", stream.local_addr()?, stream.peer_addr()?);
    let start = Instant::now();
    let bytes: Vec<u8> = (0..SIZE).map(|n| (n * 31 / 7) as u8).collect();
    let received = thread::scope(|scope| {
        scope.spawn(|| {
            (&stream).write_all(&bytes)?;
            stream.shutdown(Shutdown::Write)
        });
        let mut received = Vec::new();
        (&stream).read_to_end(&mut received).map(|_| received)
    })?;
    assert!(received == bytes, "the echo differs");
    println!("{SIZE} bytes there and back in {:?}", start.elapsed());
    let info = stream.tcp_info()?;
    println!("{info:?}");
    Ok(())
}

fn talk_over_a_bad_cable() -> Result<(), Box<dyn Error>> {
    let lan = Lan::builder().seed(7).build()?;
    let bad = Conditions { loss: "2%".parse()?, delay: Duration::from_millis(1), ..Conditions::default() };
    let server = lan.host("server").address("10.0.0.2/24".parse()?).conditions(bad).build()?;
    let client = lan.host("client").address("10.0.0.3/24".parse()?).build()?;
    let listener = TcpListener::bind(&server, "10.0.0.2:7")?;
    let serving = thread::spawn(move || -> io::Result<u64> {
        let (stream, _) = listener.accept()?;
        io::copy(&mut &stream, &mut &stream)
    });
    talk(&client, "10.0.0.2:7")?;
    let served = serving.join().expect("the server does not panic")?;
    println!("the server has echoed {served} bytes");
    Ok(())
}
