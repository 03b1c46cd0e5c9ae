"""Paddock against its peers, and against the bounds it promises: one line for each figure.

    tests/bench/run.sh [--short] [--build DIR] [--keep] [SECTION...]

Sections: fleet lag (several nodes: fleet.py) misbehaving nights worker (validation: nights.py)
models_on_redis nodes records_and_runs (sizes.py, for docs/operations/sizing.md) sketch get post
selection batch paced models live fair tls empty (all, in this order, unless named). Figures that
are compared come from one run with interleaved rounds (A B A B ...), the ratio is the median of the
rounds' ratios, and the rates beside it are the medians. --short makes rounds shorter and fewer, and
100,000 models 20,000. Exit status 1 if a bound is missed.
"""
import argparse
import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from fleet import section_fleet, section_lag
from nights import section_misbehaving, section_nights, section_worker
from servers import (API, HERE, Answer, Certificate, Evhttp, FastApiRedis, Nginx, Paddock, Redis, quote,
                     run_binary)
from sizes import section_models_on_redis, section_nodes, section_records_and_runs

RECORD = {"latency_ms": 12.345, "success": True}
LINE = '{"latency_ms":<latency>,"success":true}'
FULL_LINE = ('{"model_id":"live-<n%1000>:1","latency_ms":<latency>,"success":true,'
             '"timestamp":<now>,"scores":{"brier":0.18}}')


class Run:
    """One benchmark run: its directory, its servers, its verdicts."""

    def __init__(self, options):
        self.short, self.build = options.short, options.build.resolve()
        self.seconds, self.rounds = (1, 3) if options.short else (3, 7)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="paddock-bench-", dir="/var/tmp"))
        self.running, self.missed = [], 0

    def close(self, keep):
        for server in self.running[::-1]:
            server.stop()
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def say(self, figure, text, value=None, at_least=None, at_most=None):
        """Print one figure with its bound and verdict."""
        verdict, bound = "    ", ""
        if at_least is not None or at_most is not None:
            good = value >= at_least if at_least is not None else value <= at_most
            bound = f"  (bound: {'>= %g' % at_least if at_least is not None else '<= %g' % at_most})"
            verdict = "pass" if good else "FAIL"
            self.missed += not good
        print(f"{verdict}  {figure:<24} {text}{bound}", flush=True)

    def wrk(self, server, path, script=None, seconds=None, more=(), arguments=()):
        command = ["wrk", "-t1", "-c64", "--timeout", "10s",
                   f"-d{seconds or self.seconds}s", *more,
                   *(["-s", str(HERE / "wrk" / script)] if script else []), server.url(path),
                   *(["--", *arguments] if arguments else [])]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in out or "Socket errors" in out:
            raise SystemExit(f"{server.name} answered with errors:\n{out}")
        return float(re.search(r"Requests/sec:\s*([\d.]+)", out).group(1))

    def load(self, server, seconds, *streams, warmup=0.0, nice=0, probe=False, backlog=0):
        """Run the load generator; a stream is a dictionary of its options. Results by name.

        `probe` (as root): it runs whenever it is due, before all else, so that no answer waits for
        who measures it; what went on while a processor stood still is left out, and for `backlog`
        times as long what had piled up then.
        """
        command = [run_binary(self, "load"), "--port", str(server.port), "--seconds", str(seconds),
                   "--warmup", str(warmup)]
        if probe and os.geteuid() == 0:
            command += ["--pauses", "1", "--backlog", str(backlog)]
        for stream in streams:
            command += ["--stream", stream["name"]]
            for key, value in stream.items():
                command += [] if key == "name" else ["--" + key, str(value)]
        if probe and os.geteuid() == 0:
            command = ["chrt", "--fifo", "1", *command]
        elif nice and os.geteuid() == 0:
            command = ["nice", "-n", str(nice), *command]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        results = {r["stream"]: r for r in map(json.loads, done.stdout.splitlines())}
        if done.returncode != 0:
            raise SystemExit(f"load failed: {done.stderr}{json.dumps(results, indent=1)}")
        return results

    def compare(self, figure, rounds, bounds):
        """Interleave `rounds` (name -> function giving a rate); the first is ours.

        `bounds`: name of a peer -> least ratio of our rate to its (None: stated only).
        """
        rates = {name: [] for name in rounds}
        for _ in range(self.rounds):
            for name, measure in rounds.items():
                settle()
                rates[name].append(measure())
        ours, *peers = rounds
        for peer in peers:
            ratio = statistics.median(a / b for a, b in zip(rates[ours], rates[peer]))
            self.say(figure, f"{ours} {statistics.median(rates[ours]):,.0f}/s, "
                             f"{peer} {statistics.median(rates[peer]):,.0f}/s: ratio {ratio:.2f}",
                     ratio, at_least=bounds[peer])


def settle(seconds=10):
    """Wait until the processors rest: a slow peer goes on with what it was asked long after its
    clients have left, and the next one's round would pay for that."""
    def busy_and_all():
        with open("/proc/stat", encoding="ascii") as f:
            fields = [int(n) for n in f.readline().split()[1:9]]
        return sum(fields) - fields[3] - fields[4], sum(fields)
    end = time.monotonic() + seconds
    busy, total = busy_and_all()
    while time.monotonic() < end:
        time.sleep(0.2)
        busy_now, total_now = busy_and_all()
        if busy_now - busy < 0.1 * (total_now - total):
            return
        busy, total = busy_now, total_now


def model(name, version="1"):
    return {"name": name, "version": version, "type": "classifier", "sport": "nba",
            "deployment_target": "prod-us-east", "endpoint": "https://nba.prod:8443",
            "labels": {"team": "odds"}, "source": f"s3://models/{name}/{version}",
            "source_digest": "sha256:" + "0" * 64, "training_metrics": {"auc": 0.93},
            "runtime": {"kind": "openinference", "url": "http://10.0.0.7:8080", "model_name": name}}


def register(paddock, name, version="1"):
    """Register a model; its path."""
    made = paddock.ask("POST", f"{API}/registry", model(name, version))
    return f"{API}/registry/{quote(made['model_id'])}"


def lifetime(paddock, path):
    return paddock.ask("GET", path + "/metrics")["lifetime"]["total"]


def answers(run, paddock, path):
    """The real answers to a GET of the model and to a POST of a record."""
    get = Answer(run, "get", *paddock.call("GET", path))
    post = Answer(run, "post", *paddock.call("POST", path + "/inference", RECORD))
    if (get.status, post.status) != (200, 202):
        raise SystemExit(f"paddock answered {get.status} and {post.status}: {post.body!r}")
    return get, post


def section_sketch(run):
    """The percentile sketch alone; its program prints its own figures, with their bounds."""
    subprocess.run([run_binary(run, "sketch")], check=True)


def section_get(run):
    """GET of a model, one loop or worker each, same bytes and headers, access log on."""
    paddock = Paddock(run, threads=1).start()
    path = register(paddock, "nba-props")
    get, post = answers(run, paddock, path)
    evhttp, nginx = Evhttp(run, get, post).start(), Nginx(run, get).start()
    run.compare("GET model", {s.name: lambda s=s: run.wrk(s, path)
                              for s in (paddock, evhttp, nginx)}, {"evhttp": 1.2, "nginx": 0.7})


def section_post(run):
    """One durable record per POST, 64 connections, one loop, against peers that write no disk."""
    paddock = Paddock(run, threads=1).start()
    path = register(paddock, "nba-props")
    get, post = answers(run, paddock, path)
    evhttp = Evhttp(run, get, post).start()
    before = lifetime(paddock, path)

    def measure(server):
        return run.wrk(server, path + "/inference", "record.lua")

    run.compare("durable POST", {s.name: lambda s=s: measure(s) for s in (paddock, evhttp)},
                {"evhttp": 0.6})
    evhttp.stop()

    samples = [12 + i / 1000 for i in range(10_000)]
    tuned = all(importlib.util.find_spec(m) for m in ("uvloop", "httptools", "hiredis"))
    redis = Redis(run).start()
    for label, percentiles, with_extras, bound in (
            ("replaced", False, False, 15), ("replaced, percentiles", True, False, 500),
            ("replaced, tuned", False, True, None),
            ("replaced, tuned, percentiles", True, True, None)):
        if with_extras and not tuned:
            run.say("durable POST", f"{label}: not measured, uvloop, httptools or hiredis missing")
            continue
        peer = FastApiRedis(run, redis, percentiles, with_extras).start()
        peer_path = path.replace(quote("nba-props"), quote(label))
        peer.ask("POST", peer_path + "/inference/preload", samples)
        run.compare("durable POST", {
            "paddock": lambda: measure(paddock),
            label: lambda: run.wrk(peer, peer_path + "/inference", "record.lua",
                                   5 if percentiles else None)}, {label: bound})
        peer.stop()
    run.say("durable POST", f"{lifetime(paddock, path) - before:,} records counted by the server")


def poured(paddock, path, body):
    """What pours in beside selections: 100,000 records a second, and 2,000 outcomes, each its own."""
    units = [{"targetingKey": f"poured-{n}"} for n in range(100)]
    made = paddock.ask("POST", f"{API}/selection/batch", {"route": body["route"], "contexts": units})
    outcomes = ",".join(json.dumps({"decision_id": d["decision_id"], "scores": {"r<n>": 1}})
                        for d in made["decisions"])
    header = "Authorization: Bearer " + paddock.token
    return ({"name": "records", "method": "POST", "path": path + "/inference", "rate": 100,
             "type": "application/x-ndjson", "lines": 1000, "body": LINE, "expect": 202,
             "connections": 4, "header": header},
            {"name": "outcomes", "method": "POST", "path": f"{API}/selection/outcomes", "rate": 20,
             "type": "application/json", "body": f"[{outcomes}]", "expect": 202, "connections": 2,
             "header": header})


def section_selection(run):
    """Selections, one loop, with a token, counters and the access log, beside a server that parses the
    same body and answers the same bytes: three arms by weights, and by a flag's Lua policy."""
    paddock = Paddock(run, threads=1).start()
    for version in ("1", "2", "3"):
        path = register(paddock, "bench", version)
        paddock.ask("POST", path + "/status", {"status": "canary"})
        if version == "1":
            paddock.ask("POST", path + "/status", {"status": "stable"})
    weights = {"a": 60, "b": 30, "c": 10}
    arms = {arm: f"bench:{n}" for n, arm in enumerate(weights, 1)}
    paddock.ask("PATCH", f"{API}/routes/bench", {
        "arms": arms, "strategy": "weighted", "params": {"weights": weights}})
    paddock.ask("PUT", f"{API}/flags/bench", {
        "variants": {arm: arm for arm in arms}, "default_variant": "a", "policy": "percentage",
        "params": {"weights": weights}})
    paddock.ask("POST", f"{API}/routes", {
        "route": "flagged", "match": {"model_name": "bench"}, "arms": arms, "flag": "bench"})
    paddock.token = paddock.ask("POST", f"{API}/tokens", {
        "token_id": "bench", "role": "admin"})["token"]
    get = Answer(run, "get", *paddock.call("GET", path))
    bearer = ("-H", "Authorization: Bearer " + paddock.token)
    for route, figure in (("bench", "selection, weights"), ("flagged", "selection, Lua policy")):
        body = {"route": route, "context": {"targetingKey": "user-1", "country": "ch", "plan": "pro"}}
        post = Answer(run, "post", *paddock.call("POST", f"{API}/selection", body))
        if post.status != 200:
            raise SystemExit(f"paddock answered {post.status}: {post.body!r}")
        evhttp = Evhttp(run, get, post).start()
        best = []

        def measure(server, route=route):
            rate = run.wrk(server, f"{API}/selection", "selection.lua", more=bearer, arguments=[route])
            if server is paddock:
                best.append(rate)
            return rate

        run.compare(figure, {s.name: lambda s=s: measure(s) for s in (paddock, evhttp)},
                    {"evhttp": 1.0})
        half_rate(run, figure, paddock, evhttp, int(statistics.median(best) / 2), {
            "method": "POST", "path": f"{API}/selection", "connections": 16,
            "header": "Authorization: Bearer " + paddock.token, "type": "application/json",
            "body": json.dumps(body).replace("user-1", "user-<n>")}, poured(paddock, path, body))
        evhttp.stop()


def half_rate(run, figure, paddock, evhttp, rate, stream, more):
    """Latencies at a fixed rate, alone, beside what pours in, and of the peer alone: whatever stops
    the machine stops both. A virtual machine's processors that are this busy are stopped for 2 to
    7 ms about a hundredth of the time (traces show the kernel's own threads "running" for that
    long), which makes the p99 of all answers, ours and the peer's, one of the host. So answers that
    met a stop, and those until what had piled up in it is answered (as long again, at half of the
    greatest rate), are told apart."""
    stream = {"name": "half", "rate": rate, **stream}
    kinds = {"": (paddock, (stream,)),
             " beside 100,000 records/s and 2,000 outcomes/s": (paddock, (stream, *more)),
             ", evhttp": (evhttp, ({**stream, "expect": 202},))}  # its one status for POST
    rounds = {what: [] for what in kinds}
    for _ in range(run.rounds):
        for what, (server, streams) in kinds.items():
            settle()
            rounds[what].append(
                run.load(server, 3 if run.short else 5, *streams, warmup=1, probe=True, backlog=1)["half"])
    for what, got in rounds.items():
        p50, p99, p99_all = (statistics.median(g[q] for g in got)
                             for q in ("p50_ms", "p99_ms", "p99_with_all_ms"))
        left_out = sum(g["left_out"] for g in got) / sum(g["sent"] for g in got)
        run.say(figure, f"at half of that, {rate:,}/s{what}: p50 {p50:.2f} ms, p99 {p99:.2f} ms "
                f"(median of {', '.join(format(g['p99_ms'], '.2f') for g in got)}; with the "
                f"{left_out:.1%} that met a stop {p99_all:.2f})",
                p99, at_most=None if what == ", evhttp" else 2)


def section_batch(run):
    """NDJSON batches of 1,000 as fast as they are answered, all cores, all of them durable."""
    paddock = Paddock(run).start()
    path = register(paddock, "nba-props")
    for n in range(1000):
        register(paddock, f"live-{n}")
    batch = {"name": "batch", "method": "POST", "type": "application/x-ndjson", "lines": 1000,
             "connections": 8, "expect": 202}
    rates = {"short": [], "full": []}
    before, sent = lifetime(paddock, path), 0
    for _ in range(run.rounds):
        got = run.load(paddock, run.seconds, {**batch, "path": path + "/inference", "body": LINE})
        rates["short"].append(got["batch"]["lines_per_second"])
        sent += got["batch"]["ok"] * 1000
        got = run.load(paddock, run.seconds, {**batch, "path": API + "/inference",
                                              "body": FULL_LINE})
        rates["full"].append(got["batch"]["lines_per_second"])
    if lifetime(paddock, path) - before != sent:
        raise SystemExit(f"{sent} acknowledged, {lifetime(paddock, path) - before} counted")
    run.say("batches of 1,000", f"{statistics.median(rates['short']):,.0f} durable records/s "
            f"(latency and success, one model)", statistics.median(rates["short"]),
            at_least=3_000_000)
    run.say("batches of 1,000", f"{statistics.median(rates['full']):,.0f} durable records/s "
            f"(model, latency, success, time and a score, 1,000 models)")


def section_paced(run):
    """1,000,000 records/s, paced, with changes of models at the same time."""
    paddock = Paddock(run).start()
    paths = [register(paddock, f"paced-{n}") for n in range(10)]
    template = paths[0].replace("paced-0", "paced-<n%10>")
    got = run.load(
        paddock, 10 if run.short else 60,
        {"name": "batch", "method": "POST", "path": template + "/inference", "body": LINE,
         "type": "application/x-ndjson", "lines": 1000, "rate": 1000, "connections": 16,
         "expect": 202},
        {"name": "patch", "method": "PATCH", "path": template, "rate": 100, "connections": 4,
         "body": '{"description":"change <n>"}'}, warmup=2)
    counted = sum(lifetime(paddock, path) for path in paths)
    if counted != got["batch"]["ok"] * 1000:
        raise SystemExit(f"{got['batch']['ok'] * 1000} acknowledged, {counted} counted")
    for name in ("batch", "patch"):
        r = got[name]
        run.say(f"paced, {name}", f"{got['batch']['lines_per_second']:,.0f} records/s and "
                f"{got['patch']['per_second']:.0f} PATCH/s: {name} p50 {r['p50_ms']:.2f} ms, "
                f"p99 {r['p99_ms']:.2f} ms, p99.9 {r['p999_ms']:.2f} ms, max {r['max_ms']:.1f} ms",
                r["p99_ms"], at_most=15)


def section_models(run):
    """100,000 models: start, memory, pages and searches while records pour in."""
    count = 20_000 if run.short else 100_000
    paddock = Paddock(run).start()
    digits = "".join(f"<n/{10 ** p}%10>" for p in range(4, -1, -1))
    body = json.dumps({**model("bench-<n/10>", "1.0.<n%10>"), "sport": "sport-<n%7>",
                       "deployment_target": "prod-<n%4>", "labels": {"team": "team-<n%50>"},
                       "description": "model number <n>, made for the benchmark",
                       "source_digest": "sha256:" + "0" * 59 + digits})
    got = run.load(paddock, 600, {
        "name": "register", "method": "POST", "path": API + "/registry", "body": body,
        "count": count, "connections": 256, "expect": 201})["register"]
    run.say("models", f"{count:,} registered in {got['seconds']:.1f} s, "
            f"{got['per_second']:,.0f}/s; RSS {paddock.rss_mb():.0f} MB")
    paddock.stop()

    paddock.start()
    run.say("models, start", f"{count:,} models: ready after {paddock.start_seconds:.2f} s",
            paddock.start_seconds, at_most=1.5)
    rss = paddock.rss_mb()
    run.say("models, memory", f"{count:,} models: RSS {rss:.0f} MB", rss, at_most=200)
    page = (f"{API}/registry?type=classifier&sport=sport-<n%7>&deployment_target=prod-<n%4>"
            "&sort=-updated_at&limit=100")
    got = run.load(
        paddock, 5 if run.short else 20,
        {"name": "records", "method": "POST", "path": f"{API}/registry/bench-<n%1000>:1.0.0/inference",
         "type": "application/x-ndjson", "body": LINE, "lines": 1000, "rate": 100,
         "connections": 8, "expect": 202},
        {"name": "page", "path": page, "rate": 50, "connections": 4},
        {"name": "search", "path": f"{API}/registry?q=number+9<n%10>7&limit=100", "rate": 5,
         "connections": 2}, warmup=0.5)
    rate = got["records"]["lines_per_second"]
    for name, bound in (("page", 5), ("search", 50)):
        run.say(f"models, {name}", f"at {rate:,.0f} records/s: p50 {got[name]['p50_ms']:.2f} ms, "
                f"p99 {got[name]['p99_ms']:.2f} ms", got[name]["p99_ms"], at_most=bound)
    run.say("models, memory", f"after the records: RSS {paddock.rss_mb():.0f} MB")


def section_live(run):
    """10,000 models, each with one record a second."""
    count, seconds = 10_000, 10 if run.short else 60
    paddock = Paddock(run).start()
    run.load(paddock, 300, {
        "name": "register", "method": "POST", "path": API + "/registry", "count": count,
        "body": json.dumps(model("live-<n>")), "connections": 256, "expect": 201})
    before = paddock.rss_mb()
    got = run.load(paddock, seconds, {
        "name": "live", "method": "POST", "path": API + "/inference", "rate": count // 1000,
        "type": "application/x-ndjson", "body": '{"model_id":"live-<n>:1","latency_ms":<latency>}',
        "lines": 1000, "variants": count // 1000, "connections": 2, "expect": 202})["live"]
    run.say("live windows", f"{count:,} models at {got['lines_per_second'] / count:.2f} records/s "
            f"each for {seconds} s: RSS {before:.0f} MB before, {paddock.rss_mb():.0f} MB after; "
            f"batch p99 {got['p99_ms']:.1f} ms")


def section_fair(run):
    """A quiet tenant, 100 requests a second, beside one that takes all it can get. Each has a token,
    which is what tells them apart; all come from one address.

    It is the server that shall be fair here, not the kernel between the processes of one machine,
    nor the machine's host: the noise is made by a process that runs when nobody else would, the
    server has a high priority, the quiet client runs before all else (with the server's rank it
    found answers up to 2.7 ms after they were sent, its own wait for a processor), and answers that
    met a pause of a processor (support/pauses.h) are left out of the ratio (all as root).
    """
    seconds = 4 if run.short else 10
    paddock = Paddock(run, arguments=["--access-log", "false"]).start()
    raise_priority(paddock.process.pid, 10)
    path = register(paddock, "nba-props")
    register(paddock, "noisy")
    noisy = f"{API}/registry/noisy:1/inference"
    for tenant in ("admin", "noisy", "quiet"):
        token = paddock.ask("POST", f"{API}/tokens", {"token_id": tenant, "role": "admin"})["token"]
        paddock.token = paddock.token or token  # none is needed before there is one
        if tenant == "noisy":
            shout = "Authorization: Bearer " + token
        whisper = "Authorization: Bearer " + token
    wrk = ["wrk", "-t1", "--timeout", "10s", f"-d{seconds + 4}s", "-H", shout]
    load = [run_binary(run, "load"), "--port", str(paddock.port), "--seconds", str(seconds + 4),
            "--stream", "noise", "--method", "POST", "--path", noisy, "--type",
            "application/x-ndjson", "--body", LINE, "--header", shout, "--expect", "202"]
    noises = {
        "64 connections": [*wrk, "-c64", paddock.url(path)],
        "500 connections": [*wrk, "-c500", paddock.url(path)],
        "pipelined": [*wrk, "-c64", "-s", str(HERE / "wrk" / "pipeline.lua"), paddock.url(path)],
        "durable records": [*wrk, "-c64", "-s", str(HERE / "wrk" / "record.lua"),
                            paddock.url(noisy)],
        "batches of 50,000": [*load, "--lines", "50000", "--connections", "16"],
    }
    quiet = {"name": "quiet", "path": path, "rate": 100, "connections": 4, "header": whisper}
    for name, command in noises.items():
        rounds = [beside_noise(run, paddock, seconds, quiet, command) for _ in range(run.rounds)]
        before, during, rates, left_out = zip(*rounds)
        ratio = statistics.median(b["p99_ms"] / a["p99_ms"] for a, b in zip(before, during))
        p99, p50, p99_all = (tuple(statistics.median(r[q] for r in side) for side in (before, during))
                             for q in ("p99_ms", "p50_ms", "p99_with_all_ms"))
        run.say("quiet beside noisy", f"{name} ({statistics.median(rates):,.0f} requests/s): "
                f"p99 {p99[0]:.2f} ms before, {p99[1]:.2f} during (p50 {p50[0]:.2f}, {p50[1]:.2f}; "
                f"with the {sum(left_out)} of {len(before) * seconds * 200} answers that met a "
                f"pause: p99 {p99_all[0]:.2f}, {p99_all[1]:.2f}): {ratio:.2f} times",
                ratio, at_most=2)


def beside_noise(run, paddock, seconds, quiet, noise):
    """One round: the quiet stream alone and beside `noise`, noisy requests a second, left out."""
    before = run.load(paddock, seconds, quiet, warmup=1, probe=True)["quiet"]
    served = requests_of(paddock)
    process = subprocess.Popen(["chrt", "--idle", "0", *noise], stdout=subprocess.DEVNULL)
    during = run.load(paddock, seconds, quiet, warmup=1, probe=True)["quiet"]
    process.terminate()
    process.wait()
    return (before, during, (requests_of(paddock) - served) / seconds,
            before["left_out"] + during["left_out"])


def section_tls(run):
    """TLS beside nginx, one loop or worker each: full handshakes, and requests on kept connections."""
    certificate = Certificate(run)
    paddock = Paddock(run, threads=1, certificate=certificate).start()
    path = register(paddock, "nba-props")
    get, _ = answers(run, paddock, path)
    nginx = Nginx(run, get, certificate=certificate).start()
    close = ("-H", "Connection: close")
    run.compare("TLS handshakes", {s.name: lambda s=s: run.wrk(s, path, more=close)
                                   for s in (paddock, nginx)}, {"nginx": 0.8})
    run.compare("GET model over TLS", {s.name: lambda s=s: run.wrk(s, path)
                                       for s in (paddock, nginx)}, {"nginx": 0.7})


def raise_priority(pid, by):
    """Every thread of `pid` by so much, so that their order among each other stays."""
    try:
        for task in map(int, os.listdir(f"/proc/{pid}/task")):
            os.setpriority(os.PRIO_PROCESS, task, os.getpriority(os.PRIO_PROCESS, task) - by)
    except PermissionError:
        print("note: not root, so the kernel's scheduling is in the figures", file=sys.stderr)


def requests_of(paddock):
    text = paddock.call("GET", "/metrics")[2].decode()
    return sum(float(line.split()[-1]) for line in text.splitlines()
               if line.startswith("paddock_http_requests_total"))


def section_empty(run):
    """An empty server."""
    paddock = Paddock(run)
    times = []
    for _ in range(5):
        paddock.start()
        times.append(paddock.start_seconds)
        time.sleep(0.2)
        rss = paddock.rss_mb()
        paddock.stop()
    run.say("empty server", f"ready after {statistics.median(times) * 1000:.0f} ms "
            f"(first start {times[0] * 1000:.0f} ms), RSS {rss:.1f} MB")


SECTIONS = {name[len("section_"):]: function for name, function in list(globals().items())
            if name.startswith("section_")}


def main():
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=" ".join(SECTIONS))
    parser.add_argument("--short", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build" / "release")
    parser.add_argument("--keep", action="store_true", help="leave the servers' directories")
    options = parser.parse_args()
    for name in options.sections:
        if name not in SECTIONS:
            parser.error(f"no section {name}: {' '.join(SECTIONS)}")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f} at the start", flush=True)
    run = Run(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the servers on the way out
    try:
        for name in options.sections or SECTIONS:
            SECTIONS[name](run)
            for server in run.running[::-1]:
                server.stop()
    finally:
        run.close(options.keep)
    if options.keep:
        print(f"kept: {run.dir}")
    if run.missed:
        raise SystemExit(f"{run.missed} bounds missed")


main()
