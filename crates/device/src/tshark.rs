//! For tests: a capture file that tshark reads and judges, and that is gone afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) struct Recording {
    path: PathBuf,
}

impl Recording {
    pub(crate) fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = format!("sockeye-{}-{number}-{name}.pcapng", std::process::id());
        Self { path: std::env::temp_dir().join(file) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What tshark prints with `arguments`, line by line, without the zeros before numbers; `None`, aloud, if there is no tshark.
    pub(crate) fn read(&self, arguments: &[&str]) -> Option<Vec<String>> {
        let output = Command::new("tshark")
            // Nobody's preferences: the directory does not exist.
            .env("WIRESHARK_CONFIG_DIR", self.path.with_extension("preferences"))
            .args(["-n", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"])
            .args(["-o", "ip.check_checksum:TRUE", "-r"])
            .arg(&self.path)
            .args(arguments)
            .output();
        let output = match output {
            Ok(output) => output,
            Err(error) => {
                eprintln!("skipped: tshark does not run here: {error}");
                return None;
            }
        };
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tshark cannot read the capture: {complaints}");
        assert!(!complaints.contains("cut short"), "{complaints}");
        let lines = String::from_utf8_lossy(&output.stdout).replace("0x0000000", "");
        Some(lines.lines().map(str::to_owned).collect())
    }

    /// Fails if tshark finds a malformed frame or a bad checksum, or fewer than `least` TCP segments with a good one.
    pub(crate) fn judge(&self, least: usize) {
        let bad = "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0 || udp.checksum.status == 0";
        let Some(bad) = self.read(&["-Y", bad]) else { return };
        assert!(bad.is_empty(), "tshark complains of {bad:#?}");
        let good = self.read(&["-Y", "tcp.checksum.status == 1"]).unwrap_or_default();
        assert!(good.len() >= least, "only {} segments: {good:#?}", good.len());
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
