//! An echo server and a hundred clients as tokio tasks, on our own stack.
//!
//!     cargo run -p sockeye --features tokio --example tokio_echo

use sockeye::Lan;
use sockeye::tokio::{TcpListener, TcpStream};
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CLIENTS: usize = 100;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let lan = Lan::builder().seed(7).build()?;
    let server = lan.host("server").address("10.0.0.2/24".parse()?).build()?;
    let client = lan.host("client").address("10.0.0.3/24".parse()?).build()?;

    let listener = TcpListener::bind(&server, "10.0.0.2:7788").await?;
    let serving = tokio::spawn(serve(listener));

    let address: SocketAddr = "10.0.0.2:7788".parse()?;
    let mut talks = Vec::new();
    for number in 0..CLIENTS {
        let client = client.clone();
        talks.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(&client, address).await?;
            let line = format!("client {number}");
            stream.write_all(line.as_bytes()).await?;
            let mut echo = vec![0; line.len()];
            stream.read_exact(&mut echo).await?;
            assert_eq!(echo, line.as_bytes());
            Ok::<(), io::Error>(())
        }));
    }
    for talk in talks {
        talk.await??;
    }
    serving.abort();
    println!("{CLIENTS} clients have heard their echo");
    Ok(())
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _peer) = listener.accept().await?;
        tokio::spawn(async move {
            let (mut reader, mut writer) = stream.into_split();
            tokio::io::copy(&mut reader, &mut writer).await
        });
    }
}
