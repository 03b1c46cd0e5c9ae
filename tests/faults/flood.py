"""What flood.sh does. Exit status 1 if the good client got a wrong answer or none, or if the server
took more memory than it may. Latencies are printed, not judged: the machine may be busy."""
import http.client
import os
import resource
import select
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from paddock_server import BASE, Server

FULL = "full" in sys.argv[1:]
SECONDS = 20 if FULL else 3
CROWD = 10_000  # connections from one address, 20,000 in all are the server's default
RSS_MAX_MB = 512
ABUSER, GOOD = "127.0.0.1", "127.0.0.2"


def rss_mb(server):
    with open(f"/proc/{server.process.pid}/status") as f:
        return next(int(x.split()[1]) for x in f if x.startswith("VmRSS:")) / 1024


class GoodClient(threading.Thread):
    """A hundred requests a second, half of them on connections of their own."""

    def __init__(self, server, context):
        super().__init__(daemon=True)
        self.server, self.context = server, context
        self.took, self.faults, self.ended, self.kept = [], [], False, None

    def connect(self):
        args = {"timeout": 30, "source_address": (GOOD, 0)}
        if self.context:
            return http.client.HTTPSConnection("127.0.0.1", self.server.port,
                                               context=self.context, **args)
        return http.client.HTTPConnection("127.0.0.1", self.server.port, **args)

    def ask(self, c):
        began = time.monotonic()
        c.request("GET", BASE + "/registry/m:1")
        r = c.getresponse()
        body = r.read()
        if r.status != 200 or b'"model_id":"m:1"' not in body:
            raise OSError(f"{r.status} {body[:200]!r}")
        self.took.append((time.monotonic() - began) * 1000)

    def run(self):
        n = 0
        while not self.ended:
            n += 1
            try:
                if n % 2:
                    self.kept = self.kept or self.connect()
                    self.ask(self.kept)
                else:
                    c = self.connect()
                    self.ask(c)
                    c.close()
            except Exception as e:  # noqa: BLE001 - any failure counts
                self.faults.append(repr(e))
                self.kept = None
            time.sleep(0.01)

    def take(self):
        took, self.took = sorted(self.took), []
        return (f"{len(took)} answers, p50 {took[len(took) // 2]:.2f} ms, "
                f"p99 {took[len(took) * 99 // 100]:.2f} ms" if took else "no answers")


class Flood:
    """Threads that do harm until it is over."""

    def __init__(self, port):
        self.port, self.over, self.sent, self.threads = port, False, 0, []

    def start(self, *work):
        self.threads = [threading.Thread(target=w, daemon=True) for w in work]
        for t in self.threads:
            t.start()

    def end(self):
        self.over = True
        for t in self.threads:
            t.join(60)

    def dial(self):
        return socket.create_connection(("127.0.0.1", self.port), 10, (ABUSER, 0))

    def junk(self):
        """A body that is no JSON, as fast as it is taken, again and again."""
        piece = b"400000\r\n" + os.urandom(0x400000) + b"\r\n"
        head = (f"POST {BASE}/inference HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                "Content-Type: application/x-ndjson\r\n\r\n").encode()
        while not self.over:
            try:
                with self.dial() as s:
                    s.sendall(head)
                    for _ in range(64):
                        s.sendall(piece)
                        self.sent += len(piece)
            except OSError:
                pass  # cut off, as it should be

    def noise(self):
        """No HTTP at all."""
        piece = os.urandom(1 << 20)
        while not self.over:
            try:
                with self.dial() as s:
                    while not self.over:
                        s.sendall(piece)
                        self.sent += len(piece)
            except OSError:
                pass

    def handshakes(self, count):
        """Many at once, each a byte a second, and a new one for each that is ended."""
        sockets = []
        while not self.over:
            try:
                while len(sockets) < count:
                    s = socket.socket()
                    s.bind((ABUSER, 0))
                    s.connect(("127.0.0.1", self.port))
                    sockets.append(s)
                    self.sent += 1
                for s in sockets:
                    s.send(b"\x16", socket.MSG_DONTWAIT)
            except OSError:
                pass
            ended = select.poll()
            for s in sockets:
                ended.register(s, select.POLLIN | select.POLLHUP)
            gone = {fd for fd, _ in ended.poll(200)}
            for s in [s for s in sockets if s.fileno() in gone]:
                s.close()
            sockets = [s for s in sockets if s.fileno() >= 0]
        for s in sockets:
            s.close()


def measure(name, server, context, flood, *work):
    """Returns whether all was well."""
    good = GoodClient(server, context)
    good.start()
    time.sleep(SECONDS)
    before, most = good.take(), 0.0
    print(f"{name}: before: {before}, RSS {rss_mb(server):.0f} MB", flush=True)
    flood.start(*work)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end or (not flood.sent and any(t.is_alive() for t in flood.threads)):
        most = max(most, rss_mb(server))
        time.sleep(0.05)
    during = good.take()
    flood.end()
    good.ended = True
    good.join(60)
    print(f"{name}: during: {during}, {len(good.faults)} failed, RSS at most {most:.0f} MB",
          flush=True)
    for fault in good.faults[:5]:
        print("  ", fault)
    return not good.faults and most < RSS_MAX_MB and "no answers" not in during


def plain(all_good):
    with Server("--access-log", "false") as server:
        server.call("POST", "~/registry", {"name": "m", "version": "1", "type": "classifier"})
        flood, held = Flood(server.port), []

        def crowd():
            for _ in range(CROWD + 500):
                try:
                    held.append(flood.dial())
                    flood.sent += 1
                except OSError:
                    pass

        all_good.append(measure(f"{CROWD:,} connections from one address", server, None, flood,
                                crowd))
        print(f"  {len(held):,} connected", flush=True)
        for s in held:
            s.close()
        flood = Flood(server.port)
        began = time.monotonic()
        all_good.append(measure("junk", server, None, flood, flood.junk, flood.junk, flood.noise))
        print(f"  {flood.sent / (time.monotonic() - began - SECONDS) / 1e6:,.0f} MB/s of it")


def tls(all_good):
    top = tempfile.mkdtemp(prefix="paddock-flood-")
    cert, key = top + "/cert.pem", top + "/key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    try:
        with Server("--access-log", "false", "--tls-cert", cert, "--tls-key", key,
                    "--handshake-timeout-ms", "2000") as server:
            context = ssl.create_default_context(cafile=cert)
            body = b'{"name":"m","version":"1","type":"classifier"}'
            c = http.client.HTTPSConnection("127.0.0.1", server.port, context=context)
            c.request("POST", BASE + "/registry", body, {"Content-Type": "application/json"})
            if c.getresponse().status != 201:
                raise SystemExit("cannot register")
            c.close()
            flood = Flood(server.port)
            all_good.append(measure("6,000 slow handshakes", server, context, flood,
                                    lambda: flood.handshakes(6000)))
            print(f"  {flood.sent:,} begun")
            flood = Flood(server.port)
            all_good.append(measure("junk instead of TLS", server, context, flood, flood.noise,
                                    flood.noise))
    finally:
        shutil.rmtree(top)


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < CROWD + 2000:
        print(f"NOTHING WAS TESTED: at most {hard} open files")
        raise SystemExit(77)
    all_good = []
    plain(all_good)
    tls(all_good)
    raise SystemExit(0 if all(all_good) else 1)


main()
