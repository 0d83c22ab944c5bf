"""The server of a tutorial: at port argv[1], one connection at a time."""
import socket, sys

with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
    s.bind(("", int(sys.argv[1])))
    s.listen()
    print("ready", flush=True)
    while True:
        connection, address = s.accept()
        with connection:
            while data := connection.recv(1024):
                connection.sendall(data)
