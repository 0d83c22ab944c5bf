//! `sockeye web`: the network debug assistant, a local page that also shows why.
//!
//! The process is the assistant: it has the sessions, the LANs and the recordings ([`World`]), and what it knows is in memory
//! here. The page is a view of it, by the API of `docs/web-api.md`: it asks for what it shows.

mod api;
mod guard;
mod lan;
mod live;
mod page;
mod recording;
mod trouble;
mod world;

use std::io::{Write, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;

use crate::failure::{Code, Failure, plain};
use crate::interrupt::interrupted;
use crate::site::announce;
use guard::Guard;
use world::World;

/// The port of the page, unless another is asked for or it is taken.
const PORT: u16 = 7780;

/// `sockeye web`.
#[derive(Args)]
pub(crate) struct WebOptions {
    /// The port of the page, on 127.0.0.1 [default: 7780, or one that is free]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Print the page's address, and open no browser
    #[arg(long)]
    no_open: bool,
    /// The language of the page [default: the browser's]
    #[arg(long, value_name = "LANGUAGE", value_parser = ["en", "zh"])]
    lang: Option<String>,
}

/// Serves the page until it is interrupted.
pub(crate) async fn run(options: WebOptions) -> Result<(), Failure> {
    let interrupted = interrupted();
    let listener = listen(options.port).await?;
    let port =
        listener.local_addr().map_err(|error| Failure::talking("cannot listen for the page", &error))?.port();
    let guard = Guard::new(port).map_err(|error| Failure::talking("cannot make a token", &error))?;
    let url = guard.url(options.lang.as_deref());
    let world = Arc::new(World::new());
    let app = api::router(Arc::clone(&world), Arc::new(guard));
    writeln!(stdout(), "{url}").ok();
    if !options.no_open {
        open(&url);
    }
    let served = axum::serve(listener, app).into_future();
    tokio::select! {
        failure = interrupted => Err(failure),
        served = served => served.map_err(|error| Failure::talking("the page is served no more", &error)),
    }
}

/// The port that was asked for; otherwise the usual one, or any.
async fn listen(port: Option<u16>) -> Result<TcpListener, Failure> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let bound = match port {
        Some(port) => TcpListener::bind(at(port)).await,
        None => match TcpListener::bind(at(PORT)).await {
            Ok(listener) => Ok(listener),
            Err(_) => TcpListener::bind(at(0)).await,
        },
    };
    bound.map_err(|error| {
        let port = port.unwrap_or(0);
        let line = format!(
            "cannot listen on 127.0.0.1:{port}: {}; leave --port away to take one that is free",
            plain(&error)
        );
        Failure::new(Code::Bind, line)
    })
}

/// Opens the browser, where there is a screen to open it on.
fn open(url: &str) {
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
    if !has_screen {
        announce("open this address in a browser on this machine; Ctrl-C ends the assistant");
        return;
    }
    let opened = Command::new("xdg-open")
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match opened {
        // Nobody has to wait for it; but it must not stay behind as a zombie.
        Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
        Err(_) => announce("no browser could be opened (xdg-open is not there): open this address in one"),
    }
}
