"""Train two versions of one model on scikit-learn's bundled breast cancer data set.

    /usr/bin/python3 train.py WORKDIR

writes into WORKDIR: 1.0.0.json and 2.0.0.json (XGBoost's own format), holdout.npz (the rows neither
model has seen) and models.json (what the registry wants to know of each: digest, training metrics,
signature). A directory that already holds them is left as it is. Every number is measured: the
training metrics are the means of a 5-fold cross-validation on the training rows alone.
"""
import hashlib
import json
import pathlib
import sys

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
}


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


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: train.py WORKDIR")
    work = pathlib.Path(sys.argv[1]).resolve()
    work.mkdir(parents=True, exist_ok=True)
    if (work / "models.json").exists():
        print(f"{work}: already trained")
        return

    data = load_breast_cancer()
    rows, held_rows, labels, held_labels = train_test_split(
        data.data.astype(np.float32), data.target, test_size=0.3, random_state=SEED,
        stratify=data.target)
    np.savez(work / "holdout.npz", rows=held_rows, labels=held_labels)

    models = {}
    for name, version in VERSIONS.items():
        path = work / f"{name}.json"
        fit(version, rows, labels).save_model(path)
        models[name] = {
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
        print(f"{name}: {version['trees']} trees, cross-validated AUC "
              f"{models[name]['training_metrics']['auc']:.4f}")
    # Written last: its presence says that everything else is there.
    (work / "models.json").write_text(json.dumps(models, indent=1))


main()
