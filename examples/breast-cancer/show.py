"""Print the registry, the live percentiles and the health of every version, as the API has them.

    PADDOCK_URL=http://127.0.0.1:8080 /usr/bin/python3 show.py [NAME] [WINDOW]
"""
import sys

from paddock import Paddock, quote


def number(value, digits=2):
    return "-" if value is None else f"{value:.{digits}f}"


def table(rows):
    """Columns as wide as their widest cell; numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for at, row in enumerate(rows):
        print("  " + "  ".join(c.rjust(w) if at and c[:1].isdigit() else c.ljust(w)
                               for c, w in zip(row, widths)).rstrip())


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else "breast-cancer"
    window = sys.argv[2] if len(sys.argv) > 2 else "1h"
    paddock = Paddock()
    models = paddock.get(f"/registry?name={quote(name)}&sort=version")["items"]

    print(f"Registry of {name} at {paddock.url}")
    rows = [["model", "status", "trained auc", "source digest", "runtime"]]
    for model in models:
        rows.append([model["model_id"], model["status"],
                     number(model["training_metrics"].get("auc"), 4),
                     (model["source_digest"] or "")[:19], (model["runtime"] or {}).get("url", "-")])
    table(rows)

    print(f"\nInferences of the last {window}, latency in ms")
    rows = [["model", "count", "failed", "p50", "p95", "p99", "mean scores"]]
    checks = []
    for model in models:
        path = "/registry/" + quote(model["model_id"])
        seen = paddock.get(f"{path}/metrics?window={window}")
        latency = seen["latency_ms"]
        scores = ", ".join(f"{k} {v['mean']:.4f}" for k, v in sorted(seen["scores"].items()))
        rows.append([model["model_id"], str(seen["inferences"]["total"]),
                     str(seen["inferences"]["failure"]), number(latency["p50"]),
                     number(latency["p95"]), number(latency["p99"]), scores or "-"])
        checks.append((model["model_id"], paddock.get(path + "/health")))
    table(rows)

    print("\nHealth")
    for model_id, health in checks:
        print(f"  {model_id}  {health['status']}")
        for check in health["checks"]:
            print(f"    {check['status']:<8}{check['name']:<13}{check['detail'] or ''}")


main()
