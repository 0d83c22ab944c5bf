"""The small tools of networks: netcats, socat, ping, dig; and servers with many processes."""
import os, subprocess, time

from place import PEERS, PYTHON, Wrong, check, free_port, path_of
from table import program
from web import same

DATA = os.urandom(3_000_000)


@program("ncat", "ncat", "a file; `-k -e cat`; UDP; TLS")
def ncat(place):
    path_of("ncat")
    port = free_port()
    # When its input ends, it does not wait for an answer.
    talk = lambda to, word: ["sh", "-c", f"(printf '{word}'; sleep 1) | {' '.join(map(str, to))}"]
    at, to = ["ncat", "-v", "-l", place.bind, port], ["ncat", place.host, port]
    with place.server(at, port, "Listening on") as server:
        place.client([*to, "--send-only"], input=DATA)
        same(server.finish(), DATA)
    with place.server([*at, "-k", "-e", "/bin/cat"], port, "Listening on", patience=1):
        for n in range(5):
            check(place.client(talk(to, "hello %d" % n)) == b"hello %d" % n, f"client {n}")
    with place.server([*at, "-u", "-e", "/bin/cat"], port, "Listening on", patience=1):
        check(place.client(talk([*to, "-u"], "a datagram")) == b"a datagram", "UDP")
    with place.server([*at, "--ssl"], port, "Listening on") as server:
        place.client([*to, "--ssl", "--send-only"], input=DATA)
        same(server.finish(), DATA)


@program("nc (OpenBSD)", "nc", "a file; UDP", quick=["run"])
def nc(place):
    path_of("nc")
    port = free_port()
    with place.server(["nc", "-v", "-n", "-l", place.bind, port], port, "Listening on") as server:
        place.client(["nc", "-N", place.host, port], input=DATA)
        same(server.finish(), DATA)
    with place.server(["nc", "-v", "-n", "-u", "-W", "1", "-l", place.bind, port], port, "Bound on") as server:
        place.client(["nc", "-u", "-w", "1", place.host, port], input=b"a datagram")
        check(server.finish() == b"a datagram", server.output())


@program("socat", "socat", "a file; `fork,reuseaddr` with `EXEC`, 20 clients; UDP, `fork`", quick=["run"])
def socat(place):
    path_of("socat")
    port = free_port()
    to, listen = f"TCP:{place.host}:{port}", f"TCP-LISTEN:{port},bind={place.bind},reuseaddr"
    with place.server(["socat", "-d", "-d", "-u", listen, "STDOUT"], port, "listening on") as server:
        place.client(["socat", "-u", "STDIN", to], input=DATA)
        same(server.finish(), DATA)
    with place.server(["socat", "-d", "-d", f"{listen},fork", "EXEC:cat"], port, "listening on"):
        for n in range(20):
            check(place.client(["socat", "-t", "20", "-", to], input=b"hello %d" % n) == b"hello %d" % n, f"client {n}")
        same(place.client(["socat", "-t", "20", "-", to], input=DATA), DATA)
    to, listen = f"UDP:{place.host}:{port}", f"UDP-LISTEN:{port},bind={place.bind},fork"
    with place.server(["socat", "-d", "-d", listen, "EXEC:cat"], port, "listening on", patience=1):
        for n in range(5):
            check(place.client(["socat", "-t", "1", "-", to], input=b"hello %d" % n) == b"hello %d" % n, f"datagram {n}")


@program("busybox nc", "busybox nc", "a file", quick=["run"])
def busybox_nc(place):
    path_of("busybox")
    port = free_port()
    # It says nothing, and takes one connection: the client tries until it is there.
    with place.server(["busybox", "nc", "-l", "-p", port], port, "", stdin=subprocess.PIPE) as server:
        end = time.monotonic() + 20
        while not server.output():
            try:
                place.client(["busybox", "nc", place.host, port], input=DATA)
            except Wrong:
                check(time.monotonic() < end, "busybox nc is not ready")
        same(server.finish(), DATA)


@program("the gateway and the hosts", "ping", "every echo answered", places=["run", "lan", "out"], quick=["run"])
def ping(place):
    path_of("ping")
    hosts = {"run": ["127.0.0.1", "::1", "10.0.0.1", "10.0.0.2"], "lan": ["gateway.lan", "server.lan"], "out": ["10.0.0.1"]}
    port = free_port()
    with place.server(["sleep", "60"], port, ""):
        for host in hosts[place.name]:
            # The name is there when the host is.
            told = place.client(["sh", "-c", f"for n in 1 2 3 4 5 6; do ping -c 3 -i 0.2 -s 1000 -w 10 {host} && exit; sleep 1; done"])
            check(b" 0% packet loss" in told, told.decode())


@program("the LAN's name service", "dig", "names and addresses, UDP and `+tcp`", places=["run", "lan"], quick=["run"])
def dig(place):
    path_of("dig")
    port = free_port()
    name, address = ("program.lan", "10.0.0.2") if place.name == "run" else ("server.lan", "10.0.0.9")
    with place.server(["sleep", "60"], port, "", ["--ip", "10.0.0.9/24"]):
        end = time.monotonic() + 20
        for options in [], ["+tcp"], ["@10.0.0.1"], ["@10.0.0.1", "+tcp", "+bufsize=512"]:
            while not place.client(["dig", "+short", *options, name]).strip() and time.monotonic() < end:
                time.sleep(0.1)
            ask = {(name, "A"): address, ("-x", address): name + ".", ("gateway.lan", "A"): "10.0.0.1"}
            for question, answer in ask.items():
                told = place.client(["dig", "+short", *options, *question]).decode().strip()
                check(told == answer, f"dig {options} {question}: {told!r}")
            told = place.client(["dig", *options, "nobody-there.lan"]).decode()
            check("status: NXDOMAIN" in told, told)


@program("asyncio", "asyncio", "100 streams of up to 300 KB at once; 100 datagrams", quick=["run"])
def asyncio(place):
    port = free_port()
    with place.server([PYTHON, PEERS / "streams.py", "serve", place.bind, port], port, "ready"):
        check(place.client([PYTHON, PEERS / "streams.py", "talk", place.host, port]) == b"right\n", "not right")


@program("socketserver, a process for each connection", "asyncio", "1,000 connections, all open at once", quick=["in"])
def forking(place):
    port = free_port()
    with place.server([PYTHON, PEERS / "forking.py", place.bind, port], port, "ready"):
        told = place.client([PYTHON, PEERS / "crowd.py", place.host, port, 1000], patience=120)
        check(told == b"1000 1000\n", told)


@program("4 processes at one listener", "16 threads", "400 connections; every process has taken its part", quick=["run"])
def prefork(place):
    port = free_port()
    with place.server([PYTHON, PEERS / "prefork.py", place.bind, port], port, "ready"):
        told = place.client([PYTHON, PEERS / "visitors.py", place.host, port]).decode()
    parts = [int(word) for word in told.split()]
    check(sum(parts) == 400 and len(parts) == 4 and min(parts) >= 20, f"the parts of the processes: {parts}")
    return " + ".join(map(str, parts))


@program("nc at `--ip 10.9.0.3/24`", "nc at `--ip 10.9.0.2/24`", "a file, over a LAN whose subnet is 10.0.0.0/24", places=["lan"],
         quick=["lan"])
def subnets(place):
    path_of("nc")
    port = free_port()
    with place.server(["nc", "-v", "-n", "-l", "0.0.0.0", port], port, "Listening on", ["--ip", "10.9.0.3/24"]) as server:
        place.client(["nc", "-N", "10.9.0.3", port], ["--ip", "10.9.0.2/24"], DATA)
        same(server.finish(), DATA)
