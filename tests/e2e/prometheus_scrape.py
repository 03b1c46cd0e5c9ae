"""Paddock's /metrics, read by what its users read it with: promtool, the reference parser of
OpenMetrics, and a Prometheus of our own that scrapes it, whose answers must be Paddock's numbers.

Prometheus runs on a free loopback port, in a directory that goes with the server's."""
import json
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

from paddock_server import Server
from prometheus_client.openmetrics.parser import text_string_to_metric_families

LABELS = 'namespace="default",model_id="odds:1"'
LATENCY = "paddock_model_latency_seconds"
CONFIG = """
global: {scrape_interval: 250ms, scrape_timeout: 250ms}
scrape_configs:
  - job_name: paddock
    static_configs: [{targets: ["127.0.0.1:%d"]}]
"""


def check(what, good):
    print(("ok     " if good else "FAILED ") + what)
    if not good:
        raise SystemExit(1)


def near(what, got, want, ratio):
    check(f"{what}: {got:.6g}, wanted {want:.6g}", abs(got - want) <= ratio * abs(want))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Prometheus:
    def __init__(self, directory, target):
        self.port = free_port()
        with open(directory + "/prometheus.yml", "w") as f:
            f.write(CONFIG % target)
        self.log = directory + "/prometheus.log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                ["prometheus", "--config.file=" + directory + "/prometheus.yml",
                 "--storage.tsdb.path=" + directory + "/prometheus", "--log.level=warn",
                 f"--web.listen-address=127.0.0.1:{self.port}"], stdout=log, stderr=log)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as r:
            return r.read()

    def query(self, expression):
        """The values of an instant query, by their labels."""
        answer = json.loads(self.get("/api/v1/query?" + urllib.parse.urlencode(
            {"query": expression})))
        return [(r["metric"], float(r["value"][1])) for r in answer["data"]["result"]]

    def until(self, what, expression, good, seconds=30):
        end = time.monotonic() + seconds
        values = None
        while time.monotonic() < end:
            try:
                values = self.query(expression)
                if good(values):
                    return check(what, True)
            except OSError:
                pass  # it is starting
            time.sleep(0.1)
        with open(self.log) as f:
            print(f.read())
        check(f"{what}: {values}", False)

    def number(self, expression):
        values = self.query(expression)
        if len(values) != 1:
            check(f"{expression} is one number: {values}", False)
        return values[0][1]


def promtool(server):
    text = server.call("GET", "/metrics", headers={"Accept": "text/plain"}).body
    lint = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    print((lint.stdout + lint.stderr).decode(), end="")
    check("promtool finds nothing", lint.returncode == 0 and not lint.stdout and not lint.stderr)


def parser(server):
    reply = server.call("GET", "/metrics", headers={
        "Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"})
    check("OpenMetrics is given where it is asked for",
          reply.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0"))
    families = {f.name: f for f in text_string_to_metric_families(reply.text)}
    check(f"the reference parser reads {len(families)} families", len(families) > 30)
    check("each has a help", all(f.documentation for f in families.values()))
    check("counters, gauges and histograms are told apart",
          families["paddock_model_inferences"].type == "counter" and
          families[LATENCY].type == "histogram" and families["paddock_store_up"].type == "gauge")


def records(n, seed):
    """Latencies in ms as a service has them, some failures; the same each time."""
    rng = random.Random(seed)
    return [{"model_id": "odds:1", "latency_ms": round(rng.lognormvariate(2.5, 0.6), 3),
             "success": rng.random() > 0.02} for _ in range(n)]


def send(server, batch):
    lines = "".join(json.dumps(r) + "\n" for r in batch)
    reply = server.call("POST", "~/inference", lines, {"Content-Type": "application/x-ndjson"})
    check(f"{len(batch)} records are taken", reply.status == 202)


def bucket_edges(value_s, buckets):
    """The edges of the classic bucket in which the value lies."""
    below = [b for b in buckets if b < value_s]
    return max(below, default=0.0), min(b for b in buckets if b >= value_s)


def compare(server, prometheus, sent):
    own = server.call("GET", "~/registry/odds:1/metrics?window=1h&quantiles=0.9").json
    failed = sum(not r["success"] for r in sent)
    number = prometheus.number
    for outcome, n in (("success", len(sent) - failed), ("failure", failed)):
        value = number('paddock_model_inferences_total{%s,outcome="%s"}' % (LABELS, outcome))
        check(f"{outcome}: {value:.0f} at Prometheus, {own['lifetime'][outcome]} here, {n} sent",
              value == own["lifetime"][outcome] == n)
    check("count of latencies", number("%s_count{%s}" % (LATENCY, LABELS)) ==
          own["latency_ms"]["count"])
    near("mean latency", number("%s_sum{%s} / %s_count{%s}" % (LATENCY, LABELS, LATENCY, LABELS)),
         own["latency_ms"]["mean"] / 1000, 1e-6)
    found = {m["le"]: v for m, v in prometheus.query("%s_bucket{%s}" % (LATENCY, LABELS))}
    buckets = sorted(float(le) for le in found)
    for le, n in found.items():
        want = sum(r["latency_ms"] / 1000 <= float(le) for r in sent)
        check(f"le={le}: {n:.0f}", n == want)
    for q, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99")):
        estimate = number("histogram_quantile(%g, %s_bucket{%s})" % (q, LATENCY, LABELS))
        low, high = bucket_edges(own["latency_ms"][name] / 1000, buckets)
        check(f"histogram_quantile({q}) = {estimate:.6f} s, here {name} = "
              f"{own['latency_ms'][name] / 1000:.6f} s: same bucket {low}..{high}",
              low <= estimate <= high)


def main():
    sent = records(4000, 1)
    with Server() as server:
        server.call("POST", "~/registry", {"name": "odds", "type": "classifier"})
        server.call("POST", "~/registry", {"name": 'a "b"\\', "version": "1 ü", "type": "other"})
        send(server, sent)
        server.call("POST", "~/inference", {"model_id": 'a "b"\\:1 ü', "latency_ms": 1})
        server.call("GET", "/nowhere")
        promtool(server)
        parser(server)
        prometheus = Prometheus(server.dir, server.port)
        try:
            follow(server, prometheus, sent)
        finally:
            prometheus.stop()
    return 0


def follow(server, prometheus, sent):
    prometheus.until("up == 1", 'up{job="paddock"} == 1', lambda v: len(v) == 1)
    total = "sum(paddock_model_inferences_total{%s})" % LABELS
    prometheus.until(f"{len(sent)} inferences arrive", total, lambda v: v and v[0][1] == len(sent))
    compare(server, prometheus, sent)
    more = records(2500, 2)
    send(server, more)
    sent = sent + more
    prometheus.until(f"{len(sent)} inferences arrive", total, lambda v: v and v[0][1] == len(sent))
    compare(server, prometheus, sent)
    prometheus.until("the rate of inferences is seen", "rate(paddock_records_total[10s]) > 0",
                     lambda v: len(v) == 1)
    check("labels keep their quotes, backslashes and letters", prometheus.query(
        'paddock_model_inferences_total{name="a \\"b\\"\\\\",version="1 ü",outcome="success"}')
        [0][1] == 1)
    check("the store is up", prometheus.number("paddock_store_up") == 1)
    check("two models", prometheus.number("paddock_models") == 2)
    check("requests by operation and code", prometheus.number(
        'paddock_http_requests_total{operation="model_register",code="201"}') == 2)
    check("also those of no operation", prometheus.number(
        'paddock_http_requests_total{operation="none",code="404"}') == 1)
    targets = json.loads(prometheus.get("/api/v1/targets"))["data"]["activeTargets"]
    check("no scrape failed", [t["lastError"] for t in targets] == [""])


sys.exit(main())
