#include "validation/history.h"

#include "base/grow.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct history {
    struct map *by_key; /* to an index + 1 in `series` */
    struct history_series *series;
    size_t len, cap;
};

#define KEY_MAX 512

struct key {
    char text[KEY_MAX];
    size_t len;
};

/* Ids are short (128 characters); what is longer is told apart by its hash. */
static struct key key_of(const char *test_id, const char *measurement)
{
    struct key k;
    const int len = snprintf(k.text, sizeof k.text, "%s\n%s", test_id, measurement);
    k.len = (size_t)len;
    if (k.len >= sizeof k.text) {
        const uint64_t hash =
            hash64(test_id, strlen(test_id), 1) ^ hash64(measurement, strlen(measurement), 2);
        k.len = (size_t)snprintf(k.text, sizeof k.text, "\n%llx", (unsigned long long)hash);
    }
    return k;
}

static uint64_t mix_text(uint64_t seed, const char *text)
{
    return text ? hash64(text, strlen(text) + 1, seed) : hash64("", 0, seed);
}

/* Equal for two results of a test exactly if results_differ() finds nothing. */
static uint64_t method_of(const struct test_result *t)
{
    uint64_t hash = hash64(&t->test_revision, sizeof t->test_revision, 0);
    hash = mix_text(hash, t->config_sha256);
    hash = mix_text(hash, t->plugin.sha256);
    for (size_t i = 0; i < t->datasets_len; i++) {
        hash = mix_text(hash, t->datasets[i].dataset_id);
        hash = mix_text(hash, t->datasets[i].sha256);
    }
    return hash;
}

struct history *history_new(void)
{
    struct history *h = mem_zero(1, sizeof *h);
    h->by_key = map_new();
    return h;
}

void history_free(struct history *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->len; i++)
        free(h->series[i].points);
    free(h->series);
    map_free(h->by_key);
    free(h);
}

static struct history_series *find(const struct history *h, const struct key *k)
{
    const uintptr_t at = (uintptr_t)map_get(h->by_key, k->text, k->len);
    return at ? &h->series[at - 1] : NULL;
}

/* NULL if there are too many. */
static struct history_series *find_or_add(struct history *h, const struct key *k)
{
    struct history_series *s = find(h, k);
    if (s || h->len == HISTORY_SERIES_MAX)
        return s;
    GROW(h->series, h->len, h->cap);
    s = &h->series[h->len++];
    *s = (struct history_series){0};
    map_set(h->by_key, k->text, k->len, (void *)(uintptr_t)h->len);
    return s;
}

static void add_point(struct history_series *s, const struct history_point *p)
{
    if (s->len == HISTORY_POINTS_MAX) {
        memmove(s->points, s->points + 1, (s->len - 1) * sizeof *s->points);
        s->len--;
    }
    GROW(s->points, s->len, s->cap);
    s->points[s->len++] = *p;
}

static enum severity severity_in(const struct run *r, const char *test_id, const char *measurement)
{
    enum severity s = SEVERITY_NONE;
    for (size_t i = 0; i < r->regressions_len; i++)
        if (strcmp(r->regressions[i].test_id, test_id) == 0 &&
            strcmp(r->regressions[i].measurement, measurement) == 0)
            severity_parse(r->regressions[i].severity, &s);
    return s;
}

static bool add_measurement(struct history *h, const struct run *r, const struct test_result *t,
                            const struct measurement *m)
{
    const struct key k = key_of(t->test_id, m->name);
    struct history_series *s = find_or_add(h, &k);
    if (!s)
        return false;
    const uint64_t method = method_of(t);
    if (s->method != method)
        s->len = 0;
    s->method = method;
    s->test_id = t->test_id;
    s->test_name = t->name;
    s->last = *m;
    add_point(s, &(struct history_point){.at = r->finished_at ? r->finished_at : r->queued_at,
                                         .run_id = r->run_id,
                                         .model_id = r->model_id,
                                         .value = m->value,
                                         .samples = m->samples,
                                         .variance = m->variance,
                                         .severity = severity_in(r, t->test_id, m->name)});
    return true;
}

bool history_add(struct history *h, const struct run *r)
{
    bool all = true;
    for (size_t i = 0; i < r->results_len && !r->trial; i++) {
        const struct test_result *t = &r->results[i];
        for (size_t k = 0; result_has_figures(t) && k < t->measurements_len; k++)
            all &= add_measurement(h, r, t, &t->measurements[k]);
    }
    return all;
}

size_t history_count(const struct history *h)
{
    return h->len;
}

const struct history_series *history_at(const struct history *h, size_t i)
{
    return &h->series[i];
}

const struct history_series *history_find(const struct history *h, const char *test_id,
                                          const char *measurement)
{
    const struct key k = key_of(test_id, measurement);
    return find(h, &k);
}

const struct history_point *history_points(void *self, const struct test_result *test,
                                           const struct measurement *m, size_t *len)
{
    const struct history_series *s = history_find(self, test->test_id, m->name);
    *len = s && s->method == method_of(test) ? s->len : 0;
    return *len ? s->points : NULL;
}
