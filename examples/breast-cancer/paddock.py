"""A small client of Paddock's HTTP API, with nothing but the standard library."""
import http.client
import json
import os
import sys
import urllib.parse

BASE = "/api/models/enterprise"


class Problem(Exception):
    """An answer of 400 and up. `code` and `body` are those of the problem document."""

    def __init__(self, status, body):
        super().__init__(f"{status} {body.get('code', '')}: {body.get('detail', body.get('title'))}")
        self.status = status
        self.code = body.get("code")
        self.body = body


class Paddock:
    """One keep-alive connection to the server at `url` (default: $PADDOCK_URL)."""

    def __init__(self, url=None):
        self.url = url or os.environ.get("PADDOCK_URL", "http://127.0.0.1:8080")
        parts = urllib.parse.urlsplit(self.url)
        self.http = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=30)

    def call(self, method, path, body=None, **headers):
        """Send a request below the base path; the decoded answer, or a Problem.

        `body` is sent as JSON; bytes are sent as they are, as NDJSON.
        """
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/x-ndjson"
        elif body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body).encode()
        try:
            self.http.request(method, BASE + path, body, headers)
            reply = self.http.getresponse()
            data = reply.read()
        except OSError as fault:
            sys.exit(f"no Paddock at {self.url}: {fault}")
        value = json.loads(data) if data else None
        if reply.status >= 400:
            raise Problem(reply.status, value if isinstance(value, dict) else {})
        return value

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body, **headers):
        return self.call("POST", path, body, **headers)

    def patch(self, path, body):
        return self.call("PATCH", path, body)


def quote(text):
    """An id as one segment of a path."""
    return urllib.parse.quote(text, safe="")
