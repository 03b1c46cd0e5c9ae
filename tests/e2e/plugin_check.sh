#!/usr/bin/env bash
# `paddock plugin new`, `check` and `run`, as an author uses them.
exec /usr/bin/python3 "$(dirname "$0")/plugin_check.py"
