"""The house rules that a program can check, over core/, plugins/ and tests/.

First checks itself on planted faults, then the tree. Exceptions are listed here, each with its
reason; an exception that is no longer needed is a fault as well.
"""

import os
import re
import sys
import tempfile

FILE_LINES = 500
FUNCTION_LINES = 80
PARAMETERS = 7  # the limit; more than PARAMETERS_WISHED are listed, as a reminder
PARAMETERS_WISHED = 5
COLUMNS = 100
README_LINES = 40
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|strtok|atoi|gets|system)\s*\(")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

# "file" for the length of a file, "file:function" for a function's length or parameters (of a
# function in a header: the header's name, which covers its definition as well).
EXCEPTIONS = {
    "core/config.c": "one table of all settings",
    "core/validation/run_store.h:run_find": "where to look, for what, whose memory, three answers",
    "core/base/field.h:fields_decode": "what to read, how, into what, whose memory, what was seen",
}


def strip(text):
    """Blank comments, strings and character constants, keeping lines and columns."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))

    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, blank, text, flags=re.S)


def count_parameters(signature):
    """Of the first group of brackets that follows a name."""
    start = re.search(r"\w\s*\(", signature)
    if not start:
        return 0
    depth, commas, at = 0, 0, start.end() - 1
    for at in range(start.end() - 1, len(signature)):
        c = signature[at]
        depth += (c == "(") - (c == ")")
        commas += c == "," and depth == 1
        if depth == 0:
            break
    inside = signature[start.end() : at].strip()
    return 0 if inside in ("", "void") else commas + 1


def functions(lines):
    """Yield (line number, name, signature, body lines or None) of each function at column 0."""
    signature, start = "", 0
    at = 0
    while at < len(lines):
        line = lines[at]
        if line == "{":
            end = next((i for i in range(at, len(lines)) if lines[i].startswith("}")), at)
            yield start + 1, function_name(signature), signature, end - at + 1
            signature, at = "", end
        elif line.startswith(("#", "}")) or not line.strip():
            signature = ""
        else:
            if not signature:
                start = at
            signature += " " + line.strip()
            if line.rstrip().endswith((";", "{")):
                if "(" in signature and "=" not in signature and not signature.endswith("{"):
                    yield start + 1, function_name(signature), signature, None
                signature = ""
                if line.rstrip().endswith("{"):  # a struct, an enum or a table
                    while at + 1 < len(lines) and not lines[at + 1].startswith("}"):
                        at += 1
        at += 1


def function_name(signature):
    match = re.search(r"(\w+)\s*\(", signature)
    return match.group(1) if match else "?"


def without_attributes(signature):
    return re.sub(r"__attribute__\s*\(\(.*?\)\)|PRINTF_LIKE\([^)]*\)|_Noreturn", "", signature)


def check_source(name, text, used, wished):
    faults = []

    def fault(line, what, key):
        if key in EXCEPTIONS:
            used.add(key)
        else:
            faults.append(f"{name}:{line}: {what}")

    raw = text.split("\n")
    code = strip(text).split("\n")
    if len(raw) - 1 > FILE_LINES:
        fault(FILE_LINES + 1, f"{len(raw) - 1} lines, at most {FILE_LINES}", name)
    for number, line in enumerate(raw, 1):
        if len(line) > COLUMNS:
            faults.append(f"{name}:{number}: {len(line)} columns, at most {COLUMNS}")
        if "\t" in line:
            faults.append(f"{name}:{number}: a tab")
        if UNFINISHED.search(line):
            faults.append(f"{name}:{number}: unfinished work")
        if BANNED.search(code[number - 1]):
            faults.append(f"{name}:{number}: a banned function")
    for number, function, signature, length in functions(code):
        signature = without_attributes(signature)
        key = f"{name}:{function}"
        if length and length > FUNCTION_LINES:
            fault(number, f"{function}() has {length} lines, at most {FUNCTION_LINES}", key)
        parameters = count_parameters(signature)
        if parameters > PARAMETERS and not declared_in_header(name, key):
            fault(number, f"{function}() has {parameters} parameters, at most {PARAMETERS}", key)
        elif parameters > PARAMETERS_WISHED and (length is None or " static " in f" {signature}"):
            wished.append(f"{name}:{number}: {function}() has {parameters} parameters")
    return faults


def declared_in_header(name, key):
    """An exception for a header's declaration covers the definition in the .c files of its name."""
    if not name.endswith(".c"):
        return False
    function = key.rsplit(":", 1)[1]
    room = name.rsplit("/", 1)[0]
    return any(
        other.endswith(f".h:{function}") and other.startswith(room + "/") for other in EXCEPTIONS
    )


def check_readme(top, folder):
    path = os.path.join(top, folder, "README.md")
    if not os.path.exists(path):
        return [f"{folder}: no README.md"]
    with open(path, encoding="utf-8") as file:
        lines = len(file.readlines())
    if lines > README_LINES:
        return [f"{folder}/README.md: {lines} lines, at most {README_LINES}"]
    return []


def check_tree(top):
    faults, used, wished = [], set(), []
    for base in ("core", "plugins", "tests"):
        for folder, folders, files in os.walk(os.path.join(top, base)):
            folders.sort()
            for file in sorted(files):
                if file.endswith((".c", ".h")):
                    path = os.path.join(folder, file)
                    with open(path, encoding="utf-8") as source:
                        faults += check_source(
                            os.path.relpath(path, top), source.read(), used, wished
                        )
    rooms = [f"core/{room}" for room in sorted(os.listdir(os.path.join(top, "core")))]
    for folder in [room for room in rooms if has_files(top, room)] + ["plugins", "tests", "scripts"]:
        faults += check_readme(top, folder)
    return faults, used, wished


def has_files(top, folder):
    path = os.path.join(top, folder)
    return os.path.isdir(path) and any(name.endswith((".c", ".h")) for name in os.listdir(path))


# ---- self-test ----

GOOD = """/* strcpy( in a comment */
#include <x.h>

struct a {
    int (*f)(int, int, int, int, int, int);
};

static int f(int a, int (*b)(int, int), int c, int d,
             int e)
{
    return g("atoi(", 1, 2, 3, 4, 5, 6);
}
"""
PLANTED = [
    ("a file", "int x;\n" * 501, "501 lines"),
    ("a function", "int f(void)\n{\n" + "    x();\n" * 79 + "}\n", "81 lines"),
    ("columns", "int " + "x" * 100 + ";\n", "columns"),
    ("parameters", "int f(int a, int b, int c, int d, int e, int f, int g, int h)\n{\n}\n", "8 param"),
    ("a declaration", "int f(int a, int b, int c, int d,\n      int e, int f, int g, int h);\n", "8 p"),
    ("banned", "int f(void)\n{\n    strcpy(a, b);\n}\n", "banned"),
    ("unfinished", "/* TO" + "DO */\n", "unfinished"),
]


def self_test():
    faults = check_source("x.c", GOOD, set(), [])
    if faults:
        sys.exit(f"self-test: good code is refused: {faults}")
    for what, text, expected in PLANTED:
        faults = check_source("x.c", text, set(), [])
        if len(faults) != 1 or expected not in faults[0]:
            sys.exit(f"self-test: {what}: got {faults}")
    with tempfile.TemporaryDirectory() as top:
        os.makedirs(os.path.join(top, "core", "base"))
        with open(os.path.join(top, "core", "base", "a.c"), "w", encoding="utf-8") as file:
            file.write("int a;\n")
        if "core/base: no README.md" not in check_tree(top)[0]:
            sys.exit("self-test: a missing README.md was not found")


def main():
    self_test()
    top = os.path.relpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    faults, used, wished = check_tree(top)
    faults += [f"{key}: this exception is no longer needed" for key in sorted(set(EXCEPTIONS) - used)]
    print("\n".join(faults) or "the house rules hold")
    for line in wished:
        print(f"to think about: {line}")
    for key in sorted(used):
        print(f"exception: {key}: {EXCEPTIONS[key]}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
