"""Train three versions of one model on scikit-learn's bundled breast cancer data set.

    /usr/bin/python3 train.py WORKDIR

writes into WORKDIR: 1.0.0.json, 2.0.0.json and 3.0.0.json (XGBoost's own format), holdout.npz and
holdout.csv (the rows that no model has seen), models.json (what the registry wants to know of 1.0.0
and 2.0.0: digest, training metrics, signature), candidate.json (the same of 3.0.0), dataset.json
and tests.json (the bodies that register the dataset and the five test cases). A directory that
already holds them is left as it is. Every number is measured: the training metrics are the means of
a 5-fold cross-validation on the rows that the version was given.

3.0.0 is truly worse: it was trained on 48 rows only, and a join that had slipped gave a third of
them the label of another row.
"""
import hashlib
import json
import pathlib
import sys

import cases
import numpy as np
import xgboost
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold, train_test_split

SEED = 20  # one seed for the splits and the trees, so that a second training gives the same bytes
VERSIONS = {
    "1.0.0": {"description": "five stumps: the first thing that worked",
              "trees": 5, "params": {"max_depth": 1, "eta": 0.3}},
    "2.0.0": {"description": "150 boosted trees of depth 3, rows and columns sampled",
              "trees": 150, "params": {"max_depth": 3, "eta": 0.1, "subsample": 0.8,
                                       "colsample_bytree": 0.5}},
    "3.0.0": {"description": "60 boosted trees of depth 4 on the newest export",
              "trees": 60, "params": {"max_depth": 4, "eta": 0.3}},
}
CANDIDATE = "3.0.0"
CANDIDATE_ROWS = 48


def slipped(rows, labels):
    """The newest export: few rows, and every third label is the one of the row before."""
    wrong = labels.copy()
    wrong[1::3] = labels[0::3][:len(wrong[1::3])]
    return rows[:CANDIDATE_ROWS], wrong[:CANDIDATE_ROWS]


def fit(version, rows, labels):
    params = {"objective": "binary:logistic", "tree_method": "exact", "seed": SEED, "nthread": 1,
              **version["params"]}
    return xgboost.train(params, xgboost.DMatrix(rows, label=labels), version["trees"])


def cross_validate(version, rows, labels):
    """Mean AUC, log loss and accuracy over five folds."""
    folds = StratifiedKFold(5, shuffle=True, random_state=SEED)
    scores = {"auc": [], "log_loss": [], "accuracy": []}
    for train, test in folds.split(rows, labels):
        guess = fit(version, rows[train], labels[train]).predict(xgboost.DMatrix(rows[test]))
        scores["auc"].append(roc_auc_score(labels[test], guess))
        scores["log_loss"].append(log_loss(labels[test], guess.astype(float)))
        scores["accuracy"].append(accuracy_score(labels[test], guess > 0.5))
    return {name: float(np.mean(values)) for name, values in scores.items()}


def describe(work, name, data, rows, labels):
    """Train one version and save it; what the registry wants to know of it."""
    version, path = VERSIONS[name], work / f"{name}.json"
    fit(version, rows, labels).save_model(path)
    facts = {
        "description": version["description"],
        "source": path.as_uri(),
        "source_digest": "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest(),
        "training_metrics": {**cross_validate(version, rows, labels), "rows": len(rows),
                             "trees": version["trees"]},
        "signature": {
            "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, rows.shape[1]]}],
            "outputs": [{"name": "probability", "datatype": "FP32", "shape": [-1]}],
            "columns": list(data.feature_names),
            "classes": list(data.target_names),
        },
    }
    print(f"{name}: {version['trees']} trees on {len(rows)} rows, cross-validated AUC "
          f"{facts['training_metrics']['auc']:.4f}")
    return facts


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: train.py WORKDIR")
    work = pathlib.Path(sys.argv[1]).resolve()
    work.mkdir(parents=True, exist_ok=True)
    if (work / "models.json").exists() and (work / "tests.json").exists():
        print(f"{work}: already trained")
        return

    data = load_breast_cancer()
    rows, held_rows, labels, held_labels = train_test_split(
        data.data.astype(np.float32), data.target, test_size=0.3, random_state=SEED,
        stratify=data.target)
    np.savez(work / "holdout.npz", rows=held_rows, labels=held_labels)

    given = {name: (rows, labels) for name in VERSIONS}
    given[CANDIDATE] = slipped(rows, labels)
    models = {name: describe(work, name, data, *given[name]) for name in VERSIONS}
    (work / "candidate.json").write_text(json.dumps({CANDIDATE: models.pop(CANDIDATE)}, indent=1))
    dataset = cases.write_dataset(work, data.feature_names, held_rows, held_labels)
    (work / "dataset.json").write_text(json.dumps(dataset, indent=1))
    (work / "tests.json").write_text(json.dumps(cases.bodies(rows, labels), indent=1))
    # Written last: its presence says that everything else is there.
    (work / "models.json").write_text(json.dumps(models, indent=1))


main()
