/* Tokens: made once with a secret, never more than their maker may do, found by key and by name. */
#include "world.h"

#include "registry/decide.h"
#include "registry/token.h"

#define ALL "{\"token_id\":\"ci\",\"role\":\"operator\"}"

static struct grants *mine; /* of whoever makes tokens; NULL: he may do everything */

static int setup(void **state)
{
    *state = world_new();
    mine = NULL;
    return 0;
}

static int teardown(void **state)
{
    free(mine);
    world_free(*state);
    return 0;
}

static void i_have(const char *role, const char *grants)
{
    free(mine);
    mine = calloc(1, grants_compile(role, grants, NULL));
    grants_compile(role, grants, mine);
}

static const char *secret(uint8_t seed)
{
    static struct token_secret s;
    uint8_t chance[TOKEN_CHANCE];
    for (size_t i = 0; i < sizeof chance; i++)
        chance[i] = (uint8_t)(seed * 5 + i * 7);
    assert_true(token_secret_make(chance, &s));
    return s.text;
}

static bool create(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->grants = mine;
    c->actions = ACTION_BIT(ACTION_ADMIN);
    return token_create(c, h, out, e);
}

static bool replace(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->grants = mine;
    c->actions = ACTION_BIT(ACTION_ADMIN);
    return token_replace(c, h, out, e);
}

static bool patch(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->grants = mine;
    c->actions = ACTION_BIT(ACTION_ADMIN);
    c->args = (void *)(uintptr_t)&TOKEN_TYPE;
    return document_patch(c, h, out, e);
}

static const struct document *called(struct world *w, const char *actor_id)
{
    return view_token_called(world_view(w), actor_id);
}

/* The answer to its making shows the secret; nothing that is kept does. */
static void shown_once(void **state)
{
    struct world *w = *state;
    const char *text = secret(1);
    world_ok(w, 201, "token.created", create, NULL, text, ALL);
    assert_string_equal(answer_member(w, "token"), text);
    const struct document *d = called(w, "ci");
    assert_non_null(d);
    assert_null(strstr(d->entity.json, text));
    assert_null(strstr(d->entity.json, token_of(d)->hash));
    assert_null(strstr(d->entity.hidden, text));
    struct token_secret shown;
    assert_true(token_secret_read(text, strlen(text), &shown));
    assert_true(token_secret_is(&shown, token_of(d)->hash));
    assert_ptr_equal(view_token(world_view(w), shown.key), d);
    /* What it becomes later tells nothing, and does not change its secret. */
    world_ok(w, 200, "token.updated", replace, "ci", secret(2), "{\"role\":\"viewer\"}");
    assert_string_equal(answer_member(w, "token"), "?");
    assert_true(token_secret_is(&shown, token_of(called(w, "ci"))->hash));
    assert_true(grants_allow(token_grants(called(w, "ci")), "x", "y", ACTION_BIT(ACTION_READ)));
    assert_false(grants_allow(token_grants(called(w, "ci")), "x", "y", ACTION_BIT(ACTION_RECORD)));
    /* PUT makes one, too. */
    world_ok(w, 201, "token.created", replace, "other", secret(3), "{\"role\":\"viewer\"}");
    assert_string_equal(answer_member(w, "token"), secret(3));
    /* Two with one key there cannot be. */
    world_no(w, &ERR_BUSY, create, NULL, secret(1), "{\"role\":\"viewer\"}");
    world_no(w, &ERR_INTERNAL, create, NULL, "no secret", "{\"role\":\"viewer\"}");
    world_no(w, &ERR_INTERNAL, create, NULL, NULL, "{\"role\":\"viewer\"}");
}

static void what_is_no_token(void **state)
{
    struct world *w = *state;
    char body[100];
    world_no(w, &ERR_INVALID, create, NULL, secret(1), "{\"token_id\":\"ci\"}");
    world_no(w, &ERR_INVALID, create, NULL, secret(1), "{\"grants\":[{\"namespace\":\"a\"}]}");
    world_no(w, &ERR_INVALID, create, NULL, secret(1),
             "{\"role\":\"viewer\",\"expires_at\":\"2001-01-01T00:00:00Z\"}");
    world_no(w, &ERR_INVALID, create, NULL, secret(1),
             "{\"role\":\"viewer\",\"rate_per_second\":0}");
    /* A date that was good once may stay when another member changes. */
    world_ok(w, 201, "token.created", create, NULL, secret(1),
             "{\"token_id\":\"short\",\"role\":\"viewer\","
             "\"expires_at\":\"2024-01-01T00:00:00Z\"}");
    w->now_ms = 1800000000000;
    snprintf(body, sizeof body, "{\"description\":\"over\"}");
    world_ok(w, 200, "token.updated", patch, "short", NULL, body);
    world_no(w, &ERR_INVALID, patch, "short", NULL, "{\"expires_at\":\"2025-01-01T00:00:00Z\"}");
}

/* Nobody gives what he has not, nor takes over what may do more. */
static void within_rights(void **state)
{
    struct world *w = *state;
    world_ok(w, 201, "token.created", create, NULL, secret(1),
             "{\"token_id\":\"root\",\"role\":\"admin\"}");
    i_have(NULL, "[{\"namespace\":\"default\",\"actions\":[\"admin\"]}]");
    world_no(w, &FORBIDDEN, create, NULL, secret(2), "{\"role\":\"viewer\"}"); /* everywhere */
    world_no(w, &FORBIDDEN, create, NULL, secret(2),
             "{\"grants\":[{\"namespace\":\"d*\",\"actions\":[\"read\"]}]}");
    world_ok(w, 201, "token.created", create, NULL, secret(2),
             "{\"token_id\":\"mate\","
             "\"grants\":[{\"namespace\":\"default\",\"actions\":[\"read\"]}]}");
    world_no(w, &FORBIDDEN, patch, "mate", NULL, "{\"role\":\"viewer\",\"grants\":[]}");
    world_no(w, &FORBIDDEN, patch, "root", NULL,
             "{\"role\":null,\"grants\":[{\"namespace\":\"default\",\"actions\":[\"read\"]}]}");
    assert_true(grants_everywhere(token_grants(called(w, "root")), ACTION_BIT(ACTION_ADMIN)));
}

static void what_they_are_called(void **state)
{
    struct world *w = *state;
    world_ok(w, 201, NULL, create, NULL, secret(1), ALL);
    w->ns = "team";
    world_ok(w, 201, NULL, create, NULL, secret(2), ALL);
    const struct document *here = called(w, "ci"), *there = called(w, "team/ci");
    assert_string_equal(here->entity.ns, "default");
    assert_string_equal(there->entity.ns, "team");
    assert_string_equal(token_actor_id(here, w->arena), "ci");
    assert_string_equal(token_actor_id(there, w->arena), "team/ci");
    assert_null(called(w, "other/ci"));
    assert_null(called(w, "team/"));
    assert_null(called(w, ""));
    char deep[300];
    memset(deep, 'n', sizeof deep);
    memcpy(deep + sizeof deep - 4, "/ci", 4);
    assert_null(called(w, deep));
    assert_null(view_token(world_view(w), ""));
    assert_null(view_token(world_view(w), "000000000000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shown_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_token, setup, teardown),
        cmocka_unit_test_setup_teardown(within_rights, setup, teardown),
        cmocka_unit_test_setup_teardown(what_they_are_called, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
