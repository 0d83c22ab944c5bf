"""A TCP server that answers every line with the same line in upper case, each client in a thread of its own.

    python3 upper_server.py               # listens on 127.0.0.1:8001, until Ctrl-C
    python3 upper_client.py

Its counterpart on a stack of its own: sockeye serve upper:8001 --ladder
"""

import socketserver
import sys

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8001


class Upper(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        # TCP has no messages, only bytes: it is the newline that says where a line ends, however it was cut up.
        for line in self.rfile:
            self.wfile.write(line.upper())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


with Server(("127.0.0.1", PORT), Upper) as server:
    print(f"listening on port {PORT}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
