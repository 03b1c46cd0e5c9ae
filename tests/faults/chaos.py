"""What chaos.sh tests. Three routes over a stable model and two canaries: one by a flag's policy from
a file, one by a strategy, one by weights. While units are asked for over several connections (so of
several loops), things are broken and repaired; chaos_checker.py says what must hold meanwhile."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from chaos_checker import Checker, Phase
from paddock_server import BASE, Server

PATIENCE = 120  # seconds; how long a busy machine may take
UNITS = [f"user-{i}" for i in range(100)]
ROUTES = ("flagged", "drawn", "m")
ARMS = {"a": "m:1", "b": "m:2", "c": "m:3"}
WEIGHTS = {"a": 50, "b": 25, "c": 25}
POLICY = """return {
  summary = "Weights.",
  params = { weights = { type = "weights", required = true } },
  decide = function(flag, ctx, env) %s return env.split(ctx.targetingKey), "SPLIT" end,
}
"""
ILL = {"CIRCUIT_OPEN": {"m:2"}, "UNHEALTHY": {"m:2"}}
OBSERVERS, ASKED_TOGETHER = 3, 12


def want(status, reply):
    if reply.status != status:
        raise SystemExit(f"FAILED {status} wanted: {reply.status} {reply.text}")
    return reply.json if reply.body else None


class Asking:
    """One connection, which falls to one of the loops."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, route):
        body = json.dumps({"route": route, "contexts": [{"targetingKey": u} for u in UNITS]})
        self.connection.request("POST", BASE + "/selection/batch", body,
                                {"Content-Type": "application/json"})
        reply = self.connection.getresponse()
        text = reply.read().decode()
        if reply.status != 200:
            return reply.status, text, None
        return 200, text, dict(zip(UNITS, json.loads(text)["decisions"]))


class Chaos:
    def __init__(self, server, policy_file):
        self.server, self.policy_file = server, policy_file
        self.checker, self.lock = Checker({"m:1"}), threading.Lock()
        self.epoch, self.epochs = 0, {"drawn": 0}  # of the strategy's route
        self.ill, self.number, self.stopping = {}, 0, False
        self.phases = []  # in order; an answer is judged by all from its question on
        self.phase = None
        self.enter("calm")

    def enter(self, name, drawn=None, faults=None):
        with self.lock:
            self.phase = Phase(name, {"drawn": drawn or (self.epochs["drawn"],)},
                               {**self.ill, **(faults or {})})
            self.phases.append(self.phase)

    def between(self, first, last):
        """All that may be seen from one phase to another."""
        seen = self.phases[first:last + 1]
        faults = {}
        for phase in seen:
            faults.update(phase.faults)
        epochs = tuple(sorted({e for p in seen for e in p.epochs["drawn"]}))
        return seen[0] if len(seen) == 1 else Phase(
            " to ".join(p.name for p in seen), {"drawn": epochs}, faults)

    # --- looking ---

    def observe(self):
        asking = Asking(self.server.port)
        while not self.stopping:
            for route in ROUTES:
                with self.lock:
                    first = len(self.phases) - 1
                status, text, answers = asking.ask(route)
                with self.lock:
                    phase = self.between(first, len(self.phases) - 1)
                    if status != 200:
                        self.checker.failed(phase, status, text)
                        continue
                    for unit, a in answers.items():
                        self.judge(phase, route, unit, a)
            time.sleep(0.02)

    def judge(self, phase, route, unit, a):
        if "error" in a:
            self.checker.failed(phase, a["error"]["code"], a["error"]["detail"])
        else:
            self.checker.answer(phase, route, unit, a)

    def together(self):
        """The same units over connections of their own: every loop says the same."""
        for route in ROUTES:
            answers = [Asking(self.server.port).ask(route)[2] for _ in range(ASKED_TOGETHER)]
            with self.lock:
                self.checker.together(self.phase, route, answers)

    def until(self, what, good):
        end = time.monotonic() + PATIENCE
        while not good():
            if time.monotonic() > end:
                raise SystemExit("FAILED " + what)
            time.sleep(0.02)

    def all_loops(self, what, route, good):
        """Every loop's answers are so."""
        self.until(what, lambda: all(
            good(list(Asking(self.server.port).ask(route)[2].values()))
            for _ in range(ASKED_TOGETHER)))

    # --- doing ---

    def write_policy(self, text):
        part = self.policy_file.with_suffix(".part")
        part.write_text(text)
        part.rename(self.policy_file)

    def policy(self):
        return want(200, self.server.call("GET", "~/policies/rollout/chaos"))

    def policy_does_not_compile(self):
        self.enter("a policy's file does not compile")
        self.write_policy("return { decide = function(")
        self.until("the fault is told", lambda: self.policy()["last_error"])
        self.together()
        refused = self.server.call("PUT", "~/policies/rollout/chaos", "return 7",
                                   {"Content-Type": "text/x-lua"})
        if refused.status < 400:
            raise SystemExit(f"FAILED a policy that is none was taken: {refused.text}")
        self.write_policy(POLICY % "")
        self.until("it is repaired", lambda: not self.policy()["last_error"])

    def policy_fails(self, line):
        broken = {"POLICY_FAILED": None, "NO_ARM": None}
        self.enter("a policy begins to fail", faults=broken)
        self.write_policy(POLICY % line)
        self.all_loops("it fails", "flagged", lambda got: all(
            a["model_id"] == "m:1" and a["fallback_cause"] in broken for a in got))
        self.together()
        self.write_policy(POLICY % "")
        self.all_loops("it is repaired", "flagged", lambda got: not any(
            a["fallback_cause"] in broken for a in got))

    def strategy_replaced(self, strategy):
        before = self.epochs["drawn"]
        self.epoch += 1
        self.enter(f"to {strategy}", drawn=(before, self.epoch))
        want(200, self.server.call("PATCH", "~/routes/drawn", {
            "strategy": strategy, "params": {"weights": WEIGHTS}}))

        def weighed(got):
            return all(a["strategy"] == strategy and abs(
                a["propensity"] - WEIGHTS[a["arm"]] / 100) > 0.01 for a in got)
        self.all_loops("it weighs", "drawn", weighed)
        self.epochs["drawn"] = self.epoch
        self.enter(strategy)
        self.together()
        self.kill_strategies()
        time.sleep(0.3)
        self.together()
        self.enter("back to the route's own weights", drawn=(self.epoch, 0))
        want(200, self.server.call("PATCH", "~/routes/drawn", {"strategy": "weighted"}))
        self.all_loops("it is back", "drawn", lambda got: all(
            a["strategy"] == "weighted" for a in got))
        self.epochs["drawn"] = 0

    def kill_strategies(self):
        """Each process that runs a strategy of this server."""
        listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True,
                                check=True).stdout
        mine = {self.server.process.pid}
        for _ in range(3):  # children, and theirs
            mine |= {int(p) for p, parent, *_ in map(str.split, listed.splitlines())
                     if int(parent) in mine}
        for pid, _, *args in map(str.split, listed.splitlines()):
            if int(pid) in mine and "--strategy" in args:
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass  # it has ended by itself

    def hang_up(self):
        self.enter("SIGHUP")
        self.server.process.send_signal(signal.SIGHUP)
        time.sleep(0.2)

    def model_fails(self):
        self.ill = ILL
        self.enter("a model fails")

        def cut_off():
            want(202, self.server.call("POST", "~/registry/m:2/inference", [
                {"latency_ms": 3, "success": False, "error_type": "timeout"}] * 100))
            return all(a["model_id"] != "m:2" for a in Asking(self.server.port).ask("m")[2].values())
        self.until("it is cut off", cut_off)

    def model_works(self):
        """It does from now on; when it is let back is its own affair."""
        want(202, self.server.call("POST", "~/registry/m:2/inference", [{"latency_ms": 3}] * 100))

    def step(self, do, *args):
        do(*args)
        self.enter("calm")
        self.together()
        with self.lock:
            if self.checker.wrong:
                raise SystemExit("FAILED\n" + "\n".join(self.checker.wrong))
        print("ok     " + " ".join([do.__name__.replace("_", " "), *args]), flush=True)


def prepare(server):
    for version, statuses in (("1", ("canary", "stable")), ("2", ("canary",)), ("3", ("canary",))):
        want(201, server.call("POST", "~/registry", {
            "name": "m", "version": version, "type": "classifier"}))
        for status in statuses:
            want(200, server.call("POST", f"~/registry/m:{version}/status", {"status": status}))
    want(201, server.call("POST", "~/flags", {
        "key": "chaos", "variants": {"a": 1, "b": 2, "c": 3}, "default_variant": "a",
        "policy": "chaos", "params": {"weights": WEIGHTS}}))
    want(201, server.call("POST", "~/routes", {
        "route": "flagged", "match": {"model_name": "m"}, "arms": ARMS, "flag": "chaos"}))
    own = {"arms": ARMS, "strategy": "weighted", "params": {"weights": WEIGHTS}}
    want(201, server.call("POST", "~/routes", {
        "route": "drawn", "match": {"model_name": "m"}, **own}))
    want(200, server.call("PATCH", "~/routes/m", own))


# --- load beside ---

def load(server, seconds, rate):
    """Selections of ever new units on every route; how many there were. None may fail."""
    command = [str(pathlib.Path(os.environ["PADDOCK_FAULTS"]).parent / "bench" / "load"), "--port",
               str(server.port), "--seconds", str(seconds)]
    for route in ROUTES:
        command += ["--stream", route, "--method", "POST", "--path", BASE + "/selection", "--type",
                    "application/json", "--rate", str(rate / len(ROUTES)), "--connections", "8",
                    "--body", json.dumps({"route": route, "context": {"targetingKey": "load-<n>"}})]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode != 0:
        raise SystemExit(f"FAILED selections beside: {done.stderr}{results}")
    return sum(r["ok"] for r in results)


class Load(threading.Thread):
    def __init__(self, server, seconds, rate):
        super().__init__()
        self.args, self.done, self.ok, self.why = (server, seconds, rate), False, 0, None

    def run(self):
        try:
            while not self.done:
                self.ok += load(*self.args)
        except BaseException as e:  # pylint: disable=broad-except
            self.why = e


def run(server, policy_file, full):
    prepare(server)
    chaos = Chaos(server, policy_file)
    chaos.together()
    for route in ROUTES:  # what is so at first
        for unit, a in Asking(server.port).ask(route)[2].items():
            chaos.judge(chaos.phase, route, unit, a)
    rate = load(server, 3, 0) / 3 / 2 if full else 300
    beside = Load(server, 60 if full else 1, rate)
    observers = [threading.Thread(target=chaos.observe) for _ in range(OBSERVERS)]
    for thread in (beside, *observers):
        thread.start()
    began = time.monotonic()
    try:
        again = True
        while again:
            chaos.step(chaos.policy_does_not_compile)
            chaos.step(chaos.policy_fails, "error('broken')")
            chaos.step(chaos.hang_up)
            for strategy in ("thompson", "champion_challenger") if full else ("thompson",):
                if not (chaos.ill and strategy == "champion_challenger"):  # it would bench the model
                    chaos.step(chaos.strategy_replaced, strategy)
            if full:
                chaos.step(chaos.policy_fails, "do return 'nobody' end")
            chaos.step(chaos.model_fails if not chaos.ill else chaos.model_works)
            again = full and time.monotonic() - began < 55
    finally:
        chaos.stopping = beside.done = True
        for thread in (*observers, beside):
            thread.join()
    if beside.why:
        raise SystemExit(beside.why)
    if chaos.checker.wrong:
        raise SystemExit("FAILED\n" + "\n".join(chaos.checker.wrong))
    print(f"ok     {beside.ok} selections at {rate:.0f}/s and {chaos.checker.seen} watched, in "
          f"{time.monotonic() - began:.0f} s: none failed, nobody moved without a cause")
    disobey(chaos)


def disobey(chaos):
    """The real thing, with a change that the checker was not told of: it must see it."""
    want(200, chaos.server.call("PATCH", "~/routes/m", {"salt": "another"}))
    for unit, a in Asking(chaos.server.port).ask("m")[2].items():
        chaos.judge(chaos.phase, "m", unit, a)
    if not chaos.checker.wrong:
        raise SystemExit("FAILED a change of the salt went unseen")
    print("ok     a change that nobody told is seen")


def main():
    policies = tempfile.mkdtemp(prefix="paddock-chaos-")
    try:
        policy_file = pathlib.Path(policies) / "rollout" / "chaos.lua"
        policy_file.parent.mkdir()
        policy_file.write_text(POLICY % "")
        with Server("--threads", "2", "--policy-dir", policies) as server:
            run(server, policy_file, "full" in sys.argv[1:])
    finally:
        shutil.rmtree(policies)


main()
