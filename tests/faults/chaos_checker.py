"""What must hold of selections under chaos.sh, apart from how they are asked; run by itself it shows
that each rule can fail.

Time is cut into phases by what is done to the server. While something is being done, and its effect
may be half there, a phase is `moving`: answers are those of before or of after. A phase says which
causes a fallback may name, and for whom."""


class Phase:
    """What may be seen. `epoch`: who is intended for a unit is the same in all phases of an epoch.
    `faults`: cause -> intended models that it may hit (None: nobody needs to be intended)."""

    def __init__(self, name, epochs, faults=None, routes=None):
        self.name, self.epochs, self.faults, self.routes = name, epochs, faults or {}, routes


class Checker:
    def __init__(self, stables):
        self.stables = stables  # who may serve in another's place
        self.intended = {}  # (route, epoch, unit) -> model
        self.wrong, self.seen = [], 0

    def fail(self, what, *facts):
        if len(self.wrong) < 20:
            self.wrong.append(f"{what}: {facts}")

    def failed(self, phase, status, text):
        self.fail("a selection failed", phase.name, status, text[:200])

    def answer(self, phase, route, unit, a):
        """One answer, seen while `phase` lasted from before it was asked until after it came."""
        self.seen += 1
        epochs = phase.epochs.get(route, (0,))
        served, intended, cause = a["model_id"], a["intended_model_id"], a["fallback_cause"]
        if served == intended:
            if cause is not None:
                self.fail("a cause without a fallback", phase.name, route, unit, a)
        elif served not in self.stables:
            self.fail("fallback to none of the stables", phase.name, route, unit, a)
        elif cause not in phase.faults or (
                phase.faults[cause] is not None and intended not in phase.faults[cause]):
            self.fail("another model without a cause", phase.name, route, unit, a)
        if intended is None:
            return
        known = [self.intended.get((route, e, unit)) for e in epochs]
        if len(epochs) == 1 and known[0] is None:
            self.intended[route, epochs[0], unit] = intended
        elif intended not in known and None not in known:
            self.fail("a unit moved without a cause", phase.name, route, unit, known, a)

    def together(self, phase, route, answers):
        """What several connections were told of the same units in a phase that does not move."""
        first = answers[0]
        for other in answers[1:]:
            for unit in first:
                if first[unit]["model_id"] != other[unit]["model_id"]:
                    self.fail("two loops disagree", phase.name, route, unit, first[unit],
                              other[unit])


def told(model, intended=None, cause=None):
    return {"model_id": model, "intended_model_id": intended or model, "fallback_cause": cause}


def show():
    """Each rule catches its case, and lets the right one pass."""
    calm = Phase("calm", {"r": (0,)})
    ill = Phase("ill", {"r": (0,)}, {"CIRCUIT_OPEN": {"b"}})
    change = Phase("change", {"r": (0, 1)})
    after = Phase("after", {"r": (1,)})
    cases = [
        ("as it was", 0, lambda c: c.answer(calm, "r", "u", told("b"))),
        ("failed", 1, lambda c: c.failed(calm, 503, "no")),
        ("moved", 1, lambda c: c.answer(calm, "r", "u", told("a"))),
        ("moved while others are ill", 1, lambda c: c.answer(ill, "r", "u", told("a"))),
        ("ill", 0, lambda c: c.answer(ill, "r", "u", told("a", "b", "CIRCUIT_OPEN"))),
        ("ill, they say, and are not", 1,
         lambda c: c.answer(calm, "r", "u", told("a", "b", "CIRCUIT_OPEN"))),
        ("ill in another way", 1, lambda c: c.answer(ill, "r", "u", told("a", "b", "UNHEALTHY"))),
        ("another's illness", 1, lambda c: c.answer(ill, "r", "v", told("b", "a", "CIRCUIT_OPEN"))),
        ("to a canary", 1, lambda c: c.answer(ill, "r", "u", told("x", "b", "CIRCUIT_OPEN"))),
        ("before or after", 0, lambda c: (c.answer(after, "r", "u", told("a")),
                                          c.answer(change, "r", "u", told("a")),
                                          c.answer(change, "r", "u", told("b")))),
        ("neither before nor after", 1, lambda c: (c.answer(after, "r", "u", told("a")),
                                                   c.answer(change, "r", "u", told("x")))),
        ("not back", 1, lambda c: (c.answer(after, "r", "u", told("a")),
                                   c.answer(calm, "r", "u", told("a")))),
        ("alike", 0, lambda c: c.together(calm, "r", [{"u": told("b")}, {"u": told("b")}])),
        ("not alike", 1, lambda c: c.together(calm, "r", [{"u": told("b")}, {"u": told("a")}])),
    ]
    for name, wrong, do in cases:
        c = Checker({"a"})
        c.answer(calm, "r", "u", told("b"))
        do(c)
        if len(c.wrong) != wrong:
            raise SystemExit(f"FAILED the checker: '{name}' gave {c.wrong}")
    print(f"ok     the checker tells {sum(w for _, w, _ in cases)} wrongs from "
          f"{sum(not w for _, w, _ in cases)} rights")


if __name__ == "__main__":
    show()
