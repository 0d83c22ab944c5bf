//! The scripts of the repository pass, over IPv4, IPv6 and mapped addresses.

mod common;

use std::fs;
use std::path::Path;

use common::scripts_below;
use sockeye_script::run::{IpVersion, Wishes, run};

/// Scripts that do not pass yet, each with what is missing. One that passes must leave this list.
const NOT_YET: &[(&str, &str)] = &[];

#[test]
fn all_pass_over_every_ip() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scripts");
    let mut paths = Vec::new();
    scripts_below(&folder, &mut paths);
    paths.sort();
    assert!(paths.len() >= 50, "only {} scripts", paths.len());
    let (mut wrong, mut failed) = (Vec::new(), Vec::new());
    for path in paths {
        let name = path.strip_prefix(&folder).expect("a script in the folder").display().to_string();
        let source = fs::read_to_string(&path).expect("a script");
        let script = sockeye_script::parse(&name, &source, &[]).unwrap_or_else(|error| panic!("{error}"));
        for version in [IpVersion::V4, IpVersion::V6, IpVersion::Mapped] {
            let stem = name.trim_end_matches(".pkt");
            if stem.ends_with(if version.is_v6_on_the_wire() { "v4" } else { "v6" }) {
                continue;
            }
            let strict = vec![("strict_end".to_owned(), None)];
            let outcome = run(&script, &Wishes { ip_version: Some(version), options: strict });
            let Some(failure) = outcome.failure else { continue };
            if NOT_YET.iter().any(|(known, _)| *known == name) {
                failed.push(name.clone());
            } else {
                wrong.push(format!("{name} ({}): {failure}\n{}", version.name(), outcome.ladder));
            }
        }
    }
    assert!(wrong.is_empty(), "{} runs failed:\n{}", wrong.len(), wrong.join("\n"));
    for (known, reason) in NOT_YET {
        assert!(
            failed.iter().any(|name| name == known),
            "{known} passes now: it is no longer so that {reason}"
        );
    }
}
