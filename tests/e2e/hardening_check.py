"""What hardening.sh tests. Every check prints a line; the first that fails ends the program."""
import os
import pathlib
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time

from paddock_server import Server

UNIT = pathlib.Path(os.environ["PADDOCK_SOURCE"]) / "packaging/systemd/paddock.service"
WORST_EXPOSURE = 2.0  # of 10, as systemd-analyze security counts


def check(good, what, detail=""):
    if not good:
        raise SystemExit(f"FAILED: {what}\n{detail}")
    print("ok", what)


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def elf(binary):
    name = binary.name
    head, dynamic = (output("readelf", "-W", o, binary).stdout for o in ("-h", "-d"))
    segments, symbols = (output("readelf", "-W", o, binary).stdout for o in ("-l", "--dyn-syms"))
    check("DYN (Position-Independent Executable" in head and "PIE" in dynamic, f"{name}: PIE", head)
    check("GNU_RELRO" in segments and "NOW" in dynamic, f"{name}: RELRO, all of it", dynamic)
    stack = [line for line in segments.splitlines() if "GNU_STACK" in line]
    check(stack and " RWE" not in stack[0], f"{name}: no executable stack", segments)
    check("RPATH" not in dynamic and "RUNPATH" not in dynamic, f"{name}: no RPATH", dynamic)
    check("TEXTREL" not in dynamic, f"{name}: no relocations in its text", dynamic)
    check("__stack_chk_fail" in symbols, f"{name}: stack protector", symbols)
    check("_chk@" in symbols, f"{name}: FORTIFY", symbols)


def status(server):
    text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def modes(top):
    found = [top, *top.rglob("*")]
    # Copies of plugins are for workers without rights, which get them as open descriptors: the
    # directory lets nobody else in.
    copies = {p for p in found if p.parent == top / "plugins" and p.suffix == ".so"}
    wrong = [f"{p} {stat.filemode(p.stat().st_mode)}" for p in found
             if stat.S_IMODE(p.stat().st_mode) & (0o333 if p in copies else 0o077)]
    check(len(found) > 3 and not wrong, f"{len(found)} files of the data directory are the owner's",
          "\n".join(wrong))


def moved(dir):
    """What the commands make is as closed as what the server makes, whatever the umask."""
    data, export = dir / "data", dir / "export"
    for words in (("export", export, "--data-dir", data),
                  ("import", export, "--data-dir", dir / "imported"),
                  ("backup", dir / "backup", "--data-dir", data),
                  ("token", "create", "a", "--role", "viewer", "--data-dir", dir / "new")):
        done = output(os.environ["PADDOCK_BIN"], *words)
        check(done.returncode == 0, words[0], done.stderr)
    check(stat.S_IMODE(export.stat().st_mode) == 0o600, "an export is its owner's alone")
    for made in ("imported", "backup", "new"):
        modes(dir / made)


def running(server):
    of = status(server)
    check(of["NoNewPrivs"] == "1", "nothing gains rights")
    limits = pathlib.Path(f"/proc/{server.process.pid}/limits").read_text()
    core = [x for x in limits.splitlines() if x.startswith("Max core file size")]
    check(core[0].split()[4:6] == ["0", "0"], "no core dumps", limits)
    # What is not dumpable belongs to root in /proc, whoever runs it.
    owner = os.stat(f"/proc/{server.process.pid}/mem").st_uid
    check(owner == 0, "its memory is closed to other processes of the user", str(owner))


def logged_as_nobody(top, log):
    process = subprocess.Popen(
        [os.environ["PADDOCK_BIN"], "serve", "--listen", "127.0.0.1:0", "--user", "nobody",
         "--data-dir", top + "/data", "--log-file", log], stdin=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while not log.exists() or '"listening"' not in log.read_text():
        if time.monotonic() > end or process.poll() is not None:
            raise SystemExit("FAILED: it does not start")
        time.sleep(0.1)
    process.send_signal(signal.SIGHUP)  # taken before the next, as its number is lower
    process.send_signal(signal.SIGTERM)
    check(process.wait(60) == 0, "it ends", log.read_text())
    return log.read_text()


def log_of_user(top, uid):
    """Made by root, it is the user's, who opens it again; what was there stays whose it was."""
    log = pathlib.Path(top) / "log"
    text = logged_as_nobody(top, log)
    check(log.stat().st_uid == uid and "log_reopen_failed" not in text, "the log is nobody's", text)
    log.write_text("")
    os.chown(log, 0, 0)
    text = logged_as_nobody(top, log)
    check(log.stat().st_uid == 0 and "log_reopen_failed" in text, "that of another stays so", text)


def as_user():
    """As root: become nobody, keep nothing but the right to listen."""
    if os.geteuid() != 0:
        print("-- not root, so --user is not tested")
        return
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(prefix="paddock-user-") as top:
        os.chmod(top, 0o755)
        with Server("--user", "nobody", "--data-dir", top + "/data") as server:
            of = status(server)
            check(of["Uid"].split() == [str(nobody.pw_uid)] * 4, "it is nobody", of["Uid"])
            check(of["Gid"].split() == [str(nobody.pw_gid)] * 4, "in nobody's group", of["Gid"])
            kept = 1 << 10  # CAP_NET_BIND_SERVICE
            check(int(of["CapPrm"], 16) == int(of["CapEff"], 16) == kept, "with one right left",
                  of["CapPrm"])
            check(os.stat(top + "/data").st_uid == nobody.pw_uid, "the data are nobody's")
            owner = os.stat(f"/proc/{server.process.pid}/mem").st_uid
            check(owner == 0, "its memory is closed to nobody's processes", str(owner))
            reply = server.call("POST", "~/registry",
                                {"name": "a", "version": "1", "type": "classifier"})
            check(reply.status == 201, "it works", reply.text)
        log_of_user(top, nobody.pw_uid)
        done = output(os.environ["PADDOCK_BIN"], "serve", "--user", "no-such-user", "--data-dir",
                      top + "/other")
        check(done.returncode == 2 and "no-such-user" in done.stderr, "an unknown user is refused")


def open_directory():
    with Server() as server:
        server.stop()
        os.chmod(server.dir + "/data", 0o755)
        server.start()
        check('"data_dir_open_to_others"' in server.log(), "an open data directory is logged")
        os.chmod(server.dir + "/data", 0o700)


def refused_at_once():
    """What the settings alone show to be wrong is said before anything is made."""
    wrong = [
        (("--listen", "127.0.0.1:80800"), "the port must be 0 to 65535"),
        (("--listen", "127.0.0.1"), "must be host:port"),
        (("--listen", ":8080"), "has no host"),
        (("--listen", "[::1:8080"), "listen address"),
        (("--listen", "no-such-host.invalid:0", "--insecure"), "no-such-host.invalid"),
        # Loopback is what the address is, not what its text begins with.
        (("--listen", "127.0.0.1.invalid:0"), "listen address"),
        (("--listen", "0.0.0.0:0"), "plain HTTP is served on loopback only"),
        (("--tls-cert", "a.pem"), "belong together"),
        (("--validation-workers", "0"), "need a --redis-url"),
        (("--cors-origins", "https://a.example,https://b.example/"), "'https://b.example/' is not"),
        (("--cors-origins", "https://*.example"), "is not an origin"),
        (("--cors-origins", "a.example"), "is not an origin"),
        (("--host-names", "a.example:8080"), "is not a name"),
        (("--redis-url", "rediss://127.0.0.1"), "no TLS"),
        (("--redis-url", "redis://127.0.0.1:0"), "a port of 1 to 65535"),
    ]
    with tempfile.TemporaryDirectory(prefix="paddock-wrong-") as top:
        for settings, told in wrong:
            done = output(os.environ["PADDOCK_BIN"], "serve", "--data-dir", top + "/data",
                          *settings)
            check(done.returncode == 2 and told in done.stderr and not os.listdir(top),
                  " ".join(settings) + " is refused, and nothing is made",
                  f"{done.returncode} {done.stderr} {os.listdir(top)}")
        done = output(os.environ["PADDOCK_BIN"], "work", "--data-dir", top + "/data", "--redis",
                      "redis://127.0.0.1:x")
        check(done.returncode == 2 and "a port of" in done.stderr and not os.listdir(top),
              "nor by work", done.stderr)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = output(os.environ["PADDOCK_BIN"], "serve", "--data-dir", top + "/data",
                          "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
        check(done.returncode == 2 and "Address already in use" in done.stderr and
              not os.listdir(top), "a port that is taken is refused, and nothing is made",
              done.stderr)
    with Server("--listen", "localhost:0") as server:
        reply = server.call("GET", "/healthz", headers={"Host": "evil.example"})
        check(reply.status == 421, "localhost is loopback", reply.text)


def unit():
    text = UNIT.read_text()
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "UMask=0077", "LimitCORE=0",
                 "CapabilityBoundingSet=", "MemoryDenyWriteExecute=yes"):
        check(line in text.splitlines(), "unit: " + line)
    if not shutil.which("systemd-analyze"):
        print("-- no systemd-analyze here, so the unit is not checked by it")
        return
    with tempfile.TemporaryDirectory(prefix="paddock-unit-") as top:
        path = pathlib.Path(top) / "paddock.service"
        path.write_text(text.replace("ExecStart=paddock", "ExecStart=" + os.environ["PADDOCK_BIN"]))
        done = output("systemd-analyze", "verify", "--man=no", path)
        mine = [x for x in done.stderr.splitlines() if "paddock" in x]
        check(not mine, "unit: systemd-analyze verify", done.stderr)
        done = output("systemd-analyze", "security", "--offline=yes",
                      f"--threshold={int(WORST_EXPOSURE * 10)}", "--no-pager", path)
        last = [x for x in done.stdout.splitlines() if "exposure level" in x]
        if not last:
            print("-- this systemd-analyze knows no --offline:", done.stderr.strip())
        else:
            check(done.returncode == 0, "unit: " + last[0].strip("→ "), done.stdout)


def main():
    binary = pathlib.Path(os.environ["PADDOCK_BIN"])
    for program in (binary, binary.with_name("paddock-worker")):
        if program.exists():
            elf(program)
    with Server() as server:
        running(server)
        modes(pathlib.Path(server.dir) / "data")
        server.call("POST", "~/registry", {"name": "m", "type": "other"})
        server.stop()
        moved(pathlib.Path(server.dir))
        server.start()
        server.process.send_signal(signal.SIGHUP)
    with Server("--core-dumps", "true") as server:
        limits = pathlib.Path(f"/proc/{server.process.pid}/limits").read_text()
        check("Max core file size" in limits, "core dumps may be asked for")
    open_directory()
    refused_at_once()
    as_user()
    unit()


main()
