/* experiment_world: a world with a stable model, two canaries, a route that leads to them, and
 * experiments on it. */
#ifndef PADDOCK_TESTS_REGISTRY_EXPERIMENT_WORLD_H
#define PADDOCK_TESTS_REGISTRY_EXPERIMENT_WORLD_H

#include "world.h"

#include "registry/experiment.h"
#include "registry/route.h"

#define BODY(key) \
    "{\"key\":\"" key "\",\"route\":\"r\",\"control\":\"old\",\"treatments\":[\"new\"]"

#define AS(name, type, inner)                                                          \
    UNUSED_OK static bool name(struct command *c, struct head *h, struct changes *out, \
                               struct err *e)                                          \
    {                                                                                  \
        c->args = (void *)(uintptr_t) & (type);                                        \
        return inner(c, h, out, e);                                                    \
    }
AS(create, EXPERIMENT_TYPE, document_create)
AS(patch, EXPERIMENT_TYPE, document_patch)
AS(erase, EXPERIMENT_TYPE, document_delete)
AS(route_create, ROUTE_TYPE, document_create)
AS(route_patch, ROUTE_TYPE, document_patch)
AS(route_erase, ROUTE_TYPE, document_delete)

/* a:1 is stable, a:2 and a:3 are canaries; the route r leads to them by ids. */
UNUSED_OK static int setup(void **state)
{
    struct world *w = *state = world_new();
    static const char *const ids[] = {"a:1", "a:2", "a:3"}, *const versions[] = {"1", "2", "3"};
    for (int i = 0; i < 3; i++) {
        world_register(w, "a", versions[i]);
        world_move(w, ids[i], "canary");
    }
    world_move(w, "a:1", "stable");
    world_ok(w, 201, NULL, route_create, NULL, NULL,
             "{\"route\":\"r\",\"match\":{\"model_name\":\"a\"},\"arms\":{\"old\":\"a:1\",\"new\":"
             "\"a:2\",\"other\":\"a:3\"},\"strategy\":\"weighted\",\"params\":{\"weights\":{"
             "\"old\":100,\"new\":0,\"other\":0}}}");
    return 0;
}

UNUSED_OK static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

UNUSED_OK static const struct experiment *get(struct world *w, const char *key)
{
    const struct document *d = view_document(world_view(w), &EXPERIMENT_TYPE, w->ns, key);
    assert_non_null(d);
    return experiment_of(d);
}

UNUSED_OK static void begin(struct world *w, const char *more)
{
    char body[1024];
    snprintf(body, sizeof body, BODY("x") "%s%s}", *more ? "," : "", more);
    world_ok(w, 201, "experiment.created", create, NULL, NULL, body);
    w->now_ms += 10;
    world_ok(w, 200, "model.updated,experiment.started", experiment_start, "x", NULL,
             "{\"reason\":\"why\"}");
}

/* Report what the server decided, of the revision there is. */
UNUSED_OK static bool report(struct world *w, enum experiment_step step,
                             struct experiment_news news)
{
    news.step = step;
    if (!news.sentence)
        news.sentence = "So it is.";
    if (!news.cause)
        news.cause = "cause";
    w->if_match = get(w, "x")->head.revision;
    w->c.args = &news;
    w->now_ms += 1000;
    const bool ok = world_run(w, experiment_report, "x", NULL, NULL);
    w->c.args = NULL;
    return ok;
}

UNUSED_OK static void reported(struct world *w, enum experiment_step step,
                               struct experiment_news news)
{
    if (!report(w, step, news))
        fail_msg("%s", w->c.err.detail);
}

UNUSED_OK static const char *weights(struct world *w)
{
    static char text[256];
    const struct document *d = view_document(world_view(w), &ROUTE_TYPE, w->ns, "r");
    snprintf(text, sizeof text, "%s", route_of(d)->params);
    return text;
}

#endif
