"""What sentinel.sh tests: see there.

Environment: PADDOCK_BIN, FAULT_ROUNDS (of each; 20 when full), FAULT_WAIT (of the URL; 1),
FAULT_REPLICAS (2). Arguments: "full", names of faults (all)."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import redis_server
from nodes_run import check, wait_for
from paddock_server import Server
from redis_fleet import Fleet, rounds, say
from redis_traffic import Watched

FULL = "full" in sys.argv[1:]
ROUNDS = rounds(FULL)
REPLICAS = int(os.environ.get("FAULT_REPLICAS", "2"))
DOWN_MS = 500  # until a Sentinel takes a silent one for dead


class Sentinel:
    """One of those that decide who is the master."""

    def __init__(self, master):
        self.dir = tempfile.mkdtemp(prefix="paddock-sentinel-")
        self.port = redis_server.free_port()
        with open(self.dir + "/conf", "w") as f:
            f.write(f"port {self.port}\nbind 127.0.0.1\ndir {self.dir}\n"
                    f"sentinel monitor main 127.0.0.1 {master} 2\n"
                    f"sentinel down-after-milliseconds main {DOWN_MS}\n"
                    "sentinel failover-timeout main 3000\n")
        with open(self.dir + "/out", "a") as out:
            self.process = subprocess.Popen(
                [redis_server.PROGRAM, self.dir + "/conf", "--sentinel"], stdout=out, stderr=out,
                stdin=subprocess.DEVNULL, preexec_fn=redis_server.die_with_parent)

    def ask(self, *words):
        text = b"*%d\r\n" % len(words)
        for word in map(str.encode, words):
            text += b"$%d\r\n%s\r\n" % (len(word), word)
        try:
            with socket.create_connection(("127.0.0.1", self.port), 10) as s:
                s.sendall(text)
                return s.recv(65536).decode()
        except OSError:
            return ""

    def master(self):
        found = re.findall(r"\r\n(\d+)\r\n", self.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"))
        return int(found[-1]) if found else 0

    def knows(self):
        """Of the replicas and both others, so it can decide."""
        text = self.ask("SENTINEL", "MASTER", "main")
        return (f"num-slaves\r\n$1\r\n{REPLICAS}\r\n" in text and
                "num-other-sentinels\r\n$1\r\n2\r\n" in text and
                "flags\r\n$6\r\nmaster\r\n" in text)

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir)


class Redis(redis_server.Redis):
    """One that remembers whom it follows when it is started again."""

    def command(self):
        path = self.dir + "/conf"
        with open(path, "a") as f:
            f.write("repl-diskless-sync-delay 0\n" if f.tell() == 0 else "")
        return [redis_server.PROGRAM, path, *super().command()[1:]]

    def start_behind(self, master):
        """As a replica, as docs/operations/redis.md says; not a master until Sentinels turn it."""
        before = self.settings
        self.settings = (*before, "--replicaof", "127.0.0.1", str(master.port))
        started = self.start()
        self.settings = before
        return started


class House:
    """A Redis, its replicas, three Sentinels."""

    def __init__(self):
        self.redis = [Redis() for _ in range(1 + REPLICAS)]
        for one in self.redis[1:]:
            check("it follows", one.say("REPLICAOF", "127.0.0.1", self.redis[0].port))
        self.sentinels = [Sentinel(self.redis[0].port) for _ in range(3)]
        self.whole()

    def linked(self):
        """All others have the master's data. While one has not, Sentinels may promote it, or turn the
        other to it: docs/operations/redis.md says what that loses with `wait=1`."""
        master = self.master
        try:
            told = [r.say("INFO", "replication") for r in self.redis if r is not master]
        except OSError:
            return False  # Sentinels end all connections of one that they turn
        return all(f"master_port:{master.port}\r" in t and "master_link_status:up" in t for t in told)

    def whole(self):
        wait_for("Sentinels know each other and the replicas",
                 lambda: all(s.knows() for s in self.sentinels) and
                 len({s.master() for s in self.sentinels}) == 1)
        wait_for("the replicas follow", self.linked)

    @property
    def master(self):
        port = self.sentinels[0].master()
        return next(r for r in self.redis if r.port == port)

    @property
    def url(self):
        at = ",".join(f"127.0.0.1:{s.port}" for s in self.sentinels)
        return f"redis+sentinel://{at}/main?wait={os.environ.get('FAULT_WAIT', '1')}"

    def failed_over(self, old):
        wait_for("another is the master", lambda: all(
            s.master() not in (0, old.port) for s in self.sentinels))

    def close(self):
        for one in self.sentinels:
            one.close()
        for one in self.redis:
            one.__exit__()


# --- what is broken; each is mended before it returns ---

def kill_the_master(house):
    old = house.master
    old.stop(signal.SIGKILL)
    house.failed_over(old)
    check("it starts again", old.start_behind(house.master))


def kill_one_that_comes_back_as_master(house):
    """Not in one run with others: with `wait=1` the next fault may lose what was told as done."""
    old = house.master
    old.stop(signal.SIGKILL)
    house.failed_over(old)
    check("it starts again", old.start())


def depose_the_next_master(house):
    """It lives on, and the killed one comes back, follows it and confirms what it writes. As
    Sentinels do by themselves on a busy machine."""
    old = house.master
    old.stop(signal.SIGKILL)
    house.failed_over(old)
    deposed = house.master
    wait_for("another failover begins", lambda: any(
        s.ask("SENTINEL", "FAILOVER", "main").startswith("+OK") for s in house.sentinels))
    check("it starts again", old.start_behind(deposed))
    house.failed_over(deposed)


def depose_the_master(house):
    """As docs/operations/redis.md says: without the pause the old one goes on confirming, with the
    help of the replica that is turned last, what the new one does not have."""
    old = house.master
    check("OK", old.say("CLIENT", "PAUSE", "5000", "WRITE").startswith("+OK"))
    house.sentinels[0].ask("SENTINEL", "FAILOVER", "main")
    house.failed_over(old)


def depose_a_busy_master(house):
    """Without that pause: the nodes wait for the replica that is promoted, and then nobody has it."""
    old = house.master
    house.sentinels[0].ask("SENTINEL", "FAILOVER", "main")
    house.failed_over(old)


def the_master_hangs(house):
    """And takes itself for the master when it is back."""
    old = house.master
    old.process.send_signal(signal.SIGSTOP)
    try:
        house.failed_over(old)
    finally:
        old.process.send_signal(signal.SIGCONT)


def kill_the_replicas(house):
    """Nothing is told as done that is in one place only."""
    master = house.master
    replicas = [r for r in house.redis if r is not master]
    for one in replicas:
        one.stop(signal.SIGKILL)
    time.sleep(1 if FULL else 0.1)
    for one in replicas:
        check("it starts again", one.start())


FAULTS = (kill_the_master, depose_the_next_master, depose_the_master, the_master_hangs,
          kill_the_replicas)
BY_NAME = (*FAULTS, depose_a_busy_master, kill_one_that_comes_back_as_master)


def failovers(house, fleet):
    fleet.begin()
    for fault in [f for f in BY_NAME if f.__name__ in sys.argv[1:]] or FAULTS:
        begun = time.monotonic()
        fleet.forget_refusals()
        longest = 0.0
        for _ in range(ROUNDS):
            round_begun = time.monotonic()
            fault(house)
            fleet.all_is_well()
            longest = max(longest, time.monotonic() - round_begun)
            house.whole()
        say(f"{fault.__name__.replace('_', ' ')}: {ROUNDS} rounds in "
            f"{time.monotonic() - begun:.1f} s, the longest {longest:.1f} s until all was well; "
            f"{fleet.refusals()}")
    fleet.end()
    fleet.all_is_well()  # Sentinels may have turned everything once more
    fleet.settle()
    for n in fleet.nodes if FULL else []:
        n.kill(signal.SIGTERM)
        n.start()
    fleet.records_are_there()


def main():
    if not redis_server.there():
        say("no redis-server here")
        return 77
    house = House()
    try:
        settings = ["--threads", "1", "--redis-url", house.url]
        with Server(*settings) as a, Server(*settings) as b:
            fleet = Fleet(house.url, [Watched(s) for s in (a, b)])
            try:
                fleet.prepare()
                failovers(house, fleet)
            finally:
                fleet.until.set()
    finally:
        house.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
