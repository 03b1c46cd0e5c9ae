"""Hold every #include in core/ to the table "Who may include whom" of core/README.md.

First plants violations in a temporary tree, to show that it would find them; then checks the tree.
"""

import os
import re
import sys
import tempfile

# A third-party header belongs to the first library whose pattern matches.
LIBRARIES = [
    ("jansson", r"jansson\.h"),
    ("libcrypto", r"openssl/(evp|sha|rand|crypto|hmac|err|opensslv)\.h"),
    ("OpenSSL", r"openssl/.*"),
    ("xxhash", r"xxhash\.h"),
    ("sqlite3", r"sqlite3\.h"),
    ("hiredis", r"hiredis/.*"),
    ("evhttp", r"(event2/http.*|evhttp\.h)"),  # in no row: facts say why it is not used
    ("libevent core", r"event2/(event|event_struct|util|thread|buffer|listener|bufferevent)\.h"),
    ("libevent", r"event2/.*"),
    ("http-parser", r"http_parser\.h"),
    ("libcurl", r"curl/.*"),
    ("lua", r"(lua|lauxlib|lualib|luaconf)\.h|lua5.4/.*"),
    ("dlfcn", r"dlfcn\.h"),
    ("SDK", r"paddock/plugin\.h"),
]
# Whoever may use the first may use the second as well.
INCLUDED = {"OpenSSL": "libcrypto", "libevent": "libevent core"}

SYSTEM = re.compile(
    r"(sys|netinet|arpa|net|linux|asm)/[a-z0-9_]+\.h"
    r"|(assert|byteswap|ctype|dirent|elf|endian|errno|fcntl|float|fnmatch|fts|getopt|glob|grp|ifaddrs"
    r"|immintrin|inttypes|limits|link|locale|malloc|math|netdb|poll|pthread|pwd|sched|semaphore|setjmp"
    r"|signal|spawn"
    r"|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|strings|syslog|termios"
    r"|threads|time|ucontext|unistd|x86intrin)\.h"
)

PURE_ROOMS = {"stats", "registry"}
IMPURE = re.compile(
    r"(sys|netinet|arpa|net|linux)/.*|(dirent|fcntl|netdb|poll|pthread|sched|signal|spawn|stdatomic"
    r"|threads|time|unistd)\.h"
)

INCLUDE = re.compile(r'^\s*#\s*include\s+(<([^>]+)>|"([^"]+)")')
TOP_FILES = {"main", "server", "config"}


def read_table(path):
    """{room: (rooms, libraries)}; a set item is a name or (name, restriction)."""
    table, above = {}, []
    with open(path, encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if not line.startswith("|") or len(cells) != 3 or cells[0] in ("room", "---"):
                continue
            names, rooms, libraries = cells[0], parse_cell(cells[1]), parse_cell(cells[2])
            if "all rooms above" in rooms:
                rooms = {room: None for room in above}
            for name in names.split(","):
                table[name.strip()] = (rooms, libraries)
                above.append(name.strip())
    return table


def parse_cell(cell):
    found = {}
    for item in cell.split(","):
        match = re.fullmatch(r"\s*(.+?)(?:\s*\((\S+)\))?\s*", item)
        if match and match.group(1) != "–":
            found[match.group(1)] = match.group(2)
    return found


def allowed_room(header, room, rooms):
    other, _, file = header.partition("/")
    if other == room or "everything" in rooms:
        return True
    if not file:  # a header right in core/: only for main, server and config
        return False
    only = rooms.get(other, "")
    return only is None or file.removesuffix(".h") in only.split("+")


def allowed_library(header, file, room, libraries):
    if SYSTEM.fullmatch(header):
        if room in PURE_ROOMS and IMPURE.fullmatch(header):
            return f"{room} is pure and may not include"
        return None
    name = next((name for name, pattern in LIBRARIES if re.fullmatch(pattern, header)), None)
    if name is None:
        return "unknown header (name its library in tests/checks/includes.py):"
    for library, only in libraries.items():
        if library in (name, "everything") or INCLUDED.get(library) == name:
            if only is None or file in only.split("+"):
                return None
    return f"the table does not allow {name} here:"


def check_file(path, room, entry):
    rooms, libraries = entry
    faults = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            wrong = None
            if match.group(2):
                wrong = allowed_library(match.group(2), os.path.basename(path), room, libraries)
            elif not allowed_room(match.group(3), room, rooms):
                wrong = f"the table does not allow {room} to include"
            if wrong:
                faults.append(f"{path}:{number}: {wrong} {match.group(2) or match.group(3)}")
    return faults


def check_tree(core):
    table = read_table(os.path.join(core, "README.md"))
    faults = []
    if len(table) < 3:
        faults.append(f"{core}/README.md: no table found")
    for folder, _, files in os.walk(core):
        for file in sorted(files):
            if not file.endswith((".c", ".h")):
                continue
            path = os.path.join(folder, file)
            relative = os.path.relpath(path, core)
            room = relative.split(os.sep)[0]
            if room == relative:
                room = file.rsplit(".", 1)[0]
                room = room if room in TOP_FILES else "server"  # other files beside main.c
            if room in table:
                faults += check_file(path, room, table[room])
            else:
                faults.append(f"{path}: the room {room} is not in the table")
    return faults


# ---- self-test ----

TABLE = """| room | may include | third party |
|---|---|---|
| base | – | jansson |
| stats | base | – |
| http | base | libevent, libcurl (client.c) |
| feed | base, http (client) | – |
| api | all rooms above | – |
| main | everything | everything |
"""

# file, line, is it allowed?
CASES = [
    ("base/a.c", '#include "base/a.h"', True),
    ("base/a.c", "#include <jansson.h>", True),
    ("base/a.c", "#include <sqlite3.h>", False),
    ("base/a.c", '#include "stats/a.h"', False),
    ("base/a.h", '  # include "stats/a.h"', False),
    ("base/a.c", '// #include "stats/a.h"', True),
    ("stats/a.c", '#include "base/a.h"', True),
    ("stats/a.c", "#include <math.h>", True),
    ("stats/a.c", "#include <unistd.h>", False),
    ("stats/a.c", "#include <jansson.h>", False),
    ("http/loop.c", "#include <event2/buffer.h>", True),
    ("http/loop.c", "#include <event2/bufferevent_ssl.h>", True),
    ("http/loop.c", "#include <event2/http.h>", False),
    ("http/client.c", "#include <curl/curl.h>", True),
    ("http/loop.c", "#include <curl/curl.h>", False),
    ("feed/a.c", '#include "http/client.h"', True),
    ("feed/a.c", '#include "http/loop.h"', False),
    ("api/a.c", '#include "feed/a.h"', True),
    ("api/a.c", '#include "server.h"', False),
    ("api/a.c", "#include <nonsense.h>", False),
    ("main.c", '#include "server.h"', True),
    ("main.c", "#include <sqlite3.h>", True),
    ("unknown/a.c", "int x;", False),
]


def self_test():
    for file, line, allowed in CASES:
        with tempfile.TemporaryDirectory() as core:
            with open(os.path.join(core, "README.md"), "w", encoding="utf-8") as readme:
                readme.write(TABLE)
            path = os.path.join(core, file)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as source:
                source.write(line + "\n")
            faults = check_tree(core)
            if (not faults) != allowed:
                sys.exit(f"self-test: {file}: {line}: expected allowed={allowed}, got {faults}")


def main():
    self_test()
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    faults = check_tree(os.path.relpath(os.path.join(top, "core")))
    print("\n".join(faults) or "every #include is as the table says")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
