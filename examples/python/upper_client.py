"""Sends a few words to an upper-casing server and prints what comes back.

    sockeye serve upper:8001 --ladder     # or: python3 upper_server.py
    python3 upper_client.py
"""

import socket
import sys

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8001
WORDS = ["hello", "tcp is a stream", "good bye"]


def receive_exactly(connection: socket.socket, count: int) -> bytes:
    """One send may arrive in several pieces, and several in one: only counting tells when it is all there."""
    received = b""
    while len(received) < count:
        piece = connection.recv(count - len(received))
        if not piece:
            raise EOFError("the server has closed the connection")
        received += piece
    return received


with socket.create_connection(("127.0.0.1", PORT), timeout=30) as connection:
    for words in WORDS:
        line = (words + "\n").encode()
        connection.sendall(line)
        answer = receive_exactly(connection, len(line))
        print(answer.decode(), end="")
