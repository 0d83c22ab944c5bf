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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Files;

    /// The keys of a language's dictionaries.
    fn keys(language: &str) -> BTreeSet<String> {
        let directory = format!("words/{language}/");
        let files = Files::iter().filter(|path| path.starts_with(&directory) && !path.ends_with("/index.js"));
        let text: String = files
            .map(|path| String::from_utf8(Files::get(&path).unwrap().data.into_owned()).unwrap())
            .collect();
        let key = |line: &str| Some(line.trim().strip_prefix('"')?.split_once("\": ")?.0.to_owned());
        text.lines().filter_map(key).collect()
    }

    #[test]
    fn both_languages_have_the_same_words() {
        // In English what went wrong and what happened come with their words.
        let comes_with_words = |key: &String| key.starts_with("trouble.") || key.starts_with("event.");
        let [english, chinese] = ["en", "zh"].map(|language| {
            keys(language).into_iter().filter(|key| !comes_with_words(key)).collect::<BTreeSet<_>>()
        });
        assert!(english.len() > 200, "{}", english.len());
        assert_eq!(english, chinese);
    }
}
