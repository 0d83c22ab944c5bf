"""Connects to a port of this machine and sends numbered lines: `flood.py PORT SECONDS RATE`, so many a second."""
import json, socket, sys, time

port, seconds, rate = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
TICK = 0.01
with socket.create_connection(("127.0.0.1", port)) as connection:
    print(json.dumps({"connected": 1}), flush=True)
    begun, sent = time.monotonic(), 0
    while (now := time.monotonic() - begun) < seconds:
        due = int(now * rate)
        connection.sendall(b"".join(b"%09d the quick brown fox jumps over the lazy dog\n" % n for n in range(sent, due)))
        sent = due
        time.sleep(TICK)
    connection.sendall(b"the last line\n")
    print(json.dumps({"sent": sent}), flush=True)
    sys.stdin.read()
