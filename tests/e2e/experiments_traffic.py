"""Experiments with real traffic on a real server: what their tests share. Nothing here depends on
how fast the machine is: traffic flows until what is expected has come."""
import random
import time

PATIENCE = 240  # seconds; how long a busy machine may take
draw = random.Random(5)
units = 0


def check(what, good):
    if not good:
        raise SystemExit("FAILED " + what)
    print("ok     " + what)


def want(status, reply):
    if reply.status != status:
        raise SystemExit(f"FAILED {status} wanted: {reply.status} {reply.text}")
    return reply.json if reply.body else None


def prepare(server, name, challengers=1):
    """Version 1 is stable, version 2 a canary, the arms `old` and `new`; further ones by number."""
    arms = {"old": f"{name}@stable", "new": f"{name}@canary"}
    if challengers > 1:
        arms = {"old": f"{name}:1", "new": f"{name}:2",
                **{f"new{v}": f"{name}:{v}" for v in range(3, 2 + challengers)}}
    for version in range(1, 2 + challengers):
        statuses = ("canary", "stable") if version == 1 else ("canary",)
        want(201, server.call("POST", "~/registry", {
            "name": name, "version": str(version), "type": "classifier", "sport": "nba"}))
        for status in statuses:
            want(200, server.call("POST", f"~/registry/{name}:{version}/status",
                                  {"status": status}))
    want(200, server.call("PUT", f"~/routes/{name}", {
        "arms": arms, "strategy": "weighted",
        "params": {"weights": {arm: 100 if arm == "old" else 0 for arm in arms}}}))


def begin(server, name, **more):
    want(201, server.call("POST", "~/experiments", {
        "key": name, "route": name, "control": "old", "treatments": ["new"],
        "metrics": [{"name": "error_rate"}, {"name": "latency_p95"}],
        "steps_percent": [10, 50, 100], "step_min_seconds": 2, "warmup_seconds": 0,
        "min_samples": 500, **more}))
    return want(200, server.call("POST", f"~/experiments/{name}/start", {"reason": "a test"}))


def decide(server, name, n):
    """Decisions about n units that were not asked about before."""
    global units
    units += n
    return want(200, server.call("POST", "~/selection/batch", {
        "route": name, "contexts": [{"targetingKey": f"u{units - i}"} for i in range(n)],
    }))["decisions"]


def record(decision, error_rate):
    """What became of it, by the model that served."""
    return {"model_id": decision["model_id"], "decision_id": decision["decision_id"],
            "latency_ms": draw.lognormvariate(3, 0.1), "success": draw.random() >= error_rate}


def traffic(server, name, errors, n=500):
    """One round of it: decisions, and for each the record."""
    decisions = decide(server, name, n)
    want(202, server.call("POST", "~/inference", [
        record(d, errors.get(d["arm"], 0)) for d in decisions]))
    return decisions


def state(server, name):
    return want(200, server.call("GET", f"~/experiments/{name}"))


def flow_until(server, name, errors, what, seen):
    """Traffic until the experiment is as expected."""
    end = time.monotonic() + PATIENCE
    while True:
        x = state(server, name)
        if seen(x):
            print(f"ok     {what}: {x['sentence']}")
            return x
        if time.monotonic() > end:
            raise SystemExit(f"FAILED {what}: {x}")
        if errors:
            traffic(server, name, errors)
        time.sleep(0.05)


def actions(x):
    return [d["action"] for d in x["decisions"]]


def analysed(server, name):
    return want(200, server.call("GET", f"~/experiments/{name}/analysis"))
