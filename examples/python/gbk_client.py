"""Sends Chinese text in GBK, byte by byte cut as it happens, and reads the echo.

    sockeye serve echo:7788 --ladder --encoding gbk
    python3 gbk_client.py

A character of GBK has two bytes, and TCP knows nothing of characters: the first send here ends in the middle of one.
The ladder shows that character with the segment that completes it; so must every program that decodes a stream.
"""

import codecs
import socket
import sys

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 7788
TEXT = "你好，世界！"

encoded = TEXT.encode("gbk")
decoder = codecs.getincrementaldecoder("gbk")()

with socket.create_connection(("127.0.0.1", PORT), timeout=30) as connection:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(encoded[:3])
    connection.sendall(encoded[3:])
    connection.shutdown(socket.SHUT_WR)
    decoded = ""
    while piece := connection.recv(4):
        decoded += decoder.decode(piece)
    decoded += decoder.decode(b"", final=True)

print(decoded)
sys.exit(0 if decoded == TEXT else "the echo is not what was sent")
