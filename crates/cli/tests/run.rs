//! `sockeye run`: programs of others on a host of ours.

mod running;

use std::io::{BufRead, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use running::{PATIENCE, Serving, finish, free_port, has, sockeye};
use tempfile::TempDir;

/// Python as the system has it: an unprivileged user may read it, too.
const PYTHON: &str = "/usr/bin/python3";

/// Who runs it: whoever runs the tests, or nobody, with a copy of the command in a place that everybody may read.
struct User {
    folder: TempDir,
    is_nobody: bool,
}

impl User {
    /// Whoever runs the tests; `None`, aloud, where programs cannot be run.
    fn this() -> Option<User> {
        static CAN: OnceLock<bool> = OnceLock::new();
        let user = User { folder: tempfile::tempdir().unwrap(), is_nobody: false };
        let can = CAN.get_or_init(|| user.can());
        can.then_some(user)
    }

    /// A user without any privileges; `None`, aloud, where we cannot become one.
    fn nobody() -> Option<User> {
        let folder = tempfile::tempdir().unwrap();
        if !has("setpriv") {
            return None;
        }
        let path = folder.path();
        std::fs::copy(env!("CARGO_BIN_EXE_sockeye"), path.join("sockeye")).unwrap();
        std::fs::create_dir(path.join("runtime")).unwrap();
        for name in ["", "runtime"] {
            if let Err(error) = std::os::unix::fs::chown(path.join(name), Some(65534), Some(65534)) {
                eprintln!("skipped: this user cannot become another: {error}");
                return None;
            }
        }
        let user = User { folder, is_nobody: true };
        user.can().then_some(user)
    }

    fn can(&self) -> bool {
        let output = self.run(&["true"], b"");
        let said = text(&output.stderr);
        if output.status.code() == Some(125) && said.contains("cannot run") {
            eprintln!("skipped: {said}");
            return false;
        }
        assert!(output.status.success(), "{said}");
        if !std::path::Path::new(PYTHON).exists() {
            eprintln!("skipped: there is no {PYTHON}");
            return false;
        }
        true
    }

    /// The command, with these arguments.
    fn sockeye(&self, arguments: &[&str]) -> Command {
        let mut command = sockeye(arguments);
        if self.is_nobody {
            command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
            command.arg(self.folder.path().join("sockeye")).args(arguments);
            command.env("LC_ALL", "C.UTF-8").current_dir("/");
        }
        let runtime = if self.is_nobody { "runtime" } else { "" };
        command.env("XDG_RUNTIME_DIR", self.folder.path().join(runtime));
        command
    }

    /// `sockeye run`, to its end. `arguments` are its options, `--`, and the program.
    fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        finish(&mut self.sockeye(&[&["run"], arguments].concat()), input)
    }

    /// The exit code of `sockeye run`.
    fn code(&self, arguments: &[&str]) -> i32 {
        let output = self.run(arguments, b"");
        output.status.code().unwrap_or_else(|| panic!("{arguments:?}: {output:?}"))
    }

    /// What a Python program prints that ends well.
    fn python(&self, options: &[&str], program: &str, arguments: &[&str]) -> String {
        let output = self.run(&[options, &["--", PYTHON, "-c", program], arguments].concat(), b"");
        assert!(output.status.success(), "{program}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Starts a Python program, and waits until it has said `ready` on standard error.
    fn start(&self, options: &[&str], program: &str) -> Serving {
        let run = [&["run"], options, &["--", PYTHON, "-c", program]].concat();
        let mut command = self.sockeye(&run);
        command.process_group(0);
        Serving::wait_for(command, |line| line == "ready", 1)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a test that needs nothing but a user.
macro_rules! for_each_user {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                if let Some(user) = User::this() {
                    body::$name(&user);
                }
            }
        )*

        #[test]
        fn an_unprivileged_user_can_do_it_all() {
            if let Some(user) = User::nobody() {
                $(body::$name(&user);)*
            }
        }
    };
}

for_each_user! {
    the_exit_code_is_the_programs
    what_was_not_run_ends_with_codes_of_its_own
    a_published_server_is_reached_over_tcp_and_udp
    what_may_leave_is_decided_by_options
    names_are_those_of_the_lan
    two_programs_meet_on_a_named_lan
    sigterm_is_passed_on
    ctrl_c_is_the_programs_affair
    a_daemon_is_served_to_its_end
    input_and_output_pass_through
}

/// A server of the real machine, on its loopback, that answers every connection with these bytes and the end.
struct Real {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Real {
    fn serve(bytes: Vec<u8>) -> Real {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let mut stream = stream.unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                // A request, or nothing if the client is one that only listens.
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(&bytes);
            }
        });
        Real { port, stop, thread: Some(thread) }
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Connects to `argv[1]`, port `argv[2]`, and says what became of it.
const TRY: &str = "
import errno, socket, sys
s = socket.socket()
s.settimeout(float(sys.argv[3]) if sys.argv[3:] else 20)
try:
    s.connect((sys.argv[1], int(sys.argv[2])))
    s.send(b'hello?')
    print(s.recv(100).decode())
except OSError as error:
    print(errno.errorcode.get(error.errno, 'timeout'))
";

/// What the tests do that need nothing but a user.
mod body {
    use super::*;

    pub fn the_exit_code_is_the_programs(user: &User) {
        assert_eq!(user.code(&["--", "true"]), 0);
        assert_eq!(user.code(&["--", "sh", "-c", "exit 7"]), 7);
        assert_eq!(user.code(&["sh", "-c", "exit 8", "--loss"]), 8, "the -- may be left away");
        assert_eq!(user.code(&["--", "sh", "-c", "kill -KILL $$"]), 128 + 9);
        assert_eq!(user.code(&["--", "sh", "-c", "kill -TERM $$"]), 128 + 15);
    }

    pub fn what_was_not_run_ends_with_codes_of_its_own(user: &User) {
        assert_eq!(user.code(&["--", "/no/such/program"]), 127);
        assert_eq!(user.code(&["--", "/etc/passwd"]), 126);
        for (arguments, words) in [
            (&[][..], "PROGRAM"),
            (&["--publish", "x", "--", "true"], "`x`"),
            (&["--no-such-option", "--", "true"], "--no-such-option"),
            (&["--on", "os", "--", "true"], "--on os"),
            (&["--no-gateway", "--deny", "192.0.2.0/24", "--", "true"], "--no-gateway"),
            (&["--lan", "nowhere", "--", "true"], "sockeye lan nowhere"),
        ] {
            let output = user.run(arguments, b"");
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(125), "{arguments:?}: {said}");
            assert!(said.lines().last().unwrap().contains(words), "{arguments:?}: {said}");
        }
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let publish = format!("{}:80", taken.local_addr().unwrap().port());
        assert_eq!(user.code(&["--publish", &publish, "--", "true"]), 125);
    }

    pub fn a_published_server_is_reached_over_tcp_and_udp(user: &User) {
        // The servers of the tutorials: two clients in turn, then a datagram.
        let program = "
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.bind(('', 8000))
s.listen(5)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(('0.0.0.0', 8000))
print('ready', file=sys.stderr)
for _ in range(2):
    c, address = s.accept()
    c.send(c.recv(1024).upper())
    c.close()
data, address = u.recvfrom(1024)
u.sendto(data.upper(), address)
sys.exit(5)
";
        let port = free_port();
        let at = ("127.0.0.1", port);
        let server = user.start(&["--publish", &format!("{port}:8000")], program);
        for _ in 0..2 {
            let mut stream = TcpStream::connect(at).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all("grüezi".as_bytes()).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            assert_eq!(answer, "grüezi".as_bytes().to_ascii_uppercase());
        }
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.send_to(b"datagram", at).unwrap();
        let mut answer = [0; 100];
        let (length, from) = socket.recv_from(&mut answer).unwrap();
        assert_eq!((&answer[..length], from.port()), (&b"DATAGRAM"[..], port));
        let (code, _, said) = server.wait();
        assert_eq!(code, Some(5), "{said:#?}");
        assert!(TcpStream::connect(at).is_err(), "the port is free again");
    }

    pub fn what_may_leave_is_decided_by_options(user: &User) {
        let real = Real::serve(b"the real machine".to_vec());
        let port = real.port.to_string();
        let with = |options: &[&str]| user.python(options, TRY, &["10.0.0.1", &port]);
        let this = format!("10.0.0.1:{port}");
        let other = format!("10.0.0.1:{}", real.port - 1);
        let open = "--host-loopback";
        assert_eq!(with(&[]), "ECONNREFUSED\n", "the real machine is out of reach");
        assert_eq!(with(&[open]), "the real machine\n");
        assert_eq!(with(&[open, "--deny", "10.0.0.1"]), "EHOSTUNREACH\n");
        assert_eq!(with(&[open, "--deny", &other]), "the real machine\n");
        assert_eq!(with(&[open, "--allow", &this]), "the real machine\n");
        assert_eq!(with(&[open, "--allow", &other]), "EHOSTUNREACH\n");
        assert_eq!(with(&[open, "--allow", &this, "--deny", "10.0.0.0/8"]), "EHOSTUNREACH\n");
        // An address for documentation: whatever happens to it, nothing leaves this machine for it here.
        let world = user.python(&["--deny", "0.0.0.0/0"], TRY, &["192.0.2.1", "80"]);
        assert_eq!(world, "EHOSTUNREACH\n");
        let world = user.python(&["--no-gateway"], TRY, &["192.0.2.1", "80", "0.5"]);
        assert!(["timeout\n", "EHOSTUNREACH\n", "ENETUNREACH\n"].contains(&world.as_str()), "{world}");
    }

    pub fn names_are_those_of_the_lan(user: &User) {
        let ask = "
import socket, sys
for name in sys.argv[1:]:
    try:
        print(socket.getaddrinfo(name, 80, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
    except socket.gaierror as error:
        print('nobody')
";
        let names = ["gateway", "gateway.lan", "program", "program.lan", "nobody-there.lan"];
        assert_eq!(user.python(&[], ask, &names), "10.0.0.1\n10.0.0.1\n10.0.0.2\n10.0.0.2\nnobody\n");
    }

    pub fn two_programs_meet_on_a_named_lan(user: &User) {
        let lan = Serving::wait_for(user.sockeye(&["lan", "demo"]), |line| line.contains("join it with"), 1);
        // Python's own web server, with a word when it is ready.
        let program = "
import http.server, sys
server = http.server.ThreadingHTTPServer(('', 8000), http.server.SimpleHTTPRequestHandler)
print('ready', file=sys.stderr)
server.serve_forever()
";
        let folder = user.folder.path().join("page.txt");
        std::fs::write(&folder, "a page over three processes").unwrap();
        let mut command =
            user.sockeye(&["run", "--lan", "demo", "--name", "web", "--", PYTHON, "-c", program]);
        command.current_dir(user.folder.path());
        let web = Serving::wait_for(command, |line| line == "ready", 1);
        let get = "
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode(), end='')
";
        for name in ["web", "web.lan"] {
            let url = format!("http://{name}:8000/page.txt");
            assert_eq!(user.python(&["--lan", "demo"], get, &[&url]), "a page over three processes");
        }
        if has("curl") {
            let output = user.run(&["--lan", "demo", "--", "curl", "-sf", "http://web:8000/page.txt"], b"");
            assert_eq!(text(&output.stdout), "a page over three processes", "{}", text(&output.stderr));
        }
        // A client that stays, so that there is something to see.
        let stay = "
import socket, sys, time
s = socket.create_connection(('web', 8000), 20)
print('ready', file=sys.stderr)
time.sleep(60)
";
        let client = user.start(&["--lan", "demo", "--name", "visitor"], stay);
        let table = text(&finish(&mut user.sockeye(&["ss"]), b"").stdout);
        for host in ["gateway ", "web ", "visitor "] {
            assert!(table.lines().any(|line| line.starts_with(host) && line.contains("(pid ")), "{table}");
        }
        let is_established = |line: &&str| line.contains("ESTABLISHED") && line.contains(":8000");
        assert_eq!(table.lines().filter(is_established).count(), 2, "both ends: {table}");
        assert!(table.lines().any(|line| line.contains("LISTEN") && line.contains(":8000")), "{table}");
        for program in [client, web, lan] {
            assert_eq!(program.end("TERM").0, Some(143));
        }
    }

    pub fn sigterm_is_passed_on(user: &User) {
        let program = "
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
print('ready', file=sys.stderr)
time.sleep(60)
";
        let (code, _, said) = user.start(&[], program).end("TERM");
        assert_eq!(code, Some(9), "{said:#?}");
        // A program that waits in a call of ours, and has no answer to the signal.
        let program = "
import socket, sys
s = socket.socket()
s.listen()
print('ready', file=sys.stderr)
s.accept()
";
        let (code, _, said) = user.start(&[], program).end("TERM");
        assert_eq!(code, Some(128 + 15), "{said:#?}");
    }

    pub fn ctrl_c_is_the_programs_affair(user: &User) {
        // The terminal sends the signal to the whole group.
        let program = "
import socket, sys
s = socket.socket()
s.listen()
try:
    print('ready', file=sys.stderr)
    s.accept()
except KeyboardInterrupt:
    sys.exit(6)
";
        let (code, _, said) = user.start(&[], program).end_group("INT");
        assert_eq!(code, Some(6), "{said:#?}");
        let program = "
import signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
print('ready', file=sys.stderr)
time.sleep(60)
";
        let (code, _, said) = user.start(&[], program).end_group("INT");
        assert_eq!(code, Some(128 + 2), "{said:#?}");
    }

    pub fn a_daemon_is_served_to_its_end(user: &User) {
        let program = "
import os, socket, sys
s = socket.socket()
s.bind(('', 8000))
s.listen()
if os.fork():
    os._exit(3)
os.setsid()
print('ready', file=sys.stderr)
for _ in range(2):
    c, _ = s.accept()
    c.sendall(b'the daemon')
    c.close()
";
        let port = free_port();
        let daemon = user.start(&["--publish", &format!("{port}:8000")], program);
        for _ in 0..2 {
            let mut answer = Vec::new();
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.read_to_end(&mut answer).unwrap();
            assert_eq!(text(&answer), "the daemon");
        }
        let (code, _, said) = daemon.wait();
        assert_eq!(code, Some(3), "the first process has set the code: {said:#?}");
    }

    pub fn input_and_output_pass_through(user: &User) {
        let input: Vec<u8> = (0..4u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let output = user.run(&["--", "cat"], &input);
        assert!(output.status.success() && output.stdout == input, "{}", text(&output.stderr));
        // The same through a connection of ours.
        let program = "
import shutil, socket, sys, threading
s = socket.create_server(('127.0.0.1', 0))
near = socket.create_connection(s.getsockname())
far, _ = s.accept()
def send():
    shutil.copyfileobj(sys.stdin.buffer, near.makefile('wb'))
    near.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
shutil.copyfileobj(far.makefile('rb'), sys.stdout.buffer)
";
        let output = user.run(&["--", PYTHON, "-c", program], &input);
        assert!(output.status.success() && output.stdout == input, "{}", text(&output.stderr));
    }
}

#[test]
fn a_download_over_a_bad_cable_is_whole_and_the_ladder_shows_why() {
    let Some(user) = User::this() else { return };
    if !has("curl") {
        return;
    }
    let page: Vec<u8> = (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 17) as u8).collect();
    let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", page.len());
    let real = Real::serve([head.as_bytes(), &page].concat());
    let url = format!("http://gateway.lan:{}/", real.port);
    let file = user.folder.path().join("frames.pcapng");
    let options = ["--host-loopback", "--loss", "10%", "--delay", "20ms", "--ladder", "--seed", "1"];
    let program = ["--pcap", file.to_str().unwrap(), "--", "curl", "-sS", "--max-time", "50", &url];
    let output = user.run(&[&options[..], &program].concat(), b"");
    let ladder = text(&output.stderr);
    assert!(output.status.success() && output.stdout == page, "{ladder}");
    assert!(ladder.contains("seed 1; ") && ladder.contains("loss 10%, delay 20ms"), "{ladder}");
    let lost = ladder.lines().filter(|line| line.contains('✗')).count();
    let again = ladder.lines().filter(|line| line.contains("↻ again")).count();
    assert!(lost >= 5 && again >= 1, "{lost} lost, {again} sent again: {ladder}");
    // The same frames are in the file: the request of a program that knows nothing of us among them.
    let frames = std::fs::read(file).unwrap();
    assert!(frames.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]));
    assert!(frames.len() > page.len());
    assert!(frames.windows(14).any(|bytes| bytes == b"GET / HTTP/1.1"));
}

#[test]
fn the_last_frames_of_a_program_reach_a_named_lan() {
    let Some(user) = User::this() else { return };
    let lan = Serving::wait_for(user.sockeye(&["lan", "demo"]), |line| line.contains("join it with"), 1);
    // The acknowledgment of the server's FIN, and a reset: nobody would send them again.
    let serve = "
import socket, sys
s = socket.create_server(('', 7000))
print('ready', file=sys.stderr)
c, _ = s.accept()
try:
    print(c.recv(100))
except ConnectionResetError:
    print('reset')
c.close()
";
    let visit = "
import socket, struct, sys
s = socket.create_connection(('server', 7000), 20)
if sys.argv[1] == 'reset':
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
s.close()
";
    for (way, heard) in [("end", "b''\n"), ("reset", "reset\n")] {
        let server = user.start(&["--lan", "demo", "--name", "server"], serve);
        user.python(&["--lan", "demo", "--delay", "100ms"], visit, &[way]);
        let begin = Instant::now();
        let (code, stdout, said) = server.wait();
        assert_eq!((code, text(&stdout).as_str()), (Some(0), heard), "{said:#?}");
        assert!(begin.elapsed() < Duration::from_secs(10), "the server waits for a client that is gone");
    }
    assert_eq!(lan.end("TERM").0, Some(143));
}

#[test]
fn ten_programs_at_once_are_strangers_to_each_other() {
    let Some(user) = User::this() else { return };
    // Each has a LAN of its own, with the same addresses and ports.
    let program = "
import socket, sys, time
s = socket.create_server(('10.0.0.2', 80))
time.sleep(0.5)
socket.create_connection(('10.0.0.2', 80)).send(sys.argv[1].encode())
print(s.accept()[0].recv(100).decode(), end='')
";
    std::thread::scope(|scope| {
        for n in 0..10 {
            let user = &user;
            scope.spawn(move || assert_eq!(user.python(&[], program, &[&n.to_string()]), n.to_string()));
        }
    });
}

#[test]
fn a_program_does_not_outlive_who_answers_it() {
    let Some(user) = User::this() else { return };
    // Nobody answers its calls any more, and it would try for ever.
    let program = "
import os, socket, sys
s = socket.create_server(('', 7000))
print('pid', os.getpid(), file=sys.stderr)
while True:
    try:
        s.accept()
    except OSError:
        pass
";
    let (told, pid) = std::sync::mpsc::channel();
    let mut command = user.sockeye(&["run", "--", PYTHON, "-c", program]);
    let mut running = command.stderr(Stdio::piped()).spawn().unwrap();
    let said = std::io::BufReader::new(running.stderr.take().unwrap());
    std::thread::spawn(move || {
        let pids =
            said.lines().map_while(Result::ok).find_map(|line| Some(line.strip_prefix("pid ")?.to_owned()));
        told.send(pids.unwrap()).ok();
    });
    let program = format!("/proc/{}", pid.recv_timeout(PATIENCE).unwrap());
    running.kill().unwrap();
    running.wait().unwrap();
    let begin = Instant::now();
    while std::fs::exists(&program).unwrap() {
        assert!(begin.elapsed() < Duration::from_secs(10), "{program} is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}
