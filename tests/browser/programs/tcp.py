"""One end of TCP on the kernel's sockets: `tcp.py connect PORT [ADDRESS]`, `tcp.py listen [PORT]`, or
`tcp.py full`, whose queue is full, so that the kernel drops every further SYN.

Reads lines of JSON: {"send": base64, "to": n}, {"close": n}, {"reset": n}, {"stop_reading": true}; without `to` the first connection
is meant. Tells in lines of JSON what it sees: listening, connected, received, ended ("fin" or "reset"), error."""
import base64, json, select, socket, struct, sys

PIECE = 1 << 16


def tell(**what):
    print(json.dumps(what), flush=True)


def main():
    how = sys.argv[1]
    connections, listener = {}, None
    if how == "connect":
        address = (sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1", int(sys.argv[2]))
        try:
            connection = socket.create_connection(address, timeout=10)
        except OSError as error:
            tell(error=str(error))
            return
        connection.setblocking(True)
        connections[1] = connection
        tell(connected=1, local="%s:%d" % connection.getsockname())
    else:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0))
        listener.listen(0 if how == "full" else 128)
        if how == "full":
            waiting = socket.create_connection(listener.getsockname())
        tell(listening=listener.getsockname()[1])
        if how == "full":
            sys.stdin.read()
            waiting.close()
            return
    count, is_reading, pending = len(connections), True, b""
    while True:
        sources = [sys.stdin.buffer.raw] + (list(connections.values()) if is_reading else []) + ([listener] if listener else [])
        for source in select.select(sources, [], [])[0]:
            if source is listener:
                connection, peer = listener.accept()
                count += 1
                connections[count] = connection
                tell(connected=count, peer="%s:%d" % peer)
            elif source in connections.values():
                number = next(number for number, one in connections.items() if one is source)
                try:
                    received = source.recv(PIECE)
                except OSError as error:
                    tell(ended="reset", by=number, error=error.strerror)
                    del connections[number]
                    continue
                if received:
                    tell(received=base64.b64encode(received).decode(), by=number)
                else:
                    tell(ended="fin", by=number)
                    source.close()
                    del connections[number]
            else:
                read = source.read(PIECE)
                if not read:
                    return
                *lines, pending = (pending + read).split(b"\n")
                for line in lines:
                    is_reading = obey(json.loads(line), connections) and is_reading
                break


def obey(wanted, connections):
    """Whether it goes on reading."""
    number = wanted.get("to") or wanted.get("close") or wanted.get("reset") or next(iter(connections), None)
    if number not in connections:
        tell(error="there is no connection")
        return True
    connection = connections[number]
    if "send" in wanted:
        connection.sendall(base64.b64decode(wanted["send"]))
        tell(sent=number)
    elif "close" in wanted:
        connections.pop(number).close()
    elif "reset" in wanted:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connections.pop(number).close()
    elif "stop_reading" in wanted:
        return False
    return True


main()
