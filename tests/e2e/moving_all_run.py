"""What moving_all.sh tests: every kind of object that there is an operation for, and its history."""
import os
import re
import subprocess
import tempfile

import openapi_walk
import redis_server
from paddock_server import Server

BIN = os.environ["PADDOCK_BIN"]
SETTINGS = ("--dataset-dirs", "/srv/data", "--exec-dirs", "/bin")
# About the process, not about what is stored.
OF_THE_MOMENT = {"config_get", "events_get", "exposition", "healthz", "nodes_list", "ofrep_events",
                 "openapi", "plugins_list", "problem_get", "problems_list", "readyz", "root",
                 "types_get", "version"}
# When it was asked, loaded, used; whether one node or all are meant.
MOMENTS = re.compile(r'"(as_of|from|to|now|checked_at|loaded_at|last_used_at|request_id)":"[^"]*"'
                     r'|"scope":"(node|all)"')


def check(what, good, detail=""):
    if not good:
        raise SystemExit(f"FAILED {what}\n{detail}")
    print("ok     " + what, flush=True)


def answers(walk):
    """All that a GET of the walk asks for, in both namespaces that it fills."""
    out = {}
    for name, params, more in openapi_walk.CALLS:
        method, path, _ = walk.operations[name]
        if method != "GET" or name in OF_THE_MOMENT:
            continue
        for target in {walk.target(path, params, more.get("query")), walk.target(path, params, "")}:
            reply = walk.server.call("GET", target)
            out[target] = (reply.status, reply.headers.get("etag"), MOMENTS.sub("", reply.text))
    return out


def same(what, before, after):
    for target, answer in before.items():
        check(f"{what}: GET {target}", answer == after[target], f"{answer}\n{after[target]}")
    print(f"ok     {what}: {len(before)} answers are the same")


def run(*words):
    done = subprocess.run([BIN, *words], capture_output=True, text=True, timeout=120)
    check(f"{words[0]}: {done.stdout.strip()}{done.stderr.strip()}", done.returncode == 0)


def move(walk, export, there, before, what):
    """From where the server was to `there`, and it starts again."""
    server = walk.server
    server.stop()
    run("export", export, "--data-dir", *server.place)
    run("import", export, "--data-dir", *there)
    run("audit", "verify", *(there[1:] or ["--data-dir", *there]))
    server.place, server.settings = there, (*SETTINGS, "--data-dir", *there)
    server.start()
    same(what, before, answers(walk))


def main():
    if not redis_server.there():
        raise SystemExit(77)
    with Server(*SETTINGS) as server, redis_server.Redis() as redis, \
            tempfile.TemporaryDirectory() as d:
        walk = openapi_walk.Walk(server)
        for name, params, more in openapi_walk.CALLS:
            walk.call(name, params, more)
        check("the walk", not openapi_walk.faults)
        server.place = [server.dir + "/data"]
        server.stop()  # what was under way has ended
        server.start()
        before = answers(walk)
        move(walk, d + "/one", [d + "/node", "--redis-url", redis.url], before, "on Redis")
        move(walk, d + "/two", [d + "/back"], before, "back")


main()
