"""Programs of all kinds, one a function: `programs.py NAME` runs it, and an assertion fails it."""
import ctypes, errno, os, random, select, signal, socket, struct, subprocess, sys, threading, time

# Nothing here waits for ever, whatever else fails.
signal.alarm(50)

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def pair():
    with socket.create_server(("127.0.0.1", 0)) as s:
        near = socket.create_connection(s.getsockname())
        return near, s.accept()[0]


def threads():
    s = socket.create_server(("127.0.0.1", 0), backlog=1024)
    failures = []

    def serve():
        while True:
            c, _ = s.accept()
            with c:
                if (data := c.recv(100)) == b"stop":
                    return
                c.sendall(data.upper())

    def ask(n):
        try:
            for i in range(200):
                with socket.create_connection(s.getsockname()) as c:
                    c.sendall(b"%d and %d" % (n, i))
                    assert c.recv(100) == b"%d AND %d" % (n, i)
                    assert c.recv(100) == b""
        except Exception as error:
            failures.append(error)

    servers = [threading.Thread(target=serve) for _ in range(8)]
    clients = [threading.Thread(target=ask, args=(n,)) for n in range(32)]
    for t in servers + clients:
        t.start()
    for t in clients:
        t.join()
    for _ in servers:
        socket.create_connection(s.getsockname()).sendall(b"stop")
    assert not failures, failures


def full():
    """Bytes with an address go the way of all others; and where poll says that there is room, there is."""
    near, far = pair()
    near.setblocking(False)
    sent = []

    def give():
        block = struct.pack(">I", len(sent)) * 128
        # An address is not looked at where there is a connection.
        to = near.getpeername() if len(sent) % 2 else None
        taken = near.sendto(block, to) if to else near.send(block)
        sent.append(block[:taken])

    refused = 0
    while select.select([], [near], [], 0.2)[1]:
        try:
            give()
        except BlockingIOError:
            refused += 1
            assert refused < 100, f"{len(sent)} blocks, and no room where poll says there is"
    assert len(sent) > 200
    # A little fits in still when poll says no more that there is room.
    try:
        for _ in range(100_000):
            give()
        assert False, "it is never full"
    except BlockingIOError:
        pass
    near.setblocking(True)
    expected = b"".join(sent) + b"the end"
    got = bytearray()
    reader = threading.Thread(target=lambda: [got.extend(data) for data in iter(lambda: far.recv(65536), b"")])
    reader.start()
    # It waits until there is room.
    assert near.sendto(b"the end", near.getpeername()) == 7
    near.shutdown(socket.SHUT_WR)
    reader.join()
    assert got == expected, (len(got), len(expected))


def inherited():
    """posix_spawn and vfork: the parent is stopped until the child has become another program."""
    s = socket.create_server(("127.0.0.1", 0))
    near, far = pair()
    child = """
import socket, sys
s, c = (socket.socket(fileno=int(n)) for n in sys.argv[1:])
a, _ = s.accept()
a.sendall(b"accepted by a child")
c.sendall(b"from a child to " + c.getpeername()[0].encode())
"""
    program = [sys.executable, "-c", child, str(s.fileno()), str(far.fileno())]
    with subprocess.Popen(program, pass_fds=(s.fileno(), far.fileno())) as spawned:
        far.close()
        with socket.create_connection(s.getsockname()) as c:
            assert c.recv(100) == b"accepted by a child"
        assert near.recv(100) == b"from a child to 127.0.0.1"
        assert near.recv(100) == b"", "the last copy is closed"
        assert spawned.wait() == 0
    near, far = pair()
    os.set_inheritable(far.fileno(), True)
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", f"echo hello >&{far.fileno()}"], os.environ)
    far.close()
    assert near.recv(100) == b"hello\n" and near.recv(100) == b""
    assert os.waitpid(pid, 0)[1] == 0


def passed():
    for _ in range(50):
        here, there = socket.socketpair()
        s = socket.create_server(("127.0.0.1", 0))
        name = s.getsockname()
        near, far = pair()
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.bind(("127.0.0.1", 0))
        if (pid := os.fork()) == 0:
            for mine in (here, s, near, far, u):
                mine.close()
            _, fds, _, _ = socket.recv_fds(there, 10, 3)
            s, far, u = (socket.socket(fileno=n) for n in fds)
            far.sendall(b"to " + far.getpeername()[0].encode())
            s.accept()[0].sendall(b"accepted")
            data, address = u.recvfrom(100)
            u.sendto(data.upper(), address)
            os._exit(0)
        socket.send_fds(here, [b"x"], [s.fileno(), far.fileno(), u.fileno()])
        to = u.getsockname()
        for mine in (s, far, u):
            mine.close()
        assert near.recv(100) == b"to 127.0.0.1"
        c = socket.create_connection(name)
        assert c.recv(100) == b"accepted"
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.sendto(b"hello", to)
        assert u.recvfrom(100) == (b"HELLO", to)
        assert os.waitpid(pid, 0)[1] == 0
        assert near.recv(100) == b""


def stopped():
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind(("127.0.0.1", 0))
    s = socket.create_server(("127.0.0.1", 0))

    def child(work):
        if (pid := os.fork()) == 0:
            work()
            os._exit(0)
        time.sleep(0.1)
        os.kill(pid, signal.SIGSTOP)
        os.waitpid(pid, os.WUNTRACED)
        return pid

    def receive():
        assert u.recvfrom(100)[0] == b"hello"
        u.sendto(b"got it", HOME.getsockname())

    HOME = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    HOME.bind(("127.0.0.1", 0))
    children = [child(receive), child(lambda: s.accept()[0].sendall(b"accepted"))]
    near, far = pair()
    near.sendall(b"others go on")
    assert far.recv(100) == b"others go on"
    HOME.sendto(b"hello", u.getsockname())
    c = socket.create_connection(s.getsockname())
    for pid in children:
        os.kill(pid, signal.SIGCONT)
    assert HOME.recvfrom(100)[0] == b"got it" and c.recv(100) == b"accepted"
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
    # Killed while it is stopped: what it did not take is there for another.
    pid = child(lambda: s.accept())
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    c = socket.create_connection(s.getsockname())
    s.accept()[0].sendall(b"by another")
    assert c.recv(100) == b"by another"


def closed():
    """A thread closes what another one waits on. That one may wait on, as on Linux, or be told; the rest goes on."""
    for kind in ("accept", "connect", "recvfrom", "recv", "send"):
        near, far = pair()
        s = socket.socket(type=socket.SOCK_DGRAM if kind == "recvfrom" else socket.SOCK_STREAM)
        if kind in ("recv", "send"):
            s.close()
            s = near
        elif kind != "connect":
            s.bind(("127.0.0.1", 0))
        if kind == "accept":
            s.listen()
        number = s.fileno()

        def wait():
            buffer, length = ctypes.create_string_buffer(1 << 16), ctypes.c_uint(16)
            if kind == "accept":
                libc.accept(number, None, None)
            elif kind == "connect":
                nobody = struct.pack("!HH4s8x", 0, 80, socket.inet_aton("10.0.0.98"))
                libc.connect(number, struct.pack("=H", socket.AF_INET) + nobody[2:], 16)
            elif kind == "recvfrom":
                libc.recvfrom(number, buffer, 100, 0, buffer, ctypes.byref(length))
            elif kind == "recv":
                libc.recv(number, buffer, 100, 0)
            else:
                while libc.send(number, buffer, 1 << 16, socket.MSG_NOSIGNAL) > 0:
                    pass

        threading.Thread(target=wait, daemon=True).start()
        time.sleep(0.05)
        libc.close(s.detach())
        a, b = pair()
        a.sendall(b"x")
        assert b.recv(1) == b"x"
    # Threads of which some wait still: the process ends all the same.
    os._exit(0)


SYSCALLS = {
    "x86_64": dict(bind=49, connect=42, accept=43, accept4=288, listen=50, getsockname=51, getpeername=52, sendto=44,
                   recvfrom=45, setsockopt=54, getsockopt=55, sendmsg=46, recvmsg=47, sendmmsg=307, recvmmsg=299,
                   shutdown=48, ioctl=16, socket=41),
    "aarch64": dict(bind=200, connect=203, accept=202, accept4=242, listen=201, getsockname=204, getpeername=205,
                    sendto=206, recvfrom=207, setsockopt=208, getsockopt=209, sendmsg=211, recvmsg=212, sendmmsg=269,
                    recvmmsg=243, shutdown=210, ioctl=29, socket=198),
}[os.uname().machine]


def raw(name, *arguments):
    """A call as it is, and how it ends."""
    values = [ctypes.c_long(a if isinstance(a, int) else ctypes.addressof(a)) for a in arguments]
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(SYSCALLS[name]), *values)
    return str(result) if result >= 0 else errno.errorcode[ctypes.get_errno()]


def bad():
    """Prints what calls with bad pointers and lengths answer."""
    good, length = ctypes.create_string_buffer(128), ctypes.c_int(16)
    address = ctypes.create_string_buffer(struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", 0, b"\x7f\0\0\1"))
    kernel = -1 << 47
    for where in (0x10, kernel):
        def say(name, *arguments):
            print(hex(where), name, *(a if isinstance(a, int) and abs(a) < 1 << 33 else "-" for a in arguments[1:]),
                  raw(name, *arguments))

        s, u = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.bind(("127.0.0.1", 0))
        for t in (s, u):
            n = t.fileno()
            say("bind", n, where, 16)
            say("connect", n, where, 16)
            for size in (0, 1, -1, 129, 0x7FFFFFFF):
                say("bind", n, address, size)
                say("connect", n, address, size)
            say("getsockname", n, where, length)
            say("getsockname", n, good, where)
            length.value = -1
            say("getsockname", n, good, length)
            length.value = 16
            for option in (socket.SO_RCVBUF, socket.SO_LINGER, socket.SO_RCVTIMEO):
                say("setsockopt", n, socket.SOL_SOCKET, option, where, 16)
                say("setsockopt", n, socket.SOL_SOCKET, option, good, -1)
                say("setsockopt", n, socket.SOL_SOCKET, option, good, 1)
                say("getsockopt", n, socket.SOL_SOCKET, option, where, length)
                say("getsockopt", n, socket.SOL_SOCKET, option, good, where)
                length.value = -1
                say("getsockopt", n, socket.SOL_SOCKET, option, good, length)
                length.value = 16
            say("sendmsg", n, where, 0)
        say("setsockopt", s.fileno(), socket.IPPROTO_TCP, socket.TCP_NODELAY, where, 4)
        say("setsockopt", s.fileno(), socket.IPPROTO_TCP, socket.TCP_CONGESTION, where, 4)
        say("ioctl", s.fileno(), 0x8912, where)
        n, name = u.fileno(), u.getsockname()
        to = ctypes.create_string_buffer(struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", name[1], b"\x7f\0\0\1"))
        say("sendto", n, where, 10, 0, to, 16)
        say("sendto", n, good, 10, 0, where, 16)
        say("sendto", n, good, 10, 0, to, -1)
        say("sendto", n, good, 10, 0, to, 3)
        say("sendto", n, good, 1 << 32, 0, to, 16)
        say("sendto", n, good, 70_000, 0, to, 16)
        for call in ("recvfrom", "recvmsg"):
            u.sendto(b"hello", name)
            if call == "recvfrom":
                say(call, n, where, 10, 0x40, good, length)
            else:
                say(call, n, where, 0x40)
        while True:
            try:
                u.recvfrom(100, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
        for pieces, count in ((where, 1), (good, 5000), (good, -1)):
            message = ctypes.create_string_buffer(struct.pack("PIPNPNI", ctypes.addressof(to), 16,
                                                              pieces if isinstance(pieces, int) else ctypes.addressof(pieces),
                                                              count & (1 << 64) - 1, 0, 0, 0))
            say("sendmsg", n, message, 0)
            say("recvmsg", n, message, 0x40)
        say("sendmmsg", n, where, 5, 0)
        say("recvmmsg", n, where, 5, 0x40, 0)
        s = socket.create_server(("127.0.0.1", 0))
        c = socket.create_connection(s.getsockname())
        say("accept", s.fileno(), where, length)
        c = socket.create_connection(s.getsockname())
        say("accept4", s.fileno(), 0, 0, -1)
        say("getpeername", c.fileno(), where, length)
        say("listen", -1, 5)
        say("shutdown", c.fileno(), 77)
        for family, kind, protocol in ((999, 1, 0), (2, 99, 0), (2, 1, 999), (2, 1 | 1 << 30, 0), (-1, -1, -1)):
            say("socket", family, kind, protocol)


def hostile():
    """Calls at random, with numbers at random, in threads that close each other's descriptors, until it is killed."""
    def work(seed):
        chance = random.Random(seed)
        memory = ctypes.create_string_buffer(4096)
        near = ctypes.addressof(memory)
        numbers = (0, 1, 2, 16, 64, 4095, 1 << 16, 0x7FFFFFFF, -1, -4096, 1 << 40, near, near + 2048, near + 4090)
        names = [name for name in SYSCALLS if name != "ioctl"]
        end = time.time() + 1.5
        while time.time() < end:
            for i in range(0, 4096, 8):
                struct.pack_into("q", memory, i, chance.choice(numbers))
            struct.pack_into("=HH", memory, 0, chance.choice((2, 10)), chance.randrange(65536))
            kind = socket.SOCK_STREAM if chance.random() < 0.5 else socket.SOCK_DGRAM
            libc.socket(chance.choice((2, 10)), kind | socket.SOCK_NONBLOCK, 0)
            for _ in range(20):
                arguments = [chance.choice(numbers) for _ in range(5)]
                raw(chance.choice(names), chance.randrange(3, 40), *arguments)
            if chance.random() < 0.3:
                os.closerange(3, 40)

    if (pid := os.fork()) == 0:
        for n in range(8):
            threading.Thread(target=work, args=(os.getpid() * 100 + n,), daemon=True).start()
        time.sleep(60)
    time.sleep(0.5)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.2)
    os.kill(pid, signal.SIGCONT)
    time.sleep(1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def steady():
    """Connections and datagrams for three seconds, and all of them are answered."""
    s = socket.create_server(("10.0.0.2", 0))
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind(("10.0.0.2", 0))
    end, n = time.time() + 3, 0
    while time.time() < end:
        near = socket.create_connection(s.getsockname(), 10)
        far, _ = s.accept()
        near.sendall(b"x" * 50_000)
        got = 0
        while got < 50_000:
            got += len(far.recv(100_000))
        u.sendto(b"%d" % n, u.getsockname())
        u.settimeout(10)
        while u.recvfrom(100)[0] != b"%d" % n:
            pass
        near.close()
        far.close()
        n += 1
    assert n > 20, n


globals()[sys.argv[1]]()
