"""Webhooks, with receivers that take, refuse, redirect, vanish and come back."""
import http.client
import http.server
import json
import os
import re
import signal
import ssl
import subprocess
import tempfile
import threading
import time

from paddock_server import BASE, Server

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENTS = int(os.environ.get("E2E_WEBHOOK_EVENTS", "2000"))
MODELS = 100
DEADLINE = 420


def check(what, good):
    if not good:
        raise SystemExit("FAILED " + what)
    print("ok     " + what, flush=True)


def wait(what, condition, seconds=DEADLINE):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("FAILED (waited too long) " + what)
        time.sleep(0.05)
    print("ok     " + what, flush=True)


class Receiver:
    """Listens on 127.0.0.1; `answer(path, event)` gives the status. Can go and come back."""

    def __init__(self, answer=lambda path, event: 200, certificate=None):
        self.got, self.lock, self.port, self.server = [], threading.Lock(), 0, None
        self.certificate = certificate  # file of it and its key: HTTPS
        self.answer = answer
        self.up()

    def up(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                event = json.loads(body)
                status = receiver.answer(self.path, event)
                with receiver.lock:
                    receiver.got.append((self.path, status, dict(
                        (k.lower(), v) for k, v in self.headers.items()), body, event))
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Listening(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, address):
                pass  # the server was killed while it sent

        self.server = Listening(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_port
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self):
        self.server.shutdown()
        self.server.server_close()

    def events(self, path=None, good=True):
        with self.lock:
            return [e for p, status, _, _, e in self.got
                    if path in (None, p) and (status < 300 or not good)]

    def url(self, path):
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self.port}{path}"


def hook(server, name, url, events=("model.*",), headers=None, **more):
    r = server.call("PUT", "~/webhooks/" + name,
                    {"url": url, "events": list(events), "secret": SECRET, **more}, headers)
    check(f"webhook {name}", r.status == 201)


def model(server, name, headers=None):
    r = server.call("POST", "~/registry", {"name": name, "version": "1", "type": "other"}, headers)
    check(f"model {name}", r.status == 201)


def describe(server, name, text):
    r = server.call("PATCH", f"~/registry/{name}:1", {"description": text})
    check(f"{name} is changed", r.status == 200)


def deliveries(server, name, query=""):
    r = server.call("GET", f"~/webhooks/{name}/deliveries?limit=1000{query}")
    check(f"deliveries of {name}", r.status == 200)
    return r.json["items"]


def verify(got):
    if not os.environ["WEBHOOK_NODE"]:
        return
    lines = "".join(json.dumps({"secret": SECRET, "headers": h, "body": b}) + "\n"
                    for _, _, h, b, _ in got)
    done = subprocess.run(
        ["node", os.environ["PADDOCK_SOURCE"] + "/tests/e2e/webhooks_verify.js"], input=lines,
        capture_output=True, text=True, timeout=120,
        env={**os.environ, "NODE_PATH": os.environ["WEBHOOK_NODE"] + "/node_modules"})
    check(f"standardwebhooks takes {len(got)} signatures: {done.stderr[-300:]}",
          done.returncode == 0 and done.stdout.strip() == str(len(got)))


def what_is_sent(server):
    receiver = Receiver()
    model(server, "early")
    hook(server, "all", receiver.url("/all"))
    hook(server, "some", receiver.url("/some"), model_names=["a"])
    hook(server, "off", receiver.url("/off"), enabled=False)
    other = {"Paddock-Namespace": "other"}
    hook(server, "foreign", receiver.url("/foreign"), headers=other)
    model(server, "a")
    model(server, "b")
    model(server, "c", headers=other)
    wait("they arrive", lambda: len(receiver.events("/all")) >= 2 and receiver.events("/some")
         and receiver.events("/foreign"))
    wait("all is noted", lambda: all(d["status"] == "delivered" for d in deliveries(server, "all")))
    subjects = {p: {e["subject"] for e in receiver.events(p)}
                for p in ("/all", "/some", "/off", "/foreign")}
    check(f"to whom they belong: {subjects}", subjects == {
        "/all": {"a", "b"}, "/some": {"a"}, "/off": set(), "/foreign": {"c"}})
    event = receiver.events("/some")[0]
    entry = server.call("GET", "~/audit?action=model.registered&entity=model&entity_id=a:1").json
    check("a CloudEvent 1.0 with the journal's entry", event["specversion"] == "1.0" and
          event["type"] == "model.registered" and event["source"] == "/paddock/default" and
          event["datacontenttype"] == "application/json" and event["time"] == event["data"]["at"]
          and event["data"] == entry["items"][0])
    verify(receiver.got)
    test = server.call("POST", "~/webhooks/all/test")
    check("a test tells what came of it", test.status == 200 and test.json["delivered"] and
          test.json["status"] == 200 and test.json["error"] is None)
    check("and is an event", [e for e in receiver.events("/all") if e["id"] == test.json["event_id"]
                              and e["type"] == "webhook.test"])
    seen = deliveries(server, "all")
    page = server.call("GET", "~/webhooks/all/deliveries?limit=1").json
    rest = server.call("GET", "~/webhooks/all/deliveries?cursor=" + page["next_cursor"]).json
    check("pages", page["items"] + rest["items"] == seen and page["total"] == len(seen))
    receiver.down()


def told_of_mixed(text):
    """Three wait, and the first has failed."""
    return (re.search(r'paddock_webhook_failures\{namespace="default",webhook_id="mixed"\} [1-9]', text)
            and 'paddock_webhook_pending{namespace="default",webhook_id="mixed"} 3' in text)


def one_does_not_hold_back_others(server):
    sick = threading.Event()
    sick.set()
    receiver = Receiver(lambda path, e: {"/gone": 410, "/moved": 302, "/elsewhere": 200}.get(
        path, 500 if sick.is_set() and e["subject"] == "sick" else 200))
    hook(server, "mixed", receiver.url("/mixed"), ["model.updated"])
    hook(server, "gone", receiver.url("/gone"), ["model.updated"])
    hook(server, "moved", receiver.url("/moved"), ["model.updated"])
    model(server, "sick")
    model(server, "well")
    for i in range(3):
        describe(server, "sick", f"s{i}")
        describe(server, "well", f"w{i}")
    wait("the well one's arrive",
         lambda: len([e for e in receiver.events("/mixed") if e["subject"] == "well"]) == 3)
    wait("the sick one's first fails more than once",
         lambda: len([e for e in receiver.events("/mixed", False) if e["subject"] == "sick"]) > 1)
    check("and only the first is tried", len(
        {e["id"] for e in receiver.events("/mixed", False) if e["subject"] == "sick"}) == 1)
    pending = deliveries(server, "mixed", "&status=pending")
    check("the rest waits", len(pending) == 3 and pending[-1]["attempts"] >= 1 and
          pending[-1]["last_status"] == 500 and pending[0]["attempts"] == 0)
    wait("/metrics tells of it", lambda: told_of_mixed(server.call("GET", "/metrics").text))
    sick.clear()
    wait("once it is well they arrive",
         lambda: len([e for e in receiver.events("/mixed") if e["subject"] == "sick"]) == 3)
    order = [e["data"]["after"]["description"] for e in receiver.events("/mixed")
             if e["subject"] == "sick"]
    check(f"in order: {order}", order == ["s0", "s1", "s2"])
    wait("410 Gone disables",
         lambda: not server.call("GET", "~/webhooks/gone").json["enabled"])
    check("with a reason", server.call(
        "GET", "~/audit?entity=webhook&entity_id=gone").json["items"][0]["reason"]
        == "The receiver answered 410 Gone.")
    check("redirects are not followed", receiver.events("/moved", False) and
          not receiver.events("/elsewhere", False))
    for name in ("mixed", "gone", "moved"):
        check("deleted", server.call("DELETE", "~/webhooks/" + name).status == 204)
    receiver.down()


def own_network():
    receiver = Receiver()
    with Server() as server:
        for name, url in (("loop", receiver.url("/")), ("v6", "http://[::1]:9/"),
                          ("name", f"http://localhost:{receiver.port}/"),
                          ("mapped", "http://[::ffff:127.0.0.1]:9/"),
                          ("metadata", "http://169.254.169.254/latest"),
                          ("number", f"http://2130706433:{receiver.port}/")):
            hook(server, name, url)
            test = server.call("POST", f"~/webhooks/{name}/test").json
            check(f"{url} is refused: {test['error']}", not test["delivered"] and
                  test["status"] is None and "private" in test["error"])
    check("nobody knocked", not receiver.got)
    receiver.down()


def many_changes(server, rounds, first):
    """Each thread changes its own models, so that their order is known."""
    def run(mine):
        c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        for i in range(rounds):
            for m in mine:
                c.request("PATCH", f"{BASE}/registry/m{m}:1", json.dumps(
                    {"description": f"{first + i}"}), {"Content-Type": "application/json"})
                r = c.getresponse()
                r.read()
                if r.status != 200:
                    raise SystemExit(f"FAILED a change: {r.status}")
        c.close()
    threads = [threading.Thread(target=run, args=(range(t, MODELS, 8),)) for t in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def certificate(folder, name, subject):
    """A file with a self-signed certificate and its key, and the certificate alone."""
    key, cert, both = (f"{folder}/{name}.{part}" for part in ("key", "crt", "pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", "/CN=receiver", "-addext",
                    f"subjectAltName={subject}", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    with open(both, "w", encoding="ascii") as out:
        for part in (cert, key):
            with open(part, encoding="ascii") as f:
                out.write(f.read())
    return both, cert


def refused(server, name, part):
    return lambda: any(part in (d["last_error"] or "") for d in deliveries(server, name))


def over_tls():
    """HTTPS: only to a receiver whose certificate is trusted and bears its name."""
    with tempfile.TemporaryDirectory() as folder:
        both, cert = certificate(folder, "good", "IP:127.0.0.1")
        other_both, other_cert = certificate(folder, "other", "DNS:receiver.test")
        receiver, other = Receiver(certificate=both), Receiver(certificate=other_both)
        with Server("--webhook-allow-private", "true") as server:
            hook(server, "unknown", receiver.url("/unknown"))
            model(server, "secured")
            wait("an unknown certificate is refused", refused(server, "unknown", "certificate"))
            check("and was sent nothing", not receiver.got)
        # The system's list of authorities, as the server alone sees it.
        bundle, program = "/etc/ssl/certs/ca-certificates.crt", os.environ["PADDOCK_BIN"]
        with open(f"{folder}/bundle", "w", encoding="ascii") as out:
            for name in (cert, other_cert):
                with open(name, encoding="ascii") as f:
                    out.write(f.read())
        wrapper = f"{folder}/paddock"
        with open(wrapper, "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\nexec unshare -m sh -c 'mount --bind {folder}/bundle {bundle} && "
                    f'exec "{program}" "$@"\' sh "$@"\n')
        os.chmod(wrapper, 0o755)
        if not os.path.exists(bundle) or subprocess.run(
                [wrapper, "--version"], capture_output=True, check=False).returncode != 0:
            print("-- no mount namespaces here: nobody is trusted by this test")
        else:
            os.environ["PADDOCK_BIN"] = wrapper
            with Server("--webhook-allow-private", "true") as server:
                hook(server, "trusted", receiver.url("/trusted"))
                hook(server, "other", other.url("/other"))
                model(server, "secured")
                wait("over TLS it arrives", lambda: receiver.events("/trusted"))
                verify([g for g in receiver.got if g[0] == "/trusted"])
                wait("another name is refused", refused(server, "other", "127.0.0.1"))
                check("and was sent nothing", not other.got)
            os.environ["PADDOCK_BIN"] = program
        receiver.down()
        other.down()


def over_crashes():
    """Changes of models stand for alerts: both are entries of the journal, and deliveries know
    nothing else of them. 10,000 alerts would take 10,000 models that get sick."""
    receiver = Receiver()
    receiver.down()
    with Server("--webhook-allow-private", "true", "--access-log", "false") as server:
        for m in range(MODELS):
            r = server.call("POST", "~/registry",
                            {"name": f"m{m}", "version": "1", "type": "other"})
            check("model", r.status == 201) if r.status != 201 else None
        hook(server, "all", receiver.url("/all"), ["model.updated"])
        half = EVENTS // MODELS // 2
        begun = time.monotonic()
        many_changes(server, half, 0)
        server.stop(signal.SIGKILL)
        server.start()
        many_changes(server, EVENTS // MODELS - half, half)
        server.stop()
        server.start()
        print(f"       {time.monotonic() - begun:.1f} s for {EVENTS} changes and two restarts")
        receiver.up()
        begun = time.monotonic()
        wait("a third has arrived", lambda: len(receiver.got) > EVENTS // 3)
        server.stop(signal.SIGKILL)
        server.start()
        wait("each has arrived", lambda: len({e["id"] for e in receiver.events()}) >= EVENTS)
        took = time.monotonic() - begun
        wait("nothing waits", lambda: "paddock_webhook_pending{" not in
             server.call("GET", "/metrics").text)
        got = receiver.events()
        orders = {}
        for e in got:
            line = orders.setdefault(e["subject"], [])
            if e["data"]["seq"] not in line[-200:]:
                line.append(e["data"]["seq"])
        check("in order for each model", all(line == sorted(line) for line in orders.values()))
        entries = server.call("GET", "~/audit?action=model.updated", headers={
            "Accept": "application/x-ndjson"}).text.splitlines()
        journal = {json.loads(e)["seq"] for e in entries}
        check(f"{len(journal)} entries, {len(got)} deliveries, {len(got) - EVENTS} of them repeats,"
              f" {took:.1f} s with a crash in between ({EVENTS / took:.0f} a second)",
              len(journal) == EVENTS and {e["data"]["seq"] for e in got} == journal)
        verify(receiver.got[-500:])
        r = server.call("GET", "~/webhooks/all/deliveries?limit=1&status=delivered").json
        check(f"{r['total']} are noted as delivered", r["total"] == EVENTS)
    receiver.down()


with Server("--webhook-allow-private", "true") as s:
    what_is_sent(s)
    one_does_not_hold_back_others(s)
own_network()
over_tls()
over_crashes()
