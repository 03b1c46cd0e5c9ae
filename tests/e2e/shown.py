"""Pages that show what a command prints: their fenced blocks, and the comparison with what it printed.

The block behind a command says what it prints:
  ```json   a subset: members not shown may be there; "..." is any value, and as the last item of a
            list the rest of it; a time is any time
  ```http   the status line, headers that must be there, a blank line, JSON as above
  ```text   lines that come in this order; `...` inside a line is any text, alone any lines

plant() tests the comparison itself: every value shown, changed, must be found."""
import json
import re

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Differs(Exception):
    pass


# --- comparing ---

def match(want, got, where=""):
    if want == "...":
        return
    if isinstance(want, dict) and isinstance(got, dict):
        for name, value in want.items():
            if name not in got:
                raise Differs(f"{where}/{name} is missing")
            match(value, got[name], f"{where}/{name}")
    elif isinstance(want, list) and isinstance(got, list):
        rest = bool(want) and want[-1] == "..."
        items = want[:-1] if rest else want
        if len(got) < len(items) or (len(got) > len(items) and not rest):
            raise Differs(f"{where} has {len(got)} items")
        for i, item in enumerate(items):
            match(item, got[i], f"{where}/{i}")
    elif isinstance(want, str) and TIME.fullmatch(want):
        if not isinstance(got, str) or not TIME.fullmatch(got):
            raise Differs(f"{where} is {got!r} and no time")
    elif type(want) is not type(got) and not (
            isinstance(want, (int, float)) and isinstance(got, (int, float))) or want != got \
            or isinstance(want, bool) != isinstance(got, bool):
        raise Differs(f"{where} is {json.dumps(got)[:200]}, shown is {json.dumps(want)}")


def match_json(shown, printed):
    try:
        got = json.loads(printed)
    except ValueError:
        raise Differs("no JSON: " + printed[:300])
    match(json.loads(shown), got)


def match_http(shown, printed):
    shown_head, _, shown_body = shown.partition("\n\n")
    head, _, body = printed.replace("\r\n", "\n").partition("\n\n")
    status, *headers = shown_head.strip().split("\n")
    lines = head.split("\n")
    if lines[0] != status:
        raise Differs(f"{lines[0]!r}, shown is {status!r}")
    for header in headers:
        if header not in lines:
            raise Differs(f"no header {header!r} in:\n{head}")
    if shown_body.strip():
        match_json(shown_body, body)
    elif body.strip():
        raise Differs("there is a body: " + body[:300])


def match_text(shown, printed):
    pattern = ""
    for line in shown.strip().split("\n"):
        if line == "...":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += "[^\n]*".join(re.escape(part) for part in line.split("...")) + r"\n"
    if not re.search("^" + pattern, printed if printed.endswith("\n") else printed + "\n", re.M):
        raise Differs("not as shown:\n" + printed[:1500])


MATCH = {"json": match_json, "http": match_http, "text": match_text}


# --- the comparison itself ---

def changed(value):
    """Each way to change one shown value of a JSON value."""
    if isinstance(value, dict):
        for name in value:
            for other in changed(value[name]):
                yield {**value, name: other}
            if value[name] != "...":
                yield {**{k: v for k, v in value.items() if k != name}, name + "x": value[name]}
    elif isinstance(value, list):
        for i, item in enumerate(value):
            for other in changed(item):
                yield value[:i] + [other] + value[i + 1:]
        if "..." not in value:
            yield value + [0]
    elif value != "...":
        yield {str: "planted", bool: not value, type(None): 0}.get(type(value), 424242)


def plant(kind, shown, printed):
    """Everything shown, changed: each change must be found."""
    variants = []
    if kind == "json":
        variants = [json.dumps(v) for v in changed(json.loads(shown))]
    elif kind == "http":
        head, blank, body = shown.partition("\n\n")
        lines = head.strip().split("\n")
        variants = ["\n".join(lines[:i] + [line[:-1] + "~"] + lines[i + 1:]) + blank + body
                    for i, line in enumerate(lines)]
        if body.strip():
            variants += [head + blank + json.dumps(v) for v in changed(json.loads(body))]
    else:
        lines = shown.strip().split("\n")
        variants = ["\n".join(lines[:i] + ["~" + line] + lines[i + 1:])
                    for i, line in enumerate(lines) if line != "..."]
    for variant in variants:
        try:
            MATCH[kind](variant, printed)
        except Differs:
            continue
        raise SystemExit(f"a planted difference was not found:\n{variant}\n{printed[:500]}")
    return len(variants)


# --- the page ---

def blocks(page):
    """(line, kind, text) of the fenced blocks."""
    for m in re.finditer(r"^```(\w*)\n(.*?)^```$", page, re.M | re.S):
        yield page[:m.start()].count("\n") + 1, m.group(1), m.group(2)
