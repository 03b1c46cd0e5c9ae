"""Print what the night found in each version, the candidate's regression report, and what the gate
says to its promotion.

    PADDOCK_URL=http://127.0.0.1:8080 /usr/bin/python3 report.py
"""
import sys

from paddock import Paddock, Problem, quote

NAME = "breast-cancer"
CANDIDATE = f"{NAME}:3.0.0"


def show_runs(paddock, models):
    print("The night, each version beside the stable")
    for model in models:
        path = f"/validation/history/{quote(model['model_id'])}?trigger=nightly&limit=1"
        run = next(iter(paddock.get(path)["items"]), None)
        if not run:
            continue
        kinds = ", ".join(f"{r['type']} {r['status']}" for r in run["results"])
        print(f"  {model['model_id']}  {model['status']:<7} {run['status']:<7} severity "
              f"{run['severity']:<7} {kinds}")


def show_report(paddock, model_id):
    report = paddock.get("/validation/regression-report/" + quote(model_id))
    print(f"\nRegression report of {model_id}: severity {report['severity']}")
    print(f"  {report['summary']}")
    for r in report["regressions"]:
        p = "" if r["p_value"] is None else f"  p {r['p_value']:.2g}"
        print(f"  {r['severity']:<7} {r['measurement']:<13} {r['baseline']:.4g} -> "
              f"{r['candidate']:.4g}{p}  ({r['reason']})")


def show_refusal(paddock, model_id):
    """Try to make it stable: the answer is the gate's."""
    print(f"\nPromotion of {model_id} to stable")
    try:
        paddock.post(f"/registry/{quote(model_id)}/status",
                     {"status": "stable", "reason": "breast cancer example"})
    except Problem as problem:
        print(f"  {problem}")
        for condition in problem.body.get("gate", {}).get("conditions", []):
            print(f"  {condition['status']:<7} {condition['name']:<11} {condition['detail']}")
        return
    sys.exit(f"{model_id} became stable: nothing has kept it back")


def main():
    paddock = Paddock()
    show_runs(paddock, paddock.get(f"/registry?name={NAME}&sort=version")["items"])
    show_report(paddock, CANDIDATE)
    show_refusal(paddock, CANDIDATE)


main()
