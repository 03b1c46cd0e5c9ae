"""Report inferences to Paddock from an ASGI application, without ever standing in its way.

    reporter = Reporter("http://127.0.0.1:8080")
    app.add_middleware(PaddockMiddleware, reporter=reporter, models={"/predict": "fraud:1.4.0"})

A request to a path in `models` is timed and put into a buffer; a background task posts the buffer in
batches of NDJSON, by count or by time. The rules it keeps:

- A request never waits for Paddock and never fails because of it.
- Memory is bounded: when the buffer is full the oldest records go, and are counted.
- A batch is sent until it is answered, always under the same Idempotency-Key, so a lost answer
  counts nothing twice. The server keeps a key for ten minutes: a batch that may have been received
  and is still unanswered near that age is given up and counted, since a resend could count twice.
"""
import asyncio
import collections
import http.client
import itertools
import json
import random
import time
import urllib.parse
import uuid

KEY_LIFE_SECONDS = 9 * 60  # a minute less than the server keeps an ingestion key
FINAL = {400, 401, 403, 404, 413, 415, 422}  # answers that a resend cannot change


class Reporter:
    """A bounded buffer of records and the task that empties it. All methods: the event loop only."""

    def __init__(self, url, capacity=10_000, batch=500, flush_seconds=1.0, timeout_seconds=5.0,
                 backoff_seconds=(0.2, 10.0)):
        parts = urllib.parse.urlsplit(url)
        self.address = (parts.hostname, parts.port or 80)
        self.capacity, self.batch, self.flush_seconds = capacity, batch, flush_seconds
        self.timeout_seconds, self.backoff_seconds = timeout_seconds, backoff_seconds
        self.buffer = collections.deque()
        self.counts = {"recorded": 0, "sent": 0, "dropped": 0, "refused": 0, "uncertain": 0,
                       "retries": 0}
        self.full = asyncio.Event()  # a batch's worth is waiting, or the end has come
        self.closing = False
        self.task = None

    def record(self, model_id, latency_ms, success=True, error_type=None, scores=None):
        entry = {"model_id": model_id, "latency_ms": latency_ms, "success": success,
                 "timestamp": int(time.time() * 1000)}
        if error_type:
            entry["error_type"] = error_type[:64]
        if scores:
            entry["scores"] = scores
        self.counts["recorded"] += 1
        if len(self.buffer) >= self.capacity:
            self.buffer.popleft()
            self.counts["dropped"] += 1
        self.buffer.append(entry)
        if len(self.buffer) >= self.batch:
            self.full.set()

    async def start(self):
        self.task = asyncio.create_task(self.run())

    async def stop(self, grace_seconds=2.0):
        """Send what is left, for at most `grace_seconds`; the rest counts as dropped."""
        self.closing = True
        self.full.set()
        _, late = await asyncio.wait({self.task}, timeout=grace_seconds)
        for task in late:
            task.cancel()
        self.counts["dropped"] += len(self.buffer)
        self.buffer.clear()

    async def run(self):
        while not (self.closing and not self.buffer):
            try:
                await asyncio.wait_for(self.full.wait(), self.flush_seconds)
            except asyncio.TimeoutError:
                pass
            if self.buffer:
                take = min(self.batch, len(self.buffer))
                entries = [self.buffer.popleft() for _ in range(take)]
                await self.deliver(entries)
            if len(self.buffer) < self.batch and not self.closing:
                self.full.clear()

    async def deliver(self, entries):
        """Post one batch until it is answered."""
        lines = "".join(json.dumps(e, separators=(",", ":")) + "\n" for e in entries)
        key, first_sent = uuid.uuid4().hex, None
        for attempt in itertools.count():
            try:
                sent_at, status, body = await asyncio.to_thread(self.post, lines.encode(), key)
                first_sent = first_sent or sent_at
            except OSError:  # never connected: nothing can have been counted
                status, body = None, {}
            except asyncio.CancelledError:
                self.counts["dropped"] += len(entries)
                raise
            if status == 202:
                self.counts["sent"] += body.get("accepted", len(entries))
                self.counts["refused"] += body.get("rejected", 0)
                return
            if status in FINAL:
                self.counts["refused"] += len(entries)
                return
            if first_sent and time.monotonic() - first_sent > KEY_LIFE_SECONDS:
                self.counts["uncertain"] += len(entries)
                return
            self.counts["retries"] += 1
            low, high = self.backoff_seconds
            try:
                await asyncio.sleep(min(high, low * 2 ** min(attempt, 20)) * random.uniform(0.5, 1))
            except asyncio.CancelledError:
                self.counts["dropped"] += len(entries)
                raise

    def post(self, body, key):
        """One attempt, in a thread: when it was sent, the status (None: no answer) and the body.

        Raises OSError only if no connection could be made.
        """
        connection = http.client.HTTPConnection(*self.address, timeout=self.timeout_seconds)
        connection.connect()
        sent_at = time.monotonic()
        try:
            connection.request("POST", "/api/models/enterprise/inference?on_invalid=skip", body,
                               {"Content-Type": "application/x-ndjson", "Idempotency-Key": key})
            reply = connection.getresponse()
            data = reply.read()
            return sent_at, reply.status, json.loads(data) if reply.status == 202 else {}
        except (OSError, http.client.HTTPException, ValueError):
            return sent_at, None, {}
        finally:
            connection.close()


class PaddockMiddleware:
    """Time the requests whose path is in `models` and report them.

    A handler adds scores by `request.state.paddock_scores = {"confidence": 0.93}`. An answer of 500
    and up, or an exception, is a failed inference; one of 4xx is the caller's fault, the model
    never ran, so it is none at all.
    """

    def __init__(self, app, reporter, models):
        self.app, self.reporter, self.models = app, reporter, models

    async def __call__(self, scope, receive, send):
        model_id = self.models.get(scope["path"]) if scope["type"] == "http" else None
        if model_id is None:
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})  # what the handler knows as request.state
        status, error = 500, None

        async def watch(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        start = time.perf_counter()
        try:
            await self.app(scope, receive, watch)
        except Exception as fault:
            status, error = 500, type(fault).__name__
            raise
        finally:
            latency_ms = (time.perf_counter() - start) * 1000
            if status < 400:
                self.reporter.record(model_id, latency_ms, scores=state.get("paddock_scores"))
            elif status >= 500:
                self.reporter.record(model_id, latency_ms, False, error or f"http_{status}")
