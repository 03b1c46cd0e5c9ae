"""What openfeature.sh tests: flags are made here, the clients ask for them."""
import os
import subprocess

from paddock_server import Server

HERE = os.path.dirname(os.path.abspath(__file__))
FLAGS = [
    {"key": "bool", "variants": {"off": False, "on": True}, "default_variant": "on"},
    {"key": "text", "variants": {"a": "alpha", "b": "beta"}, "default_variant": "a",
     "policy": "percentage", "params": {"weights": {"a": 50, "b": 50}}},
    {"key": "number", "variants": {"few": 3, "many": 0.5}, "default_variant": "many"},
    {"key": "team:page", "variants": {"wide": {"columns": 3, "titles": ["x"]}},
     "default_variant": "wide"},
    {"key": "dead", "variants": {"off": False, "on": True}, "default_variant": "on",
     "fallback_variant": "off", "killed": True},
]


def need(reply, status):
    if reply.status != status:
        raise SystemExit(f"FAILED: wanted {status}, got {reply.status}: {reply.text}")
    return reply


def main():
    with Server() as server:
        for flag in FLAGS:
            need(server.call("POST", "~/flags", flag), 201)
        need(server.call("POST", "~/flags", FLAGS[0], {"Paddock-Namespace": "odds"}), 201)
        for version, statuses in (("1.0", ("canary", "stable")), ("1.1", ("canary",))):
            need(server.call("POST", "~/registry", {
                "name": "page", "version": version, "type": "classifier"}), 201)
            for status in statuses:
                need(server.call("POST", f"~/registry/page:{version}/status", {
                    "status": status}), 200)
        need(server.call("PATCH", "~/routes/page", {
            "arms": {"a": "@stable", "b": "@canary"}, "flag": "text"}), 200)
        admin = {"token_id": "root", "role": "admin"}
        server.token = need(server.call("POST", "~/tokens", admin), 201).json["token"]
        env = dict(os.environ, PADDOCK_URL=server.url, PADDOCK_TOKEN=server.token)
        for program in "openfeature_client.cjs", "openfeature_web.cjs":
            subprocess.run(["node", os.path.join(HERE, program)], check=True, env=env, timeout=300)


main()
