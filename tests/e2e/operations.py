"""Settings, log and journal, as somebody sees them who has only the program and its README."""
import hashlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import tempfile
import time

from paddock_server import Server

BIN = os.environ["PADDOCK_BIN"]
# The variables of the test itself must not be taken for settings.
CLEAN = {k: v for k, v in os.environ.items()
         if not k.startswith(("PADDOCK_", "MODEL_")) or k == "PADDOCK_BIN"}


def check(what, good):
    if not good:
        raise SystemExit("FAILED " + what)
    print("ok     " + what)


# --- settings ---

def serve(*flags, **environment):
    return subprocess.run([BIN, "serve", *flags], env={**CLEAN, **environment},
                          capture_output=True, text=True, timeout=30)


def refused(what, mentions, *flags, **environment):
    done = serve(*flags, **environment)
    check(f"{what} stops the start and is named: {done.stderr.strip()}",
          done.returncode == 2 and all(m in done.stderr for m in mentions))


def printed(*flags, **environment):
    done = serve("--print-config", *flags, **environment)
    check("settings are printed", done.returncode == 0)
    return {line.split(" = ")[0]: line for line in done.stdout.splitlines() if " = " in line}


def settings():
    with tempfile.TemporaryDirectory() as d:
        path = d + "/paddock.conf"
        with open(path, "w") as f:
            f.write("# ours\nretention-days = 30\nsample-size = 500\n\nnightly-hour=5\n")
        shown = printed("--config", path, "--sample-size", "700",
                        MODEL_PERFORMANCE_SAMPLE_SIZE="600", MODEL_VALIDATION_NIGHTLY_HOUR="6")
        for name, value, source in (("retention-days", "30", "file"),
                                    ("nightly-hour", "6", "environment"),
                                    ("sample-size", "700", "flag"),
                                    ("access-log", "true", "default")):
            check(f"{name} = {value} from the {source}",
                  value in shown[name] and source in shown[name])
        with open(path, "a") as f:
            f.write("retenton-days = 3\n")
        refused("a typo in the file", ["paddock.conf:6", "retenton-days"], "--config", path)
    refused("a typo in a flag", ["--sampel-size"], "--sampel-size", "5")
    refused("a typo in the environment", ["PADDOCK_THREDS"], PADDOCK_THREDS="2")
    refused("an hour that is none", ["MODEL_VALIDATION_NIGHTLY_HOUR", "23"],
            MODEL_VALIDATION_NIGHTLY_HOUR="24")
    refused("a retention that is none", ["MODEL_REGISTRY_DEFAULT_RETENTION_DAYS"],
            MODEL_REGISTRY_DEFAULT_RETENTION_DAYS="ninety")
    refused("a choice that is none", ["--log-level", "debug|info|warn|error"], "--log-level", "loud")
    refused("a flag without its value", ["--data-dir"], "--data-dir")
    refused("a stray word", ["now"], "now")
    refused("plain HTTP on another address than loopback", ["--insecure"], "--listen", "0.0.0.0:0")
    help_text = serve("--help").stdout
    for name in printed():
        check(f"--help explains {name}", "--" + name in help_text)
    for variable in ("MODEL_REGISTRY_REDIS_URL", "MODEL_REGISTRY_DEFAULT_RETENTION_DAYS",
                     "MODEL_VALIDATION_NIGHTLY_HOUR", "MODEL_PERFORMANCE_SAMPLE_SIZE"):
        check(f"--help names {variable}", variable in help_text)


# --- the log ---

def lines_of(path):
    with open(path) as f:
        return [json.loads(line) for line in f]  # each line is one JSON object


def until(what, found, seconds=5):
    end = time.monotonic() + seconds
    while not found() and time.monotonic() < end:
        time.sleep(0.05)
    check(what, found())


def logs():
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with Server() as server:
        path = server.dir + "/log"
        server.call("GET", "~/registry/none:1?min_seq=0",
                    headers={"X-Request-Id": "rq-1", "traceparent": trace,
                             "Authorization": "Bearer very-secret"})

        def entry():
            return next((x for x in lines_of(path) if x.get("request_id") == "rq-1"), None)
        until("a request is logged soon", entry)
        line = entry()
        check("with all that is known of it", line["event"] == "request" and
              line["traceparent"] == trace and line["method"] == "GET" and line["status"] == 401 and
              line["route"] == "/api/models/enterprise/registry/{model_id}" and
              line["actor"].startswith("anonymous") and line["duration_us"] >= 0 and
              line["level"] == "info" and re.fullmatch(r"[\d-]{10}T[\d:.]{12}Z", line["time"]))
        server.call("GET", "~/registry", headers={"traceparent": "00-zz\"-x-01"})
        server.stop()
        check("no secret is in it", "very-secret" not in server.log())
        check("start and stop are in it",
              {"listening", "stopping"} <= {x["event"] for x in lines_of(path)})
    with Server("--access-log", "false") as server:
        server.call("GET", "/healthz")
        server.stop()
        check("without the access log no request is in it",
              "request" not in {x["event"] for x in lines_of(server.dir + "/log")})
    rotated()


def rotated():
    """A log that is moved away and asked for anew by SIGHUP."""
    with tempfile.TemporaryDirectory() as d:
        log = d + "/paddock.log"
        process = subprocess.Popen([BIN, "serve", "--listen", "127.0.0.1:0", "--data-dir",
                                    d + "/data", "--log-file", log], env=CLEAN)
        try:
            until("the log is in its file", lambda: os.path.exists(log) and any(
                x["event"] == "listening" for x in lines_of(log)), 30)
            os.rename(log, log + ".1")
            process.send_signal(signal.SIGHUP)
            until("SIGHUP opens a new one", lambda: os.path.exists(log))
            process.send_signal(signal.SIGTERM)
            check("the server ends well", process.wait(30) == 0)
            check("what follows is in the new one",
                  "stopping" in {x["event"] for x in lines_of(log)})
        finally:
            process.kill()
            process.wait()


# --- the journal ---

def change(server):
    for ns in ("default", "odds"):
        head = {"Paddock-Namespace": ns, "Paddock-Reason": 'wörds, "quotes" and \\'}
        made = server.call("POST", "~/registry",
                           {"name": 'ä "m"', "version": "1", "type": "other"}, head)
        check_quietly("registered", made.status == 201)
        for n in range(20):
            server.call("PATCH", "~/registry/%C3%A4%20%22m%22:1", {"description": f"no {n} ✓"}, head)
        server.call("POST", "~/registry/%C3%A4%20%22m%22:1/status", {"status": "canary"}, head)


def check_export(server, ns):
    """By nothing but SHA-256: each line's hash is that of its text without it, and the next line
    contains it."""
    export = server.call("GET", "~/audit", headers={"Paddock-Namespace": ns,
                                                    "Accept": "application/x-ndjson"}).text
    last = "0" * 64
    for line in export.splitlines():
        text, given = re.fullmatch(r'(.*),"hash":"([0-9a-f]{64})"\}', line).groups()
        check_quietly(f"{ns}: a hash fits its line",
                      hashlib.sha256((text + "}").encode()).hexdigest() == given)
        check_quietly(f"{ns}: a line contains the hash before", json.loads(line)["prev_hash"] == last)
        last = given
    check(f"{len(export.splitlines())} lines of '{ns}' are one chain",
          len(export.splitlines()) == 23)


def check_quietly(what, good):
    if not good:
        check(what, False)


def verify(directory):
    done = subprocess.run([BIN, "audit", "verify", "--data-dir", directory], env=CLEAN,
                          capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def journal():
    with Server() as server:
        change(server)
        for ns in ("default", "odds"):
            check_export(server, ns)
        status, text = verify(server.dir + "/data")
        check("verify passes while the server runs: " + text.strip(),
              status == 0 and text.startswith("OK: 46 entries in 2 chains"))
        server.stop(signal.SIGKILL)
        check("and after a crash", verify(server.dir + "/data")[0] == 0)
        tamper(server.dir + "/data")
    check("a directory without a store is no good one", verify("/nonexistent")[0] == 1)


def tamper(directory):
    """Change one letter of one entry in the middle, as somebody would who covers something up."""
    db = sqlite3.connect(directory + "/control.db")
    changed = db.execute(
        "UPDATE journal SET text = REPLACE(text, 'no 7', 'no 8') WHERE seq = 10").rowcount
    db.commit()
    db.close()
    check("an entry is tampered with", changed == 1)
    status, text = verify(directory)
    check("which verify finds: " + text.strip().splitlines()[0],
          status == 1 and "10" in text and "BROKEN" in text)


settings()
logs()
journal()
