//! Small jobs for `measure`, with nothing but the standard library, so that the client is not what is measured.
//!
//! ```text
//! probe serve ADDRESS PORT            echo over TCP, one connection after the other; count what comes over UDP
//! probe ask ADDRESS PORT SECONDS      one byte there and back, again and again, on one connection
//! probe connect ADDRESS PORT SECONDS  connect, one byte there and back, close
//! probe udp ADDRESS PORT SECONDS      64 bytes a datagram, as fast as they go; how many have arrived
//! probe calls SECONDS                 what single calls take
//! ```
//!
//! Each prints one JSON object.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// More connections than this would leave the machine without ports.
const MOST_CONNECTIONS: usize = 4000;

const PATIENCE: Duration = Duration::from_secs(3);

/// What asks the server how many datagrams have come since it was last asked.
const QUESTION: &[u8] = b"how many?";

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", address, port] => serve(at(address, port)?),
        ["ask", address, port, seconds] => ask(at(address, port)?, span(seconds)?),
        ["connect", address, port, seconds] => connect(at(address, port)?, span(seconds)?),
        ["udp", address, port, seconds] => udp(at(address, port)?, span(seconds)?),
        ["calls", seconds] => calls(span(seconds)?),
        _ => Err(io::Error::other("see the top of probe.rs")),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| io::Error::other(format!("not understood: {text}")))
}

fn at(address: &str, port: &str) -> io::Result<SocketAddr> {
    number(&format!("{address}:{port}"))
}

fn span(seconds: &str) -> io::Result<Duration> {
    number(seconds).map(Duration::from_secs_f64)
}

fn serve(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    let socket = UdpSocket::bind(address)?;
    thread::spawn(move || count(&socket));
    loop {
        let (stream, _) = listener.accept()?;
        // A connection that fails ends, and the next one comes.
        let _ = echo(stream);
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            length => stream.write_all(&buffer[..length])?,
        }
    }
}

fn count(socket: &UdpSocket) {
    let mut buffer = [0; 2048];
    let mut arrived = 0u64;
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        if &buffer[..length] == QUESTION {
            let _ = socket.send_to(&arrived.to_ne_bytes(), from);
            arrived = 0;
        } else {
            arrived += 1;
        }
    }
}

/// Connects, and tries again for a while: the way there may be under construction.
fn reach(address: SocketAddr) -> io::Result<TcpStream> {
    let until = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(address) {
            Err(_) if Instant::now() < until => thread::sleep(Duration::from_millis(20)),
            outcome => return outcome,
        }
    }
}

fn there_and_back(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"x")?;
    stream.read_exact(&mut [0])
}

fn ask(address: SocketAddr, span: Duration) -> io::Result<()> {
    let mut stream = reach(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    for _ in 0..100 {
        there_and_back(&mut stream)?;
    }
    let mut times = Vec::with_capacity(1 << 20);
    let start = Instant::now();
    let mut last = start;
    while last - start < span {
        there_and_back(&mut stream)?;
        let now = Instant::now();
        times.push(now - last);
        last = now;
    }
    tell(&mut times, last - start);
    Ok(())
}

fn connect(address: SocketAddr, span: Duration) -> io::Result<()> {
    there_and_back(&mut reach(address)?)?;
    let mut times = Vec::with_capacity(MOST_CONNECTIONS);
    let start = Instant::now();
    let mut last = start;
    while last - start < span && times.len() < MOST_CONNECTIONS {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        there_and_back(&mut stream)?;
        drop(stream);
        let now = Instant::now();
        times.push(now - last);
        last = now;
    }
    tell(&mut times, last - start);
    Ok(())
}

fn tell(times: &mut [Duration], whole: Duration) {
    times.sort_unstable();
    let part = |share: f64| {
        let index = (times.len() as f64 * share) as usize;
        times.get(index.min(times.len() - 1)).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    let rate = times.len() as f64 / whole.as_secs_f64();
    println!("{{\"rate\": {rate:.1}, \"p50\": {:.2}, \"p99\": {:.2}}}", part(0.5), part(0.99));
}

fn udp(address: SocketAddr, span: Duration) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    arrived(&socket)?;
    let start = Instant::now();
    let mut sent = 0u64;
    while start.elapsed() < span {
        for _ in 0..16 {
            // A full queue is no failure.
            sent += u64::from(socket.send(&[0; 64]).is_ok());
        }
    }
    let whole = start.elapsed().as_secs_f64();
    // What is on its way still counts, but not for long.
    thread::sleep(Duration::from_millis(50));
    let arrived = arrived(&socket)?;
    println!("{{\"rate\": {:.0}, \"sent\": {:.0}}}", arrived as f64 / whole, sent as f64 / whole);
    Ok(())
}

fn arrived(socket: &UdpSocket) -> io::Result<u64> {
    let until = Instant::now() + PATIENCE;
    let mut answer = [0; 8];
    loop {
        let _ = socket.send(QUESTION);
        match socket.recv(&mut answer) {
            Ok(8) => return Ok(u64::from_ne_bytes(answer)),
            Err(error) if Instant::now() > until => return Err(error),
            _ => {}
        }
    }
}

fn calls(span: Duration) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let echoing = thread::spawn(move || listener.accept().and_then(|(stream, _)| echo(stream)));
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let span = span / 4;
    let parent = each(span, || Ok(std::os::unix::process::parent_id()))?;
    let name = each(span, || stream.local_addr())?;
    let option = each(span, || stream.set_nodelay(true))?;
    let data = each(span, || there_and_back(&mut stream))?;
    drop(stream);
    let _ = echoing.join();
    println!(
        "{{\"getppid\": {parent:.3}, \"getsockname\": {name:.3}, \"setsockopt\": {option:.3}, \"data\": {data:.3}}}"
    );
    Ok(())
}

/// Microseconds that one `act` takes.
fn each<T>(span: Duration, mut act: impl FnMut() -> io::Result<T>) -> io::Result<f64> {
    let start = Instant::now();
    let mut count = 0u32;
    while start.elapsed() < span {
        for _ in 0..64 {
            act()?;
        }
        count += 64;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(count))
}
