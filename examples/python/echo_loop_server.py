"""A TCP server that serves one client after the other, and sends each everything back.

    python3 echo_loop_server.py           # listens on 127.0.0.1:5000, until Ctrl-C
    sockeye connect 127.0.0.1:5000 --on os

Its counterpart on a stack of its own: sockeye serve echo:5000 --ladder
"""

import socket
import sys

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 5000


def echo(connection: socket.socket) -> int:
    """Sends back what comes, until the client has nothing more to say; returns how many bytes that were."""
    count = 0
    while data := connection.recv(4096):
        connection.sendall(data)
        count += len(data)
    # recv gave no bytes: that is the client's FIN, and nothing else.
    return count


with socket.create_server(("127.0.0.1", PORT)) as listener:
    print(f"listening on port {PORT}", flush=True)
    while True:
        try:
            connection, peer = listener.accept()
        except KeyboardInterrupt:
            break
        with connection:
            try:
                print(f"{peer[0]}:{peer[1]} sent {echo(connection)} bytes", flush=True)
            except ConnectionResetError:
                print(f"{peer[0]}:{peer[1]} hung up", flush=True)
