"""What tls.sh tests. Every check prints a line; the first that fails ends the program."""
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

from paddock_server import Server

DIR = tempfile.mkdtemp(prefix="paddock-tls-")
RELOADS = 20


def check(good, what, detail=""):
    if not good:
        raise SystemExit(f"FAILED: {what}\n{detail}")
    print("ok", what)


def path(name):
    return os.path.join(DIR, name)


def run(*command, text=""):
    # OpenSSL refuses what is weak by itself; the server is to be what refuses here.
    env = dict(os.environ, OPENSSL_CONF=path("weak.cnf"))
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, env=env)
    return done.returncode, done.stdout + done.stderr


def make(name, subject, *more):
    code, out = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", subject, "-keyout",
                    path(name + ".key"), "-out", path(name + ".pem"), *more)
    check(code == 0, "made a certificate: " + name, out)


def make_files():
    with open(path("weak.cnf"), "w") as f:
        f.write("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n"
                "MinProtocol = None\nCipherString = ALL:COMPLEMENTOFALL:@SECLEVEL=0\n"
                "[req]\ndistinguished_name = d\nx509_extensions = e\n[d]\n[e]\n"
                "basicConstraints = critical,CA:TRUE\n")
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    make("first", "/CN=first", "-addext", names)
    make("second", "/CN=second", "-addext", names)
    make("authority", "/CN=authority")
    make("client", "/O=Odds/CN=ci", "-CA", path("authority.pem"), "-CAkey", path("authority.key"),
         "-addext", "subjectAltName=URI:spiffe://odds/ci")
    make("stranger", "/CN=stranger")
    with open(path("both.pem"), "w") as f:
        f.write(open(path("first.pem")).read() + open(path("second.pem")).read())


def install(name):
    """As certificate tools do: whole files take the place of the old ones, one after the other."""
    for ending in (".pem", ".key"):
        shutil.copy(path(name + ending), path("new"))
        os.rename(path("new"), path("live" + ending))


def client(server, *more, text=""):
    return run("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile",
               path("both.pem"), *more, text=text)


GET = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def protocols(server):
    for version, good in (("-ssl3", False), ("-tls1", False), ("-tls1_1", False),
                          ("-tls1_2", True), ("-tls1_3", True)):
        code, out = client(server, version, "-ign_eof", "-verify_return_error", text=GET)
        if "no protocols available" in out or "Unknown option" in out or "unknown option" in out:
            print("-- this openssl cannot even ask for", version)
            continue
        served = code == 0 and '{"status":"ready"}' in out
        check(served == good, f"{version} is {'served' if good else 'refused'}", out)
    for protocol, good in (("http/1.1", True), ("h2", False), ("h2,http/1.1", True)):
        code, out = client(server, "-alpn", protocol, text="")
        check(("ALPN protocol: http/1.1" in out) == good, f"ALPN {protocol}: {good}", out)


def ciphers(server):
    """Every cipher that this openssl knows, one by one: only forward-secret AEAD ones are taken."""
    _, known = run("openssl", "ciphers", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    taken = []
    for cipher in known.strip().split(":"):
        code, out = client(server, "-tls1_2", "-cipher", cipher + ":@SECLEVEL=0", text="")
        if code == 0 and "Cipher is " + cipher in out:
            taken.append(cipher)
    good = taken and all(c.startswith("ECDHE-") and ("GCM" in c or "CHACHA20" in c) for c in taken)
    check(good, f"of {known.count(':') + 1} ciphers these are taken: {' '.join(taken)}")


def renegotiation(server):
    # "R" on a line of its own makes s_client ask for a renegotiation.
    process = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_2"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    process.stdin.write("R\n")
    process.stdin.flush()
    out = process.communicate(timeout=30)[0]
    check("no renegotiation" in out or "handshake failure" in out, "no renegotiation", out)
    code, out = client(server, "-tls1_2", text="")
    check("Secure Renegotiation IS supported" in out and "Compression: NONE" in out,
          "secure renegotiation is announced, compression is off", out)


def certificates(server):
    pair = lambda n: ("-cert", path(n + ".pem"), "-key", path(n + ".key"))
    code, out = client(server, *pair("client"), "-ign_eof", text=GET)
    check(code == 0 and '{"status":"ready"}' in out, "a client with a good certificate", out)
    code, out = client(server, *pair("stranger"), "-ign_eof", text=GET)
    check('{"status":"ready"}' not in out, "a client with a stranger's is refused", out)
    code, out = client(server, "-ign_eof", text=GET)
    check('{"status":"ready"}' in out, "a client without one", out)
    code, out = run("curl", "-sS", "--cacert", path("both.pem"),
                    f"https://localhost:{server.port}/readyz")
    check(code == 0 and out == '{"status":"ready"}', "curl, which checks the name", out)


class Load(threading.Thread):
    """Requests without a pause; `fresh`: each on a connection of its own."""

    def __init__(self, server, fresh):
        super().__init__(daemon=True)
        self.server, self.fresh = server, fresh
        self.done, self.failures, self.ended, self.seen = 0, [], False, set()

    def connect(self):
        c = http.client.HTTPSConnection("127.0.0.1", self.server.port, timeout=60,
                                        context=ssl.create_default_context(cafile=path("both.pem")))
        c.connect()
        subject = c.sock.getpeercert()["subject"]
        self.seen.add(dict(x[0] for x in subject)["commonName"])
        return c

    def run(self):
        c = None
        while not self.ended:
            try:
                c = c or self.connect()
                c.request("GET", "/readyz")
                r = c.getresponse()
                if r.status != 200 or r.read() != b'{"status":"ready"}':
                    raise OSError(f"status {r.status}")
                self.done += 1
                if self.fresh:
                    c.close()
                    c = None
            except Exception as e:  # noqa: BLE001 - any failure counts
                self.failures.append(repr(e))
                c = None


def loaded(server):
    return server.log().count('"tls_loaded"')


def wait(condition, what):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"FAILED: {what}: not within a minute")
        time.sleep(0.01)


def reload_under_load(server):
    loads = [Load(server, i % 2 == 0) for i in range(8)]
    for load in loads:
        load.start()
    for i in range(RELOADS):
        before, served = loaded(server), sum(x.done for x in loads)
        install("second" if i % 2 == 0 else "first")
        if i >= 3:  # the first three are noticed without being told
            server.process.send_signal(signal.SIGHUP)
        wait(lambda: loaded(server) > before, "the certificate was loaded")
        if i == 5:
            bad = server.log().count('"tls_reload_failed"')
            with open(path("live.pem"), "w") as f:
                f.write("no certificate\n")
            server.process.send_signal(signal.SIGHUP)
            wait(lambda: server.log().count('"tls_reload_failed"') > bad, "a bad file is logged")
        wait(lambda: sum(x.done for x in loads) > served + 40, "requests go on")
    for load in loads:
        load.ended = True
    for load in loads:
        load.join(60)
    failures = [f for x in loads for f in x.failures]
    total = sum(x.done for x in loads)
    seen = set.union(*(x.seen for x in loads if x.fresh))
    check(not failures, f"{RELOADS} reloads under load: {total} requests, {len(failures)} failed",
          "\n".join(failures[:5]))
    check(seen == {"first", "second"}, "both certificates were shown", str(seen))


def exposure():
    binary = os.environ["PADDOCK_BIN"]
    # An address of this machine that is not loopback would be bound; 0.0.0.0 is refused before.
    code, out = run(binary, "serve", "--listen", "0.0.0.0:0", "--data-dir", path("data"))
    check(code == 2 and "--tls-cert" in out, "plain HTTP off loopback is refused", out)
    code, out = run(binary, "serve", "--tls-cert", path("first.pem"), "--data-dir", path("data"))
    check(code == 2 and "--tls-key" in out, "a certificate without its key is refused", out)
    code, out = run(binary, "serve", "--tls-cert", path("first.pem"), "--tls-key",
                    path("second.key"), "--data-dir", path("data"))
    check(code == 2 and "second.key" in out, "another's key is refused", out)


def main():
    make_files()
    install("first")
    exposure()
    with Server("--tls-cert", path("live.pem"), "--tls-key", path("live.key"), "--tls-client-ca",
                path("authority.pem"), "--access-log", "false") as server:
        protocols(server)
        ciphers(server)
        renegotiation(server)
        certificates(server)
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            s.sendall(GET.encode())
            check(b"400 Bad Request" in s.recv(65536), "plain HTTP is told to speak TLS")
        reload_under_load(server)


try:
    main()
finally:
    shutil.rmtree(DIR)
