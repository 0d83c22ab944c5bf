"""400 connections to argv[1], port argv[2], sixteen at a time; prints how many each process has answered."""
import collections, concurrent.futures, socket, sys


def visit(n):
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 30) as stream:
        stream.sendall(b"visitor %d" % n)
        worker, answer = stream.makefile().read().split(" ", 1)
        assert answer == f"VISITOR {n}", answer
        return worker


with concurrent.futures.ThreadPoolExecutor(16) as pool:
    print(*collections.Counter(pool.map(visit, range(400))).values())
