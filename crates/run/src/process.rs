//! The processes of the program, as `/proc` shows them: all descendants of this one.

use std::collections::{HashMap, HashSet};

/// A process of the program that has the socket with this inode, and its number there.
pub(crate) fn holder(inode: u64) -> Option<(u32, u32)> {
    descendants().into_iter().find_map(|process| {
        let number = sockets(process).find_map(|(number, found)| (found == inode).then_some(number))?;
        Some((process, number))
    })
}

/// The inodes of all sockets that processes of the program have.
pub(crate) fn open_sockets() -> HashSet<u64> {
    descendants().into_iter().flat_map(sockets).map(|(_, inode)| inode).collect()
}

/// All descendants of this process. (It adopts those whose parents are gone.)
pub(crate) fn descendants() -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(parent) = parent(process) {
            children.entry(parent).or_default().push(process);
        }
    }
    let mut found = Vec::new();
    let mut open = vec![std::process::id()];
    while let Some(process) = open.pop() {
        for child in children.remove(&process).unwrap_or_default() {
            found.push(child);
            open.push(child);
        }
    }
    found
}

fn parent(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in brackets, may have any character in it.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The sockets of a process: their numbers and inodes.
fn sockets(process: u32) -> impl Iterator<Item = (u32, u64)> {
    let folder = format!("/proc/{process}/fd");
    std::fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|entry| {
        let number = entry.file_name().to_str()?.parse().ok()?;
        let target = std::fs::read_link(entry.path()).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()?;
        Some((number, inode))
    })
}
