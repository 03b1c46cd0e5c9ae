"""Experiments on the real server: an equal treatment is promoted, a worse one rolled back, missing
traffic pauses, and a crash loses no evidence that was looked at."""
import signal
import time

from experiments_traffic import (PATIENCE, actions, analysed, begin, check, flow_until, prepare, state,
                                 traffic, want)
from paddock_server import Server


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


# Where the machine is slow, arms that fail this often would be unhealthy before a look says so.
with Server("--slo-error-rate-ratio", "0") as s:
    equal_is_promoted(s)
    worse_is_rolled_back(s)
    silence_pauses(s)
    rollback_of_a_name_stops(s)
