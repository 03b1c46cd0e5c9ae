#!/usr/bin/env python3
"""A model program for the runtime "exec": the sum of each row; misbehaves as its argument says."""
import json
import os
import signal
import sys
import time

WAY = sys.argv[1]
METADATA = {"name": "sums", "platform": "python", "versions": ["1"],
            "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 3]}],
            "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1]}]}


def say(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def infer(q):
    t = q["inputs"][0]
    if t["name"] != "input" or t["datatype"] != "FP32" or t["shape"][1:] != [3]:
        return {"error": "the input must be FP32 [rows,3]", "code": "input"}
    sums = [sum(t["data"][i:i + 3]) for i in range(0, len(t["data"]), 3)]
    return {"outputs": [{"name": "y", "datatype": "FP32", "shape": [len(sums)], "data": sums}]}


def misbehave(q):
    if WAY == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif WAY == "exit":
        sys.exit(3)
    elif WAY == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    elif WAY == "garbage":
        print("Loading model... done", flush=True)
    elif WAY == "id":
        say({"id": q["id"] + 7, "outputs": []})
    elif WAY == "nan":
        say({"id": q["id"], "outputs": [{"name": "y", "datatype": "FP32", "shape": [1],
                                         "data": [float("nan")]}]})
    elif WAY == "shape":
        say({"id": q["id"], "outputs": [{"name": "y", "datatype": "FP32", "shape": [9],
                                         "data": [1]}]})
    elif WAY == "large":
        sys.stdout.write("x" * 300000)
        sys.stdout.flush()
        time.sleep(600)
    elif WAY == "child":  # leaves somebody who holds its output open, then dies
        if os.fork() == 0:
            time.sleep(600)
        os._exit(1)
    elif WAY == "env":
        say({"id": q["id"], "outputs": [{"name": "y", "datatype": "BYTES", "shape": [2],
                                         "data": [" ".join(sorted(os.environ)),
                                                  " ".join(sorted(os.listdir("/proc/self/fd")))]}]})
    elif WAY == "once" and not os.path.exists("crashed"):
        open("crashed", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        return False
    return True


for line in sys.stdin:
    question = json.loads(line)
    print("asked", question["op"], file=sys.stderr)
    if question["op"] == "metadata":
        say({"id": question["id"], **METADATA})
    elif question["op"] == "ready":
        say({"id": question["id"]})
    elif not misbehave(question):
        say({"id": question["id"], **infer(question)})
