//! What crossed the wire, judged by tshark.

use sockeye::sockeye_device::CaptureFile;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

/// What must not be found: broken frames, wrong checksums, and what tshark calls an error. A checksum of ones where it
/// calculates zero is as good (RFC 1624, section 3): so it is where one that was left to a device is completed.
const FAULTS: &str = "_ws.malformed || ip.checksum.status == 0 || icmp.checksum.status == 0 || icmpv6.checksum.status == 0 \
    || ((tcp.checksum.status == 0 || _ws.expert.severity == error) && !(tcp.checksum == 0xffff))";

/// Our data is data, whatever tshark thinks of its port.
const DATA: &str = "tcp.port==1-65535,data";

/// A capture being made.
pub(crate) struct Captured {
    file: CaptureFile,
    path: PathBuf,
}

pub(crate) fn begin(name: &str) -> Captured {
    let path = std::env::temp_dir().join(format!("sockeye-interop-{name}-{}.pcapng", std::process::id()));
    Captured { file: CaptureFile::create(&path).expect("a capture"), path }
}

impl Captured {
    pub(crate) fn file(&self) -> &CaptureFile {
        &self.file
    }

    /// Asks tshark about at least so many connections, and takes the file away.
    pub(crate) fn judge(self, least: usize) {
        self.file.flush().expect("the capture is whole");
        let path = self.path;
        if Command::new("tshark").arg("--version").output().is_err() {
            let _ = writeln!(std::io::stderr(), "skipped: captures are not judged: tshark is not installed");
            let _ = std::fs::remove_file(&path);
            return;
        }
        let tshark = |filter: &str| {
            let output = Command::new("tshark")
                // Nobody's preferences: the directory does not exist.
                .env("WIRESHARK_CONFIG_DIR", path.with_extension("preferences"))
                .args(["-n", "-r"])
                .arg(&path)
                .args(["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-d", DATA])
                .args(["-Y", filter])
                .output()
                .expect("tshark");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let opened = tshark("tcp.flags.syn == 1 && tcp.flags.ack == 1").lines().count();
        assert!(opened >= least, "tshark has seen {opened} connections of {least}");
        let faults = tshark(FAULTS);
        assert!(faults.is_empty(), "{} has faults:\n{}", path.display(), &faults[..faults.len().min(3000)]);
        std::fs::remove_file(&path).expect("the capture goes");
    }
}
