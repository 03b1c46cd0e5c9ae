/* Policies of the journal: versions whose numbers never mean another text. What Lua would say is
 * said here by a double, which declares nothing and refuses flags at will. */
#include "world.h"

#include "base/mem.h"
#include "registry/flag.h"
#include "registry/stored_policy.h"

static const char *refused_declaration; /* with it no flag's parameters fit */

static const char *file_declares(void *self, const char *policy, struct arena *a, struct faults *f)
{
    (void)self, (void)policy, (void)a, (void)f;
    return "[\"file\"]";
}

static int plan(void *self, const struct flag_plan *p, struct share *out, struct faults *f)
{
    (void)self, (void)out;
    if (!refused_declaration || strcmp(p->declares, refused_declaration) != 0)
        return 0;
    fault_add(f, &ERR_INVALID, "/params/x", "is not what it declares");
    return -1;
}

static const struct rollout_policies POLICIES = {file_declares, plan, NULL};

static int setup(void **state)
{
    struct world *w = *state = world_new();
    w->rules.rollout_policies = &POLICIES;
    refused_declaration = NULL;
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

static struct policy_draft_text draft;
static const struct policy_named NAMED = {"rollout", "p"};

static bool install(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = &draft;
    return policy_install(c, h, out, e);
}

static bool roll_back(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&NAMED;
    return policy_roll_back(c, h, out, e);
}

static bool uncover(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&NAMED;
    return policy_uncover(c, h, out, e);
}

static bool flag_create(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&FLAG_TYPE;
    return document_create(c, h, out, e);
}

/* The text number n: its digest, source and what it declares. */
static void text_is(int n)
{
    static char sha256[16], source[32], params[32];
    snprintf(sha256, sizeof sha256, "sha-%d", n);
    snprintf(source, sizeof source, "return %d", n);
    snprintf(params, sizeof params, "[%d]", n);
    draft = (struct policy_draft_text){"rollout", "p", source, sha256, "says", params};
}

static void put(struct world *w, int n, int status, const char *actions)
{
    text_is(n);
    world_ok(w, status, actions, install, "rollout:p", NULL, NULL);
}

static const struct stored_policy *get(struct world *w)
{
    return view_stored_policy(world_view(w), w->ns, "rollout", "p");
}

static bool is_kept(struct world *w, int64_t version)
{
    return view_policy_version(world_view(w), w->ns, "rollout", "p", version) != NULL;
}

static void each_text_is_a_version(void **state)
{
    struct world *w = *state;
    assert_null(get(w));
    put(w, 1, 201, "policy.stored,policy.installed");
    put(w, 1, 200, ""); /* the same text is no change */
    assert_true(get(w)->version == 1 && get(w)->last_version == 1);
    put(w, 2, 200, "policy.stored,policy.installed");
    assert_true(get(w)->version == 2);
    const struct policy_version *v = view_policy_version(world_view(w), w->ns, "rollout", "p", 1);
    assert_string_equal(v->source, "return 1");
    assert_string_equal(v->params, "[1]");
    /* Back, and a further text: the number in between is not given again. */
    world_ok(w, 200, "policy.rolled_back", roll_back, "rollout:p", NULL, "{\"version\":1}");
    assert_true(get(w)->version == 1 && get(w)->last_version == 2);
    world_ok(w, 200, "", roll_back, "rollout:p", NULL, "{\"version\":1}");
    put(w, 3, 200, NULL);
    assert_true(get(w)->version == 3);
    world_no(w, &POLICY_VERSION_NOT_FOUND, roll_back, "rollout:p", NULL, "{\"version\":4}");
}

static void uncovered_the_file_serves(void **state)
{
    struct world *w = *state;
    world_no(w, &STORED_POLICY_NOT_FOUND, uncover, "rollout:p", NULL, NULL);
    put(w, 1, 201, NULL);
    world_ok(w, 204, "policy.uncovered", uncover, "rollout:p", NULL, NULL);
    assert_true(get(w)->version == 0 && get(w)->last_version == 1);
    world_no(w, &STORED_POLICY_NOT_FOUND, uncover, "rollout:p", NULL, NULL);
    put(w, 1, 201, NULL); /* it serves again, under a number of its own */
    assert_true(get(w)->version == 2);
    w->if_match = 1;
    text_is(5);
    world_no(w, &REVISION_MISMATCH, install, "rollout:p", NULL, NULL);
}

static void a_flag_must_agree(void **state)
{
    struct world *w = *state;
    put(w, 1, 201, NULL);
    world_ok(w, 201, NULL, flag_create, NULL, NULL,
             "{\"key\":\"f\",\"variants\":{\"off\":0,\"on\":1},\"default_variant\":\"off\","
             "\"policy\":\"p\"}");
    refused_declaration = "[2]";
    text_is(2);
    world_no(w, &POLICY_IN_USE, install, "rollout:p", NULL, NULL);
    assert_true(problem_says(w, "/params/x"));
    assert_true(get(w)->version == 1 && !is_kept(w, 2));
    put(w, 3, 200, NULL);
    refused_declaration = "[1]";
    world_no(w, &POLICY_IN_USE, roll_back, "rollout:p", NULL, "{\"version\":1}");
    refused_declaration = "[\"file\"]";
    world_no(w, &POLICY_IN_USE, uncover, "rollout:p", NULL, NULL);
    refused_declaration = NULL;
    world_ok(w, 204, NULL, uncover, "rollout:p", NULL, NULL);
}

static void the_oldest_that_nobody_needs_goes(void **state)
{
    struct world *w = *state;
    put(w, 1, 201, NULL);
    put(w, 2, 200, NULL);
    world_ok(w, 201, NULL, flag_create, NULL, NULL,
             "{\"key\":\"f\",\"variants\":{\"off\":0,\"on\":1},\"default_variant\":\"off\","
             "\"policy\":\"p\",\"policy_version\":1}");
    for (int i = 3; i <= POLICY_VERSIONS_MAX; i++)
        put(w, i, 200, "policy.stored,policy.installed");
    put(w, POLICY_VERSIONS_MAX + 1, 200, "policy.stored,policy.installed"); /* 1 is pinned */
    put(w, POLICY_VERSIONS_MAX + 2, 200, "policy.stored,policy.installed,policy.forgotten");
    assert_true(is_kept(w, 1)); /* the flag pins it */
    assert_false(is_kept(w, 2));
    assert_true(is_kept(w, 3));
    assert_true(is_kept(w, POLICY_VERSIONS_MAX + 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_text_is_a_version, setup, teardown),
        cmocka_unit_test_setup_teardown(uncovered_the_file_serves, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flag_must_agree, setup, teardown),
        cmocka_unit_test_setup_teardown(the_oldest_that_nobody_needs_goes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
