"""What attacks.sh tests."""
import os
import re
import threading
import time

from paddock_server import Server

DIR = os.environ["PADDOCK_SOURCE"] + "/tests/lua/attacks"
VARIANTS = {"variants": {"off": False, "on": True}, "default_variant": "off"}
CONTEXT = {"context": {"targetingKey": "u1", "country": "ch"}}
GOOD = """return { summary = "good", decide = function(flag, ctx, env)
  return ctx.country == "ch" and "on" or "off", "TARGETING_MATCH" end }"""


def need(reply, *statuses):
    if reply.status not in statuses:
        raise SystemExit(f"FAILED: wanted {statuses}, got {reply.status}: {reply.text}")
    return reply


def put_policy(server, name, source):
    return server.call("PUT", f"~/policies/rollout/{name}", source, {"Content-Type": "text/x-lua"})


class Visitor(threading.Thread):
    """Somebody else, meanwhile."""

    def __init__(self, server):
        super().__init__()
        self.server, self.over, self.answers, self.slowest, self.wrong = server, False, 0, 0, None

    def run(self):
        while not self.over and not self.wrong:
            began = time.monotonic()
            reply = self.server.call("POST", "/ofrep/v1/evaluate/flags/good", CONTEXT)
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.answers += 1
            if reply.status != 200 or reply.json["value"] is not True:
                self.wrong = reply.text


def attack(server, name, expected):
    """Asked twice, it says the same: the state that a limit spoilt was made anew."""
    path = f"/ofrep/v1/evaluate/flags/{name}"
    for _ in range(2):
        answer = need(server.call("POST", path, CONTEXT), 200).json
        failed = answer["metadata"].get("policy_error", False)
        if failed != (expected != "ok") or (failed and answer["value"] is not False):
            raise SystemExit(f"FAILED: {name} is {expected}: {answer}")


def main():
    with Server("--threads", "1") as server:
        need(put_policy(server, "good", GOOD), 200, 201)
        need(server.call("POST", "~/flags", {"key": "good", "policy": "good", **VARIANTS}), 201)
        visitor = Visitor(server)
        visitor.start()
        served = broken = 0
        try:
            for file in sorted(os.listdir(DIR)):
                name = file.removesuffix(".lua").replace("_", "-")
                with open(f"{DIR}/{file}") as f:
                    source = f.read()
                expected = re.search(r"expect: (\w+)", source).group(1)
                if expected == "broken":
                    need(put_policy(server, name, source), 422)
                    broken += 1
                    continue
                need(put_policy(server, name, source), 200, 201)
                need(server.call("POST", "~/flags", {"key": name, "policy": name, **VARIANTS}), 201)
                attack(server, name, expected)
                served += 1
            flags = need(server.call("POST", "/ofrep/v1/evaluate/flags", CONTEXT), 200).json["flags"]
        finally:
            visitor.over = True
            visitor.join()
        if visitor.wrong or visitor.answers < 10:
            raise SystemExit(f"FAILED: a visitor got {visitor.wrong} after {visitor.answers}")
        if len(flags) != served + 1 or next(f for f in flags if f["key"] == "good")["value"] is not True:
            raise SystemExit(f"FAILED: all at once: {flags}")
        if served + broken < 40:
            raise SystemExit(f"FAILED: only {served + broken} attacks")
        print(f"{served} attacks served, {broken} refused; meanwhile {visitor.answers} answers to "
              f"somebody else, the slowest after {visitor.slowest * 1000:.0f} ms")


main()
