#include "support/strategy_case.h"

#include "base/fault.h"
#include "base/json.h"
#include "base/mem.h"
#include "extend/plugin_fields.h"
#include "worker/load.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *strategy, const char *why)
{
    fprintf(stderr, "%s: %s\n", strategy, why);
    abort();
}

/* A plugin is never unloaded, so it is loaded once. */
static const paddock_plugin *bundled(const char *strategy)
{
    static struct loaded all[16];
    static size_t n;
    char path[4096];
    struct err e;
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].plugin->id, strategy) == 0)
            return all[i].plugin;
    const char *build = getenv("PADDOCK_BUILD");
    snprintf(path, sizeof path, "%s/plugins/%s.so", build ? build : "build/release", strategy);
    int fd = load_open(path, &e);
    if (fd < 0 || n == 16 || !load_plugin(fd, path, NULL, &all[n], &e))
        die(strategy, e.detail);
    return all[n++].plugin;
}

bool case_open(struct strategy_case *c, const char *strategy, const char *config)
{
    struct err e;
    struct arena *a = arena_new(1 << 20);
    struct faults *f = arena_zero(a, sizeof *f);
    const paddock_plugin *p = bundled(strategy);
    json_t *given = json_read(config, strlen(config), &e);
    faults_init(f, a);
    c->config = given ? plugin_fields_check(p->config, given, "", CONFIG_FROM_BODY, f) : NULL;
    if (!c->config)
        die(strategy, f->listed ? f->list[0].detail : "no JSON");
    json_decref(given);
    arena_free(a);
    if (strategy_begin(&c->s, p, "route", c->config, 7, CASE_START_MS, &e))
        return true;
    json_decref(c->config);
    return false;
}

void case_close(struct strategy_case *c)
{
    strategy_end(&c->s);
    json_decref(c->config);
}

void case_turn(struct strategy_case *c, const paddock_candidate *candidates, size_t n,
               int64_t later_ms)
{
    struct err e;
    const paddock_candidate **list = mem_zero(n, sizeof *list);
    for (size_t i = 0; i < n; i++)
        list[i] = &candidates[i];
    c->s.pub.now_ms += later_ms;
    if (!strategy_turn(&c->s, list, n, c->w, &e))
        die("turn", e.detail);
    free(list);
}

void case_reward(struct strategy_case *c, const char *model_id, double value, size_t n)
{
    const paddock_outcome o = {.decision_id = "d",
                               .model_id = model_id,
                               .name = "reward",
                               .value = value,
                               .propensity = 0.5,
                               .at_ms = c->s.pub.now_ms};
    const paddock_outcome *list[] = {&o};
    for (size_t i = 0; c->s.ops->update && i < n; i++)
        c->s.ops->update(&c->s.pub, list, 1);
}

double case_share(const struct strategy_case *c, size_t n, size_t i)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += c->w[k].weight;
    return sum > 0 ? c->w[i].weight / sum : (double)NAN;
}

double case_part(const struct strategy_case *c, size_t i, const char *name)
{
    const struct strategy_parts *p = &c->s.parts[i];
    for (size_t k = 0; k < p->n; k++)
        if (strcmp(p->list[k].name, name) == 0)
            return p->list[k].value;
    return (double)NAN;
}
