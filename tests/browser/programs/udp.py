"""A UDP socket of the kernel's: `udp.py PORT [GROUP]`; with a group it listens for that on the loopback interface.

Reads lines of JSON: {"send": base64, "to": [address, port]}. Tells: open (its port), received with `from`."""
import base64, json, select, socket, struct, sys


def tell(**what):
    print(json.dumps(what), flush=True)


def main():
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    one.bind(("0.0.0.0", int(sys.argv[1])))
    if len(sys.argv) > 2:
        member = socket.inet_aton(sys.argv[2]) + socket.inet_aton("127.0.0.1")
        one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    tell(open=one.getsockname()[1])
    while True:
        for source in select.select([one, sys.stdin], [], [])[0]:
            if source is one:
                received, (address, port) = one.recvfrom(1 << 16)
                tell(received=base64.b64encode(received).decode(), **{"from": [address, port]})
                continue
            line = sys.stdin.readline()
            if not line:
                return
            wanted = json.loads(line)
            one.sendto(base64.b64decode(wanted["send"]), tuple(wanted["to"]))


main()
