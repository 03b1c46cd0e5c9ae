"""The plugin header compiles alone, in every language it promises, by every compiler there is here,
without a warning; so do the complete plugins of sdk/template/ and of the examples."""

import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WARNINGS = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Werror -fsyntax-only".split()
COMPILERS = [
    ("gcc", "c", ["c11", "c17"]),
    ("clang", "c", ["c11", "c17"]),
    ("g++", "c++", ["c++20"]),
    ("clang++", "c++", ["c++20"]),
]
# As an author would write it: the header first and alone, every macro used once.
USES = """#include <paddock/plugin.h>
static const paddock_field FIELDS[] = {
    {"limit", PADDOCK_FIELD_NUMBER, 0, 0, 10, "5", NULL, NULL, "a limit"},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};
static void run(paddock_test *t)
{
    paddock_check(t, true, "ran", "limit %g", paddock_number(t->host, t->config, "limit"));
}
PADDOCK_TEST("org.example.x", "1.0.0", "one line", FIELDS, run);
"""
STRATEGY = """#include <paddock/plugin.h>
static bool weigh(paddock_strategy *s, const paddock_candidate *const *c, size_t n,
                  paddock_weight *w)
{
    for (size_t i = 0; i < n; i++)
        w[i].weight = c[i]->health == PADDOCK_UNHEALTHY ? 0 : 1;
    return s->now_ms > 0;
}
PADDOCK_STRATEGY("org.example.x", "1.0.0", "one line", NULL, weigh);
"""


def sources():
    """Complete plugins of the repository, in C."""
    for folder in ("sdk/template", "examples/custom-test", "examples/custom-strategy"):
        path = os.path.join(TOP, folder)
        for name in sorted(os.listdir(path) if os.path.isdir(path) else []):
            if name.endswith(".c"):
                yield os.path.join(path, name)


def compiles(compiler, language, standard, path):
    command = [compiler, "-x", language, f"-std={standard}", *WARNINGS]
    command += ["-I", os.path.join(TOP, "sdk", "include"), path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    name = os.path.relpath(path, TOP) if path.startswith(TOP) else os.path.basename(path)
    print(f"{'ok    ' if done.returncode == 0 else 'FAILED'} {compiler} -std={standard} {name}")
    if done.returncode != 0:
        print(done.stderr)
    return done.returncode == 0


def jobs(own):
    """What is compiled: the header alone in all ways, complete plugins in one of each language."""
    for compiler, language, standards in COMPILERS:
        if not shutil.which(compiler):
            print(f"there is no {compiler}")
            continue
        for standard in standards:
            yield compiler, language, standard, own[0]
            if standard != "c17":
                yield from ((compiler, language, standard, path) for path in own[1:])
    if shutil.which("gcc"):
        yield from (("gcc", "c", "c11", path) for path in sources())


def main():
    with tempfile.TemporaryDirectory() as folder:
        files = {"alone.c": "#include <paddock/plugin.h>\n", "uses.c": USES, "strategy.c": STRATEGY}
        for name, text in files.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        work = list(jobs([os.path.join(folder, name) for name in files]))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            good = list(pool.map(lambda job: compiles(*job), work))
    if not good:
        print("no compiler was found")
        sys.exit(77)
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
