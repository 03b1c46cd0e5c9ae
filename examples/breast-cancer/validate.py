"""Tests for the models, and a night by hand in which they run.

    PADDOCK_URL=http://127.0.0.1:8080 /usr/bin/python3 validate.py WORKDIR

Registers the held-out rows as a dataset and a test case of each of the five types, unless they are
there; the server must allow the directory (--dataset-dirs WORKDIR). Has the stable tested alone
once, so that there is something to compare with, then all versions in one night. Where a night has
tested all of them already, nothing is run.
"""
import json
import pathlib
import sys
import time

from paddock import Paddock, Problem, quote

NAME = "breast-cancer"
STABLE = f"{NAME}:1.0.0"
WAIT_MS = 20000
PATIENCE_S = 900  # nobody waits longer for a night of three models


def ensure(paddock, kind, code, path, body):
    """Register `body` unless its id is there; what is there must be the same."""
    try:
        paddock.post(path, body)
        return
    except Problem as problem:
        if problem.code == "VALIDATION_FAILED" and kind == "dataset_id":
            sys.exit(f"{problem}\n{json.dumps(problem.body.get('errors'))}\n"
                     "start the server with --dataset-dirs and the example's directory")
        if problem.code != code:
            raise
    there = paddock.get(f"{path}/{quote(body[kind])}")
    differing = [key for key in body if there.get(key) != body[key]]
    if differing:
        print(f"note: {body[kind]} is registered with another {', '.join(differing)}")


def tested(paddock, model_id, trigger):
    """The newest run of a model that was started so and is over, or None."""
    runs = paddock.get(f"/validation/history/{quote(model_id)}?trigger={trigger}&limit=10")["items"]
    return next((r for r in runs if r["finished_at"] and r["status"] != "cancelled"), None)


def run_alone(paddock, model_id):
    """Test one model now; its run once it is over."""
    run = paddock.post("/validation/run", {"model_id": model_id, "wait_ms": WAIT_MS})
    until = time.monotonic() + PATIENCE_S
    while not run["finished_at"] and time.monotonic() < until:
        run = paddock.get(f"/validation/runs/{run['run_id']}?wait_ms={WAIT_MS}")
    return run


def night(paddock):
    """Test all canary and stable models now; back when that is done."""
    try:
        batch = paddock.call("POST", "/validation/nightly")["batch_id"]
    except Problem as problem:
        if problem.code != "NIGHTLY_RUNNING":
            raise
        batch = problem.body["batch_id"]
    until = time.monotonic() + PATIENCE_S
    while paddock.get(f"/validation/nightly/{batch}")["state"] != "done":
        if time.monotonic() > until:
            sys.exit(f"the night {batch} is not over after {PATIENCE_S} s")
        time.sleep(0.1)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: validate.py WORKDIR")
    work = pathlib.Path(sys.argv[1])
    paddock = Paddock()
    ensure(paddock, "dataset_id", "DATASET_EXISTS", "/datasets",
           json.loads((work / "dataset.json").read_text()))
    for body in json.loads((work / "tests.json").read_text()):
        ensure(paddock, "test_id", "TEST_CASE_EXISTS", "/validation/tests", body)
    models = paddock.get(f"/registry?name={NAME}&status=canary,stable")["items"]
    if all(tested(paddock, m["model_id"], "nightly") for m in models):
        print("a night has tested all versions already")
        return
    if not tested(paddock, STABLE, "manual"):
        run = run_alone(paddock, STABLE)
        print(f"{STABLE}: tested alone, {run['status']}: what the others are compared with")
    night(paddock)


main()
