"""Raw sockets, as tutorials use them. `raw.py CASE` prints what happens: the kernel's own loopback interface says the same."""
import errno, os, select, socket, struct, sys

IP, IP6, RAW, ICMP6 = socket.IPPROTO_IP, socket.IPPROTO_IPV6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6
SOL_RAW, FILTER, CHECKSUM, HDRINCL6 = 255, 1, 7, 36
HERE, HERE6 = "127.0.0.1", "::1"
number = struct.Struct("i").pack


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def echo(kind=8, identifier=0x1234, sequence=1, data=b"hello"):
    head = struct.pack("!BBHHH", kind, 0, 0, identifier, sequence)
    return head[:2] + struct.pack("!H", checksum(head + data)) + head[4:] + data


def opened(protocol, family=socket.AF_INET):
    s = socket.socket(family, RAW, protocol)
    s.settimeout(5)
    return s


def tells(what, call, *arguments):
    try:
        print(what, call(*arguments))
    except socket.timeout:
        print(what, "nothing came")
    except OSError as error:
        print(what, errno.errorcode.get(error.errno, error))


def shown(packet, address=None):
    """An IPv4 packet, without the number that the sender's stack has given it and the sum that follows from it."""
    first, tos, length, _, flags, ttl, protocol, sum_, source, to = struct.unpack("!BBHHHBBH4s4s", packet[:20])
    ends = [socket.inet_ntoa(end) for end in (source, to)]
    return hex(first), tos, length, flags & 0x3FFF, ttl, protocol, checksum(packet[:20]), *ends, packet[20:], address


def left(s):
    """All that has come and was not read."""
    packets = []
    while select.select([s], [], [], 0.1)[0]:
        packets.append(s.recv(70000))
    return packets


def ping():
    s = opened(socket.IPPROTO_ICMP)
    print(s.getsockname(), s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE), s.getsockopt(socket.SOL_SOCKET, 38))
    print("sent", s.sendto(echo(), (HERE, 0)))
    # The request is heard as well as the reply.
    for _ in range(2):
        print(*shown(*s.recvfrom(1024)))
    s.setsockopt(IP, socket.IP_TTL, 9)
    s.setsockopt(IP, socket.IP_TOS, 0x28)
    s.sendto(echo(data=b""), (HERE, 0))
    print(*shown(s.recv(1024)))
    print(shown(s.recv(20)), "is cut")
    # Bigger than any packet of the interface's: cut, and put together.
    s.sendto(echo(data=bytes(65000)), (HERE, 0))
    print([len(s.recv(70000)) for _ in range(2)])
    # Connected.
    s.connect((HERE, 0))
    print("sent", s.send(echo(sequence=2)), s.getsockname())
    print([s.recv(1024)[20] for _ in range(2)])
    s.send(echo(13))
    print("a timestamp", s.recv(1024)[20])
    s.close()


def filters():
    s, all_ = opened(socket.IPPROTO_ICMP), opened(socket.IPPROTO_ICMP)
    print(s.getsockopt(SOL_RAW, FILTER, 4))
    s.setsockopt(SOL_RAW, FILTER, struct.pack("I", ~(1 << 0) & 0xFFFFFFFF))
    print(s.getsockopt(SOL_RAW, FILTER, 4), s.getsockopt(SOL_RAW, FILTER, 2))
    s.sendto(echo(), (HERE, 0))
    print(s.recv(1024)[20], [packet[20] for packet in left(s)])
    print([packet[20] for packet in left(all_)])
    other = opened(253)
    tells("another protocol's", other.setsockopt, SOL_RAW, FILTER, number(1))
    tells("another protocol's", other.getsockopt, SOL_RAW, FILTER, 4)
    tells("unknown", s.setsockopt, SOL_RAW, 77, number(1))
    tells("unknown", s.getsockopt, SOL_RAW, 77)
    s, all_ = opened(ICMP6, socket.AF_INET6), opened(ICMP6, socket.AF_INET6)
    print(s.getsockopt(ICMP6, FILTER, 32))
    s.setsockopt(ICMP6, FILTER, b"\xff" * 16 + struct.pack("I", ~(1 << 1) & 0xFFFFFFFF) + b"\xff" * 12)
    print(s.getsockopt(ICMP6, FILTER, 32))
    s.sendto(struct.pack("!BBHHH", 128, 0, 0xBAD, 1, 2) + b"data", (HERE6, 0))
    packet, address = s.recvfrom(1024)
    print(packet[0], packet[4:], address, left(s))
    # The kernel has filled in what was wrong.
    print([packet[0] for packet in left(all_)])


def headers():
    s, hearer = opened(socket.IPPROTO_RAW), opened(253)
    print(s.getsockopt(IP, socket.IP_HDRINCL), hearer.getsockopt(IP, socket.IP_HDRINCL))
    def packet(source="0.0.0.0", to=HERE, first=0x45, payload=b"abc", options=b""):
        head = struct.pack("!BBHHHBBH", first, 0x10, 9, 0, 0, 33, 253, 7)
        return head + socket.inet_aton(source) + socket.inet_aton(to) + options + payload
    for source in ("0.0.0.0", "192.0.2.7"):
        print("sent", s.sendto(packet(source), (HERE, 0)))
        print(*shown(hearer.recv(1024)))
    # The call says where it goes, the header who is to take it.
    s.sendto(packet(to="127.0.0.5"), (HERE, 0))
    print(*shown(hearer.recv(1024)))
    tells("too short", s.sendto, packet()[:19], (HERE, 0))
    tells("shorter than it says", s.sendto, packet(first=0x4F), (HERE, 0))
    tells("too long", s.sendto, packet(payload=bytes(65536)), (HERE, 0))
    hearer.setsockopt(IP, socket.IP_HDRINCL, 1)
    hearer.sendto(packet(payload=b"told"), (HERE, 0))
    print(*shown(hearer.recv(1024)))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    tells("of a datagram socket", udp.setsockopt, IP, socket.IP_HDRINCL, 1)
    tells("of a datagram socket", udp.getsockopt, IP, socket.IP_HDRINCL)
    s, hearer = opened(255, socket.AF_INET6), opened(253, socket.AF_INET6)
    head = struct.pack("!IHBB", 6 << 28, 2, 253, 5) + socket.inet_pton(socket.AF_INET6, HERE6) * 2
    print("sent", s.sendto(head + b"hi", (HERE6, 0)), hearer.recvfrom(1024))
    print(s.getsockopt(IP6, HDRINCL6), hearer.getsockopt(IP6, HDRINCL6))


def checksums():
    icmp = opened(ICMP6, socket.AF_INET6)
    print(icmp.getsockopt(IP6, CHECKSUM))
    tells("of ICMPv6", icmp.setsockopt, IP6, CHECKSUM, 2)
    tells("of ICMPv6", icmp.setsockopt, SOL_RAW, CHECKSUM, 2)
    s, hearer, careless = (opened(253, socket.AF_INET6) for _ in range(3))
    print(s.getsockopt(IP6, CHECKSUM))
    tells("odd", s.setsockopt, IP6, CHECKSUM, 3)
    s.setsockopt(IP6, CHECKSUM, 4)
    hearer.setsockopt(IP6, CHECKSUM, 4)
    tells("no room", s.sendto, b"short", (HERE6, 0))
    print("sent", s.sendto(b"somebytes!", (HERE6, 0)), s.getsockopt(IP6, CHECKSUM))
    print(hearer.recv(100), careless.recv(100))
    s.setsockopt(IP6, CHECKSUM, -1)
    s.sendto(b"somebytes!", (HERE6, 0))
    print(left(careless), left(hearer), s.getsockopt(IP6, CHECKSUM))
    v4 = opened(253)
    tells("of IPv4", v4.setsockopt, SOL_RAW, CHECKSUM, 4)


def ends():
    any_, bound, connected, other = (opened(253) for _ in range(4))
    bound.bind((HERE, 99))
    print(bound.getsockname())
    bound.bind(("127.0.0.2", 0))
    print(bound.getsockname(), any_.getsockname())
    connected.connect((HERE, 7))
    tells("bind when connected", connected.bind, (HERE, 0))
    tells("bind elsewhere", any_.bind, ("192.0.2.1", 0))
    other.sendto(b"one", (HERE, 0))
    other.sendto(b"two", ("127.0.0.2", 0))
    for s in (any_, bound, connected):
        print([packet[16:] for packet in left(s)])
    tells("too long", other.sendto, bytes(65536), (HERE, 0))
    tells("nothing", other.sendto, b"", (HERE, 0))
    for packet in left(any_)[-1:]:
        print(*shown(packet))
    # Nobody hears this one.
    s = opened(251)
    s.bind(("127.0.0.2", 0))
    lonely = opened(251)
    lonely.bind(("127.0.0.3", 0))
    lonely.connect((HERE, 0))
    lonely.send(b"anybody?")
    tells("unreachable", lonely.recvfrom, 100)
    for protocol in (0, 255, 263, -1):
        tells(f"protocol {protocol}", lambda: socket.socket(socket.AF_INET, RAW, protocol).proto)
    for family in (socket.AF_INET, socket.AF_INET6):
        tells("listen", opened(253, family).listen)
        tells("shutdown", opened(253, family).shutdown, socket.SHUT_RDWR)
        tells("an option of TCP", opened(253, family).setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def along():
    """Control messages (RFC 3542), peeking, and polls."""
    s, hearer = opened(253), opened(253)
    for option in (8, 12, 13):
        hearer.setsockopt(IP, option, 1)
    print(select.select([hearer], [], [], 0)[0])
    s.sendmsg([b"a", b"bc"], [(IP, socket.IP_TTL, number(3)), (IP, socket.IP_TOS, b"\x28")], 0, (HERE, 0))
    print(select.select([hearer], [], [], 5)[0] == [hearer])
    for flags in (socket.MSG_PEEK, 0):
        packet, control, flags, address = hearer.recvmsg(100, 200, flags)
        print(shown(packet, address), control, flags)
    s.sendto(b"abc", (HERE, 0))
    print(hearer.recvfrom_into(bytearray(22), 0, socket.MSG_TRUNC))
    own = (IP, 8, number(0) + socket.inet_aton("127.0.0.9") + bytes(4))
    s.sendmsg([b"x"], [own], 0, (HERE, 0))
    print(hearer.recvfrom(100)[1])
    s, hearer = (opened(253, socket.AF_INET6) for _ in range(2))
    for option in (socket.IPV6_RECVPKTINFO, socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS):
        hearer.setsockopt(IP6, option, 1)
    s.sendmsg([b"x"], [(IP6, socket.IPV6_HOPLIMIT, number(4)), (IP6, socket.IPV6_TCLASS, number(8))], 0, (HERE6, 0))
    print(hearer.recvmsg(100, 200))
    # What others are sent is heard, and theirs all the same.
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((HERE, 5353))
    hearer = opened(socket.IPPROTO_UDP)
    udp.sendto(b"question", udp.getsockname())
    print(udp.recv(100), hearer.recv(100)[28:])
    icmp = opened(socket.IPPROTO_ICMP)
    udp.sendto(b"?", (HERE, 9))
    packet = icmp.recv(1024)
    print(packet[20:22], packet[-9:])


def traceroute(to, hops):
    """As the tutorials have it: UDP out, and ICMP back."""
    icmp = opened(socket.IPPROTO_ICMP)
    for ttl in range(1, int(hops) + 1):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP)
        udp.setsockopt(IP, socket.IP_TTL, ttl)
        udp.sendto(b"", (to, 33434))
        packet, (router, _) = icmp.recvfrom(512)
        print(ttl, router, *packet[20:22])
        udp.close()


def unreachable(to):
    s = opened(socket.IPPROTO_ICMP)
    s.settimeout(20)
    s.sendto(echo(), (to, 0))
    packet, (teller, _) = s.recvfrom(512)
    print(teller, *packet[20:22], packet[-13:] == echo())


def raise_loopback():
    import fcntl
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x49))


if sys.argv[1] == "native":
    # In a network namespace of its own, whose loopback interface is still down.
    sys.argv.pop(1)
    raise_loopback()
globals()[sys.argv[1]](*sys.argv[2:])
