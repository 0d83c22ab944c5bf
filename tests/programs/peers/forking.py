"""A process for each connection: it answers what it was sent, in capitals, and its number."""
import os, socketserver, sys


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(b"%d %s" % (os.getpid(), line.upper()))


class Server(socketserver.ForkingMixIn, socketserver.TCPServer):
    max_children, request_queue_size, allow_reuse_address = 5000, 1024, True


server = Server((sys.argv[1], int(sys.argv[2])), Handler)
print("ready", flush=True)
server.serve_forever()
