"""Where a server and its client are, and everything that is started there."""
import contextlib, ctypes, os, pathlib, random, re, shutil, signal, socket, subprocess, time

PYTHON = "/usr/bin/python3"
PEERS = pathlib.Path(__file__).resolve().parent / "peers"
# What a client may take, and a server until it is ready.
PATIENCE = 60


class Wrong(Exception):
    """What was not as on the kernel."""


class Skipped(Exception):
    """Why something cannot be tried here."""


def check(is_right, said):
    if not is_right:
        raise Wrong(said)


def tail(said):
    said = said if isinstance(said, str) else said.decode(errors="replace")
    return " / ".join(said.strip().splitlines()[-4:])


def path_of(program):
    """Where a program is; skips what needs it if it is not there."""
    found = shutil.which(program)
    postgres = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    if not found and not postgres:
        raise Skipped(f"{program} is not installed")
    return found or str(postgres[-1])


def free_port():
    """A port of the real machine that is free for TCP and UDP, below those that the system gives away."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            with contextlib.suppress(OSError):
                stream.bind(("127.0.0.1", port))
                datagrams.bind(("127.0.0.1", port))
                return port


class Started:
    """Programs that this one has started: each leads a session, and none outlives `end_all`."""

    def __init__(self):
        self.programs = []
        # What loses its parent, such as a daemon, becomes ours (PR_SET_CHILD_SUBREAPER).
        ctypes.CDLL(None).prctl(36, 1)

    def start(self, command, **how):
        how = {"stdin": subprocess.DEVNULL, "start_new_session": True} | how
        program = subprocess.Popen([str(word) for word in command], **how)
        self.programs.append(program)
        return program

    def end(self, program, patience=10):
        """Whether it ends when it is asked to."""
        if program.poll() is None:
            program.terminate()
        try:
            program.wait(patience)
            return True
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
            return False
        finally:
            self.programs.remove(program)
            self.end_orphans()

    def end_orphans(self):
        ours = {program.pid for program in self.programs}
        children = pathlib.Path(f"/proc/self/task/{os.getpid()}/children")
        while orphans := [pid for pid in map(int, children.read_text().split()) if pid not in ours]:
            for pid in orphans:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def end_all(self):
        for program in reversed(self.programs[:]):
            self.end(program)


class Server:
    def __init__(self, program, folder, name):
        self.program, self.paths = program, (folder / f"{name}.out", folder / f"{name}.err")

    def output(self):
        """What it has written to standard output so far."""
        return self.paths[0].read_bytes()

    def said(self):
        return "".join(path.read_text(errors="replace") for path in self.paths)

    def finish(self):
        """Its whole output, if it ends by itself and well."""
        try:
            code = self.program.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Wrong(f"the server does not end: {tail(self.said())}")
        check(code == 0, f"the server has ended with {code}: {tail(self.said())}")
        return self.output()


class Place:
    """One way from client to server. Commands are the same everywhere; what stands before them brings them there."""

    def __init__(self, name, sockeye, folder, started):
        self.name, self.folder, self.started, self.servers = name, folder, started, 0
        self.work = folder / f"work-{os.getpid()}-{name}"
        # The server's name or address for the client, and where it listens: the real machine's loopback only.
        self.host, self.bind = "127.0.0.1", "127.0.0.1" if name in ("kernel", "out") else "0.0.0.0"
        self.server_by, self.client_by = [], []
        if name == "lan":
            self.host = "server.lan"
            self.server_by = self.client_by = [sockeye, "run", "--lan", "office"]
            self.lan = [sockeye, "lan", "office"]
        if name == "out":
            self.host, self.client_by = "10.0.0.1", [sockeye, "run", "--host-loopback"]
        if name == "in":
            self.server_by = [sockeye, "run"]

    def __enter__(self):
        """The folder where the servers are, and the LAN."""
        self.work.mkdir()
        if self.name == "lan":
            shutil.rmtree(os.path.join(os.environ["XDG_RUNTIME_DIR"], "sockeye"), ignore_errors=True)
            lan = self.started.start(self.lan, stdout=subprocess.DEVNULL, stderr=open(self.work / "lan", "w"))
            self.wait_for(lambda: "join it with" in (self.work / "lan").read_text(), lan)
        return self

    def __exit__(self, *_):
        self.started.end_all()
        shutil.rmtree(self.work, ignore_errors=True)

    @contextlib.contextmanager
    def server(self, command, port, ready=None, options=(), patience=10, **how):
        """Runs a server: ready when it has said so, or when it takes connections. It has `patience` seconds to end; one that
        leaves children behind, for which `sockeye run` waits, is given less."""
        before = [*self.server_by, *options] if self.server_by else []
        if self.name == "lan" and "--name" not in before:
            before += ["--name", "server"]
        if self.name == "in":
            before += ["--publish", f"{port}:{port}"]
        self.servers += 1
        name = f"server{self.servers}"
        with open(self.work / f"{name}.out", "wb") as out, open(self.work / f"{name}.err", "wb") as err:
            program = self.started.start([*before, *(["--"] if before else []), *command], stdout=out, stderr=err,
                                         **{"cwd": self.work} | how)
        server = Server(program, self.work, name)
        try:
            if ready is not None:
                self.wait_for(lambda: re.search(ready, server.said()), program, server)
            else:
                self.client([PYTHON, PEERS / "wait.py", self.host, port])
            yield server
            check(program.poll() in (None, 0), f"the server has ended with {program.poll()}: {tail(server.said())}")
            check(self.started.end(program, patience) or patience < 10, "the server does not end by SIGTERM")
        except Wrong as wrong:
            raise Wrong(f"{wrong}; the server said {tail(server.said())!r}")
        finally:
            if program in self.started.programs:
                self.started.end(program)

    def client(self, command, options=(), input=b"", patience=PATIENCE, code=(0,), both=False, **how):
        """What a client prints that ends well; with `both`, what it says on standard error too."""
        before = [*self.client_by, *options, "--"] if self.client_by else []
        command = [str(word) for word in [*before, *command]]
        pipe = subprocess.PIPE
        program = self.started.start(command, stdin=pipe, stdout=pipe, stderr=pipe, **{"cwd": self.work} | how)
        try:
            output, said = program.communicate(input, timeout=patience)
        except subprocess.TimeoutExpired:
            raise Wrong(f"{' '.join(command)}: no end in {patience} s")
        finally:
            self.started.end(program)
        check(program.returncode in code, f"{' '.join(command)[:300]}: code {program.returncode}: {tail(said or output)}")
        return (output, said) if both else output

    def wait_for(self, is_so, program, server=None):
        end = time.monotonic() + PATIENCE / 2
        while not is_so():
            check(program.poll() is None, f"ended with {program.poll()} before it was ready")
            check(time.monotonic() < end, "not ready in time")
            time.sleep(0.02)

    def once(self, name, make):
        """A file or folder that all places share, made by the first that needs it."""
        path = self.folder / name
        if not path.exists():
            make(path)
        return path

    def file(self, name, size):
        """A folder with a file of random bytes, and the bytes."""
        path = self.once("files", pathlib.Path.mkdir) / name
        if not path.exists():
            path.write_bytes(random.Random(name).randbytes(size))
        return path.parent, path.read_bytes()
