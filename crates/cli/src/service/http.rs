//! A web page that says who asked, over an unmodified axum on any place's sockets.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Html;
use axum::serve::IncomingStream;

use crate::place::Listener;

/// A place's listener as axum wants one.
struct Door<L>(L);

impl<L: Listener> axum::serve::Listener for Door<L> {
    type Io = L::Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (L::Stream, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok(accepted) => return accepted,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_address()
    }
}

/// The address a request came from.
#[derive(Clone, Copy)]
struct Asker(SocketAddr);

impl<L: Listener> Connected<IncomingStream<'_, Door<L>>> for Asker {
    fn connect_info(stream: IncomingStream<'_, Door<L>>) -> Self {
        Asker(*stream.remote_addr())
    }
}

/// Serves the page for ever; `by` names whose TCP/IP carries it.
pub(crate) async fn serve_http<L: Listener>(listener: L, by: &'static str) {
    let page =
        async move |ConnectInfo(asker): ConnectInfo<Asker>, method: Method, uri: Uri, headers: HeaderMap| {
            Html(page(&Question { asker: asker.0, method, uri, headers, by }))
        };
    let app = Router::new().fallback(page);
    // Never ends by itself, and the listener never reports an error.
    axum::serve(Door(listener), app.into_make_service_with_connect_info::<Asker>()).await.ok();
}

struct Question {
    asker: SocketAddr,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    by: &'static str,
}

/// The page for one request; everything that came from outside is escaped.
fn page(question: &Question) -> String {
    let host = question.headers.get("host").map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    let mut rows = String::new();
    let mut row = |name: &str, value: &str| {
        writeln!(rows, "<tr><th>{}</th><td>{}</td></tr>", escape(name), escape(value)).ok();
    };
    row("you are", &question.asker.to_string());
    row("you asked", &format!("{} {}", question.method, question.uri));
    row("of the host", host.as_deref().unwrap_or("(not said)"));
    for (name, value) in &question.headers {
        row(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Sockeye: who asked?</title>\n\
         <style>body{{font:16px/1.5 system-ui;max-width:46em;margin:2em auto;padding:0 1em}}\
         th{{text-align:left;vertical-align:top;padding-right:1em;color:#666}}td{{word-break:break-all}}</style>\n\
         <h1>Hello, {asker}</h1>\n<p>This page was served by {by}. With <code>--ladder</code> the terminal shows every \
         segment that brought it here.</p>\n<table>\n{rows}</table>\n</html>\n",
        asker = question.asker,
        by = escape(question.by),
    )
}

/// Text that cannot be taken for markup.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_who_asked_and_escapes_it() {
        let mut headers = HeaderMap::new();
        headers.insert("host", "example:80".parse().unwrap());
        headers.insert("user-agent", "<script>".parse().unwrap());
        let asker = "10.0.0.1:4242".parse().unwrap();
        let question =
            Question { asker, method: Method::GET, uri: "/a?b".parse().unwrap(), headers, by: "ours" };
        let page = page(&question);
        assert!(page.contains("10.0.0.1:4242") && page.contains("GET /a?b") && page.contains("example:80"));
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"));
    }
}
