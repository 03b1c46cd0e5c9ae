"""Send the held-out rows to the application, wait until they are reported, show what Paddock has.

    PADDOCK_URL=... /usr/bin/python3 traffic.py APP_URL WORKDIR
"""
import http.client
import json
import pathlib
import sys
import time
import urllib.parse

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "breast-cancer"))
from paddock import Paddock, quote  # noqa: E402

MODEL_ID = "breast-cancer:2.0.0"


def call(app, method, path, body=None):
    app.request(method, path, json.dumps(body) if body else None,
                {"Content-Type": "application/json"})
    reply = app.getresponse()
    return reply.status, json.loads(reply.read())


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: traffic.py APP_URL WORKDIR")
    parts = urllib.parse.urlsplit(sys.argv[1])
    app = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    paddock = Paddock()
    path = f"/registry/{quote(MODEL_ID)}/metrics"
    before = paddock.get(path)["lifetime"]["total"]

    rows = np.load(pathlib.Path(sys.argv[2]) / "holdout.npz")["rows"].tolist()
    for row in rows:
        status, answer = call(app, "POST", "/predict", {"row": row})
        if status != 200:
            sys.exit(f"/predict answered {status}: {answer}")
    status, _ = call(app, "POST", "/predict", {"row": rows[0][:3]})
    print(f"{len(rows)} rows answered; a row of three columns was refused with {status}")

    deadline = time.monotonic() + 10
    while call(app, "GET", "/reporting")[1]["sent"] < len(rows):
        if time.monotonic() > deadline:
            sys.exit(f"not reported within 10 s: {call(app, 'GET', '/reporting')[1]}")
        time.sleep(0.1)
    print("reporting:", call(app, "GET", "/reporting")[1])

    seen = paddock.get(path)
    if seen["lifetime"]["total"] - before != len(rows):
        sys.exit(f"Paddock counts {seen['lifetime']['total'] - before} new records")
    latency = seen["latency_ms"]
    print(f"{MODEL_ID} in Paddock: {seen['inferences']['total']} inferences in the last "
          f"{seen['window']}, p50 {latency['p50']:.2f} ms, p95 {latency['p95']:.2f} ms, "
          f"p99 {latency['p99']:.2f} ms, mean confidence {seen['scores']['confidence']['mean']:.4f}")


main()
