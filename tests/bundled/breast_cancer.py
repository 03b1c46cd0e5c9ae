"""The real thing: examples/breast-cancer trained, its five test cases run on its three versions,
through XGBoost's C API and through its Open Inference server, compared with scikit-learn."""
import json
import math
import os
import pathlib
import subprocess
import sys
import time

import jobs

PYTHON = "/usr/bin/python3"  # Debian's, which has the libraries
EXAMPLE = pathlib.Path(os.environ["PADDOCK_SOURCE"]) / "examples/breast-cancer"

TRUTH = """
import json, sys, numpy as np, xgboost
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score
h = np.load(sys.argv[1] + "/holdout.npz")
out = {}
for v in ("1.0.0", "2.0.0", "3.0.0"):
    b = xgboost.Booster({"nthread": 1}, model_file=f"{sys.argv[1]}/{v}.json")
    p = b.inplace_predict(h["rows"]).astype(float)
    out[v] = {"accuracy": accuracy_score(h["labels"], p >= 0.5), "auc": roc_auc_score(h["labels"], p),
              "log_loss": log_loss(h["labels"], p), "brier": brier_score_loss(h["labels"], p)}
print(json.dumps(out))
"""

if subprocess.run([PYTHON, "-c", "import sklearn, xgboost"], stderr=subprocess.DEVNULL).returncode:
    print("python3-sklearn or python3-xgboost is missing")
    sys.exit(77)
if not os.path.exists(jobs.plugin("xgboost")):
    print("libxgboost-dev is missing")
    sys.exit(77)

r = jobs.Runner()
work = pathlib.Path(r.dir)
subprocess.run([PYTHON, "-B", str(EXAMPLE / "train.py"), str(work)], check=True)
truth = json.loads(subprocess.run([PYTHON, "-c", TRUTH, str(work)], check=True,
                                  stdout=subprocess.PIPE).stdout)
server = subprocess.Popen([PYTHON, "-B", str(EXAMPLE / "serve.py"), str(work)])
try:
    while not (work / "serve.pid").exists():
        if server.poll() is not None:
            raise SystemExit("the model server does not start")
        time.sleep(0.05)
    url = (work / "serve.url").read_text().strip()
    cases = {c["type"]: c for c in json.loads((work / "tests.json").read_text())}
    data = json.loads((work / "dataset.json").read_text())
    holdout = [{"name": data["dataset_id"], "path": str(work / "holdout.csv"),
                "sha256": data["sha256"], "format": "csv", "label": data["label_column"]}]
    # Here it is only about working: the time that a busy machine takes is no matter.
    cases["performance"]["config"].update({"requests": 60, "rounds": 3, "limits": {}})
    cases["smoke"]["config"]["limit_ms"] = 60000

    def runtime(kind, version):
        if kind == "xgboost":
            return {"kind": kind, "path": f"{work}/{version}.json"}
        return {"kind": kind, "url": url, "model_name": "breast-cancer", "model_version": version}

    def run(kind, name, version, baseline=None):
        return r.run(name, cases[name]["config"], runtime(kind, version),
                     runtime(kind, baseline) if baseline else None,
                     holdout if cases[name]["datasets"] else ())

    for kind in ("xgboost", "openinference"):
        for version, baseline in (("1.0.0", None), ("2.0.0", "1.0.0")):
            for name in ("smoke", "unit", "integration", "performance"):
                r.expect(f"{kind} {version} {name}", run(kind, name, version, baseline), "passed")
        for version in truth:
            result = r.expect(f"{kind} {version} scores", run(kind, "regression", version), "passed")
            for score, value in truth[version].items():
                r.check(f"{kind} {version} {score}", math.isclose(
                    jobs.measured(result, score)["value"], value, rel_tol=1e-6))
        # Better than the stumps, and the candidate truly worse: said so, with all its pairs.
        r.expect(f"{kind}: better", run(kind, "regression", "2.0.0", "1.0.0"), "passed",
                 "baseline.accuracy=ok", "baseline.auc=ok")
        worse = r.expect(f"{kind}: worse", run(kind, "regression", "3.0.0", "2.0.0"), "passed",
                         "baseline.accuracy=warn", "baseline.mcnemar=warn", "baseline.auc=warn",
                         "baseline.brier=warn", "baseline.log_loss=warn")
        r.check(f"{kind}: pairs", all(m["paired"] and m["samples"] == 171
                                      for m in worse["measurements"]))
        cases["regression"]["config"]["baseline"] = "fail"
        r.expect(f"{kind}: fails", run(kind, "regression", "3.0.0", "2.0.0"), "failed",
                 "baseline.accuracy=FAIL")
        del cases["regression"]["config"]["baseline"]

    # What is no model, or not where it may be.
    r.file("rubbish.json", "{\"learner\":")
    for what, config, part in [
        ("no file", {"path": f"{work}/none.json"}, "none.json"),
        ("rubbish", {"path": f"{work}/rubbish.json"}, "XGBoost cannot load the model"),
        ("relative", {"path": "1.0.0.json"}, "'path' must be absolute"),
        ("elsewhere", {"path": f"{work}/1.0.0.json", "directories": ["/usr"]},
         "below a directory that the server's configuration allows"),
    ]:
        r.expect(what, r.run("smoke", {}, {"kind": "xgboost", **config}), "error", part)
    r.expect("allowed", r.run("smoke", {"limit_ms": 60000}, {
        **runtime("xgboost", "1.0.0"), "directories": [str(work)]}), "passed")
finally:
    server.terminate()
    server.wait(30)
r.end()
