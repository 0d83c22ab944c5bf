//! The programs at the kernel's sockets: those that send, and those that read and forget.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, Socket, Type};
use sockeye_core::sim::grid::{FlowPlan, PORT, RECEIVER};

use crate::namespace::Namespace;

/// How long a call of a program that shall stop may last.
const BREATH: Duration = Duration::from_millis(100);
const CHUNK: usize = 64 << 10;

/// Programs in threads, which end when this is dropped.
pub(crate) struct Programs {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Programs {
    fn new() -> Programs {
        Programs { stop: Arc::new(AtomicBool::new(false)), threads: Vec::new() }
    }

    /// Senders, one for each flow. They use `congestion`, whether the system lets ordinary users choose it or not.
    pub(crate) fn senders(
        namespace: &Arc<Namespace>,
        flows: &[FlowPlan],
        congestion: &str,
    ) -> io::Result<Programs> {
        let mut programs = Programs::new();
        for flow in flows {
            let (flow, namespace) = (*flow, Arc::clone(namespace));
            let socket = namespace.inside(|| Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)))?;
            socket.set_tcp_congestion(congestion.as_bytes())?;
            socket.set_tcp_nodelay(true)?;
            // Nobody waits for what a stopped flow has not sent.
            socket.set_linger(Some(Duration::ZERO))?;
            socket.set_write_timeout(Some(BREATH))?;
            let stop = Arc::clone(&programs.stop);
            programs.threads.push(thread::spawn(move || {
                thread::sleep(Duration::from_nanos(flow.at.as_nanos()));
                // A flow that cannot connect has sent nothing, and that is what is measured.
                send(socket, flow.bytes, &stop).ok();
            }));
        }
        Ok(programs)
    }

    /// A listener whose connections are read.
    pub(crate) fn receiver(namespace: &Namespace) -> io::Result<Programs> {
        let mut programs = Programs::new();
        // The listener of the run before may not be gone entirely yet.
        let bind = || namespace.inside(|| TcpListener::bind((RECEIVER, PORT)));
        let listener = (0..10).find_map(|_| {
            bind().ok().or_else(|| {
                thread::sleep(BREATH);
                None
            })
        });
        let listener = listener.map_or_else(bind, Ok)?;
        listener.set_nonblocking(true)?;
        let stop = Arc::clone(&programs.stop);
        programs.threads.push(thread::spawn(move || {
            let mut readers = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let stop = Arc::clone(&stop);
                        readers.push(thread::spawn(move || read(stream, &stop)));
                    }
                    Err(_) => thread::sleep(Duration::from_millis(1)),
                }
            }
            for reader in readers {
                reader.join().ok();
            }
        }));
        Ok(programs)
    }

    /// A program that asks `from` for data without end, and reads it.
    pub(crate) fn asker(namespace: &Namespace, from: SocketAddr) -> io::Result<Programs> {
        let mut programs = Programs::new();
        let socket = namespace.inside(|| Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)))?;
        let stop = Arc::clone(&programs.stop);
        programs.threads.push(thread::spawn(move || {
            if let Ok(stream) = connect(socket, from, &stop) {
                read(stream, &stop);
            }
        }));
        Ok(programs)
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

/// Connects, which takes as long as the path lets it, and no longer than the program shall go on.
fn connect(socket: Socket, to: SocketAddr, stop: &AtomicBool) -> io::Result<TcpStream> {
    socket.set_nonblocking(true)?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        other => other?,
    }
    let breath = Timespec { tv_sec: 0, tv_nsec: i64::from(BREATH.subsec_nanos()) };
    while poll(&mut [PollFd::new(&socket, PollFlags::OUT)], Some(&breath))? == 0 {
        if stop.load(Ordering::Relaxed) {
            return Err(ErrorKind::Interrupted.into());
        }
    }
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    socket.set_nonblocking(false)?;
    Ok(socket.into())
}

fn send(socket: Socket, bytes: Option<u64>, stop: &AtomicBool) -> io::Result<()> {
    let mut stream = connect(socket, SocketAddr::from((RECEIVER, PORT)), stop)?;
    let zeros = vec![0; CHUNK];
    let mut rest = bytes.unwrap_or(u64::MAX);
    while rest > 0 && !stop.load(Ordering::Relaxed) {
        let chunk = CHUNK.min(usize::try_from(rest).unwrap_or(CHUNK));
        match stream.write(&zeros[..chunk]) {
            Ok(written) => rest -= written as u64,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
    // The end is sent in order, and the reader's end awaited: the last bytes are on their way until then.
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.set_read_timeout(Some(BREATH))?;
    while !stop.load(Ordering::Relaxed) {
        match stream.read(&mut [0; 1]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            _ => break,
        }
    }
    Ok(())
}

fn read(mut stream: TcpStream, stop: &AtomicBool) {
    let mut buffer = vec![0; CHUNK];
    if stream.set_nonblocking(false).is_err() || stream.set_read_timeout(Some(BREATH)).is_err() {
        return;
    }
    while !stop.load(Ordering::Relaxed) {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
    }
}

/// Counters of the kernel's TCP in a namespace: time-outs, and those it found to be spurious.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) timeouts: u64,
    pub(crate) spurious_timeouts: u64,
}

impl Counters {
    /// As they are now.
    pub(crate) fn of(namespace: &Namespace) -> io::Result<Counters> {
        let text = namespace.inside(|| fs::read_to_string("/proc/thread-self/net/netstat"))?;
        Ok(Counters {
            timeouts: counter(&text, "TCPTimeouts"),
            spurious_timeouts: counter(&text, "TCPSpuriousRTOs"),
        })
    }

    pub(crate) fn since(self, before: Counters) -> Counters {
        Counters {
            timeouts: self.timeouts - before.timeouts,
            spurious_timeouts: self.spurious_timeouts - before.spurious_timeouts,
        }
    }
}

/// The value under a name: lines come in pairs, names first.
fn counter(text: &str, name: &str) -> u64 {
    let lines: Vec<&str> = text.lines().collect();
    let value = lines.chunks(2).find_map(|pair| {
        let [names, values] = pair else { return None };
        let place = names.split(' ').position(|word| word == name)?;
        values.split(' ').nth(place)?.parse().ok()
    });
    value.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_name() {
        let text = "TcpExt: SyncookiesSent TCPTimeouts TCPSpuriousRTOs\nTcpExt: 3 17 2\nIpExt: A\nIpExt: 5\n";
        assert_eq!(
            ["TCPTimeouts", "TCPSpuriousRTOs", "A", "B"].map(|name| counter(text, name)),
            [17, 2, 5, 0]
        );
    }
}
