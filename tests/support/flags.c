#include "support/flags.h"

#include "base/mem.h"
#include "registry/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void retire(void *ctx, void *object, void (*destroy)(void *))
{
    (void)ctx;
    destroy(object);
}

static void need(bool good, const char *what, const struct err *e)
{
    if (good)
        return;
    fprintf(stderr, "%s: %s\n", what, e->detail);
    abort();
}

void flags_open(struct flags_fixture *x, const char *policy_dir)
{
    char shipped[4096];
    struct err e = {0};
    const char *const source = getenv("PADDOCK_SOURCE");
    snprintf(shipped, sizeof shipped, "%s/scripts/lua", source ? source : ".");
    const char *const dirs[] = {policy_dir ? policy_dir : shipped, policy_dir ? shipped : NULL,
                                NULL};
    *x = (struct flags_fixture){.uid = 1, .seq = 1};
    x->catalog = policies_open(dirs, &CLOCK_SYSTEM, &e);
    need(x->catalog != NULL, "policies", &e);
    x->state = state_new(retire, NULL);
    x->view = state_publish(x->state, x->seq);
    x->policies = policy_set_new(x->catalog);
    x->set = flag_set_new(x->policies);
}

void flags_close(struct flags_fixture *x)
{
    flag_set_free(x->set);
    policy_set_free(x->policies);
    policies_close(x->catalog);
    state_free(x->state);
}

void flags_put(struct flags_fixture *x, enum entity_kind kind, const char *id, int64_t revision,
               uint64_t uid, const char *members)
{
    char text[8192];
    struct err e = {0};
    int len = snprintf(text, sizeof text,
                       "{\"namespace\":\"default\",\"%s\":\"%s\",\"revision\":%lld,%s}",
                       kind == ENTITY_FLAG    ? "key"
                       : kind == ENTITY_LAYER ? "layer"
                                              : "segment",
                       id, (long long)revision, members);
    const struct entity_source from = {"default", id, uid ? uid : x->uid++, text, (size_t)len};
    struct entity *after = entity_parse(kind, &from, state_names(x->state), &e);
    need(after != NULL, text, &e);
    state_apply(x->state, view_get(x->view, kind, "default", id), after);
    x->view = state_publish(x->state, ++x->seq);
}

struct flag_answer flags_ask(struct flags_fixture *x, const char *key, const char *context)
{
    struct flag_answer a;
    json_t *ctx = json_loads(context, 0, NULL);
    const struct document *d = view_document(x->view, &FLAG_TYPE, "default", key);
    if (!ctx || !d)
        abort();
    const struct flag_question q = {
        .view = x->view, .ns = "default", .context = ctx, .at_ms = 1700000000000};
    flag_set_ask(x->set, d, &q, &a);
    json_decref(ctx);
    return a;
}
