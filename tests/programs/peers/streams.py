"""asyncio: `serve ADDRESS PORT` echoes streams and datagrams; `talk HOST PORT` checks 100 streams at once, and 100 datagrams."""
import asyncio, os, sys

action, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(data, address)


class Hear(asyncio.DatagramProtocol):
    def __init__(self):
        self.heard = asyncio.Queue()

    def datagram_received(self, data, _):
        self.heard.put_nowait(data)


async def echo(reader, writer):
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serve():
    await asyncio.get_running_loop().create_datagram_endpoint(Echo, (host, port))
    server = await asyncio.start_server(echo, host, port, backlog=256)
    print("ready", flush=True)
    await server.serve_forever()


async def stream(n):
    reader, writer = await asyncio.open_connection(host, port)
    data = os.urandom(3000 * n)

    async def send():
        writer.write(data)
        await writer.drain()
        writer.write_eof()

    _, got = await asyncio.gather(send(), reader.read())
    assert got == data, (n, len(got))
    writer.close()
    await writer.wait_closed()


async def datagrams():
    transport, hear = await asyncio.get_running_loop().create_datagram_endpoint(Hear, remote_addr=(host, port))
    for n in range(1, 101):
        data = os.urandom(14 * n)
        transport.sendto(data)
        assert await asyncio.wait_for(hear.heard.get(), 20) == data
    transport.close()


async def talk():
    await asyncio.wait_for(asyncio.gather(datagrams(), *(stream(n) for n in range(100))), 50)
    print("right")


asyncio.run(serve() if action == "serve" else talk())
