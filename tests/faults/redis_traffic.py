"""What goes on at nodes while things are broken: changes of models with a known history, inference
records that are counted, reads and selections none of which may fail."""
import http.client
import threading
import time

RECORDS = 10  # in a batch


class Watched:
    """A node; remembers when it was down, which its clients may notice, and what was refused."""

    def __init__(self, server):
        self.server, self.life, self.down = server, 0, False
        self.lock, self.slowest, self.refused = threading.Lock(), 0.0, 0

    def kill(self, number):
        self.down = True
        self.life += 1
        self.server.stop(number)

    def start(self):
        self.server.start()
        self.life += 1
        self.down = False

    def excused(self, life):
        return self.down or self.life != life

    def call(self, method, path, body=None, headers=None):
        """Of a refusal it has to be said when to come again, and at once."""
        begun = time.monotonic()
        reply = self.server.call(method, path, body, headers)
        took = time.monotonic() - begun
        if reply.status == 503 and "min_seq" not in path and "readyz" not in path:
            if "retry-after" not in reply.headers:
                raise SystemExit(f"FAILED 503 without Retry-After: {method} {path} {reply.text}")
            with self.lock:
                self.refused += 1
                self.slowest = max(self.slowest, took)
        return reply


class Worker(threading.Thread):
    """Calls a node again and again; `fault` says what must not have been."""

    def __init__(self, node, until, pause):
        super().__init__(daemon=True)
        self.node, self.until, self.pause, self.fault, self.done = node, until, pause, None, 0

    def run(self):
        while not self.until.is_set() and not self.fault:
            life = self.node.life
            try:
                self.step()
                self.done += 1
            except (OSError, http.client.HTTPException) as e:
                if not self.node.excused(life):
                    self.fault = f"{type(self).__name__}: {e!r}"
            self.until.wait(self.pause)


class Reader(Worker):
    """Reads and selections go on whatever becomes of Redis."""

    def want(self, reply, text):
        if reply.status != 200 or text not in reply.text:
            raise OSError(f"{reply.status} {reply.text}")

    def step(self):
        self.want(self.node.call("GET", "~/registry/sel:1"), '"sel:1"')
        self.want(self.node.call("POST", "~/selection", {
            "model_name": "sel", "context": {"targetingKey": str(self.done)}}), '"sel:1"')


class Recorder(Worker):
    """Sends records of a model that no other node gets any of."""

    def __init__(self, node, until, pause, model):
        super().__init__(node, until, pause)
        self.model, self.acknowledged, self.unknown = model, 0, 0

    def step(self):
        life = self.node.life
        self.unknown += RECORDS
        try:
            reply = self.node.call("POST", f"~/registry/{self.model}/inference",
                                   [{"latency_ms": 5}] * RECORDS)
        except ConnectionRefusedError:
            self.unknown -= RECORDS  # nobody was there to take them
            raise
        if reply.status == 202:
            self.acknowledged += RECORDS
        elif not self.node.excused(life):
            raise OSError(f"records: {reply.status} {reply.text}")
        self.unknown -= RECORDS

    def stored(self, node):
        reply = node.call("GET", f"~/registry/{self.model}/metrics?window=1h")
        return reply.json["lifetime"]["total"] if reply.status == 200 else -1

    def check(self, node=None):
        """What a node (its own) shows that is wrong, or None."""
        n = self.stored(node or self.node)
        if self.acknowledged <= n <= self.acknowledged + self.unknown:
            return None
        return (f"{self.model}: {self.acknowledged} were acknowledged, of {self.unknown} it is not "
                f"known, {n} are there")
