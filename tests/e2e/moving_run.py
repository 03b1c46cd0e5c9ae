"""A whole store moves, and everything is as it was."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import redis_server
from paddock_server import Server

BIN = os.environ["PADDOCK_BIN"]
CLEAN = {k: v for k, v in os.environ.items() if k != "MODEL_REGISTRY_REDIS_URL"}
MODELS = 12


def check(what, good):
    if not good:
        raise SystemExit("FAILED " + what)
    print("ok     " + what, flush=True)


def run(*words, **more):
    return subprocess.run([BIN, *words], env=CLEAN, capture_output=True, text=True, timeout=120,
                          **more)


def verified(what, *place):
    done = run("audit", "verify", *place)
    check(f"the journal is whole {what}: {done.stdout.strip()}{done.stderr.strip()}",
          done.returncode == 0 and done.stdout.startswith("OK: "))
    return done.stdout


# --- what there is to move ---

def fill(s):
    for i in range(MODELS):
        s.call("POST", "~/registry", {
            "name": f"m{i % 4}", "type": "classifier", "description": "Grüße \" \\ \n " * 9},
            {"Idempotency-Key": f"key-{i}"})
        records = [{"latency_ms": 1 + (i * 37 + k * k) % 900, "success": k % 9 > 0}
                   for k in range(300)]
        reply = s.call("POST", f"~/registry/m{i % 4}:{i // 4 + 1}/inference", records)
        check(f"records of model {i} are taken {reply.status}", reply.status == 202)
    check("a model is changed", s.call("PATCH", "~/registry/m1:2", {"description": "changed"},
                                      {"Content-Type": "application/merge-patch+json"}).status
          == 200)
    check("a name is described", s.call("POST", "~/registered-models", {
        "name": "nfl", "labels": {"team": "odds"}}).status == 201)
    reply = s.call("POST", "~/tokens", {"token_id": "admin", "role": "admin"})
    check("a token is made", reply.status == 201)
    s.token = reply.json["token"]
    return keyed(s)


def keyed(s):
    return s.call("POST", "~/registry", {"name": "keyed", "type": "other"},
                  {"Idempotency-Key": "once"}).text


def answers(s):
    """What anybody can ask, without what depends on the moment."""
    paths = ["~/registry?limit=100", "~/audit?limit=100", "~/webhooks", "~/tokens", "~/registered-models"]
    for i in range(MODELS):
        model = f"~/registry/m{i % 4}:{i // 4 + 1}"
        paths += [model, model + "/metrics?window=24h", model + "/audit"]
    out = {}
    for path in paths:
        reply = s.call("GET", path)
        text = re.sub(r'"(as_of|from|to|now|at|evaluated_at|generated_at)":"[^"]*"', '""',
                      reply.text)
        text = re.sub(r'"(age_seconds|seconds_since\w*)":[0-9.]+', '""', text)
        out[path] = (reply.status, text)
    check(f"all is answered {[p for p, a in out.items() if a[0] != 200]}",
          all(status == 200 for status, _ in out.values()))
    return out


def same(what, before, after):
    for path, answer in before.items():
        if after[path] != answer:
            print("before", answer[1][:3000], "\nafter ", after[path][1][:3000])
            raise SystemExit(f"FAILED {what}: GET {path}")
    check(f"{what}: {len(before)} answers are the same", True)


# --- files that are not whole ---

def refused(what, text, mentions, into):
    with tempfile.NamedTemporaryFile("wb", suffix=".ndjson") as f:
        f.write(text)
        f.flush()
        done = run("import", f.name, *into)
    check(f"{what} is refused: {done.stderr.strip()}",
          done.returncode != 0 and all(m in done.stderr for m in mentions))


def damage(export, into):
    lines = export.splitlines(keepends=True)
    middle = len(lines) // 2
    at = sum(map(len, lines[:middle])) + len(lines[middle]) // 2
    flipped = bytearray(export)
    flipped[at] ^= 1
    refused("an export cut in a line", export[:at], [f"line {middle + 1}:", "middle"], into)
    refused("an export without its end", b"".join(lines[:-1]), [f"line {len(lines)}:", "short"],
            into)
    refused("an export with a bit turned", bytes(flipped), [f"line {middle + 1}:", "damaged"], into)
    refused("an export without a line", b"".join(lines[:5] + lines[6:]), ["line 6:"], into)
    refused("an export of the future", export.replace(b'"format":1', b'"format":9', 1),
            ["line 1:", "newer"], into)
    refused("no export", b"hello\n", ["line 1:"], into)
    refused("nothing", b"", ["line 1:"], into)
    refused("an export and more", export + b"{}\n", ["follows the end"], into)


# --- imports that are killed ---

def killed(path, dir, into):
    """Stop it in the middle: it reads from a pipe that gives half and then waits."""
    with open(path, "rb") as f:
        export = f.read()
    p = subprocess.Popen([BIN, "import", "-", *into], env=CLEAN, stdin=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    p.stdin.write(export[:len(export) * 3 // 4])
    p.stdin.flush()
    end = time.monotonic() + 30
    while not os.path.exists(dir + "/incomplete") and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.2)  # so that some of it is written; nothing depends on how much
    p.kill()
    p.wait()
    p.stdin.close()
    done = run("serve", "--listen", "127.0.0.1:0", *into)
    check(f"no server starts on half an import: {done.stderr.strip()[-200:]}",
          done.returncode == 2 and "incomplete" in done.stderr)


def start_on(server, dir, *settings):
    """The same test server, on another directory."""
    shutil.rmtree(server.dir + "/data", ignore_errors=True)
    os.rename(dir, server.dir + "/data")
    server.settings = settings
    server.start()


# --- backups of a server that is written to ---

class Writer(threading.Thread):
    """Registers w:1, w:2, ... and gives each ten records, until it is told to stop."""

    def __init__(self, s):
        super().__init__()
        self.s, self.registered, self.recorded, self.sent, self.over = s, 0, 0, 0, False

    def run(self):
        while not self.over:
            self.sent += 1
            reply = self.s.call("POST", "~/registry", {"name": "w", "type": "other"})
            self.registered += reply.status == 201
            reply = self.s.call("POST", "~/inference", [
                {"model_id": f"w:{self.sent}", "latency_ms": self.sent + i} for i in range(10)])
            self.recorded += reply.status == 202

    def wait_past(self, n):
        end = time.monotonic() + 60
        while self.recorded < n and time.monotonic() < end:
            time.sleep(0.005)


def restored(copy, least, most, s, original):
    """What had been acknowledged before the backup began is in it; nothing is half there."""
    verified("in the backup", "--data-dir", copy)
    start_on(s, copy)
    versions = s.call("GET", "~/registered-models/w").json["versions"]
    totals = [s.call("GET", f"~/registry/w:{i + 1}/metrics").json["lifetime"]["total"]
              for i in range(versions)]
    check(f"{least} pairs were acknowledged, {versions} models and {sum(totals)} records are in "
          f"the backup, {most} were asked for", least <= versions <= most)
    # The log ends a moment before the registry: only the newest may lack records.
    whole = totals.index(0) if 0 in totals else len(totals)
    check("the records are those of the oldest models", whole >= least and
          totals == [10] * whole + [0] * (versions - whole))
    check("and it goes on from there", s.call("POST", "~/registry", {
        "name": "w", "type": "other"}).json["model_id"] == f"w:{versions + 1}")
    same("in the backup", original, answers(s))
    s.stop()


def backups(s, d):
    original = {path: a for path, a in answers(s).items() if "metrics" in path}
    writer, copies = Writer(s), []
    writer.start()
    try:
        for i in range(3):
            writer.wait_past(writer.recorded + 20)
            copy, least = f"{d}/backup{i}", writer.recorded
            done = run("backup", copy, "--data-dir", s.dir + "/data")
            check(f"backup {i} beside the server {done.stderr}", done.returncode == 0)
            copies.append((copy, least, writer.sent))
    finally:
        writer.over = True
        writer.join()
    done = run("backup", copies[0][0], "--data-dir", s.dir + "/data")
    check("a backup overwrites nothing: " + done.stderr.strip(), done.returncode == 2)
    s.stop()
    for copy, least, most in copies:
        restored(copy, least, most, s, original)


def main():
    if not redis_server.there():
        raise SystemExit(77)
    with Server() as s, redis_server.Redis() as redis, tempfile.TemporaryDirectory() as d:
        kept = fill(s)
        before = answers(s)
        s.stop()
        first, second = d + "/first.ndjson", d + "/second.ndjson"
        embedded = ["--data-dir", s.dir + "/data"]
        done = run("export", first, *embedded)
        check("exported: " + done.stderr.strip(), done.returncode == 0)
        done = run("export", first, *embedded)
        check("an export overwrites nothing", done.returncode == 2)
        done = run("import", first, *embedded)
        check("nothing is imported into a store: " + done.stderr.strip(),
              done.returncode == 2 and "not empty" in done.stderr)
        with open(first, "rb") as f:
            export = f.read()

        there, node = d + "/there", d + "/node"
        done = run("import", d, "--data-dir", there)
        check("a directory is no export, and nothing is made: " + done.stderr.strip(),
              done.returncode == 2 and "directory" in done.stderr and not os.path.exists(there))
        damage(export, ["--data-dir", there])
        check("and nothing of them is left", os.listdir(there) == ["paddock.lock"])
        on_redis = ["--data-dir", node, "--redis-url", redis.url]
        refused("an export without its end", export[:export.rindex(b'{"kind":"end"')],
                ["short"], on_redis)
        check("nor on Redis", ":0" in redis.say("EXISTS", "paddock:{c}:entities",
                                                "paddock:{c}:journal", "paddock:{c}:series"))
        killed(first, there, ["--data-dir", there])
        killed(first, node, on_redis)
        done = run("serve", "--listen", "127.0.0.1:0", "--data-dir", d + "/other", *on_redis[2:])
        check(f"nor with another directory: {done.stderr.strip()[-200:]}",
              done.returncode == 2 and "not finished" in done.stderr)

        done = run("import", first, *on_redis)
        check("imported into Redis: " + done.stderr.strip(), done.returncode == 0)
        verified("on Redis", "--redis-url", redis.url)
        start_on(s, node, "--redis-url", redis.url)
        same("on Redis", before, answers(s))
        verified("on Redis, beside its server", "--redis-url", redis.url)
        check("a kept answer is given again", keyed(s) == kept)
        check("uids go on", s.call("POST", "~/registry", {"name": "new", "type": "other"}).status
              == 201)
        before = answers(s)
        s.stop()

        done = run("export", second, "--data-dir", s.dir + "/data", "--redis-url", redis.url)
        check("exported from Redis: " + done.stderr.strip(), done.returncode == 0)
        done = run("import", second, "--data-dir", there)
        check("imported into an embedded store: " + done.stderr.strip(), done.returncode == 0)
        verified("in the embedded store", "--data-dir", there)
        start_on(s, there)
        same("back in an embedded store", before, answers(s))
        backups(s, d)


if __name__ == "__main__":
    main()
