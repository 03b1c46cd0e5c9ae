"""Figures of several nodes against those of one that gets everything.

Environment: PADDOCK_BIN."""
import random
import signal
import sys
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


def main():
    if not redis_server.there():
        print("no redis-server here")
        return 77
    with redis_server.Redis() as redis:
        compare(redis)
    return 0


if __name__ == "__main__":
    sys.exit(main())
