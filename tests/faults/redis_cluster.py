"""A real Redis Cluster of a test's own: three masters, a replica each, on free loopback ports."""
import binascii
import socket

import redis_server
from nodes_run import check, wait_for

MASTERS, SLOTS, DOWN_MS = 3, 16384, 1000
CONTROL = 7365  # the slot of paddock:{c}:


class Node(redis_server.Redis):
    def __init__(self):
        self.bus = redis_server.free_port()
        super().__init__("--cluster-enabled", "yes", "--cluster-port", str(self.bus),
                         "--cluster-config-file", "nodes.conf", "--cluster-node-timeout",
                         str(DOWN_MS), "--cluster-replica-validity-factor", "0",
                         "--cluster-allow-replica-migration", "no",
                         "--repl-diskless-sync-delay", "0")
        self.id = self.ask("CLUSTER", "MYID").decode()

    def ask(self, *words):
        """The whole answer: bytes, an integer, or a list of such; what is refused is raised."""
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        with socket.create_connection(("127.0.0.1", self.port), 60) as s:
            s.sendall(b"*%d\r\n" % len(words) + b"".join(
                b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
            return self.reply(s.makefile("rb"))

    def reply(self, f):
        line = f.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-" or not line:
            raise OSError(f"Redis: {rest.decode()}")
        if kind == b"$":
            return f.read(int(rest) + 2)[:-2] if int(rest) >= 0 else b""
        if kind == b"*":
            return [self.reply(f) for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest


class Cluster:
    def __init__(self):
        self.nodes = [Node() for _ in range(2 * MASTERS)]
        for i, n in enumerate(self.nodes):
            n.ask("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
            if i < MASTERS:
                n.ask("CLUSTER", "ADDSLOTSRANGE", i * SLOTS // MASTERS,
                      (i + 1) * SLOTS // MASTERS - 1)
            if i:
                n.ask("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port, self.nodes[0].bus)
        for i, n in enumerate(self.nodes[MASTERS:]):
            wait_for("nodes know each other", lambda n=n, i=i: self.nodes[i].id in self.told(n))
            n.ask("CLUSTER", "REPLICATE", self.nodes[i].id)
        self.whole()

    @staticmethod
    def told(node):
        try:
            return node.ask("CLUSTER", "NODES").decode()
        except OSError:
            return ""

    def agreed(self):
        """All say so, and each master has a replica that follows it."""
        try:
            return (all(b"cluster_state:ok" in n.ask("CLUSTER", "INFO") for n in self.nodes) and
                    all(self.told(n).count("connected") == len(self.nodes) for n in self.nodes) and
                    all("fail" not in self.told(n) for n in self.nodes) and
                    len(self.masters()) == MASTERS and
                    all(b"state=online" in m.ask("INFO", "replication") for m in self.masters()))
        except OSError:
            return False

    def whole(self):
        wait_for("the Cluster is whole", self.agreed)

    def masters(self):
        return [n for n in self.nodes if n.process.poll() is None and
                b"role:master" in n.ask("INFO", "replication")]

    def owner(self, slot):
        """As the masters themselves see it."""
        for n in self.masters():
            for line in self.told(n).splitlines():
                if "myself" in line and self.has(line.split()[8:], slot):
                    return n
        raise SystemExit(f"FAILED nobody has slot {slot}")

    @staticmethod
    def has(ranges, slot):
        for text in ranges:
            ends = [] if text.startswith("[") else [int(n) for n in text.split("-")]
            if ends and ends[0] <= slot <= ends[-1]:
                return True
        return False

    def move(self, slot, old, to):
        """With all its keys, as redis-cli --cluster reshard does it."""
        to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", old.id)
        old.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id)
        moved = 0
        while keys := old.ask("CLUSTER", "GETKEYSINSLOT", slot, 10):
            old.ask("MIGRATE", "127.0.0.1", to.port, "", 0, 60000, "KEYS", *keys)
            moved += len(keys)
        for n in [to, old, *(m for m in self.masters() if m not in (to, old))]:
            n.ask("CLUSTER", "SETSLOT", slot, "NODE", to.id)
        return moved

    def series(self, node):
        """The slots of series that a node has keys in."""
        tags = {key[key.index(b"{") + 1:key.index(b"}")] for key in node.ask("KEYS", "paddock:*")}
        slots = {binascii.crc_hqx(tag, 0) % SLOTS for tag in tags}
        return sorted(slots - {CONTROL})

    @property
    def url(self):
        at = ",".join(f"127.0.0.1:{n.port}" for n in self.nodes[:MASTERS])
        return f"redis+cluster://{at}/"

    def failed_over(self, old, slot):
        wait_for("another has its slots", lambda: any(
            "myself,master" in line and self.has(line.split()[8:], slot)
            for n in self.nodes if n is not old for line in self.told(n).splitlines()))

    def close(self):
        for n in self.nodes:
            n.__exit__()


def restart(node):
    check("it starts again", node.start())
