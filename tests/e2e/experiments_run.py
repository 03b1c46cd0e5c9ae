"""Experiments on the real server: an equal treatment is promoted, a worse one rolled back, missing
traffic pauses, and a crash loses no evidence that was looked at. Nothing here depends on how fast
the machine is: traffic flows until what is expected has come."""
import random
import signal
import time

from paddock_server import Server

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
    return reply.json


def prepare(server, name):
    for version, statuses in (("1", ("canary", "stable")), ("2", ("canary",))):
        want(201, server.call("POST", "~/registry", {
            "name": name, "version": version, "type": "classifier", "sport": "nba"}))
        for status in statuses:
            want(200, server.call("POST", f"~/registry/{name}:{version}/status",
                                  {"status": status}))
    want(200, server.call("PUT", f"~/routes/{name}", {
        "arms": {"new": f"{name}@canary", "old": f"{name}@stable"},
        "strategy": "weighted", "params": {"weights": {"new": 0, "old": 100}}}))


def begin(server, name, **more):
    want(201, server.call("POST", "~/experiments", {
        "key": name, "route": name, "control": "old", "treatments": ["new"],
        "metrics": [{"name": "error_rate"}, {"name": "latency_p95"}],
        "steps_percent": [10, 50, 100], "step_min_seconds": 2, "warmup_seconds": 0,
        "min_samples": 500, **more}))
    return want(200, server.call("POST", f"~/experiments/{name}/start", {"reason": "a test"}))


def traffic(server, name, errors, n=500):
    """One round of it: decisions, and for each the record of the model that served."""
    global units
    units += n
    decisions = want(200, server.call("POST", "~/selection/batch", {
        "route": name, "contexts": [{"targetingKey": f"u{units - i}"} for i in range(n)],
    }))["decisions"]
    want(202, server.call("POST", "~/inference", [
        {"model_id": d["model_id"], "decision_id": d["decision_id"],
         "latency_ms": draw.lognormvariate(3, 0.1),
         "success": draw.random() >= errors.get(d["arm"], 0)}
        for d in decisions]))
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


def equal_is_promoted(server):
    name = "equal"
    prepare(server, name)
    x = begin(server, name)
    check("it begins with its first step", x["share_percent"] == 10)
    errors = {"new": 0.0, "old": 0.0}
    flow_until(server, name, errors, "equal: the second step", lambda x: x["step"] == 1)
    before = analysed(server, name)["evidence"]
    server.stop(signal.SIGKILL)
    server.start()
    decisions = traffic(server, name, errors)
    after = analysed(server, name)
    check("equal: after a crash its looks are there",
          after["live"] and
          after["evidence"]["control_requests"] >= before["control_requests"] > 0 and
          after["evidence"]["step"] == 1)
    check("equal: and its shares", all(d["reason"] == "EXPERIMENT" for d in decisions) and
          sum(d["arm"] == "new" for d in decisions) > 150)
    x = flow_until(server, name, errors, "equal: promoted", lambda x: x["state"] == "succeeded")
    check("equal: its decisions", [a for a in actions(x) if a not in ("paused", "resumed")] ==
          ["started", "advanced", "promoted"])
    check("equal: with the numbers", all(m["state"] == "not_worse"
                                         for m in x["evidence"]["metrics"]))
    check("equal: version 2 is the stable", want(
        200, server.call("GET", f"~/registry/{name}@stable"))["model_id"] == f"{name}:2")
    check("equal: everybody gets it", all(d["model_id"] == f"{name}:2"
                                          for d in traffic(server, name, errors)))
    entry = want(200, server.call("GET", "~/audit?action=experiment.promoted"))["items"][0]
    check("equal: the journal has the sentence and the numbers",
          entry["reason"] == x["sentence"] and entry["actor"]["kind"] == "experiment" and
          len(entry["evidence"]["metrics"]) == 2)


def worse_is_rolled_back(server):
    name = "worse"
    prepare(server, name)
    begin(server, name, steps_percent=[50])
    x = flow_until(server, name, {"new": 0.2, "old": 0.1}, "worse: rolled back",
                   lambda x: x["state"] == "rolled_back")
    check("worse: by its errors", x["decisions"][-1]["cause"] == "regression" and
          x["evidence"]["metrics"][0]["state"] == "worse")
    model = want(200, server.call("GET", f"~/registry/{name}:2"))
    check("worse: version 2 is back in development, and held",
          model["status"] == "development" and model["hold"]["reason"] == x["sentence"])
    check("worse: nobody gets it", all(d["model_id"] == f"{name}:1" for d in traffic(
        server, name, {"old": 0.0})))


def silence_pauses(server):
    name = "quiet"
    prepare(server, name)
    begin(server, name, steps_percent=[50], min_samples=1000000)
    flow_until(server, name, None, "quiet: no traffic pauses it",
               lambda x: x["state"] == "paused" and x["paused_by"] == "traffic")
    flow_until(server, name, {"new": 0.0, "old": 0.0}, "quiet: traffic resumes it",
               lambda x: x["state"] == "running")
    want(200, server.call("POST", f"~/experiments/{name}/stop", {"reason": "enough"}))
    check("quiet: the route has its weights again", all(
        d["arm"] == "old" and d["reason"] == "STRATEGY"
        for d in eventually_own(server, name)))


def eventually_own(server, name):
    """The shares go back within a tick."""
    end = time.monotonic() + PATIENCE
    while True:
        decisions = traffic(server, name, {"new": 0.0, "old": 0.0}, 20)
        if decisions[0]["reason"] != "EXPERIMENT" or time.monotonic() > end:
            return decisions
        time.sleep(0.05)


def rollback_of_a_name_stops(server):
    name = "incident"
    prepare(server, name)
    want(200, server.call("POST", f"~/registry/{name}:2/status", {"status": "stable"}))
    want(201, server.call("POST", "~/registry", {
        "name": name, "version": "3", "type": "classifier", "sport": "nba"}))
    want(200, server.call("POST", f"~/registry/{name}:3/status", {"status": "canary"}))
    begin(server, name)
    done = want(200, server.call("POST", f"~/registered-models/{name}/rollback",
                                 {"reason": "INC-1"}))
    check("incident: the rollback of a name stops its experiment",
          done["experiments_stopped"] == [name] and state(server, name)["state"] == "stopped")


with Server() as s:
    equal_is_promoted(s)
    worse_is_rolled_back(s)
    silence_pauses(s)
    rollback_of_a_name_stops(s)
