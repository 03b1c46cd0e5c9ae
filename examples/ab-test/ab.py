"""Two A/B tests of the breast cancer versions under real traffic, decided by Paddock alone.

    PADDOCK_URL=http://127.0.0.1:8080 /usr/bin/python3 ab.py WORKDIR

Each request asks Paddock which version serves this user, sends a held-out row, drawn afresh, to that
version's model server, and records what happened under the id of the decision. 2.0.0 against 1.0.0
is promoted by its evidence; 3.0.0 (trained badly) against 2.0.0 is rolled back. A test that has been
decided is not run again.
"""
import json
import pathlib
import sys
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "breast-cancer"))
from paddock import Paddock, Problem, quote  # noqa: E402
from replay import Runtime, record  # noqa: E402

NAME = "breast-cancer-ab"
BATCH = 100
PATIENCE = 300  # seconds without a decision
# Short steps for a demonstration; days are usual. The latency margin is wide, for this machine does
# other things beside: a version is worse if its p95 more than doubles.
PLAN = {"control": "old", "treatments": ["new"], "steps_percent": [10, 50, 100],
        "step_min_seconds": 5, "warmup_seconds": 1, "min_samples": 500,
        "metrics": [{"name": "error_rate"}, {"name": "latency_p95", "margin_ratio": 1},
                    {"name": "score:brier", "direction": "lower", "margin_abs": 0.02}]}


def register(paddock, version, facts, url, statuses):
    try:
        paddock.post("/registry", {"name": NAME, "version": version, "type": "classifier",
                                   "endpoint": url, **facts})
    except Problem as problem:
        if problem.code != "MODEL_EXISTS":
            raise
        return
    for status in statuses:
        paddock.post(f"/registry/{quote(NAME + ':' + version)}/status",
                     {"status": status, "reason": "A/B example"})


class Traffic:
    """Users who come one after the other, each with a row drawn afresh."""

    def __init__(self, paddock, work):
        holdout = np.load(work / "holdout.npz")
        self.rows, self.labels = holdout["rows"].tolist(), holdout["labels"].tolist()
        self.runtime = Runtime((work / "serve.url").read_text().strip())
        self.paddock, self.draw, self.users = paddock, np.random.default_rng(), 0

    def flow(self):
        contexts = [{"targetingKey": f"user-{self.users + i}"} for i in range(BATCH)]
        self.users += BATCH
        decisions = self.paddock.post("/selection/batch", {"route": NAME, "contexts": contexts})
        entries = []
        for decision in decisions["decisions"]:
            at = self.draw.integers(len(self.rows))
            entry = record(self.runtime, decision["version"], self.rows[at], self.labels[at])
            entries.append({**entry, "model_id": decision["model_id"],
                            "decision_id": decision["decision_id"]})
        lines = "".join(json.dumps(e, separators=(",", ":")) + "\n" for e in entries)
        self.paddock.post("/inference", lines.encode())


def start(paddock, key):
    """Begin the experiment unless it is there; True if it was begun."""
    try:
        paddock.post("/experiments", {"key": key, "route": NAME, **PLAN})
    except Problem as problem:
        if problem.code != "EXPERIMENT_EXISTS":
            raise
        return False
    paddock.post(f"/experiments/{key}/start", {"reason": "A/B example"})
    return True


def decide(paddock, traffic, key):
    """Traffic until the experiment is over; each decision is printed as it comes."""
    told, end = 0, time.monotonic() + PATIENCE
    while True:
        experiment = paddock.get(f"/experiments/{key}")
        for decision in experiment["decisions"][told:]:
            print(f"  {decision['at'][11:19]}  {decision['sentence']}", flush=True)
            told, end = told + 1, time.monotonic() + PATIENCE
        if experiment["state"] not in ("running", "paused"):
            return
        if time.monotonic() > end:
            sys.exit(f"{key}: no decision in {PATIENCE} s: {experiment['sentence']}")
        traffic.flow()


def number(arm):
    return "-" if arm["estimate"] is None else f"{arm['estimate']:.4g}"


def show(paddock, key):
    analysis = paddock.get(f"/experiments/{key}/analysis")
    print(f"  {key}: {analysis['experiment']['state']}")
    evidence = analysis["evidence"]
    print(f"    requests: {evidence['control_requests']} control, "
          f"{evidence['treatment_requests']} treatment, {evidence['looks']} looks")
    for metric in evidence["metrics"]:
        print(f"    {metric['name']:<12} {metric['state']:<10} control {number(metric['control'])}, "
              f"treatment {number(metric['treatment'])}")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: ab.py WORKDIR")
    work = pathlib.Path(sys.argv[1])
    url = (work / "serve.url").read_text().strip()
    models = {v: facts for file in ("models.json", "candidate.json")
              for v, facts in json.loads((work / file).read_text()).items()}
    paddock = Paddock()
    traffic = Traffic(paddock, work)
    register(paddock, "1.0.0", models["1.0.0"], url, ["canary", "stable"])
    for key, old, new in (("ab-2.0.0", "1.0.0", "2.0.0"), ("ab-3.0.0", "2.0.0", "3.0.0")):
        register(paddock, new, models[new], url, ["canary"])
        print(f"\n{new} against {old}")
        if not paddock.get(f"/experiments?route={NAME}")["items"]:
            paddock.call("PUT", f"/routes/{NAME}", {
                "arms": {"old": f"{NAME}@stable", "new": f"{NAME}@canary"},
                "strategy": "weighted", "params": {"weights": {"old": 100, "new": 0}}})
        if start(paddock, key):
            decide(paddock, traffic, key)
        show(paddock, key)
    print("\nWhat became of them")
    for version in models:
        model = paddock.get("/registry/" + quote(f"{NAME}:{version}"))
        held = f", held: {model['hold']['reason']}" if model["hold"] else ""
        print(f"  {model['model_id']}  {model['status']}{held}")


main()
