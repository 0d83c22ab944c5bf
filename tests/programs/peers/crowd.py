"""Opens argv[3] connections to argv[1], port argv[2], keeps them all open, and talks over each of them twice.

Prints how many answered rightly, and by how many processes."""
import asyncio, resource, sys

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def ask(stream, n, word):
    reader, writer = stream
    writer.write(f"{word} {n}\n".encode())
    process, answer = (await reader.readline()).decode().split(" ", 1)
    assert answer == f"{word.upper()} {n}\n", answer
    return process


async def main():
    some = asyncio.Semaphore(100)

    async def open_one():
        async with some:
            return await asyncio.open_connection(host, port)

    streams = await asyncio.gather(*(open_one() for _ in range(count)))
    first = await asyncio.gather(*(ask(stream, n, "first") for n, stream in enumerate(streams)))
    second = await asyncio.gather(*(ask(stream, n, "second") for n, stream in enumerate(streams)))
    assert first == second
    for _, writer in streams:
        writer.close()
        await writer.wait_closed()
    print(count, len(set(first)))


asyncio.run(asyncio.wait_for(main(), 100))
