//! TCP Fast Open on and off at either end.

use crate::exchange::{Addresses, LONG, addresses, settle, tap};
use crate::wire::Wire;
use rustix::net::{AddressFamily, SendFlags, SocketType};
use sockeye::sockeye_device::Offloads;
use sockeye::{FastOpen, Host, SocketOption, TcpListener, TcpSocket, TcpStream};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::thread;
use std::time::Duration;

/// More than a SYN holds.
const LENGTH: usize = 20_000;
/// Connections of each kind: the first asks for a cookie, the second uses it.
const CONNECTIONS: usize = 2;
/// Lets every listener of the kernel take data with SYNs, unasked (`TFO_SERVER_WO_SOCKOPT1`).
const ALL_LISTENERS: u32 = 0x400;
/// Data for the SYN: `MSG_FASTOPEN`.
const MSG_FASTOPEN: u32 = 0x2000_0000;

/// Off (0), for clients (1), for servers (2) and for both (3), at each end.
pub(crate) fn on_and_off() {
    let data: Vec<u8> = (0..LENGTH).map(|number| (number % 251) as u8).collect();
    for theirs in 0..=3_u8 {
        let setting = u32::from(theirs) | if theirs & 2 != 0 { ALL_LISTENERS } else { 0 };
        std::fs::write("/proc/sys/net/ipv4/tcp_fastopen", setting.to_string()).expect("a sysctl");
        for ours in 0..=3 {
            // The kernel remembers cookies, and our next host has other keys.
            let flushed =
                std::process::Command::new("ip").args(["tcp_metrics", "flush"]).status().expect("ip");
            assert!(flushed.success());
            let wire = Wire::default();
            let host = Host::builder("ours")
                .device(Box::new(wire.watch(tap(Offloads::On))))
                .address("10.77.0.2/24".parse().expect("an address"))
                .address("fd77::2/64".parse().expect("an address"))
                .configure(|config| config.fast_open = FastOpen::from_bits(ours))
                .build()
                .expect("our host");
            settle(&host);
            for addresses in addresses() {
                let case = Case { client: ours & 1 != 0, server: theirs & 2 != 0, wire: &wire };
                kernel_serves(&host, addresses, &data, &case);
                let case = Case { client: theirs & 1 != 0, server: ours & 2 != 0, wire: &wire };
                kernel_asks(&host, addresses, &data, &case);
            }
            host.shutdown(Duration::from_secs(5));
        }
    }
}

/// Who uses it, and where that shows.
struct Case<'a> {
    client: bool,
    server: bool,
    wire: &'a Wire,
}

impl Case<'_> {
    /// Judges a connection, the `number`th, whose data our end says to have travelled with the SYN or not.
    fn judge(&self, number: usize, stream: &TcpStream, what: &str) {
        let expected = self.client && self.server && number > 0;
        let what = format!("{what}, client {}, server {}, connection {number}", self.client, self.server);
        assert_eq!(stream.tcp_info().expect("what is known").syn_data, expected, "{what}");
        let (ours, kernel) = (stream.local_addr().expect("our address"), stream.peer_addr().expect("its"));
        let seen = self.wire.take(ours, kernel);
        let (syn, syn_ack) = (seen.syns[0], seen.syn_acks[0]);
        // No option, a request for a cookie, or a cookie and data (RFC 7413, section 4.1).
        let asks = syn.options.fast_open.map(|cookie| cookie.is_request());
        assert_eq!(asks, self.client.then_some(!expected), "{what}: {syn:?}");
        assert_eq!(syn.length > 0, expected, "{what}: {syn:?}");
        let grants = syn_ack.options.fast_open.is_some_and(|cookie| !cookie.is_request());
        assert_eq!(grants, self.client && self.server && number == 0, "{what}: {syn_ack:?}");
    }
}

fn kernel_serves(host: &Host, addresses: Addresses, data: &[u8], case: &Case<'_>) {
    let listener = std::net::TcpListener::bind((addresses.kernel, 0)).expect("the kernel's listener");
    let address = listener.local_addr().expect("its address");
    let server = thread::spawn(move || {
        for _ in 0..CONNECTIONS {
            let (mut stream, _) = listener.accept().expect("the kernel accepts");
            stream.set_read_timeout(Some(LONG)).expect("a time-out");
            let mut all = Vec::new();
            stream.read_to_end(&mut all).expect("the kernel reads");
            stream.write_all(&all).expect("the kernel writes");
        }
    });
    for number in 0..CONNECTIONS {
        let new = || match addresses.kernel.is_ipv4() {
            true => TcpSocket::new_v4(host),
            false => TcpSocket::new_v6(host),
        };
        // Refused where we are no client of that kind.
        let with_data = new().expect("a socket").connect_with_data(address, data);
        assert_eq!(with_data.is_ok(), case.client);
        let mut stream = with_data.unwrap_or_else(|_| {
            let mut stream = new().expect("a socket").connect(address).expect("we connect");
            stream.write_all(data).expect("writing");
            stream
        });
        stream.set_read_timeout(Some(LONG)).expect("a time-out");
        stream.shutdown(Shutdown::Write).expect("a FIN");
        let mut back = Vec::new();
        stream.read_to_end(&mut back).expect("reading");
        assert!(back == data);
        case.judge(number, &stream, &format!("to {address}"));
    }
    server.join().expect("the server ends");
}

fn kernel_asks(host: &Host, addresses: Addresses, data: &[u8], case: &Case<'_>) {
    let listener = TcpListener::bind(host, (addresses.ours, 0)).expect("our listener");
    listener.set_option(SocketOption::FastOpen(16)).expect("the option");
    let address = listener.local_addr().expect("our address");
    let (copy, is_client) = (data.to_vec(), case.client);
    let client = thread::spawn(move || {
        for _ in 0..CONNECTIONS {
            let mut stream = open(address, &copy, is_client);
            stream.set_read_timeout(Some(LONG)).expect("a time-out");
            stream.shutdown(Shutdown::Write).expect("a FIN");
            let mut back = Vec::new();
            stream.read_to_end(&mut back).expect("the kernel reads");
            assert!(back == copy);
        }
    });
    for number in 0..CONNECTIONS {
        let (mut stream, _) = listener.accept().expect("we accept");
        stream.set_read_timeout(Some(LONG)).expect("a time-out");
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("reading");
        assert!(all == data);
        case.judge(number, &stream, &format!("to {address}"));
        stream.write_all(&all).expect("writing");
    }
    client.join().expect("the client ends");
}

/// A connection of the kernel's, with all of `data` written, and as much of it in the SYN as may be.
fn open(address: SocketAddr, data: &[u8], is_client: bool) -> std::net::TcpStream {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket(family, SocketType::STREAM, None).expect("a socket");
    let sent = rustix::net::sendto(&socket, data, SendFlags::from_bits_retain(MSG_FASTOPEN), &address);
    assert_eq!(sent.is_ok(), is_client, "{sent:?}");
    let (mut stream, sent) = match sent {
        Ok(sent) => (std::net::TcpStream::from(socket), sent),
        Err(_) => (std::net::TcpStream::connect(address).expect("the kernel connects"), 0),
    };
    stream.write_all(&data[sent..]).expect("the kernel writes");
    stream
}
