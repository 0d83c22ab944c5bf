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
fn other_parameters_of_lessons_have_other_findings() {
    let found: BTreeMap<String, String> = [
        ("arp", json!({"to": "nobody"})),
        ("gateway", json!({"to": "10.0.1.2", "prefix": 8})),
        ("mtu", json!({"icmp": false})),
        ("refused", json!({"why": "no-host"})),
        ("refused", json!({"why": "silence"})),
        ("reset", json!({"how": "linger-0"})),
        ("keepalive", json!({"vanishes": false})),
        ("time-wait", json!({"reuseaddr": true})),
        ("time-wait", json!({"first": "client"})),
        ("nagle", json!({"nodelay": true})),
        ("fast-retransmit", json!({"which": "last-two"})),
        ("retransmission", json!({"cut_s": 1200})),
        ("syn-flood", json!({"syns": 0})),
        ("handshake", json!({"loss": 40})),
    ]
    .into_iter()
    .map(|(lesson, parameters)| (format!("{lesson} {parameters}"), kinds(lesson, parameters).join(" ")))
    .collect();
    insta::assert_debug_snapshot!(found);
}

/// The Chinese words of a key, as the page has them.
fn chinese(key: &str) -> Option<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/page/words/zh/findings.js");
    let words = std::fs::read_to_string(path).unwrap();
    let (_, rest) = words.split_once(&format!("\"{key}\": \""))?;
    rest.split_once('"').map(|(words, _)| words.to_owned())
}

#[test]
fn findings_have_the_facts_that_their_chinese_words_name() {
    for lesson in lessons() {
        let told = played(&lesson, 1, json!({})).findings(0, 500);
        for finding in told["findings"].as_array().unwrap() {
            let kind = finding["kind"].as_str().unwrap();
            let words = chinese(&format!("finding.{kind}")).unwrap();
            for name in words.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
            {
                assert!(!finding["facts"][name].is_null(), "{kind} of {lesson} has no {name}: {finding}");
            }
            let has_next = chinese(&format!("finding.{kind}.next")).is_some();
            assert_eq!(has_next, !finding["next"].as_str().unwrap().is_empty(), "{kind}");
        }
    }
}

#[test]
fn the_page_has_chinese_words_for_every_kind() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/page/words/zh/findings.js");
    let words = std::fs::read_to_string(path).unwrap();
    for kind in super::KINDS {
        assert!(words.contains(&format!("\"finding.{kind}\":")), "{kind} has no Chinese words");
    }
}
