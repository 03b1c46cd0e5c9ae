"""Replay the held-out rows as traffic through both versions and record what really happened.

    PADDOCK_URL=http://127.0.0.1:8080 /usr/bin/python3 replay.py WORKDIR

Each row is one HTTP request to the model server; its record in Paddock carries the measured latency,
whether it succeeded, and, since the true label is known, the Brier score, log loss and accuracy of
the answer. Records go to Paddock in batches of NDJSON. A version that has this much traffic in the
last hour already is not sent more.
"""
import http.client
import json
import math
import pathlib
import sys
import time
import urllib.parse

import numpy as np

from paddock import Paddock, quote

NAME = "breast-cancer"
PASSES = 6  # over 171 rows: a thousand records, enough for a p99
BATCH = 200


class Runtime:
    """A client of the Open Inference Protocol: one keep-alive connection."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.http = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)

    def infer(self, version, row):
        """The probability that one row is benign, and the milliseconds that took."""
        body = json.dumps({"inputs": [{"name": "input", "datatype": "FP32",
                                       "shape": [1, len(row)], "data": row}]})
        start = time.perf_counter()
        self.http.request("POST", f"/v2/models/{NAME}/versions/{version}/infer", body,
                          {"Content-Type": "application/json"})
        reply = self.http.getresponse()
        data = reply.read()
        latency_ms = (time.perf_counter() - start) * 1000
        if reply.status != 200:
            return None, latency_ms, f"http_{reply.status}"
        return json.loads(data)["outputs"][0]["data"][0], latency_ms, None


def record(runtime, version, row, label):
    """One inference, and the record of it."""
    entry = {"timestamp": int(time.time() * 1000)}
    start = time.perf_counter()
    try:
        guess, entry["latency_ms"], error = runtime.infer(version, row)
    except OSError as fault:
        runtime.http.close()
        guess, error = None, type(fault).__name__
        entry["latency_ms"] = (time.perf_counter() - start) * 1000
    entry["success"] = error is None
    if error:
        entry["error_type"] = error
        return entry
    right = guess if label else 1 - guess  # the probability given to the true class
    entry["scores"] = {"brier": (1 - right) ** 2, "log_loss": -math.log(max(right, 1e-15)),
                       "accuracy": float(right > 0.5)}
    return entry


def send(paddock, model_id, entries):
    lines = "".join(json.dumps(e, separators=(",", ":")) + "\n" for e in entries)
    return paddock.post(f"/registry/{quote(model_id)}/inference", lines.encode())["accepted"]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: replay.py WORKDIR")
    work = pathlib.Path(sys.argv[1])
    holdout = np.load(work / "holdout.npz")
    rows, labels = holdout["rows"].tolist(), holdout["labels"].tolist()
    versions = json.loads((work / "models.json").read_text())
    paddock = Paddock()
    runtime = Runtime((work / "serve.url").read_text().strip())

    ids = {v: f"{NAME}:{v}" for v in versions}
    seen = {v: paddock.get(f"/registry/{quote(ids[v])}/metrics?window=1h")["inferences"]["total"]
            for v in versions}
    due = [v for v in versions if seen[v] < PASSES * len(rows)]
    waiting = {v: [] for v in due}
    for row, label in zip(rows * PASSES, labels * PASSES):
        for version in due:  # row by row, so that both meet the same moments of this machine
            waiting[version].append(record(runtime, version, row, label))
            if len(waiting[version]) == BATCH:
                send(paddock, ids[version], waiting[version])
                waiting[version] = []
    for version in due:
        if waiting[version]:
            send(paddock, ids[version], waiting[version])
    for version in due:
        print(f"{ids[version]}: {PASSES * len(rows)} requests sent through the model server")


if __name__ == "__main__":
    main()
