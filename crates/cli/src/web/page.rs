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
    fn every_word_of_the_page_is_in_both_languages() {
        let [english, chinese] = ["en", "zh"].map(keys);
        assert!(english.len() > 200, "{}", english.len());
        // Not the other way round: what went wrong, lessons and the like come with their words in English.
        assert_eq!(english.difference(&chinese).collect::<Vec<_>>(), Vec::<&String>::new());
        for path in Files::iter().filter(|path| path.ends_with(".js")) {
            let text = String::from_utf8(Files::get(&path).unwrap().data.into_owned()).unwrap();
            let calls = text.match_indices(" t(\"").chain(text.match_indices("(t(\""));
            for key in calls.filter_map(|(at, call)| text.get(at + call.len()..)?.split('"').next()) {
                assert!(english.contains(key), "{path} says `{key}`");
            }
        }
    }
}
