"""Start and stop the servers of a benchmark run: Paddock and its peers, each on a free port of
127.0.0.1, each with its own directory, stopped by its own process handle."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
API = "/api/models/enterprise"
# A header that the peers write themselves, or that frames the answer, is not copied to them.
OWN_HEADERS = {"date", "content-length", "connection", "keep-alive", "server", "transfer-encoding"}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def quote(text):
    return urllib.parse.quote(text, safe="")


class Server:
    """One process. Subclasses set `command`, `env` and `path` (answered when it is ready)."""

    path = "/"
    env = {}

    def __init__(self, run, name):
        self.run, self.name, self.process = run, name, None
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=name + "-", dir=run.dir))
        self.port = free_port()
        self.start_seconds = None

    def start(self):
        """Start it and wait for its first good answer."""
        began = time.monotonic()
        with open(self.dir / "stdout", "ab") as out, open(self.dir / "stderr", "ab") as err:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=err, cwd=self.dir, env={**os.environ, **self.env})
        self.run.running.append(self)
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() - began > 120:
                tail = (self.dir / "stderr").read_bytes()[-2000:].decode(errors="replace")
                raise SystemExit(f"{self.name} did not start:\n{tail}")
            time.sleep(0.001)
        self.start_seconds = time.monotonic() - began
        return self

    def ready(self):
        try:
            return self.call("GET", self.path)[0] < 500
        except OSError:
            return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                print(f"note: {self.name} had to be killed", file=sys.stderr)
        if self in self.run.running:
            self.run.running.remove(self)

    tls = False
    token = None

    def url(self, path):
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}{path}"

    def call(self, method, path, body=None, content_type="application/json"):
        """One request on a connection of its own: status, headers in order, body."""
        if self.tls:  # the certificate is made for the run
            context = ssl._create_unverified_context()
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60,
                                                     context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            if body is not None and not isinstance(body, bytes):
                body = json.dumps(body).encode()
            headers = {"Content-Type": content_type} if body is not None else {}
            if self.token:
                headers["Authorization"] = "Bearer " + self.token
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return reply.status, reply.getheaders(), reply.read()
        finally:
            connection.close()

    def ask(self, method, path, body=None, **more):
        """The decoded answer; anything but 2xx ends the benchmark."""
        status, _, data = self.call(method, path, body, **more)
        if not 200 <= status < 300:
            raise SystemExit(f"{self.name}: {method} {path} answered {status}: {data[:500]!r}")
        return json.loads(data) if data else None

    def rss_mb(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise SystemExit(f"{self.name}: no RSS")


class Certificate:
    """One for 127.0.0.1, signed by itself: EC P-256, as most servers have today."""

    def __init__(self, run, kind=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
        self.pem, self.key = run.dir / "server.pem", run.dir / "server.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                        self.key, "-out", self.pem], check=True, capture_output=True)


class Paddock(Server):
    path = "/readyz"

    def __init__(self, run, threads=None, arguments=(), certificate=None):
        super().__init__(run, "paddock")
        self.threads, self.arguments = threads, arguments
        if certificate:
            self.tls = True
            self.arguments = [*arguments, "--tls-cert", str(certificate.pem), "--tls-key",
                              str(certificate.key)]

    def command(self):
        return [run_binary(self.run, "paddock"), "serve", "--listen", f"127.0.0.1:{self.port}",
                "--data-dir", str(self.dir / "data"),
                *(["--threads", str(self.threads)] if self.threads else []), *self.arguments]

    def ready(self):
        try:
            return self.call("GET", self.path)[0] == 200
        except OSError:
            return False


def run_binary(run, name):
    """A built program, wherever the build puts it."""
    for place in (run.build / "bin" / name, run.build / "tests" / "bench" / name,
                  run.build / "tests" / "bench" / "peers" / name):
        if place.exists():
            return str(place)
    found = [p for p in run.build.rglob(name) if p.is_file() and os.access(p, os.X_OK)]
    if not found:
        raise SystemExit(f"{name} is not built under {run.build}: scripts/build.sh")
    return str(found[0])


class Answer:
    """What Paddock really answered: the peers give the same bytes and headers."""

    def __init__(self, run, name, status, headers, body):
        self.status, self.body = status, body
        self.headers = [(k, v) for k, v in headers if k.lower() not in OWN_HEADERS]
        self.body_file = run.dir / f"{name}.body"
        self.headers_file = run.dir / f"{name}.headers"
        self.body_file.write_bytes(body)
        self.headers_file.write_text("".join(f"{k}: {v}\n" for k, v in self.headers))


class Evhttp(Server):
    def __init__(self, run, get, post):
        super().__init__(run, "evhttp")
        self.get, self.post = get, post
        self.port = None  # it picks one and says so

    def command(self):
        return [run_binary(self.run, "evhttp"), "--get-body", str(self.get.body_file),
                "--get-headers", str(self.get.headers_file), "--post-body", str(self.post.body_file),
                "--post-headers", str(self.post.headers_file), "--log", str(self.dir / "access.log")]

    def ready(self):
        said = (self.dir / "stdout").read_text()
        self.port = int(said) if said.endswith("\n") else None
        return self.port is not None and super().ready()


NGINX = """\
daemon off;
user root;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
worker_processes {workers};
events {{ worker_connections 4096; }}
http {{
    log_format paddock escape=json '{{"time":$msec,"level":"info","method":"$request_method",'
        '"path":"$request_uri","status":$status,"duration_s":$request_time}}';
    access_log {dir}/access.log paddock buffer=64k flush=1s;
    server_tokens off;
    keepalive_requests 1000000000;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{port}{tls};
        location / {{
            default_type "{type}";
            {headers}
            return 200 '{body}';
        }}
    }}
}}
"""


class Nginx(Server):
    """nginx's `return 200` with the same bytes and headers."""

    def __init__(self, run, answer, workers=1, certificate=None):
        super().__init__(run, "nginx")
        self.tls = certificate is not None
        # What Paddock does: no cache of sessions, tickets, the same protocols and ciphers.
        tls = ("" if not certificate else f" ssl; ssl_certificate {certificate.pem}; "
               f"ssl_certificate_key {certificate.key}; ssl_protocols TLSv1.2 TLSv1.3; "
               "ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20; ssl_prefer_server_ciphers on; "
               "ssl_session_cache off; ssl_session_tickets on; ssl_conf_command Ciphersuites "
               "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256")
        body = answer.body.decode()
        if "'" in body or "$" in body or len(body) > 4000:
            raise SystemExit("nginx cannot return this body")
        kind = dict((k.lower(), v) for k, v in answer.headers).get("content-type", "text/plain")
        lines = [f"add_header {k} '{v}';" for k, v in answer.headers if k.lower() != "content-type"]
        (self.dir / "nginx.conf").write_text(NGINX.format(
            dir=self.dir, workers=workers, port=self.port, tls=tls, type=kind, headers=" ".join(lines),
            body=body))

    def command(self):
        return [shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(self.dir),
                "-c", str(self.dir / "nginx.conf")]


class Redis(Server):
    def __init__(self, run):
        super().__init__(run, "redis")

    def command(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--dir", str(self.dir)]

    def ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                s.sendall(b"PING\r\n")
                return s.recv(16).startswith(b"+PONG")
        except OSError:
            return False


class FastApiRedis(Server):
    """The system Paddock replaces. `tuned`: with uvloop, httptools and hiredis, if installed."""

    path = "/openapi.json"

    def __init__(self, run, redis, percentiles=False, tuned=False):
        super().__init__(run, "fastapi")
        self.tuned = tuned
        self.env = {"REDIS_PORT": str(redis.port), "PERCENTILES": str(int(percentiles)),
                    "TUNED": str(int(tuned)), "PYTHONDONTWRITEBYTECODE": "1"}

    def command(self):
        engine = [] if self.tuned else ["--loop", "asyncio", "--http", "h11"]
        return ["/usr/bin/python3", "-m", "uvicorn", "--app-dir", str(HERE / "peers"),
                "fastapi_redis:app", "--host", "127.0.0.1", "--port", str(self.port), *engine]
