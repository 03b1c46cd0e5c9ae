"""What redis.sh tests: see there.

Environment: PADDOCK_BIN, PADDOCK_FAULTS, FAULT_ROUNDS (of each; 20 when full). Arguments: "full", "gone", names of faults (all)."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import redis_server
from nodes_run import check, read, register, seq_of, wait_for
from paddock_server import BASE, Server
from redis_fleet import Fleet, rounds, say, verify
from redis_proxy import Proxy
from redis_traffic import Watched

FULL = "full" in sys.argv[1:]
ROUNDS = rounds(FULL)


class BrokenFleet(Fleet):
    """The first of them behind a network that can be cut."""

    def __init__(self, redis, nodes, proxy):
        super().__init__(redis.url, nodes)
        self.redis, self.proxy = redis, proxy


# --- what is broken; each is mended before it returns ---

def kill_a_node(fleet, i):
    victim = fleet.nodes[i % len(fleet.nodes)]
    victim.kill(signal.SIGKILL)
    time.sleep(0.2)
    victim.start()


def kill_redis(fleet, _):
    fleet.redis.stop(signal.SIGKILL)
    fleet.it_is_said(fleet.nodes)
    time.sleep(2 if FULL else 0)
    check("it starts again", fleet.redis.start())


def stop_redis(fleet, i):
    """Longer than an answer may take, so that it is noticed; in CI only a stutter."""
    fleet.redis.process.send_signal(signal.SIGSTOP)
    time.sleep(0 if FULL else 0.5)
    if FULL:
        fleet.it_is_said(fleet.nodes)
        time.sleep(30 if i == 0 else 3)
    fleet.redis.process.send_signal(signal.SIGCONT)


def cut_the_network(fleet, i):
    if FULL and i % 2:
        fleet.proxy.hold()
    else:
        fleet.proxy.cut()
    fleet.it_is_said(fleet.nodes[:1])
    check("the others are well", fleet.all_says(fleet.nodes[1:], 200))
    time.sleep((20 if i == 1 else 2) if FULL else 0)  # once longer than a lease lasts
    fleet.proxy.mend()


def cut_for_long(fleet, _):
    """What the node lacks has left Redis, as after ten minutes. The others have it, and what is left
    is enough for them."""
    adopted = fleet.nodes[0].server.log().count('"event":"figures_adopted"')
    fleet.proxy.cut()
    fleet.it_is_said(fleet.nodes[:1])
    time.sleep(8)
    for place in range(len(fleet.nodes)):
        check("it is trimmed", fleet.redis.say("XTRIM", f"paddock:{{c}}:deltas:{place}", "MAXLEN",
                                               "15").startswith(":"))
    fleet.proxy.mend()
    wait_for("it has taken what another one has", lambda: fleet.nodes[0].server.log().count(
        '"event":"figures_adopted"') > adopted)


def flush_scripts(fleet, _):
    for _ in range(5):
        check("OK", fleet.redis.say("SCRIPT", "FLUSH").startswith("+OK"))
        time.sleep(0.02)


def fill_redis(fleet, _):
    check("OK", fleet.redis.say("CONFIG", "SET", "maxmemory", "1").startswith("+OK"))
    fleet.it_is_said(fleet.nodes)
    time.sleep(2 if FULL else 0)
    check("OK", fleet.redis.say("CONFIG", "SET", "maxmemory", "0").startswith("+OK"))


def make_redis_read_only(fleet, _):
    check("OK", fleet.redis.say("REPLICAOF", "127.0.0.1", "1").startswith("+OK"))
    fleet.it_is_said(fleet.nodes)
    time.sleep(2 if FULL else 0)
    check("OK", fleet.redis.say("REPLICAOF", "NO", "ONE").startswith("+OK"))


FAULTS = (kill_a_node, kill_redis, stop_redis, cut_the_network, flush_scripts, fill_redis,
          make_redis_read_only)
NAMED = (cut_for_long,)  # a minute each: until the others have rolled up


def faults_under_load(fleet):
    fleet.begin()
    for fault in [f for f in FAULTS + NAMED if f.__name__ in sys.argv[1:]] or FAULTS:
        begun = time.monotonic()
        fleet.forget_refusals()
        for i in range(ROUNDS):
            fault(fleet, i)
            fleet.all_is_well()
        say(f"{fault.__name__.replace('_', ' ')}: {ROUNDS} rounds in "
            f"{time.monotonic() - begun:.1f} s, {fleet.refusals()}")
        check("nobody waits much longer than an answer may take", not FULL or fleet.slowest() < 8)
    fleet.end()
    fleet.settle()


# --- a Redis that has lost what it had ---

def lost_data_are_noticed(fleet):
    """An older copy of what Redis keeps is put in its place under running nodes."""
    nodes, redis = fleet.nodes, fleet.redis
    log, kept = redis.dir + "/appendonlydir", redis.dir + "/older"
    shutil.copytree(log, kept)
    for i in range(3):
        last = register(nodes[i % len(nodes)], f"lost-{i}")
    for n in nodes:
        check("it was there", read(n, "~/registry/lost-2:1", seq_of(last)).status == 200)
    redis.stop(signal.SIGKILL)
    shutil.rmtree(log)
    shutil.move(kept, log)
    check("it starts again", redis.start())

    def noticed(n):
        items = n.call("GET", "~/nodes").json["items"]
        return (len(items) == len(nodes) and all(i["epoch"] == 2 for i in items) and
                n.call("GET", "~/registry/lost-2:1").status == 404)
    for n in nodes:
        wait_for("a new epoch is shown", lambda n=n: noticed(n))
        check("it was counted", re.search(r"^paddock_store_losses_total 1$",
                                          n.call("GET", "/metrics").text, re.M))
        check("what is there is shown", n.call("GET", "~/registry/counter:1").status == 200)
    fleet.all_is_well()
    for i, n in enumerate(nodes):
        reply = register(n, f"lost-{i}")
        check("a write tells the epoch", reply.headers["paddock-epoch"] == "2", reply.headers)
        for other in nodes:
            check("all have it", read(other, f"~/registry/lost-{i}:1", seq_of(reply)).status == 200)
    verify(redis.url)
    say("lost data: noticed, counted, loaded anew")


# --- gone for a minute ---

def selections(node, seconds):
    command = [str(pathlib.Path(os.environ["PADDOCK_FAULTS"]).parent / "bench" / "load"), "--port",
               str(node.server.port), "--seconds", str(seconds), "--pauses", "1", "--stream", "s",
               "--method", "POST", "--path", BASE + "/selection", "--type", "application/json",
               "--rate", "2000", "--connections", "8", "--body",
               json.dumps({"model_name": "sel", "context": {"targetingKey": "u-<n>"}})]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    check("no selection failed", ran.returncode == 0, ran.stdout + ran.stderr)
    return json.loads(ran.stdout.splitlines()[-1])


def gone_for_a_minute(fleet):
    """Selections at 2,000/s on one node, records on all; p99 before and while Redis is away."""
    for r in fleet.recorders:
        r.start()
    before = [selections(fleet.nodes[0], 10) for _ in range(3)]
    fleet.redis.stop(signal.SIGKILL)
    fleet.it_is_said(fleet.nodes)
    had = sum(r.acknowledged for r in fleet.recorders)
    during = [selections(fleet.nodes[0], 10) for _ in range(6)]
    got = sum(r.acknowledged for r in fleet.recorders) - had
    check("it starts again", fleet.redis.start())
    fleet.all_is_well()
    fleet.until.set()
    for r in fleet.recorders:
        r.join()
    fleet.records_are_there()
    fleet.look()

    def median(runs, what):
        return sorted(r[what] for r in runs)[len(runs) // 2]
    say(f"p99 of selections {median(before, 'p99_ms'):.3f} ms before, "
        f"{median(during, 'p99_ms'):.3f} ms while Redis was gone (p50 {median(before, 'p50_ms'):.3f} "
        f"and {median(during, 'p50_ms'):.3f}); all {got} records of that minute are there")


def main():
    if not redis_server.there():
        say("no redis-server here")
        return 77
    with redis_server.Redis() as redis:
        proxy = Proxy(redis.port)
        settings = ["--threads", "1", "--redis-url"]
        with Server(*settings, f"redis://127.0.0.1:{proxy.port}/0") as a, \
                Server(*settings, redis.url) as b, Server(*settings, redis.url) as c:
            fleet = BrokenFleet(redis, [Watched(s) for s in (a, b, c)], proxy)
            try:
                fleet.prepare()
                if "gone" in sys.argv[1:]:
                    gone_for_a_minute(fleet)
                else:
                    faults_under_load(fleet)
                    lost_data_are_noticed(fleet)
            finally:
                fleet.until.set()
                redis.process.send_signal(signal.SIGCONT)
        proxy.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
