//! An unmodified axum application, served over hyper, on our own stack; and a hyper client that asks it.
//!
//!     cargo run -p sockeye --features tokio --example hyper_server
//! With an address it stays, and is published on the real machine for a browser:
//!     cargo run -p sockeye --features tokio --example hyper_server 127.0.0.1:8080

use axum::Router;
use axum::extract::{ConnectInfo, Path};
use axum::routing::get;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use sockeye::tokio::{TcpListener, TcpStream};
use sockeye::{Host, Lan, Publish};
use std::error::Error;
use std::net::SocketAddr;

/// axum accepts any listener; this is all it takes to hand it ours.
struct Ours(TcpListener);

impl axum::serve::Listener for Ours {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            if let Ok(accepted) = self.0.accept().await {
                return accepted;
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

#[derive(Clone)]
struct Peer(SocketAddr);

impl axum::extract::connect_info::Connected<axum::serve::IncomingStream<'_, Ours>> for Peer {
    fn connect_info(stream: axum::serve::IncomingStream<'_, Ours>) -> Peer {
        Peer(*stream.remote_addr())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let lan = Lan::builder().seed(7).build()?;
    let client = lan.host("gateway").address("10.0.0.1/24".parse()?).build()?;
    let server = lan.host("server").address("10.0.0.2/24".parse()?).gateway("10.0.0.1".parse()?).build()?;

    let application = Router::new()
        .route("/", get(async |ConnectInfo(Peer(peer)): ConnectInfo<Peer>| format!("hello, {peer}")))
        .route(
            "/double/{number}",
            get(async |Path(number): Path<u64>| (number.saturating_mul(2)).to_string()),
        );
    let listener = TcpListener::bind(&server, "10.0.0.2:80").await?;
    let service = application.into_make_service_with_connect_info::<Peer>();
    let serving = tokio::spawn(async move { axum::serve(Ours(listener), service).await });

    match std::env::args().nth(1) {
        Some(listen) => {
            let published =
                lan.publish(Publish { listen: listen.parse()?, host: "server".into(), port: 80 })?;
            println!("http://{}/", published.local_addr());
            serving.await??;
        }
        None => {
            for (path, expected) in [("/", "hello, 10.0.0.1:"), ("/double/21", "42")] {
                let (status, body) = ask(&client, path).await?;
                println!("GET {path}: {status} {body:?}");
                assert!(status == StatusCode::OK && body.starts_with(expected));
            }
            let (status, _) = ask(&client, "/nothing/here").await?;
            assert_eq!(status, StatusCode::NOT_FOUND);
            serving.abort();
        }
    }
    Ok(())
}

/// One request on a connection of its own.
async fn ask(host: &Host, path: &str) -> Result<(StatusCode, String), Box<dyn Error>> {
    let stream = TcpStream::connect(host, "10.0.0.2:80").await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    let request = Request::get(path).header("host", "server").body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    drop(sender);
    driving.await??;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
