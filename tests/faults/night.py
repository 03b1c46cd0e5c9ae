"""kill -9 in the middle of a night: a restart finishes it, and every stored run is whole.

The server is killed at a random moment of the night, KILLS times in the same night if it lasts long
enough, else in further ones. Then each model has exactly one run of each night, with its result and
its last attempt at an end, and the journal's chain holds."""
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import time

from paddock_server import BASE, Server

MODELS = 12
PATIENCE_S = 240  # a run of a node that is gone is taken over after 15 s
ANSWER = ('i=0; while read -r l; do i=$((i+1)); case "$l" in '
          '*metadata*) echo "{\\"id\\":$i,\\"name\\":\\"s\\",'
          '\\"inputs\\":[{\\"name\\":\\"x\\",\\"datatype\\":\\"FP64\\",\\"shape\\":[1]}],'
          '\\"outputs\\":[{\\"name\\":\\"y\\",\\"datatype\\":\\"FP64\\",\\"shape\\":[1]}]}";; '
          '*infer*) sleep 0.2; echo "{\\"id\\":$i,\\"outputs\\":[{\\"name\\":\\"y\\",'
          '\\"datatype\\":\\"FP64\\",\\"shape\\":[1],\\"data\\":[1]}]}";; '
          '*) echo "{\\"id\\":$i}";; esac; done')


def call(server, method, path, body=None, wanted=(200, 201, 202)):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, BASE + path, json.dumps(body) if body is not None else None,
                       {"Content-Type": "application/json"} if body is not None else {})
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    if reply.status not in wanted:
        sys.exit(f"{method} {path}: {reply.status} {text.decode()}")
    return json.loads(text)


def fill(server):
    for i in range(MODELS):
        call(server, "POST", "/registry", {
            "name": f"m{i}", "version": "1", "type": "classifier",
            "runtime": {"kind": "exec", "command": ["/bin/sh", "-c", ANSWER]}})
        call(server, "POST", f"/registry/m{i}:1/status", {"status": "canary"})
        call(server, "POST", "/validation/tests", {
            "test_id": f"alive-{i}", "model_name": f"m{i}", "type": "smoke", "timeout_ms": 120000,
            "config": {"limit_ms": 60000}})


def kill(server):
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    server.start()


def done(server, batch):
    return call(server, "GET", f"/validation/nightly/{batch}")["state"] == "done"


def night(server, kills):
    """One night; how many kills were in it."""
    batch = call(server, "POST", "/validation/nightly")["batch_id"]
    made, until = 0, time.monotonic() + PATIENCE_S
    while not done(server, batch):
        if time.monotonic() > until:
            sys.exit(f"the night {batch} does not end")
        time.sleep(random.uniform(0.05, 1.0))
        if made < kills and not done(server, batch):
            kill(server)
            made += 1
    check(server, batch)
    return made


def check(server, batch):
    night_now = call(server, "GET", f"/validation/nightly/{batch}?limit=1000")
    items, counts = night_now["items"], night_now["runs"]
    models = sorted(r["model_id"] for r in items)
    if models != sorted(f"m{i}:1" for i in range(MODELS)):
        sys.exit(f"not one run of each model: {models}")
    if (counts["total"], counts["passed"]) != (MODELS, MODELS):
        sys.exit(f"counts: {counts}")
    for item in items:
        run = call(server, "GET", f"/validation/runs/{item['run_id']}")
        whole = (run["status"] == "passed" and run["complete"] and run["finished_at"]
                 and len(run["results"]) == 1 and run["results"][0]["status"] == "passed"
                 and run["results"][0]["measurements"] and run["attempts"][-1]["end"] == "done"
                 and all(a["end"] == "node_lost" for a in run["attempts"][:-1]))
        if not whole:
            sys.exit(f"not whole: {json.dumps(run)}")


def main():
    wanted, kills, nights = int(sys.argv[1]), 0, 0
    server = Server("--exec-dirs", "/bin")
    try:
        fill(server)
        while kills < wanted:
            kills += night(server, wanted - kills)
            nights += 1
        server.stop()
        subprocess.run([os.environ["PADDOCK_BIN"], "audit", "verify", "--data-dir",
                        server.dir + "/data"], check=True)
    finally:
        if server.process and server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        subprocess.run(["rm", "-rf", server.dir], check=False)
    print(f"{kills} kills in {nights} nights of {MODELS} models: every run is whole")


main()
