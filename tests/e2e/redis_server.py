"""Real redis-servers of a test's own, on free loopback ports, gone afterwards."""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PROGRAM = "/usr/bin/redis-server"


def there():
    return os.access(PROGRAM, os.X_OK)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Redis:
    """Set as Paddock demands it, unless `settings` say otherwise."""

    def __init__(self, *settings):
        self.dir = tempfile.mkdtemp(prefix="paddock-redis-")
        self.settings, self.process, self.port = settings, None, 0
        for _ in range(20):
            self.port = free_port()
            if self.start():
                return
        raise SystemExit("redis-server does not start")

    def command(self):
        return [PROGRAM, "--save", "", "--appendonly", "yes", "--appendfsync", "always",
                "--maxmemory-policy", "noeviction"]

    def start(self):
        with open(self.dir + "/out", "a") as out:
            self.process = subprocess.Popen(
                [*self.command(), "--bind", "127.0.0.1", "--port", str(self.port), "--dir",
                 self.dir, *self.settings], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent)
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.say("PING"):
                    return True
            except OSError:
                time.sleep(0.01)
        return False

    def say(self, *words):
        """The first 64 KiB of what it answers, as it comes."""
        text = b"*%d\r\n" % len(words)
        for word in words:
            word = str(word).encode()
            text += b"$%d\r\n%s\r\n" % (len(word), word)
        with socket.create_connection(("127.0.0.1", self.port), 10) as s:
            s.sendall(text)
            return s.recv(65536).decode()

    def stop(self, number=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
