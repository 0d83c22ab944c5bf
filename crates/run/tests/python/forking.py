"""The forking server of the textbooks: a child answers one line of each of so many connections, and ends."""
import os, socket, sys

s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", 8000))
s.listen(1024)
print("ready", flush=True)
for _ in range(int(sys.argv[1])):
    c, _ = s.accept()
    if os.fork() == 0:
        s.close()
        line = b""
        while not line.endswith(b"\n"):
            line += c.recv(100)
        c.sendall(line.upper())
        c.shutdown(socket.SHUT_WR)
        os._exit(0)
    c.close()
s.close()
for _ in range(int(sys.argv[1])):
    assert os.wait()[1] == 0
