/* Changes of stored policies. A text is compiled on a reader before the engine is asked. */
#include "api/handlers.h"
#include "api/submit.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "extend/lua_sandbox.h"
#include "extend/policy_set.h"
#include "registry/stored_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Compiling one text, which may take some milliseconds. */
struct compiling {
    struct mail mail; /* first */
    struct request *rq;
    struct loop *loop;
    struct arena *arena;
    enum policy_kind kind;
    const char *name, *source;
    size_t len;
    const char *sha256, *summary, *params; /* what came of it */
    struct err err;
};

/* The kind and the name of the path. False: answered. */
static bool named(struct call *c, struct policy_named *out)
{
    enum policy_kind kind;
    out->kind = request_param(c->rq, "kind");
    out->name = request_param(c->rq, "name");
    if (policy_kind_parse(out->kind, &kind))
        return true;
    request_problem(c->rq, &ERR_POLICY_NOT_FOUND, "no policy '%.64s/%.64s'", out->kind, out->name);
    return false;
}

static void submit_named(struct request *rq, const struct policy_named *policy, const void *args,
                         bool (*decide)(struct command *c, struct head *h, struct changes *out,
                                        struct err *e))
{
    const char *id = arena_printf(request_arena(rq), "%s:%s", policy->kind, policy->name);
    submit(rq, &(struct wish){.decide = decide, .id = id, .kind = ENTITY_POLICY, .args = args});
}

/* [loop] */
static void compiled(struct mail *m)
{
    struct compiling *p = (struct compiling *)(void *)m;
    struct arena *a = request_arena(p->rq);
    if (p->err.kind) {
        request_fail(p->rq, &p->err);
    } else {
        struct policy_draft_text *t = arena_zero(a, sizeof *t);
        *t = (struct policy_draft_text){.kind = policy_kind_name(p->kind),
                                        .name = arena_text(a, p->name),
                                        .source = arena_text(a, p->source),
                                        .sha256 = arena_text(a, p->sha256),
                                        .summary = arena_text(a, p->summary),
                                        .params = arena_text(a, p->params)};
        submit_named(p->rq, &(struct policy_named){t->kind, t->name}, t, policy_install);
    }
    arena_free(p->arena);
}

/* "rollout/name.lua:7: ..." names line 7. */
static void point_at_line(struct compiling *p)
{
    const char *at = strstr(p->err.detail, ".lua:");
    long line = at ? strtol(at + 5, NULL, 10) : 0;
    if (line > 0)
        p->err.members = arena_printf(p->arena, "\"line\":%ld", line);
}

/* [reader] */
static void compile(struct mail *m)
{
    struct compiling *p = (struct compiling *)(void *)m;
    char hash[SHA256_HEX_SIZE];
    struct policy *loaded = policy_load(p->kind, p->name, p->source, p->len, &p->err);
    if (loaded) {
        char *params = json_dumps(policy_params(loaded), JSON_COMPACT);
        sha256_hex(p->source, p->len, hash);
        p->sha256 = arena_text(p->arena, hash);
        p->summary = arena_text(p->arena, policy_summary(loaded));
        p->params = arena_text(p->arena, params ? params : "[]");
        free(params);
    } else {
        point_at_line(p);
    }
    policy_free(loaded);
    m->run = compiled;
    loop_post_answer(p->loop, m);
}

/* Is it a text that a policy may be, under a name that one may have? False: answered. */
static bool acceptable(struct call *c, const char *name, const char *text, size_t len)
{
    if (!policy_name_valid(name))
        call_refuse(c, "name", "must be 1 to %d of a-z 0-9 _ -", POLICY_NAME_MAX);
    else if (len == 0 || len > SANDBOX_SOURCE_MAX)
        call_refuse(c, "", "must be a Lua text of 1 to %zu bytes", (size_t)SANDBOX_SOURCE_MAX);
    else if (!utf8_valid(text, len) || memchr(text, '\0', len))
        call_refuse(c, "", "must be UTF-8 without NUL");
    else
        return true;
    return false;
}

void policy_put(struct request *rq)
{
    struct call c;
    struct policy_named policy;
    size_t len;
    if (!call_begin(rq, ONE_NAMESPACE, &c) || !named(&c, &policy))
        return;
    const char *text = request_body(rq, &len);
    if (!acceptable(&c, policy.name, text, len))
        return;
    struct arena *a = arena_new(4 << 20);
    struct compiling *p = arena_zero(a, sizeof *p);
    *p = (struct compiling){.mail = {.run = compile},
                            .rq = rq,
                            .loop = request_loop(rq),
                            .arena = a,
                            .name = arena_text(a, policy.name),
                            .source = arena_copy(a, text, len),
                            .len = len};
    request_defer(rq);
    if (policy_kind_parse(policy.kind, &p->kind) && pool_submit(c.api->readers, &p->mail))
        return;
    request_problem(rq, &ERR_BUSY, "too many wait for a thread; try again");
    arena_free(a);
}

static void change_named(struct request *rq, bool (*decide)(struct command *c, struct head *h,
                                                            struct changes *out, struct err *e))
{
    struct call c;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    struct policy_named *policy = arena_zero(c.arena, sizeof *policy);
    if (named(&c, policy))
        submit_named(rq, policy, policy, decide);
}

void policy_remove(struct request *rq)
{
    change_named(rq, policy_uncover);
}

void policy_rollback_post(struct request *rq)
{
    change_named(rq, policy_roll_back);
}
