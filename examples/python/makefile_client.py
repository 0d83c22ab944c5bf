"""Uses a connection as a file: lines out, lines in, with the buffering of Python's own files.

    sockeye serve upper:8001 --ladder     # or: python3 upper_server.py
    python3 makefile_client.py
"""

import socket
import sys

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8001

with socket.create_connection(("127.0.0.1", PORT), timeout=30) as connection:
    with connection.makefile("rw", encoding="utf-8", newline="\n") as stream:
        for number in range(1, 4):
            print(f"this is line {number}", file=stream)
            # Without it the line would wait in Python's buffer, and we for the answer to it.
            stream.flush()
            print(stream.readline(), end="")
