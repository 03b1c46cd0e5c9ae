"""A model server of the Open Inference Protocol that misbehaves as the model's name says, on
127.0.0.1 and a port of the kernel's choice. In the process of the test, in threads."""
import http.server
import json
import os
import socket
import threading
import time

MAX_BODY = 1 << 24


def answer(outputs):
    return json.dumps({"model_name": "m", "model_version": "1", "outputs": outputs})


def tensor(name, datatype, shape, data):
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


ALL_TYPES = [
    tensor("bool", "BOOL", [2], [True, False]), tensor("uint8", "UINT8", [2], [0, 255]),
    tensor("uint16", "UINT16", [1], [65535]), tensor("uint32", "UINT32", [1], [4294967295]),
    tensor("uint64", "UINT64", [1], [9223372036854775807]), tensor("int8", "INT8", [1], [-128]),
    tensor("int16", "INT16", [1], [-32768]), tensor("int32", "INT32", [1], [-2147483648]),
    tensor("int64", "INT64", [1], [-9223372036854775808]), tensor("fp16", "FP16", [2], [0.5, 65504]),
    tensor("fp32", "FP32", [2, 1], [[0.25], [1e30]]), tensor("fp64", "FP64", [], [1e300]),
    tensor("bytes", "BYTES", [2], ["naïve", ""]),
]

# Model's name -> (status, content type, body) of infer.
ANSWERS = {
    "500": (500, "application/json", '{"error":"out of cheese"}'),
    "500html": (500, "text/html", "<html><body>Internal Server Error</body></html>"),
    "503": (503, "text/plain", "later"),
    "404": (404, "application/json", '{"error":"no such model"}'),
    "400": (400, "application/json", '{"error":"I want 3 columns"}'),
    "401": (401, "application/json", '{"error":"who are you?"}'),
    "302": (302, "text/plain", ""),
    "empty": (200, "application/json", ""),
    "html": (200, "text/html", "<!DOCTYPE html><html><head><title>Login</title></head></html>"),
    "text": (200, "text/plain", "it works!"),
    "nan": (200, "application/json", answer([tensor("y", "FP32", [2], [0.5, float("nan")])])),
    "infinity": (200, "application/json", answer([tensor("y", "FP32", [1], [float("-inf")])])),
    "null": (200, "application/json", answer([tensor("y", "FP32", [2], [0.5, None])])),
    "string": (200, "application/json", answer([tensor("y", "FP32", [1], ["NaN"])])),
    "shape": (200, "application/json", answer([tensor("y", "FP32", [3, 2], [1, 2, 3])])),
    "negative": (200, "application/json", answer([tensor("y", "FP32", [-1], [1])])),
    "huge_shape": (200, "application/json", answer([tensor("y", "FP32", [1 << 40, 1 << 40], [1])])),
    "type": (200, "application/json", answer([tensor("y", "FLOAT", [1], [1])])),
    "fraction": (200, "application/json", answer([tensor("y", "INT32", [1], [1.5])])),
    "range": (200, "application/json", answer([tensor("y", "UINT8", [1], [256])])),
    "no_outputs": (200, "application/json", '{"model_name":"m"}'),
    "no_data": (200, "application/json", '{"outputs":[{"name":"y","datatype":"FP32","shape":[1]}]}'),
    "array": (200, "application/json", "[1,2]"),
    "error200": (200, "application/json", '{"error":"sorry"}'),
    "cut": (200, "application/json", answer([tensor("y", "FP32", [1], [1])])[:-3]),
    "deep": (200, "application/json", '{"outputs":' + "[" * 100000 + "]" * 100000 + "}"),
    "types": (200, "application/json", answer(ALL_TYPES)),
    "two_rows": (200, "application/json", answer([tensor("y", "FP32", [2], [0.5, 0.5])])),
}

GOOD = ("strict", "slow", "sum", "flaky", "first", "classes")  # those that are ready and describe themselves
METADATA = {"name": "m", "versions": ["1"], "platform": "test",
            "inputs": [{"name": "input", "datatype": "FP64", "shape": [-1, 3]}],
            "outputs": [{"name": "y", "datatype": "FP64", "shape": [-1]}]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 60

    def reply(self, status, media, body, length=None):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", media)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)

    def model(self):
        parts = self.path.split("/")  # /v2/models/<name>[/versions/<v>][/verb]
        return parts[3], parts[-1]

    def infer(self, name, body):
        request = json.loads(body)
        self.server.asked.append((dict(self.headers), request, self.path))
        if name == "nothing":
            self.close_connection = True
        elif name == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            os.close(self.connection.detach())
            self.close_connection = True
        elif name == "never":
            self.server.released.wait(60)
            self.close_connection = True
        elif name == "trickle":  # a byte now and then, without end
            self.send_response(200)
            self.end_headers()
            while not self.server.released.wait(0.02):
                self.wfile.write(b" ")
                self.wfile.flush()
            self.close_connection = True
        elif name == "short":  # less than announced
            self.reply(200, "application/json", '{"outputs":', 1000)
            self.close_connection = True
        elif name == "garbage":
            self.wfile.write(b"\x00\x01 this is not HTTP\r\n\r\n")
            self.close_connection = True
        elif name == "large":
            self.reply(200, "application/json", " " * 200000)
        elif name == "sum":
            rows = request["inputs"][0]
            width = rows["shape"][1]
            data = rows["data"]
            sums = [sum(data[i:i + width]) for i in range(0, len(data), width)]
            self.reply(200, "application/json", answer([tensor("y", "FP32", [len(sums)], sums)]))
        elif name == "first":  # the first column, as if it were a probability
            rows = request["inputs"][0]
            first = rows["data"][::rows["shape"][1]]
            self.reply(200, "application/json", answer([tensor("y", "FP64", [len(first)], first)]))
        elif name == "classes":  # all columns, as if they were probabilities of classes
            rows = request["inputs"][0]
            self.reply(200, "application/json",
                       answer([tensor("y", "FP64", rows["shape"], rows["data"])]))
        elif name in ("strict", "slow"):
            time.sleep(0.2 if name == "slow" else 0)
            self.strict(request["inputs"][0])
        elif name == "echo":
            self.reply(200, "application/json", answer(request["inputs"]))
        elif name == "flaky":  # every third answer is another
            self.server.turn += 1
            y = 0.25 if self.server.turn % 3 == 0 else 0.5
            self.reply(200, "application/json", answer([tensor("y", "FP32", [1], [y])]))
        else:
            self.reply(*ANSWERS.get(name, ANSWERS["404"]))

    def strict(self, t):
        """As a good server does: the sum of each row of three numbers, anything else is refused."""
        if (t["name"] != "input" or t["datatype"] != "FP64" or len(t["shape"]) != 2
                or t["shape"][1] != 3):
            self.reply(400, "application/json", '{"error":"input must be FP64 [rows,3]"}')
            return
        sums = [sum(t["data"][i:i + 3]) for i in range(0, len(t["data"]), 3)]
        self.reply(200, "application/json", answer([tensor("y", "FP64", [len(sums)], sums)]))

    def do_POST(self):
        body = self.rfile.read(min(int(self.headers["Content-Length"]), MAX_BODY))
        self.infer(self.model()[0], body)

    def do_GET(self):
        name, verb = self.model()
        if name == "unready" and verb == "ready":
            self.reply(200, "application/json", '{"ready":false}')
        elif name == "never":
            self.server.released.wait(60)
        elif verb == "ready":
            self.reply(200 if name in GOOD or name in ANSWERS else 404,
                       "application/json", "")
        elif name in GOOD or name in ANSWERS:
            self.reply(200, "application/json", json.dumps(METADATA))
        else:
            self.reply(404, "application/json", '{"error":"no such model"}')

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.turn = [], 0
        self.released = threading.Event()  # of those that wait for ever
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # clients that leave are what is tested

    def stop(self):
        self.released.set()
        self.shutdown()
        self.server_close()


def unused_port():
    """A port where nobody listens: bound, never listened on, for as long as the socket lives."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    return s
