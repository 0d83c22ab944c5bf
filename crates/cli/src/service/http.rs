//! A web page that says who asked, over an unmodified hyper on any place's sockets.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::place::{Listener, Stream};

/// A client that has not finished its question by then is let go.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves the page for ever; `by` names whose TCP/IP carries it.
pub(crate) async fn serve_http<L: Listener>(mut listener: L, by: &'static str) {
    loop {
        match listener.accept().await {
            // A connection's end, however abrupt, concerns nobody but its peer.
            Ok((stream, asker)) => drop(tokio::spawn(serve_connection(stream, asker, by))),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn serve_connection<S: Stream>(stream: S, asker: SocketAddr, by: &'static str) -> hyper::Result<()> {
    let answer = move |request: Request<Incoming>| {
        let (parts, _) = request.into_parts();
        let question = Question { asker, method: parts.method, uri: parts.uri, headers: parts.headers, by };
        let mut answer = Response::new(page(&question));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        std::future::ready(Ok::<_, Infallible>(answer))
    };
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        // `printf 'GET …' | nc` has closed its half before it is answered.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .await
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
