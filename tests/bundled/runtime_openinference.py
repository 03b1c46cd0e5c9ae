"""The runtime "openinference" against a real server that misbehaves: a clear message for each way."""
import bad_server
import jobs

r = jobs.Runner()
server = bad_server.Server()

INPUT = {"name": "input", "datatype": "FP32", "shape": [1, 3], "data": [1, 2, 3.5]}


def ask(model, inputs=None, expect=None, error=None, **runtime):
    case = {"name": "a question", "inputs": inputs or [INPUT], "timeout_ms": 20000}
    case.update({"expect_error": error} if error else {"expect": expect or [{}]})
    if model in ("never", "trickle"):
        case["timeout_ms"] = 300
    return r.run("unit", {"cases": [case]},
                 {"kind": "openinference", "url": server.url, "model_name": model, **runtime})


# Model, status of the test, what its message or check must say.
for model, status, *parts in [
    ("sum", "passed"),
    ("500", "failed", "the server answered 500: out of cheese (model)"),
    ("500html", "failed", "the server answered 500: <html><body>Internal Server Error"),
    ("503", "error", "the server answered 503: later (unavailable)"),
    ("404", "error", "no such model (not_found)"),
    ("400", "failed", "the server answered 400: I want 3 columns (input)"),
    ("401", "error", "the server answered 401: who are you? (config)"),
    ("302", "failed", "the server answered 302 (protocol)"),
    ("nothing", "error", "closed the connection without an answer (unavailable)"),
    ("reset", "error", "cannot ask http://127.0.0.1", "(unavailable)"),
    ("empty", "failed", "the server answered with nothing (protocol)"),
    ("html", "failed", "answered with HTML or XML, not JSON: <!DOCTYPE html>", "(protocol)"),
    ("text", "failed", "something that is not JSON", "it works!"),
    ("nan", "failed", "answered with NaN, which is no number of JSON"),
    ("infinity", "failed", "answered with Infinity, which is no number of JSON"),
    ("null", "failed", "output 'y' whose element 1 is null: no FP32"),
    ("string", "failed", "output 'y' whose element 0 is \"NaN\": no FP32"),
    ("shape", "failed", "output 'y' the shape [3,2], which is 6 elements, but 3 elements"),
    ("negative", "failed", "output 'y' an impossible shape"),
    ("huge_shape", "failed", "the shape [1099511627776,1099511627776]: too large"),
    ("type", "failed", "output 'y' the datatype FLOAT, which is not one of the protocol's"),
    ("fraction", "failed", "element 0 is 1.5: no INT32"),
    ("range", "failed", "element 0 is 256: no UINT8"),
    ("no_outputs", "failed", "answered without 'outputs'"),
    ("no_data", "failed", "output 'y' no array 'data'"),
    ("array", "failed", "answered without 'outputs'"),
    ("error200", "failed", "answered with the error: sorry (model)"),
    ("cut", "failed", "ends in the middle"),
    ("deep", "failed", "something that is not JSON"),
    ("short", "failed", "ends in the middle"),
    ("garbage", "failed", "does not answer with HTTP"),
    ("never", "failed", "no answer in time from http://127.0.0.1", "(timeout)"),
    ("trickle", "failed", "no answer in time", "(timeout)"),
]:
    r.expect(model, ask(model), status, *parts)

r.expect("too large", ask("large", max_answer_bytes=100000), "failed", "larger than 100000 bytes")

# Nobody there, and names that are none.
closed = bad_server.unused_port()
url = f"http://127.0.0.1:{closed.getsockname()[1]}"
r.expect("nobody", ask("sum", url=url), "error", f"cannot ask {url}", "(unavailable)")
for url in ("ftp://127.0.0.1/", "127.0.0.1:80", "http://user:pass@127.0.0.1/", "http://h/?q=1"):
    r.expect(url, ask("sum", url=url), "error", "'url' must be http:// or https://")
r.expect("TLS", ask("sum", url=server.url.replace("http:", "https:")), "error", "cannot ask https:")

# All datatypes, there and back.
r.expect("all types", ask("types", expect=[
    {"output": "bool", "datatype": "BOOL", "data": [True, False]},
    {"output": "uint8", "data": [0, 255]}, {"output": "uint16", "data": [65535]},
    {"output": "uint32", "data": [4294967295], "tolerance": 0, "relative": 0},
    {"output": "uint64", "data": [9223372036854775807]}, {"output": "int8", "data": [-128]},
    {"output": "int16", "data": [-32768]}, {"output": "int32", "data": [-2147483648]},
    {"output": "int64", "data": [-9223372036854775808]},
    {"output": "fp16", "data": [0.5, 65504], "tolerance": 0, "relative": 0},
    {"output": "fp32", "shape": [-1, 1], "data": [[0.25], [1e30]]},
    {"output": "fp64", "shape": [], "data": [1e300]},
    {"output": "bytes", "data": ["naïve", ""]}]), "passed")
for datatype, data in {
    "BOOL": [True, False, True], "UINT8": [0, 1, 255], "UINT16": [0, 1, 65535],
    "UINT32": [0, 1, 4294967295], "UINT64": [0, 1, 9223372036854775807], "INT8": [-128, 0, 127],
    "INT16": [-32768, 0, 32767], "INT32": [-2147483648, 0, 2147483647],
    "INT64": [-9223372036854775808, 9007199254740993, 9223372036854775807],
    "FP16": [6e-8, 1.0009765625, 65504], "FP32": [1.17549435e-38, 0.1, 3.4028234e38],
    "FP64": [5e-324, 0.1, 1.7976931348623157e308], "BYTES": ["", "a \"quoted\" line\n", "日本"],
}.items():
    before = len(server.asked)
    r.expect(f"echo {datatype}", ask("echo", [{"name": "x", "datatype": datatype, "data": data}],
                                     [{"output": "x", "datatype": datatype, "data": data}]),
             "passed")
    sent = server.asked[before][1]["inputs"][0]
    exact = [float(f"{x:.9g}") for x in data] if datatype in ("FP16", "FP32") else data
    r.check(f"sent {datatype}", sent["datatype"] == datatype and sent["shape"] == [3]
            and (sent["data"] == exact or datatype in ("FP16", "FP32")))

# The path is encoded, the version chosen, the secret sent where it should be.
r.expect("name with a slash", ask("sum/../x", model_version="a b"), "error", "not_found")
r.check("path", server.asked[-1][2] == "/v2/models/sum%2F..%2Fx/versions/a%20b/infer")
ask("echo", model_version="7", secret="s3cret", secret_header="X-Key", secret_prefix="")
r.check("secret", server.asked[-1][0].get("X-Key") == "s3cret")
ask("echo", secret="s3cret")
r.check("bearer", server.asked[-1][0].get("Authorization") == "Bearer s3cret")
r.expect("header injection", ask("echo", secret="a\r\nX-Evil: 1"), "error", "a line break")
r.expect("refused as asked", ask("400", error="input"), "passed", "refused: the server answered 400")
r.expect("not refused", ask("sum", error="input"), "failed", "answered, but should be refused")

server.stop()
r.end()
