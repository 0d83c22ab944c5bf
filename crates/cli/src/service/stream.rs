//! The services over TCP: one task a connection.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Service;
use crate::place::{Listener, Stream};

/// A connection that says little costs little; one that fills its buffer gets a large one.
const BUFFER_AT_FIRST: usize = 4 * 1024;
const BUFFER_AT_MOST: usize = 256 * 1024;

/// Accepts for ever and answers each connection in a task of its own.
pub(crate) async fn serve_streams<L: Listener>(service: Service, mut listener: L) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let service = service.clone();
                // A connection's end, however abrupt, concerns nobody but its peer.
                tokio::spawn(async move { serve_stream(&service, stream).await.ok() });
            }
            // Out of descriptors, or a connection that was gone before it was taken: the listener itself lives on.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Answers one connection until it ends.
async fn serve_stream<S: Stream>(service: &Service, stream: S) -> io::Result<()> {
    match service {
        Service::Echo => answer_each(stream, Answer::Same).await,
        Service::Upper => answer_each(stream, Answer::Upper).await,
        Service::Reply(text) => answer_each(stream, Answer::Text(text.clone())).await,
        Service::Discard => discard(stream).await,
        Service::Chargen => chargen(stream).await,
        Service::Daytime => daytime(stream).await,
        // Its own listener serves it: see http.rs.
        Service::Http => Ok(()),
    }
}

/// A buffer that has the size its connection has shown a use for.
struct Buffer(Vec<u8>);

impl Buffer {
    fn new() -> Self {
        Buffer(vec![0; BUFFER_AT_FIRST])
    }

    /// Reads what is there; 0 at the end.
    async fn fill<S: Stream>(&mut self, stream: &mut S) -> io::Result<usize> {
        stream.read(&mut self.0).await
    }

    /// Takes a full buffer as a sign that more is coming than it can hold.
    fn grow_after(&mut self, length: usize) {
        if length == self.0.len() && length < BUFFER_AT_MOST {
            self.0.resize(length * 4, 0);
        }
    }
}

/// What goes back for the bytes that came.
enum Answer {
    Same,
    Upper,
    Text(Arc<[u8]>),
}

async fn answer_each<S: Stream>(mut stream: S, answer: Answer) -> io::Result<()> {
    let mut buffer = Buffer::new();
    loop {
        let length = buffer.fill(&mut stream).await?;
        if length == 0 {
            return stream.shutdown().await;
        }
        let Some(bytes) = buffer.0.get_mut(..length) else { return Ok(()) };
        match &answer {
            Answer::Same => stream.write_all(bytes).await?,
            Answer::Upper => {
                bytes.make_ascii_uppercase();
                stream.write_all(bytes).await?;
            }
            Answer::Text(text) => stream.write_all(text).await?,
        }
        buffer.grow_after(length);
    }
}

async fn discard<S: Stream>(mut stream: S) -> io::Result<()> {
    let mut buffer = Buffer::new();
    loop {
        let length = buffer.fill(&mut stream).await?;
        if length == 0 {
            return stream.shutdown().await;
        }
        buffer.grow_after(length);
    }
}

/// The characters of RFC 864: lines of 72 printable characters, each beginning one character further on.
///
/// After 95 lines the pattern is where it began, so whole patterns can be sent one after the other for ever.
pub(super) fn characters() -> &'static [u8] {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    PATTERN.get_or_init(|| {
        let printable: Vec<u8> = (b' '..=b'~').collect();
        let mut pattern = Vec::new();
        for first in 0..printable.len() {
            pattern.extend(printable.iter().cycle().skip(first).take(72));
            pattern.extend(b"\r\n");
        }
        let patterns = BUFFER_AT_MOST / pattern.len();
        pattern.repeat(patterns)
    })
}

async fn chargen<S: Stream>(stream: S) -> io::Result<()> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let send = async {
        loop {
            writer.write_all(characters()).await?;
        }
    };
    // What the peer says is thrown away; that it has finished speaking does not stop the characters.
    let listen = async {
        let mut buffer = vec![0; BUFFER_AT_FIRST];
        while reader.read(&mut buffer).await? > 0 {}
        std::future::pending().await
    };
    tokio::select! {
        ended = send => ended,
        ended = listen => ended,
    }
}

/// The line of the daytime service.
pub(super) fn time_of_day() -> String {
    format!("{}\r\n", httpdate::fmt_http_date(SystemTime::now()))
}

async fn daytime<S: Stream>(mut stream: S) -> io::Result<()> {
    stream.write_all(time_of_day().as_bytes()).await?;
    stream.shutdown().await?;
    // Waiting for the peer's end (not for ever) spares it a reset if it said something we never read.
    let mut ignored = [0; 512];
    let drain = async { while stream.read(&mut ignored).await.is_ok_and(|length| length > 0) {} };
    tokio::time::timeout(Duration::from_secs(5), drain).await.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_rotate_and_wrap() {
        let lines: Vec<&[u8]> = characters().split(|byte| *byte == b'\n').collect();
        assert_eq!(
            lines[0],
            &b" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r"[..]
        );
        assert_eq!(&lines[1][..2], b"!\"");
        assert_eq!(&lines[94][..2], b"~ ");
        assert_eq!(lines[95], lines[0]);
        assert_eq!(characters().len() % (95 * 74), 0);
    }
}
