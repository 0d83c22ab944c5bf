"""The programs that are tried, and the places where each is."""

# As client and server stand: on this machine's kernel, to see that the trial is right; both under one `sockeye run`; on two
# hosts of a named LAN; the client inside and the server on the real machine; the server inside and the client there.
KERNEL, ALL = "kernel", ["run", "lan", "out", "in"]
PLACES = {KERNEL: "the kernel", "run": "one `run`", "lan": "two hosts of a LAN", "out": "out, `--host-loopback`",
          "in": "in, `--publish`"}
TRIALS = {}


class Trial:
    def __init__(self, server, client, what, places, quick, body):
        self.server, self.client, self.what, self.body = server, client, what, body
        self.places, self.quick = places, quick


def program(server, client, what, places=ALL, quick=()):
    """A function that tries programs in a place: `Wrong` if they go wrong, and what it returns is told."""

    def add(body):
        TRIALS[body.__name__.replace("_", "-")] = Trial(server, client, what, places, quick, body)
        return body

    return add


# How a program tells its version; all others by --version.
ASK = {"nginx": "-v", "wrk": "-v", "ssh": "-V", "dig": "-v", "ab": "-V", "go": "version", "busybox": "", "socat": "-V", "ping": "-V",
       "nc": "-h"}
VERSIONED = "curl wget nginx wrk ab redis-server postgres iperf3 ssh git node go ncat nc socat busybox ping dig python3".split()
