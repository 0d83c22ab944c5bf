"""What a program sees of its host's interfaces, by every door that C libraries use. Each part prints one line."""

import array
import collections
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)

NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_GETLINK, RTM_GETADDR, RTM_NEWLINK = 18, 22, 16
REQUEST, DUMP = 1, 0x300
SOL_NETLINK = 270


class IfAddrs(ctypes.Structure):
    pass


IfAddrs._fields_ = [
    ("next", ctypes.POINTER(IfAddrs)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("address", ctypes.c_void_p),
    ("netmask", ctypes.c_void_p),
    ("broadcast", ctypes.c_void_p),
    ("data", ctypes.c_void_p),
]


def ip_at(pointer):
    if not pointer:
        return None
    family = ctypes.c_ushort.from_address(pointer).value
    if family == socket.AF_INET:
        return socket.inet_ntop(family, ctypes.string_at(pointer + 4, 4))
    if family == socket.AF_INET6:
        return socket.inet_ntop(family, ctypes.string_at(pointer + 8, 16))
    return None


def names():
    print(socket.if_nameindex(), socket.if_nametoindex("eth0"), socket.if_indextoname(1))


def getifaddrs():
    first = ctypes.POINTER(IfAddrs)()
    assert libc.getifaddrs(ctypes.byref(first)) == 0
    found, at = [], first
    while at:
        one = at.contents
        if ip_at(one.address):
            found.append((one.name.decode(), ip_at(one.address), ip_at(one.netmask)))
        at = one.next
    libc.freeifaddrs(first)
    print(sorted(found))


def requests():
    """The old requests, on sockets of ours and on one that is the kernel's."""
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
        with socket.socket(family, socket.SOCK_DGRAM) as s:

            def ask(request, name=b"eth0", rest=b""):
                answer = fcntl.ioctl(s, request, struct.pack("16s24s", name, rest))
                return answer[16:]

            number = lambda request: struct.unpack("i", ask(request)[:4])[0]
            address = lambda request: socket.inet_ntoa(ask(request)[4:8])
            place = array.array("B", bytes(400))
            start, _ = place.buffer_info()
            answer = fcntl.ioctl(s, 0x8912, struct.pack("iP", len(place), start))
            length = struct.unpack("iP", answer)[0]
            listed = [
                (bytes(place[at : at + 16]).rstrip(b"\0").decode(), socket.inet_ntoa(bytes(place[at + 20 : at + 24])))
                for at in range(0, length, 40)
            ]
            assert listed == [("lo", "127.0.0.1"), ("eth0", "10.0.0.2")], listed
            needed = struct.unpack("iP", fcntl.ioctl(s, 0x8912, struct.pack("iP", 0, 0)))[0]
            assert needed == 80, needed
            cut = struct.unpack("iP", fcntl.ioctl(s, 0x8912, struct.pack("iP", 79, start)))[0]
            assert cut == 40, cut
            assert fcntl.ioctl(s, 0x8910, struct.pack("16si20s", b"", 2, b""))[:5] == b"eth0\0"
            assert number(0x8933) == 2
            assert struct.unpack("H", ask(0x8913)[:2])[0] == 0x1043
            assert number(0x8921) == 1500
            assert ask(0x8927)[:8] == struct.pack("H", 1) + bytes([2, 0, 0, 0, 0, 2])
            assert (number(0x8942), number(0x891D)) == (1000, 0)
            assert (address(0x8915), address(0x8917)) == ("10.0.0.2", "10.0.0.2")
            assert (address(0x8919), address(0x891B)) == ("10.0.0.255", "255.255.255.0")
            assert ask(0x8970) == bytes(24)

            def fails(request, name=b"eth0"):
                try:
                    ask(request, name)
                except OSError as error:
                    return errno.errorcode[error.errno]
                return None

            refused = [fails(0x8946), fails(0x8914), fails(0x8916), fails(0x890B), fails(0x8913, b"nope"), fails(0x8B01), fails(0x8B01, b"nope")]
            assert refused == ["ENOTSUP", "EPERM", "EPERM", "EPERM", "ENODEV", "ENOTSUP", "ENODEV"], refused
    print("answered")


def open_netlink(kind=socket.SOCK_RAW):
    return socket.socket(socket.AF_NETLINK, kind, 0)


def message(kind, flags, payload, sequence=1):
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 0) + payload


def messages(data):
    at = 0
    while at + 16 <= len(data):
        length, kind, flags, sequence, port = struct.unpack_from("=IHHII", data, at)
        yield kind, flags, sequence, port, data[at + 16 : at + length]
        at += (length + 3) & ~3


def read_list(read):
    kinds = []
    while NLMSG_DONE not in kinds:
        kinds += [kind for kind, *_ in messages(read())]
    return kinds


def doors():
    """Every way in and every way out."""
    get = message(RTM_GETLINK, REQUEST | DUMP, bytes(16))
    expected = [RTM_NEWLINK, RTM_NEWLINK, NLMSG_DONE]
    with open_netlink() as s:
        assert s.getsockname() == (0, 0), s.getsockname()
        writes = [
            lambda: os.write(s.fileno(), get),
            lambda: s.send(get),
            lambda: s.sendto(get, (0, 0)),
            lambda: s.sendmsg([get[:7], get[7:]]),
            lambda: s.sendmsg([get], [], 0, (0, 0)),
        ]
        reads = [
            lambda: os.read(s.fileno(), 8192),
            lambda: s.recv(8192),
            lambda: s.recvfrom(8192)[0],
            lambda: s.recvmsg(8192)[0],
        ]
        for write in writes:
            for read in reads:
                assert write() == len(get)
                assert read_list(read) == expected
        assert s.getsockname() == (os.getpid(), 0)
        assert s.getpeername() == (0, 0)
        s.connect((0, 0))
        s.send(get)
        data, _, flags, source = s.recvmsg(0, 0, socket.MSG_PEEK | socket.MSG_TRUNC)
        assert (data, flags & socket.MSG_TRUNC, source) == (b"", socket.MSG_TRUNC, (0, 0))
        whole = s.recvmsg(65536)
        assert [port for _, _, _, port, _ in messages(whole[0])] == [os.getpid()] * 2
        with open_netlink(socket.SOCK_DGRAM) as other:
            other.bind((0, 1))
            port, groups = other.getsockname()
            assert port not in (0, os.getpid()) and groups == 1
    print("open")


def options():
    with open_netlink() as s:
        for number in (3, 4, 5, 10, 11, 12):
            s.setsockopt(SOL_NETLINK, number, 1)
            assert s.getsockopt(SOL_NETLINK, number) == 1
        s.setsockopt(SOL_NETLINK, 1, 5)
        assert s.getsockname() == (0, 16)
        assert s.getsockopt(SOL_NETLINK, 9, 8)[:1] == b"\x10"
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_RAW
        assert s.getsockopt(socket.SOL_SOCKET, 39) == socket.AF_NETLINK
        for number, value in ((1, 0), (1, 1000), (99, 1)):
            try:
                s.setsockopt(SOL_NETLINK, number, value)
            except OSError as error:
                assert error.errno in (errno.EINVAL, errno.ENOPROTOOPT)
            else:
                assert False, number
        s.send(message(RTM_GETLINK, REQUEST | DUMP, bytes(16)))
        assert len(s.recvmsg(65536, 256)[1]) == 1
    print("kept")


def waiting():
    """A call that waits is answered by what another thread asks, by the clock, and by a signal."""
    with open_netlink() as s:
        s.bind((0, 0))
        s.setblocking(False)
        try:
            s.recvmsg(100)
        except BlockingIOError:
            pass
        s.setblocking(True)
        thread = threading.Timer(0.1, lambda: s.send(message(RTM_GETLINK, REQUEST | DUMP, bytes(16))))
        thread.start()
        assert read_list(lambda: s.recvfrom(65536)[0])[-1] == NLMSG_DONE
        thread.join()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 200_000))
        before = time.monotonic()
        try:
            s.recvmsg(100)
        except BlockingIOError:
            assert 0.15 < time.monotonic() - before < 5
    print("waited")


def hostile():
    """Requests that no C library makes. The socket lives, and so does everybody else's."""
    head = struct.Struct("=IHHII")
    pieces = [b"", b"\0", bytes(15), bytes(16), b"\xff" * 16, b"\xff" * 65536, bytes(65536)]
    pieces += [head.pack(length, RTM_GETLINK, REQUEST | DUMP, 1, 0) + bytes(16) for length in (0, 1, 15, 17, 33, 1 << 31, 0xFFFFFFFF)]
    for kind in range(0, 130):
        for flags in (REQUEST, REQUEST | DUMP, REQUEST | 4, 0xFFFF):
            pieces.append(message(kind, flags, b""))
            pieces.append(message(kind, flags, b"\x02"))
            pieces.append(message(kind, flags, bytes(16) + b"\0\0\3\0" * 8))
            pieces.append(message(kind, flags, bytes(12) + b"\xff\xff\1\0" + bytes(9)))
    for piece in pieces:
        with open_netlink() as s:
            s.setblocking(False)
            try:
                s.sendto(piece, (0, 0))
                while s.recv(65536):
                    pass
            except OSError as error:
                assert error.errno in (errno.EAGAIN, errno.ENODATA, errno.EMSGSIZE), error
    with open_netlink() as s:
        s.setblocking(False)
        lost = False
        for _ in range(40):
            try:
                s.sendto(message(RTM_GETADDR, REQUEST | DUMP, bytes(8)) * 2000, (0, 0))
                s.recvfrom(65536)
            except OSError as error:
                lost = lost or error.errno == errno.ENOBUFS
        assert lost
    for address in ((1, 0), (0, 1)):
        with open_netlink() as s:
            try:
                s.sendto(message(RTM_GETLINK, REQUEST | DUMP, bytes(16)), address)
            except PermissionError:
                continue
            assert False, address
    for request in (0x8912, 0x8913, 0x8910):
        for at in (0, 1, 1 << 47, (1 << 64) - 1, (1 << 64) - 16):
            with socket.socket(socket.AF_UNIX) as s:
                assert libc.ioctl(s.fileno(), ctypes.c_ulong(request), ctypes.c_void_p(at)) == -1
                assert ctypes.get_errno() == errno.EFAULT
    names()


def musl():
    """As musl asks: without an address, and then without waiting."""
    for _ in range(200):
        with open_netlink() as s:
            s.send(message(RTM_GETLINK, REQUEST | DUMP, bytes(4)))
            kinds = []
            while NLMSG_DONE not in kinds:
                kinds += [kind for kind, *_ in messages(s.recv(8192, socket.MSG_DONTWAIT))]
    near, far = socket.socketpair()
    near.send(bytes(20))
    assert far.recv(100) == bytes(20)
    print("no haste")



def many():
    """More answers than a pair holds: they wait, and come when there is room."""
    with open_netlink() as s:
        s.sendto(message(RTM_GETADDR, REQUEST | DUMP, bytes(8)) * 2000, (0, 0))
        kinds = collections.Counter()
        while kinds[NLMSG_DONE] < 2000:
            kinds.update(kind for kind, *_ in messages(s.recv(8192)))
    print(dict(kinds))


def sockets():
    """What ss shows, with what is behind the addresses cut off."""
    listener = socket.create_server(("127.0.0.1", 80), backlog=7)
    near = socket.socket()
    near.bind(("127.0.0.1", 4000))
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    near.connect(("127.0.0.1", 80))
    far, _ = listener.accept()
    near.send(b"hello")
    while not select.select([far], [], [], 1)[0]:
        pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as v4, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as v6:
        v4.bind(("10.0.0.2", 53))
        v6.bind(("fd00::2", 53))
        ss = lambda *words: subprocess.run(["ss", "-H", *words], stdout=subprocess.PIPE, text=True, check=True).stdout
        for line in ss("-tuan").splitlines():
            print(*line.split()[:6])
        info = ss("-tin", "sport", "=", ":4000")
        assert "rto:" in info and "bytes_sent:5" in info and ":80" in info, info
        print(80, "reno" if " reno " in info else info, 4000)
        print("listening:", len(ss("-tln").splitlines()))


globals()[sys.argv[1]]()
