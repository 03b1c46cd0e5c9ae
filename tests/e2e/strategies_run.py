"""Strategies on the real server: what came of decisions moves the shares, and no restart loses it."""
import json
import signal
import time

from paddock_server import Server

PATIENCE = 120  # seconds; how long a busy machine may take
BANDITS = ("thompson", "epsilon_greedy")
units = 0


def check(what, good):
    if not good:
        raise SystemExit("FAILED " + what)
    print("ok     " + what)


def until(what, ask):
    """What ask() gives once it is true."""
    end = time.monotonic() + PATIENCE
    while not (got := ask()):
        if time.monotonic() > end:
            raise SystemExit("FAILED " + what)
        time.sleep(0.05)
    print("ok     " + what)
    return got


def want(status, reply):
    if reply.status != status:
        raise SystemExit(f"FAILED {status} wanted: {reply.status} {reply.text}")
    return reply.json


def prepare(server):
    for version, statuses in (("1", ("canary", "stable")), ("2", ("canary",))):
        want(201, server.call("POST", "~/registry", {
            "name": "odds", "version": version, "type": "classifier", "sport": "nba"}))
        for status in statuses:
            want(200, server.call("POST", f"~/registry/odds:{version}/status", {"status": status}))
    arms = {"new": "odds@canary", "old": "odds@stable"}
    for strategy, params in (("thompson", {}), ("epsilon_greedy", {"min_outcomes": 5}),
                             ("weighted", {"weights": {"new": 25, "old": 75}})):
        want(201, server.call("POST", "~/routes", {
            "route": strategy, "match": {"model_name": "odds"}, "arms": arms,
            "strategy": strategy, "params": params}))


def explained(server, route):
    """The candidates by their arms."""
    answer = want(200, server.call("POST", "~/selection", {
        "route": route, "context": {"targetingKey": "somebody"}, "explain": True}))
    return {c["arm"]: c for c in answer["candidates"]}


def share(server, route):
    return explained(server, route)["new"]["share_ratio"] or 0


def drawn(server, route, n=100):
    global units
    units += n
    return want(200, server.call("POST", "~/selection/batch", {
        "route": route, "contexts": [{"targetingKey": f"u{units - i}"} for i in range(n)],
    }))["decisions"]


def told(server, route):
    """How many outcomes its strategy was told, by arm."""
    return {arm: (c["parts"] or {}).get("outcomes") for arm, c in explained(server, route).items()}


def learn(server, route, sent):
    """One round: the new model always succeeds, the old one never."""
    decisions = drawn(server, route)
    for d in decisions:
        sent[d["arm"]] += 1
    done = want(202, server.call("POST", "~/selection/outcomes", [
        {"decision_id": d["decision_id"], "scores": {"reward": int(d["arm"] == "new")}}
        for d in decisions]))
    check(f"{route}: {done['accepted']} outcomes are taken in", done["accepted"] == len(decisions))
    until(f"{route}: its strategy is told all of {sent}", lambda: told(server, route) == sent)


def shares_follow_outcomes(server, route):
    start = until(f"{route}: both are weighed",
                  lambda: explained(server, route)["new"]["parts"] and share(server, route))
    check(f"{route}: at first alike ({start})", abs(start - 0.5) < 0.01)
    sent = {"new": 0, "old": 0}
    learn(server, route, sent)
    last = share(server, route)
    check(f"{route}: the better one gets {last}", last > 0.9)
    decisions = drawn(server, route, 1000)
    n = sum(d["arm"] == "new" for d in decisions)
    check(f"{route}: and {n} of 1000 decisions", n > 850)
    check(f"{route}: with these propensities", all(
        d["strategy"] == route and d["reason"] == "STRATEGY" and
        abs(d["propensity"] - (last if d["arm"] == "new" else 1 - last)) < 1e-4
        for d in decisions))
    return sent, last


def fixed_shares(server):
    got = explained(server, "weighted")
    check("weighted: the shares are as configured",
          (got["new"]["share_ratio"], got["old"]["share_ratio"]) == (0.25, 0.75))
    n = sum(d["arm"] == "new" for d in drawn(server, "weighted", 1000))
    check(f"weighted: {n} of 1000 decisions", 150 < n < 350)


def asked_by_sport(server, context):
    return want(200, server.call("POST", "~/selection", {
        "sport": "nhl", "context": context, "explain": True}))


def without_a_route(server):
    """Who is asked for by sport is drawn by performance_score, though nobody made a route."""
    for name in ("ice", "puck"):
        want(201, server.call("POST", "~/registry", {
            "name": name, "version": "1", "type": "classifier", "sport": "nhl"}))
        for status in ("canary", "stable"):
            want(200, server.call("POST", f"~/registry/{name}:1/status", {"status": status}))
        want(202, server.call("POST", f"~/registry/{name}:1/inference", [
            {"latency_ms": 5, "success": name == "ice" or i % 10 != 0} for i in range(1000)]))

    def scored():
        answer = asked_by_sport(server, {"targetingKey": "u"})
        scores = {c["arm"]: c["score"] or 0 for c in answer["candidates"]}
        return answer if scores["ice:1"] > scores["puck:1"] > 0.5 else None
    answer = until("by sport: both are scored", scored)
    check("by sport: drawn by performance_score",
          (answer["route"], answer["reason"], answer["strategy"]) ==
          (None, "STRATEGY", "performance_score"))
    check("by sport: the better one gets nearly all", all(
        c["share_ratio"] > 0.9 for c in answer["candidates"] if c["arm"] == "ice:1"))
    answer = asked_by_sport(server, {})
    check("by sport: without a unit the best scored stable serves, not the one promoted last",
          (answer["model_id"], answer["reason"], answer["fallback_cause"], answer["fallbacks"]) ==
          ("ice:1", "FALLBACK", "NO_UNIT", ["puck:1"]))


def fresh(server):
    found = {p["id"]: p["routes"] for p in want(200, server.call("GET", "~/plugins"))["items"]
             if p["kind"] == "strategy"}
    return all(found[b] == {"waiting": 0, "fresh": 1, "stale": 0, "silent": 0, "error": None,
                            "outcomes_lost": 0}
               for b in BANDITS) and found["weighted"]["fresh"] == 0


def run():
    with Server() as server:
        prepare(server)
        known = {route: shares_follow_outcomes(server, route) for route in BANDITS}
        fixed_shares(server)
        until("~/plugins counts one fresh route for each", lambda: fresh(server))
        for number in (signal.SIGKILL, signal.SIGTERM):
            server.stop(number)
            server.start()
            for route, (sent, last) in known.items():
                until(f"{route}: after {number.name} it knows {json.dumps(sent)}, each once",
                      lambda r=route, s=sent: told(server, r) == s)
                check(f"{route}: and shares as before",
                      abs(share(server, route) - last) < 0.01)
            fixed_shares(server)
        for route, (sent, _) in known.items():
            learn(server, route, sent)
        want(200, server.call("PATCH", "~/routes/thompson", {
            "strategy": "weighted", "params": {"weights": {"new": 0, "old": 1}}}))
        check("a route takes its own weights at once", share(server, "thompson") == 0)
        without_a_route(server)


run()
