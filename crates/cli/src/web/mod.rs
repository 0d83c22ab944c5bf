//! `sockeye web`: the network debug assistant, a local page that also shows why.
//!
//! The process is the assistant: it has the sessions, the LANs and the recordings ([`World`]), and what it knows is in memory
//! here. The page is a view of it, by the API of `docs/web-api.md`: it asks for what it shows.

mod about;
mod api;
mod assistant;
mod guard;
mod lan;
mod lesson;
mod live;
mod page;
mod recording;
mod text;
mod trouble;
mod view;
mod world;

pub(crate) use view::View;

use std::io::{Write, stdout};
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::interrupt::interrupted;
use crate::site::announce;
use clap::Args;

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
    let (_world, url) = view::serve(view::listen(options.port)?, options.lang.as_deref())?;
    writeln!(stdout(), "{url}").ok();
    if !options.no_open {
        open(&url);
    }
    Err(interrupted.await)
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
