"""A `paddock serve` of a test's own: free port, its own directory, gone afterwards.

Environment: PADDOCK_BIN."""
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

BASE = "/api/models/enterprise"


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def media(self):
        return self.headers.get("content-type", "").split(";")[0]

    @property
    def json(self):
        return json.loads(self.body)


class Server:
    def __init__(self, *settings):
        self.dir = tempfile.mkdtemp(prefix="paddock-test-")
        self.settings, self.process, self.port, self.lines = settings, None, None, 0
        self.token = None  # sent with each call
        self.start()

    def log(self):
        with open(self.dir + "/log") as f:
            return f.read()

    def start(self):
        before = len(self.log()) if os.path.exists(self.dir + "/log") else 0
        with open(self.dir + "/log", "a") as log:
            self.process = subprocess.Popen(
                [os.environ["PADDOCK_BIN"], "serve", "--listen", "127.0.0.1:0", "--data-dir",
                 self.dir + "/data", *self.settings], stderr=log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            line = re.search(r'"event":"listening".*?"port":(\d+).*\n', self.log()[before:])
            if line:
                self.port = int(line.group(1))
                return
            time.sleep(0.01)
        raise SystemExit("the server does not start:\n" + self.log()[before:])

    def stop(self, number=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(number)
        status = self.process.wait(60)
        self.process = None
        if re.search(r"pdk_[0-9A-Za-z]{12}_[0-9A-Za-z]{20}", self.log()):
            raise SystemExit("the log tells a secret")
        if number == signal.SIGTERM and status != 0:
            raise SystemExit(f"the server ended with {status}:\n" + self.log())

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.dir)

    def call(self, method, path, body=None, headers=None):
        """One request; `~` is the base path, a body that is no text is sent as JSON."""
        headers = {k: v.encode() for k, v in (headers or {}).items()}  # UTF-8, not Latin-1
        if self.token:
            headers.setdefault("Authorization", "Bearer " + self.token)
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            try:
                c.request(method, path.replace("~", BASE, 1), body, headers)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before the body was sent whole: the answer says why
            r = c.getresponse()
            # A stream of events does not end by itself: its head is what matters here.
            endless = r.getheader("Content-Type", "").startswith("text/event-stream")
            return Reply(r.status, {k.lower(): v for k, v in r.getheaders()},
                         r.readline() if endless else r.read())
        finally:
            c.close()
