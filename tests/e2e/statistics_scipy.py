"""core/stats beside SciPy: some 2,000 questions made here, each answer equal to 1e-9.

    PADDOCK_BUILD=build/release /usr/bin/python3 tests/e2e/statistics_scipy.py

SciPy 1.10 has no McNemar, Mann-Kendall, Newcombe, Agresti-Min or Benjamini-Hochberg: those are
written out here from their papers on top of its distributions.
"""

import json
import math
import os
import subprocess
import sys

import numpy
from scipy import stats

RELATIVE = 1e-9
ABSOLUTE = 1e-13  # where the answer is a small difference of large numbers

random = numpy.random.default_rng(20261128)
questions = []  # (the line to ask, the expected numbers)


def ask(name, lists, expected):
    plain = [[float(v) for v in values] for values in lists]
    questions.append(([name, *plain], [float(v) for v in expected]))


def student_quantile(tail, df):
    """stats.t.isf() is good to 1e-8 only (SciPy 1.10); its own sf() tells the rest."""
    if tail == 0.5:
        return 0
    t = stats.t.isf(tail, df)
    for _ in range(3):
        t += (stats.t.sf(t, df) - tail) / stats.t.pdf(t, df)
    return t


def mann_whitney():
    sizes = [(1, 1), (2, 3), (5, 8), (8, 8), (8, 9), (9, 9), (3, 40), (8, 200), (1, 30), (50, 70), (400, 300)]
    for n, m in sizes:
        for shift in (0, 0.5, 2):
            for rounded in (False, True):
                x, y = random.normal(shift, 1, n), random.normal(0, 1, m)
                if rounded:
                    x, y = numpy.round(x, 0), numpy.round(y, 0)
                if len(set(x) | set(y)) == 1:
                    continue  # SciPy divides by 0
                r = stats.mannwhitneyu(x, y)
                ask("mann_whitney", [x, y], [r.statistic, r.pvalue])


def mcnemar():
    pairs = [(0, 1), (1, 0), (5, 5), (3, 12), (30, 11), (200, 150), (1000, 1100), (0, 40), (1, 1)]
    for b, c in pairs + [tuple(random.integers(0, 60, 2)) for _ in range(40)]:
        if b + c == 0:
            continue
        n = b + c + int(random.integers(0, 5000))
        exact = stats.binomtest(int(b), int(b + c), 0.5).pvalue
        off = max(abs(int(b) - int(c)) - 1, 0)
        corrected = stats.chi2.sf(off**2 / (b + c), 1)
        total = n + 2
        estimate = (int(b) - int(c)) / total
        half = stats.norm.isf(0.025) * math.sqrt(((b + c + 1) / total - estimate**2) / total)
        lo, hi = max(estimate - half, -1), min(estimate + half, 1)
        ask("mcnemar", [[b, c, n, 0.95]], [exact, corrected, (int(b) - int(c)) / n, lo, hi])


def trend():
    for n in (3, 4, 5, 10, 30, 90, 250):
        for slope in (0, 0.02, -0.3):
            for rounded in (False, True):
                for places in (False, True):
                    y = random.normal(0, 1, n) + slope * numpy.arange(n)
                    y = numpy.round(y, 0) if rounded else y
                    x = numpy.cumsum(random.uniform(0.5, 2, n)) if places else numpy.arange(n)
                    one_trend(x if places else [], numpy.array(x, float), y)


def one_trend(given, x, y):
    n = len(y)
    s = sum(numpy.sign(y[j] - y[i]) for i in range(n) for j in range(i + 1, n))
    ties = [int(t) for t in numpy.unique(y, return_counts=True)[1]]
    if len(ties) == 1:
        return
    variance = (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
    z = (s - numpy.sign(s)) / math.sqrt(variance)
    tau = stats.kendalltau(x, y).statistic
    sen = stats.theilslopes(y, x, 0.9)
    expected = [s, variance, min(2 * stats.norm.sf(abs(z)), 1), tau, sen.slope, sen.low_slope, sen.high_slope]
    ask("trend", [[0.9], y, given], expected)


def wilson():
    for n in (1, 2, 10, 99, 1000, 123456, 10**9):
        for share in (0, 0.001, 0.05, 0.5, 0.9, 1):
            k = round(n * share)
            for level in (0.8, 0.95, 0.999):
                r = stats.binomtest(k, n).proportion_ci(level, method="wilson")
                ask("wilson", [[k, n, level]], [r.low, r.high])


def order_statistics():
    for n in (1, 3, 10, 72, 368, 500, 3688, 100000):
        for q in (0.5, 0.9, 0.95, 0.99, 0.999):
            if n * q * (1 - q) > 10000:
                continue
            for level in (0.9, 0.95, 0.99):
                tail = (1 - level) / 2
                k = numpy.arange(n + 1)
                cdf = stats.binom.cdf(k, n, q)
                lower, upper = int(numpy.argmax(cdf > tail)), int(numpy.argmax(cdf >= 1 - tail)) + 1
                ask("ranks", [[n, q, level]], [lower, upper])


def welch():
    for _ in range(200):
        n, m = (int(v) for v in 2 + random.integers(0, 10 ** random.integers(1, 7, 2)))
        mean1, mean2 = random.normal(10, 1, 2)
        if random.random() < 0.5:  # near each other, as means of many are
            mean2 = mean1 + random.normal() * 3 / math.sqrt(min(n, m))
        v1, v2 = 10 ** random.uniform(-3, 3, 2)
        p = stats.ttest_ind_from_stats(mean1, v1**0.5, n, mean2, v2**0.5, m, equal_var=False).pvalue
        error2 = v1 / n + v2 / m
        df = error2**2 / ((v1 / n) ** 2 / (n - 1) + (v2 / m) ** 2 / (m - 1))
        if p < 1e-290:
            continue  # SciPy runs out of exponents
        level = random.choice([0.9, 0.95, 0.999])
        half = student_quantile((1 - level) / 2, df) * math.sqrt(error2)
        d = mean1 - mean2
        ask("welch", [[n, mean1, v1, m, mean2, v2, level]], [d, d - half, d + half, p])


def paired():
    for n in (2, 3, 10, 100, 5000):
        for shift in (0, 0.1, 1):
            x, y = random.normal(shift, 1, n), random.normal(0, 1, n)
            r = stats.ttest_rel(x, y)
            d = x - y
            lo, hi = r.confidence_interval(0.95)
            ask("paired", [[n, d.mean(), d.var(ddof=1), 0.95]], [d.mean(), lo, hi, r.pvalue])


def proportions():
    for _ in range(300):
        n1, n2 = (int(v) for v in 1 + random.integers(0, 10 ** random.integers(1, 6, 2)))
        share = random.choice([0, 0.001, 0.01, 0.1, 0.5, 0.95, 1])
        k1, k2 = int(random.binomial(n1, share)), int(random.binomial(n2, min(share * 1.2, 1)))
        w1 = stats.binomtest(k1, n1).proportion_ci(0.95, method="wilson")
        w2 = stats.binomtest(k2, n2).proportion_ci(0.95, method="wilson")
        p1, p2 = k1 / n1, k2 / n2
        lo = p1 - p2 - math.hypot(p1 - w1.low, w2.high - p2)
        hi = p1 - p2 + math.hypot(w1.high - p1, p2 - w2.low)
        table = [[k1, n1 - k1], [k2, n2 - k2]]
        k, n = k1 + k2, n1 + n2
        exact = stats.fisher_exact(table)[1]
        if min(k, n - k) * min(n1, n2) / n >= 5:
            p = stats.chi2_contingency(table, correction=False)[1]
        else:
            p = exact
        if p > 1e-290:
            ask("proportions", [[k1, n1, k2, n2, 0.95]], [p1 - p2, lo, hi, p])
        if exact > 1e-12 and min(n1, n2, k, n - k) < 3000:
            ask("fisher", [[k1, n1, k2, n2]], [exact])


def student():
    for df in (1, 1.5, 2, 5, 29, 30.7, 400, 1e5, 1e8):
        for t in (0, 1e-4, 0.3, 1, 2.5, 7, -1.5, 30):
            for tail in (1e-12, 1e-6, 0.001, 0.025, 0.3, 0.49, 0.5, 0.6, 0.975):
                if stats.t.sf(t, df) > 1e-250:
                    ask("student", [[t, df, tail]], [stats.t.sf(t, df), student_quantile(tail, df)])


def binomial():
    for n in (1, 2, 10, 100, 10000, 10**6):
        for p in (0.001, 0.05, 0.5, 0.93):
            middle = n * p
            for off in (-3, -1, 0, 1, 3):
                k = round(middle + off * math.sqrt(n * p * (1 - p)))
                if 0 <= k <= n:
                    ask("binomial", [[k, n, p]], [stats.binom.cdf(k, n, p), stats.binom.pmf(k, n, p)])


def discovery():
    for n in (1, 2, 5, 40, 1000):
        p = random.uniform(0, 1, n) ** 2
        if n > 2:
            p[1] = p[0]
        order = numpy.argsort(p)
        adjusted = numpy.empty(n)
        adjusted[order] = numpy.minimum.accumulate((p[order] * n / numpy.arange(1, n + 1))[::-1])[::-1]
        ask("discovery", [p], numpy.minimum(adjusted, 1))


def far(got, expected):
    return abs(got - expected) > RELATIVE * abs(expected) + ABSOLUTE * (abs(expected) > 1e-4)


def main():
    for make in (mann_whitney, mcnemar, trend, wilson, order_statistics, welch, paired, proportions, student,
                 binomial, discovery):
        make()
    program = os.path.join(os.environ["PADDOCK_BUILD"], "tests", "e2e", "statistics")
    lines = "".join(json.dumps(line) + "\n" for line, _ in questions)
    answers = subprocess.run([program], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(answers) == len(questions), (len(answers), len(questions))
    wrong, worst, asked = 0, {}, {}
    for (line, expected), text in zip(questions, answers):
        got = [float(v) for v in text.split()]
        asked[line[0]] = asked.get(line[0], 0) + 1
        bad = len(got) != len(expected) or any(far(g, e) for g, e in zip(got, expected))
        error = max(abs(g - e) / abs(e) if e and abs(e) > 1e-300 else 0 for g, e in zip(got, expected))
        worst[line[0]] = max(worst.get(line[0], 0), error)
        if bad:
            wrong += 1
            if wrong <= 20:
                print("WRONG", json.dumps(line)[:300], "\n  got     ", got[:8], "\n  expected", expected[:8])
    for name in asked:
        print(f"{name:14} {asked[name]:5} questions, largest relative difference {worst[name]:.1e}")
    print(f"{len(questions)} questions, {wrong} wrong")
    return 1 if wrong or len(questions) < 1500 else 0


if __name__ == "__main__":
    sys.exit(main())
