"""Runs the first section of sdk/README.md as a stranger would: with an installed Paddock, a compiler and
pkg-config, in an empty folder, from `paddock plugin new` to the test's result in the API.

Each ```sh block is run by bash, in the folder where the one before ended; the block behind it says what
is printed (shown.py). What the page calls /srv/paddock/plugins, /srv/data and http://127.0.0.1:9000 are
here folders and a model server of the test's own."""
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading

from paddock_server import BASE, Server
from shown import MATCH, Differs, blocks, plant

SECTION = "## Your first plugin in five minutes\n"
WORDS_PER_MINUTE = 200  # of a slow reader; a line of a program or an answer counts as ten
PATIENCE = 300  # seconds for one block


class Model(http.server.BaseHTTPRequestHandler):
    """The Open Inference Protocol: a logistic regression over two columns."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def answer(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.answer({"name": "nba-props", "versions": ["1"], "platform": "python",
                     "inputs": [{"name": "input", "datatype": "FP64", "shape": [-1, 2]}],
                     "outputs": [{"name": "won", "datatype": "FP64", "shape": [-1]}]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"][0]
        rows = zip(asked["data"][::2], asked["data"][1::2])
        won = [1 / (1 + 2.718281828459045 ** (b - a)) for a, b in rows]
        self.answer({"model_name": "nba-props", "model_version": "1", "outputs": [
            {"name": "won", "datatype": "FP64", "shape": [len(won)], "data": won}]})

    def log_message(self, *_):
        pass


class Reader:
    """Types what the page says."""

    def __init__(self, work, replaced):
        self.work, self.replaced, self.folder = work, replaced, work
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("PADDOCK_")}
        prefix = work / "prefix"
        self.env.update(PATH=f"{prefix}/bin:{self.env['PATH']}", LC_ALL="C",
                        PKG_CONFIG_PATH=str(prefix / "share/pkgconfig"))

    def here(self, text):
        for shown, own in self.replaced.items():
            text = text.replace(shown, own)
        return text

    def run(self, commands):
        script = f"set -e\n{self.here(commands)}\npwd >{self.work}/folder\n"
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, env=self.env, text=True,
                              capture_output=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise Differs(f"it fails with {done.returncode}: {done.stdout}{done.stderr}")
        self.folder = (self.work / "folder").read_text().strip()
        return done.stdout


def last_answer(kind, printed):
    """Of several commands that each answer with a line of JSON, the page shows the last."""
    if kind != "json":
        return printed
    decoder, at, text = json.JSONDecoder(), 0, printed.strip()
    while True:
        _, end = decoder.raw_decode(text, at)
        if end == len(text):
            return text[at:]
        at = end + len(text[end:]) - len(text[end:].lstrip())


def follow(reader, section):
    """How many commands were run, and how many planted differences found."""
    commands, planted, printed = 0, 0, None
    for line, kind, text in blocks(section):
        try:
            if kind == "sh":
                printed = reader.run(text)
                commands += len(re.findall(r"^(?:paddock|cd|cc|curl|install) ", text, re.M))
            elif kind in MATCH:
                said = last_answer(kind, printed)
                MATCH[kind](text, said)
                planted += plant(kind, text, said)
        except Differs as e:
            raise SystemExit(f"sdk/README.md, line {line} of the section: {e}")
    return commands, planted


def count(section, program):
    """Lines of the page, lines of the program, minutes that both take to read."""
    shown = [text for _, _, text in blocks(section)]
    prose = re.sub(r"^```.*?^```$", "", section, flags=re.M | re.S)
    lines = sum(len(text.split("\n")) for text in (*shown, program))
    return (section.count("\n"), program.count("\n"),
            (len(prose.split()) + 10 * lines) / WORDS_PER_MINUTE)


def main():
    page = pathlib.Path(os.environ["PADDOCK_SOURCE"], "sdk/README.md").read_text()
    section = page[page.index(SECTION) + len(SECTION):].split("\n## ")[0]
    work = pathlib.Path(tempfile.mkdtemp(prefix="paddock-first-"))
    work.chmod(0o755)
    models = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    models.daemon_threads = True
    threading.Thread(target=models.serve_forever, daemon=True).start()
    try:
        subprocess.run(["cmake", "--install", os.environ["PADDOCK_BUILD"], "--prefix", work / "prefix"],
                       check=True, stdout=subprocess.DEVNULL)
        for folder in ("plugins", "data"):
            (work / folder).mkdir(mode=0o755)
        (work / "data/holdout.csv").write_text(
            "home,away,won\n" + "".join(f"{i % 7},{i % 5},{int(i % 7 > i % 5)}\n" for i in range(64)))
        os.environ["PADDOCK_BIN"] = str(work / "prefix/bin/paddock")
        with Server("--plugin-dir", str(work / "plugins"), "--dataset-dirs", str(work / "data")) as server:
            reader = Reader(work, {"/srv/paddock/plugins": str(work / "plugins"),
                                   "/srv/data": str(work / "data"), "$API": server.url + BASE,
                                   "http://127.0.0.1:9000": f"http://127.0.0.1:{models.server_port}"})
            commands, planted = follow(reader, section)
        page_lines, program_lines, minutes = count(
            section, (work / "max-latency/max_latency.c").read_text())
    finally:
        models.shutdown()
        models.server_close()
        shutil.rmtree(work, ignore_errors=True)
    print(f"{commands} commands; {page_lines} lines of the page and {program_lines} of the program, "
          f"{minutes:.1f} minutes to read; {planted} planted differences found")
    if minutes >= 5:
        raise SystemExit("that is more than five minutes")


main()
