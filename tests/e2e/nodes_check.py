"""What a history of increments must be like: no update lost, none applied twice.

Each increment writes the label n = what it has read + 1, and the label `by`, which is its own. The
journal tells in which order they were applied; the history what each client was told."""


def faults_of(journal, history):
    """`journal`: of each change, oldest first, its revision, n and `by`. `history`: of each attempt
    its `by`, `outcome` ("done", "refused", "unknown"), and if done revision and n."""
    faults = []
    for before, after in zip(journal, journal[1:]):
        if after["revision"] != before["revision"] + 1:
            faults.append(f"revision {after['revision']} follows {before['revision']}")
        if after["n"] != before["n"] + 1:
            faults.append(f"n = {after['n']} was written over {before['n']}: an update is lost")
    applied = {}
    for change in journal:
        if change["by"] in applied:
            faults.append(f"{change['by']} was applied twice")
        applied[change["by"]] = change
    for attempt in history:
        change = applied.get(attempt["by"])
        if attempt["outcome"] == "refused" and change:
            faults.append(f"{attempt['by']} was refused and applied")
        if attempt["outcome"] == "done":
            if not change:
                faults.append(f"{attempt['by']} was acknowledged and is not there")
            elif (change["revision"], change["n"]) != (attempt["revision"], attempt["n"]):
                faults.append(f"{attempt['by']} was told another revision than it has")
    return faults


def catches_planted_bugs():
    """None, or the bug that went unnoticed."""
    journal = [{"revision": i, "n": i, "by": f"c{i}"} for i in range(1, 6)]
    history = [dict(c, outcome="done") for c in journal]
    history.append({"by": "late", "outcome": "refused"})
    if faults_of(journal, history):
        return "none at all"
    lost = [dict(c) for c in journal]
    lost[3]["n"] = 3  # decided on what it had read before another wrote
    twice = journal + [{"revision": 6, "n": 6, "by": "c5"}]
    bugs = {
        "a lost update": (lost, history),
        "a double apply": (twice, history),
        "an acknowledged one that is gone": (journal[:-1], history),
        "a gap": (journal[:2] + journal[3:], history[:2] + history[3:]),
        "a refusal that was applied": (journal, history + [{"by": "c2", "outcome": "refused"}]),
    }
    return next((name for name, (j, h) in bugs.items() if not faults_of(j, h)), None)
