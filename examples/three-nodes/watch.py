"""A client of the three nodes, and what it sees, a line a second.

    watch.py PORT [SECONDS]    PORT is nginx's

It selects (200 a second, four users at once), registers a version of a model five times a second,
and sends ten batches of ten records a second. A registration that is refused with 503 is sent again
with the same Idempotency-Key until it is answered, as a good client does. At the end it compares
what was acknowledged with what is there.
"""
import collections
import http.client
import json
import signal
import sys
import threading
import time

API = "/api/models/enterprise"
BATCH = 10
NODES = 3
PATIENCE = 30  # seconds for what must come


class Caller(threading.Thread):
    """Asks at a steady pace, on one connection that is made anew when it breaks."""

    def __init__(self, port, over, per_second):
        super().__init__(daemon=True)
        self.port, self.over, self.pause, self.connection = port, over, 1 / per_second, None

    def call(self, method, path, body=None, key=None):
        """Status, headers, JSON; status 0 if there was no answer."""
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        try:
            if not self.connection:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            self.connection.request(method, API + path, body and json.dumps(body), headers)
            reply = self.connection.getresponse()
            return reply.status, reply.headers, json.loads(reply.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError):
            self.connection.close()
            self.connection = None
            return 0, {}, None

    def run(self):
        next_at = time.monotonic()
        while not self.over.is_set():
            self.step()
            next_at = max(next_at + self.pause, time.monotonic())  # what was missed stays missed
            self.over.wait(next_at - time.monotonic())


class Second:
    """What happened in one."""

    def __init__(self):
        self.selected, self.failed, self.slowest_ms = 0, 0, 0.0
        self.by_node = collections.Counter()
        self.changes = collections.Counter()  # by status
        self.records = collections.Counter()


class Seen:
    """What all callers have seen, until now and in this second."""

    def __init__(self, port):
        self.port, self.lock, self.now = port, threading.Lock(), Second()
        self.epoch = self.seq = "-"
        self.selected = self.failed = self.registered = self.acknowledged = self.unknown = 0

    def node(self, headers):
        """The one that answered: 1, 2, 3, or 0 if none did."""
        asked = headers.get("X-Node", "").split(",")[-1].strip()
        port = asked.rpartition(":")[2]
        return int(port) - self.port if port.isdigit() else 0

    def next_second(self):
        with self.lock:
            was, self.now = self.now, Second()
            return was, self.epoch, self.seq


class Selector(Caller):
    def __init__(self, port, over, seen, user):
        super().__init__(port, over, 50)
        self.seen, self.user = seen, user

    def step(self):
        begun = time.monotonic()
        status, headers, _ = self.call("POST", "/selection", {
            "model_name": "watched", "context": {"targetingKey": f"user-{self.user}"}})
        took = (time.monotonic() - begun) * 1000
        with self.seen.lock:
            now = self.seen.now
            self.seen.selected += status == 200
            self.seen.failed += status != 200
            now.selected += status == 200
            now.failed += status != 200
            now.slowest_ms = max(now.slowest_ms, took)
            now.by_node[self.seen.node(headers)] += status == 200


class Registrar(Caller):
    """Registers version after version of one model, each once."""

    def __init__(self, port, over, seen, name):
        super().__init__(port, over, 5)
        self.seen, self.name, self.version = seen, name, 1

    def step(self):
        status, headers, _ = self.call("POST", "/registry", {
            "name": self.name, "version": str(self.version), "type": "classifier"},
            key=f"{self.name}-{self.version}")
        with self.seen.lock:
            self.seen.now.changes[status] += 1
            if status == 201:
                self.version += 1
                self.seen.registered += 1
                self.seen.seq = headers["Paddock-Seq"]
                self.seen.epoch = headers["Paddock-Epoch"]


class Recorder(Caller):
    def __init__(self, port, over, seen):
        super().__init__(port, over, 10)
        self.seen = seen

    def step(self):
        status, _, _ = self.call("POST", "/registry/watched:1/inference", [{"latency_ms": 5}] * BATCH)
        with self.seen.lock:
            self.seen.now.records[status] += 1
            if status == 202:
                self.seen.acknowledged += BATCH
            else:  # it may have them all the same
                self.seen.unknown += BATCH


def counted(caller):
    """Records of the model that the nodes know of."""
    _, _, metrics = caller.call("GET", "/registry/watched:1/metrics?window=1h")
    return metrics["lifetime"]["total"] if metrics and "lifetime" in metrics else -1


def prepare(caller):
    """The model that selections find; it may be there."""
    status, _, _ = caller.call("POST", "/registry", {
        "name": "watched", "version": "1", "type": "classifier"})
    if status == 201:
        for to in ("canary", "stable"):
            _, last, _ = caller.call("POST", "/registry/watched:1/status", {"status": to})
        time.sleep(0.5)  # until all nodes have it
    elif status != 409:
        sys.exit(f"nothing can be registered: {status}")


def line(second, epoch, seq):
    nodes = " ".join(f"{second.by_node[n]:4d}" for n in range(1, NODES + 1))
    other = sum(n for status, n in second.changes.items() if status not in (201, 503))
    return (f"{time.strftime('%H:%M:%S')}  {second.selected:10d} {second.failed:6d} "
            f"{second.slowest_ms:6.0f}  {nodes}  {second.changes[201]:7d} {second.changes[503]:4d} "
            f"{other:5d}  {second.records[202] * BATCH:7d}  {epoch:>5} {seq:>5}")


HEAD = ("          selections        slowest  by node         changes            records\n"
        "time             done failed     ms     1    2    3     done  503 other      202"
        "  epoch   seq")


def compare(seen, name, had):
    """Is all there that was acknowledged, once? Records of a node that is gone are there when it is
    back, so they are waited for."""
    caller = Caller(seen.port, None, 1)
    _, _, page = caller.call("GET", f"/registry?name={name}&limit=1&min_seq={seen.seq}")
    there = page["total"] if page and "total" in page else -1
    print(f"selections: {seen.selected} done, {seen.failed} failed")
    print(f"changes: {seen.registered} acknowledged, {there} there")
    end = time.monotonic() + PATIENCE
    while (more := counted(caller) - had) < seen.acknowledged and time.monotonic() < end:
        time.sleep(0.2)
    print(f"records: {seen.acknowledged} acknowledged, {seen.unknown} sent without an answer, "
          f"{more} counted", flush=True)
    # The last change may have been made without an answer.
    return (seen.registered <= there <= seen.registered + 1 and
            seen.acknowledged <= more <= seen.acknowledged + seen.unknown)


def main():
    port, seconds = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else float("inf")
    over, seen, caller = threading.Event(), Seen(port), Caller(port, None, 1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    prepare(caller)
    had, name = counted(caller), f"watched-{int(time.time())}"
    registrar = Registrar(port, over, seen, name)
    callers = [Selector(port, over, seen, u) for u in range(4)] + [registrar, Recorder(port, over, seen)]
    for c in callers:
        c.start()
    print(HEAD, flush=True)
    end = time.monotonic() + seconds
    while not over.wait(min(1, max(0, end - time.monotonic()))):
        print(line(*seen.next_second()), flush=True)
        if time.monotonic() >= end:
            over.set()
    for c in callers:
        c.join()
    sys.exit(0 if compare(seen, name, had) else 1)


main()
