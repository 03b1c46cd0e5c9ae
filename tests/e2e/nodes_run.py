"""Three nodes on one Redis, asked all at once.

Environment: PADDOCK_BIN; NODES_ROUNDS (promotions that collide), NODES_SECONDS (of increments)."""
import http.client
import http.server
import json
import os
import signal
import sys
import threading
import time

import nodes_check
import redis_server
from paddock_server import Server

ROUNDS = int(os.environ.get("NODES_ROUNDS", "12"))
SECONDS = float(os.environ.get("NODES_SECONDS", "2"))
CLIENTS = 16
PATIENCE = 120  # seconds until something that must happen has not happened


def check(what, good, more=""):
    if not good:
        raise SystemExit(f"not so: {what} {more}")


def at_once(*works):
    """All of them at the same moment; their results."""
    results, gate = [None] * len(works), threading.Barrier(len(works))

    def run(i):
        gate.wait()
        results[i] = works[i]()
    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(works))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check("every call has ended", None not in results, results)
    return results


def wait_for(what, holds):
    end = time.monotonic() + PATIENCE
    while not holds():
        check(what, time.monotonic() < end)
        time.sleep(0.05)


def seq_of(reply):
    return int(reply.headers["paddock-seq"])


def with_seq(path, seq):
    return f"{path}{'&' if '?' in path else '?'}min_seq={seq}"


def read(server, path, seq):
    """The answer of a node that has the change `seq`; it may be slow, but comes."""
    for _ in range(PATIENCE):
        reply = server.call("GET", with_seq(path, seq))
        if reply.json.get("code") != "NODE_BEHIND":
            return reply
    raise SystemExit(f"a node does not come to {seq}")


def done(reply, *statuses):
    check("the call is done", reply.status in statuses, f"{reply.status} {reply.text}")
    return reply


def register(server, name, version="1"):
    return done(server.call("POST", "~/registry", {"name": name, "version": version,
                                                   "type": "classifier"}), 201)


# --- what each node shows ---

def they_know_each_other(nodes):
    def lists():
        return [s.call("GET", "~/nodes").json["items"] for s in nodes]

    def whole():
        return all(len(items) == len(nodes) and all(n["address"] for n in items)
                   for items in lists())
    wait_for("each node lists all", whole)
    for server, items in zip(nodes, lists()):
        check("all live", all(n["alive"] for n in items), items)
        check("one decides", sum(n["decides"] for n in items) == 1, items)
        own = [n for n in items if n["self"]]
        check("a node knows itself", own[0]["address"].endswith(f":{server.port}"), own)


def what_one_writes_all_show(nodes):
    reply = register(nodes[0], "shown")
    for server in nodes:
        check("it is there", read(server, "~/registry/shown:1", seq_of(reply)).status == 200)
    # A refusal is of the journal's end, whatever this node had of it.
    check("it exists", nodes[1].call("POST", "~/registry", {
        "name": "shown", "version": "1", "type": "classifier"}).status == 409)
    reply = done(nodes[2].call("DELETE", "~/registry/shown:1"), 204)
    for server in nodes:
        check("it is gone", read(server, "~/registry/shown:1", seq_of(reply)).status == 404)
    check("nobody waits for what does not come",
          nodes[0].call("GET", "~/registry?min_seq=1000000000").json["code"] == "NODE_BEHIND")


def a_key_counts_everywhere(nodes):
    body = {"name": "keyed", "type": "classifier"}
    replies = at_once(*[lambda s=s: s.call("POST", "~/registry", body, {"Idempotency-Key": "k"})
                        for s in nodes * 2])
    replies += [s.call("POST", "~/registry", body, {"Idempotency-Key": "k"}) for s in nodes]
    made = [r for r in replies if r.status == 201]
    check("a key is in use, or has its answer", all(
        r.status == 201 or r.json["code"] == "IDEMPOTENCY_KEY_IN_USE" for r in replies))
    check("the same answer from all", len({r.body for r in made}) == 1 and
          len({seq_of(r) for r in made}) == 1, [r.text for r in made])
    total = read(nodes[0], "~/registry?name=keyed", seq_of(made[0])).json["total"]
    check("one model came of it", total == 1, total)
    other = nodes[1].call("POST", "~/registry", dict(body, description="x"),
                          {"Idempotency-Key": "k"})
    check("a key with another body is refused", other.status == 422, other.text)
    # Nor does a node that saw only the other body forget whose answer it is.
    body, key = {"name": "keyed-again", "type": "classifier"}, {"Idempotency-Key": "k2"}
    first = done(nodes[0].call("POST", "~/registry", body, key), 201)
    other = nodes[1].call("POST", "~/registry", dict(body, description="x"), key)
    check("it is refused elsewhere", other.json["code"] == "IDEMPOTENCY_KEY_REUSED", other.text)
    again = done(nodes[1].call("POST", "~/registry", body, key), 201)
    check("its own body gets its answer", again.body == first.body, again.text)


def new_names_get_numbers_once(nodes):
    """Versions and incarnations are given out at the journal's end."""
    replies = at_once(*[lambda s=s: s.call("POST", "~/registry", {
        "name": "counted", "type": "classifier"}) for s in nodes * 4])
    versions = sorted(int(done(r, 201).json["version"]) for r in replies)
    check("each number once", versions == list(range(1, 13)), versions)


def promotions_collide(nodes):
    for i in range(ROUNDS):
        name = f"race-{i}"
        for version in "12":
            register(nodes[i % 3], name, version)
            last = done(nodes[i % 3].call("POST", f"~/registry/{name}:{version}/status",
                                          {"status": "canary"}), 200)
        pair = [nodes[(i + k) % 3] for k in range(2)]
        for server in pair:
            read(server, f"~/registry/{name}:1", seq_of(last))
        replies = at_once(*[lambda s=s, v=v: s.call(
            "POST", f"~/registry/{name}:{v}/status", {"status": "stable"})
            for s, v in zip(pair, "12")])
        seq = max(seq_of(done(r, 200)) for r in replies)
        for server in nodes:
            items = read(server, f"~/registry?name={name}", seq).json["items"]
            states = sorted(m["status"] for m in items)
            check("one is stable", states == ["deprecated", "stable"], states)


# --- increments under If-Match ---

class Client(threading.Thread):
    """Goes on until it is told to stop, whatever becomes of its node."""

    def __init__(self, number, server, until):
        super().__init__()
        self.number, self.server, self.until = number, server, until
        self.history, self.fault = [], None

    def call(self, *args):
        """None: nobody knows what became of it."""
        try:
            return self.server.call(*args)
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)
            return None

    def increment(self, count):
        reply = self.call("GET", "~/registry/counter:1")
        if not reply or reply.status != 200:
            return
        model, by = reply.json, f"{self.number}-{count}"
        n = int(model["labels"]["n"]) + 1
        reply = self.call("PATCH", "~/registry/counter:1", {"labels": {"n": str(n), "by": by}},
                          {"If-Match": f'"{model["revision"]}"'})
        attempt = {"by": by, "outcome": "unknown"}
        if reply and reply.status == 200:
            attempt.update(outcome="done", revision=reply.json["revision"], n=n)
        elif reply and reply.status == 412:
            attempt["outcome"] = "refused"
        elif reply and reply.status != 503:
            self.fault = f"{reply.status} {reply.text}"
        self.history.append(attempt)

    def run(self):
        count = 0
        while not self.until.is_set() and not self.fault:
            self.increment(count)
            count += 1


def journal_of(server, seq):
    """Oldest first."""
    changes, cursor = [], ""
    while cursor is not None:
        page = read(server, f"~/registry/counter:1/audit?limit=1000{cursor}", seq).json
        for entry in page["items"]:
            labels = entry["after"]["labels"]
            changes.append({"revision": entry["after"]["revision"], "n": int(labels["n"]),
                            "by": labels["by"]})
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    return changes[::-1]


def increments_are_linear(nodes):
    bug = nodes_check.catches_planted_bugs()
    check("the checker finds what is wrong", bug is None, bug)
    done(nodes[0].call("POST", "~/registry", {"name": "counter", "type": "classifier",
                                              "labels": {"n": "0", "by": "start"}}), 201)
    until = threading.Event()
    clients = [Client(i, nodes[i % 3], until) for i in range(CLIENTS)]
    for c in clients:
        c.start()
    end, kills = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        time.sleep(min(0.5, SECONDS / 4))
        victim = nodes[kills % 3]
        victim.stop(signal.SIGKILL)
        victim.start()
        kills += 1
    until.set()
    for c in clients:
        c.join()
    history = [a for c in clients for a in c.history]
    faults = [c.fault for c in clients if c.fault]
    check("no other answers", not faults, faults)
    last = done(nodes[0].call("PATCH", "~/registry/counter:1", {"description": "end"}), 200)
    journals = [journal_of(s, seq_of(last))[:-1] for s in nodes]
    check("one journal", journals[0] == journals[1] == journals[2])
    faults = nodes_check.faults_of(journals[0], history)
    check("no update lost, none applied twice", not faults, faults[:5])
    counts = {o: sum(a["outcome"] == o for a in history) for o in ("done", "refused", "unknown")}
    check("some were done", counts["done"] > 0, counts)
    print(f"increments: {counts}, {kills} nodes killed")


# --- beside the registry ---

class Receiver:
    """Counts the webhooks that come in, by id."""

    def __init__(self):
        self.ids, outer = [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.ids.append(self.headers["webhook-id"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/"


def one_delivers(nodes):
    receiver = Receiver()
    done(nodes[0].call("POST", "~/webhooks", {"webhook_id": "w", "url": receiver.url,
                                              "events": ["model.registered"],
                                              "secret": "whsec_" + "c2VjcmV0" * 6}), 201)
    for i, server in enumerate(nodes):
        register(server, f"told-{i}")
    wait_for("all were told", lambda: len(set(receiver.ids)) >= len(nodes))
    check("each once", len(receiver.ids) == len(nodes), receiver.ids)
    receiver.server.shutdown()


def a_decision_is_known_everywhere(nodes):
    register(nodes[0], "chosen")
    for status in ("canary", "stable"):
        last = done(nodes[0].call("POST", "~/registry/chosen:1/status", {"status": status}), 200)
    for server in nodes:
        read(server, "~/registry/chosen:1", seq_of(last))
    question = {"model_name": "chosen", "context": {"targetingKey": "u"}}
    answers = [done(s.call("POST", "~/selection", question), 200).json for s in nodes]
    check("the same for all", {a["model_id"] for a in answers} == {"chosen:1"})
    reply = done(nodes[1].call("POST", "~/selection/outcomes", {
        "decision_id": answers[0]["decision_id"], "scores": {"reward": 1.0}}), 202)
    check("what another has signed is known", reply.json["accepted"] == 1, reply.text)


def the_decider_is_replaced(nodes):
    """It is killed, and another delivers: after the 15 s of its lease, so only in full."""
    receiver = Receiver()
    done(nodes[0].call("POST", "~/webhooks", {"webhook_id": "v", "url": receiver.url,
                                              "events": ["model.registered"],
                                              "secret": "whsec_" + "c2VjcmV0" * 6}), 201)
    decider = next(s for s in nodes for n in s.call("GET", "~/nodes").json["items"]
                   if n["self"] and n["decides"])
    rest = [s for s in nodes if s is not decider]
    decider.stop(signal.SIGKILL)
    begun = time.monotonic()
    for i, server in enumerate(rest):
        register(server, f"while-none-decides-{i}")
    wait_for("all were told", lambda: len(set(receiver.ids)) >= len(rest))
    print(f"another decided after {time.monotonic() - begun:.1f} s")
    check("each once", len(receiver.ids) == len(rest), receiver.ids)
    receiver.server.shutdown()
    decider.start()


def a_token_opens_everywhere(nodes):
    reply = done(nodes[0].call("POST", "~/tokens", {"token_id": "t", "role": "admin"}), 201)
    token = reply.json["token"]
    for server in nodes:
        wait_for("nobody gets in without", lambda s=server: s.call("GET", "~/registry").status == 401)
        server.token = token
        check("who has it does", read(server, "~/registry", seq_of(reply)).status == 200)


def main():
    if not redis_server.there():
        print("no redis-server here")
        return 77
    with redis_server.Redis() as redis:
        settings = ["--redis-url", redis.url, "--webhook-allow-private", "--threads", "1"]
        with Server(*settings) as a, Server(*settings) as b, Server(*settings) as c:
            nodes = [a, b, c]
            full = (the_decider_is_replaced,) if SECONDS >= 10 else ()
            for case in (they_know_each_other, what_one_writes_all_show, a_key_counts_everywhere,
                         new_names_get_numbers_once, promotions_collide, one_delivers,
                         a_decision_is_known_everywhere, increments_are_linear, *full,
                         a_token_opens_everywhere):
                begun = time.monotonic()
                case(nodes)
                print(f"{case.__name__.replace('_', ' ')}: {time.monotonic() - begun:.1f} s")
                sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
