"""Databases, iperf3 and OpenSSH."""
import json, os, pwd, re, socket

from place import Skipped, check, free_port, path_of
from table import program
from web import same


@program("redis-server", "redis-benchmark", "SET, GET, LPUSH, 50 clients, pipelines of 16; a value of 1 MB", quick=["run", "lan"])
def redis(place, at=(), by=(), host=None, count=20_000):
    path_of("redis-benchmark")
    port, host = free_port(), host or place.host
    command = [path_of("redis-server"), "--port", port, "--bind", place.bind, "--protected-mode", "no", "--save", ""]
    with place.server(command, port, "Ready to accept connections", at):
        address = ["-h", host, "-p", port]
        told = place.client(["redis-benchmark", *address, "-t", "set,get,lpush", "-n", count, "-c", "50", "-P", "16", "--csv"], by)
        check(len(re.findall(r'^"(SET|GET|LPUSH)","[1-9]', told.decode(), re.M)) == 3, told.decode())
        cli = ["redis-cli", *address]
        length = place.client([*cli, "LLEN", "mylist"], by)
        check(int(length) == count, f"{length} pushed of {count}")
        value = os.urandom(500_000).hex().encode()
        check(place.client([*cli, "-x", "SET", "big"], by, value) == b"OK\n", "SET")
        same(place.client([*cli, "GET", "big"], by), value + b"\n")


@program("redis-server at `--ip 10.0.0.2/24 --name redis`", "redis-benchmark at `--rate 10mbit`", "the same, at redis.lan",
         places=["lan"], quick=["lan"])
def redis_rate(place):
    redis(place, ["--ip", "10.0.0.2/24", "--name", "redis"], ["--rate", "10mbit"], "redis.lan", 2000)


@program("PostgreSQL", "pgbench", "8 clients, 100 transactions each, none failed")
def postgres(place):
    if os.geteuid() == 0:
        raise Skipped("PostgreSQL does not run as root")

    def make(path):
        init = place.started.start([path_of("initdb"), "-D", path, "-U", "me", "-A", "trust", "--no-sync"], stdout=-3)
        check(init.wait(120) == 0, "initdb")
        place.started.end(init)
        with open(path / "pg_hba.conf", "a") as hba:
            hba.write("host all all 0.0.0.0/0 trust\n")

    path_of("pgbench")
    data, port = place.once("postgres", make), free_port()
    command = [path_of("postgres"), "-D", data, "-p", port, "-c", f"listen_addresses={place.bind}", "-c", "fsync=off",
               "-c", "unix_socket_directories="]
    with place.server(command, port, "ready to accept connections"):
        at = ["-h", place.host, "-p", port, "-U", "me"]
        place.client([path_of("pgbench"), *at, "-i", "-q", "postgres"])
        told = place.client([path_of("pgbench"), *at, "-c", "8", "-j", "2", "-t", "100", "postgres"]).decode()
        check("processed: 800/800" in told and "failed transactions: 0 " in told, told)
        # A notification, and a query that is cancelled over a connection of its own.
        sql = "LISTEN a; NOTIFY a; SELECT 42; SELECT count(*) FROM pgbench_history"
        told = place.client([path_of("psql"), *at, "-At", "-c", sql, "postgres"]).decode()
        check("42\n800\n" in told and "notification" in told, told)


def iperf3(place, options, minimum):
    path_of("iperf3")
    port = free_port()
    with place.server(["iperf3", "-s", "-B", place.bind, "-p", port, "--forceflush"], port, "Server listening"):
        told = []
        for back in [], ["-R"]:
            # Not its -B, and no time for the control connection: as a user says it.
            command = ["iperf3", "-c", place.host, "-p", port, "-t", "2", "-J", *options, *back]
            end = json.loads(place.client(command))["end"]
            total = end.get("sum_received") or end["sum"]
            rate = total["bits_per_second"] / 1e6
            check(rate >= minimum, f"{rate:.1f} Mbit/s {back}")
            lost = end.get("sum", {}).get("lost_percent", 0)
            check(lost <= 1, f"{lost:.2f} % of the datagrams are lost {back}")
            told.append(f"{rate:.0f} Mbit/s")
        return ", ".join(told)


@program("iperf3", "iperf3", "TCP, both directions, 4 streams", quick=["run"])
def iperf3_tcp(place):
    return iperf3(place, ["-P", "4"], 10)


@program("iperf3", "iperf3", "UDP at 50 Mbit/s, both directions, at most 1 % lost", quick=["run"])
def iperf3_udp(place):
    return iperf3(place, ["-u", "-b", "50M"], 40)


@program("sshd", "ssh, sftp, scp", "login by key; 3 MB there and back, SHA-256; `-L`", quick=["run"])
def ssh(place):
    sshd, sftp_server = path_of("sshd"), "internal-sftp"
    user = pwd.getpwuid(os.geteuid())
    port, forwarded = free_port(), free_port()
    for name in "host", "key":
        key = place.started.start(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place.work / name])
        check(key.wait(20) == 0, "ssh-keygen")
        place.started.end(key)
    (place.work / "sshd.conf").write_text(f"""
        HostKey {place.work}/host
        AuthorizedKeysFile {place.work}/key.pub
        StrictModes no
        UsePAM {"yes" if user.pw_name == "nobody" else "no"}
        PasswordAuthentication no
        PidFile none
        Subsystem sftp {sftp_server}
    """)
    data = os.urandom(3_000_000)
    (place.work / "there").write_bytes(data)
    options = ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={place.work}/known", "-o", "BatchMode=yes",
               "-F", "none", "-o", "LogLevel=ERROR", "-i", place.work / "key"]
    who = f"{user.pw_name}@{place.host}"
    # Debian's sshd as root wants this folder.
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)
    command = [sshd, "-D", "-e", "-f", place.work / "sshd.conf", "-p", port, "-o", f"ListenAddress={place.bind}"]
    with place.server(command, port, "Server listening"):
        batch = f"put {place.work}/there {place.work}/here\nget {place.work}/here {place.work}/back\n".encode()
        place.client(["sftp", "-q", "-b", "-", *options, "-P", port, who], input=batch)
        for name in "here", "back":
            same((place.work / name).read_bytes(), data)
        place.client(["scp", "-q", *options, "-P", port, place.work / "there", f"{who}:{place.work}/scp"])
        same((place.work / "scp").read_bytes(), data)
        # A connection inside a connection: to sshd itself, which says its version.
        forward = ["-f", "-N", "-o", "ExitOnForwardFailure=yes", "-L", f"{forwarded}:127.0.0.1:{port}"]
        shell = " ".join(map(str, ["ssh", *options, "-p", port, *forward, who])) + f"""
            exec 3<>/dev/tcp/127.0.0.1/{forwarded}; read -t 20 line <&3; echo $line; exec 3>&-
            kill $(pgrep -u $(id -u) -fx "ssh .*{forwarded}.*")"""
        check(place.client(["bash", "-c", shell]).startswith(b"SSH-2.0-OpenSSH"), "ssh -L")
        if user.pw_shell.endswith(("nologin", "false")):
            return f"no command: the shell of {user.pw_name} is {user.pw_shell}"
        same(place.client(["ssh", *options, "-p", port, who, "cat"], input=data), data)
        place.client(["ssh", *options, "-p", port, who, "exit 7"], code=(7,))
