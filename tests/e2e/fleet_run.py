"""Figures of several nodes against those of one that gets everything.

Environment: PADDOCK_BIN; FLEET_MEASURE (1: lag, bytes and processor time at 1, 2 and 4 nodes)."""
import json
import os
import random
import signal
import sys
import threading
import time

import redis_server
from paddock_server import Server

MODELS = 3
PATIENCE = 120  # seconds until something that must happen has not happened


def check(what, good, more=""):
    if not good:
        raise SystemExit(f"not so: {what} {more}")


def done(reply, *statuses):
    check("the call is done", reply.status in statuses, f"{reply.status} {reply.text}")
    return reply


def wait_for(what, holds, pause=0.02):
    end = time.monotonic() + PATIENCE
    while not holds():
        check(what, time.monotonic() < end)
        time.sleep(pause)


def register(server, models):
    for i in range(models):
        last = done(server.call("POST", "~/registry", {"name": f"m{i}", "version": "1",
                                                       "type": "classifier"}), 201)
    return int(last.headers.get("paddock-seq", 0))


def knows(server, models, seq):
    wait_for("a node knows the models", lambda: server.call(
        "GET", f"~/registry/m{models - 1}:1?min_seq={seq}").status == 200)


def batch(rng, models, n):
    now = int(time.time() * 1000)
    records = []
    for _ in range(n):
        record = {"model_id": f"m{rng.randrange(models)}:1",
                  "latency_ms": rng.lognormvariate(3, 0.6),
                  "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(
                      now / 1000 - rng.choice([0, 0, 0, 90, 4000, 90000])))}
        if rng.random() < 0.1:
            record |= {"success": False, "error_type": f"e{rng.randrange(5)}"}
        if rng.random() < 0.3:
            record["scores"] = {f"s{rng.randrange(3)}": rng.randrange(100)}
        records.append(record)
    return records


def figures(server, model, span):
    m = server.call("GET", f"~/registry/m{model}:1/metrics?window={span}&method=promql"
                    "&quantiles=0.1,0.5,0.999").json
    latency = {k: v for k, v in m["latency_ms"].items() if k != "exact"}
    scores = {k: (s["count"], s["min"], s["max"], round(s["mean"], 9))
              for k, s in m["scores"].items()}
    return m["inferences"], m["errors"], latency, scores, m["lifetime"]


def they_are_the_same(nodes, alone):
    """Windows that end in the same hour: asked again where a minute or an hour has turned."""
    for span in ("10m", "6h", "3d"):
        for model in range(MODELS):
            def same(model=model, span=span):
                wanted = figures(alone, model, span)
                return all(figures(s, model, span) == wanted for s in nodes)
            wait_for(f"all show the same of m{model} in {span}", same)


def compare(redis):
    rng = random.Random(17)
    settings = ["--redis-url", redis.url, "--threads", "1"]
    with Server(*settings) as a, Server(*settings) as b, Server("--threads", "1") as alone:
        nodes = [a, b]
        seq = register(a, MODELS)
        register(alone, MODELS)
        knows(b, MODELS, seq)
        for i in range(30):
            records = batch(rng, MODELS, 200)
            for server in (nodes[i % 2], alone):
                done(server.call("POST", "~/inference", records), 202)
            if i in (9, 27):
                nodes[1].stop(signal.SIGKILL)
                nodes[1].start()
            if i == 14:
                redis.stop()
            if i == 24:
                check("redis comes back", redis.start())
        they_are_the_same(nodes, alone)
        for server in nodes:
            check("nothing was missed", "deltas_missed" not in server.log() and
                  "deltas_lost" not in server.log() and "damaged" not in server.log())
        a.stop()
        a.start()  # from rows
        they_are_the_same(nodes, alone)


# --- measuring ---

def cpu_seconds(server):
    with open(f"/proc/{server.process.pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def counter(server, name):
    for line in server.call("GET", "/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise SystemExit(f"/metrics has no {name}")


class Load(threading.Thread):
    """So many batches a second to a node, prepared before."""

    def __init__(self, server, bodies, per_second):
        super().__init__()
        self.server, self.bodies, self.pause = server, bodies, 1 / per_second
        self.records, self.over = 0, False

    def run(self):
        next_at, i = time.monotonic(), 0
        while not self.over:
            n, body = self.bodies[i % len(self.bodies)]
            done(self.server.call("POST", "~/inference", body,
                                  {"Content-Type": "application/x-ndjson"}), 202)
            self.records += n
            i += 1
            next_at += self.pause
            time.sleep(max(0.0, next_at - time.monotonic()))


def lag_of(sender, receiver, probe):
    """From the 202 of one node until another shows the record."""
    before = receiver.call("GET", f"~/registry/{probe}/metrics?window=1h").json["lifetime"]["total"]
    done(sender.call("POST", f"~/registry/{probe}/inference", {"latency_ms": 1}), 202)
    begun = time.monotonic()
    wait_for("it arrives", lambda: receiver.call(
        "GET", f"~/registry/{probe}/metrics?window=1h").json["lifetime"]["total"] > before, 0.01)
    return time.monotonic() - begun


def measure(count, models, rate, seconds):
    rng = random.Random(1)
    bodies = []
    for _ in range(8):
        lines = [json.dumps({"model_id": f"m{rng.randrange(models)}:1",
                             "latency_ms": round(rng.lognormvariate(3, 0.6), 3)})
                 for _ in range(2000)]
        bodies.append((len(lines), ("\n".join(lines) + "\n").encode()))
    with redis_server.Redis() as redis:
        servers = [Server("--redis-url", redis.url, "--threads", "1") for _ in range(count)]
        try:
            seq = register(servers[0], models)
            done(servers[0].call("POST", "~/registry", {"name": "probe", "version": "1",
                                                        "type": "classifier"}), 201)
            for s in servers:
                knows(s, models, seq)
                wait_for("the probe", lambda s=s: s.call("GET", "~/registry/probe:1").status == 200)
            loads = [Load(s, bodies, rate) for s in servers]
            for load in loads:
                load.start()
            time.sleep(2)
            cpu = [cpu_seconds(s) for s in servers]
            sent = [load.records for load in loads]
            told = [counter(s, "paddock_fleet_told_bytes_total") for s in servers]
            begun = time.monotonic()
            time.sleep(seconds)
            took = time.monotonic() - begun
            cpu = [cpu_seconds(s) - was for s, was in zip(servers, cpu)]
            sent = [load.records - was for load, was in zip(loads, sent)]
            told = [counter(s, "paddock_fleet_told_bytes_total") - was
                    for s, was in zip(servers, told)]
            lags, end = [], time.monotonic() + seconds  # apart, for its questions cost time as well
            while count > 1 and time.monotonic() < end:
                i = len(lags) % count
                lags.append(lag_of(servers[i], servers[(i + 1) % count], "probe:1"))
            for load in loads:
                load.over = True
            for load in loads:
                load.join()
        finally:
            for s in servers:
                s.__exit__()
    lags.sort()
    lag = (f"lag p50 {lags[len(lags) // 2] * 1000:.0f} ms, p99 "
           f"{lags[int(len(lags) * 0.99)] * 1000:.0f} ms ({len(lags)} probes), " if lags else "")
    print(f"{count} nodes, {models} models, {sum(sent) / took / count:.0f} records/s each: {lag}"
          f"{1e9 * sum(cpu) / sum(sent):.0f} ns of processor time per record, "
          f"{sum(told) / took / models / count:.0f} bytes told per model and second by a node",
          flush=True)


def main():
    if not redis_server.there():
        print("no redis-server here")
        return 77
    if os.environ.get("FLEET_MEASURE"):
        for models in (10, 1000):
            for count in (1, 2, 4):
                measure(count, models, 5, float(os.environ.get("FLEET_SECONDS", "10")))
        return 0
    with redis_server.Redis() as redis:
        compare(redis)
    return 0


if __name__ == "__main__":
    sys.exit(main())
