"""Nodes on one Redis while things are broken: what goes on at them, and what must hold afterwards.

Environment: PADDOCK_BIN."""
import os
import re
import subprocess
import threading
import time

import nodes_check
from nodes_run import Client, check, done, journal_of, read, register, seq_of, wait_for
from redis_traffic import Reader, Recorder


def say(text):
    print(text, flush=True)


def rounds(full):
    return int(os.environ.get("FAULT_ROUNDS", "20" if full else "1"))


def verify(url):
    ran = subprocess.run([os.environ["PADDOCK_BIN"], "audit", "verify", "--redis-url", url],
                         capture_output=True, text=True, check=False)
    check("the journal is sound", ran.returncode == 0, ran.stdout + ran.stderr)


class Fleet:
    """Nodes on one Redis, and what goes on at them."""

    def __init__(self, url, nodes):
        self.url, self.nodes = url, nodes
        self.until = threading.Event()
        self.readers = [Reader(n, self.until, 0.01) for n in nodes]
        self.recorders = [Recorder(n, self.until, 0.01, f"rec-{i}:1") for i, n in enumerate(nodes)]
        self.clients = [Client(i, nodes[i % len(nodes)], self.until) for i in range(6)]

    def prepare(self):
        for i in range(len(self.nodes)):
            register(self.nodes[0], f"rec-{i}")
        register(self.nodes[0], "sel")
        for status in ("canary", "stable"):
            done(self.nodes[0].call("POST", "~/registry/sel:1/status", {"status": status}), 200)
        last = done(self.nodes[0].call("POST", "~/registry", {
            "name": "counter", "type": "classifier", "labels": {"n": "0", "by": "start"}}), 201)
        for n in self.nodes:
            read(n, "~/registry/counter:1", seq_of(last))

    def begin(self):
        for w in self.readers + self.recorders + self.clients:
            w.start()

    def end(self):
        self.until.set()
        for w in self.readers + self.recorders + self.clients:
            w.join()
        self.look()

    def look(self):
        faults = [w.fault for w in self.readers + self.recorders + self.clients if w.fault]
        check("nothing failed that must not", not faults, faults)

    def all_says(self, nodes, status):
        return all(n.call("GET", "/readyz").status == status for n in nodes)

    def it_is_said(self, nodes):
        """Of each of these nodes: that its store is away, and since when."""
        wait_for("/readyz says it", lambda: self.all_says(nodes, 503))
        for n in nodes:
            text = n.call("GET", "/readyz").text
            check("since when", re.search(r"since \d{4}-\d\d-\d\dT", text) or "ready" in text, text)

            def told(n=n):
                text = n.call("GET", "/metrics").text
                since = re.search(r"^paddock_store_down_since_seconds (\S+)$", text, re.M)
                return (re.search(r"^paddock_store_up 0", text, re.M) and
                        float(since.group(1)) > time.time() - 3600)
            wait_for("/metrics says it", told)

    def all_is_well(self):
        """By itself: each node takes changes, and all have them."""
        wait_for("/readyz is well", lambda: self.all_says(self.nodes, 200))
        for n in self.nodes:
            replies = []

            def written(n=n, replies=replies):
                replies.append(n.call("PATCH", "~/registry/sel:1", {"description": "after"}))
                return replies[-1].status == 200
            wait_for("changes are taken", written)
            for other in self.nodes:
                read(other, "~/registry/sel:1", seq_of(replies[-1]))
        self.look()

    def settle(self):
        """Acknowledged against stored."""
        last = done(self.nodes[0].call("PATCH", "~/registry/counter:1", {"description": "end"}), 200)
        journals = [journal_of(n, seq_of(last))[:-1] for n in self.nodes]
        check("one journal", all(j == journals[0] for j in journals))
        history = [a for c in self.clients for a in c.history]
        faults = nodes_check.faults_of(journals[0], history)
        check("nothing lost, nothing twice", not faults, faults[:5])
        self.records_are_there()
        verify(self.url)
        outcomes = {o: sum(a["outcome"] == o for a in history)
                    for o in ("done", "refused", "unknown")}
        say(f"changes: {outcomes}; records: {sum(r.acknowledged for r in self.recorders)} "
            f"acknowledged, {sum(r.unknown for r in self.recorders)} unknown; "
            f"{sum(r.done for r in self.readers)} reads and selections, none failed")

    def records_are_there(self):
        """All that were acknowledged, once, on each node."""
        for r in self.recorders:
            for i, n in enumerate(self.nodes):
                wait_for(f"node {i} has all records: {r.check(n)}",
                         lambda r=r, n=n: r.check(n) is None)

    def forget_refusals(self):
        for n in self.nodes:
            n.slowest = n.refused = 0

    def slowest(self):
        return max(n.slowest for n in self.nodes)

    def refusals(self):
        return (f"{sum(n.refused for n in self.nodes)} refusals, the slowest after "
                f"{self.slowest():.2f} s")
