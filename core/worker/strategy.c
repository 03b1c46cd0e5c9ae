#include "worker/strategy.h"

#include "base/mem.h"
#include "worker/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANARY (-123.25)

static struct strategy *in(paddock_strategy *s)
{
    return (struct strategy *)(void *)s;
}

static bool part_fits(struct strategy *s, size_t index, const char *name, struct err *e)
{
    if (s->n == 0)
        return fail(e, &ERR_INVALID, "paddock_part() was called outside of weigh()");
    if (index >= s->n)
        return fail(e, &ERR_INVALID, "paddock_part() names candidate %zu of %zu", index, s->n);
    return (name && *name) || fail(e, &ERR_INVALID, "paddock_part() was called without a name");
}

static void host_part(paddock_strategy *pub, size_t index, const char *name, double value)
{
    struct strategy *s = in(pub);
    struct err e;
    if (!part_fits(s, index, name, &e)) {
        if (!s->wrong.kind)
            s->wrong = e;
        return;
    }
    struct strategy_parts *p = &s->parts[index];
    if (p->n == STRATEGY_PARTS_MAX)
        return;
    struct strategy_part *part = &p->list[p->n++];
    snprintf(part->name, sizeof part->name, "%s", name);
    part->value = value;
}

static bool host_save(paddock_strategy *s, const void *data, size_t len)
{
    return bytes_add(&in(s)->saved, data, len);
}

static const paddock_host *strategy_host(void)
{
    static paddock_host host;
    host = HOST;
    host.part = host_part;
    host.save = host_save;
    return &host;
}

bool strategy_begin(struct strategy *s, const paddock_plugin *plugin, const char *route,
                    const json_t *config, uint64_t seed, int64_t now_ms, struct err *e)
{
    *s = (struct strategy){
        .pub = {.host = strategy_host(),
                .route = route,
                .config = (const paddock_value *)config,
                .seed = seed,
                .now_ms = now_ms},
        .ops = plugin->ops,
        .saved = BYTES_INIT(STRATEGY_STATE_MAX),
    };
    if (!s->ops->open || s->ops->open(&s->pub))
        return true;
    return fail(e, &ERR_INVALID, "open() says that it is unusable with this configuration");
}

void strategy_end(struct strategy *s)
{
    if (s->ops->close)
        s->ops->close(&s->pub);
    bytes_release(&s->saved);
    free(s->parts);
    s->parts = NULL;
}

static bool weights_valid(const paddock_weight *w, size_t n, struct err *e)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(w[i].weight) || w[i].weight < 0)
            return fail(e, &ERR_INVALID, "the weight of candidate %zu of %zu is %g", i, n,
                        w[i].weight);
        if (!isfinite(w[i].score))
            return fail(e, &ERR_INVALID, "the score of candidate %zu of %zu is %g", i, n,
                        w[i].score);
        sum += w[i].weight;
    }
    return isfinite(sum) || fail(e, &ERR_INVALID, "the weights are too large to add up");
}

bool strategy_turn(struct strategy *s, const paddock_candidate *const *candidates, size_t n,
                   paddock_weight *w, struct err *e)
{
    memset(w, 0, n * sizeof *w);
    w[n] = (paddock_weight){CANARY, CANARY};
    free(s->parts);
    s->parts = mem_zero(n, sizeof *s->parts);
    if (s->ops->tick)
        s->ops->tick(&s->pub);
    s->n = n;
    bool answered = s->ops->weigh(&s->pub, candidates, n, w);
    s->n = 0;
    if (s->wrong.kind)
        return fail(e, &ERR_INVALID, "%s", s->wrong.detail);
    if (w[n].weight != CANARY || w[n].score != CANARY)
        return fail(e, &ERR_INVALID, "weigh() wrote behind the %zu weights", n);
    if (!answered)
        memset(w, 0, n * sizeof *w);
    return weights_valid(w, n, e);
}

bool strategy_save(struct strategy *s, struct err *e)
{
    bytes_clear(&s->saved);
    if (!s->ops->save)
        return fail(e, &ERR_INVALID, "it keeps no state");
    if (!s->ops->save(&s->pub) || s->saved.full)
        return fail(e, &ERR_INVALID,
                    s->saved.full ? "its state is larger than 1 MiB" : "save() failed");
    return true;
}
