//! `--web`: the page of the assistant beside another command, showing the network of that command.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use sockeye::dns::Names;
use sockeye::{Conditions, Host};
use tokio::net::TcpListener;

use super::guard::Guard;
use super::lan::Lan;
use super::trouble::Trouble;
use super::world::World;
use super::{PORT, api};
use crate::failure::{Code, Failure, plain};
use crate::site::announce;

/// The page, and what it shows.
pub(crate) struct View {
    world: Arc<World>,
    owner: &'static str,
    lan: OnceLock<Arc<Lan>>,
}

impl View {
    /// Serves the page in the runtime of the caller, and says where; `owner` is the command that it belongs to.
    ///
    /// # Errors
    /// The port is taken.
    pub(crate) fn open(port: Option<u16>, owner: &'static str) -> Result<View, Failure> {
        let listener = listen(port)?;
        let (world, url) = serve(listener, None)?;
        announce(&format!("the page: {url}"));
        Ok(View { world, owner, lan: OnceLock::new() })
    }

    /// Shows a LAN, from before there are hosts on it; with its name, if it has one, and who answers for names there.
    ///
    /// # Errors
    /// The system has no threads left.
    pub(crate) fn watch_lan(
        &self,
        lan: &sockeye::Lan,
        title: Option<String>,
        names: Option<Names>,
    ) -> Result<(), Failure> {
        let title = title.unwrap_or_else(|| format!("sockeye {}", self.owner));
        let shown = Lan::adopt(&self.world, lan.clone(), (self.owner, &title), names).map_err(cannot)?;
        // There is one.
        let _ = self.lan.set(shown);
        Ok(())
    }

    /// Shows what happens in a host of that LAN, whose cable is as `conditions` say.
    ///
    /// # Errors
    /// The host has ended.
    pub(crate) fn watch_host(&self, host: &Host, conditions: Conditions) -> Result<(), Failure> {
        let Some(lan) = self.lan.get() else { return Ok(()) };
        lan.add_host(host, conditions).map_err(cannot)
    }

    /// Waits until nobody has the page open.
    pub(crate) async fn looked_at(&self) {
        if self.world.viewers() == 0 {
            return;
        }
        announce("the page is still open: closing it, or Ctrl-C, ends this");
        self.world.left_alone().await;
    }

    /// The network has ended.
    pub(crate) fn finish(&self) {
        if let Some(lan) = self.lan.get() {
            lan.finish();
        }
    }
}

fn cannot(trouble: Trouble) -> Failure {
    Failure::new(Code::Network, format!("--web: {}", trouble.words))
}

/// The port that was asked for; otherwise the usual one, or any.
pub(super) fn listen(port: Option<u16>) -> Result<std::net::TcpListener, Failure> {
    let bind = |port| std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let bound = match port {
        Some(port) => bind(port),
        None => bind(PORT).or_else(|_| bind(0)),
    };
    bound.map_err(|error| {
        let port = port.unwrap_or_default();
        let line = format!(
            "cannot listen on 127.0.0.1:{port}: {}; without a number one is taken that is free",
            plain(&error)
        );
        Failure::new(Code::Bind, line)
    })
}

/// A world, and the address of its page, which is served from now on.
pub(super) fn serve(
    listener: std::net::TcpListener,
    language: Option<&str>,
) -> Result<(Arc<World>, String), Failure> {
    let cannot = |error| Failure::talking("cannot listen for the page", &error);
    listener.set_nonblocking(true).map_err(cannot)?;
    let listener = TcpListener::from_std(listener).map_err(cannot)?;
    let port = listener.local_addr().map_err(cannot)?.port();
    let guard = Guard::new(port).map_err(|error| Failure::talking("cannot make a token", &error))?;
    let url = guard.url(language);
    let world = Arc::new(World::new());
    let app = api::router(Arc::clone(&world), Arc::new(guard));
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok((world, url))
}
