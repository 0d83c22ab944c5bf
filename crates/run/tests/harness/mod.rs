//! Python programs on hosts of ours, and what they print.

#![allow(dead_code)] // each test file uses its own part

use sockeye::{Conditions, Host, Lan};
use sockeye_run::{Program, RunError};
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus};

/// A LAN with one host for the program, and one of the test's own.
pub struct Site {
    pub lan: Lan,
    pub host: Host,
    pub other: Host,
}

impl Site {
    pub fn new() -> Site {
        Site::with(Conditions::default())
    }

    /// With these conditions on the cable of the program's host.
    pub fn with(conditions: Conditions) -> Site {
        let lan = Lan::builder().seed(7).build().unwrap();
        let builder = |name: &str, four: &str, six: &str| {
            lan.host(name).address(four.parse().unwrap()).address(six.parse().unwrap())
        };
        let host = builder("program", "10.0.0.2/24", "fd00::2/64").conditions(conditions).build().unwrap();
        let other = builder("other", "10.0.0.3/24", "fd00::3/64").build().unwrap();
        Site { lan, host, other }
    }

    /// Starts a script of `tests/python`.
    pub fn start(&self, script: &str, arguments: &[&str]) -> Option<Running> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script);
        // The system's own starts at once; others may have a shell script in front.
        let system = Path::new("/usr/bin/python3");
        let mut command = Command::new(if system.exists() { system } else { Path::new("python3") });
        command.arg("-u").arg(path).args(arguments);
        self.start_command(command)
    }

    /// Starts a program; `None`, aloud, where that is not permitted.
    pub fn start_command(&self, mut command: Command) -> Option<Running> {
        let (reader, writer) = std::io::pipe().unwrap();
        command.stderr(writer.try_clone().unwrap());
        command.stdout(writer);
        match Program::start(&self.host, command) {
            Ok(program) => Some(Running { program, output: reader }),
            Err(error @ (RunError::Refused(_) | RunError::Watch(_))) => {
                eprintln!("skipped: {error}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Runs a script to its end, and gives what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, script: &str, arguments: &[&str]) -> Option<String> {
        let (status, output) = self.start(script, arguments)?.finish();
        assert!(status.success(), "{script} {arguments:?}: {status}\n{output}");
        Some(output)
    }
}

/// A program at work.
pub struct Running {
    pub program: Program,
    pub output: std::io::PipeReader,
}

impl Running {
    /// Waits for its end.
    pub fn finish(mut self) -> (ExitStatus, String) {
        let mut output = String::new();
        self.output.read_to_string(&mut output).unwrap();
        (self.program.wait().unwrap(), output)
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while self.output.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
            line.extend(byte);
        }
        String::from_utf8(line).unwrap()
    }
}

/// How many descriptors and threads this process has.
pub fn held() -> (usize, usize) {
    let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
    (count("/proc/self/fd"), count("/proc/self/task"))
}
