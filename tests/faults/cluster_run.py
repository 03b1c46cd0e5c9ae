"""What cluster.sh tests: see there.

Environment: PADDOCK_BIN. Arguments: "full", names of faults (all), "rounds=N"."""
import signal
import sys
import time

import redis_server
from nodes_run import Receiver, check, done, wait_for
from paddock_server import Server
from redis_cluster import CONTROL, Cluster, restart
from redis_fleet import Fleet, say
from redis_traffic import Watched, Worker

FULL = "full" in sys.argv[1:]
SLOTS_MOVED = 20
ROUNDS = next((int(a[7:]) for a in sys.argv[1:] if a.startswith("rounds=")), 20 if FULL else 1)


class Registrar(Worker):
    """Registers models, each of which a webhook tells of: rows of as many series."""

    def __init__(self, node, until, number):
        super().__init__(node, until, 0.02)
        self.number, self.n, self.acknowledged, self.unknown = number, 0, [], []

    def step(self):
        self.n += 1
        name = f"m-{self.number}-{self.n}"
        self.unknown.append(name)
        reply = self.node.call("POST", "~/registry", {"name": name, "type": "classifier"})
        if reply.status == 201:
            self.acknowledged.append(self.unknown.pop())
        elif reply.status != 503:
            raise OSError(f"{reply.status} {reply.text}")


class Told(Fleet):
    """And somebody is told of new models."""

    def __init__(self, url, nodes):
        super().__init__(url, nodes)
        self.receiver = Receiver()
        self.registrars = [Registrar(n, self.until, i) for i, n in enumerate(nodes)]
        self.readers += self.registrars  # they live as long

    def prepare(self):
        super().prepare()
        done(self.nodes[0].call("POST", "~/webhooks", {
            "webhook_id": "w", "url": self.receiver.url, "events": ["model.registered"],
            "secret": "whsec_" + "c2VjcmV0" * 6}), 201)

    def deliveries(self):
        rows, cursor = [], ""
        while cursor is not None:
            reply = self.nodes[0].call("GET", f"~/webhooks/w/deliveries?limit=500{cursor}")
            if reply.status != 200:
                return []
            page = reply.json
            rows += page["items"]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        return rows

    def all_were_told(self):
        """Of each model that was acknowledged once, of none that was not asked for."""
        sure = {name for r in self.registrars for name in r.acknowledged}
        perhaps = {name for r in self.registrars for name in r.unknown}
        rows = []

        def complete():
            nonlocal rows
            rows = self.deliveries()
            return ({d["subject"] for d in rows} >= sure and
                    all(d["status"] == "delivered" for d in rows))
        try:
            wait_for("all deliveries are done", complete)
        except SystemExit:
            open_ones = [d for d in rows if d["status"] != "delivered"]
            say(f"not noted: {sorted(sure - {d['subject'] for d in rows})[:5]}; not done: {open_ones[:5]}")
            raise
        subjects = [d["subject"] for d in rows]
        twice = {s for s in subjects if subjects.count(s) > 1}
        check("each is noted once", not twice, twice)
        check("none of nothing", set(subjects) <= sure | perhaps, set(subjects) - sure - perhaps)
        ids = {d["delivery_id"] for d in rows}
        check("all of them came", set(self.receiver.ids) >= ids, ids - set(self.receiver.ids))
        for name in sorted(sure)[:: max(1, len(sure) // 50)]:
            done(self.nodes[1].call("GET", f"~/registry/{name}:1"), 200)
        say(f"{len(sure)} models acknowledged, {len(perhaps)} unknown, {len(rows)} deliveries, each "
            f"noted once; {len(self.receiver.ids) - len(ids)} came twice")


def another(cluster, than, i=0):
    return [m for m in cluster.masters() if m is not than][i % 2]


# --- what befalls the Cluster; each is mended before it returns ---

def move_the_control_plane(cluster, i):
    old = cluster.owner(CONTROL)
    return cluster.move(CONTROL, old, another(cluster, old, i))


def move_series(cluster, i):
    """Some that one master has."""
    old = cluster.masters()[i % 3]
    to = another(cluster, old, i)
    return sum(cluster.move(slot, old, to) for slot in cluster.series(old)[-SLOTS_MOVED:])


def victim(cluster, i):
    """The control plane's in every other round."""
    if i % 2 == 0:
        return cluster.owner(CONTROL), CONTROL
    node = another(cluster, cluster.owner(CONTROL), i // 2)
    return node, next(s for s in range(0, 16384, 64) if cluster.owner(s) is node)


def kill_a_master(cluster, i):
    old, slot = victim(cluster, i)
    old.stop(signal.SIGKILL)
    cluster.failed_over(old, slot)
    restart(old)
    return 0


def a_master_hangs(cluster, i):
    """And takes itself for a master when it is back."""
    old, slot = victim(cluster, i)
    old.process.send_signal(signal.SIGSTOP)
    try:
        wait_for("others have its slots", lambda: any(
            "myself,master" in line and cluster.has(line.split()[8:], slot)
            for n in cluster.nodes if n is not old for line in cluster.told(n).splitlines()))
    finally:
        old.process.send_signal(signal.SIGCONT)
    return 0


MOVES, FAILOVERS = (move_the_control_plane, move_series), (kill_a_master, a_master_hangs)


def faults():
    named = [f for f in MOVES + FAILOVERS if f.__name__ in sys.argv[1:]]
    return named or (MOVES + FAILOVERS if FULL else MOVES)


def faults_under_load(cluster, fleet):
    fleet.begin()
    for fault in faults():
        begun, moved, longest = time.monotonic(), 0, 0.0
        fleet.forget_refusals()
        for i in range(ROUNDS):
            round_begun = time.monotonic()
            moved += fault(cluster, i)
            fleet.all_is_well()
            longest = max(longest, time.monotonic() - round_begun)
            cluster.whole()
        say(f"{fault.__name__.replace('_', ' ')}: {ROUNDS} rounds in "
            f"{time.monotonic() - begun:.1f} s, {moved} keys, the longest {longest:.1f} s until all "
            f"was well; {fleet.refusals()}")
    fleet.end()
    fleet.settle()


def it_is_all_in_the_store(fleet):
    """Nodes that are stopped write what they have; started again, they read it, and send again what
    could not be noted as sent."""
    for n in fleet.nodes:
        n.kill(signal.SIGTERM)
        n.start()
    fleet.records_are_there()
    fleet.all_were_told()


def main():
    if not redis_server.there():
        say("no redis-server here")
        return 77
    cluster = Cluster()
    try:
        settings = ["--threads", "1", "--webhook-allow-private", "--redis-url", cluster.url]
        with Server(*settings) as a, Server(*settings) as b:
            fleet = Told(cluster.url, [Watched(s) for s in (a, b)])
            try:
                fleet.prepare()
                faults_under_load(cluster, fleet)
                it_is_all_in_the_store(fleet)
            finally:
                fleet.until.set()
    finally:
        cluster.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
