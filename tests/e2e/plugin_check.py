"""Each plugin of tests/plugins/break_*.c breaks one rule of `paddock plugin check`, the one that its
name begins with: it is told of that rule and of no other. The template breaks none, as it is and as
`paddock plugin new` writes it.

Environment: PADDOCK_BIN, PADDOCK_SOURCE, PADDOCK_BUILD."""
import concurrent.futures
import glob
import json
import os
import subprocess
import tempfile

BIN, SOURCE, BUILD = (os.environ["PADDOCK_" + n] for n in ("BIN", "SOURCE", "BUILD"))
# A plugin that hangs costs this much in each of its rules; others never get near it.
LIMIT_MS = "3000"
# These are no faults, but an author should know of them.
WARNED = {"exports", "id_bundled"}
faults = []


def fault(text):
    faults.append(text)
    print("FAULT  " + text)


def paddock(*args, **more):
    return subprocess.run([BIN, "plugin", *args], capture_output=True, text=True, timeout=300,
                          check=False, **more)


def check(path, *options):
    """(exit status, {rule: (status, detail)}, the whole)"""
    done = paddock("check", "--json", *options, path)
    report = json.loads(done.stdout)
    return done.returncode, {r["rule"]: (r["status"], r["detail"]) for r in report["rules"]}, report


def broken(name, rules):
    path = f"{BUILD}/tests/plugins/break_{name}.so"
    wanted = max((r for r in rules if name.startswith(r)), key=len)
    status, found, _ = check(path, "--timeout-ms", LIMIT_MS)
    told = {rule: how for rule, how in found.items() if how[0] in ("failed", "warning")}
    if list(told) != [wanted]:
        return f"break_{name}: wanted {wanted} alone, got {told}"
    if told[wanted][0] != ("warning" if name in WARNED else "failed"):
        return f"break_{name}: {told[wanted]}"
    if status != (0 if name in WARNED else 1):
        return f"break_{name}: exit status {status}"
    print(f"ok     break_{name}: {wanted}: {told[wanted][1]}")
    return None


def every_rule_is_broken_by_one(rules):
    names = sorted(os.path.basename(p)[len("break_"):-2]
                   for p in glob.glob(f"{SOURCE}/tests/plugins/break_*.c"))
    for rule in rules:
        if not any(max((r for r in rules if n.startswith(r)), key=len, default="") == rule
                   for n in names):
            fault(f"no plugin breaks the rule {rule}")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for trouble in pool.map(lambda name: broken(name, rules), names):
            if trouble:
                fault(trouble)


def build(source, target):
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                    f"-I{BUILD}/include", "-o", target, source], check=True)


def good(what, path):
    status, rules, report = check(path)
    bad = {r: s for r, s in rules.items() if s[0] in ("failed", "warning")}
    if status != 0 or bad or not report["good"]:
        fault(f"{what}: exit status {status}, {bad}")
    else:
        print(f"ok     {what}: {len(rules)} rules")


def templates(folder):
    for kind in ("test", "strategy", "runtime"):
        target = f"{folder}/my_{kind}.so"
        build(f"{SOURCE}/sdk/template/my_{kind}.c", target)
        good(f"the template of a {kind}", target)
        made = f"{folder}/new-{kind}"
        done = paddock("new", kind, "org.example.my-first", made)
        if done.returncode != 0:
            fault(f"new {kind}: {done.stderr}")
            continue
        environment = {**os.environ, "PKG_CONFIG_PATH": f"{BUILD}/share/pkgconfig",
                       "PATH": os.path.dirname(BIN) + ":" + os.environ["PATH"]}
        subprocess.run(["make", "-s", "-C", made], check=True, env=environment)
        good(f"a new {kind}", f"{made}/my_first.so")
        if check(f"{made}/my_first.so")[2]["id"] != "org.example.my-first":
            fault(f"new {kind}: its id is not the one asked for")
        if paddock("new", kind, "org.example.my-first", made).returncode != 1:
            fault(f"new {kind}: what was there was written over")


def bundled_strategies():
    """They keep to the contract as strangers' do, but for the id."""
    for name in ("weighted", "performance_score", "lowest_latency", "champion_challenger",
                 "epsilon_greedy", "thompson"):
        good(f"the bundled {name}", f"{BUILD}/plugins/{name}.so")


def wrong_configuration():
    """Nothing could be tried with it: that is no good end."""
    for name in ("thompson", "openinference", "unit"):
        status, rules, report = check(f"{BUILD}/plugins/{name}.so", "--config", '{"nonsense":1}')
        failed = [how[1] for how in rules.values() if how[0] == "failed"]
        if status != 1 or report["good"] or not any("/nonsense" in text for text in failed):
            fault(f"{name} with a wrong configuration: exit status {status}, {failed}")
        else:
            print(f"ok     {name} with a wrong configuration: {failed[0]}")


def run(what, status, message, *args):
    done = paddock("run", "--json", *args)
    result = json.loads(done.stdout)
    if result["status"] != status or message not in result["message"] or \
            done.returncode != (0 if status in ("passed", "skipped") else 1):
        fault(f"{what}: {done.returncode}, {done.stdout[:500]}")
    else:
        print(f"ok     {what}: {status}, {result['message']}")


def runs(folder):
    test, runtime = f"{folder}/my_test.so", f"{folder}/my_runtime.so"
    data = f"{folder}/rows.csv"
    with open(data, "w", encoding="ascii") as f:
        f.write("x,y\n1,2\n3,4\n")
    run("the template's test", "passed", "1 checks", test)
    run("with its configuration", "failed", "p99", test, "--config", '{"limit_ms":0}')
    with open(f"{folder}/config.json", "w", encoding="ascii") as f:
        f.write('{"limit_ms": 60000}')
    run("with a file of it", "passed", "", test, "--config", f"@{folder}/config.json")
    run("with a wrong one", "error", "/limit_ms", test, "--config", '{"limit_ms":"much"}')
    run("with data", "passed", "", test, "--data", data)
    run("with a model of one's own", "passed", "", test, "--data", data, "--runtime",
        '{"kind":"org.example.template","factor":2}', "--runtime-plugin", runtime)
    run("with a model that fails", "failed", "row 0", test, "--runtime",
        '{"kind":"practice","behaviour":"fails"}')
    run("a crash", "crashed", "SIGSEGV", f"{BUILD}/tests/plugins/break_returns_crash.so")


def arguments():
    for what, args in (("nothing", []), ("no command", ["chekc"]), ("no file", ["check"]),
                       ("a strange option", ["check", "--fast", "x.so"]),
                       ("no JSON", ["run", "x.so", "--config", "{"]),
                       ("no seed", ["check", "x.so", "--seed", "many"]),
                       ("no rule", ["check", "x.so", "--only", "beauty"]),
                       ("no kind", ["new", "beauty", "org.example.x"]),
                       ("no id", ["new", "test", "X"])):
        done = paddock(*args)
        if done.returncode != 2 or not done.stderr:
            fault(f"{what}: exit status {done.returncode}, {done.stderr}")
        else:
            print(f"ok     {what}: {done.stderr.splitlines()[0]}")


def main():
    rules = [line.split()[0] for line in paddock("check", "--list").stdout.splitlines()]
    every_rule_is_broken_by_one(rules)
    bundled_strategies()
    wrong_configuration()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        templates(folder)
        runs(folder)
    arguments()
    if faults:
        raise SystemExit(f"{len(faults)} faults")


if __name__ == "__main__":
    main()
