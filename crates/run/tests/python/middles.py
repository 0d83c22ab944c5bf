"""Programs to be killed: `middles.py HOW` says "now", and never ends."""
import os, socket, sys, time

SINK = "10.0.0.3", 80


def sending():
    s = socket.create_connection(SINK)
    s.sendall(b"x" * 1_000_000)
    print("now", flush=True)
    while True:
        s.sendall(b"x" * 100_000)


def receiving():
    s = socket.create_connection(SINK)
    s.sendall(b"more")
    s.recv(100_000)
    print("now", flush=True)
    time.sleep(1000)


def accepting():
    s = socket.create_server(("127.0.0.1", 8000))
    waiting = [socket.create_connection(s.getsockname()) for _ in range(5)]
    accepted, _ = s.accept()
    waiting[0].sendall(b"unread")
    for _ in range(4):
        s.accept()
    print("now", flush=True)
    s.accept()


def connecting():
    s = socket.socket()
    print("now", flush=True)
    # Nobody is there; and where nobody was a moment ago, it is known already.
    s.connect((f"10.0.0.{100 + os.getpid() % 150}", 80))


def waiting_for_a_datagram():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", 8000))
    s.sendto(b"first", ("127.0.0.1", 8000))
    s.recvfrom(100)
    print("now", flush=True)
    s.recvfrom(100)


globals()[sys.argv[1]]()
