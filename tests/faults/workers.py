"""Workers of a Redis fleet die, sleep and come back: each run is carried out and stored, once.

Two nodes that carry out nothing themselves order RUNS runs; WORKERS workers carry them out, while at
random moments one is killed (and started again) or stopped for up to three times its claim. What
Redis is told is watched: a run's end is stored by one write, neither less nor more, whoever carried
it out; the journal tells of each once. Before that, one by one: what becomes of a run that a worker
cannot carry out, of one that is called off, and of those that a worker has when it is told to stop.

Environment: PADDOCK_BIN; WORKERS_SEED."""
import collections
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import redis_server
from paddock_server import Server

RUNS = int(sys.argv[1])
WORKERS, MODELS = 4, 8
CLAIM_MS = 1500 if RUNS >= 1000 else 1000
PATIENCE = 240  # seconds until something that must happen has not happened
SEED = int(os.environ.get("WORKERS_SEED", time.time_ns() % 1000000))
PLUGINS = os.path.dirname(os.environ["PADDOCK_BIN"]) + "/../tests/plugins"
ANSWER = ('i=0; while read -r l; do i=$((i+1)); case "$l" in '
          '*metadata*) echo "{\\"id\\":$i,\\"name\\":\\"s\\",'
          '\\"inputs\\":[{\\"name\\":\\"x\\",\\"datatype\\":\\"FP64\\",\\"shape\\":[1]}],'
          '\\"outputs\\":[{\\"name\\":\\"y\\",\\"datatype\\":\\"FP64\\",\\"shape\\":[1]}]}";; '
          '*infer*) sleep %s; echo "{\\"id\\":$i,\\"outputs\\":[{\\"name\\":\\"y\\",'
          '\\"datatype\\":\\"FP64\\",\\"shape\\":[1],\\"data\\":[1]}]}";; '
          '*) echo "{\\"id\\":$i}";; esac; done')


def check(what, good, more=""):
    if not good:
        raise SystemExit(f"not so (seed {SEED}): {what} {more}")


def wait_for(what, holds):
    end = time.monotonic() + PATIENCE
    while True:
        value = holds()
        if value:
            return value
        check(what, time.monotonic() < end)
        time.sleep(0.05)


class Worker:
    """A `paddock work` with a directory of its own."""

    def __init__(self, redis, *settings):
        self.dir = tempfile.mkdtemp(prefix="paddock-worker-")
        self.command = [os.environ["PADDOCK_BIN"], "work", "--redis", redis.url, "--data-dir",
                        self.dir + "/data", "--validation-claim-ms", str(CLAIM_MS), *settings]
        self.process = None
        self.start()

    def log(self):
        with open(self.dir + "/log") as f:
            return f.read()

    def start(self):
        with open(self.dir + "/log", "a") as log:
            before = log.tell()
            self.process = subprocess.Popen(self.command, stderr=log, stdin=subprocess.DEVNULL)
        wait_for("the worker works", lambda: self.process.poll() is not None or
                 '"event":"working"' in self.log()[before:])
        check("the worker lives", self.process.poll() is None, self.log()[before:])

    @property
    def name(self):
        return re.findall(r'"worker":"(worker-\w+)"', self.log())[-1]

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            status = self.process.wait(60)
            check("the worker ends well", status == 0, f"{status}\n{self.log()[-2000:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            if self.process.poll() is None:
                self.kill()
            shutil.rmtree(self.dir)


class Monitor(threading.Thread):
    """What Redis is told: how often the end of each run is stored."""

    def __init__(self, redis):
        super().__init__(daemon=True)
        self.stored = collections.Counter()
        self.socket = socket.create_connection(("127.0.0.1", redis.port))
        self.socket.sendall(b"*1\r\n$7\r\nMONITOR\r\n")
        self.start()

    def run(self):
        with self.socket.makefile("r", errors="replace") as lines:
            for line in lines:
                # Of a script's call: the series "v/UID", where, and the run as JSON.
                if not re.search(r'" "v/\d+" ', line):
                    continue
                run = re.search(r'\{\\"run_id\\":\\"([^"\\]+)\\"', line)
                if run and re.search(r'\\"finished_at\\":(\d|\\")', line):
                    self.stored[run.group(1)] += 1

    def settled(self, redis):
        """All that was told until now has been read."""
        mark = f"mark-{time.time_ns()}"
        redis.say("ECHO", mark)
        time.sleep(0.3)


def done(reply, *statuses):
    check("the call is done", reply.status in statuses, f"{reply.status} {reply.text}")
    return reply.json


def model(node, name, command=None):
    body = {"name": name, "version": "1", "type": "classifier"}
    if command:
        body["runtime"] = {"kind": "exec", "command": ["/bin/sh", "-c", command]}
    done(node.call("POST", "~/registry", body), 201)


def test(node, name, kind, config=None, timeout_ms=120000):
    done(node.call("POST", "~/validation/tests", {
        "test_id": f"of-{name}", "model_name": name, "type": kind, "timeout_ms": timeout_ms,
        "config": config or {}}), 201)


def order(node, name):
    return done(node.call("POST", "~/validation/run", {"model_id": f"{name}:1"}), 202)["run_id"]


def run_of(node, run_id):
    return done(node.call("GET", f"~/validation/runs/{run_id}"), 200)


def ended(node, run_id):
    def look():
        run = run_of(node, run_id)
        return run if run["finished_at"] else None
    return wait_for(f"the run {run_id} ends", look)


def worker_line(node, worker):
    items = done(node.call("GET", "~/nodes"), 200)["items"]
    return next((n for n in items if n["node_id"] == worker.name), None)


# --- one by one ---

def plugins_of(directory, spoil=False):
    """A directory with the plugin test.nothing, or one that is another by a byte."""
    os.mkdir(directory)
    with open(PLUGINS + "/good_nothing.so", "rb") as f:
        data = f.read()
    with open(directory + "/nothing.so", "wb") as f:
        f.write(data + b"\0" * spoil)
    os.chmod(directory, 0o755)
    os.chmod(directory + "/nothing.so", 0o644)
    return directory


def what_is_missing_is_told(redis, node, plugins):
    """A run is left by whom it lacks something, says what, and goes to who has it."""
    spoiled = plugins_of(plugins + "-spoiled", True)
    with Worker(redis) as bare, Worker(redis, "--plugin-dir", spoiled) as other:
        run_id = order(node, "plain")
        for worker, reason in ((bare, r"'test.nothing' \(\w{12}\) is not here"),
                               (other, r"'test.nothing' here is \w{12}, the run wants \w{12}")):
            line = wait_for("what is missing is told", lambda w=worker: [
                d for d in (worker_line(node, w) or {}).get("declined", [])
                if d["run_id"] == run_id])
            check("the reason is clear", re.search(reason, line[0]["reason"]), line)
        check("it waits", run_of(node, run_id)["status"] == "queued")
        with Worker(redis, "--plugin-dir", plugins) as able:
            run = ended(node, run_id)
            check("whoever can has done it", run["status"] == "passed" and
                  [a["node"] for a in run["attempts"]] == [able.name], run)
            line = wait_for("the worker is listed", lambda: worker_line(node, able))
            check("it is listed", line["role"] == "worker" and line["alive"] and
                  line["version"] and not line["decides"] and line["address"] is None, line)


def what_is_called_off_ends(node, worker):
    run_id = order(node, "slow")
    wait_for("it is running", lambda: run_of(node, run_id)["status"] == "running")
    if RUNS >= 1000:  # its next heartbeats tell
        wait_for("the worker says so",  # once it is listed at all
                 lambda: run_id in (worker_line(node, worker) or {"running": ()})["running"])
    done(node.call("POST", f"~/validation/runs/{run_id}/cancel"), 200, 202)
    check("it is called off", ended(node, run_id)["status"] == "cancelled")
    wait_for("the worker lets go", lambda: '"event":"run_taken_over"' in worker.log())


def who_is_told_to_stop_finishes(redis, node, settings):
    with Worker(redis, *settings) as worker:
        run_id = order(node, "brief")
        wait_for("it is running", lambda: run_of(node, run_id)["status"] == "running")
        worker.stop()
        run = ended(node, run_id)
        check("it was finished", run["status"] == "passed" and len(run["attempts"]) == 1, run)
    with Worker(redis, *settings, "--shutdown-grace-ms", "0") as worker:
        run_id = order(node, "brief")
        wait_for("it is running", lambda: run_of(node, run_id)["status"] == "running")
        worker.stop()
        with Worker(redis, *settings) as second:
            run = ended(node, run_id)
            check("it was handed back", run["status"] == "passed" and
                  [a["node"] for a in run["attempts"]] == [second.name], run)


def who_sleeps_stores_nothing(redis, node, monitor, settings):
    """A worker is stopped in the middle of a run, another does it, and the first wakes up."""
    with Worker(redis, *settings) as slow:
        run_id = order(node, "brief")
        wait_for("it is running", lambda: run_of(node, run_id)["status"] == "running")
        slow.signal(signal.SIGSTOP)
        with Worker(redis, *settings) as second:
            run = ended(node, run_id)
            check("another has done it", [(a["node"], a["end"]) for a in run["attempts"]] ==
                  [(slow.name, "node_lost"), (second.name, "done")], run)
            slow.signal(signal.SIGCONT)
            wait_for("the first finds out", lambda: '"event":"run_taken_over"' in slow.log())
            check("nothing was stored over it", run_of(node, run_id) == run)
            monitor.settled(redis)
            check("it was stored once", monitor.stored[run_id] == 1, monitor.stored[run_id])


# --- the campaign ---

class Killer(threading.Thread):
    def __init__(self, workers):
        super().__init__(daemon=True)
        self.workers, self.over, self.failed = workers, threading.Event(), None
        self.kills = self.stops = 0
        self.random = random.Random(SEED)

    def one(self):
        worker = self.random.choice(self.workers)
        if self.random.random() < 0.5:
            worker.kill()
            self.kills += 1
            time.sleep(self.random.uniform(0, 0.5))
            worker.start()
        else:
            worker.signal(signal.SIGSTOP)
            self.stops += 1
            time.sleep(self.random.uniform(0.1, 3 * CLAIM_MS / 1000))
            worker.signal(signal.SIGCONT)

    def run(self):
        try:
            while not self.over.wait(self.random.uniform(0.05, 0.8)):
                self.one()
        except BaseException as e:  # it must not end unseen
            self.failed = e


def finished_entries(node):
    """How often the journal tells of each run's end."""
    told, cursor = collections.Counter(), ""
    while cursor is not None:
        page = done(node.call("GET", "~/audit?action=validation.finished&limit=1000" +
                              (f"&cursor={cursor}" if cursor else "")), 200)
        for entry in page["items"]:
            told[entry["evidence"]["run_id"]] += 1
        cursor = page["next_cursor"]
    return told


def campaign(redis, nodes, monitor, settings):
    workers = [Worker(redis, *settings) for _ in range(WORKERS)]
    killer, begun = Killer(workers), time.monotonic()
    killer.start()
    ordered = {order(nodes[i % 2], f"m{i % MODELS}"): nodes[i % 2] for i in range(RUNS)}
    runs = {run_id: ended(node, run_id) for run_id, node in ordered.items()}
    killer.over.set()
    killer.join()
    took = time.monotonic() - begun
    check("the killer lived", killer.failed is None, killer.failed)
    for worker in workers:
        worker.stop()
    monitor.settled(redis)
    late = sum(w.log().count('"event":"run_taken_over"') for w in workers)
    for worker in workers:
        shutil.rmtree(worker.dir)
    lost = worn_out = 0
    for run_id, run in runs.items():
        ends = [a["end"] for a in run["attempts"]]
        gave_up = run["status"] == "error" and ends == ["node_lost"] * 5
        check("a run is whole", gave_up or
              (run["status"] == "passed" and run["complete"] and len(run["results"]) == 1 and
               run["results"][0]["status"] == "passed" and ends[-1] == "done" and
               all(e == "node_lost" for e in ends[:-1])), run)
        lost += ends.count("node_lost")
        worn_out += gave_up
        check("its end was stored once", monitor.stored[run_id] == 1, monitor.stored[run_id])
        check("it stayed as it was", run_of(ordered[run_id], run_id) == run, run)
    told = finished_entries(nodes[0])
    for run_id in runs:
        check("the journal tells of its end once", told[run_id] == 1, told[run_id])
    queues = [key for key in redis.say("KEYS", "*q:validation*").split() if "validation" in key]
    check("nothing is left in a queue", not queues, queues)
    print(f"{RUNS} runs by {WORKERS} workers in {took:.0f} s: {killer.kills} kills, "
          f"{killer.stops} stops, {lost} attempts lost, {late} late results refused or broken off, "
          f"{worn_out} runs ended after five lost attempts; each stored once, none lost "
          f"(seed {SEED})")


def main():
    work = tempfile.mkdtemp(prefix="paddock-workers-")
    try:
        plugins = plugins_of(work + "/plugins")
        common = ("--validation-claim-ms", str(CLAIM_MS), "--validation-workers", "0",
                  "--plugin-dir", plugins)
        settings = ("--exec-dirs", "/bin", "--plugin-dir", plugins, "--validation-workers", "2")
        with redis_server.Redis() as redis, \
                Server("--redis-url", redis.url, *common) as a, \
                Server("--redis-url", redis.url, *common) as b:
            monitor = Monitor(redis)
            model(a, "plain")
            test(a, "plain", "test.nothing")
            for name, seconds in (("brief", "0.5"), ("slow", "100")):
                model(a, name, ANSWER % seconds)
                test(a, name, "smoke", {"limit_ms": 60000})
            for i in range(MODELS):
                model(a, f"m{i}", ANSWER % (i * 0.03))
                test(a, f"m{i}", "smoke", {"limit_ms": 60000})
            what_is_missing_is_told(redis, a, plugins)
            who_is_told_to_stop_finishes(redis, a, settings)
            who_sleeps_stores_nothing(redis, a, monitor, settings)
            with Worker(redis, *settings) as worker:
                what_is_called_off_ends(a, worker)
            campaign(redis, (a, b), monitor, settings)
    finally:
        shutil.rmtree(work)


main()
