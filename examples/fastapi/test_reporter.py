"""The promises of reporter.py, against a server on 127.0.0.1 that misbehaves on purpose.

    /usr/bin/python3 test_reporter.py
"""
import asyncio
import http.server
import json
import socket
import threading
import time
import unittest
import unittest.mock

from reporter import PaddockMiddleware, Reporter

QUICK = {"flush_seconds": 0.02, "timeout_seconds": 0.3, "backoff_seconds": (0.01, 0.05)}


class Recorder(http.server.BaseHTTPRequestHandler):
    """Answers by the server's script, one word a request: a status, or `hang up`, or `silence`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        lines = self.rfile.read(int(self.headers["Content-Length"])).splitlines()
        script = self.server.script
        self.server.seen.append((self.headers["Idempotency-Key"], [json.loads(x) for x in lines]))
        word = script.pop(0) if script else 202
        if word == "silence":
            time.sleep(0.6)
        if word in ("silence", "hang up"):
            self.close_connection = True
            return
        body = json.dumps({"accepted": len(lines)}).encode() if word == 202 else b"{}"
        self.send_response(word)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(script=()):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    server.script, server.seen = list(script), []
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


def closed_url():
    """An address that refuses connections."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{s.getsockname()[1]}"


async def until(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("did not happen in time")
        await asyncio.sleep(0.01)


class ReporterTest(unittest.IsolatedAsyncioTestCase):
    def use(self, script=()):
        server = serve(script)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    async def test_flushes_by_count_before_the_time(self):
        server = self.use()
        reporter = Reporter(server.url, batch=10, flush_seconds=60)
        await reporter.start()
        for n in range(20):
            reporter.record("m:1", float(n))
        await until(lambda: reporter.counts["sent"] == 20)
        self.assertEqual([len(lines) for _, lines in server.seen], [10, 10])
        await reporter.stop()

    async def test_flushes_by_time(self):
        server = self.use()
        reporter = Reporter(server.url, **QUICK)
        await reporter.start()
        reporter.record("m:1", 1.5, scores={"confidence": 0.5})
        await until(lambda: reporter.counts["sent"] == 1)
        entry = server.seen[0][1][0]
        self.assertEqual((entry["model_id"], entry["latency_ms"], entry["scores"]),
                         ("m:1", 1.5, {"confidence": 0.5}))
        await reporter.stop()

    async def test_retries_under_the_same_key(self):
        server = self.use([503, "hang up", "silence", 429, 202])
        reporter = Reporter(server.url, **QUICK)
        await reporter.start()
        reporter.record("m:1", 1.0)
        await until(lambda: reporter.counts["sent"] == 1)
        self.assertEqual(len(server.seen), 5)
        self.assertEqual(len({key for key, _ in server.seen}), 1)
        reporter.record("m:1", 2.0)
        await until(lambda: reporter.counts["sent"] == 2)
        self.assertEqual(len({key for key, _ in server.seen}), 2)
        await reporter.stop()

    async def test_a_refused_batch_is_not_resent(self):
        server = self.use([400])
        reporter = Reporter(server.url, **QUICK)
        await reporter.start()
        reporter.record("m:1", 1.0)
        await until(lambda: reporter.counts["refused"] == 1)
        await reporter.stop()
        self.assertEqual(len(server.seen), 1)

    async def test_drops_the_oldest_when_full(self):
        reporter = Reporter(closed_url(), capacity=5, batch=3, **QUICK)
        for n in range(9):
            reporter.record("m:1", float(n))
        self.assertEqual([e["latency_ms"] for e in reporter.buffer], [4.0, 5.0, 6.0, 7.0, 8.0])
        self.assertEqual(reporter.counts["dropped"], 4)

    async def test_stop_is_bounded_and_counts_everything(self):
        reporter = Reporter(closed_url(), capacity=50, batch=10, **QUICK)
        await reporter.start()
        for n in range(70):
            reporter.record("m:1", float(n))
        await until(lambda: reporter.counts["retries"] > 2)
        start = time.monotonic()
        await reporter.stop(grace_seconds=0.2)
        self.assertLess(time.monotonic() - start, 1)
        await until(lambda: reporter.task.done())
        self.assertEqual(reporter.counts["dropped"], 70)

    async def test_stop_sends_what_is_left(self):
        server = self.use()
        reporter = Reporter(server.url, batch=10, flush_seconds=60)
        await reporter.start()
        for n in range(25):
            reporter.record("m:1", float(n))
        await reporter.stop()
        self.assertEqual(sum(len(lines) for _, lines in server.seen), 25)

    async def test_gives_up_a_batch_that_could_count_twice(self):
        server = self.use(["hang up"] * 100)
        reporter = Reporter(server.url, **QUICK)
        with unittest.mock.patch("reporter.KEY_LIFE_SECONDS", 0.1):
            await reporter.start()
            reporter.record("m:1", 1.0)
            await until(lambda: reporter.counts["uncertain"] == 1)
            await reporter.stop()


class MiddlewareTest(unittest.IsolatedAsyncioTestCase):
    async def through(self, app, path="/predict"):
        reporter = Reporter(closed_url())
        middleware = PaddockMiddleware(app, reporter, {"/predict": "m:1"})
        sent = []

        async def send(message):
            sent.append(message)

        try:
            await middleware({"type": "http", "path": path, "state": {}}, None, send)
        except ZeroDivisionError:
            pass
        return list(reporter.buffer)

    @staticmethod
    def answers(status):
        async def app(scope, receive, send):
            scope["state"]["paddock_scores"] = {"confidence": 0.9}
            await send({"type": "http.response.start", "status": status})
        return app

    async def test_a_success_is_timed_with_its_scores(self):
        entry, = await self.through(self.answers(200))
        self.assertTrue(entry["success"])
        self.assertEqual(entry["scores"], {"confidence": 0.9})
        self.assertGreaterEqual(entry["latency_ms"], 0)

    async def test_a_caller_fault_is_no_inference(self):
        self.assertEqual(await self.through(self.answers(422)), [])

    async def test_a_server_fault_is_a_failure(self):
        entry, = await self.through(self.answers(503))
        self.assertEqual((entry["success"], entry["error_type"]), (False, "http_503"))

    async def test_an_exception_is_a_failure_by_its_name(self):
        async def app(scope, receive, send):
            raise ZeroDivisionError
        entry, = await self.through(app)
        self.assertEqual(entry["error_type"], "ZeroDivisionError")

    async def test_other_paths_are_left_alone(self):
        self.assertEqual(await self.through(self.answers(200), "/health"), [])


if __name__ == "__main__":
    unittest.main()
