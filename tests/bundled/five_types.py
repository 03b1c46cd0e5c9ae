"""The five test types against a real server: what each finds, and what it says of a configuration, a
dataset or a model that is wrong."""
import math
import random

import bad_server
import jobs

r = jobs.Runner()
server = bad_server.Server()


def model(name):
    return {"kind": "openinference", "url": server.url, "model_name": name}


def table(name, header, rows):
    text = header + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    return {"name": name, "path": r.file(name + ".csv", text), "format": "csv", "label": "y"}


# ---- smoke ----

rows = [table("rows", "a,b,c,y", [(i, i + 1, i + 2, 1) for i in range(20)])]
r.expect("smoke", r.run("smoke", {"limit_ms": 60000}, model("strict"), datasets=rows), "passed",
         "ready=ok", "answers=ok", "finite=ok", "in_time=ok")
r.expect("smoke of zeros", r.run("smoke", {"min": 0, "max": 0, "limit_ms": 60000}, model("strict")),
         "passed", "range=ok")
r.expect("smoke: range", r.run("smoke", {"max": 2, "limit_ms": 60000}, model("strict"),
                               datasets=rows),
         "failed", "range=FAIL element 0 of 'y' is 3, not in -inf..2")
r.expect("smoke: unready", r.run("smoke", {"limit_ms": 60000}, model("unready")), "failed",
         "ready=FAIL the server says that the model is not ready")
r.expect("smoke: unknown", r.run("smoke", {"limit_ms": 60000}, model("nobody")), "failed", "ready=FAIL the server "
         "answered 404")
r.expect("smoke: never", r.run("smoke", {"limit_ms": 200}, model("never")), "failed",
         "ready=FAIL no answer in time")
r.expect("smoke: 500", r.run("smoke", {"limit_ms": 60000}, model("500"), datasets=rows), "failed",
         "answers=FAIL the server answered 500")
r.expect("smoke: NaN", r.run("smoke", {"limit_ms": 60000}, model("nan"), datasets=rows), "failed",
         "answers=FAIL the server answered with NaN")
r.expect("smoke: slow", r.run("smoke", {"limit_ms": 150}, model("slow"), datasets=rows), "failed",
         "in_time=FAIL")

# ---- configurations that are wrong ----

for what, test, config, *parts in [
    ("wrong type", "smoke", {"limit_ms": "soon"}, "limit_ms"),
    ("unknown field", "smoke", {"limits_ms": 5}, "limits_ms"),
    ("out of range", "performance", {"concurrency": 0}, "concurrency"),
    ("missing", "unit", {}, "cases"),
    ("no choice", "regression", {"task": "guessing"}, "task"),
    ("deep down", "unit", {"cases": [{"name": "x", "inputs": [{"data": 5}]}]}, "data"),
    ("no such dataset", "smoke", {"dataset": "other"}, "/dataset names no dataset of the test case"),
    ("neither", "unit", {"cases": [{"name": "x", "inputs": [{"data": [1]}]}]},
     "case 'x' needs one of 'expect' and 'expect_error'"),
    ("not that shape", "unit", {"cases": [{"name": "x", "expect_error": "any", "inputs": [
        {"data": [1, 2], "shape": [3]}]}]}, "input 'input' has the shape [3] but 2 elements"),
    ("ragged", "unit", {"cases": [{"name": "x", "expect_error": "any", "inputs": [
        {"data": [[1, 2], [3]]}]}]}, "the rows of input 'input' differ in length"),
    ("no value of its type", "unit", {"cases": [{"name": "x", "expect_error": "any", "inputs": [
        {"data": [1, 300], "datatype": "UINT8"}]}]}, "element 1 of input 'input' is no UINT8"),
    ("another task's score", "regression", {"metrics": ["rmse"]}, "the task 'binary' has no 'rmse'"),
    ("another task's limit", "regression", {"task": "regression", "limits": {"auc_min": 1}},
     "the task 'regression' has no 'auc'"),
]:
    r.expect(what, r.run(test, config, model("strict"), datasets=rows), "error", *parts)

# ---- datasets that are impossible ----

for what, dataset, *parts in [
    ("no file", {"name": "d", "path": r.dir + "/no.csv", "format": "csv", "label": "y"}, "no.csv"),
    ("another file", {**rows[0], "sha256": "0" * 64}, "it has changed: its SHA-256 is"),
    ("no such label", {**rows[0], "label": "z"}, "z"),
    ("no label", {**rows[0], "label": None}, "has no label column"),
    ("no rows", table("empty", "a,b,c,y", []), "has no rows"),
    ("rows that differ", table("ragged", "a,b,c,y", [(1, 2, 3, 1), (1, 2)]), ""),
    ("labels of three classes", table("three", "a,b,c,y", [(1, 2, 3, 2)]),
     "row 1 of dataset 'three' has a label that is not 0 or 1"),
    ("labels that are texts", table("texts", "a,b,c,y", [(1, 2, 3, "yes")]),
     "(texts need 'classes')"),
    ("too few columns", table("narrow", "a,b,y", [(1, 2, 1)]), ""),
    ("texts in columns", table("words", "a,b,c,y", [("x", 2, 3, 1)]), ""),
    ("a missing value", table("holes", "a,b,c,y", [("", 2, 3, 1)]), "NaN"),
]:
    result = r.run("regression", {}, model("first"), datasets=[dataset])
    r.expect(what, result, "failed" if what == "a missing value" else "error", *parts)

# ---- integration ----

r.expect("integration", r.run("integration", {}, model("strict"), datasets=rows), "passed",
         "metadata=ok 'm' on 'test', 1 inputs, 1 outputs", "form=ok", "repeatable=ok", "batch=ok",
         "bad.shape=ok", "bad.datatype=ok", "bad.name=ok", "alive=ok", "concurrent=ok")
for what, name, config, status, *parts in [
    ("unready", "unready", {}, "failed", "ready=FAIL"),
    ("other form", "two_rows", {}, "failed", "form=FAIL 'y' is FP32 [2], described as FP64 [-1]"),
    ("answers change", "flaky", {}, "failed", "concurrent=FAIL"),
    ("takes anything", "first", {}, "failed", "bad.shape=FAIL an input with one column too many "
     "was answered"),
    ("500", "500", {}, "failed", "answers=FAIL a good question: the server answered 500"),
    ("HTML", "html", {}, "failed", "answers=FAIL a good question: the server answered with HTML"),
    ("another platform", "strict", {"platform": "xgboost"}, "failed",
     "platform=FAIL the platform is 'test'"),
    ("another output", "strict", {"expect_outputs": [{"name": "z"}]}, "failed",
     "expect_outputs=FAIL the metadata lists no output 'z'"),
    ("never", "never", {"timeout_ms": 200}, "failed", "ready=FAIL no answer in time"),
]:
    r.expect("integration: " + what, r.run("integration", config, model(name), datasets=rows),
             status, *parts)

# ---- regression: the scores, by hand ----

random.seed(7)
said = [round(random.random(), 6) for _ in range(300)]
truth = [int(random.random() < p) for p in said]
noisy = [min(1, max(0, round(p + random.gauss(0, 0.5), 6))) for p in said]
scored = [table("scored", "a,b,c,y", [(p, 1 - p, q, t) for p, q, t in zip(said, noisy, truth)])]


def auc(p, t):
    pairs = [(a > b) + (a == b) / 2 for a, x in zip(p, t) if x for b, y in zip(p, t) if not y]
    return sum(pairs) / len(pairs)


def close(a, b):
    return math.isclose(a, b, rel_tol=1e-12)


wanted = {
    "accuracy": sum((p >= 0.5) == t for p, t in zip(said, truth)) / 300,
    "log_loss": -sum(math.log(min(max(p if t else 1 - p, 1e-15), 1 - 1e-15))
                     for p, t in zip(said, truth)) / 300,
    "brier": sum((p - t) ** 2 for p, t in zip(said, truth)) / 300,
    "auc": auc(said, truth),
}
result = r.expect("binary", r.run("regression", {"limits": {"auc_min": 0.5}}, model("first"),
                                  datasets=scored), "passed", "answers=ok 300 rows answered",
                  "limit.auc=ok")
for name, value in wanted.items():
    m = jobs.measured(result, name)
    r.check(name, close(m["value"], value) and m["samples"] == 300 and len(m["values"]) == 300
            and close(sum(m["values"]) / 300, value) and not m["paired"])
r.expect("limit", r.run("regression", {"limits": {"accuracy_min": 0.99, "brier_max": 0.001}},
                        model("first"), datasets=scored),
         "failed", "limit.accuracy=FAIL", "limit.brier=FAIL")

# Against a baseline: itself, and a program that is worse. The server answers by column, so the third
# column is a model as well if it comes first.
swapped = [table("swapped", "a,b,c,y", [(q, 0, 0, t) for q, t in zip(noisy, truth)])]
result = r.expect("same as the baseline", r.run("regression", {"baseline": "fail"}, model("first"),
                                                model("first"), datasets=scored),
                  "passed", "baseline.accuracy=ok", "baseline.mcnemar=ok", "McNemar p = 1")
r.check("paired", all(m["paired"] for m in result["measurements"]))
r.expect("baseline does not answer", r.run("regression", {}, model("first"), model("500"),
                                           datasets=scored),
         "passed", "baseline.answers=warn m:1: rows 1 to 64: the server answered 500")
for name, part in [("500", "answered 500"), ("nan", "NaN"), ("shape", "6 elements, but 3"),
                   ("two_rows", "it should have numbers for each row asked")]:
    r.expect("regression: " + name, r.run("regression", {}, model(name), datasets=scored), "failed",
             "answers=FAIL the model: ", part)
r.expect("regression: gone", r.run("regression", {}, model("nothing"), datasets=scored), "error",
         "closed the connection without an answer")
r.expect("no probability", r.run("regression", {}, model("sum"), datasets=rows), "failed",
         "it holds what is no probability (0..1)")

# Numbers, and several classes.
numbers = [table("numbers", "a,b,c,y", [(i, 0, 0, i + (-1) ** i * 0.5) for i in range(50)])]
result = r.expect("numbers", r.run("regression", {"task": "regression", "limits": {"mae_max": 0.6}},
                                   model("first"), datasets=numbers), "passed", "limit.mae=ok")
r.check("mae", close(jobs.measured(result, "mae")["value"], 0.5))
r.check("rmse", close(jobs.measured(result, "rmse")["value"], 0.5))
names = [table("names", "a,b,c,y", [(0.7, 0.2, 0.1, "cat"), (0.1, 0.8, 0.1, "dog"),
                                    (0.6, 0.2, 0.2, "emu"), (0.2, 0.2, 0.6, "emu")])]
result = r.expect("classes", r.run("regression", {"task": "multiclass",
                                                  "classes": ["cat", "dog", "emu"]},
                                   model("classes"), datasets=names), "passed")
r.check("accuracy of classes", close(jobs.measured(result, "accuracy")["value"], 0.75))
r.check("log loss of classes", close(jobs.measured(result, "log_loss")["value"],
                                     -(math.log(.7) + math.log(.8) + math.log(.2)
                                       + math.log(.6)) / 4))
r.check("brier of classes", close(jobs.measured(result, "brier")["value"],
                                  (.09 + .04 + .01 + .01 + .04 + .01 + .36 + .04 + .64
                                   + .04 + .04 + .16) / 4))

# ---- performance ----

result = r.expect("performance", r.run("performance", {"requests": 60, "rounds": 3, "concurrency": 2,
                                                       "limits": {"p99_ms": 60000}},
                                       model("strict"), model("strict"), datasets=rows), "passed",
                  "answers=ok 0 of 60 requests failed", "limit.p99_ms=ok", "complete=ok")
for name in ("latency_mean", "latency_p50", "latency_p95", "latency_p99", "throughput"):
    m = jobs.measured(result, name)
    r.check(name, m["samples"] == 3 and m["paired"] and m["value"] > 0
            and math.isclose(sum(m["values"]) / 3, m["value"], rel_tol=1e-9))
r.expect("performance for a time", r.run("performance", {"duration_ms": 200, "rounds": 2},
                                         model("strict"), datasets=rows), "passed")
r.expect("performance: too slow", r.run("performance", {"requests": 10, "rounds": 2,
                                                        "limits": {"p50_ms": 0.0001}},
                                        model("strict"), datasets=rows), "failed",
         "limit.p50_ms=FAIL")
r.expect("performance: ratio", r.run("performance", {"requests": 10, "rounds": 2,
                                                     "baseline_ratio_max": {"p50": 1e-6}},
                                     model("strict"), model("strict"), datasets=rows), "failed",
         "baseline.p50=FAIL")
r.expect("performance: 500", r.run("performance", {"requests": 10, "rounds": 2}, model("500"),
                                   datasets=rows), "failed", "no request was answered", "500")
# How long a worker takes to begin depends on the machine, so it gets more time until it has begun.
for timeout_ms in (400, 2000, 10000, 40000):
    result = r.run("performance", {"duration_ms": 3600000, "rounds": 2}, model("strict"),
                   datasets=rows, timeout_ms=timeout_ms)
    if result["status"] != "timeout":
        break
r.expect("performance: out of time", result, "error", "the time was up before one round was done")
server.stop()
r.end()
