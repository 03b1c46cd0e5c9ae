/* Who asks, as far as it needs no connection: the actions of each row of the table of routes, what
 * of an access outlives its request, and until when it holds. The rest is api/matrix. */
#include "../registry/world.h"

#include "api/access.h"
#include "api/api.h"
#include "registry/decide.h"
#include "registry/token.h"

static int setup(void **state)
{
    *state = world_new();
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

/* A route without an action is public and says so; nobody forgets one. */
static void every_route_has_its_action(void **state)
{
    (void)state;
    size_t public = 0, guarded = 0;
    for (const struct route *r = ROUTES; r->path; r++) {
        uint32_t actions = access_actions(r);
        if (r->flags & ROUTE_PUBLIC) {
            assert_int_equal(actions, 0);
            public++;
            continue;
        }
        if (!r->action || !actions || actions & ~ACTIONS_ALL)
            fail_msg("%s has no action that exists", r->operation);
        guarded++;
        /* What changes something takes more than the right to read. */
        bool asks = strstr(r->operation, "explain") || strstr(r->operation, "check") ||
                    strstr(r->operation, "simulate") || strstr(r->operation, "evaluate");
        if (r->method != METHOD_GET && !asks && actions == ACTION_BIT(ACTION_READ))
            fail_msg("%s changes something for those who may read", r->operation);
    }
    assert_true(public > 5 && guarded > 100);
}

static const char *secret(uint8_t seed)
{
    static struct token_secret s;
    uint8_t chance[TOKEN_CHANCE];
    for (size_t i = 0; i < sizeof chance; i++)
        chance[i] = (uint8_t)(seed + i * 11);
    assert_true(token_secret_make(chance, &s));
    return s.text;
}

static bool create(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->actions = ACTION_BIT(ACTION_ADMIN);
    return token_create(c, h, out, e);
}

static bool patch(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->actions = ACTION_BIT(ACTION_ADMIN);
    c->args = (void *)(uintptr_t)&TOKEN_TYPE;
    return document_patch(c, h, out, e);
}

static bool delete (struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->actions = ACTION_BIT(ACTION_ADMIN);
    c->args = (void *)(uintptr_t)&TOKEN_TYPE;
    return document_delete(c, h, out, e);
}

/* The access that a token gives. */
static struct access by(struct world *w, const char *actor_id)
{
    const struct document *d = view_token_called(world_view(w), actor_id);
    assert_non_null(d);
    return (struct access){.ns = "default",
                           .grants = token_grants(d),
                           .token_uid = d->entity.uid,
                           .token_revision = d->entity.revision,
                           .actor_id = actor_id};
}

static bool holds(struct world *w, const struct access *a, int64_t after_ms)
{
    return access_holds(a, world_view(w), w->now_ms + after_ms);
}

static void anonymous_until_a_token_exists(void **state)
{
    struct world *w = *state;
    const struct access nobody = {.ns = "default", .actor_id = "anonymous"};
    assert_true(holds(w, &nobody, 0));
    world_ok(w, 201, "token.created", create, NULL, secret(1),
             "{\"token_id\":\"a\",\"role\":\"admin\"}");
    assert_false(holds(w, &nobody, 0));
}

static void until_its_certificate_expires(void **state)
{
    struct world *w = *state;
    world_ok(w, 201, "token.created", create, NULL, secret(1),
             "{\"token_id\":\"a\",\"role\":\"viewer\"}");
    struct access a = by(w, "a");
    a.shown_until_ms = w->now_ms + 1000;
    assert_true(holds(w, &a, 999));
    assert_false(holds(w, &a, 1000));
}

static void until_the_token_changes(void **state)
{
    struct world *w = *state;
    world_ok(w, 201, "token.created", create, NULL, secret(1),
             "{\"token_id\":\"a\",\"role\":\"viewer\"}");
    world_ok(w, 201, "token.created", create, NULL, secret(2),
             "{\"token_id\":\"b\",\"role\":\"viewer\"}");
    struct access a = by(w, "a"), b = by(w, "b");
    assert_true(holds(w, &a, 0) && holds(w, &b, 0));
    world_ok(w, 200, "token.updated", patch, "a", NULL, "{\"description\":\"x\"}");
    assert_false(holds(w, &a, 0)); /* any change: who holds it comes back and is asked anew */
    assert_true(holds(w, &b, 0));
    world_ok(w, 204, "token.deleted", delete, "b", NULL, NULL);
    assert_false(holds(w, &b, 0));
    /* Another token under its name is another token. */
    world_ok(w, 201, "token.created", create, NULL, secret(3),
             "{\"token_id\":\"b\",\"role\":\"viewer\"}");
    assert_false(holds(w, &b, 0));
}

static void until_it_expires(void **state)
{
    struct world *w = *state;
    char body[128];
    snprintf(body, sizeof body, "{\"token_id\":\"a\",\"role\":\"viewer\",\"expires_at\":%lld}",
             (long long)w->now_ms + 1000);
    world_ok(w, 201, "token.created", create, NULL, secret(1), body);
    struct access a = by(w, "a");
    assert_true(holds(w, &a, 0));
    assert_true(holds(w, &a, 999));
    assert_false(holds(w, &a, 1000));
}

/* What is kept is whole after all that it was made of has gone. */
static void kept(void **state)
{
    struct world *w = *state;
    char ns[] = "odds", actor[] = "a";
    world_ok(w, 201, "token.created", create, NULL, secret(1),
             "{\"token_id\":\"a\",\"grants\":[{\"namespace\":\"odds\",\"names\":[\"nba-*\"],"
             "\"actions\":[\"read\"]}]}");
    struct access a = by(w, actor);
    a.ns = ns;
    struct access *copy = access_keep(&a);
    memset(ns, 'x', 4);
    actor[0] = 'x';
    world_ok(w, 204, "token.deleted", delete, "a", NULL, NULL);
    assert_string_equal(copy->ns, "odds");
    assert_string_equal(copy->actor_id, "a");
    assert_true(access_reads(copy, "odds", "nba-props"));
    assert_false(access_reads(copy, "odds", "nfl-props"));
    assert_false(access_reads(copy, "news", "nba-props"));
    assert_false(holds(w, copy, 0));
    free(copy);
    const struct access nobody = {.ns = "default", .actor_id = "anonymous"};
    copy = access_keep(&nobody);
    assert_null(copy->grants);
    assert_true(access_reads(copy, "any", "thing"));
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_has_its_action),
        cmocka_unit_test_setup_teardown(anonymous_until_a_token_exists, setup, teardown),
        cmocka_unit_test_setup_teardown(until_the_token_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(until_it_expires, setup, teardown),
        cmocka_unit_test_setup_teardown(until_its_certificate_expires, setup, teardown),
        cmocka_unit_test_setup_teardown(kept, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
