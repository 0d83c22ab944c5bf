//! The files of the page, which are part of the program.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "src/web/page"]
#[exclude = "*.json"]
struct Files;

/// A file of the page.
pub(crate) async fn file(uri: Uri) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    let Some(file) = Files::get(path) else {
        return (StatusCode::NOT_FOUND, "the page has no such file").into_response();
    };
    let mut response = file.data.into_owned().into_response();
    if let Ok(kind) = HeaderValue::from_str(file.metadata.mimetype()) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}
