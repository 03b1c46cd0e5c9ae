"""Sections of bench.py about validation: what a test costs, a night, plugins that misbehave. What
other requests notice of it is measured by a client that asks for a model and sends a record, 100
times a second each."""
import json
import os
import pathlib
import shutil
import subprocess
import threading
import time
import types

from servers import API, Nginx, Paddock, run_binary

# One answer for all that a model server is asked: ready, metadata and infer.
ANSWER = {"name": "bench", "model_name": "bench", "versions": ["1"], "platform": "bench",
          "inputs": [{"name": "x", "datatype": "FP64", "shape": [-1, 3]}],
          "outputs": [{"name": "y", "datatype": "FP64", "shape": [1], "data": [0.5]}]}


def model_server(run):
    body = json.dumps(ANSWER).encode()
    return Nginx(run, types.SimpleNamespace(
        body=body, headers=[("Content-Type", "application/json")])).start()


def served(paddock, name, runtime=None):
    """A stable model; nobody has tests for it yet, so nothing holds it back."""
    made = paddock.ask("POST", f"{API}/registry", {
        "name": name, "version": "1", "type": "classifier", **({"runtime": runtime} if runtime else {})})
    for status in ("canary", "stable"):
        paddock.ask("POST", f"{API}/registry/{made['model_id']}/status", {"status": status})
    return made["model_id"]


class Neighbour:
    """The other client, for as long as `with` lasts; the worst and the median of its seconds."""

    def __init__(self, run, paddock, seconds=3):
        self.run, self.paddock, self.seconds = run, paddock, seconds
        self.over, self.slices, self.failed = threading.Event(), [], None
        self.thread = threading.Thread(target=self.go)

    def go(self):
        streams = ({"name": "get", "path": f"{API}/registry/neighbour:1", "rate": 100, "connections": 4},
                   {"name": "record", "method": "POST", "path": f"{API}/registry/neighbour:1/inference",
                    "body": '{"latency_ms":<latency>,"success":true}', "rate": 100, "connections": 4,
                    "expect": 202})
        try:
            while not self.slices or not self.over.is_set():
                self.slices.append(self.run.load(self.paddock, self.seconds, *streams, nice=-20))
        except SystemExit as e:
            self.failed = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        if self.failed:
            raise self.failed

    def p99(self, stream="get"):
        """The median of the slices' p99."""
        values = sorted(s[stream]["p99_ms"] for s in self.slices)
        return values[len(values) // 2]

    def worst(self, stream="get"):
        return max(s[stream]["p99_ms"] for s in self.slices)

    def text(self):
        return "; ".join(f"{s} p99 {self.p99(s):.2f} ms, worst {self.seconds} s {self.worst(s):.2f} ms"
                         for s in ("get", "record"))


def section_worker(run):
    """What a test costs beside its own work, next to a process that does nothing: asked for by itself, where all but
    the test has been made ready, and one after the other, where nothing has."""
    plugins = run.build / "tests" / "plugins"
    for name, runtime, bound in (("worker, no runtime", "-", 3), ("worker, a runtime", "good_runtime", 10)):
        for mode, at_most in (("apart", {"at_most": bound}), ("in a row", {})):
            out = subprocess.run(
                [run_binary(run, "worker"), run_binary(run, "paddock-worker"),
                 str(plugins / "good_nothing.so"), runtime if runtime == "-" else str(plugins / f"{runtime}.so"),
                 "50" if run.short else "300", "1", mode], capture_output=True, text=True, check=True).stdout.strip()
            run.say(f"{name}, {mode}", out, float(out.split("p50 ")[1].split()[0]), **at_most)


def section_nights(run):
    """1,000 models of 5 smoke tests each in one night, while somebody else is served."""
    count = 100 if run.short else 1000
    server = model_server(run)
    paddock = Paddock(run).start()
    runtime = {"kind": "openinference", "url": server.url(""), "model_name": "bench"}
    served(paddock, "neighbour")
    paddock.ask("PATCH", f"{API}/registered-models/neighbour", {"nightly": {"enabled": False}})
    for n in range(count):
        served(paddock, f"night-{n}", runtime)
        for t in range(5):
            paddock.ask("POST", f"{API}/validation/tests", {
                "test_id": f"t-{n}-{t}", "model_name": f"night-{n}", "type": "smoke",
                "config": {"limit_ms": 60000}})
    with Neighbour(run, paddock) as quiet:
        time.sleep(3)
    before = cpu_seconds(paddock.process.pid)
    with Neighbour(run, paddock) as busy:
        began = time.monotonic()
        paddock.ask("POST", f"{API}/validation/nightly")
        while paddock.ask("GET", f"{API}/validation/nightly")["running"]:
            time.sleep(0.1)
        seconds = time.monotonic() - began
    used = cpu_seconds(paddock.process.pid) - before
    last = paddock.ask("GET", f"{API}/validation/nightly")["last"]
    passed = last["runs"]["passed"]
    tests = count * 5
    run.say("a night", f"{tests:,} smoke tests of {count:,} models in {seconds:.1f} s "
            f"({seconds / tests * 1000:.1f} ms each); {passed:,} of {last['runs']['total']:,} runs passed; "
            f"server and workers {used / tests * 1000:.1f} ms of processor time a test",
            seconds, at_most=90 * count / 1000)
    run.say("a night, others before", quiet.text())
    run.say("a night, others during", busy.text(), busy.p99(), at_most=10)
    if passed < count:
        run.say("a night, passed", f"{passed} of {count}", passed, at_least=count)


def cpu_seconds(pid):
    """Of a process, its children that ended, and those that live and are kept for the next test."""
    children = " ".join(f.read_text() for f in pathlib.Path(f"/proc/{pid}/task").glob("*/children"))
    ticks = 0
    for each in [pid, *children.split()]:
        fields = pathlib.Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


# Plugin of tests/plugins -> its test type, and how it must be reported ("": either way).
BAD = {
    "segv": ("segv", "crashed", "SIGSEGV"),
    "abort": ("abort", "crashed", "SIGABRT"),
    "stack": ("stack", "crashed", "SIGSEGV"),
    "loop": ("loop", "timeout", "was not over"),
    "sigterm": ("sigterm", "timeout", "was not over"),
    "forkbomb": ("forkbomb", "crashed", "processes"),
    "memory": ("memory", "", "memory"),
    "memory_at_once": ("memory-at-once", "", ""),
    "exit": ("exit", "error", "ended itself"),
    "rubbish": ("rubbish", "error", "descriptor 3"),
    "close": ("close", "error", "closed the descriptor"),
    "disk": ("disk", "", "directory"),  # its disk says no, or what it wrote is seen
    "flood": ("flood", "passed", ""),
    "grandchild": ("grandchild", "passed", ""),
    "killall": ("killall", "passed", ""),
}


def processes(program):
    """Ids of those that run this program."""
    found = set()
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "exe") == program:
                found.add(entry.name)
        except OSError:
            pass
    return found


def waits(pid, firsts):
    """Is it the second stage that one of these first stages has made ready for its next test?"""
    try:
        parent = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1]
        children = pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except OSError:
        return True  # it has ended
    return parent in firsts and children == [pid]


def section_misbehaving(run):
    """Plugins that do what they must not, one after the other, while somebody else is served."""
    program = os.path.realpath(run_binary(run, "paddock-worker"))
    folder = run.dir / "plugins"
    folder.mkdir()
    for name in BAD:
        shutil.copy(run.build / "tests" / "plugins" / f"misbehave_{name}.so", folder)
        (folder / f"misbehave_{name}.so").chmod(0o644)
    paddock = Paddock(run, arguments=["--plugin-dir", str(folder)]).start()
    served(paddock, "neighbour")
    model_id = served(paddock, "patient")
    for name, (kind, *_) in BAD.items():
        paddock.ask("POST", f"{API}/validation/tests", {
            "test_id": name, "model_name": "patient", "type": f"test.{kind}",
            "timeout_ms": 60000 if name in ("memory", "disk") else 3000})
    paddock.ask("POST", f"{API}/validation/run", {  # whose nursery stays
        "model_id": model_id, "test_ids": ["exit"], "trial": True, "wait_ms": 60000})
    before, calm = processes(program), []
    for name, (_, status, part) in BAD.items():
        with Neighbour(run, paddock, seconds=2) as quiet:
            pass
        calm.append(quiet.p99())
        with Neighbour(run, paddock) as busy:
            result = None
            for _ in range(2 if run.short else 3):
                made = paddock.ask("POST", f"{API}/validation/run", {
                    "model_id": model_id, "test_ids": [name], "trial": True, "wait_ms": 60000})
                result = made["results"][0]
        good = (not status or result["status"] == status) and part in result["message"]
        run.say(f"misbehaving, {name}", f"{'' if good else 'WRONG: '}{result['status']}: "
                f"{result['message'][:60]}; get p99 {quiet.p99():.2f} before, {busy.p99():.2f} ms during, "
                f"record {quiet.p99('record'):.2f}, {busy.p99('record'):.2f}",
                busy.p99() if good else 1e9, at_most=max(10, 2 * quiet.p99()))
    run.say("misbehaving, others before", f"get p99 {min(calm):.2f} to {max(calm):.2f} ms")
    left = [pid for pid in processes(program) - before if not waits(pid, before)]
    run.say("misbehaving, left behind", f"{len(left)} processes", len(left), at_most=0)
