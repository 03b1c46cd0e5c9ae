"""Sections of bench.py for docs/operations/sizing.md: what a model, a slot of records and a run take in
SQLite and in Redis; how starts, memory, changes and pages grow with models and with nodes."""
import json
import pathlib
import subprocess
import time

from fleet import BATCH, House, Pouring, cpu_seconds, model_of
from nights import model_server, served
from servers import API, Paddock

PAGE = f"{API}/registry?type=classifier&sport=nba&sort=-updated_at&limit=100"


def database(paddock):
    """Bytes of the embedded store; the server is stopped, so nothing is beside the two files."""
    return sum(f.stat().st_size for f in pathlib.Path(paddock.dir, "data").glob("*.db*"))


def memory(house):
    return int(house.redis.info()["used_memory"])


def patches(house, seconds):
    """Changes as fast as they are answered, at the first node; then how long the others still need."""
    done = house.run.load(house.nodes[0], seconds, {
        "name": "patch", "method": "PATCH", "path": f"{API}/registry/m-<n%{min(house.models, 1000)}>:1",
        "connections": 64, "body": '{"description":"change <n>"}'}, warmup=0.5)["patch"]
    began = time.monotonic()
    last = house.nodes[0].call("PATCH", f"{API}/registry/m-0:1", {"description": "last"})
    seq = next(value for name, value in last[1] if name.lower() == "paddock-seq")
    for node in house.nodes[1:]:
        while node.call("GET", f"{API}/registry/m-0:1?min_seq={seq}")[0] != 200:
            pass
    return done, (time.monotonic() - began) * 1000


def section_models_on_redis(run):
    """1,000, 10,000 and 100,000 models: registered, loaded by a second node, read there meanwhile."""
    for count in (1000, 10_000, 20_000 if run.short else 100_000):
        alone = Paddock(run, threads=1).start()
        run.load(alone, 600, {
            "name": "register", "method": "POST", "path": API + "/registry", "count": count,
            "connections": 256, "expect": 201, "body": json.dumps(model_of("m-<n>"))})
        alone.stop()
        file = database(alone)
        alone.start()
        run.say("models, SQLite", f"{count:,} models: {file / count:,.0f} bytes of file each; ready after "
                f"{alone.start_seconds:.2f} s, RSS {alone.rss_mb():.0f} MB")
        alone.stop()

        house = House(run, 1, 0)
        house.models, empty = count, memory(house)
        got = house.register("m", count)
        aof = sum(f.stat().st_size for f in pathlib.Path(house.redis.dir, "appendonlydir").iterdir())
        second = house.node()
        house.nodes.append(second)
        run.say("models, Redis", f"{count:,} models at {got['per_second']:,.0f}/s: "
                f"{(memory(house) - empty) / count:,.0f} bytes of Redis' memory each, {aof / count:,.0f} of "
                f"its log; a node: ready after {second.start_seconds:.2f} s, RSS {second.rss_mb():.0f} MB")
        done, late = patches(house, 3)
        quiet = run.load(second, 3, {"name": "page", "path": PAGE, "rate": 20, "connections": 2})["page"]
        run.say("models, changes", f"{count:,} models: {done['per_second']:,.0f} changes/s, p99 "
                f"{done['p99_ms']:.1f} ms, the other node {late:.0f} ms behind the last; a page there p50 "
                f"{quiet['p50_ms']:.2f}, p99 {quiet['p99_ms']:.2f} ms")
        house.stop()


def section_nodes(run):
    """1, 2, 4 and 8 nodes with 1,000 models: what they cost when nothing happens, and when much does."""
    for count in (1, 2, 4, 8):
        house = House(run, count, 1000)
        time.sleep(3)
        seconds, cpu, redis = 4, sum(map(cpu_seconds, house.nodes)), cpu_seconds(house.redis)
        before = house.redis.info()
        time.sleep(seconds)
        after = house.redis.info()
        cpu, redis = sum(map(cpu_seconds, house.nodes)) - cpu, cpu_seconds(house.redis) - redis

        def rate(name):
            return (int(after[name]) - int(before[name])) / seconds / count
        rss = sum(node.rss_mb() for node in house.nodes) / count
        run.say("nodes, idle", f"{count} nodes: each {cpu / seconds / count * 1000:.1f} ms of processor time "
                f"a second, {rss:.0f} MB, {rate('total_commands_processed'):.0f} commands/s, "
                f"{rate('total_net_input_bytes') / 1000:.1f} kB/s to Redis, "
                f"{rate('total_net_output_bytes') / 1000:.1f} from it; Redis {redis / seconds * 1000:.1f} "
                f"ms/s, {int(after['connected_clients']) // count} connections each")
        before, redis, began = house.redis.info(), cpu_seconds(house.redis), time.monotonic()
        done, late = patches(house, 3)
        took, after, made = time.monotonic() - began, house.redis.info(), done["per_second"]
        out = int(after["total_net_output_bytes"]) - int(before["total_net_output_bytes"])
        run.say("nodes, changes", f"{count} nodes: {made:,.0f} changes/s, p99 {done['p99_ms']:.1f} ms, the "
                f"last node {late:.0f} ms behind the last; Redis "
                f"{(cpu_seconds(house.redis) - redis) / took / made * 1e6:.0f} us of processor time and "
                f"{out / took / made / 1000:.1f} kB out a change")
        house.stop()


def section_records_and_runs(run):
    """What a rolled-up slot of records and a validation run take; a minute, for rows come each minute."""
    models, rate, runs = 100, 10, 100
    house = House(run, 1, models)
    node, before = house.nodes[0], memory(house)
    with Pouring(house, rate, 130):
        pass
    for _ in range(900):  # until rows hold what was sent
        rows = keys_of_rows(house)
        if rows["n"] >= 2 * models:
            break
        time.sleep(0.1)
    run.say("records", f"{models} models at {rate * BATCH / models:,.0f} records/s each: "
            f"{rows['bytes'] / max(1, rows['n']):,.0f} bytes of Redis' memory for a row "
            f"({rows['n']} rows; all in all {memory(house) - before:,} bytes more)")
    house.stop()
    house, server = House(run, 1, 0), model_server(run)
    sizes = {}
    for node, size in ((house.nodes[0], lambda _: memory(house)), (Paddock(run, threads=1), database)):
        if not node.process:
            node.start()
        served(node, "run", {"kind": "openinference", "url": server.url(""), "model_name": "bench"})
        node.ask("POST", f"{API}/validation/tests", {
            "test_id": "t", "model_name": "run", "type": "smoke", "config": {"limit_ms": 60000}})
        for _ in range(2):  # the first of them make what is made once
            for _ in range(runs):
                node.ask("POST", f"{API}/validation/run", {"model_id": "run:1", "wait_ms": 60000})
            node.stop()
            sizes.setdefault(node, []).append(size(node))
            node.start()
        node.stop()
    for where, (first, second) in zip(("Redis", "SQLite"), sizes.values()):
        run.say("runs", f"{where}: {(second - first) / runs:,.0f} bytes a run of one test")
    house.stop()


def keys_of_rows(house):
    """Rows of the series of records, and their bytes, by Redis' own count."""
    def redis(*words):
        return subprocess.run(["redis-cli", "-p", str(house.redis.port), *words], check=True,
                              capture_output=True, text=True).stdout.split()
    rows = {"n": 0, "bytes": 0}
    for key in redis("--scan", "--pattern", "paddock:{*}:?:telemetry*"):
        rows["bytes"] += int(redis("memory", "usage", key, "samples", "0")[0])
        rows["n"] += int(redis("hlen", key)[0]) if ":d:" in key else 0
    return rows
