//! ipstack behind a TUN interface: whoever connects to 10.77.0.2:19 gets data without end.
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use clap::Parser;
use ipstack::{IpStack, IpStackConfig, IpStackStream, TcpConfig, TcpOptions};
use sockeye_device::{Device, Offload, Offloads, Tun};
use sockeye_grid_peers::{BUFFER, CHARGEN};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Serve chargen by ipstack.
#[derive(Parser)]
struct Options {
    /// The TUN interface
    #[arg(long)]
    dev: String,
}

/// A TUN interface as ipstack wants its devices: each read and each write is a packet.
struct Wire {
    tun: Tun,
    /// Tells when there is something to read.
    readiness: AsyncFd<OwnedFd>,
    buffer: Vec<u8>,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Wire { tun, readiness, buffer } = &mut *self;
        loop {
            let mut guard = ready!(readiness.poll_read_ready_mut(context))?;
            match guard.try_io(|_| tun.receive(buffer)) {
                Ok(Ok(received)) => {
                    let packet = buffer.get(..received.length.min(into.remaining()));
                    into.put_slice(packet.unwrap_or_default());
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == ErrorKind::InvalidData => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_not_yet) => {}
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        packet: &[u8],
    ) -> Poll<io::Result<usize>> {
        // A packet that the interface does not take is lost, as on any wire.
        self.tun.send(&[IoSlice::new(packet)], &Offload::NONE).ok();
        Poll::Ready(Ok(packet.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn serve(dev: &str) -> io::Result<()> {
    let tun = Tun::open(dev, Offloads::Off).map_err(io::Error::other)?;
    let buffer = vec![0; tun.capabilities().frame_capacity()];
    let readiness = tun.readiness().ok_or_else(|| io::Error::other("the interface cannot be waited for"))?;
    // What replaces it is unsafe for the sake of types whose descriptor changes; an `OwnedFd`'s does not.
    #[expect(deprecated)]
    let readiness = AsyncFd::new(readiness.try_clone_to_owned()?)?;
    let wire = Wire { tun, readiness, buffer };
    let mut tcp = TcpConfig::default();
    tcp.timeout = Duration::from_secs(300);
    tcp.max_unacked_bytes = u32::try_from(BUFFER).unwrap_or(u32::MAX);
    tcp.options = Some(vec![TcpOptions::MaximumSegmentSize(1460)]);
    let mut config = IpStackConfig::default();
    config.mtu(1500).map_err(io::Error::other)?.with_tcp_config(tcp);
    let mut stack = IpStack::new(config, wire);
    loop {
        let stream = stack.accept().await.map_err(io::Error::other)?;
        if let IpStackStream::Tcp(mut stream) = stream
            && [stream.local_addr().port(), stream.peer_addr().port()].contains(&CHARGEN)
        {
            tokio::spawn(async move {
                let zeros = vec![0; 64 << 10];
                while stream.write_all(&zeros).await.is_ok() {}
            });
        }
    }
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(&options.dev))
}
