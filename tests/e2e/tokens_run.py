"""Tokens, as an operator has them: by `paddock token`, at the first start, revoked under a stream."""
import http.client
import json
import os
import re
import subprocess
import tempfile
import time

from paddock_server import BASE, Server

BIN = os.environ["PADDOCK_BIN"]
SECRET = re.compile(r"pdk_[0-9A-Za-z]{12}_[0-9A-Za-z]{42}")
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("PADDOCK_")}


def check(what, good):
    if not good:
        raise SystemExit("FAILED " + what)
    print("ok     " + what)


def token(*args, status=0, **environment):
    done = subprocess.run([BIN, "token", *args], env={**CLEAN, **environment},
                          capture_output=True, text=True, timeout=60)
    check(f"token {' '.join(args)[:60]}: {done.returncode} {done.stderr.splitlines()[:1]}",
          done.returncode == status)
    return done.stdout


def at_the_directory(d):
    data = d + "/data"
    check("a directory without a store has no tokens",
          token("list", "--data-dir", data, status=1) == "")
    root = token("create", "root", "--role", "admin", "--data-dir", data).strip()
    check("`create` prints the secret and nothing else", SECRET.fullmatch(root))
    token("create", "ci", "--role", "developer", "--grant", "odds/nba-*,nfl/model.promote.canary",
          "--grant", "news//read", "--rate", "50", "--data-dir", data)
    made = [json.loads(line) for line in token("list", "--json", "--data-dir", data).splitlines()]
    check("they are listed", [t["token_id"] for t in made] == ["ci", "root"])
    check("with their grants", made[0]["grants"] == [
        {"namespace": "odds", "names": ["nba-*", "nfl"], "actions": ["model.promote.canary"]},
        {"namespace": "news", "actions": ["read"]}])
    check("without their secrets", not SECRET.search(json.dumps(made)))
    token("revoke", "ci", "--data-dir", data)
    token("revoke", "ci", "--data-dir", data, status=1)
    token("create", "root", "--role", "viewer", "--data-dir", data, status=1)
    token("create", "x", "--role", "boss", "--data-dir", data, status=1)
    token("create", "x", "--colour", "red", "--data-dir", data, status=2)
    token("create", "x", "--role", "viewer", "--rate", "inf", "--data-dir", data, status=2)
    token("create", "x", "--grant", "odds/*/read/more", "--data-dir", data, status=2)
    for alone in ("version", "openapi"):
        done = subprocess.run([BIN, alone, "more"], capture_output=True, text=True)
        check(f"{alone} takes no arguments", done.returncode == 2 and done.stdout == "" and
              done.stderr == f"usage: paddock {alone}\n")
    verified = subprocess.run([BIN, "audit", "verify", "--data-dir", data], capture_output=True)
    check("the journal has all of it and is whole", verified.returncode == 0)
    check("no file of the directory has the secret", not any(
        root.encode() in open(os.path.join(data, f), "rb").read() for f in os.listdir(data)))
    return root


def over_http(d, root):
    with open(d + "/secret", "w") as f:
        f.write(root + "\n")
    with Server() as server:
        by = ("--url", server.url, "--token-file", d + "/secret")
        token("list", "--url", server.url, status=0)  # none yet: anybody on this machine
        first = token("create", "root", "--role", "admin", "--url", server.url).strip()
        check("a list that fails begins none", token("list", "--url", server.url, status=1) == "")
        token("list", *by, status=1)  # of another server
        with open(d + "/secret", "w") as f:
            f.write(first + "\n")
        check("by a file", "root" in token("list", *by))
        check("by a variable", "root" in token("list", PADDOCK_TOKEN=first, PADDOCK_URL=server.url))
        check("a slash at the end is no other server", "root" in token(
            "list", PADDOCK_TOKEN=first, PADDOCK_URL=server.url + "/"))
        token("create", "look", "--role", "viewer", *by)
        token("create", "look", "--role", "viewer", *by, status=1)
        token("revoke", "look", *by)
        token("revoke", "look", *by, status=1)
        token("list", "--data-dir", server.dir + "/data", status=1)  # the server has it
        token("list", "--url", "http://192.0.2.1", "--token-file", d + "/secret", status=1)


def first_start(d):
    out = open(d + "/out", "w+")
    log = d + "/first.log"
    process = subprocess.Popen(
        [BIN, "serve", "--listen", "[::ffff:127.0.0.1]:0", "--insecure", "--data-dir", d + "/first",
         "--log-file", log], stdout=out, env=CLEAN)
    try:
        end = time.monotonic() + 60
        port = None
        while not port and time.monotonic() < end and process.poll() is None:
            text = open(log).read() if os.path.exists(log) else ""
            port = re.search(r'"event":"listening".*?"port":(\d+)', text)
            time.sleep(0.05)
        check("a server that others can reach starts", port)
        secret = SECRET.search(open(d + "/out").read())
        check("and prints a token", secret)
        c = http.client.HTTPConnection("127.0.0.1", int(port.group(1)), timeout=30)
        c.request("GET", BASE + "/registry")
        check("nobody is anonymous there", c.getresponse().status == 401)
        c.close()
        c = http.client.HTTPConnection("127.0.0.1", int(port.group(1)), timeout=30)
        c.request("GET", BASE + "/config", headers={"Authorization": "Bearer " + secret.group()})
        reply = c.getresponse()
        check("the token may do everything", reply.status == 200)
        check("the settings do not tell it", not SECRET.search(reply.read().decode()))
        check("nor does the log", not SECRET.search(open(log).read()))
    finally:
        process.terminate()
        process.wait(60)
    again = subprocess.run([BIN, "token", "list", "--json", "--data-dir", d + "/first"],
                           capture_output=True, text=True)
    check("it is the only one", len(again.stdout.splitlines()) == 1)


def streams_end():
    with Server() as server:
        server.token = server.call("POST", "~/tokens", {
            "token_id": "root", "role": "admin"}).json["token"]
        secret = server.call("POST", "~/tokens", {
            "token_id": "look", "role": "viewer"}).json["token"]
        c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        c.request("GET", BASE + "/events", headers={"Authorization": "Bearer " + secret})
        stream = c.getresponse()
        check("a stream opens", stream.status == 200 and stream.readline())
        server.call("POST", "~/registry", {"name": "a", "type": "classifier"})
        while b"model.registered" not in stream.readline():
            pass
        check("its token is revoked", server.call("DELETE", "~/tokens/look").status == 204)
        server.call("POST", "~/registry", {"name": "b", "type": "classifier"})
        rest = stream.read()  # ends, or the time-out of the connection fails this
        check("the stream ends, and tells nothing that came after", b"b:1" not in rest)
        c.close()


with tempfile.TemporaryDirectory() as directory:
    over_http(directory, at_the_directory(directory))
    first_start(directory)
    streams_end()
