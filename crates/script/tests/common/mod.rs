//! Where scripts are.

use std::fs;
use std::path::{Path, PathBuf};

/// All scripts in a folder and in those below it, in the order of their names.
pub fn scripts_below(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut inside: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder of scripts").flatten().map(|entry| entry.path()).collect();
    inside.sort();
    for path in inside {
        if path.is_dir() {
            scripts_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "pkt") {
            found.push(path);
        }
    }
}
