//! TCP Fast Open (RFC 7413) with the kernel at the other end, as client and as server. The kernel's side is a Python
//! program: std has no name for the option.

use crate::ends::{Family, LONG, Side, World};
use sockeye::{FastOpenKeys, SocketOption, TcpListener, TcpSocket};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

/// What every connection carries: more than a SYN holds.
const LENGTH: usize = 30_000;
/// One half of a key in the words of the kernel's setting, the other in bytes.
const KEY: (&str, [u8; 16]) =
    ("01020304-05060708-090a0b0c-0d0e0f10", [4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9, 16, 15, 14, 13]);

/// Echoes four connections and tells of each whether its first bytes came with the SYN.
const SERVER: &str = "
import socket, sys
listener = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
listener.bind((sys.argv[1], 0))
listener.listen(16)
print(listener.getsockname()[1], flush=True)
for _ in range(4):
    stream, _ = listener.accept()
    data = b''
    while piece := stream.recv(65536):
        data += piece
    info = stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    stream.sendall(data)
    stream.close()
    print(bool(info[5] & 32), flush=True)
";

/// Opens four connections with data and tells of each whether the SYN's was taken, and what came back.
const CLIENT: &str = "
import socket, sys
MSG_FASTOPEN = 0x20000000
data = bytes(n % 251 for n in range(int(sys.argv[3])))
for _ in range(4):
    stream = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
    sent = stream.sendto(data, MSG_FASTOPEN, (sys.argv[1], int(sys.argv[2])))
    stream.sendall(data[sent:])
    stream.shutdown(socket.SHUT_WR)
    back = b''
    while piece := stream.recv(65536):
        back += piece
    info = stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    print(bool(info[5] & 32), back == data, flush=True)
";

pub(crate) fn python(script: &str, arguments: &[String]) -> Option<(Child, BufReader<ChildStdout>)> {
    let spawned =
        Command::new("python3").arg("-c").arg(script).args(arguments).stdout(Stdio::piped()).spawn();
    match spawned {
        Ok(mut child) => {
            let output = child.stdout.take()?;
            Some((child, BufReader::new(output)))
        }
        Err(reason) => {
            let _ =
                writeln!(std::io::stderr(), "skipped: programs of the kernel's side: no python3: {reason}");
            None
        }
    }
}

pub(crate) fn line(output: &mut impl BufRead) -> String {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    line.trim().to_owned()
}

pub(crate) fn both_ways(world: &World) {
    std::fs::write("/proc/sys/net/ipv4/tcp_fastopen", "3").unwrap();
    std::fs::write("/proc/sys/net/ipv4/tcp_fastopen_key", KEY.0).unwrap();
    let data: Vec<u8> = (0..LENGTH).map(|number| (number % 251) as u8).collect();
    for family in Family::BOTH {
        kernel_serves(world, family, &data);
        kernel_asks(world, family, &data);
    }
}

fn kernel_serves(world: &World, family: Family, data: &[u8]) {
    let kernel = World::address(Side::Kernel, family);
    let Some((mut server, mut output)) = python(SERVER, &[kernel.to_string()]) else { return };
    let address = SocketAddr::new(kernel, line(&mut output).parse().unwrap());
    for expected in [false, true, true, true] {
        let socket = match family {
            Family::V4 => TcpSocket::new_v4(&world.host),
            Family::V6 => TcpSocket::new_v6(&world.host),
        };
        let mut stream = socket.unwrap().connect_with_data(address, data).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        assert!(back == data);
        assert_eq!(stream.tcp_info().unwrap().syn_data, expected, "{family:?}");
        assert_eq!(line(&mut output), if expected { "True" } else { "False" }, "{family:?}");
    }
    assert!(server.wait().unwrap().success());
}

fn kernel_asks(world: &World, family: Family, data: &[u8]) {
    let listener = TcpListener::bind(&world.host, (World::address(Side::Ours, family), 0)).unwrap();
    listener.set_option(SocketOption::FastOpen(16)).unwrap();

    listener.set_option(SocketOption::FastOpenKey(FastOpenKeys::new(KEY.1))).unwrap();
    let address = listener.local_addr().unwrap();
    let arguments = [address.ip().to_string(), address.port().to_string(), data.len().to_string()];
    let Some((mut client, mut output)) = python(CLIENT, &arguments) else { return };
    for expected in [false, true, true, true] {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        assert!(all == data);
        assert_eq!(stream.tcp_info().unwrap().syn_data, expected, "{family:?}");
        stream.write_all(&all).unwrap();
        drop(stream);
        assert_eq!(line(&mut output), if expected { "True True" } else { "False True" }, "{family:?}");
    }
    assert!(client.wait().unwrap().success());
}
