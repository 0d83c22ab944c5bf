"""Waits until somebody listens at argv[1], port argv[2].

A published port takes connections before the program does; they are reset then."""
import socket, sys, time

end = time.monotonic() + 25
while True:
    try:
        with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as stream:
            stream.settimeout(0.3)
            if stream.recv(1):
                break
    except TimeoutError:
        break
    except OSError as error:
        if time.monotonic() > end:
            sys.exit(str(error))
    time.sleep(0.05)
