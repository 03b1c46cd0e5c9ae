"""Runs the commands of a page and compares their output with what the page shows.

A ```sh block is run by bash with PADDOCK and API set; one that sets PADDOCK is passed over. The block
behind it says what its last command prints:
  ```json   a subset: members not shown may be there; "..." is any value, and as the last item of a
            list the rest of it; a time is any time
  ```http   the status line, headers that must be there, a blank line, JSON as above
  ```text   lines that come in this order; `...` inside a line is any text, alone any lines

Afterwards: each operation was called, each parameter is named where its operation is, the table of
problems is that of /problems. And the comparison itself is tested: every value shown, changed,
must be found."""
import json
import os
import re
import subprocess
import sys

from paddock_server import BASE, Server

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


# Parameters that the page explains once, among the conventions.
EVERYWHERE = ("limit", "cursor", "min_seq", "labels")


class Differs(Exception):
    pass


# --- comparing ---

def match(want, got, where=""):
    if want == "...":
        return
    if isinstance(want, dict) and isinstance(got, dict):
        for name, value in want.items():
            if name not in got:
                raise Differs(f"{where}/{name} is missing")
            match(value, got[name], f"{where}/{name}")
    elif isinstance(want, list) and isinstance(got, list):
        rest = bool(want) and want[-1] == "..."
        items = want[:-1] if rest else want
        if len(got) < len(items) or (len(got) > len(items) and not rest):
            raise Differs(f"{where} has {len(got)} items")
        for i, item in enumerate(items):
            match(item, got[i], f"{where}/{i}")
    elif isinstance(want, str) and TIME.fullmatch(want):
        if not isinstance(got, str) or not TIME.fullmatch(got):
            raise Differs(f"{where} is {got!r} and no time")
    elif type(want) is not type(got) and not (
            isinstance(want, (int, float)) and isinstance(got, (int, float))) or want != got \
            or isinstance(want, bool) != isinstance(got, bool):
        raise Differs(f"{where} is {json.dumps(got)[:200]}, shown is {json.dumps(want)}")


def match_json(shown, printed):
    try:
        got = json.loads(printed)
    except ValueError:
        raise Differs("no JSON: " + printed[:300])
    match(json.loads(shown), got)


def match_http(shown, printed):
    shown_head, _, shown_body = shown.partition("\n\n")
    head, _, body = printed.replace("\r\n", "\n").partition("\n\n")
    status, *headers = shown_head.strip().split("\n")
    lines = head.split("\n")
    if lines[0] != status:
        raise Differs(f"{lines[0]!r}, shown is {status!r}")
    for header in headers:
        if header not in lines:
            raise Differs(f"no header {header!r} in:\n{head}")
    if shown_body.strip():
        match_json(shown_body, body)
    elif body.strip():
        raise Differs("there is a body: " + body[:300])


def match_text(shown, printed):
    pattern = ""
    for line in shown.strip().split("\n"):
        if line == "...":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += "[^\n]*".join(re.escape(part) for part in line.split("...")) + r"\n"
    if not re.search("^" + pattern, printed if printed.endswith("\n") else printed + "\n", re.M):
        raise Differs("not as shown:\n" + printed[:1500])


MATCH = {"json": match_json, "http": match_http, "text": match_text}


# --- the comparison itself ---

def changed(value):
    """Each way to change one shown value of a JSON value."""
    if isinstance(value, dict):
        for name in value:
            for other in changed(value[name]):
                yield {**value, name: other}
            if value[name] != "...":
                yield {**{k: v for k, v in value.items() if k != name}, name + "x": value[name]}
    elif isinstance(value, list):
        for i, item in enumerate(value):
            for other in changed(item):
                yield value[:i] + [other] + value[i + 1:]
        if "..." not in value:
            yield value + [0]
    elif value != "...":
        yield {str: "planted", bool: not value, type(None): 0}.get(type(value), 424242)


def plant(kind, shown, printed):
    """Everything shown, changed: each change must be found."""
    variants = []
    if kind == "json":
        variants = [json.dumps(v) for v in changed(json.loads(shown))]
    elif kind == "http":
        head, blank, body = shown.partition("\n\n")
        lines = head.strip().split("\n")
        variants = ["\n".join(lines[:i] + [line[:-1] + "~"] + lines[i + 1:]) + blank + body
                    for i, line in enumerate(lines)]
        if body.strip():
            variants += [head + blank + json.dumps(v) for v in changed(json.loads(body))]
    else:
        lines = shown.strip().split("\n")
        variants = ["\n".join(lines[:i] + ["~" + line] + lines[i + 1:])
                    for i, line in enumerate(lines) if line != "..."]
    for variant in variants:
        try:
            MATCH[kind](variant, printed)
        except Differs:
            continue
        raise SystemExit(f"a planted difference was not found:\n{variant}\n{printed[:500]}")
    return len(variants)


# --- the page ---

def blocks(page):
    """(line, kind, text) of the fenced blocks."""
    for m in re.finditer(r"^```(\w*)\n(.*?)^```$", page, re.M | re.S):
        yield page[:m.start()].count("\n") + 1, m.group(1), m.group(2)


def run(server, command):
    env = {**os.environ, "PADDOCK": server.url, "API": server.url + BASE, "LC_ALL": "C",
           "TOKEN": server.token or ""}
    done = subprocess.run(["bash", "-c", command], env=env, capture_output=True, timeout=60)
    if done.returncode not in (0, 28):  # 28: a stream was left after --max-time
        raise Differs(f"it fails with {done.returncode}: {done.stderr.decode()}")
    made = re.search(r'"token":"(pdk_\w+)"', done.stdout.decode())
    server.token = made.group(1) if made else server.token  # what the reader keeps in $TOKEN
    return done.stdout.decode()




def execute(server, page):
    planted = executed = 0
    command = None
    for line, kind, text in blocks(page):
        if kind == "sh" and not text.startswith("PADDOCK="):
            commands = re.split(r"\n(?=curl )", text.strip())
            for first in commands[:-1]:
                run(server, first)
            command, printed = commands[-1], None
        elif kind in MATCH and command:
            try:
                printed = run(server, command)
                MATCH[kind](text, printed)
            except Differs as e:
                raise SystemExit(f"docs/api.md, line {line}: {e}\nafter: {command}")
            planted += plant(kind, text, printed)
            executed += 1
            command = None
    return executed, planted


def sections(page):
    """Each operation (method, path) with the text of its section."""
    for part in re.split(r"^### ", page, flags=re.M)[1:]:
        text = part.split("\n## ")[0]
        for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) ([^`]+)`", text):
            yield method, path.replace("~", BASE, 1), text


def check_operations(server, page):
    document = server.call("GET", "/openapi.json").json
    described = {(m, p): text for m, p, text in sections(page)}
    called = set(re.findall(r'paddock_http_requests_total\{operation="(\w+)"',
                            server.call("GET", "/metrics").text))
    for path, item in document["paths"].items():
        for method, operation in item.items():
            name = operation["operationId"]
            text = described.get((method.upper(), path))
            if text is None:
                raise SystemExit(f"docs/api.md does not describe {method.upper()} {path}")
            if name not in called:
                raise SystemExit(f"docs/api.md does not call {name}")
            for parameter in operation["parameters"]:
                shown = parameter.get("name")
                if parameter.get("in") != "query" or shown in EVERYWHERE:
                    continue
                if f"`{shown}`" not in text:
                    raise SystemExit(f"docs/api.md does not name `{shown}` of {name}")
    return len(described)


def check_problems(server, page):
    shown = dict(re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", page, re.M))
    kinds = {k["code"]: str(k["status"]) for k in server.call("GET", "/problems?limit=1000").json["items"]}
    if shown != kinds:
        raise SystemExit(f"the table of problems differs: {set(shown.items()) ^ set(kinds.items())}")


def main():
    with open(sys.argv[1]) as f:
        page = f.read()
    with Server("--dataset-dirs", "/srv/data", "--exec-dirs", "/bin") as server:
        executed, planted = execute(server, page)
        server.token = None  # the page has revoked it
        operations = check_operations(server, page)
        check_problems(server, page)
    print(f"{executed} commands, {operations} operations; {planted} planted differences found")


main()
