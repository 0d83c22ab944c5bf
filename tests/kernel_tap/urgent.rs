//! Urgent data (RFC 6093) between us and the kernel: whoever receives, the same calls give the same answers.

use crate::ends::{Family, LONG, Side, World};
use crate::fast_open::{line, python};
use sockeye::{SendFlags, SocketOption, TcpListener, TcpStream};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

/// How long what was sent may take to arrive, Nagle's wait included.
const ARRIVAL: Duration = Duration::from_millis(300);

/// What is sent in each phase; `!` stands before what is urgent.
const PHASES: [&[&str]; 4] = [&["ab", "!X", "cd"], &["!Y", "!12Z", "ef"], &["!W"], &["g", "!V", "h"]];
/// What the receiver does after each phase.
const CALLS: [&str; 4] = [
    "mark peek! take! take! read10 mark peek10 mark read1 mark read10 read10 mark",
    "peek! read10 mark take! read10 take! read10",
    "mark read10 mark take!",
    "read1 mark read1 take! read10",
];

/// Connects, and does the calls.
const RECEIVER: &str = "
import fcntl, socket, struct, sys, time, errno
stream = socket.create_connection((sys.argv[1], int(sys.argv[2])))
stream.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, int(sys.argv[3]))
def attempt(count, flags):
    try:
        return stream.recv(count, flags | socket.MSG_DONTWAIT).decode() or 'end'
    except OSError as error:
        return errno.errorcode[error.errno]
def call(name):
    if name == 'mark':
        return str(struct.unpack('i', fcntl.ioctl(stream, 0x8905, bytes(4)))[0])
    if name == 'take!':
        return attempt(1, socket.MSG_OOB)
    if name == 'peek!':
        return attempt(1, socket.MSG_OOB | socket.MSG_PEEK)
    return attempt(int(name[4:]), socket.MSG_PEEK if name[:4] == 'peek' else 0)
for calls in sys.argv[4:]:
    stream.sendall(b'.')
    time.sleep(0.3)
    print(' '.join(call(name) for name in calls.split()), flush=True)
";

/// Listens, and sends a phase whenever it is asked.
const SENDER: &str = "
import socket, sys
listener = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
listener.bind((sys.argv[1], 0))
listener.listen(1)
print(listener.getsockname()[1], flush=True)
stream, _ = listener.accept()
for phase in sys.argv[2:]:
    stream.recv(1)
    for piece in phase.split():
        if piece[0] == '!':
            stream.send(piece[1:].encode(), socket.MSG_OOB)
        else:
            stream.sendall(piece.encode())
stream.recv(1)
";

pub(crate) fn both_ways(world: &World) {
    for family in Family::BOTH {
        for in_line in [false, true] {
            let Some(ours) = we_receive(world, family, in_line) else { return };
            let Some(kernels) = kernel_receives(world, family, in_line) else { return };
            assert_eq!(ours, kernels, "{family:?}, in line: {in_line}");
            assert!(ours[0].contains(if in_line { "EINVAL" } else { "X" }), "{ours:?}");
        }
    }
}

fn we_receive(world: &World, family: Family, in_line: bool) -> Option<Vec<String>> {
    let kernel = World::address(Side::Kernel, family);
    let phases = PHASES.map(|phase| phase.join(" "));
    let arguments: Vec<String> = std::iter::once(kernel.to_string()).chain(phases).collect();
    let (mut sender, mut output) = python(SENDER, &arguments)?;
    let address = SocketAddr::new(kernel, line(&mut output).parse().unwrap());
    let mut stream = TcpStream::connect(&world.host, address).unwrap();
    stream.set_option(SocketOption::UrgentInLine(in_line)).unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut answers = Vec::new();
    for calls in CALLS {
        stream.write_all(b".").unwrap();
        std::thread::sleep(ARRIVAL);
        let all: Vec<String> = calls.split(' ').map(|name| call(&stream, name)).collect();
        answers.push(all.join(" "));
    }
    drop(stream);
    assert!(sender.wait().unwrap().success());
    Some(answers)
}

fn call(mut stream: &TcpStream, name: &str) -> String {
    let mut buffer = [0; 10];
    let byte = |taken: Option<u8>| taken.map_or("end".to_owned(), |byte| char::from(byte).to_string());
    let text = |bytes: &[u8]| match bytes {
        [] => "end".to_owned(),
        bytes => String::from_utf8_lossy(bytes).into_owned(),
    };
    let answer = match name {
        "mark" => stream.is_at_mark().map(|is_at_mark| u8::from(is_at_mark).to_string()),
        "take!" => stream.read_urgent().map(byte),
        "peek!" => stream.peek_urgent().map(byte),
        _ => {
            let (verb, count) = name.split_at(4);
            let room = &mut buffer[..count.parse().unwrap()];
            let count = if verb == "peek" { stream.peek(room) } else { stream.read(room) };
            count.map(|count| text(&room[..count]))
        }
    };
    answer.unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::WouldBlock => "EAGAIN".to_owned(),
        io::ErrorKind::InvalidInput => "EINVAL".to_owned(),
        _ => error.to_string(),
    })
}

fn kernel_receives(world: &World, family: Family, in_line: bool) -> Option<Vec<String>> {
    let listener = TcpListener::bind(&world.host, (World::address(Side::Ours, family), 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let first = [address.ip().to_string(), address.port().to_string(), u8::from(in_line).to_string()];
    let arguments: Vec<String> = first.into_iter().chain(CALLS.map(str::to_owned)).collect();
    let (mut receiver, mut output) = python(RECEIVER, &arguments)?;
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut answers = Vec::new();
    for phase in PHASES {
        stream.read_exact(&mut [0]).unwrap();
        for piece in phase {
            match piece.strip_prefix('!') {
                Some(urgent) => stream.send(urgent.as_bytes(), SendFlags::OUT_OF_BAND).unwrap(),
                None => stream.write(piece.as_bytes()).unwrap(),
            };
        }
        answers.push(line(&mut output));
    }
    drop(stream);
    assert!(receiver.wait().unwrap().success());
    Some(answers)
}
