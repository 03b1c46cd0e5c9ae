"""Register all versions in Paddock: 1.0.0 becomes stable (through canary), 2.0.0 and 3.0.0 canaries.

    PADDOCK_URL=http://127.0.0.1:8080 /usr/bin/python3 register.py WORKDIR

What is there already is used as it is, so a second run changes nothing.
"""
import json
import pathlib
import sys

from paddock import Paddock, Problem, quote

NAME = "breast-cancer"
# How each version gets where it belongs, one legal transition after the other.
PATHS = {"1.0.0": ["canary", "stable"], "2.0.0": ["canary"], "3.0.0": ["canary"]}
SLO = {"latency_p95_ms": 50, "latency_p99_ms": 200, "error_rate_ratio": 0.01}


def register(paddock, version, facts, url):
    """Register one version unless it is there; the model as the server has it."""
    runtime = {"kind": "openinference", "url": url, "model_name": NAME, "model_version": version}
    try:
        return paddock.post("/registry", {
            "name": NAME, "version": version, "type": "classifier", "endpoint": url,
            "deployment_target": "localhost", "labels": {"dataset": "sklearn-breast-cancer"},
            "runtime": runtime, **facts})
    except Problem as problem:
        if problem.code != "MODEL_EXISTS":
            raise
    model = paddock.get("/registry/" + quote(f"{NAME}:{version}"))
    if model["source_digest"] != facts["source_digest"]:
        sys.exit(f"{model['model_id']} is registered with another file ({model['source_digest']}): "
                 f"a version never changes, train it under a new number")
    if model["runtime"] != runtime:
        print(f"note: {model['model_id']} is registered with its runtime at "
              f"{model['runtime']['url']}; the model server is now at {url}")
    return model


def promote(paddock, model, path):
    """Walk `model` along the statuses of `path` that it has not reached yet."""
    status = model["status"]
    if status not in ["development", *path]:
        return
    for step in path[path.index(status) + 1 if status in path else 0:]:
        paddock.post(f"/registry/{quote(model['model_id'])}/status",
                     {"status": step, "reason": "breast cancer example"})


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: register.py WORKDIR")
    work = pathlib.Path(sys.argv[1])
    url = (work / "serve.url").read_text().strip()
    paddock = Paddock()
    versions = {v: facts for file in ("models.json", "candidate.json")
                for v, facts in json.loads((work / file).read_text()).items()}
    for version, facts in versions.items():
        model = register(paddock, version, facts, url)
        promote(paddock, model, PATHS[version])
    paddock.patch("/registered-models/" + NAME,
                  {"description": "malignant or benign, from 30 measurements of cell nuclei",
                   "slo": SLO})


main()
