/* nightly: how often does the nightly alarm cry wolf, and how soon does it see a wolf?
 *
 *   nightly [histories [models]]       10,000 histories, 1,000 models of 10 measurements
 *
 * Prints a table; ends with 1 if a promise of docs/regressions.md is broken. Seeds are fixed, so
 * the same arguments give the same figures. */
#include "base/mem.h"
#include "stats/nightly.h"

#include "support/random.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { NIGHTS = 90, STEP_AT = 60, MEASUREMENTS = 10 };

static const double DISCOVERY_RATE = 0.05; /* the default of validation/night.h */

enum noise { NORMAL, HEAVY, SKEWED };

/* Student's t with 5 degrees of freedom, and a lognormal; scaled to variance 1. */
static double draw(uint64_t *seed, enum noise noise)
{
    const double z = random_normal(seed);
    if (noise == NORMAL)
        return z;
    if (noise == SKEWED) {
        const double s = 0.6, v = exp(s * s);
        return (exp(s * z) - sqrt(v)) / sqrt(v * (v - 1));
    }
    double square = 0;
    for (int i = 0; i < 5; i++) {
        const double n = random_normal(seed);
        square += n * n;
    }
    return z / sqrt(square / 5) * sqrt(3.0 / 5);
}

struct world {
    double ar;
    enum noise noise;
    double step, slope; /* in standard deviations, from night STEP_AT on */
    double climb;       /* the same, a night from the first one on */
};

static void history(const struct world *w, uint64_t *seed, double *x)
{
    double last = draw(seed, w->noise);
    for (int i = 0; i < NIGHTS; i++) {
        if (i > 0)
            last = w->ar * last + sqrt(1 - w->ar * w->ar) * draw(seed, w->noise);
        x[i] = last + w->climb * i;
        if (i >= STEP_AT)
            x[i] += w->step + w->slope * (i - STEP_AT + 1);
    }
}

/* The night of the first alarm of a series on its own, NIGHTS if there is none. */
static int first_alarm(const double *x)
{
    struct nightly trace[NIGHTS];
    nightly_trace(x, NIGHTS, NIGHTLY_UP, 0, trace);
    for (int t = 0; t < NIGHTS; t++)
        if (trace[t].candidate)
            return t;
    return NIGHTS;
}

struct tally {
    int before, after; /* histories with a first alarm before STEP_AT, and from it on */
    int median;        /* nights from the step to the alarm, of these */
};

static struct tally simulate(const struct world *w, int histories)
{
    struct tally out = {0};
    int delays[NIGHTS] = {0};
    uint64_t seed = 20261128;
    for (int i = 0; i < histories; i++) {
        double x[NIGHTS];
        history(w, &seed, x);
        const int at = first_alarm(x);
        out.before += at < STEP_AT;
        if (at >= STEP_AT && at < NIGHTS) {
            out.after++;
            delays[at - STEP_AT]++;
        }
    }
    for (int seen = delays[0]; 2 * seen < out.after; seen += delays[out.median])
        out.median++;
    out.median++;
    return out;
}

static bool promise(bool kept, const char *what)
{
    if (!kept)
        printf("BROKEN: %s\n", what);
    return kept;
}

static bool quiet(int histories)
{
    static const struct {
        const char *name;
        struct world world;
        double most; /* percent promised; 0: only stated */
    } rows[] = {
        {"independent", {.ar = 0}, 5},
        {"AR(1) 0.3", {.ar = 0.3}, 12},
        {"AR(1) 0.6", {.ar = 0.6}, 0},
        {"heavy tails (t, 5 df)", {.noise = HEAVY}, 5},
        {"skewed (lognormal 0.6)", {.noise = SKEWED}, 0},
    };
    bool kept = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct tally t = simulate(&rows[i].world, histories);
        const double percent = 100.0 * (t.before + t.after) / histories;
        printf("%-24s  %6.2f %% of %d quiet histories alarmed in %d nights\n", rows[i].name,
               percent, histories, NIGHTS);
        kept &= promise(rows[i].most == 0 || percent <= rows[i].most, rows[i].name);
    }
    return kept;
}

static bool changed(int histories)
{
    static const struct {
        const char *name;
        struct world world;
        double least; /* percent promised */
    } rows[] = {
        {"step 1 sd", {.step = 1}, 0},
        {"step 2 sd", {.step = 2}, 95},
        {"step 3 sd", {.step = 3}, 95},
        {"step 2 sd, AR(1) 0.3", {.step = 2, .ar = 0.3}, 90},
        {"step 2 sd, AR(1) 0.6", {.step = 2, .ar = 0.6}, 0},
        {"slope 0.1 sd a night", {.slope = 0.1}, 0},
    };
    bool kept = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct tally t = simulate(&rows[i].world, histories);
        const double percent = 100.0 * t.after / (histories - t.before);
        printf("%-24s  %6.2f %% seen within %d nights, half of them by night %d\n", rows[i].name,
               percent, NIGHTS - STEP_AT, t.median);
        kept &= promise(percent >= rows[i].least, rows[i].name);
    }
    return kept;
}

/* A climb that was there from the first night on: the night of the alarm in half of the histories.
 */
static void climbing(int histories)
{
    static const double slopes[] = {0.02, 0.05, 0.1};
    for (size_t i = 0; i < sizeof slopes / sizeof slopes[0]; i++) {
        int seen = 0, by[NIGHTS] = {0}, median = 0;
        uint64_t seed = 3;
        for (int k = 0; k < histories; k++) {
            double x[NIGHTS];
            history(&(struct world){.climb = slopes[i]}, &seed, x);
            const int at = first_alarm(x);
            if (at < NIGHTS) {
                by[at]++;
                seen++;
            }
        }
        for (int sum = by[0]; 2 * sum < seen; sum += by[median])
            median++;
        printf(
            "climb %.2f sd a night      %6.2f %% seen within %d nights, half of them by night %d\n",
            slopes[i], 100.0 * seen / histories, NIGHTS, median + 1);
    }
}

struct fleet {
    int series, nights_judged, nights_with_alarm, alarms, changed_seen;
    int right; /* alarms of series that did change, all nights */
    int alone; /* nights of a series that alarm without control of the fleet's rate */
};

/* All series of all models, judged together night by night. `worse` of them step by 2 sd. */
static struct fleet run_fleet(int models, int worse, double ar)
{
    struct fleet f = {.series = models * MEASUREMENTS};
    const size_t n = (size_t)f.series;
    struct nightly *traces = mem_zero(n * NIGHTS, sizeof *traces);
    struct nightly *night = mem_zero(n, sizeof *night);
    bool *alarm = mem_zero(n, sizeof *alarm), *seen = mem_zero(n, sizeof *seen);
    uint64_t seed = 7;
    for (size_t i = 0; i < n; i++) {
        double x[NIGHTS];
        history(&(struct world){.ar = ar, .step = i < (size_t)worse ? 2 : 0}, &seed, x);
        nightly_trace(x, NIGHTS, NIGHTLY_UP, 0, traces + i * NIGHTS);
    }
    for (int t = NIGHTLY_LEAST; t < NIGHTS; t++) {
        for (size_t i = 0; i < n; i++)
            night[i] = traces[i * NIGHTS + (size_t)t];
        nightly_alarms(night, n, DISCOVERY_RATE, alarm);
        int wrong = 0;
        for (size_t i = 0; i < n; i++) {
            const bool quiet_series = i >= (size_t)worse || t < STEP_AT;
            wrong += alarm[i] && quiet_series;
            f.right += alarm[i] && !quiet_series;
            f.alone += quiet_series && night[i].candidate;
            seen[i] |= alarm[i] && !quiet_series;
        }
        f.nights_judged++;
        f.nights_with_alarm += wrong > 0;
        f.alarms += wrong;
    }
    for (size_t i = 0; i < (size_t)worse; i++)
        f.changed_seen += seen[i];
    free(traces);
    free(night);
    free(alarm);
    free(seen);
    return f;
}

static bool fleets(int models)
{
    const struct fleet calm = run_fleet(models, 0, 0);
    const double rate = (double)calm.alarms / calm.nights_judged;
    printf("%d quiet series           %6.3f false alarms a night (%d nights of %d had one); "
           "%.1f without control of the rate\n",
           calm.series, rate, calm.nights_with_alarm, calm.nights_judged,
           (double)calm.alone / calm.nights_judged);
    const struct fleet moved = run_fleet(models, models * MEASUREMENTS / 100, 0);
    printf("1 %% of them step 2 sd      %6.2f %% seen within %d nights; %.2f %% of alarms false\n",
           100.0 * moved.changed_seen / (models * MEASUREMENTS / 100), NIGHTS - STEP_AT,
           100.0 * moved.alarms / (moved.alarms + moved.right + 1e-9));
    const struct fleet tied = run_fleet(models, 0, 0.3);
    printf("%d quiet, AR(1) 0.3       %6.3f false alarms a night (%d nights of %d had one)\n",
           tied.series, (double)tied.alarms / tied.nights_judged, tied.nights_with_alarm,
           tied.nights_judged);
    return promise(rate <= DISCOVERY_RATE, "false alarms a night of a quiet fleet");
}

int main(int argc, char **argv)
{
    const int histories = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 10000;
    const int models = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 1000;
    if (histories < 100 || models < 10) {
        fprintf(stderr, "usage: nightly [histories >= 100 [models >= 10]]\n");
        return 2;
    }
    bool kept = quiet(histories);
    kept &= changed(histories);
    climbing(histories / 10);
    kept &= fleets(models);
    return kept ? 0 : 1;
}
