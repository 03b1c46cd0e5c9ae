"""Experiments, strategies and outcomes of three nodes on one Redis, with calls spread at random.

Environment: PADDOCK_BIN; FLEET_MEASURE (1: lag and bytes of outcomes)."""
import os
import random
import signal
import sys
import time

import redis_server
from experiments_traffic import (PATIENCE, actions, analysed, begin, check, decide, draw, prepare,
                                 record, state, traffic, want)
from paddock_server import Server

DATA = ("~/inference", "~/selection/batch", "~/selection/outcomes")


class Spread:
    """Several nodes behind a balancer: data go to any of them that lives, the rest to the first."""

    def __init__(self, nodes):
        self.nodes, self.random = nodes, random.Random(11)

    def call(self, method, path, *more):
        living = [n for n in self.nodes if n.process.poll() is None]
        return (self.random.choice(living) if path in DATA else living[0]).call(method, path, *more)


def until(what, holds, act=None, pause=0.05):
    end = time.monotonic() + PATIENCE
    while not (got := holds()):
        if time.monotonic() > end:
            raise SystemExit("FAILED " + what)
        if act:
            act()
        time.sleep(pause)
    print("ok     " + what, flush=True)
    return got


def decider(nodes):
    """The node that decides, as the others know it."""
    for n in nodes:
        for row in want(200, n.call("GET", "~/nodes"))["items"]:
            if row["self"] and row["decides"]:
                return n
    return None


def seen_by_all(nodes, path):
    for n in nodes:
        until("a node knows " + path, lambda n=n: n.call("GET", path).status == 200)


# --- outcomes ---

def outcomes(server, route):
    report = want(200, server.call("GET", f"~/routes/{route}/outcomes"))
    check_scope = report["scope"]
    return check_scope, {(r["arm"], r["score"]): (r["count"], r["mean"])
                         for r in report["outcomes"]}


def outcomes_are_counted_once(spread, nodes):
    name = "counted"
    prepare(spread, name)
    seen_by_all(nodes, f"~/routes/{name}")
    sent, sums = 0, {}
    for round_number in range(8):
        decisions = decide(spread, name, 50)
        for d in decisions:
            key = (d["arm"], "reward")
            n, total = sums.get(key, (0, 0))
            sums[key] = (n + 1, total + round_number % 4)
        batch = [{"decision_id": d["decision_id"], "scores": {"reward": round_number % 4}}
                 for d in decisions]
        for _ in range(2):  # the second time most likely elsewhere
            want(202, spread.call("POST", "~/selection/outcomes", batch))
        sent += len(decisions)
    wanted = {k: (n, total / n) for k, (n, total) in sums.items()}
    for n in nodes:
        until(f"{sent} outcomes are counted once on each node",
              lambda n=n: outcomes(n, name) == ("all", wanted))


# --- strategies ---

def explained(server, route):
    answer = want(200, server.call("POST", "~/selection", {
        "route": route, "context": {"targetingKey": "somebody"}, "explain": True}))
    return {c["arm"]: c for c in answer["candidates"]}


def rewards_of_all_nodes_teach(spread, nodes):
    """Nobody sends the decider anything: it learns from the others."""
    name = "taught"
    prepare(spread, name)
    want(201, spread.call("POST", "~/routes", {
        "route": "bandit", "match": {"model_name": name}, "strategy": "epsilon_greedy",
        "arms": {"old": f"{name}@stable", "new": f"{name}@canary"},
        "params": {"min_outcomes": 5}}))
    seen_by_all(nodes, "~/routes/bandit")
    for n in nodes:
        until("a node weighs both", lambda n=n: explained(n, "bandit")["new"]["share_ratio"])
    chief = decider(nodes)
    others = Spread([n for n in nodes if n is not chief])
    told = {"old": 0, "new": 0}
    for _ in range(3):
        decisions = decide(others, "bandit", 60)
        for d in decisions:
            told[d["arm"]] += 1
        want(202, others.call("POST", "~/selection/outcomes", [
            {"decision_id": d["decision_id"], "scores": {"reward": int(d["arm"] == "new")}}
            for d in decisions]))

    def learned():
        parts = {arm: c["parts"] or {} for arm, c in explained(chief, "bandit").items()}
        return {arm: p.get("outcomes") for arm, p in parts.items()} == told
    until(f"the decider's strategy is told all of {told}", learned)
    for n in nodes:
        until("and all nodes draw by what it says",
              lambda n=n: (explained(n, "bandit")["new"]["share_ratio"] or 0) > 0.8)


# --- experiments ---

def counted(server, name):
    x = analysed(server, name)
    return x["live"] and x["evidence"]["treatment_requests"] + x["evidence"]["control_requests"]


def send(server, name, n):
    want(202, server.call("POST", "~/inference", [record(d, 0) for d in decide(server, name, n)]))


def a_killed_decider_loses_and_doubles_nothing(spread, nodes):
    name = "exact"
    prepare(spread, name)
    begin(spread, name, steps_percent=[50], min_samples=1000000)
    seen_by_all(nodes, f"~/experiments/{name}")
    for n in nodes:  # each draws by it
        until("a node draws by it",
              lambda n=n: decide(n, name, 1)[0]["reason"] == "EXPERIMENT")
    sent = 0
    for _ in range(10):
        send(spread, name, 100)
        sent += 100
    for n in nodes:
        until(f"all {sent} requests are evidence, each once, on each node",
              lambda n=n: counted(n, name) == sent)
    chief = decider(nodes)
    others = Spread([n for n in nodes if n is not chief])
    for _ in range(5):
        send(others, name, 100)
        sent += 100
    chief.stop(signal.SIGKILL)
    for n in others.nodes:
        until(f"with the decider killed, {sent} on those that live",
              lambda n=n: counted(n, name) == sent)
    check("another one decides", decider(others.nodes) is not None)
    chief.start()
    send(spread, name, 100)
    for n in nodes:
        until("and it goes on with the one that is back",
              lambda n=n: counted(n, name) == sent + 100)
    shown = [analysed(n, name)["evidence"] for n in nodes]
    check("all show the same analysis", shown[0] == shown[1] == shown[2])
    want(200, spread.call("POST", f"~/experiments/{name}/stop", {"reason": "enough"}))


def both_verdicts(spread, nodes):
    """Side by side, for they wait for slots of half a second."""
    stories = {"equal": {"old": 0.0, "new": 0.0}, "worse": {"old": 0.1, "new": 0.25}}
    prepare(spread, "equal")
    prepare(spread, "worse")
    begin(spread, "equal", steps_percent=[50, 100])
    begin(spread, "worse", steps_percent=[50])
    for name in stories:
        seen_by_all(nodes, f"~/experiments/{name}")
    wanted = {"equal": "succeeded", "worse": "rolled_back"}

    def act():
        for name, errors in stories.items():
            if state(spread, name)["state"] != wanted[name]:
                traffic(spread, name, errors)
    for name, ends in wanted.items():
        x = until(f"{name}: {ends}", lambda name=name, ends=ends:
                  (x := state(spread, name))["state"] == ends and x, act)
        check(f"{name}: once", [a for a in actions(x) if a not in ("paused", "resumed")] == [
            "started", "promoted" if name == "equal" else "rolled_back"])
    for n in nodes:
        for name, version in (("equal", 2), ("worse", 1)):
            until(f"{name}: version {version} is the stable one on each node", lambda: want(
                200, n.call("GET", f"~/registry/{name}@stable"))["model_id"] == f"{name}:{version}")


def lost_nothing(nodes):
    for n in nodes:
        for bad in ("facts_lost", "fact_damaged", "evidence_damaged", "outcome_damaged"):
            check(f"no {bad}", bad not in n.log())


# --- measuring ---

def metric(server, name):
    for line in server.call("GET", "/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise SystemExit(f"/metrics has no {name}")


def measure(spread, nodes, seconds):
    name = "measured"
    prepare(spread, name)
    begin(spread, name, steps_percent=[50], min_samples=1000000)
    seen_by_all(nodes, f"~/experiments/{name}")
    time.sleep(1)
    told = [metric(n, "paddock_facts_told_bytes_total") for n in nodes]
    sent, lags, end = 0, [], time.monotonic() + seconds
    while time.monotonic() < end:
        decisions = decide(spread, name, 500)
        want(202, spread.call("POST", "~/inference", [record(d, 0) for d in decisions]))
        want(202, spread.call("POST", "~/selection/outcomes", [
            {"decision_id": d["decision_id"], "scores": {"reward": draw.random()}}
            for d in decisions]))
        sent += 500
        i = len(lags) % len(nodes)
        probe = decide(nodes[i], name, 1)
        want(202, nodes[i].call("POST", "~/selection/outcomes", [
            {"decision_id": probe[0]["decision_id"], "scores": {f"probe{len(lags)}": 1}}]))
        begun, there = time.monotonic(), nodes[(i + 1) % len(nodes)]
        while not any(k[1] == f"probe{len(lags)}" for k in outcomes(there, name)[1]):
            time.sleep(0.005)
        lags.append(time.monotonic() - begun)
    took = seconds
    told = sum(metric(n, "paddock_facts_told_bytes_total") - b for n, b in zip(nodes, told))
    lags.sort()
    print(f"{len(nodes)} nodes, {sent / took:.0f} outcomes and as many records of an experiment a "
          f"second: from a 202 until another node counts it p50 {lags[len(lags) // 2] * 1000:.0f} "
          f"ms, p99 {lags[int(len(lags) * 0.99)] * 1000:.0f} ms, slowest {lags[-1] * 1000:.0f} ms "
          f"({len(lags)} probes); {told / sent:.0f} bytes told for an outcome with its record")


def main():
    if not redis_server.there():
        print("no redis-server here")
        return 77
    with redis_server.Redis() as redis:
        # Where the machine is slow, arms that fail this often would be unhealthy first.
        settings = ["--redis-url", redis.url, "--threads", "1", "--slo-error-rate-ratio", "0"]
        with Server(*settings) as a, Server(*settings) as b, Server(*settings) as c:
            nodes = [a, b, c]
            spread = Spread(nodes)
            if os.environ.get("FLEET_MEASURE"):
                measure(spread, nodes, float(os.environ.get("FLEET_SECONDS", "20")))
                return 0
            outcomes_are_counted_once(spread, nodes)
            rewards_of_all_nodes_teach(spread, nodes)
            a_killed_decider_loses_and_doubles_nothing(spread, nodes)
            both_verdicts(spread, nodes)
            lost_nothing(nodes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
