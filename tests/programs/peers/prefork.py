"""Four workers that have the listener from their parent and take connections in turn: each answers with its number."""
import os, signal, socket, sys

listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=128)
workers = []
for _ in range(4):
    if pid := os.fork():
        workers.append(pid)
        continue
    while True:
        stream, _ = listener.accept()
        with stream:
            line = stream.recv(1000)
            stream.sendall(b"%d %s" % (os.getpid(), line.upper()))


def end(*_):
    for worker in workers:
        os.kill(worker, signal.SIGTERM)
    sys.exit()


signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
signal.pause()
