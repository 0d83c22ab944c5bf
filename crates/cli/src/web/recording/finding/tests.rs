//! What is found in lessons, and what is not.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::web::recording::tests::{lessons, played};

fn kinds(lesson: &str, parameters: Value) -> Vec<String> {
    let found = played(lesson, 1, parameters).findings(0, 500);
    let findings = found["findings"].as_array().unwrap();
    for finding in findings {
        assert!(!finding["words"].as_str().unwrap().is_empty(), "{finding}");
        assert!(finding["until"].as_f64() >= finding["time"].as_f64(), "{finding}");
    }
    let mut kinds: Vec<String> =
        findings.iter().map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

#[test]
fn every_lesson_is_explained_by_its_own_findings() {
    let found: BTreeMap<String, String> =
        lessons().into_iter().map(|name| (name.clone(), kinds(&name, json!({})).join(" "))).collect();
    insta::assert_debug_snapshot!(found);
}

#[test]
fn the_page_has_chinese_words_for_every_kind() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/page/words/zh/findings.js");
    let words = std::fs::read_to_string(path).unwrap();
    for kind in super::KINDS {
        assert!(words.contains(&format!("\"finding.{kind}\":")), "{kind} has no Chinese words");
    }
}
