//! An echo server on our own stack, with sockets like those of `std::net`.
//!
//! Without arguments it makes a LAN with a server and a client, lets the client talk to the server, and ends:
//!     cargo run -p sockeye --example echo_server
//! With the name of a TAP interface and an address it serves the kernel on the other side of it, until it is stopped:
//!     sudo ip tuntap add dev tap0 mode tap user $USER && sudo ip addr add 10.77.0.1/24 dev tap0 && sudo ip link set tap0 up
//!     cargo run -p sockeye --example echo_server tap0 10.77.0.2/24
//!     nc 10.77.0.2 7

use sockeye::{Host, Lan, TcpListener, TcpStream};
use std::error::Error;
use std::io::{self, Read, Write};
use std::thread;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(interface), Some(address)) => serve_the_kernel(&interface, &address),
        _ => serve_a_client(),
    }
}

/// Answers every connection with what it sends.
fn serve(listener: &TcpListener) -> io::Result<()> {
    for stream in listener.incoming() {
        let stream = stream?;
        println!("{} has connected", stream.peer_addr()?);
        thread::spawn(move || {
            if let Err(error) = echo(&stream) {
                println!("a connection has failed: {error}");
            }
        });
    }
    Ok(())
}

fn echo(mut stream: &TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            length => stream.write_all(&buffer[..length])?,
        }
    }
}

fn serve_the_kernel(interface: &str, address: &str) -> Result<(), Box<dyn Error>> {
    let tap = sockeye::sockeye_device::Tap::open(interface, sockeye::sockeye_device::Offloads::On)?;
    let host = Host::builder("server").device(Box::new(tap)).address(address.parse()?).build()?;
    serve(&TcpListener::bind(&host, "0.0.0.0:7")?)?;
    Ok(())
}

fn serve_a_client() -> Result<(), Box<dyn Error>> {
    let lan = Lan::builder().seed(7).build()?;
    let server = lan.host("server").address("10.0.0.2/24".parse()?).build()?;
    let client = lan.host("client").address("10.0.0.3/24".parse()?).build()?;

    let listener = TcpListener::bind(&server, "10.0.0.2:7")?;
    // The thread waits for the next connection when the program ends.
    thread::spawn(move || serve(&listener));

    let mut stream = TcpStream::connect(&client, "10.0.0.2:7")?;
    for line in ["hello", "are you there?", "goodbye"] {
        stream.write_all(line.as_bytes())?;
        let mut answer = vec![0; line.len()];
        stream.read_exact(&mut answer)?;
        println!("sent {line:?}, received {:?}", String::from_utf8_lossy(&answer));
        assert_eq!(answer, line.as_bytes());
    }
    Ok(())
}
