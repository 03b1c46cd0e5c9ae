"""Serve the trained models with the Open Inference Protocol v2 (REST) on 127.0.0.1.

    /usr/bin/python3 serve.py WORKDIR [PORT]

Writes its address to WORKDIR/serve.url and its process id to WORKDIR/serve.pid once it listens.
Without PORT it takes the port it had last time if that is still free, else any free one. One model,
`breast-cancer`, in every version that train.py left in WORKDIR; without a version in the path the
newest answers (the candidate only by its number). Input: one tensor `input`, FP32 or FP64, shape [rows, 30]. Outputs: `probability`
(FP32, of the benign class) and `label` (INT64).
"""
import http.server
import json
import math
import os
import pathlib
import re
import signal
import sys
import urllib.parse

import numpy as np
import xgboost

NAME = "breast-cancer"
MAX_BODY_BYTES = 8 << 20
PATHS = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?(?:/(ready|infer))?")


class Fault(Exception):
    """An answer other than 200; the protocol's error body is {"error": text}."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Model:
    """One version: a saved XGBoost model."""

    def __init__(self, path):
        self.version = path.stem
        self.booster = xgboost.Booster({"nthread": 1}, model_file=str(path))
        self.columns = self.booster.num_features()

    def metadata(self, versions):
        return {"name": NAME, "versions": versions, "platform": "xgboost",
                "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, self.columns]}],
                "outputs": [{"name": "probability", "datatype": "FP32", "shape": [-1]},
                            {"name": "label", "datatype": "INT64", "shape": [-1]}]}

    def infer(self, request):
        rows = self.tensor(request)
        # inplace_predict is safe to call from several threads; predict is not.
        probability = self.booster.inplace_predict(rows)
        outputs = {
            "probability": ("FP32", [float(p) for p in probability]),
            "label": ("INT64", [int(p > 0.5) for p in probability]),
        }
        wanted = [o.get("name") for o in request.get("outputs", [])] or list(outputs)
        for name in wanted:
            if name not in outputs:
                raise Fault(400, f"no output named {name!r}")
        answer = {"model_name": NAME, "model_version": self.version,
                  "outputs": [{"name": n, "datatype": outputs[n][0], "shape": [len(rows)],
                               "data": outputs[n][1]} for n in wanted]}
        if "id" in request:
            answer["id"] = request["id"]
        return answer

    def tensor(self, request):
        """The input tensor as an array [rows, columns], or a Fault that says what is wrong."""
        inputs = request.get("inputs")
        if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
            raise Fault(400, "inputs must hold exactly one tensor")
        tensor = inputs[0]
        if tensor.get("name") != "input":
            raise Fault(400, "the input tensor is named 'input'")
        if tensor.get("datatype") not in ("FP32", "FP64"):
            raise Fault(400, "datatype must be FP32 or FP64")
        shape = tensor.get("shape")
        if (not isinstance(shape, list) or len(shape) != 2 or shape[1] != self.columns
                or not isinstance(shape[0], int) or shape[0] < 1):
            raise Fault(400, f"shape must be [rows, {self.columns}]")
        try:
            data = np.array(tensor.get("data"), dtype=np.float32).reshape(shape)
        except (TypeError, ValueError):
            raise Fault(400, f"data must be {math.prod(shape)} numbers") from None
        if not np.isfinite(data).all():
            raise Fault(400, "data must be finite numbers")
        return data


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one segment
    timeout = 60
    models = {}  # version -> Model, set before the server starts

    def pick(self, name, version):
        if name != NAME:
            raise Fault(404, f"no model named {name!r}")
        if version is None:
            return list(self.models.values())[-1]
        if version not in self.models:
            raise Fault(404, f"no version {version!r} of {name}")
        return self.models[version]

    def route(self, body):
        """The JSON value that answers this request; None is an empty 200."""
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if path == "/v2":
            return {"name": "breast-cancer-example", "version": "1.0", "extensions": []}
        if path == "/v2/health/live":
            return {"live": True}
        if path == "/v2/health/ready":
            return {"ready": True}
        match = PATHS.fullmatch(path)
        if not match:
            raise Fault(404, "no such path")
        name, version, verb = match.groups()
        if (verb == "infer") != (self.command == "POST"):
            raise Fault(405, f"{self.command} is not what this path takes")
        model = self.pick(name, version)
        if verb == "ready":
            return {"name": name, "ready": True}
        if verb is None:
            return model.metadata([model.version] if version else list(self.models))
        try:
            request = json.loads(body)
        except ValueError:
            raise Fault(400, "the body is not JSON") from None
        if not isinstance(request, dict):
            raise Fault(400, "the body must be an object")
        return model.infer(request)

    def answer(self):
        status = 200
        try:
            length = self.headers.get("Content-Length", "0")
            if (not length.isdecimal() or int(length) > MAX_BODY_BYTES
                    or "Transfer-Encoding" in self.headers):
                self.close_connection = True  # the body stays unread
                raise Fault(413, f"send a Content-Length of at most {MAX_BODY_BYTES}")
            reply = self.route(self.rfile.read(int(length)))
        except Fault as fault:
            status, reply = fault.status, {"error": str(fault)}
        data = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def listen(work, port):
    """A server on `port`, or on the port of last time, or on any."""
    if port is None:
        try:
            port = urllib.parse.urlsplit((work / "serve.url").read_text().strip()).port
            return Server(("127.0.0.1", port), Handler)
        except (OSError, ValueError, TypeError):
            port = 0
    return Server(("127.0.0.1", port), Handler)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: serve.py WORKDIR [PORT]")
    work = pathlib.Path(sys.argv[1]).resolve()
    # The candidate first, so that it answers by its number only.
    versions = [v for file in ("candidate.json", "models.json") if (work / file).exists()
                for v in json.loads((work / file).read_text())]
    Handler.models = {v: Model(work / f"{v}.json") for v in versions}
    server = listen(work, int(sys.argv[2]) if len(sys.argv) == 3 else None)
    url = f"http://127.0.0.1:{server.server_port}"
    (work / "serve.url").write_text(url + "\n")
    (work / "serve.pid").write_text(f"{os.getpid()}\n")
    print(f"{NAME} {', '.join(versions)} at {url}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.serve_forever()
    finally:
        (work / "serve.pid").unlink(missing_ok=True)


main()
