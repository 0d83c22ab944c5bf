"""Programs that speak HTTP."""
import hashlib, re, socket

from place import PEERS, PYTHON, check, free_port, path_of
from table import ALL, program

NGINX = """
daemon off; worker_processes 3; pid nginx.pid; error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on;
    client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;
    server {{
        listen {bind}:{port};
        root {root};
        location /again/ {{ proxy_pass http://127.0.0.1:{port}/; }}
    }}
}}
"""


def nginx(place, root, port):
    """nginx with three workers; what is asked for in /again/ it fetches from itself."""
    (place.work / "nginx.conf").write_text(NGINX.format(bind=place.bind, port=port, root=root))
    command = [path_of("nginx"), "-p", f"{place.work}/", "-c", "nginx.conf", "-e", "stderr"]
    return place.server(command, port)


def same(got, data):
    digests = [hashlib.sha256(bytes).hexdigest() for bytes in (got, data)]
    check(digests[0] == digests[1], f"{len(got)} bytes of another SHA-256 than the {len(data)} that were sent")


@program("nginx, 3 workers, `sendfile`, and as a proxy", "curl", "8 MB, SHA-256", quick=ALL)
def curl(place):
    path_of("curl")
    root, data = place.file("big", 8_000_000)
    port = free_port()
    with nginx(place, root, port):
        for path in "big", "again/big":
            same(place.client(["curl", "-sSf", f"http://{place.host}:{port}/{path}"]), data)
        place.client(["curl", "-sSf", f"http://{place.host}:{port}/nothing"], code=(22,))


@program("nginx", "wget", "8 MB, SHA-256", quick=["run"])
def wget(place):
    path_of("wget")
    root, data = place.file("big", 8_000_000)
    port = free_port()
    with nginx(place, root, port):
        same(place.client(["wget", "-nv", "-T", "30", "-O", "-", f"http://{place.host}:{port}/big"]), data)


@program("nginx", "wrk", "50 connections, 2 s, every answer right", quick=["run"])
def wrk(place):
    path_of("wrk")
    root, _ = place.file("small", 4000)
    port = free_port()
    with nginx(place, root, port):
        url = f"http://{place.host}:{port}/small"
        told = place.client(["wrk", "-t2", "-c50", "-d2s", url]).decode()
    requests = int(re.search(r"(\d+) requests in", told)[1])
    check(requests > 50 and "errors" not in told and "Non-2xx" not in told, told)
    return f"{requests} requests"


@program("nginx", "ab", "2,000 requests by 20, kept alive and not, none failed", quick=["run"])
def ab(place):
    path_of("ab")
    root, _ = place.file("small", 4000)
    port = free_port()
    with nginx(place, root, port):
        for options in ["-k"], []:
            url = f"http://{place.host}:{port}/small"
            told = place.client(["ab", "-q", "-n", "2000", "-c", "20", *options, url]).decode()
            for line in r"Complete requests: +2000\n", r"Failed requests: +0\n", r"HTML transferred: +8000000 bytes":
                check(re.search(line, told), told)


@program("Python's http.server", "urllib", "8 MB, SHA-256", quick=["run"])
def python(place):
    root, data = place.file("big", 8_000_000)
    port = free_port()
    get = "import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1], timeout=30).read())"
    with place.server([PYTHON, "-m", "http.server", "-b", place.bind, "-d", root, port], port):
        same(place.client([PYTHON, "-c", get, f"http://{place.host}:{port}/big"]), data)


@program("busybox httpd", "busybox wget", "8 MB, SHA-256", quick=["run"])
def busybox_httpd(place):
    path_of("busybox")
    root, data = place.file("big", 8_000_000)
    port = free_port()
    with place.server(["busybox", "httpd", "-f", "-p", f"{place.bind}:{port}", "-h", root], port):
        same(place.client(["busybox", "wget", "-q", "-O", "-", f"http://{place.host}:{port}/big"]), data)


@program("Node.js http", "Node.js http", "200 echoes of up to 200 KB, 8 at once")
def node(place):
    path_of("node")
    port = free_port()
    with place.server(["node", PEERS / "web.js", "serve", place.bind, port], port, "ready"):
        check(place.client(["node", PEERS / "web.js", "get", place.host, port]) == b"200\n", "not 200")


@program("Go net/http, static binary", "the same", "200 echoes of up to 200 KB, 8 at once; `LookupHost`, `InterfaceAddrs`")
def go(place):
    path_of("go")

    def build(path):
        about = {"CGO_ENABLED": "0", "GOCACHE": f"{path}.cache", "GOPATH": f"{path}.path", "GOFLAGS": "-p=2"}
        command = ["env", *(f"{name}={value}" for name, value in about.items()), "go", "build", "-o", path, PEERS / "web.go"]
        program = place.started.start(command)
        check(program.wait(300) == 0, "go build has failed")
        place.started.end(program)

    web, port = place.once("web", build), free_port()
    with place.server([web, "serve", place.bind, port], port, "ready"):
        told = place.client([web, "get", place.host, port]).decode()
    check(told.startswith("200 [127.0.0.1/8"), told)
    if place.name == "lan":
        check("10.0.0." in told, told)


@program("git http-backend", "git", "clone, commit, push; both sides the same", quick=["run"])
def git(place):
    path_of("git")
    root, port = place.work / "repositories", free_port()
    _, data = place.file("big", 8_000_000)

    def local(*words):
        program = place.started.start(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], stdout=-1, stderr=-1)
        output, said = program.communicate(timeout=60)
        check(program.returncode == 0, f"git {words}: {said}")
        place.started.end(program)
        return output

    repository, work = root / "r.git", place.work / "first"
    for command in ["init", "-q", "--bare", repository], ["init", "-q", work]:
        local(*command)
    local("-C", repository, "config", "http.receivepack", "true")
    (work / "big").write_bytes(data)
    for command in ["add", "."], ["commit", "-qm", "one"], ["push", "-q", repository, "HEAD:refs/heads/main"]:
        local("-C", work, *command)
    local("-C", repository, "symbolic-ref", "HEAD", "refs/heads/main")
    with place.server([PYTHON, PEERS / "git.py", root, place.bind, port], port, "ready"):
        clone = place.work / "clone"
        place.client(["git", "clone", "-q", f"http://{place.host}:{port}/r.git", clone])
        same((clone / "big").read_bytes(), data)
        (clone / "more").write_bytes(data[::-1])
        for command in ["add", "."], ["commit", "-qm", "two"]:
            local("-C", clone, *command)
        place.client(["git", "-C", clone, "push", "-q"])
    check(local("-C", clone, "rev-parse", "HEAD") == local("-C", repository, "rev-parse", "main"), "other commits")
    local("-C", repository, "fsck", "--full")


@program("Python's http.server", "curl", "over `--loss 5% --delay 80ms --ladder`: 200 KB, SHA-256, losses in the ladder",
         places=["lan", "out"], quick=["out"])
def ladder(place):
    path_of("curl")
    root, data = place.file("page", 200_000)
    port = free_port()
    with place.server([PYTHON, "-m", "http.server", "-b", place.bind, "-d", root, port], port):
        options = ["--loss", "5%", "--delay", "80ms", "--seed", "1", "--ladder"]
        got, drawn = place.client(["curl", "-sSf", f"http://{place.host}:{port}/page"], options, both=True)
        same(got, data)
        check("✗" in drawn.decode() and "↻ again" in drawn.decode(), "nothing was lost")


@program("a tutorial's server.py", "Python's socket", "`--publish PORT:PORT`: 20 clients in turn", places=["in"], quick=["in"])
def tutorial(place):
    port = free_port()
    with place.server([PYTHON, PEERS / "server.py", port], port, "ready"):
        for n in range(20):
            with socket.create_connection(("127.0.0.1", port), 20) as stream:
                stream.sendall(b"hello %d" % n)
                stream.shutdown(socket.SHUT_WR)
                check(stream.makefile("rb").read() == b"hello %d" % n, f"client {n}")
