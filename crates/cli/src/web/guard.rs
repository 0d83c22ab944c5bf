//! Who may use the API: whoever has the token of the printed address, from the page itself or without any page.
//!
//! A page elsewhere must not open sockets through us. It cannot know the token; its requests bear its own `Origin`; and where a name
//! of its own leads to 127.0.0.1 (DNS rebinding), they bear that name as `Host`.

use std::io;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, LOCATION, ORIGIN, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Nothing from elsewhere, no script but the page's files, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; \
                      connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/// The token, and what else a request must show.
#[derive(Debug)]
pub(crate) struct Guard {
    token: String,
    port: u16,
}

impl Guard {
    /// A guard with a token that nobody can guess.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(crate) fn new(port: u16) -> io::Result<Guard> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Guard { token: URL_SAFE_NO_PAD.encode(bytes), port })
    }

    /// The address that lets a browser in.
    pub(crate) fn url(&self, language: Option<&str>) -> String {
        let language = language.map(|language| format!("&lang={language}")).unwrap_or_default();
        format!("http://127.0.0.1:{}/?token={}{language}", self.port, self.token)
    }

    /// Cookies are not told apart by port: two assistants must not take each other's away.
    fn cookie(&self) -> String {
        format!("sockeye-{}", self.port)
    }

    fn is_our_host(&self, headers: &HeaderMap) -> bool {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| host == format!("{name}:{}", self.port))
    }

    /// Requests without `Origin` come from no page, or from our own by a plain link.
    fn is_our_origin(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(ORIGIN) else { return true };
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        origin.to_str().is_ok_and(|origin| origin == format!("http://{host}"))
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let name = self.cookie();
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookie = cookies
            .flat_map(|line| line.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value));
        [bearer, cookie].into_iter().flatten().any(|given| self.is_token(given))
    }

    /// Takes the same time however much of it is right.
    fn is_token(&self, given: &str) -> bool {
        let (ours, given) = (self.token.as_bytes(), given.as_bytes());
        ours.len() == given.len() && ours.iter().zip(given).fold(0, |other, (a, b)| other | (a ^ b)) == 0
    }

    /// Lets a browser in that was opened with the token, and takes the token out of its address.
    fn admit(&self, request: &Request) -> Option<Response> {
        if request.uri().path() != "/" {
            return None;
        }
        let query = request.uri().query()?;
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name));
        let token = value("token=")?;
        if !self.is_token(token) {
            return Some(refusal(
                StatusCode::UNAUTHORIZED,
                "this address is of another assistant, or of an earlier one",
            ));
        }
        let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie(), self.token);
        let to = match value("lang=") {
            Some("zh") => "/?lang=zh",
            Some("en") => "/?lang=en",
            _ => "/",
        };
        let mut response = StatusCode::SEE_OTHER.into_response();
        response.headers_mut().insert(LOCATION, HeaderValue::from_static(to));
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        Some(response)
    }
}

/// Stands before everything.
pub(crate) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let response = if !guard.is_our_host(headers) {
        refusal(StatusCode::MISDIRECTED_REQUEST, "this is the assistant of 127.0.0.1, and has no other name")
    } else if !guard.is_our_origin(headers) {
        refusal(StatusCode::FORBIDDEN, "another page may not use the assistant")
    } else if let Some(admitted) = guard.admit(&request) {
        admitted
    } else if !guard.has_token(headers) {
        refusal(
            StatusCode::UNAUTHORIZED,
            "open the address that `sockeye web` has printed: it has the token that lets you in",
        )
    } else {
        next.run(request).await
    };
    with_headers(response)
}

fn refusal(status: StatusCode, words: &'static str) -> Response {
    (status, words).into_response()
}

fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
