"""What redis_start.sh tests. Every check prints a line; the first that fails ends the program."""
import os
import socket
import subprocess
import tempfile
import threading
import urllib.parse

import redis_server
from paddock_server import Server

BIN = os.environ["PADDOCK_BIN"]
PASSWORD = "p@ss:w/o?r#d%&= ü\"'"
QUOTED = urllib.parse.quote(PASSWORD, safe="")


def check(what, good, detail=""):
    if not good:
        raise SystemExit(f"FAILED {what}\n{detail}")
    print("ok     " + what, flush=True)


def serves(url, what):
    with Server("--redis-url", url) as s:
        reply = s.call("POST", "~/registry", {"name": "m", "type": "other"})
        told = s.log() + s.call("GET", "~/config").text
    check(what, reply.status == 201 and PASSWORD not in told and QUOTED not in told, reply.text)


def refused(url, told, *settings, status=1):
    with tempfile.TemporaryDirectory() as d:
        done = subprocess.run(
            [BIN, "serve", "--listen", "127.0.0.1:0", "--data-dir", d + "/data", "--redis-url", url,
             *settings], capture_output=True, text=True, timeout=60)
    line = [x for x in done.stderr.splitlines() if x.startswith("paddock serve:")]
    check(f"refused: {line}", done.returncode == status and told in line[0] and
          not any(p in done.stderr for p in (PASSWORD, QUOTED, "geheim")), done.stderr)


class Pretender:
    """Says of itself what it is told to; or nothing at all."""

    def __init__(self, version=None):
        self.version, self.socket = version, socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.socket.getsockname()[1]}"
        if version:
            threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            c, _ = self.socket.accept()
            f = c.makefile("rb")
            while head := f.readline():
                words = []
                for _ in range(int(head[1:])):
                    words.append(f.read(int(f.readline()[1:]) + 2)[:-2].upper())
                text = f"redis_version:{self.version}\r\nredis_mode:standalone\r\nrole:master\r\n"
                c.sendall(b"$%d\r\n%s\r\n" % (len(text), text.encode())
                          if words[0] == b"INFO" else b"+OK\r\n")


def logins():
    with redis_server.Redis("--requirepass", PASSWORD) as r:
        at = f"127.0.0.1:{r.port}"
        serves(f"redis://:{QUOTED}@{at}/3", "a password of all kinds of characters, and a database")
        serves(f"redis://default:{QUOTED}@localhost:{r.port}", "a user, and a name for the host")
        refused(f"redis://:geheim@{at}", "WRONGPASS")
        refused(f"redis://{at}", "NOAUTH")
        refused(f"redis://:{QUOTED}@{at}/99", "out of range")
        refused(f"redis://{QUOTED}@{at}", "before the @ stands user:password", status=2)
        refused(f"rediss://:{QUOTED}@{at}", "has no TLS", status=2)
        refused(f"redis+cluster://:{QUOTED}@{at}", "cluster support disabled")
        refused(f"redis+sentinel://:{QUOTED}@{at}/main", "does not name a master of 'main'")


def places():
    with tempfile.TemporaryDirectory(prefix="paddock socket ") as d, \
            redis_server.Redis("--unixsocket", d + "/s", "--bind", "127.0.0.1 ::1") as r:
        quoted = urllib.parse.quote(d + "/s")
        serves(f"redis+unix://{quoted}?db=4", "a socket with a space in its path")
        if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"):
            serves(f"redis://[::1]:{r.port}/1", "an address of IPv6")
        refused(f"redis+unix://{quoted}x", "No such file")


def kinds():
    for version in ("5.0.7", "6.0.16", "6.1.242"):
        refused(Pretender(version).url, f"is {version}: 6.2 is the oldest that will do", status=2)
    for version in ("6.2.0", "10.0.0"):  # these go on to the next question, which nobody answers
        refused(Pretender(version).url, "appendonly (not told)", status=2)
    silent = Pretender()  # it stays open
    refused(silent.url, "it does not answer")
    with redis_server.Redis("--rename-command", "CONFIG", "") as r:
        refused(r.url, "appendonly (not told) instead of yes", status=2)
        with Server("--redis-url", r.url, "--redis-accept-loss") as s:
            check("it starts when told to, and says so", '"redis_may_lose"' in s.log())


def main():
    if not redis_server.there():
        raise SystemExit(77)
    logins()
    places()
    kinds()


main()
