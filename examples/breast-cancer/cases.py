"""What validates the models of this example: a dataset, and a test case of each type.

The bodies are as the API takes them: POST ~/datasets, POST ~/validation/tests. train.py writes them
to its working directory.
"""
import csv
import hashlib

NAME = "breast-cancer"
DATASET = "breast-cancer-holdout"
LABEL = "benign"


def write_dataset(work, columns, rows, labels):
    """Write the held-out rows as CSV; the body that registers them."""
    path = work / "holdout.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow([*columns, LABEL])
        for row, label in zip(rows, labels):
            out.writerow([*(f"{x:.9g}" for x in row), int(label)])  # 9 digits carry an FP32 exactly
    return {"dataset_id": DATASET, "uri": path.as_uri(), "format": "csv", "label_column": LABEL,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "rows": len(rows),
            "description": "171 rows that no model was trained on"}


def case(name, kind, config, timeout_ms=60000, datasets=(DATASET,)):
    return {"test_id": f"{NAME}-{kind}", "name": name, "model_name": NAME, "type": kind, "config": config,
            "datasets": list(datasets), "triggers": ["nightly", "promotion", "manual"],
            "enforcement": "gate", "timeout_ms": timeout_ms}


def known_row(name, row, **bounds):
    """A unit case: one row, and bounds of its probability of being benign."""
    return {"name": name,
            "inputs": [{"name": "input", "datatype": "FP32", "data": [[float(x) for x in row]]}],
            "expect": [{"output": "probability", "datatype": "FP32", "shape": [1], **bounds}]}


def refused(name, inputs):
    return {"name": name, "inputs": inputs, "expect_error": "input"}


def bodies(rows, labels):
    """The five test cases. `rows` and `labels` are those of the training."""
    columns = rows.shape[1]
    return [
        case("alive", "smoke",
             {"output": "probability", "min": 0, "max": 1, "limit_ms": 5000}, 15000),
        case("known rows", "unit", {"cases": [
            known_row("the mean benign row", rows[labels == 1].mean(axis=0), min=0.6, max=1),
            known_row("the mean malignant row", rows[labels == 0].mean(axis=0), min=0, max=0.4),
            refused("a column is missing", [{"name": "input", "datatype": "FP32",
                                             "shape": [1, columns - 1], "data": [1] * (columns - 1)}]),
            refused("texts", [{"name": "input", "datatype": "BYTES", "shape": [1, columns],
                               "data": ["x"] * columns}]),
        ]}, datasets=()),
        case("the whole way", "integration", {
            "platform": "xgboost", "batch": 16, "concurrency": 4, "requests": 60,
            "expect_inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, columns]}],
            "expect_outputs": [{"name": "probability", "datatype": "FP32", "shape": [-1]},
                               {"name": "label", "datatype": "INT64", "shape": [-1]}]}),
        case("held-out scores", "regression", {
            "output": "probability", "metrics": ["accuracy", "log_loss", "brier", "auc"],
            "limits": {"accuracy_min": 0.7, "auc_min": 0.75}}),
        case("fast enough", "performance", {
            "concurrency": 2, "requests": 400, "warmup_requests": 20,
            "limits": {"p95_ms": 1000, "error_rate_max": 0}}, 120000),
    ]
