"""Run bundled plugins through the real paddock-worker, and say what is expected of the results.

Environment: PADDOCK_BUILD."""
import atexit
import json
import os
import shutil
import subprocess
import tempfile

BUILD = os.environ["PADDOCK_BUILD"]


def plugin(name):
    return f"{BUILD}/plugins/{name}.so"


class Runner:
    def __init__(self):
        self.process = subprocess.Popen([f"{BUILD}/tests/bundled/run_job"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        # Readable by the user as whom plugins run.
        self.dir = tempfile.mkdtemp(prefix="paddock-bundled-")
        os.chmod(self.dir, 0o755)
        atexit.register(shutil.rmtree, self.dir, True)
        self.failures, self.count = [], 0

    def file(self, name, text, mode=0o644):
        path = f"{self.dir}/{name}"
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def run(self, test, config, runtime, baseline=None, datasets=(), timeout_ms=60000):
        def model(version, r):
            return {"model_id": f"m:{version}", "name": "m", "version": version, "status": "canary",
                    "runtime": r, "runtime_file": plugin(r["kind"])}
        job = {"plugin": plugin(test), "config": config, "timeout_ms": timeout_ms,
               "datasets": list(datasets), "subject": model("2", runtime)}
        if baseline:
            job["baseline"] = model("1", baseline)
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("run_job ended")
        return json.loads(line)

    def expect(self, what, result, status, *parts):
        """The status, and each part in the message, a check's detail or the log."""
        self.count += 1
        words = result["message"] + "\n" + "\n".join(
            f"{c['name']}={'ok' if c['ok'] else 'warn' if c['warn'] else 'FAIL'} {c['detail']}"
            for c in result["checks"])
        missing = [p for p in parts if p not in words]
        if result["status"] != status or missing or result["left_behind"]:
            self.failures.append(what)
            print(f"--- {what}: {result['status']}, wanted {status}; missing {missing}; "
                  f"left behind {result['left_behind']}\n{words}\n{result['log']}")
        return result

    def check(self, what, good):
        self.count += 1
        if not good:
            self.failures.append(what)
            print(f"--- {what}")

    def end(self):
        self.process.stdin.close()
        if self.process.wait(60) != 0:
            self.failures.append("run_job")
        if self.failures:
            raise SystemExit(f"{len(self.failures)} of {self.count} failed: {self.failures}")
        print(f"{self.count} expectations hold")


def measured(result, name):
    return next(m for m in result["measurements"] if m["name"] == name)
