"""Three in the morning: a user was served badly last night. Who served him, and why? And back."""
import statistics
import time

from paddock_server import Server

PATIENCE = 120  # seconds; how long a busy machine may take
UNITS = [f"user-{i}" for i in range(30)]


def check(what, good, more=""):
    if not good:
        raise SystemExit(f"FAILED {what} {more}")
    print("ok     " + what)


def want(status, reply):
    if reply.status != status:
        raise SystemExit(f"FAILED {status} wanted: {reply.status} {reply.text}")
    return reply.json if reply.body else None


def register(server, version, *statuses):
    want(201, server.call("POST", "~/registry", {
        "name": "odds", "version": version, "type": "classifier"}))
    for status in statuses:
        want(200, server.call("POST", f"~/registry/odds:{version}/status", {"status": status}))


def prepare(server):
    register(server, "1", "canary", "stable")
    register(server, "2", "canary")
    want(201, server.call("POST", "~/flags", {
        "key": "odds-rollout", "variants": {"new": True, "old": False}, "default_variant": "old",
        "policy": "percentage", "params": {"weights": {"new": 50, "old": 50}}}))
    want(200, server.call("PATCH", "~/routes/odds", {
        "arms": {"new": "@canary", "old": "@stable"}, "flag": "odds-rollout",
        "decision_log": "all"}, {"Paddock-Reason": "half of them try the new one"}))
    want(201, server.call("POST", "~/routes", {
        "route": "weighted", "match": {"model_name": "odds"}, "strategy": "weighted",
        "arms": {"new": "odds:2", "old": "odds:1"}, "params": {"weights": {"new": 1, "old": 2}}}))


def select(server, route, unit):
    return want(200, server.call("POST", "~/selection", {
        "route": route, "context": {"targetingKey": unit}}))


def night(server):
    """What each unit got, and a time after which it was still so."""
    served = {(r, u): select(server, r, u) for r in ("odds", "weighted") for u in UNITS}
    return served, int(time.time() * 1000)


def change_everything(server):
    time.sleep(0.05)  # after that time
    want(200, server.call("PATCH", "~/flags/odds-rollout", {
        "params": {"weights": {"new": 100, "old": 0}}}))
    want(201, server.call("PUT", "~/policies/rollout/percentage",
                          "return { summary = 'nobody', params = { weights = { type = 'weights' } }, "
                          "decide = function() end }",
                          {"Content-Type": "text/x-lua"}))
    want(200, server.call("POST", "~/registry/odds:2/status", {"status": "stable"}))
    register(server, "3", "canary")
    want(204, server.call("DELETE", "~/routes/weighted"))
    want(200, server.call("PATCH", "~/routes/odds", {"flag": None, "arms": None}))


FACTS = ("model_id", "arm", "reason", "variant", "strategy", "intended_model_id", "status",
         "propensity", "fallback_cause")


def same_as_then(server, served, at, what):
    took = []
    for (route, unit), then in served.items():
        began = time.monotonic()
        told = want(200, server.call("POST", "~/selection/explain", {
            "route": route, "context": {"targetingKey": unit}, "at": at}))
        took.append((time.monotonic() - began) * 1000)
        differ = [f for f in FACTS if told["decision"][f] != then[f]]
        if differ:
            check(what, False, f"{route} {unit} {differ} {told} {then}")
    print("ok     " + what)
    print(f"       {len(took)} questions: median {statistics.median(took):.1f} ms, "
          f"longest {max(took):.1f} ms")


def told_in_full(server, served, at):
    unit = UNITS[0]
    told = want(200, server.call("POST", "~/selection/explain", {
        "route": "odds", "context": {"targetingKey": unit}, "at": at}))
    print("       " + told["sentence"])
    route = next(b for b in told["because"] if b["entity"] == "route")
    check("who changed the route, and why", route["reason"] == "half of them try the new one")
    check("which flag, at which revision, by which bucket", told["flag"]["key"] == "odds-rollout"
          and told["flag"]["revision"] == 1 and told["flag"]["trace"], told["flag"])
    end = time.monotonic() + PATIENCE
    while True:
        listed = want(200, server.call("GET", f"~/selection/decisions?unit={unit}&to={at + 1}"))
        if listed["items"]:
            break
        check("the log has it in time", time.monotonic() < end)
        time.sleep(0.1)
    then = served["odds", unit]
    check("the decision was logged", [(d["decision_id"], d["model_id"]) for d in listed["items"]]
          == [(then["decision_id"], then["model_id"])], listed)
    told = want(200, server.call("POST", "~/selection/explain", {
        "route": "odds", "context": {"targetingKey": unit}, "at": at}))
    check("and is told with the explanation",
          told["logged"]["decision_id"] == then["decision_id"])
    early = server.call("POST", "~/selection/explain", {"route": "odds", "at": 1600000000000})
    check("before it was there, there is no route", early.status == 404 and
          early.json["code"] == "ROUTE_NOT_FOUND", early.text)
    late = server.call("POST", "~/selection/explain", {
        "route": "odds", "at": int(time.time() * 1000) + 3600000})
    check("the future is not told", late.status == 400, late.text)


def back_in_one_call(server):
    """Every unit gets the former stable from then on, whichever loop answers."""
    check("all have the new one", all(select(server, "odds", u)["model_id"] == "odds:2"
                                      for u in UNITS))
    began = time.monotonic()
    told = want(200, server.call("POST", "~/registered-models/odds/rollback",
                                 {"reason": "INC-4711"}))
    took = (time.monotonic() - began) * 1000
    first = [select(server, "odds", u) for u in UNITS for _ in range(3)]  # each a new connection
    seen = (time.monotonic() - began) * 1000
    check("back to the former stable", (told["from"], told["to"]) == ("odds:2", "odds:1"), told)
    check("the very next answers are its", all(s["model_id"] == "odds:1" for s in first))
    print(f"       the call took {took:.1f} ms; {len(first)} selections later it was {seen:.1f} ms")
    held = server.call("POST", "~/registry/odds:2/status", {"status": "stable"})
    check("the loser is held", held.status == 409 and held.json["code"] == "MODEL_HELD", held.text)
    now = int(time.time() * 1000)
    time.sleep(0.05)
    told = want(200, server.call("POST", "~/selection/explain", {
        "route": "odds", "context": {"targetingKey": UNITS[0]}, "at": now}))
    model = next(b for b in told["because"] if b["entity"] == "model")
    check("the rollback is the reason", told["decision"]["model_id"] == "odds:1" and
          (model["action"], model["reason"]) == ("model.rolled_back", "INC-4711"), model)


def main():
    with Server("--threads", "2") as server:
        prepare(server)
        served, at = night(server)
        check("both had their share", {"odds:1", "odds:2"} == {
            s["model_id"] for s in served.values()})
        same_as_then(server, served, at, "while nothing has changed")
        change_everything(server)
        same_as_then(server, served, at, "after everything has changed")
        server.stop()
        server.start()
        same_as_then(server, served, at, "after a restart")
        told_in_full(server, served, at)
        back_in_one_call(server)


main()
