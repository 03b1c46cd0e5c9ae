"""What ends or stops an experiment, each kind once: the stories below run side by side on one real
server, since each of them waits for slots of half a second. A story is a generator: each step of it
is a round of its traffic."""
import math
import time

from experiments_traffic import (PATIENCE, analysed, begin, check, decide, draw, prepare, record,
                                 state, want)
from paddock_server import Server


def healthy(decision):
    """A record like all others; a story may change it, or lose it (None)."""
    return record(decision, 0)


def round_of(server, name, shape, n=300):
    decisions = decide(server, name, n)
    records = [r for r in map(shape, decisions) if r]
    if records:
        want(202, server.call("POST", "~/inference", records))
    return decisions


def until(server, name, shape, what, seen, n=300):
    """Rounds of traffic until the experiment is as expected."""
    end = time.monotonic() + PATIENCE
    while not seen(x := state(server, name)):
        if time.monotonic() > end:
            raise SystemExit(f"FAILED {name}, {what}: {x} {analysed(server, name)}")
        round_of(server, name, shape, n)
        yield
    print(f"ok     {name}, {what}: {x['sentence']}")
    return x


def of_treatment(change):
    """Healthy but for the treatment `new`."""
    return lambda d: change(healthy(d)) if d["arm"] == "new" else healthy(d)


def failing(r):
    return {**r, "success": False}


def model_of(server, name, version=2):
    return want(200, server.call("GET", f"~/registry/{name}:{version}"))


def decided(x, action, cause):
    """The decision of this kind; on a slow machine pauses may have come before and after it."""
    return next((d for d in x["decisions"] if (d["action"], d["cause"]) == (action, cause)), None)


def metric(x, name):
    return next(m for m in x["evidence"]["metrics"] if m["name"] == name)


def lost_records_pause(server):
    name = "lost"
    prepare(server, name)
    begin(server, name, steps_percent=[50], min_samples=1000000)
    x = yield from until(server, name, of_treatment(lambda r: r if draw.random() < 0.3 else None),
                         "a split that is not the planned one pauses it",
                         lambda x: x["paused_by"] == "sample_ratio")
    check("lost: with its number", x["decisions"][-1]["cause"] == "sample_ratio" and
          x["evidence"]["sample_ratio_e_value"] >= 2000)
    check("lost: the treatment is what it was", model_of(server, name)["status"] == "canary")


def a_silent_arm_pauses(server):
    name = "deaf"
    prepare(server, name)
    begin(server, name, steps_percent=[50], min_samples=1)
    x = yield from until(server, name, of_treatment(lambda r: None), "a silent arm pauses it",
                         lambda x: x["paused_by"] == "traffic" and
                         "the treatment gets no traffic" in x["sentence"])
    check("deaf: with its cause", decided(x, "paused", "insufficient_data"))
    yield from until(server, name, healthy, "traffic resumes it", lambda x: x["state"] == "running")


def the_trip_acts_and_a_retry_has_less(server):
    name = "trip"
    prepare(server, name)
    begin(server, name, steps_percent=[50], warmup_seconds=3600)
    x = yield from until(server, name, of_treatment(failing), "the hard trip, in the warm-up, too",
                         lambda x: x["state"] == "rolled_back")
    check("trip: it is no statistics", x["decisions"][-1]["cause"] == "hard_trip" and
          x["evidence"]["looks_counted"] == 0 and "no statistics" in x["sentence"])
    model = model_of(server, name)
    check("trip: the model is held", model["status"] == "development" and model["hold"])
    want(204, server.call("DELETE", f"~/registry/{name}:2/hold"))
    want(200, server.call("POST", f"~/registry/{name}:2/status", {"status": "canary"}))
    x = want(200, server.call("POST", f"~/experiments/{name}/start"))
    check("trip: a second attempt", x["attempt"] == 2 and x["state"] == "running")

    def has_less(_):
        shown = analysed(server, name)  # for a moment it may be the first attempt's
        return shown["live"] and abs(shown["evidence"]["alpha"] -
                                     0.05 * 6 / (math.pi * 2) ** 2) < 1e-6

    yield from until(server, name, healthy, "with a smaller budget", has_less)


def time_over_is_inconclusive(server):
    name = "over"
    prepare(server, name)
    begin(server, name, steps_percent=[50], min_samples=1000000, max_seconds=2)
    x = yield from until(server, name, healthy, "its time is over",
                         lambda x: x["state"] == "inconclusive")
    check("over: nothing is promoted", x["decisions"][-1]["cause"] == "time_over" and
          model_of(server, name)["status"] == "canary" and x["winner"] is None)


def warm_up_is_no_evidence(server):
    name = "warm"
    prepare(server, name)
    begin(server, name, steps_percent=[50], warmup_seconds=3600)
    bad = of_treatment(lambda r: {**r, "success": draw.random() >= 0.3})
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        shown = analysed(server, name)
        if shown["live"] and shown["evidence"]["looks"] >= 6:
            break
        round_of(server, name, bad)
        yield
    shown = shown["evidence"]
    check("warm: looks in the warm-up are no evidence",
          shown["looks"] >= 6 and shown["looks_counted"] == 0 and
          shown["treatment_requests"] == 0 and
          state(server, name)["state"] in ("running", "paused"))


def slower_is_rolled_back(server):
    name = "slow"
    prepare(server, name)
    begin(server, name, steps_percent=[50], min_samples=1000000)
    slow = of_treatment(lambda r: {**r, "latency_ms": 2 * r["latency_ms"]})
    x = yield from until(server, name, slow, "twice as slow", lambda x: x["state"] == "rolled_back")
    check("slow: by its p95", metric(x, "latency_p95")["state"] == "worse" and
          metric(x, "error_rate")["state"] != "worse" and "latency_p95" in x["sentence"])


def lower_scores_are_rolled_back(server):
    name = "score"
    prepare(server, name)
    begin(server, name, steps_percent=[50], min_samples=1000000,
          metrics=[{"name": "error_rate"}, {"name": "score:hit"}])

    def hits(decisions):
        return [{"decision_id": d["decision_id"], "scores": {
            "hit": 1 if draw.random() < (0.6 if d["arm"] == "new" else 0.9) else 0}}
                for d in decisions]

    end = time.monotonic() + PATIENCE
    while (x := state(server, name))["state"] in ("running", "paused") and time.monotonic() < end:
        want(202, server.call("POST", "~/selection/outcomes",
                              hits(round_of(server, name, healthy))))
        yield
    print(f"ok     score, worse: {x['sentence']}")
    check("score: by what came of its decisions", x["state"] == "rolled_back" and
          metric(x, "score:hit")["state"] == "worse" and "score:hit" in x["sentence"])


def the_gate_may_refuse(server):
    name = "gate"
    prepare(server, name)
    want(200, server.call("PATCH", f"~/registered-models/{name}", {
        "gate": {"stable": {"require_types": ["unit"]}}}))
    begin(server, name, steps_percent=[50], metrics=[{"name": "error_rate"}])
    x = yield from until(server, name, healthy, "ready, but the gate refuses",
                         lambda x: x["ready"], n=800)
    check("gate: it goes on, and says why", x["state"] in ("running", "paused") and
          x["winner"] == "new" and decided(x, "waits_for_gate", "gate") and
          model_of(server, name)["status"] == "canary")
    want(200, server.call("PATCH", f"~/registered-models/{name}", {
        "gate": {"stable": {"require_types": []}}}))
    x = yield from until(server, name, healthy, "it tries again",
                         lambda x: x["state"] == "succeeded")
    check("gate: it is stable", model_of(server, name)["status"] == "stable")


def one_of_several_is_taken_out(server):
    name = "several"
    prepare(server, name, 2)
    begin(server, name, treatments=["new", "new3"], steps_percent=[60],
          metrics=[{"name": "error_rate"}])
    bad = (lambda d: failing(healthy(d)) if d["arm"] == "new3" else healthy(d))
    x = yield from until(server, name, bad, "one of two is worse", lambda x: x["taken_out"], n=800)
    check("several: the other goes on", x["state"] in ("running", "paused") and
          [t["arm"] for t in x["taken_out"]] == ["new3"] and
          decided(x, "treatment_rolled_back", "hard_trip")["sentence"].startswith("new3: "))
    check("several: it is back in development", model_of(server, name, 3)["status"] ==
          "development" and model_of(server, name, 2)["status"] == "canary")
    x = yield from until(server, name, bad, "the other one is promoted",
                         lambda x: x["state"] == "succeeded", n=800)
    check("several: it is stable", x["winner"] == "new" and
          model_of(server, name, 2)["status"] == "stable" and
          x["evidence"]["arm"] == "new" and x["evidence"]["alpha"] == 0.025 and
          x["evidence"]["others"][0]["taken_out"])


STORIES = (lost_records_pause, a_silent_arm_pauses, the_trip_acts_and_a_retry_has_less,
           time_over_is_inconclusive, warm_up_is_no_evidence, slower_is_rolled_back,
           lower_scores_are_rolled_back, the_gate_may_refuse, one_of_several_is_taken_out)

with Server() as s:
    running = [story(s) for story in STORIES]
    while running:
        for one in list(running):
            if next(one, "over") == "over":
                running.remove(one)
        time.sleep(0.02)
