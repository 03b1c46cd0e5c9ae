"""Runs the commands of docs/api.md and compares their output with what the page shows.

A ```sh block is run by bash with PADDOCK and API set; one that sets PADDOCK is passed over. The block
behind it says what its last command prints (shown.py).

Afterwards: each operation was called, each parameter is named where its operation is, the table of
problems is that of /problems."""
import json
import os
import re
import subprocess
import sys

from paddock_server import BASE, Server
from shown import MATCH, Differs, blocks, plant

# Parameters that the page explains once, among the conventions.
EVERYWHERE = ("limit", "cursor", "min_seq", "labels")


# --- the page ---

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
