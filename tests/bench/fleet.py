"""Sections of bench.py about several nodes on one Redis: what a record costs at 1, 2 and 4 nodes, what
nodes tell each other, how late they show what others got; and how all of it grows (`sizes`, for
docs/operations)."""
import json
import pathlib
import subprocess
import threading
import time

from servers import API, Paddock, Redis, run_binary

LINE = '{"model_id":"m-<n%{models}>:1","latency_ms":<latency>,"success":true}'
BATCH = 1000
PROBES = 4  # at a time


class DurableRedis(Redis):
    """Set as Paddock demands it."""

    def command(self):
        return [*super().command(), "--appendonly", "yes", "--appendfsync", "always",
                "--repl-diskless-sync-delay", "0"]

    def info(self):
        text = subprocess.run(["redis-cli", "-p", str(self.port), "info", "everything"], check=True,
                              capture_output=True, text=True).stdout
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


class House:
    """Nodes on a Redis of their own, and `models` models that all of them know."""

    def __init__(self, run, nodes, models):
        self.run, self.models = run, models
        self.redis = DurableRedis(run).start()
        self.nodes = [self.node() for _ in range(nodes)]
        if models:
            self.register("m", models)

    def node(self):
        at = f"redis://127.0.0.1:{self.redis.port}/0"
        return Paddock(self.run, threads=1, arguments=("--redis-url", at)).start()

    def register(self, prefix, count):
        """Names without a pattern of digits of their own: bytes are those of `model` in bench.py."""
        got = self.run.load(self.nodes[0], 600, {
            "name": "register", "method": "POST", "path": API + "/registry", "count": count,
            "connections": min(256, count), "expect": 201,
            "body": json.dumps(model_of(prefix + "-<n>"))})["register"]
        self.all_know(f"{prefix}-{count - 1}:1")
        return got

    def all_know(self, model_id):
        for node in self.nodes:
            while node.call("GET", f"{API}/registry/{model_id}")[0] != 200:
                time.sleep(0.01)

    def cpu(self):
        """Processor seconds of all nodes, and of Redis, so far."""
        return sum(map(cpu_seconds, self.nodes)), cpu_seconds(self.redis)

    def total(self, name):
        return sum(counter(node, name) for node in self.nodes)

    def stop(self):
        for server in [*self.nodes, self.redis]:
            server.stop()


def model_of(name):
    return {"name": name, "version": "1", "type": "classifier", "sport": "nba",
            "deployment_target": "prod-us-east", "endpoint": "https://nba.prod:8443",
            "labels": {"team": "odds"}, "source": f"s3://models/{name}/1",
            "source_digest": "sha256:" + "0" * 64, "training_metrics": {"auc": 0.93}}


def cpu_seconds(server):
    """By the scheduler's own count, which has no ticks; none of their threads end meanwhile."""
    tasks = pathlib.Path(f"/proc/{server.process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def counter(server, name):
    for line in server.call("GET", "/metrics")[2].decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise SystemExit(f"/metrics has no {name}")


class Pouring:
    """Records to every node for as long as `with` lasts; `rate` of batches a second and node, 0: as
    fast as they are answered, one after the other."""

    def __init__(self, house, rate, seconds):
        self.house, self.rate = house, rate
        self.seconds = seconds

    def __enter__(self):
        self.loads = [subprocess.Popen(
            [run_binary(self.house.run, "load"), "--port", str(node.port), "--seconds",
             str(self.seconds), "--stream", "records", "--method", "POST", "--path",
             f"{API}/inference", "--type", "application/x-ndjson", "--lines", str(BATCH),
             "--variants", "16", "--rate", str(self.rate), "--connections", "1", "--expect", "202",
             "--body", LINE.replace("{models}", str(self.house.models))],
            stdout=subprocess.PIPE, text=True) for node in self.house.nodes]
        return self

    def __exit__(self, *_):
        self.lines_per_second = 0
        for load in self.loads:
            out, _ = load.communicate()
            if load.returncode != 0:
                raise SystemExit(f"load ended with {load.returncode}: {out}")
            self.lines_per_second += json.loads(out)["lines_per_second"] / len(self.loads)


def spent(house, seconds):
    """What nodes and Redis spend in `seconds`, from now on."""
    began, cpu, redis = time.monotonic(), *house.cpu()
    told, heard = house.total("paddock_fleet_told_bytes_total"), house.total(
        "paddock_fleet_heard_bytes_total")
    records, entries = house.total("paddock_records_total"), house.total("paddock_fleet_told_total")
    time.sleep(seconds)
    took = time.monotonic() - began
    after, redis_after = house.cpu()
    n = len(house.nodes)
    return {"cpu": (after - cpu) / took / n, "redis": (redis_after - redis) / took / n,
            "records": (house.total("paddock_records_total") - records) / took / n,
            "told": (house.total("paddock_fleet_told_bytes_total") - told) / took / n,
            "heard": (house.total("paddock_fleet_heard_bytes_total") - heard) / took / n,
            "entries": (house.total("paddock_fleet_told_total") - entries) / took / n}


def section_fleet(run):
    """Processor time of a record at a fixed rate per node, less what idle nodes take; bytes told."""
    seconds = 3 if run.short else 6
    for models in (10, 1000):
        for nodes in (1, 2, 4):
            house = House(run, nodes, models)
            time.sleep(1)
            idle = spent(house, 3)
            for rate in (5, 50):
                with Pouring(house, rate, seconds + 2):
                    time.sleep(1)
                    is_ = spent(house, seconds)
                net = (is_["cpu"] - idle["cpu"]) / is_["records"] * 1e9
                run.say("fleet", f"{nodes} nodes, {models} models, {is_['records']:,.0f} records/s "
                        f"each: {net:,.0f} ns of processor time a record ({is_['cpu']:.3f} s/s of a "
                        f"node, idle {idle['cpu']:.4f}; Redis {is_['redis']:.4f} for a node, idle "
                        f"{idle['redis']:.4f}); told {is_['told'] / models:,.0f} bytes a model and "
                        f"second in {is_['entries']:.1f} entries/s, heard "
                        f"{is_['heard'] / 1000:,.0f} kB/s")
            house.stop()


# --- how late ---

class Prober(threading.Thread):
    """From the 202 of one node until another shows the record; one model for each prober."""

    def __init__(self, house, name, number, end):
        super().__init__()
        self.nodes, self.path, self.number, self.end = (
            house.nodes, f"{API}/registry/{name}", number, end)
        self.lags = []

    def shown(self, node):
        return node.ask("GET", self.path + "/metrics?window=1h")["lifetime"]["total"]

    def run(self):
        sent = 0
        while time.monotonic() < self.end:
            turn = self.number + sent
            sender = self.nodes[turn % len(self.nodes)]
            receiver = self.nodes[(turn + 1) % len(self.nodes)]
            sender.ask("POST", self.path + "/inference", {"latency_ms": 1})
            sent += 1
            begun = time.monotonic()
            while self.shown(receiver) < sent and time.monotonic() < begun + 30:
                time.sleep(0.005)
            self.lags.append(time.monotonic() - begun)


def lags(house, rate, seconds):
    with Pouring(house, rate, seconds + 2) as pouring:
        time.sleep(1.5)
        probers = [Prober(house, f"probe-{i}:1", i, time.monotonic() + seconds)
                   for i in range(PROBES)]
        for prober in probers:
            prober.start()
        for prober in probers:
            prober.join()
    for prober in probers:  # each model anew: the next round counts from 0
        house.nodes[0].ask("DELETE", prober.path)
    return sorted(lag for prober in probers for lag in prober.lags), pouring.lines_per_second


def section_lag(run):
    """How late nodes show what others got: at a tenth, at half, and at all the machine bears."""
    seconds = 3 if run.short else 8
    for models in (10, 1000):
        for nodes in (2, 4):
            house = House(run, nodes, models)
            full = 0
            for share in (0, 2, 10):
                house.register("probe", PROBES)
                found, rate = lags(house, full / share if share else 0, seconds)
                full = full or rate / BATCH
                what = f"1/{share} of that" if share else "as fast as they are answered"
                run.say("fleet, lag", f"{nodes} nodes, {models} models, {rate:,.0f} records/s each "
                        f"({what}): p50 {found[len(found) // 2] * 1000:.0f} ms, p99 "
                        f"{found[int(len(found) * 0.99)] * 1000:.0f} ms, slowest "
                        f"{found[-1] * 1000:.0f} ms ({len(found)} probes)",
                        found[int(len(found) * 0.99)] * 1000, at_most=1000)
            house.stop()
