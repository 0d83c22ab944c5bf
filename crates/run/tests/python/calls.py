"""What each call answers, one case a function: `calls.py CASE` runs it, and an assertion fails it."""
import errno, fcntl, os, select, signal, socket, struct, subprocess, sys, termios, threading, time

HERE, OTHER = "127.0.0.1", "10.0.0.3"


def listener(port=0, backlog=16, family=socket.AF_INET, address=HERE):
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(backlog)
    return s


def pair():
    with listener() as s:
        near = socket.create_connection(s.getsockname())
        far, _ = s.accept()
    return near, far


def fails(number, call, *arguments):
    try:
        result = call(*arguments)
    except OSError as error:
        assert error.errno == number, f"{error} instead of {errno.errorcode[number]}"
    else:
        raise AssertionError(f"{result!r} instead of {errno.errorcode[number]}")


def polled(s, timeout=5000, events=select.POLLIN | select.POLLOUT | select.POLLRDHUP):
    p = select.poll()
    p.register(s, events)
    return dict(p.poll(timeout)).get(s.fileno(), 0)


def tutorial():
    """The server of the tutorials and its client, with text in two encodings."""
    s = listener()

    def serve():
        for _ in range(2):
            c, address = s.accept()
            assert address == c.getpeername() and address[0] == HERE
            c.send(c.recv(1024))
            c.close()

    t = threading.Thread(target=serve)
    t.start()
    for encoding in ("utf-8", "gbk"):
        c = socket.socket()
        assert c.connect_ex(s.getsockname()) == 0
        c.sendall("你好".encode(encoding))
        with c.makefile("rb") as f:
            assert f.read().decode(encoding) == "你好"
        c.close()
    t.join()


def names():
    s = socket.socket()
    assert s.getsockname() == ("0.0.0.0", 0)
    fails(errno.ENOTCONN, s.getpeername)
    s.bind(("10.0.0.2", 0))
    assert s.getsockname()[0] == "10.0.0.2" and s.getsockname()[1] != 0
    fails(errno.EINVAL, s.bind, ("10.0.0.2", 0))
    fails(errno.EADDRNOTAVAIL, socket.socket().bind, ("192.0.2.1", 80))
    six = listener(family=socket.AF_INET6, address="::")
    c = socket.create_connection((HERE, six.getsockname()[1]))
    far, address = six.accept()
    assert address[0] == "::ffff:127.0.0.1", address
    assert c.getpeername()[1] == six.getsockname()[1]
    fails(errno.EADDRINUSE, socket.socket().bind, (HERE, c.getsockname()[1]))


def unconnected():
    """As on Linux, but for the kernel's word for it: reading needs a connection, and polls see a socket hung up."""
    s = socket.socket()
    s.setblocking(False)
    try:
        s.recv(1)
        raise AssertionError("read without connection")
    except OSError as error:
        assert error.errno in (errno.ENOTCONN, errno.EINVAL)
    assert polled(s) == select.POLLOUT | select.POLLHUP
    fails(errno.ENOTCONN, s.getpeername)
    fails(errno.EINVAL, s.accept)


def types():
    for family in (socket.AF_INET, socket.AF_INET6):
        for kind, protocol in ((socket.SOCK_STREAM, socket.IPPROTO_TCP), (socket.SOCK_DGRAM, socket.IPPROTO_UDP)):
            original = socket.socket(family, kind)
            s = socket.socket(fileno=os.dup(original.fileno()))
            assert (s.family, s.type, s.proto) == (family, kind, protocol), s
    fails(errno.EPROTONOSUPPORT, socket.socket, socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_UDP)
    fails(errno.ESOCKTNOSUPPORT, socket.socket, socket.AF_INET, socket.SOCK_RDM)
    assert socket.socket(socket.AF_UNIX).family == socket.AF_UNIX
    s = listener()
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


def connect_nonblocking():
    """`sys.argv[2]` is a port of the other host, 50 ms away; not writable before that, and refused on another port."""
    port = int(sys.argv[2])
    s = socket.socket()
    s.setblocking(False)
    assert s.connect_ex((OTHER, port)) == errno.EINPROGRESS
    assert s.connect_ex((OTHER, port)) == errno.EALREADY
    assert polled(s, 0) == 0, "writable before the handshake"
    fails(errno.EAGAIN, s.send, b"too early")
    assert polled(s) == select.POLLOUT
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert s.connect_ex((OTHER, port)) == 0
    assert s.connect_ex((OTHER, port)) == errno.EISCONN
    s.send(b"hello")
    s.setblocking(True)
    assert s.recv(100) == b"HELLO"
    s = socket.socket()
    s.setblocking(False)
    assert s.connect_ex((OTHER, 9)) == errno.EINPROGRESS
    events = polled(s)
    assert events & select.POLLERR and events & select.POLLHUP, events
    assert polled(s, events=select.POLLOUT) & select.POLLOUT
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    s = socket.socket()
    assert s.connect_ex((OTHER, 9)) == errno.ECONNREFUSED
    assert s.connect_ex((OTHER, port)) == 0, "a socket may try again"
    s.sendall(b"again")
    assert s.recv(100) == b"AGAIN"
    s = socket.socket()
    s.settimeout(0.01)
    try:
        s.connect(("10.0.0.99", 80))
        raise AssertionError("connected to nobody")
    except TimeoutError:
        pass


def ends():
    near, far = pair()
    near.sendall(b"question")
    near.shutdown(socket.SHUT_WR)
    fails(errno.EPIPE, near.send, b"more")
    assert far.recv(100) == b"question" and far.recv(100) == b""
    assert polled(far) & select.POLLRDHUP
    far.sendall(b"answer")
    far.close()
    assert near.recv(100) == b"answer" and near.recv(100) == b""
    time.sleep(0.05)
    assert polled(near) & select.POLLHUP
    near.close()

    near, far = pair()
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    fails(errno.ECONNRESET, near.recv, 100)
    assert near.recv(100) == b""

    near, far = pair()
    near.sendall(b"never read")
    assert polled(far, events=select.POLLIN)
    far.close()
    fails(errno.ECONNRESET, near.recv, 100)
    fails(errno.EPIPE, near.send, b"x")
    fails(errno.ENOTCONN, near.shutdown, socket.SHUT_RDWR)

    near, far = pair()
    near.sendall(b"last words")
    near.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    near.shutdown(socket.SHUT_WR)
    far.sendall(b"x" * 100)
    assert far.recv(100) == b"last words"
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    time.sleep(0.05)
    assert polled(near) & select.POLLERR
    got = near.recv(1000)
    assert got in (b"x" * 100, b""), got

    near, far = pair()
    near.shutdown(socket.SHUT_RD)
    assert near.recv(100) == b""
    near.sendall(b"still heard")
    assert far.recv(100) == b"still heard"
    fails(errno.ENOTCONN, socket.socket().shutdown, socket.SHUT_RDWR)


def reset_while_writing():
    """Neither side reads, both write; when one is gone, the other one's write ends."""
    near, far = pair()
    near.setblocking(False)
    while True:
        try:
            near.send(b"x" * 8192)
        except BlockingIOError:
            # Not only just now.
            time.sleep(0.05)
            if not polled(near, 0, select.POLLOUT):
                break
    errors = []

    def write():
        try:
            while True:
                far.sendall(b"y" * 8192)
        except OSError as error:
            errors.append(error.errno)

    t = threading.Thread(target=write, daemon=True)
    t.start()
    time.sleep(0.3)
    assert not errors
    near.close()
    t.join(10)
    assert errors and errors[0] in (errno.EPIPE, errno.ECONNRESET), errors


def sigpipe():
    near, far = pair()
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    time.sleep(0.05)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        near.send(b"x", socket.MSG_NOSIGNAL) if False else os.write(near.fileno(), b"x")
        os.write(near.fileno(), b"x")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGPIPE
    fails(errno.EPIPE, near.send, b"x", socket.MSG_NOSIGNAL)


def reuse():
    s = listener()
    port = s.getsockname()[1]
    fails(errno.EADDRINUSE, socket.socket().bind, (HERE, port))
    c = socket.create_connection((HERE, port))
    far, _ = s.accept()
    s.close()
    far.close()
    c.recv(1)
    c.close()
    time.sleep(0.05)
    fails(errno.EADDRINUSE, socket.socket().bind, (HERE, port))
    listener(port).close()
    for _ in range(50):
        # Closed is closed before the next call.
        with socket.socket() as a:
            a.bind((HERE, 0))
            name = a.getsockname()
        with socket.socket() as b:
            b.bind(name)


def reuse_port():
    """Listeners that share a port, and sockets that do."""
    def sharing(kind, address):
        s = socket.socket(socket.AF_INET, kind)
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 0
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 1
        s.bind(address)
        return s

    one = sharing(socket.SOCK_STREAM, (HERE, 0))
    one.listen(64)
    other = sharing(socket.SOCK_STREAM, one.getsockname())
    other.listen(64)
    stranger = socket.socket()
    stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    fails(errno.EADDRINUSE, stranger.bind, one.getsockname())
    near = [socket.create_connection(one.getsockname()) for _ in range(40)]
    counts = []
    for s in (one, other):
        s.setblocking(False)
        counts.append(0)
        while polled(s, 100, select.POLLIN):
            s.accept()[0].close()
            counts[-1] += 1
    assert sum(counts) == 40 and min(counts) > 5, counts
    for c in near:
        c.close()
    other.close()
    near = [socket.create_connection(one.getsockname()) for _ in range(10)]
    for _ in near:
        assert polled(one, events=select.POLLIN)
        one.accept()

    one = sharing(socket.SOCK_DGRAM, (HERE, 0))
    other = sharing(socket.SOCK_DGRAM, one.getsockname())
    heard = set()
    for _ in range(20):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as c:
            c.sendto(b"x", one.getsockname())
            ready, _, _ = select.select([one, other], [], [], 5)
            assert len(ready) == 1 and ready[0].recv(10) == b"x"
            heard.add(ready[0])
    assert len(heard) == 2


def disconnect():
    """`connect` to AF_UNSPEC, for which Python has no call of its own."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    near, far = pair()
    far.sendall(b"unread")
    assert polled(near, events=select.POLLIN)
    assert libc.connect(near.fileno(), bytes(16), 16) == 0
    fails(errno.ENOTCONN, near.getpeername)
    fails(errno.ECONNRESET, far.recv, 10)
    with listener() as s:
        near.connect(s.getsockname())
        far, _ = s.accept()
        near.sendall(b"again")
        assert far.recv(10) == b"again"
        far.sendall(b"and back")
        assert near.recv(10) == b"and back"
    near.close()
    assert far.recv(10) == b""


def fast_open():
    """MSG_FASTOPEN: without a cookie, with one (where the host allows that), and to nobody."""
    with listener() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
        for n in range(3):
            c = socket.socket()
            assert c.sendto(b"x" * 5000, socket.MSG_FASTOPEN, s.getsockname()) == 5000
            c.sendall(b"more")
            c.shutdown(socket.SHUT_WR)
            far, _ = s.accept()
            with far.makefile("rb") as f:
                assert f.read() == b"x" * 5000 + b"more"
            fails(errno.EISCONN, c.sendto, b"x", socket.MSG_FASTOPEN, s.getsockname())
            c.close()
        c = socket.socket()
        c.setblocking(False)
        try:
            sent = c.sendto(b"hello", socket.MSG_FASTOPEN, s.getsockname())
        except BlockingIOError as error:
            assert error.errno == errno.EINPROGRESS
            sent = 0
        assert polled(c, events=select.POLLOUT) == select.POLLOUT
        c.sendall(b"hello"[sent:])
        far, _ = s.accept()
        assert far.recv(10) == b"hello"
        name = s.getsockname()
    fails(errno.ECONNREFUSED, socket.socket().sendto, b"x", socket.MSG_FASTOPEN, name)


def workers():
    """A listener that forked children share, one of them by a duplicate in another place."""
    s = listener()
    s.setblocking(True)
    children = []
    for n in range(4):
        pid = os.fork()
        if pid == 0:
            if n == 3:
                os.dup2(s.fileno(), 77)
                os.close(s.detach())
                mine = socket.socket(fileno=77)
            else:
                mine = s
            while True:
                c, _ = mine.accept()
                if c.recv(10) == b"stop":
                    os._exit(0)
                c.sendall(str(os.getpid()).encode())
                c.close()
        children.append(pid)
    seen = set()
    deadline = time.time() + 20
    while len(seen) < 4 and time.time() < deadline:
        cs = [socket.create_connection(s.getsockname()) for _ in range(8)]
        for c in cs:
            c.sendall(b"who?")
        seen |= {c.recv(100) for c in cs}
    assert len(seen) >= 2, seen
    for _ in children:
        socket.create_connection(s.getsockname()).sendall(b"stop")
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0


def epoll_edges():
    """A nonblocking listener with edge-triggered epoll: no connection is overlooked."""
    s = listener()
    s.setblocking(False)
    e = select.epoll()
    e.register(s, select.EPOLLIN | select.EPOLLET)
    fails(errno.EAGAIN, s.accept)
    for n in range(1, 4):
        cs = [socket.create_connection(s.getsockname()) for _ in range(n)]
        got = 0
        while got < n:
            assert e.poll(5), "no edge"
            while True:
                try:
                    c, _ = s.accept()
                except BlockingIOError:
                    break
                got += 1
                c.close()
    assert not e.poll(0.05)


def interrupted():
    """Signals end calls that wait, and nothing is lost."""
    hits = []
    signal.signal(signal.SIGALRM, lambda *_: hits.append(1))
    signal.siginterrupt(signal.SIGALRM, True)
    libc = __import__("ctypes").CDLL(None, use_errno=True)
    ctypes = __import__("ctypes")
    s = listener()

    def eintr(call):
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        start = time.time()
        assert call() == -1 and ctypes.get_errno() == errno.EINTR, ctypes.get_errno()
        assert 0.03 < time.time() - start < 2

    eintr(lambda: libc.accept(s.fileno(), None, None))
    c = socket.create_connection(s.getsockname())
    far, _ = s.accept()
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind((HERE, 0))
    buffer, address, length = ctypes.create_string_buffer(100), ctypes.create_string_buffer(16), ctypes.c_int(16)
    eintr(lambda: libc.recvfrom(u.fileno(), buffer, 100, 0, address, ctypes.byref(length)))
    eintr(lambda: libc.recv(u.fileno(), buffer, 100, 0))
    eintr(lambda: libc.recv(c.fileno(), buffer, 100, 0))
    # A storm of signals, and every datagram and every connection arrives all the same.
    signal.siginterrupt(signal.SIGALRM, False)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    for n in range(500):
        u.sendto(b"%d" % n, u.getsockname())
        assert u.recvfrom(100)[0] == b"%d" % n
        c = socket.create_connection(s.getsockname())
        far, address = s.accept()
        assert address == c.getsockname()
    signal.setitimer(signal.ITIMER_REAL, 0)
    u.setblocking(False)
    fails(errno.EAGAIN, u.recvfrom, 100)
    assert len(hits) > 10


def timeouts():
    s = listener()
    for option, call in ((socket.SO_RCVTIMEO, lambda: s.accept()),):
        s.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", 0, 100_000))
        start = time.time()
        fails(errno.EAGAIN, call)
        assert 0.08 < time.time() - start < 2
    near, far = pair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 100_000))
    fails(errno.EAGAIN, near.recv, 10)
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind((HERE, 0))
    u.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 100_000))
    fails(errno.EAGAIN, u.recvfrom, 10)


def datagrams():
    a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for s in (a, b):
        s.bind((HERE, 0))
    a.sendto(b"one", b.getsockname())
    a.sendto(b"", b.getsockname())
    a.sendto(b"x" * 60_000, b.getsockname())
    assert polled(b, events=select.POLLIN) == select.POLLIN
    assert b.recvfrom(100, socket.MSG_PEEK) == (b"one", a.getsockname())
    assert b.recvfrom(100) == (b"one", a.getsockname())
    assert b.recv(100) == b""
    data, _, flags, address = b.recvmsg(10)
    assert (data, flags, address) == (b"x" * 10, socket.MSG_TRUNC, a.getsockname())
    fails(errno.EMSGSIZE, a.sendto, b"x" * 70_000, b.getsockname())
    a.connect(b.getsockname())
    assert a.getpeername() == b.getsockname()
    for n in range(100):
        a.send(b"%d" % n)
    for n in range(100):
        assert (b.recv(10) if n % 2 else b.recvfrom(10)[0]) == b"%d" % n
    b.sendto(b"back", a.getsockname())
    assert a.recv(10) == b"back"
    a.sendmsg([b"in ", b"pieces"])
    assert b.recv(100) == b"in pieces"
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.sendto(b"unwanted", a.getsockname())
    a.setblocking(False)
    fails(errno.EAGAIN, a.recvfrom, 10)
    b.close()
    a.send(b"to nobody")
    a.setblocking(True)
    fails(errno.ECONNREFUSED, a.recvfrom, 10)
    for patience in (None, 5):
        c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        c.settimeout(patience)
        c.connect((HERE, 9))
        c.send(b"to nobody")
        try:
            c.recv(10)
            raise AssertionError("an answer from nobody")
        except ConnectionError as error:
            assert error.errno in (errno.ECONNREFUSED, errno.ECONNRESET), error
        assert c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        assert c.getpeername() == (HERE, 9)
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((HERE, 9))
        c.send(b"to somebody")
        assert server.recv(100) == b"to somebody", "a refusal is no end"
        server.sendto(b"yes", c.getsockname())
        assert c.recv(10) == b"yes"
        server.close()
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    fails(errno.EACCES, u.sendto, b"x", ("255.255.255.255", 9))
    u.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    assert u.sendto(b"x", ("255.255.255.255", 9)) == 1


def ancillary():
    """What goes along with datagrams, asked for and given; and what of it there is no room for (RFC 3542)."""
    TTL, TOS, INFO = socket.IP_TTL, socket.IP_TOS, 8
    HOPS, CLASS, INFO6 = socket.IPV6_HOPLIMIT, socket.IPV6_TCLASS, socket.IPV6_PKTINFO
    IP, IP6 = socket.IPPROTO_IP, socket.IPPROTO_IPV6
    number = struct.Struct("i").pack
    a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    b.bind(("", 0))
    to = (HERE, b.getsockname()[1])
    for option in (INFO, socket.IP_RECVTOS, 12):
        b.setsockopt(IP, option, 1)
        assert b.getsockopt(IP, option) == 1
    a.sendmsg([b"x"], [(IP, TTL, number(3)), (IP, TOS, b"\x28")], 0, to)
    here = socket.inet_aton(HERE)
    info = (IP, INFO, number(1) + here + here)
    assert b.recvmsg(10, 200)[1:3] == ([info, (IP, TTL, number(3)), (IP, TOS, b"\x28")], 0)
    # The next one is as the socket says; and from where the program says.
    own = socket.inet_aton("10.0.0.2")
    a.sendmsg([b"x"], [(IP, INFO, number(0) + own + bytes(4))], 0, to)
    _, control, _, address = b.recvmsg(10, 200)
    assert control[1:] == [(IP, TTL, number(64)), (IP, TOS, b"\0")] and address[0] == "10.0.0.2"
    for kind, data, error in (
        (TTL, number(0), errno.EINVAL), (TTL, b"\3", errno.EINVAL), (TOS, number(256), errno.EINVAL), (99, number(1), errno.EINVAL),
        (INFO, number(9) + bytes(8), errno.ENODEV), (INFO, number(0) + b"\xc0\0\2\1" + bytes(4), errno.ENETUNREACH),
    ):
        fails(error, a.sendmsg, [b"x"], [(IP, kind, data)], 0, to)

    a, b = (socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) for _ in range(2))
    b.bind(("::", 0))
    port = b.getsockname()[1]
    for option in (socket.IPV6_RECVPKTINFO, socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS):
        b.setsockopt(IP6, option, 1)
    a.sendmsg([b"x"], [(IP6, HOPS, number(0)), (IP6, CLASS, number(7))], 0, ("::1", port))
    info = (IP6, INFO6, socket.inet_pton(socket.AF_INET6, "::1") + number(1))
    assert b.recvmsg(10, 200)[1] == [info, (IP6, HOPS, number(0)), (IP6, CLASS, number(7))]
    # To an IPv4 address: the control messages of IPv6 are not looked at, and say where it was sent to all the same.
    b.setsockopt(IP, socket.IP_RECVTOS, 1)
    a.sendmsg([b"x"], [(IP6, HOPS, number(999)), (IP, TOS, b"\4")], 0, ("::ffff:127.0.0.1", port))
    info = (IP6, INFO6, socket.inet_pton(socket.AF_INET6, "::ffff:127.0.0.1") + number(1))
    assert b.recvmsg(10, 200)[1] == [info, (IP, TOS, b"\4")]
    for room, lengths in ((15, []), (16, [0]), (36, [20]), (55, [20]), (59, [20, 3]), (60, [20, 4]), (83, [20, 4, 3]), (84, [20, 4, 4])):
        a.sendto(b"x", ("::1", port))
        _, control, flags, _ = b.recvmsg(10, room)
        assert ([len(data) for _, _, data in control], flags) == (lengths, 0 if room == 84 else socket.MSG_CTRUNC), room
    fails(errno.EINVAL, a.sendmsg, [b"x"], [(IP6, CLASS, number(256))], 0, ("::1", port))
    fails(errno.EINVAL, a.sendmsg, [b"x"], [(IP6, INFO6, bytes(8))], 0, ("::1", port))


def flood():
    # Faster than the stack takes them: whoever writes waits, but not for ever.
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("10.0.0.3", 9))
    subprocess.run(["dd", "if=/dev/zero", "bs=64", "count=100000", "status=none"], stdout=s, timeout=20)


def options():
    near, far = pair()
    for level, name, value in (
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 7),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 3000),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.SOL_SOCKET, socket.SO_PRIORITY, 5),
        (socket.IPPROTO_IP, socket.IP_TOS, 0x10),
        (socket.IPPROTO_IP, socket.IP_TTL, 33),
    ):
        near.setsockopt(level, name, value)
        assert near.getsockopt(level, name) == value, (level, name)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)
    assert near.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 20_000
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0") == b"reno"
    fails(errno.ENOENT, near.setsockopt, socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"nosuch")
    fails(errno.ENOPROTOOPT, near.setsockopt, socket.IPPROTO_TCP, 12345, 1)
    assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 1
    assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) > 500
    near.sendall(b"12345")
    assert polled(far, events=select.POLLIN)
    assert struct.unpack("i", fcntl.ioctl(far, termios.FIONREAD, b"\0" * 4)) == (5,)


def urgent():
    near, far = pair()
    near.send(b"abc")
    near.send(b"!", socket.MSG_OOB)
    near.send(b"def")
    assert polled(far, events=select.POLLPRI) == select.POLLPRI
    assert far.recv(100) == b"abc"
    assert struct.unpack("i", fcntl.ioctl(far, 0x8905, b"\0" * 4)) == (1,), "SIOCATMARK"
    assert far.recv(1, socket.MSG_OOB) == b"!"
    assert far.recv(100) == b"def"


def descriptors():
    """Thousands of sockets; closed all at once, and opened again."""
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (2000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    for _ in range(2):
        sockets = []
        try:
            while True:
                sockets.append(socket.socket())
        except OSError as error:
            assert error.errno == errno.EMFILE
        assert len(sockets) > 1900
        highest = max(s.fileno() for s in sockets)
        for s in sockets:
            s.detach()
        os.closerange(3, highest + 1)
    tutorial()


globals()[sys.argv[1]]()
