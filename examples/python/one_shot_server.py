"""The smallest TCP server there is: one client, one message, one answer, the end.

    python3 one_shot_server.py            # listens on 127.0.0.1:7788
    sockeye connect 127.0.0.1:7788 --on os

Its counterpart on a stack of its own, with every segment visible: sockeye serve "reply=Thank you.":7788 --ladder
"""

import socket
import sys

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 7788

# A server that starts again at once would otherwise find its old connection in TIME-WAIT in the way.
with socket.create_server(("127.0.0.1", PORT), reuse_port=False) as listener:
    print(f"listening on port {PORT}", flush=True)
    connection, (host, port) = listener.accept()
    with connection:
        message = connection.recv(1024)
        print(f"{host}:{port} says {message.decode()!r}", flush=True)
        connection.sendall("Thank you.\n".encode())
# Leaving the two blocks has closed the connection (FIN) and then the listening socket.
