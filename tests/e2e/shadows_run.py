"""What shadows.sh tests: a shadow that reports, one that does not, one that leads nowhere."""
import time

from paddock_server import Server

PATIENCE = 120  # seconds; how long a busy machine may take
SILENT_MS = 1500


def check(what, good, more=""):
    if not good:
        raise SystemExit(f"FAILED {what} {more}")
    print("ok     " + what)


def want(status, reply):
    if reply.status != status:
        raise SystemExit(f"FAILED {status} wanted: {reply.status} {reply.text}")
    return reply.json if reply.body else None


def prepare(server):
    for version, statuses in (("1", ("canary", "stable")), ("2", ("canary",)), ("3", ())):
        want(201, server.call("POST", "~/registry", {
            "name": "odds", "version": version, "type": "classifier"}))
        for status in statuses:
            want(200, server.call("POST", f"~/registry/odds:{version}/status", {"status": status}))
    want(200, server.call("PATCH", "~/routes/odds", {
        "arms": {"a": "odds:1"}, "strategy": "thompson", "params": {"weights": {"a": 1}},
        "shadows": [{"model_id": "odds:2", "share_ratio": 1},
                    {"model_id": "odds:3", "share_ratio": 0.5},
                    {"model_id": "odds@canary", "share_ratio": 0}]}))


def select(server, units):
    return want(200, server.call("POST", "~/selection/batch", {
        "route": "odds", "contexts": [{"targetingKey": f"u{i}"} for i in units]}))["decisions"]


def report(server, decisions, model=None, reward=1.0):
    who = {"model_id": model} if model else {}
    return want(202, server.call("POST", "~/selection/outcomes", [
        {"decision_id": d["decision_id"], "scores": {"reward": reward}, **who}
        for d in decisions]))


def rows(server):
    got = want(200, server.call("GET", "~/routes/odds/outcomes"))
    return {(r["arm"], r["model_id"], r["shadow"]): (r["count"], r["mean"])
            for r in got["outcomes"] if r["score"] == "reward"}


def shadows(server):
    got = want(200, server.call("GET", "~/routes/odds/outcomes"))
    return {s["reference"]: s for s in got["shadows"]}


def alerts(server, state):
    got = want(200, server.call("GET", f"~/alerts?state={state}"))["items"]
    return {a["dedupe_key"]: a for a in got if a["kind"] == "shadow_silent"}


def until(what, ask):
    """What ask() gives once it is true."""
    end = time.monotonic() + PATIENCE
    while not (got := ask()):
        if time.monotonic() > end:
            raise SystemExit("FAILED " + what)
        time.sleep(0.05)
    print("ok     " + what)
    return got


def beside_and_without_influence(server):
    decisions = select(server, range(200))
    check("every decision names the first", all("odds:2" in d["shadows"] for d in decisions))
    half = [d for d in decisions if "odds:3" in d["shadows"]]
    check(f"{len(half)} of 200 the second", 60 < len(half) < 140)
    taken = report(server, decisions[:50], reward=0.25)
    check("outcomes of who served are taken", taken["accepted"] == 50)
    taken = report(server, decisions[:40], "odds:2", reward=0.75)
    check("and the shadow's of the same decisions", taken["accepted"] == 40, taken)
    not_named = [d for d in decisions if "odds:3" not in d["shadows"]]
    taken = report(server, not_named[:5], "odds:3")
    check("not of a shadow that was not named", taken["unknown"] == 5, taken)
    check("they stand beside each other", rows(server) == {
        ("a", "odds:1", False): (50, 0.25), ("a", "odds:2", True): (40, 0.75)}, rows(server))

    def told():
        answer = want(200, server.call("POST", "~/selection", {
            "route": "odds", "context": {"targetingKey": "u"}, "explain": True}))
        return (answer["candidates"][0]["parts"] or {}).get("outcomes")
    until("the strategy is told of who served, 50 times", lambda: told() == 50)
    report(server, decisions[50:60], "odds:2")
    report(server, decisions[50:51], reward=0.25)
    until("and never of a shadow", lambda: told() == 51)


def silence(server):
    key = "shadow_silent:odds/odds:3"

    def raised():
        select(server, range(200))
        report(server, select(server, [1]), "odds:2")
        return alerts(server, "open").get(key)
    alert = until("of the one nothing comes: an alert", raised)
    check("which says so", alert["severity"] == "medium" and alert["model_id"] == "odds:3" and
          "gets nothing" in alert["summary"] and "named it" in alert["summary"], alert)
    check("the report says so", shadows(server)["odds:3"]["silent"] and
          shadows(server)["odds:3"]["reported"] == 0 < shadows(server)["odds:3"]["named"])
    check("not of the other", "shadow_silent:odds/odds:2" not in alerts(server, "open"))
    named = next(d for d in select(server, range(200)) if "odds:3" in d["shadows"])
    want(202, server.call("POST", "~/registry/odds:3/inference", {
        "latency_ms": 5, "decision_id": named["decision_id"]}))
    until("a record of it ends the alert", lambda: alerts(server, "resolved").get(key))
    until("and is counted", lambda: shadows(server)["odds:3"]["reported"] == 1)
    until("in silence there is one again", raised)
    want(200, server.call("PATCH", "~/routes/odds", {"shadows": [
        {"model_id": "odds:2", "share_ratio": 1}, {"model_id": "odds@previous", "share_ratio": 1}]}))
    until("nobody wants it: the alert ends", lambda: alerts(server, "resolved").get(key))
    lost = "shadow_silent:odds/odds@previous"

    def nowhere():
        select(server, range(200))
        return alerts(server, "open").get(lost)
    alert = until("one whose reference leads nowhere gets nothing", nowhere)
    check("and the alert says why", "leads to no model" in alert["summary"], alert["summary"])
    text = server.call("GET", "/metrics").text
    check("/metrics counts them",
          "paddock_shadows_total{" in text and "paddock_shadow_reports_total{" in text)
    server.stop()
    server.start()
    want(200, server.call("PATCH", "~/routes/odds", {"shadows": []}))
    until("after a restart it ends too", lambda: not alerts(server, "open"))


def main():
    with Server("--shadow-silent-ms", str(SILENT_MS)) as server:
        prepare(server)
        beside_and_without_influence(server)
        silence(server)


main()
